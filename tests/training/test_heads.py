"""Heads trained together end as each would alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from jointwatch.core.errors import UsageError
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.frozen import OnFeatures
from jointwatch.training.heads import HeadJob, TrainedHead, fit_heads
from jointwatch.training.loop import fit
from jointwatch.training.objectives import HeldOut, Supervised, balanced_weights
from jointwatch.training.options import Options
from jointwatch.training.seed import seeded
from jointwatch.training.session import Progress, Session, session

FEATURES, CLASSES, BATCH = 12, 3, 16
OPTIONS = Options(epochs=6, learning_rate=0.01, weight_decay=0.02)


def features(seed: int = 0, rows: int = 90) -> Batch:
    rng = np.random.default_rng(seed)
    label = rng.integers(-1, CLASSES, rows)  # some rows have no label
    values = rng.standard_normal((rows, FEATURES, 1)) + label[:, None, None]
    return Batch.of_arrays(values, label=label)


def dense(seed: int = 0, dropout: float = 0.0) -> nn.Module:
    with seeded(seed):
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, CLASSES))


def linear(seed: int = 0) -> nn.Module:
    with seeded(seed):
        return nn.Linear(FEATURES, CLASSES)


def jobs(make: Callable[[int], nn.Module], validate: bool = False) -> list[HeadJob]:
    """Two sources of features, several shares and seeds, so that batches and steps differ."""
    sources = [features(0), features(1)]
    found = []
    for number, count in enumerate((5, 70, 16, 33, 70, 90)):
        data = sources[number % 2]
        rows = np.random.default_rng(number).permutation(len(data))[:count]
        held = np.arange(40, 60) if validate and number != 2 else None
        weights = balanced_weights(data.label.numpy()[rows], CLASSES) if number % 3 else None
        found.append(HeadJob(make(number), data, rows, seed=number, validate=held, class_weights=weights))
    return found


def alone(job: HeadJob, options: Options, minimum_steps: int = 1) -> TrainedHead:
    """The same with the ordinary loop."""
    head = copy.deepcopy(job.head)
    assert job.rows is not None
    objective = Supervised(job.class_weights)
    validate = None if job.validate is None else HeldOut(objective, job.data.take(job.validate))
    batches = Shuffled(job.data.take(job.rows), BATCH, job.seed, minimum_steps=minimum_steps)
    options = replace(options, seed=job.seed, bfloat16=False)
    return TrainedHead(head, fit(OnFeatures(head), batches, objective, options, validate=validate))


def assert_same(one: TrainedHead, other: TrainedHead) -> None:
    theirs = other.head.state_dict()
    for name, value in one.head.state_dict().items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-4, atol=1e-5)
    assert (one.history.best_epoch, one.history.ended) == (other.history.best_epoch, other.history.ended)
    assert one.history.train_loss == pytest.approx(other.history.train_loss, rel=1e-4)
    assert one.history.validation_loss == pytest.approx(other.history.validation_loss, rel=1e-4)


@pytest.mark.parametrize(
    ("make", "options", "minimum_steps"),
    [
        (linear, OPTIONS, 1),
        (dense, OPTIONS, 1),
        (dense, replace(OPTIONS, schedule="cosine", warm_up=0.2), 4),
        (dense, replace(OPTIONS, clip_norm=0.3), 1),
        (lambda seed: dense(seed, dropout=0.4), OPTIONS, 1),
    ],
    ids=["linear", "dense", "schedule", "clipped", "dropout"],
)
def test_each_ends_as_it_would_alone(make: Callable[[int], nn.Module], options: Options, minimum_steps: int) -> None:
    work = jobs(make)
    before = [copy.deepcopy(job.head.state_dict()) for job in work]
    found = fit_heads(work, options, batch_size=BATCH, minimum_steps=minimum_steps)
    for job, trained, start in zip(work, found, before, strict=True):
        assert_same(trained, alone(job, options, minimum_steps))
        assert not trained.head.training
        assert all(torch.equal(value, start[name]) for name, value in job.head.state_dict().items())
        assert not any(torch.equal(value, start[name]) for name, value in trained.head.state_dict().items())


def test_each_stops_at_its_own_best_epoch() -> None:
    work = jobs(dense, validate=True)
    options = replace(OPTIONS, epochs=40, patience=2, learning_rate=0.03)
    found = fit_heads(work, options, batch_size=BATCH)
    for job, trained in zip(work, found, strict=True):
        assert_same(trained, alone(job, options))
    assert {history.ended for _, history in found} == {"epochs", "patience"}
    assert len({len(history.train_loss) for _, history in found}) > 2


def test_little_memory_changes_nothing_but_the_turns() -> None:
    wide = [replace(job, head=nn.Linear(FEATURES, CLASSES)) for job in jobs(linear)]
    seen: list[Progress] = []
    with session(Session(progress=seen.append)):
        turns = fit_heads(wide * 200, OPTIONS, batch_size=BATCH, memory_mib=1)
    assert {at.epochs for at in seen} == {seen[0].epochs}
    assert seen[0].epochs > 1
    for one, other in zip(turns, fit_heads(wide, OPTIONS, batch_size=BATCH) * 200, strict=True):
        assert_same(one, other)


def test_a_stop_leaves_what_there_is() -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == 9

    found = fit_heads(jobs(dense), OPTIONS, batch_size=BATCH, session=Session(stop=stop))
    ended = [history.ended for _, history in found]
    assert asked == 9
    assert "request" in ended
    assert ended[0] == "epochs"  # one step an epoch: it was done before
    assert all(torch.isfinite(value).all() for head, _ in found for value in head.state_dict().values())


def test_other_heads_are_refused() -> None:
    data = features()
    with pytest.raises(UsageError, match="not Tanh"):
        fit_heads([HeadJob(nn.Sequential(nn.Linear(FEATURES, 3), nn.Tanh()), data)])
    with pytest.raises(UsageError, match="same layers"):
        fit_heads([HeadJob(linear(), data), HeadJob(dense(), data)])
    data.values[3] = float("inf")
    with pytest.raises(UsageError, match="no longer finite"):
        fit_heads([HeadJob(linear(), data)], OPTIONS)
    assert fit_heads([]) == []
