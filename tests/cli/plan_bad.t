#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# nexus-plan on bad input: a clear verdict for each, 65 for what is malformed or contradicts
# itself, 1 with a plan for the rest for what cannot be met.
. "$NX_SRC/tests/lib/tap.sh"
export SOURCE_DATE_EPOCH=1767225600 PYTHONDONTWRITEBYTECODE=1

# point_profile MODEL LATENCY [MORE]: one line of profiles.json
point_profile() {
	echo "{\"format\":\"nexus-profile/1\",\"model\":\"$1\",\"device\":\"d\",\"latency\":[$2]${3:+,$3}}"
}
good='{"batch":1,"mean_ms":6.2},{"batch":64,"mean_ms":69.2}'
{
	point_profile m "$good"
	point_profile big "$good" '"memory":{"weights_bytes":900,"activations_bytes":200}'
	point_profile small "$good" '"memory":{"weights_bytes":300,"activations_bytes":1}'
	point_profile nob1 '{"batch":4,"mean_ms":10},{"batch":16,"mean_ms":20}'
	point_profile gaps '{"batch":1,"mean_ms":5},{"batch":64,"mean_ms":30}' '"interpolate":false'
} >profiles.json
cp profiles.json usual.json
: >messages

# verdict WANT DESCRIPTION: plans workload.json, keeps the messages, and checks any plan.
verdict() {
	status "$1" "$2" nexus-plan -p profiles.json workload.json
	{ echo "== $2" && cat err; } >>messages
	[ "$1" = 65 ] && empty "$2: no plan" out
	[ "$1" = 65 ] || true_that "$2: the plan keeps its promises" \
		python3 "$NX_SRC/tests/lib/check_plan.py" out workload.json profiles.json
}
session() { echo "{\"session\":\"$1\",\"model\":\"$2\",\"slo_ms\":$3,\"rate\":$4}"; }
sessions() { echo "{\"format\":\"nexus-workload/1\",${2:+$2,}\"sessions\":[$1]}" >workload.json; }
query() { echo "{\"format\":\"nexus-workload/1\",\"queries\":[{\"query\":\"q\",\"slo_ms\":$1,\"rate\":10,\"stages\":[$2]}]}" >workload.json; }
fine=$(session fine m 100 10)

sessions "$fine,$(session s m 10 5)" && verdict 1 'slo under 2 l(1)'
sessions "$fine,$(session s m 100 0)" && verdict 0 'rate 0'
sessions "$(session s nob1 100 1)" && verdict 0 'profile without b = 1'
sessions "$(session s nob1 19 1)" && verdict 1 'profile without b = 1, short slo'
sessions "$(session s gaps 100 70)" && verdict 0 'profile with gaps'
point_profile falls '{"batch":1,"mean_ms":9},{"batch":8,"mean_ms":5},{"batch":16,"mean_ms":30}' \
	>profiles.json
sessions "$(session s falls 60 300)" && verdict 0 'profile that falls'
cp usual.json profiles.json
sessions "$(session s gaps 60 $((3 * 64 * 1000 / 30)))" && verdict 0 'three times the throughput'
is 'takes three devices' "$(jq .summary.devices out)" 3
sessions "$fine,$fine" && verdict 65 'a session twice'
sessions "$(session a big 100 1),$(session b small 100 1)" \
	'"devices":[{"device":"d","memory_bytes":1200}]' && verdict 0 'memory that forbids sharing'
is 'takes two devices' "$(jq .summary.devices out)" 2
sessions "$(session a big 100 1),$fine" '"devices":[{"device":"d","memory_bytes":1000}]' &&
	verdict 1 'memory too small for a model'
sessions "$(session a m 13 400),$fine" '"devices":[{"device":"d","count":2}]' &&
	verdict 1 'too few devices'
sessions "$fine" '"devices":[{"device":"d","count":0}]' && verdict 1 'no device'
sessions "$(session a mm 100 1),$(session b xyz 100 1)" && verdict 65 'unknown models'
sessions "$fine" '"devices":[{"device":"d"},{"device":"e"}]' && verdict 65 'a device type without a profile'
sessions "$(session a m -5 1),$(session b m 0 -1)" && verdict 65 'negative figures, all at once'
sessions "$(session a m nan 1)" && verdict 65 'nan'
sessions "$(session a m 1e999 1)" && verdict 65 'a number too large'
sessions "$(session a m 100 1e300)" && verdict 65 'a rate without bounds'
sessions "$(session a m 100 1e12)" && verdict 1 'a rate for more devices than there are'
sessions "$(session a m 1e-9 1)" && verdict 1 'a tiny slo'
sessions '' && verdict 0 'nothing to serve'
echo '{"format":"nexus-workload/2"}' >workload.json && verdict 65 'unknown version'
echo '{"format":"nexus-workload/1","sessions":[' >workload.json && verdict 65 'truncated'
: >workload.json && verdict 65 'empty'

two='{"stage":"a","model":"m"},{"stage":"b","model":"m","after":"a"'
query 100 "$two,\"gamma\":0}" && verdict 0 'gamma 0'
query 100 "$two,\"gamma\":-1}" && verdict 65 'negative gamma'
query 24 "$two}" && verdict 1 'query slo under the sum of 2 l(1)'
query 24.8 "$two}" && verdict 0 'query slo at the sum of 2 l(1)'
query 100 '{"stage":"a","model":"m","after":"b"},{"stage":"b","model":"m","after":"a"}' &&
	verdict 65 'a cycle'
query 100 '{"stage":"a","model":"m"},{"stage":"b","model":"m"}' && verdict 65 'two roots'
query 100 '{"stage":"a","model":"m"},{"stage":"b","model":"vgg","after":"a"}' &&
	verdict 65 'unknown model of a stage'

# In a stream of objects on many lines, the line of the member and its place in its own object.
{
	jq -n '{format: "nexus-workload/1", sessions: [{session: "a", model: "m", slo_ms: 99, rate: 1}]}'
	jq '.sessions = [{session: "b", model: "n", slo_ms: 99, rate: 1}] |
		.queries[0].stages[1].model = "vgg" | .devices = [{device: "e"}]' workload.json
} >stream.json && mv stream.json workload.json
verdict 65 'names that are not known, in a stream'
sessions "$fine$(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	printf ',%s' "$(session "s$i" "$(printf 'a-model-of-a-long-name-%s-%050d' "$i" 0)" 99 1)"
done)" && verdict 65 'many unknown models are named'

sessions "$fine"
point_profile m '' >profiles.json && verdict 65 'empty profile'
point_profile m '{"batch":0,"mean_ms":-1}' >profiles.json && verdict 65 'bad profile'
: >profiles.json && verdict 65 'no profile'
golden 'the messages' messages plan/bad-messages.txt
done_testing
