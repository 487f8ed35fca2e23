"""Self-training takes the surest rows of each class first, more of them each round, and keeps the sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.core.errors import UsageError
from jointwatch.transfer._adaptation import Adaptation, Task
from jointwatch.transfer.self_training import SelfTraining, surest

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 10, "learning_rate": 3e-3}


def test_the_surest_of_each_class_above_the_threshold() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), size=400)
    label, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    before: set[int] = set()
    for share in (0.1, 0.4, 0.7, 1.0):
        rows, found = surest(probabilities, share, 0.5)
        assert np.array_equal(found, label)
        assert before <= set(rows)  # easy ones stay when harder ones join
        before = set(rows)
        for number in range(3):
            own, taken = np.flatnonzero(label == number), rows[label[rows] == number]
            best = np.sort(confidence[own])[::-1][: int(np.ceil(share * len(own)))]
            assert np.array_equal(np.sort(confidence[taken])[::-1], best[best >= 0.5])
    assert (confidence[rows] >= 0.5).all()
    assert len(rows) == (confidence >= 0.5).sum()
    nothing, _ = surest(np.full((5, 4), 0.25), 1.0, 0.9)
    assert not len(nothing)


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Task]]:
    """Epochs and task of each training."""
    seen: list[tuple[int, Task]] = []
    train = Adaptation._align

    def note(strategy: Adaptation, network: Any, task: Task) -> Any:
        seen.append((strategy.epochs, task))
        return train(strategy, network, task)

    monkeypatch.setattr(Adaptation, "_align", note)
    return seen


def test_rounds_take_more_each_time_and_keep_the_sources(
    brands: Make, small: Make, stages: list[tuple[int, Task]]
) -> None:
    target, few = brands(11, rows=150), brands(11, 5, rows=6)
    SelfTraining(**OPTIONS, rounds=3, threshold=0.4).align(small(), [brands(1), brands(2)], target, few)
    assert [epochs for epochs, _ in stages] == [7, 1, 1, 1]
    counts = []
    for _, task in stages:
        assert task.labelled is not None
        assert [len(source) for source in task.sources] == [120, 120]
        assert (task.target.label == -1).all()
        counts.append(len(task.labelled))
        # rows that were given keep their label, and are as many as those that were taken
        given = task.labelled.take(np.arange(6))
        assert torch.equal(given.label, few.label)
        assert torch.equal(given.values, few.values)
    assert counts[0] == 6
    assert counts == sorted(set(counts))
    taken = [count // 2 for count in counts[1:]]
    np.testing.assert_allclose(taken, 0.9 / 3 * 150 * np.arange(1, 4), atol=8)


def test_labels_it_gives_are_mostly_right(brands: Make, small: Make, stages: list[tuple[int, Task]]) -> None:
    target = brands(11)
    SelfTraining(**OPTIONS).align(small(), [brands(1), brands(2)], target)
    assert stages[0][1].labelled is None
    true = {
        tuple(values.flatten().tolist()): int(label) for values, label in zip(target.values, target.label, strict=True)
    }
    for _, task in stages[1:]:
        assert task.labelled is not None
        right = [
            true[tuple(v.flatten().tolist())] == int(c)
            for v, c in zip(task.labelled.values, task.labelled.label, strict=True)
        ]
        assert np.mean(right) > 0.85
        assert len(torch.unique(task.labelled.label)) == 3


def test_each_class_that_was_taken_counts_the_same(brands: Make, small: Make) -> None:
    few = brands(11, 5, rows=10, classes=[0, 0, 0, 0, 2])
    task = Task((brands(1),), brands(11), few, None, 0, "cpu", False)
    weights = SelfTraining()._opened(small(), task).target_weights
    assert isinstance(weights, torch.Tensor)
    assert weights.tolist() == pytest.approx([10 / (2 * 8), 0, 10 / (2 * 2)])


def test_it_beats_the_sources_alone(brands: Make, small: Make, source_only: Make, accuracy: Make) -> None:
    gains = []
    for seed in range(3):
        sources, test = [brands(k, seed) for k in (1, 2, 3)], brands(10 + seed, 90, rows=300)
        adapted = SelfTraining(**OPTIONS).align(small(seed), sources, brands(10 + seed, seed), seed=seed)
        gains.append(accuracy(adapted, test) - accuracy(source_only(small(seed), sources, seed), test))
        assert accuracy(adapted, test) > 0.85
    assert np.mean(gains) > 0.1


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, brands: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = brands(10, 5, rows=6) if few else None
    strategy = SelfTraining(epochs=4, rounds=2, threshold=0.0)
    assert same_bits_with_scrambled_labels(strategy, small(), [brands(1), brands(2)], brands(10), labelled)


def test_where_nothing_is_sure_it_is_the_source_model(brands: Make, small: Make) -> None:
    """No row comes above the threshold, so that the rounds go on with the sources."""
    strategy = SelfTraining(epochs=4, rounds=1, threshold=0.999999)
    network = strategy.align(small(), brands(1), replace(brands(10), values=0 * brands(10).values))
    assert torch.isfinite(network(brands(10).values)).all()


@pytest.mark.parametrize(
    "wrong", [{"rounds": 0}, {"share": 0.0}, {"share": 1.5}, {"threshold": 1.0}, {"threshold": -0.1}]
)
def test_refusals(wrong: dict[str, Any], brands: Make, small: Make) -> None:
    with pytest.raises(UsageError, match="self-training takes"):
        SelfTraining(**wrong).align(small(), brands(1), brands(10))
