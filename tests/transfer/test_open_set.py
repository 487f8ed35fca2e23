"""Open-set adaptation: unknown rows get a place of their own; with a rejection at a stated rate they are flagged far
more often than known ones, of which no more than that share is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.alarms.rejection import Rejection
from jointwatch.core.errors import UsageError
from jointwatch.models.ad_cnn import AdCnn
from jointwatch.models.base import Network
from jointwatch.training.data import Batch
from jointwatch.training.seed import seeded
from jointwatch.transfer._adaptation import Embedded
from jointwatch.transfer.open_set import OpenSet

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 16, "learning_rate": 3e-3}
KNOWN, UNKNOWN = 3, 3
RATE = 0.1


def evidence(network: Network, batch: Batch) -> np.ndarray:
    """Log-probabilities of the known classes."""
    with torch.inference_mode():
        return network(batch.values).log_softmax(dim=1)[:, :KNOWN].numpy()


@pytest.fixture(scope="module")
def rows(brands: Make) -> Make:
    """rows(number, seed, count, unknown=True): the known classes oscillate at 1, 3 and 5, the unknown one at 2 or 4."""

    def make(number: int, seed: int, count: int, unknown: bool = True) -> Batch:
        other = 1 + 2 * (number % 2)
        batch = brands(number, seed, rows=count, classes=(0, 2, 4, other) if unknown else (0, 2, 4), shift=0.6)
        return replace(batch, label=torch.tensor([0, UNKNOWN, 1, UNKNOWN, 2])[batch.label])

    return make


@pytest.fixture(scope="module")
def adapted(rows: Make, small: Make) -> list[tuple[int, Network]]:
    """Seeds and networks that were adapted to three targets."""
    found = []
    for seed in (3, 4, 5):
        sources = [rows(k, seed, 120, unknown=False) for k in (1, 2)]
        found.append((seed, OpenSet(**OPTIONS).align(small(seed), sources, rows(20 + seed, seed, 160), seed=seed)))
    return found


def test_unknown_rows_are_flagged_far_more_often_than_the_stated_rate(
    adapted: list[tuple[int, Network]], rows: Make, small: Make, source_only: Make, accuracy: Make
) -> None:
    """And so it beats the sources alone, which call everything by a known name."""
    flagged, gains = [], []
    for seed, network in adapted:
        calibration, test = rows(20 + seed, 70, 150, unknown=False), rows(20 + seed, 90, 300)
        rejection = Rejection(RATE).fit(evidence(network, calibration), calibration.label.numpy())
        unknown = test.label.numpy() == UNKNOWN
        decided = rejection.decide(evidence(network, test))
        flagged.append(decided[unknown].mean())
        named = np.where(decided, UNKNOWN, rejection.classify(evidence(network, test)))
        alone = source_only(small(seed), [rows(k, seed, 120, unknown=False) for k in (1, 2)], seed, epochs=16)
        gains.append((named == test.label.numpy()).mean() - accuracy(alone, test))
    print(flagged, gains)
    assert np.mean(flagged) > 6 * RATE
    assert min(flagged) > 3 * RATE
    assert np.mean(gains) > 0.1


def test_known_rows_are_flagged_at_most_at_the_stated_rate(adapted: list[tuple[int, Network]], rows: Make) -> None:
    """Known rows of the target that no training saw, split anew many times into calibration and test."""
    for seed, network in adapted:
        known = rows(20 + seed, 80, 360, unknown=False)
        values, label, rng = evidence(network, known), known.label.numpy(), np.random.default_rng(seed)
        shares = []
        for _ in range(400):
            order = rng.permutation(360)
            rejection = Rejection(RATE).fit(values[order[:240]], label[order[:240]])
            shares.append(rejection.decide(values[order[240:]]).mean())
        assert np.mean(shares) <= RATE + 3 * np.std(shares) / np.sqrt(400)


def test_the_unknown_class_has_the_last_place(adapted: list[tuple[int, Network]], rows: Make, small: Make) -> None:
    for seed, network in adapted:
        assert type(network) is type(small())
        assert network.config() == {**small().config(), "classes": KNOWN + 1}
        test = rows(20 + seed, 90, 300)
        with torch.inference_mode():
            unknown = network(test.values).softmax(dim=1)[:, -1]
        is_unknown = test.label == UNKNOWN
        assert unknown[is_unknown].mean() > 1.5 * unknown[~is_unknown].mean()


def test_what_was_known_stays_where_a_class_is_added() -> None:
    """With nothing but a first step the classes keep their logits."""
    with seeded(0):
        network = AdCnn(3, length=8, filters=4, hidden=6, classes=2, batch_norm=True)
    label = np.arange(20) % 2
    source = Batch.of_arrays(np.random.default_rng(0).standard_normal((20, 3, 8)), label=label)
    options: dict[str, Any] = {"epochs": 1, "minimum_steps": 1, "learning_rate": 1e-7, "batch_size": 20}
    wider = OpenSet(**options).align(network, source, source)
    for name, value in network.head.state_dict().items():
        found = wider.head.state_dict()[name]
        torch.testing.assert_close(found[: len(value)], value, atol=1e-5, rtol=0)
    assert wider(source.values).shape == (20, 3)


def test_the_game_about_the_unknown_class(small: Make, rows: Make) -> None:
    """The head lowers -t log p - (1 - t) log(1 - p) on bare rows of the target, the encoder raises it."""
    with seeded(0):
        network = small(classes=4)
    domain, label = torch.tensor([0, 1, 1, 1]), torch.tensor([0, 2, -1, -1])
    embedded = torch.randn(4, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    batch = rows(1, 0, 4)

    def parts(progress: float, weight: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        given = Embedded(embedded, network.head(embedded), label, domain, domain == 1, batch)
        loss = OpenSet(threshold=0.3, weight=weight)._loss(network, given, progress, None)
        of_rows, of_head = torch.autograd.grad(loss, [embedded, network.head[1].weight])
        return loss.detach(), of_rows, of_head

    (plain, rows_plain, head_plain), (loss, rows_late, head_late) = parts(1.0, 0.0), parts(1.0, 2.0)
    p = network.head(embedded[2:]).softmax(dim=1)[:, -1]
    game = -(0.3 * p.log() + 0.7 * (1 - p).log()).mean()
    torch.testing.assert_close(loss - plain, 2.0 * game.detach())
    of_rows, of_head = torch.autograd.grad(game, [embedded, network.head[1].weight])
    torch.testing.assert_close(rows_late - rows_plain, -2.0 * of_rows, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(head_late - head_plain, 2.0 * of_head)
    assert not (rows_late - rows_plain)[:2].any()
    torch.testing.assert_close(parts(0.0, 2.0)[1], rows_plain)


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, brands: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = brands(10, 5, rows=6) if few else None
    strategy = OpenSet(epochs=2)
    assert same_bits_with_scrambled_labels(strategy, small(), [brands(1), brands(2)], brands(10), labelled)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0])
def test_refusals(threshold: float, brands: Make, small: Make) -> None:
    with pytest.raises(UsageError, match="threshold of the unknown class"):
        OpenSet(threshold=threshold).align(small(), brands(1), brands(10))
