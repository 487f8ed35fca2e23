"""Angles as gear makers give them, in rad."""

from __future__ import annotations

import numpy as np

__all__ = ["ARCMIN", "ARCSEC"]

ARCSEC = np.pi / 180 / 3600
ARCMIN = 60 * ARCSEC
