# SPDX-License-Identifier: Apache-2.0
# nexus-route over real backends: the filter, the server, reload, drain and dead backends.
. "$NX_SRC/tests/lib/tap.sh"
. "$NX_SRC/tests/lib/job.sh"
job_models
job_plan
true_that "backends of the plan start (sim)" job_serve plan.json sim:alpha=0.1,beta=0.2

# ---- filter ----
status 0 "a query over the video" nexus-route -P plan.json --query overlay --frames 12 --models models "$DEMO/clip.mp4"
is "every frame has one root event" "$(jq -s 'map(select(.parent == null)) | length' out)" 12
is "events are in frame order" "$(jq -c .frame out | sort -n -c 2>&1)" ""
is "children name their parents" "$(jq -s '[.[] | select(.parent != null and .parent != 0)] | length' out)" 0
is "all are in their SLO" "$(jq -r .outcome out | sort -u)" in_slo
like "the summary is on standard error" err "12 frames, 12 in SLO, 0 failed"

status 0 "the same from standard input" sh -c "nexus-route -q -P plan.json --query overlay --frames 3 --models models - <'$DEMO/clip.mp4'"
is "three frames came" "$(jq -s 'map(select(.parent == null)) | length' out)" 3
status 0 "one session" nexus-route -q -P plan.json --session inventory --frames 2 --models models "$DEMO/clip.mp4"
is "its events have no query" "$(jq -c 'has("query")' out | sort -u)" false
status 0 "--filter runs jq on each event" nexus-route -q -P plan.json --query overlay --frames 2 --models models \
	--filter 'select(.parent == null) | .frame' "$DEMO/clip.mp4"
is "what it prints" "$(tr '\n' ' ' <out)" "0 1 "
status 0 "--every takes each n-th frame" nexus-route -q -P plan.json --query overlay --frames 3 --every 5 --models models \
	--filter 'select(.parent == null) | .frame' "$DEMO/clip.mp4"
is "frames 0, 5 and 10" "$(tr '\n' ' ' <out)" "0 5 10 "
status 0 "--realtime paces" nexus-route -q -P plan.json --query overlay --frames 5 --realtime --models models "$DEMO/clip.mp4"
nexus-route -q -P plan.json --query overlay --models models "$DEMO/clip.mp4" 2>err | head -n 1 >out
is "a reader that goes away ends it quietly" "$(wc -l <out) $(cat err)" "1 "

status 66 "an unknown query" nexus-route -P plan.json --query nosuch --models models "$DEMO/clip.mp4"
like "names those there are" err "no query or session 'nosuch'; it has: 'overlay', 'score-check'"
status 66 "a missing video" nexus-route -P plan.json --query overlay --models models nosuch.mp4
like "names the file" err "nosuch.mp4"
head -c 5000 "$DEMO/clip.mp4" >cut.mp4
status 65 "a truncated video" nexus-route -P plan.json --query overlay --models models cut.mp4
like "names the file" err "cut.mp4"
mkdir folder && cp "$NX_SRC/tests/data/media/blue.bmp" folder/1.bmp && echo damaged >folder/2.bmp &&
	cp "$NX_SRC/tests/data/media/blue.bmp" folder/3.bmp
status 65 "a damaged picture in a folder" nexus-route -P plan.json --query overlay --models models folder nosuch.bmp
is "does not keep the others from their turn" "$(jq -s 'map(select(.parent == null)) | length' out)" 2
like "is named" err "2\.bmp"
echo "no video" >text.mp4
status 65 "a text file" nexus-route -P plan.json --query overlay --models models text.mp4
status 66 "no models" nexus-route -P plan.json --query overlay --models /nonexistent "$DEMO/clip.mp4"
status 64 "a filter without sources" nexus-route -P plan.json --query overlay
status 64 "a query and a session" nexus-route -P plan.json --query overlay --session inventory x
status 64 "no plan" nexus-route --query overlay x
echo '{"format":"nexus-plan/1"' >bad.json
status 65 "a damaged plan" nexus-route -P bad.json --query overlay x
like "names file and line" err "bad.json:[12]: "

# ---- server ----
true_that "a router becomes ready" job_route plan.json --stats-out stats.jsonl --stats-interval 300ms
is "live" "$(ask /v2/health/live | jq -c .live)" true
is "metadata come from a backend" "$(ask /v2/models/icons | jq -c '[.name, .inputs[0].datatype]')" '["icons","FP32"]'
is "an unknown model" "$(ask /v2/models/nosuch/infer -X POST -d '{}' -o /dev/null -w '%{http_code}')" 404
is "a wrong method" "$(ask /v2/health/live -X POST -d '{}' -o /dev/null -w '%{http_code}')" 405
jq -nc '{inputs: [{name: "input", datatype: "FP32", shape: [1,3,32,32], data: [range(3072) | 0]}]}' >zeros.json
input=$(ask /v2/models/icons | jq -r '.inputs[0].name')
sed -i "s/\"input\"/\"$input\"/" zeros.json
is "a JSON request" "$(ask /v2/models/inventory/infer -d @zeros.json | jq -c '.outputs[0].shape')" '[1,8]'
is "by the model's name" "$(ask /v2/models/icons/infer -d @zeros.json -o /dev/null -w '%{http_code}')" 200
is "a request that has no time left is refused" \
	"$(ask /v2/models/inventory/infer -d @zeros.json -H 'Nexus-Deadline-Ms: 0' -D headers | jq -r .reason)" admission
like "with 503" headers "^HTTP/1.1 503"
like "and Retry-After" headers "^Retry-After: "
is "a malformed request is the client's mistake" "$(ask /v2/models/inventory/infer -d '{"inputs":7}' -o /dev/null -w '%{http_code}')" 400
like_metrics() { ask /metrics >metrics && grep -q 'nexus_requests_total{session="inventory",outcome="in_slo"} 2' metrics; }
true_that "Prometheus counts them" like_metrics
status 0 "--stats prints the line" nexus-route --stats "unix:$TAP_DIR/route.sock"
is "of source route" "$(jq -r .source out)" route
is "received = the sum of the outcomes" "$(jq -c '[.sessions[] | .total | .received - .in_slo - .late - .dropped - .rejected - .failed] | add' out)" 0
status 0 "--stats --filter" nexus-route --stats --filter .epoch "unix:$TAP_DIR/route.sock"
is "prints the epoch" "$(cat out)" 1
status 69 "--stats of nobody" nexus-route --stats "unix:$TAP_DIR/nobody.sock"
status 69 "an address in use" nexus-route -P plan.json --listen "unix:$TAP_DIR/route.sock"
like "says so" err "in use"
router=$bg

# ---- reload ----
jq '.epoch = 9' plan.json >plan.new && cp plan.json plan.old && cp plan.new plan.json
kill -HUP "$router"
epoch_is() { ask /metrics | grep -q "^nexus_plan_epoch $1\$"; }
true_that "SIGHUP loads the new plan" wait_for 10 epoch_is 9
echo '{}' >plan.json
kill -HUP "$router"
true_that "a bad plan is refused" wait_for 10 grep -q "keeping the old plan" route.log
true_that "and the old one stays" epoch_is 9
cp plan.old plan.json

# ---- dead backends ----
for p in $tap_pids; do [ "$p" = "$router" ] || kill -9 "$p" 2>/dev/null; done
not_ready() { [ "$(ask /v2/health/ready -o /dev/null -w '%{http_code}')" = 503 ]; }
true_that "without backends the router is not ready" wait_for 10 not_ready
is "requests get 503 and the reason" "$(ask /v2/models/inventory/infer -d @zeros.json | jq -r .reason)" backend
true_that "backends come back" job_serve plan.json sim:alpha=0.1,beta=0.2
is_ready() { ask /v2/health/ready -f; }
true_that "and are found again" wait_for 10 is_ready
is "requests are served again" "$(ask /v2/models/inventory/infer -d @zeros.json -o /dev/null -w '%{http_code}')" 200

kill "$router"
wait "$router"
is "SIGTERM drains and exits 0" $? 0
true_that "the socket is gone" test ! -e route.sock
is "the statistics are whole lines" "$(jq -rs 'map(.format) | unique | .[]' stats.jsonl)" nexus-stats/1

status 1 "a filter without backends fails its frames" sh -c "
	for p in $tap_pids; do kill -9 \$p 2>/dev/null; done
	nexus-route -q -P plan.json --query overlay --frames 2 --models models '$DEMO/clip.mp4'"
is "and says so in the events" "$(jq -r .outcome out | sort -u)" failed

done_testing
