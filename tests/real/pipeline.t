# SPDX-License-Identifier: Apache-2.0
# Profile, plan, serve, route and bench on real detectors and classifiers, over real pictures and
# videos; what they find is compared with what is known to be there.
. "$NX_SRC/tests/lib/tap.sh"
. "$NX_SRC/tests/real/models.sh"
images=$NEXUS_TEST_DATA/images video=$NEXUS_TEST_DATA/video

# route ARGUMENT…: events of the sources in ./out, what it says in ./err, frames a second in $fps.
route() {
	start=$(date +%s.%N)
	nexus-route -P plan.json --models bundles "$@" >out 2>err
	route_status=$?
	fps=$(echo "$start $(date +%s.%N) $(jq -n '[inputs | select(.parent == null)] | length' out)" |
		awk '{ printf "%.1f", $3 / ($2 - $1) }')
	return $route_status
}

# between DESCRIPTION NUMBER LOW HIGH
between() {
	awk -v x="${2:-nan}" -v low="$3" -v high="$4" 'BEGIN { exit !(x + 0 == x && x >= low && x <= high) }'
	between_rc=$?
	report $between_rc "$1"
	[ $between_rc = 0 ] || echo "# got $2, wanted $3 to $4"
}

# seen PICTURE LABEL SCORE: how many of them ./FILE of events has in the picture.
seen() {
	jq -s --arg p "/$2" --arg l "$3" --argjson s "$4" \
		'[.[] | select(.source | endswith($p)) | .detections[] | select(.label == $l and .score >= $s)] | length' "$1"
}

# ---- profile, plan, serve, route ----
true_that "bundles are made" real_bundles
status 0 "nexus-profile measures them" nexus-profile -q -d cpu -b 1,2,4,8 --time-cap 400ms bundles/*.tar.gz
cp out profiles.json
jq -r '"# \(.model): loads in \(.load_ms | round) ms; ms a batch: "
	+ ([.latency[] | "\(.batch): \(.mean_ms * 100 | round / 100)"] | join(", "))' profiles.json
jq -n --arg device "$(jq -rs '.[0].device' profiles.json)" --arg dir "$TAP_DIR" \
	-f "$NX_SRC/tests/real/workload.jq" >workload.json
status 0 "nexus-plan finds room for all" nexus-plan -p profiles.json workload.json -o plan.json
sed 's/^/# /' err
jq -r '.backends[] | "# \(.backend): duty cycle \(.duty_cycle_ms | round) ms, occupancy \(.occupancy * 100 | round) %"' plan.json
for backend in $(jq -r '.backends[].backend' plan.json); do
	background "$backend.log" nexus-serve -P plan.json --backend "$backend" -d cpu --models bundles
done
true_that "the first backend is ready" real_ready "$(jq -r '.backends[0].address | ltrimstr("unix:")' plan.json)"
background route.log nexus-route -P plan.json --listen "unix:$TAP_DIR/route.sock" --stats-out stats.jsonl
router=$bg
true_that "and so is a router in front of all" real_ready route.sock

# ---- pictures ----
true_that "faces in all pictures" route --session faces "$images"
cp out faces
echo "# faces: $fps pictures/s"
is "all in their SLO" "$(jq -r .outcome faces | sort | uniq -c | tr -s ' ')" " $(find "$images" -type f | wc -l) in_slo"
for want in faces-2=4 faces-13=2 goldfish=0 banana_0=0 bird_0=0 polar_bear=0 strawberry_0=0; do
	is "faces in ${want%=*}" "$(seen faces "${want%=*}.jpg" face 0.7)" "${want#*=}"
done
between "about fifty faces in faces-1" "$(seen faces faces-1.jpg face 0.7)" 40 56

true_that "objects in all pictures" route --session objects "$images"
cp out objects
echo "# objects: $fps pictures/s"
for want in peds_0=4=person=.5 peds_0=3=car=.35 dog_0=1=dog=.5 dog_0=1=person=.5 banana_0=1=banana=.5 \
	road-test1=2=car=.5 cat_1=1=cat=.5 bird_0=1=bird=.5 horse_0=1=horse=.5 black_bear=1=bear=.5 \
	polar_bear=1=bear=.5 orange_0=1=orange=.5 airplane_0=1=airplane=.5 faces-2=4=person=.5; do
	# shellcheck disable=SC2086
	(IFS='=' && printf '%s ' $want) >want
	read -r picture number label score <want
	is "$label in $picture" "$(seen objects "$picture.jpg" "$label" "$score")" "$number"
done
is "boxes are inside the picture (1920 x 1080)" "$(jq -c 'select(.source | endswith("/peds_0.jpg"))
	| all(.detections[].box; .[0] >= 0 and .[1] >= 0 and .[2] <= 1920 and .[3] <= 1080 and .[0] < .[2] and .[1] < .[3])' objects)" true

true_that "persons in all pictures" route --session persons "$images"
cp out persons
for want in peds_0=4 humans_0=2 banana_0=0 bird_0=0 road-test1=0; do
	is "persons in ${want%=*}" "$(seen persons "${want%=*}.jpg" person 0.4)" "${want#*=}"
done

# Of the pictures whose name says what is in them, how many have it as the first class.
cat >truth.json <<'EOF'
{ "banana_0": "banana", "black_bear": "American black bear", "cat_1": "tabby|tiger cat|Egyptian cat",
  "goldfish": "goldfish", "horse_0": "sorrel", "orange_0": "orange", "polar_bear": "ice bear", "strawberry_0": "strawberry" }
EOF
right() {
	jq -s --slurpfile truth truth.json '[.[] | (.source | sub(".*/"; "") | sub("\\.jpg$"; "")) as $p
		| select($truth[0][$p] and (.classes[0].label | test("^(" + $truth[0][$p] + ")$")))] | length' "$1"
}
for want in things=7 things-half=7 things-fast=6; do
	true_that "${want%=*} in all pictures" route --session "${want%=*}" "$images"
	echo "# ${want%=*}: $(right out) of 8 right, $fps pictures/s"
	between "${want%=*}: at least ${want#*=} of 8 are right" "$(right out)" "${want#*=}" 8
done
true_that "digits" route --session digits "$images"/digit-*.jpg
is "all read right" "$(jq -c '[(.source | sub(".*digit-"; "") | sub("\\.jpg"; "")), .classes[0].index] | join("=")' out | tr '\n' ' ')" \
	'"0=0" "3=3" "5=5" "7=7" '

# ---- queries over pictures ----
true_that "moods of the faces of faces-2" route --query moods "$images/faces-2.jpg"
is "four faces, four happy ones" "$(jq -rs '[.[] | select(.stage == "mood") | .classes[0].label] | join(" ")' out)" "happy happy happy happy"
true_that "faces of the persons of faces-2 and faces-13" route --query street "$images/faces-2.jpg" "$images/faces-13.jpg"
is "each person has a face" "$(jq -s '[.[] | select(.stage == "face") | (.detections | length) > 0] | [length, all]' -c out)" "[6,true]"
is "whose middle is in the upper half of the person's box" "$(jq -s '[.[] | select(.stage == "face") | .box as [$x0, $y0, $x1, $y1]
	| .detections[0].box | ((.[0] + .[2]) / 2) as $x | ((.[1] + .[3]) / 2) as $y
	| $x > $x0 and $x < $x1 and $y > $y0 and $y < ($y0 + $y1) / 2] | all' out)" true
ask() { curl -s --unix-socket route.sock "$@"; }
is "curl alone sends a JPEG and reads the answer" "$(ask -H 'Content-Type: image/jpeg' --data-binary "@$images/faces-2.jpg" \
	http://nexus/v2/models/faces/infer | jq '.detections | length')" 4

# ---- videos ----
# a_frame SESSION LABEL VIDEO EVERY LOW HIGH: the mean number of them, over at most 40 frames.
a_frame() {
	route --session "$1" --every "$4" --frames 40 "$video/$3"
	is "$3: ends well, all frames in their SLO" "$? $(jq -r .outcome out | sort -u)" "0 in_slo"
	mean=$(jq -s --arg l "$2" '([.[].detections[] | select(.label == $l and .score >= 0.35)] | length) / length * 100 | round / 100' out)
	echo "# $3: $mean of '$2' a frame in $(wc -l <out), $fps frames/s"
	between "$3: $2 a frame" "$mean" "$5" "$6"
}
a_frame objects car street-vehicles.mp4 20 4.5 8
a_frame objects person street-crowd.mp4 10 12 20
a_frame objects car highway-dashcam.mp4 6 2 4
# They are seen from above there, which no such detector knows.
a_frame objects car car-detection.mp4 18 0 0.2
a_frame objects bottle bottle-detection.mp4 28 2 3
a_frame objects person one-by-one-person.mp4 34 0.6 0.9
between "a person in three quarters of its frames" \
	"$(jq -s '[.[] | any(.detections[]; .label == "person" and .score >= 0.35)] | map(if . then 1 else 0 end) | add / length' out)" 0.6 0.9
a_frame faces face asl-book.mkv 3 0.9 1.1
is "frame times rise" "$(jq -s '[.[].time_ms] | . == (sort | unique)' out)" true
nexus-route -q -P plan.json --models bundles --session faces --frames 5 - <"$video/asl-book.mkv" | jq '.detections | length' >out
is "the same from a pipe" "$(tr '\n' ' ' <out)" "1 1 1 1 1 "
for f in "$video"/*; do
	true_that "two frames of $(basename "$f")" route --session faces --frames 2 "$f"
done

true_that "faces of the persons in a crowd" route --query street --in-flight 2 --every 15 --frames 15 "$video/street-crowd.mp4"
is "a child for each person" "$(jq -s -c '[.[] | select(.stage == "detect") | .detections[] | select(.label == "person")] | length' out)" \
	"$(jq -s '[.[] | select(.stage == "face")] | length' out)"
is "events are in frame order" "$(jq .frame out | sort -nc 2>&1)" ""
is "nothing failed" "$(jq -r 'select(.outcome == "failed")' out)" ""
echo "# street-crowd, two stages: $fps frames/s; outcomes: $(jq -r '"\(.stage) \(.outcome)"' out | sort | uniq -c | tr -s ' \n' ' ')"

# ---- load ----
status 0 "nexus-bench loads the router with frames of a street" nexus-bench --url "unix:$TAP_DIR/route.sock" -P plan.json \
	--models bundles --input "$video/street-crowd.mp4" --duration 8s --arrivals poisson --seed 1 workload.json
cp out bench.json
is "nothing failed" "$(jq '[.sessions[].failed] | add' bench.json)" 0
is "each session was asked" "$(jq '[.sessions[].received > 0] | all' bench.json)" true
jq -r '"# \(.offered.arrivals) arrivals at \(.offered.rate * 10 | round / 10)/s, goodput \(.goodput * 10 | round / 10)/s, in SLO \(.in_slo_fraction * 1000 | round / 10) %",
	(.sessions[] | "# \(.session): p50 \(.latency_ms.p50 | round) ms, p99 \(.latency_ms.p99 | round) ms")' bench.json
kill "$router"
wait "$router"
is "SIGTERM drains and exits 0" $? 0
is "the router counted what became of each request" \
	"$(tail -n 1 stats.jsonl | jq -c '[.sessions[].total | .received > 0 and .received == .in_slo + .late + .dropped + .rejected + .failed] | all')" true
done_testing
