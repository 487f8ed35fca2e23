"""A part of the wrong weight, or gripped off its middle."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Load, Motion
from jointwatch.simulation.plant import Plant

__all__ = ["PayloadChange"]


class PayloadChange(Fault):
    """0.05-0.5 kg more or less and 10-50 mm off, in the struck cycles; the controller still believes in the right
    part.
    """

    scope: ClassVar[str] = "robot"
    episodic: ClassVar[bool] = True

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        sign = 1.0 if case.chance.random() < 0.6 else -1.0
        extra = sign * (0.05 + case.chance.uniform(0.3, 0.45) * case.severity)
        angle, off = case.chance.uniform(0, 2 * np.pi), 0.01 + 0.04 * case.severity * case.chance.random()
        loads = motion.loads
        for cycle in case.cycles:
            mark = motion.cycles[cycle]
            loads = _changed(loads, mark.start_s, mark.stop_s, extra, off * np.cos(angle), off * np.sin(angle))
        return motion.secretly_carrying(loads)


def _changed(
    loads: tuple[Load, ...], start_s: float, stop_s: float, extra_kg: float, x_m: float, y_m: float
) -> tuple[Load, ...]:
    """Loads with what is carried within the span changed; without a part it is the tool that changes."""
    tool = min(loads, key=lambda load: load.mass_kg)
    inside = [load for load in loads if start_s <= load.start_s < stop_s]
    before = [load for load in loads if load.start_s < start_s]
    after = [load for load in loads if load.start_s >= stop_s]
    if not inside or inside[0].start_s > start_s:
        inside.insert(0, replace(before[-1], start_s=start_s))
    part = [load.mass_kg > tool.mass_kg for load in inside]
    changed = [
        _with_part(tool, load, extra_kg, x_m, y_m) if carried or not any(part) else load
        for load, carried in zip(inside, part, strict=True)
    ]
    if not after or after[0].start_s > stop_s:
        after.insert(0, replace(inside[-1], start_s=stop_s))
    return (*before, *changed, *after)


def _with_part(tool: Load, load: Load, extra_kg: float, x_m: float, y_m: float) -> Load:
    """The load with its part heavier or lighter, at least a tenth of it, and moved sideways; the tool stays."""
    part_kg = load.mass_kg - tool.mass_kg
    if part_kg <= 0:
        return replace(load, mass_kg=max(load.mass_kg + extra_kg, load.mass_kg / 10))
    changed_kg = max(part_kg + extra_kg, part_kg / 10)
    total_kg = tool.mass_kg + changed_kg
    own = (load.mass_kg * np.array(load.com_m) - tool.mass_kg * np.array(tool.com_m)) / part_kg
    com = (tool.mass_kg * np.array(tool.com_m) + changed_kg * (own + np.array([x_m, y_m, 0.0]))) / total_kg
    share = changed_kg / part_kg
    inertia = np.array(tool.inertia_kg_m2) + share * (np.array(load.inertia_kg_m2) - np.array(tool.inertia_kg_m2))
    x, y, z = com.tolist()
    xx, yy, zz, xy, xz, yz = inertia.tolist()
    return Load(load.start_s, total_kg, (x, y, z), (xx, yy, zz, xy, xz, yz))
