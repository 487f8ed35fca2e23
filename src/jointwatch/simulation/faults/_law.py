"""How far a fault goes on one specimen."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from jointwatch.simulation.difficulty import difficulty

__all__ = ["factor", "scatter"]


def scatter(law: Generator, *shape: int) -> np.ndarray:
    """Lognormal factors about 1: no two specimens follow a law alike."""
    return np.exp(difficulty().law_sigma * law.standard_normal(shape))


def factor(law: Generator) -> float:
    """One such factor."""
    return float(scatter(law, 1)[0])
