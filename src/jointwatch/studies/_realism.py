"""What a recording shows of its robot, measured in the same way on real and simulated ones: clock and standstill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, maximum_filter1d, median_filter, minimum_filter1d

from jointwatch.core import Channel, Quantity, Recording, Source
from jointwatch.recordings._runs import true_runs
from jointwatch.signals.differentiate import differentiate

__all__ = ["Axis", "Clock", "Standstill", "axes", "clock", "resolution", "standstill", "without_spikes"]

_EFFORTS = (
    Channel(Quantity.CURRENT),
    Channel(Quantity.TORQUE),
    Channel(Quantity.TORQUE, source=Source.DERIVED),
)
_STILL = {"revolute": 3e-4, "prismatic": 3e-5}  # rad or m within _STILL_S
_STILL_S = 0.2
_LEAST_STILL_S = 0.5
_SETTLED_S = 0.2
_BLOCK_S = 2.0
_SMOOTH_S = 0.1
_LEAST_SAMPLES = 20
_SPIKE = 6.0  # robust standard deviations
_SPIKE_S = 0.008


@dataclass(frozen=True, eq=False)
class Axis:
    """One joint of a recording, (time,) arrays on the recording's clock without the samples that are lost.

    position : rad or m; speed, acceleration : from the position, by a cubic over about 0.1 s.
    effort : what the motor gives: current (A), else torque (N m) or force (N); `effort_name` is its channel.
    reference : torque that the load takes by a sensor or by the controller's model, or None.
    """

    joint: int
    kind: str
    time_s: np.ndarray
    position: np.ndarray
    speed: np.ndarray
    acceleration: np.ndarray
    effort: np.ndarray
    effort_name: str
    unit: str
    reference: np.ndarray | None

    @property
    def step_s(self) -> float:
        """Mean time step."""
        return float((self.time_s[-1] - self.time_s[0]) / (len(self.time_s) - 1))

    @property
    def moves(self) -> bool:
        """Whether the joint goes far enough to say something about motion."""
        return bool(np.ptp(self.position) > (0.05 if self.kind == "revolute" else 0.02))


def axes(recording: Recording) -> list[Axis]:
    """The joints of which position and motor effort are recorded; none where fewer than 20 samples hold all of them."""
    chosen = []
    for joint in recording.robot.joints:
        place = Channel(Quantity.POSITION, joint.number)
        efforts = [Channel(c.quantity, joint.number, c.source) for c in _EFFORTS]
        effort = next((c for c in efforts if c in recording), None)
        if effort is not None and place in recording:
            chosen.append((joint, place, effort))
    rows = np.array([recording[c] for _, place, effort in chosen for c in (place, effort)])
    good = np.isfinite(rows).all(axis=0) if len(rows) else np.zeros(0, bool)
    if good.sum() < _LEAST_SAMPLES:
        return []
    time_s, rows = recording.time_s[good], rows[:, good]
    width = max(7, 2 * round(_SMOOTH_S / 2 * (len(time_s) - 1) / (time_s[-1] - time_s[0])) + 1)
    speed, acceleration = (differentiate(rows[::2], time_s, window=width, order=order) for order in (1, 2))
    found = []
    for i, (joint, _, effort) in enumerate(chosen):
        name = _reference(recording, joint.number)
        reference = None if name is None else recording[name][good]
        unit = effort.unit(joint.kind)
        found.append(
            Axis(joint.number, joint.kind, time_s, rows[2 * i], speed[i], acceleration[i], rows[2 * i + 1], effort.key,
                 unit, reference)
        )  # fmt: skip
    return found


def _reference(recording: Recording, joint: int) -> Channel | None:
    """The load's torque: a sensor first, then what the controller computes."""
    for quantity, source, component in (
        (Quantity.JOINT_TORQUE, Source.MEASURED, ""),
        (Quantity.JOINT_TORQUE, Source.MEASURED, "a"),
        (Quantity.TORQUE, Source.COMMANDED, ""),
        (Quantity.TORQUE, Source.MODEL, ""),
    ):
        channel = Channel(quantity, joint, source, component)
        if channel in recording and np.nanstd(recording[channel]) > 0:
            return channel
    return None


@dataclass(frozen=True)
class Clock:
    """Time steps in ms: median, 5 %, 95 % and largest; shares of steps beyond 1.5 medians, and of samples that repeat
    the one before in every measured joint channel; jumps: isolated steps of a moving joint's position that are
    half off those around, per second of motion."""

    median_ms: float
    low_ms: float
    high_ms: float
    largest_ms: float
    long_share: float
    repeat_share: float
    jumps_hz: float


def clock(recording: Recording, found: Sequence[Axis]) -> Clock:
    """Time steps, repeated samples, and positions that stop for a sample or jump."""
    steps = np.diff(recording.time_s) * 1e3
    rows = [i for i, c in enumerate(recording.channels) if c.joint is not None and c.source is Source.MEASURED]
    values = recording.values[rows] if rows else recording.values
    repeats = (values[:, 1:] == values[:, :-1]).all(axis=0)
    jumps, moving_s = 0, 0.0
    for axis in found:
        speed = np.diff(axis.position) / np.diff(axis.time_s)
        around = median_filter(speed, 31, mode="nearest")
        fast = np.abs(around) > max(
            30 * resolution(axis.position) / axis.step_s, 0.2 * float(np.quantile(np.abs(around), 0.95)), 0.02
        )
        jumps += int((fast & (np.abs(speed - around) > 0.5 * np.abs(around))).sum())
        moving_s += float(fast.sum() * axis.step_s)
    low, median, high = np.quantile(steps, [0.05, 0.5, 0.95])
    return Clock(
        float(median),
        float(low),
        float(high),
        float(steps.max()),
        float((steps > 1.5 * median).mean()),
        float(repeats.mean()),
        jumps / moving_s if moving_s > 1 else float("nan"),
    )


def resolution(values: np.ndarray) -> float:
    """Least significant bit: the smallest step of which nearly all steps between values are multiples, or 0.

    >>> rng = np.random.default_rng(0)
    >>> round(resolution(0.004 * np.round(rng.standard_normal(500) / 0.004)), 6), resolution(rng.standard_normal(500))
    (0.004, 0.0)
    """
    distinct = np.unique(values[np.isfinite(values)])
    size = float(np.abs(distinct).max(initial=0.0))
    gaps = np.diff(distinct)
    gaps = np.sort(gaps[gaps > 1e-9 * size])
    if len(gaps) < 3:
        return float(gaps[0]) if len(gaps) else 0.0
    step = float(np.median(gaps[gaps < 1.5 * gaps[len(gaps) // 20]]))
    off = np.abs(gaps / step - np.rint(gaps / step))
    return step if (off < 0.05 * np.maximum(1, np.rint(gaps / step))).mean() > 0.95 and gaps[0] > 0.5 * step else 0.0


@dataclass(frozen=True)
class Standstill:
    """Noise of one channel of one joint at rest: seconds seen, standard deviation about a parabola in blocks of
    2 s, least significant bit (0 = none found), autocorrelation one sample on, and whether all joints were at rest."""

    joint: int
    channel: str
    unit: str
    seconds: float
    sd: float
    lsb: float
    autocorrelation: float
    all_joints: bool


def standstill(recording: Recording, axes: Sequence[Axis]) -> list[Standstill]:
    """Noise of effort, position and velocity at rest: where all joints rest for half a second or more, otherwise
    (marked) where the joint itself does. Joints that never rest are left out."""
    found: list[Standstill] = []
    still = {axis.joint: _still(axis) for axis in axes}
    everyone = np.all(list(still.values()), axis=0) if still else np.zeros(1, bool)
    for axis in axes:
        least = round(_LEAST_STILL_S / axis.step_s)
        together = any(b - a >= least for a, b in true_runs(everyone))
        runs = [(a, b) for a, b in true_runs(everyone if together else still[axis.joint]) if b - a >= least]
        kinds: list[tuple[Channel, np.ndarray]] = [(Channel.parse(axis.effort_name), axis.effort)]
        kinds.append((Channel(Quantity.POSITION, axis.joint), axis.position))
        reported = Channel(Quantity.VELOCITY, axis.joint)
        if reported in recording:
            kinds.append((reported, np.interp(axis.time_s, recording.time_s, np.nan_to_num(recording[reported]))))
        for channel, values in kinds if runs else ():
            parts = [_level(values[a:b], round(_BLOCK_S / axis.step_s)) for a, b in runs]
            noise = np.concatenate(parts)
            power = float((noise**2).sum())
            turn = sum(float((p[1:] * p[:-1]).sum()) for p in parts)
            found.append(
                Standstill(
                    axis.joint,
                    channel.key,
                    channel.unit(axis.kind),
                    len(noise) * axis.step_s,
                    float(np.sqrt(power / len(noise))),
                    resolution(np.concatenate([values[a:b] for a, b in runs])),
                    turn / power if power else 0.0,
                    together,
                )
            )
    return found


def _still(axis: Axis) -> np.ndarray:
    """(time,) where the position stays within the limit around, without the time to settle after a stop."""
    width = max(3, round(_STILL_S / axis.step_s) | 1)
    reach = maximum_filter1d(axis.position, width) - minimum_filter1d(axis.position, width)
    still = reach < _STILL[axis.kind]
    settle = round(_SETTLED_S / axis.step_s)
    for a, b in true_runs(still):
        still[a : min(a + settle, b)] = False
    return still


def _level(values: np.ndarray, block: int) -> np.ndarray:
    """Values without a parabola in each block."""
    parts = []
    for part in np.array_split(values, max(1, round(len(values) / block))):
        x = np.linspace(-1, 1, len(part))
        basis = np.stack([np.ones_like(x), x, x**2], axis=1)
        parts.append(part - basis @ np.linalg.lstsq(basis, part, rcond=None)[0])
    return np.concatenate(parts)


def without_spikes(axis: Axis) -> np.ndarray:
    """(time,) True but at isolated spikes of the effort and 8 ms around: what lies more than six robust standard
    deviations from the median of 31 samples."""
    rough = axis.effort - median_filter(axis.effort, 31, mode="nearest")
    spread = 1.4826 * float(np.median(np.abs(rough - np.median(rough))))
    if spread == 0:
        return np.ones(len(rough), bool)
    return ~binary_dilation(np.abs(rough) > _SPIKE * spread, iterations=max(1, round(_SPIKE_S / axis.step_s)))
