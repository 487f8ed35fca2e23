"""Masked reconstruction learns what joints have to do with each other, and can be stopped at any step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from jointwatch.core import Channel, Index, Quantity, Recording, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.models._joint_rows import SLOTS
from jointwatch.models._masked_patches import MaskedPatches
from jointwatch.models._patch_encoder import PatchEncoder
from jointwatch.training.corpus import Corpus, Part
from jointwatch.training.masked import MaskedReconstruction, masked_error
from jointwatch.training.options import Options
from jointwatch.training.pretraining import figures, pretrain
from jointwatch.training.seed import seeded
from jointwatch.training.session import Progress, Session, session
from jointwatch.training.telemetry import Interleaved, MaskPolicy, Telemetry, draw_hidden, masked


def toy(joints: int = 2, seed: int = 0, count: int = 200, length: int = 80, rate_hz: float = 50.0) -> Windows:
    """Joints that move at random frequencies and phases, each told by position, velocity and torque: what is hidden of
    one can be told from the others and not from neighbours in time."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(length) / rate_hz
    rows = []
    for _ in range(count):
        angle = 2 * np.pi * rng.uniform(0.8, 1.6) * time_s + rng.uniform(0, 2 * np.pi)
        rows.append([f(angle + 0.7 * j) for j in range(joints) for f in (np.sin, np.cos, lambda x: -np.sin(x))])
    quantities = (Quantity.POSITION, Quantity.VELOCITY, Quantity.TORQUE)
    channels = tuple(Channel(q, joint) for joint in range(1, joints + 1) for q in quantities)
    number = np.arange(count)
    name, zero = np.char.add("c", number.astype(str)), np.zeros(count)
    session, stop = np.char.add("s", (number % 10).astype(str)), zero + length / rate_hz
    arm, domain, label, fault = (np.full(count, text) for text in ("arm", "toy", "normal", ""))
    index = Index(arm, session, name, domain, zero, stop, zero, stop, label, fault, np.zeros(count, int), zero * np.nan)
    return Windows(np.sqrt(2) * np.array(rows), channels, index, rate_hz)


def small() -> MaskedPatches:
    with seeded(0):
        return MaskedPatches(PatchEncoder(width=32, heads=2, layers=2, patch=20))


def parts() -> list[Part]:
    return [Part("two", "50", toy()), Part("three", "25", toy(3, seed=1, count=60, length=60, rate_hz=25.0))]


OPTIONS = Options(epochs=3, learning_rate=3e-3, bfloat16=False, clip_norm=1.0)


def test_it_beats_guessing() -> None:
    found = pretrain(
        parts()[:1],
        options=replace(OPTIONS, epochs=25),
        batch_size=32,
        policy=MaskPolicy.masks_alone(),
        network=small(),
    )
    losses = found.history.train_loss
    assert losses[-1] < 0.5 * losses[0]
    told = found.figures["two, 50"]
    assert told["windows"] == found.validated == 20
    assert told["network"] < 0.6 * min(told["zero"], told["interpolation"])
    fresh = figures(found.network, Part("two", "50", toy(seed=9, count=30)))
    assert fresh["network"] < 0.6 * min(fresh["zero"], fresh["interpolation"], fresh["mean"])


def test_resumed_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = pretrain(parts(), options=OPTIONS, batch_size=64, network=small())
    steps = []

    def count(at: Progress) -> None:
        steps.append(at.step)

    with session(Session(stop=lambda: len(steps) >= 4, progress=count, checkpoints=tmp_path)):
        stopped = pretrain(parts(), options=OPTIONS, batch_size=64, network=small())
    assert stopped.history.ended == "request"
    with session(Session(checkpoints=tmp_path)):
        resumed = pretrain(parts(), options=OPTIONS, batch_size=64, network=small())
    assert resumed.history.ended == "epochs"
    for name, value in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], value), name


def test_same_seed_same_weights() -> None:
    one, again, other = (
        pretrain(parts(), options=replace(OPTIONS, epochs=1, seed=seed), steps=2).network.state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(UsageError, match="small, paper"):
        pretrain(parts(), "huge")  # type: ignore[arg-type]


def test_groups_take_turns() -> None:
    groups = [Telemetry.of_windows(part.windows, 20, 64) for part in parts()]
    batches = Interleaved(groups, batch_size=50, seed=0)
    assert len(batches) == 4 + 2
    seen = [batches.batch(0, step) for step in range(len(batches))]
    assert sorted(batch.values.shape[1] for batch in seen) == [6] * 4 + [9] * 2
    orders = {tuple(batches.batch(epoch, step).values.shape[1] for step in range(6)) for epoch in range(5)}
    assert len(orders) > 1
    assert sum(map(len, seen)) == 260
    again = batches.batch(0, 3)
    assert torch.equal(again.values, seen[3].values)
    assert torch.equal(again.hidden, seen[3].hidden)
    few = Interleaved(groups, batch_size=50, seed=0, steps=3)
    assert len(few) == 3
    rows = torch.cat([few.batch(epoch, step).values[:, 0, 0] for epoch in range(2) for step in range(3) if
                      few.batch(epoch, step).values.shape[1] == 6])  # fmt: skip
    assert len(rows) == len(torch.unique(rows)) == 200  # the second epoch goes on where the first ended
    with pytest.raises(UsageError, match="needs rows"):
        Interleaved([groups[0].take(np.zeros(0, int))], 5)


def test_about_the_share_is_hidden_and_never_what_is_not_there() -> None:
    rng = np.random.default_rng(0)
    there = np.zeros((6, len(SLOTS)), bool)
    there[:5, :4] = True
    shares = []
    for _ in range(200):
        hidden = draw_hidden(there, 10, MaskPolicy(), rng)
        assert not hidden[~there[:, None].repeat(10, axis=1)].any()
        shares.append(hidden.sum() / (10 * there.sum()))
    assert 0.14 < np.mean(shares) < 0.25
    assert max(shares) < 0.5
    one = np.ones((1, 1), bool)
    assert all(0 < draw_hidden(one, 2, MaskPolicy(share=0.9, span=2), rng).sum() < 2 for _ in range(50))
    assert not draw_hidden(np.zeros((2, 3), bool), 4, MaskPolicy(), rng).any()
    with pytest.raises(UsageError, match="shares"):
        MaskPolicy(share=1.0)


def test_only_what_is_hidden_and_there_counts() -> None:
    group = Telemetry.of_windows(toy(count=4), 20, 64)
    network = small().eval()
    hidden = torch.zeros_like(group.hidden)
    hidden[:, 0, 1, SLOTS.index("effort")] = True
    hidden[:, 0, 1, SLOTS.index("temperature")] = True  # not there
    group = replace(group, hidden=hidden)
    with torch.inference_mode():
        loss = float(MaskedReconstruction()(network, group, 0.0))
        rebuilt = network(*group.grid(), group.step_s, group.joint, hidden)[:, 0, 1, SLOTS.index("effort")]
    truth = group.values[:, 2, 20:40]
    assert loss == pytest.approx(float((rebuilt - truth).square().mean()), rel=1e-5)
    assert (
        float(masked_error(rebuilt[:, None, None, None], truth[:, None, None, None], torch.zeros(4, 1, 1, 1) > 0)) == 0
    )


def test_the_corpus_keeps_brands_apart_and_faults_out(arm_recording: Callable[..., Recording]) -> None:
    recordings = [
        arm_recording(seed=i, brand=brand, unit=f"{brand}-{i}", session=f"s{i}", rate_hz=60.0, cycles=6, faulty=(2, 3))
        for i in range(3)
        for brand in ("red", "blue")
    ]
    corpus = Corpus(cuts=("cycle", "50"), length=100, hold_out=("BLUE",)).add(recordings)
    found, apart = corpus.parts(), corpus.held_out()
    assert {part.robot for part in found} == {"red arm"}
    assert {part.robot for part in apart} == {"blue arm"}
    assert not any("blue" in unit for part in found for unit in part.windows.index.unit)
    cycles = next(part for part in found if part.cut == "cycle").windows
    assert len(cycles) == 3 * 4
    assert set(cycles.index.label) == {"normal"}
    assert not {name.rpartition("/")[2] for name in cycles.index.cycle} & {"3", "4"}  # counted from 1
    assert np.abs(cycles.values.mean(axis=(0, 2))).max() < 1e-3  # standardised
    some = Corpus(cuts=("cycle",), length=100, hours=3 * 4 * 2 / 3600, seed=1).add(recordings)
    assert sum(part.hours for part in some.parts()) <= 3 * 4 * 2 / 3600 + 1e-9
    assert len(Corpus(cuts=("cycle",), length=100, most=5).add(recordings).parts()[0].windows) <= 5


def test_a_corpus_without_use_is_told(arm_recording: Callable[..., Recording]) -> None:
    recording = arm_recording(rate_hz=60.0)
    with pytest.raises(UsageError, match=r"green.*demo"):
        Corpus(hold_out=("green",)).add([recording]).parts()
    with pytest.raises(NotEnoughData, match="healthy windows"):
        Corpus(hold_out=("demo",)).add([recording]).parts()
    worn = arm_recording(rate_hz=60.0, faulty=tuple(range(6)))
    corpus = Corpus(cuts=("cycle",)).add([worn])
    assert corpus.unused == 1
    with pytest.raises(NotEnoughData, match="normal or unlabelled"):
        corpus.parts()
    with pytest.raises(UsageError, match="rate in Hz"):
        Corpus(cuts=("weekly",))


def test_a_robot_is_told_in_another_way() -> None:
    """Signs, sizes, quantities and joints vary; what a joint's channels have to do with each other does not."""
    group = Telemetry.of_windows(toy(count=60), 20, 64)
    kept = {"drop_quantity": 0.0, "drop_joints": 0.0, "second_effort": 0.0, "drop_numbers": 0.0}
    told = masked(group, MaskPolicy(scale=0.0, vary=0.7, **kept), np.random.default_rng(1))
    assert told.values.shape == group.values.shape  # a step that is not cropped
    factor = (told.values / group.values).nanmedian(dim=2).values.round()
    assert set(factor.unique().tolist()) == {-1.0, 1.0}
    assert (factor[:, 0] == factor[:, 2]).all()  # one joint, one sign
    assert not (factor[:, 0] == factor[:, 3]).all()
    crops = [masked(group, MaskPolicy(vary=1.0, **kept), np.random.default_rng(seed)) for seed in range(20)]
    assert {crop.values.shape[2] for crop in crops} == {40, 60, 80}
    assert all(crop.hidden.shape[2] * 20 == crop.values.shape[2] for crop in crops)
    second = masked(group, MaskPolicy(**{**kept, "second_effort": 1.0}), np.random.default_rng(0))
    assert (second.cell % len(SLOTS)).unique().tolist() == [0, 1, SLOTS.index("effort_2")]
    fewer = masked(group, MaskPolicy(drop_joints=1.0, drop_quantity=1.0, drop_numbers=1.0), np.random.default_rng(0))
    assert fewer.mask.any(dim=1).all()
    assert 0.2 < fewer.mask.float().mean() < 0.8
    assert not fewer.joint.any()
    plain = masked(group, MaskPolicy.masks_alone(), np.random.default_rng(0))
    assert torch.equal(plain.values, group.values)
    assert torch.equal(plain.mask, group.mask)


def test_long_windows_are_averaged_as_the_encoder_would() -> None:
    windows = toy(count=3, length=170)
    group = Telemetry.of_windows(windows, patch=20, max_patches=4)
    assert group.values.shape[2] == 57
    assert group.hidden.shape[2] == 3
    torch.testing.assert_close(group.values[:, :, 0], torch.tensor(windows.values[:, :, :3].mean(axis=2)))
    assert group.step_s.tolist() == pytest.approx([3 / 50] * 3)
