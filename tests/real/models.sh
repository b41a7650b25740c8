# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Bundles of the foreign models in $NEXUS_TEST_DATA, made with our manifests.

# real_labels MODEL: its labels, one a line; nothing for a model without.
real_labels() {
	case $1 in
	face-*) echo face ;;
	det-light-person) echo person ;;
	# The detector knows 80 of the 91 names, in their order.
	det-yolox-*) grep -vxE 'unlabeled|street sign|hat|shoe|eye ?glasses|plate|mirror|window|desk|door|blender' \
		"$NEXUS_TEST_DATA/ssd_coco_labels.txt" ;;
	*emotion*) printf '%s\n' angry disgust fear happy sad surprise neutral ;;
	*squeezenet* | *mobilenet*) sed 's/^n[0-9]* //; s/,.*//' "$NEXUS_TEST_DATA/ilsvrc12_synset_words.txt" ;;
	esac
}

# real_bundles: ./bundles/*.tar.gz, one for each manifest.
real_bundles() {
	mkdir -p bundles make
	for real_m in "$NX_SRC"/tests/real/models/*.json; do
		real_name=$(basename "$real_m" .json)
		rm -rf make/*
		cp "$real_m" make/manifest.json
		cp "$NEXUS_TEST_DATA/models/$real_name.onnx" make/model.onnx || return 1
		real_labels "$real_name" >make/labels.txt
		(cd make && tar -czf "../bundles/$real_name.tar.gz" -- *) || return 1
	done
	rm -rf make
}

# real_ready SOCKET [SECONDS]: until the server there answers.
real_ready() { wait_for "${2:-60}" curl -sf --unix-socket "$1" http://nexus/v2/health/ready; }
