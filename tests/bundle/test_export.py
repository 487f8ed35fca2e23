"""A bundle decides as the model that it was made of, and says so of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jointwatch.alarms.monitor import Monitor
from jointwatch.bundle import Bundle, export, open_bundle
from jointwatch.bundle.golden import TOLERANCE, disturbed
from jointwatch.bundle.signature import load_private_key, load_public_key, make_keys
from jointwatch.core import Recording, catalog
from jointwatch.core.errors import ModelFileError, UsageError
from jointwatch.detectors._network_graph import NetworkGraph
from jointwatch.detectors.cnn import Cnn
from jointwatch.diagnosis.anomaly import AnomalyDetector
from jointwatch.diagnosis.axis_fault import AxisFaultClassifier
from jointwatch.diagnosis.transmission_error import TransmissionErrorGrader
from jointwatch.training.recipes import recipe
from jointwatch.transfer.dann import Dann
from jointwatch.windows.feature_maps import FeatureMaps
from jointwatch.windows.plan import WindowPlan

Make = Callable[..., Recording]
SMALL = {"epochs": 2, "filters": (6, 8), "kernels": (5, 3), "hidden": 6, "code": 4, "random_state": 0}


@pytest.fixture(scope="module")
def healthy(arm_recording: Make) -> list[Recording]:
    return [arm_recording(seed=s, cycles=10, session=f"s{s}") for s in range(4)]


@pytest.fixture(scope="module")
def odd(arm_recording: Make) -> list[Recording]:
    return [arm_recording(seed=9, cycles=10, session="new", faulty=(2, 5, 6))]


@pytest.fixture(scope="module")
def axis_sessions(axis_session: Make) -> list[Recording]:
    kinds = (("a", ""), ("b", ""), ("worn", "reducer_wear"))
    return [axis_session(unit=f"arm-{unit}", session=name, fault=fault) for unit in range(4) for name, fault in kinds]


def monitor_around(name: str, healthy: list[Recording]) -> Monitor:
    plan = WindowPlan.suited_to(healthy, length=32)
    detector = catalog.load("detectors", name)()
    detector.set_params(**{key: value for key, value in SMALL.items() if key in detector.get_params()})
    return Monitor(plan, catalog.load("transfer", "normalisation")(detector), false_alarm_rate=0.05).fit(healthy)


@pytest.fixture(scope="module")
def network(healthy: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> tuple[Monitor, Bundle]:
    monitor = monitor_around("cnn", healthy)
    return monitor, export(monitor, tmp_path_factory.mktemp("bundle") / "cnn.jointwatch")


def agree(found: np.ndarray, expected: np.ndarray, tolerance: float = TOLERANCE) -> bool:
    return bool(np.abs(found - expected).max() <= tolerance * np.abs(expected).max())


@pytest.mark.parametrize("name", [name for name in catalog.names("detectors") if name != "cnn"])
def test_every_detector_decides_as_before(
    name: str, healthy: list[Recording], odd: list[Recording], tmp_path: Path
) -> None:
    monitor = monitor_around(name, healthy)
    bundle = export(monitor, tmp_path / "x.jointwatch")
    before, after = monitor.score(odd), bundle.model.score(odd)
    assert agree(after.cycle_scores.value, before.cycle_scores.value)
    assert np.array_equal(after.passed, before.passed)
    assert [alarm.cycle for alarm in after.alarms] == [alarm.cycle for alarm in before.alarms]
    if before.cycle_scores.contributions is not None:
        assert agree(after.cycle_scores.contributions, before.cycle_scores.contributions, 1e-4)
    assert bundle.model.summary() == monitor.summary()
    assert bundle.check().identical
    assert bundle.archive.facts["parity"]["changed"] == 0


def test_a_network_is_a_graph_and_names_the_same_joint(network: tuple[Monitor, Bundle], odd: list[Recording]) -> None:
    monitor, bundle = network
    graph = bundle.model.strategy_.detector_
    assert isinstance(graph, NetworkGraph)
    assert graph.name == "cnn"
    assert {Path(name).suffix for name in bundle.archive.members} == {".json", ".safetensors", ".onnx"}
    before, after = monitor.score(odd), bundle.model.score(odd)
    assert agree(after.cycle_scores.value, before.cycle_scores.value)
    assert agree(after.cycle_scores.contributions, before.cycle_scores.contributions, 1e-4)
    assert np.array_equal(after.passed, before.passed)
    assert bundle.check().identical
    golden = bundle.golden
    assert len(set(golden.decisions)) > 1  # the check has something to tell apart
    with pytest.raises(UsageError, match="cannot be fitted"):
        graph.fit(after.windows)


def test_alarms_of_cycles_with_several_windows_are_those_of_all_explained(
    healthy: list[Recording], odd: list[Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = WindowPlan.suited_to(healthy, kind="sliding", rate_hz=50.0, length=32, step=16, decide_s=None)
    detector = Cnn(filters=(6, 8), kernels=(5, 3), epochs=4)
    monitor = Monitor(plan, catalog.load("transfer", "normalisation")(detector), false_alarm_rate=0.05).fit(healthy)
    model = export(monitor, tmp_path / "cnn.jointwatch").model
    found = model.score(odd)
    assert found.window_scores.contributions is None
    assert len(found.window_scores) >= 3 * len(found.cycle_scores)
    monkeypatch.setattr(NetworkGraph, "_costly_contributions", False)
    expected = model.score(odd)
    assert expected.window_scores.contributions is not None
    assert len(expected.alarms) >= 2
    for ours, theirs in zip(found.alarms, expected.alarms, strict=True):
        assert replace(ours, score=theirs.score) == theirs
        assert ours.score == pytest.approx(theirs.score, rel=1e-6)
    assert agree(found.cycle_scores.contributions, expected.cycle_scores.contributions)


def test_a_strategy_leaves_what_it_learned_with_behind(
    healthy: list[Recording], arm_recording: Make, tmp_path: Path
) -> None:
    door = AnomalyDetector("dann", windows={"length": 32}, false_alarm_rate=0.05)
    other = [arm_recording(seed=20 + s, cycles=8, session=f"t{s}", brand="new", unit="new-1") for s in range(4)]
    plan = WindowPlan.suited_to(healthy, length=32)
    strategy = Dann(Cnn(epochs=1, filters=(4, 4), kernels=(3, 3)))
    door = AnomalyDetector.around(Monitor(plan, strategy, false_alarm_rate=0.05).fit(healthy)).adapt(other)
    bundle = export(door, tmp_path / "dann.jointwatch")
    assert bundle.archive.kind == "anomaly detector"
    assert bundle.model.monitor_.strategy_.name == "dann"
    assert not hasattr(bundle.model.monitor_.strategy_, "source_")
    later = [arm_recording(seed=40 + s, cycles=8, session=f"l{s}", brand="new", unit="new-1") for s in range(4)]
    assert agree(bundle.model.score_samples(later), door.score_samples(later))
    assert np.array_equal(bundle.model.predict(later), door.predict(later))
    with pytest.raises(UsageError, match="adapted already"):
        bundle.model.adapt(other)


def test_eight_bits_are_close_and_say_how_close(network: tuple[Monitor, Bundle], tmp_path: Path) -> None:
    monitor, whole = network
    bundle = export(monitor, tmp_path / "small.jointwatch", int8=True)
    facts = bundle.archive.facts
    assert facts["int8"]
    assert facts["parity"]["difference"] > 0
    assert bundle.model.threshold_.threshold_ != monitor.threshold_.threshold_  # set by its own scores
    detector, full = bundle.model.strategy_.detector_, whole.model.strategy_.detector_
    assert not detector.score_graph.adjustable
    assert detector.statistics_graph is None
    windows = monitor.strategy_.normaliser_.transform(disturbed(monitor.healthy_))
    scores, exact = detector.score_samples(windows), full.score_samples(windows)
    assert np.corrcoef(scores, exact)[0, 1] > 0.95
    assert np.array_equal(detector.detect(windows).value, scores)  # explained or not: one score
    with pytest.raises(UsageError, match="eight bits"):
        detector.statistics_of(windows)


def test_recordings_that_set_the_threshold_are_no_obstacle(
    network: tuple[Monitor, Bundle], healthy: list[Recording], tmp_path: Path
) -> None:
    """They tie with themselves, and a tie is decided by the last bit."""
    assert export(network[0], tmp_path / "same.jointwatch", recordings=healthy).check().identical


def test_eight_bits_need_a_network(healthy: list[Recording], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="network"):
        export(monitor_around("mahalanobis", healthy), tmp_path / "x.jointwatch", int8=True)
    assert not list(tmp_path.iterdir())


def test_a_model_that_says_something_else_is_noticed(network: tuple[Monitor, Bundle]) -> None:
    bundle = network[1]
    assert bundle.check().changed == 0
    shifted = replace(bundle, golden=replace(bundle.golden, scores=bundle.golden.scores + 1))
    assert not shifted.check().identical
    said = np.where(bundle.golden.decisions == "normal", "anomalous", bundle.golden.decisions)
    assert replace(bundle, golden=replace(bundle.golden, decisions=said)).check().changed > 0


@pytest.mark.parametrize("views", [("friction",), ("network",), ("network", "friction")])
def test_classifier(views: tuple[str, ...], axis_sessions: list[Recording], tmp_path: Path) -> None:
    fast = recipe("modern")
    model = AxisFaultClassifier(
        views=views,
        training=replace(fast, options=replace(fast.options, epochs=2)),
        maps=FeatureMaps(step=4, length=8, stride=1, within="cycle"),
        network_options={"filters": 4, "hidden": 8},
    ).fit(axis_sessions)
    with pytest.raises(UsageError, match="--golden"):
        export(model, tmp_path / "none.jointwatch")
    bundle = export(model, tmp_path / "axis.jointwatch", recordings=axis_sessions[:3])
    new = axis_sessions[3:6]
    assert bundle.archive.kind == "axis fault classifier"
    assert np.abs(bundle.model.predict_proba(new) - model.predict_proba(new)).max() < 1e-5
    assert np.array_equal(bundle.model.predict(new), model.predict(new))
    for there, here in zip(bundle.model.explain(new), model.explain(new), strict=True):
        assert agree(there.contributions, here.contributions, 1e-4)
        assert (there.attention is None) == (here.attention is None)
    assert bundle.check().identical


@pytest.mark.parametrize(
    ("view", "options"),
    [
        ("profile", None),
        ("code", {"code": "auto_encoder", "size": 3, "epochs": 2, "length": 1000, "vector": {"size": 200}}),
    ],
)
def test_grader(view: str, options: dict[str, object] | None, drive_session: Make, tmp_path: Path) -> None:
    drives = [
        drive_session(unit=f"drive-{unit}", session=f"at {level}", level=level)
        for unit in range(10)
        for level in (0.5, 0.6, 1.5, 2.5, 3.5, 4.5, 5.5)
    ]
    options = options and {**options, "covariance": "diag"}
    baseline = "unit" if view == "profile" else None
    model = TransmissionErrorGrader(view, baseline=baseline, view_options=options).fit(drives)
    bundle = export(model, tmp_path / "drive.jointwatch", recordings=drives[:7])
    assert any(name.endswith(".onnx") for name in bundle.archive.members) == (view == "code")
    there, here = bundle.model.grade(drives[7:14]), model.grade(drives[7:14])
    assert np.allclose(there.probability, here.probability, rtol=1e-4, atol=1e-6)
    assert np.array_equal(there.level, here.level)
    assert bundle.check().identical


def test_one_flipped_byte_anywhere_is_refused(network: tuple[Monitor, Bundle], tmp_path: Path) -> None:
    raw = network[1].archive.path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(len(raw), size=200):
        damaged = bytearray(raw)
        damaged[place] ^= int(rng.integers(1, 256))
        path = tmp_path / "damaged.jointwatch"
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError):
            open_bundle(path)


def test_signed_bundles_open_with_the_right_key_only(healthy: list[Recording], tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "ours")
    _, foreign = make_keys(tmp_path / "theirs")
    monitor = monitor_around("pca", healthy)
    signed = export(monitor, tmp_path / "signed.jointwatch", key=load_private_key(private)).archive.path
    plain = export(monitor, tmp_path / "plain.jointwatch").archive.path
    assert open_bundle(signed, public_key=load_public_key(public)).archive.verified
    for path, key in ((signed, foreign), (plain, public)):
        with pytest.raises(ModelFileError):
            open_bundle(path, public_key=load_public_key(key))


def test_the_same_model_gives_the_same_bytes(healthy: list[Recording], tmp_path: Path) -> None:
    monitor = monitor_around("mahalanobis", healthy)
    one, two = (export(monitor, tmp_path / f"{name}.jointwatch").archive.path for name in ("a", "b"))
    assert one.read_bytes() == two.read_bytes()


def test_what_is_not_fitted_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not fitted"):
        export(AnomalyDetector(), tmp_path / "x.jointwatch")
