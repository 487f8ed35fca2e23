"""What robots do: one task a file, found by listing the folder."""

from jointwatch.simulation.tasks.base import Task

__all__ = ["Task"]
