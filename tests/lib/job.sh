# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The shipped job for tests: its bundles, a profile, a workload, a plan, and servers for it.  For
# scripts that have sourced tap.sh.

DEMO=$NX_SRC/share/nexus/demo

# job_models: ./models/*.tar.gz
job_models() {
	mkdir -p models
	for job_d in "$DEMO"/models/*/; do
		tar -czf "models/$(basename "$job_d").tar.gz" -C "$job_d" model.onnx manifest.json labels.txt
	done
}

# job_plan [DEVICE]: ./profiles.json, ./workload.json and ./plan.json for a device that takes half a
# millisecond a row; by default the simulated one.
job_plan() {
	: >profiles.json
	for job_m in scene icons digits-racer digits-shooter digits-puzzle; do
		jq -n --arg m "$job_m" --arg d "${1:-sim}" '{format: "nexus-profile/1", model: $m, device: $d,
			latency: [ {batch: 1, mean_ms: 1}, {batch: 32, mean_ms: 16.5} ]}' >>profiles.json
	done
	jq -n --arg device "${1:-sim}" --arg dir "$TAP_DIR" -f "$DEMO/workload.jq" >workload.json
	nexus-plan -q -p profiles.json workload.json -o plan.json
}

# job_serve PLAN DEVICE: starts a backend for each of the plan, and waits until they are ready.
job_serve() {
	for job_b in $(jq -r '.backends[].backend' "$1"); do
		background "$job_b.log" nexus-serve -P "$1" --backend "$job_b" -d "$2" --models models
	done
	for job_s in $(jq -r '.backends[].address // empty' "$1"); do
		wait_for 60 curl -sf --unix-socket "${job_s#unix:}" http://nexus/v2/health/ready || return 1
	done
}

# job_route PLAN [OPTION…]: starts a router on ./route.sock and waits until it is ready.
job_route() {
	job_p=$1
	shift
	background route.log nexus-route -P "$job_p" --listen "unix:$TAP_DIR/route.sock" "$@"
	wait_for 60 curl -sf --unix-socket route.sock http://nexus/v2/health/ready
}

# ask PATH [CURL-OPTION…]: one request to the router; the body is printed.
ask() {
	job_path=$1
	shift
	curl -s --unix-socket route.sock "$@" "http://nexus$job_path"
}
