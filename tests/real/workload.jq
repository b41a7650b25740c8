# SPDX-License-Identifier: Apache-2.0
# What the real models are asked for, on the device type $device with the sockets in $dir: a query
# over streets (objects, then a face in each person), a query over faces (then a mood for each, in
# a box 15 % larger, as that network was trained), and single models.  The SLOs are wide: the
# machine may be busy, and what is tested is what comes out.
def session($name; $model; $rate): { session: $name, model: $model, slo_ms: 3000, rate: $rate };
{
    format: "nexus-workload/1",
    devices: [ { device: $device, addresses: [ range(4) | "unix:\($dir)/cpu-\(.).sock" ] } ],
    sessions: [
        session("faces"; "face-rfb-320"; 5),
        session("objects"; "det-yolox-nano-416"; 2),
        session("persons"; "det-light-person"; 2),
        session("digits"; "mnist-cntk"; 20),
        session("things"; "conv-squeezenet-fp32"; 2),
        session("things-half"; "squeezenet-fp16-winml"; 2),
        session("things-fast"; "conv-mobilenet-v1-0.25-224"; 5)
    ],
    queries: [
        { query: "street", slo_ms: 6000, rate: 1, stages: [
            { stage: "detect", model: "det-yolox-nano-416" },
            { stage: "face", model: "face-rfb-320", after: "detect", gamma: 15,
              select: ".detections[] | select(.label == \"person\")" } ] },
        { query: "moods", slo_ms: 4000, rate: 2, stages: [
            { stage: "face", model: "face-rfb-320" },
            { stage: "mood", model: "conv-emotion-mini-xception", after: "face", gamma: 3,
              select: ".detections[] | .box |= ([.[2] - .[0], .[3] - .[1]] as [$w, $h]
                | [.[0] - $w * 0.075, .[1] - $h * 0.075, .[2] + $w * 0.075, .[3] + $h * 0.075])" } ] }
    ]
}
