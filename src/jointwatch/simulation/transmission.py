"""The static transmission error that a coordinate measuring machine would find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jointwatch.core.levels import level_of
from jointwatch.simulation.plant import Drives

__all__ = ["StaticError", "static_error"]

_INPUT_TURNS = 20


@dataclass(frozen=True)
class StaticError:
    """Measured minus theoretical output angle after whole turns of the input, rad.

    output_rad : part of the output-side error, over the worst of the start angles that a user may pick; lost_rad :
    half of the lost motion, play and hysteresis, because the start may be approached from either side. level : 1 to 6
    in steps of 0.025 degree, 6 = all above.
    """

    output_rad: float
    lost_rad: float

    @property
    def total_rad(self) -> float:
        return self.output_rad + self.lost_rad

    @property
    def level(self) -> int:
        return level_of(self.total_rad)


def static_error(drives: Drives, joint: int) -> StaticError:
    """Static error of a joint (from 1): the input turns 20 times, the output should turn 20 / ratio of a turn.

    After whole input turns every wave-generator-periodic part is back where it was, so that only the output side
    shows: its low-order error between start and end, worst over starts, and lost motion.

    >>> import numpy as np
    >>> from jointwatch.simulation.robot import load_robot
    >>> from jointwatch.simulation.unit import draw_unit
    >>> drives = draw_unit(load_robot("ur5e"), np.random.default_rng(0)).drives
    >>> before = static_error(drives, 1)
    >>> drives.wave_rad *= 5
    >>> static_error(drives, 1) == before
    True
    """
    j = joint - 1
    turned = 2 * np.pi * _INPUT_TURNS / drives.ratio[j]
    start = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    order = np.arange(1, drives.output_rad.shape[1] + 1)[:, None]

    def error(angle: np.ndarray) -> np.ndarray:
        return (drives.output_rad[j, :, None] * np.cos(order * angle + drives.output_phase[j, :, None])).sum(axis=0)

    output = float(np.abs(error(start + turned) - error(start)).max())
    loop = 2 * drives.hysteresis_nm[j].sum() / drives.stiffness[j, 0]
    return StaticError(output, float(drives.backlash_rad[j] + loop) / 2)
