"""What the pictures of the simulator's page are drawn from: seeded runs of single robots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from jointwatch.core import catalog
from jointwatch.simulation.drivetrain import simulate_drives
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant
from jointwatch.simulation.robot import load_robot
from jointwatch.simulation.tasks.base import load_task
from jointwatch.simulation.telemetry import Observed, observe
from jointwatch.simulation.trace import Trace
from jointwatch.simulation.unit import draw_session, draw_unit

__all__ = ["SEED", "Run", "faulty", "friction", "generator", "log_of", "pair", "row", "session", "swing"]

SEED = 0  # unit 0 is shown because it is the first, not because it shows anything well

_ROLES = ("unit", "session", "motion", "law", "chance", "wander", "telemetry")


@dataclass(frozen=True, eq=False)
class Run:
    """One session: what was true, what was asked, what happened, what was recorded."""

    plant: Plant
    motion: Motion
    trace: Trace
    log: Observed


def generator(role: str, unit: int = SEED) -> np.random.Generator:
    """Stream of one role: what differs between two runs is only what was meant to."""
    return np.random.default_rng([unit, _ROLES.index(role)])


def session(robot: str, task: str, cycles: int, unit: int = SEED, **parameters: object) -> tuple[Plant, Motion]:
    """A healthy unit on one day, and what it is asked to do."""
    plant = draw_session(draw_unit(load_robot(robot), generator("unit", unit)), generator("session", unit))
    return plant, load_task(task, **parameters).motion(plant.robot, cycles, generator("motion", unit))


def faulty(
    plant: Plant, motion: Motion, fault: str, joint: int, severity: float, unit: int = SEED, cycle: int = 0
) -> tuple[Plant, Motion]:
    """The same unit and day with a fault; episodic ones strike one cycle."""
    kind = catalog.load("faults", fault)()
    return kind.apply(
        plant,
        motion,
        joint if kind.scope == "joint" else 0,
        severity,
        generator("law", unit),
        generator("chance", unit),
        cycles=(cycle,),
    )


def log_of(plant: Plant, motion: Motion, wander: int = SEED) -> Run:
    """Simulate; another `wander` gives another course of friction and other noise."""
    trace = simulate_drives(plant, motion, generator("wander", wander))
    return Run(plant, motion, trace, observe(trace, plant, generator("telemetry", wander)))


def row(run: Run, kind: str, joint: int) -> np.ndarray:
    """(row,) one recorded signal, named as in robot files."""
    keys = [channel.key for channel in run.log.channels]
    quantity, _, component = kind.partition(":")
    return run.log.values[keys.index(f"{quantity}/{joint}" + (f":{component}" if component else ""))]


@lru_cache(maxsize=8)
def swing(severity: float, cycles: int = 10) -> Run:
    """The rig's unit at a stage of wear, ten swings by 45 degrees to either side."""
    plant, motion = session("harmonic_rig", "reciprocation", cycles, period_scatter_s=0.0)
    return log_of(*faulty(plant, motion, "reducer_wear", 1, severity))


def pair(robot: str, fault: str, joint: int) -> tuple[Run, Run, Run]:
    """Two healthy twins that differ by chance alone (friction's course and noise), and one with the fault at severity 1
    in the second of two cycles of pick-and-place."""
    plant, motion = session(robot, "pick_and_place", 2, part_kg=1.0)
    worn = log_of(*faulty(plant, motion, fault, joint, 1.0, cycle=1))
    return log_of(plant, motion), log_of(plant, motion, wander=SEED + 1), worn


def friction(
    unit: int, celsius: float, severity: float, speeds_deg_s: tuple[float, ...], day: int | None = None
) -> np.ndarray:
    """(speed,) friction torque of joint 1 of a UR5e (upright axis, no gravity): half of what the motor gives forth
    less back, over the steady part of both strokes. `day` draws a session, and with it another friction history."""
    plant = draw_unit(load_robot("ur5e"), generator("unit", unit))
    if day is not None:
        plant = draw_session(plant, np.random.default_rng([unit, len(_ROLES), day]))
    plant.ambient_c = celsius
    plant.drives.temperature_c = np.full(plant.drives.n_joints, celsius)
    task = load_task("strokes", joint=1, amplitude_deg=25.0, speeds_deg_s=speeds_deg_s, acceleration=1.0, dwell_s=0.2)
    motion = task.motion(plant.robot, len(speeds_deg_s), generator("motion"))
    plant, motion = faulty(plant, motion, "reducer_wear", 1, severity, unit)
    trace = simulate_drives(plant, motion)
    speed, torque = trace.commanded_rad_s[0], trace.motor_torque_nm[0]
    middle = abs(trace.commanded_rad[0] - plant.robot.number("kinematics.home_rad")[0]) < np.radians(12.0)
    found = []
    for wanted in np.radians(speeds_deg_s):
        forth, back = (middle & (abs(speed - way * wanted) < 1e-6) for way in (1, -1))
        found.append((torque[forth].mean() - torque[back].mean()) / 2)
    return np.array(found)
