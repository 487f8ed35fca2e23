"""What the steps of a new brand come to: figures with intervals by unit, wins and losses, faults by severity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import rankdata

from jointwatch.studies._cross_brand_gate import GATED
from jointwatch.studies._cross_brand_methods import ALONE, CARRIED, ORACLE, OURS
from jointwatch.studies._cross_brand_rows import Fleet
from jointwatch.studies._cross_brand_task import Task
from jointwatch.studies._part import SAME, Part
from jointwatch.studies.base import Row

__all__ = ["BEST_CASE", "SPLIT", "Step", "tell"]

SPLIT: Final = "units held out"
BEST_CASE: Final = "at 1 % FPR"
_RATE = 0.01
_K = 20
_DRAWS = 200
_ALL: Final = "all targets"
_SEVERITIES: Final = ((0.0, 0.2), (0.2, 0.4), (0.4, 0.7), (0.7, 1.01))


@dataclass(frozen=True)
class Step:
    """A key of the study and what its step gave."""

    seed: int
    source: str
    target: str
    budget: int
    approach: str
    method: str
    result: dict[str, Any]

    @property
    def place(self) -> tuple[str, str, int]:
        """Approach, source and budget: what a row tells apart beside method and target."""
        return self.approach, self.source, self.budget


@dataclass(frozen=True, eq=False)
class Judged:
    """Scores of a step beside the truth. Uncertain cycles have `sure` False."""

    unit: np.ndarray
    faulty: np.ndarray
    sure: np.ndarray
    fault: np.ndarray
    severity: np.ndarray
    joint: np.ndarray
    score: np.ndarray
    alarm: np.ndarray
    hit: np.ndarray
    seconds: float

    @classmethod
    def of(cls, fleet: Fleet, step: Step) -> Judged:
        """The cycles that the step has judged."""
        task = Task(fleet, (), step.target, step.budget, step.seed)
        index = fleet.index.take(np.flatnonzero(task.judged))
        score, calibration = (np.array(step.result[key], float) for key in ("score", "calibration"))
        said = step.result["joint"]
        hit = np.full(len(score), np.nan) if said is None else (np.array(said) == index.joint).astype(float)
        return cls(
            index.unit,
            index.label == "anomalous",
            index.label != "uncertain",
            index.fault,
            index.severity,
            index.joint,
            score,
            score > _threshold(calibration),
            np.where((index.label == "anomalous") & (index.joint > 0), hit, np.nan),
            float(step.result["seconds"]),
        )


def _threshold(healthy: np.ndarray) -> float:
    """Split-conformal: so many healthy cycles lie above that the next one does so once in a hundred."""
    rank = math.ceil((len(healthy) + 1) * (1 - _RATE))
    return float(np.sort(healthy)[min(rank, len(healthy)) - 1]) if len(healthy) else math.inf


def tell(fleet: Fleet, steps: Sequence[Step]) -> Part:
    """Rows, tables and notes of all steps."""
    part = Part()
    short: dict[str, list[Step]] = {}
    groups: dict[tuple[tuple[str, str, int], str], dict[str, dict[int, Judged]]] = {}
    for step in steps:
        if "shortage" in step.result:
            short.setdefault(step.result["shortage"], []).append(step)
            continue
        own = groups.setdefault((step.place, step.method), {})
        own.setdefault(step.target, {})[step.seed] = Judged.of(fleet, step)
    for (place, method), targets in groups.items():
        for target, seeds in targets.items():
            _figures(part, place, method, target, [list(seeds.values())])
        if len(targets) > 1:
            _figures(part, place, method, _ALL, [list(seeds.values()) for seeds in targets.values()])
    _against_alone(part, groups)
    _by_fault(part, groups)
    used = [(s.source, s.target, s.budget, s.result["used"]) for s in steps if "used" in s.result]
    if used:
        part.notes.append(f"the gate used the borrowed detector in {sum(u[3] for u in used)} of {len(used)} cases")
    part.notes += [
        f"{len(found)} steps without a figure, the first {found[0].approach} {found[0].method} at "
        f"{found[0].budget} labels: {why}"
        for why, found in short.items()
    ]
    return part


def _figures(
    part: Part, place: tuple[str, str, int], method: str, target: str, targets: Sequence[Sequence[Judged]]
) -> None:
    """Every metric of one method, several targets counted alike."""
    approach, source, budget = place
    where = (f"{approach}: {method}", SPLIT, source or "none", target, f"{budget} labelled cycles")
    units = len({unit for seeds in targets for one in seeds for unit in one.unit})
    seeds = max(len(one) for one in targets)
    record: dict[str, Any] = {
        "approach": approach, "method": method, "source": source, "target": target, "budget": budget,
    }  # fmt: skip
    for metric, statistic in METRICS.items():
        if method == ORACLE and metric != "AUROC":
            continue
        mean, low, high = _spread(targets, statistic)
        if math.isnan(mean):
            continue
        part.rows.append(Row(*where, metric, mean, low, high, units, seeds))
        record |= {metric: mean, f"{metric} low": low, f"{metric} high": high}
    seconds = float(np.mean([one.seconds for seeds_ in targets for one in seeds_]))
    part.rows.append(Row(*where, "adaptation seconds", seconds, math.nan, math.nan, units, seeds))
    part.table("methods", [record | {"seconds": seconds}])


Statistic = Callable[[Judged, np.ndarray], float]


def _auroc(one: Judged, rows: np.ndarray) -> float:
    rows = rows[one.sure[rows]]
    return _area(one.score[rows], one.faulty[rows])


def _area(score: np.ndarray, faulty: np.ndarray) -> float:
    positive = int(faulty.sum())
    if not 0 < positive < len(faulty):
        return math.nan
    rank = rankdata(score)[faulty].sum()
    return float((rank - positive * (positive + 1) / 2) / (positive * (len(faulty) - positive)))


def _recall_at_rate(one: Judged, rows: np.ndarray) -> float:
    rows = rows[one.sure[rows]]
    score, faulty = one.score[rows], one.faulty[rows]
    if not 0 < faulty.sum() < len(faulty):
        return math.nan
    return float((score[faulty] > np.quantile(score[~faulty], 1 - _RATE, method="higher")).mean())


def _alarms(one: Judged, rows: np.ndarray) -> tuple[float, float, float]:
    rows = rows[one.sure[rows]]
    alarm, faulty = one.alarm[rows], one.faulty[rows]
    return float((alarm & faulty).sum()), float((alarm & ~faulty).sum()), float((~alarm & faulty).sum())


def _f1(one: Judged, rows: np.ndarray) -> float:
    true, false, missed = _alarms(one, rows)
    return 2 * true / (2 * true + false + missed) if true + missed else math.nan


def _recall(one: Judged, rows: np.ndarray) -> float:
    true, _, missed = _alarms(one, rows)
    return true / (true + missed) if true + missed else math.nan


def _false_alarms(one: Judged, rows: np.ndarray) -> float:
    healthy = rows[one.sure[rows] & ~one.faulty[rows]]
    return float(one.alarm[healthy].mean()) if len(healthy) else math.nan


def _telemetry(one: Judged, rows: np.ndarray) -> float:
    unsure = rows[~one.sure[rows]]
    return float(one.alarm[unsure].mean()) if len(unsure) else math.nan


def _precision(one: Judged, rows: np.ndarray) -> float:
    rows = rows[one.sure[rows]]
    return float(one.faulty[rows[np.argsort(-one.score[rows], kind="stable")[:_K]]].mean())


def _localised(one: Judged, rows: np.ndarray) -> float:
    hit = one.hit[rows]
    return float(np.nanmean(hit)) if np.isfinite(hit).any() else math.nan


METRICS: Final[dict[str, Statistic]] = {
    "AUROC": _auroc,
    f"recall {BEST_CASE}": _recall_at_rate,
    "F1": _f1,
    "recall": _recall,
    "FPR": _false_alarms,
    f"precision at {_K}": _precision,
    "right joint": _localised,
    "telemetry faults flagged": _telemetry,
}


def _spread(targets: Sequence[Sequence[Judged]], statistic: Statistic) -> tuple[float, float, float]:
    """(mean over seeds and targets, low, high): 95 % interval from whole units drawn with replacement."""
    rng = np.random.default_rng(0)
    value = _mean(statistic(one, np.arange(len(one.unit))) for seeds in targets for one in seeds)
    places = [
        [{unit: np.flatnonzero(one.unit == unit) for unit in np.unique(one.unit)} for one in seeds] for seeds in targets
    ]
    draws = []
    for _ in range(_DRAWS):
        found = []
        for seeds, own in zip(targets, places, strict=True):
            units = sorted({unit for rows in own for unit in rows})
            drawn = rng.choice(units, len(units))
            for one, rows in zip(seeds, own, strict=True):
                chosen = [rows[unit] for unit in drawn if unit in rows]
                if chosen:
                    found.append(statistic(one, np.concatenate(chosen)))
        draws.append(_mean(found))
    known = [x for x in draws if math.isfinite(x)]
    if not known:
        return value, math.nan, math.nan
    low, high = np.percentile(known, [2.5, 97.5])
    return value, float(low), float(high)


def _mean(values: Iterable[float]) -> float:
    known = [x for x in values if math.isfinite(x)]
    return float(np.mean(known)) if known else math.nan


Groups = dict[tuple[tuple[str, str, int], str], dict[str, dict[int, Judged]]]


def _against_alone(part: Part, groups: Groups) -> None:
    """Wins and losses of every borrowed model, pair of target and seed by pair, against two target-only ones."""
    for ((approach, source, budget), method), targets in groups.items():
        if not source:
            continue
        for reference in (OURS, "network"):
            alone = groups.get(((ALONE, "", budget), reference), {})
            pairs = [
                (target, seed, one, alone[target][seed])
                for target, seeds in targets.items()
                for seed, one in seeds.items()
                if seed in alone.get(target, {})
            ]
            if not pairs:
                continue
            gains = [
                _auroc(one, np.arange(len(one.unit))) - _auroc(other, np.arange(len(other.unit)))
                for _, _, one, other in pairs
            ]
            labels = f"{budget} labelled cycles"
            part.pairs(
                gains,
                method=f"{approach}: {method}",
                split=SPLIT,
                source=source,
                target=_ALL,
                labels=labels,
                seeds=len({seed for _, seed, _, _ in pairs}),
                suffix=f" against {ALONE}: {reference} (AUROC)",
            )
            for (target, seed, _, _), gain in zip(pairs, gains, strict=True):
                record = {"approach": approach, "method": method, "source": source, "target": target, "seed": seed}
                part.table("pairs", [record | {"budget": budget, "reference": reference, "gain": gain}])
            if approach in (CARRIED, GATED) and method == OURS and reference == OURS:
                beyond = _beyond(pairs)
                part.notes.append(
                    f"{approach} {OURS} from {source}, {labels}: {sum(g < -SAME for g in gains)} of {len(gains)} pairs "
                    f"below target-only, {len(beyond)} targets with the whole interval below it"
                    + (f" ({', '.join(beyond)})" if beyond else "")
                )


def _beyond(pairs: Sequence[tuple[str, int, Judged, Judged]]) -> list[str]:
    """Targets on which the borrowed model loses, the 95 % interval by units and seeds included."""
    found = []
    for target in dict.fromkeys(pair[0] for pair in pairs):
        own = [(one, other) for name, _, one, other in pairs if name == target]
        rng = np.random.default_rng(0)
        units = sorted({unit for one, _ in own for unit in one.unit})
        draws = []
        for _ in range(_DRAWS):
            drawn = rng.choice(units, len(units))
            gains = []
            for one, other in own:
                chosen = [np.flatnonzero(one.unit == unit) for unit in drawn if (one.unit == unit).any()]
                if chosen:
                    rows = np.concatenate(chosen)
                    gains.append(_auroc(one, rows) - _auroc(other, rows))
            draws.append(_mean(gains))
        if np.nanpercentile(draws, 97.5) < 0:
            found.append(target)
    return found


def _by_fault(part: Part, groups: Groups) -> None:
    """AUROC of each fault by severity, of each brand and of all, for the project's detector and the oracle."""
    shown = [key for key in groups if key[1] in (OURS, ORACLE)]
    for (approach, source, budget), method in shown:
        targets = groups[(approach, source, budget), method]
        faults = sorted(
            {f for seeds in targets.values() for one in seeds.values() for f in np.unique(one.fault)} - {""}
        )
        for fault in faults:
            for low, high in (*_SEVERITIES, (0.0, 1.01)):
                for target in (*targets, _ALL):
                    own = [one for name, seeds in targets.items() if target in (name, _ALL) for one in seeds.values()]
                    areas, count = _fault_areas(own, fault, low, high)
                    if not count:
                        continue
                    record = {"approach": approach, "method": method, "source": source, "budget": budget}
                    record |= {"target": target, "fault": fault, "severity from": low, "severity to": min(high, 1.0)}
                    part.table("faults", [record | {"cycles": count, "AUROC": areas}])


def _fault_areas(own: Sequence[Judged], fault: str, low: float, high: float) -> tuple[float, int]:
    """Mean over repetitions of the AUROC of a fault's cycles against all healthy ones judged with them."""
    areas, count = [], 0
    for one in own:
        positive = (one.fault == fault) & (one.severity >= low) & (one.severity < high) & (one.faulty | ~one.sure)
        rows = np.flatnonzero(positive | (one.sure & ~one.faulty))
        if positive.any():
            areas += [_area(one.score[rows], positive[rows])] * int(positive.sum())
            count += int(positive.sum())
    return (_mean(areas), count)
