"""How recordings become windows, as data: chosen once, stored with the model, applied to every robot alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jointwatch.core import Channel, Index, Quantity, Recording, Source, Windows
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.derive import derive
from jointwatch.windows.label_by_event import label_by_event
from jointwatch.windows.layout import common_channels
from jointwatch.windows.sliding import sliding

__all__ = ["WindowPlan"]

_USUAL = (
    Quantity.POSITION,
    Quantity.VELOCITY,
    Quantity.CURRENT,
    Quantity.TORQUE,
    Quantity.JOINT_TORQUE,
    Quantity.POSITION_ERROR,
)


@dataclass(frozen=True)
class WindowPlan:
    """What is cut from a recording.

    Parameters
    ----------
    channels : measured or derived channels; joints that a robot does not have are masked.
    kind : `cycle`, one window a cycle stretched to `length` samples, or `sliding`, windows of `length`
        samples at `rate_hz` every `step` samples that never cross a cycle.
    decide_s : sliding only; a decision is taken for every so many seconds of a cycle instead of once a cycle.
    domain : what is transferred between, see `sliding`.
    event : windows are normal before such an event and anomalous after it, see `label_by_event`.
    """

    channels: tuple[Channel, ...]
    kind: str = "cycle"
    length: int = 200
    rate_hz: float | None = None
    step: int = 100
    decide_s: float | None = None
    domain: str = "brand"
    event: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        if self.kind not in ("cycle", "sliding"):
            raise UsageError(f"the kind of windows is 'cycle' or 'sliding', got {self.kind!r}")
        if self.decide_s is not None and (self.kind == "cycle" or self.decide_s <= 0):
            raise UsageError("decide_s is a positive number of seconds, for sliding windows only")

    def cut(self, recordings: Iterable[Recording]) -> Windows:
        """Windows of the recordings, derived channels computed; `skipped` counts what was left out and why."""
        ready = [derive(recording, self.channels) for recording in recordings]
        if self.kind == "cycle":
            windows = by_cycle(ready, length=self.length, channels=self.channels, domain=self.domain)
        else:
            windows = sliding(
                ready,
                rate_hz=self.rate_hz,
                length=self.length,
                step=self.step,
                channels=self.channels,
                domain=self.domain,
            )
        if self.event and any(event.name == self.event for recording in ready for event in recording.events):
            windows = label_by_event(windows, ready, self.event)
        return windows if self.decide_s is None else _in_segments(windows, self.decide_s)

    @classmethod
    def suited_to(
        cls,
        recordings: Sequence[Recording],
        *,
        channels: str = "",
        kind: str | None = None,
        **settings: object,
    ) -> WindowPlan:
        """A plan for these recordings: the usual measured quantities that all of them have, whole cycles where
        cycles are marked, else sliding windows of 200 samples with a decision a second.

        Parameters
        ----------
        channels : comma-separated channel keys instead of the usual ones; `J` stands for every joint, as in
            `current/J,velocity.derived/J`.

        Errors: `MissingChannel` if the recordings share no usable quantity.
        """
        if not recordings:
            raise NotEnoughData("planning windows", needed=1, have=0, unit="recordings")
        if channels:
            numbers = sorted({joint.number for recording in recordings for joint in recording.robot.joints})
            keys = [key.strip() for key in channels.split(",") if key.strip()]
            perhaps = [key.replace("/J", f"/{n}") for n in numbers for key in keys if "/J" in key or n == numbers[0]]
            wanted = tuple(Channel.parse(key) for key in dict.fromkeys(perhaps))
        else:
            shared = set.intersection(*(set(recording.quantities) for recording in recordings))
            chosen = [quantity for quantity in _USUAL if (quantity, Source.MEASURED) in shared]
            if not chosen:
                raise MissingChannel(
                    f"no quantity of {', '.join(_USUAL)} is measured in every recording",
                    remedy="leave out the recordings that lack them, or name the channels",
                )
            wanted = common_channels(recordings, quantities=chosen)
        kind = kind or ("cycle" if all(recording.cycles for recording in recordings) else "sliding")
        plan = cls(wanted, kind=kind)
        if kind == "sliding":
            rate_hz = min(float(np.median([recording.rate_hz for recording in recordings])), 250.0)
            plan = replace(plan, rate_hz=rate_hz, decide_s=max(1.0, 400 / rate_hz))
        return replace(plan, **settings)  # type: ignore[arg-type]


def _in_segments(windows: Windows, decide_s: float) -> Windows:
    """Cycles divided into equal decisions, counted from where the first window ends: a window belongs to the decision
    in which it ends. Only the last decision of a cycle may hold fewer windows than the others."""
    index = windows.index
    first: dict[str, float] = {}
    for cycle, stop in zip(index.cycle, index.stop_s, strict=True):
        first[cycle] = min(first.get(cycle, np.inf), stop)
    offset = index.stop_s - np.array([first[cycle] for cycle in index.cycle])
    number = np.floor(np.round(offset / decide_s, 9)).astype(int)
    names = np.char.add(np.char.add(index.cycle, "/"), number.astype(str)) if len(index) else index.cycle
    return replace(windows, index=Index(**{**index.columns(), "cycle": names}))
