"""kNN, LOF, k-means and isolation forest against what they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest as ReferenceForest
from sklearn.neighbors import LocalOutlierFactor

from jointwatch.core.errors import UsageError
from jointwatch.detectors._vector import VectorDetector
from jointwatch.detectors.isolation_forest import IsolationForest
from jointwatch.detectors.kmeans import KMeans
from jointwatch.detectors.knn import Knn
from jointwatch.detectors.lof import Lof

RNG = np.random.default_rng(0)
TRAIN = RNG.standard_normal((70, 3, 30)).astype(np.float32)
TEST = 1.3 * RNG.standard_normal((15, 3, 30)).astype(np.float32)


def z(detector: VectorDetector, values: np.ndarray) -> np.ndarray:
    return (detector.features_.transform(values) - detector.mean_) / detector.scale_


def test_knn_is_the_mean_squared_distance_to_the_nearest() -> None:
    detector = Knn(n_neighbors=3).fit(TRAIN)
    square = np.square(z(detector, TEST)[:, None] - z(detector, TRAIN)).mean(axis=2)
    np.testing.assert_allclose(detector.score_samples(TEST), np.sort(square, axis=1)[:, :3].mean(axis=1), rtol=1e-9)


def test_knn_takes_all_windows_where_there_are_fewer_than_k() -> None:
    np.testing.assert_allclose(
        Knn(n_neighbors=50).fit(TRAIN[:4]).score_samples(TEST), Knn(n_neighbors=4).fit(TRAIN[:4]).score_samples(TEST)
    )


def test_lof_is_scikit_learns() -> None:
    detector = Lof().fit(TRAIN)
    reference = LocalOutlierFactor(n_neighbors=20, novelty=True).fit(z(detector, TRAIN))
    np.testing.assert_allclose(detector.score_samples(TEST), -reference.score_samples(z(detector, TEST)), rtol=1e-9)


def test_lof_takes_all_others_where_there_are_fewer_than_k() -> None:
    np.testing.assert_allclose(
        Lof(n_neighbors=50).fit(TRAIN[:5]).score_samples(TEST), Lof(n_neighbors=4).fit(TRAIN[:5]).score_samples(TEST)
    )


def test_isolation_forest_is_scikit_learns_and_follows_its_seed() -> None:
    detector = IsolationForest(random_state=3).fit(TRAIN)
    reference = ReferenceForest(random_state=3).fit(z(detector, TRAIN))
    np.testing.assert_array_equal(detector.score_samples(TEST), -reference.score_samples(z(detector, TEST)))
    assert (IsolationForest(random_state=4).fit(TRAIN).score_samples(TEST) != detector.score_samples(TEST)).any()


def test_kmeans_is_the_squared_distance_to_the_nearest_centre() -> None:
    detector = KMeans(n_clusters=4).fit(TRAIN)
    square = np.square(z(detector, TEST)[:, None] - detector.centres_).mean(axis=2)
    np.testing.assert_allclose(detector.score_samples(TEST), square.min(axis=1), rtol=1e-9)


@pytest.mark.parametrize(("count", "centres"), [(70, 10), (49, 9), (10, 2), (9, 1), (2, 1)])
def test_kmeans_has_five_windows_a_centre(count: int, centres: int) -> None:
    assert len(KMeans().fit(TRAIN[:count]).centres_) == centres


def test_kmeans_has_no_more_centres_than_distinct_windows() -> None:
    assert len(KMeans().fit(np.repeat(TRAIN[:3], 30, axis=0)).centres_) == 3


@pytest.mark.parametrize("detector", [Knn(n_neighbors=0), Lof(n_neighbors=0), KMeans(n_clusters=0)])
def test_nothing_to_compare_with_is_refused(detector: VectorDetector) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        detector.fit(TRAIN)
