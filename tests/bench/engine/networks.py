#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the benchmark's networks as ONNX files: known architectures, random weights.

    networks.py [--models LIST] DIR     DIR/NAME.onnx for each, one JSON line each on stdout

Weights are He-scaled and batch-norm statistics vary a little round the neutral ones, so that
activations keep their size through the network; the seed is fixed, the batch is symbolic.  A
line says how many operations (two a multiply-add, convolutions and products only) an image takes.
"""
import argparse
import json
import os
import zlib

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

OPSET, IR = 13, 7


class Net:
    """A graph under construction; values are names, shapes are without the batch."""

    def __init__(self, name, *shape):
        self.name, self.nodes, self.weights, self.flop = name, [], [], 0
        self.random = np.random.default_rng(zlib.crc32(name.encode()))
        self.shape = {"input": shape}
        self.outputs = []

    def const(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, op, inputs, shape, **attrs):
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attrs))
        self.shape[name] = tuple(int(d) for d in shape)
        return name

    def ints(self, *values):
        return self.const(np.array(values, np.int64))

    # Layers.

    def conv(self, x, out, kernel=1, stride=1, pad=None, group=1, dilation=1, bias=True, gain=2.0):
        c, h, w = self.shape[x]
        pad = dilation * (kernel // 2) if pad is None else pad
        fan_in = c // group * kernel * kernel
        weights = self.random.standard_normal((out, c // group, kernel, kernel), np.float32)
        inputs = [x, self.const(weights * np.float32((gain / fan_in) ** 0.5))]
        if bias:
            inputs.append(self.const(self.random.normal(0, 0.05, out).astype(np.float32)))
        size = [(d + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for d in (h, w)]
        self.flop += 2 * out * fan_in * size[0] * size[1]
        return self.node("Conv", inputs, (out, *size), kernel_shape=[kernel] * 2,
                         strides=[stride] * 2, pads=[pad] * 4, group=group,
                         dilations=[dilation] * 2)

    def norm(self, x, gain=1.0):
        c = self.shape[x][0]
        draw = self.random.uniform
        params = [gain * draw(0.8, 1.2, c), draw(-0.1, 0.1, c), draw(-0.1, 0.1, c), draw(0.8, 1.2, c)]
        return self.node("BatchNormalization",
                         [x] + [self.const(p.astype(np.float32)) for p in params],
                         self.shape[x], epsilon=1e-5)

    def relu(self, x):
        return self.node("Relu", [x], self.shape[x])

    def relu6(self, x):
        low, high = (self.const(np.array(v, np.float32)) for v in (0, 6))
        return self.node("Clip", [x, low, high], self.shape[x])

    def sigmoid(self, x):
        return self.node("Sigmoid", [x], self.shape[x])

    def silu(self, x):
        return self.node("Mul", [x, self.sigmoid(x)], self.shape[x])

    def add(self, a, b):
        return self.node("Add", [a, b], self.shape[a])

    def cat(self, *parts, axis=1):
        shape = list(self.shape[parts[0]])
        shape[axis - 1] = sum(self.shape[p][axis - 1] for p in parts)
        return self.node("Concat", list(parts), shape, axis=axis)

    def pool(self, x, kernel, stride, pads=(0, 0, 0, 0), op="MaxPool", **attrs):
        c, h, w = self.shape[x]
        size = [(d + pads[i] + pads[i + 2] - kernel) // stride + 1 for i, d in enumerate((h, w))]
        return self.node(op, [x], (c, *size), kernel_shape=[kernel] * 2, strides=[stride] * 2,
                         pads=list(pads), **attrs)

    def average(self, x, kernel, stride, pads=(0, 0, 0, 0)):
        return self.pool(x, kernel, stride, pads, "AveragePool")

    def global_average(self, x):
        return self.node("GlobalAveragePool", [x], (self.shape[x][0], 1, 1))

    def reshape(self, x, *shape):
        return self.node("Reshape", [x, self.ints(0, *shape)], shape)

    def transpose(self, x, *perm):
        return self.node("Transpose", [x], [self.shape[x][p - 1] for p in perm[1:]], perm=perm)

    def slice(self, x, axis, start, end, step=1):
        shape = list(self.shape[x])
        shape[axis - 1] = len(range(*slice(start, end, step).indices(shape[axis - 1])))
        return self.node("Slice", [x, self.ints(start), self.ints(end), self.ints(axis),
                                   self.ints(step)], shape)

    def dense(self, x, out):
        n = int(np.prod(self.shape[x]))
        if len(self.shape[x]) > 1:
            x = self.node("Flatten", [x], (n,), axis=1)
        weights = self.random.standard_normal((out, n), np.float32) * np.float32((2.0 / n) ** 0.5)
        bias = self.random.normal(0, 0.05, out).astype(np.float32)
        self.flop += 2 * n * out
        return self.node("Gemm", [x, self.const(weights), self.const(bias)], (out,), transB=1)

    def softmax(self, x, axis=1):
        return self.node("Softmax", [x], self.shape[x], axis=axis)

    def output(self, x, name="output"):
        for node in self.nodes:
            node.input[:] = [name if i == x else i for i in node.input]
            node.output[:] = [name if o == x else o for o in node.output]
        self.shape[name] = self.shape[x]
        self.outputs.append(name)

    def model(self):
        def info(name):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *self.shape[name]])

        graph = helper.make_graph(self.nodes, self.name, [info("input")],
                                  [info(o) for o in self.outputs], self.weights)
        model = helper.make_model(graph, producer_name="nexus-bench", ir_version=IR,
                                  opset_imports=[helper.make_opsetid("", OPSET)])
        checker.check_model(model)
        return model


def resnet50(n):
    """He et al. 2015, with the stride in the 3x3 convolution."""
    x = n.relu(n.norm(n.conv("input", 64, 7, 2, bias=False)))
    x = n.pool(x, 3, 2, (1, 1, 1, 1))
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for i in range(blocks):
            stride = 2 if i == 0 and stage > 0 else 1
            y = n.relu(n.norm(n.conv(x, width, bias=False)))
            y = n.relu(n.norm(n.conv(y, width, 3, stride, bias=False)))
            y = n.norm(n.conv(y, 4 * width, bias=False), 0.3)
            if i == 0:
                x = n.norm(n.conv(x, 4 * width, 1, stride, bias=False, gain=1.0))
            x = n.relu(n.add(y, x))
    n.output(n.softmax(n.dense(n.average(x, 7, 1), 1000)))


def vgg19(n):
    """Simonyan and Zisserman 2014, configuration E."""
    x = "input"
    for convs, width in ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)):
        for _ in range(convs):
            x = n.relu(n.conv(x, width, 3))
        x = n.pool(x, 2, 2)
    x = n.relu(n.dense(x, 4096))
    n.output(n.softmax(n.dense(n.relu(n.dense(x, 4096)), 1000)))


def squeezenet(n):
    """Iandola et al. 2016, the 0.70 GFLOP form (1.1) that the ONNX project calls SqueezeNet."""
    x = n.pool(n.relu(n.conv("input", 64, 3, 2, pad=0)), 3, 2)
    for i, (squeeze, expand) in enumerate(((16, 64), (16, 64), (32, 128), (32, 128), (48, 192),
                                           (48, 192), (64, 256), (64, 256))):
        if i in (2, 4):
            x = n.pool(x, 3, 2)
        x = n.relu(n.conv(x, squeeze))
        x = n.cat(n.relu(n.conv(x, expand)), n.relu(n.conv(x, expand, 3)))
    x = n.global_average(n.relu(n.conv(x, 1000)))
    n.output(n.softmax(n.reshape(x, 1000)))


def inception_v1(n):
    """Szegedy et al. 2014 (GoogLeNet), with its local response normalisation."""
    def lrn(x):
        return n.node("LRN", [x], n.shape[x], size=5, alpha=1e-4, beta=0.75, bias=1.0)

    def module(x, one, three_in, three, five_in, five, pooled):
        a = n.relu(n.conv(x, one))
        b = n.relu(n.conv(n.relu(n.conv(x, three_in)), three, 3))
        c = n.relu(n.conv(n.relu(n.conv(x, five_in)), five, 5))
        d = n.relu(n.conv(n.pool(x, 3, 1, (1, 1, 1, 1)), pooled))
        return n.cat(a, b, c, d)

    x = lrn(n.pool(n.relu(n.conv("input", 64, 7, 2)), 3, 2))
    x = n.relu(n.conv(n.relu(n.conv(x, 64)), 192, 3))
    x = n.pool(lrn(x), 3, 2)
    x = module(x, 64, 96, 128, 16, 32, 32)
    x = n.pool(module(x, 128, 128, 192, 32, 96, 64), 3, 2)
    for widths in ((192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64),
                   (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
                   (256, 160, 320, 32, 128, 128)):
        x = module(x, *widths)
    x = n.pool(x, 3, 2)
    x = module(module(x, 256, 160, 320, 32, 128, 128), 384, 192, 384, 48, 128, 128)
    n.output(n.softmax(n.dense(n.average(x, 7, 1, (0, 0, 1, 1)), 1000)))


def inception_v2(n):
    """Ioffe and Szegedy 2015 (BN-Inception)."""
    edge = (0, 0, 1, 1)

    def unit(x, out, kernel=1, stride=1):
        return n.relu(n.norm(n.conv(x, out, kernel, stride)))

    def module(x, one, three_in, three, double_in, double, pooled, pool=n.average):
        parts = [unit(x, one), unit(unit(x, three_in), three, 3),
                 unit(unit(unit(x, double_in), double, 3), double, 3),
                 unit(pool(x, 3, 1, (1, 1, 1, 1)), pooled)]
        return n.cat(*parts)

    def shrink(x, three_in, three, double_in, double):
        return n.cat(unit(unit(x, three_in), three, 3, 2),
                     unit(unit(unit(x, double_in), double, 3), double, 3, 2), n.pool(x, 3, 2, edge))

    x = n.pool(unit("input", 64, 7, 2), 3, 2, edge)
    x = n.pool(unit(unit(x, 64), 192, 3), 3, 2, edge)
    x = module(module(x, 64, 64, 64, 64, 96, 32), 64, 64, 96, 64, 96, 64)
    x = shrink(x, 128, 160, 64, 96)
    for widths in ((224, 64, 96, 96, 128, 128), (192, 96, 128, 96, 128, 128),
                   (160, 128, 160, 128, 160, 96), (96, 128, 192, 160, 192, 96)):
        x = module(x, *widths)
    x = shrink(x, 128, 192, 192, 256)
    x = module(x, 352, 192, 320, 160, 224, 128)
    x = module(x, 352, 192, 320, 192, 224, 128, n.pool)
    n.output(n.softmax(n.dense(n.average(x, 7, 1), 1000)))


def shufflenet(n):
    """Zhang et al. 2017 (v1, four groups); the shuffle is Reshape, Transpose, Reshape."""
    def shuffle(x, groups=4):
        c, h, w = n.shape[x]
        x = n.reshape(x, groups, c // groups, h, w)
        return n.reshape(n.transpose(x, 0, 2, 1, 3, 4), c, h, w)

    x = n.pool(n.relu(n.norm(n.conv("input", 24, 3, 2, bias=False))), 3, 2, (1, 1, 1, 1))
    for blocks, width in ((4, 136), (8, 272), (4, 544)):
        for i in range(blocks):
            # The joined output of a stage's first block has 'width' channels.
            out = width - n.shape[x][0] if i == 0 else width
            inner = out if width == 136 or i else width // 2
            stride = 2 if i == 0 else 1
            y = shuffle(n.relu(n.norm(n.conv(x, inner, group=4, bias=False))))
            y = n.norm(n.conv(y, inner, 3, stride, group=inner, bias=False, gain=1.0))
            y = n.norm(n.conv(y, out, group=4, bias=False, gain=1.0), 0.5)
            x = n.relu(n.cat(y, n.average(x, 3, 2, (1, 1, 1, 1))) if i == 0 else n.add(y, x))
    n.output(n.softmax(n.dense(n.average(x, 7, 1), 1000)))


def densenet121(n):
    """Huang et al. 2016, growth 32."""
    x = n.pool(n.relu(n.norm(n.conv("input", 64, 7, 2, bias=False))), 3, 2, (1, 1, 1, 1))
    for i, layers in enumerate((6, 12, 24, 16)):
        for _ in range(layers):
            y = n.relu(n.norm(n.conv(n.relu(n.norm(x)), 128, bias=False)))
            x = n.cat(x, n.conv(y, 32, 3, bias=False, gain=1.0))
        x = n.relu(n.norm(x))
        if i < 3:
            x = n.average(n.conv(x, n.shape[x][0] // 2, bias=False), 2, 2)
    n.output(n.reshape(n.conv(n.global_average(x), 1000), 1000))


def mobilenet_v2(n):
    """Sandler et al. 2018, width 1."""
    def unit(x, out, kernel=1, stride=1, group=1):
        return n.relu6(n.norm(n.conv(x, out, kernel, stride, group=group, bias=False)))

    x = unit("input", 32, 3, 2)
    for expand, out, blocks, first in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                       (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(blocks):
            c = n.shape[x][0]
            y = unit(x, c * expand) if expand > 1 else x
            y = unit(y, c * expand, 3, first if i == 0 else 1, group=c * expand)
            y = n.norm(n.conv(y, out, bias=False, gain=1.0))
            x = y if i == 0 else n.add(x, y)
    x = n.global_average(unit(x, 1280))
    n.output(n.dense(x, 1000))


def yolox_nano(n):
    """Ge et al. 2021: focus, depthwise convolutions, SiLU, SPP, two-way pyramid, three heads."""
    def unit(x, out, kernel=1, stride=1, group=1):
        return n.silu(n.conv(x, out, kernel, stride, group=group))

    def light(x, out, stride=1):
        return unit(unit(x, n.shape[x][0], 3, stride, group=n.shape[x][0]), out)

    def csp(x, out, blocks, shortcut=True):
        a, b = unit(x, out // 2), unit(x, out // 2)
        for _ in range(blocks):
            y = light(unit(a, out // 2), out // 2)
            a = n.add(y, a) if shortcut else y
        return unit(n.cat(a, b), out)

    def upsample(x):
        c, h, w = n.shape[x]
        scales = n.const(np.array([1, 1, 2, 2], np.float32))
        return n.node("Resize", [x, "", scales], (c, 2 * h, 2 * w), mode="nearest",
                      coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    def head(x):
        x = unit(x, 64)
        cls, reg = light(light(x, 64), 64), light(light(x, 64), 64)
        scores = n.sigmoid(n.conv(cls, 80))
        out = n.cat(n.conv(reg, 4), n.sigmoid(n.conv(reg, 1)), scores)
        return n.reshape(out, 85, n.shape[x][1] * n.shape[x][2])

    focus = [n.slice(n.slice("input", 2, y, 416, 2), 3, x, 416, 2) for x in (0, 1) for y in (0, 1)]
    x = csp(light(unit(n.cat(*focus), 16, 3), 32, 2), 32, 1)
    fine = csp(light(x, 64, 2), 64, 3)
    middle = csp(light(fine, 128, 2), 128, 3)
    x = unit(light(middle, 256, 2), 128)
    x = n.cat(x, *(n.pool(x, k, 1, [k // 2] * 4) for k in (5, 9, 13)))
    coarse = unit(csp(unit(x, 256), 256, 1, False), 128)
    x = csp(n.cat(upsample(coarse), middle), 128, 1, False)
    middle = unit(x, 64)
    fine = csp(n.cat(upsample(middle), fine), 64, 1, False)
    middle = csp(n.cat(light(fine, 64, 2), middle), 128, 1, False)
    coarse = csp(n.cat(light(middle, 128, 2), coarse), 256, 1, False)
    x = n.cat(*(head(level) for level in (fine, middle, coarse)), axis=2)
    n.output(n.transpose(x, 0, 2, 1))


def rfb_face(n):
    """The 320x240 face detector "Ultra-Light-Fast-Generic RFB": depthwise trunk, a block of
    dilated branches, four heads, boxes decoded in the graph."""
    def unit(x, out, kernel=1, stride=1, group=1, dilation=1, relu=True):
        x = n.norm(n.conv(x, out, kernel, stride, group=group, dilation=dilation, bias=False))
        return n.relu(x) if relu else x

    def light(x, out, stride=1):
        return unit(unit(x, n.shape[x][0], 3, stride, group=n.shape[x][0]), out)

    def predict(x, out, anchors, separable=True):
        if separable:
            c = n.shape[x][0]
            x = n.conv(n.relu(n.conv(x, c, 3, group=c)), out * anchors)
        else:
            x = n.conv(x, out * anchors, 3)
        return n.reshape(n.transpose(x, 0, 2, 3, 1), n.shape[x][1] * n.shape[x][2] * anchors, out)

    x = unit("input", 16, 3, 2)
    for out, stride in ((32, 1), (32, 2), (32, 1), (64, 2), (64, 1), (64, 1)):
        x = light(x, out, stride)
    branches = []
    for widths, dilation in (((16,), 2), ((16,), 3), ((12, 16), 5)):
        y = unit(x, 8, relu=False)
        for width in widths:
            y = unit(y, width, 3)
        branches.append(unit(y, 16, 3, dilation=dilation, relu=False))
    joined = n.norm(n.conv(n.cat(*branches), 64, bias=False), 0.5)
    maps = [n.relu(n.add(joined, unit(x, 64, relu=False)))]
    x = maps[0]
    for out, blocks in ((128, 3), (256, 2)):
        for i in range(blocks):
            x = light(x, out, 2 if i == 0 else 1)
        maps.append(x)
    x = n.relu(n.conv(x, 64))
    x = n.relu(n.conv(n.relu(n.conv(x, 64, 3, 2, group=64)), 256))
    maps.append(x)
    plan = list(zip(maps, (3, 2, 2, 3), (True, True, True, False)))
    scores = n.cat(*(predict(m, 2, a, s) for m, a, s in plan))
    offsets = n.cat(*(predict(m, 4, a, s) for m, a, s in plan))
    count = n.shape[scores][0]
    n.output(n.softmax(scores, 2), "scores")
    priors = [n.const(n.random.uniform(low, high, (1, count, 2)).astype(np.float32))
              for low, high in ((0, 1), (0.05, 0.5))]
    factors = [n.const(np.array(f, np.float32)) for f in (0.1, 0.2, 2.0)]

    def binary(op, a, b):
        return n.node(op, [a, b], (count, 2))

    centre = binary("Mul", n.slice(offsets, 2, 0, 2), factors[0])
    centre = binary("Add", binary("Mul", centre, priors[1]), priors[0])
    size = n.node("Exp", [binary("Mul", n.slice(offsets, 2, 2, 4), factors[1])], (count, 2))
    half = binary("Div", binary("Mul", size, priors[1]), factors[2])
    n.output(n.cat(binary("Sub", centre, half), binary("Add", centre, half), axis=2), "boxes")


NETWORKS = {
    "resnet50": (resnet50, (3, 224, 224)),
    "vgg19": (vgg19, (3, 224, 224)),
    "squeezenet": (squeezenet, (3, 224, 224)),
    "inception-v1": (inception_v1, (3, 224, 224)),
    "inception-v2": (inception_v2, (3, 224, 224)),
    "shufflenet": (shufflenet, (3, 224, 224)),
    "densenet121": (densenet121, (3, 224, 224)),
    "mobilenet-v2": (mobilenet_v2, (3, 224, 224)),
    "yolox-nano": (yolox_nano, (3, 416, 416)),
    "rfb-face": (rfb_face, (3, 240, 320)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(NETWORKS))
    parser.add_argument("dir")
    args = parser.parse_args()
    for name in args.models.split(","):
        build, shape = NETWORKS[name]
        net = Net(name, *shape)
        build(net)
        path = os.path.join(args.dir, name + ".onnx")
        save(net.model(), path)
        print(json.dumps({"model": name, "input": shape, "gflop": round(net.flop / 1e9, 3),
                          "parameters": sum(int(np.prod(w.dims)) for w in net.weights)}), flush=True)


if __name__ == "__main__":
    main()
