"""AdaBN changes statistics only, those become the target's, and it is worth it where gains and offsets differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.models.lstm import Lstm
from jointwatch.transfer.adabn import Adabn

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 8, "learning_rate": 3e-3}


def test_statistics_are_the_targets_and_nothing_else_depends_on_it(brands: Make, small: Make) -> None:
    one: Any
    one, other = (Adabn(epochs=2).align(small(), [brands(1), brands(2)], brands(k)) for k in (11, 12))
    changed = {n for n, value in one.state_dict().items() if not torch.equal(value, other.state_dict()[n])}
    assert changed == {name for name in one.state_dict() if "running" in name}
    with torch.inference_mode():
        first = one.encoder[0](brands(11).values.unsqueeze(2))
    torch.testing.assert_close(one.encoder[1].running_mean, first.mean((0, 2, 3)))
    torch.testing.assert_close(one.encoder[1].running_var, first.transpose(0, 1).flatten(1).var(dim=1))


def test_it_beats_the_source_alone(brands: Make, small: Make, source_only: Make, accuracy: Make) -> None:
    gains = []
    for seed in range(3):
        sources, test = [brands(k, seed) for k in (1, 2, 3)], brands(10 + seed, 90, rows=300)
        adapted = Adabn(**OPTIONS).align(small(seed), sources, brands(10 + seed, seed), seed=seed)
        gains.append(accuracy(adapted, test) - accuracy(source_only(small(seed), sources, seed), test))
        assert accuracy(adapted, test) > 0.85
    assert np.mean(gains) > 0.1


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, brands: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = brands(10, 5, rows=6) if few else None
    strategy = Adabn(epochs=2)
    assert same_bits_with_scrambled_labels(strategy, small(), [brands(1)], brands(10), labelled)


def test_the_few_labelled_rows_take_part(brands: Make, small: Make) -> None:
    alone, with_few = (
        Adabn(epochs=2).align(small(), brands(1), brands(10), labelled) for labelled in (None, brands(10, 5, rows=6))
    )
    assert not torch.equal(alone.state_dict()["head.1.weight"], with_few.state_dict()["head.1.weight"])


def test_without_batch_norms_the_target_has_no_part(brands: Make) -> None:
    torch.manual_seed(0)
    network = Lstm(3, classes=3, hidden=4, layers=1)
    one, other = (Adabn(epochs=1).align(network, brands(1), brands(k)) for k in (11, 12))
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
