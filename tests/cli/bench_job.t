# SPDX-License-Identifier: Apache-2.0
# nexus-bench on the shipped job: sessions and a query against router and backends, the search for
# the highest rate, servers that die.
# shellcheck disable=SC2119,SC2317
. "$NX_SRC/tests/lib/tap.sh"
. "$NX_SRC/tests/lib/job.sh"
job_models
job_plan
true_that "backends start (sim)" job_serve plan.json sim:alpha=0.1,beta=0.2
servers=$tap_pids
true_that "a router starts" job_route plan.json
url=unix:$TAP_DIR/route.sock
# SLOs that an idle simulated device keeps on any machine.
jq '.sessions[].slo_ms = 5000 | .queries[].slo_ms = 5000' workload.json >easy.json
bench() {
	nexus-bench -q --url "$url" -P plan.json --models models --warmup 200ms --duration 2s "$@"
}
sums='[.sessions[] | .received - .in_slo - .late - .dropped - .rejected - .failed] | unique | tostring'

status 0 "sessions and a query" bench --input "$DEMO/clip.mp4" easy.json
cp out job.out
is "each has its share" "$(jq -c '[.sessions[] | [.session, .received]]' out)" \
	'[["score-check",40],["inventory",20],["overlay",50]]'
is "outcomes add up" "$(jq -r "$sums" out)" '[0]'
is "nothing has failed" "$(jq '[.sessions[].failed] | add' out)" 0
is "an idle device answers in time" "$(jq '.in_slo_fraction > 0.5' out)" true
ask /metrics >metrics
# A simulated device answers every scene with the same game.
for stage in scene racer icon; do
	is "the router saw stage $stage of the query" \
		"$(grep "session=\"overlay/$stage\"" metrics | awk '/^nexus_requests_total/ { n += $NF } END { print (n >= 50) }')" 1
done

jq 'del(.queries)' easy.json >sessions.json
status 0 "sessions without --input send noise" bench sessions.json
is "that is answered" "$(jq '[.sessions[] | .in_slo + .late > 0] | all' out)" true
status 0 "without a plan the server is asked what it takes" \
	nexus-bench -q --url "$url" --warmup 0s --duration 500ms sessions.json
is "and is answered" "$(jq '[.sessions[] | .in_slo + .late > 0] | all' out)" true
status 64 "a query without pictures" bench easy.json
like "says what it needs" err "'overlay' needs pictures"
jq '.queries[0].query = "nosuch"' easy.json >other.json
status 65 "a query that the plan has not" bench --input "$DEMO/clip.mp4" other.json
like "is named" err "no query 'nosuch'"
status 66 "a query without its models" bench --models /nonexistent --input "$DEMO/clip.mp4" easy.json
like "names the model" err "query 'overlay': .*scene"

# ---- the search ----
# A device of 4 ms a row in batches of at most 8 answers at most 250 a second.
jq -n '{format: "nexus-profile/1", model: "m", device: "sim",
	latency: [{batch: 1, mean_ms: 4}, {batch: 8, mean_ms: 32}]}' >m.json
jq -n --arg a "unix:$TAP_DIR/m.sock" '{format: "nexus-workload/1",
	devices: [{device: "sim", count: 1, addresses: [$a]}],
	sessions: [{session: "m", model: "m", slo_ms: 400, rate: 50}]}' >m-workload.json
nexus-plan -q -p m.json m-workload.json -o m-plan.json
background m.log nexus-serve -P m-plan.json --backend "$(jq -r '.backends[0].backend' m-plan.json)" \
	-d sim:name=sim,alpha=4,beta=0
wait_for 60 curl -sf --unix-socket m.sock http://nexus/v2/health/ready
status 0 "--find-max" nexus-bench -q --url "unix:$TAP_DIR/m.sock" --find-max --fraction 0.9 --warmup 200ms \
	--duration 500ms m-workload.json
is "reports the run at the rate it found" \
	"$(jq -c '[.kind, .max_rate == .offered.rate, .in_slo_fraction >= 0.9]' out)" '["find-max",true,true]'
is "which is no more than the device can do" "$(jq '.max_rate > 0 and .max_rate <= 400' out)" true
status 0 "--find-max where nothing passes" nexus-bench -q --url "unix:$TAP_DIR/m.sock" --find-max \
	--warmup 0s --duration 20ms --scale 0.001 m-workload.json
is "says 0" "$(jq .max_rate out)" 0

# ---- dead servers ----
# shellcheck disable=SC2086
kill -9 $servers
status 69 "a router without backends is not ready" sh -c "
	until [ \"\$(curl -s -o /dev/null -w '%{http_code}' --unix-socket route.sock http://nexus/v2/health/ready)\" = 503 ]; do sleep 0.1; done
	nexus-bench -q --url '$url' -P plan.json --models models sessions.json"
true_that "backends come back" job_serve plan.json sim:alpha=0.1,beta=0.2
ready() { ask /v2/health/ready -f; }
wait_for 20 ready
received() { ask /metrics | awk '/^nexus_requests_total/ { n += $NF } END { print n }'; }
before=$(received)
nexus-bench -q --url "$url" -P plan.json --models models --input "$DEMO/clip.mp4" --warmup 0s --duration 4s easy.json >out 2>err &
load=$!
more() { [ "$(received)" -gt "$((before + 50))" ]; }
wait_for 20 more
for p in $tap_pids; do [ "$p" = "$bg" ] || kill -9 "$p" 2>/dev/null; done
wait $load
is "servers that die in a load end it well" $? 0
is "everything is accounted for" "$(jq -r "$sums" out)" '[0]'
is "and what they did not answer has failed" "$(jq '[.sessions[].failed] | add > 0' out)" true

done_testing
