"""Fleets: chance deals faults, circumstances belong to nobody, and sessions say what is true of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import f_oneway

from jointwatch.core import Label, Recording, catalog
from jointwatch.core.errors import InputError, UsageError
from jointwatch.core.levels import LEVEL_RAD
from jointwatch.simulation._streams import stream
from jointwatch.simulation.fleet import SessionPlan, plan_fleet
from jointwatch.simulation.robot import load_robot
from jointwatch.simulation.session import simulate_session
from jointwatch.simulation.spec import FleetSpec, load_spec, presets
from jointwatch.simulation.unit import draw_session, draw_unit

SWING = {"name": "reciprocation", "amplitude_deg": 20.0, "period_s": 2.0}


def _spec(**group: Any) -> FleetSpec:
    """One group of short swings of the rig, with these changes."""
    basis = {
        "name": "rigs", "robot": "harmonic_rig", "units": 3, "healthy_sessions": 2, "faulty_sessions": 2, "cycles": 2,
        "task": SWING, "vary": {"load_kg": [0.0, 0.5]}, "faults": [{"name": "friction_rise"}, {"name": "backlash"}],
    }  # fmt: skip
    return FleetSpec(name="small", seed=5, groups=(basis | group,))


def _faulty(plans: list[SessionPlan]) -> list[SessionPlan]:
    return [plan for plan in plans if plan.fault]


def _short(plan: SessionPlan) -> SessionPlan:
    return replace(plan, cycles=1, struck=(0,) if plan.struck else ())


# --- plans ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", presets())
def test_presets_plan_the_same_sessions_every_time(name: str) -> None:
    spec = load_spec(name)
    plans = plan_fleet(spec)
    assert plans == plan_fleet(load_spec(name))
    assert len({(plan.unit, plan.session) for plan in plans}) == len(plans)
    for group in spec.groups:
        mine = [plan for plan in plans if plan.group == group.name]
        assert len(mine) == group.units * (group.healthy_sessions + group.faulty_sessions)
        for unit in {plan.unit for plan in mine}:
            assert len(_faulty([plan for plan in mine if plan.unit == unit])) == group.faulty_sessions
    assert plan_fleet(spec.model_copy(update={"seed": spec.seed + 1})) != plans


def test_other_faults_change_no_circumstance_and_no_healthy_session() -> None:
    before, after = (
        plan_fleet(_spec(faults=[{"name": name} for name in names]))
        for names in (("friction_rise", "backlash"), ("encoder_drift", "dropouts", "over_temperature"))
    )
    for one, two in zip(before, after, strict=True):
        assert bool(one.fault) == bool(two.fault)
        fault = ("fault", "joint", "severity", "struck")
        assert {k: v for k, v in vars(one).items() if k not in fault} == {
            k: v for k, v in vars(two).items() if k not in fault
        }
    pair = next((one, two) for one, two in zip(before, after, strict=True) if not one.fault)
    a, b = (simulate_session(plan) for plan in pair)
    assert a.values.tobytes() == b.values.tobytes()
    assert a.truth == b.truth
    pair = next((one, two) for one, two in zip(before, after, strict=True) if one.fault and two.fault == "dropouts")
    a, b = (simulate_session(plan) for plan in pair)
    assert a.truth["ambient_c"] == b.truth["ambient_c"]
    assert a.truth["temperature_c"]["start"] == b.truth["temperature_c"]["start"]
    assert a.truth["latent"]["torque_constant"] == b.truth["latent"]["torque_constant"]


def test_no_fault_owns_a_circumstance() -> None:
    """Speed, part, place, ambient and start temperature of the faulty sessions of the large fleet, by fault: as equal
    as chance makes them; faulty and healthy sessions alike."""
    plans = plan_fleet(load_spec("m3-fleet"))
    seen: dict[str, np.ndarray] = {}
    for name in ("speed", "part_kg"):
        seen[name] = np.array([plan.parameters[name] for plan in plans])
    for axis in range(3):
        seen[f"offset {axis}"] = np.array([plan.parameters["offset_m"][axis] for plan in plans])
    units = {robot: draw_unit(load_robot(robot), np.random.default_rng(0)) for robot in {plan.robot for plan in plans}}
    sessions = [
        draw_session(units[plan.robot], stream(plan.seed, plan.group, plan.unit, plan.session, "session"))
        for plan in plans
    ]
    seen["ambient"] = np.array([plant.ambient_c for plant in sessions])
    seen["start temperature"] = np.array([plant.drives.temperature_c.mean() for plant in sessions])
    seen["session"] = np.array([int(plan.session[1:]) for plan in plans], float)
    fault = np.array([plan.fault for plan in plans])
    names = sorted(set(fault) - {""})
    assert len(names) > 15
    for what, values in seen.items():
        assert values.std() > 0
        apart = f_oneway(*(values[fault == name] for name in names)).pvalue
        assert apart > 0.005, (what, apart)
        assert f_oneway(values[fault == ""], values[fault != ""]).pvalue > 0.005, what
    # The test would see a fault that owned a circumstance, even a part of it.
    leaking = seen["ambient"] + 4.0 * (fault == names[0])
    assert f_oneway(*(leaking[fault == name] for name in names)).pvalue < 0.005


@pytest.mark.parametrize("name", ["m3-fleet", "demo"])
def test_every_fault_is_dealt_as_often_as_any_other(name: str) -> None:
    spec = load_spec(name)
    plans = plan_fleet(spec)
    for group in spec.groups:
        dealt = Counter(plan.fault for plan in _faulty(plans) if plan.group == group.name)
        counts = [dealt[fault.name] for fault in group.faults]
        assert sum(counts) == group.units * group.faulty_sessions
        assert max(counts) - min(counts) <= 1


def test_joints_and_severities_are_spread_evenly() -> None:
    group = {
        "robot": "ur5e", "units": 12, "faulty_sessions": 3, "task": {"name": "pick_and_place"}, "vary": {},
        "faults": [{"name": "friction_rise", "severity": [0.1, 0.7]}],
    }  # fmt: skip
    faulty = _faulty(plan_fleet(_spec(**group)))
    assert len(faulty) == 36
    for round_ in range(6):
        six = faulty[6 * round_ : 6 * round_ + 6]
        assert sorted(plan.joint for plan in six) == [1, 2, 3, 4, 5, 6]
        shares = (np.array([plan.severity for plan in six]) - 0.1) / 0.6
        assert sorted((6 * shares).astype(int)) == [0, 1, 2, 3, 4, 5]
    rank = np.corrcoef([plan.joint for plan in faulty], [plan.severity for plan in faulty])[0, 1]
    assert abs(rank) < 0.4
    listed = _faulty(plan_fleet(_spec(**group | {
        "faults": [{"name": "friction_rise", "joints": [2, 5], "severity": [0.2, 0.5, 1.0]}]
    })))  # fmt: skip
    assert Counter((plan.joint, plan.severity) for plan in listed) == Counter(
        {(joint, severity): 6 for joint in (2, 5) for severity in (0.2, 0.5, 1.0)}
    )


def test_only_joints_that_can_have_a_fault_get_it() -> None:
    faulty = _faulty(plan_fleet(_spec(robot="industrial6", units=8, faults=[{"name": "rv_pitting"}], vary={})))
    pins = load_robot("industrial6").number("drive.rv_pins")
    assert {plan.joint for plan in faulty} == set((np.flatnonzero(pins > 0) + 1).tolist())
    with pytest.raises(UsageError, match="UR5e cannot have rv_pitting"):
        plan_fleet(_spec(robot="ur5e", faults=[{"name": "rv_pitting"}]))


def test_what_is_installed_belongs_to_the_unit_and_what_varies_to_the_session() -> None:
    spec = _spec(
        robot="ur5e", units=4, task={"name": "pick_and_place", "part_kg": 1.0}, install={"speed": [0.3, 0.6]},
        vary={"speed": [-0.01, 0.01], "part_kg": [0.0, 0.2], "offset_m": [-0.01, 0.01]},
    )  # fmt: skip
    plans = plan_fleet(spec)
    speeds = {
        unit: np.array([plan.parameters["speed"] for plan in plans if plan.unit == unit])
        for unit in {plan.unit for plan in plans}
    }
    for own in speeds.values():
        assert 0 < np.ptp(own) <= 0.02
    assert np.ptp([own.mean() for own in speeds.values()]) > 0.05
    assert all(1.0 <= plan.parameters["part_kg"] <= 1.2 for plan in plans)
    offsets = np.array([plan.parameters["offset_m"] for plan in plans])
    assert offsets.shape == (16, 3)
    assert len(np.unique(offsets)) == 48


# --- sessions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", range(1, 7))
def test_units_reach_the_level_that_is_wanted_and_were_new_once(level: int) -> None:
    spec = _spec(units=2, cycles=1, faults=[{"name": "reducer_wear", "joints": [1], "levels": [level]}])
    plans = plan_fleet(spec)
    for unit in {plan.unit for plan in plans}:
        recordings = [(plan, simulate_session(plan)) for plan in plans if plan.unit == unit]
        for plan, recording in recordings:
            (error,), (found,) = recording.truth["static_error_rad"], recording.truth["level"]
            if plan.fault:
                assert found == level
                assert level - 1 < error / LEVEL_RAD <= level
                assert recording.truth["fault"]["severity"] > 0
                if level == 1:  # as inexact as a new drive may be
                    assert recording.condition.label is Label.NORMAL
                else:
                    assert recording.truth["fault"]["severity"] == recording.condition.severity
            else:
                assert found == 1
                assert recording.condition.label is Label.NORMAL
        # All sessions are of one specimen: what wear does not touch is the same in all of them.
        for name in ("torque_constant", "wave_phase", "output_phase", "rotor_inertia"):
            assert len({str(recording.truth["latent"][name]) for _, recording in recordings}) == 1


def _one(fault: str, robot: str = "ur5e", **more: Any) -> tuple[SessionPlan, Recording]:
    group = {
        "robot": robot, "units": 1, "healthy_sessions": 0, "faulty_sessions": 1, "cycles": 4, "vary": {},
        "task": {"name": "pick_and_place"}, "faults": [{"name": fault, "severity": [0.8]}],
    }  # fmt: skip
    (plan,) = plan_fleet(_spec(**group | more))
    return plan, simulate_session(plan)


@pytest.mark.parametrize("fault", ["collision", "payload_change", "lost_grip"])
def test_struck_cycles_are_anomalous_and_the_others_normal(fault: str) -> None:
    plan, recording = _one(fault)
    assert len(plan.struck) == 2
    for number, cycle in enumerate(recording.cycles):
        if number in plan.struck:
            assert (cycle.condition.label, cycle.condition.fault) == (Label.ANOMALOUS, fault)
            assert cycle.condition.severity == plan.severity
        else:
            assert cycle.condition.label is Label.NORMAL
            assert cycle.condition.fault is None or cycle.condition.fault == ""
    assert recording.condition.label is not Label.NORMAL
    assert recording.truth["fault"]["struck"] == list(plan.struck)
    contacts = [event for event in recording.events if event.name == "contact"]
    assert len(contacts) == (2 if fault == "collision" else 0)
    for event, number in zip(contacts, plan.struck, strict=False):
        assert recording.cycles[number].start_s <= event.start_s < recording.cycles[number].stop_s


def test_a_lasting_fault_makes_all_cycles_anomalous_and_names_its_joint() -> None:
    plan, recording = _one("friction_rise")
    for cycle in recording.cycles:
        assert cycle.condition == recording.condition
    assert recording.condition.label is Label.ANOMALOUS
    assert (recording.condition.fault, recording.condition.joint) == ("friction_rise", plan.joint)


@pytest.mark.parametrize("fault", ["dropouts", "unit_change"])
def test_telemetry_faults_say_nothing_about_a_joint(fault: str) -> None:
    plan, recording = _one(fault)
    labels = {cycle.condition.label for cycle in recording.cycles}
    assert Label.UNCERTAIN in labels
    assert Label.ANOMALOUS not in labels
    assert (Label.NORMAL in labels) == bool(plan.struck)


def test_a_session_tells_the_whole_truth_and_is_the_same_again() -> None:
    plan, recording = _one("reducer_wear")
    again = simulate_session(plan)
    assert recording.values.tobytes() == again.values.tobytes()
    assert recording.time_s.tobytes() == again.time_s.tobytes()
    assert recording.truth == again.truth
    truth = recording.truth
    assert {"difficulty", "seed", "task", "fault", "ambient_c", "temperature_c", "static_error_rad", "latent"} <= set(
        truth
    )
    assert truth["task"]["name"] == "pick_and_place"
    assert len(truth["static_error_rad"]) == len(truth["level"]) == 6
    assert np.shape(truth["latent"]["wave_rad"]) == (6, 4)
    assert (recording.robot.unit, recording.session) == (plan.unit, plan.session)
    other = simulate_session(replace(plan, session="another"))
    assert other.values.tobytes() != recording.values.tobytes()
    assert other.truth["latent"]["torque_constant"] == truth["latent"]["torque_constant"]
    assert other.truth["ambient_c"] != truth["ambient_c"]


@pytest.mark.parametrize("name", presets())
def test_every_group_of_the_presets_can_be_simulated(name: str) -> None:
    plans = plan_fleet(load_spec(name))
    for group in dict.fromkeys(plan.group for plan in plans):
        mine = [plan for plan in plans if plan.group == group]
        recording = simulate_session(_short(next((plan for plan in mine if not plan.fault), mine[0])))
        assert len(recording.cycles) == 1
        assert np.isfinite(recording.values).all()


@pytest.mark.parametrize("fault", catalog.names("faults"))
def test_every_fault_can_be_simulated(fault: str) -> None:
    """On the brands of the large fleet in turn, so that all meet several faults; each fault on at least one."""
    robots = ("ur5e", "crx10ia", "gofa5", "iiwa7", "m1013")
    robot = {"rv_pitting": "industrial6", "torque_sensor_drift": "iiwa7"}.get(
        fault, robots[catalog.names("faults").index(fault) % len(robots)]
    )
    place = {"pick_m": (0.6, -0.3, 0.4), "place_m": (0.6, 0.3, 0.4)} if robot == "industrial6" else {}
    _, recording = _one(fault, robot, cycles=1, task={"name": "pick_and_place"} | place)
    assert recording.truth["fault"]["name"] == fault
    assert np.isfinite(recording.values).all()
    assert recording.cycles[0].condition.label is not Label.NORMAL


# --- bad specifications ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fautls": []}, "fautls"),
        ({"units": 0}, "units"),
        ({"name": "a b"}, "name"),
        ({"cycles": "many"}, "cycles"),
        ({"struck": 1.5}, "struck"),
        ({"rate_hz": 4500}, "rate_hz"),
        ({"faults": [{"name": "friction_raise"}]}, "no fault 'friction_raise'; there are axis_weakening"),
        ({"faults": [{"name": "backlash", "severity": [0.0, 1.0]}]}, "severity of backlash"),
        ({"faults": [{"name": "backlash", "severity": []}]}, "severity of backlash"),
        ({"faults": [{"name": "backlash"}, {"name": "backlash"}]}, "faults of group rigs repeat: backlash"),
        ({"faults": [{"name": "reducer_wear", "joints": [1], "levels": [7]}]}, "levels of reducer_wear are 1 to 6"),
        ({"faults": [{"name": "reducer_wear", "levels": [2]}]}, "single fault in a single joint"),
        ({"faults": []}, "group rigs has faulty sessions but no faults"),
        ({"healthy_sessions": 0, "faulty_sessions": 0}, "group rigs has no sessions"),
        ({"task": {"amplitude_deg": 10}}, "the task of group rigs needs a name"),
    ],
)
def test_a_wrong_file_is_refused_by_key(change: dict[str, Any], says: str, tmp_path: Path) -> None:
    content = _spec().model_dump(mode="json")
    content["groups"][0] |= change
    file = tmp_path / "fleet.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError) as error:
        load_spec(file)
    assert says in str(error.value)
    assert "fleet.yaml" in str(error.value)


@pytest.mark.parametrize("text", ["- 1\n", "", "name: [unclosed\n", "name: x\ngroups: []\n", "1: 2\n"])
def test_what_is_no_fleet_file_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"fleet\.yaml"):
        load_spec(file)


def test_groups_with_one_name_are_refused(tmp_path: Path) -> None:
    content = _spec().model_dump(mode="json")
    content["groups"] *= 2
    file = tmp_path / "fleet.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match="names of groups repeat: rigs, rigs"):
        load_spec(file)


def test_a_good_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(yaml.safe_dump(_spec().model_dump(mode="json")))
    assert load_spec(file) == _spec()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"robot": "ur6e"}, "no robot 'ur6e'; there are"),
        ({"robot": "mine.yaml"}, "mine.yaml"),
        ({"task": {"name": "reciprocate"}}, "no tasks entry 'reciprocate'"),
        ({"task": {"name": "reciprocation", "period": 8.0}}, "parameter period"),
        ({"task": {"name": "reciprocation", "period_s": -8.0}}, "parameter period_s"),
        ({"vary": {"speed": [0.1, 0.2]}}, "task reciprocation has no parameter 'speed' to vary"),
        ({"install": {"speed": [0.1, 0.2]}}, "task reciprocation has no parameter 'speed' to vary"),
        ({"faults": [{"name": "backlash", "joints": [1, 3]}]}, "cannot have backlash in joint 1, 3"),
    ],
)
def test_what_does_not_exist_is_named_before_anything_is_simulated(change: dict[str, Any], says: str) -> None:
    with pytest.raises((UsageError, InputError)) as error:
        plan_fleet(_spec(**change))
    assert says in str(error.value)


def test_unknown_presets_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no preset 'm4'; there are arms"):
        load_spec("m4")
    with pytest.raises(InputError, match="not found"):
        load_spec(tmp_path / "none.yaml")
