"""Friction of a joint from what its drive gave while it moved to and fro."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

__all__ = ["FRICTION", "friction"]

_LOW_SPEED = 0.02  # share of the largest speed over which Coulomb friction turns round
_BANDS = ((0.02, 0.2), (0.2, 0.5), (0.5, 1.01))  # shares of the largest speed
_RIDGE = 1e-6  # keeps the fit defined where two terms of the model are the same
FRICTION = (
    "energy",
    "coulomb",
    "viscous",
    "slow",
    "medium",
    "fast",
    "inertia",
    "residual",
    "roughness",
)
"""Names of the figures that `friction` gives, in their order."""


def friction(
    effort: Float[np.ndarray, "window time"],
    position: Float[np.ndarray, "window time"],
    velocity: Float[np.ndarray, "window time"],
) -> Float[np.ndarray, "window figure"]:
    """What the drive of one joint lost to friction, and what a smooth friction cannot explain.

    Each window is fitted by least squares with gravity (constant, sine and cosine of the position), inertia, Coulomb
    and viscous friction; it should hold movement in both directions. A joint that stands still gives zeros.

    Parameters
    ----------
    effort : torque or current, any unit. Figures have that unit; `viscous` is it at the largest speed, `inertia` at the
        largest acceleration.
    position : rad, or m. velocity : rad/s, or m/s.

    Returns (window, figure), figures in the order of `FRICTION`:

    - `energy`: mean of effort along the way, signed by direction: over a closed cycle gravity and inertia give back
      what they took, so it is friction;
    - `coulomb`, `viscous`, `inertia`: of the fit;
    - `slow`, `medium`, `fast`: half the difference between the two directions, less gravity and inertia, at up to a
      fifth, up to half, and above half of the largest speed;
    - `residual`: root mean square of what the model leaves (gear errors, ripple, play); `roughness`: of its second
      difference, which holds the quick part.

    >>> import numpy as np
    >>> phase = np.linspace(0, 2 * np.pi, 400)[None]
    >>> position, velocity = np.sin(phase), np.cos(phase)
    >>> effort = 3.0 * np.tanh(velocity / 0.02) + 0.5 * velocity + 2.0 * np.cos(position)
    >>> found = dict(zip(FRICTION, friction(effort, position, velocity)[0]))
    >>> round(float(found["coulomb"]), 2), round(float(found["viscous"]), 2), bool(found["residual"] < 0.01)
    (3.0, 0.5, True)
    """
    x, q, v = (np.asarray(a, np.float64) for a in (effort, position, velocity))
    figures = np.zeros((len(x), len(FRICTION)))
    top = np.abs(v).max(axis=1, initial=0.0)
    rows = np.flatnonzero(top > 0)
    if not len(rows) or x.shape[1] < 5:
        return figures
    x, q, v, speed = x[rows], q[rows], v[rows], v[rows] / top[rows, None]
    acceleration = np.gradient(speed, axis=1)
    largest = np.abs(acceleration).max(axis=1, keepdims=True)
    acceleration /= np.where(largest > 0, largest, 1.0)
    model = np.stack(
        [np.ones_like(x), np.sin(q), np.cos(q), acceleration, np.tanh(speed / _LOW_SPEED), speed],
        axis=2,
    )
    square = np.einsum("wti,wtj->wij", model, model)
    scale = np.trace(square, axis1=1, axis2=2)[:, None, None]
    fit = np.linalg.solve(
        square + _RIDGE * scale * np.eye(model.shape[2]), np.einsum("wti,wt->wi", model, x)[..., None]
    )[..., 0]
    residual = x - np.einsum("wti,wi->wt", model, fit)
    lost = x - np.einsum("wti,wi->wt", model[..., :4], fit[:, :4])
    step = np.diff(q, axis=1)
    way = np.abs(step).sum(axis=1)
    work = ((x[:, 1:] + x[:, :-1]) / 2 * step).sum(axis=1)
    columns = [work / np.where(way > 0, way, 1.0), fit[:, 4], fit[:, 5]]
    for low, high in _BANDS:
        inside = (np.abs(speed) >= low) & (np.abs(speed) < high)
        columns.append((_mean(lost, inside & (speed > 0)) - _mean(lost, inside & (speed < 0))) / 2)
    columns += [fit[:, 3], np.sqrt(np.mean(residual**2, axis=1)), np.std(np.diff(residual, 2, axis=1), axis=1)]
    figures[rows] = np.column_stack(columns)
    return figures


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    found: np.ndarray = (values * where).sum(axis=1) / np.maximum(where.sum(axis=1), 1)
    return found
