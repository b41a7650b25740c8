#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a model to a served one: profile it, plan for a rate and an SLO, serve the plan, ask once.
#
#	examples/profile-plan-serve.sh MODEL PICTURE
set -eu
model=${1:?a model: ONNX file or bundle} picture=${2:?a picture}
name=$(basename "$model")
name=${name%%.*}
dir=$(mktemp -d)
trap 'kill $serve 2>/dev/null; wait; rm -rf "$dir"' EXIT
serve=

nexus-profile -d cpu -b 1,2,4,8 --time-cap 1s "$model" >"$dir/profiles.json"

cat >"$dir/workload.json" <<EOF
{ "format": "nexus-workload/1",
  "devices": [ { "device": $(jq .device "$dir/profiles.json"), "addresses": ["unix:$dir/cpu-0.sock"] } ],
  "sessions": [ { "session": "$name", "model": "$name", "slo_ms": 100, "rate": 20 } ] }
EOF
nexus-plan -p "$dir/profiles.json" "$dir/workload.json" -o "$dir/plan.json"

backend=$(jq -r '.backends[0].backend' "$dir/plan.json")
nexus-serve -P "$dir/plan.json" --backend "$backend" -d cpu --models "$(dirname "$model")" &
serve=$!
until curl -sf --unix-socket "$dir/cpu-0.sock" http://localhost/v2/health/ready >/dev/null; do sleep 0.1; done

curl -s --unix-socket "$dir/cpu-0.sock" -H 'Content-Type: image/*' --data-binary "@$picture" \
	"http://localhost/v2/models/$name/infer" | jq -c '.classes // .detections // .outputs'
