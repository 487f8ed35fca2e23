from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.detectors.linear_autoregression import LinearAutoregression

# x_t = A x_{t-1} + B x_{t-2} + e
A = np.array([[0.6, 0.3], [-0.2, 0.5]])
B = np.array([[-0.2, 0.0], [0.1, -0.3]])


def simulate(seed: int, count: int, noise: float = 0.5, length: int = 80) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = np.zeros((count, 2, length + 50))
    for t in range(2, length + 50):
        x[:, :, t] = x[:, :, t - 1] @ A.T + x[:, :, t - 2] @ B.T + noise * rng.standard_normal((count, 2))
    return x[:, :, 50:]


def test_recovers_a_known_process() -> None:
    detector = LinearAutoregression(order=2).fit(simulate(0, 300))
    # rows after the constant: both channels at lag 2, both at lag 1; in units of each channel's spread
    ratio = detector.scale_[:, None] / detector.scale_
    np.testing.assert_allclose(detector.coefficients_[3:5] / ratio, A.T, atol=0.02)
    np.testing.assert_allclose(detector.coefficients_[1:3] / ratio, B.T, atol=0.02)
    np.testing.assert_allclose(detector.residual_std_ * detector.scale_, 0.5, rtol=0.02)


def test_fresh_healthy_windows_score_one_whatever_the_training_size() -> None:
    fresh = simulate(1, 100)
    for count in (4, 300):
        assert 0.9 < LinearAutoregression().fit(simulate(0, count)).score_samples(fresh).mean() < 1.25


def test_sees_a_change_of_dynamics_that_leaves_mean_and_spread_alone() -> None:
    detector = LinearAutoregression().fit(simulate(0, 100))
    normal = simulate(1, 20)
    shuffled = np.random.default_rng(0).permuted(normal, axis=2)
    np.testing.assert_allclose(shuffled.std(axis=2), normal.std(axis=2))
    assert detector.score_samples(shuffled).min() > detector.score_samples(normal).max()


def test_copies_of_a_channel_do_not_break_the_fit() -> None:
    x = simulate(0, 50)
    double = np.concatenate([x, x[:, :1], x[:, :1] + x[:, 1:]], axis=1)
    np.testing.assert_allclose(
        LinearAutoregression().fit(double).explain(double)[:, :2] * 4,
        LinearAutoregression().fit(x).explain(x) * 2,
        rtol=0.05,
        atol=0.02,
    )


@pytest.mark.parametrize(("length", "order"), [(1, 0), (3, 2), (80, 5)])
def test_order_fits_into_the_window(length: int, order: int) -> None:
    x = simulate(0, 30, length=length)
    detector = LinearAutoregression(order=5).fit(x)
    assert detector.order_ == order
    assert np.isfinite(detector.score_samples(x)).all()


def test_blocks_leave_no_seam() -> None:
    x = simulate(0, 400)  # more than one block of windows
    detector = LinearAutoregression().fit(x)
    one_by_one = np.concatenate([detector.score_samples(x[i : i + 1]) for i in range(240, 260)])
    np.testing.assert_allclose(detector.score_samples(x)[240:260], one_by_one, rtol=1e-9)


def test_refuses_an_order_below_one() -> None:
    with pytest.raises(UsageError, match="order"):
        LinearAutoregression(order=0).fit(simulate(0, 5))
