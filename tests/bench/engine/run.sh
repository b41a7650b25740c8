#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: run.sh BUILD_DIR [OPTION…]     (make bench-engine ARGS='OPTION…'; --help lists them)
# The engine against ONNX Runtime.  $ORT_PYTHON names a python that can import onnxruntime, numpy
# and onnx; else a virtual environment is made under build/bench, for the benchmark alone.
# Exit 0, 1 if an answer was wrong, 77 if there is no ONNX Runtime to compare with.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$1
shift
work=${BENCH_DIR:-build/bench}
mkdir -p "$work/models" || exit 73

python=${ORT_PYTHON:-$work/venv/bin/python}
if [ -z "${ORT_PYTHON-}" ] && ! "$python" -c 'import onnxruntime, onnx' 2>/dev/null; then
	echo "bench-engine: installing ONNX Runtime into $work/venv" >&2
	python3 -m venv "$work/venv" >&2 && "$python" -m pip install -q onnxruntime onnx >&2
fi
if ! "$python" -c 'import onnxruntime, numpy' 2>/dev/null; then
	echo "bench-engine: skipped: $python has no onnxruntime and none could be installed" >&2
	exit 77
fi
generator=
for p in "$python" python3 /usr/bin/python3; do
	"$p" -c 'import onnx, numpy' 2>/dev/null && generator=$p && break
done
if [ -z "$generator" ]; then
	echo "bench-engine: skipped: no python can import onnx (Debian: python3-onnx)" >&2
	exit 77
fi

result=$work/result.jsonl
"$python" "$here/bench.py" --build "$build" --dir "$work/models" --generator "$generator" \
	"$@" --output "$result"
rc=$?
[ $rc -le 1 ] && case " $* " in *" -h "* | *" --help "*) ;; *) "$python" "$here/report.py" "$result" ;; esac
exit $rc
