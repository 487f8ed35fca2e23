"""Batches are pure functions of epoch and step, and lose nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from jointwatch.core import Recording
from jointwatch.core.errors import UsageError
from jointwatch.training.data import Batch, Shuffled, identity
from jointwatch.training.objectives import Supervised
from jointwatch.windows.sliding import sliding


def rows_of(batch: Batch) -> list[int]:
    return batch.values[:, 0, 0].int().tolist()


@pytest.fixture
def numbered() -> Batch:
    return Batch.of_arrays(np.arange(11, dtype=np.float32).reshape(11, 1, 1))


def test_every_row_once_an_epoch_in_equal_batches(numbered: Batch) -> None:
    batches = Shuffled(numbered, batch_size=4, seed=0)
    parts = [rows_of(batches.batch(2, step)) for step in range(len(batches))]
    assert sorted(row for part in parts for row in part) == list(range(11))
    assert sorted(map(len, parts)) == [3, 4, 4]


def test_any_step_can_be_asked_for_again(numbered: Batch) -> None:
    def noisy(batch: Batch, rng: np.random.Generator) -> Batch:
        return Batch.of_arrays(batch.values.numpy() + rng.standard_normal((len(batch), 1, 1)))

    forward, backward = (Shuffled(numbered, 4, seed=7, change=noisy) for _ in range(2))
    order = [(epoch, step) for epoch in range(3) for step in range(3)]
    one = {key: forward.batch(*key).values for key in order}
    other = {key: backward.batch(*key).values for key in reversed(order)}
    assert all(torch.equal(one[key], other[key]) for key in order)
    assert not torch.equal(one[0, 0], one[1, 0])
    assert not torch.equal(Shuffled(numbered, 4, seed=8, change=noisy).batch(0, 0).values, one[0, 0])


def test_few_rows_are_gone_through_several_times(numbered: Batch) -> None:
    batches = Shuffled(numbered, batch_size=100, minimum_steps=3)
    assert [sorted(rows_of(batches.batch(0, step))) for step in range(len(batches))] == [list(range(11))] * 3


def test_fingerprint_tells_all_that_matters(numbered: Batch) -> None:
    def change(batch: Batch, rng: np.random.Generator) -> Batch:
        return batch

    other = Batch.of_arrays(numbered.values.numpy() + 1)
    made = [
        Shuffled(numbered, 4),
        Shuffled(numbered, 5),
        Shuffled(numbered, 4, seed=1),
        Shuffled(other, 4),
        Shuffled(numbered, 4, change),
        Shuffled(numbered, 4, minimum_steps=9),
    ]
    assert len({batches.fingerprint() for batches in made}) == len(made)
    assert Shuffled(numbered, 4).fingerprint() == made[0].fingerprint()
    assert identity(Supervised((1.0, 2.0))) != identity(Supervised())


def test_labels_masks_and_domains_of_windows(arm_recording: Callable[..., Recording]) -> None:
    recordings = [arm_recording(brand="b", faulty=(1,)), arm_recording(brand="a", joints=1)]
    windows = sliding(recordings, rate_hz=100.0, length=200, channels=recordings[0].channels)
    batch = Batch.of(windows)
    assert batch.label.tolist() == [0, 1, 0, 0, 0, 0] + [0] * 6
    assert batch.domain.tolist() == [1] * 6 + [0] * 6
    assert Batch.of(windows, domains=("b", "a")).domain.tolist() == [0] * 6 + [1] * 6
    assert batch.mask.sum(dim=1).tolist() == [6] * 6 + [3] * 6
    with pytest.raises(UsageError, match="domains"):
        Batch.of(windows, domains=("b",))


def test_wrong_shapes_are_refused(numbered: Batch) -> None:
    with pytest.raises(UsageError, match="row, channel, time"):
        Batch.of_arrays(np.zeros((3, 4)), mask=np.ones((3, 4), bool))
    with pytest.raises(UsageError, match="label"):
        Batch.of_arrays(np.zeros((3, 1, 4)), label=np.zeros(2))
    with pytest.raises(UsageError, match="cannot make batches"):
        Shuffled(numbered, 0)
