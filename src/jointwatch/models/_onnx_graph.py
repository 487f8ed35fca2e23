"""A function of arrays that runs without torch: an ONNX graph, with the figures that may be changed on the device."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from jointwatch.core.errors import MissingExtra, ModelFileError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Compiler", "GraphFunction", "OnnxGraph"]


@dataclass(frozen=True, eq=False)
class GraphFunction:
    """What becomes a graph.

    Parameters
    ----------
    function : (inputs, constants, adjustable, in this order) -> one tensor or a tuple of them; no Python branches on
        values.
    inputs : name -> an example of one or more rows; the first axis is the row, of any count.
    constants : name -> example of an input whose size is fixed; they follow the inputs.
    outputs : names of the results.
    adjustable : name -> tensor that stays outside the graph, so that it can be changed where torch is not installed
        (statistics of batch norms).
    gradient : whether the function takes a gradient inside, which has to be written out.
    """

    function: Callable[..., Tensor | tuple[Tensor, ...]]
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    constants: Mapping[str, Tensor] = field(default_factory=dict)
    adjustable: Mapping[str, Tensor] = field(default_factory=dict)
    gradient: bool = False


class Compiler(Protocol):
    """Turns a function into a graph; `name` says what it is."""

    def __call__(self, name: str, function: GraphFunction) -> OnnxGraph: ...


class OnnxGraph:
    """Arrays in, arrays out, on one thread of the processor. The session is made at the first run.

    Parameters
    ----------
    content : the ONNX file, with the `adjustable` initializers as external data.
    adjustable : name -> float32 array that takes the place of the initializer of that name.

    Errors: `MissingExtra` without onnxruntime; `ModelFileError` if the content is no graph that it can run;
    `UsageError` for other inputs than the graph's.
    """

    def __init__(self, content: bytes, adjustable: Mapping[str, np.ndarray] | None = None) -> None:
        self.content = content
        self.adjustable = {name: np.asarray(array, np.float32) for name, array in (adjustable or {}).items()}

    def adjusted(self, adjustable: Mapping[str, np.ndarray]) -> OnnxGraph:
        """The same graph with other figures; this one stays as it is.

        Errors: `UsageError` for a name or shape that it does not have.
        """
        for name, array in adjustable.items():
            if name not in self.adjustable or self.adjustable[name].shape != np.shape(array):
                raise UsageError(f"the graph has no adjustable {name} of shape {np.shape(array)}")
        return OnnxGraph(self.content, {**self.adjustable, **adjustable})

    def run(self, **inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """The outputs, in the graph's order."""
        if self.inputs != set(inputs):
            raise UsageError(f"the graph takes {', '.join(sorted(self.inputs))}, got {', '.join(sorted(inputs))}")
        try:
            return tuple(self._session.run(None, inputs))
        except Exception as error:  # onnxruntime's own exceptions have no common base but this
            raise UsageError(f"the graph cannot take these inputs: {error}") from error

    @functools.cached_property
    def outputs(self) -> list[str]:
        """Names of what it gives, in order."""
        return [each.name for each in self._session.get_outputs()]

    @functools.cached_property
    def inputs(self) -> set[str]:
        """Names of what it takes."""
        return {each.name for each in self._session.get_inputs()}

    @functools.cached_property
    def _session(self) -> Any:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingExtra("onnxruntime", extra="edge") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # an error is raised as well: once is enough
        if self.adjustable:
            values = [
                onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))
                for array in self.adjustable.values()
            ]
            options.add_external_initializers(list(self.adjustable), values)
        try:
            with tempfile.TemporaryDirectory() as empty:
                # a graph must not read files: what it looks for outside itself is handed over above, or not there
                options.add_session_config_entry("session.model_external_initializers_file_folder_path", empty)
                return onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions have no common base but this
            raise ModelFileError(f"a graph cannot be run here: {error}. Remedy: export the model again") from error

    def __getstate__(self) -> dict[str, Any]:
        return {"content": self.content, "adjustable": self.adjustable}

    def __deepcopy__(self, memo: dict[int, Any]) -> OnnxGraph:
        return self  # nothing of it changes
