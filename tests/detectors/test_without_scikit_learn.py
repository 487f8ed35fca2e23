"""What detectors do without scikit-learn agrees with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest as Forest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from jointwatch.detectors._nearest import nearest
from jointwatch.detectors.isolation_forest import IsolationForest
from jointwatch.detectors.lof import _Factor

RNG = np.random.default_rng(0)
SPREAD = RNG.standard_normal((700, 8))


@pytest.mark.parametrize(
    "vectors",
    [SPREAD, np.round(SPREAD[:200, :2]), SPREAD[:2], np.zeros((5, 3)), np.repeat(SPREAD[:3], 40, axis=0)],
    ids=["spread", "ties", "two", "still", "copies"],
)
def test_stored_trees_score_as_the_forest_they_were(vectors: np.ndarray) -> None:
    rows = np.concatenate([2 * RNG.standard_normal((50, vectors.shape[1])), vectors])
    detector = IsolationForest(n_estimators=30)
    detector._fit_vectors(vectors)
    forest = Forest(n_estimators=30, random_state=0).fit(vectors)
    np.testing.assert_allclose(detector._vector_scores(rows, rows), -forest.score_samples(rows), rtol=1e-12)


def test_nearest_vectors() -> None:
    rows = RNG.standard_normal((300, 8))
    search = NearestNeighbors(n_neighbors=7).fit(SPREAD)
    for asked in (rows, None):
        distance, number = nearest(SPREAD, 7, asked)
        expected, places = search.kneighbors(asked)
        np.testing.assert_allclose(distance, expected, rtol=1e-9)
        np.testing.assert_array_equal(number, places)


@pytest.mark.parametrize("neighbours", [1, 20])
def test_outlier_factor(neighbours: int) -> None:
    rows = 2 * RNG.standard_normal((300, 8))
    expected = LocalOutlierFactor(n_neighbors=neighbours, novelty=True).fit(SPREAD).score_samples(rows)
    np.testing.assert_allclose(_Factor(SPREAD, neighbours).score_samples(rows), expected, rtol=1e-9)
