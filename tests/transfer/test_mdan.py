"""MDAN heeds the source with the worst bound, and with one source it is DANN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.core.errors import UsageError
from jointwatch.transfer.dann import Dann
from jointwatch.transfer.mdan import Mdan

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 12, "learning_rate": 3e-3}


def test_it_beats_the_source_alone(against_source_only: Make) -> None:
    source, unaligned, aligned = against_source_only(Mdan(**OPTIONS)).T
    assert aligned.min() > 0.9
    assert np.mean(aligned - source) > 0.15
    assert np.mean(aligned - unaligned) > 0.1  # it is the alignment, not the statistics of the target


def test_several_sources(against_source_only: Make) -> None:
    source, _, aligned = against_source_only(Mdan(**OPTIONS), sources=(0.0, 0.1), seeds=(0,)).T
    assert aligned.min() > max(0.9, source.max() + 0.05)


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, crosstalk: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = crosstalk(0.48, 5, rows=6) if few else None
    assert same_bits_with_scrambled_labels(Mdan(epochs=2), small(), [crosstalk(0.0)], crosstalk(0.48), labelled)


def test_the_few_labelled_rows_are_used(crosstalk: Make, small: Make, accuracy: Make) -> None:
    """With most of a channel from its neighbour the nearest class is the wrong one; a few labels say so."""
    strategy, target, test = Mdan(**OPTIONS), crosstalk(0.7, 1), crosstalk(0.7, 2)
    alone, helped = (
        strategy.align(small(), crosstalk(0.0), target, labelled) for labelled in (None, crosstalk(0.7, 3, rows=12))
    )
    assert accuracy(alone, test) < 0.5
    assert accuracy(helped, test) > 0.9


def test_shares_are_the_gradient_of_the_smooth_maximum() -> None:
    bounds = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    for gamma in (0.0, 1.0, 10.0):
        shares = Mdan(gamma=gamma)._shares(bounds)
        assert float(shares.sum()) == pytest.approx(1)
        if gamma:
            step = torch.autograd.functional.jacobian(lambda x, g=gamma: torch.logsumexp(g * x, dim=0) / g, bounds)
            torch.testing.assert_close(shares, step)
        else:
            torch.testing.assert_close(shares, torch.full_like(bounds, 1 / 3))
    assert Mdan(hard=True)._shares(bounds).tolist() == [0, 0, 1]
    torch.testing.assert_close(Mdan(gamma=1e3)._shares(bounds), Mdan(hard=True)._shares(bounds))


def test_the_worst_source_leads(crosstalk: Make, small: Make) -> None:
    """One source has labels that cannot be learned: its risk stays, so it gets the larger share."""
    torch.manual_seed(0)
    good, bad = crosstalk(0.0, 0), crosstalk(0.1, 0)
    bad.label[:] = torch.randint(0, 3, (len(bad),))
    shares: list[list[float]] = []

    class Watched(Mdan):
        def _shares(self, bounds: Any) -> Any:
            found = super()._shares(bounds)
            shares.append(found.tolist())
            return found

    Watched(**OPTIONS, gamma=3.0).align(small(), [good, bad], crosstalk(0.48))
    assert np.mean(shares[-20:], axis=0)[1] > 0.7


def test_hard_is_another_training(crosstalk: Make, small: Make) -> None:
    sources = [crosstalk(0.0), crosstalk(0.1)]
    one, other = (Mdan(epochs=2, hard=hard).align(small(), sources, crosstalk(0.48)) for hard in (False, True))
    assert not torch.equal(one.state_dict()["head.1.weight"], other.state_dict()["head.1.weight"])
    with pytest.raises(UsageError, match="gamma"):
        Mdan(gamma=-1.0).align(small(), sources, crosstalk(0.48))


def test_with_one_source_it_is_dann(crosstalk: Make, small: Make) -> None:
    """Equal batches of both domains: the same loss at every step, so the same weights up to rounding."""
    options: dict[str, Any] = {"epochs": 1, "minimum_steps": 2, "batch_size": 60}
    one, other = (kind(**options).align(small(), crosstalk(0.0), crosstalk(0.48)) for kind in (Mdan, Dann))
    moved = (one.state_dict()["head.1.weight"] - small().state_dict()["head.1.weight"]).abs().max()
    assert moved > 1e-3
    torch.testing.assert_close(
        one.state_dict()["head.1.weight"], other.state_dict()["head.1.weight"], rtol=0, atol=float(moved) / 50
    )
