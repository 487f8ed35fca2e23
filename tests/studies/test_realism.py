"""The realism study finds the known truth of synthetic recordings, and tells the same source apart from nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.core import Channel, Quantity, Recording, Robot
from jointwatch.core.errors import NotEnoughData
from jointwatch.reports.by_study.realism import figures, realism_figure
from jointwatch.studies import realism
from jointwatch.studies._realism import axes, clock, resolution, standstill
from jointwatch.studies._realism_measure import compare, halves, measure
from jointwatch.studies._realism_motion import friction, scatter, spectrum
from jointwatch.studies._realism_ripple import ripple
from jointwatch.studies._realism_twosample import FEATURES, VIEWS, two_sample, window_features
from jointwatch.studies.base import Results

RATIO = 100.0
GRAVITY, COULOMB, VISCOUS, INERTIA = 2.0, 0.8, 1.5, 0.05


def stroke(
    seed: int = 0,
    *,
    noise_a: float = 0.02,
    lsb_a: float = 0.0,
    order2_a: float = 0.0,
    rate_hz: float = 200.0,
    cycles: int = 4,
    jitter_s: float = 0.0,
    one_way: bool = False,
    reference: bool = False,
    scatter_a: float = 0.0,
) -> Recording:
    """A joint of known friction that rests for 3 s and then swings (or goes) about a gravity load; joint 2 holds."""
    rng = np.random.default_rng(seed)
    count = round((3 + 8 * cycles) * rate_hz)
    time_s = np.arange(count) / rate_hz + jitter_s * rng.uniform(-1, 1, count)
    moving = np.maximum(time_s - 3, 0)
    omega = 2 * np.pi / 8
    if one_way:
        position, speed, bend = 0.4 * moving, 0.4 * (moving > 0), np.zeros(count)
    else:
        position = 0.8 * (1 - np.cos(omega * moving))
        speed, bend = 0.8 * omega * np.sin(omega * moving), 0.8 * omega**2 * np.cos(omega * moving) * (moving > 0)
    load = GRAVITY * np.sin(position)
    current = load + COULOMB * np.sign(speed) + VISCOUS * speed + INERTIA * bend
    current += order2_a * np.cos(2 * RATIO * position + 0.3) * (moving > 0)
    current += scatter_a * rng.standard_normal(cycles + 1)[(moving // 8).astype(int)]
    current += noise_a * rng.standard_normal(count)
    hold = 0.3 + noise_a * rng.standard_normal(count)
    if lsb_a:
        current, hold = (lsb_a * np.rint(values / lsb_a) for values in (current, hold))
    rows = [position, speed, current, np.full(count, 0.5), np.zeros(count), hold]
    channels = [Channel(q, j) for j in (1, 2) for q in (Quantity.POSITION, Quantity.VELOCITY, Quantity.CURRENT)]
    if reference:
        rows.append(10 * load)
        channels.append(Channel(Quantity.JOINT_TORQUE, 1))
    return Recording(time_s, np.stack(rows), tuple(channels), Robot.of("demo", "arm", "a", 2), f"run {seed}")


def test_noise_at_rest_is_found_with_its_resolution() -> None:
    recording = stroke(noise_a=0.03, lsb_a=0.004)
    found = {rest.channel: rest for rest in standstill(recording, axes(recording))}
    for name in ("current/1", "current/2"):
        assert found[name].sd == pytest.approx(0.03, rel=0.1)
        assert found[name].lsb == pytest.approx(0.004, rel=1e-3)
        assert abs(found[name].autocorrelation) < 0.1
        assert found[name].all_joints
        assert 2.2 < found[name].seconds <= 3.0
    assert found["position/2"].sd < 1e-12


def test_resolution_is_not_seen_where_there_is_none() -> None:
    rng = np.random.default_rng(0)
    assert resolution(rng.standard_normal(2000)) == 0
    assert resolution(np.zeros(10)) == 0
    assert resolution(0.01 * rng.integers(0, 5, 200)) == pytest.approx(0.01)


def test_friction_of_a_swing_comes_free_of_gravity_and_inertia() -> None:
    (found,) = friction(axes(stroke()))
    assert (found.joint, found.method) == (1, "both ways")
    assert found.coulomb == pytest.approx(COULOMB, abs=0.03)
    assert found.viscous == pytest.approx(VISCOUS, abs=0.06)
    expected = COULOMB + VISCOUS * np.array(found.speed)
    assert np.abs(np.array(found.effort) - expected).max() < 0.06


def test_friction_by_a_torque_sensor_and_one_way() -> None:
    moving = stroke(reference=True, one_way=True)
    (alone,) = friction(axes(moving))
    assert alone.method == "one way"
    assert alone.coulomb == pytest.approx(COULOMB + 0.4 * VISCOUS, abs=0.03)
    assert np.isnan(alone.viscous)
    swing = stroke(reference=True)
    # while the second joint moves along, the two ways of the first are no longer alike
    values = swing.values.copy()
    values[3] = 0.5 + 0.5 * np.sin(swing.time_s)
    shared = Recording(swing.time_s, values, swing.channels, swing.robot, "both")
    found = {one.joint: one for one in friction(axes(shared))}[1]
    assert found.method == "reference"
    assert found.coulomb == pytest.approx(COULOMB, abs=0.03)
    assert found.viscous == pytest.approx(VISCOUS, abs=0.05)
    assert found.load == pytest.approx(0.1, abs=0.005)


def test_scatter_is_between_cycles_and_not_within() -> None:
    calm, uneven = (scatter(axes(stroke(cycles=6, scatter_a=a)))[0] for a in (0.0, 0.2))
    assert calm.cycles >= 5
    assert calm.sd == pytest.approx(0.02, rel=0.5)
    assert 0.05 < uneven.sd < 0.5
    assert uneven.effort_range == pytest.approx(2 * (COULOMB + 0.8 * VISCOUS * 2 * np.pi / 8) + 1, rel=0.6)


def test_white_noise_fills_the_bands_by_their_width() -> None:
    found = spectrum(axes(stroke(noise_a=0.1)))[0]
    assert found.band_sd["20-50 Hz"] == pytest.approx(0.1 * np.sqrt(30 / 100), rel=0.1)
    assert found.band_sd["50-100 Hz"] == pytest.approx(0.1 * np.sqrt(50 / 100), rel=0.1)


def test_order_amplitudes_are_found_at_the_motor_and_only_there() -> None:
    found = {line.order: line for line in ripple(axes(stroke(order2_a=0.1, cycles=5)), [RATIO, RATIO])}
    assert found[2.0].amplitude == pytest.approx(0.1, rel=0.05)
    assert found[2.0].found == 1.0
    assert found[2.0].phase_repeat > 0.99
    assert found[2.0].ratio == pytest.approx(RATIO)
    assert found[1.0].amplitude < 0.01
    assert found[1.0].found < 0.3
    silent = {line.order: line for line in ripple(axes(stroke()), [RATIO, RATIO])}
    assert silent[2.0].amplitude < 3 * silent[2.0].noise < 0.02


def test_a_line_half_a_percent_off_the_ratio_is_still_found() -> None:
    found = {line.order: line for line in ripple(axes(stroke(order2_a=0.1)), [RATIO / 1.005, RATIO])}
    assert found[2.0].amplitude == pytest.approx(0.1, rel=0.1)
    assert found[2.0].ratio == pytest.approx(RATIO, rel=1e-6)


def test_clock_counts_steps_repeats_and_jumps() -> None:
    recording = stroke()
    values = recording.values.copy()
    rng = np.random.default_rng(1)
    held = np.sort(rng.choice(np.arange(900, 2500), 16, replace=False))
    for i in held:
        values[:, i] = values[:, i - 1]
    keep = np.ones(len(recording.time_s), bool)
    keep[[1000, 2000, 3000]] = False
    damaged = Recording(recording.time_s[keep], values[:, keep], recording.channels, recording.robot, "damaged")
    found = clock(damaged, axes(damaged))
    assert found.median_ms == pytest.approx(5.0)
    assert found.largest_ms == pytest.approx(10.0)
    assert found.long_share == pytest.approx(3 / keep.sum(), rel=0.01)
    assert found.repeat_share == pytest.approx(len(held) / keep.sum(), rel=0.2)
    assert clock(recording, axes(recording)).jumps_hz == 0
    assert found.jumps_hz > 0.3
    jittered = stroke(jitter_s=0.001)
    assert clock(jittered, axes(jittered)).high_ms > 5.5


def test_lost_samples_and_absent_channels_are_no_obstacle() -> None:
    recording = stroke(reference=True)
    values = recording.values.copy()
    values[2, 500:505] = np.nan
    lossy = Recording(recording.time_s, values, recording.channels, recording.robot, "lossy")
    found = measure(lossy, [RATIO] * 2)
    assert {metric for _, metric, _, _ in found["numbers"]} >= {"Coulomb friction", "order 2", "effort noise at rest"}
    json.dumps(found, allow_nan=False)
    bare = recording.select(["current/1", "current/2"])
    assert {joint for joint, *_ in measure(bare, [RATIO] * 2)["numbers"]} == {0}
    assert len(measure(bare, [RATIO] * 2)["features"]) == 0


def test_sides_are_compared_joint_by_joint() -> None:
    real, loud = (measure(stroke(seed, noise_a=a), [RATIO] * 2)["numbers"] for seed, a in ((0, 0.02), (1, 0.06)))
    found = compare([real], [[loud, loud]])
    assert found["effort noise at rest"].by_joint[2][2] == pytest.approx(3, rel=0.15)
    assert found["effort noise at rest"].ratio[0] == pytest.approx(3, rel=0.15)
    assert found["Coulomb friction"].ratio[0] == pytest.approx(1, rel=0.05)
    gone = [(joint, metric, unit, 0.0) for joint, metric, unit, _ in real]
    assert compare([real], [[gone]])["Coulomb friction"].ratio[0] == pytest.approx(0.01)
    first, second = halves(stroke()) or (None, None)
    assert first is not None
    assert second is not None
    assert second.time_s[0] > first.time_s[-1]


def windows(noise_a: float, seeds: range) -> list[np.ndarray]:
    found = []
    for seed in seeds:
        recording = stroke(seed, noise_a=noise_a, cycles=2)
        found.append(window_features(recording, axes(recording)))
    return found


def test_the_same_source_is_not_told_apart_and_another_noise_is() -> None:
    first, same = windows(0.02, range(6)), windows(0.02, range(20, 26))
    alike = two_sample(first, same, trees=40)
    assert 0.35 < alike.auroc < 0.65
    assert alike.low <= 0.55
    apart = two_sample(first, windows(0.03, range(40, 46)), trees=40)
    assert apart.auroc > 0.98
    assert apart.features[0][0] in ("effort noise", "effort below 5 Hz", "effort spread")
    _, _, alone, a, b = next(row for row in apart.features if row[0] == "effort noise")
    assert alone > 0.85
    assert b / a == pytest.approx(1.5, rel=0.15)
    assert set(VIEWS["effort only"]) < set(FEATURES)


def test_a_single_recording_is_no_test() -> None:
    with pytest.raises(NotEnoughData, match="telling two sources apart"):
        two_sample(windows(0.02, range(1)), windows(0.02, range(1)))


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[float], Results]:
    """The study on three synthetic recordings, with a twin whose noise is a multiple of the measured one."""

    class Reader:
        def read(self, path: Path) -> Any:
            return iter([stroke(seed, cycles=2, rate_hz=100.0) for seed in range(3)])

    class Model:
        model, n_joints = "arm", 2

        def number(self, key: str) -> np.ndarray:
            return np.array([RATIO, RATIO])

    def run(times: float) -> Results:
        def twin(recording: Recording, robot: Any, seed: int, load: Any = None) -> Recording:
            return stroke(100 + seed + int(recording.session.split()[1]), noise_a=0.02 * times, cycles=2, rate_hz=100.0)

        (tmp_path / "data" / "demo").mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(realism, "_SETS", {"demo": ("demo", "demo"), "lost": ("demo", "demo")})
        monkeypatch.setattr(realism, "load_robot", lambda name: Model())
        monkeypatch.setattr(realism, "robot_digest", lambda robot: "")
        monkeypatch.setattr(realism, "twin_of", twin)
        monkeypatch.setattr(realism, "_usable", lambda recordings, found: recordings)
        monkeypatch.setattr(
            realism.catalog, "load", lambda stage, name: Reader if stage == "recordings" else realism.Realism
        )
        monkeypatch.setattr(realism, "_TREES", 5)
        options = realism.Realism.Options(data=tmp_path / "data", seeds=2)
        return realism.Realism().run(options, tmp_path / f"out {times}")

    return run


def test_the_study_says_where_the_simulation_is_wrong(study: Callable[[float], Results], tmp_path: Path) -> None:
    results = study(4.0)
    found = {(row.method, row.metric): row for row in results.rows}
    ratio = found["simulated / measured", "effort noise at rest, ratio"]
    assert ratio.mean == pytest.approx(4, rel=0.1)
    assert ratio.low <= ratio.mean <= ratio.high
    assert (ratio.n, ratio.seeds) == (3, 2)
    assert found["measured, second half / first", "Coulomb friction, ratio"].mean == pytest.approx(1, abs=0.1)
    assert found["simulated / measured", "two-sample AUC, effort only"].mean > 0.98
    notes = "\n".join(results.notes)
    assert "lost: not in the folder" in notes
    assert "demo: wrong in effort noise at rest" in notes
    assert "most telling: effort noise" in notes
    assert set(results.details) == {"joints", "tells", "recordings", "curves"}
    rest = [row for row in results.details["joints"] if row["metric"] == "effort noise at rest"]
    assert [row["joint"] for row in rest] == [1, 2]
    assert all(3.5 < row["ratio"] < 4.5 for row in rest)
    assert figures(results, tmp_path)[0].stat().st_size > 20_000


def test_a_perfect_twin_is_said_to_be_right(study: Callable[[float], Results]) -> None:
    found = {(row.method, row.metric): row for row in study(1.0).rows}
    assert found["simulated / measured", "friction at mean speed, ratio"].mean == pytest.approx(1, abs=0.02)
    assert 0.3 < found["simulated / measured", "two-sample AUC, all"].mean < 0.7


def test_the_figure_shows_both_sides_of_every_joint() -> None:
    points = [
        {"kind": kind, "joint": joint, "unit": "A", "side": side, "seed": 0, "x": x, "y": x + joint}
        for kind in ("friction", "spectrum", "orders", "orders, noise")
        for joint in (1, 3)
        for side in ("measured", "simulated")
        for x in (1.0, 2.0)
    ]
    figure = realism_figure(points, "demo")
    titles = [axis.get_title(loc="left") for axis in figure.axes if axis.get_title(loc="left")]
    assert titles == ["joint 1", "joint 3"]
    assert [len(axis.lines) for axis in figure.axes[:4]] == [2, 2, 2, 2]
