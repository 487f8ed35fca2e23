"""Torque residual: what rigid-body motion and friction of a healthy robot leave of its measured torque or current."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal, Self

import numpy as np

from jointwatch.core import Channel, Quantity, Source, Windows
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError, TransformerMixin
from jointwatch.core.slices import slices
from jointwatch.signals.differentiate import differentiate
from jointwatch.windows._torque_terms import Terms
from jointwatch.windows.time_step import time_step_s

__all__ = ["TorqueResidual"]

COMPONENT = "residual"
_EFFORTS = (Quantity.TORQUE, Quantity.CURRENT, Quantity.JOINT_TORQUE, Quantity.EFFORT)
_BLOCK = 64  # windows handled at once
_LEAST = 0.05  # share of the largest column of its kind that a column's scale is at least
_FLAT = 1e-9  # share of the largest spread below which a column does not vary


class TorqueResidual(TransformerMixin, BaseEstimator):
    """Measured minus modelled torque, current or effort of every joint, as channels `QUANTITY.derived/J:residual`.

    For each domain (or unit) and joint a ridge regression on its healthy windows explains the measured quantity, in
    its own unit, by the windows' own positions, velocities and accelerations: gravity, inertia, velocity products,
    Coulomb, viscous, Stribeck and load-dependent friction. Where the robot is one that the project describes, the
    rigid-body terms come from its description, and only how much of each there is gets fitted; else they are a basis
    that suits any serial arm. What is left shows friction that changed, loads that were not there, contacts and
    vibration; a motion that changed is explained away, as far as the healthy windows taught it: the basis without
    description knows the neighbourhood of the motions it saw, and no more.

    Position of each joint must be among the channels. Velocity is taken from the windows where it is there (measured,
    else derived), else it is the derivative of the position; acceleration is that of the velocity. The time step is
    that of the rate, or of each cycle's own duration.

    Parameters
    ----------
    by : `domain`: one model for all units of it, which keeps what is particular to a unit; `unit`: one each, which
        needs healthy windows of every unit that is scored.
    robots : domain -> name of its description (`jointwatch.simulation.robot.robots()`); others get the general basis.
    ridge : penalty of standardised coefficients, as share of a sample.
    append : True, residuals come behind all channels; False, each in place of what was measured.

    Attributes
    ----------
    channels_ : those it was fitted for. targets_ : (target,) int, which of them are explained.
    groups_ : list of domains or units. robots_ : list of descriptions, "" = none.
    joints_, speed_, coefficients_, intercept_ : of each group: joint numbers; largest speeds; (target, column);
        (target,).
    known_ : (group, target) bool. left_ : (group, target) share of the variance that is left where it was fitted.
    windows_ : (group,) how many it was fitted on.

    Errors: `MissingChannel` without a joint that has both its position and one of these quantities; `UsageError` for
    an unknown group, or other channels; `NotEnoughData` without normal windows.

    Under strategy 5 it comes first, and the z-score by domain takes its channels with the others:

    >>> from jointwatch.core import Index
    >>> from jointwatch.detectors.mahalanobis import Mahalanobis
    >>> from jointwatch.transfer.normalisation import Normalisation
    >>> rng = np.random.default_rng(0)
    >>> def cycles(count, coulomb, label):
    ...     phase = np.linspace(0, 2 * np.pi, 200) + rng.uniform(0, 6, (count, 1))
    ...     size, zero = rng.uniform(0.5, 1.5, (count, 1)), np.zeros(count)
    ...     q, v = size * np.sin(phase), size * np.pi * np.cos(phase)
    ...     torque = 9 * np.cos(q) + coulomb * np.tanh(v / 0.1) + 0.1 * rng.standard_normal(q.shape)
    ...     name = np.array([f"{label} {i}" for i in range(count)])
    ...     index = Index(name, name, name, np.full(count, "arm"), zero, zero + 2, zero + 0.5, zero + 2,
    ...                   np.full(count, label), np.full(count, ""), zero, zero * np.nan)
    ...     channels = (Channel(Quantity.POSITION, 1), Channel(Quantity.TORQUE, 1))
    ...     return Windows(np.stack([q, torque], axis=1), channels, index, float("nan"))
    >>> healthy, new, stiff = cycles(60, 2.0, "normal"), cycles(20, 2.0, "normal"), cycles(20, 2.1, "anomalous")
    >>> residual = TorqueResidual(append=False).fit(healthy)
    >>> [channel.key for channel in residual.transform(new).channels], bool(residual.left_[0, 0] < 0.01)
    (['position/1', 'torque.derived/1:residual'], True)
    >>> def separation(*windows):
    ...     strategy = Normalisation(Mahalanobis()).fit(windows[0])
    ...     good, bad = (np.sort(strategy.score_samples(part)) for part in windows[1:])
    ...     return round(float((bad[:, None] > good).mean()), 2)
    >>> separation(*(residual.transform(part) for part in (healthy, new, stiff)))
    1.0
    >>> separation(healthy, new, stiff) < 0.95
    True
    """

    def __init__(
        self,
        by: Literal["domain", "unit"] = "domain",
        robots: Mapping[str, str] | None = None,
        ridge: float = 1e-2,
        append: bool = True,
    ) -> None:
        self.by = by
        self.robots = robots
        self.ridge = ridge
        self.append = append

    def fit(self, X: Windows, y: np.ndarray | None = None) -> Self:
        """Learn every group from its normal windows; `y` is not looked at."""
        _need_windows(X)
        if self.by not in ("domain", "unit"):
            raise UsageError(f"torque models are by domain or unit, got {self.by!r}")
        if not self.ridge >= 0:
            raise UsageError(f"ridge is 0 or more, got {self.ridge}")
        targets = _targets(X.channels)
        if not len(targets):
            raise MissingChannel(
                f"no joint has both its position and one of {', '.join(_EFFORTS)} among "
                f"{', '.join(channel.key for channel in X.channels)}",
                remedy="cut the windows with both",
            )
        self.channels_, self.targets_ = X.channels, targets
        self.groups_: list[str] = []
        self.robots_: list[str] = []
        self.joints_: list[np.ndarray] = []
        self.speed_: list[np.ndarray] = []
        self.coefficients_: list[np.ndarray] = []
        self.intercept_: list[np.ndarray] = []
        self.known_ = np.empty((0, len(targets)), bool)
        self.left_, self.windows_ = np.empty((0, len(targets))), np.empty(0, np.int64)
        names = getattr(X.index, self.by)
        for group in np.unique(names):
            rows = np.flatnonzero((names == group) & (X.index.label == "normal"))
            if not len(rows):
                raise NotEnoughData(
                    f"a torque model of {self.by} {str(group)!r}", needed=1, have=0, unit="normal windows"
                )
            self._add(X[rows], str(group))
        return self

    def adapt(self, windows: Windows) -> Self:
        """A new fitted copy in which the groups of `windows` are added or replaced; this one stays as it is.

        Labels are not looked at: all windows are taken as healthy.
        """
        self._check(windows)
        if not len(windows):
            raise NotEnoughData("adaptation of the torque model", needed=1, have=0, unit="windows of the target")
        adapted = copy.deepcopy(self)
        names = getattr(windows.index, self.by)
        for group in np.unique(names):
            if group in adapted.groups_:
                adapted._forget(adapted.groups_.index(group))
            adapted._add(windows[names == group], str(group))
        return adapted

    def transform(self, X: Windows) -> Windows:
        """The windows with residuals; absent where the measured quantity or a position that the model needs is."""
        self._check(X)
        values = np.zeros((len(X), len(self.targets_), X.shape[2]), np.float32)
        mask = np.zeros(values.shape[:2], bool)
        names = getattr(X.index, self.by)
        for group in np.unique(names):
            if group not in self.groups_:
                raise UsageError(
                    f"no torque model is known of {self.by} {str(group)!r} (there are {', '.join(self.groups_)}); call "
                    "adapt with healthy windows of it first"
                )
            number = self.groups_.index(group)
            rows = np.flatnonzero(names == group)
            places = _positions(X.channels, self.joints_[number])
            whole_motion = np.asarray(X.presence[rows][:, places].all(axis=1))
            there: np.ndarray = X.presence[rows][:, self.targets_] & self.known_[number] & whole_motion[:, None]
            for block, model in self._modelled(X, rows, number):
                rest = X.values[rows[block]][:, self.targets_] - model
                values[rows[block]] = np.where(there[block, :, None], rest, 0.0)
            mask[rows] = there
        channels = [_residual_of(X.channels[target]) for target in self.targets_]
        if self.append:
            return replace(
                X,
                values=np.concatenate([X.values, values], axis=1),
                channels=(*X.channels, *channels),
                mask=np.concatenate([X.presence, mask], axis=1),
            )
        whole, presence, names_of = np.array(X.values), np.array(X.presence), list(X.channels)
        whole[:, self.targets_], presence[:, self.targets_] = values, mask
        for target, channel in zip(self.targets_, channels, strict=True):
            names_of[target] = channel
        return replace(X, values=whole, channels=tuple(names_of), mask=presence)

    def _add(self, windows: Windows, group: str) -> None:
        numbers = sorted({c.joint for c in windows.channels if c.joint and c.quantity is Quantity.POSITION})
        seen = windows.presence[:, _positions(windows.channels, np.array(numbers))]
        joints = np.array(numbers)[seen.any(axis=0)]
        windows = windows[seen[:, seen.any(axis=0)].all(axis=1)]
        known = windows.presence[:, self.targets_].all(axis=0)
        known &= np.isin([windows.channels[target].joint for target in self.targets_], joints)
        if not len(windows) or not known.any():
            raise NotEnoughData(
                f"a torque model of {self.by} {group!r}", needed=1, have=0, unit="windows with positions and torques"
            )
        self.groups_.append(group)
        self.robots_.append((self.robots or {}).get(str(windows.index.domain[0]), ""))
        self.joints_.append(joints)
        self.known_ = np.vstack([self.known_, known])
        self.windows_ = np.append(self.windows_, len(windows))
        speed = np.zeros(len(joints))
        for _, (_, v, _) in _motions(windows, np.arange(len(windows)), joints):
            speed = np.maximum(speed, np.abs(v).max(axis=(0, 1)))
        self.speed_.append(speed)
        coefficients, intercept, left = self._solved(windows, len(self.groups_) - 1)
        self.coefficients_.append(coefficients)
        self.intercept_.append(intercept)
        self.left_ = np.vstack([self.left_, left])

    def _solved(self, windows: Windows, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(target, column) coefficients, (target,) intercepts and shares of the variance that are left."""
        terms, of_joint = self._terms(number), self._joint_of_target(number, windows.channels)
        total, square, width, own_width = np.zeros(0), np.zeros((0, 0)), 0, 0
        for block, (q, v, a) in _motions(windows, np.arange(len(windows)), self.joints_[number]):
            shared, own = terms.columns(*(x.reshape(-1, x.shape[2]) for x in (q, v, a)))
            y = windows.values[block][:, self.targets_].astype(np.float64).transpose(0, 2, 1).reshape(len(shared), -1)
            columns = np.column_stack([shared, *own, y])
            width, own_width = shared.shape[1], own.shape[2]
            total = columns.sum(axis=0) + (total if len(total) else 0.0)
            square = columns.T @ columns + (square if len(square) else 0.0)
        samples = len(windows) * windows.shape[2]
        total, square = total / samples, square / samples
        solved, first = [], width + own_width * len(self.joints_[number])
        for target, joint in enumerate(of_joint):
            own_columns = width + own_width * joint + np.arange(own_width)
            use = np.concatenate([np.arange(width), own_columns, [first + target]])
            solved.append(_ridge(total[use], square[np.ix_(use, use)], self.ridge, terms.blocks))
        return np.stack([s[0] for s in solved]), np.array([s[1] for s in solved]), np.array([s[2] for s in solved])

    def _modelled(self, windows: Windows, rows: np.ndarray, number: int) -> Iterator[tuple[slice, np.ndarray]]:
        """Blocks of the rows, and what the model of a group says of them: (window, target, time)."""
        terms, of_joint = self._terms(number), self._joint_of_target(number, windows.channels)
        coefficients, intercept = self.coefficients_[number], self.intercept_[number]
        for block, (q, v, a) in _motions(windows, rows, self.joints_[number]):
            shared, own = terms.columns(*(x.reshape(-1, x.shape[2]) for x in (q, v, a)))
            model = shared @ coefficients[:, : shared.shape[1]].T + intercept
            for target, joint in enumerate(of_joint):
                model[:, target] += own[joint] @ coefficients[target, shared.shape[1] :]
            yield block, model.reshape(*q.shape[:2], -1).transpose(0, 2, 1)

    def _terms(self, number: int) -> Terms:
        return Terms(self.robots_[number], len(self.joints_[number]), self.speed_[number])

    def _joint_of_target(self, number: int, channels: tuple[Channel, ...]) -> list[int]:
        """Place of each target's joint among the group's; of one that the group lacks any, as it is masked."""
        joints = self.joints_[number].tolist()
        numbers = [channels[target].joint for target in self.targets_]
        return [joints.index(n) if n in joints else 0 for n in numbers]

    def _forget(self, number: int) -> None:
        for name in ("groups_", "robots_", "joints_", "speed_", "coefficients_", "intercept_"):
            setattr(self, name, [value for i, value in enumerate(getattr(self, name)) if i != number])
        for name in ("known_", "left_", "windows_"):
            setattr(self, name, np.delete(getattr(self, name), number, axis=0))

    def _check(self, windows: Windows) -> None:
        _need_windows(windows)
        if not hasattr(self, "groups_"):
            raise NotFittedError("TorqueResidual is not fitted; call fit first")
        if tuple(windows.channels) != tuple(self.channels_):
            raise UsageError(
                f"the torque model was learned for channels {[c.key for c in self.channels_]}, got "
                f"{[c.key for c in windows.channels]}; cut the windows with channels= of the source"
            )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "groups_")


def _need_windows(windows: object) -> None:
    if not isinstance(windows, Windows):
        raise UsageError(f"TorqueResidual works on Windows, which know their joints; got {type(windows).__name__}")


def _targets(channels: tuple[Channel, ...]) -> np.ndarray:
    """Places of what is measured of joints whose position is there."""
    moved = {channel.joint for channel in channels if channel == Channel(Quantity.POSITION, channel.joint)}
    return np.array(
        [
            place
            for place, channel in enumerate(channels)
            if channel.quantity in _EFFORTS
            and channel.source in (Source.MEASURED, Source.DERIVED)
            and not channel.component
            and channel.joint is not None
            and channel.joint in moved
        ],
        dtype=np.int64,
    )


def _positions(channels: tuple[Channel, ...], joints: np.ndarray) -> list[int]:
    return [channels.index(Channel(Quantity.POSITION, int(joint))) for joint in joints]


def _residual_of(channel: Channel) -> Channel:
    return replace(channel, source=Source.DERIVED, component=COMPONENT)


def _motions(
    windows: Windows, rows: np.ndarray, joints: np.ndarray
) -> Iterator[tuple[slice, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Blocks of the rows with position, velocity and acceleration (window, time, joint) in SI."""
    places, step_s = _positions(windows.channels, joints), time_step_s(windows)[rows]
    held = not np.isfinite(windows.rate_hz)  # whole cycles begin before their first sample
    for block in slices(len(rows), _BLOCK):
        values, presence = windows.values[rows[block]].astype(np.float64), windows.presence[rows[block]]
        q = values[:, places]
        v = _slope(q, step_s[block], held)
        for number, joint in enumerate(joints):
            for source in (Source.DERIVED, Source.MEASURED):  # the better one last
                channel = Channel(Quantity.VELOCITY, int(joint), source)
                if channel in windows.channels:
                    place = windows.channels.index(channel)
                    v[:, number] = np.where(presence[:, place, None], values[:, place], v[:, number])
        a = _slope(v, step_s[block], held)
        yield block, (q.transpose(0, 2, 1), v.transpose(0, 2, 1), a.transpose(0, 2, 1))


def _slope(values: np.ndarray, step_s: np.ndarray, held: bool) -> np.ndarray:
    """(window, joint, time) derivatives by time; `held`: the first sample is a copy of one taken later."""
    if held and values.shape[2] > 3:
        first = 3 * values[..., 1] - 3 * values[..., 2] + values[..., 3]  # a parabola through the next three
        values = np.concatenate([first[..., None], values[..., 1:]], axis=2)
    flat = values.reshape(-1, values.shape[2])
    slope = differentiate(flat, np.arange(values.shape[2], dtype=float)).reshape(values.shape)
    return slope / step_s[:, None, None]


def _parts(values: np.ndarray, blocks: tuple[int, ...]) -> list[np.ndarray]:
    return np.split(values, np.cumsum(blocks)[:-1])


def _ridge(
    mean: np.ndarray, square: np.ndarray, penalty: float, blocks: tuple[int, ...]
) -> tuple[np.ndarray, float, float]:
    """Coefficients, intercept and share of variance left, from means and mean products of columns and, last, target.

    A column is scaled by its spread, but at least by a share of the largest size in its block: what hardly varied here
    must not get a large coefficient, because it varies elsewhere.
    """
    covariance = square - np.outer(mean, mean)
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    level = np.sqrt(np.diag(square))
    varies = spread > _FLAT * np.maximum(level, _FLAT * level[:-1].max(initial=0.0))
    varies &= spread > 0
    use = np.flatnonzero(varies[:-1])
    coefficients = np.zeros(len(mean) - 1)
    if len(use) and varies[-1]:
        size = np.concatenate([np.full(len(part), part.max(initial=0.0)) for part in _parts(level[:-1], blocks)])
        scale = np.maximum(spread[:-1], _LEAST * size)[use]
        correlation = covariance[np.ix_(use, use)] / np.outer(scale, scale)
        with_target = covariance[use, -1] / scale
        # A correlation matrix of many near-equal columns is singular without the penalty, and rounding makes it worse.
        solution = np.linalg.lstsq(correlation + penalty * np.eye(len(use)), with_target, rcond=1e-12)[0]
        coefficients[use] = solution / scale
        left = covariance[-1, -1] - 2 * coefficients @ covariance[:-1, -1]
        left = (left + coefficients @ covariance[:-1, :-1] @ coefficients) / covariance[-1, -1]
    else:
        left = 0.0
    return coefficients, float(mean[-1] - coefficients @ mean[:-1]), float(max(left, 0.0))
