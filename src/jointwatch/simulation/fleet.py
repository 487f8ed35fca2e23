"""From a fleet's description to the list of sessions to simulate: who has what, when, by chance alone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from jointwatch.core import catalog
from jointwatch.core.errors import UsageError
from jointwatch.simulation._streams import stream
from jointwatch.simulation.faults.base import Fault
from jointwatch.simulation.robot import RobotModel, load_robot
from jointwatch.simulation.spec import FaultPlan, FleetSpec, Group
from jointwatch.simulation.tasks.base import load_task

__all__ = ["SessionPlan", "plan_fleet"]


@dataclass(frozen=True)
class SessionPlan:
    """All that decides one session. `fault` is empty in a healthy one; `level` (fault, joint, 1-6) is what the unit
    reaches in its faulty sessions, instead of a severity, where levels of static error are asked for; `struck` are the
    cycles that an episodic fault strikes."""

    fleet: str
    seed: int
    group: str
    robot: str
    unit: str
    session: str
    task: str
    parameters: dict[str, Any]
    cycles: int
    rate_hz: int
    fault: str = ""
    joint: int = 0
    severity: float = 0.0
    level: tuple[str, int, int] | None = None
    struck: tuple[int, ...] = ()


def plan_fleet(spec: FleetSpec) -> list[SessionPlan]:
    """Sessions of all groups, unit by unit.

    Which session of a unit is faulty, and with what, is drawn from other streams than temperature, task and part: a
    fault never owns a circumstance, and changing the faults changes no circumstance.

    >>> from jointwatch.simulation.spec import load_spec
    >>> sessions = plan_fleet(load_spec("demo"))
    >>> len({session.unit for session in sessions}) >= 10
    True
    """
    return [session for group in spec.groups for session in _group(spec, group)]


def _group(spec: FleetSpec, group: Group) -> list[SessionPlan]:
    robot = load_robot(group.robot)
    decks = {plan.name: _deck(plan, robot, stream(spec.seed, group.name, "deal", plan.name)) for plan in group.faults}
    turn: deque[FaultPlan] = deque()
    order = stream(spec.seed, group.name, "order")
    sessions = []
    total = group.healthy_sessions + group.faulty_sessions
    for unit in range(group.units):
        places = stream(spec.seed, group.name, unit, "places").permutation(total)[: group.faulty_sessions]
        for number in range(total):
            plan = SessionPlan(
                fleet=spec.name,
                seed=spec.seed,
                group=group.name,
                robot=group.robot,
                unit=f"{group.name}-{unit + 1:02d}",
                session=f"s{number + 1:02d}",
                task=group.task["name"],
                parameters=_parameters(
                    group,
                    stream(spec.seed, group.name, unit, "install"),
                    stream(spec.seed, group.name, unit, number, "task"),
                ),
                cycles=group.cycles,
                rate_hz=group.rate_hz,
                level=_level(group, unit),
            )
            if number in places:
                if not turn:
                    turn.extend(group.faults[i] for i in order.permutation(len(group.faults)))
                plan = _afflict(plan, turn.popleft(), group, decks)
            sessions.append(plan)
    return sessions


def _parameters(group: Group, installed: np.random.Generator, session: np.random.Generator) -> dict[str, Any]:
    """Parameters of the task: fixed, or drawn for the unit, plus what varies; a vector varies in every component."""
    fields = catalog.load("tasks", group.task["name"]).model_fields
    chosen = {name: value for name, value in group.task.items() if name != "name"}
    for ranges, rng in ((group.install, installed), (group.vary, session)):
        for name, (low, high) in ranges.items():
            if name not in fields:
                raise UsageError(f"group {group.name}: task {group.task['name']} has no parameter {name!r} to vary")
            before = chosen.get(name, fields[name].default) if ranges is group.vary else None
            if ranges is group.vary and chosen.get(name, fields[name].default) is None:
                raise UsageError(f"group {group.name}: {name} can only vary about a value; fix or install it")
            shape = np.shape(fields[name].default)
            drawn = rng.uniform(low, high, shape) + (0.0 if before is None else np.asarray(before, np.float64))
            chosen[name] = tuple(drawn.tolist()) if shape else float(drawn)
    load_task(group.task["name"], **chosen)  # a wrong parameter is named before anything is simulated
    return chosen


def _deck(plan: FaultPlan, robot: RobotModel, rng: np.random.Generator) -> Any:
    """Endless (joint, severity): every joint and severity as often as any other, in random order."""
    fault: Fault = catalog.load("faults", plan.name)()
    wanted = plan.joints or (tuple(range(1, robot.n_joints + 1)) if fault.scope == "joint" else (0,))
    beyond = [joint for joint in wanted if not 0 <= joint <= robot.n_joints]
    joints = [] if beyond else [joint for joint in wanted if fault.suits(robot, joint)]
    if not joints:
        raise UsageError(f"{robot.model} cannot have {plan.name} in joint {', '.join(map(str, wanted))}")
    listed = plan.severity if len(plan.severity) != 2 else ()
    if listed:
        while True:
            pairs = list(product(joints, listed))
            for i in rng.permutation(len(pairs)):
                yield pairs[i]
    low, high = plan.severity
    while True:
        # Strata keep small fleets from having only mild or only clear cases.
        strata = rng.permutation(len(joints))
        for i, joint in enumerate(rng.permutation(joints)):
            share = (strata[i] + rng.random()) / len(joints)
            yield int(joint), float(low + share * (high - low))


def _afflict(plan: SessionPlan, fault: FaultPlan, group: Group, decks: dict[str, Any]) -> SessionPlan:
    joint, severity = next(decks[fault.name])
    struck: tuple[int, ...] = ()
    if catalog.load("faults", fault.name).episodic:
        rng = stream(plan.seed, plan.group, plan.unit, plan.session, "struck")
        count = max(1, round(group.struck * group.cycles))
        struck = tuple(sorted(rng.permutation(group.cycles)[:count].tolist()))
    return replace(plan, fault=fault.name, joint=joint, severity=severity, struck=struck)


def _level(group: Group, unit: int) -> tuple[str, int, int] | None:
    for plan in group.faults:
        if plan.levels:
            return plan.name, (plan.joints or (1,))[0], plan.levels[unit % len(plan.levels)]
    return None
