"""How many healthy sessions of a robot must be on record: the same cycles judged beside few and many of them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field

from jointwatch.core.errors import InputError
from jointwatch.studies._cross_brand_methods import ALONE, CARRIED, HEALTHY_ONLY, ORACLE, OURS
from jointwatch.studies._cross_brand_rows import Fleet, gather_fleet
from jointwatch.studies._cross_brand_steps import OTHERS, Key, names_in, step
from jointwatch.studies._cross_brand_told import ALL_TARGETS, SPLIT, Judged, Step, auroc, fault_areas, figures, judged
from jointwatch.studies._fleet_table import manifest
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._sources import sources_digest
from jointwatch.studies.base import Progress, Results, Study, StudyOptions

__all__ = ["HealthySessions"]

_FEWEST = 2  # with one the baseline's own cycles have no other session to be held against
_QUICK = ("random_score", "mahalanobis")

Place = tuple[str, str, str]
"""Source ("" = none), approach, method."""


def _counted(text: str) -> str:
    if not names_in(text) or not all(part.isdecimal() and int(part) >= _FEWEST for part in names_in(text)):
        raise ValueError(f"known healthy sessions are whole numbers from {_FEWEST}, for example 2,5,10")
    return text


class _Options(StudyOptions):
    known: Annotated[str, AfterValidator(_counted)] = Field(
        "2,3,5,10", description="Healthy sessions known of every unit, comma-separated, 2 or more each."
    )
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
        numbers = sorted({int(part) for part in names_in(options.known)})
        if options.quick:
            numbers = sorted({numbers[0], numbers[-1]})
        most = numbers[-1]
        _enough(fleet, targets, most, options)
        file = ledger.path.parent / "fleet.npz"
        fleet.save(file)
        seeds = range(1 if options.quick else options.seeds)
        places = _places(_QUICK if options.quick else HEALTHY_ONLY, len(fleet.brands) > 1)
        keys = [
            (number, (seed, source, target, 0, approach, method))
            for seed in seeds
            for target in targets
            for number in numbers
            for source, approach, method in places
        ]
        work = {
            _named(number, key): partial(step, str(file), key, {}, baselines=number, spared=most)
            for number, key in keys
        }
        found = ledger.every(work, progress)
        part = Part()
        told: dict[tuple[Place, int], dict[str, list[Judged]]] = {}
        for number in numbers:
            steps = [Step(*key, found[_named(known, key)]) for known, key in keys if known == number]
            for one, beside in judged(fleet, steps, spared=most):
                place = (one.source, one.approach, one.method)
                told.setdefault((place, number), {}).setdefault(one.target, []).append(beside)
        for (place, number), by_target in told.items():
            _tell(part, place, number, by_target)
        for place in places:
            _gains(part, place, {number: told[place, number] for number in numbers})
        for number in numbers:
            _faults(part, number, told[("", ALONE, OURS), number])
        part.notes.append(f"{most} healthy sessions of every unit are never judged")
        part.notes.append(f"difficulty of the fleet: version {manifest(options.data)['difficulty']}")
        return Results("healthy-sessions", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _enough(fleet: Fleet, targets: list[str], most: int, options: Any) -> None:
    """Every unit of a target must have a healthy session more than are known."""
    index = fleet.index
    for target in targets:
        for unit in np.unique(index.unit[index.domain == target]):
            own = (index.unit == unit) & fleet.healthy_session
            have = len(np.unique(index.session[own]))
            if have <= most:
                fewer = f"--known with fewer than {have}, or " if have > _FEWEST else ""
                raise InputError(
                    f"unit {unit} has {have} healthy sessions; with {most} known none is left to be judged",
                    file=options.data,
                    remedy=f"{fewer}a fleet with more of them: jointwatch simulate m3-sessions",
                )


def _places(baselines: tuple[str, ...], others: bool) -> list[Place]:
    own = [("", ALONE, name) for name in (*baselines, OURS, ORACLE)]
    return own + ([(OTHERS, CARRIED, OURS)] if others else [])


def _named(number: int, key: Key) -> str:
    seed, source, target, _, approach, method = key
    return f"{number} known/{seed}/{source}/{target}/{approach}/{method}"


def _tell(part: Part, place: Place, number: int, by_target: dict[str, list[Judged]]) -> None:
    source, approach, method = place
    groups = {target: [seeds] for target, seeds in by_target.items()}
    if len(by_target) > 1:
        groups[ALL_TARGETS] = list(by_target.values())
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
            target=ALL_TARGETS,
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
