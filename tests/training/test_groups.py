"""Groups are trained by their own rates, from their own epoch, towards their own values."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.groups import Group, by_depth
from jointwatch.training.loop import History, fit
from jointwatch.training.objectives import HeldOut, Supervised
from jointwatch.training.options import Options
from jointwatch.training.session import Session

Data = Callable[..., Batch]
Make = Callable[..., Cnn1d]
OPTIONS = Options(epochs=4, learning_rate=0.01, seed=3, bfloat16=False)


def staged(network: Network) -> list[Group]:
    """All that groups can: rates, decays, starts, values to pull to."""
    source = {name: value.detach().clone() for name, value in network.named_parameters()}
    return [
        Group(layer, rate=0.5**depth, start=depth, weight_decay=5.0 * depth, towards=source if depth else None)
        for depth, layer in enumerate(by_depth(network))
    ]


def train(network: Network, data: Data, options: Options = OPTIONS, **how: object) -> History:
    return fit(network, Shuffled(data(), 12, seed=1), Supervised(), options, **how)  # type: ignore[arg-type]


def state(network: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


def test_one_group_of_all_is_the_plain_training(tiny: Make, two_classes: Data) -> None:
    plain, grouped = tiny(), tiny()
    train(plain, two_classes)
    train(grouped, two_classes, trained=[Group(grouped.part("all"))])
    assert all(torch.equal(value, grouped.state_dict()[name]) for name, value in plain.state_dict().items())


def test_first_steps_are_in_the_ratio_of_the_rates(tiny: Make, two_classes: Data) -> None:
    """The first step of Adam is the learning rate itself, whatever the gradient."""
    network = tiny()
    before, layers = state(network), by_depth(network)
    groups = [Group(layer, rate=0.5**depth) for depth, layer in enumerate(layers)]
    fit(network, Shuffled(two_classes(12), 12), Supervised(), replace(OPTIONS, epochs=1), trained=groups)
    for depth, layer in enumerate(layers):
        for name, value in layer.items():
            step = (value.detach() - before[name]).abs().max().item()
            assert step == pytest.approx(0.01 * 0.5**depth, rel=1e-2), name


def test_a_group_waits_for_its_epoch(tiny: Make, two_classes: Data) -> None:
    network = tiny()
    states = [state(network)]

    def validate(trained: nn.Module) -> float:
        states.append(state(trained))
        return -float(len(states))  # the last is kept

    groups = [Group(layer, start=depth) for depth, layer in enumerate(by_depth(network))]
    train(network, two_classes, trained=groups, validate=validate)
    for epoch in range(4):
        moved = {name for name in states[0] if not torch.equal(states[epoch][name], states[epoch + 1][name])}
        parts = {name.rpartition(".")[0] for name in moved}
        order = [{"head.1"}, {"encoder.6", "encoder.7"}, {"encoder.3", "encoder.4"}, {"encoder.0", "encoder.1"}]
        assert parts == set.union(*order[: epoch + 1])  # running statistics wait as well


@pytest.mark.parametrize("decay", [0.0, 3.0, float("inf")])
def test_decay_pulls_to_the_given_values(decay: float, tiny: Make, two_classes: Data) -> None:
    network = tiny()
    aim = {name: torch.full_like(value, 0.25) for name, value in network.named_parameters()}
    reference = tiny()
    train(reference, two_classes)
    train(network, two_classes, trained=[Group(network.part("all"), weight_decay=decay, towards=aim)])
    distances = [
        torch.cat([(value - 0.25).flatten() for value in each.parameters()]).abs().mean().item()
        for each in (network, reference)
    ]
    if decay == 0:
        assert distances[0] == pytest.approx(distances[1])
    elif decay == 3:
        assert 0.3 < distances[0] / distances[1] < 0.95
    else:
        assert distances[0] == 0


@pytest.mark.parametrize("steps", [3, 4, 7, 9])
def test_resumed_training_ends_with_the_same_bits(steps: int, tiny: Make, two_classes: Data, tmp_path: Path) -> None:
    options = replace(OPTIONS, schedule="cosine", warm_up=0.3, clip_norm=0.5)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == steps

    def run(network: Cnn1d, session: Session) -> History:
        held_out = HeldOut(Supervised(), two_classes(24, seed=9))
        return train(network, two_classes, options, trained=staged(network), validate=held_out, session=session)

    straight, again = tiny(), tiny()
    whole = run(straight, Session())
    assert run(tiny(), Session(stop=stop, checkpoints=tmp_path)).ended == "request"
    assert run(again, Session(checkpoints=tmp_path)) == whole
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in straight.state_dict().items())
    assert len(list(tmp_path.iterdir())) == 1
    other = tiny()
    train(other, two_classes, options, trained=staged(other)[:1], session=Session(checkpoints=tmp_path))
    assert len(list(tmp_path.iterdir())) == 2  # other groups, another training


def test_the_learning_rate_follows_its_schedule(two_classes: Data) -> None:
    """Constant gradient: each step of Adam is the learning rate."""

    class Slope(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.height = nn.Parameter(torch.zeros(()))

    seen: list[float] = []
    for schedule in ("constant", "linear", "cosine"):
        network, heights = Slope(), [0.0]
        options = replace(OPTIONS, epochs=5, schedule=schedule, warm_up=0.2)
        fit(
            network,
            Shuffled(two_classes(), 12),
            lambda each, batch, progress: each.height,
            options,
            after_step=lambda each, progress: heights.append(float(each.height.detach())),  # noqa: B023
        )
        steps = -np.diff(heights) / 0.01
        seen.append(float(steps.sum()))
        expected = [options.rate(number / 20) / 0.01 for number in range(20)]
        assert steps == pytest.approx(expected, rel=1e-3)
        assert steps.max() == pytest.approx(1, rel=1e-3)
    assert seen[0] > seen[1] > 10
    assert seen[2] == pytest.approx(seen[1], rel=0.05)


def test_layers_of_unusual_networks() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gamma = nn.Parameter(torch.zeros(1))
            self.query = nn.Conv1d(4, 2, 1)

    class Odd(Network):
        def __init__(self, classes: int = 2) -> None:
            super().__init__()
            self.classes = classes
            self.head = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, classes))  # before the encoder
            self.scale = nn.Parameter(torch.ones(1))
            self.first = nn.Sequential(nn.BatchNorm1d(3), nn.Conv1d(3, 4, 3))
            self.attention = Attention()
            self.memory = nn.LSTM(4, 4, num_layers=2)

        def embed(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
            return values.mean(2)

    network = Odd()
    layers = by_depth(network)
    assert sorted(name for layer in layers for name in layer) == sorted(dict(network.named_parameters()))
    starts = [{name.split(".")[0] for name in layer} for layer in layers]
    assert starts == [{"head"}, {"memory", "scale"}, {"attention"}, {"first"}, {"first"}]


def test_refused(tiny: Make, two_classes: Data) -> None:
    network = tiny()
    head = network.part("head")
    for wrong in ({"rate": 0.0}, {"start": -1}, {"weight_decay": -1.0}, {"towards": {}}):
        with pytest.raises(UsageError):
            Group(head, **wrong)  # type: ignore[arg-type]
    for groups, words in (
        ([Group(head), Group(network.part("all"))], "several"),
        ([Group(head, start=1)], "epoch 0"),
        ([Group({})], "nothing to train"),
    ):
        with pytest.raises(UsageError, match=words):
            train(network, two_classes, trained=groups)
    for wrong in ({"schedule": "sine"}, {"warm_up": 1.0}, {"clip_norm": 0.0}):
        with pytest.raises(UsageError):
            Options(**wrong)  # type: ignore[arg-type]
