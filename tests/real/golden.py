# SPDX-License-Identifier: Apache-2.0
"""Asks a server for a model's golden outputs: golden.py SOCKET MODEL FOLDER ROWS

Sends ROWS copies of the stored input as one binary tensor (fewer if the server, which measures
what it may batch, was too busy for that many) and compares every row of every output:
|y - ref| <= 1e-3 |ref| + 1e-3 max|ref|.  Exit status 1 if one is off.
"""
import http.client
import json
import re
import socket
import sys
import time

import numpy as np


class Connection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path):
        super().__init__("nexus")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class TooMany(Exception):
    """The server takes only so many rows in a request."""


def infer(path, model, name, tensor):
    """The outputs of 'model' by name, and the time it took in milliseconds."""
    raw = tensor.tobytes()
    head = json.dumps({
        "inputs": [{"name": name, "datatype": "FP32", "shape": tensor.shape,
                    "parameters": {"binary_data_size": len(raw)}}],
        "parameters": {"binary_data_output": True}}).encode()
    start = time.monotonic()
    connection = Connection(path)
    connection.request("POST", f"/v2/models/{model}/infer", head + raw, {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(head))})
    answer = connection.getresponse()
    body = answer.read()
    ms = (time.monotonic() - start) * 1000
    fewer = re.search(rb"takes 1 to (\d+) in a request", body)
    if answer.status == 400 and fewer:
        raise TooMany(int(fewer[1]))
    if answer.status != 200:
        sys.exit(f"{model}: {answer.status} {body[:200]!r}")
    at = int(answer.headers["Inference-Header-Content-Length"])
    outputs = {}
    for o in json.loads(body[:at])["outputs"]:
        size = o["parameters"]["binary_data_size"]
        outputs[o["name"]] = np.frombuffer(body[at:at + size], "<f4").reshape(o["shape"])
        at += size
    if at != len(body):
        sys.exit(f"{model}: {len(body) - at} bytes more than its outputs")
    return outputs, ms


def main():
    path, model, folder, rows = sys.argv[1:]
    with open(f"{folder}/meta.json", encoding="utf-8") as f:
        meta = json.load(f)
    one = np.fromfile(f"{folder}/input_0.bin", "<f4").reshape(meta["input"]["dims"])
    tensor = np.repeat(one, int(rows), axis=0)
    try:
        outputs, ms = infer(path, model, meta["input"]["name"], tensor)
    except TooMany as most:
        rows, = most.args
        print(f"in a batch of {rows} only")
        outputs, ms = infer(path, model, meta["input"]["name"], tensor[:rows * len(one)])
    good = True
    for o in meta["outputs"]:
        ref = np.fromfile(f"{folder}/{o['file']}", "<f4").reshape(o["dims"])
        y = outputs.get(o["name"])
        if y is None or y.shape != (int(rows) * ref.shape[0], *ref.shape[1:]):
            sys.exit(f"{o['name']}: {None if y is None else y.shape} for {rows} x {ref.shape}")
        error = np.abs(y.astype("f8") - ref)
        worst = (error / (1e-3 * np.abs(ref) + 1e-3 * np.abs(ref).max())).max()
        # A NaN compares false, and so fails.
        good = good and bool(worst <= 1)
        print(f"{o['name']}: worst error {worst:.2g} of what is allowed, {ms:.1f} ms")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
