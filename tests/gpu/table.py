# SPDX-License-Identifier: Apache-2.0
"""A table of build/gpu/bench.jsonl: images a second by model and batch, and what Nexus is of
PyTorch's best; the last record of a kind counts, and what has not been run is shown as '-'."""
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


def cell(record, width=10):
    return ("%.0f" % record["images_s"] if record else "-").rjust(width)


def main():
    records = load(sys.argv[1])
    print("%-12s %5s %10s %10s %10s %10s %8s %9s" % (
        "model, fp16", "batch", "nexus", *("torch " + k[:4] for k in KINDS), "ratio", "ms"))
    for model in MODELS:
        for batch in BATCHES:
            ours = records.get((model, "nexus", "fp16", batch))
            torch = [records.get((model, "torch-" + k, "fp16", batch)) for k in KINDS]
            rates = [r["images_s"] for r in torch if r]
            ratio = "%.2f" % (ours["images_s"] / max(rates)) if ours and rates else "-"
            print("%-12s %5d %s %s %8s %9s" % (
                model, batch, cell(ours), " ".join(cell(r) for r in torch), ratio,
                "%.3f" % ours["ms"] if ours else "-"))


if __name__ == "__main__":
    main()
