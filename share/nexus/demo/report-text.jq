# SPDX-License-Identifier: Apache-2.0
# The report for people.
def percent: . * 10000 | round / 100 | tostring + " %";

"",
"Overlay of \(.frames) frames",
"  digits   \(.readings.right) of \(.readings.read) read are right: \(.readings.accuracy | percent)   (\(.readings.drawn) drawn, \(.readings.answered | percent) answered in time)",
"  icons    \(.icons.right) of \(.icons.read): \(.icons.accuracy | percent)",
"  scenes   \(.scenes.right) of \(.scenes.read): \(.scenes.accuracy | percent)",
"  results  \(.events | to_entries | map("\(.value) \(.key)") | join(", "))",
"Plan",
"  devices  \(.plan.devices), lower bound \(.plan.lower_bound * 1000 | round / 1000), gap \(if .plan.gap == 0 then "0 (optimal)" else (.plan.gap | percent) end); sessions a device: \(.plan.shared | to_entries | map("\(.key) \(.value)") | join(", "))",
"Load (Poisson, \(.bench.offered.rate | . * 10 | round / 10)/s for \(.bench.offered.duration_ms / 1000) s)",
"  goodput  \(.bench.goodput | . * 10 | round / 10)/s in SLO, \(.bench.in_slo_fraction | percent) of what was offered",
""
