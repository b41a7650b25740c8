# SPDX-License-Identifier: Apache-2.0
# Every command line printed in README.md and the man pages is run, in the order of the page, in a
# folder that holds what the pages speak of: models/, workload.json, profiles.json, plan.json,
# clip.mp4, frame.jpg, and icons, a model with a test.
. "$NX_SRC/tests/lib/tap.sh"

# LeakSanitizer's own tracer has crashed (signal 11) at the end of programs here, where two tests
# that load the machine meet; the tools' own tests look for leaks.
if [ "${NX_SAN:-}" = asan ]; then
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
	export ASAN_OPTIONS
fi
. "$NX_SRC/tests/lib/job.sh"

taken() { curl -s -o /dev/null "http://127.0.0.1:$1/"; }
if taken 8000 || taken 8001; then
	skip_all "something listens on port 8000 or 8001 here"
fi

job_models
nexus-profile -q -d cpu -b 1,2,4,8 --time-cap 200ms models/*.tar.gz >profiles.json
device=$(jq -rs '.[0].device' profiles.json)
jq -n --arg device "$device" --arg dir "" -f "$DEMO/workload.jq" >workload.json
jq -n --arg d sim '{format: "nexus-workload/1", sessions: [ {session: "icons", model: "icons", slo_ms: 100, rate: 50} ]}' >icons-workload.json
nexus-plan -q -p profiles.json workload.json -o plan.json
mkdir profiles && cp profiles.json profiles/
cp "$DEMO/clip.mp4" clip.mp4
cp "$DEMO/icon.jpg" frame.jpg
cp -r "$DEMO/models/icons" icons
export NEXUS_MODELS="$TAP_DIR/models"

# run PAGE: its commands; one that ends in & goes to the background, and its server is waited for.
run_page() {
	sh "$NX_SRC/tests/lib/doc_commands.sh" "$1" >commands
	page=$(basename "$1")
	while IFS= read -r line; do
		case $line in
		"sh examples/demo.sh" | "sh tests/check.sh" | "make "* | "git clone"* | "cd "*) continue ;; # this is them
		*"&")
			command=${line%&}
			case $command in
			*"nexus-serve -P"*) ready="test -S $NEXUS_RUNTIME_DIR/cpu-0.sock" ;;
			*:8001*) ready="curl -sf http://127.0.0.1:8001/v2/health/ready" ;;
			*) ready="curl -sf http://127.0.0.1:8000/v2/health/ready" ;;
			esac
			background "server.log" sh -c "exec $command"
			# shellcheck disable=SC2086
			true_that "$page: $line" wait_for 30 $ready || diag <server.log
			;;
		*) status 0 "$page: $line" sh -c "$line" ;;
		esac
	done <commands
}

# stop_servers: pages begin with nothing running.
stop_servers() {
	for p in $tap_pids; do
		kill "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	tap_pids=
}

# needs BACKEND…: servers that a page takes for granted.
with_backend() {
	background backend.log nexus-serve -P plan.json --backend cpu-0 -d cpu
	wait_for 30 test -S "$NEXUS_RUNTIME_DIR/cpu-0.sock"
}
with_router() {
	with_backend
	background router.log nexus-route -P plan.json
	wait_for 30 curl -sf http://127.0.0.1:8000/v2/health/ready
}

for page in nexus-profile.1 nexus-plan.1 nexus-serve.1 nexus-formats.5 nexus.7; do
	run_page "$NX_SRC/man/$page"
	stop_servers
done
with_backend
run_page "$NX_SRC/man/nexus-route.1"
stop_servers
with_router
run_page "$NX_SRC/man/nexus-bench.1"
stop_servers
# The README's tour is taken in build/demo of a source tree.
mkdir -p tree/build/demo
ln -s "$NX_SRC/examples" tree/examples
cp -r models profiles.json workload.json plan.json clip.mp4 tree/build/demo/
cp frame.jpg tree/build/demo/icon.jpg
cd tree/build/demo || exit 71
run_page "$NX_SRC/README.md"
cd "$TAP_DIR" || exit 71
stop_servers

done_testing
