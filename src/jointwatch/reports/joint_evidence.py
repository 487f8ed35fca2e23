"""What one recording offers about a joint: its live signals, rate, gear ratio, and how it really moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from jointwatch.core import Channel, Joint, Quantity, Recording, Source

__all__ = ["JointEvidence", "gather"]

# A signal of these that never changes is a dead wire, not a measurement.
_MUST_VARY = {
    Quantity.CURRENT, Quantity.TORQUE, Quantity.JOINT_TORQUE, Quantity.VELOCITY, Quantity.ACCELERATION,
    Quantity.POWER, Quantity.POSITION_ERROR, Quantity.TCP_FORCE, Quantity.TCP_TORQUE,
}  # fmt: skip
_SPEED_LAG_S = 0.1  # positions are differentiated over this long, so that their resolution is not taken for speed
_STILL = {
    "revolute": (0.02, 0.005),
    "prismatic": (0.002, 0.0005),
}  # travel (rad, m) and speed below which nothing moves


@dataclass(frozen=True, eq=False)
class JointEvidence:
    """Evidence of one joint, or of the whole robot (`joint` None), from one recording.

    Parameters
    ----------
    joint, kind, gear_ratio : which joint; `kind` is revolute or prismatic.
    rate_hz : sampling rate.
    signals : live signals as `current`, `position.commanded`; derived ones count as measured, modelled ones do not.
    dead : signals that are recorded but empty or constant.
    components : names of the live measured channels of each quantity, for phases and second encoders.
    travel : range of the position, rad or m; None where neither position nor velocity is recorded.
    speed : (sample,) speeds while it moves, rad/s or m/s.
    reversals : how often the direction of motion changes.
    """

    joint: int | None
    rate_hz: float
    kind: str = "revolute"
    gear_ratio: float | None = None
    signals: frozenset[str] = frozenset()
    dead: frozenset[str] = frozenset()
    components: dict[Quantity, tuple[str, ...]] = field(default_factory=dict)
    travel: float | None = None
    speed: np.ndarray = field(default_factory=lambda: np.empty(0))
    reversals: int = 0

    @property
    def moves(self) -> bool | None:
        """Whether it moves; None where it cannot be known."""
        return None if self.travel is None else self.travel >= _STILL[self.kind][0] and len(self.speed) > 0


def gather(recording: Recording) -> list[JointEvidence]:
    """Evidence of every joint of the recording, then of the robot as a whole.

    >>> import numpy as np
    >>> from jointwatch.core import Robot
    >>> time_s = np.arange(500) / 100
    >>> channels = (Channel(Quantity.POSITION, 1), Channel(Quantity.CURRENT, 1))
    >>> values = np.stack([np.sin(time_s), np.zeros(500)])
    >>> joint, robot = gather(Recording(time_s, values, channels, Robot.of("demo", "arm", "a", 1), "s"))
    >>> joint.moves, sorted(joint.signals), sorted(joint.dead), joint.reversals
    (True, ['position'], ['current'], 2)
    """
    live = {channel: _live(channel, recording[channel]) for channel in recording.channels}
    joints = [_of_joint(recording, joint, live) for joint in recording.robot.joints]
    signals, dead = _signals(live)
    known = [evidence for evidence in joints if evidence.travel is not None]
    widest = max(known, key=lambda evidence: (bool(evidence.moves), evidence.travel or 0.0), default=None)
    return [
        *joints,
        JointEvidence(
            None,
            recording.rate_hz,
            widest.kind if widest else "revolute",
            None,
            signals,
            dead - signals,
            _components(live),
            widest.travel if widest else None,
            widest.speed if widest else np.empty(0),
            max((evidence.reversals for evidence in joints), default=0),
        ),
    ]


def _of_joint(recording: Recording, joint: Joint, live: dict[Channel, bool]) -> JointEvidence:
    own = {channel: alive for channel, alive in live.items() if channel.joint == joint.number}
    signals, dead = _signals(own)
    travel, speed, reversals = _motion(recording, joint, own)
    return JointEvidence(
        joint.number,
        recording.rate_hz,
        joint.kind,
        joint.gear_ratio,
        signals,
        dead - signals,
        _components(own),
        travel,
        speed,
        reversals,
    )


def _live(channel: Channel, values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return len(finite) > 0 and (channel.quantity not in _MUST_VARY or bool(np.ptp(finite) > 0))


def _name(channel: Channel) -> str:
    source = Source.MEASURED if channel.source is Source.DERIVED else channel.source
    return Channel(channel.quantity, source=source).key


def _signals(live: dict[Channel, bool]) -> tuple[frozenset[str], frozenset[str]]:
    alive = frozenset(_name(channel) for channel, is_live in live.items() if is_live)
    return alive, frozenset(_name(channel) for channel, is_live in live.items() if not is_live)


def _components(live: dict[Channel, bool]) -> dict[Quantity, tuple[str, ...]]:
    names: dict[Quantity, tuple[str, ...]] = {}
    for channel, is_live in live.items():
        if is_live and channel.source is Source.MEASURED:
            names[channel.quantity] = (*names.get(channel.quantity, ()), channel.component)
    return names


def _first(live: dict[Channel, bool], quantity: Quantity, sources: Iterable[Source]) -> Channel | None:
    for source in sources:
        for channel, is_live in live.items():
            if is_live and channel.quantity is quantity and channel.source is source:
                return channel
    return None


def _motion(recording: Recording, joint: Joint, live: dict[Channel, bool]) -> tuple[float | None, np.ndarray, int]:
    """(travel or None, speeds while moving, reversals) from position, or from velocity where there is none."""
    order = (Source.MEASURED, Source.DERIVED, Source.COMMANDED)
    where = _first(live, Quantity.POSITION, order)
    rate = _first(live, Quantity.VELOCITY, order)
    time_s = recording.time_s
    position = velocity = None
    if where is not None:
        good = np.isfinite(recording[where])
        position, clock = recording[where][good], time_s[good]
        if joint.kind == "revolute" and recording.rate_hz >= 10:  # slower, a half turn between samples may be real
            position = np.unwrap(position)
        lag = max(1, round(_SPEED_LAG_S * recording.rate_hz))
        if len(position) > lag:
            step_s = clock[lag:] - clock[:-lag]
            whole = step_s < 3 * lag / recording.rate_hz  # not across gaps
            velocity = ((position[lag:] - position[:-lag]) / step_s)[whole]
    if rate is not None:
        velocity = recording[rate][np.isfinite(recording[rate])]
        if position is None:
            position = np.cumsum(velocity) / recording.rate_hz
    if position is None or len(position) == 0:
        return None, np.empty(0), 0
    low, high = np.quantile(position, [0.001, 0.999])
    travel = float(high - low)
    if velocity is None or len(velocity) == 0:
        return travel, np.empty(0), 0
    still = max(_STILL[joint.kind][1], 0.05 * float(np.quantile(np.abs(velocity), 0.95)))
    moving = velocity[np.abs(velocity) > still]
    return travel, np.abs(moving), int(np.count_nonzero(np.diff(np.sign(moving))))
