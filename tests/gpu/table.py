# SPDX-License-Identifier: Apache-2.0
"""A table of build/gpu/bench.jsonl: images a second by model and batch, of the network alone with
its input on the device, and what Nexus is of PyTorch's best; then from host memory to host memory,
where Nexus takes fp32 and PyTorch fp16.  The last record of a kind counts, and what has not been
run is shown as '-'."""
import json
import sys

KINDS = ("eager", "graph", "compile")
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MODELS = ("resnet50", "vgg19", "mobilenet", "yolox-nano")


def load(path):
    best = {}
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                r = json.loads(line)
                best[(r["model"], r["engine"], r["precision"], r["batch"])] = r
    except OSError:
        pass
    return best


def rate(record, key):
    return record["batch"] * 1e3 / record[key] if record and record.get(key, 0) > 0 else None


def cell(value, width=10):
    return ("%.0f" % value if value else "-").rjust(width)


def table(records, key, title):
    print("%-12s %5s %10s %10s %10s %10s %8s %9s" % (
        title, "batch", "nexus", *("torch " + k[:4] for k in KINDS), "ratio", "ms"))
    for model in MODELS:
        for batch in BATCHES:
            ours = records.get((model, "nexus", "fp16", batch))
            torch = [rate(records.get((model, "torch-" + k, "fp16", batch)), key) for k in KINDS]
            mine, best = rate(ours, key), max((r for r in torch if r), default=None)
            print("%-12s %5d %s %s %8s %9s" % (
                model, batch, cell(mine), " ".join(cell(r) for r in torch),
                "%.2f" % (mine / best) if mine and best else "-",
                "%.3f" % ours[key] if mine else "-"))


def main():
    records = load(sys.argv[1])
    table(records, "device_ms", "device")
    table(records, "ms", "host to host")


if __name__ == "__main__":
    main()
