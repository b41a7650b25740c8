#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The cuda plugin where there is no GPU, and its programs run on the host by the tools.
. "$NX_SRC/tests/lib/tap.sh"
plugins=$NX_BIN/../lib/nexus
data=${NX_ONNX_TESTDATA:-/usr/share/libonnx-testdata/data}

if [ ! -f "$plugins/cuda.so" ]; then
	skip 6 "the cuda plugin is not built"
else
	# The driver brings libcuda: who links it cannot be loaded without.
	is "libcuda is not linked" "$(objdump -p "$plugins/cuda.so" | grep -c 'NEEDED.*libcuda\.so')" 0
	status 0 "the tools list devices" nexus-profile --list-devices
	like "the CPU among them" out '^cpu '
	if grep -q '^cuda' out; then
		skip 3 "there is a GPU"
	else
		status 69 "no GPU" nexus-profile -d cuda "$NX_SRC/examples"
		# A stub of the driver is enough for cuDNN to offer kernels that it compiles.
		lib=$(objdump -p "$plugins/cuda.so" | sed -n 's/ *RUNPATH *//p' | cut -d: -f1)
		if [ -f "$lib/stubs/libcuda.so" ]; then
			mkdir stub && ln -s "$lib/stubs/libcuda.so" stub/libcuda.so.1
			is "activations are fused" "$(LD_LIBRARY_PATH=$PWD/stub CK_FORK=no NX_CUDA_STUB=1 \
				"$NX_BIN/../tests/cuda/test_plans" | grep -c '^not ok')" 0
		else
			skip 1 "the toolkit has no stub of libcuda"
		fi
		is "the tests for one say so in a line" "$(sh "$NX_SRC/tests/gpu/check.sh" | wc -l)" 1
	fi
fi

# Everything a GPU would do but the libraries' own work, on the ONNX project's node tests: right
# or refused by name, and no fewer than have been right before.
if [ ! -f "$NX_BIN/../tests/plugins/emulate.so" ] || [ ! -d "$data/node" ]; then
	skip 3 "no emulated device, or libonnx-testdata is not installed"
else
	export NEXUS_PLUGIN_PATH="$NX_BIN/../tests/plugins"
	grep -v '^#' "$NX_SRC/tests/conformance/onnx-node.txt" | sed "s|^|$data/node/|" >list
	# shellcheck disable=SC2046
	status 0 "node tests" nexus-profile -d emulate --verify $(cat list)
	is "none is wrong" "$(jq -r 'select(.status == "fail") | .test' out)" ""
	passed=$(jq -r 'select(.status == "pass") | .test' out | wc -l)
	echo "# $passed of $(wc -l <list) pass"
	is "as many are right as before" "$([ "$passed" -ge 300 ] && echo yes)" yes
fi
done_testing
