"""Figures of a classifier from its confusions, counted unit by unit so that whole units can be drawn again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from jointwatch.core.errors import UsageError

__all__ = ["CHANCE", "METRICS", "confusions", "random_choice", "spread"]

CHANCE = "random score"
"""Name of the method that knows nothing, see `random_choice`."""


def confusions(units: np.ndarray, names: np.ndarray, true: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """(unit, true, said) counts, units as in the sorted `names`; rows said to be -1 were not tested."""
    table = np.zeros((len(names), classes, classes), int)
    rows = said >= 0
    place = np.searchsorted(names, units[rows])
    np.add.at(table, (place, true[rows], said[rows]), 1)
    return table


def random_choice(true: np.ndarray, classes: int, seed: int) -> np.ndarray:
    """What a method says that knows nothing."""
    return np.random.default_rng(seed).integers(0, classes, len(true))


def spread(
    repetitions: Sequence[np.ndarray], metric: str, *, repeats: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """(mean over repetitions, low, high): 95 % interval from whole units drawn with replacement.

    Parameters
    ----------
    repetitions : for each seed (unit, true, said) counts; the units are the same in all and are drawn together.
    metric : one of `METRICS`.

    >>> import numpy as np
    >>> spread([np.array([[[8, 2], [0, 8]], [[7, 3], [0, 8]]])], "balanced accuracy")[0]
    0.875
    """
    counts = np.array(repetitions, float)
    units = counts.shape[1]
    weights = np.ones((1, units))
    if units > 1:
        drawn = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=repeats)
        weights = np.concatenate([weights, drawn])
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.array([METRICS[metric](np.einsum("ru,ukl->rkl", weights, one)) for one in counts]).mean(axis=0)
    if units == 1 or np.isnan(found[1:]).all():
        return (float(found[0]), np.nan, np.nan)
    low, high = np.nanpercentile(found[1:], [2.5, 97.5])
    return (float(found[0]), float(low), float(high))


def _accuracy(c: np.ndarray) -> np.ndarray:
    hit: np.ndarray = np.einsum("rkk->r", c) / c.sum(axis=(1, 2))
    return hit


def _hamming(c: np.ndarray) -> np.ndarray:
    """Share of wrong labels; with one label a row the rest of the accuracy."""
    wrong: np.ndarray = 1 - _accuracy(c)
    return wrong


def _kappa(c: np.ndarray) -> np.ndarray:
    total = c.sum(axis=(1, 2))
    chance = np.einsum("rk,rk->r", c.sum(axis=2), c.sum(axis=1)) / total**2
    kappa: np.ndarray = (_accuracy(c) - chance) / (1 - chance)
    return kappa


def _correlation(c: np.ndarray) -> np.ndarray:
    """Matthews correlation coefficient of any number of classes (Gorodkin 2004); 0 where only one is there or said."""
    total, hits = c.sum(axis=(1, 2)), np.einsum("rkk->r", c)
    true, said = c.sum(axis=2), c.sum(axis=1)
    apart = hits * total - (true * said).sum(axis=1)
    spread_ = (total**2 - (true**2).sum(axis=1)) * (total**2 - (said**2).sum(axis=1))
    return np.where(spread_ > 0, apart / np.sqrt(np.where(spread_ > 0, spread_, 1.0)), np.where(total > 0, 0.0, np.nan))


def _recalls(c: np.ndarray) -> np.ndarray:
    """(draw, class), NaN where a class is not there."""
    there = c.sum(axis=2)
    return np.where(there > 0, np.einsum("rkk->rk", c) / there, np.nan)


def _precisions(c: np.ndarray) -> np.ndarray:
    """(draw, class), 0 where a class is there and never said, NaN where it is neither there nor said."""
    said = c.sum(axis=1)
    unsaid = np.where(c.sum(axis=2) > 0, 0.0, np.nan)
    return np.where(said > 0, np.einsum("rkk->rk", c) / said, unsaid)


def _harmonic(c: np.ndarray) -> np.ndarray:
    """(draw, class) F1, NaN where a class is neither there nor said."""
    return 2 * np.einsum("rkk->rk", c) / (c.sum(axis=2) + c.sum(axis=1))


def _macro(of_class: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Mean over the classes that are there, each counted alike."""

    def mean(c: np.ndarray) -> np.ndarray:
        there = c.sum(axis=2) > 0
        found: np.ndarray = np.where(there, of_class(c), 0.0).sum(axis=1) / there.sum(axis=1)
        return found

    return mean


def _positive(of_class: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Figure of class 1 of two."""

    def second(c: np.ndarray) -> np.ndarray:
        if c.shape[1] != 2:
            raise UsageError(
                f"precision, recall and F1 are of class 1 of two, got {c.shape[1]} classes: take the macro"
            )
        found: np.ndarray = of_class(c)[:, 1]
        return found

    return second


def _false_alarms(c: np.ndarray) -> np.ndarray:
    share: np.ndarray = c[:, 0, 1:].sum(axis=1) / c[:, 0].sum(axis=1)
    return share


def _distance(c: np.ndarray) -> np.ndarray:
    level = np.arange(c.shape[1])
    apart: np.ndarray = np.abs(level[:, None] - level)
    return apart


def _level_error(c: np.ndarray) -> np.ndarray:
    error: np.ndarray = (c * _distance(c)).sum(axis=(1, 2)) / c.sum(axis=(1, 2))
    return error


def _within_one(c: np.ndarray) -> np.ndarray:
    near: np.ndarray = (c * (_distance(c) <= 1)).sum(axis=(1, 2)) / c.sum(axis=(1, 2))
    return near


METRICS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": _accuracy,
    "balanced accuracy": _macro(_recalls),
    "precision": _positive(_precisions),
    "recall": _positive(_recalls),
    "F1": _positive(_harmonic),
    "macro precision": _macro(_precisions),
    "macro recall": _macro(_recalls),
    "macro F1": _macro(_harmonic),
    "MCC": _correlation,
    "false-alarm share": _false_alarms,
    "kappa": _kappa,
    "Hamming loss": _hamming,
    "within one level": _within_one,
    "mean absolute level error": _level_error,
}
"""(draw,) figures of (draw, true, said) counts.

Class 0 is healthy; precision, recall and F1 are of class 1 of two. Macro figures weigh alike the classes that are there
(`balanced accuracy` is the usual name of macro recall). The last two are of ordered classes, counted as levels.
"""
