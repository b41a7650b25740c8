#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tables in Markdown of what bench.py measured.

    report.py RESULT.jsonl...
"""
import json
import math
import sys

TITLES = {"cpu": "1 thread, CPU time", "one": "2 threads, one request at a time, wall clock",
          "pair": "2 cores, two one-thread engines against ONNX Runtime's better way, wall clock"}


def geomean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(r) + " |" for r in rows]) + "\n"


def rates(lines, precision, mode, key="ratio"):
    """model -> batch -> line, of one kind of measurement."""
    found = {}
    for line in lines:
        if line["kind"] == "rate" and line["precision"] == precision and line["mode"] == mode:
            found.setdefault(line["model"], {})[line["batch"]] = line
    return found


def best_way(lines):
    """Turns the ratios of pairs into those against the better of ONNX Runtime's two ways."""
    one = {(l["model"], l["precision"], l["batch"]): l for l in lines
           if l["kind"] == "rate" and l["mode"] == "one"}
    for line in lines:
        if line["kind"] != "rate" or line["mode"] != "pair":
            continue
        other = one.get((line["model"], line["precision"], line["batch"]))
        if other and other["ort"] > line["ort"]:
            line["ratio"] *= line["ort"] / other["ort"]
            line["ort"] = other["ort"]
        if other and other.get("ort_int8", 0) > line.get("ort_int8", 0):
            line["ratio_int8"] *= line["ort_int8"] / other["ort_int8"]
            line["ort_int8"] = other["ort_int8"]


def rate_table(found, key, peer):
    batches = sorted({b for by in found.values() for b in by})
    rows = []
    for model, by in found.items():
        cells = [f"{by[b]['nexus']:.4g} x{by[b][key]:.2f}" if b in by else "" for b in batches]
        rows.append([model, *cells, f"x{geomean([l[key] for l in by.values()]):.2f}"])
    columns = [geomean([by[b][key] for by in found.values() if b in by]) for b in batches]
    all_of = [l[key] for by in found.values() for l in by.values()]
    rows.append(["**geometric mean**", *(f"x{v:.2f}" for v in columns), f"**x{geomean(all_of):.2f}**"])
    return table([f"images/s, x {peer}", *(f"b{b}" for b in batches), "mean"], rows)


def networks(lines):
    rows = []
    peaks = {}
    for line in lines:
        if line["kind"] == "rate" and "peak" in line:
            key = (line["model"], line["precision"])
            best = peaks.setdefault(key, [0, 0])
            best[:] = max(best[0], line["peak"]), max(best[1], line["ort_peak"])
    last = {(l["model"], l["precision"]): l for l in lines if l["kind"] == "network"}
    for l in last.values():
        peak = peaks.get((l["model"], l["precision"]))
        error = f"{l['error']:.1e}" + (f" ({l['peer_error']:.1e})" if "peer_error" in l else "")
        rows.append([l["model"], l["precision"], f"{l['gflop']:.2f}",
                     f"{100 * peak[0]:.0f} % ({100 * peak[1]:.0f} %)" if peak else "",
                     error + ("" if l["right"] else " **wrong**"),
                     f"{l['first_answer_cpu_ms']:.0f} ({l['ort_first_answer_cpu_ms']:.0f})",
                     f"{l['rss_kib'] / 1024:.0f} ({l['ort_rss_kib'] / 1024:.0f})"])
    return table(["network", "precision", "GFLOP an image", "of peak (ORT fp32)",
                  "largest error over largest output (ORT int8)", "first answer, ms of CPU time (ORT)",
                  "memory, MiB (ORT)"], rows)


def main():
    lines = []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as f:
            lines += [json.loads(line) for line in f]
    best_way(lines)
    for m in (l for l in lines if l["kind"] == "machine"):
        peak = ", ".join(f"{k} {v:.0f} G/s" for k, v in m["peak_gops"].items())
        print(f"{m['cpu']}, {m['cores']} cores, load {m['load']} at the start, ONNX Runtime "
              f"{m['onnxruntime']}, {m['rounds']} rounds of {m['block_s']} s, {m['started']}; "
              f"peak of one core (matrix product): {peak}.\n")
    for precision in ("fp32", "bf16", "int8"):
        for mode, title in TITLES.items():
            found = rates(lines, precision, mode)
            if not found:
                continue
            print(f"{precision}, {title}:\n\n" + rate_table(found, "ratio", "ORT fp32"))
            if precision == "int8":
                print("the same against ORT int8:\n\n" + rate_table(found, "ratio_int8", "ORT int8"))
    print(networks(lines))
    rows = [[l["side"], f"{l['quiet']:.4g}", f"{l['busy']:.4g}", f"{100 * l['kept']:.0f} %"]
            for l in lines if l["kind"] == "neighbour"]
    if rows:
        print("ResNet-50, batch 8, 2 threads, images/s beside a busy loop on the second core:\n\n" +
              table(["", "alone", "beside it", "kept"], rows))
    rows = [[l["model"], l["precision"], l["why"]] for l in lines if l["kind"] == "unsupported"]
    if rows:
        print("Not run:\n\n" + table(["network", "precision", "why"], rows))


if __name__ == "__main__":
    main()
