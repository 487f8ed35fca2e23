"""Adaptation beside the library skada: same windows, network, start and budget; time and accuracy from one run.

Deep CORAL, DANN and DeepJDOT of skada 0.6.0 against ours in float32 and as they run by default (channels-last, bfloat16
where the processor has instructions for it). skada's default discriminator ends in a softmax over one output, which is
constant: DANN then trains on the source alone. It is timed as it is and with a discriminator that works.

Two sizes: windows made here (24 channels x 200 samples, CNN 64/128/256, batches of 64 from each domain), and with
--data a scenario of UCI HAR in AdaTime's split (9 x 128, its CNN, batches of 32). Then a new robot from 500 windows:
the head on stored features of the frozen encoder against every epoch through the whole network, and full fine-tuning.

skada is no dependency of this project. Put it on the path first:
  pip install --no-deps --target FOLDER_OF_SKADA skada==0.6.0 skorch==1.4.0 tabulate pandas python-dateutil six
  PYTHONPATH=FOLDER_OF_SKADA python benchmarks/adaptation_step.py [--quick] [--data DIR --scenario 9-18]
"""

from __future__ import annotations

import argparse
import copy
import importlib
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _rotate import machine, ratios, show
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.models.pooled_cnn import PooledCnn
from jointwatch.studies._adatime_data import labels_of, read_scenario
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.loop import fit
from jointwatch.training.objectives import Supervised, balanced_weights
from jointwatch.training.options import Options
from jointwatch.training.seed import generator, seeded
from jointwatch.transfer._adaptation import Adaptation
from jointwatch.transfer.dann import Dann
from jointwatch.transfer.deep_coral import DeepCoral
from jointwatch.transfer.full import Full
from jointwatch.transfer.head_only import HeadOnly
from jointwatch.transfer.optimal_transport import OptimalTransport

RATE, DECAY = 1e-3, 1e-4
WINDOWS, EPOCHS_NEW_ROBOT = 500, 30
OURS: dict[str, type[Adaptation]] = {"Deep CORAL": DeepCoral, "DANN": Dann, "DeepJDOT": OptimalTransport}


@dataclass(frozen=True)
class Work:
    """Windows of a source with labels and of a target without, and test windows of the target with theirs."""

    title: str
    source: Batch
    target: Batch
    test: Batch
    start: Cnn1d | PooledCnn
    batch_size: int
    epochs: int

    @property
    def steps(self) -> int:
        return max(len(self.source), len(self.target)) // self.batch_size


class Plain(nn.Module):
    """A network of ours in 1-D layers with the same weights, as one would write it for skada."""

    def __init__(self, twin: Cnn1d | PooledCnn) -> None:
        super().__init__()
        self.features = nn.Sequential(*(_one_dimensional(layer) for layer in twin.encoder), _Mean())
        self.head = copy.deepcopy(twin.head)

    def forward(self, values: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return self.head(self.features(values))


class _Mean(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=2)


def _one_dimensional(layer: nn.Module) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        twin: nn.Module = nn.Conv1d(
            layer.in_channels, layer.out_channels, layer.kernel_size[1], padding=layer.padding[1], bias=False
        )
        twin.load_state_dict({"weight": layer.weight.detach().squeeze(2)})
        return twin
    if isinstance(layer, nn.BatchNorm2d):
        twin = nn.BatchNorm1d(layer.num_features)
        twin.load_state_dict(layer.state_dict())
        return twin
    return nn.MaxPool1d(2, padding=1) if isinstance(layer, nn.MaxPool2d) else copy.deepcopy(layer)


def main(quick: bool, data: Path | None, scenario: str, seeds: int) -> None:
    torch.set_num_threads(1)  # processor time of one thread is what is compared: others may use the machine too
    print(machine())
    peers = skada()
    if peers is None:
        print("skada is not installed: its rows are left out; the head of this file says how to get it")
    works = [made_here(quick)]
    if data is not None:
        works.append(measured(data, scenario, quick))
    for work in works:
        same_work(work)
        compare(work, peers, 3 if quick else 7, 1 if quick else seeds)
    new_robot(3 if quick else 7)


def compare(work: Work, peers: Any, repeats: int, seeds: int) -> None:
    """Time of an epoch, in rotating order; accuracy of whole trainings of the same number of steps."""
    one = runs(work, peers, 1, 0)
    print(f"\n{work.title}: {work.steps} steps an epoch, {repeats} rounds")
    for method in OURS:
        own = {name: run for name, run in one.items() if name.startswith(method)}
        show(
            f"{method}: time of an epoch with its set-up",
            ratios(own, next(iter(own)), repeats, time.process_time),
            "smaller",
        )
    table = Table(title=f"target accuracy after {work.epochs} epochs, mean of {seeds} seeds", caption=work.title)
    for column in ("", "accuracy", "lowest .. highest", "seconds"):
        table.add_column(column, justify="left" if not column else "right")
    found: dict[str, list[float]] = {}
    seconds: dict[str, float] = {}
    for seed in range(seeds):
        for name, run in runs(work, peers, work.epochs, seed).items():
            begin = time.process_time()
            network = run()
            seconds[name] = time.process_time() - begin
            found.setdefault(name, []).append(accuracy(network, work.test))
    for name, values in found.items():
        spread = f"{min(values):.3f} .. {max(values):.3f}"
        table.add_row(name, f"{np.mean(values):.3f}", spread, f"{seconds[name]:.1f}")
    Console().print(table)


def runs(work: Work, peers: Any, epochs: int, seed: int) -> dict[str, Callable[[], nn.Module]]:
    """Name -> a whole training from the same start, set-up included."""
    found: dict[str, Callable[[], nn.Module]] = {}

    def theirs(make: Callable[[], Any]) -> Callable[[], nn.Module]:
        def run() -> nn.Module:
            with seeded(seed), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                net = make()
                values = torch.cat([work.source.values, work.target.values]).numpy()
                label = torch.cat([work.source.label, torch.full((len(work.target),), -1)]).numpy()
                domain = np.repeat([1, -2], [len(work.source), len(work.target)])
                net.fit(values, label, domain)
                trained: nn.Module = net.module_.base_module_
                return trained

        return run

    def ours(kind: type[Adaptation], bfloat16: Any, **options: Any) -> Callable[[], nn.Module]:
        strategy = kind(
            **options,
            epochs=epochs,
            learning_rate=RATE,
            weight_decay=DECAY,
            batch_size=work.batch_size,
            minimum_steps=work.steps,
        )
        return lambda: strategy.align(work.start, work.source, work.target, seed=seed, bfloat16=bfloat16)

    found["no adaptation, ours"] = ours(DeepCoral, "auto", weight=0.0)
    for method, kind in OURS.items():
        if peers is not None:
            for name, make in peers(method, work, epochs).items():
                found[name] = theirs(make)
        found[f"{method}, ours, float32"] = ours(kind, False)
        found[f"{method}, ours"] = ours(kind, "auto")
    return found


def skada() -> Any:
    """Makers of skada's methods, or None where it is not there."""
    try:
        deep: Any = importlib.import_module("skada.deep")
        modules: Any = importlib.import_module("skada.deep.modules")
    except ImportError:
        return None

    said = modules.DomainClassifier(num_features=8)(torch.randn(64, 8)).detach()
    print(f"skada's default discriminator on 64 random rows says {said.min():.3f} to {said.max():.3f}")

    def working(features: int) -> nn.Module:
        """skada's discriminator with one output that may take any value, behind a sigmoid."""
        discriminator: nn.Module = modules.DomainClassifier(num_features=features)
        layers: Any = discriminator.classifier
        layers[-1] = nn.Sigmoid()
        return discriminator

    def makers(method: str, work: Work, epochs: int) -> dict[str, Callable[[], Any]]:
        width = int(work.start.embed(work.test.values[:1]).shape[1])
        shared: dict[str, Any] = {
            "layer_name": "features",
            "max_epochs": epochs,
            "batch_size": work.batch_size,
            "optimizer": torch.optim.Adam,
            "lr": RATE,
            "optimizer__weight_decay": DECAY,
            "train_split": None,
            "verbose": 0,
        }
        if method == "Deep CORAL":
            return {f"{method}, skada": lambda: deep.DeepCoral(Plain(work.start), **shared)}
        if method == "DeepJDOT":
            return {f"{method}, skada": lambda: deep.DeepJDOT(Plain(work.start), **shared)}
        return {
            f"{method}, skada, working discriminator": lambda: deep.DANN(
                Plain(work.start), domain_classifier=working(width), **shared
            ),
            f"{method}, skada, default discriminator": lambda: deep.DANN(
                Plain(work.start), num_features=width, **shared
            ),
        }

    return makers


def accuracy(network: nn.Module, test: Batch) -> float:
    """Share of windows that are told right."""
    with torch.inference_mode():
        said = network.eval()(test.values).argmax(dim=1)
    return float((said == test.label).float().mean())


def made_here(quick: bool) -> Work:
    """Two robots that differ in gains, offsets and sluggishness of each channel; four classes of ripple, a sixth of the
    noise they are hidden in."""
    batch_size, steps = 64, 2 if quick else 4
    classes, channels, length = 4, 24, 200
    rng = generator(0)
    moved = np.sin(2 * np.pi * np.cumsum(rng.uniform(0.5, 2.5, (channels, length)), axis=1) / length)
    gain, offset, lag = (
        rng.uniform(0.6, 1.6, channels),
        rng.uniform(-0.5, 0.5, channels),
        rng.uniform(0.2, 0.7, channels),
    )

    def windows(count: int, other: bool) -> Batch:
        label = np.arange(count) % classes
        time_ = np.arange(length) / length
        phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
        ripple = np.sin(2 * np.pi * (6 + 5 * label[:, None, None]) * time_ + phase + np.arange(channels)[:, None])
        values = moved + 0.17 * ripple + rng.standard_normal((count, channels, length))
        if other:
            late = np.concatenate([values[:, :, :1], values[:, :, :-1]], axis=2)
            values = gain[:, None] * (lag[:, None] * late + (1 - lag[:, None]) * values) + offset[:, None]
        return Batch.of_arrays(values, label=label)

    rows = steps * batch_size
    with seeded(0):
        start = Cnn1d(channels, classes)
    parts = (windows(rows, False), windows(rows, True).unlabelled(), windows(400, True))
    return Work(f"{channels} x {length}, CNN 64/128/256, batches of {batch_size}", *parts, start, batch_size, 10)


def measured(folder: Path, scenario: str, quick: bool) -> Work:
    """One of AdaTime's scenarios, cut to whole batches, which is what skada's sampler takes of each epoch."""
    source, dash, target = scenario.partition("-")
    if not dash:
        raise UsageError(f"a scenario is SOURCE-TARGET, got {scenario!r}")
    found, batch_size = read_scenario(folder, source, target), 32
    rng = generator(1)
    known, bare = (
        part.take(rng.permutation(len(part))[: len(part) // batch_size * batch_size])
        for part in (found.source, found.target)
    )
    truth = torch.from_numpy(labels_of(folder, target, "test").astype(np.int64))
    test = Batch(found.test.values, found.test.mask, truth, found.test.domain)
    with seeded(0):
        start = PooledCnn(int(known.values.shape[1]), 6)
    title = f"UCI HAR {scenario}, AdaTime's CNN, batches of {batch_size}"
    return Work(title, known, bare, test, start, batch_size, 4 if quick else 40)


def new_robot(repeats: int) -> None:
    """A trained network gets to know a new robot from 500 labelled windows."""
    rng = generator(2)
    label = np.arange(WINDOWS) % 2
    values = rng.standard_normal((WINDOWS, 24, 200)) + 0.1 * label[:, None, None]
    data = Batch.of_arrays(values, label=label)
    with seeded(0):
        start = Cnn1d(24)
    frozen = Options(epochs=EPOCHS_NEW_ROBOT, learning_rate=RATE)

    def each_epoch_through_all() -> None:
        network = copy.deepcopy(start)
        weights = Supervised(balanced_weights(label))
        fit(network, Shuffled(data, 64), weights, frozen, trained=network.part("head"))

    work: dict[str, Callable[[], object]] = {
        "frozen encoder, each epoch through the whole network": each_epoch_through_all,
        "frozen encoder, stored features (head_only)": lambda: HeadOnly(epochs=EPOCHS_NEW_ROBOT, batch_size=64).tune(
            start, data, bfloat16="auto"
        ),
        "full fine-tuning": lambda: Full(epochs=EPOCHS_NEW_ROBOT, batch_size=64).tune(start, data, bfloat16="auto"),
    }
    found = ratios(work, next(iter(work)), repeats, time.process_time)
    show(f"a new robot from {WINDOWS} windows, {EPOCHS_NEW_ROBOT} epochs: time", found, "smaller")
    begin = time.process_time()
    work["frozen encoder, stored features (head_only)"]()
    print(f"stored features: {time.process_time() - begin:.2f} s")


def same_work(work: Work) -> None:
    """Both networks compute the same, or the comparison is void."""
    values = work.test.values[:8]
    with torch.inference_mode():
        expected = copy.deepcopy(work.start).eval()(values)
        torch.testing.assert_close(Plain(work.start).eval()(values), expected, rtol=1e-4, atol=1e-5)


def _arguments() -> Sequence[Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a minute or two, wide spread")
    parser.add_argument("--data", type=Path, help="folder with AdaTime's subjects (subject_N.npz)")
    parser.add_argument("--scenario", default="9-18", help="source and target subject")
    parser.add_argument("--seeds", type=int, default=3, help="of the accuracies")
    given = parser.parse_args()
    return given.quick, given.data, given.scenario, given.seeds


if __name__ == "__main__":
    main(*_arguments())
