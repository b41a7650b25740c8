#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Video as a Unix filter: what a query sees, one line a frame, made readable by jq.
#
#	examples/video-filter.sh PLAN QUERY VIDEO        (the plan's backends must be running)
set -eu
plan=${1:?a plan} query=${2:?a query of the plan} video=${3:?a video}

nexus-route -P "$plan" --query "$query" "$video" |
	jq -r 'select(.outcome == "in_slo" and .classes)
		| [.frame, .stage, .classes[0].label, (.classes[0].score * 100 | floor | tostring + "%")] | @tsv'
