# SPDX-License-Identifier: Apache-2.0
# The scripts of examples/, run as a user would.  demo.sh and read-overlay.sh are `make demo`.
. "$NX_SRC/tests/lib/tap.sh"
. "$NX_SRC/tests/lib/job.sh"
examples=$NX_SRC/examples
job_models

cp "$NX_SRC/tests/data/media/blue.bmp" photo.jpg # the bytes decide

status 0 "profile-plan-serve.sh" sh "$examples/profile-plan-serve.sh" models/icons.tar.gz photo.jpg
like "prints classes" out '^\[\{"label":"[a-z]+","score":'

job_plan
true_that "backends (sim)" job_serve plan.json sim:alpha=0.1,beta=0.2
status 0 "video-filter.sh" env NEXUS_MODELS=models sh "$examples/video-filter.sh" plan.json overlay "$DEMO/clip.mp4"
like "prints frame, stage, label and score" out '^[0-9]+	scene	[a-z]+	[0-9]+%$'

# ---- the loop: a changed load changes the plan, the servers take it, an unchanged one is silent ----
cp plan.json first.json
true_that "a router" job_route plan.json --stats-interval 1s
router=$bg
jq '.queries[0].rate = 60 | .sessions[].rate = 1' workload.json >load.json
background bench.log nexus-bench -q --url "unix:$TAP_DIR/route.sock" -P plan.json --models models \
	--input "$DEMO/clip.mp4" --arrivals uniform --duration 60s load.json
load_is_seen() {
	nexus-route --stats --filter '.sessions[] | select(.session == "overlay/scene") | .rate >= 40' \
		"unix:$TAP_DIR/route.sock" | grep -qx true
}
true_that "the router sees more load" wait_for 50 load_is_seen
status 0 "replan.sh" env NEXUS_RELOAD="sh $TAP_DIR/reload.sh" sh -c "
	echo 'kill -HUP $router; touch reloaded' >reload.sh
	sh '$examples/replan.sh' profiles.json workload.json plan.json 'unix:$TAP_DIR/route.sock'"
like "says that the plan changed" out "^plan 2: [0-9]+ devices, [0-9]+ moved"
true_that "told the servers" test -e reloaded
rate() { jq '.queries[0].rate | round' "$1"; }
true_that "the plan's rate follows the load ($(rate first.json) to $(rate plan.json))" \
	test "$(rate plan.json)" -ge 40
is "the epoch grows" "$(jq .epoch plan.json)" 2
epoch_is() { ask /metrics | grep -q "^nexus_plan_epoch $1\$"; }
true_that "the router has it" wait_for 10 epoch_is 2

status 1 "compare-plans.sh tells plans apart" sh "$examples/compare-plans.sh" first.json plan.json
like "by session" out '^\+overlay/scene on '
status 0 "and a plan from itself not" sh "$examples/compare-plans.sh" plan.json plan.json

# The same statistics once more: nothing to do, nothing said.
nexus-route --stats "unix:$TAP_DIR/route.sock" >same.jsonl
nexus-plan -q -p profiles.json -s same.jsonl workload.json -o steady.json
cat >fake-route <<EOF
#!/bin/sh
cat same.jsonl
EOF
chmod +x fake-route
mkdir -p fake && mv fake-route fake/nexus-route
status 0 "replan.sh with what the plan is made for" env PATH="$TAP_DIR/fake:$PATH" NEXUS_RELOAD=false \
	sh "$examples/replan.sh" profiles.json workload.json steady.json
empty "prints nothing" out
empty "not even on standard error" err

done_testing
