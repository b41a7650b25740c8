# SPDX-License-Identifier: Apache-2.0
"""Crops of rendered clips, as training and evaluation take them."""
import os

import numpy as np
from PIL import Image

import render

DIGIT, ICON, SCENE = (28, 28), (32, 32), (96, 54)   # width, height of each network's input
CONTEXT = 6                                         # pixels kept round a box, for augmentation


# How training clips are rendered: short segments and a quick pace, many looks for few frames, and
# without the clarity that the demo's clip keeps for small digits; and how the demo's clip is.
TRAINING = {"segments": 40, "length": 16, "pace": 4.0}
DEMO = {"segments": 10, "length": 65, "pace": 2.0, "strength": 1.26, "legible": True}


def collect(folder, seed, **how):
    """Renders, encodes and decodes a clip; returns its crops with some context, and keeps them."""
    path = os.path.join(folder, f"crops-{seed}.npz")
    if not os.path.exists(path):
        clip = os.path.join(folder, f"clip-{seed}.mp4")
        truth = render.encode(clip, seed, **how)
        boxes, found = dict(render.layout()), {"icons": [], "scenes": []}
        icon_labels, games = [], []
        digits, digit_sizes, digit_games, digit_labels = [], [], [], []
        for line, image in zip(truth, render.decode(clip)):
            frame = Image.fromarray(image)
            game = render.GAMES.index(line["game"])
            gray = frame.convert("L")
            for reading in line["readings"]:
                box = boxes[reading["region"]]
                cell = np.asarray(gray.crop(grow(box)))
                digits.append(cell.ravel())
                digit_sizes.append((cell.shape[1], cell.shape[0]))
                digit_games.append(game)
                digit_labels.append(int(reading["label"]))
            found["icons"].append(np.asarray(frame.crop(grow(boxes[line["game"] + "/icon"]))))
            icon_labels.append(render.ICONS.index(line["icon"]))
            found["scenes"].append(np.asarray(frame.resize((192, 108), Image.BOX)))
            games.append(game)
        np.savez(path, digits=np.concatenate(digits), digit_sizes=np.array(digit_sizes),
                 digit_games=np.array(digit_games), digit_labels=np.array(digit_labels),
                 icons=np.stack(found["icons"]), icon_labels=np.array(icon_labels),
                 scenes=np.stack(found["scenes"]), games=np.array(games))
        os.remove(clip)
    stored = dict(np.load(path))
    ends = np.cumsum(stored["digit_sizes"].prod(1))
    stored["digits"] = [flat.reshape(h, w) for flat, (w, h) in
                        zip(np.split(stored["digits"], ends[:-1]), stored["digit_sizes"])]
    return stored


def grow(box):
    x0, y0, x1, y1 = box
    return x0 - CONTEXT, y0 - CONTEXT, x1 + CONTEXT, y1 + CONTEXT


def nominal(crop, size, resample=Image.BILINEAR):
    """The nominal box of a stored crop, scaled to the input's size as the runtime does it."""
    image = Image.fromarray(crop)
    box = (CONTEXT, CONTEXT, image.width - CONTEXT, image.height - CONTEXT)
    return np.asarray(image.crop(box).resize(size, resample))


def jittered(crop, size, rng, context=CONTEXT, shift=3.0, scale=0.08):
    """A stored crop with its box shifted and scaled at random, by a random resampler."""
    image = Image.fromarray(crop)
    w, h = image.width - 2 * context, image.height - 2 * context
    dx, dy = np.clip(rng.normal(0, shift / 2.2, 2), -shift, shift)
    w2, h2 = w * rng.uniform(1 - scale, 1 + scale) / 2, h * rng.uniform(1 - scale, 1 + scale) / 2
    x, y = image.width / 2 + dx, image.height / 2 + dy
    box = (max(0, x - w2), max(0, y - h2), min(image.width, x + w2), min(image.height, y + h2))
    how = rng.integers(6)
    if how == 0:                # bilinear without widening its filter when it shrinks
        a, e = (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]
        return np.asarray(image.transform(size, Image.AFFINE, (a, 0, box[0], 0, e, box[1]),
                                          Image.BILINEAR))
    kind = (Image.BICUBIC, Image.BOX, Image.BILINEAR)[min(how - 1, 2)]
    return np.asarray(image.resize(size, kind, box=box))
