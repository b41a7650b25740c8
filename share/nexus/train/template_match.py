#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How far a template matcher gets on the digits of a clip: the measure of the clip's hardness.

    template_match.py [--clip clip.mp4] [--truth truth.jsonl] [--search 8]

The matcher knows more than a matcher in the field would: the very font files, which game and so
which fonts a frame is of, the nominal cells, and the range of sizes.  It slides templates of every
digit in every font of the game, in several sizes and tilts and either polarity, over the cell and
takes the digit of the greatest normalised correlation.  Every configuration is tried on every
eighth frame of the clip itself and the best one is then run on all frames, which favours the
matcher.
"""
import argparse
import os

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter

import render

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "demo")
CELL = 32       # a cell's height after scaling
MARGIN = 4      # pixels of the frame round the nominal cell that the search may use
SIZES = (0.60, 0.67, 0.74, 0.81, 0.88)      # a digit's height in its cell


def prepare(images, how):
    """images: (n, 1, h, w) luma -> the plane that is correlated."""
    if how == "gray":
        return images
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    blurred = F.conv2d(F.pad(images, (2, 2, 2, 2), mode="replicate"),
                       torch.outer(kernel, kernel)[None, None])
    if how == "blurred":
        return blurred
    padded = F.pad(blurred, (1, 1, 1, 1), mode="replicate")
    dx = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    dy = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    return torch.sqrt(dx * dx + dy * dy)


def template(font, digit, w, h, size, tilt, style):
    """A digit as it would stand in the cell, at the scale of the search, cut to its own frame."""
    mask = render.glyph(font, digit, w, h, 0.74)
    ink = np.asarray(mask, np.float32)
    if style == "edged":                        # the ink's opposite round it
        ink = 2 * ink - np.asarray(mask.filter(ImageFilter.MaxFilter(7)), np.float32)
    elif style == "hollow":
        ink = ink - 0.8 * np.asarray(mask.filter(ImageFilter.MinFilter(9)), np.float32)
    image = Image.fromarray(ink).rotate(tilt, Image.BILINEAR)
    scale = CELL / h * size / 0.74
    wide, tall = round((w + 2 * render.PAD) * scale), round((h + 2 * render.PAD) * scale)
    image = np.asarray(image.resize((wide, tall), Image.BILINEAR))
    # All digits of a font share one frame, as wide and high as its digits and a little more.
    half_w = min(wide, round(w * scale * 0.96)) // 2
    half_h = min(tall, round(h * scale * 0.86)) // 2
    return image[tall // 2 - half_h:tall // 2 + half_h, wide // 2 - half_w:wide // 2 + half_w]


def correlate(planes, templates, both):
    """The greatest normalised correlation of each template anywhere in each plane."""
    th, tw = templates.shape[-2:]
    if th > planes.shape[-2] or tw > planes.shape[-1]:
        return None
    area = th * tw
    flat = templates - templates.mean((2, 3), keepdim=True)
    flat = flat / flat.pow(2).sum((2, 3), keepdim=True).sqrt().clamp_min(1e-6)
    box = torch.ones(1, 1, th, tw)
    total, squares = F.conv2d(planes, box), F.conv2d(planes * planes, box)
    spread = (squares - total * total / area).clamp_min(1.0).sqrt()
    score = F.conv2d(planes, flat) / spread
    score = score.abs() if both else score
    return score.amax((2, 3))


def cells(clip, truth, step):
    """The luma of every digit cell, by the game and the group: {(game, w, h): (images, labels)}."""
    boxes, found = dict(render.layout()), {}
    for line, image in zip(truth, render.decode(clip)):
        if line["frame"] % step:
            continue
        frame = Image.fromarray(image)
        for reading in line["readings"]:
            x0, y0, x1, y1 = boxes[reading["region"]]
            scale = CELL / (y1 - y0)
            size = (round((x1 - x0 + 2 * MARGIN) * scale), round((y1 - y0 + 2 * MARGIN) * scale))
            cell = frame.crop((x0 - MARGIN, y0 - MARGIN, x1 + MARGIN, y1 + MARGIN)).convert("L")
            images, labels = found.setdefault((line["game"], x1 - x0, y1 - y0), ([], []))
            images.append(np.asarray(cell.resize(size, Image.BILINEAR), np.float32))
            labels.append(int(reading["label"]))
    return found


def scores(images, game, w, h, how, styles, sizes, tilts):
    """(n, 10): the best correlation of each digit over fonts, styles, sizes, tilts and places."""
    planes = prepare(torch.from_numpy(np.stack(images))[:, None], how)
    planes = planes - planes.mean((2, 3), keepdim=True)
    best = torch.full((len(images), 10), -1.0)
    for font in render.FONTS[game]:
        for style in styles:
            for size in sizes:
                for tilt in tilts:
                    ten = np.stack([template(font, d, w, h, size, tilt, style) for d in range(10)])
                    ten = prepare(torch.from_numpy(ten)[:, None], how)
                    score = correlate(planes, ten, both=how != "gradient")
                    if score is not None:
                        best = torch.maximum(best, score)
    return best


class Matcher:
    """One configuration: preparations whose scores are multiplied, styles and tilts."""

    def __init__(self, how, styles, tilts):
        self.how, self.styles, self.tilts = how, styles, tilts

    def __str__(self):
        return f"{' x '.join(self.how)}; {'+'.join(self.styles)}; tilts {self.tilts}"

    def hits(self, found, cache):
        """How many of the cells it reads rightly."""
        right = 0
        for key, (images, labels) in found.items():
            product = 1.0
            for how in self.how:
                name = (key, how, self.styles, self.tilts)
                if name not in cache:
                    cache[name] = scores(images, *key, how, self.styles, SIZES, self.tilts)
                product = product * cache[name]
            right += int((product.argmax(1) == torch.tensor(labels)).sum())
        return right


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clip", default=os.path.join(DEMO, "clip.mp4"))
    parser.add_argument("--truth", default=os.path.join(DEMO, "truth.jsonl"))
    parser.add_argument("--search", type=int, default=8, help="search on every n-th frame")
    args = parser.parse_args()
    torch.set_num_threads(1)
    truth = render.read_truth(args.truth)
    found, cache, results = cells(args.clip, truth, args.search), {}, []
    count = sum(len(labels) for _, labels in found.values())
    print(f"search over {count} readings:")
    for styles in (("solid",), ("edged",), ("solid", "edged", "hollow")):
        for tilts in ((0,), (-8, 0, 8), (-16, -8, 0, 8, 16)):
            for how in (("gray",), ("blurred",), ("gradient",), ("gray", "gradient")):
                matcher = Matcher(how, styles, tilts)
                results.append((matcher.hits(found, cache) / count, len(results), matcher))
                print(f"{100 * results[-1][0]:6.2f} %  {matcher}", flush=True)
    best = max(results)[2]
    found = cells(args.clip, truth, 1)
    count = sum(len(labels) for _, labels in found.values())
    print(f"best on all {count} readings: {100 * best.hits(found, {}) / count:.2f} %  {best}")


if __name__ == "__main__":
    main()
