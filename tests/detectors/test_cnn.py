"""The network detector learns from labels or without them, chooses its epoch honestly and can be fine-tuned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.core import Recording, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.detectors.base import as_windows
from jointwatch.detectors.cnn import Cnn
from jointwatch.models.base import Network
from jointwatch.training.data import Batch
from jointwatch.windows.normalise import DomainZScore
from jointwatch.windows.sliding import sliding

SMALL: dict[str, Any] = {
    "filters": (12, 12, 16),
    "epochs": 12,
    "batch_size": 32,
    "learning_rate": 5e-3,
    "bfloat16": False,
}


@pytest.fixture(scope="module")
def arm(arm_recording: Callable[..., Recording]) -> Callable[..., Windows]:
    """arm(seed=0, faulty=(), sessions=2, **recording): z-scored windows of 40 samples, two a cycle."""

    def make(seed: int = 0, faulty: tuple[int, ...] = (), sessions: int = 2, **options: Any) -> Windows:
        recordings = [
            arm_recording(
                seed=10 * seed + s, session=f"s{s}", cycles=10, rate_hz=50.0, noise_a=0.1, faulty=faulty, **options
            )
            for s in range(sessions)
        ]
        return DomainZScore().fit_transform(sliding(recordings, rate_hz=50.0, length=50, step=50))

    return make


def state(detector: Cnn) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in detector.network_.state_dict().items()}


def changed(before: dict[str, torch.Tensor], detector: Cnn) -> set[str]:
    return {name for name, value in detector.network_.state_dict().items() if not torch.equal(value, before[name])}


@pytest.fixture(scope="module")
def synthetic(arm: Callable[..., Windows]) -> Cnn:
    return Cnn(**SMALL).fit(arm())


def test_healthy_windows_alone_are_enough(synthetic: Cnn, arm: Callable[..., Windows]) -> None:
    assert synthetic.anomalies_ == "synthetic"
    assert synthetic.score(arm(3, faulty=(1, 3, 5, 7))) > 0.8


def test_labels_are_used_where_there_are_some(arm: Callable[..., Windows]) -> None:
    train, test = arm(1, faulty=(0, 2, 4, 6)), arm(3, faulty=(1, 3, 5, 7))
    detector = Cnn(**SMALL).fit(train)
    assert detector.anomalies_ == "labels"
    assert detector.score(test) > 0.95
    assert Cnn(**{**SMALL, "epochs": 1}, anomalies="synthetic").fit(train).anomalies_ == "synthetic"
    with pytest.raises(UsageError, match="normal and anomalous"):
        Cnn(anomalies="labels").fit(arm())
    with pytest.raises(UsageError, match="'auto'"):
        Cnn(anomalies="magic").fit(arm())  # type: ignore[arg-type]


def test_uncertain_windows_have_no_influence(synthetic: Cnn, arm: Callable[..., Windows]) -> None:
    train, more = arm(), arm(8)
    index = replace(more.index, label=np.full(len(more), "uncertain"))
    more = replace(more, values=9 * np.ones(more.shape), index=index)
    assert changed(state(synthetic), Cnn(**SMALL).fit(Windows.concatenate([train, more]))) == set()


def test_held_out_groups_are_whole_and_of_both_classes(arm: Callable[..., Windows]) -> None:
    train = arm(1, faulty=(0, 2, 4, 6))
    for group in ("cycle", "session"):
        detector = Cnn(validation_group=group, validation_share=0.3)  # type: ignore[arg-type]
        held = detector._held_out(train)
        names = getattr(train.index, group)
        if group == "session":  # every session has anomalies, so none is a normal group
            assert set(names[held]).isdisjoint(names[~held])
            continue
        assert set(names[held]).isdisjoint(names[~held])
        assert set(train.index.label[held]) == {"normal", "anomalous"} == set(train.index.label[~held])
        assert 0.2 < held.mean() < 0.4
    assert not Cnn(validation_group="unit")._held_out(train).any()
    assert not Cnn(validation_share=0.0)._held_out(train).any()
    with pytest.raises(UsageError, match="groups"):
        Cnn(validation_group="weekday").fit(train)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="share"):
        Cnn(validation_share=1.0).fit(train)


def test_without_a_second_group_the_last_epoch_is_kept(arm: Callable[..., Windows]) -> None:
    detector = Cnn(**{**SMALL, "epochs": 3}, validation_group="unit").fit(arm())
    assert detector.validation_windows_ == 0
    assert detector.history_["best_epoch"] is None
    assert len(detector.history_["train_loss"]) == 3


def test_seed_decides(arm: Callable[..., Windows]) -> None:
    options = {**SMALL, "epochs": 2}
    one, same, other = (Cnn(**options, random_state=seed).fit(arm()) for seed in (0, 0, 1))
    assert np.array_equal(one.score_samples(arm(2)), same.score_samples(arm(2)))
    assert not np.array_equal(one.score_samples(arm(2)), other.score_samples(arm(2)))


def test_score_is_log_odds_and_does_not_saturate(synthetic: Cnn, arm: Callable[..., Windows]) -> None:
    windows = arm()
    values = windows.values.copy()
    values[:, 2] = 3.0  # a current that is stuck far away
    scores = synthetic.score_samples(windows.with_values(values))
    assert len(np.unique(scores)) > 0.9 * len(scores)
    with torch.inference_mode():
        logits = synthetic.network_(synthetic._standardised(windows), torch.tensor(windows.presence))
    odds = torch.log_softmax(logits, dim=1)
    assert synthetic.score_samples(windows) == pytest.approx((odds[:, 1] - odds[:, 0]).numpy(), abs=1e-3)


def test_contributions_name_the_channel(synthetic: Cnn, arm: Callable[..., Windows]) -> None:
    windows = arm(5)
    time = np.linspace(0, np.pi, 50)
    for row, channel in enumerate(windows.channels):
        if channel.quantity.value != "current":
            continue
        values = windows.values.copy()
        values[:, row] += 2 * np.sin(time)
        parts = synthetic.explain(windows.with_values(values))
        assert parts is not None
        assert (parts >= 0).all()
        assert (parts.argmax(axis=1) == row).mean() > 0.9
    healthy = synthetic.explain(windows)
    assert healthy is not None
    assert healthy.mean() < 1


def test_many_windows_score_as_one_by_one(synthetic: Cnn, arm: Callable[..., Windows]) -> None:
    windows = arm(2)
    many = Windows.concatenate([windows] * 8)
    assert len(many) > 256
    one_by_one = np.concatenate([synthetic.score_samples(windows[row]) for row in range(len(windows))])
    assert synthetic.score_samples(many) == pytest.approx(np.tile(one_by_one, 8), abs=1e-3)


@pytest.mark.parametrize(
    ("part", "may_change"),
    [("head", ("head",)), ("batch_norm", ("head", "encoder.1", "encoder.4", "encoder.7")), ("all", ("",))],
)
def test_fine_tuning_changes_its_part_only(part: Any, may_change: tuple[str, ...], arm: Callable[..., Windows]) -> None:
    detector = Cnn(**{**SMALL, "epochs": 2}).fit(arm())
    before, mean = state(detector), detector.mean_.copy()
    scores = detector.score_samples(arm(2))
    detector.fine_tune(arm(2), parameters=part, epochs=2)
    names = changed(before, detector)
    assert names
    assert all(name.startswith(may_change) for name in names)
    assert {name for name in before if name.startswith("head")} <= names
    assert np.array_equal(detector.mean_, mean)
    assert not np.array_equal(scores, detector.score_samples(arm(2)))


def test_fine_tuning_needs_a_healthy_window(arm: Callable[..., Windows], synthetic: Cnn) -> None:
    faulty = arm(1, faulty=(1, 2, 3))
    odd = faulty[faulty.index.label == "anomalous"]
    with pytest.raises(NotEnoughData, match="normal windows"):
        synthetic.fine_tune(odd)


def test_arms_of_six_and_seven_axes_meet(arm_recording: Callable[..., Recording]) -> None:
    recordings = [
        arm_recording(seed=n, joints=n, brand=f"brand{n}", unit=f"arm-{n}", cycles=12, rate_hz=50.0) for n in (6, 7)
    ]
    windows = DomainZScore().fit_transform(
        sliding(recordings, rate_hz=50.0, length=50, step=50, channels=recordings[1].channels)
    )
    assert not windows.presence.all()
    detector = Cnn(**{**SMALL, "epochs": 2}).fit(windows)
    values = windows.values.copy()
    values[~windows.presence] = 7.0
    assert np.array_equal(detector.score_samples(windows), detector.score_samples(windows.with_values(values)))
    parts = detector.explain(windows)
    assert parts is not None
    assert np.isfinite(parts).all()


def test_a_source_without_a_healthy_window_is_passed_over_where_anomalies_are_made() -> None:
    rng = np.random.default_rng(0)
    healthy = as_windows(rng.standard_normal((24, 2, 32)).astype(np.float32))
    detector = Cnn(anomalies="synthetic", filters=(4, 4, 8), epochs=1, batch_size=8, bfloat16=False).fit(healthy)
    worn = np.repeat(["red", "green"], 12)
    sources = replace(
        healthy,
        index=replace(healthy.index, domain=worn, label=np.where(worn == "green", "anomalous", "normal")),
    )
    given: list[int] = []

    def align(network: Network, parts: list[Batch], *others: object, **settings: object) -> Network:
        given.extend(len(part) for part in parts)
        return network

    detector.align_by(sources, healthy, None, align)
    assert len(given) == 1
    bare = replace(sources, index=replace(sources.index, label=np.full(24, "anomalous")))
    with pytest.raises(NotEnoughData, match="healthy windows of the sources"):
        detector.align_by(bare, healthy, None, align)


@pytest.mark.parametrize("per_cycle", [1, 2, 5])
def test_only_windows_that_decide_are_explained(arm: Callable[..., Windows], per_cycle: int) -> None:
    windows = arm(sessions=2)
    detector = Cnn(**{**SMALL, "epochs": 2}).fit(windows)
    count = len(windows) // per_cycle * per_cycle
    names = np.array([f"cycle {i // per_cycle}" for i in range(count)])
    windows = windows[:count]
    windows = replace(windows, index=replace(windows.index, cycle=names))
    whole = detector.detect(windows)
    explained = []
    detector._parts = lambda values, mask: explained.append(len(values)) or Cnn._parts(detector, values, mask)  # type: ignore[method-assign, func-returns-value]
    scores, cycles = detector.detect_by_cycle(windows)
    assert explained == [count // per_cycle]
    expected = whole.by_cycle()
    assert len(expected) == count // per_cycle
    assert cycles.index.columns().keys() == expected.index.columns().keys()
    for name, column in expected.index.columns().items():
        assert np.array_equal(cycles.index.columns()[name], column, equal_nan=column.dtype.kind == "f")
    assert cycles.channels == expected.channels
    np.testing.assert_allclose(cycles.value, expected.value, rtol=1e-6)
    np.testing.assert_allclose(cycles.contributions, expected.contributions, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(scores.value, whole.value, rtol=1e-6)
