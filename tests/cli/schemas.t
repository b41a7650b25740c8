#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The examples of nexus-formats(5) keep to the shipped JSON Schemas, and what breaks a rule does not.
. "$NX_SRC/tests/lib/tap.sh"

schemas=$NX_SRC/share/nexus/schemas
validate() {
	/usr/bin/python3 "$NX_SRC/tests/lib/validate.py" "$schemas" "$@"
}

/usr/bin/python3 -c 'import jsonschema; jsonschema.Draft202012Validator' 2>/dev/null ||
	skip_all "python3-jsonschema with draft 2020-12 is not installed"
command -v jq >/dev/null || skip_all "jq is not installed"

true_that "examples are taken from the man page" validate man "$NX_SRC/man/nexus-formats.5" .
for kind in profile workload plan stats bench event model; do
	true_that "the example of nexus-$kind/1 is valid" validate "$kind" "$kind.json"
done

# wrong KIND FILTER: the example, broken by a jq program, is refused.
wrong() {
	jq "$2" "$1.json" >wrong.json
	status 1 "nexus-$1/1 is refused after $2" validate "$1" wrong.json
}

for kind in profile workload plan stats bench event model; do
	wrong $kind 'del(.format)'
	wrong $kind '.format = "nexus-other/1"'
done
wrong profile '.latency = []'
wrong profile '.latency[0].batch = 0'
wrong profile 'del(.latency[1].mean_ms)'
wrong profile '.prefix[0].latency[0].mean_ms = -1'
wrong workload '.sessions[0].slo_ms = 0'
wrong workload '.sessions[0].rate = -1'
wrong workload '.queries[0].stages = []'
wrong workload '.queries[0].stages[1].stage = "a/b"'
wrong plan '.backends[0].sessions[0].batch = 1.5'
wrong plan '.backends[0].backend = "../x"'
wrong plan '.summary.unserved[0].query = "q"'
wrong plan 'del(.routes)'
wrong stats '.sessions[0].received = -1'
wrong stats '.sessions[0].batches = {"x": 1}'
wrong bench '.in_slo_fraction = 1.1'
wrong event '.outcome = "lost"'
wrong event '.detections[0].box = [1, 2, 3]'
wrong model '.input.resize = "zoom"'

true_that "unknown keys are left alone" sh -c '
	jq ".more = 1 | .sessions[0].more = 1" workload.json >more.json'
true_that "and the result is valid" validate workload more.json

done_testing
