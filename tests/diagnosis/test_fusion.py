"""Views are weighed by what they are worth, and probabilities come true."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax
from sklearn.base import clone

from jointwatch.diagnosis._fusion import Fusion


def rows(count: int, seed: int, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """(row, class) logits that are the truth, and classes drawn from them."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((count, classes))
    share = np.exp(log_softmax(logits, axis=1))
    return logits, (share.cumsum(axis=1) < rng.random(count)[:, None]).sum(axis=1)


def loss(log_proba: np.ndarray, code: np.ndarray) -> float:
    return -float(log_proba[np.arange(len(code)), code].mean())


def test_an_overconfident_view_is_cooled_to_the_truth() -> None:
    logits, code = rows(4000, 0, 3)
    fusion = Fusion().fit([log_softmax(4 * logits, axis=1)], code)
    np.testing.assert_allclose(fusion.weights_, [0.25], atol=0.03)
    fresh, truth = rows(4000, 1, 3)
    found = fusion.log_proba([log_softmax(4 * fresh, axis=1)])
    assert loss(found, truth) < loss(log_softmax(fresh, axis=1), truth) + 0.01
    assert loss(log_softmax(4 * fresh, axis=1), truth) > loss(found, truth) + 0.3
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0)


def test_a_view_that_knows_nothing_gets_no_weight() -> None:
    logits, code = rows(4000, 0)
    noise = np.random.default_rng(2).standard_normal(logits.shape)
    weights = Fusion().fit([log_softmax(logits, axis=1), log_softmax(noise, axis=1)], code).weights_
    assert weights[0] > 0.9
    assert 0 <= weights[1] < 0.05


def test_a_shifted_view_is_put_right() -> None:
    logits, code = rows(4000, 0)
    fusion = Fusion().fit([log_softmax(logits + np.array([0.0, 3.0]), axis=1)], code)
    assert abs(fusion.offsets_[1] - fusion.offsets_[0] + 3) < 0.6  # held a little


def test_classes_count_alike() -> None:
    logits, code = rows(6000, 0)
    few = (code == 0) | (np.arange(len(code)) % 10 == 0)
    offsets = Fusion().fit([log_softmax(logits[few], axis=1)], code[few]).offsets_
    assert abs(offsets[1] - offsets[0]) < 0.3  # without, it would be the logarithm of ten


def test_nothing_is_certain_because_all_held_out_rows_were_right() -> None:
    code = np.arange(200) % 2
    sure = log_softmax(1000.0 * np.eye(2)[code], axis=1)
    share = np.exp(Fusion().fit([sure], code).log_proba([sure]))[np.arange(200), code]
    assert 0.99 < share.min() <= share.max() < 0.9999


def test_without_calibration_it_is_the_mean() -> None:
    one, two = (log_softmax(rows(5, seed)[0], axis=1) for seed in (0, 1))
    np.testing.assert_allclose(Fusion().plain(2, 2).log_proba([one, two]), log_softmax((one + two) / 2, axis=1))
    assert clone(Fusion()).get_params() == {}
    assert Fusion().plain(1, 2).log_proba([one[:0]]).shape == (0, 2)
