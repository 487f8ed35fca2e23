"""Fitted estimators on disk: JSON for the structure, safetensors for the numbers, no pickle.

`save` walks parameters and fitted attributes (names that end in an underscore); `load` builds the same objects and lets
them rebuild what is not stored. A model is made of this package's estimators, networks, enumerations and frozen
dataclasses; nothing else is stored or built. The JSON file names the SHA-256 of the tensor file and of its own content,
so that a damaged or foreign model is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import math
from collections.abc import Callable
from enum import Enum
from inspect import isfunction
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

import jointwatch
from jointwatch.bundle._files import digest, replace
from jointwatch.bundle._manifest import check_names
from jointwatch.core import Channel
from jointwatch.core.errors import JointwatchError, MissingExtra, ModelFileError, UsageError, missing_extra
from jointwatch.core.estimator import BaseEstimator, NotFittedError
from jointwatch.models._onnx_graph import OnnxGraph

__all__ = ["fitted_names", "from_files", "load", "save", "to_files"]

SCHEMA = 3
_JSON, _TENSORS = "model.json", "arrays.safetensors"
_TEXT_LIMIT = 50_000_000  # characters of one array of text, each as long as the longest


def save(model: Any, folder: str | Path) -> Path:
    """Write a fitted estimator to a folder (made if absent); files are replaced atomically, the one that vouches for
    the others last.

    Errors: `UsageError` naming the attribute that cannot be stored.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in to_files(model).items():
        replace(folder / name, content)
    return folder


def load(folder: str | Path) -> Any:
    """The estimator that `save` wrote.

    Errors: `ModelFileError` if the folder holds no model, a damaged or foreign one, or a newer schema; `MissingExtra`
    if it holds a network and torch is not installed.
    """
    folder = Path(folder)

    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise ModelFileError(f"{folder} holds no jointwatch model ({error.strerror}); fit one first") from error

    return from_files(read, folder)


def to_files(model: Any) -> dict[str, bytes]:
    """The same as content by name: graphs and numbers, then the JSON that vouches for them.

    Errors: as `save`.
    """
    content = _Content()
    tree = _pack(model, type(model).__name__, content)
    files = {**content.graphs, _TENSORS: save_tensors(content.arrays)}
    body = {
        "format": "jointwatch model",
        "schema": SCHEMA,
        "version": jointwatch.__version__,
        "sha256": {name: hashlib.sha256(each).hexdigest() for name, each in files.items()},
        "model": tree,
    }
    return {**files, _JSON: json.dumps({**body, "content_sha256": digest(body)}, indent=1).encode()}


def from_files(read: Callable[[str], bytes], where: str | Path) -> Any:
    """The estimator whose files `read` gives by their names; `where` is what errors call the place.

    Errors: as `load`.
    """
    raw = read(_JSON)
    try:
        body = json.loads(raw)
        written = body.pop("content_sha256")
        schema, digests = body["schema"], dict(body["sha256"] if body["schema"] == SCHEMA else {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{where}: {_JSON} is not a jointwatch model file") from error
    if not isinstance(schema, int) or schema != SCHEMA:
        remedy = "update" if isinstance(schema, int) and schema > SCHEMA else "fit the model again"
        raise ModelFileError(
            f"{where} was written with model schema {schema}; this release reads schema {SCHEMA}: {remedy}"
        )
    if written != digest(body):
        raise ModelFileError(f"{where}: {_JSON} was changed after it was written; fit the model again")
    try:
        check_names(digests)
    except ValueError as error:
        raise ModelFileError(
            f"{where}: {_JSON} names a file that no model has ({error}); fit the model again"
        ) from error
    files = {name: read(name) for name in digests}
    for name, expected in digests.items():
        if hashlib.sha256(files[name]).hexdigest() != expected:
            raise ModelFileError(f"{where}: {name} does not belong to {_JSON} or is damaged; fit the model again")
    try:
        return _unpack(body["model"], load_tensors(files[_TENSORS]), files)
    except ModuleNotFoundError as error:
        if missing := missing_extra(error):
            raise missing from error
        raise ModelFileError(f"{where} needs {error.name}, which this release does not have; fit it again") from error
    except MissingExtra:
        raise
    except (SafetensorError, JointwatchError, LookupError, ArithmeticError, MemoryError, TypeError, ValueError,
            AttributeError, RuntimeError, NotFittedError) as error:  # fmt: skip
        raise ModelFileError(f"{where} cannot be rebuilt by this release ({error}); fit the model again") from error


def fitted_names(estimator: Any) -> list[str]:
    """Names of what an estimator has learned and is stored: they end in an underscore, none begins with one."""
    return [name for name in vars(estimator) if _is_fitted_name(name)]


def _is_fitted_name(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_")


@dataclasses.dataclass
class _Content:
    """What does not go into the JSON."""

    arrays: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    graphs: dict[str, bytes] = dataclasses.field(default_factory=dict)

    def add_array(self, where: str, array: np.ndarray) -> str:
        name = where + "'" * sum(known.rstrip("'") == where for known in self.arrays)  # `a.b` may be one key, or two
        self.arrays[name] = np.asarray(array, order="C")
        return name

    def add_graph(self, content: bytes) -> str:
        """The same graph in two places is one file."""
        for name, known in self.graphs.items():
            if known == content:
                return name
        name = f"graph_{len(self.graphs) + 1}.onnx"
        self.graphs[name] = content
        return name


def _pack(value: Any, where: str, content: _Content) -> Any:
    if isinstance(value, Enum):
        return {"$enum": _name(type(value)), "value": value.value}
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, np.generic):
        return _pack(value.item(), where, content)
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "US":
            return {"$text": value.ravel().tolist(), "shape": list(value.shape)}
        if value.dtype.kind not in "biuf":
            raise UsageError(f"{where} is an array of {value.dtype}, which cannot be stored")
        return {"$array": content.add_array(where, value)}
    if isinstance(value, OnnxGraph):
        return {"$graph": content.add_graph(value.content), "adjustable": _pack(value.adjustable, where, content)}
    if isinstance(value, Channel):
        return {"$channel": value.key}
    if isinstance(value, (list, tuple)):
        items = [_pack(item, f"{where}.{i}", content) for i, item in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    if hasattr(value, "items"):
        return {"$dict": [[_pack(k, where, content), _pack(v, f"{where}.{k}", content)] for k, v in value.items()]}
    if isfunction(value):
        raise UsageError(f"{where} is a function, which cannot be stored; give a name instead")
    if not type(value).__module__.startswith("jointwatch."):
        raise UsageError(f"{where} is a {type(value).__name__}, which cannot be stored; keep it in a private attribute")
    if hasattr(value, "state_dict"):  # a network of models/
        weights = {key: tensor.numpy() for key, tensor in value.state_dict().items()}
        return {
            "$network": _name(type(value)),
            "config": _pack(value.config(), where, content),
            "weights": _pack(weights, where, content),
        }
    if isinstance(value, BaseEstimator):
        fitted = {k: getattr(value, k) for k in fitted_names(value)}
        return {
            "$estimator": _name(type(value)),
            "params": {k: _pack(v, f"{where}.{k}", content) for k, v in value.get_params(deep=False).items()},
            "fitted": {k: _pack(v, f"{where}.{k}", content) for k, v in fitted.items()},
        }
    if _is_value(type(value)):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {
            "$data": _name(type(value)),
            "fields": {k: _pack(v, f"{where}.{k}", content) for k, v in fields.items()},
        }
    raise UsageError(f"{where} is a {type(value).__name__}, which cannot be stored")


def _unpack(tree: Any, arrays: dict[str, np.ndarray], files: dict[str, bytes]) -> Any:
    if isinstance(tree, list):
        return [_unpack(item, arrays, files) for item in tree]
    if not isinstance(tree, dict):
        return tree
    kind = next(iter(tree), "")
    body: Any = tree.get(kind)
    if kind == "$enum":
        return _class(body, Enum)(tree["value"])
    if kind == "$float":
        return float(body)
    if kind == "$text":
        if len(body) * max(map(len, body), default=0) > _TEXT_LIMIT:
            raise ValueError("text that would take too much memory")
        return np.array(body, dtype=np.str_).reshape(tree["shape"])
    if kind == "$array":
        return arrays[body]
    if kind == "$graph":
        return OnnxGraph(files[body], _unpack(tree["adjustable"], arrays, files))
    if kind == "$channel":
        return Channel.parse(body)
    if kind == "$tuple":
        return tuple(_unpack(item, arrays, files) for item in body)
    if kind == "$dict":
        return {_unpack(key, arrays, files): _unpack(value, arrays, files) for key, value in body}
    if kind == "$network":
        import torch

        network = _class(body, torch.nn.Module)(**_unpack(tree["config"], arrays, files))
        weights = _unpack(tree["weights"], arrays, files)
        network.load_state_dict({key: torch.from_numpy(array.copy()) for key, array in weights.items()})
        return network.eval()
    if kind == "$estimator":
        estimator = _class(body, BaseEstimator)(**{k: _unpack(v, arrays, files) for k, v in tree["params"].items()})
        for name, value in tree["fitted"].items():
            if not _is_fitted_name(name):
                raise ValueError(f"{name} is no fitted attribute")
            setattr(estimator, name, _unpack(value, arrays, files))
        if tree["fitted"] and hasattr(estimator, "_rebuild"):
            estimator._rebuild()
        return estimator
    if kind == "$data":
        return _class(body)(**{k: _unpack(v, arrays, files) for k, v in tree["fields"].items()})
    raise ValueError(f"unknown element {kind}")


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _is_value(kind: type) -> bool:
    """Whether objects of this class are values: frozen dataclasses."""
    return dataclasses.is_dataclass(kind) and bool(kind.__dataclass_params__.frozen)  # type: ignore[attr-defined]


def _class(name: str, base: type | None = None) -> Any:
    """A class of this package below `base`, or without one a value's. Errors: `ValueError` for any other."""
    module, _, attribute = name.partition(":")
    if not module.startswith("jointwatch.") or "." in attribute:
        raise ValueError(f"{name} is not a class of jointwatch")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, type) or found.__module__ != module:
        raise ValueError(f"{name} is not a class of jointwatch")
    if not (_is_value(found) if base is None else issubclass(found, base)):
        raise ValueError(f"{name} is not a {'value' if base is None else base.__name__} that a model is made of")
    return found
