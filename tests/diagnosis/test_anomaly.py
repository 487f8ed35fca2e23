"""The front door: one chain with the monitor, three labels, the joint named, strategies by name and by themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from jointwatch.alarms.monitor import Monitor
from jointwatch.bundle import load, save
from jointwatch.core import Recording
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.detectors.cnn import Cnn
from jointwatch.diagnosis.anomaly import AnomalyDetector
from jointwatch.transfer.normalisation import Normalisation

Make = Callable[..., Recording]


def fleet(
    make: Make, brand: str, seed: int, sessions: int = 8, cycles: int = 10, **settings: object
) -> list[Recording]:
    return [
        make(seed=seed + s, cycles=cycles, brand=brand, unit=f"{brand}-1", session=f"s{s}", **settings)
        for s in range(sessions)
    ]


@pytest.fixture(scope="module")
def red(arm_recording: Make) -> list[Recording]:
    return fleet(arm_recording, "red", 0)


@pytest.fixture(scope="module")
def blue(arm_recording: Make) -> list[Recording]:
    return fleet(arm_recording, "blue", 200, noise_a=0.05)


@pytest.fixture(scope="module")
def worn(arm_recording: Make) -> Recording:
    return arm_recording(seed=90, cycles=8, brand="blue", unit="blue-1", session="later", faulty=(3, 6), noise_a=0.05)


def door(**settings: object) -> AnomalyDetector:
    options = {"false_alarm_rate": 0.05, "doubt_rate": 0.2, "windows": {"length": 50}, "detector": "mahalanobis"}
    return AnomalyDetector(**{**options, **settings})


@pytest.fixture(scope="module")
def chosen(red: list[Recording], blue: list[Recording]) -> AnomalyDetector:
    return door().fit(red).adapt(blue)


def test_it_is_the_chain_of_the_monitor(red: list[Recording], blue: list[Recording], worn: Recording) -> None:
    ready = door(strategy="normalisation").fit(red).adapt(blue)
    monitor = Monitor.suited_to(red, detector="mahalanobis", false_alarm_rate=0.05, length=50).fit(red).adapt(blue)
    np.testing.assert_array_equal(ready.score_samples([worn]), monitor.score([worn]).cycle_scores.value)
    assert ready.gate_ is None
    assert ready.monitor_.threshold_.threshold_ == monitor.threshold_.threshold_
    assert ready.summary() == monitor.summary()


def test_it_tells_faults_their_joint_and_what_it_rests_on(chosen: AnomalyDetector, worn: Recording) -> None:
    verdict = chosen.detect([worn])
    faulty = verdict.cycle_scores.index.label == "anomalous"
    assert (chosen.predict([worn])[faulty] == "anomalous").all()
    found = chosen.explain([worn])
    assert found.joint[faulty].tolist() == [1, 1]
    assert (found.share[faulty] > 0.5).all()
    np.testing.assert_allclose(found.shares.sum(axis=1), 1)
    said = chosen.summary()
    assert chosen.gate_ is not None
    assert f"used: {chosen.gate_.winner}" in said
    assert {row["candidate"] for row in chosen.gate_.table()} == {
        "normalisation: mahalanobis", "target only: mahalanobis", "target only: envelope", "target only: phase_zscore",
    }  # fmt: skip
    if not chosen.gate_.borrowed[chosen.gate_.names.index(chosen.gate_.winner)]:
        assert chosen.monitor_.source_ == ["blue"]


def test_three_labels_are_two_limits_on_one_p_value(chosen: AnomalyDetector, blue: list[Recording]) -> None:
    verdict = chosen.detect(blue)
    said, p = chosen.said(verdict), verdict.p_values
    assert set(said.tolist()) <= {"normal", "uncertain", "anomalous"}
    np.testing.assert_array_equal(said == "anomalous", verdict.passed)
    np.testing.assert_array_equal(said == "normal", p > 0.2)
    assert (said == "uncertain").any()


def test_too_few_healthy_cycles_make_every_cycle_uncertain(red: list[Recording], worn: Recording) -> None:
    short = door(strategy="normalisation", false_alarm_rate=0.001, doubt_rate=0.01).fit(red)
    assert set(short.predict([red[0]]).tolist()) == {"uncertain"}
    # Enough for the upper limit, not for the lower: then nothing is called anomalous, and still not everything normal.
    half = door(strategy="normalisation", false_alarm_rate=0.001, doubt_rate=0.2).fit(red)
    assert set(half.predict(red).tolist()) == {"normal", "uncertain"}


def test_hidden_labels_of_the_target_change_nothing(
    red: list[Recording], blue: list[Recording], chosen: AnomalyDetector, worn: Recording
) -> None:
    """Faults of the target that are named nowhere in its recordings cannot be known: only `condition` differs."""
    from dataclasses import replace

    from jointwatch.core import Condition, Label

    hidden = [
        replace(r, cycles=tuple(replace(c, condition=Condition(Label.UNCERTAIN)) for c in r.cycles)) for r in blue
    ]
    other = door().fit(red).adapt(hidden)
    assert chosen.gate_ is not None
    assert other.gate_ is not None
    np.testing.assert_array_equal(other.gate_.value, chosen.gate_.value)
    np.testing.assert_array_equal(other.score_samples([worn]), chosen.score_samples([worn]))


def test_what_is_deployed_carries_no_recordings_of_others_and_is_stored(
    chosen: AnomalyDetector, worn: Recording, tmp_path: Path
) -> None:
    assert chosen.others_ == []
    assert chosen.remembered_ is None
    again = load(save(chosen, tmp_path))
    np.testing.assert_array_equal(again.score_samples([worn]), chosen.score_samples([worn]))
    assert again.gate_.winner == chosen.gate_.winner
    assert again.summary() == chosen.summary()
    with pytest.raises(UsageError, match="adapted already"):
        again.adapt([worn])


def test_networks_take_part_where_they_are_asked_for(
    red: list[Recording], blue: list[Recording], worn: Recording, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import jointwatch.diagnosis.anomaly as module

    quick = Normalisation(Cnn(filters=(8, 8, 8), epochs=2))
    monkeypatch.setattr(module, "_made", lambda name, strategy: quick.detector)
    fitted = door(detector="cnn").fit(red)
    again = load(save(fitted, tmp_path))
    for model in (fitted, again):
        ready = model.adapt(blue, "batch_norm")
        assert ready.monitor_.strategy_.name == "batch_norm"
        assert len(ready.score_samples([worn])) == 8
    aligned = fitted.adapt(blue, "adabn")
    assert aligned.monitor_.strategy_.name == "adabn"
    assert not hasattr(aligned.monitor_.strategy_, "source_")


def test_a_strategy_that_cannot_be_is_refused_with_a_remedy(red: list[Recording], blue: list[Recording]) -> None:
    fitted = door(strategy="normalisation").fit(red)
    with pytest.raises(UsageError, match="a network such as cnn"):
        fitted.adapt(blue, "dann")
    with pytest.raises(UsageError, match="no transfer entry"):
        fitted.adapt(blue, "magic")
    with pytest.raises(UsageError, match="one detector"):
        door(strategy="dann", detector="cnn,mahalanobis").fit(red)
    with pytest.raises(UsageError, match="doubt_rate"):
        door(doubt_rate=0.01).fit(red)
    with pytest.raises(NotFittedError):
        door().predict(red)
    with pytest.raises(UsageError, match="adapt the model"):
        door(strategy="normalisation").fit(red).predict(blue)


def test_a_target_too_small_to_choose_on_is_said(red: list[Recording], arm_recording: Make) -> None:
    tiny = [arm_recording(seed=5, cycles=4, brand="blue", unit="blue-1")]
    ready = door().fit(red).adapt(tiny)
    assert ready.gate_ is None
    assert "without a choice" in ready.note_
    assert ready.note_ in ready.summary()
    with pytest.raises(NotEnoughData):
        door().fit([])


def test_a_plain_monitor_gets_the_same_door(red: list[Recording], blue: list[Recording]) -> None:
    monitor = Monitor.suited_to(red, false_alarm_rate=0.05, length=50).fit(red)
    ready = AnomalyDetector.around(monitor).adapt(blue, "auto")
    assert ready.gate_ is not None
    assert clone(AnomalyDetector.around(monitor)).strategy == "normalisation"
