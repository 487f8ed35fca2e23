"""The flange runs into something that gives way, stays soft, or stops the arm."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from jointwatch.simulation.faults._halt import halt
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import MOTION_RATE_HZ, Motion
from jointwatch.simulation.plant import Contact, Plant
from jointwatch.simulation.rigid_body import RigidBody

__all__ = ["Collision"]


class Collision(Fault):
    """A wall across the path at a moment of motion, hard or, as often, soft: it gives way when 20 to 250 N (severity)
    are reached, after 10 ms (hard) to 0.3 s (soft), and is as stiff as that asks for. Half of those above severity 0.5
    end in a protective stop of 0.5-1.5 s.
    """

    scope: ClassVar[str] = "robot"
    episodic: ClassVar[bool] = True

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        speed = _flange_speed(plant, motion)
        for cycle in sorted(case.cycles, reverse=True):  # a stop shifts what comes after it
            mark = motion.cycles[cycle]
            first, last = (round(at * MOTION_RATE_HZ) for at in (mark.start_s, mark.stop_s))
            size = np.linalg.norm(speed[first:last], axis=1)
            moving = np.flatnonzero(size > 0.5 * size.max())
            at = first + int(case.chance.choice(moving))
            start_s = at / MOTION_RATE_HZ
            fast = float(np.linalg.norm(speed[at]))
            stiff = np.exp(case.chance.uniform(*np.log([5e3, 150e3] if case.chance.random() < 0.5 else [200.0, 2e3])))
            stops, pause_s = case.chance.random() < 0.5, case.chance.uniform(0.5, 1.5)
            force = 20.0 * 12.5**case.severity
            touch_s = float(np.clip(force / (stiff * fast), 0.01, 0.3))
            stiff = force / (fast * touch_s)
            x, y, z = speed[at] / fast
            contact = Contact(start_s, start_s + touch_s, (x, y, z), stiff, 0.002 * stiff)
            later = plant.contacts
            if case.severity > 0.5 and stops:
                motion, delay_s = halt(motion, start_s + 0.03, pause_s)
                later = [
                    replace(one, start_s=one.start_s + delay_s, stop_s=one.stop_s + delay_s) for one in plant.contacts
                ]
            plant.contacts = [contact, *later]
        return motion


def _flange_speed(plant: Plant, motion: Motion) -> np.ndarray:
    jacobian = RigidBody(plant.robot).flange_jacobian(motion.position_rad)[:, :3]
    return np.einsum("txj,tj->tx", jacobian, motion.velocity_rad_s)
