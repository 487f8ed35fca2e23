"""A link-side torque sensor that drifts, scales wrongly and lags."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant
from jointwatch.simulation.robot import RobotModel

__all__ = ["TorqueSensorDrift"]


class TorqueSensorDrift(Fault):
    """Offset, drift and gain error of 0.5-3 %, hysteresis of 0.2-0.6 % of full scale. Only robots with such sensors."""

    scope: ClassVar[str] = "joint"

    def suits(self, robot: RobotModel, joint: int) -> bool:
        """Only joints with a torque sensor."""
        return joint >= 1 and "joint_torque" in robot.telemetry.signals

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        sensor, j = plant.telemetry.sensors["joint_torque"], case.joint - 1
        scale = plant.robot.number("limits.torque_nm")[j]
        sign = 1.0 if case.law.random() < 0.5 else -1.0
        sensor.offset[j] += sign * case.law.uniform(0.005, 0.03) * scale * case.severity
        sensor.drift_per_s[j] += sign * case.law.uniform(0.0, 0.02) * scale * case.severity / motion.duration_s
        sensor.gain[j] *= 1 + case.law.uniform(-0.03, 0.03) * case.severity
        sensor.hysteresis[j] += case.law.uniform(0.002, 0.006) * scale * case.severity
        return motion
