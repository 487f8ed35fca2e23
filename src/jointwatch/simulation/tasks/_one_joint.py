"""Tasks that move one joint about a centre while the others hold home."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from jointwatch.core.errors import UsageError
from jointwatch.simulation.robot import RobotModel
from jointwatch.simulation.tasks.base import Task

__all__ = ["OneJointTask"]


class OneJointTask(Task):
    """Parameters: joint, number from 1; amplitude_deg to both sides of centre_deg, the joint's home where None."""

    joint: int = Field(1, ge=1)
    amplitude_deg: float = Field(45.0, gt=0)
    centre_deg: float | None = None

    def _index(self, robot: RobotModel) -> int:
        if self.joint > robot.n_joints:
            raise UsageError(f"there is no joint {self.joint}, {robot.model} has {robot.n_joints}; choose one of these")
        return self.joint - 1

    def _ends(self, robot: RobotModel) -> tuple[np.ndarray, np.ndarray]:
        """(joint,) postures at the lower and the upper end of the swing."""
        index, home = self._index(robot), robot.kinematics.home_rad.value
        centre = home[index] if self.centre_deg is None else np.deg2rad(self.centre_deg)
        low, high = home.copy(), home.copy()
        low[index], high[index] = centre + np.deg2rad(self.amplitude_deg) * np.array([-1.0, 1.0])
        return low, high
