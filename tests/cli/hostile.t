# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What comes from outside and means harm, or is broken: a message with the file and the place, the
# documented exit or HTTP status, no crash, no hang, no half-written file.
# shellcheck source=tests/lib/tap.sh
. "$NX_SRC/tests/lib/tap.sh"

icons=$NX_SRC/share/nexus/demo/models/icons
clip=$NX_SRC/share/nexus/demo/clip.mp4
[ -f "$icons/model.onnx" ] || skip_all "the demo's models are not there"
[ -f "$clip" ] || skip_all "the demo's clip is not there"
command -v python3 >/dev/null || skip_all "python3 is not there"

# refused STATUS DESCRIPTION REGEX COMMAND…: the status and the message; nothing on stdout.
refused() {
	r_status=$1 r_what=$2 r_regex=$3
	shift 3
	status "$r_status" "$r_what" timeout 20 "$@" && like "$r_what: says why" err "$r_regex"
	empty "$r_what: prints nothing" out
}

# ---- models ---------------------------------------------------------------------------------------

profile() { refused 65 "$1" "$2" nexus-profile -d sim -b 1 -o kept -f "$3"; }
echo precious >kept
size=$(wc -c <"$icons/model.onnx")
head -c $((size / 2)) "$icons/model.onnx" >half.onnx
head -c $((size - 1)) "$icons/model.onnx" >almost.onnx
echo '{"this": "is no model"}' >text.onnx
: >empty.onnx
profile 'half a model' 'half\.onnx: ' half.onnx
profile 'all of a model but a byte' 'almost\.onnx: ' almost.onnx
profile 'a text as a model' 'text\.onnx: ' text.onnx
profile 'an empty file as a model' 'empty\.onnx: ' empty.onnx

python3 - "$icons/model.onnx" <<'END'
import io, sys, tarfile, zipfile
model = open(sys.argv[1], 'rb').read()
def tar(name, members):
    with tarfile.open(name, 'w:gz') as t:
        for path, data, kind in members:
            i = tarfile.TarInfo(path)
            i.type = kind
            i.size = len(data) if kind == tarfile.REGTYPE else 0
            i.linkname = '/etc/passwd' if kind == tarfile.SYMTYPE else ''
            t.addfile(i, io.BytesIO(data))
tar('dots.tar.gz', [('../model.onnx', model, tarfile.REGTYPE)])
tar('root.tar.gz', [('/tmp/model.onnx', model, tarfile.REGTYPE)])
tar('link.tar.gz', [('model.onnx', b'', tarfile.SYMTYPE)])
tar('deep.tar.gz', [('model.onnx', model, tarfile.REGTYPE),
                    ('manifest.json', b'[' * 200000, tarfile.REGTYPE)])
whole = open('deep.tar.gz', 'rb').read()
open('cut.tar.gz', 'wb').write(whole[:len(whole) // 2])
with zipfile.ZipFile('bomb.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    with z.open('model.onnx', 'w', force_zip64=True) as f:
        for _ in range(128):
            f.write(bytes(1 << 20))
END
profile 'a bundle with ..' 'dots\.tar\.gz: .*leaves the bundle' dots.tar.gz
profile 'a bundle with an absolute name' 'root\.tar\.gz: .*leaves the bundle' root.tar.gz
profile 'a bundle with a link' 'link\.tar\.gz: .*link' link.tar.gz
profile 'a manifest of brackets' 'deep\.tar\.gz: .*manifest\.json.*deep' deep.tar.gz
profile 'half a bundle' 'cut\.tar\.gz: ' cut.tar.gz
profile 'a bomb' 'bomb\.zip: unpacks to more than .* too many for its size' bomb.zip
is 'the file that was there is untouched' "$(cat kept)" precious
refused 65 'a server of a bomb' 'bomb\.zip: ' nexus-serve -d sim --slo 50ms ./bomb.zip
refused 66 'a server of nothing' 'nosuch\.onnx' nexus-serve -d sim --slo 50ms ./nosuch.onnx

# ---- JSON -----------------------------------------------------------------------------------------

echo '{"format":"nexus-profile/1","model":"m","device":"d","latency":[{"batch":1,"mean_ms":1}]}' >p.json
plan() { refused "$1" "$2" "$3" nexus-plan -p p.json "$4" -o kept -f; }
head -c 200000 /dev/zero | tr '\0' '[' >deep.json
w='{"format":"nexus-workload/1","devices":[{"device":"d","count":COUNT}],"sessions":[{"session":"s","model":"m","slo_ms":SLO,"rate":1}],"queries":[]}'
workload() { echo "$w" | sed "s/COUNT/$1/; s/SLO/$2/" >"$3"; }
workload 1 1e400 huge.json
workload 1 NaN nan.json
workload '"one"' 100 kind.json
workload 1 -5 negative.json
printf '{"format":"nexus-workload/1",\n"sess' >cut.json
printf '\377\376\000' >binary.json
plan 65 'JSON of brackets' 'deep\.json:1:.*deep' deep.json
plan 65 'a number out of range' 'huge\.json:1: .*too large' huge.json
plan 65 'NaN' 'nan\.json:1:' nan.json
plan 65 'a wrong kind' 'kind\.json:1:.*count' kind.json
plan 65 'a negative time' 'negative\.json:1:.*slo_ms' negative.json
plan 65 'half an object' 'cut\.json:2: ' cut.json
plan 65 'binary JSON' 'binary\.json' binary.json
plan 66 'no workload' 'nosuch\.json' nosuch.json
is 'the file that was there is still untouched' "$(cat kept)" precious

# ---- a server -------------------------------------------------------------------------------------

mkdir models
tar -czf models/icons.tar.gz -C "$icons" model.onnx manifest.json labels.txt
background serve.log nexus-serve -d sim:alpha=0.1,beta=0.1 --slo 500ms --listen 127.0.0.1:0 models/icons.tar.gz
server=$bg
wait_for 20 grep -q 'listening on' serve.log
url=$(sed -n 's/.*listening on //p' serve.log)
port=${url##*:}
refused 69 'a port in use' "cannot listen on '127.0.0.1:$port': address already in use" \
	nexus-serve -d sim --slo 50ms --listen "127.0.0.1:$port" models/icons.tar.gz

raw() { is "$1" "$(timeout 20 python3 "$NX_SRC/tests/lib/raw.py" "$port" "$2" | cut -d' ' -f2)" "$3"; }
raw 'garbage' garbage 400
raw 'TLS to a plain port' tls 400
raw 'a header of 200 kB' header 431
raw '20000 headers' headers 431
raw 'a path of 200 kB' path 431
raw 'a body of 100 GB' length 413
raw 'a length that is no 64-bit number' overflow 400
raw 'a negative length' negative 400
raw 'two lengths' both 400
raw 'an endless chunk' chunk 400
raw 'no gzip' gzip 400
raw 'a NUL in a path' nul 400

# post DESCRIPTION STATUS REGEX: sends ./body to the model.
post() {
	is "$1" "$(curl -s -m 20 -o answer -w '%{http_code}' --data-binary @body "$url/v2/models/icons/infer")" "$2"
	like "$1: says why" answer "$3"
}
body() { printf '{"inputs":[{"name":"%s","datatype":"%s","shape":%s,"data":%s}]}' "$@" >body; }
input=$(curl -s "$url/v2/models/icons" | jq -r '.inputs[0].name')
{ printf '{"x":' && cat deep.json; } >body && post 'nesting' 400 deep
body "$input" FP32 '[1,3,32,32]' '[1e999]' && post 'an oversized number' 400 '"error"'
body "$input" FP32 '[99999999999999999999]' '[1]' && post 'an oversized shape' 400 shape
body "$input" FP32 '[4294967296,4294967296]' '[]' && post 'a shape that overflows' 400 '"error"'
body "$input" FP32 '[1,3,-32,-32]' '[]' && post 'a negative shape' 400 shape
body "$input" FP32 '[1,3,32,32]' '[NaN]' && post 'NaN' 400 '"error"'
body "$input" FP32 '[1,3,31,33]' "$(jq -nc '[range(3069) | 0]')" && post 'a wrong shape' 400 'shape'
body "$input" BYTES '[1]' '["no picture"]' && post 'a text as a picture' 400 '"error"'
head -c 70000000 /dev/zero >body
is 'a body of 70 MB' "$(curl -s -m 20 -o answer -w '%{http_code}' --data-binary @body "$url/v2/models/icons/infer")" 413
rm body
is 'an unknown model' "$(curl -s -m 20 -o answer -w '%{http_code}' -d '{}' "$url/v2/models/nosuch/infer")" 404

background slow.log python3 "$NX_SRC/tests/lib/raw.py" "$port" slow
wait_for 10 grep -q ready slow.log
is 'slow clients block nobody' "$(curl -s -m 5 -o answer -w '%{http_code}' "$url/v2/models/icons")" 200
kill "$bg"
true_that 'the server lives' curl -sf "$url/v2/health/ready"
kill "$server"
wait "$server"
is 'and ends well' $? 0

# ---- backends -------------------------------------------------------------------------------------

# backend MODE: ./MODE.sock
backend() {
	background "$1.log" python3 "$NX_SRC/tests/lib/backend.py" "$TAP_DIR/$1.sock" "$1"
	wait_for 10 grep -q ready "$1.log"
}
# route_plan MODE…: a plan of one session on those backends.
route_plan() {
	jq -nc --arg dir "$TAP_DIR" '$ARGS.positional as $b | {format: "nexus-plan/1", epoch: 1,
		backends: [$b[] | {backend: ., device: "sim", address: "unix:\($dir)/\(.).sock", duty_cycle_ms: 10,
			sessions: [{session: "s", model: "icons", slo_ms: 300, rate: 1, batch: 1, exec_ms: 1}]}],
		routes: [{session: "s", to: [$b[] | {backend: ., rate: 1}]}], queries: []}' --args "$@" >plan.json
}
# route OPTION…: a router on ./route.sock; the process in $router.
route() {
	background route.log nexus-route -P plan.json --listen "unix:$TAP_DIR/route.sock" "$@"
	router=$bg
	wait_for 20 curl -sf --unix-socket route.sock http://x/v2/health/ready
}
ask() { curl -s -m 20 --unix-socket route.sock "$@"; }
for mode in silent text cut wrong refuse; do
	backend $mode
	route_plan $mode
	status 1 "a filter at a backend that is '$mode'" timeout 20 nexus-route -P plan.json --session s \
		--frames 2 --models models "$clip"
	is "'$mode': every frame has its event" "$(jq -c '[.frame, .outcome]' out | sort -u | wc -l)" 2
done
like 'a refusal is quoted' err "answered with status 400: this is not for me"
route_plan gone
nexus-route -P plan.json --session s --frames 1 --models models "$clip" >out 2>err
like 'a backend that is not there is named as in the plan' err "cannot connect to 'unix:$TAP_DIR/gone.sock'"

# shellcheck disable=SC2317 # called by wait_for
has_one() { ask http://x/nexus/v1/stats | jq -e '.sessions[0].total.received == 1'; }
route_plan silent
route --drain-timeout 200ms
ask -d '{}' http://x/v2/models/s/infer >late &
waiting=$!
wait_for 10 has_one
kill "$router"
wait "$router"
is 'a backend that never answers does not keep the router from ending' $? 0
wait $waiting
is 'its client is told' "$(jq -r .reason late)" backend

backend drain
route_plan drain gone
sed -i 's/gone\.sock/good.sock/' plan.json
background good.log nexus-serve -P plan.json --backend gone -d sim:alpha=0.1,beta=0.1 --models models
good=$bg
wait_for 20 grep -q 'listening on' good.log
route
jq -nc --arg n "$input" '{inputs: [{name: $n, datatype: "FP32", shape: [1,3,32,32], data: [range(3072) | 0]}]}' >zeros
is 'requests to a backend that drains go to another one' \
	"$(for _ in 1 2 3 4; do ask -o answer -w '%{http_code} ' -d @zeros http://x/v2/models/s/infer; done)" '200 200 200 200 '

# The router takes no part in this: stages b and c ask for what their programs say.
select_plan() {
	jq -c --arg b "$1" --arg c "$2" '.backends |= map(select(.backend == "gone") | .sessions[0].slo_ms = 5000
			| .sessions[0].batch = 16)
		| .routes[0].to = [{backend: "gone", rate: 1}]
		| .queries = [{query: "q", slo_ms: 15000, rate: 1, stages: [
			{stage: "a", session: "s", slo_ms: 5000},
			{stage: "b", session: "s", slo_ms: 5000, after: "a", select: $b},
			{stage: "c", session: "s", slo_ms: 5000, after: "b", select: $c}]}]' plan.json >select.json
	kill "$bg" && wait "$bg"
	background good.log nexus-serve -P select.json --backend gone -d sim:alpha=0.01,beta=0.1 --models models
	wait_for 20 grep -q 'listening on' good.log
}
# shellcheck disable=SC2317 # called by status
filter_query() { timeout 30 nexus-route -P select.json --query q --frames 1 --models models "$clip"; }
kill "$router" && wait "$router"
bg=$good
select_plan 'range(50) | {box: [., 0, . + 20, 20]}' 'range(60) | {box: [0, ., 20, . + 20]}'
status 0 'three stages and 3051 requests of a frame' filter_query
is 'have as many events' "$(jq -s 'map(.id) == [range(3051)]' out)" true
select_plan 'range(90) | {box: [., 0, . + 20, 20]}' 'range(90) | {box: [0, ., 20, . + 20]}'
status 1 'more than a frame may ask for' filter_query
is 'is said once' "$(grep -c 'more than 4096 requests for one frame' err)" 1
select_plan '{box: "none"}' '{}'
status 1 'a select that makes no box' filter_query
like 'is named' err "stage 'b': select: box must be"

# ---- videos ---------------------------------------------------------------------------------------

video() { refused "$1" "$2" "$3" nexus-route -q -P plan.json --session s --frames 1 --models models "$4"; }
echo 'no video' >text.mp4
head -c 3000 "$clip" >cut.mp4
: >empty.png
mkdir none
video 65 'a text as a video' 'text\.mp4' text.mp4
video 65 'the head of a video' 'cut\.mp4' cut.mp4
video 65 'an empty picture' 'empty\.png' empty.png
video 66 'a missing video' 'nosuch\.mp4' nosuch.mp4
video 66 'a folder without pictures' "'none'" none

done_testing
