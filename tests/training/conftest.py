"""Small data and networks for the tests of training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.data import Batch
from jointwatch.training.seed import seeded


@pytest.fixture
def two_classes() -> Callable[..., Batch]:
    """two_classes(rows=48, seed=0): noise, class 1 lifted by one standard deviation; 3 channels x 16 samples."""

    def make(rows: int = 48, seed: int = 0) -> Batch:
        label = np.arange(rows) % 2
        values = np.random.default_rng(seed).standard_normal((rows, 3, 16)) + label[:, None, None]
        return Batch.of_arrays(values, label=label)

    return make


@pytest.fixture
def tiny() -> Callable[..., Cnn1d]:
    """tiny(seed=0): a network of a few hundred weights, with dropout so that random state matters."""

    def make(seed: int = 0, dropout: float = 0.3) -> Cnn1d:
        with seeded(seed):
            return Cnn1d(3, filters=(4, 6, 8), kernels=(5, 3, 3), dropout=dropout)

    return make
