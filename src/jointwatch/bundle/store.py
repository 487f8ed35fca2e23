"""Fitted estimators on disk: JSON for the structure, safetensors for the numbers, no pickle.

`save` walks parameters and fitted attributes (names that end in an underscore); `load` builds the same objects
from classes of this package only and lets them rebuild what is not stored. The JSON file names the SHA-256 of
the tensor file and of its own content, so that a damaged or foreign model is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import math
import os
from enum import Enum
from inspect import isfunction
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

import jointwatch
from jointwatch.core import Channel
from jointwatch.core.errors import MissingExtra, ModelFileError, UsageError

__all__ = ["load", "save"]

SCHEMA = 1
_JSON, _TENSORS = "model.json", "arrays.safetensors"


def save(model: Any, folder: str | Path) -> Path:
    """Write a fitted estimator to a folder (made if absent); both files are replaced atomically.

    Errors: `UsageError` naming the attribute that cannot be stored.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    tree = _pack(model, type(model).__name__, arrays)
    tensors = save_tensors(arrays)
    content = {
        "format": "jointwatch model",
        "schema": SCHEMA,
        "version": jointwatch.__version__,
        "tensors_sha256": hashlib.sha256(tensors).hexdigest(),
        "model": tree,
    }
    text = json.dumps({**content, "content_sha256": _digest(content)}, indent=1)
    _replace(folder / _TENSORS, tensors)
    _replace(folder / _JSON, text.encode())
    return folder


def load(folder: str | Path) -> Any:
    """The estimator that `save` wrote.

    Errors: `ModelFileError` if the folder holds no model, a damaged or foreign one, or a newer schema; `MissingExtra`
    if it holds a network and torch is not installed.
    """
    folder = Path(folder)
    try:
        raw, tensors = (folder / _JSON).read_bytes(), (folder / _TENSORS).read_bytes()
    except OSError as error:
        raise ModelFileError(f"{folder} holds no jointwatch model ({error.strerror}); fit one first") from error
    try:
        content = json.loads(raw)
        digest = content.pop("content_sha256")
        schema = content["schema"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{folder / _JSON} is not a jointwatch model file") from error
    if not isinstance(schema, int) or schema > SCHEMA:
        raise ModelFileError(
            f"{folder} was written with model schema {schema}; this release reads up to {SCHEMA}: update"
        )
    if digest != _digest(content):
        raise ModelFileError(f"{folder / _JSON} was changed after it was written; fit the model again")
    if content["tensors_sha256"] != hashlib.sha256(tensors).hexdigest():
        raise ModelFileError(f"{folder / _TENSORS} does not belong to {_JSON} or is damaged; fit the model again")
    try:
        return _unpack(content["model"], load_tensors(tensors))
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise MissingExtra("torch", extra="learn") from error
        raise ModelFileError(f"{folder} needs {error.name}, which this release does not have; fit it again") from error
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelFileError(f"{folder} cannot be rebuilt by this release ({error}); fit the model again") from error


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


def _pack(value: Any, where: str, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, Enum):
        return {"$enum": _name(type(value)), "value": value.value}
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, np.generic):
        return _pack(value.item(), where, arrays)
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "US":
            return {"$text": value.ravel().tolist(), "shape": list(value.shape)}
        if value.dtype.kind not in "biuf":
            raise UsageError(f"{where} is an array of {value.dtype}, which cannot be stored")
        where = where + "'" * sum(name.rstrip("'") == where for name in arrays)  # `a.b` may be one key, or two
        arrays[where] = np.asarray(value, order="C")
        return {"$array": where}
    if isinstance(value, Channel):
        return {"$channel": value.key}
    if isinstance(value, (list, tuple)):
        items = [_pack(item, f"{where}.{i}", arrays) for i, item in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    if hasattr(value, "items"):
        return {"$dict": [[_pack(k, where, arrays), _pack(v, f"{where}.{k}", arrays)] for k, v in value.items()]}
    if isfunction(value):
        raise UsageError(f"{where} is a function, which cannot be stored; give a name instead")
    if not type(value).__module__.startswith("jointwatch."):
        raise UsageError(f"{where} is a {type(value).__name__}, which cannot be stored; keep it in a private attribute")
    if hasattr(value, "state_dict"):  # a network of models/
        weights = {key: tensor.numpy() for key, tensor in value.state_dict().items()}
        return {
            "$network": _name(type(value)),
            "config": _pack(value.config(), where, arrays),
            "weights": _pack(weights, where, arrays),
        }
    if hasattr(value, "get_params"):
        fitted = {k: v for k, v in vars(value).items() if k.endswith("_") and not k.startswith("_")}
        return {
            "$estimator": _name(type(value)),
            "params": {k: _pack(v, f"{where}.{k}", arrays) for k, v in value.get_params(deep=False).items()},
            "fitted": {k: _pack(v, f"{where}.{k}", arrays) for k, v in fitted.items()},
        }
    if dataclasses.is_dataclass(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"$data": _name(type(value)), "fields": {k: _pack(v, f"{where}.{k}", arrays) for k, v in fields.items()}}
    raise UsageError(f"{where} is a {type(value).__name__}, which cannot be stored")


def _unpack(tree: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(tree, list):
        return [_unpack(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    kind = next(iter(tree))
    body = tree[kind]
    if kind == "$enum":
        return _class(body)(tree["value"])
    if kind == "$float":
        return float(body)
    if kind == "$text":
        return np.array(body, dtype=np.str_).reshape(tree["shape"])
    if kind == "$array":
        return arrays[body]
    if kind == "$channel":
        return Channel.parse(body)
    if kind == "$tuple":
        return tuple(_unpack(item, arrays) for item in body)
    if kind == "$dict":
        return {_unpack(key, arrays): _unpack(value, arrays) for key, value in body}
    if kind == "$network":
        import torch

        network = _class(body)(**_unpack(tree["config"], arrays))
        weights = _unpack(tree["weights"], arrays)
        network.load_state_dict({key: torch.from_numpy(array.copy()) for key, array in weights.items()})
        return network.eval()
    if kind == "$estimator":
        estimator = _class(body)(**{k: _unpack(v, arrays) for k, v in tree["params"].items()})
        for name, value in tree["fitted"].items():
            setattr(estimator, name, _unpack(value, arrays))
        if tree["fitted"] and hasattr(estimator, "_rebuild"):
            estimator._rebuild()
        return estimator
    if kind == "$data":
        return _class(body)(**{k: _unpack(v, arrays) for k, v in tree["fields"].items()})
    raise ValueError(f"unknown element {kind}")


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _class(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if not module.startswith("jointwatch.") or "." in attribute:
        raise ValueError(f"{name} is not a class of jointwatch")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, type) or found.__module__ != module:
        raise ValueError(f"{name} is not a class of jointwatch")
    return found
