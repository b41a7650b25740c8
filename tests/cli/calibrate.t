#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# nexus-profile --calibrate: a demo network quantised on frames of the demo's clip.
. "$NX_SRC/tests/lib/tap.sh"

demo=$NX_SRC/share/nexus/demo
[ -f "$demo/models/scene/model.onnx" ] && [ -f "$demo/clip.mp4" ] || skip_all "the demo is not there"
tar -C "$demo/models/scene" -czf scene.tar.gz .
mkdir clips
cp "$demo/clip.mp4" clips/

status 0 "calibrates a bundle" \
	nexus-profile --calibrate clips --samples 12 -o small.tar.zst scene.tar.gz
is "all samples are used" "$(jq -c '[.model, .samples, .quantised > 5]' out)" '["scene",12,true]'
is "the answers agree" "$(jq -c '[.top1 >= 0.9, .top5, .error_mean < 0.1]' out)" '[true,1,true]'
is "and were rounded" "$(jq '.error_mean > 0' out)" true
like "a line says so" err "'small.tar.zst': 12 samples, .*first class the same for"
tar -I zstd -xf small.tar.zst 2>/dev/null || true_that "it unpacks" tar --zstd -xf small.tar.zst
true_that "the manifest is kept" cmp manifest.json "$demo/models/scene/manifest.json"
true_that "the labels are kept" cmp labels.txt "$demo/models/scene/labels.txt"
true_that "weights are codes" grep -aq DequantizeLinear model.onnx
old=$(wc -c <"$demo/models/scene/model.onnx") new=$(wc -c <model.onnx)
true_that "half the size at most" [ "$((new * 2))" -lt "$old" ]
status 0 "the new bundle runs" nexus-profile -d cpu -b 1,2 --time-cap 100ms small.tar.zst
is "under its name" "$(jq -r .model out)" scene

status 0 "--filter" nexus-profile -q --calibrate clips --samples 2 --filter .samples -f -o small.tar.zst scene.tar.gz
is "goes to standard output" "$(cat out)" 2
empty "-q says nothing" err
status 73 "an existing file is kept" nexus-profile --calibrate clips -o small.tar.zst scene.tar.gz
like "is said" err 'exists'

# A bare ONNX file takes rows as they are.
cp model.onnx q.onnx
cp "$demo/models/icons/model.onnx" icons.onnx
mkdir rows
for i in 1 2 3; do head -c 12288 "$demo/clip.mp4" | tr '\000-\377' "$i" >"rows/$i"; done
status 0 "calibrates an ONNX file on raw rows" nexus-profile --calibrate rows -o icons8.onnx icons.onnx
is "three of them" "$(jq .samples out)" 3
printf short >rows/4
status 65 "a row of the wrong size" nexus-profile --calibrate rows -o never.onnx icons.onnx
like "is named with the size it should have" err "'rows/4' has 5 bytes; .* has 12288"
rm rows/4
status 65 "a quantised model" nexus-profile --calibrate rows -o never.onnx icons8.onnx
like "is refused as such" err 'quantised already'

status 64 "no --output" nexus-profile --calibrate clips scene.tar.gz
like "is said" err 'needs --output'
status 64 "two models" nexus-profile --calibrate clips -o never.tar.gz scene.tar.gz scene.tar.gz
status 64 "a bundle into an ONNX file" nexus-profile --calibrate clips -o never.onnx scene.tar.gz
like "is said with the endings" err "must end in .tar.gz"
status 64 "an ONNX file into a bundle" nexus-profile --calibrate rows -o never.tar.gz icons.onnx
status 64 "with --verify" nexus-profile --calibrate clips --verify -o never.tar.gz scene.tar.gz
status 64 "a device that computes nothing" \
	nexus-profile -d sim --calibrate clips -o never.tar.gz scene.tar.gz
mkdir nothing
status 66 "a folder without pictures" nexus-profile --calibrate nothing -o never.tar.gz scene.tar.gz
status 66 "no folder at all" nexus-profile --calibrate nosuch -o never.tar.gz scene.tar.gz
[ ! -e never.onnx ] && [ ! -e never.tar.gz ]
report $? "nothing is half-written"

done_testing
