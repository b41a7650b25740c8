#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images per second of the engine against ONNX Runtime, taking turns on the same cores.

Each side lives in processes of its own (host.c, ort_host.py) that load a network once and then run
batches when told to.  In a round every contender gets a block of time, in an order that turns round
from one round to the next; what is reported is the median rate, and the median of the ratios
within a round.  One thread is measured in CPU time, so that neighbours on the machine cost
neither side anything but cache; two threads on the wall clock, in two ways: one request at a time
(one engine with two threads, one session with two), and throughput (two engines or sessions with a
thread each).  Results are JSON Lines; report.py makes tables of them.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
PAUSE_S = 0.02          # lets threads that spin after a run go to sleep
CHECK_ROWS = 4          # rows whose answers are compared
# How far an answer may be off, over the largest output of ONNX Runtime's fp32.
GATE = {"fp32": 1e-3, "bf16": 1e-1}


class Refused(Exception):
    pass


class Host:
    """A process that has a network loaded, pinned to 'cores'."""

    def __init__(self, argv, cores):
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores))
        word, _, rest = self.process.stdout.readline().strip().partition(" ")
        if word != "ready":
            self.close()
            raise Refused(rest or "ended without a word")
        self.first_ms, self.first_cpu_ms, self.weights, self.rss_kib = (float(v) for v in rest.split())

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def read(self):
        line = self.process.stdout.readline().strip()
        if not line or line.startswith("failed"):
            raise RuntimeError(f"{self.process.args}: {line or 'ended'}")
        return line

    def close(self):
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait()


class Contender:
    """One or two hosts that run blocks at the same time."""

    def __init__(self, name, hosts):
        self.name, self.hosts = name, hosts

    def rate(self, rows, block_s, cpu):
        """Images a second, of CPU time or of wall-clock time."""
        time.sleep(PAUSE_S)
        for host in self.hosts:
            host.ask(f"run {rows} {int(block_s * 1e9)}")
        total = 0
        for host in self.hosts:
            batches, wall_ns, cpu_ns = (int(v) for v in host.read().split())
            total += batches * rows * 1e9 / (cpu_ns if cpu else wall_ns)
        return total


def compete(contenders, rows, args, cpu):
    """Rates of each contender, a list of rounds."""
    rates = {c.name: [] for c in contenders}
    for i in range(args.rounds):
        for c in contenders if i % 2 == 0 else reversed(contenders):
            rates[c.name].append(c.rate(rows, args.block, cpu))
    return rates


def ratio(rates, a, b):
    """Median over the rounds of a's rate over b's."""
    return statistics.median(x / y for x, y in zip(rates[a], rates[b]))


class Network:
    """The hosts of one network, started when first needed."""

    def __init__(self, args, name, shape):
        self.args, self.name, self.hosts, self.refused = args, name, {}, {}
        self.rows = max(args.batches + [CHECK_ROWS])
        self.input = os.path.join(args.dir, "input.raw")
        random = np.random.default_rng(7)
        random.standard_normal((self.rows, *shape), np.float32).tofile(self.input)

    def file(self, precision):
        suffix = ".int8.onnx" if precision == "int8" else ".onnx"
        return os.path.join(self.args.dir, self.name + suffix)

    def start(self, side, precision, threads, core, tune_s=0):
        args, file = self.args, self.file(precision)
        cores = set(args.cores[:2]) if threads == 2 else {args.cores[core]}
        if side == "ort":
            argv = [sys.executable, os.path.join(HERE, "ort_host.py"), str(threads), file,
                    self.input, str(self.rows)]
        else:
            argv = [os.path.join(args.build, "bench/engine-host"), f"cpu:threads={threads}",
                    precision, file, os.path.join(args.build, "lib/nexus"), self.input,
                    str(self.rows), str(1000 * tune_s)]
        return Host(argv, cores)

    def host(self, side, precision, threads=1, core=0):
        key = (side, precision, threads, core)
        if key not in self.hosts:
            self.hosts[key] = self.start(*key)
        return self.hosts[key]

    def contender(self, side, precision, mode):
        if mode == "pair":
            hosts = [self.host(side, precision, 1, core) for core in (0, 1)]
        else:
            hosts = [self.host(side, precision, mode)]
        return Contender(f"{side}-{precision}", hosts)

    def close(self, threads=None):
        """All hosts, or those with so many threads."""
        for key in [k for k in self.hosts if threads in (None, k[2])]:
            self.hosts.pop(key).close()

    def answer(self, side, precision):
        path = os.path.join(self.args.dir, "answer.raw")
        host = self.host(side, precision)
        host.ask(f"save {CHECK_ROWS} {path}")
        host.read()
        return np.fromfile(path, np.float32)

    def compare(self, precision):
        """How far our answers, and for int8 the peer's, are from ONNX Runtime's fp32."""
        ref = self.answer("ort", "fp32")
        ours = self.answer("nexus", precision)
        out = {"error": float(np.max(np.abs(ours - ref)) / np.max(np.abs(ref)))}
        gate = GATE.get(precision)
        if precision == "int8":
            peer = self.answer("ort", "int8")
            out["peer_error"] = float(np.max(np.abs(peer - ref)) / np.max(np.abs(ref)))
            gate = 2 * out["peer_error"] + 1e-2
        out["right"] = bool(ours.size == ref.size and out["error"] <= gate)
        return out

    def contenders(self, precisions, mode):
        sides = [("ort", "fp32")] + [("nexus", p) for p in precisions]
        if "int8" in precisions:
            sides.append(("ort", "int8"))
        return [self.contender(*side, mode) for side in sides]


def measure_load(net, precision):
    """Loading for the first time, which tunes the model, and then again."""
    cold = net.start("nexus", precision, 1, 0, net.args.tune)
    cold.close()
    if 2 in net.args.threads:
        net.start("nexus", precision, 2, 0, net.args.tune).close()
    warm, peer = net.host("nexus", precision), net.host("ort", "fp32")
    return {"tuned_ms": cold.first_ms,
            "first_answer_ms": warm.first_ms, "first_answer_cpu_ms": warm.first_cpu_ms,
            "ort_first_answer_ms": peer.first_ms, "ort_first_answer_cpu_ms": peer.first_cpu_ms,
            "weights_bytes": int(warm.weights),
            "rss_kib": int(warm.rss_kib), "ort_rss_kib": int(peer.rss_kib)}


def points(net, precisions, batch, mode, info, peak):
    """The results for a batch and way of using the cores, a line a precision."""
    cpu = mode == 1
    rates = compete(net.contenders(precisions, mode), batch, net.args, cpu)
    for precision in precisions:
        ours = f"nexus-{precision}"
        out = {"kind": "rate", "model": net.name, "precision": precision, "batch": batch,
               "threads": 1 if cpu else 2, "mode": {1: "cpu", 2: "one", "pair": "pair"}[mode],
               "ort": statistics.median(rates["ort-fp32"]), "nexus": statistics.median(rates[ours]),
               "ratio": ratio(rates, ours, "ort-fp32")}
        if precision == "int8":
            out["ort_int8"] = statistics.median(rates["ort-int8"])
            out["ratio_int8"] = ratio(rates, ours, "ort-int8")
        if cpu and peak.get(precision):
            out["peak"] = out["nexus"] * info["gflop"] / peak[precision]
            out["ort_peak"] = out["ort"] * info["gflop"] / peak["fp32"]
        yield {k: round(v, 4) if isinstance(v, float) else v for k, v in out.items()}


def quantise(net, emit):
    target = net.file("int8")
    if os.path.exists(target):
        return True
    done = subprocess.run([sys.executable, os.path.join(HERE, "quantise.py"), net.file("fp32"), target],
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["?"])[-1]
        emit({"kind": "unsupported", "model": net.name, "precision": "int8",
              "why": f"ONNX Runtime's quantiser: {why}"})
    return done.returncode == 0


def prepare(net, precision, info, emit):
    """Loads and compares; whether the network runs in this precision, whether it is right."""
    if precision == "int8" and not quantise(net, emit):
        return False, True
    try:
        loaded = measure_load(net, precision)
    except Refused as why:
        emit({"kind": "unsupported", "model": net.name, "precision": precision,
              "why": str(why)[:110]})
        return False, True
    same = net.compare(precision)
    emit({"kind": "network", "model": net.name, "precision": precision, **info, **loaded, **same})
    return True, same["right"]


def run_network(net, info, peak, emit):
    args, precisions, right = net.args, [], True
    for precision in args.precisions:
        print(f"{net.name} {precision}", file=sys.stderr, flush=True)
        runs, same = prepare(net, precision, info, emit)
        right &= same
        if runs:
            precisions.append(precision)
    for mode in [m for m in (1, 2, "pair") if (1 if m == 1 else 2) in args.threads]:
        print(f"{net.name} {mode}", file=sys.stderr, flush=True)
        for batch in args.batches if precisions else []:
            for line in points(net, precisions, batch, mode, info, peak):
                emit(line)
        if mode == 2:
            if net.name == "resnet50" and not args.no_neighbour and "fp32" in precisions:
                neighbour(net, emit)
            net.close(threads=2)
    net.close()
    return right


def neighbour(net, emit):
    """Throughput with and without a busy loop on the second core."""
    args, sides = net.args, [net.contender(s, "fp32", 2) for s in ("ort", "nexus")]
    quiet, busy = {}, {}
    for i in range(args.rounds):
        for into in (quiet, busy) if i % 2 == 0 else (busy, quiet):
            loop = None
            if into is busy:
                loop = subprocess.Popen(
                    [sys.executable, "-c", "while True: pass"],
                    preexec_fn=lambda: os.sched_setaffinity(0, {args.cores[1]}))
            for c in sides:
                into.setdefault(c.name, []).append(c.rate(8, 4 * args.block, False))
            if loop:
                loop.kill()
                loop.wait()
    for name in quiet:
        emit({"kind": "neighbour", "model": net.name, "batch": 8, "threads": 2, "side": name,
              "quiet": round(statistics.median(quiet[name]), 2),
              "busy": round(statistics.median(busy[name]), 2),
              "kept": round(statistics.median(b / q for b, q in zip(busy[name], quiet[name])), 3)})


def measure_peak(args):
    env = dict(os.environ, OMP_NUM_THREADS="1")
    out = subprocess.run([os.path.join(args.build, "bench/engine-peak")], env=env, check=True,
                         stdout=subprocess.PIPE, text=True,
                         preexec_fn=lambda: os.sched_setaffinity(0, {args.cores[0]})).stdout
    return {name: float(rate) for name, rate in (line.split() for line in out.splitlines())}


def machine():
    import onnxruntime
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        model = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), "?")
    return {"cpu": model, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2),
            "onnxruntime": onnxruntime.__version__,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def networks(args):
    """The ONNX files, made where they are not there yet; name -> what networks.py says of it."""
    known = os.path.join(args.dir, "networks.jsonl")
    infos = {}
    if os.path.exists(known):
        with open(known, encoding="utf-8") as f:
            infos = {i["model"]: i for i in map(json.loads, f)}
    missing = [m for m in args.models if m not in infos or
               not os.path.exists(os.path.join(args.dir, m + ".onnx"))]
    if missing:
        made = subprocess.run([args.generator, os.path.join(HERE, "networks.py"), "--models",
                               ",".join(missing), args.dir], check=True, stdout=subprocess.PIPE,
                              text=True).stdout
        infos.update((i["model"], i) for i in map(json.loads, made.splitlines()))
        with open(known, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(i) + "\n" for i in infos.values())
    return infos


def numbers(text):
    return [int(v) for v in text.split(",")]


def options():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--models", type=lambda s: s.split(","), default=[
        "resnet50", "vgg19", "squeezenet", "inception-v1", "inception-v2", "shufflenet",
        "densenet121", "mobilenet-v2", "yolox-nano", "rfb-face"])
    p.add_argument("--batches", type=numbers, default=[1, 4, 8, 16, 32])
    p.add_argument("--threads", type=numbers, default=[1, 2])
    p.add_argument("--precisions", type=lambda s: s.split(","), default=["fp32", "bf16", "int8"])
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--block", type=float, default=0.3, help="seconds of a block (default 0.3)")
    p.add_argument("--cores", type=numbers, default=[0, 1], help="which two cores (default 0,1)")
    p.add_argument("--tune", type=float, default=20, help="seconds to tune a model (default 20; 0: not)")
    p.add_argument("--no-neighbour", action="store_true", help="leave the neighbour test out")
    p.add_argument("--output", default="-", help=argparse.SUPPRESS)
    p.add_argument("--build", required=True, help=argparse.SUPPRESS)
    p.add_argument("--dir", required=True, help=argparse.SUPPRESS)
    p.add_argument("--generator", default=sys.executable, help=argparse.SUPPRESS)
    return p.parse_args()


def main():
    args, right = options(), True
    out = sys.stdout if args.output == "-" else open(args.output, "w", encoding="utf-8")

    def emit(line):
        print(json.dumps(line), file=out, flush=True)

    os.environ["XDG_CACHE_HOME"] = os.path.abspath(os.path.join(args.dir, "../cache"))
    infos = networks(args)
    peak = measure_peak(args)
    emit({"kind": "machine", **machine(), "peak_gops": peak, "rounds": args.rounds,
          "block_s": args.block, "command": " ".join(sys.argv[1:])})
    for name in args.models:
        net = Network(args, name, infos[name]["input"])
        info = {k: infos[name][k] for k in ("gflop", "parameters")}
        right &= run_network(net, info, peak, emit)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
