"""Each telemetry fault shows in its way, where and when it strikes, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core import Recording, catalog
from jointwatch.core.errors import UsageError
from jointwatch.simulation.faults import Fault
from jointwatch.simulation.telemetry import observe

RNG = np.random.default_rng
STRUCK = (2, 6)  # of the ten cycles of 2 s from 1 s on
EPISODIC = ("clock_step", "dropouts", "frozen_samples", "repeated_samples")
LASTING = ("filter_change", "firmware_shift", "unit_change")
KINDS = ("position", "position.commanded", "velocity", "current", "joint_torque", "temperature")


@pytest.fixture
def plant(make_plant, quiet_sensor):
    return make_plant({kind: quiet_sensor(noise=0.0 if "." in kind else 1e-3) for kind in KINDS}, rate_hz=200.0)


@pytest.fixture
def trace(make_trace, robot):
    phase = np.arange(robot.n_joints)[:, None]
    return make_trace(
        22.0,
        motor_position_rad=lambda t: np.sin(t + phase),
        commanded_rad=lambda t: np.sin(t + phase),
        motor_velocity_rad_s=lambda t: np.cos(t + phase) + 0.2 * np.sin(2 * np.pi * 20 * t),
        current_a=lambda t: 2.0 + np.cos(3 * t + phase) + 0.2 * np.sin(2 * np.pi * 20 * t),
        joint_torque_nm=lambda t: 20 + 5 * np.cos(3 * t + phase),
        temperature_c=lambda t: 30 + 0.1 * t,
        model_torque_nm=lambda t: 12 + 5 * np.cos(3 * t + phase),
    )


def _struck(plant, motion, name, severity=1.0, joint=0, cycles=STRUCK, seed=0):
    return catalog.load("faults", name)().apply(
        plant, motion, joint, severity, RNG(seed), RNG(seed + 100), cycles=cycles
    )[0]


def _pair(plant, motion, trace, name, **how):
    return observe(trace, plant, RNG(1)), observe(trace, _struck(plant, motion, name, **how), RNG(1))


def _inside(time_s, motion, cycles=STRUCK):
    return np.any([(time_s >= motion.cycles[k].start_s) & (time_s < motion.cycles[k].stop_s) for k in cycles], axis=0)


def _row(seen, key):
    return [channel.key for channel in seen.channels].index(key)


def test_all_telemetry_faults_are_in_the_folder():
    there = [name for name in catalog.names("faults") if catalog.load("faults", name)().scope == "telemetry"]
    assert sorted(there) == sorted(EPISODIC + LASTING)
    assert {name for name in there if catalog.load("faults", name)().episodic} == set(EPISODIC)


@pytest.mark.parametrize("name", EPISODIC + LASTING)
def test_severity_0_changes_nothing_and_the_given_plant_stays(plant, motion, trace, name):
    healthy = observe(trace, plant, RNG(1))
    changed, same_motion = catalog.load("faults", name)().apply(plant, motion, 0, 0.0, RNG(0), RNG(1), cycles=STRUCK)
    assert same_motion is motion
    assert changed is not plant
    assert changed.drives.to_dict() == plant.drives.to_dict()
    again = observe(trace, changed, RNG(1))
    assert again.values.tobytes() == healthy.values.tobytes()
    assert again.time_s.tobytes() == healthy.time_s.tobytes()
    assert _struck(plant, motion, name).telemetry.faults
    assert plant.telemetry.faults == []


@pytest.mark.parametrize("name", EPISODIC + LASTING)
def test_same_seeds_same_recording_and_it_is_valid(plant, motion, trace, robot, name):
    one, two = (observe(trace, _struck(plant, motion, name), RNG(1)) for _ in range(2))
    assert one.values.tobytes() == two.values.tobytes()
    assert one.time_s.tobytes() == two.time_s.tobytes()
    Recording(one.time_s, one.values, one.channels, robot.fleet_robot("u"), "s", breaks=one.breaks)


@pytest.mark.parametrize("name", EPISODIC)
@pytest.mark.parametrize("severity", [0.2, 1.0])
def test_episodic_faults_leave_the_other_cycles_bit_for_bit(plant, motion, trace, name, severity):
    healthy, faulty = _pair(plant, motion, trace, name, severity=severity)
    outside = [~_inside(seen.time_s, motion) for seen in (healthy, faulty)]
    assert healthy.time_s[outside[0]].tobytes() == faulty.time_s[outside[1]].tobytes()
    np.testing.assert_array_equal(healthy.values[:, outside[0]], faulty.values[:, outside[1]])
    for k in STRUCK:
        within = [_inside(seen.time_s, motion, (k,)) for seen in (healthy, faulty)]
        assert not (
            np.array_equal(healthy.time_s[within[0]], faulty.time_s[within[1]])
            and np.array_equal(healthy.values[:, within[0]], faulty.values[:, within[1]])
        )


@pytest.mark.parametrize("name", LASTING)
def test_lasting_faults_start_with_the_first_struck_cycle_or_the_session(plant, motion, trace, name):
    healthy, faulty = _pair(plant, motion, trace, name, cycles=(5,))
    before = healthy.time_s < motion.cycles[5].start_s
    np.testing.assert_array_equal(healthy.values[:, before], faulty.values[:, before])
    differs = (healthy.values != faulty.values).any(axis=0)
    assert differs[~before].mean() > 0.99
    healthy, faulty = _pair(plant, motion, trace, name, cycles=())
    assert (healthy.values != faulty.values).any(axis=0).mean() > 0.99


def test_dropouts_are_missing_rows_that_make_breaks(plant, motion, trace):
    healthy, faulty = _pair(plant, motion, trace, "dropouts")
    lost = len(healthy.time_s) - len(faulty.time_s)
    assert faulty.notes["dropped"] == lost
    assert 0.1 < lost / _inside(healthy.time_s, motion).sum() <= 0.81
    assert set(faulty.time_s) < set(healthy.time_s)
    assert not np.isnan(faulty.values).any()
    breaks = faulty.time_s[list(faulty.breaks)]
    assert 2 <= len(breaks) <= 8
    assert _inside(breaks - 1e-9, motion).all()


def test_a_graver_fault_of_one_unit_contains_the_milder_one(plant, motion, trace):
    times = [
        set(observe(trace, _struck(plant, motion, "dropouts", severity=s), RNG(1)).time_s) for s in (0.1, 0.3, 0.6, 1.0)
    ]
    assert times[0] > times[1] > times[2] > times[3]


def test_frozen_samples_hold_one_joint_or_the_whole_row(plant, motion, trace):
    _, everything = _pair(plant, motion, trace, "frozen_samples")
    same = (everything.values[:, 1:] == everything.values[:, :-1]).all(axis=0)
    assert everything.notes["frozen"] == same.sum() > 100
    assert np.diff(np.flatnonzero(same)).max() > 1.0  # two stretches
    assert (np.diff(np.flatnonzero(same)) > 1).sum() == 1
    healthy, one = _pair(plant, motion, trace, "frozen_samples", joint=3)
    differs = {one.channels[i].key for i in np.flatnonzero((healthy.values != one.values).any(axis=1))}
    assert differs == {"position/3", "velocity/3", "current/3", "joint_torque/3", "temperature/3"}
    moved = np.diff(one.values[_row(one, "position/3")])
    assert (moved == 0).sum() == same.sum()


def test_repeated_samples_replay_the_block_before_under_new_stamps(plant, motion, trace):
    healthy, faulty = _pair(plant, motion, trace, "repeated_samples")
    assert faulty.time_s.tobytes() == healthy.time_s.tobytes()
    differs = np.flatnonzero((healthy.values != faulty.values).any(axis=0))
    assert faulty.notes["repeated"] == len(differs) > 50
    stretches = np.split(differs, np.flatnonzero(np.diff(differs) > 1) + 1)
    assert len(stretches) <= 8
    for rows in stretches:
        np.testing.assert_array_equal(faulty.values[:, rows], healthy.values[:, rows - len(rows)])
        assert _inside(healthy.time_s[rows - len(rows)], motion).all()


def test_clock_step_jumps_ahead_never_back_and_is_right_again_when_the_cycle_ends(plant, motion, trace):
    healthy, faulty = _pair(plant, motion, trace, "clock_step")
    np.testing.assert_array_equal(healthy.values, faulty.values)
    ahead = faulty.time_s - healthy.time_s
    assert (np.diff(faulty.time_s) > 0).all()
    assert (ahead >= 0).all()
    assert ahead.max() > 0.3
    jumps = np.flatnonzero(np.diff(ahead) > 0.05) + 1
    assert tuple(jumps) == faulty.breaks
    assert len(jumps) == len(STRUCK)
    for k, jump in zip(STRUCK, jumps, strict=True):
        stop_s = motion.cycles[k].stop_s
        rest = (np.arange(len(ahead)) >= jump) & (healthy.time_s < stop_s)
        assert (np.diff(ahead[rest]) < 0).all()
        assert ahead[rest][-1] < 0.01


def test_units_change_to_degrees_or_milliamperes_for_one_joint_or_all(plant, motion, trace):
    seen = set()
    for seed in range(12):
        healthy, faulty = _pair(plant, motion, trace, "unit_change", seed=seed, joint=2, cycles=(4,))
        rows = np.flatnonzero((healthy.values != faulty.values).any(axis=1))
        keys = tuple(faulty.channels[i].key for i in rows)
        seen.add(keys)
        after = healthy.time_s >= motion.cycles[4].start_s
        factor = 1000.0 if keys == ("current/2",) else 180 / np.pi
        np.testing.assert_allclose(faulty.values[rows][:, after], factor * healthy.values[rows][:, after])
    assert seen == {("current/2",), ("position/2", "position.commanded/2")}
    healthy, faulty = _pair(plant, motion, trace, "unit_change")
    assert len(np.flatnonzero((healthy.values != faulty.values).any(axis=1))) in (6, 12)


def test_filter_change_takes_the_fast_part_of_what_firmware_smooths(plant, motion, trace):
    healthy, faulty = _pair(plant, motion, trace, "filter_change", cycles=(), joint=1)
    keys = {faulty.channels[i].key for i in np.flatnonzero((healthy.values != faulty.values).any(axis=1))}
    assert keys == {"velocity/1", "current/1", "joint_torque/1"}

    def tone(seen, hz):
        late = slice(400, 4400)
        wave = np.exp(-2j * np.pi * hz * seen.time_s[late])
        values = seen.values[_row(seen, "current/1"), late]
        return abs(((values - values.mean()) * wave).mean())

    ratio = tone(faulty, 20.0) / tone(healthy, 20.0)
    strength = _struck(plant, motion, "filter_change").telemetry.faults[0][4]
    assert ratio == pytest.approx(1 / np.hypot(1, 20.0 * strength / 5.0), rel=0.1)
    milder = _pair(plant, motion, trace, "filter_change", cycles=(), joint=1, severity=0.2)[1]
    assert ratio < tone(milder, 20.0) / tone(healthy, 20.0) < 1.0


def test_firmware_shift_turns_current_into_torque_less_the_model(plant, motion, trace, robot):
    plant.telemetry.faults.append(("firmware_shift", 5.0, 99.0, None, 1.0))
    shifted = observe(trace, plant, RNG(1))
    late = shifted.time_s > 6.0
    nm_a = robot.number("drive.ratio") * robot.number("drive.torque_constant_nm_a")
    for joint in range(1, 7):
        slow = np.cos(3 * shifted.time_s[late] + joint - 1)
        expected = nm_a[joint - 1] * (2 + slow) - (12 + 5 * slow)
        found = shifted.values[_row(shifted, f"current/{joint}"), late]
        assert np.corrcoef(found, expected)[0, 1] > 0.95
        assert found.mean() == pytest.approx(expected.mean(), rel=0.02)
        torque = shifted.values[_row(shifted, f"joint_torque/{joint}"), late]
        assert torque.mean() == pytest.approx(8.0, abs=0.05)
    early = shifted.time_s < 5.0
    plant.telemetry.faults.clear()
    np.testing.assert_array_equal(shifted.values[:, early], observe(trace, plant, RNG(1)).values[:, early])


def test_firmware_shift_grows_with_severity_without_a_jump(plant, motion, trace):
    at = _row(observe(trace, plant, RNG(1)), "joint_torque/2")
    gone = []
    for severity in (1e-6, 0.1, 0.3, 0.6):
        healthy, faulty = _pair(plant, motion, trace, "firmware_shift", severity=severity, cycles=())
        gone.append((healthy.values[at] - faulty.values[at]).mean())
    assert gone[0] == pytest.approx(0.0, abs=1e-3)
    assert np.all(np.diff(gone) > 0.5)


def test_how_a_unit_reacts_is_its_own_and_not_the_severity(plant, motion):
    def strength(severity, seed):
        return _struck(plant, motion, "filter_change", severity=severity, seed=seed).telemetry.faults[0][4]

    assert strength(0.2, 0) == pytest.approx(2 * strength(0.1, 0))
    assert len({strength(0.2, seed) for seed in range(5)}) == 5


def test_faults_check_what_they_are_asked(plant, motion):
    clock = catalog.load("faults", "clock_step")()
    for severity in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="severity"):
            clock.apply(plant, motion, 0, severity, RNG(0), RNG(0), cycles=(1,))
    for joint in (-1, 7, 1.5, True):
        with pytest.raises(UsageError, match="joint"):
            clock.apply(plant, motion, joint, 0.5, RNG(0), RNG(0), cycles=(1,))
    with pytest.raises(UsageError, match="strikes single cycles"):
        clock.apply(plant, motion, 0, 0.5, RNG(0), RNG(0))
    with pytest.raises(UsageError, match="10 cycles"):
        clock.apply(plant, motion, 0, 0.5, RNG(0), RNG(0), cycles=(10,))
    with pytest.raises(UsageError, match=r"no faults entry 'rust'.*clock_step"):
        catalog.load("faults", "rust")
    with pytest.raises(UsageError, match="scope"):
        type("Odd", (Fault,), {"scope": "moon"})


def test_a_joint_fault_needs_a_joint_and_draws_do_not_touch_the_callers_generators(plant, motion):
    class Probe(Fault):
        scope = "joint"

        def _apply(self, plant, motion, case):
            plant.drives.coulomb[case.joint - 1] += case.law.random(1000).sum() + case.chance.random()
            return motion

    with pytest.raises(UsageError, match="from 1 to 6"):
        Probe().apply(plant, motion, 0, 0.5, RNG(0), RNG(0))
    for severity in (0.0, 0.5):
        law, chance = RNG(3), RNG(4)
        changed, _ = Probe().apply(plant, motion, 2, severity, law, chance)
        assert (law.random(), chance.random()) == (RNG(3).random(), RNG(4).random())
        assert (changed.drives.coulomb != plant.drives.coulomb).sum() == (severity > 0)


def test_schedules_that_cannot_be_are_usage_errors(plant, trace):
    for entry, problem in [
        (("melt", 0.0, 1.0, None, 1.0), r"no telemetry fault 'melt'.*dropouts"),
        (("frozen", 0.0, 1.0, 9, 1.0), "no joint 9"),
        (("frozen", 0.0, 1.0, None, 2.0), "strength 2"),
        (("frozen", 2.0, 1.0, None, 1.0), "from 2"),
    ]:
        plant.telemetry.faults[:] = [entry]
        with pytest.raises(UsageError, match=problem):
            observe(trace, plant, RNG(0))


def test_a_robot_without_the_signal_cannot_have_the_fault(make_plant, quiet_sensor, motion):
    warm = make_plant({"temperature": quiet_sensor()})
    for name in ("unit_change", "firmware_shift", "filter_change"):
        with pytest.raises(UsageError, match="reports n"):
            _struck(warm, motion, name)
