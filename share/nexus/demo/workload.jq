# SPDX-License-Identifier: Apache-2.0
# The demo's workload, made for the device type $device: one stream of 25 frames a second whose
# overlay is read (a query), and two services beside it that share the device and have SLOs of
# their own.  Backends listen in the folder $dir, or if that is empty where they do by default.
def digits($game): {
    stage: $game, model: ("digits-" + $game), after: "scene",
    select: ("select(.classes[0].label == \"" + $game + "\") | .detections[]"
        + " | select(.label | startswith(\"" + $game + "/\") and (endswith(\"/icon\") | not))")
};
{
    format: "nexus-workload/1",
    devices: [ { device: $device }
        + if $dir == "" then {} else { addresses: [ range(8) | "unix:\($dir)/cpu-\(.).sock" ] } end ],
    sessions: [
        { session: "score-check", model: "digits-racer", slo_ms: 80, rate: 20 },
        { session: "inventory", model: "icons", slo_ms: 150, rate: 10 }
    ],
    queries: [ {
        query: "overlay", slo_ms: 400, rate: 25,
        stages: [
            { stage: "scene", model: "scene" },
            (digits("racer") + { gamma: 3 }),
            (digits("shooter") + { gamma: 3 }),
            (digits("puzzle") + { gamma: 3 }),
            { stage: "icon", model: "icons", after: "scene", gamma: 1,
              select: ".classes[0].label as $game | .detections[] | select(.label == $game + \"/icon\")" }
        ]
    } ]
}
