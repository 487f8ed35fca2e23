"""Each fine-tuning strategy moves what it says, and a source helps where labels are few."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from jointwatch.core import Windows, catalog
from jointwatch.core.errors import UsageError
from jointwatch.detectors.cnn import Cnn
from jointwatch.models._adapted import Adapted
from jointwatch.models.base import Network
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.models.lstm import Lstm
from jointwatch.training.batch_norm import estimate_statistics
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.loop import fit
from jointwatch.training.objectives import HeldOut, Supervised
from jointwatch.training.options import Options
from jointwatch.training.seed import seeded
from jointwatch.training.session import Progress, Session, session
from jointwatch.transfer._fine_tuning import FineTuning
from jointwatch.transfer.adapters import Adapters
from jointwatch.transfer.batch_norm import BatchNorm
from jointwatch.transfer.discriminative import Discriminative
from jointwatch.transfer.full import Full
from jointwatch.transfer.gradual_unfreezing import GradualUnfreezing
from jointwatch.transfer.head_only import HeadOnly
from jointwatch.transfer.l2_sp import L2Sp
from jointwatch.transfer.lora import Lora

TUNING = [name for name in catalog.names("transfer") if issubclass(catalog.load("transfer", name), FineTuning)]
QUICK = {"epochs": 3, "learning_rate": 0.01, "batch_size": 16, "minimum_steps": 1}


def bursts(rows: int, seed: int, *, other: bool = False) -> Batch:
    """Class 1 has a burst on two of three channels at some moment; the other robot has gains, another sign, another
    length of burst and an offset."""
    rng = np.random.default_rng(seed)
    label, time = np.arange(rows) % 2, np.arange(32)
    values = rng.standard_normal((rows, 3, 32))
    middle, length = rng.uniform(6, 26, (rows, 1)), 3.0 if other else 2.0
    burst = np.exp(-(((time - middle) / length) ** 2)) * label[:, None]
    values[:, 0] += (1.8 if other else 2.2) * burst
    values[:, 1] -= (1.2 if other else 2.2) * burst
    if other:
        values = values * np.array([1.3, 0.8, 1.1])[:, None] + np.array([0.2, -0.2, 0.4])[:, None]
    return Batch.of_arrays(values, label=label)


def small(seed: int = 0) -> Cnn1d:
    with seeded(seed):
        return Cnn1d(3, filters=(8, 8, 8), kernels=(5, 5, 3))


@pytest.fixture(scope="module")
def source() -> Cnn1d:
    network = small()
    fit(
        network, Shuffled(bursts(600, seed=0), 32), Supervised(), Options(epochs=12, learning_rate=0.01, bfloat16=False)
    )
    return network


def moved(before: Network, after: Network) -> set[str]:
    old = before.state_dict()
    return {name for name, value in after.state_dict().items() if not torch.equal(value, old[name])}


def accuracy(network: Network, data: Batch) -> float:
    with torch.inference_mode():
        return float((network(data.values, data.mask).argmax(dim=1) == data.label).float().mean())


@pytest.mark.parametrize(
    ("strategy", "parts"),
    [
        (Full(**QUICK), ("",)),
        (Discriminative(**QUICK), ("",)),
        (GradualUnfreezing(**QUICK), ("head", "encoder.6", "encoder.7", "encoder.3", "encoder.4")),
        (L2Sp(**QUICK), ("",)),
        (HeadOnly(**QUICK), ("head",)),
        (BatchNorm(**QUICK), ("head", "encoder.1.", "encoder.4.", "encoder.7.")),
        (Lora(**QUICK), ("head", "encoder.0.", "encoder.3.", "encoder.6.")),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_moves(strategy: FineTuning, parts: tuple[str, ...], source: Cnn1d) -> None:
    """All that may, and nothing else: three epochs bring gradual unfreezing to the third layer from the top."""
    tuned = strategy.tune(source, bursts(16, seed=1, other=True))
    assert moved(source, tuned) == {name for name in source.state_dict() if name.startswith(parts)}


def test_few_labels_go_further_with_a_source(source: Cnn1d) -> None:
    """Twelve labelled rows of the target: each strategy beats the same network without a source, and the source as it
    is, on the mean of five draws."""
    test, found = bursts(600, seed=99, other=True), {name: [] for name in [*TUNING, "target only"]}
    for draw in range(5):
        few = bursts(12, seed=10 + draw, other=True)
        recipe = {"epochs": 10, "learning_rate": 0.005}
        for name in TUNING:
            tuned = catalog.load("transfer", name)(**recipe).tune(source, few, seed=draw)
            found[name].append(accuracy(tuned, test))
        alone = Full(**{**recipe, "epochs": 20}).tune(small(draw), few, seed=draw)
        found["target only"].append(accuracy(alone, test))
    alone_mean = np.mean(found.pop("target only"))
    assert 0.5 < alone_mean < 0.9
    for name, values in found.items():
        assert np.mean(values) > alone_mean + 0.1, name
        assert np.mean(values) > accuracy(source, test) + 0.03, name  # and than not adapting


def test_an_infinite_pull_is_the_source(source: Cnn1d) -> None:
    data = bursts(16, seed=1, other=True)
    still = L2Sp(**QUICK, source_decay=float("inf")).tune(source, data)
    head = set(source.part("head"))
    parameters = set(dict(source.named_parameters()))
    assert moved(source, still) & parameters == head

    def distance(network: Network) -> float:
        old = dict(source.named_parameters())
        return sum(float((p - old[n]).detach().square().sum()) for n, p in network.named_parameters() if n not in head)

    distances = [distance(L2Sp(**QUICK, source_decay=decay).tune(source, data)) for decay in (0.0, 10.0, 100.0, 1e4)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 1e-2 * distances[0]
    free, full = L2Sp(**QUICK, source_decay=0.0).tune(source, data), Full(**QUICK).tune(source, data)
    assert not moved(free, full)
    decayed = L2Sp(**QUICK, source_decay=float("inf"), weight_decay=50.0).tune(source, data)
    norms = [float(each.head[1].weight.detach().norm()) for each in (decayed, still)]
    assert norms[0] < 0.9 * norms[1]  # the head decays to zero


def test_discriminative_steps_are_in_the_ratio(source: Cnn1d) -> None:
    once = {"epochs": 1, "batch_size": 16, "minimum_steps": 1, "schedule": "constant", "warm_up": 0.0}
    tuned = Discriminative(**once, learning_rate=0.01, factor=0.25).tune(source, bursts(16, seed=1, other=True))
    for depth, name in enumerate(("head.1.weight", "encoder.6.weight", "encoder.3.weight", "encoder.0.weight")):
        step = (tuned.state_dict()[name] - source.state_dict()[name]).abs().max().item()
        assert step == pytest.approx(0.01 * 0.25**depth, rel=0.02)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_lora_changes_weights_by_its_rank(rank: int, source: Cnn1d) -> None:
    tuned = Lora(epochs=4, learning_rate=0.02, rank=rank).tune(source, bursts(40, seed=1, other=True))
    assert list(tuned.state_dict()) == list(source.state_dict())
    assert type(tuned) is Cnn1d
    for layer in (0, 3, 6):
        change = (tuned.encoder[layer].weight - source.encoder[layer].weight).detach().flatten(1).double()
        values = torch.linalg.svdvals(change)
        assert (values[:rank] > 1e-4).all()
        assert (values[rank:] < 1e-5 * values[0]).all()


def test_lora_in_an_lstm() -> None:
    with seeded(0):
        network = Lstm(3, hidden=6, layers=2)
    data = bursts(40, seed=1)
    tuned = Lora(epochs=4, learning_rate=0.05, rank=2).tune(network, data)
    assert list(tuned.state_dict()) == list(network.state_dict())
    for name, value in tuned.encoder.named_parameters():
        change = (value - dict(network.encoder.named_parameters())[name]).detach().double()
        if value.ndim == 1:
            assert not change.any()
        else:
            values = torch.linalg.svdvals(change)
            assert values[1] > 1e-4
            assert values[2] < 1e-5 * values[0]
    with torch.inference_mode():
        again = Lstm(**tuned.config()).eval()
        again.load_state_dict(tuned.state_dict())
        torch.testing.assert_close(again(data.values), tuned(data.values))


def test_lora_alpha_scales_the_update(source: Cnn1d) -> None:
    once = {**QUICK, "epochs": 1, "schedule": "constant", "warm_up": 0.0}
    data = bursts(16, seed=1, other=True)
    steps = [
        (Lora(**once, alpha=alpha).tune(source, data).encoder[3].weight - source.encoder[3].weight).norm().item()
        for alpha in (None, 4.0, 12.0)
    ]
    assert steps[0] == pytest.approx(steps[1])
    assert steps[2] == pytest.approx(3 * steps[1], rel=1e-3)


@pytest.mark.parametrize("name", ["cnn1d", "ad_cnn", "lstm"])
def test_adapters_begin_as_the_identity(name: str) -> None:
    options = {"length": 32} if name == "ad_cnn" else {}
    with seeded(0):
        network = catalog.load("models", name)(channels=3, **options).eval()
    adapted = Adapted.around(network, reduction=2).eval()
    data = bursts(10, seed=1)
    assert torch.equal(adapted(data.values), network(data.values))
    assert adapted.adapters()
    own = sum(p.numel() for adapter in adapted.adapters().values() for p in adapter.parameters())
    assert own == sum(p.numel() for p in adapted.parameters()) - sum(p.numel() for p in network.parameters())
    with pytest.raises(UsageError, match="narrower"):
        Adapted.around(network, reduction=0)


def test_adapters_learn_while_the_convolutions_stay(source: Cnn1d) -> None:
    tuned = Adapters(**QUICK).tune(source, bursts(16, seed=1, other=True))
    assert isinstance(tuned, Adapted)
    start = Adapted.around(source)
    names = moved(start, tuned)
    frozen = {f"inner.encoder.{layer}.weight" for layer in (0, 3, 6)}
    assert not names & frozen
    assert {name for name in tuned.state_dict() if "adapter." in name} <= names
    further = Adapters(**QUICK).tune(tuned, bursts(16, seed=2, other=True))
    assert further.state_dict().keys() == tuned.state_dict().keys()
    assert not moved(tuned, further) & frozen


def test_gradual_unfreezing_needs_a_stage() -> None:
    for strategy in (GradualUnfreezing(stage_epochs=0), Discriminative(factor=0.0), Lora(rank=0)):
        with pytest.raises(UsageError):
            strategy.tune(small(), bursts(8, seed=0))


def test_the_best_epoch_is_kept(source: Cnn1d) -> None:
    """Wrong labels: every epoch makes it worse on what is held out."""
    seen: list[Progress] = []
    train, held_out = bursts(16, seed=1, other=True), bursts(200, seed=2, other=True)
    wrong = replace(train, label=1 - train.label)
    recipe = {"epochs": 20, "learning_rate": 0.01, "schedule": "constant", "warm_up": 0.0, "minimum_steps": 1}
    with session(Session(progress=seen.append)):
        Full(**recipe, patience=3).tune(source, wrong, validate=held_out)
    assert seen[-1].epoch < 20
    kept, last = Full(**recipe).tune(source, wrong, validate=held_out), Full(**recipe).tune(source, wrong)
    loss = HeldOut(Supervised(), held_out)
    assert loss(kept) < loss(last)


def test_head_only_through_the_network_and_on_features(source: Cnn1d) -> None:
    data = bursts(50, seed=1, other=True)
    strategy = HeadOnly(epochs=6, learning_rate=0.02, batch_size=16, minimum_steps=1, new_head=True)

    def unchanged(batch: Batch, rng: np.random.Generator) -> Batch:
        return batch

    options = Options(bfloat16=False)
    batches = Shuffled(data, 16, minimum_steps=1)
    stored, _ = strategy.train(source, batches, Supervised(), options)
    through, _ = strategy.train(source, Shuffled(data, 16, change=unchanged), Supervised(), options)
    for name, value in stored.state_dict().items():
        torch.testing.assert_close(value, through.state_dict()[name], rtol=1e-4, atol=1e-5)
    assert moved(source, stored) == {"head.1.weight", "head.1.bias"}


def test_batch_norm_in_the_family_is_what_it_was(source: Cnn1d, arms: Callable[..., Windows]) -> None:
    """Constant rate, the detector's own options and batches, and statistics measured at the end."""
    detector = Cnn(filters=(8, 8, 8), epochs=2, batch_size=32, bfloat16=False)
    strategy = BatchNorm(detector, epochs=3, learning_rate=5e-3).fit(arms(cycles=8))
    target = arms(1, "other", cycles=8)
    direct = strategy.adapt(target)
    again = strategy.adapt(target)  # a fresh copy of the source's detector, tuned by hand
    again.detector_.network_.load_state_dict(strategy.detector_.network_.state_dict())

    def by_hand(network: Network, batches: Shuffled, objective: Supervised, options: Options) -> tuple[Network, object]:
        assert (options.weight_decay, options.patience) == (1e-3, None)
        options = Options(epochs=3, learning_rate=5e-3, weight_decay=1e-3, bfloat16=False)
        history = fit(network, batches, objective, options, trained=network.part("batch_norm"))
        estimate_statistics(network, batches, epoch=3)
        return network, history

    again.detector_.fine_tune_by(again.normaliser_.transform(target), by_hand)
    one, other = direct.detector_.network_, again.detector_.network_
    assert not moved(one, other)
    assert moved(strategy.detector_.network_, one)
