"""What every strategy of the catalog promises."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from jointwatch.bundle import load, save
from jointwatch.core import Recording, Windows, catalog
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.detectors.cnn import Cnn
from jointwatch.models.base import Network
from jointwatch.training.data import Batch
from jointwatch.training.seed import seeded
from jointwatch.transfer._fine_tuning import FineTuning
from jointwatch.transfer.base import Strategy
from jointwatch.windows.sliding import sliding

NAMES = catalog.names("transfer")
TUNING = [name for name in NAMES if issubclass(catalog.load("transfer", name), FineTuning)]
NETWORKS: dict[str, dict[str, Any]] = {
    "cnn1d": {"filters": (4, 6, 8), "dropout": 0.2},
    "ad_cnn": {"length": 8, "filters": 4, "hidden": 6, "batch_norm": True},
    "lstm": {"hidden": 6, "layers": 2},
}


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


def test_they_are_there() -> None:
    assert {"normalisation", "batch_norm"} <= set(NAMES)
    assert set(TUNING) == {
        "full", "head_only", "discriminative", "gradual_unfreezing", "l2_sp", "batch_norm", "lora", "adapters",
    }  # fmt: skip


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


@pytest.mark.parametrize("name", NAMES)
def test_without_a_detector_nothing_is_fitted(name: str, windows: Callable[..., Windows]) -> None:
    strategy = make(name).set_params(detector=None)
    with pytest.raises(UsageError, match="no detector"):
        strategy.fit(windows(0, "a"))


def test_an_adapted_strategy_can_be_stored(fitted: Strategy, windows: Callable[..., Windows], tmp_path: Any) -> None:
    target = windows(50, "target")
    adapted = fitted.adapt(target)
    again = load(save(adapted, tmp_path))
    assert np.array_equal(again.score_samples(target), adapted.score_samples(target))
    assert again.get_params(deep=False).keys() == adapted.get_params(deep=False).keys()
    other = windows(70, "another")
    assert np.isfinite(again.adapt(other).score_samples(other)).all()  # adapted once more


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    with seeded(0):
        return catalog.load("models", request.param)(channels=3, **NETWORKS[request.param])


def rows(count: int = 40, classes: int = 2, seed: int = 0) -> Batch:
    label = np.arange(count) % classes
    values = np.random.default_rng(seed).standard_normal((count, 3, 8)) + label[:, None, None]
    return Batch.of_arrays(values, label=label)


def tuner(name: str, **options: Any) -> FineTuning:
    return catalog.load("transfer", name)(**{"epochs": 4, "learning_rate": 0.01, "batch_size": 16} | options)


def same(one: Network, other: Network) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", TUNING)
class TestTuning:
    def test_it_learns_and_leaves_the_source_alone(self, name: str, network: Network) -> None:
        before, mode = copy.deepcopy(network), network.training
        data = rows()
        tuned = tuner(name, epochs=15).tune(network, data)
        assert same(network, before)
        assert network.training == mode
        assert all(parameter.requires_grad for parameter in network.parameters())
        assert not tuned.training
        with torch.inference_mode():
            losses = [
                torch.nn.functional.cross_entropy(each.eval()(data.values), data.label) for each in (before, tuned)
            ]
        assert losses[1] < losses[0]

    def test_other_classes_get_a_new_head(self, name: str, network: Network) -> None:
        data = rows(classes=5)
        tuned = tuner(name).tune(network, data, classes=5)
        assert tuned(data.values).shape == (40, 5)
        assert tuned.config()["classes"] == 5
        assert network(data.values).shape == (40, 2)
        with pytest.raises(UsageError, match="`classes`"):
            tuner(name).tune(network, data)

    def test_a_new_head_begins_anew(self, name: str, network: Network) -> None:
        """The first step cannot bring one to where the other is."""
        data, once = rows(16), {"epochs": 1, "minimum_steps": 1, "learning_rate": 1e-6}
        (head, *_), new = network.part("head").values(), tuner(name, **once, new_head=True).tune(network, data, seed=3)
        kept = tuner(name, **once).tune(network, data, seed=3)
        assert (next(iter(kept.part("head").values())) - head).abs().max() < 1e-4
        assert (next(iter(new.part("head").values())) - head).abs().max() > 1e-2

    def test_seeds(self, name: str, network: Network) -> None:
        data = rows()
        one, again, other = (tuner(name, epochs=2, new_head=True).tune(network, data, seed=seed) for seed in (1, 1, 2))
        assert same(one, again)
        assert not same(one, other)

    def test_stored_and_loaded(self, name: str, network: Network, tmp_path: Any) -> None:
        data = rows(classes=3)
        tuned = tuner(name).tune(network, data, classes=3)
        again = load(save(tuned, tmp_path))
        assert same(tuned, again)
        assert torch.equal(tuned(data.values), again(data.values))
        twice = tuner(name).tune(again, data)
        assert type(twice) is type(tuned)

    def test_many_are_as_one_by_one(self, name: str, network: Network) -> None:
        data = rows(60)
        shares = [np.arange(0, 60, step) for step in (1, 5)]
        held = [np.arange(start, 60, 7) for start in range(2)]
        strategy = tuner(name, epochs=2, minimum_steps=1, new_head=True)
        many = strategy.tune_many(network, data, shares, seeds=[4, 5], validate_rows=held)
        for tuned, share, seed, out in zip(many, shares, (4, 5), held, strict=True):
            alone = strategy.tune(network, data.take(share), validate=data.take(out), seed=seed)
            assert not tuned.training
            for key, value in alone.state_dict().items():
                torch.testing.assert_close(value, tuned.state_dict()[key], rtol=1e-3, atol=1e-4)
        with pytest.raises(UsageError, match="3 seeds"):
            strategy.tune_many(network, data, shares, seeds=[1, 2, 3])

    def test_rows_without_labels(self, name: str, network: Network) -> None:
        data = rows()
        data.label[:] = -1
        with pytest.raises(NotEnoughData, match="labelled rows"):
            tuner(name).tune(network, data)
