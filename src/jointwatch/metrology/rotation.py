"""By how much a body turned about an axis that nobody knows, from the centres of spheres on it before and after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from jointwatch.core.errors import InputError, UsageError

__all__ = ["Rotation", "common_axis", "fit_rotation"]

_SMALL_RAD = np.radians(1.0)  # below it the spheres hardly tell the axis, and a given one is trusted for the angle
_SIGMAS = 5.0  # a change of length beyond that many of its standard deviations is no noise
_LIMIT_MM = 0.05  # the same where no noise is stated
_LEAST_MM = 1.0  # spheres closer together, or closer to one line, show no angle


@dataclass(frozen=True, eq=False)
class Rotation:
    """A turn about an axis in space, with what the noise of the centres leaves open of it.

    Parameters
    ----------
    angle_rad : 0 to pi where no direction was given; else -pi to pi, positive by the right-hand rule about it.
    uncertainty_rad : standard uncertainty of the angle; infinite if no noise was stated and residuals cannot tell.
    degrees_of_freedom : of that uncertainty; infinite where the noise was stated.
    axis : (3,) unit vector; zeros if nothing turned and no direction was given.
    point_mm : (3,) the point of the axis nearest to the middle of the spheres; NaN if nothing turned.
    shift_mm : motion along the axis, which a pure rotation does not have.
    noise_mm : standard deviation of one coordinate of one centre, stated or estimated.
    lever : standard uncertainty of the angle for each mm of that noise, rad/mm.
    residual_mm : root of the sum of squares by which the spheres after differ from the rigidly turned ones before.
    """

    angle_rad: float
    uncertainty_rad: float
    degrees_of_freedom: float
    axis: np.ndarray
    point_mm: np.ndarray
    shift_mm: float
    noise_mm: float
    lever: float
    residual_mm: float


def fit_rotation(
    before_mm: np.ndarray,
    after_mm: np.ndarray,
    *,
    direction: np.ndarray | Sequence[float] | None = None,
    noise_mm: float | None = None,
    limit_mm: float = _LIMIT_MM,
    names: Sequence[str] | None = None,
) -> Rotation:
    """Least-squares rotation that carries the centres before onto those after, with no knowledge of the axis.

    The rotation is Kabsch's, the nearest proper one of all; its first-order covariance for noise that is alike in all
    coordinates is 2 sigma^2 J^-1, J the spheres' inertia about their middle, and the angle's share of it lies along
    the axis. Below one degree the axis drowns in noise and the angle without a `direction` is never negative; with
    it, it is the turn about that direction, signed and without bias.

    Parameters
    ----------
    before_mm, after_mm : (sphere, 3) centres, at least three spheres in the same order.
    direction : (3,) along the axis, roughly; above one degree it gives the sign and nothing else.
    noise_mm : stated standard deviation of one coordinate; None = estimated from the residuals, 3 n - 6 of them free.
    limit_mm : how much a distance of two spheres may change where no noise is stated; else five standard deviations.
    names : of the spheres, for messages; default their numbers from 1.

    Errors: `UsageError` for arrays of another shape or noise that is not positive; `InputError` if centres are not
    finite, on a line or too close, or if distances between spheres changed, with the sphere that explains it.

    Source: W. Kabsch, *A solution for the best rotation to relate two sets of vectors*, Acta Cryst. A32, 1976.

    >>> import numpy as np
    >>> rod = np.array([[100.0, 0, 0], [0, 80, 0], [0, 0, 60]])
    >>> c, s = np.cos(np.radians(72)), np.sin(np.radians(72))
    >>> turned = rod @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    >>> found = fit_rotation(rod, turned, direction=[0, 0, -1], noise_mm=0.002)
    >>> round(float(np.degrees(found.angle_rad)), 9), [round(float(x), 6) + 0.0 for x in found.point_mm[:2]]
    (-72.0, [0.0, 0.0])
    >>> found.uncertainty_rad < 1e-4
    True
    """
    before, after = np.asarray(before_mm, float), np.asarray(after_mm, float)
    known = _checked(before, after, noise_mm, names)
    _require_rigid(before, after, known, _SIGMAS * 2 * noise_mm if noise_mm else limit_mm)
    p, q = before - before.mean(axis=0), after - after.mean(axis=0)
    u, _, v = np.linalg.svd(q.T @ p)
    matrix = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(v))]) @ v
    angle, axis = _angle_axis(matrix)
    if direction is not None:
        sense = _unit(direction)
        if angle < _SMALL_RAD:
            angle, axis = float(angle * (axis @ sense)), sense
        elif axis @ sense < 0:
            angle, axis = -angle, -axis
    residual = q - p @ matrix.T
    free = 3 * len(p) - 6
    squares = float((residual**2).sum())
    noise = noise_mm if noise_mm else np.sqrt(squares / (2 * free))
    inertia = (q**2).sum() * np.eye(3) - q.T @ q
    inverse = np.linalg.inv(inertia)
    lever = np.sqrt(2 * (axis @ inverse @ axis if axis.any() else np.linalg.eigvalsh(inverse)[-1]))
    moved = after.mean(axis=0) - before.mean(axis=0)
    shift = float(moved @ axis)
    across = moved - shift * axis
    point = np.full(3, np.nan)
    if abs(angle) > 1e-9:
        point = before.mean(axis=0) + across / 2 + np.cross(axis, across) / (2 * np.tan(angle / 2))
    degrees = np.inf if noise_mm else float(free)
    return Rotation(
        angle, float(noise * lever), degrees, axis, point, shift, float(noise), float(lever), float(np.sqrt(squares))
    )


def common_axis(rotations: Iterable[Rotation]) -> np.ndarray:
    """(3,) unit direction that several turns to and fro share; the first of them that turned at all is positive.

    Errors: `UsageError` if none turned.

    >>> import numpy as np
    >>> rod = np.array([[100.0, 0, 0], [0, 80, 0], [0, 0, 60]])
    >>> turned = rod @ np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    >>> common_axis([fit_rotation(rod, turned), fit_rotation(turned, rod)]).round(6).tolist()
    [0.0, 0.0, 1.0]
    """
    vectors = np.array([turn.axis * np.sin(abs(turn.angle_rad)) * np.sign(turn.angle_rad) for turn in rotations])
    vectors = vectors[np.linalg.norm(vectors, axis=1) > np.sin(_SMALL_RAD)] if len(vectors) else vectors
    if not len(vectors):
        raise UsageError("no measurement turned far enough to show the axis; give its direction")
    axis = np.linalg.svd(vectors)[2][0]
    return axis * np.sign(axis @ vectors[0]) + 0.0


def _checked(
    before: np.ndarray, after: np.ndarray, noise_mm: float | None, names: Sequence[str] | None
) -> tuple[str, ...]:
    """Names of the spheres; what cannot be fitted is refused."""
    if before.shape != after.shape or before.ndim != 2 or before.shape[1] != 3:
        raise UsageError(f"centres are (sphere, 3) before and after, got {before.shape} and {after.shape}")
    known = tuple(str(n) for n in (names if names is not None else range(1, len(before) + 1)))
    if len(known) != len(before):
        raise UsageError(f"{len(known)} names for {len(before)} spheres")
    if noise_mm is not None and not (np.isfinite(noise_mm) and noise_mm > 0):
        raise UsageError(f"the noise of the centres is a positive number of mm, got {noise_mm}")
    if len(before) < 3:
        raise InputError(f"{len(before)} spheres cannot show a rotation", remedy="measure at least three")
    for state, centres in (("before", before), ("after", after)):
        broken = [name for name, centre in zip(known, centres, strict=True) if not np.isfinite(centre).all()]
        if broken:
            raise InputError(f"sphere {broken[0]} {state} has no finite centre", remedy="measure it again")
        for i, j in combinations(range(len(centres)), 2):
            if (gap := np.linalg.norm(centres[i] - centres[j])) < _LEAST_MM:
                raise InputError(
                    f"spheres {known[i]} and {known[j]} {state} are {gap:.3g} mm apart, too close to show an angle",
                    remedy="give centres in mm, and each sphere its own",
                )
        spread = np.linalg.svd(centres - centres.mean(axis=0), compute_uv=False)
        if spread[1] < max(_LEAST_MM, 0.01 * spread[0], 20 * (noise_mm or 0.0)):
            raise InputError(
                f"the spheres {', '.join(known)} {state} lie on one line, {spread[1]:.2g} mm across it",
                remedy="mount them as a triangle",
            )
    return known


def _require_rigid(before: np.ndarray, after: np.ndarray, names: tuple[str, ...], limit: float) -> None:
    """Refuse a body whose distances changed; a sphere without which none did is the one that was measured wrongly."""
    pairs = list(combinations(range(len(before)), 2))
    ends = np.array(pairs).T
    change = np.linalg.norm(after[ends[0]] - after[ends[1]], axis=1) - np.linalg.norm(
        before[ends[0]] - before[ends[1]], axis=1
    )
    if (np.abs(change) <= limit).all():
        return
    suspects = [
        name
        for k, name in enumerate(names)
        if all(abs(d) <= limit for pair, d in zip(pairs, change, strict=True) if k not in pair)
    ]
    worst = int(np.abs(change).argmax())
    i, j = pairs[worst]
    which = f"sphere {' or '.join(suspects)} is" if suspects else "more than one sphere is"
    raise InputError(
        f"the distance of spheres {names[i]} and {names[j]} changed by {change[worst]:+.4f} mm from before to after, "
        f"more than {limit:.4f} mm that noise explains; {which} mis-measured or loose",
        remedy="measure it again, or state the noise of the machine as it is",
    )


def _angle_axis(matrix: np.ndarray) -> tuple[float, np.ndarray]:
    """Angle from 0 to pi and unit axis of a rotation matrix, exact to rounding at both ends."""
    twice = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    sine, cosine = np.linalg.norm(twice) / 2, (np.trace(matrix) - 1) / 2
    angle = float(np.arctan2(sine, cosine))
    if sine > 1e-6 or cosine > 0:
        return angle, twice / np.linalg.norm(twice) if sine > 0 else np.zeros(3)
    outer = (matrix + matrix.T) / 2 + np.eye(3)  # half a turn: 2 axis axis^T
    column = outer[:, int(np.diag(outer).argmax())]
    axis = column / np.linalg.norm(column)
    return angle, axis if axis @ twice >= 0 else -axis


def _unit(direction: np.ndarray | Sequence[float]) -> np.ndarray:
    vector = np.asarray(direction, float)
    if vector.shape != (3,) or not np.isfinite(vector).all() or not vector.any():
        raise UsageError(f"a direction is three numbers, not all zero, got {direction}")
    return vector / np.linalg.norm(vector)
