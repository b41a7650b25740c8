# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts here: where the libraries are on a machine that has them from Python
# packages alone, and whether there is a GPU.

programs=${NX_GPU_PROGRAMS:-build/gpu}
python=${PYTHON:-python3}

# Folders of NVIDIA's Python packages.
package_libs() {
	"$python" - <<'PY' 2>/dev/null
import glob, importlib.util, os
spec = importlib.util.find_spec("nvidia")
for base in spec.submodule_search_locations if spec else []:
    for lib in sorted(glob.glob(os.path.join(base, "*", "lib"))):
        print(lib)
PY
}
if ! ldconfig -p 2>/dev/null | grep -q 'libcudnn\.so\.9'; then
	for dir in $(package_libs); do
		LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$dir
	done
	export LD_LIBRARY_PATH
fi

# Ends the script with one line where the programs or a GPU are missing.
need_gpu() {
	if [ ! -x "$programs/bench" ]; then
		echo "$1: skipped: $programs/bench is not built (no CUDA toolkit with cuDNN here)"
		exit 0
	fi
	if ! device=$("$programs/bench" --device 2>&1); then
		echo "$1: skipped: $device"
		exit 0
	fi
	echo "# $device"
}
