"""The loop learns, stops, resumes and leaves the rest of the program alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from jointwatch.core.errors import ModelFileError, UsageError
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.checkpoint import load_checkpoint, save_checkpoint
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.denormals import flushing
from jointwatch.training.loop import History, fit
from jointwatch.training.objectives import HeldOut, Supervised
from jointwatch.training.options import Options
from jointwatch.training.session import Progress, Session, session

Data = Callable[..., Batch]
Make = Callable[..., Cnn1d]
OPTIONS = Options(epochs=4, learning_rate=0.01, seed=3, bfloat16=False)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny networks are fastest on one thread; put back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass
class StopAfter:
    steps: int
    asked: int = field(default=0, init=False)

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked >= self.steps


def same(one: nn.Module, other: nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


def train(network: Cnn1d, data: Data, options: Options = OPTIONS, watch: Session = Session()) -> History:  # noqa: B008
    batches = Shuffled(data(), batch_size=12, seed=1)
    return fit(network, batches, Supervised(), options, validate=HeldOut(Supervised(), data(24, seed=9)), session=watch)


def test_it_learns(tiny: Make, two_classes: Data) -> None:
    network, test = tiny(), two_classes(100, seed=5)
    history = train(network, two_classes, replace(OPTIONS, epochs=20))
    assert not network.training
    right = (network(test.values).argmax(dim=1) == test.label).float().mean()
    assert right > 0.95
    assert history.train_loss[-1] < 0.5 * history.train_loss[0]
    assert len(history.validation_loss) == 20


def test_same_seed_same_bits_other_seed_other(tiny: Make, two_classes: Data) -> None:
    networks = [tiny() for _ in range(3)]
    for network, seed in zip(networks, (3, 3, 4), strict=True):
        train(network, two_classes, replace(OPTIONS, seed=seed))
    assert same(networks[0], networks[1])
    assert not same(networks[0], networks[2])  # dropout


def test_global_state_is_left_alone(tiny: Make, two_classes: Data) -> None:
    network = tiny()
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    inside: list[bool] = []
    fit(network, Shuffled(two_classes(), 12), Supervised(), OPTIONS, after_step=lambda *at: inside.append(flushing()))
    assert all(inside)
    assert not flushing()
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    assert all(p.requires_grad and p.grad is None and p.is_contiguous() for p in network.parameters())


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    "steps", [1, 4, 6, 8, 15]
)  # 4 steps an epoch: first step, ends of epochs, between, last but one
def test_resumed_training_ends_with_the_same_bits(
    steps: int, channels_last: bool, tiny: Make, two_classes: Data, tmp_path: Path
) -> None:
    options = replace(OPTIONS, channels_last=channels_last, weight_decay=0.01)
    straight, broken = tiny(), tiny()
    whole = train(straight, two_classes, options)
    watch = Session(stop=StopAfter(steps), checkpoints=tmp_path)
    first = train(broken, two_classes, options, watch)
    assert first.ended == "request"
    assert len(first.train_loss) == steps // 4
    assert len(list(tmp_path.iterdir())) == 1
    again = tiny()
    assert train(again, two_classes, options, Session(checkpoints=tmp_path)) == whole
    assert same(again, straight)
    assert not same(broken, straight)


def test_killed_in_the_middle_resumes_from_the_last_epoch(tiny: Make, two_classes: Data, tmp_path: Path) -> None:
    def die(at: Progress) -> None:
        if (at.epoch, at.step) == (2, 3):
            raise KeyboardInterrupt

    straight, again = tiny(), tiny()
    whole = train(straight, two_classes)
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), two_classes, watch=Session(progress=die, checkpoints=tmp_path))
    seen: list[Progress] = []
    assert train(again, two_classes, watch=Session(progress=seen.append, checkpoints=tmp_path)) == whole
    assert same(again, straight)
    assert (seen[0].epoch, seen[0].step) == (2, 1)


def test_a_finished_training_is_not_repeated(tiny: Make, two_classes: Data, tmp_path: Path) -> None:
    first, again, seen = tiny(), tiny(), list[Progress]()
    whole = train(first, two_classes, watch=Session(checkpoints=tmp_path))
    assert train(again, two_classes, watch=Session(progress=seen.append, checkpoints=tmp_path)) == whole
    assert same(first, again)
    assert seen == []


@pytest.mark.parametrize("change", ["weights", "options", "data"])
def test_no_training_goes_on_from_anothers_state(change: str, tiny: Make, two_classes: Data, tmp_path: Path) -> None:
    watch = Session(checkpoints=tmp_path)
    train(tiny(), two_classes, watch=watch)
    if change == "weights":
        train(tiny(seed=1), two_classes, watch=watch)
    elif change == "options":
        train(tiny(), two_classes, replace(OPTIONS, epochs=5), watch)
    else:
        train(tiny(), lambda *rows, seed=0: two_classes(*rows, seed=seed + 1), watch=watch)
    assert len(list(tmp_path.iterdir())) == 2


def test_damaged_or_foreign_state_is_refused(tiny: Make, two_classes: Data, tmp_path: Path) -> None:
    watch = Session(checkpoints=tmp_path)
    train(tiny(), two_classes, watch=watch)
    (file,) = tmp_path.iterdir()
    tensors, record = load_checkpoint(file)
    assert json.loads(json.dumps(record)) == record
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelFileError, match="delete it"):
        train(tiny(), two_classes, watch=watch)
    save_checkpoint(file, {name: value for name, value in tensors.items() if "encoder.0" not in name}, record)
    with pytest.raises(ModelFileError, match="does not fit"):
        train(tiny(), two_classes, watch=watch)
    save_checkpoint(file, tensors, {**record, "version": 99})
    with pytest.raises(ModelFileError, match="version 99"):
        train(tiny(), two_classes, watch=watch)


def test_best_epoch_is_kept_and_patience_ends(tiny: Make, two_classes: Data) -> None:
    losses = iter([3.0, 1.0, 2.0, 2.0, 0.5, 9.0])
    states: list[dict[str, torch.Tensor]] = []

    def validate(network: nn.Module) -> float:
        states.append({name: value.clone() for name, value in network.state_dict().items()})
        return next(losses)

    network = tiny()
    options = replace(OPTIONS, epochs=6, patience=2)
    history = fit(network, Shuffled(two_classes(), 12), Supervised(), options, validate=validate)
    assert (history.best_epoch, history.ended, len(history.train_loss)) == (1, "patience", 4)
    assert all(torch.equal(value, states[1][name]) for name, value in network.state_dict().items())
    assert not all(torch.equal(value, states[3][name]) for name, value in network.state_dict().items())


def test_the_rest_of_the_network_stays(tiny: Make, two_classes: Data) -> None:
    network = tiny()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fit(network, Shuffled(two_classes(), 12), Supervised(), OPTIONS, trained=network.part("head"))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.1.weight", "head.1.bias"}  # running statistics stayed as well
    fit(network, Shuffled(two_classes(), 12), Supervised(), OPTIONS, trained=network.part("batch_norm"))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(name.startswith(("encoder.0", "encoder.3", "encoder.6")) for name in changed)
    assert {"encoder.1.weight", "encoder.1.running_mean", "encoder.7.bias"} <= changed


def test_memory_format_changes_rounding_only(tiny: Make, two_classes: Data) -> None:
    one, other = tiny(dropout=0.0), tiny(dropout=0.0)
    plain = train(one, two_classes, replace(OPTIONS, channels_last=False))
    fast = train(other, two_classes, replace(OPTIONS, channels_last=True))
    assert plain.train_loss == pytest.approx(fast.train_loss, rel=1e-3)


def test_bfloat16_keeps_float32_weights_and_learns_as_well(tiny: Make, two_classes: Data) -> None:
    network = tiny(dropout=0.0)
    half = train(network, two_classes, replace(OPTIONS, epochs=10, bfloat16=True))
    full = train(tiny(dropout=0.0), two_classes, replace(OPTIONS, epochs=10))
    assert half.bfloat16
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    assert half.train_loss != full.train_loss
    assert half.train_loss[-1] == pytest.approx(full.train_loss[-1], abs=0.05)


def test_other_objectives_and_hooks_see_the_progress(tiny: Make, two_classes: Data) -> None:
    progress, hooked = list[float](), list[float]()

    def objective(network: nn.Module, batch: Batch, at: float) -> torch.Tensor:
        progress.append(at)
        return network(batch.values).square().mean()

    def hook(network: nn.Module, at: float) -> None:
        hooked.append(at)

    fit(tiny(), Shuffled(two_classes(), 12), objective, replace(OPTIONS, epochs=2), after_step=hook)
    assert progress == hooked == [step / 8 for step in range(8)]


def test_those_who_listen_around_are_heard(tiny: Make, two_classes: Data) -> None:
    seen: list[Progress] = []
    with session(Session(progress=seen.append)):
        fit(tiny(), Shuffled(two_classes(), 12), Supervised(), replace(OPTIONS, epochs=2))
    assert len(seen) == 2 * (4 + 1)
    assert (seen[-1].epoch, seen[-1].train_loss is not None) == (2, True)
    fit(tiny(), Shuffled(two_classes(), 12), Supervised(), replace(OPTIONS, epochs=1))
    assert len(seen) == 10


def test_a_loss_that_is_not_finite_is_an_error(tiny: Make, two_classes: Data) -> None:
    data = two_classes()
    data.values[3] = float("inf")
    with pytest.raises(UsageError, match="no longer finite in epoch 1"):
        fit(tiny(), Shuffled(data, 12), Supervised(), OPTIONS)


def test_nothing_to_train_is_an_error(tiny: Make, two_classes: Data) -> None:
    with pytest.raises(UsageError, match="nothing to train"):
        fit(tiny(), Shuffled(two_classes(), 12), Supervised(), OPTIONS, trained={})
