# SPDX-License-Identifier: Apache-2.0
# What a reference engine computed, through nexus-serve over HTTP: every model with a folder in
# golden/ is served as the bare ONNX file, and asked with binary tensors.
. "$NX_SRC/tests/lib/tap.sh"
. "$NX_SRC/tests/real/models.sh"

python=
for p in python3 /usr/bin/python3; do
	[ -n "$python" ] || ! "$p" -c 'import numpy' 2>/dev/null || python=$p
done
[ -n "$python" ] || skip_all "there is no python3 with numpy"
set --
for dir in "$NEXUS_TEST_DATA"/golden/*/; do
	model=$NEXUS_TEST_DATA/models/$(basename "$dir").onnx
	[ -r "$model" ] && set -- "$@" "$model"
done
[ $# -gt 0 ] || skip_all "there are no golden outputs"

background serve.log nexus-serve -d cpu --slo 20s --listen "unix:$TAP_DIR/serve.sock" "$@"
server=$bg
true_that "nexus-serve takes $# models as they are" real_ready serve.sock 120 || diag <serve.log
for model in "$@"; do
	name=$(basename "$model" .onnx)
	for rows in 1 3; do
		"$python" "$NX_SRC/tests/real/golden.py" serve.sock "$name" "$NEXUS_TEST_DATA/golden/$name" $rows >out 2>&1
		report $? "$name: the reference's outputs, in a batch of $rows"
		diag <out
	done
done
kill "$server"
wait "$server"
is "SIGTERM drains and exits 0" $? 0
done_testing
