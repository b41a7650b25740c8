#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Devices that nexus-plan needs, against its lower bounds and the paper's algorithm, and its time.

    plan.py [--seeds N] [--sizes 10,100,…] [--families NAME,…]

Prints a Markdown table: for each family of random workloads and number of sessions, means over the
seeds.  The time is CPU time of one core, the memory the largest resident size.
"""
import argparse
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile

TOOL = os.environ.get("NEXUS_PLAN", "bin/nexus-plan")
BATCHES = (1, 2, 4, 8, 16, 32, 64)
P7 = [(1, 5), (3, 9), (5, 18), (4, 3), (0.1, 1), (2, 6)]


def best_rate(alpha, beta, slo):
    """Requests a second of a whole device."""
    rates = [1000 * b / (alpha * b + beta) for b in range(1, 65) if 2 * (alpha * b + beta) <= slo]
    return max(rates, default=0)


def some_models(rng, n):
    return [(10 ** rng.uniform(-1, 0.8), 10 ** rng.uniform(0, 1.3)) for _ in range(n)]


# A family: models (alpha, beta), SLOs, rates as a share of a device, device types (speed, cost).
FAMILIES = {
    "p7": "rests as in case P7: 6 models, SLO 50 to 200 ms, 0.02 to 0.92 of a device",
    "mixed": "20 models, six SLOs, 0.001 to 1 device, log-uniform",
    "small": "50 models, 0.0005 to 0.02 of a device",
    "large": "20 models, 0.3 to 8 devices",
    "memory": "as mixed, 50 models, devices that hold about five of them",
    "types": "as mixed, 50 models, four device types of different speed, cost and memory",
}


def generate(family, n, seed):
    rng = random.Random(seed)
    models = P7 if family == "p7" else some_models(
        rng, 20 if family in ("mixed", "large") else 50)
    types = [(1, 1), (1.6, 1.5), (2.5, 2.2), (4, 3.3)] if family == "types" else [(1, 1)]
    profiles = []
    for i, (a, b) in enumerate(models):
        memory = {"weights_bytes": int(10 ** rng.uniform(7, 9)),
                  "activations_bytes": int(10 ** rng.uniform(5, 7))}
        for t, (speed, _) in enumerate(types):
            fast = speed * (rng.uniform(0.8, 1.2) if len(types) > 1 else 1)
            profiles.append({"format": "nexus-profile/1", "model": "m%d" % i, "device": "t%d" % t,
                             "memory": memory,
                             "latency": [{"batch": x, "mean_ms": (a * x + b) / fast}
                                         for x in BATCHES]})
    w = {"format": "nexus-workload/1", "sessions": []}
    if family in ("memory", "types"):
        w["devices"] = [{"device": "t%d" % t, "cost": cost,
                         "memory_bytes": 10**9 if family == "memory" else 16 * 10**9}
                        for t, (_, cost) in enumerate(types)]
    for i in range(n):
        m = rng.randrange(len(models))
        slo = rng.uniform(50, 200) if family == "p7" else rng.choice((50, 75, 100, 150, 200, 400))
        slo = max(slo, 3 * sum(models[m]))
        share = {"p7": rng.uniform(0.02, 0.92), "small": 10 ** rng.uniform(-3.3, -1.7),
                 "large": rng.uniform(0.3, 8)}.get(family, 10 ** rng.uniform(-3, 0))
        w["sessions"].append({"session": "s%d" % i, "model": "m%d" % m, "slo_ms": slo,
                              "rate": share * best_rate(*models[m], slo)})
    return profiles, w


def run(folder, algorithm):
    """The plan's summary, seconds and megabytes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run([TOOL, "-q", "--algorithm", algorithm, "-p", folder + "/profiles.json",
                          "--filter", ".summary", folder + "/workload.json"],
                         capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(out.stdout), seconds, after.ru_maxrss / 1024


def measure(folder, family, n, seeds):
    """One row of the table."""
    names = ("devices", "paper", "fractional", "occupancy", "conflicts", "bound", "gap", "cost_gap",
             "seconds")
    total, memory = dict.fromkeys(names, 0.0), 0
    for seed in range(seeds):
        profiles, w = generate(family, n, seed)
        with open(folder + "/profiles.json", "w", encoding="utf-8") as f:
            f.write("\n".join(json.dumps(p) for p in profiles))
        with open(folder + "/workload.json", "w", encoding="utf-8") as f:
            json.dump(w, f)
        s, seconds, memory = run(folder, "best")
        paper = run(folder, "paper")[0]
        row = dict(s["bounds"], devices=s["devices"], paper=paper["devices"], gap=s["gap"],
                   bound=math.ceil(s["lower_bound"]), seconds=seconds,
                   cost_gap=s["cost"] / s["cost_bound"] - 1 if "cost" in s else 0)
        for name in names:
            total[name] += row[name] / seeds
    total["memory"] = memory
    return total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sizes", default="10,100,1000,10000,100000")
    parser.add_argument("--families", default=",".join(FAMILIES))
    args = parser.parse_args()
    gaps = {}
    for family in args.families.split(","):
        print("- %s: %s" % (family, FAMILIES[family]))
    print("\n| family | sessions | devices | paper's | saved | fractional | occupancy | conflicts "
          "| best bound | gap | CPU s | MB |\n|---|" + "---:|" * 11)
    for n in (int(x) for x in args.sizes.split(",")):
        for family in args.families.split(","):
            with tempfile.TemporaryDirectory() as folder:
                t = measure(folder, family, n, args.seeds if n <= 1000 else 1)
            gap = "%.1f %%" % (100 * t["gap"])
            if t["cost_gap"]:
                gap = "%.1f %% of cost" % (100 * t["cost_gap"])
            gaps.setdefault(n, []).append(t["cost_gap"] or t["gap"])
            print("| %s | %d | %.1f | %.1f | %.1f %% | %.1f | %.1f | %.1f | %.1f | %s | %.2f | %.0f |"
                  % (family, n, t["devices"], t["paper"], 100 * (1 - t["devices"] / t["paper"]),
                     t["fractional"], t["occupancy"], t["conflicts"], t["bound"], gap,
                     t["seconds"], t["memory"]))
            sys.stdout.flush()
    for n, g in gaps.items():
        print("\nMean gap at %d sessions: %.1f %%" % (n, 100 * sum(g) / len(g)))


if __name__ == "__main__":
    main()
