# SPDX-License-Identifier: Apache-2.0
"""Quantise a network with ONNX Runtime's own tool: QDQ, u8 activations, s8 weights a channel.

    quantise.py FP32.onnx INT8.onnx
"""
import logging
import sys
import tempfile

import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class Noise(CalibrationDataReader):
    """A few random images; ranges of random weights need no more."""

    def __init__(self, model, images=4):
        spec = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).get_inputs()[0]
        random = np.random.default_rng(1)
        self.batches = iter([{spec.name: random.standard_normal((1, *spec.shape[1:]), np.float32)}
                             for _ in range(images)])

    def get_next(self):
        return next(self.batches, None)


def main():
    source, target = sys.argv[1:]
    logging.disable(logging.WARNING)
    with tempfile.NamedTemporaryFile(suffix=".onnx") as prepared:
        quant_pre_process(source, prepared.name, skip_symbolic_shape=True)
        quantize_static(prepared.name, target, Noise(source), quant_format=QuantFormat.QDQ,
                        per_channel=True, activation_type=QuantType.QUInt8,
                        weight_type=QuantType.QInt8)


if __name__ == "__main__":
    main()
