"""A source arm and a target arm whose signals differ by more than offset and gain; brands whose rows have classes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.core import Quantity, Recording, Windows
from jointwatch.models.base import Network
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.loop import fit
from jointwatch.training.objectives import Supervised
from jointwatch.training.options import Options
from jointwatch.training.seed import seeded
from jointwatch.windows.sliding import sliding


@pytest.fixture(scope="session")
def arms(arm_recording: Callable[..., Recording]) -> Callable[..., Windows]:
    """arms(seed=0, brand="source", cycles=16, faulty=(), **recording): windows of one arm. Each brand but `source`
    has its own gains, offsets and a lag in its current, the same for every seed."""

    def make(
        seed: int = 0, brand: str = "source", cycles: int = 16, faulty: tuple[int, ...] = (), **options: Any
    ) -> Windows:
        noise = {"rate_hz": 50.0, "noise_a": 0.1} | options
        recording = arm_recording(
            seed=seed, brand=brand, unit=brand, session=f"s{seed}", cycles=cycles, faulty=faulty, **noise
        )
        windows = sliding(recording, rate_hz=50.0, length=50, step=50)
        if brand == "source":
            return windows
        rng = np.random.default_rng(sum(map(ord, brand)))
        values = windows.values.astype(np.float64)
        for row, channel in enumerate(windows.channels):
            if channel.quantity is Quantity.CURRENT:
                slow = np.cumsum(values[:, row], axis=1) / np.arange(1, 51)  # a sluggish current loop
                values[:, row] = 0.5 * values[:, row] + 0.5 * slow
            values[:, row] = rng.uniform(0.3, 3) * values[:, row] + rng.uniform(-5, 5)
        return replace(windows, values=values)

    return make


@pytest.fixture(scope="session")
def brands() -> Callable[..., Batch]:
    """brands(number, seed=0, rows=120, classes=(0, 1, 2), shift=1.0, noise=0.6): oscillations whose frequency tells
    the class, as a brand measures them. Brand 0 is plain, the others have gains and offsets of their own."""

    def make(
        number: int,
        seed: int = 0,
        rows: int = 120,
        classes: Sequence[int] = (0, 1, 2),
        shift: float = 1.0,
        noise: float = 0.6,
    ) -> Batch:
        rng, own = np.random.default_rng([number, seed]), np.random.default_rng([number, 77])
        label = rng.permutation(np.resize(np.asarray(classes), rows))
        phase = rng.uniform(0, 2 * np.pi, rows)
        wave = np.sin(2 * np.pi * (1 + label[:, None]) * np.arange(24) / 24 + phase[:, None])
        values = np.stack([wave, np.roll(wave, 3, axis=1) * 0.5, np.zeros_like(wave)], axis=1)
        values += noise * rng.standard_normal(values.shape)
        if number:
            gain, offset = np.exp(shift * own.uniform(-1, 1, 3)), shift * own.uniform(-1.5, 1.5, 3)
            values = gain[:, None] * values + offset[:, None]
        return Batch.of_arrays(values, label=label)

    return make


@pytest.fixture(scope="session")
def small() -> Callable[..., Cnn1d]:
    """small(seed=0, classes=3): a new network for these."""

    def make(seed: int = 0, classes: int = 3) -> Cnn1d:
        with seeded(seed):
            return Cnn1d(3, classes=classes, filters=(12, 12, 16))

    return make


@pytest.fixture(scope="session")
def source_only() -> Callable[..., Cnn1d]:
    """source_only(network, sources, seed=0, epochs=8): a copy trained on the pooled sources, the plain way."""

    def train(network: Cnn1d, sources: Sequence[Batch], seed: int = 0, epochs: int = 8) -> Cnn1d:
        network = copy.deepcopy(network)
        batches = Shuffled(Batch.concatenate(sources), 32 * len(sources), seed, minimum_steps=8)
        fit(network, batches, Supervised(), Options(epochs=epochs, learning_rate=3e-3, seed=seed, bfloat16=False))
        return network

    return train


@pytest.fixture(scope="session")
def accuracy() -> Callable[..., float]:
    """accuracy(network, batch): share of its rows that get their class."""

    def measure(network: Network, batch: Batch) -> float:
        with torch.inference_mode():
            return float((network(batch.values, batch.mask).argmax(dim=1) == batch.label).float().mean())

    return measure


@pytest.fixture(scope="session")
def same_bits_with_scrambled_labels() -> Callable[..., bool]:
    """Aligning is told the target's labels, others, and none: whether the three networks have the same bits."""

    def check(strategy: Any, network: Network, sources: Sequence[Batch], target: Batch, labelled: Any = None) -> bool:
        labels = [target.label, target.label.flip(0), torch.full_like(target.label, -1)]
        assert len({tuple(label.tolist()) for label in labels}) == 3
        found = [
            strategy.align(network, sources, replace(target, label=label), labelled).state_dict() for label in labels
        ]
        return all(torch.equal(value, other[name]) for other in found[1:] for name, value in found[0].items())

    return check


@pytest.fixture(scope="session")
def crosstalk() -> Callable[..., Batch]:
    """crosstalk(share, seed=0, rows=120): the class says which of three channels oscillates most, but each channel
    takes in a share of its neighbour. Where it is near one half a classifier from elsewhere is lost, and statistics
    of the target do not help: only what channels mean differs."""

    def make(share: float, seed: int = 0, rows: int = 120) -> Batch:
        rng = np.random.default_rng([round(1000 * share), seed])
        label = rng.permutation(rows) % 3
        phase = rng.uniform(0, 2 * np.pi, (rows, 1, 1))
        wave = np.sin(2 * np.pi * np.array([2, 3, 4])[:, None] * np.arange(32) / 32 + phase)
        values = (np.eye(3)[label] + 0.2)[:, :, None] * wave + 0.5 * rng.standard_normal((rows, 3, 32))
        return Batch.of_arrays((1 - share) * values + share * np.roll(values, -1, axis=1), label=label)

    return make


@pytest.fixture(scope="session")
def against_source_only(
    crosstalk: Callable[..., Batch],
    small: Callable[..., Cnn1d],
    source_only: Callable[..., Cnn1d],
    accuracy: Callable[..., float],
) -> Callable[..., np.ndarray]:
    """against_source_only(strategy, plain=None, sources=(0.0,), seeds=(0, 1, 2)): (seed, 3) accuracy on rows of the
    target that nothing was trained on: of a network of the sources alone, of `plain` (None = the strategy with its
    alignment at weight 0), of the strategy."""

    def compare(
        strategy: Any, plain: Any = None, sources: Sequence[float] = (0.0,), seeds: Sequence[int] = (0, 1, 2)
    ) -> np.ndarray:
        found = []
        plain = copy.deepcopy(strategy).set_params(weight=0.0) if plain is None else plain
        for seed in seeds:
            parts, target = [crosstalk(share, seed) for share in sources], crosstalk(0.48, seed)
            networks = [source_only(small(seed), parts, seed, epochs=strategy.epochs)]
            networks += [each.align(small(seed), parts, target, seed=seed) for each in (plain, strategy)]
            test = crosstalk(0.48, seed + 100, rows=300)
            found.append([accuracy(network, test) for network in networks])
        return np.array(found)

    return compare
