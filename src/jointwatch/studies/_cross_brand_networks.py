"""Every strategy of the catalog with one common network, on the deviations of one joint from its own baseline."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np
import torch

from jointwatch.core import catalog
from jointwatch.core.errors import JointwatchError, MissingExtra
from jointwatch.core.log_probability import logsumexp
from jointwatch.models.base import Network
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.studies._cross_brand_task import Tables, Task, found
from jointwatch.studies._strategy_names import names_asked
from jointwatch.training.data import Batch
from jointwatch.training.frozen import embed_all
from jointwatch.training.seed import seeded

__all__ = ["AS_IS", "NETWORK_ALONE", "embeddings", "kinds", "network_step"]

AS_IS: Final = "source as it is"
NETWORK_ALONE: Final = "target only"
_SIGNALS = 7  # deviations of drive, link and tracking along the path, roughness of these and of the speed
_FILTERS, _KERNELS = (16, 32, 32), (5, 3, 3)
_EPOCHS, _BATCH, _RATE = 6, 64, 3e-3
_STEPS = 25  # of an epoch at least, however many sources share a step
_ROWS = 1600  # joints of all sources together, and twice those of the target without labels, at most
_SHARP = 1.5  # of the soft maximum over joints
_SHOWN = 120  # rows of a domain in the picture of embeddings


def kinds(wanted: str) -> tuple[dict[str, str], dict[str, str]]:
    """(name -> `align` or `tune`, name -> why it is left out) of the strategies of the catalog, or of those named."""
    used, left_out = {}, {}
    for name in names_asked(wanted, catalog.names("transfer")):
        try:
            kind = catalog.load("transfer", name)
        except MissingExtra as error:
            left_out[name] = str(error)
            continue
        if name == "foundation":
            left_out[name] = "it brings a network of its own; the study pretraining judges it"
            continue
        how = next((how for how in ("align", "tune") if hasattr(kind, how)), "")
        if how:
            used[name] = how
        elif name == "normalisation":
            left_out[name] = f"it trains nothing: every method here is normalised, and the network's row is '{AS_IS}'"
        else:
            left_out[name] = "it has neither `align` nor `tune`, so the common network cannot be given to it"
    return used, left_out


def network_step(name: str, how: str, task: Task, tables: Tables) -> dict[str, Any]:
    """One strategy on one task.

    Parameters
    ----------
    name : of the catalog, or `AS_IS`, `NETWORK_ALONE`. how : `align`, `tune`, or "" for those two.

    A step that cannot be done comes back as `{"shortage": why}`. The threshold rests on healthy cycles that a strategy
    with labels has learned from: networks are not fitted again to hold them out, so their false-alarm shares run high.
    """
    torch.set_num_threads(1)
    try:
        network, seconds = _trained(name, how, task, tables)
    except JointwatchError as error:
        return {"shortage": str(error)}
    evidence, _, along = tables.target(task)
    rows = np.flatnonzero(task.of_target)
    odds = np.full((len(rows), len(evidence.joints)), -np.inf)
    with torch.inference_mode():
        batch = _batch(along[:, evidence.there], np.full((len(rows), int(evidence.there.sum())), -1))
        logits = network.eval()(batch.values, batch.mask)
        other = logits[:, 1:].logsumexp(dim=1) - logits[:, 0]
    odds[:, evidence.there] = other.numpy().reshape(len(rows), -1)
    healthy = (task.baseline & task.near)[rows]
    level = odds[healthy][:, evidence.there]
    odds = (odds - level.mean()) / max(float(level.std()), 1e-9)
    score = logsumexp(_SHARP * odds, axis=1) / _SHARP
    judged = task.judged[rows]
    return found(task, score[judged], score[healthy], evidence.joints[odds[judged].argmax(axis=1)], seconds)


def embeddings(name: str, how: str, task: Task, tables: Tables) -> list[dict[str, Any]]:
    """Joints of sources and target as the network sees them, on their two main directions."""
    torch.set_num_threads(1)
    network, _ = _trained(name, how, task, tables)
    rng = np.random.default_rng(task.seed)
    parts, told = [], []
    for brand in (*task.sources, task.target):
        evidence, _, along = tables.target(task) if brand == task.target else tables.source(brand)
        own = np.flatnonzero(task.fleet.index.domain == brand)
        label = _joint_labels(task, own, evidence.joints[evidence.there])
        values = along[:, evidence.there]
        for kind, state in ((0, "healthy"), (1, "faulty")):
            cells = np.argwhere(label == kind)
            cells = cells[rng.permutation(len(cells))[:_SHOWN]]
            batch = _batch(values[cells[:, 0], cells[:, 1]][:, None], np.full((len(cells), 1), kind))
            parts.append(embed_all(network, batch).numpy())
            told += [{"brand": brand, "state": state}] * len(cells)
    everything = np.concatenate(parts)
    centred = (everything - everything.mean(axis=0)) / np.maximum(everything.std(axis=0), 1e-6)
    flat = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    return [{**who, "x": round(float(x), 4), "y": round(float(y), 4)} for who, (x, y) in zip(told, flat, strict=True)]


def _trained(name: str, how: str, task: Task, tables: Tables) -> tuple[Network, float]:
    """A network for the target, and the seconds from its signals to it."""
    sources = [_source_rows(task, brand, tables) for brand in task.sources]
    bare, labelled = _target_rows(task, tables)
    with seeded(task.seed):
        fresh = Cnn1d(_SIGNALS, filters=_FILTERS, kernels=_KERNELS)
    full = catalog.load("transfer", "full")(epochs=_EPOCHS, batch_size=_BATCH, learning_rate=_RATE)
    if name == NETWORK_ALONE:
        begin = time.perf_counter()
        network = full.tune(fresh, Batch.concatenate([labelled, _healthy_rows(task, tables)]), seed=task.seed)
        return network, time.perf_counter() - begin
    if how != "align":
        source = full.tune(fresh, Batch.concatenate(sources), seed=task.seed)
        if name == AS_IS:
            return source, 0.0
        strategy = catalog.load("transfer", name)(epochs=_EPOCHS, batch_size=_BATCH)
        begin = time.perf_counter()
        known = Batch.concatenate([labelled, _healthy_rows(task, tables)])
        return strategy.tune(source, known, seed=task.seed), time.perf_counter() - begin
    rate = {"epochs": _EPOCHS, "learning_rate": _RATE, "minimum_steps": _STEPS}
    strategy = catalog.load("transfer", name)(**rate, batch_size=_BATCH if len(sources) == 1 else _BATCH // 2)
    begin = time.perf_counter()
    network = strategy.align(fresh, sources, bare, labelled if len(labelled) else None, seed=task.seed)
    return network, time.perf_counter() - begin


def _source_rows(task: Task, brand: str, tables: Tables) -> Batch:
    evidence, _, along = tables.source(brand)
    own = np.flatnonzero(task.fleet.index.domain == brand)
    label = _joint_labels(task, own, evidence.joints[evidence.there])
    return _drawn(along[:, evidence.there], label, _ROWS // len(task.sources), task.seed)


def _target_rows(task: Task, tables: Tables) -> tuple[Batch, Batch]:
    """Joints of the target's other units without labels, and those whose labels are in the budget."""
    evidence, _, along = tables.target(task)
    own = np.flatnonzero(task.of_target)
    values = along[:, evidence.there]
    near = task.near[own]
    bare = _drawn(values[near], np.full((int(near.sum()), values.shape[1]), -1), _ROWS // 2, task.seed, every=True)
    known = np.isin(own, task.labelled)
    label = _joint_labels(task, own[known], evidence.joints[evidence.there])
    return bare, _drawn(values[known], label, _ROWS, task.seed)


def _healthy_rows(task: Task, tables: Tables) -> Batch:
    """Joints of the baselines of the target's other units."""
    evidence, _, along = tables.target(task)
    own = np.flatnonzero(task.of_target)
    rows = along[(task.baseline & task.near)[own]][:, evidence.there]
    return _drawn(rows, np.zeros(rows.shape[:2], np.int64), _ROWS // 4, task.seed)


def _joint_labels(task: Task, rows: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(cycle, joint) 1 = faulty, 0 = healthy, -1 = not known: the others of a robot with a faulty joint feel it."""
    index = task.fleet.index.take(rows)
    anomalous, sure = index.label == "anomalous", index.label != "uncertain"
    mine = (index.joint == 0)[:, None] | (index.joint[:, None] == joints)
    return np.where(~sure[:, None], -1, np.where(~anomalous[:, None], 0, np.where(mine, 1, -1)))


def _drawn(values: np.ndarray, label: np.ndarray, most: int, seed: int, *, every: bool = False) -> Batch:
    """Joints by lot, of each class as many where there are enough; without labels with `every`."""
    rng = np.random.default_rng(seed)
    flat, label = values.reshape(-1, *values.shape[2:]), label.ravel()
    if every:
        chosen = rng.permutation(len(flat))[:most]
    else:
        faulty, healthy = (rng.permutation(np.flatnonzero(label == kind)) for kind in (1, 0))
        faulty = faulty[: most // 2]
        chosen = np.concatenate([faulty, healthy[: most - len(faulty)]])
    return _batch(flat[chosen][:, None], label[chosen][:, None])


def _batch(values: np.ndarray, label: np.ndarray) -> Batch:
    """Rows (cycle, joint, signal, place) with the signals that are there."""
    flat = values.reshape(-1, *values.shape[2:])
    mask = np.ptp(flat, axis=2) > 0
    return Batch.of_arrays(flat / 2.0, mask, label.ravel())
