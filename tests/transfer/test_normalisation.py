"""Strategy 5 removes offsets and gains of the target, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from jointwatch.core import Windows, catalog
from jointwatch.core.errors import UsageError
from jointwatch.detectors.cnn import Cnn
from jointwatch.transfer.normalisation import Normalisation

Arms = Callable[..., Windows]


@pytest.fixture(scope="module")
def strategy(arms: Arms) -> Normalisation:
    detector = Cnn(filters=(12, 12, 16), epochs=10, batch_size=32, learning_rate=5e-3, bfloat16=False)
    return Normalisation(detector).fit(arms(cycles=30))


def test_a_target_in_other_units_scores_as_the_source(strategy: Normalisation, arms: Arms) -> None:
    source = arms(1)
    gain = np.linspace(0.2, 5, source.shape[1])[:, None]
    index = replace(source.index, domain=np.full(len(source), "other"))
    target = replace(source, values=gain * source.values + 3, index=index)
    before = strategy.adapt(source).score_samples(source)
    after = strategy.adapt(target).score_samples(target)
    assert after == pytest.approx(before, abs=0.02)


def test_the_network_stays(strategy: Normalisation, arms: Arms) -> None:
    adapted = strategy.adapt(arms(1, "other"))
    one, other = strategy.detector_.network_.state_dict(), adapted.detector_.network_.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_an_unknown_domain_must_be_adapted_to_first(strategy: Normalisation, arms: Arms) -> None:
    with pytest.raises(UsageError, match="other"):
        strategy.score_samples(arms(1, "other"))


def test_works_with_a_detector_without_a_network(arms: Arms) -> None:
    detector = catalog.load("detectors", "mahalanobis")()
    adapted = Normalisation(detector).fit(arms(cycles=30)).adapt(arms(1, "other"))
    test = arms(2, "other", faulty=(1, 4, 7, 10))
    assert np.isfinite(adapted.score_samples(test)).all()
    assert adapted.detect(test).detector == "mahalanobis"
