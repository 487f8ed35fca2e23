"""How hard the simulated world is: scatter between units, sessions and cycles, with a version."""

from __future__ import annotations

import importlib.resources
from functools import lru_cache

import yaml
from pydantic import BaseModel, ConfigDict

__all__ = ["Difficulty", "difficulty"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UnitSigma(_Data):
    """Lognormal standard deviations between units of one model."""

    coulomb: float
    coulomb_load: float
    stribeck: float
    stribeck_speed: float
    viscous: float
    link_friction: float
    stiffness: float
    damping: float
    hysteresis: float
    backlash: float
    gear_error: float
    rotor: float
    torque_constant: float
    cold: float
    heat: float
    cogging: float
    ripple: float
    encoder: float
    gains: float


class SessionRange(_Data):
    """What changes from session to session of one unit."""

    ambient_c: tuple[float, float]
    warm_up_k: tuple[float, float]
    friction_sigma: float
    tilt_rad: float


class Difficulty(_Data):
    """The frozen numbers of `difficulty.yaml`; `version` is part of every recording and every result.

    >>> difficulty().version
    '1'
    """

    version: str
    unit_sigma: UnitSigma
    odd_share: float
    odd_factor: float
    gear_correlation: float
    beat: tuple[float, float]
    encoder_arcsec: float
    session: SessionRange
    wander_share: float
    wander_s: float
    law_sigma: float


@lru_cache(maxsize=1)
def difficulty() -> Difficulty:
    """The difficulty that this release simulates."""
    text = (importlib.resources.files("jointwatch.simulation") / "difficulty.yaml").read_text(encoding="utf-8")
    return Difficulty(**yaml.safe_load(text))
