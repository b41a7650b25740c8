#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# nexus-profile on the simulated device: what it prints is known.
. "$NX_SRC/tests/lib/tap.sh"

model=$NX_SRC/share/nexus/demo/models/icons/model.onnx
[ -f "$model" ] || skip_all "the demo's models are not there"
sim=sim:alpha=1,beta=2,name=Toy

status 0 "profiles a model" nexus-profile -d "$sim" -b 1,4 --rel-error 0.5 "$model"
is "the format, device, plugin and batches are said" \
	"$(jq -c '[.format, .device, .plugin, .precision, .threads, [.latency[].batch]]' out)" \
	'["nexus-profile/1","Toy","sim","fp32",1,[1,4]]'
is "latencies are the device's" \
	"$(jq -c '[.latency[] | (.mean_ms >= 2 + .batch), (.p99_ms >= 2 + .batch), (.samples >= 10)]' out)" \
	'[true,true,true,true,true,true]'
is "weights, load time and digest are there" \
	"$(jq -c '[.memory.weights_bytes > 0, .load_ms >= 0, (.digest | test("^sha256:[0-9a-f]{64}$"))]' out)" \
	'[true,true,true]'
is "what was not measured is left out" \
	"$(jq -c '[has("preprocess_ms"), has("postprocess_ms")]' out)" '[false,false]'
empty "nothing is said on standard error" err

status 0 "profiles two models as a stream" \
	nexus-profile -d "$sim" -b 1..3 --rel-error 1 "$model" "$model"
is "one object a model, every batch of the range" \
	"$(jq -c '[.latency[].batch]' out | tr '\n' ' ')" '[1,2,3] [1,2,3] '

status 0 "-o and --filter" \
	nexus-profile -d "$sim" -b 1 --rel-error 1 --filter '.device' -o result "$model"
empty "nothing on standard output with -o" out
is "the filtered result is in the file" "$(cat result)" '"Toy"'
status 73 "an existing file is kept" nexus-profile -d "$sim" -b 1 --rel-error 1 -o result "$model"
is "and not touched" "$(cat result)" '"Toy"'
status 0 "but for -f" nexus-profile -d "$sim" -b 1 --rel-error 1 -f -o result "$model"
is "which replaces it" "$(jq -r .format result)" nexus-profile/1

status 0 "a time cap ends what never settles" \
	nexus-profile -d sim:alpha=0,beta=30,noise=0.9 -b 1 --rel-error 0.000001 --time-cap 90ms "$model"
is "with the samples there were" "$(jq '.latency[0].samples >= 1' out)" true

# shellcheck disable=SC2317 # status calls it
profile_cpu() {
	nexus-profile -d cpu -b 1,2 --rel-error 1 --tune-cap 200ms "$@"
}

# A model that a CPU can run is tuned once, and the tuning kept.
if nexus-profile --list-devices 2>/dev/null | grep -q '^cpu '; then
	status 0 "--tune off" profile_cpu --tune off "$model"
	[ ! -e cache ]
	report $? "keeps nothing"
	status 0 "a first profile tunes" profile_cpu "$model"
	is "and keeps one private file" "$(stat -c '%a %F' cache/tuning-*)" "600 regular file"
	is "in a private folder" "$(stat -c %a cache)" 700
	before=$(stat -c %Y.%i cache/tuning-*)
	status 0 "a second one takes it" profile_cpu "$model"
	is "as it is" "$(stat -c %Y.%i cache/tuning-*)" "$before"
	status 0 "--tune force" profile_cpu --tune force "$model"
	[ "$(stat -c %Y.%i cache/tuning-*)" != "$before" ]
	report $? "measures again"
	for f in cache/tuning-*; do printf 'rubbish' >"$f"; done
	status 0 "a damaged tuning" profile_cpu "$model"
	is "is named in one warning" "$(grep -c 'tuning-.* is damaged' err)" 1
	status 0 "and made anew" profile_cpu "$model"
	empty "without a word" err
	status 0 "where nothing can be kept" env NEXUS_CACHE=/dev/null/no \
		nexus-profile -d cpu -b 1 --rel-error 1 --tune-cap 200ms "$model"
	like "a warning says so" err 'not kept'
fi

status 0 "lists devices" nexus-profile --list-devices
like "the simulator is among them" out '^sim +fp32'

status 64 "no model" nexus-profile -d "$sim"
like "is said" err 'no model'
status 64 "bad batches" nexus-profile -d "$sim" -b 4..2 "$model"
like "are named" err "'4\.\.2'"
status 64 "a bad device key" nexus-profile -d sim:alfa=1 "$model"
like "is named" err "unknown key 'alfa'"
status 69 "a device that is not there" nexus-profile -d nosuch "$model"
like "is named" err 'nosuch'
status 64 "--threads where there are none" nexus-profile -d sim --threads 2 "$model"
status 66 "a missing model" nexus-profile -d "$sim" nosuch.onnx
like "is named" err 'nosuch\.onnx'
printf 'no model at all' >bad.onnx
status 65 "a damaged model" nexus-profile -d "$sim" -o never bad.onnx
like "is named" err 'bad\.onnx'
[ ! -e never ]
report $? "nothing is half-written"
status 69 "a device that fails while it is measured" nexus-profile -d sim:fail=1,beta=0 -b 1 "$model"
like "is said with the batch" err 'batch 1: .*simulated failure'
empty "and prints no profile" out

done_testing
