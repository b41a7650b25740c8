# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# nexus-serve on the CPU with a model that names the colour of a picture: JPEG and PNG by curl.
# shellcheck source=tests/lib/tap.sh
. "$NX_SRC/tests/lib/tap.sh"

[ -e "$NX_BIN/../lib/nexus/cpu.so" ] || skip_all 'no cpu plugin'
cat >make.py <<'END'
import io, json, struct, tarfile
from onnx import TensorProto, helper as h
from PIL import Image
# The mean of each colour channel: whichever is largest names the picture.
graph = h.make_graph(
    [h.make_node("GlobalAveragePool", ["image"], ["mean"]),
     h.make_node("Flatten", ["mean"], ["scores"], axis=1)],
    "color",
    [h.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])],
    [h.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3])])
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)])
model.ir_version = 7
data = model.SerializeToString()
open("plain.onnx", "wb").write(data)
manifest = {"format": "nexus-model/1", "model": "color", "file": "model.onnx", "labels": "labels.txt",
            "input": {"size": [8, 8], "resize": "stretch", "color": "RGB", "mean": [0, 0, 0], "scale": 0.01},
            "output": {"kind": "classes"}}
files = {"model.onnx": data, "manifest.json": json.dumps(manifest).encode(),
         "labels.txt": b"red\ngreen\nblue\n"}
with tarfile.open("color.tar.gz", "w:gz") as t:
    for name, d in files.items():
        info = tarfile.TarInfo(name)
        info.size = len(d)
        t.addfile(info, io.BytesIO(d))
for name, c in ("red", (250, 10, 20)), ("green", (5, 240, 30)), ("blue", (10, 20, 255)):
    Image.new("RGB", (64, 48), c).save(name + ".jpg")
    Image.new("RGB", (33, 17), c).save(name + ".png")
# Two pictures as a BYTES tensor behind a JSON header.
pics = b"".join(struct.pack("<I", len(p)) + p for p in
                (open("green.jpg", "rb").read(), open("blue.png", "rb").read()))
def request(name, shape, payload):
    head = json.dumps({"id": "x1", "inputs": [{"name": "image", "datatype": "BYTES", "shape": shape,
                       "parameters": {"binary_data_size": len(payload)}}]}).encode()
    open(name, "wb").write(head + payload)
    open(name + ".len", "w").write(str(len(head)))
request("two.bin", [2], pics)
request("cut.bin", [2], pics[:-100])
request("long.bin", [1], struct.pack("<I", 0xFFFFFFFF) + b"x")
END
/usr/bin/python3 make.py 2>err || skip_all 'no python3 with onnx and PIL'

background log nexus-serve color.tar.gz plain.onnx --slo 5s --listen 127.0.0.1:0
server=$bg
wait_for 30 grep -q 'listening on' log
url=$(sed -n 's/.*listening on //p' log)
grep -q 'no pictures' log && skip_all 'no media library'
ask() {
	a_path=$1
	shift
	code=$(curl -s -m 30 -o body -w '%{http_code}' "$@" "$url$a_path")
}

for c in red green blue; do
	ask /v2/models/color/infer -H 'Content-Type: image/jpeg' --data-binary @$c.jpg
	is "a $c JPEG" "$code $(jq -r '.classes[0].label' body) $(jq -c .outputs body)" "200 $c []"
done
ask /v2/models/color/infer -H 'Content-Type: image/png' --data-binary @red.png
is 'a PNG' "$(jq -r '.classes[0].label' body)" red
ask /v2/models/color/infer --data-binary @two.bin -H "Inference-Header-Content-Length: $(cat two.bin.len)"
is 'two pictures as BYTES' "$code $(jq -r '[.results[].classes[0].label]|join(" ")' body)" '200 green blue'
is 'and their tensors' "$(jq -c '.outputs[0].shape' body) $(jq -r .id body)" '[2,3] x1'
printf '{"inputs":[{"name":"image","datatype":"FP32","shape":[1,3,8,8],"data":%s}],"outputs":[{"name":"scores","parameters":{"classification":2}}]}' \
	"$(jq -nc '[range(192)|if . < 64 then 1 elif . < 128 then 3 else 2 end]')" >tensor.json
ask /v2/models/color/infer --data-binary @tensor.json
is 'tensors go too, classified with labels' "$(jq -c '.outputs[0].data' body)" \
	'["3.000000:1:green","2.000000:2:blue"]'
is 'without the members of pictures' "$(jq -c .classes body)" null

refuses() { # refuses STATUS REGEX DESCRIPTION PATH CURL-ARGUMENT…
	r_status=$1 r_regex=$2 r_desc=$3
	shift 3
	ask "$@"
	is "$r_desc" "$code" "$r_status"
	like 'and says why' body "$r_regex"
}
refuses 400 'error' 'a text as picture' /v2/models/color/infer -H 'Content-Type: image/jpeg' --data-binary @make.py
head -c 300 red.jpg >half.jpg
ask /v2/models/color/infer -H 'Content-Type: image/jpeg' --data-binary @half.jpg
true_that 'half a JPEG harms nobody' test "$code" = 400 -o "$code" = 200
refuses 400 'error' 'no bytes' /v2/models/color/infer -H 'Content-Type: image/jpeg' --data-binary ''
refuses 400 'not pictures' 'a picture for a bare model' /v2/models/plain/infer -H 'Content-Type: image/jpeg' \
	--data-binary @red.jpg
refuses 400 'error' 'a picture cut off' /v2/models/color/infer --data-binary @cut.bin \
	-H "Inference-Header-Content-Length: $(cat cut.bin.len)"
refuses 400 'error' 'an element that is too long' /v2/models/color/infer --data-binary @long.bin \
	-H "Inference-Header-Content-Length: $(cat long.bin.len)"
is 'undecodable pictures are failures' "$(curl -s "$url/nexus/v1/stats" |
	jq -c '.sessions[]|select(.session=="color")|.total.failed > 0')" true
status 65 'a damaged model' sh -c 'head -c 60 plain.onnx >bad.onnx; nexus-serve bad.onnx --slo 1s'
like 'is named' err 'bad\.onnx'
kill -TERM "$server"
wait "$server"
is 'it ends well' $? 0
done_testing
