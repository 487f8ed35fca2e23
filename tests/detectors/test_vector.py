from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin

from jointwatch.core import Windows, catalog
from jointwatch.core.errors import UsageError
from jointwatch.detectors._vector import VectorDetector
from jointwatch.detectors.knn import Knn
from jointwatch.detectors.mahalanobis import Mahalanobis
from jointwatch.features.cycle_statistics import CycleStatistics

VECTOR = [name for name in catalog.names("detectors") if issubclass(catalog.load("detectors", name), VectorDetector)]
SUMS = ["kmeans", "knn", "linear_autoregression", "mahalanobis", "phase_zscore"]


class Flattened(TransformerMixin, BaseEstimator):
    """Every sample a feature, without saying which channel it is of."""

    def fit(self, X: Windows, y: None = None) -> Flattened:
        return self

    def transform(self, X: Windows) -> np.ndarray:
        return X.values.reshape(len(X), -1)


class Broken(Flattened):
    def transform(self, X: Windows) -> np.ndarray:
        return np.full((len(X), 2), np.nan)


def test_the_simple_baselines_are_vector_detectors() -> None:
    assert {"isolation_forest", "kmeans", "knn", "lof", "mahalanobis", "pca"} <= set(VECTOR)


@pytest.mark.parametrize("name", SUMS)
def test_contributions_add_up_to_the_score(name: str) -> None:
    values = np.random.default_rng(0).standard_normal((60, 3, 40))
    detector = catalog.load("detectors", name)().fit(values[:50])
    np.testing.assert_allclose(
        detector.explain(values[50:]).sum(axis=1), detector.score_samples(values[50:]), rtol=1e-9
    )


@pytest.mark.parametrize("name", ["kmeans", "linear_autoregression", "mahalanobis", "phase_zscore"])
def test_healthy_windows_score_about_one(name: str) -> None:
    values = np.random.default_rng(0).standard_normal((1200, 3, 40))
    detector = catalog.load("detectors", name)().fit(values[:1000])
    assert 0.5 < np.median(detector.score_samples(values[1000:])) < 2


@pytest.mark.parametrize("name", VECTOR)
def test_any_transformer_takes_the_place_of_the_statistics(name: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((60, 2, 10))
    odd = values[:5].copy()
    odd[:, 1] += 8
    plain = catalog.load("detectors", name)(features=Flattened()).fit(values)
    assert plain.score_samples(odd).min() > np.median(plain.score_samples(rng.standard_normal((40, 2, 10))))
    assert plain.explain(odd) is None
    chosen = catalog.load("detectors", name)(features=CycleStatistics(names=["max", "mean"])).fit(values)
    assert chosen.mean_.shape == (4,)
    assert (chosen.explain(odd).argmax(axis=1) == 1).all()


def test_features_that_are_not_finite_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="feature 0 of window 0 is not finite; Broken made it"):
        Knn(features=Broken()).fit(np.zeros((3, 1, 4)))


def test_features_are_standardised_by_training(as_cycles: Callable[..., Windows]) -> None:
    values = np.random.default_rng(0).standard_normal((50, 2, 40))
    scaled = values * np.array([1.0, 1e4])[:, None]
    few = Knn().fit(values).score_samples(values[:9] + 0.5)
    many = Knn().fit(scaled).score_samples(scaled[:9] + np.array([0.5, 0.5e4])[:, None])
    np.testing.assert_allclose(few, many, rtol=1e-3)


def test_a_change_of_a_constant_channel_counts_in_its_own_unit() -> None:
    values = np.random.default_rng(0).standard_normal((50, 2, 40))
    values[:, 1] = 25.0
    detector = Mahalanobis(CycleStatistics(names=["mean"])).fit(values)
    assert detector.constant_.tolist() == [False, True]
    warmer = values[:1].copy()
    warmer[:, 1] += 6
    rise = detector.score_samples(warmer) - detector.score_samples(values[:1])
    np.testing.assert_allclose(rise, 6.0**2 / 2, rtol=1e-6)  # mean over two features


@pytest.mark.parametrize("name", [name for name in VECTOR if name not in ("isolation_forest",)])
def test_an_absent_channel_changes_nothing_else(name: str, as_cycles: Callable[..., Windows]) -> None:
    values = np.random.default_rng(0).standard_normal((80, 3, 40))
    values[:, 2] = 0
    mask = np.ones((80, 3), bool)
    mask[:, 2] = False
    three, two = as_cycles(values, mask), as_cycles(values[:, :2])
    make = catalog.load("detectors", name)
    with_gap, without = make().fit(three[:60]), make().fit(two[:60])
    scores = with_gap.score_samples(three[60:])
    np.testing.assert_allclose(scores, without.score_samples(two[60:]), rtol=1e-6)
    assert (with_gap.explain(three[60:])[:, 2] == 0).all()
