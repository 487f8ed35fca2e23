"""How many healthy sessions of a robot must be on record: the same cycles judged beside few and many of them."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import numpy as np
from pydantic import Field

from jointwatch.core.errors import InputError, UsageError
from jointwatch.studies._cross_brand_methods import ALONE, CARRIED, HEALTHY_ONLY, ORACLE, OURS
from jointwatch.studies._cross_brand_rows import Fleet, gather_fleet
from jointwatch.studies._cross_brand_steps import OTHERS, names_in, step, task_of
from jointwatch.studies._cross_brand_told import SPLIT, Judged, Step, auroc, fault_areas, figures
from jointwatch.studies._fleet_table import manifest
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._sources import sources_digest
from jointwatch.studies.base import Progress, Results, Study, StudyOptions

__all__ = ["HealthySessions"]

_ALL: Final = "all targets"
_FEWEST = 2  # with one the baseline's own cycles have no other session to be held against
_QUICK = ("random_score", "mahalanobis")

Place = tuple[str, str, str]
"""Source ("" = none), approach, method."""


class _Options(StudyOptions):
    known: str = Field("2,3,5,10", description="Healthy sessions known of every unit, comma-separated, 2 or more each.")
    target: str = Field("", description="Brands that are judged, comma-separated; empty = every one.")


class HealthySessions(Study):
    """`jointwatch study healthy-sessions --data FLEET`; FLEET is what `jointwatch simulate m3-sessions` makes.

    The rules are those of `cross-brand` without labels: a third of a brand's units is held out whole, of every unit
    some healthy sessions are known, and thresholds at 1 % false alarms are set on those of the other units. Here their
    number changes. Few sessions are among the many, and as many as the most are never judged, so that every number
    judges the same cycles. Beside the detectors stands an oracle that knows the true parameters of the drives.
    """

    Options = _Options

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        fleet = gather_fleet(options.data, ledger, names_in(options.target), (), progress)
        targets = names_in(options.target) or fleet.brands
        numbers = _numbers(options.known)
        if options.quick:
            numbers = sorted({numbers[0], numbers[-1]})
        _enough(fleet, targets, numbers[-1], options)
        file = ledger.path.parent / "fleet.npz"
        fleet.save(file)
        seeds = range(1 if options.quick else options.seeds)
        places = _places(_QUICK if options.quick else HEALTHY_ONLY, len(fleet.brands) > 1)
        keys = [
            (number, Step(seed, source, target, 0, approach, method, {}))
            for seed in seeds
            for target in targets
            for number in numbers
            for source, approach, method in places
        ]
        most = numbers[-1]
        work = {
            _named(number, one): partial(
                step,
                str(file),
                (one.seed, one.source, one.target, 0, one.approach, one.method),
                {},
                baselines=number,
                spared=most,
            )
            for number, one in keys
        }
        found = ledger.every(work, progress)
        part, judged = Part(), _Judgements(fleet, most)
        told: dict[tuple[Place, int], dict[str, list[Judged]]] = {}
        for number, one in keys:
            place = (one.source, one.approach, one.method)
            own = told.setdefault((place, number), {}).setdefault(one.target, [])
            own.append(judged.of(one, found[_named(number, one)]))
        for (place, number), by_target in told.items():
            _tell(part, place, number, by_target)
        for place in places:
            _gains(part, place, {number: told[place, number] for number in numbers})
        for number in numbers:
            _faults(part, number, told[("", ALONE, OURS), number])
        part.notes.append(f"{most} healthy sessions of every unit are never judged")
        part.notes.append(f"difficulty of the fleet: version {manifest(options.data)['difficulty']}")
        return Results("healthy-sessions", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


class _Judgements:
    """Results of steps beside the truth; which cycles are judged is worked out once for a target and seed."""

    def __init__(self, fleet: Fleet, spared: int) -> None:
        self.fleet, self.spared = fleet, spared
        self._rows: dict[tuple[str, int], np.ndarray] = {}

    def of(self, one: Step, result: dict[str, Any]) -> Judged:
        place = one.target, one.seed
        if place not in self._rows:
            task = task_of(self.fleet, "", one.target, 0, one.seed, spared=self.spared)
            self._rows[place] = np.flatnonzero(task.judged)
        filled = Step(one.seed, one.source, one.target, 0, one.approach, one.method, result)
        return Judged.of(self.fleet, self._rows[place], filled)


def _numbers(text: str) -> list[int]:
    """Of sessions, ascending.

    Errors: `UsageError` for what is no number, or below 2.
    """
    words = names_in(text)
    if not words or not all(word.isdigit() and int(word) >= _FEWEST for word in words):
        raise UsageError(f"known healthy sessions are whole numbers from {_FEWEST}, for example 2,5,10; got {text!r}")
    return sorted({int(word) for word in words})


def _enough(fleet: Fleet, targets: list[str], most: int, options: Any) -> None:
    """Every unit of a target must have a healthy session more than are known."""
    index = fleet.index
    for target in targets:
        for unit in np.unique(index.unit[index.domain == target]):
            own = (index.unit == unit) & fleet.healthy_session
            have = len(np.unique(index.session[own]))
            if have <= most:
                raise InputError(
                    f"unit {unit} has {have} healthy sessions; with {most} known none is left to be judged",
                    file=options.data,
                    remedy=f"--known with fewer than {have}, or jointwatch simulate m3-sessions --out {options.data}",
                )


def _places(baselines: tuple[str, ...], others: bool) -> list[Place]:
    own = [("", ALONE, name) for name in (*baselines, OURS, ORACLE)]
    return own + ([(OTHERS, CARRIED, OURS)] if others else [])


def _named(number: int, one: Step) -> str:
    return f"{number} known/{one.seed}/{one.source}/{one.target}/{one.approach}/{one.method}"


def _tell(part: Part, place: Place, number: int, by_target: dict[str, list[Judged]]) -> None:
    source, approach, method = place
    groups = {target: [seeds] for target, seeds in by_target.items()}
    if len(by_target) > 1:
        groups[_ALL] = list(by_target.values())
    for target, seeds in groups.items():
        where = (f"{approach}: {method}", SPLIT, source or "none", target, _said(number))
        record = {"approach": approach, "method": method, "source": source, "target": target, "known": number}
        figures(part, where, record, seeds)


def _said(number: int) -> str:
    return f"{number} healthy sessions"


def _gains(part: Part, place: Place, told: dict[int, dict[str, list[Judged]]]) -> None:
    """What more sessions bring against the fewest, pair of target and seed by pair."""
    source, approach, method = place
    fewest = min(told)
    for number in sorted(told)[1:]:
        gains = [
            auroc(one) - auroc(other)
            for target, seeds in told[number].items()
            for one, other in zip(seeds, told[fewest][target], strict=True)
        ]
        part.pairs(
            gains,
            method=f"{approach}: {method}",
            split=SPLIT,
            source=source or "none",
            target=_ALL,
            labels=_said(number),
            seeds=len(next(iter(told[number].values()))),
            suffix=f" against {_said(fewest)} (AUROC)",
        )


def _faults(part: Part, number: int, by_target: dict[str, list[Judged]]) -> None:
    """AUROC of each fault, all severities and targets together."""
    own = [one for seeds in by_target.values() for one in seeds]
    for fault in sorted({str(name) for one in own for name in np.unique(one.fault[one.faulty])} - {""}):
        area, count = fault_areas(own, fault, 0.0, 1.01)
        part.table("faults", [{"fault": fault, "known": number, "AUROC": area, "cycles": count}])
