#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Evaluate the demo's ONNX files on the demo's clip, without an ONNX runtime.

    evaluate.py [--demo ../demo] [--dump DIR]

Every frame goes the way of the demo's pipeline: `scene` says the game, the game's regions of the
manifest are cropped, scaled and read by the game's digit network and by `icons`.  A frame whose
game is mistaken has all its readings counted as wrong.
"""
import argparse
import json
import os

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from PIL import Image

import render

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "demo")
RESAMPLERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "box": Image.BOX,
              "point": None}        # point: bilinear that does not widen its filter


class Network:
    """A model folder: its manifest, its labels and its graph, run node by node with torch."""

    def __init__(self, folder):
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as text:
            self.manifest = json.load(text)
        with open(os.path.join(folder, self.manifest["labels"]), encoding="utf-8") as text:
            self.labels = text.read().split("\n")[:-1]
        model = onnx.load(os.path.join(folder, self.manifest["file"]))
        onnx.checker.check_model(model)
        self.graph = model.graph
        self.weights = {w.name: torch.from_numpy(numpy_helper.to_array(w).copy())
                        for w in self.graph.initializer}

    def image(self, frame, box, how):
        """Crops a box of an RGB frame and scales it to the input's size, uint8."""
        spec = self.manifest["input"]
        crop = frame.crop(box)
        if how is None:
            a, e = crop.width / spec["size"][0], crop.height / spec["size"][1]
            crop = crop.transform(tuple(spec["size"]), Image.AFFINE, (a, 0, 0, 0, e, 0),
                                  Image.BILINEAR)
        else:
            crop = crop.resize(spec["size"], how)
        return crop.convert("L") if spec["color"] == "GRAY" else crop

    def classify(self, images):
        """The labels and probabilities of a list of images."""
        spec = self.manifest["input"]
        planes = np.stack([np.asarray(i, np.float32) for i in images])
        planes = (planes - np.array(spec["mean"] if planes.ndim == 4 else spec["mean"][0],
                                    np.float32)) * np.float32(spec["scale"])
        planes = planes.transpose(0, 3, 1, 2) if planes.ndim == 4 else planes[:, None]
        with torch.no_grad():
            logits = self.run(torch.from_numpy(np.ascontiguousarray(planes)))
        best = torch.softmax(logits, 1).max(1)
        return [self.labels[i] for i in best.indices], best.values.tolist()

    def run(self, x):
        values = dict(self.weights)
        values[self.graph.input[0].name] = x
        for node in self.graph.node:
            a = {f.name: onnx.helper.get_attribute_value(f) for f in node.attribute}
            v = [values[name] for name in node.input]
            if node.op_type == "Conv":
                assert a["pads"][:2] == a["pads"][2:] and a.get("group", 1) == 1
                y = F.conv2d(v[0], v[1], v[2] if len(v) > 2 else None, a["strides"], a["pads"][:2])
            elif node.op_type == "MaxPool":
                y = F.max_pool2d(v[0], a["kernel_shape"], a["strides"])
            elif node.op_type == "Relu":
                y = v[0].relu()
            elif node.op_type == "Add":
                y = v[0] + v[1]
            elif node.op_type == "GlobalAveragePool":
                y = v[0].mean((2, 3), keepdim=True)
            elif node.op_type == "Flatten":
                y = v[0].flatten(a.get("axis", 1))
            elif node.op_type == "Gemm":
                assert a.get("transB") == 1 and a.get("transA", 0) == 0
                y = F.linear(v[0], v[1], v[2])
            else:
                raise ValueError("no operator " + node.op_type)
            values[node.output[0]] = y
        return values[self.graph.output[0].name]


def check_trunk(networks):
    """The digit networks must differ in their last layer alone."""
    first = networks[0]
    last = set(first.graph.node[-1].input)
    for other in networks[1:]:
        assert [(n.name, n.op_type, list(n.input)) for n in first.graph.node] == \
            [(n.name, n.op_type, list(n.input)) for n in other.graph.node]
        for name, value in first.weights.items():
            same = torch.equal(value, other.weights[name])
            assert same != (name in last), name
    return sum(v.numel() for n, v in first.weights.items() if n not in last)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--demo", default=DEMO)
    parser.add_argument("--clip", help="another clip than the demo's")
    parser.add_argument("--truth")
    parser.add_argument("--dump", help="a folder for a few dozen crops as PNG with their label")
    args = parser.parse_args()
    torch.set_num_threads(1)
    models = os.path.join(args.demo, "models")
    scene, icons = Network(os.path.join(models, "scene")), Network(os.path.join(models, "icons"))
    readers = {g: Network(os.path.join(models, "digits-" + g)) for g in render.GAMES}
    shared = check_trunk(list(readers.values()))
    print(f"the digit networks share all but the last layer: {shared} weights")
    regions = {r["label"]: r["box"] for r in scene.manifest["output"]["regions"]}
    truth = render.read_truth(args.truth or os.path.join(args.demo, "truth.jsonl"))
    frames = [Image.fromarray(f) for f in render.decode(args.clip or
                                                        os.path.join(args.demo, "clip.mp4"))]
    assert len(frames) == len(truth)
    whole = (0, 0, render.WIDTH, render.HEIGHT)

    for name, how in RESAMPLERS.items():
        games = []
        for i in range(0, len(frames), 64):
            games += scene.classify([scene.image(f, whole, how) for f in frames[i:i + 64]])[0]
        right = [g == line["game"] for g, line in zip(games, truth)]
        seen = {"digits": [0, 0], "icons": [0, 0], **{g: [0, 0] for g in render.GAMES}}
        for frame, line, game, good in zip(frames, truth, games, right):
            mine = {k: b for k, b in regions.items() if k.startswith(game + "/")}
            digits = [k for k in mine if not k.endswith("/icon")]
            net = readers[game]
            read = net.classify([net.image(frame, mine[k], how) for k in digits])[0]
            answer = dict(zip(digits, read))
            hits = sum(answer.get(r["region"]) == r["label"] for r in line["readings"])
            for key in ("digits", line["game"]):
                seen[key][0] += hits
                seen[key][1] += len(line["readings"])
            icon = icons.classify([icons.image(frame, mine[game + "/icon"], how)])[0][0]
            seen["icons"][0] += good and icon == line["icon"]
            seen["icons"][1] += 1
        print(f"{name:9s} scene {100 * np.mean(right):6.2f} % of {len(right)}  "
              + "  ".join(f"{k} {100 * a / n:6.2f} % of {n}" for k, (a, n) in seen.items()),
              flush=True)

    print("mean crops a frame, over the whole clip (and in the game's own frames):")
    for game in render.GAMES:
        lines = [line for line in truth if line["game"] == game]
        count = sum(len(line["readings"]) for line in lines)
        print(f"  {game}: {count / len(truth):.4f} digits ({count / max(1, len(lines)):g}), "
              f"{len(lines) / len(truth):.4f} icons ({1 if lines else 0}); {len(lines)} frames")

    if args.dump:
        dump(args.dump, frames, truth, regions, scene, icons, readers)


def dump(folder, frames, truth, regions, scene, icons, readers):
    """Writes input images as the networks take them: <network>-<frame>[-<region>]-<label>.png."""
    os.makedirs(folder, exist_ok=True)
    for i in range(0, len(frames), max(1, len(frames) // 16)):
        line, game = truth[i], truth[i]["game"]
        reading = line["readings"][i % len(line["readings"])]
        place = reading["region"].replace("/", "_")
        net = readers[game]
        net.image(frames[i], regions[reading["region"]], Image.BILINEAR).save(
            f"{folder}/digits-{game}-{i:04d}-{place}-{reading['label']}.png")
        icons.image(frames[i], regions[game + "/icon"], Image.BILINEAR).save(
            f"{folder}/icons-{i:04d}-{line['icon']}.png")
        scene.image(frames[i], (0, 0, *frames[i].size), Image.BILINEAR).save(
            f"{folder}/scene-{i:04d}-{game}.png")


if __name__ == "__main__":
    main()
