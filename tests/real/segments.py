# SPDX-License-Identifier: Apache-2.0
"""Asks a server what a segmentation network sees: segments.py SOCKET MODEL PICTURE…

The network takes RGB in [-1, 1], channels last, and tells VOC's classes apart.  Prints a line a
picture: the classes with at least a fiftieth of it but for the background, most first.
"""
import os
import sys

import numpy as np
from PIL import Image

from golden import infer

CLASSES = """background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog
    horse motorbike person pottedplant sheep sofa train tvmonitor""".split()


def main():
    path, model, *pictures = sys.argv[1:]
    for p in pictures:
        picture = Image.open(p).convert("RGB").resize((257, 257), Image.BILINEAR)
        x = np.asarray(picture, dtype="<f4")[None] / np.float32(127.5) - np.float32(1)
        outputs, _ = infer(path, model, "sub_7", x)
        y, = outputs.values()
        count = np.bincount(np.argmax(y[0], axis=-1).ravel(), minlength=len(CLASSES))
        seen = [k for k in np.argsort(-count) if k and count[k] * 50 >= count.sum()]
        print(os.path.basename(p), *[CLASSES[k] for k in seen])


main()
