"""What is compared on AdaTime's scenarios: every strategy of the catalog with one network, and choices between them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax

from jointwatch.core import catalog
from jointwatch.models.base import Network
from jointwatch.models.pooled_cnn import PooledCnn
from jointwatch.selection.consensus import TOGETHER, consensus
from jointwatch.selection.scores import DIRECTION, Source, Target
from jointwatch.studies._adatime_data import CLASSES, Scenario, labels_of, read_scenario
from jointwatch.studies._adatime_peer import SETTINGS, as_in_peer
from jointwatch.studies._strategy_names import adaptations, names_asked
from jointwatch.training.batch_norm import estimate_statistics
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.frozen import embed_all
from jointwatch.training.loop import fit
from jointwatch.training.objectives import Supervised, balanced_weights
from jointwatch.training.options import Options
from jointwatch.training.seed import seeded

__all__ = [
    "BEST",
    "BY_SPLIT",
    "BY_TRAINING",
    "CHOSEN",
    "MEAN",
    "MEAN_OF_SEEDS",
    "SOURCE_ONLY",
    "TARGET_ONLY",
    "Training",
    "alone",
    "candidates",
    "chosen_by",
    "compare",
    "strategies",
]

SOURCE_ONLY, TARGET_ONLY = "source only", "target only (its labels)"
CHOSEN, MEAN, BEST = "chosen without labels: consensus", "mean of all candidates", "best of all (its labels)"
MEAN_OF_SEEDS = "mean of all candidates and seeds"
BY_SPLIT, BY_TRAINING = "test windows by themselves", "test windows by training windows"
_ROWS = 256  # of a batch whose statistics are measured


@dataclass(frozen=True)
class Training:
    """What all methods share: AdaTime's number of epochs, batch size and decay, and Adam's usual rate."""

    epochs: int = 40
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    batch_size: int = 32


@dataclass(frozen=True, eq=False)
class _Said:
    """What a trained network says: of held-out source windows, of the target's training and test windows."""

    source: Source
    target: Target
    test: dict[str, np.ndarray]


def strategies(asked: str = "") -> list[str]:
    """Names of the catalog's adaptation strategies, or of those asked for.

    Errors: `UsageError` for a name that is none.

    >>> {"dann", "deep_coral"} <= set(strategies()), strategies("dann, deep-coral")
    (True, ['dann', 'deep_coral'])
    """
    return names_asked(asked, adaptations())


def candidates(names: Sequence[str]) -> list[str]:
    """What a choice is made from: the network without adaptation, and each strategy."""
    return [SOURCE_ONLY, *(name.replace("_", "-") for name in names)]


def chosen_by(score: str) -> str:
    """Name of the choice by a single score."""
    return f"chosen without labels: {score.replace('_', ' ')}"


def compare(folder: Path, pair: tuple[str, str], names: Sequence[str], seed: int, training: Training) -> dict[str, Any]:
    """Every method and every choice on one scenario: `said` method -> normalisation -> (window,) classes of the test
    windows, `chosen` choice -> method, `scores` score -> method -> value, `mean` normalisation -> (window, class)
    probabilities of all candidates, `target` candidate -> classes of the target's training windows. No label of the
    target is read."""
    return compared(read_scenario(folder, *pair), names, seed, training)


def compared(scenario: Scenario, names: Sequence[str], seed: int, training: Training) -> dict[str, Any]:
    """`compare` of a scenario that is there."""
    found = {SOURCE_ONLY: _says(_supervised(scenario.source, seed, training), scenario, seed)}
    for name in names:
        network = _aligned(scenario, name, seed, training)
        found[name.replace("_", "-")] = _says(network, scenario, seed)
    said = {name: {way: _classes(logits) for way, logits in one.test.items()} for name, one in found.items()}
    for name in (name for name in SETTINGS if name in names):  # beside the candidates: the peer may have seen labels
        network = _aligned(scenario, name, seed, training, SETTINGS[name])
        said[as_in_peer(name)] = {way: _classes(x) for way, x in _says(network, scenario, seed).test.items()}
    chosen, scores = _choices(found, seed)
    for choice, name in chosen.items():
        said[choice] = said[name]
    mean = {way: _mean([one.test[way] for one in found.values()]) for way in (BY_SPLIT, BY_TRAINING)}
    said[MEAN] = {way: _classes(probability) for way, probability in mean.items()}
    return {
        "said": said,
        "chosen": chosen,
        "scores": scores,
        "mean": {way: probability.round(6).tolist() for way, probability in mean.items()},
        "target": {name: _classes(one.target.logits) for name, one in found.items()},
    }


def alone(folder: Path, pair: tuple[str, str], seed: int, training: Training) -> dict[str, Any]:
    """Target-only: the same network on the labels of the target's training windows, an upper bound. Keys as those of
    `compare`."""
    scenario = read_scenario(folder, *pair)
    label = torch.from_numpy(labels_of(folder, pair[1], "train").astype(np.int64))
    known = Batch(scenario.target.values, scenario.target.mask, label, scenario.target.domain)
    said = _says(_supervised(known, seed, training), scenario, seed)
    return {"said": {TARGET_ONLY: {way: _classes(logits) for way, logits in said.test.items()}}}


def _choices(found: Mapping[str, _Said], seed: int) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
    """What each way of choosing takes, and the scores it rests on."""
    seen = {name: (one.source, one.target) for name, one in found.items()}
    ranking = consensus(seen, scores=TOGETHER, seed=seed)
    chosen = {CHOSEN: ranking.best}
    for score, values in ranking.scores.items():
        chosen[chosen_by(score)] = max(values, key=lambda name: DIRECTION[score] * values[name])
    return chosen, {score: dict(values) for score, values in ranking.scores.items()}


def _supervised(data: Batch, seed: int, training: Training) -> Network:
    network = _fresh_for(data, seed)
    weights = balanced_weights(data.label.numpy(), len(CLASSES))
    options = Options(
        epochs=training.epochs, learning_rate=training.learning_rate, weight_decay=training.weight_decay, seed=seed
    )
    fit(network, Shuffled(data, training.batch_size, seed), Supervised(weights), options)
    return network


def _aligned(
    scenario: Scenario, name: str, seed: int, training: Training, settings: Mapping[str, Any] | None = None
) -> Network:
    """The network that a strategy makes; with settings of the peer the classes weigh as they come, as there."""
    strategy = catalog.load("transfer", name)(
        **{
            "epochs": training.epochs,
            "learning_rate": training.learning_rate,
            "weight_decay": training.weight_decay,
            "batch_size": training.batch_size,
            **(settings or {}),
        }
    )
    network: Network = strategy.align(
        _fresh(scenario, seed),
        scenario.source,
        scenario.target,
        class_weights="balanced" if settings is None else None,
        seed=seed,
        bfloat16="auto",
    )
    return network


def _fresh(scenario: Scenario, seed: int) -> Network:
    return _fresh_for(scenario.source, seed)


def _fresh_for(data: Batch, seed: int) -> Network:
    with seeded(seed):
        return PooledCnn(int(data.values.shape[1]), len(CLASSES))


def _says(network: Network, scenario: Scenario, seed: int) -> _Said:
    # a network that was fitted to the target's statistics is asked about the source under those of the source
    at_source = copy.deepcopy(network)
    estimate_statistics(at_source, Shuffled(scenario.source, _ROWS, seed))
    features, logits = _outputs(at_source, scenario.held_out)
    return _Said(
        Source(features, logits, scenario.held_out.label.numpy()),
        Target(*_outputs(network, scenario.target)),
        {
            way: _outputs(network, rows)[1]
            for way, rows in ((BY_SPLIT, scenario.test), (BY_TRAINING, scenario.test_by_training))
        },
    )


def _outputs(network: Network, rows: Batch) -> tuple[np.ndarray, np.ndarray]:
    """(row, feature) and (row, class) of the known classes; the unknown of `open_set` goes to the nearest."""
    features = embed_all(network, rows)
    with torch.no_grad():
        return features.numpy(), network.head(features).numpy()[:, : len(CLASSES)]


def _mean(logits: Sequence[np.ndarray]) -> np.ndarray:
    mean: np.ndarray = np.mean([softmax(one.astype(np.float64), axis=1) for one in logits], axis=0)
    return mean


def _classes(scores: np.ndarray) -> list[int]:
    return [int(label) for label in scores.argmax(axis=1)]
