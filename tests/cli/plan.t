#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# nexus-plan: options, streams, exit statuses, re-planning.
. "$NX_SRC/tests/lib/tap.sh"
export SOURCE_DATE_EPOCH=1767225600 PYTHONDONTWRITEBYTECODE=1
data=$NX_SRC/tests/cli/plan
cp "$data"/abc-profiles.json "$data"/abc.json "$data"/traffic-profiles.json "$data"/traffic.json .
# shellcheck disable=SC2317 # called by true_that
check() { python3 "$NX_SRC/tests/lib/check_plan.py" "$@"; }

status 0 'plans a workload' nexus-plan -p abc-profiles.json abc.json
golden 'prints the plan of the paper' out plan/abc-plan.json
golden 'prints devices, bound and gap' err plan/abc-summary.txt
cp out abc-plan.json
true_that 'the plan keeps its promises' check abc-plan.json abc.json abc-profiles.json

nexus-plan -q -p - abc.json <abc-profiles.json >out
true_that 'profiles from standard input' cmp out abc-plan.json
nexus-plan -q -p abc-profiles.json - <abc.json >out
true_that 'workload from standard input' cmp out abc-plan.json
sed -n 1p abc-profiles.json >p1.json
sed 1d abc-profiles.json >p2.json
nexus-plan -q -p p1.json -p p2.json abc.json >out
true_that 'several -p add up' cmp out abc-plan.json
nexus-plan -q -p abc-profiles.json abc.json >out 2>err
empty '-q is quiet' err

status 64 'standard input only once' nexus-plan -p - -
like 'says so' err "only one input can be standard input"
status 64 'profiles are needed' nexus-plan abc.json
status 64 'one workload' nexus-plan -p abc-profiles.json abc.json abc.json
status 64 'only uniform arrivals' nexus-plan --arrivals poisson -p abc-profiles.json abc.json
status 0 'uniform arrivals' nexus-plan --arrivals uniform -p abc-profiles.json abc.json
status 66 'missing profiles' nexus-plan -p none.json abc.json
status 66 'missing workload' nexus-plan -p abc-profiles.json none.json
status 0 'version' nexus-plan --version

status 0 '-o writes a file' nexus-plan -p abc-profiles.json -o new.json abc.json
empty 'nothing on standard output' out
true_that 'the same plan' cmp new.json abc-plan.json
status 73 'does not overwrite' nexus-plan -p abc-profiles.json -o new.json abc.json
status 0 '-f does' nexus-plan -f -p abc-profiles.json -o new.json abc.json
status 73 'no such folder' nexus-plan -p abc-profiles.json -o none/new.json abc.json
echo keep >kept.json
status 65 'an error' nexus-plan -f -p abc-profiles.json -o kept.json abc-profiles.json
is 'leaves the old file' "$(cat kept.json)" keep

status 0 '--filter' nexus-plan -p abc-profiles.json --filter '[.backends[].backend]' abc.json
is 'runs jq' "$(tr -d ' \n' <out)" '["h200-0","h200-1"]'
status 64 'a bad filter' nexus-plan -p abc-profiles.json --filter '.[' abc.json
status 0 '--format table' nexus-plan -p abc-profiles.json --format table abc.json
golden 'a table for people' out plan/abc-table.txt
status 64 'a table cannot be filtered' nexus-plan -p abc-profiles.json --format table --filter . abc.json
status 0 '--explain' nexus-plan -p traffic-profiles.json --explain traffic.json
golden 'says why' err plan/traffic-explain.txt
cp out traffic-plan.json
true_that 'a plan with queries keeps its promises' check traffic-plan.json traffic.json \
	traffic-profiles.json

status 0 '--epoch' nexus-plan -p abc-profiles.json --epoch 41 abc.json
is 'numbers the plan' "$(jq .epoch out)" 41
# What the paper's greedy misses (case P6), and the knobs of the search.
for m in 'ssd 5 18' 'vgg 4 3'; do
	# shellcheck disable=SC2086
	set -- $m
	jq -nc --arg m "$1" --argjson a "$2" --argjson b "$3" '{format: "nexus-profile/1", model: $m,
		device: "d", latency: [1, 64 | {batch: ., mean_ms: ($a * . + $b)}]}'
done >p6-profiles.json
jq -nc '{format: "nexus-workload/1", sessions: [["ssd", 75, 40], ["vgg", 150, 132],
	["vgg", 50, 27], ["vgg", 200, 45]] | [.[] | {session: "\(.[0])\(.[2])", model: .[0],
	slo_ms: .[1], rate: .[2]}]}' >p6.json
status 0 '--algorithm paper' nexus-plan -p p6-profiles.json --algorithm paper p6.json
is 'takes three devices' "$(jq .summary.devices out)" 3
true_that 'and keeps its promises' check out p6.json p6-profiles.json
status 0 '--algorithm best' nexus-plan -p p6-profiles.json --algorithm best p6.json
is 'takes two' "$(jq -c '.summary | [.devices, .gap, .bound]' out)" '[2,0,"occupancy floor"]'
status 0 '--time-limit' nexus-plan -p p6-profiles.json --time-limit 100ms --seed 7 p6.json
is 'takes two as well' "$(jq .summary.devices out)" 2
status 64 'a time limit has a unit' nexus-plan -p p6-profiles.json --time-limit 100 p6.json
jq '.devices = [{device: "d"}] | .sessions |= map(select(.rate < 60))' p6.json >typed.json
jq -c '., (.device = "e" | .latency[].mean_ms /= 2)' p6-profiles.json >two-types.json
jq '.devices += [{device: "e", cost: 3}]' typed.json >two.json
status 0 'device types of two costs' nexus-plan -p two-types.json two.json
true_that 'have a cost above its bound' jq -e '.summary | .cost >= .cost_bound and .cost_bound > 0' out
true_that 'and keep their promises' check out two.json two-types.json
mkdir models other
touch models/A.onnx other/B.zip other/C.tar.zst
status 0 '--models finds all' nexus-plan -p abc-profiles.json --models models:other abc.json
status 65 '--models misses one' nexus-plan -p abc-profiles.json --models models abc.json
like 'names it' err "model 'B' is not in 'models'"

# Re-planning.
status 0 'the same again' nexus-plan -p abc-profiles.json --previous abc-plan.json abc.json
is 'one epoch later' "$(jq .epoch out)" 2
is 'moves nothing' "$(jq .summary.moved out)" 0
is 'and is the same' "$(jq -c '[.backends, .routes]' out)" "$(jq -c '[.backends, .routes]' abc-plan.json)"
cat >stats.json <<E
	{"format":"nexus-stats/1","time":"2026-01-01T00:00:00Z","source":"route","id":"r0","interval_ms":1000,"epoch":1,"sessions":[{"session":"a","rate":999}]}
	{"format":"nexus-stats/1","time":"2026-01-01T00:00:01Z","source":"route","id":"r0","interval_ms":1000,"epoch":1,"sessions":[{"session":"a","rate":20},{"session":"b","rate":32}]}
	{"format":"nexus-stats/1","time":"2026-01-01T00:00:01Z","source":"serve","id":"s0","interval_ms":1000,"epoch":1,"sessions":[{"session":"a","rate":999}]}
	{"format":"nexus-stats/1","time":"2026-01-01T00:00:01Z","source":"route","id":"r1","interval_ms":1000,"epoch":1,"sessions":[{"session":"a","rate":200}]}
{"format":"nexus-stats/1","time":"2026-01-01T00:00:00Z","source":"route","id":"r0","interval_ms":1000,"epoch":1,"sessions":[{"session":"a","rate":999}]}
{"format":"nexus-stats/1","time":"2026-01-01T00:00:01Z","source":"route","id":"r0","interval_ms":1000,"epoch":1,"sessions":[{"session":"a","rate":20},{"session":"b","rate":32}]}
{"format":"nexus-stats/1","time":"2026-01-01T00:00:01Z","source":"serve","id":"s0","interval_ms":1000,"epoch":1,"sessions":[{"session":"a","rate":999}]}
{"format":"nexus-stats/1","time":"2026-01-01T00:00:01Z","source":"route","id":"r1","interval_ms":1000,"epoch":1,"sessions":[{"session":"a","rate":200}]}
E
status 0 '--stats' nexus-plan -p abc-profiles.json --previous abc-plan.json -s stats.json abc.json
is 'plans at the observed rate' "$(jq '[.routes[] | select(.session == "a").to[].rate] | add' out)" 220
true_that 'the new plan keeps its promises' check -s stats.json --previous abc-plan.json out \
	abc.json abc-profiles.json
nexus-plan -q -p abc-profiles.json --previous abc-plan.json -s - abc.json <stats.json >out2
true_that 'stats from standard input' cmp out out2

# Gammas of several routers that do not say on how many outputs they were seen.
for r in 1 2; do
	jq -nc --arg r "$r" '{format: "nexus-stats/1", time: "2026-01-01T00:00:00Z", source: "route",
		id: $r, interval_ms: 1000, sessions: [],
		edges: [{query: "traffic", stage: "car", gamma: ($r | tonumber)}]}'
done >gammas.json
status 0 'gammas of two routers' nexus-plan -p traffic-profiles.json -s gammas.json traffic.json
is 'are a mean' "$(jq '.queries[0].stages[] | select(.stage == "car").gamma' out)" 1.5

# Names stay unique where a device type's short name went to another type.
for d in "Maker X1" "Other X1"; do
	jq -n --arg d "$d" '{format: "nexus-profile/1", model: $d, device: $d,
		latency: [{batch: 1, mean_ms: 1}]}'
done >x1.json
jq -n '{format: "nexus-workload/1", devices: [{device: "Maker X1"}],
	sessions: [{session: "m", model: "Maker X1", slo_ms: 10, rate: 1}]}' >x1-old.json
jq '.devices = [{device: "Other X1"}, {device: "Maker X1"}] |
	.sessions += [{session: "o", model: "Other X1", slo_ms: 10, rate: 1}]' x1-old.json >x1-new.json
nexus-plan -q -p x1.json x1-old.json >x1-plan.json
status 0 'a second type of the same name' nexus-plan -p x1.json --previous x1-plan.json x1-new.json
is 'takes no name twice' "$(jq -r '.backends[].backend' out | sort | uniq -d)" ""

# Thousands of devices of one session, which are not all paired with all.
jq -n '{format: "nexus-workload/1", devices: [{device: "Maker X1", count: 30000}],
	sessions: [{session: "m", model: "Maker X1", slo_ms: 10, rate: 1e9}]}' >large.json
nexus-plan -q -p x1.json large.json >large-plan.json
status 1 're-plans 30000 devices' nexus-plan -p x1.json --previous large-plan.json large.json
is 'and moves nothing' "$(jq '[.summary.devices, .summary.moved] | @csv' out)" '"30000,0"'

# Addresses and limits of devices.
jq '.devices = [{device: "NVIDIA H200", count: 1, addresses: ["http://a:1"]}]' abc.json >few.json
status 1 'too few devices' nexus-plan -p abc-profiles.json few.json
like 'says what is left out' err "session '[abc]': .*/s not served: all 1 devices"
is 'plans the rest' "$(jq .summary.devices out)" 1
is 'with its address' "$(jq -r '.backends[0].address' out)" http://a:1
true_that 'and keeps its promises' check out few.json abc-profiles.json
jq -c '.memory = {weights_bytes: 600, activations_bytes: 10}' abc-profiles.json >mem.json
jq '.devices = [{device: "NVIDIA H200", memory_bytes: 1000}]' abc.json >small.json
status 0 'memory forbids sharing' nexus-plan -p mem.json small.json
is 'each has a device' "$(jq .summary.devices out)" 3
true_that 'memory is kept' check out small.json mem.json
done_testing
