#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plans random workloads and checks every promise of each plan.

    random_plans.py SEED COUNT KIND

KIND: general (devices with memory, counts and costs, sparse and uneven profiles, queries),
small (up to 6 sessions: the device count against brute force), paper (never dearer than the paper's
algorithm, whose plans keep the same promises), replan (twice the same, then other rates).  Prints one line per failure and exits 1 if there was one.
"""
import itertools
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["NX_SRC"], "tests", "lib"))
from check_plan import Checker, latency  # noqa: E402

TOOL = os.path.join(os.environ["NX_BIN"], "nexus-plan")
AFFINE = [(1, 5), (3, 9), (5, 18), (4, 3), (0.1, 1), (2, 6)]


def make_profile(rng, model, device):
    alpha, beta = rng.choice(AFFINE)
    scale = rng.choice([1, 1, 0.5, 1.37])
    if rng.random() < 0.5:
        batches = [1, 64]
    else:
        batches = sorted(rng.sample(range(1, 65), rng.randint(1, 8)))
    points = []
    for b in batches:
        noise = rng.uniform(0.7, 1.3) if rng.random() < 0.3 else 1
        points.append({"batch": b, "mean_ms": round((alpha * b + beta) * scale * noise, 4)})
    p = {"format": "nexus-profile/1", "model": model, "device": device,
         "digest": "sha256:" + model * 3, "latency": points}
    if rng.random() < 0.5:
        p["memory"] = {"weights_bytes": rng.randint(1, 10**9),
                       "activations_bytes": rng.randint(0, 10**7)}
    if rng.random() < 0.3:
        p["interpolate"] = False
    return p


def make_rate(rng):
    return rng.choice([0, 1, 2, 30, round(rng.uniform(0.01, 5), 3), round(rng.uniform(1, 60), 2),
                       round(rng.uniform(10, 2000), 1)])


def make_query(rng, name, models):
    stages = [{"stage": "s0", "model": rng.choice(models)}]
    for i in range(1, rng.randint(1, 5)):
        stages.append({"stage": "s%d" % i, "model": rng.choice(models),
                       "after": "s%d" % rng.randrange(i),
                       "gamma": rng.choice([0, 0.1, 1, 1.8, 10])})
    rng.shuffle(stages)
    return {"query": name, "slo_ms": round(rng.uniform(50, 800), 1),
            "rate": rng.choice([1, 20, round(rng.uniform(0.1, 300), 2)]), "stages": stages}


def make_general(rng):
    types = ["NVIDIA H200", "cpu of some make", "GTX 1080"][:rng.choice([1, 1, 2, 3])]
    models = ["m%d" % i for i in range(rng.randint(1, 8))]
    profiles = [make_profile(rng, m, t) for m in models for t in types
                if t == types[0] or rng.random() < 0.7]
    types = [t for t in types if any(p["device"] == t for p in profiles)]
    w = {"format": "nexus-workload/1", "sessions": [], "queries": []}
    if rng.random() < 0.6:
        w["devices"] = []
        for t in types:
            d = {"device": t}
            if rng.random() < 0.4:
                d["count"] = rng.randint(0, 6)
            if rng.random() < 0.4:
                d["memory_bytes"] = rng.randint(10**8, 3 * 10**9)
            if rng.random() < 0.4:
                d["cost"] = rng.choice([0.5, 1, 3])
            w["devices"].append(d)
    for i in range(rng.randint(0, 12)):
        w["sessions"].append({"session": "s%d" % i, "model": rng.choice(models),
                              "slo_ms": round(rng.choice([rng.uniform(5, 60),
                                                          rng.uniform(50, 400)]), 1),
                              "rate": make_rate(rng)})
    for i in range(rng.choice([0, 0, 1, 3])):
        w["queries"].append(make_query(rng, "q%d" % i, models))
    return profiles, w


def make_small(rng):
    """Rests only: each session by itself fits a device."""
    n = rng.randint(2, 6)
    profiles = [{"format": "nexus-profile/1", "model": "m%d" % i, "device": "d",
                 "latency": [{"batch": 1, "mean_ms": a + b}, {"batch": 64, "mean_ms": 64 * a + b}]}
                for i, (a, b) in enumerate(AFFINE)]
    sessions = []
    while len(sessions) < n:
        s = {"session": "s%d" % len(sessions), "model": "m%d" % rng.randrange(len(AFFINE)),
             "slo_ms": rng.randint(50, 200), "rate": rng.choice([rng.randint(1, 30),
                                                                 rng.randint(20, 150)])}
        if fits(profiles, [s]):
            sessions.append(s)
    return profiles, {"format": "nexus-workload/1", "sessions": sessions}


def fits(profiles, sessions):
    """Whether one device serves all: every duty cycle at which anything changes is tried."""
    by_model = {p["model"]: p["latency"] for p in profiles}
    tables = [[latency(by_model[s["model"]], b) for b in range(1, 65)] for s in sessions]
    cycles = set()
    for s, table in zip(sessions, tables):
        for b, ms in enumerate(table, 1):
            if 2 * ms <= s["slo_ms"] + 1e-9:
                cycles.update([1000 * b / s["rate"], s["slo_ms"] - ms])
    for d in sorted(cycles):
        busy = 0
        for s, table in zip(sessions, tables):
            b = max(1, -int(-(s["rate"] * d / 1000 - 1e-9) // 1))
            if b > 64 or d + table[b - 1] > s["slo_ms"] + 1e-9:
                break
            busy += table[b - 1]
        else:
            if busy <= d + 1e-9:
                return True
    return False


def partitions(items):
    if not items:
        yield []
        return
    for rest in partitions(items[1:]):
        yield [[items[0]]] + rest
        for i, part in enumerate(rest):
            yield rest[:i] + [[items[0]] + part] + rest[i + 1:]


def fewest(profiles, sessions):
    """The least number of devices for sessions in one piece, by trying all partitions."""
    known, best = {}, len(sessions)
    for p in partitions(list(range(len(sessions)))):
        if len(p) >= best:
            continue
        for part in p:
            key = tuple(sorted(part))
            if key not in known:
                known[key] = fits(profiles, [sessions[i] for i in key])
            if not known[key]:
                break
        else:
            best = len(p)
    return best


def plan(profiles, workload, *options):
    with open("profiles.json", "w", encoding="utf-8") as f:
        f.write("\n".join(json.dumps(p) for p in profiles))
    with open("workload.json", "w", encoding="utf-8") as f:
        json.dump(workload, f)
    done = subprocess.run([TOOL, "-p", "profiles.json", *options, "workload.json"],
                          capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        return None, "exit %d: %s" % (done.returncode, done.stderr)
    result = json.loads(done.stdout)
    if (done.returncode == 1) != bool(result["summary"]["unserved"]):
        return None, "exit %d with unserved %r" % (done.returncode, result["summary"]["unserved"])
    return result, None


def check(profiles, workload, *options, previous=None):
    result, problem = plan(profiles, workload, *options)
    if problem:
        return result, [problem]
    return result, Checker(result, [workload], profiles, previous).run()


def run_general(rng):
    return check(*make_general(rng))[1]


def run_small(rng):
    profiles, w = make_small(rng)
    result, problems = check(profiles, w)
    if not problems:
        best = fewest(profiles, w["sessions"])
        s = result["summary"]
        # a session divided between two devices may save one: then the plan has its proof above
        divided = any(len(r["to"]) > 1 for r in result["routes"])
        if s["devices"] > best or (s["devices"] < best and not divided):
            problems = ["%d devices, bound %r, optimum %d" % (s["devices"], s["lower_bound"], best)]
    return problems


def cost(result, workload):
    costs = {d["device"]: d.get("cost", 1) for d in workload.get("devices", [])}
    return sum(costs.get(b["device"], 1) for b in result["backends"])


def run_paper(rng):
    profiles, w = make_general(rng)
    ours, problems = check(profiles, w)
    if not problems:
        papers, problems = check(profiles, w, "--algorithm", "paper")
    if not problems and not papers["summary"]["unserved"] and \
            cost(ours, w) > cost(papers, w) + 1e-9:
        problems = ["cost %r, the paper's %r" % (cost(ours, w), cost(papers, w))]
    return problems


def run_replan(rng):
    profiles, w = make_general(rng)
    first, problems = check(profiles, w)
    if problems:
        return problems
    with open("previous.json", "w", encoding="utf-8") as f:
        json.dump(first, f)
    second, problems = check(profiles, w, "--previous", "previous.json", previous=first)
    if problems:
        return problems
    if second["summary"]["moved"] or second["epoch"] != first["epoch"] + 1 or \
            second["backends"] != first["backends"] or second["routes"] != first["routes"]:
        return ["the same input moved something"]
    for s in itertools.chain(w["sessions"], w["queries"]):
        s["rate"] = round(s["rate"] * rng.choice([0, 0.5, 0.9, 1, 1.1, 2]), 3)
    third, problems = check(profiles, w, "--previous", "previous.json", previous=first)
    if problems:
        return problems
    fresh, _ = plan(profiles, w)
    if third["summary"]["devices"] > fresh["summary"]["devices"]:
        return ["sticking costs devices"]
    return []


def main():
    seed, count, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    failed = 0
    for i in range(seed, seed + count):
        problems = globals()["run_" + kind](random.Random(i))
        for p in problems[:3]:
            print("%s seed %d: %s" % (kind, i, p))
        failed += bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
