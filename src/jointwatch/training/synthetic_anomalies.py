"""Anomalies made from healthy windows, for plants that have recorded nothing else.

Each kind imitates what a fault or a mishap does to the signals of one joint:

==========  ==================================================================================================
contact     half-sine pulse or ramp on current and torque of the struck joint and, weaker, of the joints before
            it, which carry its load (the joints behind feel little); the joint slows down and lags meanwhile
friction    load grows with the sign of the velocity (Coulomb) and with the velocity (viscous)
offset      a sensor or the load shifts by a constant from some moment on
gain        a sensor reads too much or too little by a factor
drift       a sensor or the load moves away steadily
ripple      sinusoid of the joint's position on the load: gear mesh, wave generator, commutation
noise       a loose connector: noise from some moment on
stuck       a sensor repeats its last value
swapped     two joints' sensors of the same kind are exchanged
==========  ==================================================================================================

Windows are (window, channel, time), z-scored, so strengths are in standard deviations of the healthy signal, motion
included. Strengths are drawn log-uniformly, so that as many are barely visible as are clear. All draws come from the
generator that is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from jointwatch.core import Channel, Quantity, Source
from jointwatch.core.errors import UsageError

__all__ = ["KINDS", "Disturbed", "disturb"]

_LOADS = (Quantity.CURRENT, Quantity.TORQUE, Quantity.JOINT_TORQUE)
_VISIBLE_SIGMA = 0.1  # a disturbance whose peak is below this would be a wrong label


@dataclass(frozen=True, eq=False)
class Disturbed:
    """Disturbed windows and the truth about them.

    Parameters
    ----------
    values : (window, channel, time) float32.
    joint : (window,) number of the disturbed joint, 0 where the channel belongs to none.
    kind : (window,) which disturbance.
    touched : (window, channel) True where the channel was changed.
    """

    values: Float[np.ndarray, "window channel time"]
    joint: Int[np.ndarray, " window"]
    kind: np.ndarray
    touched: Bool[np.ndarray, "window channel"]


@dataclass(frozen=True)
class _Body:
    """Rows of the channels of one joint, or one channel that belongs to no joint. `twins` are, for each sensor,
    the rows of the same quantity at other joints."""

    joint: int
    loads: tuple[int, ...]
    sensors: tuple[int, ...]
    position: int | None = None
    velocity: int | None = None
    lag: int | None = None
    twins: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class _Case:
    """Windows (window, channel, time) that get one kind on one body; `strength` (window,) in sigma."""

    values: np.ndarray
    body: _Body
    bodies: tuple[_Body, ...]
    strength: np.ndarray
    rng: np.random.Generator

    @property
    def time(self) -> np.ndarray:
        """(time,) 0 to 1 over the window."""
        return np.linspace(0.0, 1.0, self.values.shape[2])

    def draw(self, low: float, high: float) -> np.ndarray:
        """(window, 1) uniform numbers."""
        return self.rng.uniform(low, high, (len(self.values), 1))

    def signed(self) -> np.ndarray:
        """(window, 1) strength with a random sign."""
        return self.strength[:, None] * self.rng.choice([-1.0, 1.0], (len(self.values), 1))

    def late(self) -> np.ndarray:
        """(window, time) 1 from a random moment in the first three quarters on."""
        return (self.time >= self.draw(0.0, 0.75)).astype(float)

    def one_sensor(self) -> np.ndarray:
        """(window,) a random channel of the body for each window."""
        return self.rng.choice(self.body.sensors, len(self.values))


def disturb(
    values: Float[np.ndarray, "window channel time"],
    channels: Sequence[Channel],
    rng: np.random.Generator,
    *,
    mask: Bool[np.ndarray, "window channel"] | None = None,
    strength_sigma: tuple[float, float] = (0.2, 5.0),
    kinds: Sequence[str] | None = None,
) -> Disturbed:
    """Each window with one anomaly of a random kind, joint, moment and strength; the input stays as it is.

    Parameters
    ----------
    values : healthy windows, z-scored.
    channels : what the channels are; set points and model values are never disturbed.
    mask : False where a robot lacks a channel; what stands there is not touched.
    strength_sigma : weakest and strongest.
    kinds : some of `KINDS`; None = all. A kind that a joint has no signals for (ripple needs a position), or that
        nobody could see (a stuck sensor of a joint at rest), is replaced by a contact.

    Errors: `UsageError` for an unknown kind, strengths that are not 0 < low <= high, windows of one sample,
    or a window without any measured channel.

    >>> channels = [Channel(q, j) for j in (1, 2) for q in (Quantity.VELOCITY, Quantity.CURRENT)]
    >>> made = disturb(np.zeros((3, 4, 50), np.float32), channels, np.random.default_rng(0), kinds=["contact"])
    >>> made.values.shape, made.joint.tolist(), made.touched.any(axis=1).tolist()
    ((3, 4, 50), [2, 2, 2], [True, True, True])
    """
    chosen = tuple(KINDS) if kinds is None else tuple(kinds)
    low, high = strength_sigma
    if unknown := set(chosen) - set(KINDS):
        raise UsageError(f"no kind of anomaly {sorted(unknown)}; there are {', '.join(KINDS)}")
    if not 0 < low <= high or not chosen:
        raise UsageError(f"strengths must be 0 < low <= high with at least one kind, got {strength_sigma} and {chosen}")
    if values.shape[2] < 2:
        raise UsageError(f"an anomaly needs windows of at least 2 samples, got {values.shape[2]}")
    result = Disturbed(
        np.array(values, np.float32), np.zeros(len(values), np.int64), np.full(len(values), "", "U16"),
        np.zeros(values.shape[:2], bool),
    )  # fmt: skip
    present = np.ones(values.shape[:2], bool) if mask is None else np.asarray(mask, bool)
    robots, robot_of = np.unique(present, axis=0, return_inverse=True)
    for number, robot in enumerate(robots):
        rows, columns = np.flatnonzero(robot_of == number), np.flatnonzero(robot)
        bodies = _bodies(tuple(channels[int(column)] for column in columns))
        part = _disturb(result.values[np.ix_(rows, columns)], bodies, rng, strength_sigma, chosen)
        result.values[np.ix_(rows, columns)] = part.values
        result.touched[np.ix_(rows, columns)] = part.touched
        result.joint[rows], result.kind[rows] = part.joint, part.kind
    return result


def _disturb(
    values: np.ndarray,
    bodies: tuple[_Body, ...],
    rng: np.random.Generator,
    strength_sigma: tuple[float, float],
    kinds: tuple[str, ...],
) -> Disturbed:
    """The same for windows of robots that have all channels."""
    count = len(values)
    body_of = rng.integers(len(bodies), size=count)
    kind_of = rng.choice(kinds, count).astype("U16")
    low, high = np.log(strength_sigma)
    strength = np.exp(rng.uniform(low, high, count))
    result = values.copy()

    def apply(rows: np.ndarray, kind: str, body: _Body) -> None:
        result[rows] = KINDS[kind](_Case(values[rows].astype(np.float64), body, bodies, strength[rows], rng))

    for number, body in enumerate(bodies):
        for kind in kinds:
            rows = np.flatnonzero((body_of == number) & (kind_of == kind))
            if len(rows):
                apply(rows, kind, body)
        peak = np.abs(result - values).max(axis=(1, 2))
        rows = np.flatnonzero((body_of == number) & (peak < _VISIBLE_SIGMA))
        if len(rows):
            apply(rows, "contact", body)
            kind_of[rows] = "contact"
    joint = np.array([bodies[number].joint for number in body_of], np.int64)
    return Disturbed(result, joint, kind_of, (result != values).any(axis=2))


def _contact(case: _Case) -> np.ndarray:
    values, time, body = case.values.copy(), case.time, case.body
    length = np.maximum(case.draw(0.05, 0.6), 3 / len(time))  # no touch falls between two samples
    run = (time - case.draw(0.0, 0.9)) / length  # 0 at the first touch, 1 at the end
    pulse = np.sin(np.pi * np.clip(run, 0.0, 1.0))
    ramp = np.clip(run, 0.0, 1.0)  # pushed against and held
    shape = np.where(case.draw(0.0, 1.0) < 0.5, pulse, ramp)
    # A touch just before the window's end would be cut off before it can be seen.
    shape /= np.maximum(np.abs(shape).max(axis=1, keepdims=True), 1e-3)
    force = case.signed() * shape
    for row in body.loads:
        values[:, row] += force * case.draw(0.7, 1.3)
    for other in case.bodies:
        if 0 < other.joint != body.joint:
            reach = 0.6 if other.joint < body.joint else 0.15
            share = case.draw(-reach, reach) ** abs(other.joint - body.joint)
            for row in other.loads:
                values[:, row] += share * force
    if body.velocity is not None:
        values[:, body.velocity] *= 1 - case.draw(0.0, 0.5) * shape
    if body.lag is not None and body.lag not in body.loads:
        values[:, body.lag] += case.draw(0.0, 0.5) * force
    return values


def _friction(case: _Case) -> np.ndarray:
    values, body = case.values.copy(), case.body
    velocity = _velocity(case)
    if velocity is None:
        return values
    coulomb = case.draw(0.3, 1.0)
    added = case.strength[:, None] * (coulomb * np.tanh(velocity / 0.2) + (1 - coulomb) * velocity)
    for row in body.loads:
        values[:, row] += added
    return values


def _offset(case: _Case) -> np.ndarray:
    return _add(case, case.signed() * case.late())


def _gain(case: _Case) -> np.ndarray:
    values, rows = case.values.copy(), np.arange(len(case.values))
    sensor = case.one_sensor()
    values[rows, sensor] *= 1 + np.clip(0.3 * case.signed(), -0.95, 2.0) * case.late()
    return values


def _drift(case: _Case) -> np.ndarray:
    onset = case.draw(0.0, 0.5)
    return _add(case, case.signed() * np.clip((case.time - onset) / (1 - onset), 0.0, None))


def _ripple(case: _Case) -> np.ndarray:
    values, body = case.values.copy(), case.body
    if body.position is None:
        return values
    position = values[:, body.position]
    fastest = np.abs(np.diff(position, axis=1)).max(axis=1, keepdims=True, initial=0.0)
    # From slow waves to four samples a wave where the joint is fastest; a joint at rest has none.
    waves = case.draw(0.02, 0.25) / np.maximum(fastest, 1e-3)
    added = case.strength[:, None] * np.sin(2 * np.pi * (waves * position + case.draw(0.0, 1.0)))
    added -= added.mean(axis=1, keepdims=True)
    for row in body.loads:
        values[:, row] += added
    return values


def _noise(case: _Case) -> np.ndarray:
    white = case.rng.standard_normal((len(case.values), case.values.shape[2]))
    return _add(case, 0.5 * case.signed() * white * case.late())


def _stuck(case: _Case) -> np.ndarray:
    values, rows = case.values.copy(), np.arange(len(case.values))
    sensor, late = case.one_sensor(), case.late().astype(bool)
    signal = values[rows, sensor]
    held = np.take_along_axis(signal, np.argmax(late, axis=1)[:, None], axis=1)
    values[rows, sensor] = np.where(late, held, signal)
    return values


def _swapped(case: _Case) -> np.ndarray:
    values = case.values.copy()
    for row, number in enumerate(case.rng.integers(len(case.body.sensors), size=len(values))):
        if twins := case.body.twins[number]:
            pair = [case.body.sensors[number], int(case.rng.choice(twins))]
            values[row, pair] = values[row, pair[::-1]]
    return values


KINDS: dict[str, Callable[[_Case], np.ndarray]] = {
    "contact": _contact,
    "friction": _friction,
    "offset": _offset,
    "gain": _gain,
    "drift": _drift,
    "ripple": _ripple,
    "noise": _noise,
    "stuck": _stuck,
    "swapped": _swapped,
}


def _add(case: _Case, added: np.ndarray) -> np.ndarray:
    values = case.values.copy()
    values[np.arange(len(values)), case.one_sensor()] += added
    return values


def _velocity(case: _Case) -> np.ndarray | None:
    """(window, time) velocity of the body, from its position if it is not measured; None without both."""
    body, values = case.body, case.values
    if body.velocity is not None:
        return values[:, body.velocity]
    if body.position is None or values.shape[2] < 2:
        return None
    slope = np.gradient(values[:, body.position], axis=1)
    scale = np.sqrt((slope**2).mean(axis=1, keepdims=True))
    return np.where(scale > 1e-4, slope / np.maximum(scale, 1e-4), 0.0)


def _bodies(channels: tuple[Channel, ...]) -> tuple[_Body, ...]:
    sensors = [row for row, c in enumerate(channels) if c.source not in (Source.COMMANDED, Source.MODEL)]
    if not sensors:
        raise UsageError("a window without any measured channel cannot be disturbed; leave it out")
    joints = sorted({channels[row].joint or 0 for row in sensors} - {0})
    if not joints:
        return tuple(_body(0, (row,), sensors, channels) for row in sensors)
    of_joint = {joint: tuple(row for row in sensors if channels[row].joint == joint) for joint in joints}
    return tuple(_body(joint, rows, sensors, channels) for joint, rows in of_joint.items())


def _body(joint: int, rows: tuple[int, ...], sensors: list[int], channels: tuple[Channel, ...]) -> _Body:
    def first(quantity: Quantity) -> int | None:
        return next((row for row in rows if channels[row].quantity is quantity), None)

    lag = first(Quantity.POSITION_ERROR)
    loads = tuple(row for row in rows if channels[row].quantity in _LOADS)
    # Without current and torque a mishap shows in the control error, or in whatever there is.
    loads = loads or ((lag,) if lag is not None else rows)
    twins = tuple(
        tuple(other for other in sensors if other not in rows and channels[other].quantity is channels[row].quantity)
        for row in rows
    )
    return _Body(joint, loads, rows, first(Quantity.POSITION), first(Quantity.VELOCITY), lag, twins)
