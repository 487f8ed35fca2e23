"""How far a target lies from a source: of embeddings or feature vectors, as a whole and channel by channel.

Rows of one session are alike, so they are drawn, held out and counted together: `groups` name what belongs together.
Intervals are the figure +- 1.96 standard deviations over bootstraps of whole groups, cut at the ends of its range.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jointwatch.core import Channel, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.features.cycle_statistics import CycleStatistics
from jointwatch.windows.normalise import DomainZScore
from jointwatch.windows.splits import GroupSplit

__all__ = [
    "ChannelDistance",
    "Distance",
    "by_channel",
    "coral",
    "groups_to_hold_out",
    "mmd",
    "overlap",
    "proxy_a_distance",
    "vectors",
]

_REPEATS = 200
_MMD_ROWS = 600  # of each domain: the kernel has their square
_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
_CLIP = 5.0
_WITHIN = 0.95


@dataclass(frozen=True)
class Distance:
    """A figure with its 95 % interval; ends are NaN where a domain has one group only."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        ends = f" ({self.low:.2f} to {self.high:.2f})" if math.isfinite(self.low) else ""
        return f"{self.value:.2f}{ends}"


@dataclass(frozen=True)
class ChannelDistance:
    """Proxy A-distance of one channel, as recorded and after each robot's own z-score; `mmd` after it, which still
    tells more from less where the A-distance has reached 2. `shift_sigma` is how far the target's mean lies from the
    source's, in standard deviations of the source."""

    channel: Channel
    raw: Distance
    normalised: Distance
    mmd: Distance
    shift_sigma: float


def proxy_a_distance(
    source: np.ndarray,
    target: np.ndarray,
    source_groups: np.ndarray,
    target_groups: np.ndarray,
    *,
    folds: int = 5,
    seed: int = 0,
) -> Distance:
    """2 (1 - 2 e) from the error e of a linear classifier that tells the two domains apart: 0 = alike, 2 = told apart.

    The error is cross-validated with whole groups held out, and balanced, so that the larger domain counts no more.

    Parameters
    ----------
    source, target : (row, feature). source_groups, target_groups : (row,) session of each row.

    Errors: `NotEnoughData` where a domain has a single group, because nothing can be held out.

    Source: Ben-David et al., "Analysis of representations for domain adaptation", NIPS 2006.

    >>> rng, groups = np.random.default_rng(0), np.repeat(np.arange(6), 20)
    >>> rows = rng.standard_normal((120, 3))
    >>> apart = proxy_a_distance(rows, rows + 9, groups, groups).value
    >>> alike = proxy_a_distance(rows, rng.standard_normal((120, 3)), groups, groups).value
    >>> float(round(apart, 2)), bool(alike < 0.5)
    (2.0, True)
    """
    _check(source, target, source_groups, target_groups)
    names = [np.unique(source_groups), np.unique(target_groups)]
    if min(len(n) for n in names) < 2:
        raise NotEnoughData("a cross-validated domain distance", needed=2, have=1, unit="sessions of each domain")
    folds = min(folds, *(len(n) for n in names))
    wrong = [np.zeros(len(source)), np.zeros(len(target))]
    from sklearn.linear_model import LogisticRegression  # only fitting asks how far domains are apart

    parts = [
        list(GroupSplit(folds=folds, seed=seed).split(rows, groups=groups))
        for rows, groups in ((source, source_groups), (target, target_groups))
    ]
    for (a_train, a_test), (b_train, b_test) in zip(*parts, strict=True):
        train = np.concatenate([source[a_train], target[b_train]]).astype(np.float64)
        mean, scale = train.mean(axis=0), train.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=300)
        model.fit((train - mean) / scale, np.repeat([0, 1], [len(a_train), len(b_train)]))
        for rows, test, domain in ((source, a_test, 0), (target, b_test, 1)):
            wrong[domain][test] = model.predict((rows[test] - mean) / scale) != domain

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return 2.0 * (1.0 - (np.average(wrong[0], weights=a) + np.average(wrong[1], weights=b)))

    return _with_interval(distance, source_groups, target_groups, seed, 0.0, 2.0)


def mmd(
    source: np.ndarray, target: np.ndarray, source_groups: np.ndarray, target_groups: np.ndarray, *, seed: int = 0
) -> Distance:
    """Squared maximum mean discrepancy under Gaussian kernels of five widths around the median distance, between 0
    and 2; about 0 for samples of one distribution.

    Within a domain only pairs of different groups count, so that likeness within a session is not taken for distance
    between robots. Of large domains rows are drawn evenly.

    Source: Gretton et al., "A kernel two-sample test", JMLR 13, 2012.

    >>> rng, groups = np.random.default_rng(0), np.repeat(np.arange(6), 20)
    >>> rows, other = rng.standard_normal((2, 120, 3))
    >>> near, far = mmd(rows, other, groups, groups), mmd(rows, other + 3, groups, groups)
    >>> bool(near.value < 0.05), bool(far.value > 0.5)
    (True, True)
    """
    _check(source, target, source_groups, target_groups)
    a, b = _evenly(len(source)), _evenly(len(target))
    rows = np.concatenate([source[a], target[b]]).astype(np.float64)
    groups = [np.unique(g, return_inverse=True)[1] for g in (source_groups[a], target_groups[b])]
    square = _squares(rows, rows)
    middle = float(np.median(square[np.triu_indices(len(rows), 1)])) or 1.0
    kernel = np.mean([np.exp(-square / (middle * width)) for width in _WIDTHS], axis=0)
    # From rows to groups: the mean kernel between the rows of two groups.
    member = np.concatenate([groups[0], groups[1] + groups[0].max() + 1])
    count = np.bincount(member)
    table = _summed(_summed(kernel, member).T, member) / np.outer(count, count)
    first = groups[0].max() + 1

    def within(part: np.ndarray, weight: np.ndarray) -> float:
        pairs = np.outer(weight, weight)
        np.fill_diagonal(pairs, 0.0)
        if pairs.sum() > 0:
            return float((pairs * part).sum() / pairs.sum())
        return float(np.diagonal(part) @ weight / weight.sum())

    def discrepancy(x: np.ndarray, y: np.ndarray) -> float:
        cross = float(x @ table[:first, first:] @ y / (x.sum() * y.sum()))
        return within(table[:first, :first], x) + within(table[first:, first:], y) - 2 * cross

    return _interval_of_groups(discrepancy, count[:first].astype(float), count[first:].astype(float), seed, 0.0, 2.0)


def coral(
    source: np.ndarray, target: np.ndarray, source_groups: np.ndarray, target_groups: np.ndarray, *, seed: int = 0
) -> Distance:
    """Squared Frobenius distance of the two covariances, divided by 4 d^2; blind to a shift of the mean.

    Features should be on one scale: pass standardised ones.

    Source: Sun, Saenko, "Deep CORAL: correlation alignment for deep domain adaptation", ECCV workshops 2016.

    >>> rng, groups = np.random.default_rng(0), np.repeat(np.arange(6), 20)
    >>> rows = rng.standard_normal((120, 3))
    >>> coral(rows, rows + 7, groups, groups).value < 1e-12, coral(rows, 3 * rows, groups, groups).value > 1
    (True, True)
    """
    _check(source, target, source_groups, target_groups)
    scale = 1.0 / (2 * source.shape[1])
    rows = [np.asarray(part, np.float64) for part in (source, target)]

    def covariance(part: np.ndarray, weight: np.ndarray) -> np.ndarray:
        weight = weight / weight.sum()
        centred = part - weight @ part
        return np.asarray((centred * weight[:, None]).T @ centred)

    def difference(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.square(scale * (covariance(rows[0], a) - covariance(rows[1], b))).sum())

    return _with_interval(difference, source_groups, target_groups, seed, 0.0, math.inf, repeats=50)


def overlap(
    source: np.ndarray, target: np.ndarray, source_groups: np.ndarray, target_groups: np.ndarray, *, seed: int = 0
) -> Distance:
    """Share of the target's rows that lie no farther from the source than the source's own sessions lie from each
    other: 1 = the source has seen such rows, 0 = it has seen nothing like them.

    A row is near if its nearest source row is within the distance that 95 % of source rows have to the nearest row of
    *another* source group. Features are standardised by the source and clipped at 5 standard deviations, so that no
    single one decides.

    Unlike `proxy_a_distance`, which is 2 as soon as one feature differs, it keeps apart "different" from "strange".

    Errors: `NotEnoughData` where the source has a single group.

    >>> rng, groups = np.random.default_rng(0), np.repeat(np.arange(6), 20)
    >>> rows, other = rng.standard_normal((2, 120, 3))
    >>> overlap(rows, other, groups, groups).value > 0.8, overlap(rows, other + 9, groups, groups).value
    (True, 0.0)
    """
    _check(source, target, source_groups, target_groups)
    if len(np.unique(source_groups)) < 2:
        raise NotEnoughData("the overlap of two domains", needed=2, have=1, unit="source sessions")
    picked = _evenly(len(source), 4 * _MMD_ROWS)
    mean, scale = _moments(source)
    at, known_groups = _clipped(source[picked], mean, scale), source_groups[picked]
    apart = _squares(at, at)
    apart[known_groups[:, None] == known_groups] = np.inf
    limit = np.quantile(apart.min(axis=1), _WITHIN)
    near = np.concatenate(
        [
            _squares(_clipped(target[i : i + 1024], mean, scale), at).min(axis=1) <= limit
            for i in range(0, len(target), 1024)
        ]
    ).astype(float)

    def share(_: np.ndarray, b: np.ndarray) -> float:
        return float(np.average(near, weights=b))

    return _with_interval(share, source_groups, target_groups, seed, 0.0, 1.0)


def vectors(source: Windows, target: Windows) -> tuple[np.ndarray, np.ndarray]:
    """(row, feature) of both: statistics of every channel after each robot's own z-score, standardised by the source.

    A cycle's windows stay rows of their own. Channels that a robot lacks are left out on both sides.
    """
    a, b, _ = _normalised(*_shared(source, target))
    return _standardised(a, b)


def by_channel(source: Windows, target: Windows, *, folds: int = 5, seed: int = 0) -> tuple[ChannelDistance, ...]:
    """What of the difference sits in which channel, and what of it a z-score by robot takes away.

    Labels are not looked at. Groups are sessions, or cycles where a domain has fewer than two sessions. Channels that
    either side lacks are left out.

    Errors: `NotEnoughData` without a shared channel, or with a single cycle on one side.
    """
    source, target = _shared(source, target)
    groups = groups_to_hold_out(source), groups_to_hold_out(target)
    z_source, z_target, owner = _normalised(source, target)
    extract = CycleStatistics().fit(source)
    raw_source, raw_target = extract.transform(source), extract.transform(target)
    found = []
    for number, channel in enumerate(source.channels):
        own = owner == number
        raw, z = (
            proxy_a_distance(a[:, own], b[:, own], *groups, folds=folds, seed=seed)
            for a, b in ((raw_source, raw_target), (z_source, z_target))
        )
        discrepancy = mmd(*_standardised(z_source[:, own], z_target[:, own]), *groups, seed=seed)
        here, there = source.values[:, number], target.values[:, number]
        spread = float(here.std(dtype=np.float64)) or 1.0
        shift = float(there.mean(dtype=np.float64) - here.mean(dtype=np.float64)) / spread
        found.append(ChannelDistance(channel, raw, z, discrepancy, shift))
    return tuple(found)


def groups_to_hold_out(windows: Windows) -> np.ndarray:
    """(window,) session of its unit, or cycle where there are fewer than two sessions."""
    sessions = windows.index.unit_session
    return sessions if len(np.unique(sessions)) > 1 else windows.index.cycle


def _shared(source: Windows, target: Windows) -> tuple[Windows, Windows]:
    """Windows of both with the channels that every window has."""
    if source.channels != target.channels or source.shape[2] != target.shape[2]:
        raise UsageError("source and target windows must have the same channels and length; cut them by one plan")
    there = np.flatnonzero(source.presence.all(axis=0) & target.presence.all(axis=0))
    if not len(there):
        raise NotEnoughData("a domain distance", needed=1, have=0, unit="channels that source and target share")
    channels = tuple(source.channels[i] for i in there)
    return tuple(Windows(w.values[:, there], channels, w.index, w.rate_hz) for w in (source, target))  # type: ignore[return-value]


def _normalised(source: Windows, target: Windows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, feature) of both after each robot's z-score, and the channel of each feature."""
    extract = CycleStatistics().fit(source)
    # All windows are taken as normal: no label is looked at.
    scales = [DomainZScore().fit(w, np.zeros(len(w), int)) for w in (source, target)]
    a, b = (extract.transform(scale.transform(w)) for scale, w in zip(scales, (source, target), strict=True))
    return a, b, extract.feature_channel_


def _standardised(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, scale = _moments(source)
    return (source - mean) / scale, np.clip((target - mean) / scale, -50.0, 50.0)


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(feature,) mean and standard deviation, 1 where a feature is constant."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    return mean, np.where(scale > 1e-9 * np.maximum(np.abs(mean), 1.0), scale, 1.0)


def _clipped(rows: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip((rows - mean) / scale, -_CLIP, _CLIP), np.float64)


def _check(source: np.ndarray, target: np.ndarray, source_groups: np.ndarray, target_groups: np.ndarray) -> None:
    for rows, groups in ((source, source_groups), (target, target_groups)):
        if rows.ndim != 2 or np.shape(groups) != (len(rows),) or not len(rows):
            raise UsageError(f"rows are (row, feature) with a group each, got {rows.shape} and {np.shape(groups)}")
        if not np.isfinite(rows).all():
            raise UsageError("features must be finite to be compared")
    if source.shape[1] != target.shape[1]:
        raise UsageError(f"source has {source.shape[1]} features, target {target.shape[1]}")


def _evenly(count: int, most: int = _MMD_ROWS) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.maximum(np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T, 0.0)


def _summed(values: np.ndarray, member: np.ndarray) -> np.ndarray:
    """(row, column) -> (group, column)."""
    table = np.zeros((member.max() + 1, values.shape[1]))
    np.add.at(table, member, values)
    return table


def _with_interval(
    figure: Callable[[np.ndarray, np.ndarray], float],
    source_groups: np.ndarray,
    target_groups: np.ndarray,
    seed: int,
    least: float,
    most: float,
    repeats: int = _REPEATS,
) -> Distance:
    """`figure` of row weights; a row weighs as often as its group was drawn."""
    a, b = (np.unique(groups, return_inverse=True)[1] for groups in (source_groups, target_groups))

    def of_groups(x: np.ndarray, y: np.ndarray) -> float:
        return figure(x[a], y[b])

    return _interval_of_groups(of_groups, np.ones(a.max() + 1), np.ones(b.max() + 1), seed, least, most, repeats)


def _interval_of_groups(
    figure: Callable[[np.ndarray, np.ndarray], float],
    source: np.ndarray,
    target: np.ndarray,
    seed: int,
    least: float,
    most: float,
    repeats: int = _REPEATS,
) -> Distance:
    """`figure` of group weights, which are multiplied by how often a group is drawn."""
    value = min(max(figure(source, target), least), most)
    if min(len(source), len(target)) < 2:
        return Distance(value, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    draws = [
        figure(
            source * rng.multinomial(len(source), np.full(len(source), 1 / len(source))),
            target * rng.multinomial(len(target), np.full(len(target), 1 / len(target))),
        )
        for _ in range(repeats)
    ]
    half = 1.96 * float(np.std(draws))
    return Distance(value, max(value - half, least), min(value + half, most))
