from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.detectors.pca import Pca
from jointwatch.features.cycle_statistics import CycleStatistics


def windows(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((count, 1, 1))
    values = (1 + 0.3 * shared) * np.sin(np.linspace(0, 6, 40)) + 0.2 * rng.standard_normal((count, 4, 40))
    return values.astype(np.float32)


@pytest.mark.parametrize("variance", [0.5, 0.95, 0.99])
def test_keeps_the_fewest_components_that_explain_the_share(variance: float) -> None:
    detector = Pca(variance=variance).fit(windows(0, 100))
    z = (detector.features_.transform(windows(0, 100)) - detector.mean_) / detector.scale_
    explained = np.square(z @ detector.components_.T).sum(axis=0) / np.square(z).sum()
    assert explained.sum() >= variance
    assert explained.sum() - explained.min() < variance
    np.testing.assert_allclose(detector.components_ @ detector.components_.T, np.eye(len(explained)), atol=1e-9)


def test_score_is_the_mean_squared_residual() -> None:
    detector = Pca().fit(windows(0, 100))
    z = (detector.features_.transform(windows(1, 5)) - detector.mean_) / detector.scale_
    residual = z - z @ detector.components_.T @ detector.components_
    np.testing.assert_allclose(detector.score_samples(windows(1, 5)), np.square(residual).mean(axis=1), rtol=1e-9)


@pytest.mark.parametrize("channel", range(4))
def test_contribution_is_nearly_the_whole_score_of_the_only_disturbed_channel(channel: int) -> None:
    detector = Pca().fit(windows(0, 100))
    odd = windows(1, 20)
    odd[:, channel, 20:] += 10
    parts, scores = detector.explain(odd), detector.score_samples(odd)
    assert (parts <= scores[:, None] * (1 + 1e-9)).all()
    assert (parts[:, channel] > 0.98 * scores).all()
    assert (parts.argmax(axis=1) == channel).all()


def test_a_direction_is_left_to_judge_by() -> None:
    values = np.random.default_rng(0).standard_normal((60, 2, 40)).astype(np.float32)
    detector = Pca(CycleStatistics(names=["mean", "std"])).fit(values)  # four independent features
    assert detector.components_.shape == (3, 4)
    one = Pca(CycleStatistics(names=["mean"])).fit(values[:, :1])
    assert one.score_samples(values[:1, :1] + 1) > 10


@pytest.mark.parametrize("variance", [0.0, 1.0, 7])
def test_refuses_a_share_that_is_none(variance: float) -> None:
    with pytest.raises(UsageError, match="share to keep"):
        Pca(variance=variance).fit(windows(0, 10))
