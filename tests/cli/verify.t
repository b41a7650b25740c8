#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# nexus-profile --verify: on folders made here, and on the ONNX project's own.
. "$NX_SRC/tests/lib/tap.sh"

python=/usr/bin/python3
$python -c 'import onnx' 2>/dev/null || skip_all "python3-onnx is not installed"
data=${NX_ONNX_TESTDATA:-/usr/share/libonnx-testdata/data}

# y = x + 1 with an open dimension, in two data sets of other shapes; and variations on it.
$python - <<'END'
import os
import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save


def folder(name, nodes, sets, dims=("n", 3), outs=1, opset=13, kind=TensorProto.FLOAT):
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("x", kind, dims)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.ones(1, helper.mapping.TENSOR_TYPE_TO_NP_TYPE[kind]), "one")])
    os.makedirs(name)
    save(helper.make_model(graph, opset_imports=[
        helper.make_opsetid("", opset), helper.make_opsetid("nobody.reads", 7)]), f"{name}/model.onnx")
    for i, (x, y) in enumerate(sets):
        os.makedirs(f"{name}/test_data_set_{i}")
        for kind_, t in (("input", x), ("output", y)):
            with open(f"{name}/test_data_set_{i}/{kind_}_0.pb", "wb") as f:
                f.write(numpy_helper.from_array(t).SerializeToString())


add = [helper.make_node("Add", ["x", "one"], ["y"])]
x = np.arange(6, dtype=np.float32).reshape(2, 3)
folder("all/good", add, [(x, x + 1), (x[:1], x[:1] + 1)])
folder("all/wrong", add, [(x, x + 1), (x, x + 1 + np.eye(2, 3, dtype=np.float32) / 4)])
folder("all/shape", add, [(x, (x + 1)[:1])])
folder("all/type", add, [(x, (x + 1).astype(np.int32))])
folder("all/many", [helper.make_node("Foo", ["x"], ["a"], name="here"),
                    helper.make_node("Bar", ["a"], ["y"], domain="toy", name="there")], [(x, x)])
folder("all/nothing", add, [])
folder("close", add, [(x, (x + 1) * np.float32(1.0009))])
h = x.astype(np.float16)
folder("half", add, [(h, h + 1)], kind=TensorProto.FLOAT16)
n = x.copy()
n[0, 0] = np.nan
folder("nan", add, [(n, n + 1)])
folder("future", add, [(x, x + 1)], opset=99)
END

status 1 "a failure is exit status 1" nexus-profile --verify all
is "one line a folder, with its verdict" "$(jq -c '[.test, .status]' out | tr '\n' ' ')" \
	'["good","pass"] ["many","unsupported"] ["nothing","fail"] ["shape","fail"] ["type","fail"] ["wrong","fail"] '
is "the differences are measured" "$(jq -c 'select(.test == "wrong") | [.max_abs, .max_rel]' out)" \
	'[0.25,0.2]'
like "the place is named" out 'data_set_1: output 0: 2 of 6 elements differ, first \[0,0\]: 1 instead of 1\.25'
like "all unsupported operators are, too" out "Foo \(node 'here'\), toy.Bar \(node 'there'\)"
is "a pass has no reason" "$(jq -c 'select(.test == "good") | .reason' out)" null
like "a summary on standard error" err '1 passed, 4 failed, 1 unsupported'
status 0 "the tolerances of ONNX's runner, half precision, NaN, an opset of the future" \
	nexus-profile --verify close half nan future/
like "in a batch of folders" err '4 passed, 0 failed, 0 unsupported'
status 0 "what is unsupported has not failed" nexus-profile --verify all/many
status 0 "-o and --filter" nexus-profile --verify --filter .status -o result all/good
is "write the result" "$(cat result)" '"pass"'
cp -r all/good damaged
printf '\010\002\020\001\112\377\377\377\377\017ab' >damaged/test_data_set_0/input_0.pb
status 1 "a damaged tensor" nexus-profile --verify damaged
like "is named" out 'input_0\.pb: '
rm damaged/test_data_set_0/input_0.pb
status 1 "a missing one" nexus-profile --verify damaged
like "is, too" out 'input_0\.pb'
mkdir empty
status 66 "a folder without a test" nexus-profile --verify empty
status 66 "no folder" nexus-profile --verify nosuch
status 64 "no operand" nexus-profile --verify
status 64 "a device that computes nothing" nexus-profile -d sim --verify all
like "says so" err 'computes nothing'

# The ONNX project's node tests that a network of this kind can be made of, and networks.
names() { grep -v '^#' "$NX_SRC/tests/conformance/$1.txt"; }
suite() {
	if [ ! -d "$data/node" ]; then
		skip 2 "libonnx-testdata is not installed"
		return
	fi
	names "$1" | sed "s|^|$data/$2|" >list
	# shellcheck disable=SC2046
	status 0 "$1: runs" nexus-profile --verify $(cat list)
	is "$1: all pass" "$(jq -r 'select(.status != "pass") | .test + ": " + .reason' out; wc -l <out)" \
		"$(wc -l <list)" || :
}
suite onnx-node node/
suite onnx-more ''
suite onnx-pytorch ''
done_testing
