#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train the demo's five networks on rendered clips and export them as ONNX with manifests.

    train.py --work /tmp/nexus-train [--clips 18] [--epochs 14] [--out ../demo/models]

The digit networks share one trunk, trained on all games together; then the trunk is frozen and
each game gets its own last layer.  `scene` and `icons` are small residual networks.
"""
import argparse
import json
import os
import re
import time
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import data
import render

HERE = os.path.dirname(os.path.abspath(__file__))


class ConvBn(nn.Sequential):
    """A convolution and its batch normalisation, which export folds into one."""

    def __init__(self, inputs, outputs, kernel=3, stride=1):
        super().__init__(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
                         nn.BatchNorm2d(outputs))


class Lenet(nn.Module):
    """The digit network: the trunk ends in 64 features, the head is the last layer."""

    def __init__(self, widths=(16, 32, 64), features=64):
        super().__init__()
        layers, inputs = [], 1
        for width in widths:
            layers += [ConvBn(inputs, width), nn.ReLU(), nn.MaxPool2d(2)]
            inputs = width
        self.trunk = nn.Sequential(*layers, nn.Flatten(1), nn.Linear(inputs * 9, features),
                                   nn.ReLU())
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(features, 10)

    def forward(self, x):
        return self.head(self.drop(self.trunk(x)))


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.one, self.two = ConvBn(inputs, outputs, 3, stride), ConvBn(outputs, outputs)
        plain = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if plain else ConvBn(inputs, outputs, 1, stride)

    def forward(self, x):
        return torch.relu(self.two(torch.relu(self.one(x))) + self.skip(x))


class Resnet(nn.Module):
    """Three residual blocks, a mean over the plane and a last layer."""

    def __init__(self, classes, widths=(12, 24, 40)):
        super().__init__()
        self.stem = ConvBn(3, widths[0], 3, 2)
        self.blocks = nn.Sequential(Block(widths[0], widths[0], 1), Block(widths[0], widths[1], 2),
                                    Block(widths[1], widths[2], 2))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(widths[2], classes)

    def forward(self, x):
        return self.head(self.pool(self.blocks(torch.relu(self.stem(x)))).flatten(1))


def folded(module):
    """The module with each ConvBn replaced by one convolution (in place)."""
    module.eval()
    for name, child in module.named_children():
        if isinstance(child, ConvBn):
            setattr(module, name, fuse_conv_bn_eval(child[0], child[1]))
        else:
            folded(child)
    return module


def tensor(images):
    """uint8 images, gray or RGB -> float planes normalised as the manifests say."""
    planes = np.stack(images)
    planes = planes[:, None] if planes.ndim == 3 else planes.transpose(0, 3, 1, 2)
    return (torch.from_numpy(np.ascontiguousarray(planes)).float() - 127.5) * (1 / 127.5)


def shaken(x, rng):
    """Random gain, bias and noise for a batch."""
    def draw(spread):
        return torch.from_numpy(rng.normal(0, spread, (len(x), 1, 1, 1)).astype(np.float32))
    noise = torch.from_numpy(rng.standard_normal(x.shape, np.float32))
    return x * (1 + draw(0.12)) + draw(0.08) + noise * draw(0.03)


def fit(net, crops, labels, size, epochs, rng, rate=4e-3, context=data.CONTEXT, only=None,
        batch=128):
    """Trains the parameters `only` (else all) with one cycle of Adam over jittered crops."""
    labels = torch.as_tensor(np.asarray(labels))
    params = list(only if only is not None else net.parameters())
    steps = epochs * (len(crops) // batch)
    optimiser = torch.optim.AdamW(params, lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.03)
    for epoch in range(epochs):
        net.train(only is None)
        start, total, order = time.time(), 0.0, rng.permutation(len(crops))
        for i in range(len(crops) // batch):
            pick = order[i * batch:(i + 1) * batch]
            x = tensor([data.jittered(crops[k], size, rng, context) for k in pick])
            loss = loss_of(net(shaken(x, rng)), labels[pick])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"  epoch {epoch + 1}/{epochs}: loss {total / (i + 1):.4f}, "
              f"{time.time() - start:.0f} s", flush=True)


def accuracy(net, crops, labels, size):
    """The share that is right on nominal boxes."""
    net.eval()
    hits = 0
    with torch.no_grad():
        for i in range(0, len(crops), 512):
            x = tensor([data.nominal(c, size) for c in crops[i:i + 512]])
            hits += (net(x).argmax(1).numpy() == np.asarray(labels[i:i + 512])).sum()
    return hits / len(crops)


def regions():
    return [{"label": label, "box": list(box)} for label, box in render.layout()]


def pretty(manifest):
    """JSON with one region a line and short lists on their line."""
    text = json.dumps(manifest, indent=2)
    text = re.sub(r"\[\s+([-0-9., \n]+?)\s+\]",
                  lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)
    return re.sub(r'\{\s+("label": [^\n]+)\s+("box": [^\n]+)\s+\}', r"{\1 \2}", text) + "\n"


def export(net, name, folder, size, channels, labels, output):
    """Writes <folder>/<name>/{model.onnx,manifest.json,labels.txt}."""
    path = os.path.join(folder, name)
    os.makedirs(path, exist_ok=True)
    example = torch.zeros(1, channels, size[1], size[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, example, os.path.join(path, "model.onnx"), opset_version=13,
                          do_constant_folding=True, input_names=["input"], output_names=["logits"],
                          dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}})
    manifest = {"format": "nexus-model/1", "model": name, "file": "model.onnx",
                "labels": "labels.txt",
                "input": {"size": list(size), "resize": "stretch",
                          "color": "GRAY" if channels == 1 else "RGB",
                          "mean": [127.5] * channels, "scale": 0.00784313725},
                "output": output}
    with open(os.path.join(path, "manifest.json"), "w", encoding="ascii") as out:
        out.write(pretty(manifest))
    with open(os.path.join(path, "labels.txt"), "w", encoding="ascii") as out:
        out.write("".join(f"{label}\n" for label in labels))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", required=True, help="a folder for rendered crops, kept")
    parser.add_argument("--out", default=os.path.join(HERE, "..", "demo", "models"))
    parser.add_argument("--clips", type=int, default=18)
    parser.add_argument("--epochs", type=int, default=14)
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rng = np.random.default_rng(1)

    start = time.time()
    sets = [data.collect(args.work, 100 + i, **data.TRAINING) for i in range(args.clips)]
    check = data.collect(args.work, 98, **data.DEMO)
    print(f"{args.clips} clips: {time.time() - start:.0f} s", flush=True)

    icon_labels, games = (np.concatenate([s[k] for s in sets]) for k in ("icon_labels", "games"))
    icons = [c for s in sets for c in s["icons"]]
    scenes = [c for s in sets for c in s["scenes"]]

    classes = {"kind": "classes", "softmax": True}
    print(f"scene: {len(scenes)} frames")
    scene = Resnet(len(render.GAMES))
    fit(scene, scenes, games, data.SCENE, 2, rng, context=0)
    export(folded(scene), "scene", args.out, data.SCENE, 3, render.GAMES,
           {"kind": "regions", "softmax": True, "frame": [render.WIDTH, render.HEIGHT],
            "regions": regions()})

    print(f"icons: {len(icons)} crops")
    icon = Resnet(len(render.ICONS))
    fit(icon, icons, icon_labels, data.ICON, args.epochs, rng)
    print(f"  other seed: {accuracy(icon, check['icons'], check['icon_labels'], data.ICON):.4f}")
    export(folded(icon), "icons", args.out, data.ICON, 3, render.ICONS, classes)

    net = Lenet()
    digits = [c for s in sets for c in s["digits"]]
    labels, digit_games = (np.concatenate([s[k] for s in sets])
                           for k in ("digit_labels", "digit_games"))
    print(f"digits: {len(digits)} crops")
    fit(net, digits, labels, data.DIGIT, args.epochs, rng)
    print(f"  other seed, all games together: "
          f"{accuracy(net, check['digits'], check['digit_labels'], data.DIGIT):.4f}", flush=True)
    folded(net)
    for p in net.trunk.parameters():
        p.requires_grad = False
    common = {k: v.clone() for k, v in net.head.state_dict().items()}
    for index, game in enumerate(render.GAMES):
        print(f"digits-{game}")
        net.head.load_state_dict(common)
        mine = np.flatnonzero(digit_games == index)
        fit(net, [digits[k] for k in mine], labels[mine], data.DIGIT, 2, rng, rate=1e-3,
            only=net.head.parameters())
        theirs = np.flatnonzero(check["digit_games"] == index)
        right = accuracy(net, [check["digits"][k] for k in theirs], check["digit_labels"][theirs],
                         data.DIGIT)
        print(f"  other seed: {right:.4f}", flush=True)
        export(net, f"digits-{game}", args.out, data.DIGIT, 1, "0123456789", classes)
    print(f"in all {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
