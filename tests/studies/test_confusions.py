"""Figures from counts are those that scikit-learn computes from labels, and their intervals draw whole units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
)

from jointwatch.core.errors import UsageError
from jointwatch.studies._confusions import METRICS, confusions, random_choice, spread

Score = Callable[[np.ndarray, np.ndarray], float]

ANY: dict[str, Score] = {
    "accuracy": accuracy_score,
    "balanced accuracy": balanced_accuracy_score,
    "macro precision": lambda y, p: precision_score(y, p, average="macro", zero_division=0),
    "macro recall": lambda y, p: recall_score(y, p, average="macro", zero_division=0),
    "macro F1": lambda y, p: f1_score(y, p, average="macro", zero_division=0),
    "MCC": matthews_corrcoef,
    "kappa": cohen_kappa_score,
}
TWO: dict[str, Score] = {
    "precision": lambda y, p: precision_score(y, p, zero_division=0),
    "recall": recall_score,
    "F1": f1_score,
    "false-alarm share": lambda y, p: float(p[y == 0].mean()),
}


def _labels(classes: int, seed: int, right: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Truth of unequal class sizes, and what a method says that is right in that share of rows."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, classes + 1)
    true = np.concatenate([np.arange(classes), rng.choice(classes, 300, p=weights / weights.sum())])
    return true, np.where(rng.random(len(true)) < right, true, random_choice(true, classes, seed))


def _figure(true: np.ndarray, said: np.ndarray, classes: int, metric: str) -> float:
    units = np.array(["a", "b", "c"])[np.arange(len(true)) % 3]
    return spread([confusions(units, np.unique(units), true, said, classes)], metric)[0]


@pytest.mark.parametrize("classes", [2, 3, 13])
@pytest.mark.parametrize("metric", sorted(ANY))
def test_figures_of_several_classes_are_those_of_scikit_learn(classes: int, metric: str) -> None:
    for seed, right in enumerate((0.0, 0.6, 1.0)):
        true, said = _labels(classes, seed, right)
        assert _figure(true, said, classes, metric) == pytest.approx(ANY[metric](true, said), abs=1e-12)


@pytest.mark.parametrize("metric", sorted(TWO))
def test_figures_of_two_classes_are_those_of_scikit_learn(metric: str) -> None:
    for seed, right in enumerate((0.0, 0.6, 1.0)):
        true, said = _labels(2, seed, right)
        assert _figure(true, said, 2, metric) == pytest.approx(TWO[metric](true, said), abs=1e-12)


@pytest.mark.parametrize("metric", ["precision", "recall", "F1"])
def test_figures_of_class_one_refuse_more_classes(metric: str) -> None:
    with pytest.raises(UsageError, match="3 classes"):
        _figure(*_labels(3, 0), 3, metric)


@pytest.mark.parametrize("metric", ["precision", "recall", "F1", "macro precision", "macro F1", "MCC"])
def test_a_class_that_is_never_said_scores_nothing(metric: str) -> None:
    true, said = np.array([0, 0, 1, 1]), np.zeros(4, int)
    expected = (TWO | ANY)[metric](true, said)
    assert _figure(true, said, 2, metric) == pytest.approx(expected)


def test_a_class_that_is_not_there_does_not_count_in_macro_figures() -> None:
    true, said = np.array([0, 0, 1, 1, 1]), np.array([0, 2, 1, 1, 0])
    assert _figure(true, said, 3, "macro recall") == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert _figure(true, said, 3, "macro precision") == pytest.approx((1 / 2 + 1) / 2)
    empty = np.zeros((1, 2, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        assert all(np.isnan(METRICS[name](empty)).all() for name in ("accuracy", "macro F1", "MCC", "precision"))


def test_the_interval_is_of_units_and_not_of_rows() -> None:
    rows = 1000
    true = np.tile([0, 1], rows)
    units = np.repeat(["a", "b"], rows)
    said = np.where(units == "a", true, 0)  # one unit is always right, the other half the time
    value, low, high = spread([confusions(units, np.unique(units), true, said, 2)], "accuracy")
    assert (value, low, high) == (0.75, 0.5, 1.0)
    alone = spread([confusions(units[:rows], np.array(["a"]), true[:rows], said[:rows], 2)], "accuracy")
    assert alone[0] == 1.0
    assert np.isnan(alone[1:]).all()


def test_rows_that_were_not_tested_do_not_count() -> None:
    units = np.array(["a", "a", "b"])
    counts = confusions(units, np.array(["a", "b"]), np.array([0, 1, 1]), np.array([0, -1, 0]), 2)
    assert counts.tolist() == [[[1, 0], [0, 0]], [[0, 0], [1, 0]]]
