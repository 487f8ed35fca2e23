"""What the steps of a new brand come to: figures with intervals by unit, wins and losses, faults by severity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import rankdata

from jointwatch.core import catalog
from jointwatch.studies._cross_brand_gate import GATED
from jointwatch.studies._cross_brand_methods import ALONE, CARRIED, ORACLE, OURS
from jointwatch.studies._cross_brand_rows import Fleet
from jointwatch.studies._cross_brand_task import Task
from jointwatch.studies._part import SAME, Part
from jointwatch.studies.base import Row

__all__ = [
    "ALL_TARGETS",
    "BEST_CASE",
    "SPLIT",
    "STATED_RATE",
    "Areas",
    "Judged",
    "Step",
    "areas",
    "auroc",
    "fault_areas",
    "figures",
    "judged",
    "tell",
]

SPLIT: Final = "units held out"
BEST_CASE: Final = "at 1 % FPR"
STATED_RATE: Final = 0.01
"""Of false alarms, for which thresholds are set."""
_K = 20
_NO_DRIVE = "torque_sensor_drift"  # a joint's fault that leaves its drive as it was
_DRAWS = 200
ALL_TARGETS: Final = "all targets"
"""What a row is of that takes all targets together, each counted alike."""
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


Ranked = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Unit, whether faulty, and score of each."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Scores of a step beside the truth. Uncertain cycles have `sure` False."""

    unit: np.ndarray
    session: np.ndarray
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
    def of(cls, fleet: Fleet, rows: np.ndarray, step: Step) -> Judged:
        """`rows` are the cycles that the step has judged."""
        index = fleet.index.take(rows)
        score, calibration = (np.array(step.result[key], float) for key in ("score", "calibration"))
        said = step.result["joint"]
        sure = index.label != "uncertain"
        if step.method == ORACLE:  # true parameters of the drives say nothing of other faults
            sure &= (index.label == "normal") | np.isin(index.fault, _of_drives(index.fault))
        hit = np.full(len(score), np.nan) if said is None else (np.array(said) == index.joint).astype(float)
        return cls(
            index.unit,
            index.unit_session,
            index.label == "anomalous",
            sure,
            index.fault,
            index.severity,
            index.joint,
            score,
            score > _threshold(calibration),
            np.where((index.label == "anomalous") & (index.joint > 0), hit, np.nan),
            float(step.result["seconds"]),
        )

    @property
    def cycles(self) -> Ranked:
        """Those whose labels are certain."""
        return self.unit[self.sure], self.faulty[self.sure], self.score[self.sure]

    @property
    def sessions(self) -> Ranked:
        """Of the same cycles: each session with their mean score, faulty if one of them is."""
        unit, faulty, score = self.cycles
        _, first, of = np.unique(self.session[self.sure], return_index=True, return_inverse=True)
        cycles = np.bincount(of)
        return unit[first], np.bincount(of, faulty) > 0, np.bincount(of, score) / cycles


def _threshold(healthy: np.ndarray) -> float:
    """Split-conformal: so many healthy cycles lie above that the next one does so once in a hundred."""
    rank = math.ceil((len(healthy) + 1) * (1 - STATED_RATE))
    return float(np.sort(healthy)[min(rank, len(healthy)) - 1]) if len(healthy) else math.inf


def _of_drives(faults: np.ndarray) -> list[str]:
    """Those among the faults that change the parameters of a joint's drive, and last."""
    kinds = {str(name): catalog.load("faults", str(name)) for name in np.unique(faults) if name}
    return [n for n, kind in kinds.items() if kind.scope == "joint" and not kind.episodic and n != _NO_DRIVE]


Areas = dict[tuple[str, str, int, str], dict[int, float]]
"""(approach, source, budget, method) -> AUROC by seed."""


def areas(fleet: Fleet, steps: Sequence[Step]) -> Areas:
    """AUROC of every step of one target that has scores."""
    found: Areas = {}
    for step, one in judged(fleet, steps):
        found.setdefault((*step.place, step.method), {})[step.seed] = auroc(one)
    return found


def judged(fleet: Fleet, steps: Iterable[Step], **sessions: int) -> Iterator[tuple[Step, Judged]]:
    """Steps that have scores, with these beside the truth; `sessions` that were known, see `Task`."""
    rows: dict[tuple[str, int], np.ndarray] = {}
    for step in steps:
        if "shortage" not in step.result:
            key = step.target, step.seed
            if key not in rows:
                rows[key] = np.flatnonzero(Task(fleet, (), step.target, 0, step.seed, **sessions).judged)
            yield step, Judged.of(fleet, rows[key], step)


def tell(fleet: Fleet, steps: Sequence[Step]) -> Part:
    """Rows, tables and notes of all steps."""
    part = Part()
    short: dict[str, list[Step]] = {}
    groups: dict[tuple[tuple[str, str, int], str], dict[str, dict[int, Judged]]] = {}
    for step in steps:
        if "shortage" in step.result:
            short.setdefault(step.result["shortage"], []).append(step)
    for step, one in judged(fleet, steps):
        groups.setdefault((step.place, step.method), {}).setdefault(step.target, {})[step.seed] = one
    for (place, method), targets in groups.items():
        for target, seeds in targets.items():
            _figures(part, place, method, target, [list(seeds.values())])
        if len(targets) > 1:
            _figures(part, place, method, ALL_TARGETS, [list(seeds.values()) for seeds in targets.values()])
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
    """Every metric of one method."""
    approach, source, budget = place
    where = (f"{approach}: {method}", SPLIT, source or "none", target, f"{budget} labelled cycles")
    record = {"approach": approach, "method": method, "source": source, "target": target, "budget": budget}
    figures(part, where, record, targets)


def figures(
    part: Part,
    where: tuple[str, str, str, str, str],
    record: dict[str, Any],
    targets: Sequence[Sequence[Judged]],
) -> None:
    """A row for every metric, several targets counted alike, and a line of the table `methods`.

    Parameters
    ----------
    where : the first columns of a row. record : the first columns of the line, `method` among them.
    targets : of each target what was judged, one entry a seed.
    """
    units = len({unit for seeds in targets for one in seeds for unit in one.unit})
    seeds = max(len(one) for one in targets)
    record = dict(record)
    for metric in METRICS:
        if record["method"] == ORACLE and metric != "AUROC":
            continue
        mean, low, high = _spread(targets, metric)
        if math.isnan(mean):
            continue
        part.rows.append(Row(*where, metric, mean, low, high, units, seeds))
        record |= {metric: mean, f"{metric} low": low, f"{metric} high": high}
    seconds = float(np.mean([one.seconds for seeds_ in targets for one in seeds_]))
    part.rows.append(Row(*where, "adaptation seconds", seconds, math.nan, math.nan, units, seeds))
    part.table("methods", [record | {"seconds": seconds}])


Terms = Callable[[Judged, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(judged, (unit, row) bool) -> numerator and denominator of a share, one number a unit."""


def _share_of(hit: Callable[[Judged], np.ndarray], of: Callable[[Judged], np.ndarray]) -> Terms:
    def terms(one: Judged, member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return member @ hit(one).astype(float), member @ of(one).astype(float)

    return terms


_SHARES: Final[dict[str, Terms]] = {
    "F1": _share_of(
        lambda x: 2.0 * (x.sure & x.alarm & x.faulty), lambda x: x.sure * (x.alarm.astype(float) + x.faulty)
    ),
    "recall": _share_of(lambda x: x.sure & x.alarm & x.faulty, lambda x: x.sure & x.faulty),
    "FPR": _share_of(lambda x: x.sure & x.alarm & ~x.faulty, lambda x: x.sure & ~x.faulty),
    "right joint": _share_of(lambda x: np.nan_to_num(x.hit), lambda x: np.isfinite(x.hit)),
    "telemetry faults flagged": _share_of(lambda x: x.alarm & ~x.sure, lambda x: ~x.sure),
}
_BY_SESSION: Final = "AUROC of sessions"
_RANKED: Final = ("AUROC", _BY_SESSION, f"recall {BEST_CASE}", f"precision at {_K}")
METRICS: Final = (*_RANKED, *_SHARES)


def _ranked(one: Judged, units: np.ndarray, weights: np.ndarray, metric: str) -> np.ndarray:
    """(draw,) figures of the order of the scores, rows weighed as often as their unit was drawn: (draw, unit)."""
    unit, faulty, score = one.sessions if metric == _BY_SESSION else one.cycles
    order = np.argsort(-score, kind="stable")
    weight = (weights @ (unit == units[:, None]).astype(float))[:, order]
    faulty, score = faulty[order], score[order]
    good, bad = weight * ~faulty, weight * faulty
    all_good, all_bad = good.sum(axis=1), bad.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric.startswith("AUROC"):
            _, tie = np.unique(-score, return_inverse=True)
            at = np.eye(int(tie.max()) + 1)[tie]
            above, same = np.cumsum(good @ at, axis=1), good @ at
            wins = ((bad @ at) * (all_good[:, None] - above + same / 2)).sum(axis=1)
            return wins / (all_good * all_bad)
        if metric.startswith("recall"):
            within = np.cumsum(good, axis=1) <= STATED_RATE * all_good[:, None]
            return (bad * within).sum(axis=1) / all_bad
        first = np.cumsum(weight, axis=1) <= _K
        return (bad * first).sum(axis=1) / np.maximum((weight * first).sum(axis=1), 1)


def _spread(targets: Sequence[Sequence[Judged]], metric: str) -> tuple[float, float, float]:
    """(mean over seeds and targets, low, high): 95 % interval from whole units drawn with replacement."""
    rng, found = np.random.default_rng(0), []
    for seeds in targets:
        units = np.unique(np.concatenate([one.unit for one in seeds]))
        drawn = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), size=_DRAWS)
        weights = np.concatenate([np.ones((1, len(units))), drawn])
        for one in seeds:
            if metric in _SHARES:
                member = (one.unit == units[:, None]).astype(float)
                hit, of = (weights @ part for part in _SHARES[metric](one, member))
                found.append(np.where(of > 0, hit / np.where(of > 0, of, 1.0), np.nan))
            else:
                found.append(_ranked(one, units, weights, metric))
    table = np.array(found)
    known = np.isfinite(table)
    means = np.where(known.any(axis=0), np.nansum(table, axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)
    if not np.isfinite(means[0]):
        return math.nan, math.nan, math.nan
    low, high = np.nanpercentile(means[1:], [2.5, 97.5])
    return float(means[0]), float(low), float(high)


def auroc(one: Judged) -> float:
    """Of all cycles whose labels are certain."""
    _, faulty, score = one.cycles
    return _area(score, faulty)


def _area(score: np.ndarray, faulty: np.ndarray) -> float:
    positive = int(faulty.sum())
    if not 0 < positive < len(faulty):
        return math.nan
    rank = rankdata(score)[faulty].sum()
    return float((rank - positive * (positive + 1) / 2) / (positive * (len(faulty) - positive)))


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
            gains = [auroc(one) - auroc(other) for _, _, one, other in pairs]
            labels = f"{budget} labelled cycles"
            part.pairs(
                gains,
                method=f"{approach}: {method}",
                split=SPLIT,
                source=source,
                target=ALL_TARGETS,
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
    """Targets on which the borrowed model loses, the 95 % interval by units included."""
    found = []
    for target in dict.fromkeys(pair[0] for pair in pairs):
        own = [(one, other) for name, _, one, other in pairs if name == target]
        units = np.unique(np.concatenate([one.unit for one, _ in own]))
        weights = np.random.default_rng(0).multinomial(len(units), np.full(len(units), 1 / len(units)), size=_DRAWS)
        gains = []
        for one, other in own:
            gains.append(_ranked(one, units, weights, "AUROC") - _ranked(other, units, weights, "AUROC"))
        if np.nanpercentile(np.nanmean(gains, axis=0), 97.5) < 0:
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
        if method == ORACLE:
            faults = _of_drives(np.array(faults))
        for fault in faults:
            for low, high in (*_SEVERITIES, (0.0, 1.01)):
                for target in (*targets, ALL_TARGETS):
                    own = [
                        one
                        for name, seeds in targets.items()
                        if target in (name, ALL_TARGETS)
                        for one in seeds.values()
                    ]
                    areas, count = fault_areas(own, fault, low, high)
                    if not count:
                        continue
                    record = {"approach": approach, "method": method, "source": source, "budget": budget}
                    record |= {
                        "telemetry": bool(_is_telemetry(own, fault)),
                        "target": target,
                        "fault": fault,
                        "severity from": low,
                        "severity to": min(high, 1.0),
                    }
                    part.table("faults", [record | {"cycles": count, "AUROC": areas}])


def _is_telemetry(own: Sequence[Judged], fault: str) -> bool:
    """Whether its cycles are uncertain."""
    return not any((one.faulty & (one.fault == fault)).any() for one in own)


def fault_areas(own: Sequence[Judged], fault: str, low: float, high: float) -> tuple[float, int]:
    """Mean over repetitions of the AUROC of a fault's cycles against all healthy ones judged with them."""
    areas, count = [], 0
    for one in own:
        positive = (one.fault == fault) & (one.severity >= low) & (one.severity < high) & (one.faulty | ~one.sure)
        rows = np.flatnonzero(positive | (one.sure & ~one.faulty))
        if positive.any():
            areas += [_area(one.score[rows], positive[rows])] * int(positive.sum())
            count += int(positive.sum())
    return (_mean(areas), count)
