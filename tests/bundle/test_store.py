"""Stored models come back the same, and anything else is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jointwatch.alarms.monitor import Monitor
from jointwatch.bundle import load, save
from jointwatch.bundle._files import digest
from jointwatch.core import Recording, catalog
from jointwatch.core.errors import MissingExtra, ModelFileError, UsageError
from jointwatch.training.clock import Clock
from jointwatch.windows.plan import WindowPlan

Make = Callable[..., Recording]


@pytest.fixture
def stored(arm_recording: Make, tmp_path: Path) -> tuple[Monitor, Path, list[Recording]]:
    healthy = [arm_recording(seed=s, cycles=10, session=f"s{s}") for s in range(4)]
    monitor = Monitor.suited_to(healthy, false_alarm_rate=0.1, length=40).fit(healthy)
    return monitor, save(monitor, tmp_path / "model"), healthy


@pytest.mark.parametrize("name", catalog.names("detectors"))
def test_every_detector_scores_the_same_after_loading(name: str, arm_recording: Make, tmp_path: Path) -> None:
    recordings = [arm_recording(seed=s, cycles=8, session=f"s{s}", faulty=(2, 5)) for s in range(3)]
    windows = WindowPlan.suited_to(recordings, length=32).cut(recordings)
    detector = catalog.load("detectors", name)()
    quick = {key: value for key, value in {"epochs": 2, "random_state": 0}.items() if key in detector.get_params()}
    strategy = catalog.load("transfer", "normalisation")(detector.set_params(**quick)).fit(windows)
    again = load(save(strategy, tmp_path / name))
    assert np.array_equal(again.score_samples(windows), strategy.score_samples(windows))
    assert again.get_params(deep=False).keys() == strategy.get_params(deep=False).keys()


def test_monitor_round_trip(stored: tuple[Monitor, Path, list[Recording]]) -> None:
    monitor, folder, healthy = stored
    again = load(folder)
    before, after = monitor.score(healthy), again.score(healthy)
    assert np.array_equal(before.cycle_scores.value, after.cycle_scores.value)
    assert before.alarms == after.alarms
    assert again.summary() == monitor.summary()
    adapted = again.adapt(healthy)
    assert adapted.facts_ == again.facts_


def test_no_pickle_and_nothing_executable_is_written(stored: tuple[Monitor, Path, list[Recording]]) -> None:
    _, folder, _ = stored
    assert sorted(path.name for path in folder.iterdir()) == ["arrays.safetensors", "model.json"]
    json.loads((folder / "model.json").read_text())


@pytest.mark.parametrize("name", ["model.json", "arrays.safetensors"])
def test_one_changed_byte_is_refused(stored: tuple[Monitor, Path, list[Recording]], name: str) -> None:
    _, folder, _ = stored
    data = bytearray((folder / name).read_bytes())
    rng = np.random.default_rng(0)
    for position in rng.integers(len(data), size=20):
        damaged = data.copy()
        damaged[position] ^= 1 << int(rng.integers(8))
        (folder / name).write_bytes(damaged)
        with pytest.raises(ModelFileError):
            load(folder)


def test_truncated_missing_newer_and_foreign_are_refused(
    stored: tuple[Monitor, Path, list[Recording]], tmp_path: Path
) -> None:
    _, folder, _ = stored
    with pytest.raises(ModelFileError, match="no jointwatch model"):
        load(tmp_path / "nothing")
    text = (folder / "model.json").read_text()
    (folder / "model.json").write_text(text[: len(text) // 2])
    with pytest.raises(ModelFileError):
        load(folder)
    (folder / "model.json").write_text(json.dumps({**json.loads(text), "schema": 99}))
    with pytest.raises(ModelFileError, match="update"):
        load(folder)


def test_only_classes_of_this_package_are_made(stored: tuple[Monitor, Path, list[Recording]]) -> None:
    from jointwatch.bundle._files import digest

    _, folder, _ = stored
    content = json.loads((folder / "model.json").read_text())
    for name in (
        "subprocess:Popen",
        "jointwatch.nothing:Here",
        "jointwatch.bundle.store:Path",
        "jointwatch.core.channel:re.compile",
    ):
        content.pop("content_sha256", None)
        content["model"]["$estimator"] = name
        content["content_sha256"] = digest(content)
        (folder / "model.json").write_text(json.dumps(content))
        with pytest.raises(ModelFileError, match=r"cannot be rebuilt|does not have"):
            load(folder)


@pytest.mark.parametrize(
    "node",
    [
        {"$estimator": "jointwatch.recordings._reading:Reading", "params": {}, "fitted": {}},
        {"$estimator": "jointwatch.core.index:Index", "params": {}, "fitted": {}},
        {"$data": "jointwatch.training.clock:Clock", "fields": {"file": "a"}},
        {"$data": "jointwatch.detectors.mahalanobis:Mahalanobis", "fields": {}},
        {"$data": "jointwatch.core.errors:UsageError", "fields": {}},
        {"$enum": "jointwatch.core.errors:UsageError", "value": "a"},
        {"$network": "jointwatch.detectors.cnn:Cnn", "config": {}, "weights": {}},
    ],
)
def test_only_what_models_are_made_of_is_made(
    stored: tuple[Monitor, Path, list[Recording]], node: dict[str, object]
) -> None:
    _, folder, _ = stored
    name = next(iter(node.values()))
    content = json.loads((folder / "model.json").read_text())
    content.pop("content_sha256")
    content["model"]["fitted"]["odd_"] = node
    (folder / "model.json").write_text(json.dumps({**content, "content_sha256": digest(content)}))
    with pytest.raises(ModelFileError, match=f"{name} is not a .* that a model is made of"):
        load(folder)


@pytest.mark.parametrize(
    "odd", [MissingExtra("torch", extra="fit"), Clock(Path("a"))], ids=["error", "object that changes"]
)
def test_what_would_not_be_loaded_is_not_stored(odd: object, tmp_path: Path) -> None:
    detector = catalog.load("detectors", "mahalanobis")()
    detector.odd_ = odd
    with pytest.raises(UsageError, match=r"Mahalanobis\.odd_ is a .* cannot be stored"):
        save(detector, tmp_path / "m")


def test_what_cannot_be_stored_is_named(tmp_path: Path) -> None:
    detector = catalog.load("detectors", "mahalanobis")()
    detector.odd_ = object()
    with pytest.raises(UsageError, match=r"Mahalanobis\.odd_"):
        save(detector, tmp_path / "m")


def test_arrays_come_back_in_shape_and_apart(tmp_path: Path) -> None:
    detector = catalog.load("detectors", "mahalanobis")()
    detector.odd_ = {"a.b": np.ones(2), "a": {"b": np.zeros(3)}, "scalar": np.array(3.0), 4: np.int64(4)}
    detector.turned_ = np.arange(6).reshape(2, 3).T[::-1]
    again = load(save(detector, tmp_path / "m"))
    assert again.odd_["a.b"].tolist() == [1, 1]
    assert again.odd_["a"]["b"].tolist() == [0, 0, 0]
    assert again.odd_["scalar"].shape == ()
    assert again.odd_[4] == 4
    assert np.array_equal(again.turned_, detector.turned_)


def test_a_function_is_refused(tmp_path: Path) -> None:
    detector = catalog.load("detectors", "mahalanobis")()
    detector.rule_ = lambda recording: "a"
    with pytest.raises(UsageError, match=r"Mahalanobis\.rule_ is a function, .*give a name"):
        save(detector, tmp_path / "m")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("model",), {}),
        (("model",), {"$text": ["a" * 100_000] + ["b"] * 10_000, "shape": [10_001]}),
        (("model", "fitted"), {"_fast": 1}),
        (("model", "fitted"), {"fit": 1}),
        (("model", "$estimator"), "os:system"),
        (("sha256",), {"../secret": "0" * 64}),
    ],
)
def test_strange_content_with_right_digests_is_refused(
    stored: tuple[Monitor, Path, list[Recording]], place: tuple[str, ...], value: object
) -> None:
    _, folder, _ = stored
    body = json.loads((folder / "model.json").read_text())
    body.pop("content_sha256")
    part = body
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    (folder / "model.json").write_text(json.dumps({**body, "content_sha256": digest(body)}))
    with pytest.raises(ModelFileError):
        load(folder)
