#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what a nexus-plan/1 promises, from plan, profiles and workload alone.

    check_plan.py [-s STATS] [--previous PLAN] PLAN WORKLOAD PROFILES...

Prints each broken promise and exits 1 if there was one.  Written from the description of the
formats and sharing no code with the planner: the two must agree, not resemble each other.
"""
import argparse
import json
import math
import sys

TOL = 1e-9


def read_all(path):
    """All JSON values of a file."""
    text = sys.stdin.read() if path == "-" else open(path, encoding="utf-8").read()
    decoder, at, out = json.JSONDecoder(), 0, []
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            return out
        value, at = decoder.raw_decode(text, at)
        out.append(value)


def latency(points, b, interpolate=True):
    """Milliseconds of a batch of b by the rules of nexus-profile/1; None: may not run."""
    points = [(p["batch"], p["mean_ms"]) for p in points]
    if b > points[-1][0]:
        return None
    if b <= points[0][0]:
        return points[0][1]
    for (b0, l0), (b1, l1) in zip(points, points[1:]):
        if b <= b1:
            if not interpolate:
                return l1
            return l0 + (l1 - l0) * (b - b0) / (b1 - b0)
    raise AssertionError


def le(a, b):
    """a <= b but for rounding."""
    return a <= b + TOL * max(1.0, abs(a), abs(b))


def same(a, b):
    return le(a, b) and le(b, a)


class Checker:
    def __init__(self, plan, workloads, profiles, previous=None, stats=None):
        self.plan, self.previous = plan, previous
        self.profiles = profiles
        self.devices, self.sessions, self.queries = {}, {}, {}
        self.problems = []
        for w in workloads:
            for d in w.get("devices", []):
                self.devices[d["device"]] = d
            for s in w.get("sessions", []):
                self.sessions[s["session"]] = dict(s)
            for q in w.get("queries", []):
                self.queries[q["query"]] = json.loads(json.dumps(q))
        self.observe(stats or [])
        self.demand = {}  # session -> (model, rate), stages included
        for s in self.sessions.values():
            self.demand[s["session"]] = (s["model"], s["rate"])
        self.unserved = plan["summary"]["unserved"]
        self.lost_queries = {u["query"] for u in self.unserved if "query" in u}
        for q in self.queries.values():
            if q["query"] not in self.lost_queries:
                for s in q["stages"]:
                    name = q["query"] + "/" + s["stage"]
                    self.demand[name] = (s["model"], self.stage_rate(q, s))

    def observe(self, stats):
        last = {}
        for line in stats:
            if line["source"] == "route":
                last[line["id"]] = line
        rates, gammas = {}, {}
        for line in last.values():
            for s in line.get("sessions", []):
                rates[s["session"]] = rates.get(s["session"], 0) + s["rate"]
            for e in line.get("edges", []):
                gammas[e["query"], e["stage"]] = e["gamma"]
        for s in self.sessions.values():
            s["rate"] = rates.get(s["session"], s["rate"])
        for q in self.queries.values():
            for s in q["stages"]:
                if "after" in s:
                    s["gamma"] = gammas.get((q["query"], s["stage"]), s.get("gamma", 1))
                else:
                    q["rate"] = rates.get(q["query"] + "/" + s["stage"], q["rate"])

    def stage(self, q, name):
        return next(s for s in q["stages"] if s["stage"] == name)

    def stage_rate(self, q, s):
        if s.get("after") is None:
            return q["rate"]
        return self.stage_rate(q, self.stage(q, s["after"])) * s.get("gamma", 1)

    def bad(self, fmt, *args):
        self.problems.append(fmt % args)

    def profile(self, backend, s):
        """The profile that a session of a backend runs by."""
        found = [p for p in self.profiles
                 if p["model"] == s["model"] and p["device"] == backend["device"]
                 and p.get("digest") == s.get("digest")
                 and p.get("precision") == s.get("precision")
                 and p.get("threads", 0) == s.get("threads", 0)]
        if not found:
            self.bad("%s: %s: no profile", backend["backend"], s["session"])
            return None
        return found[0]

    # ---- one backend

    def suffix(self, prof, prefix, b):
        """What a session of a prefix group adds behind the trunk."""
        if prefix in (prof.get("digest"), "model:" + prof["model"]):
            return 0.0
        cut = next(c for c in prof["prefix"] if c["digest"] == prefix)
        if cut.get("suffix_latency"):
            return latency(cut["suffix_latency"], b)
        return latency(prof["latency"], b) - latency(cut["latency"], b)

    def trunk(self, prof, prefix, b):
        if prefix in (prof.get("digest"), "model:" + prof["model"]):
            return latency(prof["latency"], b, prof.get("interpolate", True))
        return latency(next(c for c in prof["prefix"] if c["digest"] == prefix)["latency"], b)

    def check_groups(self, b, by_name):
        grouped = {}
        for g in b.get("prefix_groups", []):
            members = [by_name.get(n) for n in g["sessions"]]
            if None in members:
                self.bad("%s: a group names a session that is not there", b["backend"])
                continue
            if g["batch"] < sum(m["batch"] for m in members):
                self.bad("%s: group batch %d", b["backend"], g["batch"])
            profs = [self.profile(b, m) for m in members]
            done = self.trunk(profs[0], g["prefix"], g["batch"])
            for m, prof in zip(members, profs):
                done += self.suffix(prof, g["prefix"], m["batch"])
                grouped[m["session"]] = done
            if not le(done, g["exec_ms"]):
                self.bad("%s: group exec_ms %r < %r", b["backend"], g["exec_ms"], done)
        return grouped

    def check_memory(self, b):
        weights, rows = {}, 0
        for s in b["sessions"]:
            m = (self.profile(b, s) or {}).get("memory", {})
            weights[s["model"], s.get("precision")] = m.get("weights_bytes", 0)
            rows += s["batch"] * m.get("activations_bytes", 0)
        if not b.get("prefix_groups") and not same(b["memory_bytes"], sum(weights.values()) + rows):
            self.bad("%s: memory_bytes %r, is %r", b["backend"], b["memory_bytes"],
                     sum(weights.values()) + rows)
        limit = self.devices.get(b["device"], {}).get("memory_bytes", 0)
        if limit and b["memory_bytes"] > limit:
            self.bad("%s: %r bytes on a device of %r", b["backend"], b["memory_bytes"], limit)

    def check_backend(self, b):
        d, name = b["duty_cycle_ms"], b["backend"]
        by_name = {s["session"]: s for s in b["sessions"]}
        grouped = self.check_groups(b, by_name)
        busy = sum(g["exec_ms"] for g in b.get("prefix_groups", []))
        if len(by_name) != len(b["sessions"]) or not by_name:
            self.bad("%s: sessions missing or twice", name)
        for s in b["sessions"]:
            prof = self.profile(b, s)
            if prof is None:
                continue
            least = latency(prof["latency"], s["batch"], prof.get("interpolate", True))
            if least is None:
                self.bad("%s: %s: batch %d is above the profile", name, s["session"], s["batch"])
                continue
            if not le(s["rate"] * d / 1000, s["batch"]):
                self.bad("%s: %s: throughput: batch %d < %r", name, s["session"], s["batch"],
                         s["rate"] * d / 1000)
            if not le(grouped.get(s["session"], least), s["exec_ms"]):
                self.bad("%s: %s: exec_ms %r < %r", name, s["session"], s["exec_ms"], least)
            wait = d
            if b.get("dispatch") == "pooled":
                wait /= sum(1 for o in self.plan["backends"]
                            if any(t["session"] == s["session"] for t in o["sessions"]))
            if not le(wait + s["exec_ms"], s["slo_ms"]):
                self.bad("%s: %s: latency %r + %r > %r", name, s["session"], wait, s["exec_ms"],
                         s["slo_ms"])
            if s["session"] not in grouped:
                busy += s["exec_ms"]
        if not le(busy, d):
            self.bad("%s: capacity: %r > %r", name, busy, d)
        if not same(b["occupancy"], busy / d):
            self.bad("%s: occupancy %r, is %r", name, b["occupancy"], busy / d)
        self.check_memory(b)

    # ---- the plan

    def check_routes(self):
        hosted = {}
        for b in self.plan["backends"]:
            for s in b["sessions"]:
                hosted[s["session"], b["backend"]] = s
                if s["session"] not in self.demand:
                    self.bad("%s: session %s is not wanted", b["backend"], s["session"])
                elif s["model"] != self.demand[s["session"]][0]:
                    self.bad("%s: %s has model %s", b["backend"], s["session"], s["model"])
        lost = {u["session"]: u["rate"] for u in self.unserved if "session" in u}
        routes = {}
        for r in self.plan["routes"]:
            if r["session"] in routes:
                self.bad("two routes for %s", r["session"])
            routes[r["session"]] = r
            for t in r["to"]:
                s = hosted.pop((r["session"], t["backend"]), None)
                if s is None or not same(s["rate"], t["rate"]):
                    self.bad("route of %s to %s: %r", r["session"], t["backend"], t["rate"])
        for key in hosted:
            self.bad("no route to %s on %s", *key)
        for name, (_, rate) in self.demand.items():
            if name not in routes:
                self.bad("no route for %s", name)
                continue
            routed = sum(t["rate"] for t in routes[name]["to"])
            if abs(routed + lost.get(name, 0) - rate) > TOL * max(1, rate):
                self.bad("%s: routed %r + unserved %r != %r", name, routed, lost.get(name, 0), rate)

    def check_slos(self):
        stage_slo = {}
        for q in self.plan["queries"]:
            for s in q["stages"]:
                stage_slo[s["session"]] = s["slo_ms"]
        for b in self.plan["backends"]:
            for s in b["sessions"]:
                want = (self.sessions[s["session"]]["slo_ms"] if s["session"] in self.sessions
                        else stage_slo.get(s["session"]))
                if s["slo_ms"] != want:
                    self.bad("%s: slo_ms %r, wanted %r", s["session"], s["slo_ms"], want)

    def check_queries(self):
        planned = {q["query"]: q for q in self.plan["queries"]}
        for name, want in self.queries.items():
            if (name in planned) == (name in self.lost_queries):
                self.bad("query %s: neither or both planned and unserved", name)
            if name not in planned:
                continue
            q = planned[name]
            if q["slo_ms"] != want["slo_ms"] or not same(q["rate"], want["rate"]):
                self.bad("query %s: slo or rate differ", name)
            if {s["stage"] for s in q["stages"]} != {s["stage"] for s in want["stages"]}:
                self.bad("query %s: not its stages", name)
                continue
            for s in q["stages"]:
                total, at = 0, s
                while at is not None:
                    total += at["slo_ms"]
                    at = self.stage(q, at["after"]) if at.get("after") else None
                if not le(total, q["slo_ms"]):
                    self.bad("query %s: path to %s takes %r", name, s["stage"], total)
                w = self.stage(want, s["stage"])
                if s.get("after") != w.get("after") or s.get("select") != w.get("select") or \
                        s["gamma"] != w.get("gamma", 1):
                    self.bad("query %s: stage %s differs", name, s["stage"])

    def check_summary(self):
        s = self.plan["summary"]
        n = len(self.plan["backends"])
        if s["devices"] != n:
            self.bad("summary.devices %r", s["devices"])
        least = math.ceil(s["lower_bound"])
        if least > n:
            self.bad("lower bound %r above %d devices", s["lower_bound"], n)
        if least and not same(s["gap"], n / least - 1):
            self.bad("gap %r", s["gap"])
        for u in self.unserved:
            if ("session" in u) == ("query" in u) or not u["reason"]:
                self.bad("unserved entry %r", u)
        counts = {}
        for b in self.plan["backends"]:
            counts[b["device"]] = counts.get(b["device"], 0) + 1
        for d, n in counts.items():
            if self.devices and d not in self.devices:
                self.bad("device type %s is not there", d)
            elif self.devices and n > self.devices[d].get("count", n):
                self.bad("%d devices of type %s", n, d)
        names = [b["backend"] for b in self.plan["backends"]]
        if len(set(names)) != len(names):
            self.bad("two backends of one name")
        pairs = {(x["session"], b["backend"]) for b in self.plan["backends"]
                 for x in b["sessions"]}
        old = pairs
        if self.previous:
            old = {(x["session"], b["backend"]) for b in self.previous["backends"]
                   for x in b["sessions"]}
        if s["moved"] != len(pairs - old):
            self.bad("moved %r, is %d", s["moved"], len(pairs - old))

    def run(self):
        if self.plan.get("format") != "nexus-plan/1":
            self.bad("format %r", self.plan.get("format"))
        for b in self.plan["backends"]:
            self.check_backend(b)
        self.check_routes()
        self.check_slos()
        self.check_queries()
        self.check_summary()
        return self.problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", "--stats")
    parser.add_argument("--previous")
    parser.add_argument("plan")
    parser.add_argument("workload")
    parser.add_argument("profiles", nargs="+")
    args = parser.parse_args()
    profiles = [p for path in args.profiles for p in read_all(path)]
    previous = read_all(args.previous)[0] if args.previous else None
    stats = read_all(args.stats) if args.stats else None
    problems = Checker(read_all(args.plan)[0], read_all(args.workload), profiles, previous,
                       stats).run()
    for p in problems:
        print("check_plan: " + p)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
