"""What a strain-wave drive leaves in the effort of its joint, told against the joint's angle instead of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from numpy.polynomial import legendre

from jointwatch.core.errors import UsageError
from jointwatch.signals.numerics import uniform_filter1d

__all__ = ["GROUPS", "figure_names", "joint_profile", "strokes"]

GROUPS: Final = ("friction", "shape", "ripple", "roughness", "play")
"""Families of figures, in their order."""

_DEGREE = 8  # of the polynomials in the angle
_STILL = 0.1  # share of the top speed below which friction turns round
_END = 0.01  # share of the window on either side that the smoothing of its ends reaches
_ORDERS = (1, 2, 4)  # of the wave generator
_RIPPLE_EDGES = np.sqrt(
    np.linspace(0.15**2, 1.03**2, 6)
)  # speed, shares of its top; a ramp takes as many turns in each
_LEAST_TURNS = 0.8  # of the input in a band, for orders to be told from a slope
_ROUGH_EDGES = (0.08, 0.32, 0.56, 0.8, 1.1)
_PER_TURN = 40  # points that a turn of the input is averaged over
_REACH = 0.94  # of the largest angle from the centre, where both directions are at speed
_NEAR = 0.08  # of the half stroke: what play changes lies that near to where the load turns round
_PLAY = (0.08, 0.16, 0.32)  # of the half stroke on either side of the turning load
_FLOOR = 1e-6  # share of the effort's mean square that is told apart


@dataclass(frozen=True)
class _Motion:
    """Angle from the centre as share of the half stroke, speed as share of the top speed, and where both are usable."""

    angle_rad: np.ndarray
    speed: np.ndarray
    acceleration: np.ndarray
    moving: np.ndarray
    centre_rad: float
    half_rad: float

    @property
    def share(self) -> np.ndarray:
        return np.clip((self.angle_rad - self.centre_rad) / self.half_rad, -1, 1)

    @property
    def way(self) -> np.ndarray:
        return np.sign(self.speed)


def figure_names(group: str) -> list[str]:
    """Names of the figures of a family.

    Errors: `UsageError` for an unknown family.

    >>> figure_names("roughness")[0]
    'rest'
    """
    names = {
        "friction": ["coulomb", *(f"friction {k} of angle" for k in range(1, _DEGREE + 1)), "viscous"],
        "shape": [*(f"load {k} of angle" for k in range(_DEGREE - 2)), "load bend"],
        "ripple": [f"order {k} at {(a + b) / 2:.0%} speed" for a, b in _bands(_RIPPLE_EDGES) for k in _ORDERS],
        "roughness": ["rest", *(f"slow rest at {(a + b) / 2:.0%} speed" for a, b in _bands(_ROUGH_EDGES))],
        "play": [
            *(f"load step within {a:.0%}" for a in _PLAY),
            "load step elsewhere",
            *(f"friction step within {a:.0%}" for a in _PLAY),
            "friction step elsewhere",
            *(f"load slope within {a:.0%}" for a in _PLAY),
            "friction without load",
            "friction per load",
            "friction at middle load",
            "friction at high load",
            "ripple without load",
            "ripple at high load",
        ],
    }
    if group not in names:
        raise UsageError(f"no family of figures {group}; there are {', '.join(GROUPS)}")
    return names[group]


def joint_profile(
    effort: Float[np.ndarray, "window time"],
    position_rad: Float[np.ndarray, "window time"],
    ratio: float,
    groups: Sequence[str] = GROUPS,
) -> dict[str, np.ndarray]:
    """Friction, load, ripple and play of one geared joint that swung to and fro, against its angle.

    Forward and backward passes of the same angle are told apart: half their difference is friction, half their sum the
    load. What turns with the motor (once, twice and four times a turn of the wave generator) is measured as amplitude
    in bands of speed, so that a resonance that the ripple sweeps through stays visible, and is taken out of the
    profiles by averaging over whole turns. What is then left where the load changes sign is play.

    Parameters
    ----------
    effort : motor torque or current, any unit; position_rad : angle of the joint (output side). Whole cycles with the
        same motion; at least 10 samples a turn of the input at top speed, or its higher orders fold back.
    ratio : turns of the input for one of the output.
    groups : the families that are wanted.

    Returns (window, figure) arrays by family, figures in the order of `figure_names`:

    - `friction`: logarithm of Coulomb friction; the course of friction over the angle and its growth with speed, as
      shares of it;
    - `shape`: what the load over the angle has beside a constant, sine and cosine (gravity), as shares of gravity;
    - `ripple`: logarithm of the mean square of each order by band of speed; a band that is rushed through, by less than
      a turn of the input, gets the mean of the others;
    - `roughness`: logarithm of the mean square of what friction and load leave, all, and slow parts by band of speed;
    - `play`: around the angle where the load turns round.

    Windows in which the joint does not go both ways by two turns of its input or more give zeros: see `strokes`.

    Errors: `UsageError` for arrays of different shape, a ratio that is not above 0, or an unknown family.

    >>> import numpy as np
    >>> phase = np.linspace(0, 2 * np.pi, 4000)
    >>> position = -0.7 * np.cos(phase)
    >>> effort = 20 * np.sin(position) + 3 * np.sign(np.sin(phase)) + 0.5 * np.cos(2 * 100 * position)
    >>> found = joint_profile(np.stack([effort, 2 * effort]), np.stack([position] * 2), 100.0)
    >>> np.exp(found["friction"][:, 0]).round(1).tolist()
    [3.0, 6.0]
    >>> order_2 = figure_names("ripple").index("order 2 at 57% speed")
    >>> bool(abs(np.sqrt(2 * np.exp(found["ripple"][0, order_2])) - 0.5) < 0.05)
    True
    """
    effort, position = np.asarray(effort, np.float64), np.asarray(position_rad, np.float64)
    if effort.shape != position.shape or effort.ndim != 2:
        raise UsageError(f"effort and position must be (window, time) alike, got {effort.shape} and {position.shape}")
    if not ratio > 0:
        raise UsageError(f"a ratio is turns of the input for one of the output, above 0; got {ratio:g}")
    found = {name: np.zeros((len(effort), len(figure_names(name)))) for name in groups}
    for row in range(len(effort)):
        motion = _motion(position[row], ratio)
        if motion is None:
            continue
        for group, figures in _figures(effort[row], motion, ratio, groups).items():
            found[group][row] = figures
    return found


def _figures(effort: np.ndarray, motion: _Motion, ratio: float, groups: Sequence[str]) -> dict[str, np.ndarray]:
    """What is wanted of one window."""
    floor = _FLOOR * max(float(np.mean(effort**2)), 1e-300)
    found = {}
    if {"friction", "shape", "roughness"} & set(groups):
        found["friction"], found["shape"], rest = _smooth(effort, motion)
        found["roughness"] = _roughness(rest, motion, floor)
    if "ripple" in groups:
        found["ripple"] = _ripple(effort, motion, ratio, floor)
    if "play" in groups:
        found["play"] = _play(effort, motion, 2 * np.pi / ratio, floor)
    return {group: found[group] for group in groups}


def _bands(edges: tuple[float, ...] | np.ndarray) -> list[tuple[float, float]]:
    return list(pairwise(edges))


def strokes(position_rad: Float[np.ndarray, "window time"], ratio: float) -> Bool[np.ndarray, " window"]:
    """Whether the joint went both ways through two turns of its input or more, so that it has a profile.

    >>> phase = np.linspace(0, 2 * np.pi, 1000)
    >>> strokes(np.stack([0.5 * np.sin(phase), 0.01 * np.sin(phase), phase]), 100.0).tolist()
    [True, False, False]
    """
    return np.array([_motion(np.asarray(row, np.float64), ratio) is not None for row in position_rad], bool)


def _motion(position: np.ndarray, ratio: float) -> _Motion | None:
    """None where the joint does not go to and fro by two turns of its input."""
    width = max(3, len(position) // 400 | 1)
    angle = uniform_filter1d(position, width)
    velocity = uniform_filter1d(np.gradient(angle), 2 * width + 1)
    top = float(np.quantile(np.abs(velocity), 0.95))
    if top <= 0:
        return None
    speed = velocity / top
    acceleration = uniform_filter1d(np.gradient(speed), 4 * width + 1)
    moving = np.abs(speed) > _STILL
    end = max(1, int(_END * len(position)))
    moving[:end] = moving[-end:] = False
    low, high = float(angle.min()), float(angle.max())
    if (high - low) / 2 < 2 * np.pi / ratio:
        return None
    if not ((speed > 0) & moving).any() or not ((speed < 0) & moving).any():
        return None
    return _Motion(angle, speed, acceleration, moving, (low + high) / 2, (high - low) / 2)


def _smooth(effort: np.ndarray, motion: _Motion) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Friction and load over the angle by least squares, and what they leave."""
    terms = legendre.legvander(motion.share, _DEGREE)
    quick = (np.abs(motion.speed) - 0.8) * motion.way
    model = np.concatenate([terms, terms * motion.way[:, None], motion.acceleration[:, None], quick[:, None]], axis=1)
    weight = np.linalg.lstsq(model[motion.moving], effort[motion.moving], rcond=None)[0]
    load, friction = weight[: _DEGREE + 1], weight[_DEGREE + 1 : 2 * _DEGREE + 2]
    coulomb = max(abs(float(friction[0])), 1e-9)
    course = np.concatenate([[np.log(coulomb)], friction[1:] / coulomb, weight[-1:] / coulomb])
    rest = np.where(motion.moving, effort - model @ weight, 0.0)
    return course, _bend(load, motion), rest


def _bend(load: np.ndarray, motion: _Motion) -> np.ndarray:
    """What the load over the angle has beside gravity, in an orthonormal frame, as shares of gravity."""
    share = np.linspace(-1, 1, 201)
    angle = motion.centre_rad + share * motion.half_rad
    course = legendre.legval(share, load) / np.sqrt(len(share))
    gravity = np.stack([np.ones_like(angle), np.sin(angle), np.cos(angle)], axis=1)
    frame = np.linalg.qr(np.concatenate([gravity, legendre.legvander(share, _DEGREE)[:, 3:]], axis=1))[0]
    parts = frame.T @ course
    size = max(float(np.linalg.norm(parts[:3])), 1e-9)
    beside = parts[3:] / size
    return np.concatenate([beside, [np.log(np.linalg.norm(beside) + 1e-4)]])


def _ripple(effort: np.ndarray, motion: _Motion, ratio: float, floor: float) -> np.ndarray:
    """Orders of the input in every run through a band of speed, beside a parabola; mean square over the runs."""
    band = np.where(motion.moving, np.digitize(np.abs(motion.speed), _RIPPLE_EDGES) - 1, -1)
    band[band == len(_RIPPLE_EDGES) - 1] = -1
    edges = np.flatnonzero(np.diff(np.concatenate([[-2], band, [-2]])))
    power = np.zeros((len(_RIPPLE_EDGES) - 1, len(_ORDERS)))
    samples = np.zeros(len(power))
    for start, stop in pairwise(edges):
        place, turned = band[start], ratio * motion.angle_rad[start:stop]
        if place < 0 or stop - start < 4 * len(_ORDERS) or np.ptp(turned) < 2 * np.pi * _LEAST_TURNS:
            continue
        time = np.linspace(-1, 1, stop - start)
        waves = [wave(order * turned) for order in _ORDERS for wave in (np.cos, np.sin)]
        model = np.stack([np.ones_like(time), time, time**2, *waves], axis=1)
        weight = np.linalg.lstsq(model, effort[start:stop], rcond=None)[0]
        power[place] += (weight[3:] ** 2).reshape(-1, 2).sum(axis=1) / 2 * (stop - start)
        samples[place] += stop - start
    if not samples.any():
        return np.full(power.size, np.log(floor))
    found = power / np.maximum(samples, 1)[:, None]
    found[samples == 0] = power.sum(axis=0) / samples.sum()  # a band that is rushed through says what the others say
    return np.log(found + floor).ravel()


def _roughness(rest: np.ndarray, motion: _Motion, floor: float) -> np.ndarray:
    slow = uniform_filter1d(rest, max(3, len(rest) // 530))
    speed = np.abs(motion.speed)
    figures = [float(np.mean(rest[motion.moving] ** 2))]
    for low, high in _bands(_ROUGH_EDGES):
        inside = motion.moving & (speed > low) & (speed <= high)
        figures.append(float(np.mean(slow[inside] ** 2)) if inside.any() else 0.0)
    return np.log(np.array(figures) + floor)


def _play(effort: np.ndarray, motion: _Motion, turn_rad: float, floor: float) -> np.ndarray:
    """Figures of the profiles averaged over whole turns, around the angle at which the load turns round."""
    span = _REACH * motion.half_rad
    grid = motion.centre_rad + np.arange(-span, span, turn_rad / _PER_TURN)
    passes = []
    for way in (1, -1):
        rows = np.flatnonzero(motion.moving & (motion.way == way))
        order = rows[np.argsort(motion.angle_rad[rows], kind="stable")]
        passes.append(np.interp(grid, motion.angle_rad[order], effort[order]))
    inner = slice(2 * _PER_TURN, len(grid) - 2 * _PER_TURN)
    if inner.stop - inner.start < _PER_TURN:
        return np.zeros(len(figure_names("play")))
    up, down = (_over_turns(_over_turns(each)) for each in passes)
    load, friction = ((up + down) / 2)[inner], ((up - down) / 2)[inner]
    swing = np.mean([_over_turns(each**2) - _over_turns(each) ** 2 for each in passes], axis=0)[inner]
    share = (grid[inner] - motion.centre_rad) / motion.half_rad
    crossing = _crossing(load, share)
    away = share - crossing
    far, middle = np.abs(away) > 0.5 * np.abs(away).max(), np.abs(np.abs(away) - 0.4) < 0.08
    quiet = 1 - np.exp(-0.5 * (away / _NEAR) ** 2)
    steps = []
    for course, powers in ((load, (0, 1, 2, 3, 4, 5, 7, 9)), (friction, (0, 2, 4, 6))):
        basis = np.stack([away**power for power in powers] + ([np.abs(away)] if course is friction else []), axis=1)
        fit = np.linalg.lstsq(basis * quiet[:, None], course * quiet, rcond=None)[0]
        left = (course - basis @ fit) ** 2
        steps += [np.log(_mean(left, np.abs(away) < near) + floor) for near in _PLAY]
        steps.append(np.log(_mean(left, np.abs(away) > _PLAY[-1]) + floor))
    size = max(float(np.ptp(load)) / 2, 1e-9)
    slopes = [_slope(away, load, np.abs(away) < near) / size for near in _PLAY]
    idle = _mean(friction, np.abs(away) < _PLAY[0] / 2)
    per_load = _slope(np.abs(load), friction, np.ones_like(away, bool))
    levels = [idle, _mean(friction, middle), _mean(friction, far)]
    idle, half, full = (float(np.log(max(level, 1e-3 * size))) for level in levels)
    ripple = [float(np.log(max(_mean(swing, where), 0.0) + floor)) for where in (np.abs(away) < _PLAY[0], far)]
    return np.array([*steps, *slopes, idle, np.log(max(per_load, 1e-4)), half, full, *ripple])


def _over_turns(values: np.ndarray) -> np.ndarray:
    return np.asarray(uniform_filter1d(values, _PER_TURN))


def _crossing(load: np.ndarray, share: np.ndarray) -> float:
    """Where the load turns round, 0 where it does not."""
    slope, offset = np.polyfit(share, load, 1)
    found = -offset / slope if slope else 0.0
    return float(found) if abs(found) < 0.5 else 0.0


def _mean(values: np.ndarray, where: np.ndarray) -> float:
    return float(values[where].mean()) if where.any() else 0.0


def _slope(x: np.ndarray, y: np.ndarray, where: np.ndarray) -> float:
    if where.sum() < 3:
        return 0.0
    centred = x[where] - x[where].mean()
    return float((centred * y[where]).sum() / max(float((centred**2).sum()), 1e-300))
