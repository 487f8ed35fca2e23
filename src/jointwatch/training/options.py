"""Choices of a training that change its result: all in one frozen record."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from jointwatch.core.errors import UsageError

__all__ = ["SCHEDULES", "Options", "Schedule", "bfloat16_is_fast", "device_of"]

Schedule = Literal["constant", "linear", "cosine"]
SCHEDULES: tuple[Schedule, ...] = ("constant", "linear", "cosine")
_LOWEST = 0.04  # share of the learning rate from which a warm-up starts: at 0 the first step would be lost


@dataclass(frozen=True)
class Options:
    """How to train.

    Parameters
    ----------
    epochs : passes over the data, at most.
    learning_rate, weight_decay : of Adam; the decay is decoupled (AdamW), 0 = plain Adam.
    patience : stop after this many epochs without a lower validation loss; None = never.
    schedule : of the learning rate over the whole training: constant, or down to 0 in a line or half a cosine wave.
    warm_up : share of the training over which the learning rate rises to its full height first.
    clip_norm : largest norm of the gradient of all parameters together; None = any.
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
    schedule: Schedule = "constant"
    warm_up: float = 0.0
    clip_norm: float | None = None
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
        if self.schedule not in SCHEDULES:
            raise UsageError(f"the schedules are {', '.join(SCHEDULES)}, got {self.schedule!r}")
        if not 0 <= self.warm_up < 1:
            raise UsageError(f"the share of warm-up is in [0, 1), got {self.warm_up}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise UsageError(f"the largest gradient norm is positive or None, got {self.clip_norm}")

    def rate(self, progress: float) -> float:
        """Learning rate when this share of the training is done.

        >>> options = Options(learning_rate=1.0, schedule="cosine", warm_up=0.2)
        >>> [round(options.rate(share), 2) for share in (0.0, 0.1, 0.2, 0.6, 1.0)]
        [0.04, 0.52, 1.0, 0.5, 0.0]
        """
        if progress < self.warm_up:
            return self.learning_rate * (_LOWEST + (1 - _LOWEST) * progress / self.warm_up)
        left = (1 - progress) / (1 - self.warm_up)
        if self.schedule == "linear":
            return self.learning_rate * left
        if self.schedule == "cosine":
            return self.learning_rate * (1 - math.cos(math.pi * left)) / 2
        return self.learning_rate


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
