#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The cuda plugin against PyTorch on the same GPU: images a second from host memory to host
# memory, and their ratio.  Every part ends within 8 minutes, runs alone and appends to
# build/gpu/bench.jsonl; the table shows what has been run so far.
#
#	bench.sh [--parts NAME[,NAME…]] [--seconds S] [--table]
#
# Parts: MODEL (fp16, batches 1 to 256), MODEL:fp32, MODEL:torch, MODEL:compile.
set -u
cd "$(dirname "$0")/../.." || exit 71
. tests/gpu/env.sh
parts='resnet50,resnet50:torch,resnet50:compile,vgg19,vgg19:torch,mobilenet,mobilenet:torch,yolox-nano,yolox-nano:torch'
seconds=1 only_table=0
while [ $# -gt 0 ]; do
	case $1 in
	--parts) parts=$2 && shift ;;
	--seconds) seconds=$2 && shift ;;
	--table) only_table=1 ;;
	*)
		sed -n '3,10s/^# \{0,1\}//p' "$0"
		exit 64
		;;
	esac
	shift
done
record=$programs/bench.jsonl
data=${NEXUS_TEST_DATA:-$PWD/$programs/data}

file_of() {
	case $1 in
	resnet50) echo "$data/models-light/light_resnet50.onnx" ;;
	vgg19) echo "$data/models-light/light_vgg19.onnx" ;;
	mobilenet) echo "$data/models/conv-mobilenet-v1-0.25-224.onnx" ;;
	yolox-nano) echo "$data/models/det-yolox-nano-416.onnx" ;;
	esac
}

run_part() {
	model=${1%%:*} kind=${1#*:}
	[ "$kind" = "$1" ] && kind=fp16
	file=$(file_of "$model")
	if [ -z "$file" ] || [ ! -f "$file" ]; then
		echo "# part $1: no model '$file'"
		return
	fi
	echo "# part $1"
	case $kind in
	torch) set -- "$python" tests/gpu/torch_bench.py "$file" "$model" eager,graph "$seconds" 1 2 4 8 16 32 64 128 256 ;;
	compile) set -- "$python" tests/gpu/torch_bench.py "$file" "$model" compile "$seconds" 1 32 64 ;;
	*) set -- "$programs/bench" "$file" "$model" "$kind" "$seconds" 1 2 4 8 16 32 64 128 256 ;;
	esac
	PYTHONUNBUFFERED=1 timeout 480 "$@" 2>"$programs/bench.err" | tee -a "$record"
	grep -v '^$' "$programs/bench.err" | tail -n 3 | sed 's/^/# /'
}

if [ $only_table = 0 ]; then
	need_gpu bench-gpu
	for part in $(echo "$parts" | tr , ' '); do
		run_part "$part"
	done
fi
"$python" tests/gpu/table.py "$record"
