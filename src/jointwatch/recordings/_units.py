"""Units of files and their factors to the project's own, and what values a robot joint can have."""

from __future__ import annotations

import numpy as np

from jointwatch.core import Quantity

__all__ = ["PLAUSIBLE", "UNIT_SCALES", "units_like"]

# file unit -> (factor, offset) to the project's unit of the same dimension
UNIT_SCALES: dict[str, tuple[float, float]] = {
    "": (1, 0), "1": (1, 0),
    "rad": (1, 0), "deg": (np.pi / 180, 0), "rev": (2 * np.pi, 0),
    "m": (1, 0), "mm": (1e-3, 0), "cm": (1e-2, 0),
    "rad/s": (1, 0), "deg/s": (np.pi / 180, 0), "rpm": (2 * np.pi / 60, 0), "m/s": (1, 0), "mm/s": (1e-3, 0),
    "rad/s^2": (1, 0), "deg/s^2": (np.pi / 180, 0), "m/s^2": (1, 0), "mm/s^2": (1e-3, 0),
    "A": (1, 0), "mA": (1e-3, 0),
    "N m": (1, 0), "Nm": (1, 0), "N": (1, 0), "kN": (1e3, 0),
    "degC": (1, 0), "K": (1, -273.15), "degF": (5 / 9, -160 / 9),
    "V": (1, 0), "mV": (1e-3, 0), "W": (1, 0),
}  # fmt: skip

PLAUSIBLE: dict[Quantity, float] = {
    Quantity.POSITION: 1e3,
    Quantity.VELOCITY: 1e3,
    Quantity.ACCELERATION: 1e5,
    Quantity.CURRENT: 1e3,
    Quantity.TORQUE: 1e5,
    Quantity.JOINT_TORQUE: 1e5,
    Quantity.TEMPERATURE: 200,
    Quantity.VOLTAGE: 1e4,
    Quantity.POSITION_ERROR: 1e3,
    Quantity.POWER: 1e6,
    Quantity.TCP_POSITION: 1e3,
    Quantity.TCP_ROTATION: 1e3,
    Quantity.TCP_FORCE: 1e5,
    Quantity.TCP_TORQUE: 1e5,
}
"""Largest magnitude in SI units that can be real."""

_DIMENSIONS: tuple[frozenset[str], ...] = (
    frozenset({"", "1"}),
    frozenset({"rad", "deg", "rev"}),
    frozenset({"m", "mm", "cm"}),
    frozenset({"rad/s", "deg/s", "rpm"}),
    frozenset({"m/s", "mm/s"}),
    frozenset({"rad/s^2", "deg/s^2"}),
    frozenset({"m/s^2", "mm/s^2"}),
    frozenset({"A", "mA"}),
    frozenset({"N m", "Nm"}),
    frozenset({"N", "kN"}),
    frozenset({"degC", "K", "degF"}),
    frozenset({"V", "mV"}),
    frozenset({"W"}),
)


def units_like(unit: str) -> tuple[str, ...]:
    """Units of the same dimension, for checks and messages.

    >>> units_like("rad")
    ('deg', 'rad', 'rev')
    """
    return next((tuple(sorted(same)) for same in _DIMENSIONS if unit in same), ())
