#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the five tools really write keeps to the shipped JSON Schemas.
# shellcheck disable=SC2119
. "$NX_SRC/tests/lib/tap.sh"
. "$NX_SRC/tests/lib/job.sh"
/usr/bin/python3 -c 'import jsonschema; jsonschema.Draft202012Validator' 2>/dev/null ||
	skip_all "python3-jsonschema with draft 2020-12 is not installed"

# valid KIND FILE: the file is not empty, and each of its values is valid.
valid() {
	true_that "$2 holds something" test -s "$2"
	true_that "$2 is valid nexus-$1/1" \
		/usr/bin/python3 "$NX_SRC/tests/lib/validate.py" "$NX_SRC/share/nexus/schemas" "$1" "$2"
}

job_models
nexus-profile -q -d sim:alpha=0.1,beta=0.2 -b 1,4 --time-cap 200ms models/icons.tar.gz \
	models/digits-racer.tar.gz >measured.json
valid profile measured.json
cat "$DEMO"/models/*/manifest.json >manifests.json
valid model manifests.json

job_plan
valid profile profiles.json
valid workload workload.json
valid plan plan.json
nexus-plan -q -p profiles.json --previous plan.json workload.json >again.json
jq '.devices[0].count = 0' workload.json >nothing.json
nexus-plan -q -p profiles.json nothing.json >unserved.json
jq '.queries[0].slo_ms = 1' workload.json >hurried.json
nexus-plan -q -p profiles.json hurried.json >lost.json
for f in again unserved lost; do valid plan $f.json; done
true_that "something was unserved" jq -e '.summary.unserved | length > 0' unserved.json

true_that "backends start" job_serve plan.json sim:alpha=0.1,beta=0.2
true_that "a router starts" job_route plan.json --stats-out route-stats.json --stats-interval 200ms
nexus-bench -q --url "unix:$TAP_DIR/route.sock" -P plan.json --models models --warmup 0s \
	--duration 500ms --input "$DEMO/clip.mp4" workload.json >bench.json
valid bench bench.json
jq 'del(.queries) | .sessions |= .[:1]' workload.json >one.json
nexus-bench -q --url "unix:$TAP_DIR/route.sock" -P plan.json --models models --find-max --warmup 0s \
	--duration 100ms one.json >max.json
valid bench max.json
nexus-route -q -P plan.json --query overlay --frames 12 --models models "$DEMO/clip.mp4" >events.json
valid event events.json
nexus-route -q -P plan.json --session inventory --frames 2 --models models "$DEMO/clip.mp4" >session.json
valid event session.json

nexus-route --stats "unix:$TAP_DIR/route.sock" >now.json
valid stats now.json
for s in $(jq -r '.backends[].address' plan.json); do
	curl -s --unix-socket "${s#unix:}" http://nexus/nexus/v1/stats
done >serve-stats.json
valid stats serve-stats.json
kill "$bg"
wait "$bg"
valid stats route-stats.json
nexus-plan -q -p profiles.json --previous plan.json -s route-stats.json workload.json >observed.json
valid plan observed.json
done_testing
