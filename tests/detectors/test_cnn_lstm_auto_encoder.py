"""The auto-encoder's score is relative to what is normal for each channel, and its choices see training data only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from jointwatch.bundle import store
from jointwatch.core import Channel, Quantity, Windows
from jointwatch.core.errors import UsageError
from jointwatch.detectors.base import as_windows
from jointwatch.detectors.cnn_lstm_auto_encoder import CnnLstmAutoEncoder
from jointwatch.training.reconstruction import held_out_groups
from jointwatch.training.session import Progress, Session, session

SMALL: dict[str, Any] = {
    "filters": (16, 16), "kernels": (5, 3), "hidden": 16, "layers": 1, "code": 8, "epochs": 25, "batch_size": 16,
    "learning_rate": 1e-2,
}  # fmt: skip


def cycles(count: int = 60, seed: int = 0, domain: str = "a", noise: float = 0.1) -> Windows:
    """Two joints with position and current each, units u0 to u5; both joints' amplitude is drawn for each cycle."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 2 * np.pi, 32)
    size = rng.uniform(0.6, 1.4, (count, 1))
    rows = [size * np.sin(time), size**2 * np.cos(time), size * np.cos(2 * time), size * np.sin(3 * time)]
    values = np.stack(rows, axis=1) + noise * rng.standard_normal((count, 4, 32))
    values[:, 3] += 0.5 * rng.standard_normal((count, 32))  # a noisy sensor: nobody can rebuild it
    found = as_windows(values)
    unit = np.char.add("u", (np.arange(count) % 6).astype(str))
    index = replace(found.index, unit=unit, cycle=np.char.add(f"{domain}{seed}/", np.arange(count).astype(str)))
    channels = tuple(Channel(q, joint) for joint in (1, 2) for q in (Quantity.POSITION, Quantity.CURRENT))
    return replace(found, channels=channels, index=replace(index, domain=np.full(count, domain)))


def with_bump(windows: Windows, channel: int, size: float = 0.8) -> Windows:
    values = windows.values.copy()
    values[:, channel, 10:18] += size
    return windows.with_values(values)


@pytest.fixture(scope="module")
def fitted() -> CnnLstmAutoEncoder:
    return CnnLstmAutoEncoder(**SMALL).fit(cycles())


def test_healthy_windows_score_about_one_and_noisy_channels_count_as_others(fitted: CnnLstmAutoEncoder) -> None:
    new = cycles(60, seed=1)
    scores, parts = fitted.score_samples(new), fitted.explain(new)
    assert parts is not None
    assert 0.7 < np.median(scores) < 1.5
    assert fitted.normal_error_[3] > 2 * np.median(fitted.normal_error_)  # hard to rebuild, by nature
    assert 0.15 < parts[:, 3].mean() / scores.mean() < 0.4  # and yet a quarter of the score
    np.testing.assert_allclose(parts.sum(axis=1), scores)


def test_a_disturbed_channel_is_found_and_its_joint_named(fitted: CnnLstmAutoEncoder) -> None:
    new = cycles(30, seed=2)
    for channel, joint in ((0, 1), (1, 1), (2, 2)):
        odd = with_bump(new, channel)
        scores = np.concatenate([fitted.score_samples(new), fitted.score_samples(odd)])
        assert roc_auc_score(np.repeat([0, 1], 30), scores) > 0.95
        parts = fitted.explain(odd)
        assert parts is not None
        by_joint = np.stack([parts[:, :2].sum(axis=1), parts[:, 2:].sum(axis=1)], axis=1)
        assert (by_joint.argmax(axis=1) + 1 == joint).mean() > 0.8


def test_it_knows_which_signals_go_together(fitted: CnnLstmAutoEncoder) -> None:
    """Position of one cycle with the current of another: each usual by itself, only together they are not."""
    new = cycles(60, seed=3, noise=0.05)
    small_first = np.argsort(np.abs(new.values[:, 0]).max(axis=1))
    values = new.values.copy()
    values[small_first, :2] = new.values[small_first[::-1], :2]
    far = np.abs(np.arange(60) - 29.5) > 15
    mixed = new.with_values(values)[small_first[far]]
    scores = np.concatenate([fitted.score_samples(new), fitted.score_samples(mixed)])
    assert roc_auc_score(np.repeat([0, 1], [60, far.sum()]), scores) > 0.75


def test_channels_that_a_robot_lacks_do_not_count(fitted: CnnLstmAutoEncoder) -> None:
    new = cycles(12, seed=4)
    mask = np.ones(new.presence.shape, bool)
    mask[:, 2] = False
    absent = replace(new, mask=mask)
    values = new.values.copy()
    values[:, 2] = 50.0
    np.testing.assert_array_equal(fitted.score_samples(absent), fitted.score_samples(replace(absent, values=values)))
    parts = fitted.explain(absent)
    assert parts is not None
    assert (parts[:, 2] == 0).all()


def test_whole_units_choose_the_epoch_and_set_what_is_normal() -> None:
    data = cycles(36)
    settings = {**SMALL, "epochs": 2, "validation_group": "unit", "validation_share": 0.3}
    detector = CnnLstmAutoEncoder(**settings).fit(data)
    assert detector.validation_windows_ == 12  # two of six units
    # noise in all of them changes what is normal and not what is learned, noise in the others both
    rng = np.random.default_rng(0)
    held = held_out_groups(data.index.unit, 0.3, seed=0)
    for units, learned in ((held, False), (~held, True)):
        values = data.values.copy()
        values[units] += 0.5 * rng.standard_normal(values[units].shape)
        other = CnnLstmAutoEncoder(**settings).fit(data.with_values(values))
        assert (other.history_["train_loss"] != detector.history_["train_loss"]) == learned
        assert (other.normal_error_ != detector.normal_error_).all()


def test_same_seed_same_bits_and_the_seed_matters() -> None:
    data = cycles(30)
    one, again, other = (
        CnnLstmAutoEncoder(**{**SMALL, "epochs": 2, "random_state": seed}).fit(data).score_samples(data)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_domains_are_hidden_only_where_asked_for_and_others_can_be_scored(tmp_path: Path) -> None:
    both = Windows.concatenate([cycles(24), cycles(24, seed=1, domain="b")])
    small = {**SMALL, "epochs": 3}
    plain, blind = (CnnLstmAutoEncoder(**small, domain_weight=w).fit(both) for w in (0.0, 1.0))
    assert plain.domains_ == []
    assert blind.domains_ == ["a", "b"]
    assert blind.history_["train_loss"][0] > plain.history_["train_loss"][0]  # the discriminator's is in it
    assert blind.network_.state_dict().keys() == plain.network_.state_dict().keys()  # it is not kept
    new = cycles(5, seed=2, domain="of another brand")
    scores = blind.score_samples(new)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(store.load(store.save(blind, tmp_path / "m")).score_samples(new), scores)
    alone = CnnLstmAutoEncoder(**small, domain_weight=1.0).fit(cycles(24))
    assert alone.domains_ == []
    np.testing.assert_array_equal(
        alone.score_samples(new), CnnLstmAutoEncoder(**small).fit(cycles(24)).score_samples(new)
    )


def test_training_reports_to_its_session_and_leaves_torch_alone() -> None:
    heard: list[Progress] = []
    before = torch.get_rng_state()
    with session(Session(progress=heard.append)):
        CnnLstmAutoEncoder(**{**SMALL, "epochs": 2}).fit(cycles(20))
    assert heard[-1].epoch == 2
    assert torch.equal(torch.get_rng_state(), before)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="domain_weight"):
        CnnLstmAutoEncoder(**SMALL, domain_weight=-1.0).fit(cycles(6))
    with pytest.raises(UsageError, match="validation_share"):
        CnnLstmAutoEncoder(**SMALL, validation_share=1.0).fit(cycles(6))
    with pytest.raises(UsageError, match="grouped by"):
        CnnLstmAutoEncoder(**SMALL, validation_group="brand").fit(cycles(6))
