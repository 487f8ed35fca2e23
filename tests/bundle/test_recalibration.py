"""A device sets its threshold anew: numbered, reversible, measured on cycles that set nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jointwatch.alarms.monitor import Monitor
from jointwatch.bundle import Bundle, export, open_bundle, recalibrate, recalibrated
from jointwatch.bundle.recalibration import _parts
from jointwatch.bundle.signature import load_private_key, load_public_key, make_keys
from jointwatch.core import Recording
from jointwatch.core.errors import ModelFileError, NotEnoughData, UsageError
from jointwatch.detectors.cnn import Cnn
from jointwatch.transfer.normalisation import Normalisation
from jointwatch.windows.plan import WindowPlan

Make = Callable[..., Recording]


@pytest.fixture(scope="module")
def young(arm_recording: Make) -> list[Recording]:
    return [arm_recording(seed=s, cycles=10, session=f"s{s}") for s in range(4)]


@pytest.fixture(scope="module")
def later(arm_recording: Make) -> list[Recording]:
    """The arm has become noisier, which is no fault."""
    return [arm_recording(seed=100 + s, cycles=20, session=f"later {s}", noise_a=0.04) for s in range(5)]


@pytest.fixture(scope="module")
def bundle(young: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    monitor = Monitor.suited_to(young, detector="mahalanobis", length=32, false_alarm_rate=0.05).fit(young)
    return export(monitor, tmp_path_factory.mktemp("bundle") / "arm.jointwatch")


def test_false_alarms_are_back_at_the_stated_rate(
    bundle: Bundle, later: list[Recording], arm_recording: Make, tmp_path: Path
) -> None:
    found = recalibrate(bundle, later, tmp_path)
    assert found.path.name == "arm.1.recalibration"
    assert found.before.cycles == found.after.cycles == 20
    assert found.before.false_alarms > 10 > found.after.false_alarms
    assert found.after.threshold > found.before.threshold
    new = [arm_recording(seed=200, cycles=40, session="tomorrow", noise_a=0.04)]
    before, after = bundle.model.score(new), recalibrated(bundle, found.path).model.score(new)
    assert np.array_equal(before.cycle_scores.value, after.cycle_scores.value)
    assert before.passed.mean() > 0.5
    assert after.passed.mean() < 0.2


def test_versions_are_numbered_and_the_bundle_stays(bundle: Bundle, later: list[Recording], tmp_path: Path) -> None:
    raw = bundle.archive.path.read_bytes()
    first, second = recalibrate(bundle, later, tmp_path), recalibrate(bundle, later[:3], tmp_path)
    assert (first.number, second.number) == (1, 2)
    assert bundle.archive.path.read_bytes() == raw
    threshold = [
        recalibrated(bundle, path).model.threshold_.threshold_ for path in (first.path, second.path, first.path)
    ]
    assert threshold[0] == threshold[2] == first.after.threshold != threshold[1]
    again = open_bundle(bundle.archive.path).model.threshold_.threshold_
    assert again == bundle.model.threshold_.threshold_ == first.before.threshold


def test_figures_come_from_cycles_that_set_nothing(bundle: Bundle, later: list[Recording], tmp_path: Path) -> None:
    found = recalibrate(bundle, later, tmp_path)
    model = recalibrated(bundle, found.path).model
    assert model.facts_["calibration_cycles"] == 100 - found.after.cycles
    assert len(np.unique(model.healthy_.index.cycle)) == 80
    assert recalibrated(bundle, found.path).check().identical
    # the next version learns from none of them again
    with pytest.raises(NotEnoughData):
        recalibrate(recalibrated(bundle, found.path), later[:2], tmp_path)


def test_overlapping_decisions_share_no_sample_with_those_that_judge(arm_recording: Make, tmp_path: Path) -> None:
    young = [arm_recording(seed=s, cycles=20, session=f"s{s}") for s in range(4)]
    options = {"kind": "sliding", "rate_hz": 50.0, "length": 100, "step": 50, "decide_s": 2.0}
    monitor = Monitor.suited_to(young, detector="mahalanobis", false_alarm_rate=0.05, **options).fit(young)
    windows = monitor.plan.cut([arm_recording(seed=9, cycles=60, session="x")])
    index = windows.index
    parts = _parts(windows, True, True)
    assert all(part.any() for part in parts)
    for one, two in ((0, 1), (0, 2), (1, 2)):
        starts, stops = index.start_s[parts[one]], index.stop_s[parts[one]]
        for start, stop in zip(index.start_s[parts[two]], index.stop_s[parts[two]], strict=True):
            assert not ((starts < stop - 1e-9) & (stops > start + 1e-9)).any()


def test_a_bundle_that_had_too_few_cycles_gets_its_first_threshold(
    young: list[Recording], later: list[Recording], tmp_path: Path
) -> None:
    monitor = Monitor.suited_to(young, detector="mahalanobis", length=32, false_alarm_rate=0.02).fit(young)
    assert monitor.threshold_ is None
    bundle = export(monitor, tmp_path / "young.jointwatch")
    found = recalibrate(bundle, later, tmp_path)
    assert found.before.threshold is None
    assert recalibrated(bundle, found.path).model.threshold_ is not None


def test_all_robots_of_one_threshold_have_to_be_heard(
    young: list[Recording], later: list[Recording], arm_recording: Make, tmp_path: Path
) -> None:
    others = [arm_recording(seed=s, cycles=10, session=f"o{s}", brand="other", unit="o-1") for s in range(4)]
    both = [*young, *others]
    monitor = Monitor.suited_to(both, detector="mahalanobis", length=32, false_alarm_rate=0.05).fit(both)
    with pytest.raises(UsageError, match="recent recordings of other"):
        recalibrate(export(monitor, tmp_path / "two.jointwatch"), later, tmp_path)


def test_known_faults_set_no_threshold(
    bundle: Bundle, later: list[Recording], arm_recording: Make, tmp_path: Path
) -> None:
    faulty = arm_recording(seed=300, cycles=20, session="bad", noise_a=0.04, faulty=tuple(range(5, 15)))
    with_faults, without = recalibrate(bundle, [*later, faulty], tmp_path), recalibrate(bundle, later, tmp_path)
    assert "10 cycles with a fault, known or suspected, were left out" in with_faults.notes
    assert not any("fault" in note for note in without.notes)
    assert with_faults.after.threshold < 1.5 * without.after.threshold


def test_batch_norms_are_measured_anew(young: list[Recording], later: list[Recording], tmp_path: Path) -> None:
    plan = WindowPlan.suited_to(young, length=32)
    network = Cnn(epochs=4, filters=(6, 8), kernels=(5, 3), random_state=0)
    monitor = Monitor(plan, Normalisation(network), false_alarm_rate=0.05).fit(young)
    bundle = export(monitor, tmp_path / "net.jointwatch")
    found = recalibrate(bundle, later, tmp_path, batch_norm=True)
    model = recalibrated(bundle, found.path).model
    before, after = bundle.model.strategy_.detector_, model.strategy_.detector_
    assert after.score_graph.adjustable.keys() == before.score_graph.adjustable.keys()
    assert any(
        np.abs(array - before.score_graph.adjustable[name]).max() > 1e-3
        for name, array in after.score_graph.adjustable.items()
    )
    assert model.facts_["calibration_cycles"] == 40  # half of what is left after the fifth
    assert found.after.false_alarms <= found.before.false_alarms
    scores, parts = after._assess(monitor.strategy_.normaliser_.transform(monitor.healthy_))
    assert np.isfinite(scores).all()
    assert np.isfinite(parts).all()


def test_what_does_not_fit_is_refused(
    bundle: Bundle, young: list[Recording], later: list[Recording], arm_recording: Make, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no batch norms"):
        recalibrate(bundle, later, tmp_path, batch_norm=True)
    with pytest.raises(NotEnoughData, match="50"):
        recalibrate(bundle, later[:1], tmp_path)
    with pytest.raises(NotEnoughData, match="new healthy"):  # all of them were learned from
        recalibrate(bundle, young, tmp_path)
    foreign = [arm_recording(seed=s, cycles=20, session=f"f{s}", brand="other", unit="x") for s in range(5)]
    with pytest.raises(UsageError, match="other"):
        recalibrate(bundle, foreign, tmp_path)
    assert not list(tmp_path.iterdir())
    found = recalibrate(bundle, later, tmp_path)
    strict = Monitor.suited_to(young, detector="pca", length=32, false_alarm_rate=0.05).fit(young)
    with pytest.raises(ModelFileError, match="another bundle"):
        recalibrated(export(strict, tmp_path / "other.jointwatch"), found.path)
    with pytest.raises(ModelFileError, match="not a recalibration"):
        recalibrated(bundle, bundle.archive.path)
    raw = bytearray(found.path.read_bytes())
    raw[len(raw) // 2] ^= 4
    found.path.write_bytes(raw)
    with pytest.raises(ModelFileError):
        recalibrated(bundle, found.path)


def test_a_signature_is_asked_for(bundle: Bundle, later: list[Recording], tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "keys")
    plain = recalibrate(bundle, later, tmp_path)
    signed = recalibrate(bundle, later, tmp_path, key=load_private_key(private))
    key = load_public_key(public)
    assert recalibrated(bundle, signed.path, public_key=key).model.threshold_ is not None
    with pytest.raises(ModelFileError):
        recalibrated(bundle, plain.path, public_key=key)
