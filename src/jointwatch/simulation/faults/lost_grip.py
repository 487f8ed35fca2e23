"""The part slips out of the gripper on its way."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from jointwatch.core.errors import UsageError
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["LostGrip"]


class LostGrip(Fault):
    """In the struck cycles the part is gone after 90 % (severity near 0) down to 10 % (1) of the carry; the controller
    does not know. Needs a task that carries something.
    """

    scope: ClassVar[str] = "robot"
    episodic: ClassVar[bool] = True

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        lightest = min(motion.loads, key=lambda load: load.mass_kg)
        loads = list(motion.loads)
        for cycle in case.cycles:
            mark = motion.cycles[cycle]
            carried = [
                (i, load)
                for i, load in enumerate(loads)
                if mark.start_s <= load.start_s < mark.stop_s and load.mass_kg > lightest.mass_kg
            ]
            if not carried:
                raise UsageError(f"lost_grip: nothing is carried in cycle {cycle}; use a task with a part")
            i, load = carried[0]
            until = loads[i + 1].start_s if i + 1 < len(loads) else motion.duration_s
            share = float(np.clip(0.9 - 0.8 * case.severity + case.chance.uniform(-0.05, 0.05), 0.05, 0.95))
            loads.insert(i + 1, replace(lightest, start_s=load.start_s + share * (until - load.start_s)))
        return motion.secretly_carrying(tuple(loads))
