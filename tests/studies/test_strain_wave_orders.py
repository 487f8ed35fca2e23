"""The strain-wave study: lines of a gear come back as orders, mains and a resonance do not, and noise seldom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter

from jointwatch.core import Channel, Quantity, Recording, Robot
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.recordings import read
from jointwatch.recordings.parquet import Parquet
from jointwatch.signals.orders import shared_orders
from jointwatch.studies._part import Part
from jointwatch.studies._strain_wave_lines import (
    around,
    fitted,
    friction_current,
    located,
    phase_lock,
    search,
    speed_power,
    wrong_ratio,
)
from jointwatch.studies._strain_wave_stretches import Stretch, find_stretches, same_speed
from jointwatch.studies._strain_wave_verdict import holm, joints_together
from jointwatch.studies.base import Results
from jointwatch.studies.strain_wave_orders import StrainWaveOrders

RATIO = 101.0
SPEEDS = {"slow": 0.07, "medium": 0.11, "back": -0.14, "fast": 0.19}
MAINS_HZ, RESONANCE_HZ = 50.0, 30.0
LINES = {RATIO: 0.03, 2 * RATIO: 0.04}
BAND: dict[str, Any] = {"low": 60.0, "high": 420.0, "level": 0.05, "draws": 500}


def stroke(
    session: str,
    speed: float,
    lines: dict[float, float],
    *,
    mains: float = 0.05,
    resonance: float = 0.02,
    turns: float = 0.4,
    seed: int = 0,
    start: float = 0.0,
) -> Recording:
    """One joint at 1 kHz, speed swinging by a fifth; friction, white noise, mains, a resonance and the spikes of a
    controller that catches up."""
    rng = np.random.default_rng([seed, round(1e4 * abs(speed))])
    time_s = np.arange(0, turns / abs(speed), 1e-3)
    angle = start + 2 * np.pi * speed * (time_s + 0.2 * np.sin(2 * np.pi * time_s / 1.7) * 1.7 / (2 * np.pi))
    current = 0.4 * np.sign(speed) + 0.3 * np.sin(3 * angle) + 0.03 * rng.standard_normal(len(time_s))
    pole = 0.995 * np.exp(2j * np.pi * RESONANCE_HZ * 1e-3)
    ring = lfilter([1.0], [1.0, -2 * pole.real, abs(pole) ** 2], rng.standard_normal(len(time_s)))
    current += resonance * ring / ring.std() + mains * np.cos(2 * np.pi * MAINS_HZ * time_s + rng.uniform(0, 6))
    for order, amplitude in lines.items():
        current += amplitude * np.cos(order * angle + 0.7)
    for at in range(100, len(time_s) - 10, 180):
        current[at : at + 4] += 1.5
    channels = (Channel(Quantity.POSITION, 1), Channel(Quantity.CURRENT, 1))
    return Recording(time_s, np.stack([angle, current]), channels, Robot.of("demo", "arm", "arm-1", 1), session)


def strokes(lines: dict[float, float], *, turns: float = 0.4, seed: int = 0) -> list[Recording]:
    return [
        stroke(name, speed, lines, turns=turns, seed=seed, start=0.9 * i)
        for i, (name, speed) in enumerate(SPEEDS.items())
    ]


def cut(recordings: list[Recording]) -> list[Stretch]:
    found, left = find_stretches(recordings, min_turns=0.06, min_speed=0.02, max_order=420.0)
    assert left == []
    return found


@pytest.fixture(scope="module")
def geared() -> list[Stretch]:
    return cut(strokes(LINES))


def test_a_gear_gives_its_orders_and_mains_and_resonance_none(geared: list[Stretch]) -> None:
    rng = np.random.default_rng(0)
    found = search(geared, "current", rng, **BAND)
    assert sorted(order for order, _ in found.lines) == [pytest.approx(o, abs=1.0) for o in LINES]
    best = int(found.pair.statistic.argmax())
    assert found.ratios[best] == pytest.approx(RATIO, abs=0.5)
    assert found.pair.p_search[best] < 0.01
    assert found.pair.p_single[found.ratios == RATIO][0] < 1e-3
    places = located(geared, "current", list(LINES), RATIO, rng)
    for order, (value, low, high) in zip([*LINES, RATIO], [*places.lines, places.ratio], strict=True):
        assert value == pytest.approx(order, abs=0.3)
        assert low - 0.1 <= order <= high + 0.1
    assert max(places.others, key=lambda ratio: places.others[ratio]) in (RATIO, 0.5 * RATIO)
    assert places.others[RATIO] > places.others[1.01 * RATIO] + 20


def test_a_line_goes_with_the_speed_and_mains_do_not(geared: list[Stretch]) -> None:
    for power, low, high, over_fixed in speed_power(geared, "current", list(LINES)):
        assert power == pytest.approx(1.0, abs=0.08)
        assert low - 0.05 <= 1.0 <= high + 0.05
        assert over_fixed > 5
    mean = np.exp(np.mean([np.log(one.mean_speed) for one in geared]))
    (power, _, high, over_fixed), *_ = speed_power(geared, "current", [MAINS_HZ / mean])
    assert power == pytest.approx(0.0, abs=0.05)
    assert high < 0.5
    assert over_fixed < 1.92


def test_mains_at_one_speed_only_do_not_count_as_an_order() -> None:
    """Repeats at one speed have the mains at one order; they are one speed, and another speed breaks them."""
    repeats = [stroke(f"again {i}", 0.19, {}, mains=0.3, seed=i, resonance=0) for i in range(3)]
    mixed = cut([*repeats, *(stroke(n, v, {}, mains=0.3, resonance=0) for n, v in SPEEDS.items() if abs(v) < 0.15)])
    assert [len(group) for group in same_speed(mixed)] == [3, 1, 1, 1]
    found = search(mixed, "current", np.random.default_rng(0), **BAND)
    assert found.lines == ()


def test_amplitude_phase_and_friction_are_those_put_in(geared: list[Stretch]) -> None:
    for one in geared:
        for (amplitude, uncertainty, p_value, phase), truth in zip(
            fitted(one, "current", list(LINES)), LINES.values(), strict=True
        ):
            assert amplitude == pytest.approx(truth, abs=4 * uncertainty + 0.1 * truth)
            assert p_value < 1e-4
            assert phase == pytest.approx(0.7, abs=0.3)
        assert 0.6 < one.good.mean() < 0.95
    locks = phase_lock(geared, "current", list(LINES), np.random.default_rng(0))
    assert all(length > 0.98 and p < 0.05 for length, p, _ in locks)
    assert friction_current(geared) == [pytest.approx(0.45, abs=0.15)] * len(geared)


def test_what_is_found_without_a_gear_is_as_rare_as_stated() -> None:
    few = BAND | {"draws": 200}
    hits = []
    for seed in range(40):
        noise = cut(strokes({}, seed=seed, turns=0.3))
        hits.append(bool(search(noise, "current", np.random.default_rng(seed), **few).lines))
    assert sum(hits) <= 6  # 5 % stated: more than 6 of 40 has a chance of 1 %


def test_a_wrong_ratio_of_each_speed_hides_the_gear(geared: list[Stretch]) -> None:
    rng = np.random.default_rng(0)
    found = search(geared, "current", rng, **BAND)
    wrong = wrong_ratio(found, rng, level=0.05, draws=BAND["draws"], times=40)
    assert found.lines[0][1] < 0.01
    assert (wrong.search <= 0.05).sum() <= 6
    assert wrong.search.min() >= 1 / (1 + BAND["draws"])
    for p_values, grid in ((wrong.single, found.orders), (wrong.pair, found.ratios)):
        assert p_values.shape == (40, len(grid))
        assert (p_values <= 0.05).mean() == pytest.approx(0.05, abs=0.02)
        assert (p_values[:, around(grid, RATIO)] <= 0.05).mean() < 0.1


def test_both_orders_of_a_speed_are_slid_by_one_draw() -> None:
    """Where a speed is strong at a ratio it is so at twice it, but no two speeds at the same: nothing is shared, and
    slid apart both would look like four stretches that agree."""
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(60):
        strength = np.repeat(rng.exponential(size=(3, 1, 200)), 2, axis=1)
        hits.append((shared_orders(strength, rng, draws=200).p_single <= 0.01).mean())
    assert np.mean(hits) == pytest.approx(0.01, abs=0.004)
    apart = shared_orders(strength.reshape(6, 200), rng, draws=200)
    assert (apart.p_single <= 0.01).mean() > 0.02


def test_stretches_that_are_short_or_folded_are_left_out_with_a_reason() -> None:
    short = stroke("short", 0.07, {}, turns=0.04)
    slowly = stroke("coarse", 0.19, {}, turns=2.0)
    coarse = Recording(slowly.time_s[::10], slowly.values[:, ::10], slowly.channels, slowly.robot, "coarse")
    found, left = find_stretches([short, coarse], min_turns=0.06, min_speed=0.02, max_order=420.0)
    assert found == []
    assert len(left) == 1
    assert "half the sampling rate is order 2" in left[0]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strain-wave") / "data"
    for recording in strokes(LINES, turns=0.3):
        Parquet.write(recording, folder / f"{recording.session}.parquet")
    return folder


@pytest.fixture(scope="module")
def ran(data: Path) -> Results:
    options = StrainWaveOrders.Options(data=data, ratio=RATIO, quick=True)
    return StrainWaveOrders().run(options, data.parent / "one")


def test_the_study_finds_both_orders_and_says_how_often_nothing_gives_as_much(ran: Results) -> None:
    rows = {(row.split, row.metric): row.mean for row in ran.rows if row.target == "joint 1"}
    assert rows["blind search", "lines found that count"] == 2
    for order in (101, 202):
        assert rows["named beforehand", f"p of order {order}"] < 0.001
        assert rows["named beforehand", f"p of order {order}, share of wrong ratios"] < 0.05
        assert rows["named beforehand", f"frequency at order {order} as the speed to the power"] == pytest.approx(
            1.0, abs=0.1
        )
    assert rows["named beforehand", "amplitude at order 202 (A)"] == pytest.approx(LINES[202.0], rel=0.15)
    assert rows["named beforehand", "share of friction current at order 202"] == pytest.approx(0.09, abs=0.04)
    false = [run["p_search"] for run in ran.details["null"]]
    assert len(false) == 40
    for p in [*false, *(line["p"] for line in ran.details["lines"])]:  # as many draws, or they could not be compared
        assert 2001 * p == pytest.approx(round(2001 * p), abs=1e-6)
    assert {line["multiple"] for line in ran.details["lines"]} == {1, 2}
    for line in ran.details["lines"]:
        assert line["p_wrong"] == (1 + sum(p <= line["p"] for p in false)) / 41
        assert line["p_wrong"] == line["p_wrong_joints"]  # there is but one joint
    gains = {other["ratio"]: other["gain"] for other in ran.details["ratios"]}
    best = max(gains, key=lambda ratio: gains[ratio])
    assert best in (RATIO, 0.5 * RATIO)
    (told,) = [note for note in ran.notes if note.startswith("joint 1, current, 4 stretches of 4 speeds (1 : 2.7)")]
    assert told.endswith(f"of the ratios compared {best:g} gains most")
    assert "no line" not in told


def test_what_is_tested_often_is_judged_by_the_number_of_tests(ran: Results) -> None:
    named, backward = ran.details["named"], ran.details["backward"]
    assert [line["lock_holm"] for line in named] == holm([line["lock_p"] for line in named]).tolist()
    assert [test["session"] for test in backward] == ["back"] * len(named)
    assert [test["holm"] for test in backward] == holm([test["p"] for test in backward]).tolist()
    assert all(test["holm"] < 0.001 for test in backward if test["order"] in LINES)


def test_a_joint_with_one_of_both_orders_has_not_both() -> None:
    step = {
        "gain": [0.0, 1.0],
        "ratios": [90.0, 100.0],
        "pair": {"p": 1e-4, "p_larger": 0.2},
        "named": [{"order": order, "lock_p": 0.5, "is_order": True} for order in (100.0, 200.0)],
        "stretches": [{"way": -1, "turns": 0.1, "session": "short", "orders": [[1, 1, 1e-9, 0]], "highest": 2000.0}],
        "null": [{"line": False, "single": 0.0, "single_near": 0.0, "pair": 0.0, "pair_near": 0.0}],
    }
    part = Part()
    joints_together(part, {1: step}, ratio=100.0, level=0.05, seeds=1)
    counts = {row.metric: row.mean for row in part.rows}
    assert counts["joints with 100 or 200 (Holm, 0.05)"] == 1
    assert counts["joints with 100 and 200 (each at 0.05)"] == 0
    assert part.details["backward"] == []  # 0.1 turns are too few to test an order against its neighbours


def test_the_study_says_the_same_twice_and_needs_two_speeds(data: Path, ran: Results, tmp_path: Path) -> None:
    options = StrainWaveOrders.Options(data=data, ratio=RATIO, quick=True)
    assert StrainWaveOrders().run(options, tmp_path / "two").to_dict()["rows"] == ran.to_dict()["rows"]
    for have, quantity in enumerate((Quantity.TORQUE, Quantity.CURRENT)):
        made = stroke("only", 0.1, LINES)
        channels = (made.channels[0], Channel(quantity, 1))
        folder = tmp_path / quantity.value
        Parquet.write(Recording(made.time_s, made.values, channels, made.robot, "only"), folder / "only.parquet")
        with pytest.raises(NotEnoughData, match="different speed") as caught:
            StrainWaveOrders().run(StrainWaveOrders.Options(data=folder), tmp_path / "three")
        assert caught.value.have == have


@pytest.mark.parametrize("asked", [{"ratio": 500}, {"ratio": 50}, {"ratio": 300}, {"low": 430}, {"high": 150}])
def test_a_ratio_outside_the_band_is_refused(asked: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--ratio .* must lie between"):
        StrainWaveOrders.Options(data=tmp_path, **asked)


def test_measured_joints_of_a_gen3_ripple_at_multiples_of_100(data_dir: Path) -> None:
    folder = data_dir / "kinova_gen3_harmonic"
    found, _ = find_stretches(read(folder), min_turns=0.06, min_speed=0.02, max_order=420.0)
    assert {one.joint for one in found} == set(range(1, 8))
    assert min(one.highest_order for one in found) > 2000
    named, lines = {}, {}
    for joint in range(1, 8):
        mine = [one for one in found if one.joint == joint]
        seen = search(mine, "current", np.random.default_rng(0), **BAND)
        named[joint] = [float(seen.shared.p_single[seen.orders == order][0]) for order in (100.0, 200.0)]
        lines[joint] = [order for order, _ in seen.lines]
    assert [joint for joint, p in named.items() if max(p) <= 0.05] == [3, 4, 5, 7]
    every = [order for orders in lines.values() for order in orders]
    assert len(every) >= 5
    near = [abs(order - 100 * round(order / 100)) < 3 for order in every]
    assert sum(near) >= len(near) - 1
