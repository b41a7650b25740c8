# SPDX-License-Identifier: Apache-2.0
# The main job as `make demo` runs it, at the video's own pace.
. "$NX_SRC/tests/lib/tap.sh"
[ -z "${NX_SAN:-}" ] || skip_all "the demo keeps real time; sanitizers do not"

status 0 "read-overlay.sh" sh "$NX_SRC/examples/read-overlay.sh" demo
like "prints the accuracy" out '^  digits +[0-9]+ of [0-9]+ read are right: (98|99|100)(\.[0-9]+)? %'
like "prints devices and bound" out '^  devices  1, lower bound 0\.[0-9]+'
like "prints goodput" out '^  goodput  [0-9.]+/s in SLO, [0-9.]+ % of what was offered$'
report_is() { jq -e "$1" demo/report.json >/dev/null; }
true_that "over 2000 readings were drawn" report_is '.readings.drawn > 2000'
true_that "and nearly all are read" report_is '.readings.answered > 0.9'
true_that "mistakes are listed one by one" test \
	"$(wc -l <demo/mistakes.tsv)" = "$(jq '.mistakes | length' demo/report.json)"
true_that "three sessions of different SLOs share a device, one a stage of a query" jq -e '
	.backends[0].sessions | ([.[].slo_ms] | unique | length) >= 3 and any(.[].session; contains("/"))' demo/plan.json
for f in profiles.json workload.json plan.json events.jsonl stats.jsonl bench.json; do
	true_that "it leaves $f" test -s demo/$f
done
is "no server is left" "$(pgrep -f "$TAP_DIR/demo" | head -n 1)" ""

done_testing
