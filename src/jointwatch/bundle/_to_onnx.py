"""From a torch function, gradients included, to an ONNX graph with any number of rows."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from jointwatch.core.errors import MissingExtra, UsageError
from jointwatch.models._onnx_graph import GraphFunction, OnnxGraph

__all__ = ["quiet", "to_onnx"]

_OUTSIDE = "adjustable"  # where the graph says that its adjustable figures are; they are handed over at run time


def to_onnx(function: GraphFunction) -> OnnxGraph:
    """The function is traced with its gradients written out, then exported.

    Errors: `MissingExtra` without torch, onnx or onnxscript; `UsageError` for what torch cannot export.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch's exporter needs it and says so only inside)
        import torch
    except ModuleNotFoundError as error:
        extra = "learn" if error.name == "torch" else "export"
        raise MissingExtra(str(error.name), extra=extra) from error
    fixed = {**function.constants, **function.adjustable}
    examples = (*_rows(function.inputs.values(), fixed.values()), *fixed.values())
    row = torch.export.Dim("row", min=1)
    shapes = tuple({0: row} for _ in function.inputs) + tuple(None for _ in fixed)
    try:
        with warnings.catch_warnings(), quiet("torch"):
            warnings.simplefilter("ignore")  # of torch's own internals
            module = _traced(function, examples) if function.gradient else _module(function)
            places = shapes if function.gradient else (shapes,)
            with torch.no_grad():
                exported = torch.export.export(module, examples, dynamic_shapes=places)
            program = torch.onnx.export(
                exported,
                input_names=[*function.inputs, *fixed],
                output_names=list(function.outputs),
                dynamo=True,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, NotImplementedError) as error:
        raise UsageError(f"torch cannot export this network: {str(error).splitlines()[0]}") from error
    assert program is not None
    model = program.model_proto
    adjustable = {name: tensor.detach().numpy().astype(np.float32) for name, tensor in function.adjustable.items()}
    _moved_outside(model.graph, adjustable, onnx)
    return OnnxGraph(model.SerializeToString(), adjustable)


def _rows(inputs: Iterable[Any], fixed: Iterable[Any]) -> list[Any]:
    """The examples with a number of rows that no other axis has: tracing takes equal sizes for one and the same."""
    inputs = list(inputs)
    sizes = {size for tensor in inputs for size in tensor.shape[1:]} | {size for each in fixed for size in each.shape}
    count = next(number for number in range(3, 1000) if number not in sizes)
    return [tensor[:1].repeat(count, *[1] * (tensor.ndim - 1)) for tensor in inputs]


def _module(function: GraphFunction) -> Any:
    import torch

    class Module(torch.nn.Module):
        def forward(self, *tensors: Any) -> Any:
            return function.function(*tensors)

    return Module()


def _traced(function: GraphFunction, examples: Sequence[Any]) -> Any:
    """A module of plain operators: what a gradient is made of is written out as well."""
    import torch
    from torch._decomp import core_aten_decompositions
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.nn.attention import SDPBackend, sdpa_kernel

    table = dict(core_aten_decompositions())
    table[torch.ops.aten.convolution_backward.default] = _back_through_convolution
    trace = make_fx(function.function, tracing_mode="symbolic", decomposition_table=table, _allow_non_fake_inputs=True)
    with sdpa_kernel(SDPBackend.MATH):  # the fused kernels have no gradient that could be written out
        return trace(*examples)


def _back_through_convolution(
    gradient: Any,
    inputs: Any,
    weight: Any,
    bias_sizes: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    wanted: Sequence[bool],
) -> tuple[Any, None, None]:
    """The gradient with respect to the inputs is the transposed convolution; those of weights are not asked for."""
    import torch

    if transposed or wanted[1] or wanted[2]:
        raise NotImplementedError("the gradient of a transposed convolution, or of its weights")
    kernel = weight.shape[2:]
    if groups == 1 and all(step == 1 for step in stride):
        # the same as a convolution with the kernels turned round, for which runtimes have faster code
        turned = weight.flip(list(range(2, 2 + len(kernel)))).transpose(0, 1)
        wide = [dilation[i] * (size - 1) - padding[i] for i, size in enumerate(kernel)]
        ones, none = [1] * len(kernel), [0] * len(kernel)
        back = torch.ops.aten.convolution(gradient, turned, None, ones, wide, dilation, False, none, 1)
        return back, None, None
    rest = [
        inputs.shape[2 + i] - ((gradient.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (size - 1) + 1)
        for i, size in enumerate(kernel)
    ]
    back = torch.ops.aten.convolution(gradient, weight, None, stride, padding, dilation, True, rest, groups)
    return back, None, None


def _moved_outside(graph: Any, adjustable: dict[str, np.ndarray], onnx: Any) -> None:
    """Inputs that are adjustable become initializers whose content lies outside."""
    for entry in [entry for entry in graph.input if entry.name in adjustable]:
        tensor = graph.initializer.add()
        tensor.name, tensor.data_type = entry.name, onnx.TensorProto.FLOAT
        tensor.dims.extend(adjustable[entry.name].shape)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", _OUTSIDE), ("offset", "0"), ("length", str(adjustable[entry.name].nbytes))):
            place = tensor.external_data.add()
            place.key, place.value = key, value
        graph.input.remove(entry)


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Only errors of a logger and its children: torch warns of operators that nothing here uses."""
    known = [logging.getLogger(each) for each in (name, *logging.root.manager.loggerDict) if each.startswith(name)]
    levels = [logger.level for logger in known]
    for logger in known:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(known, levels, strict=True):
            logger.setLevel(level)
