"""The robot files: physically possible arms, every number with its evidence, and clear refusals of broken files."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from jointwatch.core import Channel
from jointwatch.core.errors import InputError, UsageError
from jointwatch.simulation.robot import EVIDENCE, RobotModel, load_robot, robots

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "src" / "jointwatch" / "simulation" / "robots"
ARMS = (
    "crx10ia", "gen3", "gofa5", "iiwa7", "industrial6", "m1013", "panda", "ur10e", "ur3e", "ur5e", "yu_cobot",
)  # fmt: skip
G = 9.81


def pose(robot: RobotModel, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
    """Flange position and rotation, position of each joint, axis of each joint, in the base frame."""
    turn, place, places, axes = np.eye(3), np.zeros(3), [], []
    for i in range(robot.n_joints):
        place = place + turn @ robot.number("kinematics.origin_m")[i]
        turn = turn @ Rotation.from_euler("xyz", robot.number("kinematics.origin_rpy_rad")[i]).as_matrix()
        axis = robot.number("kinematics.axis")[i]
        places.append(place)
        axes.append(turn @ axis)
        turn = turn @ Rotation.from_rotvec(axis * q[i]).as_matrix()
    flange = place + turn @ robot.number("kinematics.flange_m")
    turn = turn @ Rotation.from_euler("xyz", robot.number("kinematics.flange_rpy_rad")).as_matrix()
    return flange, turn, places, np.array(axes)


def gravity_torque(robot: RobotModel, q: np.ndarray) -> np.ndarray:
    turn, place, centres, places, axes = np.eye(3), np.zeros(3), [], [], []
    for i in range(robot.n_joints):
        place = place + turn @ robot.number("kinematics.origin_m")[i]
        turn = turn @ Rotation.from_euler("xyz", robot.number("kinematics.origin_rpy_rad")[i]).as_matrix()
        axis = robot.number("kinematics.axis")[i]
        places.append(place)
        axes.append(turn @ axis)
        turn = turn @ Rotation.from_rotvec(axis * q[i]).as_matrix()
        centres.append(place + turn @ robot.number("inertials.com_m")[i])
    weights = np.outer(robot.number("inertials.mass_kg"), [0, 0, G])
    return np.array(
        [axes[j] @ np.cross(np.array(centres[j:]) - places[j], weights[j:]).sum(axis=0) for j in range(robot.n_joints)]
    )


def postures(robot: RobotModel, count: int, seed: int = 0) -> np.ndarray:
    low, high = np.clip(robot.number("limits.position_rad"), -np.pi, np.pi).T
    return np.random.default_rng(seed).uniform(low, high, (count, robot.n_joints))


def test_the_promised_robots_ship() -> None:
    assert set(ARMS) | {"emps", "harmonic_rig"} <= set(robots())
    assert {name: load_robot(name).n_joints for name in ("iiwa7", "gen3", "panda", "ur5e", "emps")} == {
        "iiwa7": 7,
        "gen3": 7,
        "panda": 7,
        "ur5e": 6,
        "emps": 1,
    }


@pytest.mark.parametrize("name", robots())
def test_masses_and_inertias_are_those_of_solid_bodies(name: str) -> None:
    robot = load_robot(name)
    for xx, yy, zz, xy, xz, yz in robot.number("inertials.inertia_kg_m2"):
        low, middle, high = np.linalg.eigvalsh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        assert low > 0
        assert low + middle >= high * (1 - 1e-6)
    assert (robot.number("inertials.mass_kg") > 0.1).all()


@pytest.mark.parametrize("name", ARMS)
def test_home_points_the_flange_straight_down_in_front_of_the_base(name: str) -> None:
    robot = load_robot(name)
    q = robot.number("kinematics.home_rad")
    flange, turn, places, axes = pose(robot, q)
    assert np.arccos(-turn[2, 2]) < 0.01
    assert 0.3 <= flange[0] <= 0.75
    assert abs(flange[1]) < 0.02
    assert 0.2 <= flange[2] <= 0.45
    low, high = robot.number("limits.position_rad").T
    assert (low + 0.05 < q).all()
    assert (q < high - 0.05).all()
    assert max(place[2] for place in places) > flange[2] + 0.1, "elbow up"
    jacobian = np.vstack([np.cross(axes, flange - np.array(places)).T, axes.T])
    assert np.linalg.svd(jacobian, compute_uv=False)[-1] > 0.1


REACH_M = {
    "crx10ia": 1.249,
    "gen3": 0.902,
    "gofa5": 0.950,
    "m1013": 1.300,
    "panda": 0.855,
    "iiwa7": 0.800,
}  # data sheets; of the last the centre of the wrist, of the GoFa the centre of the wrist too, else the flange


@pytest.mark.parametrize("name", REACH_M)
def test_reach_is_that_of_the_data_sheet(name: str) -> None:
    robot = load_robot(name)
    joint = {"iiwa7": 5, "gofa5": 4}.get(name)
    best = 0.0
    for q in _stretched(robot, joint):
        flange, _, places, _ = pose(robot, q)
        best = max(best, float(np.linalg.norm((flange if joint is None else places[joint]) - places[1])))
    assert best == pytest.approx(REACH_M[name], rel=0.03)


@pytest.mark.parametrize(("name", "reach"), [("ur3e", 0.5), ("ur5e", 0.85), ("ur10e", 1.3)])
def test_the_working_radius_of_a_ur_lies_between_wrist_and_flange(name: str, reach: float) -> None:
    robot = load_robot(name)
    origin = robot.number("kinematics.origin_m")
    wrist = abs(origin[2, 0]) + abs(origin[3, 0])
    flange = max(float(np.linalg.norm(pose(robot, q)[0] - origin[0])) for q in _stretched(robot, None))
    assert wrist < reach < flange


def _stretched(robot: RobotModel, joint: int | None) -> list[np.ndarray]:
    """Postures found by climbing, joint by joint, away from the second joint."""
    low, high = np.clip(robot.number("limits.position_rad"), -np.pi, np.pi).T
    best = []
    for start in postures(robot, 2):
        q = start.copy()
        for width in (np.pi, 0.5, 0.1, 0.02):
            for _ in range(2):
                for i in range(1, robot.n_joints):
                    tries = np.clip(q[i] + np.linspace(-width, width, 15), low[i], high[i])
                    reach = []
                    for value in tries:
                        q[i] = value
                        flange, _, places, _ = pose(robot, q)
                        reach.append(np.linalg.norm((flange if joint is None else places[joint]) - places[1]))
                    q[i] = tries[int(np.argmax(reach))]
        best.append(q)
    return best


@pytest.mark.parametrize("name", ARMS)
def test_the_motors_can_hold_and_move_the_arm(name: str) -> None:
    robot = load_robot(name)
    gravity = np.abs([gravity_torque(robot, q) for q in postures(robot, 50)]).max(axis=0)
    limit = robot.number("limits.torque_nm")
    friction = robot.number("drive.coulomb_nm") + robot.number("drive.viscous_nm")
    rotor = robot.number("drive.rotor_inertia_kg_m2") * robot.number("drive.ratio") ** 2
    assert gravity[1] > 0.1 * limit[1], "the shoulder carries the arm"
    assert gravity[0] < 1e-6 * limit[0], "the first axis is vertical"
    assert (gravity + friction + rotor * robot.number("limits.acceleration_rad_s2") < 0.85 * limit).all()


@pytest.mark.parametrize("name", robots())
def test_drives_are_those_of_gears(name: str) -> None:
    robot = load_robot(name)
    assert (np.diff(robot.number("drive.stiffness_nm_rad")) > 0).all()
    assert (np.diff(robot.number("drive.stiffness_knee_nm")) > 0).all()
    pins, ratio = robot.number("drive.rv_pins"), robot.number("drive.ratio")
    rv = pins > 0
    assert np.allclose(2 * (ratio[rv] - 1) / pins[rv] % 1, 0), "ratio = 1 + pins x teeth of planet / teeth of sun"
    if robot.joint_kind == "revolute":
        assert robot.number("drive.wave_error_arcsec")[~rv].sum(axis=0).argmax() == 1, "twice a turn leads"
        assert ((ratio >= 50) & (ratio <= 200)).all()
    assert set(np.abs(robot.number("telemetry.sign"))) == {1.0}
    assert name != "industrial6" or rv.tolist() == [True] * 3 + [False] * 3


def test_brands_are_controlled_differently() -> None:
    keys = ("control.position_gain_1_s", "control.velocity_bandwidth_hz", "control.feedforward_torque")
    gains = {name: tuple(float(load_robot(name).number(key)[0]) for key in keys) for name in ARMS}
    assert len(set(gains.values())) == len(gains)


def test_the_rig_resonates_near_18_hz_and_falls_over() -> None:
    rig = load_robot("harmonic_rig")
    lever = rig.number("inertials.com_m")[0, 2]
    mass = rig.number("inertials.mass_kg")[0]
    inertia = rig.number("inertials.inertia_kg_m2")[0, 1] + mass * lever**2
    resonance_hz = np.sqrt(rig.number("drive.stiffness_nm_rad")[0, 1] / inertia) / (2 * np.pi)
    assert resonance_hz == pytest.approx(18, abs=0.5)
    torque = gravity_torque(rig, np.array([np.pi / 4]))[0]
    assert torque == pytest.approx(-mass * G * lever * np.sin(np.pi / 4))
    assert abs(torque) < rig.number("limits.torque_nm")[0]


def test_the_servo_axis_has_the_drive_gain_and_mass_of_its_recording() -> None:
    axis = load_robot("emps")
    ratio = axis.number("drive.ratio")[0]
    assert axis.joint_kind == "prismatic"
    assert ratio * axis.number("drive.torque_constant_nm_a")[0] == pytest.approx(35.15, rel=1e-3)
    moved = axis.number("inertials.mass_kg")[0] + axis.number("drive.rotor_inertia_kg_m2")[0] * ratio**2
    assert moved == pytest.approx(95.1, rel=0.01)


@pytest.mark.parametrize("name", robots())
def test_signals_are_channels(name: str) -> None:
    robot = load_robot(name)
    assert "position" in robot.telemetry.signals
    assert {"current", "torque", "joint_torque"} & set(robot.telemetry.signals)
    for kind in robot.telemetry.signals:
        quantity, _, component = kind.partition(":")
        assert Channel.parse(f"{quantity}/1" + (f":{component}" if component else "")).joint == 1


@pytest.mark.parametrize("name", robots())
def test_published_and_measured_numbers_name_a_source(name: str) -> None:
    robot = load_robot(name)
    said = " ".join(robot.remarks)
    for key, found in robot.evidence().items():
        assert found.tag in EVIDENCE
        assert found.source.strip(), key
        said += " " + found.source
        if found.tag in ("published", "measured"):
            assert any(re.search(rf"\b{source}\b", found.source) for source in robot.sources), f"{name}: {key}"
        elif re.fullmatch(r"\w+_\w+", found.source):
            assert found.source in robot.sources, f"{name}: {key} names an unknown source"
    used = [source for source in robot.sources if re.search(rf"\b{source}\b", said)]
    assert used == list(robot.sources) or list(robot.sources) == ["assumption"]
    assert not re.search(r"https?:|www\.", (FILES / f"{name}.yaml").read_text(encoding="utf-8"))


def _drop(data: dict[str, Any]) -> None:
    del data["drive"]["ratio"]


def _lengthen(data: dict[str, Any]) -> None:
    data["drive"]["coulomb_nm"]["value"].append(1.0)


def _negate(data: dict[str, Any]) -> None:
    data["inertials"]["mass_kg"]["value"][0] = -1.0


def _tilt(data: dict[str, Any]) -> None:
    data["kinematics"]["axis"]["value"][0] = [0, 0, 2]


def _invent(data: dict[str, Any]) -> None:
    data["control"]["jerk"] = {"value": 1, "tag": "assumed", "source": "none"}


def _guess(data: dict[str, Any]) -> None:
    data["limits"]["torque_nm"]["tag"] = "guessed"


def _blank(data: dict[str, Any]) -> None:
    data["telemetry"]["signals"]["current"]["noise"]["value"] = [float("nan")] * 6


def _word(data: dict[str, Any]) -> None:
    data["telemetry"]["rate_hz"]["value"] = "fast"


@pytest.mark.parametrize(
    ("spoil", "key"),
    [
        (_drop, "drive.ratio"),
        (_lengthen, "drive.coulomb_nm"),
        (_negate, "inertials.mass_kg"),
        (_tilt, "kinematics.axis"),
        (_invent, "control.jerk"),
        (_guess, "limits.torque_nm.tag"),
        (_blank, "telemetry.signals.current.noise"),
        (_word, "telemetry.rate_hz"),
    ],
)
def test_a_broken_file_is_refused_by_the_key(spoil: Callable[[dict[str, Any]], None], key: str, tmp_path: Path) -> None:
    data = yaml.safe_load((FILES / "ur5e.yaml").read_text(encoding="utf-8"))
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    assert load_robot(str(file)).model == "UR5e"
    spoil(data)
    spoilt = tmp_path / "spoilt.yaml"
    spoilt.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(key)) as refused:
        load_robot(str(spoilt))
    assert "spoilt.yaml" in str(refused.value)


@pytest.mark.parametrize("text", ["", "- 1\n", "drive: [", "12"])
def test_what_is_no_robot_file_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"other\.yaml"):
        load_robot(str(file))


def test_unknown_names_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ur5e"):
        load_robot("ur5")
    with pytest.raises(InputError, match="absent"):
        load_robot(str(tmp_path / "absent.yaml"))
    with pytest.raises(UsageError, match=r"drive\.ratios"):
        load_robot("ur5e").number("drive.ratios")


def test_numbers_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match="read-only"):
        load_robot("ur5e").number("drive.ratio")[0] = 1


def test_fleet_robot_carries_names_and_ratios() -> None:
    robot = load_robot("iiwa7").fleet_robot("line-3")
    assert (robot.brand, robot.model, robot.unit) == ("KUKA", "LBR iiwa 7 R800", "line-3")
    assert [joint.name for joint in robot.joints] == [f"A{i}" for i in range(1, 8)]
    assert [joint.gear_ratio for joint in robot.joints] == load_robot("iiwa7").number("drive.ratio").tolist()


def test_the_page_of_the_robots_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("robot_cards", ROOT / "tools" / "robot_cards.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "cards" / "robots.md").read_text(encoding="utf-8")
    assert written == module.page(), "run python tools/robot_cards.py"
