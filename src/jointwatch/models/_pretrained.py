"""Pre-trained encoders on disk: safetensors for the weights, JSON beside them for the rest, no pickle."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from jointwatch.core.errors import ModelFileError
from jointwatch.models._joint_rows import SLOTS
from jointwatch.models._patch_encoder import PatchEncoder

__all__ = ["SHIPPED", "load_pretrained", "save_pretrained"]

SHIPPED = "foundation_small"
"""Name of the weights that come with the package, in `models/weights/`."""

_FORMAT, _SCHEMA = "jointwatch pretrained encoder", 2


def save_pretrained(encoder: PatchEncoder, file: Path, facts: Mapping[str, Any]) -> Path:
    """Write `file` (.safetensors) and the JSON beside it: constructor arguments, slots, digest of the weights, facts of
    the training. Each is replaced in one step.

    Parameters
    ----------
    facts : JSON values: data, seed, steps, losses.
    """
    file = file.with_suffix(".safetensors")
    file.parent.mkdir(parents=True, exist_ok=True)
    weights = save({name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()})
    told = {
        "format": _FORMAT,
        "schema": _SCHEMA,
        "config": encoder.config(),
        "slots": list(SLOTS),
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "sha256": hashlib.sha256(weights).hexdigest(),
        **facts,
    }
    for path, content in ((file, weights), (file.with_suffix(".json"), (json.dumps(told, indent=1) + "\n").encode())):
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(content)
        part.replace(path)
    return file


def load_pretrained(file: Path | str | None = None) -> tuple[PatchEncoder, dict[str, Any]]:
    """The encoder in evaluation mode, and what is told of it; None = the weights that come with the package.

    Parameters
    ----------
    file : the .safetensors, the JSON beside it, or the folder that `jointwatch pretrain` wrote.

    Errors: `ModelFileError` where a file is missing, damaged, foreign, or of another list of slots.

    >>> encoder, told = load_pretrained()
    >>> encoder.training, told["config"] == encoder.config()
    (False, True)
    """
    if file is None:
        file = Path(str(importlib.resources.files("jointwatch.models") / "weights" / SHIPPED))
    path = Path(file)
    path = (path / "encoder" if path.is_dir() else path).with_suffix(".safetensors")
    try:
        weights, text = path.read_bytes(), path.with_suffix(".json").read_text(encoding="utf-8")
    except OSError as error:
        raise ModelFileError(
            f"{path}: no pre-trained encoder there ({error.strerror}); `jointwatch pretrain --out` writes one"
        ) from error
    try:
        told = json.loads(text)
        if told["format"] != _FORMAT:
            raise KeyError(told["format"])
        schema, slots, digest, config = told["schema"], told["slots"], told["sha256"], told["config"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"{path.with_suffix('.json')} does not tell of a pre-trained encoder; train one"
        ) from error
    if schema != _SCHEMA or slots != list(SLOTS):
        raise ModelFileError(f"{path} is of schema {schema} and {len(slots)} slots, which this release does not read")
    if digest != hashlib.sha256(weights).hexdigest():
        raise ModelFileError(f"{path} is damaged or does not belong to the JSON beside it; copy or train it again")
    try:
        encoder = PatchEncoder(**config)
        encoder.load_state_dict(load(weights))
    except (SafetensorError, TypeError, RuntimeError) as error:
        raise ModelFileError(f"{path} cannot be built by this release ({error}); train it again") from error
    return encoder.eval(), told
