# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's side of the benchmark; speaks as host.c does.

    ort_host.py THREADS MODEL INPUT ROWS
"""
import resource
import sys
import time

import numpy as np
import onnxruntime


class Host:
    """A session with its input, and bindings that run a batch without copies or allocations."""

    def __init__(self, threads, model, data, rows):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
        spec = self.session.get_inputs()[0]
        shape = [rows, *spec.shape[1:]]
        self.name, self.input = spec.name, np.fromfile(data, np.float32).reshape(shape)
        self.bindings = {}

    def binding(self, rows):
        if rows not in self.bindings:
            bind = self.session.io_binding()
            bind.bind_ortvalue_input(
                self.name, onnxruntime.OrtValue.ortvalue_from_numpy(self.input[:rows]))
            for output in self.session.get_outputs():
                bind.bind_output(output.name)
            self.session.run_with_iobinding(bind)
            first = bind.get_outputs()
            for output, value in zip(self.session.get_outputs(), first):
                bind.bind_ortvalue_output(output.name, value)
            self.bindings[rows] = bind
        return self.bindings[rows]

    def run(self, rows, ns):
        bind, batches = self.binding(rows), 0
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        while True:
            self.session.run_with_iobinding(bind)
            batches += 1
            now = time.perf_counter_ns()
            if now - wall >= ns:
                return f"{batches} {now - wall} {time.process_time_ns() - cpu}"

    def save(self, rows, path):
        bind = self.binding(rows)
        self.session.run_with_iobinding(bind)
        with open(path, "wb") as out:
            for value in bind.get_outputs():
                out.write(np.ascontiguousarray(value.numpy()).tobytes())
        return "saved"


def main():
    threads, model, data, rows = sys.argv[1:]
    start, cpu = time.perf_counter_ns(), time.process_time_ns()
    try:
        host = Host(int(threads), model, data, int(rows))
        host.binding(1)
    except Exception as why:  # whatever the runtime has against the model
        print("refused", " ".join(str(why).split()))
        return 1
    first, cpu = time.perf_counter_ns() - start, time.process_time_ns() - cpu
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"ready {first / 1e6:.1f} {cpu / 1e6:.1f} 0 {rss}", flush=True)
    for line in sys.stdin:
        verb, count, what = line.split()
        print(host.run(int(count), int(what)) if verb == "run" else host.save(int(count), what),
              flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
