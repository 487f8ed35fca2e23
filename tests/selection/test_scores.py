"""Label-free scores: hand-worked values, limits, and the defining properties of each."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.selection.consensus import TOGETHER, consensus
from jointwatch.selection.scores import (
    DIRECTION,
    Source,
    Target,
    agreement,
    control_variate,
    deep_embedded,
    entropy,
    importance_weighted,
    importance_weights,
    information,
    neighbourhood,
    reverse,
    score_all,
    source_risk,
)


def problem(seed: int = 0, classes: int = 3, count: int = 240, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = np.arange(count) % classes
    return 3 * np.eye(classes)[label] + 0.7 * rng.standard_normal((count, classes)) + shift, label


def test_a_target_has_no_place_for_a_label() -> None:
    assert [field.name for field in fields(Target)] == ["features", "logits"]


def test_source_risk_is_cross_entropy() -> None:
    logits = np.log(np.array([[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]]))
    rows = Source(np.zeros((3, 1)), logits, np.array([0, 0, 1]))
    assert source_risk(rows, balanced=False) == pytest.approx(-np.log([0.5, 0.25, 0.1]).mean())
    assert source_risk(rows) == pytest.approx(0.5 * (-np.log([0.5, 0.25]).mean() - np.log(0.1)))


def test_importance_weights_are_the_density_ratio() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.standard_normal((4000, 1)), rng.standard_normal((4000, 1)) + 1
    weights = importance_weights(source, target)
    truth = np.exp(source[:, 0] - 0.5)  # of N(1, 1) over N(0, 1)
    inside = np.abs(source[:, 0]) < 2
    assert np.abs(np.log(weights[inside] / truth[inside])).max() < 0.25
    # The weighted mean of the source is the mean of the target.
    assert np.average(source[:, 0], weights=weights) == pytest.approx(1.0, abs=0.15)


def test_weighted_risk_is_the_risk_on_the_target_under_covariate_shift() -> None:
    rng = np.random.default_rng(1)

    def draw(mean: float) -> tuple[np.ndarray, np.ndarray]:
        x = rng.standard_normal(6000) + mean
        return x, (rng.random(6000) < 1 / (1 + np.exp(-2 * x))).astype(int)

    def said(x: np.ndarray) -> np.ndarray:
        return np.stack([np.zeros_like(x), 0.5 * (x + 3)], axis=1)  # a model that is wrong for small x

    (xs, ys), (xt, yt) = draw(0.0), draw(-1.0)
    source, target = Source(xs[:, None], said(xs), ys), Target(xt[:, None], said(xt))
    truth = Source(xt[:, None], said(xt), yt).loss.mean()
    blind = source.loss.mean()
    weighted = importance_weighted(source, importance_weights(xs[:, None], xt[:, None]))
    assert abs(blind - truth) > 0.08
    assert abs(weighted - truth) < 0.4 * abs(blind - truth)
    assert abs(deep_embedded(source, target) - truth) < 0.4 * abs(blind - truth)


def test_the_control_variate_lowers_the_spread_and_keeps_the_mean() -> None:
    plain, controlled = [], []
    for seed in range(200):
        x = np.random.default_rng(seed).standard_normal(400)
        weights, loss = np.exp(0.5 * x - 0.125), 1 + 0.2 * x**2  # exact ratio of N(0.5, 1) over N(0, 1)
        plain.append(np.mean(weights * loss))
        controlled.append(control_variate(loss, weights))
    assert np.mean(controlled) == pytest.approx(1 + 0.2 * 1.25, abs=0.01)
    assert np.std(controlled) < 0.6 * np.std(plain)


def test_reverse_validation_tells_right_from_swapped() -> None:
    (xs, ys), (xt, _) = problem(0), problem(1)
    good = reverse(Source(xs, 4 * xs, ys), Target(xt, 4 * xt))
    swapped = reverse(Source(xs, 4 * xs, ys), Target(xt, 4 * np.roll(xt, 1, axis=1)))
    one_class = reverse(Source(xs, 4 * xs, ys), Target(xt, np.tile([9.0, 0, 0], (len(xt), 1))))
    assert good > 0.95
    assert swapped < 0.1
    assert one_class == pytest.approx(1 / 3)


def test_neighbourhood_density_of_two_rows_and_of_clusters() -> None:
    # With one other row its share is 1, entropy 0; with n alike rows it is log(n - 1).
    logits = np.array([[2.0, 0.0], [0.0, 3.0]])
    assert neighbourhood(Target(np.zeros((2, 1)), logits)) == pytest.approx(0)
    alike = np.tile([[4.0, 0.0]], (9, 1))
    assert neighbourhood(Target(np.zeros((9, 1)), alike)) == pytest.approx(np.log(8))
    x, _ = problem(0)
    dense = neighbourhood(Target(x, 8 * x))
    assert dense > neighbourhood(Target(x, 0.7 * x))
    with pytest.raises(NotEnoughData):
        neighbourhood(Target(np.zeros((1, 1)), logits[:1]))


def test_entropy_and_information() -> None:
    even = Target(np.zeros((4, 1)), np.zeros((4, 3)))
    assert entropy(even) == pytest.approx(np.log(3))
    assert information(even) == pytest.approx(0)
    sure = Target(np.zeros((3, 1)), 50.0 * np.eye(3))
    assert entropy(sure) == pytest.approx(0, abs=1e-9)
    assert information(sure) == pytest.approx(np.log(3))
    one = Target(np.zeros((3, 1)), np.tile([[50.0, 0, 0]], (3, 1)))
    assert entropy(one) <= entropy(sure)  # entropy alone likes a collapsed model,
    assert information(one) == pytest.approx(0, abs=1e-9)  # information does not


def test_no_score_depends_on_the_order_of_target_rows() -> None:
    (xs, ys), (xt, _) = problem(0), problem(1, shift=0.5)
    order = np.random.default_rng(3).permutation(len(xt))
    plain = score_all({"a": (Source(xs, 2 * xs, ys), Target(xt, xt)), "b": (Source(xs, xs, ys), Target(xt, 3 * xt))})
    other = score_all(
        {
            "a": (Source(xs, 2 * xs, ys), Target(xt[order], xt[order])),
            "b": (Source(xs, xs, ys), Target(xt[order], 3 * xt[order])),
        }
    )
    assert set(plain) == set(DIRECTION) - {"importance_weighted"}
    for score, values in plain.items():
        tolerance = 0.3 if score == "deep_embedded" else 1e-6  # its halves are drawn by position
        assert values["a"] == pytest.approx(other[score]["a"], rel=tolerance, abs=1e-9)


def test_the_consensus_prefers_what_is_right_and_drops_what_has_collapsed() -> None:
    (xs, ys), (xt, yt) = problem(0), problem(1)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(xt.shape)
    said = {
        "one class": np.tile([9.0, 0, 0], (len(xt), 1)),
        "noise": 4 * noise,
        "half": 2 * xt + 4 * noise,
        "right": 4 * xt,
        "swapped": 4 * np.roll(xt, 1, axis=1),
    }
    held = Source(xs, 4 * xs, ys)
    ranking = consensus({name: (held, Target(xt, logits)) for name, logits in said.items()})
    assert set(ranking.left_out) == {"one class"}
    assert ranking.best in ("right", "half")
    assert (said[ranking.best].argmax(axis=1) == yt).mean() > 0.7
    assert "one class" not in ranking.names
    # Where the target is mostly healthy, saying one class is no failure.
    assert not consensus({"a": (held, Target(xt, said["one class"]))}, all_classes=False).left_out
    lost = Source(xs, rng.standard_normal(xs.shape), ys)
    forgetful = consensus({"keeps": (held, Target(xt, said["right"])), "forgot": (lost, Target(xt, said["right"]))})
    assert set(forgetful.left_out) == {"forgot"}


def test_candidates_without_held_out_source_are_ranked_by_the_others() -> None:
    xt, _ = problem(1)
    ranking = consensus({"a": (None, Target(xt, 4 * xt)), "b": (None, Target(xt, 0.1 * xt))})
    assert set(ranking.scores) == {"neighbourhood", "entropy", "information", "agreement"}
    assert ranking.best == "a"
    assert ranking.place.tolist() == [1.5, 1.5]  # both say the same classes: the one that is sure of them comes first
    several = consensus(
        {"a": (None, Target(xt, 4 * xt)), "b": (None, Target(xt, 0.1 * xt))}, scores=("agreement", "entropy")
    )
    assert several.place.tolist() == [1.25, 1.75]
    with pytest.raises(UsageError, match="none of the scores"):
        consensus({"a": (None, Target(xt, xt))}, scores=("source_risk",))
    with pytest.raises(UsageError, match="no score"):
        consensus({"a": (None, Target(xt, xt))}, scores=("oracle",))
    assert set(TOGETHER) <= set(DIRECTION)


def test_agreement_counts_class_by_class() -> None:
    often = np.array([[9.0, 0]] * 9 + [[0, 9.0]])
    never = np.array([[9.0, 0]] * 10)
    said = agreement([Target(np.zeros((10, 1)), x) for x in (often, often, never)])
    assert said.tolist() == [1.0, 1.0, 0.5]
    with pytest.raises(UsageError, match="same target rows"):
        agreement([Target(np.zeros((2, 1)), often[:2]), Target(np.zeros((3, 1)), often[:3])])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="diverged"):
        Target(np.zeros((2, 1)), np.full((2, 2), np.nan))
    with pytest.raises(UsageError, match="unlabelled"):
        Source(np.zeros((2, 1)), np.zeros((2, 2)), np.array([-1, 0]))
    with pytest.raises(NotEnoughData):
        Target(np.zeros((0, 1)), np.zeros((0, 2)))
