"""Training state on disk: one safetensors file, tensors and a JSON record in its header, no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from jointwatch.core.errors import ModelFileError

__all__ = ["load_checkpoint", "optimiser_tensors", "restore_optimiser", "save_checkpoint"]

VERSION = 1


def save_checkpoint(file: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write both in one step: after a crash at any moment the file is the old or the new one, never a part.

    One file rather than weights beside a JSON, because only one file can be replaced atomically.
    """
    content = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        metadata={"record": json.dumps({"version": VERSION, **record})},
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part{os.getpid()}")
    try:
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def load_checkpoint(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by name, and the record.

    Errors: `ModelFileError` if the file is damaged, foreign or of another version.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            record = json.loads((opened.metadata() or {})["record"])
            # Copies: the originals are a map of the file and would die with it.
            tensors = {name: opened.get_tensor(name).clone() for name in opened.keys()}  # noqa: SIM118 (no iterator)
        version = record.pop("version")
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelFileError(f"{file} is no training state ({error}); delete it to start anew") from error
    if version != VERSION:
        raise ModelFileError(f"{file} has version {version}, this release knows {VERSION}; delete it to start anew")
    return tensors, record


def optimiser_tensors(optimiser: torch.optim.Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """State tensors of an optimiser, named `parameter|key`."""
    return {
        f"{names[parameter]}|{key}": value
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, names: Mapping[Tensor, str], tensors: Mapping[str, Tensor]
) -> None:
    """Inverse of `optimiser_tensors`; moments get the memory order of their parameter, as fused kernels need."""
    by_name = {name: parameter for parameter, name in names.items()}
    for full, value in tensors.items():
        name, _, key = full.partition("|")
        parameter = by_name[name]
        like = value if key == "step" else parameter.detach()
        optimiser.state[parameter][key] = torch.empty_like(like).copy_(value)
