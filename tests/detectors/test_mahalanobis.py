from __future__ import annotations

import numpy as np
from sklearn.covariance import LedoitWolf

from jointwatch.detectors.mahalanobis import Mahalanobis
from jointwatch.features.cycle_statistics import CycleStatistics

FEATURES = CycleStatistics(names=["mean", "std"])


def test_equals_the_textbook_distance() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((80, 3, 40)) @ np.eye(40) + rng.standard_normal((80, 1, 1))
    vectors = FEATURES.fit(values).transform(values)
    z = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)
    expected = LedoitWolf().fit(z).mahalanobis(z) / z.shape[1]
    np.testing.assert_allclose(Mahalanobis(FEATURES).fit(values).score_samples(values), expected, rtol=1e-6)


def test_finds_what_breaks_a_correlation() -> None:
    rng = np.random.default_rng(0)
    level = rng.standard_normal((200, 1, 1)) * 3
    values = np.repeat(level, 2, axis=1) + 0.1 * rng.standard_normal((200, 2, 40))
    detector = Mahalanobis(CycleStatistics(names=["mean"])).fit(values)
    together, apart = values[:1].copy(), values[:1].copy()
    together[0] += 2
    apart[0, 0] += 2
    assert detector.score_samples(apart) > 20 * detector.score_samples(together)


def test_fewer_windows_than_features_still_ranks() -> None:
    rng = np.random.default_rng(0)
    detector = Mahalanobis().fit(rng.standard_normal((5, 6, 40)))
    normal, odd = rng.standard_normal((20, 6, 40)), 2 * rng.standard_normal((20, 6, 40))
    assert detector.score_samples(odd).min() > detector.score_samples(normal).max()
