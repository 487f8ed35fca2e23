"""Sums of exponentials agree with SciPy's, at the ends of the numbers as well."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from jointwatch.core.log_probability import log_softmax, logsumexp, softmax


@pytest.mark.parametrize("scale", [1e-12, 1.0, 30.0, 1e5])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_agrees_with_scipy(scale: float, axis: int) -> None:
    values = scale * np.random.default_rng(0).standard_normal((40, 6))
    values[:, 2] = values[:, 3]  # ties
    np.testing.assert_allclose(log_softmax(values, axis=axis), special.log_softmax(values, axis=axis), rtol=1e-14)
    np.testing.assert_allclose(softmax(values, axis=axis), special.softmax(values, axis=axis), rtol=1e-14)
    for keep in (True, False):
        true = special.logsumexp(values, axis=axis, keepdims=keep)
        np.testing.assert_allclose(logsumexp(values, axis=axis, keepdims=keep), true, rtol=1e-14)


def test_impossible_classes() -> None:
    values = np.array([[0.0, -np.inf, 1.0], [-np.inf, -np.inf, -5.0]])
    np.testing.assert_array_equal(log_softmax(values, axis=1), special.log_softmax(values, axis=1))
    np.testing.assert_allclose(logsumexp(values, axis=1), special.logsumexp(values, axis=1), rtol=1e-15)
    assert logsumexp(np.full(3, -np.inf), axis=0) == -np.inf


def test_small_shares_beside_the_largest_are_kept() -> None:
    assert logsumexp(np.array([0.0, -50.0]), axis=0) == pytest.approx(np.exp(-50.0), rel=1e-14)
