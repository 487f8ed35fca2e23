"""What every strategy of the catalog promises."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from jointwatch.core import Recording, Windows, catalog
from jointwatch.core.errors import UsageError
from jointwatch.detectors.cnn import Cnn
from jointwatch.transfer.base import Strategy
from jointwatch.windows.sliding import sliding

NAMES = catalog.names("transfer")


def make(name: str, **options: Any) -> Strategy:
    detector = Cnn(filters=(8, 8, 8), epochs=2, batch_size=32, bfloat16=False)
    strategy = catalog.load("transfer", name)(detector, **options)
    return strategy.set_params(epochs=2) if "epochs" in strategy.get_params(deep=False) else strategy


@pytest.fixture(scope="module")
def windows(arm_recording: Callable[..., Recording]) -> Callable[..., Windows]:
    """windows(seed, *brands, faulty=()): 12 cycles of an arm of each brand."""

    def cut(seed: int, *brands: str, faulty: tuple[int, ...] = ()) -> Windows:
        recordings = [
            arm_recording(
                seed=seed + i, brand=brand, unit=brand, session=f"s{seed}", cycles=12, rate_hz=20.0, faulty=faulty
            )
            for i, brand in enumerate(brands)
        ]
        return sliding(recordings, rate_hz=20.0, length=20, step=20)

    return cut


@pytest.fixture(scope="module", params=NAMES)
def fitted(request: pytest.FixtureRequest, windows: Callable[..., Windows]) -> Strategy:
    return make(request.param).fit(windows(0, "a", "b", "c", faulty=(2, 5)))


def test_the_first_two_are_there() -> None:
    assert {"normalisation", "batch_norm"} <= set(NAMES)


@pytest.mark.parametrize("brands", [("a",), ("a", "b", "c")])
@pytest.mark.parametrize("name", NAMES)
def test_one_or_several_sources(name: str, brands: tuple[str, ...], windows: Callable[..., Windows]) -> None:
    strategy = make(name).fit(windows(0, *brands))
    assert strategy.name == name
    target = windows(50, "target")
    adapted = strategy.adapt(target)
    assert type(adapted) is type(strategy)
    scores = adapted.score_samples(target)
    assert scores.shape == (len(target),)
    assert np.isfinite(scores).all()
    found = adapted.detect(target)
    assert np.array_equal(found.value, scores)
    assert found.detector == "cnn"
    assert found.contributions is not None
    assert found.contributions.shape == (len(target), len(target.channels))
    assert np.isfinite(adapted.score_samples(windows(0, *brands))).all()  # the sources can still be scored


def test_labels_of_the_target_have_no_influence(fitted: Strategy, windows: Callable[..., Windows]) -> None:
    target = windows(50, "target", faulty=(1, 4, 7))
    wrong = np.where(target.index.label == "normal", "anomalous", "normal")
    blind = replace(target.index, label=np.full(len(target), "uncertain"), fault=np.full(len(target), "?"))
    others = [replace(target.index, label=wrong), replace(target.index, label=np.roll(target.index.label, 3)), blind]
    scores = fitted.adapt(target).score_samples(target)
    for index in others:
        assert np.array_equal(fitted.adapt(replace(target, index=index)).score_samples(target), scores)


def test_adapting_leaves_the_source_model_alone(fitted: Strategy, windows: Callable[..., Windows]) -> None:
    source, target = windows(1, "a", "b"), windows(50, "target", faulty=(1, 4))
    before, domains = fitted.score_samples(source), list(fitted.normaliser_.domains_)
    values = target.values.copy()
    adapted = fitted.adapt(target, labelled=windows(60, "target", faulty=(1, 4)))
    assert adapted is not fitted
    assert np.array_equal(fitted.score_samples(source), before)
    assert fitted.normaliser_.domains_ == domains
    assert np.array_equal(target.values, values)
    with pytest.raises(UsageError, match="target"):
        fitted.score_samples(target)


def test_same_seed_same_scores(fitted: Strategy, windows: Callable[..., Windows]) -> None:
    target, few = windows(50, "target"), windows(60, "target", faulty=(1, 4))
    again = clone(fitted).fit(windows(0, "a", "b", "c", faulty=(2, 5)))
    for labelled in (None, few):
        one, other = fitted.adapt(target, labelled), again.adapt(target, labelled)
        assert np.array_equal(one.score_samples(target), other.score_samples(target))


def test_adapting_twice_starts_from_the_source_each_time(fitted: Strategy, windows: Callable[..., Windows]) -> None:
    first, second = windows(50, "target"), windows(70, "target")
    fitted.adapt(first)
    direct = copy.deepcopy(fitted).adapt(second)
    assert np.array_equal(fitted.adapt(second).score_samples(second), direct.score_samples(second))


def test_parameters_and_clone(fitted: Strategy) -> None:
    parameters = fitted.get_params(deep=False)
    copied = clone(fitted)
    assert copied.get_params(deep=False).keys() == parameters.keys()
    assert copied.detector is not fitted.detector
    assert not hasattr(copied, "detector_")
    assert clone(copied.set_params(clip_sigma=3.0, detector__epochs=1)).get_params()["detector__epochs"] == 1
    assert not hasattr(parameters["detector"], "network_")  # the detector that was handed in is not fitted


@pytest.mark.parametrize("name", NAMES)
def test_adapting_before_fitting_is_an_error(name: str, windows: Callable[..., Windows]) -> None:
    with pytest.raises(UsageError, match="fitted on a source"):
        make(name).adapt(windows(50, "target"))
