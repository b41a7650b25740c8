# SPDX-License-Identifier: Apache-2.0
# Networks whose answers were stored or are known: the ONNX project's light models, a
# segmentation network on pictures, and one that must be refused.
. "$NX_SRC/tests/lib/tap.sh"
. "$NX_SRC/tests/real/models.sh"
images=$NEXUS_TEST_DATA/images models=$NEXUS_TEST_DATA/models

python=/usr/bin/python3
$python -c 'import onnx, PIL' 2>/dev/null || skip_all "python3-onnx or python3-pil is not installed"

mkdir light
true_that "folders of the light models" \
	sh -c "cd light && $python '$NX_SRC/tests/real/light.py' '$NEXUS_TEST_DATA/models-light'"
status 0 "all give their stored output" nexus-profile --verify light
jq -r '"# \(.test): \(.status), off by at most \(.max_abs)"' out
is "each of them was run" "$(jq -rs length out)" \
	"$(find "$NEXUS_TEST_DATA/models-light" -name '*.onnx' | wc -l)"

status 65 "a network of removed operators is refused" nexus-profile "$models/style-candy-winml.onnx"
like "by the names of all of them" err 'ImageScaler \(.*Crop \(.*Affine \('

background serve.log nexus-serve -d cpu --slo 20s --listen "unix:$TAP_DIR/serve.sock" "$models/seg-deeplab-v3.onnx"
server=$bg
true_that "nexus-serve takes the segmentation network" real_ready serve.sock 60 || diag <serve.log
set --
for p in dog_0 cat_0 horse_0 airplane_0 road-test1 bird_0 banana_0; do set -- "$@" "$images/$p.jpg"; done
status 0 "it answers" env PYTHONPATH="$NX_SRC/tests/real" $python -B "$NX_SRC/tests/real/segments.py" \
	serve.sock seg-deeplab-v3 "$@"
cat >want <<'END'
dog_0.jpg person dog
cat_0.jpg diningtable cat
horse_0.jpg horse
airplane_0.jpg person aeroplane
road-test1.jpg
bird_0.jpg bird
banana_0.jpg
END
is "and sees what is there" "$(cat out)" "$(cat want)"
kill "$server"
wait "$server"
is "SIGTERM drains and exits 0" $? 0
done_testing
