"""Faults by severity, one a file: what breaks in a joint, around the robot, or only in its telemetry."""

from jointwatch.simulation.faults.base import Fault

__all__ = ["Fault"]
