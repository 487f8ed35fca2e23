"""Equally long pieces of recordings, (window, channel, time), with the columns that say whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from jointwatch.core.channel import Channel
from jointwatch.core.errors import UsageError
from jointwatch.core.index import Index

__all__ = ["Windows"]


@dataclass(frozen=True, eq=False)
class Windows:
    """Pieces of recordings cut to one length and one channel list. Frozen and validated.

    Parameters
    ----------
    values : (window, channel, time) float32, finite; absent channels are 0.
    channels : what each channel is.
    index : one row for every window: unit, session, cycle, domain, times, labels.
    rate_hz : samples a second after resampling. Where whole cycles are stretched to one length it is
        NaN, because each window then has its own rate.
    mask : (window, channel) bool, False where a robot does not have the channel; default all True.
    skipped : how many windows were left out, by reason.

    It can be indexed like an array along its first axis and has `shape`, so scikit-learn's
    `cross_validate`, `clone` and `Pipeline` take it as X.
    """

    values: np.ndarray
    channels: tuple[Channel, ...]
    index: Index
    rate_hz: float
    mask: np.ndarray | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.values, dtype=np.float32)
        if values.ndim != 3:
            raise UsageError(f"windows must be (window, channel, time), got shape {values.shape}")
        if values.shape[1] != len(self.channels) or values.shape[0] != len(self.index):
            raise UsageError(
                f"windows {values.shape} do not fit {len(self.channels)} channels and {len(self.index)} index rows"
            )
        if len(set(self.channels)) != len(self.channels):
            raise UsageError("channels of windows repeat")
        mask = np.ones(values.shape[:2], bool) if self.mask is None else np.asarray(self.mask, bool)
        if mask.shape != values.shape[:2]:
            raise UsageError(f"mask must be (window, channel) = {values.shape[:2]}, got {mask.shape}")
        if not np.isfinite(values).all():
            bad = np.argwhere(~np.isfinite(values))[0]
            raise UsageError(f"windows must be finite; window {bad[0]}, channel {self.channels[bad[1]].key} is not")
        for name, value in (
            ("values", _read_only(values)),
            ("mask", _read_only(mask)),
            ("channels", tuple(self.channels)),
            ("skipped", MappingProxyType(dict(self.skipped))),
        ):
            object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "skipped": dict(self.skipped)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def presence(self) -> np.ndarray:
        """(window, channel) bool: the mask, never None."""
        assert self.mask is not None
        return self.mask

    def __getitem__(self, rows: Any) -> Windows:
        """Windows by position, mask or slice; `(rows, ...)` as array libraries write it is taken too."""
        if isinstance(rows, tuple):
            if len(rows) != 2 or rows[1] is not Ellipsis:
                raise UsageError("windows are indexed along their first axis only")
            rows = rows[0]
        if isinstance(rows, (int, np.integer)):
            rows = slice(rows, rows + 1) if rows != -1 else slice(-1, None)
        return replace(
            self, values=self.values[rows], index=self.index.take(rows), mask=self.presence[rows], skipped={}
        )

    def with_values(self, values: np.ndarray) -> Windows:
        """The same windows with other numbers of the same shape."""
        return replace(self, values=values)

    def normal(self) -> Windows:
        """The windows labelled normal."""
        return self[self.index.label == "normal"]

    @classmethod
    def concatenate(cls, parts: Sequence[Windows]) -> Windows:
        """Windows of all parts; they must have the same channels, length and rate."""
        if not parts:
            raise UsageError("nothing to concatenate")
        first = parts[0]
        for part in parts[1:]:
            if part.channels != first.channels or part.shape[2] != first.shape[2]:
                raise UsageError("windows with other channels or lengths cannot be put together")
            if not np.isclose(part.rate_hz, first.rate_hz, equal_nan=True):
                raise UsageError(f"windows at {part.rate_hz} Hz and {first.rate_hz} Hz cannot be put together")
        skipped: dict[str, int] = {}
        for part in parts:
            for reason, count in part.skipped.items():
                skipped[reason] = skipped.get(reason, 0) + count
        return cls(
            np.concatenate([part.values for part in parts]),
            first.channels,
            Index.concatenate([part.index for part in parts]),
            first.rate_hz,
            np.concatenate([part.presence for part in parts]),
            skipped,
        )


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
