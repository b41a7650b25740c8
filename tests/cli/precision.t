#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --precision on the cpu device: what it computes in is said, what it cannot is refused.
. "$NX_SRC/tests/lib/tap.sh"

model=$NX_SRC/share/nexus/demo/models/icons/model.onnx
[ -f "$model" ] || skip_all "the demo's models are not there"
profile="nexus-profile -d cpu -b 1 --rel-error 1 --time-cap 100ms"

status 0 "fp32 is there everywhere" $profile --precision fp32 "$model"
is "and said" "$(jq -r .precision out)" fp32
status 0 "it is the default of a model without codes" $profile "$model"
is "and said, too" "$(jq -r .precision out)" fp32

status 64 "an unknown precision" $profile --precision fp8 "$model"
is "names the known ones" "$(grep -c 'fp32, bf16 or int8' err)" 1

if $profile --precision bf16 "$model" >out 2>err; then
	is "bf16 is said" "$(jq -r .precision out)" bf16
else
	is "bf16 is refused for the processor" "$(grep -c 'processor has no bf16' err)" 1
fi
# As on a processor without either.
DNNL_MAX_CPU_ISA=AVX2
export DNNL_MAX_CPU_ISA
status 65 "bf16 without AVX-512 BF16" $profile --precision bf16 "$model"
is "is refused in one line that says why" \
	"$(grep -c 'processor has no bf16 arithmetic (AVX-512 BF16 or AMX)' err) $(wc -l <err)" "1 1"
status 65 "int8 without VNNI" $profile --precision int8 "$model"
is "is refused in one line that says why, too" \
	"$(grep -c 'processor has no int8 arithmetic (AVX-512 VNNI or AVX-VNNI)' err) $(wc -l <err)" "1 1"
done_testing
