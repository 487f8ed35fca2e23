"""In what axes windows of two arms are compared: joints by number, joints matched by how they move, common drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from scipy.optimize import linear_sum_assignment

from jointwatch.studies._contact_events import Arm

__all__ = ["Drift", "block_means", "by_number", "ends", "matched", "standardised"]

_EDGE = 5  # samples at either end
_BLOCKS = 4
_LEVELS = np.linspace(0.02, 0.98, 25)


def block_means(values: np.ndarray) -> np.ndarray:
    """(window, feature) means of a quarter of the window each.

    >>> block_means(np.arange(8.0).reshape(1, 1, 8))
    array([[0.5, 2.5, 4.5, 6.5]])
    """
    count, channels, length = values.shape
    kept = values[:, :, : length // _BLOCKS * _BLOCKS]
    return kept.reshape(count, channels, _BLOCKS, -1).mean(axis=3).reshape(count, -1)


def ends(values: np.ndarray) -> np.ndarray:
    """(window, feature) level at the end and growth over the window, of each joint."""
    last, growth = _last_and_growth(values)
    return np.concatenate([last, growth], axis=1)


def by_number(source: np.ndarray, target: np.ndarray, joints: Literal["common", "all"] = "common") -> list[np.ndarray]:
    """Both with the same number of joints: those that both have, or all, the missing ones 0."""
    if joints == "common":
        count = min(source.shape[1], target.shape[1])
        return [source[:, :count], target[:, :count]]
    count = max(source.shape[1], target.shape[1])
    return [np.pad(each, ((0, 0), (0, count - each.shape[1]), (0, 0))) for each in (source, target)]


def matched(source: np.ndarray, target: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Source and target joint by joint after the target's joints were put in the order, and given the signs, in which
    the distributions of their growth within a window resemble the source's most. No label is looked at.

    Each arm is divided by the largest of its joints' spreads, so that what moves most stays what moves most. `others`
    are further windows of the target.

    >>> rng = np.random.default_rng(0)
    >>> push = np.cumsum(rng.exponential(size=(90, 1, 28)), axis=2) * np.array([3.0, 1.0, 0.2])[:, None]
    >>> one, other = matched(push, -push[:, [2, 0, 1]])
    >>> bool(np.allclose(one, other))
    True
    """
    first, second = (_growth_in_spreads(each) for each in (source, target))
    a, b = (np.quantile(each, _LEVELS, axis=0).T for each in (first, second))
    same = np.abs(a[:, None] - b[None]).mean(axis=2)
    turned = np.abs(a[:, None] + b[None, :, ::-1]).mean(axis=2)
    rows, columns = linear_sum_assignment(np.minimum(same, turned))
    sign = np.where(turned < same, -1.0, 1.0)[rows, columns][:, None]
    centre, scale = _centre_and_scale(target)
    theirs = [sign * ((each - centre) / scale)[:, columns] for each in (target, *others)]
    centre, scale = _centre_and_scale(source)
    return [((source - centre) / scale)[:, rows], *theirs]


@dataclass(frozen=True, eq=False)
class Drift:
    """The direction in which an arm's errors drift within a window, over all windows, and what lies along it.

    Where most windows hold contact, their mean growth points to where contact drives the joints. It is measured without
    labels and on each arm by itself; along it, arms with any number of joints and any signs of their axes meet in one
    axis. Where few windows hold contact, or contact comes from all sides, it points nowhere.

    direction : (joint,) of length 1: the root of the mean growth with its sign, so that no joint has it all.
    centre, scale : what is taken off and divided by.

    >>> rng = np.random.default_rng(0)
    >>> quiet = rng.standard_normal((60, 2, 28))
    >>> contact = np.arange(60) % 6 > 0
    >>> push = contact[:, None, None] * np.linspace(0, 9, 28) * np.array([-1.0, 0.3])[:, None]
    >>> along = Drift.of(quiet + push).along(quiet + push)
    >>> along.shape, bool(along[contact, 0, -1].mean() > along[~contact, 0, -1].mean())
    ((60, 1, 28), True)
    """

    direction: np.ndarray
    centre: np.ndarray
    scale: float

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Measured on windows without labels."""
        growth = _last_and_growth(values)[1].mean(axis=0)
        direction = np.sign(growth) * np.sqrt(np.abs(growth))
        centre, scale = _centre_and_scale(values)
        return cls(direction / max(float(np.linalg.norm(direction)), 1e-12), centre, scale)

    def along(self, values: np.ndarray) -> np.ndarray:
        """(window, 1, time) of any windows of that arm."""
        return np.einsum("njt,j->nt", (values - self.centre) / self.scale, self.direction)[:, None]


def standardised(arm: Arm, values: np.ndarray) -> np.ndarray:
    """Each joint by mean and spread over the windows of `arm`."""
    mean, spread = arm.values.mean(axis=(0, 2)), arm.values.std(axis=(0, 2))
    return (values - mean[:, None]) / np.maximum(spread, 1e-9)[:, None]


def _last_and_growth(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    last = values[:, :, -_EDGE:].mean(axis=2)
    return last, last - values[:, :, :_EDGE].mean(axis=2)


def _centre_and_scale(values: np.ndarray) -> tuple[np.ndarray, float]:
    growth = _last_and_growth(values)[1]
    return values.mean(axis=(0, 2))[:, None], max(float(np.sqrt((growth**2).mean(axis=0).max())), 1e-12)


def _growth_in_spreads(values: np.ndarray) -> np.ndarray:
    return _last_and_growth(values)[1] / _centre_and_scale(values)[1]
