"""What a robot is asked to do: the reference on a uniform clock, its cycles and what the gripper holds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from jointwatch.core.errors import UsageError

__all__ = ["GRIPPER", "MOTION_RATE_HZ", "Load", "Mark", "Motion"]

MOTION_RATE_HZ = 500.0
"""Rate of references and of the rigid-body terms along them."""


@dataclass(frozen=True)
class Load:
    """What the flange carries from `start_s` on: mass (kg), centre of mass and inertia about it in the flange frame."""

    start_s: float
    mass_kg: float
    com_m: tuple[float, float, float] = (0.0, 0.0, 0.06)
    inertia_kg_m2: tuple[float, float, float, float, float, float] = (2e-3, 2e-3, 1e-3, 0.0, 0.0, 0.0)


GRIPPER = Load(0.0, 0.9)
"""What arms carry without a part."""


@dataclass(frozen=True)
class Mark:
    """A cycle [start_s, stop_s) of the task."""

    start_s: float
    stop_s: float
    name: str = ""


@dataclass(frozen=True, eq=False)
class Motion:
    """A reference motion.

    Parameters
    ----------
    position_rad, velocity_rad_s, acceleration_rad_s2 : (time, joint) at `MOTION_RATE_HZ`, starting at 0 s.
    cycles : operational segments in order, not overlapping.
    loads : what the flange carries, from 0 s on, in order of time.
    believed_loads : what the controller takes it for; None = what is carried.
    """

    position_rad: np.ndarray
    velocity_rad_s: np.ndarray
    acceleration_rad_s2: np.ndarray
    cycles: tuple[Mark, ...] = ()
    loads: tuple[Load, ...] = field(default=(Load(0.0, 0.0),))
    believed_loads: tuple[Load, ...] | None = None

    def __post_init__(self) -> None:
        shape = self.position_rad.shape
        if len(shape) != 2 or self.velocity_rad_s.shape != shape or self.acceleration_rad_s2.shape != shape:
            raise UsageError(f"position, velocity and acceleration must be (time, joint) alike, got {shape}")
        if not self.loads or self.loads[0].start_s != 0.0:
            raise UsageError("loads must start at 0 s")

    def secretly_carrying(self, loads: tuple[Load, ...]) -> Motion:
        """The motion with other loads, of which the controller does not know."""
        return replace(self, loads=loads, believed_loads=self.believed_loads or self.loads)

    @property
    def time_s(self) -> np.ndarray:
        """(time,) clock of the reference."""
        return np.arange(len(self.position_rad)) / MOTION_RATE_HZ

    @property
    def duration_s(self) -> float:
        return len(self.position_rad) / MOTION_RATE_HZ
