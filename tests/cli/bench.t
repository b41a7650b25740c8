# SPDX-License-Identifier: Apache-2.0
# nexus-bench: the command line, loads of sessions against servers of known behaviour, and what it
# says of servers that are slow, refuse, break or are not there.
# shellcheck disable=SC2317
. "$NX_SRC/tests/lib/tap.sh"

command -v jq >/dev/null || skip_all "jq is not installed"
/usr/bin/python3 -c '' 2>/dev/null || skip_all "python3 is not installed"

# A server that does what the session's name says, and writes down the headers of its requests.
cat >stub.py <<'END'
import http.server, json, sys, threading, time

lock, seen = threading.Lock(), open("seen", "w")

class Stub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/v2/health/ready":
            self.reply(503 if "unready" in sys.argv else 200)
        elif self.path == "/v2/models/nonsense":
            self.reply(200, b'{"inputs":[{"name":7}]}')
        elif self.path.startswith("/v2/models/unknown"):
            self.reply(404)
        else:
            self.reply(200, b'{"inputs":[{"name":"x","datatype":"FP32","shape":[-1,4]}]}')

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        session = self.headers["Nexus-Session"]
        with lock:
            seen.write("%s %s %s %d\n" % (self.path, session, self.headers["Nexus-Deadline-Ms"],
                len(body) - int(self.headers["Inference-Header-Content-Length"])))
            seen.flush()
        if session == "late":
            time.sleep(0.15)
        if session in ("admission", "deadline"):
            self.reply(503, json.dumps({"error": "no", "reason": session}).encode())
        elif session == "broken":
            self.close_connection = True
        elif session == "error":
            self.reply(500)
        else:
            self.reply(200, b"{}")

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

s = Server(("127.0.0.1", 0), Stub)
print(s.server_address[1], flush=True)
s.serve_forever()
END

# stub LOG [unready]: starts it; its address is in $url.
stub() {
	background "$@"
	wait_for 20 test -s "$1"
	url=http://127.0.0.1:$(head -n 1 "$1")
}
# workload RATE SLO SESSION…: in ./w.json
workload() {
	w_rate=$1 w_slo=$2
	shift 2
	jq -n --argjson r "$w_rate" --argjson s "$w_slo" '{format: "nexus-workload/1", sessions:
		[$ARGS.positional[] | {session: ., model: "m-\(.)", slo_ms: $s, rate: $r}]}' --args "$@" >w.json
}
bench() {
	nexus-bench -q --url "$url" --warmup 100ms --duration 1s "$@"
}
sums='[.sessions[] | .received - .in_slo - .late - .dropped - .rejected - .failed] | unique | tostring'
session() { jq -c --arg s "$1" ".sessions[] | select(.session == \$s) | $2" out; }

# ---- the command line ---------------------------------------------------------------------------

workload 20 1000 a
status 64 'no workload' nexus-bench
status 64 'two workloads' nexus-bench w.json w.json
status 64 'a fraction above 1' nexus-bench --fraction 1.1 w.json
status 64 'no duration' nexus-bench --duration 0 w.json
status 64 'a table cannot be filtered' nexus-bench --format table --filter . w.json
status 64 'unknown arrivals' nexus-bench --arrivals often w.json
status 64 'one standard input for two' nexus-bench --input - -
status 66 'a missing workload' nexus-bench nosuch.json
like 'is named' err 'nosuch\.json'
echo '{"format":"nexus-workload/1","sessions":[{}]}' >bad.json
status 65 'a damaged workload' nexus-bench bad.json
like 'is named' err 'bad\.json:1: '
status 66 'a missing plan' nexus-bench -P nosuch.json w.json
status 66 'a missing video' nexus-bench --input nosuch.mp4 w.json
like 'is named' err 'nosuch\.mp4'
status 65 'more than can be sent' nexus-bench --scale 1e5 w.json
like 'says how much' err '2000000 requests/s'
workload 0 1000 a
status 65 'a workload without a rate' nexus-bench w.json
jq -n '{format: "nexus-workload/1", queries: [{query: "q", slo_ms: 100, rate: 1,
	stages: [{stage: "s", model: "m"}]}]}' >q.json
status 64 'a query without its plan' nexus-bench q.json
like 'says what it needs' err "'q' needs its plan"
workload 20 1000 a
status 69 'nobody listens' nexus-bench --url "unix:$TAP_DIR/nobody.sock" w.json
like 'says where' err "'unix:$TAP_DIR/nobody.sock' cannot be reached"
status 64 'no address' nexus-bench --url 'what is this' w.json

# ---- a server that answers ------------------------------------------------------------------------

stub stub.log /usr/bin/python3 stub.py
workload 20 2000 a b/two
status 0 'a load' bench --fraction 0.9 -o result.json w.json
empty 'with -o nothing is on standard output' out
cp result.json out
if /usr/bin/python3 -c 'import jsonschema; jsonschema.Draft202012Validator' 2>/dev/null; then
	true_that 'the result keeps to its schema' /usr/bin/python3 "$NX_SRC/tests/lib/validate.py" \
		"$NX_SRC/share/nexus/schemas" bench out
else
	skip 1 'python3-jsonschema with draft 2020-12 is not installed'
fi
is 'what was offered' "$(jq -c '[.kind, .offered[]]' out)" '["load","uniform",40,1000,0,40]'
is 'each session has its share' "$(jq -c '[.sessions[] | [.session, .received]]' out)" '[["a",20],["b/two",20]]'
is 'outcomes add up' "$(jq -r "$sums" out)" '[0]'
is 'goodput and fraction follow' "$(jq '([.sessions[].in_slo] | add) as $n | .goodput == $n and .in_slo_fraction == $n / 40' out)" true
is 'the answers are in time' "$(jq '.in_slo_fraction >= 0.9' out)" true
is 'percentiles are in order' "$(jq '[.sessions[].latency_ms | [.p50, .p90, .p99, .p999, .max] | . == sort] | all' out)" true
like 'path, session and body are sent' seen '^/v2/models/m-a/infer a [0-9.]+ 16$'
like 'a slash in a name is no slash of the header' seen '^/v2/models/m-b%2Ftwo/infer b/two '
is 'what is left of the time is sent' "$(awk '$3 > 2000 || $3 <= 0' seen)" ''
is 'the warm-up is sent, not counted' "$(grep -c . seen)" 44

status 0 'Poisson arrivals, seeded' bench --arrivals poisson --seed 3 --filter .offered.requests w.json
first=$(cat out)
status 0 'again' bench --arrivals poisson --seed 3 --filter .offered.requests w.json
is 'gives the same requests' "$(cat out)" "$first"
status 0 '--scale' bench --scale 0.5 --filter .offered.requests w.json
is 'multiplies the rates' "$(cat out)" 20
status 0 'a table' bench --format table w.json
like 'has a row a session' out '^b/two +20\.0 +20 +100\.00%'
like 'and a sum' out '^goodput 40\.0/s of 40\.0/s offered, 100\.00% in SLO$'
status 0 'pictures that nobody takes' nexus-bench --url "$url" --warmup 0s --duration 100ms \
	--input "$NX_SRC/tests/data/media/three.mjpeg" w.json
like 'are warned of' err 'warning: .*is not used'

# ---- servers that do not ----------------------------------------------------------------------------

workload 10 100 late admission deadline error broken
status 1 'a fraction that is missed' bench --fraction 0.5 w.json
is 'outcomes add up' "$(jq -r "$sums" out)" '[0]'
is 'late answers are late' "$(session late '[.late, .latency_ms.p50 >= 150]')" '[10,true]'
is 'refusals are rejected' "$(session admission '[.rejected, .reasons.admission]')" '[10,10]'
is 'given up is dropped' "$(session deadline '[.dropped, .reasons.deadline]')" '[10,10]'
is 'errors have failed' "$(session error '[.failed, .reasons.backend]')" '[10,10]'
is 'broken connections have failed' "$(session broken '[.failed, .latency_ms]')" '[10,null]'
is 'nothing is in time' "$(jq -c '[.goodput, .in_slo_fraction]' out)" '[0,0]'
status 0 'without --fraction that is no failure' bench w.json
workload 10 1000 unknown
status 69 'a session that the server does not know' bench w.json
like 'is named' err "session 'unknown'"
workload 10 1000 nonsense
status 65 'a server that talks nonsense' bench w.json
like 'is named' err "$url.*inputs\\[0\\]"

jq -n '{format: "nexus-workload/1", sessions: [{session: "a\r\nEvil: 1", model: "m", slo_ms: 1000, rate: 10}]}' >w.json
status 0 'a name with line breaks' bench w.json
like 'stays on the line of its header' seen '^/v2/models/m/infer a\?\?Evil: 1 '

stub unready.log /usr/bin/python3 stub.py unready
status 69 'a server that is not ready' bench w.json
like 'says so' err 'not ready'

# ---- interrupted --------------------------------------------------------------------------------------

url=http://127.0.0.1:$(head -n 1 stub.log)
workload 50 1000 a
: >seen
background bench.out nexus-bench -q --url "$url" --warmup 0s --duration 60s w.json
sent() { [ "$(grep -c . seen)" -ge 20 ]; }
wait_for 20 sent
kill -INT "$bg"
wait "$bg"
is 'SIGINT ends it well' $? 0
is 'what there was is told' "$(jq '.offered.requests >= 20 and .offered.duration_ms < 60000' bench.out)" true

done_testing
