# SPDX-License-Identifier: Apache-2.0
"""An ONNX network in PyTorch, fp16 and channels last: images a second from host memory to host
memory, one line of JSON a batch size.

    torch_bench.py MODEL.onnx NAME eager,graph,compile SECONDS BATCH...

Batch norms are folded into the convolutions before them, as Nexus does.  --check FOLDER compares
fp32 answers with stored ones (input_0.bin, output_0.bin) and needs no GPU.
"""
import json
import statistics
import sys
import time

import numpy
import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as F


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def same_padding(x, kernel, strides, dilations, lower):
    pads = []
    for size, k, s, d in zip(x.shape[2:], kernel, strides, dilations):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        half = total - total // 2 if lower else total // 2
        pads.append((half, total - half))
    return pads


class Network(torch.nn.Module):
    """The nodes in order; constants are held as buffers in the type of the network."""

    def __init__(self, path, dtype):
        super().__init__()
        model = onnx.load(path)
        graph = model.graph
        self.opset = max(o.version for o in model.opset_import if not o.domain)
        self.dtype = dtype
        self.raw = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
        self.inputs = [i.name for i in graph.input if i.name not in self.raw]
        self.outputs = [o.name for o in graph.output]
        dims = graph.input[[i.name for i in graph.input].index(self.inputs[0])]
        self.row = [d.dim_value for d in dims.type.tensor_type.shape.dim][1:]
        self.nodes = []
        for node in graph.node:
            self.add(node)
        self.fold_norms()
        self.tensors = {}
        for name, value in self.raw.items():
            tensor = torch.from_numpy(numpy.array(value))
            if tensor.is_floating_point():
                tensor = tensor.to(dtype)
                if tensor.dim() == 4:
                    tensor = tensor.contiguous(memory_format=torch.channels_last)
            self.tensors[name] = tensor

    def add(self, node):
        a = attributes(node)
        if node.op_type == "Constant":
            self.raw[node.output[0]] = onnx.numpy_helper.to_array(a["value"])
        elif node.op_type == "ConstantOfShape":
            value = onnx.numpy_helper.to_array(a["value"]).item() if "value" in a else 0.0
            shape = tuple(self.raw[node.input[0]])
            # One number everywhere would be a case of its own for speed and power.
            self.raw[node.output[0]] = (
                numpy.random.default_rng(1).normal(0, 0.05, shape).astype(numpy.float32)
                if numpy.prod(shape) > 4096 else numpy.full(shape, value, numpy.float32))
        else:
            self.nodes.append((node.op_type, list(node.input), list(node.output), a))

    def fold_norms(self):
        makers = {n[2][0]: n for n in self.nodes}
        readers = {}
        for n in self.nodes:
            for name in n[1]:
                readers[name] = readers.get(name, 0) + 1
        kept = []
        for op, ins, outs, a in self.nodes:
            conv = makers.get(ins[0]) if op == "BatchNormalization" else None
            if not conv or conv[0] != "Conv" or readers[ins[0]] != 1:
                kept.append((op, ins, outs, a))
                continue
            gamma, beta, mean, var = (self.raw[i].astype(numpy.float64) for i in ins[1:5])
            scale = gamma / numpy.sqrt(var + a.get("epsilon", 1e-5))
            weight = self.raw[conv[1][1]]
            bias = self.raw[conv[1][2]] if len(conv[1]) > 2 else 0.0
            names = [outs[0] + ".weight", outs[0] + ".bias"]
            self.raw[names[0]] = (weight * scale[:, None, None, None]).astype(numpy.float32)
            self.raw[names[1]] = (beta + (bias - mean) * scale).astype(numpy.float32)
            del conv[1][1:]
            conv[1].extend(names)
            conv[2][0] = outs[0]
        self.nodes = kept

    def to_device(self, device):
        self.tensors = {k: v.to(device) for k, v in self.tensors.items()}
        return self

    def conv(self, x, a, weight, bias=None):
        kernel, n = weight.shape[2:], weight.dim() - 2
        strides, dilations = a.get("strides", [1] * n), a.get("dilations", [1] * n)
        pads = a.get("pads", [0] * 2 * n)
        pairs = list(zip(pads[:n], pads[n:]))
        mode = a.get("auto_pad", b"NOTSET").decode()
        if mode.startswith("SAME"):
            pairs = same_padding(x, kernel, strides, dilations, mode == "SAME_LOWER")
        if any(b != e for b, e in pairs):
            x = F.pad(x, [p for pair in reversed(pairs) for p in pair])
            pairs = [(0, 0)] * n
        return F.conv2d(x, weight, bias, strides, [b for b, _ in pairs], dilations,
                        a.get("group", 1))

    def pool(self, op, x, a):
        n = len(a["kernel_shape"])
        pads = a.get("pads", [0] * 2 * n)
        strides = a.get("strides", [1] * n)
        ceil = bool(a.get("ceil_mode", 0))
        if pads[:n] != pads[n:]:
            x = F.pad(x, [p for i in reversed(range(n)) for p in (pads[i], pads[n + i])],
                      value=float("-inf") if op == "MaxPool" else 0.0)
            pads = [0] * 2 * n
        if op == "MaxPool":
            return F.max_pool2d(x, a["kernel_shape"], strides, pads[:n], ceil_mode=ceil)
        return F.avg_pool2d(x, a["kernel_shape"], strides, pads[:n], ceil,
                            bool(a.get("count_include_pad", 0)))

    def numbers(self, value, name):
        return [int(i) for i in self.raw[name].flatten()] if name in self.raw else value.tolist()

    def reshape(self, x, shape):
        shape = [x.shape[i] if s == 0 else s for i, s in enumerate(shape)]
        if shape and shape[0] == 1 and -1 in shape[1:]:
            shape[0] = x.shape[0]  # a batch of one that was baked in
        elif shape and shape[0] == 1 and -1 not in shape:
            shape[0] = x.shape[0]
        return x.reshape(shape)

    def slice(self, x, ins, a):
        lists = [self.numbers(None, i) if i else None for i in ins[1:]]
        starts, ends = (lists + [None, None])[:2] if lists else (a["starts"], a["ends"])
        axes = lists[2] if len(lists) > 2 and lists[2] else a.get("axes", range(len(starts)))
        steps = lists[3] if len(lists) > 3 and lists[3] else [1] * len(starts)
        index = [slice(None)] * x.dim()
        for start, end, axis, step in zip(starts, ends, axes, steps):
            index[axis] = slice(start, end if end < 2**31 - 1 else None, step)
        return x[tuple(index)]

    def resize(self, x, ins, a):
        scales = self.raw[ins[2]] if len(ins) > 2 and ins[2] else self.raw[ins[1]]
        size = self.numbers(None, ins[3])[2:] if len(ins) > 3 and ins[3] else None
        mode = a.get("mode", b"nearest").decode()
        factor = None if size else [float(s) for s in scales.flatten()[2:]]
        if mode == "nearest":
            return F.interpolate(x, size, factor, "nearest")
        return F.interpolate(x, size, factor, "bilinear", align_corners=False)

    def run(self, op, ins, args, a):
        x = args[0]
        simple = {
            "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Identity": lambda v: v,
            "Dropout": lambda v: v, "Exp": torch.exp, "Tanh": torch.tanh, "Sqrt": torch.sqrt,
            "GlobalAveragePool": lambda v: v.mean((2, 3), keepdim=True),
        }
        binary = {"Add": torch.add, "Sum": torch.add, "Mul": torch.mul, "Sub": torch.sub,
                  "Div": torch.div, "MatMul": torch.matmul}
        if op in simple:
            return simple[op](x)
        if op in binary:
            return binary[op](x, args[1])
        if op == "Conv":
            return self.conv(x, a, *args[1:])
        if op in ("MaxPool", "AveragePool"):
            return self.pool(op, x, a)
        if op == "BatchNormalization":
            return F.batch_norm(x, args[3], args[4], args[1], args[2], False, 0,
                                a.get("epsilon", 1e-5))
        if op == "Gemm":
            weight = args[1] if a.get("transB", 0) else args[1].t()
            return F.linear(x, weight * a.get("alpha", 1.0), args[2] if len(args) > 2 else None)
        if op == "Clip":
            low = float(self.raw[ins[1]]) if len(ins) > 1 and ins[1] else a.get("min")
            high = float(self.raw[ins[2]]) if len(ins) > 2 and ins[2] else a.get("max")
            return torch.clamp(x, low, high)
        if op == "LeakyRelu":
            return F.leaky_relu(x, a.get("alpha", 0.01))
        if op == "Concat":
            return torch.cat(args, a["axis"])
        if op == "Flatten":
            return x.flatten(a.get("axis", 1))
        if op == "Reshape":
            return self.reshape(x, self.numbers(args[1], ins[1]))
        if op == "Transpose":
            return x.permute(a["perm"])
        if op == "Softmax":
            return torch.softmax(x, a.get("axis", 1 if self.opset < 13 else -1))
        if op == "Squeeze":
            axes = a.get("axes") or self.numbers(args[1], ins[1])
            return x.squeeze(tuple(axes)) if len(axes) > 1 else x.squeeze(axes[0])
        if op == "Unsqueeze":
            return x.unsqueeze((a.get("axes") or self.numbers(args[1], ins[1]))[0])
        if op == "Slice":
            return self.slice(x, ins, a)
        if op in ("Resize", "Upsample"):
            return self.resize(x, ins, a)
        if op == "Pad":
            pads = a.get("pads") or self.numbers(args[1], ins[1])
            n = len(pads) // 2
            return F.pad(x, [p for i in reversed(range(n)) for p in (pads[i], pads[n + i])])
        raise NotImplementedError(op)

    def forward(self, x):
        values = dict(self.tensors)
        values[self.inputs[0]] = x
        for op, ins, outs, a in self.nodes:
            values[outs[0]] = self.run(op, ins, [values[i] for i in ins if i], a)
        return [values[o] for o in self.outputs]


def check(path, folder):
    net = Network(path, torch.float32)
    x = numpy.fromfile(folder + "/input_0.bin", numpy.float32).reshape([1] + net.row)
    want = numpy.fromfile(folder + "/output_0.bin", numpy.float32)
    with torch.inference_mode():
        got = net(torch.from_numpy(x))[0].numpy().flatten()
    off = abs(got - want).max() / abs(want).max()
    print("%s: off by %.2g of the largest" % (path, off))
    return 0 if off < 1e-3 else 1


def captured(net, x):
    """The network as one CUDA graph over its own input."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            net(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = net(x)
    return graph, out


def runner(net, kind, batch):
    """A function of no arguments: host memory in, host memory out."""
    host = torch.rand([batch] + net.row).half().pin_memory()
    x = torch.empty_like(host, device="cuda").contiguous(memory_format=torch.channels_last)
    call = None
    if kind == "compile":
        fast = torch.compile(net, mode="max-autotune", fullgraph=True)
        call = lambda: fast(x)
    elif kind == "graph":
        graph, out = captured(net, x)

        def call():
            graph.replay()
            return out
    else:
        call = lambda: net(x)

    def on_device():
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end)

    def once():
        x.copy_(host, non_blocking=True)
        answers = [o.to("cpu", non_blocking=True) for o in call()]
        torch.cuda.synchronize()
        return answers
    return once, on_device


def bench(net, name, kind, seconds, batch):
    once, on_device = runner(net, kind, batch)
    for _ in range(5):
        once()
    took, end = [], time.perf_counter() + seconds
    while len(took) < 2000 and (len(took) < 21 or time.perf_counter() < end):
        begin = time.perf_counter()
        once()
        took.append((time.perf_counter() - begin) * 1e3)
    ms = statistics.median(took)
    alone, end = [], time.perf_counter() + seconds
    while len(alone) < 2000 and (len(alone) < 21 or time.perf_counter() < end):
        alone.append(on_device())
    print(json.dumps({"engine": "torch-" + kind, "model": name, "precision": "fp16",
                      "batch": batch, "device_ms": round(statistics.median(alone), 4), "ms": round(ms, 4), "images_s": round(batch * 1e3 / ms, 1),
                      "rounds": len(took)}))


def main():
    path, name, kinds, seconds = sys.argv[1:5]
    torch.backends.cudnn.benchmark = True
    net = Network(path, torch.float16).to_device("cuda")
    with torch.inference_mode():
        for kind in kinds.split(","):
            for batch in sys.argv[5:]:
                try:
                    bench(net, name, kind, float(seconds), int(batch))
                except Exception as e:  # a batch that cannot run must not end the others
                    print("torch_bench: %s at batch %s, %s: %s" % (name, batch, kind, e),
                          file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        sys.exit(check(sys.argv[2], sys.argv[3]))
    main()
