"""Choices of a training that change its result: all in one frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from jointwatch.core.errors import UsageError

__all__ = ["Options", "bfloat16_is_fast", "device_of"]


@dataclass(frozen=True)
class Options:
    """How to train.

    Parameters
    ----------
    epochs : passes over the data, at most.
    learning_rate, weight_decay : of Adam; the decay is decoupled (AdamW), 0 = plain Adam.
    patience : stop after this many epochs without a lower validation loss; None = never.
    seed : of dropout; batches have their own.
    channels_last : memory order of the fast convolution kernels; same numbers up to rounding.
    bfloat16 : convolutions in bfloat16 (weights, batch norm, head and loss stay float32); `auto` = where the
        processor has instructions for it, elsewhere it would be slower.
    device : `cpu`, `cuda` or `auto`.
    """

    epochs: int = 30
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    patience: int | None = None
    seed: int = 0
    channels_last: bool = True
    bfloat16: bool | Literal["auto"] = "auto"
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UsageError(f"training takes at least one epoch, got {self.epochs}")
        if not self.learning_rate > 0 or self.weight_decay < 0:
            raise UsageError(
                f"learning rate must be positive and weight decay not negative, got {self.learning_rate} and "
                f"{self.weight_decay}"
            )
        if self.patience is not None and self.patience < 1:
            raise UsageError(f"patience is at least one epoch or None, got {self.patience}")


def device_of(name: str) -> torch.device:
    """The device of that name; `auto` = a GPU if there is one.

    Errors: `UsageError` for a name torch does not know or a GPU that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device {name!r}; use cpu, cuda or auto") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device {name!r}: torch sees no GPU here; use cpu or auto")
    return device


def bfloat16_is_fast(device: torch.device) -> bool:
    """True where bfloat16 is computed by the hardware (AMX or AVX-512 BF16 on a CPU), not emulated."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
