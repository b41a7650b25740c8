#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Render clips of three invented game streams with a heads-up display (HUD), and their truth.

    render.py --seed 2019 --segments 10 --out clip.mp4 --truth truth.jsonl [--dump DIR]

Everything is drawn here: the backgrounds and sprites by numpy and PIL, the digits from fonts that
are installed on the machine (see FONTS), the compression by ffmpeg's libx264.  One seed gives one
clip.  `layout()` is the one place that says where the HUD's digits and icon nominally are.
"""
import argparse
import colorsys
import json
import math
import os
import subprocess

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT, FPS = 640, 360, 25
GAMES = ("racer", "shooter", "puzzle")
ICONS = ("sword", "axe", "bow", "shield", "potion", "bomb", "key", "gem")
SS = 3      # digits and sprites are drawn this many times larger, then reduced
PAD = 8     # pixels round a nominal cell in which its digit may still be drawn

# group -> (first cell's x0, y0, cell width, cell height, digits)
GROUPS = {
    "racer": {"score": (20, 22, 25, 34, 5), "speed": (508, 296, 36, 48, 3),
              "lap": (586, 20, 32, 42, 1)},
    "shooter": {"ammo": (546, 298, 36, 48, 2), "shield": (28, 304, 28, 38, 3),
                "kills": (556, 20, 30, 40, 2)},
    "puzzle": {"score": (245, 14, 30, 40, 5), "moves": (26, 150, 34, 46, 2),
               "level": (578, 148, 34, 46, 1)},
}
ICON_BOX = {"racer": (20, 296, 68, 344), "shooter": (476, 298, 524, 346),
            "puzzle": (570, 290, 618, 338)}
CAPTION = {"score": "SCORE", "speed": "KM/H", "lap": "LAP", "ammo": "AMMO", "shield": "SHIELD",
           "kills": "KILLS", "moves": "MOVES", "level": "LEVEL"}

_TT, _OT = "/usr/share/fonts/truetype/", "/usr/share/fonts/opentype/"
FONTS = {
    "racer": (_TT + "dseg/DSEG7Classic-BoldItalic.ttf", _TT + "play/Play-Bold.ttf",
              _OT + "bebas-neue/BebasNeue-Bold.otf", _TT + "freefont/FreeSansBoldOblique.ttf"),
    "shooter": (_OT + "roboto/slab/RobotoSlab-Bold.otf", _TT + "dejavu/DejaVuSansMono-Bold.ttf",
                _OT + "jura/Jura-Bold.otf", _TT + "liberation/LiberationSansNarrow-Bold.ttf"),
    "puzzle": (_TT + "comfortaa/Comfortaa-Bold.ttf", _OT + "lobster/lobster.otf",
               _TT + "quicksand/Quicksand-Bold.ttf", _TT + "dejavu/DejaVuSerif-Bold.ttf"),
}
CAPTION_FONT = _TT + "play/Play-Bold.ttf"


def layout():
    """The nominal regions: a list of (label, (x0, y0, x1, y1)), digits first in each game."""
    regions = []
    for game in GAMES:
        for group, (x, y, w, h, count) in GROUPS[game].items():
            for i in range(count):
                regions.append((f"{game}/{group}/{i}", (x + i * w, y, x + (i + 1) * w, y + h)))
        regions.append((f"{game}/icon", ICON_BOX[game]))
    return regions


# ---------------------------------------------------------------- small helpers

def hsv(hue, sat, val, alpha=255):
    r, g, b = colorsys.hsv_to_rgb(hue % 1.0, sat, val)
    return int(r * 255), int(g * 255), int(b * 255), alpha


def luma(colour):
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def blend(a, b):
    return tuple((x + y) // 2 for x, y in zip(a, b))


def colour_of_luma(rng, low, high, sat=1.0):
    """A random colour whose luma lies between low and high."""
    while True:
        c = hsv(rng.random(), rng.uniform(0.0, sat), rng.random())
        if low <= luma(c) <= high:
            return c


def noise_texture(rng, width, height, octaves=4, cell=96):
    """Value noise in 0..1 that tiles horizontally and vertically."""
    out = np.zeros((height, width), np.float32)
    for o in range(octaves):
        nx, ny = max(2, width * 2 ** o // cell), max(2, height * 2 ** o // cell)
        grid = np.pad(rng.random((ny, nx)).astype(np.float32), 2, mode="wrap")
        sx, sy = width / nx, height / ny
        big = Image.fromarray(grid).resize((width, height), Image.BICUBIC,
                                           box=(2 - 0.5, 2 - 0.5, nx + 1.5, ny + 1.5))
        out += np.asarray(big) / 2 ** o
        if min(sx, sy) < 3:
            break
    out -= out.min()
    return out / out.max()


def perspective(src, dst):
    """PIL's eight coefficients that take points dst (output) back to points src (input)."""
    rows, rhs = [], []
    for (x, y), (u, v) in zip(dst, src):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        rhs += [u, v]
    return np.linalg.solve(np.array(rows, float), np.array(rhs, float))


def warp(patch, rng, angle, shear, scale, shift, bend, stretch=1.0):
    """Rotates, shears, scales, shifts and slightly bends (perspective) a patch about its middle."""
    w, h = patch.size
    c, s = math.cos(angle), math.sin(angle)
    src = [(0, 0), (w, 0), (w, h), (0, h)]
    dst = []
    for x, y in src:
        x, y = (x - w / 2) * scale * stretch, (y - h / 2) * scale
        x += shear * y
        dst.append((c * x - s * y + w / 2 + shift[0] + rng.uniform(-bend, bend) * w,
                    s * x + c * y + h / 2 + shift[1] + rng.uniform(-bend, bend) * h))
    return patch.transform(patch.size, Image.PERSPECTIVE, perspective(src, dst), Image.BILINEAR)


def ripple(patch, across, along):
    """Moves each row of an image by across[row] and each column by along[column] pixels."""
    a = np.asarray(patch)
    h, w = a.shape[:2]
    rows, columns = np.arange(h)[:, None], np.arange(w)[None, :]
    a = a[rows, (columns - across[:, None].astype(int)).clip(0, w - 1)]
    return Image.fromarray(a[(rows - along[None, :].astype(int)).clip(0, h - 1), columns])


class Wobble:
    """A smooth random function of time: a sum of three sines within -1..1."""

    def __init__(self, rng, low=0.3, high=1.6):
        self.freq = rng.uniform(low, high, 3)
        self.phase = rng.uniform(0, 2 * math.pi, 3)
        amp = rng.uniform(0.3, 1.0, 3)
        self.amp = amp / amp.sum()

    def __call__(self, t):
        return float((self.amp * np.sin(2 * math.pi * self.freq * t + self.phase)).sum())


# ---------------------------------------------------------------- sprites

def _canvas(size):
    image = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    return image, ImageDraw.Draw(image)


def draw_icon(kind, rng):
    """One of ICONS on a 192x192 RGBA canvas (coordinates are of a 100x100 grid)."""
    image, d = _canvas(192)
    hue = rng.random()
    main = hsv(hue, rng.uniform(0.25, 1), rng.uniform(0.6, 1))
    second = hsv(hue + rng.uniform(0.2, 0.8), rng.uniform(0.3, 1), rng.uniform(0.5, 1))
    dark = hsv(rng.random(), 0.5, rng.uniform(0.05, 0.3))
    light = (245, 245, 240, 255)

    def pts(*xy):
        return [(x * 1.92, y * 1.92) for x, y in xy]

    def poly(fill, *xy):
        d.polygon(pts(*xy), fill=fill)
        d.line(pts(*xy, xy[0], xy[1]), fill=dark, width=6, joint="curve")

    def disc(fill, x, y, r, ry=None, width=6):
        ry = ry or r
        d.ellipse(pts((x - r, y - ry), (x + r, y + ry)), fill=fill, outline=dark, width=width)

    if kind == "sword":
        poly(main, (50, 6), (58, 16), (56, 66), (44, 66), (42, 16))
        d.line(pts((50, 14), (50, 64)), fill=light, width=4)
        poly(second, (28, 64), (72, 64), (72, 73), (28, 73))
        poly(dark, (46, 73), (54, 73), (54, 88), (46, 88))
        disc(second, 50, 90, 6)
    elif kind == "axe":
        poly(second, (44, 8), (54, 8), (54, 94), (44, 94))
        poly(main, (54, 16), (72, 10), (86, 16), (90, 34), (86, 52), (72, 58), (54, 50))
        poly(main, (44, 22), (30, 26), (30, 42), (44, 46))
        d.arc(pts((58, 8), (90, 60)), -80, 80, fill=light, width=5)
    elif kind == "bow":
        d.arc(pts((-4, 6), (72, 94)), -80, 80, fill=dark, width=20)
        d.arc(pts((-2, 8), (70, 92)), -79, 79, fill=main, width=11)
        d.line(pts((40, 8), (26, 50), (40, 92)), fill=light, width=4)
        d.line(pts((26, 50), (92, 50)), fill=second, width=8)
        poly(second, (82, 41), (96, 50), (82, 59))
    elif kind == "shield":
        poly(main, (50, 6), (86, 18), (82, 58), (50, 94), (18, 58), (14, 18))
        poly(second, (50, 18), (50, 82), (28, 54), (24, 26))
        disc(light, 50, 42, 10)
    elif kind == "potion":
        poly(light, (40, 10), (60, 10), (60, 36), (40, 36))
        disc(main, 50, 64, 30)
        d.chord(pts((23, 37), (77, 91)), 10, 170, fill=second)
        poly(dark, (37, 6), (63, 6), (63, 14), (37, 14))
        d.ellipse(pts((34, 48), (44, 58)), fill=light)
    elif kind == "bomb":
        d.line(pts((62, 34), (72, 20), (84, 18)), fill=second, width=9, joint="curve")
        disc(main if luma(main) < 150 else dark, 46, 60, 32)
        poly(second, (52, 30), (66, 24), (72, 36), (60, 42))
        d.ellipse(pts((28, 42), (42, 54)), fill=light)
        for a in range(8):
            x, y = math.cos(a * 0.785) * 11, math.sin(a * 0.785) * 11
            d.line(pts((86, 16), (86 + x, 16 + y)), fill=(255, 200, 40, 255), width=5)
    elif kind == "key":
        disc(main, 30, 50, 22)
        disc((0, 0, 0, 0), 30, 50, 10)
        poly(main, (50, 45), (94, 45), (94, 55), (50, 55))
        poly(main, (72, 55), (80, 55), (80, 72), (72, 72))
        poly(main, (86, 55), (94, 55), (94, 68), (86, 68))
    elif kind == "gem":
        poly(main, (28, 20), (72, 20), (92, 42), (50, 90), (8, 42))
        poly(second, (34, 42), (66, 42), (50, 90))
        d.line(pts((8, 42), (92, 42)), fill=dark, width=5)
        d.line(pts((28, 20), (34, 42), (50, 20), (66, 42), (72, 20)), fill=light, width=4)
    return image


def draw_mascot(game, size):
    """The game's mascot: a kart-driving fox, a robot, an octopus."""
    image, d = _canvas(240)
    if game == "racer":
        d.rounded_rectangle((30, 130, 210, 205), 30, fill=(220, 40, 60), outline=(30, 10, 20),
                            width=6)
        d.ellipse((22, 165, 82, 230), fill=(25, 25, 30), outline=(150, 150, 160), width=8)
        d.ellipse((158, 165, 218, 230), fill=(25, 25, 30), outline=(150, 150, 160), width=8)
        for x in (78, 142):
            d.polygon([(x - 14, 62), (x + 10 * (1 if x > 100 else -1), 12), (x + 22, 62)],
                      fill=(240, 130, 30))
        d.ellipse((66, 42, 174, 140), fill=(245, 140, 40), outline=(60, 30, 10), width=5)
        d.polygon([(84, 100), (156, 100), (120, 140)], fill=(255, 240, 225))
        d.rectangle((76, 74, 164, 90), fill=(40, 200, 230))
        d.ellipse((112, 122, 128, 138), fill=(20, 20, 20))
    elif game == "shooter":
        d.rounded_rectangle((60, 110, 180, 205), 14, fill=(120, 140, 120), outline=(20, 30, 20),
                            width=6)
        d.rounded_rectangle((72, 34, 168, 112), 20, fill=(150, 170, 150), outline=(20, 30, 20),
                            width=6)
        d.rectangle((86, 60, 154, 84), fill=(20, 20, 20))
        d.ellipse((96, 62, 114, 82), fill=(255, 70, 40))
        d.ellipse((126, 62, 144, 82), fill=(255, 70, 40))
        d.line((120, 34, 120, 8), fill=(60, 60, 60), width=6)
        d.rectangle((176, 140, 232, 158), fill=(40, 40, 45))
        d.rectangle((74, 205, 104, 234), fill=(50, 60, 50))
        d.rectangle((136, 205, 166, 234), fill=(50, 60, 50))
    else:
        for i in range(5):
            d.ellipse((30 + i * 36, 140, 70 + i * 36, 225), fill=(150, 70, 200),
                      outline=(70, 20, 110), width=4)
        d.ellipse((40, 20, 200, 190), fill=(180, 95, 230), outline=(70, 20, 110), width=6)
        for x in (86, 154):
            d.ellipse((x - 24, 76, x + 24, 132), fill=(255, 255, 255))
            d.ellipse((x - 8, 92, x + 14, 122), fill=(20, 10, 30))
        d.arc((96, 120, 144, 164), 10, 170, fill=(60, 10, 60), width=6)
    return image.resize((size, size), Image.BICUBIC)


def draw_blob(game, rng, size):
    """A random object that passes by: tree or sign, drone or crate, candy."""
    image, d = _canvas(120)
    a = hsv(rng.random(), rng.uniform(0.4, 1), rng.uniform(0.5, 1))
    b = hsv(rng.random(), rng.uniform(0.2, 1), rng.uniform(0.1, 0.9))
    kind = rng.integers(3)
    if game == "racer":
        d.rectangle((54, 50, 66, 119), fill=b)
        if kind == 0:
            for i in range(6):
                x, y = math.cos(i * 1.05) * 52, math.sin(i * 1.05) * 26
                d.line((60, 44, 60 + x, 44 + y), fill=a, width=14)
        elif kind == 1:
            d.rectangle((6, 8, 114, 58), fill=a, outline=(255, 255, 255), width=6)
            for i in range(3):
                d.polygon([(18 + i * 32, 16), (38 + i * 32, 33), (18 + i * 32, 50)], fill=b)
        else:
            d.polygon([(60, 0), (110, 90), (10, 90)], fill=a)
    elif game == "shooter":
        if kind == 0:
            d.rectangle((8, 8, 112, 112), fill=a, outline=b, width=10)
            d.line((8, 8, 112, 112), fill=b, width=10)
            d.line((112, 8, 8, 112), fill=b, width=10)
        elif kind == 1:
            d.ellipse((10, 10, 110, 110), fill=b, outline=a, width=12)
            d.ellipse((42, 42, 78, 78), fill=(255, 60, 30))
        else:
            for i in range(4):
                d.rectangle((4, 8 + i * 28, 116, 24 + i * 28), fill=a if i % 2 else b)
    else:
        if kind == 0:
            d.polygon([(60, 4), (116, 60), (60, 116), (4, 60)], fill=a, outline=(255, 255, 255))
            d.polygon([(60, 4), (116, 60), (60, 60)], fill=b)
        elif kind == 1:
            d.ellipse((4, 4, 116, 116), fill=a, outline=(255, 255, 255), width=5)
            d.ellipse((28, 22, 56, 48), fill=(255, 255, 255))
        else:
            n = [(60 + (56 if i % 2 else 26) * math.cos(i * math.pi / 5),
                  60 + (56 if i % 2 else 26) * math.sin(i * math.pi / 5)) for i in range(10)]
            d.polygon(n, fill=a, outline=b)
    return image.resize((size, size), Image.BICUBIC)


def paste(frame, sprite, x, y):
    """Pastes an RGBA sprite with its middle at x, y."""
    frame.paste(sprite, (int(x - sprite.width / 2), int(y - sprite.height / 2)), sprite)


# ---------------------------------------------------------------- backgrounds

_YY, _XX = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)


class Background:
    """The moving scene of a game behind its HUD."""

    def __init__(self, game, rng):
        self.game, self.rng = game, rng
        self.texture = noise_texture(rng, 1024, 512, 5, 128)
        self.colours = [np.array(hsv(rng.random(), rng.uniform(0.3, 0.95),
                                     rng.uniform(0.25, 1))[:3], np.float32) for _ in range(5)]
        self.curve, self.sway = Wobble(rng, 0.05, 0.4), Wobble(rng, 0.1, 0.6)
        self.speed = rng.uniform(0.8, 1.6)
        self.horizon = int(rng.uniform(120, 175))
        self.angle = rng.uniform(0, 2 * math.pi)
        self.mascot = draw_mascot(game, int(rng.uniform(70, 110)))
        self.mx, self.my = Wobble(rng, 0.1, 0.5), Wobble(rng, 0.2, 0.9)
        self.tile = int(rng.integers(36, 60))
        self.blobs = [self._blob(anywhere=True) for _ in range(11)]
        self.gems = [draw_blob("puzzle", rng, 44) for _ in range(7)]

    def _blob(self, anywhere=False):
        r = self.rng
        speed = r.uniform(60, 320)
        going = r.choice((-1, 1))
        x = r.uniform(0, WIDTH) if anywhere else (-70 if going > 0 else WIDTH + 70)
        # Most of them pass behind the HUD's strips at the top and the bottom.
        y = r.choice((r.uniform(5, 75), r.uniform(280, 350), r.uniform(80, 280)))
        image = draw_blob(self.game, r, int(r.choice((26, 36, 48, 64, 90))))
        return [x, y, going * speed, r.uniform(-30, 30), r.uniform(-180, 180), image]

    def _scroll(self, dx, dy):
        x, y = int(dx) % 1024, int(dy) % 512
        return np.roll(self.texture, (-y, -x), (0, 1))[:HEIGHT, :WIDTH]

    def paint(self, t):
        frame = Image.fromarray(getattr(self, "_" + self.game)(t).clip(0, 255).astype(np.uint8))
        if self.game == "puzzle":
            for gx in range(7):
                for gy in range(-1, 6):
                    fall = (t * 70 * self.speed) % 46
                    k = (gx * 3 + gy - int(t * 70 * self.speed // 46)) * 5 % 7
                    paste(frame, self.gems[k], 182 + gx * 46, 80 + gy * 46 + fall)
        for i, b in enumerate(self.blobs):
            b[0] += b[2] / FPS
            b[1] += b[3] / FPS
            if not -80 < b[0] < WIDTH + 80:
                self.blobs[i] = b = self._blob()
            paste(frame, b[5].rotate(b[4] * t, Image.BILINEAR), b[0], b[1])
        paste(frame, self.mascot.rotate(12 * self.my(t), Image.BILINEAR),
              320 + 200 * self.mx(t), (270 if self.game == "racer" else 190) + 45 * self.my(t))
        return frame

    def _racer(self, t):
        c, h = self.colours, self.horizon
        out = np.empty((HEIGHT, WIDTH, 3), np.float32)
        mix = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
        out[:h] = c[0] * (1 - mix) + c[1] * mix
        out[:h] *= 0.75 + 0.5 * self._scroll(t * 40, 0)[:h, :, None]
        sun = np.hypot(_XX[:h] - 320 - 150 * self.curve(t), _YY[:h] - h + 30) < 62
        sun &= (_YY[:h] % 14 < 9)
        out[:h][sun] = (255, 214, 120)
        ridge = h - 12 - 60 * self.texture[200, (np.arange(WIDTH) + int(t * 90)) % 1024]
        hill = _YY[:h] > ridge
        out[:h][hill] = c[2] * 0.5
        rows = np.arange(h, HEIGHT, dtype=np.float32)
        z = 60.0 / (rows - h + 4)
        phase = (z * 6 + t * 9 * self.speed)
        centre = 320 + 120 * self.curve(t) * z + 60 * self.sway(t)
        half = 300 / (z * 1.6 + 0.25)
        u = (_XX[h:] - centre[:, None]) / half[:, None]
        band = (np.floor(phase) % 2)[:, None, None]
        grass = c[3] * (0.55 + 0.25 * band)
        ground = np.broadcast_to(grass, (len(rows), WIDTH, 3)).copy()
        au = np.abs(u)
        road = au < 1
        ground[road] = 70
        kerb = (au > 0.9) & road
        ground[kerb] = np.broadcast_to(np.where(band > 0, (235, 235, 235), (210, 30, 40)),
                                       ground.shape)[kerb]
        lane = (np.abs(au - 0.33) < 0.025) & (np.floor(phase * 2) % 2 > 0)[:, None]
        ground[lane] = 230
        ground *= 0.7 + 0.6 * self._scroll(t * 30, t * 500)[h:, :, None]
        out[h:] = ground
        return out

    def _shooter(self, t):
        c = self.colours
        dx = t * 130 * self.speed * math.cos(self.angle) + 60 * self.sway(t)
        dy = t * 130 * self.speed * math.sin(self.angle) + 60 * self.curve(t)
        n = self._scroll(dx, dy)
        out = (c[0] * 0.7) * (1 - n[..., None]) + (c[1] * 0.75) * n[..., None]
        gx, gy = (_XX + dx) % (2 * self.tile), (_YY + dy) % (2 * self.tile)
        seam = (gx < 3) | (gy < 3)
        out[seam] *= 0.45
        odd = ((gx < self.tile) ^ (gy < self.tile))
        out[odd] *= 0.78
        wall = self._scroll(dx + 300, dy + 100) > 0.62
        out[wall] = out[wall] * 0.35 + c[2] * 0.35
        blast = (t * 1.3 * self.speed) % 1.0       # an explosion a second
        bx, by = 320 + 250 * math.sin(int(t * 1.3 * self.speed) * 2.4), 180
        glow = np.exp(-((_XX - bx) ** 2 + (_YY - by) ** 2) / (2 * (30 + 110 * blast) ** 2))
        out += glow[..., None] * np.array((255, 170, 60), np.float32) * (1 - blast)
        return out

    def _puzzle(self, t):
        c = self.colours
        y = (_YY / HEIGHT)[..., None]
        out = c[0] * (1 - y) + c[1] * y
        theta = np.arctan2(_YY - 180 - 40 * self.sway(t), _XX - 320 - 90 * self.curve(t))
        rays = np.sin(theta * 12 + t * 2.2 * self.speed) > 0
        out[rays] = out[rays] * 0.72 + c[2] * 0.28
        out *= 0.8 + 0.4 * self._scroll(t * 60, -t * 35)[..., None]
        board = (np.abs(_XX - 320) < 166) & (_YY > 60)
        out[board] *= 0.45
        return out


# ---------------------------------------------------------------- the HUD

_GLYPHS = {}


def glyph(path, digit, w, h, fill=0.74):
    """The mask of a digit in the middle of a w x h cell with PAD around, SS times larger."""
    key = (path, digit, w, h, fill)
    if key not in _GLYPHS:
        font = ImageFont.truetype(path, int(h * SS * fill * 1.5))
        boxes = [font.getbbox(str(i)) for i in range(10)]
        top, bottom = min(b[1] for b in boxes), max(b[3] for b in boxes)
        left, right = min(b[0] for b in boxes), max(b[2] for b in boxes)
        tile = Image.new("L", (right - left, bottom - top), 0)
        b = boxes[digit]
        x = (right - left - (b[2] - b[0])) // 2 - b[0]
        if "DSEG" in path:                        # a segment display keeps its 1 at the right
            x = -left
        ImageDraw.Draw(tile).text((x, -top), str(digit), 255, font)
        tall = int(h * SS * fill)
        wide = min(int(tile.width * tall / tile.height), int(w * SS * 0.86))
        tile = tile.resize((wide, tall), Image.BILINEAR)
        mask = Image.new("L", ((w + 2 * PAD) * SS, (h + 2 * PAD) * SS), 0)
        mask.paste(tile, ((mask.width - wide) // 2, (mask.height - tall) // 2))
        _GLYPHS[key] = mask
    return _GLYPHS[key]


class Group:
    """A row of digits: its look (font, fill, colours, panel) and its value over time."""

    def __init__(self, game, name, rng, pace, strength, legible):
        self.x, self.y, self.w, self.h, self.count = GROUPS[game][name]
        self.name, self.rng, self.pace, self.strength = name, rng, pace, strength
        self.font = FONTS[game][rng.integers(len(FONTS[game]))]
        self.size = rng.uniform(0.66, 0.80)
        self.weight = int(rng.integers(-2, 4))     # how much bolder or lighter than the font
        self.stretch = 1 - rng.uniform(0, 0.34) * strength
        # A hologram that glitches, a flag that waves, a jelly that bounces: amplitudes in pixels.
        self.glitch, self.wave, self.jelly = strength * rng.uniform((0.6, 1, 1), (2.5, 2.8, 2.8))
        self.length, self.pulse = rng.uniform(0.5, 1.3, 2), rng.uniform(-9, 9, 2)
        self.slices = np.zeros(6)
        bright = rng.random() < 0.6                # bright digits on dark, or the reverse
        lo, hi = ((185, 256), (0, 80))[::1 if bright else -1]
        self.ink = colour_of_luma(rng, *lo)
        self.ink2 = colour_of_luma(rng, *((150, 215) if bright else (35, 100)))
        self.edge = colour_of_luma(rng, *hi)
        self.paper = colour_of_luma(rng, *((10, 90) if bright else (170, 245)), sat=0.8)
        self.pattern = colour_of_luma(rng, *((60, 145) if bright else (110, 200)))
        self.alpha, self.marks = rng.uniform(0.35, 0.65), 0.25
        self.fill = rng.choice(("flat", "gradient", "stripes", "split", "hollow"))
        self.texture = rng.choice(("diagonal", "bars", "dots", "rings"))
        self.period, self.flow = rng.uniform(7, 15), rng.uniform(-40, 40)
        self.theta = rng.uniform(0, math.pi)
        self.lean, self.tilt = Wobble(rng), Wobble(rng)
        self.spin = [Wobble(rng, 0.5, 2.5) for _ in range(self.count)]
        if legible and self.h < 44:                # small digits keep a minimum of clarity
            self.stretch = max(self.stretch, 0.82)
            self.weight, self.alpha = max(self.weight, 0), max(self.alpha, 0.45)
            self.glitch, self.wave, self.jelly = (a * self.h / 44 for a in
                                                  (self.glitch, self.wave, self.jelly))
            self.marks = 0.1 if self.h < 36 else 0.25
            self.ink2 = blend(self.ink, self.ink2)
            if self.h < 36:
                self.pattern = blend(self.paper, self.pattern)
        self.drift = Wobble(rng), Wobble(rng)
        self.value = int(rng.integers(10 ** self.count))
        self.pop, self.styled = [0.0] * self.count, {}

    def step(self):
        """The value moves now as a counter, now by a jump, so that all digits occur alike."""
        old = self.digits()
        if self.rng.random() < 0.14 * self.pace:
            self.value += int(self.rng.integers(1, 10)) * 10 ** int(self.rng.integers(self.count))
        elif self.rng.random() < 0.10 * self.pace:
            self.value -= int(self.rng.integers(1, 4))
        self.value %= 10 ** self.count
        for i, (a, b) in enumerate(zip(old, self.digits())):
            self.pop[i] = 1.0 if a != b else self.pop[i] * 0.7

    def digits(self):
        return f"{self.value:0{self.count}d}"

    def panel(self, t):
        """The translucent sheet behind the digits, with a pattern that flows over it."""
        w, h = self.w * self.count + 12, self.h + 10
        yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
        if self.texture == "diagonal":
            phase = xx * math.cos(self.theta) + yy * math.sin(self.theta)
            on = (phase + t * self.flow) % self.period < self.period * 0.4
        elif self.texture == "bars":
            level = 0.5 + 0.5 * np.sin(np.floor(xx / 6) * 1.7 + t * 9)
            on = (yy > h * (1 - level)) & (xx % 6 < 4)
        elif self.texture == "dots":
            p = self.period
            on = np.hypot((xx + t * self.flow) % p - p / 2, (yy + t * 17) % p - p / 2) < p * 0.33
        else:
            r = np.hypot(xx - w * (0.5 + 0.4 * self.lean(t)), yy - h / 2)
            on = (r - t * abs(self.flow)) % self.period < self.period * 0.4
        out = np.empty((h, w, 4), np.float32)
        out[..., :3] = np.where(on[..., None], self.pattern[:3], self.paper[:3])
        out[..., 3] = 255 * np.where(on, min(1.0, self.alpha + self.marks), self.alpha)
        return Image.fromarray(out.astype(np.uint8))

    def patch(self, digit):
        """The styled digit, RGBA, SS times larger."""
        if digit not in self.styled:
            mask = glyph(self.font, digit, self.w, self.h, self.size)
            w, h = mask.size
            if self.weight > 0:
                mask = mask.filter(ImageFilter.MaxFilter(2 * self.weight - 1))
            elif self.weight < 0:
                mask = mask.filter(ImageFilter.MinFilter(3))
            wide = mask.filter(ImageFilter.MaxFilter(5))
            out = Image.new("RGBA", (w, h), self.edge[:3] + (0,))
            rows = np.linspace(-0.2, 1.2, h)[:, None, None].clip(0, 1)
            ink, ink2 = np.array(self.ink[:3]), np.array(self.ink2[:3])
            if self.fill == "gradient":
                body = ink * (1 - rows) + ink2 * rows
            elif self.fill == "stripes":
                body = np.where(np.arange(h)[:, None, None] // 6 % 2 > 0, ink, ink2)
            elif self.fill == "split":
                body = np.where(rows > 0.5, ink2, ink)
            else:
                body = np.broadcast_to(ink, (h, 1, 3))
            body = np.broadcast_to(body, (h, w, 3)).astype(np.uint8)
            if self.fill == "hollow":
                inner = np.asarray(mask.filter(ImageFilter.MinFilter(9)), np.float32)
                alpha = np.asarray(wide, np.float32) - 0.75 * inner
                shade = Image.fromarray(alpha.clip(0, 255).astype(np.uint8))
            else:
                out.putalpha(wide.filter(ImageFilter.GaussianBlur(2)))
                shade = mask
            layer = Image.fromarray(body).convert("RGBA")
            layer.putalpha(shade)
            out.alpha_composite(layer)
            self.styled[digit] = out
        return self.styled[digit]

    def paint(self, frame, t, shake):
        rng = self.rng
        panel = self.panel(t)
        sx = shake[0] + 0.8 * self.drift[0](t)
        sy = shake[1] + 0.8 * self.drift[1](t)
        frame.paste(panel, (round(self.x - 6 + sx), round(self.y - 5 + sy)), panel)
        if rng.random() < 0.3:
            self.slices = rng.uniform(-1, 1, len(self.slices))
        for i, char in enumerate(self.digits()):
            patch = self.patch(int(char))
            yy, xx = np.arange(patch.height), np.arange(patch.width)
            phase = 2 * math.pi * (yy / patch.height / self.length[0] + 0.3 * i) + self.pulse[0] * t
            across = self.wave * np.sin(phase)
            across += self.glitch * self.slices[(yy * 9 // patch.height + i) % len(self.slices)]
            phase = 2 * math.pi * (xx / patch.width / self.length[1] + 0.3 * i) + self.pulse[1] * t
            patch = ripple(patch, SS * across, SS * self.jelly * np.sin(phase))
            x = self.x + i * self.w - PAD + sx
            y = self.y - PAD + sy
            whole = math.floor(x), math.floor(y)
            shift = ((x - whole[0]) * SS, (y - whole[1]) * SS)
            image = warp(patch, rng, angle=0.40 * self.strength * self.spin[i](t),
                         shear=0.5 * self.strength * self.lean(t),
                         scale=1 + 0.07 * self.tilt(t) + 0.08 * self.pop[i],
                         stretch=self.stretch, shift=shift, bend=0.03).reduce(SS)
            frame.paste(image, whole, image)


class Hud:
    """All of a game's overlay: groups of digits, captions, the icon, and what flies over it."""

    def __init__(self, game, rng, pace, strength, legible):
        self.game, self.rng, self.pace = game, rng, pace
        self.groups = [Group(game, name, rng, pace, strength, legible)
                       for name in GROUPS[game]]
        self.shake = Wobble(rng, 0.5, 3), Wobble(rng, 0.5, 3)
        self.turn, self.zoom = Wobble(rng, 0.3, 1.2), Wobble(rng)
        self.jolt = 0.0
        self.caption = ImageFont.truetype(CAPTION_FONT, 10)
        self.icon = int(rng.integers(len(ICONS)))
        self.frame_colour = colour_of_luma(rng, 20, 230)
        self._draw_icon()
        self.sparks = rng.random((46, 6)).astype(np.float32)

    def _draw_icon(self):
        self.sprite = draw_icon(ICONS[self.icon], self.rng)
        self.base = self.rng.uniform(-0.35, 0.35)

    def step(self):
        for group in self.groups:
            group.step()
        if self.rng.random() < 0.035 * self.pace:
            self.icon = int(self.rng.integers(len(ICONS)))
            self._draw_icon()
        self.jolt = 1.0 if self.rng.random() < 0.05 else self.jolt * 0.6

    def paint(self, frame, t):
        rng = self.rng
        shake = (1.9 * self.shake[0](t) + self.jolt * rng.uniform(-1.6, 1.6),
                 1.9 * self.shake[1](t) + self.jolt * rng.uniform(-1.6, 1.6))
        draw = ImageDraw.Draw(frame, "RGBA")
        x0, y0, x1, y1 = (v + s for v, s in zip(ICON_BOX[self.game], shake * 2))
        colour = self.frame_colour[:3]
        draw.rounded_rectangle((x0 - 3, y0 - 3, x1 + 3, y1 + 3), 7, fill=colour + (95,),
                               outline=colour + (220,), width=2)
        icon = warp(self.sprite, rng, self.base + 0.3 * self.turn(t), 0.1 * self.zoom(t),
                    0.92 + 0.1 * self.zoom(t), (0, 0), 0.02).reduce(4)
        paste(frame, icon, (x0 + x1) / 2 + rng.uniform(-1, 1), (y0 + y1) / 2 + rng.uniform(-1, 1))
        for group in self.groups:
            group.paint(frame, t, shake)
            draw.text((group.x - 2 + shake[0], group.y - 17 + shake[1]), CAPTION[group.name],
                      group.ink, self.caption, stroke_width=1, stroke_fill=group.edge)
        self._fly(draw, t)

    def _fly(self, draw, t):
        """Sparks and puffs before the HUD."""
        for a, b, c, d, e, f in self.sparks:
            x = ((a + t * (c - 0.5) * 1.6) % 1) * (WIDTH + 40) - 20
            y = ((b + t * (d - 0.3) * 1.2) % 1) * (HEIGHT + 40) - 20
            colour = hsv(e, 0.5 + 0.5 * (e * 7 % 1), 1 if e > 0.3 else 0.15)[:3]
            if f < 0.55:                        # a spark: a short line along its way
                n = 0.02 + 0.03 * f
                draw.line((x, y, x - (c - 0.5) * 1.6 * n * WIDTH, y - (d - 0.3) * 1.2 * n * HEIGHT),
                          fill=colour + (215,), width=2)
            elif f < 0.85:                      # a grain
                r = 1.2 + 3 * (f - 0.55) * 3
                draw.ellipse((x - r, y - r, x + r, y + r), fill=colour + (225,))
            else:                               # a puff of smoke
                r = 12 + 60 * (f - 0.85)
                draw.ellipse((x - r, y - r, x + r, y + r), fill=colour + (70,))


# ---------------------------------------------------------------- a clip

def frames(seed, segments, length, pace, strength, legible):
    """Yields (RGB array, truth) for every frame of a clip."""
    rng = np.random.Generator(np.random.PCG64(seed))
    grain = rng.normal(0, 1, (HEIGHT + 64, WIDTH + 64, 3)).astype(np.float32)
    order, index = [], 0
    while len(order) < segments:                   # every three segments show every game
        more = list(rng.permutation(GAMES))
        order += more if not order or more[0] != order[-1] else more[::-1]
    for game in order[:segments]:
        scene, hud = Background(game, rng), Hud(game, rng, pace, strength, legible)
        start, count = rng.uniform(0, 40), int(rng.integers(length * 4 // 5, length * 6 // 5 + 1))
        light, contrast, soft = Wobble(rng, 0.5, 4), Wobble(rng, 0.5, 4), Wobble(rng, 0.3, 2)
        sigma = rng.uniform(3, 8)
        for k in range(count):
            t = start + k / FPS
            hud.step()
            frame = scene.paint(t)
            hud.paint(frame, t)
            blur = 0.45 + 0.4 * soft(t)
            if blur > 0.15:
                frame = frame.filter(ImageFilter.GaussianBlur(blur))
            gain = 1 + 0.12 * contrast(t)
            bias = 22 * light(t) + rng.uniform(-5, 5) + 128 * (1 - gain)
            oy, ox = rng.integers(64, size=2)
            out = np.asarray(frame, np.float32) * gain + bias
            out += grain[oy:oy + HEIGHT, ox:ox + WIDTH] * sigma
            readings = [{"region": f"{game}/{g.name}/{i}", "label": char}
                        for g in hud.groups for i, char in enumerate(g.digits())]
            yield out.clip(0, 255).astype(np.uint8), {
                "frame": index, "time_ms": index * 1000 // FPS, "game": str(game),
                "icon": ICONS[hud.icon], "readings": readings}
            index += 1


def encode(path, seed, segments, length=65, pace=1.0, crf=30, strength=1.0,
           legible=False):
    """Renders a clip to an H.264 file; returns the truth, a list of one dict a frame."""
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24",
               "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-", "-c:v", "libx264",
               "-preset", "medium", "-crf", str(crf), "-g", "50", "-threads", "1",
               "-pix_fmt", "yuv420p", "-fflags", "+bitexact", "-flags:v", "+bitexact",
               "-map_metadata", "-1", "-movflags", "+faststart", path]
    truth = []
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        for image, line in frames(seed, segments, length, pace, strength, legible):
            process.stdin.write(image.tobytes())
            truth.append(line)
        process.stdin.close()
        if process.wait() != 0:
            raise RuntimeError("ffmpeg could not encode " + path)
    return truth


def decode(path):
    """Yields the frames of a video file as RGB arrays."""
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", path, "-vsync", "0",
               "-f", "rawvideo", "-pix_fmt", "rgb24", "-sws_flags", "bilinear", "-"]
    size = WIDTH * HEIGHT * 3
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while True:
            data = process.stdout.read(size)
            if len(data) < size:
                break
            yield np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH, 3)


def write_truth(path, truth):
    with open(path, "w", encoding="ascii") as out:
        for line in truth:
            out.write(json.dumps(line, separators=(",", ":")) + "\n")


def read_truth(path):
    with open(path, encoding="ascii") as lines:
        return [json.loads(line) for line in lines]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=2019)
    parser.add_argument("--segments", type=int, default=10)
    parser.add_argument("--length", type=int, default=65, help="mean frames of a segment")
    parser.add_argument("--pace", type=float, default=2.0, help="how fast values and icons change")
    parser.add_argument("--strength", type=float, default=1.26, help="how far digits are bent")
    parser.add_argument("--crf", type=int, default=30)
    parser.add_argument("--out", required=True)
    parser.add_argument("--truth")
    parser.add_argument("--dump", help="a folder for every 20th decoded frame as PNG")
    args = parser.parse_args()
    truth = encode(args.out, args.seed, args.segments, args.length, args.pace, args.crf,
                   args.strength, legible=True)
    if args.truth:
        write_truth(args.truth, truth)
    if args.dump:
        os.makedirs(args.dump, exist_ok=True)
        for i, image in enumerate(decode(args.out)):
            if i % 20 == 0:
                Image.fromarray(image).save(f"{args.dump}/frame-{i:04d}.png")
    print(f"{args.out}: {len(truth)} frames, {sum(len(x['readings']) for x in truth)} digits, "
          f"{os.path.getsize(args.out)} bytes")


if __name__ == "__main__":
    main()
