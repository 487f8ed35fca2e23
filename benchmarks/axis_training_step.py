"""Time and accuracy of training AD-CNN: the project's loop against a plain float32 PyTorch loop, same network.

Maps of 16 blocks x 9 features, 16 filters, batches of 256. Each round trains every alternative from the same weights
on a task whose best possible accuracy is known. Then few maps are learned by heart as published, with numbers too small
to be held in full kept, and counted as zero. Run: python benchmarks/axis_training_step.py [--quick]
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
from collections.abc import Callable
from unittest import mock

import numpy as np
import torch
from _plain import PlainAdCnn, train
from _rotate import machine, ratios, show
from rich.console import Console
from rich.table import Table
from torch import nn

from jointwatch.models.ad_cnn import AdCnn
from jointwatch.training import loop
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.loop import fit
from jointwatch.training.objectives import Supervised
from jointwatch.training.options import Options
from jointwatch.training.recipes import recipe
from jointwatch.training.seed import generator, seeded

BATCH_SIZE, CHANNELS, LENGTH, LEARNING_RATE = 256, 9, 16, 3e-3
BUMP = np.outer([2.0, -1.6, 1.3], [0.6, 1.0, 0.6]).astype(np.float32)  # 3 features x 3 blocks


def main(quick: bool) -> None:
    rows, epochs, repeats = (2048, 8, 3) if quick else (4096, 8, 7)
    values, label = maps(rows, generator(0))
    data, test = Batch.of_arrays(values, label=label), maps(8192, generator(1))
    same_work(start(0), data.values[:8])
    plain = Runs(lambda network, seed: plain_loop(network, data, epochs, seed))
    work = {"plain loop, float32, Adam": plain}
    for name, options in {
        "our loop, float32": Options(epochs=epochs, learning_rate=LEARNING_RATE, bfloat16=False),
        "our loop, default options": Options(epochs=epochs, learning_rate=LEARNING_RATE),
    }.items():
        work[name] = Runs(lambda network, seed, options=options: our_loop(network, data, options, seed))
    print(machine())
    steps = epochs * len(Shuffled(data, BATCH_SIZE))
    print(f"{repeats} rounds of {steps} steps, maps of {LENGTH} x {CHANNELS}, batches of {BATCH_SIZE}")
    show("training AD-CNN: time", ratios(work, next(iter(work)), repeats), "smaller")
    accuracies({name: [correct(network, test) for network in runs.networks] for name, runs in work.items()}, test)
    by_heart(data.take(np.arange(2 * BATCH_SIZE)))


def by_heart(data: Batch) -> None:
    """Print what denormal numbers cost in a training as published."""
    training = recipe("paper")

    def trained() -> None:
        with seeded(0):
            network = AdCnn(CHANNELS, LENGTH, batch_norm=True)
        fit(network, Shuffled(data, training.batch_size), Supervised(), training.options)

    def kept() -> None:
        with mock.patch.object(loop, "denormals_flushed", contextlib.nullcontext):
            trained()

    print(f"3 rounds of {training.options.epochs} epochs with {len(data)} maps")
    work = {"denormal numbers kept": kept, "counted as zero": trained}
    show("learning by heart: time", ratios(work, next(iter(work)), 3), "smaller")


class Runs:
    """A training a call, each from the initial weights of the next seed; the trained networks are kept."""

    def __init__(self, loop: Callable[[AdCnn, int], nn.Module]) -> None:
        self.loop = loop
        self.networks: list[nn.Module] = []

    def __call__(self) -> None:
        seed = len(self.networks)
        self.networks.append(self.loop(start(seed), seed))


def start(seed: int) -> AdCnn:
    with seeded(seed):
        return AdCnn(CHANNELS, LENGTH)


def plain_loop(network: AdCnn, data: Batch, epochs: int, seed: int) -> nn.Module:
    plain = PlainAdCnn(network)
    with seeded(seed):
        train(plain, data.values, data.label, BATCH_SIZE, epochs, LEARNING_RATE)
    return plain


def our_loop(network: AdCnn, data: Batch, options: Options, seed: int) -> nn.Module:
    fit(network, Shuffled(data, BATCH_SIZE, seed), Supervised(), options)
    return network


def maps(rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """White noise; in class 1 with the bump in the first three features, at a block drawn at random."""
    values = rng.standard_normal((rows, CHANNELS, LENGTH)).astype(np.float32)
    label = rng.integers(0, 2, rows)
    high, wide = BUMP.shape
    for row in np.flatnonzero(label):
        first = rng.integers(0, LENGTH - wide + 1)
        values[row, :high, first : first + wide] += BUMP
    return values, label


def best_possible(values: np.ndarray, label: np.ndarray) -> float:
    """Accuracy of the exact likelihood ratio: no network can be better but by chance."""
    pieces = np.lib.stride_tricks.sliding_window_view(values[:, : len(BUMP)], BUMP.shape[1], axis=2)
    match = np.einsum("rhpw,hw->rp", pieces, BUMP) - np.square(BUMP).sum() / 2
    return float(np.mean((np.exp(match).mean(axis=1) > 1) == label))


def correct(network: nn.Module, test: tuple[np.ndarray, np.ndarray]) -> float:
    with torch.inference_mode():
        chosen = [network.eval()(part).argmax(1) for part in torch.from_numpy(test[0]).split(BATCH_SIZE)]
    return float(np.mean(torch.cat(chosen).numpy() == test[1]))


def accuracies(found: dict[str, list[float]], test: tuple[np.ndarray, np.ndarray]) -> None:
    """Print test accuracies, and how far they are from the first row's, seed by seed."""
    table = Table(
        title="accuracy on new maps", caption=f"best possible {best_possible(*test):.4f}; +- standard error over seeds"
    )
    for column in ("", "mean", "to the first row"):
        table.add_column(column, justify="left" if not column else "right")
    base = next(iter(found.values()))
    for name, values in found.items():
        difference = [own - other for own, other in zip(values, base, strict=True)]
        error = statistics.stdev(difference) / len(difference) ** 0.5
        table.add_row(name, f"{statistics.mean(values):.4f}", f"{statistics.mean(difference):+.4f} +- {error:.4f}")
    Console().print(table)


def same_work(network: AdCnn, values: torch.Tensor) -> None:
    """Both networks compute the same, or the comparison is void; with attention at work."""
    with torch.no_grad():
        network.self_attention.gamma.fill_(1.0)
        torch.testing.assert_close(PlainAdCnn(network)(values), network.eval()(values), rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few minutes, wide spread")
    main(parser.parse_args().quick)
