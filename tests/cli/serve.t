# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# nexus-serve with a simulated device: command line, protocol, refusals, reload, drain.
# shellcheck source=tests/lib/tap.sh
. "$NX_SRC/tests/lib/tap.sh"

# plan FILE EPOCH SESSION EXEC_MS SLO_MS BATCH: a plan of two backends, the first with SESSION of
# model m and a second session of a second model.
plan() {
	cat >"$1" <<-END
	{"format":"nexus-plan/1","epoch":$2,"created":"2026-11-22T17:00:00Z",
	 "backends":[{"backend":"sim-0","device":"sim","duty_cycle_ms":500,"occupancy":0.5,"memory_bytes":0,
	   "sessions":[{"session":"$3","model":"m","slo_ms":$5,"rate":1,"batch":$6,"exec_ms":$4},
	               {"session":"other/one","model":"n","slo_ms":5000,"rate":1,"batch":2,"exec_ms":2}]},
	  {"backend":"sim-1","device":"sim","duty_cycle_ms":500,"occupancy":0,"memory_bytes":0,"sessions":[]}],
	 "routes":[{"session":"$3","to":[{"backend":"sim-0","rate":1}]},
	           {"session":"other/one","to":[{"backend":"sim-0","rate":1}]}],
	 "queries":[],"summary":{"devices":2,"lower_bound":1,"gap":0,"moved":0,"unserved":[]}}
	END
}

# start LOG ARGUMENT…: starts one and waits until it listens; its address is in $url.
device=sim:name=sim
start() {
	s_log=$1
	shift
	background "$s_log" nexus-serve -d "$device" "$@"
	wait_for 20 grep -q 'listening on' "$s_log"
	url=$(sed -n 's/.*listening on //p' "$s_log" | head -n 1)
}
# many COUNT: a curl configuration of so many requests to session a; answers in o.N.
many() {
	m_i=0
	while [ $m_i -lt "$1" ]; do
		[ $m_i = 0 ] || echo next
		echo "url = $url/v2/models/a/infer"
		echo "output = o.$m_i"
		echo 'data-binary = @in.json'
		printf '%s\n' 'write-out = "%{http_code}\n"'
		m_i=$((m_i + 1))
	done
}
# received COUNT: session a has got so many requests.
# shellcheck disable=SC2317 # called by wait_for
received() {
	curl -s "$url/nexus/v1/stats" |
		jq -e ".sessions[]|select(.session==\"a\")|.total.received == $1"
}

# ask PATH CURL-ARGUMENT…: the status in $code, the body in ./body.
ask() {
	a_path=$1
	shift
	code=$(curl -s -m 30 -o body -w '%{http_code}' "$@" "$url$a_path")
}
input() { # input SHAPE DATA
	printf '{"inputs":[{"name":"input","datatype":"FP32","shape":%s,"data":%s}]}' "$1" "$2"
}
jqr() { jq -r "$1" body 2>/dev/null; }

# stop PID: SIGTERM; the exit status in $rc.
stop() {
	kill -TERM "$1"
	wait "$1"
	rc=$?
}

# ---- the command line ---------------------------------------------------------------------------

plan plan.json 7 a 10 400 4
status 64 'nothing to serve' nexus-serve
status 64 'a model needs an SLO' nexus-serve x.onnx
status 64 'a plan needs a backend' nexus-serve -P plan.json -d sim
status 64 'a plan and models exclude each other' nexus-serve -P plan.json --backend sim-0 x.onnx
status 66 'a missing model' nexus-serve ./missing.onnx --slo 50ms -d sim
like 'is named' err 'missing\.onnx'
status 66 'a missing plan' nexus-serve -P missing.json --backend sim-0 -d sim
status 65 'an unknown backend' nexus-serve -P plan.json --backend nope -d sim
like 'those there are are named' err "plan.json.*'nope'.*sim-0, sim-1"
echo '{"format":"nexus-plan/1","epoch":' >damaged.json
status 65 'a damaged plan' nexus-serve -P damaged.json --backend sim-0 -d sim
like 'is named' err 'damaged\.json'
status 1 'a model that is slower than its SLO' nexus-serve slow -d sim:alpha=1,beta=100 --slo 50ms
like 'says how slow' err "'slow' takes 1[0-9][0-9].* ms.*50 ms"
printf '{"format":"nexus-profile/1","model":"m","device":"sim","latency":[{"batch":1,"mean_ms":5}]}' >short.json
status 65 'a batch above the profile' nexus-serve -P plan.json --backend sim-0 -d sim:name=sim -p short.json
status 69 'an unknown device' nexus-serve -P plan.json --backend sim-0 -d nosuch

# ---- the protocol -------------------------------------------------------------------------------

start log -P plan.json --backend sim-0 --listen 127.0.0.1:0 --listen "unix:$TAP_DIR/s/x.sock" --stats-out stats.jsonl
server=$bg
like 'says where it listens' log 'listening on http://127\.0\.0\.1:[0-9]+$'
ask /v2/health/ready
is 'ready' "$code" 200
ask /v2/models/a
is 'metadata of a session' "$code $(jqr '.inputs[0].name') $(jqr '.inputs[0].shape|tostring')" '200 input [-1,1]'
input '[1,1]' '[2.5]' >in.json
ask /v2/models/a/infer --data-binary @in.json
is 'a JSON request by session' "$code $(jqr '.outputs[0].data[0]')" '200 2.5'
ask /v2/models/m/infer --data-binary @in.json
is 'by model' "$code $(jqr '.outputs[0].data[0]')" '200 2.5'
ask /v2/models/m/infer --data-binary @in.json -H 'Nexus-Session: other/one'
is 'by header' "$code" 200
ask /v2/models/other%2Fone/infer --data-binary @in.json
is 'by a name with a slash' "$code" 200
input '[3,1]' '[1,2,3]' >three.json
ask /v2/models/a/infer --data-binary @three.json
is 'three rows' "$(jqr '.outputs[0].data|tostring') $(jqr '.outputs[0].shape|tostring')" '[1,2,3] [3,1]'
printf '\000\000\200\077\000\000\000\100' >two.raw
ask /v2/models/a/infer --data-binary @two.raw -H 'Inference-Header-Content-Length: 0' -D head
is 'a raw binary request' "$code" 200
n=$(sed -n 's/^Inference-Header-Content-Length: *\([0-9]*\).*/\1/Ip' head)
tail -c "+$((n + 1))" body | cmp - two.raw >/dev/null 2>&1
report $? 'is answered in binary'
printf '{"inputs":[{"name":"input","datatype":"FP32","shape":[1,1],"data":[7]}],"outputs":[{"name":"output","parameters":{"classification":1}}]}' >class.json
ask /v2/models/a/infer --data-binary @class.json
is 'the classification extension' "$(jqr '.outputs[0].data[0]')" '7.000000:0'
curl -s -m 30 --unix-socket s/x.sock -o body http://x/v2/models/a/infer --data-binary @in.json
is 'over a Unix socket' "$(jqr '.outputs[0].data[0]')" 2.5

# refused STATUS REGEX DESCRIPTION BODY CURL-ARGUMENT…
refused() {
	r_status=$1 r_regex=$2 r_desc=$3
	printf '%s' "$4" >bad.json
	shift 4
	ask /v2/models/a/infer --data-binary @bad.json "$@"
	is "$r_desc" "$code" "$r_status"
	like 'and says why' body "$r_regex"
}
refused 400 'takes 1 to 4' 'more rows than the batch' "$(input '[5,1]' '[1,2,3,4,5]')"
refused 400 "needs an input 'input'" 'a wrong input name' \
	'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,1],"data":[1]}]}'
refused 400 'must be FP32' 'a wrong type' \
	'{"inputs":[{"name":"input","datatype":"INT32","shape":[1,1],"data":[1]}]}'
refused 400 'must have shape' 'a wrong shape' "$(input '[1,2]' '[1,2]')"
refused 400 error 'no rows' "$(input '[0,1]' '[]')"
refused 400 error 'too little data' "$(input '[2,1]' '[1]')"
refused 400 error 'no JSON' '{"inputs":['
refused 400 error 'an empty body' ''
refused 400 'no output' 'an unknown output' \
	'{"inputs":[{"name":"input","datatype":"FP32","shape":[1,1],"data":[1]}],"outputs":[{"name":"y"}]}'
refused 400 'Nexus-Deadline-Ms' 'a deadline that is no number' "$(cat in.json)" -H 'Nexus-Deadline-Ms: soon'
refused 400 'Header-Content-Length' 'a header longer than the body' "$(cat in.json)" \
	-H 'Inference-Header-Content-Length: 99999'
refused 400 'Header-Content-Length' 'a header length that is no number' "$(cat in.json)" \
	-H 'Inference-Header-Content-Length: -1'
refused 400 'not pictures' 'a picture for a model of tensors' x -H 'Content-Type: image/jpeg'
refused 404 'nothere' 'an unknown session' "$(cat in.json)" -H 'Nexus-Session: nothere'
ask /v2/models/nothere/infer --data-binary @in.json
is 'an unknown model' "$code" 404
head -c 100000 /dev/urandom >noise
refused 400 error 'noise' x --data-binary @noise
ask /v2/health/ready
is 'still ready' "$code" 200

# ---- deadlines, statistics ------------------------------------------------------------------------

before=$(curl -s "$url/metrics" | sed -n 's/^nexus_batch_size_sum{session="a"} //p')
ask /v2/models/a/infer --data-binary @in.json -H 'Nexus-Deadline-Ms: 1' -D head
is 'a deadline that cannot be met' "$code $(jqr .reason) $(jqr '.predicted_ms >= 1')" '503 admission true'
like 'Retry-After' head '^Retry-After: [0-9]'
printf '{"parameters":{"timeout":1000},"inputs":[{"name":"input","datatype":"FP32","shape":[1,1],"data":[1]}]}' >late.json
ask /v2/models/a/infer --data-binary @late.json
is 'the same by parameter' "$code $(jqr .reason)" '503 admission'
is 'neither ran' "$(curl -s "$url/metrics" | sed -n 's/^nexus_batch_size_sum{session="a"} //p')" "$before"
curl -s "$url/nexus/v1/stats" >line
is 'counters add up' "$(jq -c '.sessions[]|select(.session=="a")|.total|[.received == .in_slo+.late+.dropped+.rejected+.failed, .rejected]' line)" '[true,2]'
is 'the line names itself' "$(jq -r '[.format,.source,.id,.epoch]|join(" ")' line)" 'nexus-stats/1 serve sim-0 7'
curl -s "$url/metrics" >metrics
like 'metrics: requests' metrics '^nexus_requests_total\{session="a",outcome="rejected"\} 2$'
like 'metrics: reasons' metrics '^nexus_drops_total\{session="a",reason="admission"\} 2$'
like 'metrics: epoch' metrics '^nexus_plan_epoch 7$'
like 'metrics: build' metrics '^nexus_build_info\{version="[0-9.]+"\} 1$'

# ---- reload ---------------------------------------------------------------------------------------

plan plan.json 8 b 10 400 4
kill -HUP "$server"
wait_for 20 grep -q 'epoch 8' log
report $? 'SIGHUP reloads the plan'
ask /v2/models/b/infer --data-binary @in.json
is 'the new session answers' "$code" 200
ask /v2/models/a/infer --data-binary @in.json
is 'the old one is gone' "$code" 404
cp damaged.json plan.json
kill -HUP "$server"
wait_for 20 grep -q 'keeping epoch 8' log
report $? 'a damaged plan is not taken'
ask /v2/models/b/infer --data-binary @in.json
is 'the server goes on' "$code" 200
plan again.json 1 a 10 400 4
status 69 "a port in use" nexus-serve -P again.json --backend sim-0 -d sim --listen "${url#http://}"

# ---- the end --------------------------------------------------------------------------------------

stop "$server"
is 'SIGTERM ends with 0' "$rc" 0
[ ! -e s/x.sock ]
report $? 'its Unix socket is gone'
is 'the last line is written' "$(tail -n 1 stats.jsonl | jq -r '.sessions[]|select(.session=="b")|.total.in_slo')" 2

plan slow.json 1 a 1500 4000 1
start log2 -P slow.json --backend sim-0 --listen 127.0.0.1:0
server=$bg
curl -s -m 30 -o flight -w '%{http_code}' "$url/v2/models/a/infer" --data-binary @in.json >flight.code &
flight=$!
wait_for 20 received 1
stop "$server"
wait $flight
is 'what is in flight is answered before the end' "$(cat flight.code) $rc" '200 0'

plan slow.json 1 a 1500 9000 1
start log6 -P slow.json --backend sim-0 --listen 127.0.0.1:0 --drain-timeout 1ms
server=$bg
many 3 >requests
curl -s -Z --parallel-immediate --parallel-max 3 -m 30 -K requests >codes 2>/dev/null &
flight=$!
wait_for 20 received 3
stop "$server"
wait $flight
is 'a drain that takes too long: what waits is refused' "$(sort codes | tr '\n' ' ')$rc" '200 503 503 0'
is 'with its reason' "$(cat o.* | jq -r 'select(.error)|.reason' | sort -u)" drain

start log7 -P slow.json --backend sim-0 --listen 127.0.0.1:0
server=$bg
curl -s -m 30 -o flight "$url/v2/models/a/infer" --data-binary @in.json &
flight=$!
wait_for 20 received 1
kill -TERM "$server"
wait_for 20 grep -q draining log7
stop "$server"
wait $flight
is 'a second signal ends it at once' "$rc" 143

# ---- overload ---------------------------------------------------------------------------------------

plan slow.json 1 a 300 700 1
start log3 -P slow.json --backend sim-0 --listen 127.0.0.1:0
server=$bg
many 30 >requests
curl -s -Z --parallel-immediate --parallel-max 30 -m 60 -K requests >codes 2>/dev/null
ok=$(grep -c 200 codes)
no=$(grep -c 503 codes)
is 'every request is answered' "$((ok + no))" 30
true_that 'some are refused' test "$no" -gt 0
true_that 'some are not' test "$ok" -gt 0
is 'refusals say why' "$(cat o.* | jq -r 'select(.error)|.reason' | grep -Evc '^(admission|deadline|queue_full)$')" 0
is 'and never ran' "$(curl -s "$url/metrics" | sed -n 's/^nexus_batch_size_sum{session="a"} //p')" "$ok"
stop "$server"
is 'it ends well' "$rc" 0

# ---- drift ------------------------------------------------------------------------------------------

plan plan.json 7 a 1 4000 1
device=sim:name=sim,alpha=0,beta=5
start log8 -P plan.json --backend sim-0 --listen 127.0.0.1:0
device=sim:name=sim
server=$bg
many 25 >requests
curl -s -m 30 -K requests >codes
is 'the line of the device' "$(sort codes | uniq -c | tr -d ' ')" 25200
like 'a plan that is too fast is noticed' log8 "session 'a': batch 1: planned 1 ms, seen .* ms: re-profile"
is 'once' "$(grep -c re-profile log8)" 1
stop "$server"

# ---- alone ------------------------------------------------------------------------------------------

cat >notify.py <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("notify.sock")
open("notify.bound", "w").close()
with open("notify.out", "w") as f:
    for _ in range(2):
        f.write(s.recv(100).decode() + "\n")
END
background notify.log /usr/bin/python3 notify.py
if wait_for 10 test -e notify.bound; then
	NOTIFY_SOCKET=$TAP_DIR/notify.sock
	export NOTIFY_SOCKET
fi
start log4 toy --slo 100ms --listen 127.0.0.1:0
server=$bg
ask /v2/models/toy/infer --data-binary @in.json
is 'a model by name on a simulated device' "$code" 200
like 'says its batch' log4 'toy: batch [0-9]+ in .* ms, SLO 100 ms'
stop "$server"
is 'it ends well' "$rc" 0
if [ -n "${NOTIFY_SOCKET:-}" ]; then
	wait_for 10 grep -q STOPPING=1 notify.out
	is 'systemd is told' "$(tr '\n' ' ' <notify.out)" 'READY=1 STOPPING=1 '
else
	skip 1 'no python3'
fi

printf '%s' '{"format":"nexus-profile/1","model":"toy","device":"sim","latency":[{"batch":1,"mean_ms":10},{"batch":8,"mean_ms":80}]}' >toy.json
start log9 toy -p toy.json --slo 100ms --listen 127.0.0.1:0
server=$bg
like 'a profile decides the batch' log9 'toy: batch 5 in 50 ms'
stop "$server"
start log10 toy -p toy.json two --slo 100ms --listen 127.0.0.1:0
server=$bg
like 'two models: three turns within the SLO' log10 'toy: batch 3 in 30 ms'
stop "$server"

plan plan.json 7 a 10 400 4
start log5 -P plan.json --backend sim-0
server=$bg
is 'the address of a plan is a socket of the runtime folder' "$url" "unix:$NEXUS_RUNTIME_DIR/sim-0.sock"
curl -s -m 30 --unix-socket "$NEXUS_RUNTIME_DIR/sim-0.sock" -o body http://x/v2/models/a/infer --data-binary @in.json
is 'answers there' "$(jqr '.outputs[0].data[0]')" 2.5
status 69 'a second one on the same address' nexus-serve -P plan.json --backend sim-0 -d sim
stop "$server"
is 'it ends well' "$rc" 0
done_testing
