"""Drives held out: what every method says of worn cycles of a fold, as recorded and with noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jointwatch.studies._folds import folds
from jointwatch.studies._transmission_error_methods import Problem, graded_drives
from jointwatch.studies._transmission_error_table import Cycles, Source

__all__ = ["DRIVE_FOLDS", "drives_step", "noise_step", "problem_of"]

DRIVE_FOLDS = 5


def problem_of(cycles: Cycles, seed: int, fold: int) -> Problem:
    """One fold of whole drives: all cycles of training drives are learned, of the others the youth is known and worn
    cycles are asked. Published drives, whose youth is not recorded, are left out."""
    fleet = np.flatnonzero(~cycles.published)
    train, test = folds(cycles.take(fleet).stub, "unit", seed)[fold]
    young, train, test = cycles.young, fleet[train], fleet[test]
    return Problem(cycles, train, test[young[test]], test[~young[test]], cycles.index.unit, seed)


def drives_step(
    source: Source,
    seed: int,
    fold: int,
    counts: Sequence[int],
    epochs: int,
    noise: Sequence[float],
    noise_counts: Sequence[int],
    networks: bool,
) -> dict[str, Any]:
    """`said`: of worn cycles by method, trained on cycles as recorded; `noise`: the same of cycles with noise added, by
    its size, under the main methods. `rows`: which cycles were asked."""
    problem = problem_of(source.cycles(), seed, fold)
    heard = {size: _aligned(source, size) for size in noise}
    said = {}
    told: dict[str, dict[str, Any]] = {f"{size:g}": {} for size in noise}
    for key, one, again in graded_drives(problem, counts, epochs, heard, noise_counts, networks=networks):
        said[key] = one.to_json()
        for size, other in again.items():
            told[f"{size:g}"][key] = other.to_json()
    return {"rows": problem.asked.tolist(), "said": said, "noise": told}


def noise_step(
    source: Source, noise: float, seed: int, fold: int, counts: Sequence[int], epochs: int, networks: bool
) -> dict[str, Any]:
    """As `drives_step`, the main methods, with noise in every cycle, those that are learned and the youth included."""
    problem = problem_of(_aligned(source, noise), seed, fold)
    said = {
        key: one.to_json()
        for key, one, _ in graded_drives(problem, counts, epochs, {}, (), others=False, networks=networks)
    }
    return {"rows": problem.asked.tolist(), "said": said}


def _aligned(source: Source, noise: float) -> Cycles:
    """Cycles with noise in the rows in which they stand without."""
    plain, noisy = source.cycles(), source.cycles(noise)
    place = {name: row for row, name in enumerate(noisy.index.cycle.tolist())}
    rows = np.array([place.get(name, -1) for name in plain.index.cycle.tolist()])
    there = rows >= 0
    figures = {}
    for name in ("vector", "profile", "bands"):
        figures[name] = getattr(plain, name).copy()
        figures[name][there] = getattr(noisy, name)[rows[there]]
    return replace(plain, **figures)
