"""What the foundation model is pre-trained on: healthy windows of any recordings, by robot and cut, each z-scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from jointwatch.core import Channel, Quantity, Recording, Source, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.training.seed import generator
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.derive import derive
from jointwatch.windows.normalise import DomainZScore
from jointwatch.windows.sliding import sliding
from jointwatch.windows.time_step import time_step_s
from jointwatch.windows.trusted import as_healthy, suspected

__all__ = ["CUTS", "Corpus", "Part", "channels_of"]

CUTS = ("cycle", "250", "50")
"""How recordings are cut: marked cycles stretched to the length of a window, and windows at rates in Hz that the
recording reaches."""

_CYCLE_S = (0.5, 30.0)  # shorter or longer ones would be stretched beyond what was recorded
_REACHED = 0.9  # of a rate
_STRETCHED = 4  # times, at most, that a cycle's own samples are multiplied
_STREAM = 61

_MEASURED = (
    Quantity.POSITION,
    Quantity.VELOCITY,
    Quantity.TORQUE,
    Quantity.CURRENT,
    Quantity.JOINT_TORQUE,
    Quantity.POSITION_ERROR,
)


@dataclass(frozen=True, eq=False)
class Part:
    """Healthy windows of one model of robot, with one list of channels, cut in one way.

    Parameters
    ----------
    robot : brand and model. cut : entry of `CUTS`. windows : standardised, column `domain` is the robot.
    """

    robot: str
    cut: str
    windows: Windows

    @property
    def hours(self) -> float:
        """Duration of all windows."""
        return float(time_step_s(self.windows).sum() * self.windows.shape[2] / 3600)


@dataclass(eq=False)
class Corpus:
    """Gathers windows of recordings one by one, so that no more than one recording is held.

    Cycles that are anomalous, or uncertain with a fault named, are left out; those without a label are taken as
    healthy. Recordings without a usable quantity of a joint, or too short or slow for every cut, are counted in
    `unused`.

    Parameters
    ----------
    cuts : entries of `CUTS`, or other rates in Hz.
    length : samples of a window.
    hold_out : brands or models (any case) that are kept apart: `held_out` has them, `parts` not.
    most : windows of a robot and cut, at most; whole sessions are drawn until there are as many.
    hours : of signals in all of `parts`, at most; whole sessions, the same share of every robot and cut.
    seed : of what is drawn.

    Errors: `UsageError` for an unknown cut.

    >>> import numpy as np
    >>> from jointwatch.core import Robot
    >>> def arm(brand):
    ...     values = np.random.default_rng(0).standard_normal((2, 1000))
    ...     channels = tuple(Channel(Quantity.CURRENT, joint) for joint in (1, 2))
    ...     return Recording(np.arange(1000) / 50, values, channels, Robot.of(brand, "x", "x-1", 2), "monday")
    >>> corpus = Corpus(hold_out=("blue",)).add([arm("red"), arm("blue")])
    >>> [(part.robot, part.cut, part.windows.shape) for part in corpus.parts()]
    [('red x', '50', (5, 2, 200))]
    >>> [part.robot for part in corpus.held_out()]
    ['blue x']
    """

    cuts: Sequence[str] = CUTS
    length: int = 200
    hold_out: Sequence[str] = ()
    most: int = 2000
    hours: float | None = None
    seed: int = 0
    recordings: int = 0
    unused: int = 0
    _found: dict[tuple[bool, str, str, tuple[Channel, ...]], list[Windows]] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        wrong = [cut for cut in self.cuts if cut != "cycle" and not _is_rate(cut)]
        if wrong or not self.cuts:
            raise UsageError(f"a cut is 'cycle' or a rate in Hz, got {', '.join(wrong) or 'none'}")

    def add(self, recordings: Iterable[Recording], progress: Callable[[int], None] | None = None) -> Corpus:
        """Cut these recordings too; `progress` is called with how many there were."""
        for recording in recordings:
            self.recordings += 1
            self._names |= {recording.robot.brand, recording.robot.model}
            apart = _same(self.hold_out, (recording.robot.brand, recording.robot.model))
            before = sum(map(len, self._found.values()))
            channels = channels_of(recording)
            for cut in [cut for cut in self.cuts if channels and _suits(recording, cut)]:
                windows = _healthy(_cut(derive(recording, channels), channels, cut, self.length))
                if len(windows):
                    robot = f"{recording.robot.brand} {recording.robot.model}"
                    self._found.setdefault((apart, robot, cut, channels), []).append(windows)
            self.unused += sum(map(len, self._found.values())) == before
            if progress is not None:
                progress(self.recordings)
        return self

    def parts(self) -> list[Part]:
        """What is trained on.

        Errors: `UsageError` for a name in `hold_out` that no recording bears; `NotEnoughData` without a healthy window.
        """
        absent = [name for name in self.hold_out if not _same((name,), self._names)]
        if absent:
            raise UsageError(
                f"no recording is of {', '.join(absent)}, so it cannot be held out; brands and models here are "
                f"{', '.join(sorted(self._names)) or 'none'}"
            )
        found = self._parts(False)
        if not found:
            raise NotEnoughData(
                "pre-training (windows of joints that are normal or unlabelled, outside of what is held out)",
                needed=1,
                have=0,
                unit="healthy windows",
            )
        whole = sum(part.hours for part in found)
        if self.hours is not None and whole > self.hours:
            found = [self._drawn(part, len(part.windows) * self.hours / whole) for part in found]
        return found

    def held_out(self) -> list[Part]:
        """What is kept apart, each robot standardised by itself."""
        return self._parts(True)

    def _parts(self, apart: bool) -> list[Part]:
        found = []
        for key in sorted(self._found, key=str):
            if key[0] is apart:
                windows = DomainZScore().fit_transform(Windows.concatenate(self._found[key]))
                found.append(self._drawn(Part(key[1], key[2], windows), self.most))
        return found

    def _drawn(self, part: Part, count: float) -> Part:
        """Whole sessions in an order by lot, until there are so many windows; at least one session."""
        if len(part.windows) <= count:
            return part
        session = part.windows.index.unit_session
        order = generator(self.seed, _STREAM).permutation(np.unique(session))
        sizes = np.cumsum([np.count_nonzero(session == name) for name in order])
        chosen = order[: max(1, int(np.searchsorted(sizes, count, side="right")))]
        return Part(part.robot, part.cut, part.windows[np.isin(session, chosen)])


def channels_of(recording: Recording) -> tuple[Channel, ...]:
    """What is learned from a recording: the usual measured quantities of its joints, and velocity and position error
    where they can be computed; empty where there is nothing but positions.

    >>> import numpy as np
    >>> from jointwatch.core import Robot
    >>> channels = tuple(map(Channel.parse, ("position/1", "position.commanded/1", "current/1", "tcp_force:x")))
    >>> recording = Recording(np.arange(9.0), np.zeros((4, 9)), channels, Robot.of("a", "b", "c", 1), "s")
    >>> [channel.key for channel in channels_of(recording)]
    ['position/1', 'velocity.derived/1', 'current/1', 'position_error.derived/1']
    """
    found: list[Channel] = []
    for joint in sorted(joint.number for joint in recording.robot.joints):
        own = [Channel(quantity, joint) for quantity in _MEASURED if Channel(quantity, joint) in recording]
        known = {channel.quantity for channel in own}
        if Quantity.POSITION in known and Quantity.VELOCITY not in known:
            own.insert(1, Channel(Quantity.VELOCITY, joint, Source.DERIVED))
        commanded = Channel(Quantity.POSITION, joint, Source.COMMANDED)
        if Quantity.POSITION in known and Quantity.POSITION_ERROR not in known and commanded in recording:
            own.append(Channel(Quantity.POSITION_ERROR, joint, Source.DERIVED))
        found += own
    telling = {channel.quantity for channel in found} - {Quantity.POSITION, Quantity.VELOCITY}
    return tuple(found) if telling else ()


def _suits(recording: Recording, cut: str) -> bool:
    return bool(recording.cycles) if cut == "cycle" else recording.rate_hz >= _REACHED * float(cut)


def _cut(recording: Recording, channels: tuple[Channel, ...], cut: str, length: int) -> Windows:
    def domain(of: Recording) -> str:
        return f"{of.robot.brand} {of.robot.model}"

    if cut != "cycle":
        return sliding(
            recording, rate_hz=float(cut), length=length, step=length, channels=channels, domain=domain, missing="mask"
        )
    windows = by_cycle(recording, length=length, channels=channels, domain=domain, missing="mask")
    cycle_s = windows.index.cycle_s
    fits = (cycle_s >= _CYCLE_S[0]) & (cycle_s <= _CYCLE_S[1]) & (cycle_s * recording.rate_hz >= length / _STRETCHED)
    return windows[fits]


def _healthy(windows: Windows) -> Windows:
    return as_healthy(windows[~suspected(windows)]).normal()


def _same(wanted: Iterable[str], names: Iterable[str]) -> bool:
    return bool({name.casefold() for name in wanted} & {name.casefold() for name in names})


def _is_rate(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
