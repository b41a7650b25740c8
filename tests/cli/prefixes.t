#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trunks that models share: nexus-profile --prefixes, and the prefix list of profiles.
. "$NX_SRC/tests/lib/tap.sh"

python=/usr/bin/python3
$python -c 'import onnx' 2>/dev/null || skip_all "python3-onnx is not installed"

# One network in several hands: a and b end differently, c in its last block too, d shares
# nothing.  again.onnx is a as another exporter of another opset would write it.
$python - <<'END'
import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save


class Net:
    def __init__(self, opset, prefix, constants=False):
        self.opset, self.prefix, self.constants = opset, prefix, constants
        self.nodes, self.weights, self.n = [], [], 0

    def name(self):
        self.n += 1
        return f"{self.prefix}{self.n}"

    def put(self, array):
        name = self.name()
        tensor = numpy_helper.from_array(np.asarray(array), name)
        if self.constants:
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.weights.append(tensor)
        return name

    def add(self, op, *inputs, **attrs):
        out = self.name()
        self.nodes.append(helper.make_node(op, list(inputs), [out], name=f"{op}_{out}", **attrs))
        return out


def network(file, tail, last_block=None, first=1, opset=13, other=False):
    net = Net(opset, "t" if other else "v", constants=other)
    r = np.random.RandomState(first)
    w = lambda *s: net.put((r.randn(*s) * 0.2).astype(np.float32))
    x, channels = "input.1" if other else "x", 3
    for block in range(3):
        if block == 2 and last_block:
            r = np.random.RandomState(last_block)
        spelled = dict(kernel_shape=[3, 3], strides=[1, 1], dilations=[1, 1], group=1)
        kernel, bias = w(8, channels, 3, 3), w(8)
        x = net.add("Conv", x, kernel, bias,
                    **(dict(auto_pad="SAME_UPPER", **spelled) if other else dict(pads=[1] * 4)))
        ones = [net.put(np.full(8, v, np.float32)) for v in (1, 0, 0, 1)]
        x = net.add("BatchNormalization", x, *ones, **(dict(momentum=0.9) if other else {}))
        if opset < 11:
            x = net.add("Clip", x, min=0.0, max=6.0)
        else:
            x = net.add("Clip", x, net.put(np.float32(0)), net.put(np.float32(6)))
        x, channels = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 8
    x = net.add("GlobalAveragePool", x)
    if other:
        shape = net.add("Gather", net.add("Shape", x), net.put(np.int64(0)), axis=0)
        shape = (net.add("Unsqueeze", shape, axes=[0]) if opset < 13
                 else net.add("Unsqueeze", shape, net.put(np.array([0]))))
        x = net.add("Dropout", net.add("Reshape", x, net.add(
            "Concat", shape, net.put(np.array([-1])), axis=0)))
    else:
        x = net.add("Flatten", x)
    r = np.random.RandomState(tail)
    net.add("Gemm", x, w(8, 5), w(5))
    net.nodes[-1].output[0] = "y"
    if other:
        net.nodes.reverse()
    batch = 1 if other else "n"
    shape = [batch, 3, 32, 32]
    graph = helper.make_graph(
        net.nodes, file, [helper.make_tensor_value_info(
            "input.1" if other else "x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 5])], net.weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), f"{file}.onnx")


network("a", 10)
network("b", 11)
network("c", 12, last_block=5)
network("d", 10, first=2)
network("again", 10, opset=9, other=True)
END
[ -f again.onnx ] || skip_all "the models could not be made"

status 0 "finds the shared trunks" nexus-profile --prefixes a.onnx b.onnx c.onnx d.onnx
is "a line for each set of models, the largest trunk first" \
	"$(jq -c '[.models, .batch]' out | tr '\n' ' ')" '[["a","b"],1] [["a","b","c"],1] '
is "cut behind the layer that they end with, and behind the block" \
	"$(jq -r '.node | sub("_.*"; "")' out | tr '\n' ' ')" 'Flatten MaxPool '
is "weights are those of the trunk, and saved in all models but one" \
	"$(jq -c '[.weights_bytes - 1624 * 4 < 500, .saved_bytes / .weights_bytes]' out | tr '\n' ' ')" \
	'[true,1] [true,2] '
is "each model has its part of the time" \
	"$(jq -c '[(.time_fraction | length), (.suffix_ms | length), (.time_fraction | all(. > 0 and . < 1)), .trunk_ms > 0]' out |
		tr '\n' ' ')" '[2,2,true,true] [3,3,true,true] '
cp out found

status 0 "a second time" nexus-profile --prefixes a.onnx b.onnx c.onnx d.onnx
is "the digests are the same" "$(jq -r .digest out)" "$(jq -r .digest found)"

status 0 "another export of the same network" nexus-profile --prefixes a.onnx again.onnx
is "is the same network to its end" \
	"$(jq -c '[.models, (.node | sub("_.*"; "")), .time_fraction]' out)" \
	'[["a","again"],"Gemm",[1,1]]'
status 0 "and beside others" nexus-profile --prefixes again.onnx b.onnx c.onnx
is "has their trunks" "$(jq -r .digest out)" "$(jq -r .digest found)"

status 0 "strangers" nexus-profile --prefixes a.onnx d.onnx
empty "share nothing" out
like "which is said" err 'no two of these models share a prefix'

status 0 "as a table" nexus-profile --prefixes --format table a.onnx b.onnx c.onnx
like "there is a line for each trunk" out '%  +[0-9.]+ +[0-9.]+  Flatten_[^ ]+ +a b$'
status 0 "into a file, filtered" \
	nexus-profile --prefixes -o shared.json --filter '.models | length' a.onnx b.onnx
is "holds what jq made of it" "$(cat shared.json)" 2
status 64 "one model" nexus-profile --prefixes a.onnx
like "is too few" err 'at least two models'
status 64 "a table and a filter" nexus-profile --prefixes --format table --filter . a.onnx b.onnx
status 64 "a table of profiles" nexus-profile -d sim --format table a.onnx
like "is refused" err 'is for --prefixes'
status 64 "a simulated device" nexus-profile -d sim --prefixes a.onnx b.onnx
like "cannot tell the time" err "device 'sim' cannot tell"
status 73 "an existing file is kept" nexus-profile --prefixes -o shared.json a.onnx b.onnx
printf 'no model at all' >bad.onnx
status 65 "a damaged model" nexus-profile --prefixes a.onnx bad.onnx
like "is named" err 'bad\.onnx'

# ---- profiles ------------------------------------------------------------------------------------

quick="-b 1,2,3,4 --rel-error 1 --time-cap 50ms --tune off"
# shellcheck disable=SC2086 # several options
status 0 "profiles of models that share trunks" nexus-profile $quick a.onnx b.onnx c.onnx
cp out profiles.json
is "all tell of the trunks that they share" \
	"$(jq -c --slurpfile s found '[.model, ([.prefix[].digest] as $d | $s[] | .digest as $x | $d | index($x) != null)]' \
		profiles.json | tr '\n' ' ')" \
	'["a",true,true] ["b",true,true] ["c",false,true] '
is "from the input on, at a few batches up to the largest, both parts" \
	"$(jq -cs 'map(.prefix | (map(.weights_bytes) | . == sort) and all(
		(.latency | map(.batch)) == [1,3,4] and (.suffix_latency | map(.batch)) == [1,3,4]
		and (.latency + .suffix_latency | all(.mean_ms > 0))))' profiles.json)" '[true,true,true]'
is "at most four" "$(jq -s 'map(.prefix | length) | max' profiles.json)" 4
# shellcheck disable=SC2086
status 0 "with one point" nexus-profile $quick --prefix-points 1 a.onnx
is "it is the deepest that leaves something" \
	"$(jq -r '.prefix[] | .node | sub("_.*"; "")' out)" Flatten
# shellcheck disable=SC2086
status 0 "with none" nexus-profile $quick --prefix-points 0 a.onnx
is "there is no list" "$(jq 'has("prefix")' out)" false
status 0 "on the simulated device" nexus-profile -d sim:alpha=1,beta=1 -b 1,2 --rel-error 1 a.onnx
is "the cost is divided, nothing of it lost" \
	"$(jq -c '.latency as $l | .prefix | length > 0 and all(
		[.latency[0].mean_ms + .suffix_latency[0].mean_ms - $l[0].mean_ms | fabs < 1e-9] | all)' out)" true

cat >workload.json <<'END'
{ "format": "nexus-workload/1", "sessions": [
  {"session": "one", "model": "a", "slo_ms": 500, "rate": 2}, {"session": "two", "model": "b", "slo_ms": 500, "rate": 2} ] }
END
status 0 "nexus-plan takes the profiles" nexus-plan -p profiles.json workload.json
if $python -c 'import jsonschema' 2>/dev/null; then
	status 0 "and so does the schema" $python "$NX_SRC/tests/lib/validate.py" \
		"$NX_SRC/share/nexus/schemas" profile profiles.json
fi

done_testing
