"""Accepted dilation rates leave no hole in what a position sees, refused ones do or break the rule."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from jointwatch.core.errors import UsageError
from jointwatch.models._dilated import check_rates, largest_gap
from jointwatch.models.cnn import Cnn2d
from jointwatch.models.d_cnn import DCnn
from jointwatch.training.seed import seeded


def seen(network: DCnn | Cnn2d) -> torch.Tensor:
    """(feature, time) True where the middle position takes something from: weights of one, ReLU idle, gradient."""
    values = torch.zeros(1, network.channels, network.length, requires_grad=True)
    for layer in network.encoder:
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
            nn.init.ones_(layer.bias)
    maps = network.embed(values).view(network.channels, network.length, network.filters)
    maps[network.channels // 2, network.length // 2].sum().backward()
    assert values.grad is not None
    return values.grad[0] > 0


def reach(rates: tuple[int, ...], kernel: int) -> int:
    return sum(rates) * (kernel // 2)


def accepted(rates: tuple[int, ...], kernel: int) -> bool:
    try:
        check_rates(rates, kernel, "time")
    except UsageError:
        return False
    return True


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("layers", [2, 3])
def test_accepted_rates_leave_no_hole_and_gridding_does(layers: int, kernel: int) -> None:
    outcomes = set()
    for rates in itertools.product(range(1, 6), repeat=layers):
        far = reach(rates, kernel)
        network = DCnn(1, 2 * far + 1, filters=1, hidden=1, kernel=kernel, dilations_time=(1,) * layers,
                       dilations_feature=(1,) * layers)  # fmt: skip
        convolutions = [layer for layer in network.encoder if isinstance(layer, nn.Conv2d)]
        for layer, rate in zip(convolutions, rates, strict=True):
            layer.dilation, layer.padding = (1, rate), (kernel // 2, rate * (kernel // 2))
        full = bool(seen(network).all())
        if accepted(rates, kernel):
            assert full, rates
        else:
            assert largest_gap(rates) > kernel or not full, rates
        if math.gcd(*rates) > 1:
            assert not full, rates
            assert not accepted(rates, kernel), rates
        outcomes.add((accepted(rates, kernel), full))
    assert {(True, True), (False, False)} <= outcomes


def test_with_rate_1_first_the_rule_alone_is_enough() -> None:
    for rates in itertools.product([1], range(1, 8), range(1, 8), range(1, 8)):
        assert accepted(rates, 3) == (largest_gap(rates) <= 3), rates


def test_both_directions_see_without_holes_in_the_built_network() -> None:
    network = DCnn(channels=2 * 6 + 1, length=2 * 11 + 1, filters=2, hidden=2)
    assert bool(seen(network).all())
    plain = seen(Cnn2d(channels=13, length=23, filters=2, hidden=2))
    assert int(plain.sum()) == 9 * 9  # four layers of 3 x 3 reach four positions to each side


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ((1, 2, 9), r"\(1, 2, 9\) in time direction: M_2 = 5 at layer 2"),
        ((1, 4), r"M_2 = 4 at layer 2 \(rate 4\).*\(1, 3\) obeys"),
        ((2, 2, 2), r"layer 1 \(rate 2\) leaves a grid.*\(1, 2, 2\) obeys"),
        ((2, 3), r"layer 1 \(rate 2\) leaves a grid: nothing at distance 4"),
        ((3,), r"layer 1 \(rate 3\).*\(1,\) obeys"),
        ((1, 0, 1), "1 or more"),
        ((), "1 or more"),
    ],
)
def test_refusals_say_why_and_what_obeys(rates: tuple[int, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_rates(rates, 3, "time")


def test_what_is_proposed_obeys() -> None:
    for rates in itertools.product((1, 2, 4, 7, 50), repeat=3):
        try:
            check_rates(rates, 3, "feature")
        except UsageError as error:
            proposed = tuple(int(text) for text in str(error).rpartition("; (")[2].partition(")")[0].split(","))
            assert accepted(proposed, 3), (rates, proposed)
            assert all(new <= old for new, old in zip(proposed, rates, strict=True))


def test_both_directions_are_checked() -> None:
    with pytest.raises(UsageError, match="feature direction"):
        DCnn(9, 16, dilations_feature=(1, 4, 4, 4))
    with pytest.raises(UsageError, match="time direction"):
        DCnn(9, 16, dilations_time=(2, 2, 2, 2))
    with pytest.raises(UsageError, match="one dilation rate a layer"):
        DCnn(9, 16, dilations_time=(1, 2, 3))
    with pytest.raises(UsageError, match="odd"):
        DCnn(9, 16, kernel=4)
    with pytest.raises(UsageError, match="filters"):
        DCnn(9, 16, filters=0)


def test_without_dilation_it_is_the_plain_network() -> None:
    with seeded(0):
        plain, values = Cnn2d(5, 12), torch.randn(3, 5, 12)
    dilated = DCnn(5, 12, dilations_time=(1, 1, 1, 1), dilations_feature=(1, 1, 1, 1))
    dilated.load_state_dict(plain.state_dict())
    assert torch.equal(dilated(values), plain(values))
    default = DCnn(5, 12)
    default.load_state_dict(plain.state_dict())
    assert not torch.allclose(default(values), plain(values))
