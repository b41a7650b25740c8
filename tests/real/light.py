# SPDX-License-Identifier: Apache-2.0
"""Folders for nexus-profile --verify out of light models: light.py MODELS_LIGHT

Each NAME.onnx there has NAME_output_0.pb, what it gives for arange(n) / n.
"""
import glob
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper

for path in sorted(glob.glob(sys.argv[1] + "/*.onnx")):
    name = os.path.basename(path)[:-len(".onnx")]
    graph = onnx.load(path).graph
    known = {t.name for t in graph.initializer}
    kind, = [i.type.tensor_type for i in graph.input if i.name not in known]
    dims = [d.dim_value for d in kind.shape.dim]
    x = np.arange(np.prod(dims), dtype=np.float32) / np.float32(np.prod(dims))
    os.makedirs(f"{name}/test_data_set_0")
    os.symlink(path, f"{name}/model.onnx")
    os.symlink(f"{path[:-len('.onnx')]}_output_0.pb", f"{name}/test_data_set_0/output_0.pb")
    with open(f"{name}/test_data_set_0/input_0.pb", "wb") as f:
        f.write(numpy_helper.from_array(x.reshape(dims)).SerializeToString())
