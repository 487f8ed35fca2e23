"""Partial adaptation finds which classes the target has, and is worth it where some are missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.training.data import Batch
from jointwatch.training.objectives import cross_entropy
from jointwatch.transfer import partial
from jointwatch.transfer._adaptation import Embedded, Task
from jointwatch.transfer.dann import Dann
from jointwatch.transfer.partial import Partial

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 24, "learning_rate": 2e-3}


def opened_at(prevalence: list[float], strategy: Partial, task: Task, network: Any) -> Any:
    opened = strategy._opened(network, task)
    opened.get_buffer("prevalence").copy_(torch.tensor(prevalence))
    return opened


def test_missing_classes_have_no_part(brands: Make, small: Make) -> None:
    """With a class that the target never shows, its rows of the sources are as good as absent."""
    domain, label = torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([0, 1, 2, -1, -1, -1])
    embedded = torch.randn(6, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    strategy = Partial(momentum=0.0, weight=0.5)
    task = Task((brands(1),), brands(11), None, None, 0, "cpu", False)
    opened = opened_at([0.6, 0.3, 0.0], strategy, task, small())
    rows = Embedded(embedded, logits, label, domain, domain == 1, brands(1, rows=6))
    loss = strategy._loss(opened, rows, 0.5, torch.tensor([1.0, 4.0, 2.0]))
    (gradient,) = torch.autograd.grad(loss, embedded)
    assert ((gradient != 0).any(dim=1) == torch.tensor([True, True, False, True, True, True])).all()
    domains = opened.discriminator(embedded).log_softmax(dim=1)[torch.arange(6), domain]
    weight = torch.tensor([1.0, 0.5, 0.0, 1.0, 1.0, 1.0])
    expected = (
        cross_entropy(logits, label, torch.tensor([1.0, 2.0, 0.0])) - 0.5 * (domains * weight).sum() / weight.sum()
    )
    torch.testing.assert_close(loss, expected)


def test_the_weights_follow_the_network(brands: Make, small: Make) -> None:
    domain = torch.tensor([0, 1, 1])
    logits = torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 9.0, 0.0]])
    strategy = Partial(momentum=0.25)
    task = Task((brands(1),), brands(11), None, None, 0, "cpu", False)
    opened = opened_at([1 / 3, 1 / 3, 1 / 3], strategy, task, small())
    rows = Embedded(torch.zeros(3, 16), logits, torch.tensor([0, -1, -1]), domain, domain == 1, brands(1, rows=3))
    strategy._loss(opened, rows, 0.0, None)
    found = opened.get_buffer("prevalence")
    torch.testing.assert_close(found, torch.tensor([0.25, 0.5, 0.25]), atol=1e-3, rtol=0)


@pytest.fixture
def prevalences(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Shares of the classes when a training ends."""
    seen: list[torch.Tensor] = []
    train = partial.fit

    def note(opened: Any, *others: Any) -> Any:
        history = train(opened, *others)
        seen.append(opened.get_buffer("prevalence"))
        return history

    monkeypatch.setattr(partial, "fit", note)
    return seen


@pytest.fixture
def late(brands: Make) -> Make:
    """late(seed, rows, classes, by=0.0): z-scored rows; signals lag, leak into each other and ripple."""

    def make(seed: int, rows: int, classes: Any, by: float = 0.0) -> Batch:
        batch = brands(0, seed, rows=rows, classes=classes)
        values = batch.values.numpy()
        lagging = np.mean([np.roll(values, step, axis=2) for step in (1, 2, 3)], axis=0)
        values = (1 - by / 2) * values + by / 2 * lagging
        values[:, 2] += 0.8 * by * values[:, 0]
        values[:, 1] -= 0.8 * by * values[:, 0]
        phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, (rows, 1, 1))
        values = values + 0.8 * by * np.sin(2 * np.pi * 9 * np.arange(24) / 24 + phase)
        mean, scale = values.mean(axis=(0, 2)), values.std(axis=(0, 2))
        return Batch.of_arrays((values - mean[:, None]) / scale[:, None], label=batch.label.numpy())

    return make


def test_it_beats_dann_and_the_sources_where_classes_are_missing(
    late: Make, small: Make, source_only: Make, accuracy: Make, prevalences: list[torch.Tensor]
) -> None:
    """Two of four classes."""
    found, missing = [], []
    for seed, present in ((4, (1, 3)), (5, (0, 2)), (6, (1, 3))):
        sources = [late(100 * k + seed, 120, range(4)) for k in (1, 2)]
        target, test = (late(100 * k + seed, rows, present, by=1.2) for k, rows in ((3, 120), (4, 300)))
        network = small(seed, classes=4)
        adapted = Partial(**OPTIONS).align(network, sources, target, seed=seed)
        dann = Dann(**OPTIONS).align(network, sources, target, seed=seed)
        of_dann = accuracy(dann, test)
        alone = accuracy(source_only(network, sources, seed, epochs=16), test)
        found.append([accuracy(adapted, test), of_dann, alone])
        missing.append(float(1 - prevalences[-1][list(present)].sum()))
    adapted, of_dann, alone = np.mean(found, axis=0)
    assert adapted > of_dann + 0.1, found
    assert adapted > alone + 0.05, found
    assert np.mean(missing) < 0.3  # half of the classes; it would be 0.5 without looking


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, brands: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = brands(10, 5, rows=6) if few else None
    strategy = Partial(epochs=2)
    assert same_bits_with_scrambled_labels(strategy, small(), [brands(1), brands(2)], brands(10), labelled)
