"""Cartesian handling: take a part at one place, put it down at another, return home."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from jointwatch.core.errors import UsageError
from jointwatch.simulation.motion import MOTION_RATE_HZ, Load, Motion
from jointwatch.simulation.rigid_body import RigidBody
from jointwatch.simulation.robot import RobotModel
from jointwatch.simulation.tasks._moves import along, contiguous_marks, fastest, scatter, to_samples
from jointwatch.simulation.tasks._reach import downwards, reach
from jointwatch.simulation.tasks.base import Task

__all__ = ["PickAndPlace"]

_PART_SIDE_M = 0.06
_PART_COM_M = (0.0, 0.0, 0.15)


class PickAndPlace(Task):
    """Home, above the part, down, grasp, up, across, down, release, up, home: one cycle.

    The flange points straight down wherever it stops; between stops all joints move together. The part is a cube of
    6 cm, held from the middle of the grasp to the middle of the release.

    Parameters
    ----------
    load_kg : gripper.
    part_kg : part.
    pick_m, place_m : flange at grasp and release in the base frame.
    offset_m : moves both, as another installation of the same task would.
    approach_m : height above them from which the flange comes down.
    approach_m_s : highest speed of the flange on the way down and up.
    speed : share of the robot's speed and acceleration limits, 0 to 1.
    dwell_s : mean stop at grasp and release.
    scatter_m : standard deviation of each coordinate of pick and place from cycle to cycle.
    dwell_scatter_s : standard deviation of a stop.

    Errors of `motion`: `UsageError` for fewer than 6 joints or a point out of reach, besides those of all tasks.

    >>> from jointwatch.simulation.robot import load_robot
    >>> motion = PickAndPlace().motion(load_robot("ur5e"), cycles=2, rng=np.random.default_rng(0))
    >>> len(motion.cycles), [load.mass_kg for load in motion.loads], motion.cycles[-1].stop_s == motion.duration_s
    (2, [0.9, 1.4, 0.9, 1.4, 0.9], True)
    """

    load_kg: float = Field(0.9, ge=0)
    part_kg: float = Field(0.5, ge=0)
    pick_m: tuple[float, float, float] = (0.45, -0.2, 0.2)
    place_m: tuple[float, float, float] = (0.45, 0.2, 0.2)
    offset_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    approach_m: float = Field(0.1, gt=0)
    approach_m_s: float = Field(0.25, gt=0)
    speed: float = Field(0.5, gt=0, le=1)
    dwell_s: float = Field(0.5, ge=0)
    scatter_m: float = Field(0.001, ge=0, le=0.02)
    dwell_scatter_s: float = Field(0.03, ge=0)

    def _motion(self, robot: RobotModel, cycles: int, rng: np.random.Generator) -> Motion:
        if robot.n_joints < 6:
            raise UsageError(f"pick_and_place needs 6 joints or more, {robot.model} has {robot.n_joints}")
        stops = self._stops(robot, scatter(rng, self.scatter_m, (cycles, 2, 1, 3)))
        home = np.broadcast_to(robot.kinematics.home_rad.value, (cycles, robot.n_joints))
        (above_pick, pick), (above_place, place) = stops.transpose(1, 2, 0, 3)
        way = [home, above_pick, pick, pick, above_pick, above_place, place, place, above_place, home]
        legs = np.stack(way, axis=1)
        delta = np.diff(legs, axis=1)
        dwells = np.array([2, 6])
        moves = np.setdiff1d(np.arange(delta.shape[1]), dwells)
        vertical = np.isin(moves, (1, 3, 5, 7))
        rate = np.where(vertical, self.approach_m_s / self.approach_m, np.inf)
        speed, acceleration = robot.limits.speed_rad_s.value, robot.limits.acceleration_rad_s2.value
        duration, share = fastest(
            delta[:, moves].reshape(-1, robot.n_joints),
            self.speed * speed,
            self.speed * acceleration,
            np.tile(rate, cycles),
        )
        samples, ramp = np.empty((2, cycles, delta.shape[1]))
        samples[:, moves], ramp[:, moves] = to_samples(duration).reshape(cycles, -1), share.reshape(cycles, -1)
        samples[:, dwells] = to_samples(self.dwell_s + scatter(rng, self.dwell_scatter_s, (cycles, 2)))
        ramp[:, dwells] = 0.5
        points = np.concatenate([legs[:, :-1].reshape(-1, robot.n_joints), home[:1]])
        path = along(points, samples.ravel(), ramp.ravel())
        ends = np.cumsum(samples).reshape(samples.shape)
        switch_s = (ends[:, dwells] - samples[:, dwells] // 2) / MOTION_RATE_HZ
        return Motion(*path, contiguous_marks(samples.sum(axis=1)), self._loads(switch_s))

    def _stops(self, robot: RobotModel, off_m: np.ndarray) -> np.ndarray:
        """(cycle, pick or place, above or at, joint) angles."""
        body, home = RigidBody(robot), robot.kinematics.home_rad.value
        turn = downwards(body, home)
        at = np.array([self.pick_m, self.place_m])[:, None] + np.array(self.offset_m)
        points = at + np.array([[0.0, 0.0, self.approach_m], [0.0, 0.0, 0.0]])
        nominal = reach(body, np.tile(home, (4, 1)), points.reshape(4, 3), turn, home)
        # Where nothing scatters, no solution is sought twice.
        seeds = np.tile(nominal, (len(off_m), 1))
        found = reach(body, seeds, (points + off_m).reshape(-1, 3), turn) if off_m.any() else seeds
        return found.reshape(len(off_m), 2, 2, robot.n_joints)

    def _loads(self, switch_s: np.ndarray) -> tuple[Load, ...]:
        tool = self._tool()
        if self.part_kg == 0.0:
            return (tool,)
        side = self.part_kg * _PART_SIDE_M**2 / 6
        part = Load(0.0, self.part_kg, _PART_COM_M, (side, side, side, 0.0, 0.0, 0.0))
        both = _together(tool, part)
        loads = [tool]
        for taken, released in switch_s.tolist():
            loads += [Load(taken, both.mass_kg, both.com_m, both.inertia_kg_m2)]
            loads += [Load(released, tool.mass_kg, tool.com_m, tool.inertia_kg_m2)]
        return tuple(loads)


def _together(tool: Load, part: Load) -> Load:
    """Two loads on the flange's z axis as one."""
    mass = tool.mass_kg + part.mass_kg
    height = (tool.mass_kg * tool.com_m[2] + part.mass_kg * part.com_m[2]) / mass
    across = tool.mass_kg * part.mass_kg / mass * (part.com_m[2] - tool.com_m[2]) ** 2
    xx, yy, zz, *_ = np.add(tool.inertia_kg_m2, part.inertia_kg_m2).tolist()
    return Load(0.0, mass, (0.0, 0.0, height), (xx + across, yy + across, zz, 0.0, 0.0, 0.0))
