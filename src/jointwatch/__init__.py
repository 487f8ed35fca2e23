"""jointwatch: robot-joint health for mixed fleets."""

__version__ = "0.1.0"
