"""Multinomial regression: the usual one at a zero prior, held near a source otherwise."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from jointwatch.diagnosis._softmax_regression import SoftmaxRegression


def rows(count: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    code = np.arange(count) % 3
    return np.eye(3)[code] * [2.0, 1.0, 0.0] + shift * np.eye(3)[2] * (code == 1)[:, None] + rng.standard_normal(
        (count, 3)
    ), code


def test_it_says_what_scikit_learn_s_says() -> None:
    X, code = rows(300, 0)
    ours = SoftmaxRegression(penalty=0.01).fit(X, code, 3)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    theirs = LogisticRegression(C=1 / (0.01 * len(X)), tol=1e-8, max_iter=1000).fit(scaled, code)
    np.testing.assert_allclose(np.exp(ours.log_proba(X)), theirs.predict_proba(scaled), atol=2e-3)


def test_classes_count_alike() -> None:
    X, code = rows(900, 0)
    few = (code < 2) | (np.arange(len(code)) % 15 == 2)
    balanced, whole = (SoftmaxRegression().fit(X[k], code[k], 3) for k in (few, slice(None)))
    np.testing.assert_allclose(np.exp(balanced.log_proba(X)), np.exp(whole.log_proba(X)), atol=0.15)


def test_near_a_source_it_is_moved_as_far_as_rows_are_evidence() -> None:
    X, code = rows(300, 0)
    source = SoftmaxRegression().fit(X, code, 3)
    target, truth = rows(30, 1, shift=4.0)
    fresh, fresh_truth = rows(300, 2, shift=4.0)
    held, moved = source.near(target, truth, 1e6), source.near(target, truth, 0.1)
    np.testing.assert_allclose(held.weights_, source.weights_, atol=1e-4)

    def right(model: SoftmaxRegression) -> float:
        return float((model.log_proba(fresh).argmax(axis=1) == fresh_truth).mean())

    assert right(moved) > right(source) + 0.05
    before = source.weights_.copy()
    source.near(target, truth, 0.1)
    np.testing.assert_array_equal(source.weights_, before)


def test_rows_of_one_class_do_not_make_it_the_answer_to_all() -> None:
    X, code = rows(300, 0)
    source = SoftmaxRegression().fit(X, code, 3)
    healthy = X[code == 0][:10]
    moved = source.near(healthy, np.zeros(10, int), 0.1)
    assert (moved.log_proba(X).argmax(axis=1) == code).mean() > 0.55


def test_parts_add_up_to_the_log_odds_of_two_classes() -> None:
    X, code = rows(200, 0)
    two = code < 2
    model = SoftmaxRegression().fit(X[two], code[two], 2)
    log_p = model.log_proba(X)
    parts = model.parts(X).sum(axis=1)
    offset = log_p[:, 1] - log_p[:, 0] - parts
    np.testing.assert_allclose(offset, offset[0], atol=1e-9)
    constant = SoftmaxRegression().fit(np.ones((6, 2)), np.arange(6) % 2, 2)
    np.testing.assert_allclose(np.exp(constant.log_proba(np.ones((1, 2)))), 0.5, atol=1e-6)
