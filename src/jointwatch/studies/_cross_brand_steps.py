"""One step of a study of a new brand: a method that does not depend on plain windows, on one task."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from jointwatch.studies._cross_brand_gate import GATED, gated
from jointwatch.studies._cross_brand_methods import (
    HEALTHY_ONLY,
    ORACLE,
    OURS,
    deviations,
    healthy_only,
    oracle,
    trees,
)
from jointwatch.studies._cross_brand_networks import AS_IS, NETWORK_ALONE, network_step
from jointwatch.studies._cross_brand_rows import Fleet
from jointwatch.studies._cross_brand_task import Tables, Task

__all__ = ["OTHERS", "Budgets", "Key", "known", "names_in", "step", "task_of"]

OTHERS: Final = "others"
"""All brands of the fleet but the target, together."""

Key = tuple[int, str, str, int, str, str]
"""Seed, source ("" = none), target, budget, approach, method."""


def _counted(text: str) -> str:
    if not all(part.isdigit() for part in names_in(text)) or not names_in(text):
        raise ValueError("budgets are whole numbers of cycles, for example 0,100,500")
    return text


Budgets = Annotated[str, AfterValidator(_counted)]
"""Numbers of labelled cycles, comma-separated."""


def names_in(text: str) -> list[str]:
    """Parts of a list with commas, without blanks and empty ones."""
    return [part.strip() for part in text.split(",") if part.strip()]


@lru_cache(maxsize=1)
def known(file: str) -> tuple[Fleet, Tables]:
    """A stored fleet, and its evidence as far as this process has computed it."""
    fleet = Fleet.load(Path(file))
    return fleet, Tables(fleet)


def task_of(fleet: Fleet, source: str, target: str, budget: int, seed: int, **sessions: int) -> Task:
    """A source is a brand, `OTHERS`, or "" for none; `sessions` : see `Task`."""
    others = tuple(brand for brand in fleet.brands if brand != target)
    return Task(fleet, others if source == OTHERS else (source,) if source else (), target, budget, seed, **sessions)


def step(file: str, key: Key, strategies: dict[str, str], **sessions: int) -> dict[str, Any]:
    """What a method gives that sees deviations along the path.

    Parameters
    ----------
    file : a stored fleet. strategies : name -> `align` or `tune`. sessions : that are known, see `Task`.
    """
    seed, source, target, budget, approach, method = key
    fleet, tables = known(file)
    task = task_of(fleet, source, target, budget, seed, **sessions)
    if approach == GATED:
        return gated(task, tables)
    if method == OURS:
        return deviations(task, tables)
    if method == "trees":
        return trees(task, tables)
    if method == ORACLE:
        return oracle(task, tables)
    if method in HEALTHY_ONLY:
        return healthy_only(method, task, tables)
    if method == "network":
        return network_step(AS_IS if approach == AS_IS else NETWORK_ALONE, "", task, tables)
    return network_step(method, strategies[method], task, tables)
