"""One session of one unit, simulated: from its plan to a recording with everything that is true of it."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np

from jointwatch.core import Condition, Cycle, Event, Label, QualityReport, Recording, catalog
from jointwatch.core.errors import UsageError
from jointwatch.core.levels import LEVEL_RAD
from jointwatch.simulation._streams import stream
from jointwatch.simulation.difficulty import difficulty
from jointwatch.simulation.drivetrain import simulate_drives
from jointwatch.simulation.faults.base import Fault
from jointwatch.simulation.fleet import SessionPlan
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant
from jointwatch.simulation.robot import load_robot
from jointwatch.simulation.tasks.base import load_task
from jointwatch.simulation.telemetry import observe
from jointwatch.simulation.trace import Trace
from jointwatch.simulation.transmission import static_error
from jointwatch.simulation.unit import draw_session, draw_unit

__all__ = ["simulate_session"]

_TRIES = 200
_HALVINGS = 40


def simulate_session(plan: SessionPlan) -> Recording:
    """The recording of a session, with cycles, conditions and events, and `truth`: difficulty version, group, task,
    temperatures, mounting, loads, contacts, latent parameters of every drive, controller and sensor, static
    transmission error and its level for every joint.

    The same plan gives the same bytes. Telemetry faults are labelled `uncertain`: they say nothing about a joint.

    >>> from dataclasses import replace
    >>> from jointwatch.simulation.fleet import plan_fleet
    >>> from jointwatch.simulation.spec import load_spec
    >>> plan = replace(plan_fleet(load_spec("m2-drives"))[0], cycles=1)
    >>> recording = simulate_session(plan)
    >>> recording.robot.unit == plan.unit, len(recording.cycles), round(recording.rate_hz)
    (True, 1, 1000)
    """
    specimen, severity = 0, plan.severity
    if plan.level is not None:
        specimen, worn = _specimen(plan.robot, plan.seed, plan.group, plan.unit, *plan.level)
        severity = worn if plan.fault else 0.0
    unit = _unit(plan.robot, plan.seed, plan.group, plan.unit, specimen)
    here = (plan.seed, plan.group, plan.unit, plan.session)
    plant = draw_session(unit, stream(*here, "session"))
    motion = load_task(plan.task, **plan.parameters).motion(plant.robot, plan.cycles, stream(*here, "motion"))
    if plan.fault:
        fault: Fault = catalog.load("faults", plan.fault)()
        law = _law(plan.seed, plan.group, plan.unit, specimen, plan.fault, plan.joint)
        plant, motion = fault.apply(
            plant, motion, plan.joint, severity, law, stream(*here, "chance"), cycles=plan.struck
        )
    trace = simulate_drives(plant, motion, stream(*here, "wander"), rate_hz=plan.rate_hz)
    return _recording(plan, severity, plant, motion, trace, stream(*here, "telemetry"))


@lru_cache(maxsize=8)
def _unit(robot: str, seed: int, group: str, unit: str, attempt: int) -> Plant:
    return draw_unit(load_robot(robot), stream(seed, group, unit, "unit", attempt))


def _law(seed: int, group: str, unit: str, specimen: int, fault: str, joint: int) -> np.random.Generator:
    """How the fault acts on this specimen, the same in all its sessions."""
    return stream(seed, group, unit, "law", specimen, fault, joint)


@lru_cache(maxsize=512)
def _specimen(robot: str, seed: int, group: str, unit: str, name: str, joint: int, level: int) -> tuple[int, float]:
    """Number of a specimen that can reach the level by the fault, and the severity at which its static error lies
    there.

    Only drives whose wear goes far get to the high levels; others are passed over, as they would be in a workshop that
    looks for examples of each level.
    """
    fault: Fault = catalog.load("faults", name)()
    share = float(stream(seed, group, unit, "level").uniform(0.1, 0.9))
    rest = np.zeros((1, load_robot(robot).n_joints))
    still = Motion(rest, rest, rest)
    for specimen in range(_TRIES):
        plant = _unit(robot, seed, group, unit, specimen)

        def error(severity: float, plant: Plant = plant, specimen: int = specimen) -> float:
            law = _law(seed, group, unit, specimen, name, joint)
            worn, _ = fault.apply(plant, still, joint, severity, law, stream(seed, "unused"))
            return static_error(worn.drives, joint).total_rad

        lowest = max(LEVEL_RAD * (level - 1), error(0.0))
        aim = lowest + share * (LEVEL_RAD * level - lowest)
        if error(0.0) <= LEVEL_RAD and error(1.0) >= aim:
            low, high = 0.0, 1.0
            for _ in range(_HALVINGS):
                middle = (low + high) / 2
                low, high = (middle, high) if error(middle) < aim else (low, middle)
            return specimen, high
    raise UsageError(f"no unit of {robot} reaches level {level} by {name} in {_TRIES} draws")


def _recording(
    plan: SessionPlan, severity: float, plant: Plant, motion: Motion, trace: Trace, rng: np.random.Generator
) -> Recording:
    seen = observe(trace, plant, rng)
    condition = _condition(plan, severity)
    healthy = Condition(Label.NORMAL)
    struck = set(plan.struck) if plan.struck else set(range(len(motion.cycles)))
    end = min(float(seen.time_s[-1]), motion.duration_s)
    cycles = [
        Cycle(mark.start_s, min(mark.stop_s, end), condition if i in struck else healthy, mark.name)
        for i, mark in enumerate(motion.cycles)
        if mark.start_s < end
    ]
    events = [Event("contact", c.start_s, c.stop_s, condition) for c in plant.contacts]
    errors = [static_error(plant.drives, joint) for joint in range(1, plant.robot.n_joints + 1)]
    truth: dict[str, Any] = {
        "difficulty": difficulty().version,
        "fleet": plan.fleet,
        "group": plan.group,
        "seed": plan.seed,
        "task": {"name": plan.task, **plan.parameters},
        "fault": {"name": plan.fault, "joint": plan.joint, "severity": severity, "struck": list(plan.struck)},
        "ambient_c": plant.ambient_c,
        "temperature_c": {"start": trace.temperature_c[:, 0].tolist(), "end": trace.temperature_c[:, -1].tolist()},
        "static_error_rad": [error.total_rad for error in errors],
        "level": [error.level for error in errors],
        "telemetry": dict(seen.notes),
        "gravity_m_s2": plant.gravity_m_s2.tolist(),
        "loads": [_lists(asdict(load)) for load in motion.loads],
        "contacts": [_lists(asdict(contact)) for contact in plant.contacts],
        "base": None if plant.base is None else _lists(asdict(plant.base)),
        "latent": plant.drives.to_dict(),
        "controller": _lists(asdict(plant.controller)),
        "sensors": {kind: _lists(asdict(sensor)) for kind, sensor in plant.telemetry.sensors.items()},
    }
    return Recording(
        seen.time_s,
        seen.values,
        seen.channels,
        plant.robot.fleet_robot(plan.unit),
        plan.session,
        cycles=tuple(cycles),
        events=tuple(sorted(events, key=lambda event: event.start_s)),
        condition=condition if len(struck) == len(motion.cycles) else Condition(),
        breaks=seen.breaks,
        quality=QualityReport(len(seen.time_s)),
        truth=truth,
        source=f"{plan.unit}/{plan.session}",
    )


def _lists(arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in arrays.items()}


def _condition(plan: SessionPlan, severity: float) -> Condition:
    if not plan.fault or severity == 0.0 or (plan.level is not None and plan.level[2] == 1):
        return Condition(Label.NORMAL)  # the first level of static error is what a new drive may have
    scope = catalog.load("faults", plan.fault).scope
    label = Label.UNCERTAIN if scope == "telemetry" else Label.ANOMALOUS
    return Condition(label, plan.fault, plan.joint or None, severity)
