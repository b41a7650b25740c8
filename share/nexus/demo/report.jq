# SPDX-License-Identifier: Apache-2.0
# Joins what was read with what was drawn.  $truth, $events, $plan, $bench: the files, slurped.
def share($a; $b): if $b == 0 then 0 else $a / $b end;

($events | map(select(.classes)) | map({
    key: (if .of then "\(.frame) \(.of)" else "\(.frame) scene" end),
    value: .classes[0].label }) | from_entries) as $read
| [ $truth[] | .frame as $f
    | { frame: $f, region: "scene", drawn: .game },
      { frame: $f, region: (.game + "/icon"), drawn: .icon },
      (.readings[] | { frame: $f, region: .region, drawn: .label }) ]
| map(. + { read: $read["\(.frame) \(.region)"] }) as $all
| ($all | map(select(.region != "scene" and (.region | endswith("/icon") | not)))) as $digits
| ($all | map(select(.region | endswith("/icon")))) as $icons
| ($all | map(select(.region == "scene"))) as $scenes
| def sum($list): { drawn: ($list | length), read: ($list | map(select(.read)) | length),
      right: ($list | map(select(.read == .drawn)) | length) };
  {
    readings: (sum($digits) | . + { accuracy: share(.right; .read), answered: share(.read; .drawn) }),
    icons: (sum($icons) | . + { accuracy: share(.right; .read) }),
    scenes: (sum($scenes) | . + { accuracy: share(.right; .read) }),
    frames: ($events | map(select(.parent == null)) | length),
    events: ($events | group_by(.outcome) | map({ key: .[0].outcome, value: length }) | from_entries),
    plan: ($plan[0].summary + { shared: ($plan[0].backends | map({ key: .backend, value: (.sessions | length) }) | from_entries) }),
    bench: ($bench[0] | { offered, goodput, in_slo_fraction }),
    mistakes: ($all | map(select(.read and .read != .drawn)))
  }
