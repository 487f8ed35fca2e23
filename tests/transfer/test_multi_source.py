"""Strategy 2: the target's batch norms are the sources' on average with statistics of its own, and it is worth it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.models.base import batch_norms
from jointwatch.transfer import multi_source
from jointwatch.transfer.adabn import Adabn
from jointwatch.transfer.multi_source import MultiSource

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 8, "learning_rate": 3e-3}


@pytest.fixture
def before_calibration(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """Networks as they are when their statistics are about to be measured."""
    seen: list[dict[str, torch.Tensor]] = []
    calibrate = multi_source.calibrated

    def note(network: Any, task: Any) -> Any:
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return calibrate(network, task)

    monkeypatch.setattr(multi_source, "calibrated", note)
    return seen


def test_calibration_changes_statistics_only(
    brands: Make, small: Make, before_calibration: list[dict[str, torch.Tensor]]
) -> None:
    found = MultiSource(epochs=2).align(small(), [brands(1), brands(2)], brands(10))
    assert type(found) is type(small())
    assert found.config() == small().config()
    (before,) = before_calibration
    changed = {name for name, value in found.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if "running" in name or "tracked" in name}


def test_scales_and_shifts_do_not_come_from_the_target(brands: Make, small: Make) -> None:
    one, other = (MultiSource(epochs=2).align(small(), [brands(1), brands(2)], brands(k)) for k in (11, 12))
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]) == ("running" not in name)


def test_with_one_source_it_is_adabn(brands: Make, small: Make) -> None:
    one, other = (kind(epochs=2).align(small(), brands(1), brands(10)) for kind in (MultiSource, Adabn))
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name])


def test_with_one_source_and_no_shift_it_is_the_plain_network(
    brands: Make, small: Make, source_only: Make, accuracy: Make
) -> None:
    source, test = brands(1, rows=200), brands(1, 90, rows=300)
    plain = source_only(small(), [source])
    adapted = MultiSource(**OPTIONS, weight_decay=0.0).align(small(), source, brands(1, 7, rows=200))
    with torch.inference_mode():
        one, other = (network(test.values).softmax(dim=1) for network in (plain, adapted))
    assert (one - other).abs().mean() < 0.05
    assert abs(accuracy(plain, test) - accuracy(adapted, test)) < 0.03


def test_it_beats_the_sources_alone(brands: Make, small: Make, source_only: Make, accuracy: Make) -> None:
    gains = []
    for seed in range(3):
        sources, test = [brands(k, seed) for k in (1, 2, 3)], brands(10 + seed, 90, rows=300)
        adapted = MultiSource(**OPTIONS).align(small(seed), sources, brands(10 + seed, seed), seed=seed)
        gains.append(accuracy(adapted, test) - accuracy(source_only(small(seed), sources, seed), test))
        assert accuracy(adapted, test) > 0.85
    assert np.mean(gains) > 0.1


def test_labelled_rows_tune_norms_and_head_and_no_class_is_forgotten(brands: Make, small: Make, accuracy: Make) -> None:
    """Rows of one class only are given."""
    sources, target, test = [brands(1), brands(2)], brands(11), brands(11, 90, rows=300)
    few = brands(11, 5, rows=6, classes=[1])
    alone, tuned = (
        MultiSource(**OPTIONS).align(small(), sources, target, labelled, class_weights=None) for labelled in (None, few)
    )
    allowed = set(alone.part("batch_norm")) | {name for name in alone.state_dict() if "running" in name}
    changed = {n for n, value in alone.state_dict().items() if not torch.equal(value, tuned.state_dict()[n])}
    assert changed - {name for name in changed if "tracked" in name} <= allowed
    assert set(alone.part("batch_norm")) <= changed
    assert len(batch_norms(tuned)) == 3
    assert accuracy(tuned, test) > accuracy(alone, test) - 0.05


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, brands: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = brands(10, 5, rows=6) if few else None
    strategy = MultiSource(epochs=2, tuning_epochs=2)
    assert same_bits_with_scrambled_labels(strategy, small(), [brands(1), brands(2)], brands(10), labelled)
