"""A graph with weights and activations in eight bits, scaled by what it sees on sample inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jointwatch.bundle._to_onnx import quiet
from jointwatch.core.errors import MissingExtra
from jointwatch.core.slices import slices
from jointwatch.models._onnx_graph import OnnxGraph

__all__ = ["in_eight_bits"]

_ROWS = 32  # at once


def in_eight_bits(graph: OnnxGraph, inputs: Mapping[str, np.ndarray], constants: Mapping[str, np.ndarray]) -> OnnxGraph:
    """Convolutions and matrix products in int8, by channel; the statistics of batch norms become part of it and cannot
    be adjusted any more.

    Parameters
    ----------
    inputs : name -> samples, some hundred rows, by which the activations are scaled.
    constants : name -> further inputs, whose size is fixed.

    Errors: `MissingExtra` without onnx.
    """
    try:
        import onnx
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), extra="export") from error

    class Samples(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.rows: Iterator[dict[str, np.ndarray]] = (
                {name: array[rows] for name, array in inputs.items()} | dict(constants)
                for rows in slices(len(next(iter(inputs.values()))), _ROWS)
            )

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.rows, None)

    model = onnx.load_from_string(graph.content)
    for tensor in model.graph.initializer:
        if tensor.name in graph.adjustable:
            tensor.CopyFrom(onnx.numpy_helper.from_array(graph.adjustable[tensor.name], tensor.name))
    with tempfile.TemporaryDirectory() as folder, quiet("root"):
        whole, ready, small = (str(Path(folder) / f"{name}.onnx") for name in ("whole", "ready", "small"))
        onnx.save(model, whole)
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        # what runs step by step scales its inputs as they come; it has no other form in eight bits
        quantization.quantize_dynamic(ready, whole, op_types_to_quantize=["LSTM"])
        settings: dict[str, Any] = {
            "quant_format": quantization.QuantFormat.QDQ,
            "per_channel": True,
            "activation_type": quantization.QuantType.QUInt8,
            "weight_type": quantization.QuantType.QInt8,
        }
        quantization.quantize_static(whole, small, Samples(), **settings)
        return OnnxGraph(Path(small).read_bytes())
