#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seeds of fuzz_onnx and fuzz_bundle: seeds.py CORPUS_DIR

ONNX is written field by field (no library would write what is wrong with half of them); each seed
is a shape of the format that a reader treats in its own way.  The corpus is what this prints, so
that a seed can be read here.
"""
import gzip
import io
import os
import struct
import sys
import tarfile
import zipfile

FLOAT, UINT8, INT8, INT32, INT64, BOOL, FLOAT16 = 1, 2, 3, 6, 7, 9, 10


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n & (1 << 64) - 1)


def data(field, *parts):
    inside = b"".join(p.encode() if isinstance(p, str) else p for p in parts)
    return varint(field << 3 | 2) + varint(len(inside)) + inside


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def ints(*values):
    return struct.pack(f"<{len(values)}q", *values)


def tensor(name, dtype, dims, *rest):
    return b"".join(number(1, d) for d in dims) + number(2, dtype) + data(8, name) + b"".join(rest)


def raw(name, dtype, dims, content):
    return tensor(name, dtype, dims, data(9, content))


def value(name, dtype, *dims):
    shape = b"".join(data(1, data(2, d) if isinstance(d, str) else number(1, d)) for d in dims)
    return data(1, name) + data(2, data(1, number(1, dtype), data(2, shape)))


def attr(name, kind, *parts):
    return data(5, data(1, name), *parts, number(20, kind))


def attr_ints(name, *values):
    return attr(name, 7, *(number(8, v) for v in values))


def node(op, inputs, outputs, *attrs, domain=""):
    return data(1, *(data(1, i) for i in inputs), *(data(2, o) for o in outputs), data(4, op),
                data(3, "n_" + outputs[0]), *attrs, data(7, domain) if domain else b"")


def graph(*parts, x=value("x", FLOAT, "N", 1, 4, 4), y=value("y", FLOAT, "N", 1)):
    return data(7, *parts, data(2, "g"), data(11, x), data(12, y))


def model(*graphs, opset=13):
    return number(1, 7) + data(8, data(1, ""), number(2, opset)) + b"".join(graphs)


def init(t):
    return data(5, t)


CONV = raw("w", FLOAT, [2, 1, 3, 3], floats(*[i / 9 for i in range(18)]))
FLAT = [1, 4]


def onnx():
    yield "conv", model(graph(
        node("Conv", ["x", "w", "b"], ["c"], attr_ints("pads", 1, 1, 1, 1), attr_ints("strides", 2, 2)),
        node("BatchNormalization", ["c", "b", "b", "b", "v"], ["n"]), node("Relu", ["n"], ["r"]),
        node("GlobalAveragePool", ["r"], ["p"]), node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "g"], ["y"], attr("alpha", 1, varint(2 << 3 | 5), floats(2)),
             attr("transB", 2, number(3, 1))),
        init(CONV), init(raw("b", FLOAT, [2], floats(1, 2))), init(raw("v", FLOAT, [2], floats(1, 1))),
        init(raw("g", FLOAT, [1, 2], floats(3, 4)))))
    yield "typed_data", model(graph(
        node("Add", ["x", "a"], ["s"]), node("Mul", ["s", "b"], ["t"]), node("Reshape", ["t", "to"], ["y"]),
        init(tensor("a", FLOAT, [4], data(4, floats(1, 2, 3, 4)))),
        init(tensor("b", FLOAT, [1], varint(4 << 3 | 5), floats(5))),
        init(tensor("to", INT64, [2], number(7, -1), number(7, 16))),
        init(tensor("h", FLOAT16, [2], data(5, varint(15360), varint(16384)))),
        init(tensor("f", BOOL, [2], number(5, 7), number(5, 0)))))
    yield "constants", model(graph(
        node("Constant", [], ["c"], attr("value", 4, data(5, raw("", FLOAT, [4], floats(1, 2, 3, 4))))),
        node("Constant", [], ["k"], attr_ints("value_ints", 1, 16)),
        node("ConstantOfShape", ["k"], ["z"], attr("value", 4, data(5, raw("", FLOAT, [1], floats(9))))),
        node("Shape", ["x"], ["s"]), node("Gather", ["s", "i"], ["d"]), node("Add", ["x", "c"], ["a"]),
        node("Concat", ["d", "m"], ["to"], attr("axis", 2, number(3, 0))),
        node("Reshape", ["a", "to"], ["r"]), node("Add", ["r", "z"], ["y"]),
        init(raw("i", INT64, [1], ints(0))), init(raw("m", INT64, [1], ints(-1)))))
    half = raw("w", FLOAT16, [4], b"\0\x3c" * 4)
    yield "half", model(graph(node("Mul", ["x", "w"], ["y"]), init(half),
                              x=value("x", FLOAT16, 1, 4), y=value("y", FLOAT16, 1, 4)))
    yield "quantised", model(graph(
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("QLinearConv", ["q", "s", "z", "w", "s", "o", "s", "z"], ["c"]),
        node("DequantizeLinear", ["c", "s", "z"], ["d"]), node("ReduceMean", ["d"], ["y"]),
        init(raw("s", FLOAT, [], floats(.1))), init(raw("z", UINT8, [], b"\x80")),
        init(raw("o", INT8, [], b"\0")), init(raw("w", INT8, [1, 1, 3, 3], bytes(range(9))))))
    relu = node("Relu", ["x"], ["y"])
    yield "merged_graphs", model(graph(relu), data(7, node("Abs", ["y"], ["z"]), init(CONV),
                                                  data(12, value("z", FLOAT, 1))))
    yield "raw_twice", model(graph(node("Add", ["x", "w"], ["y"]), init(
        tensor("w", FLOAT, [4], data(9, floats(1, 2)), data(9, floats(1, 2, 3, 4))))))
    yield "like_a_place", model(graph(node("Add", ["x", "w"], ["y"]), init(
        raw("w", FLOAT, [4], struct.pack("<QQ", 0, 1 << 62)))))
    yield "both_data", model(graph(node("Add", ["x", "w"], ["y"]), init(
        tensor("w", FLOAT, [4], data(4, floats(1, 2)), data(9, floats(3, 4, 5, 6))))))
    yield "long_varints", model(graph(node("Add", ["x", "w"], ["y"]), init(
        tensor("w", FLOAT, [1], b"\xca\x80\x00\x84\x80\x80\x80\x80\x80\x00", floats(1)))))
    yield "length_64", model(graph(node("Add", ["x", "w"], ["y"]), init(
        tensor("w", FLOAT, [1], varint(9 << 3 | 2), varint((1 << 64) - 8), floats(1)))))
    yield "tag_35", model(graph(relu, init(
        tensor("w", FLOAT, [1], varint(1 << 35 | 9 << 3 | 2), varint(4), floats(1)))))
    yield "external", model(graph(node("Add", ["x", "w"], ["y"]), init(tensor(
        "w", FLOAT, [4], data(13, data(1, "location"), data(2, "../w.bin")), number(14, 1)))))
    yield "huge_dims", model(graph(node("Add", ["x", "w"], ["y"]), init(
        raw("w", FLOAT, [1 << 31, 1 << 31, 4], floats(1)))))
    yield "subgraph", model(graph(node("If", ["x"], ["y"], attr(
        "then_branch", 5, data(6, relu, init(CONV), data(12, value("y", FLOAT, 1)))))))
    yield "foreign_node", model(graph(node("Gelu", ["x"], ["y"], domain="com.example")))
    yield "loop", model(graph(node("Relu", ["y"], ["a"]), node("Relu", ["a"], ["y"])))
    yield "packed_strings", model(graph(relu, init(tensor("s", 8, [1], data(6, "text")))))


def tar(files, **header):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for k, v in header.items():
                setattr(info, k, v)
            t.addfile(info, io.BytesIO(content))
        end = t.offset
    return out.getvalue()[:end + 1024]


def zipped(files, how):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as z:
        for name, content in files:
            z.writestr(zipfile.ZipInfo(name), content, how)
    return out.getvalue()


def zstd(content):
    """A frame of one raw block (RFC 8878)."""
    block = struct.pack("<I", 1 | len(content) << 3)[:3]
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(content)) + block + content


def bundles():
    """The first byte says to fuzz_bundle which magic to put in front."""
    manifest = (b'{"format":"nexus-model/1","model":"m","file":"m.onnx","labels":"l.txt",'
                b'"input":{"size":[4,4],"color":"GRAY"},"output":{"kind":"classes"}}')
    files = [("manifest.json", manifest), ("m.onnx", dict(onnx())["conv"]), ("l.txt", b"cat\ndog\n")]
    yield "zip_deflated", b"\0" + zipped(files, zipfile.ZIP_DEFLATED)
    yield "zip_stored", b"\0" + zipped(files, zipfile.ZIP_STORED)
    yield "tar_gz", b"\1" + gzip.compress(tar(files), mtime=0)
    yield "tar_zst", b"\2" + zstd(tar(files))
    yield "tar", b"\3" + tar(files)
    yield "bare_onnx_in_zip", b"\0" + zipped([("model.onnx", files[1][1])], zipfile.ZIP_STORED)
    yield "leaves", b"\3" + tar([("../m.onnx", b"")])
    yield "twice", b"\3" + tar([("./model.onnx", b""), ("model.onnx", b"")])
    yield "link", b"\3" + tar([("model.onnx", b"")], type=tarfile.SYMTYPE, linkname="/etc/passwd")
    yield "bomb", b"\1" + gzip.compress(tar([("model.onnx", bytes(1 << 20))]), mtime=0)


def main():
    for target, seeds in (("fuzz_onnx", onnx()), ("fuzz_bundle", bundles())):
        folder = os.path.join(sys.argv[1], target)
        os.makedirs(folder, exist_ok=True)
        for name, content in seeds:
            with open(os.path.join(folder, name), "wb") as f:
                f.write(content)


main()
