"""Five brands and every fault: healthy or anomalous, cycle by cycle, within a brand and from brand to brand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jointwatch.core import Channel, Index, Quantity, Recording, Source, catalog
from jointwatch.studies._confusions import CHANCE, confusions
from jointwatch.studies._fleet_table import Table, gather, plain_statistics
from jointwatch.studies._folds import SPLITS, folds
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._own_baseline import OWN, against, healthy_half
from jointwatch.studies._part import LEAK, Part
from jointwatch.studies._statistics import cluster_auroc
from jointwatch.studies._trees import ORACLE, TREES, Forest, healthy_scale, leading_features, repeat
from jointwatch.windows.plan import WindowPlan

__all__ = ["joints_pooled", "study_fleet", "table_of_fleet"]

_LENGTH = 500
_KINDS = ((Quantity.POSITION, Source.MEASURED), (Quantity.EFFORT, Source.DERIVED))
_FALSE_ALARMS = 0.01
_CALIBRATION = 1 / 3  # share of a brand's units whose healthy cycles give the scale
_DURATION = "duration of the cycle only"
_POOLED = f"{TREES}, joints pooled"
_OWN, _OWN_ORACLE = f"{_POOLED}, {OWN}", f"{ORACLE}, joints pooled, {OWN}"
_OUT = "brand out"
_OTHERS, _ALL = "the other brands", "all brands"

Step = Callable[[int, int, str], None]
Job = tuple[str, str, str, str]
"""Method, split, learned on, used on."""


def table_of_fleet(folder: Path, ledger: Ledger, progress: Step) -> Table:
    """Statistics of position and effort of every joint over whole cycles; those of joints that an arm lacks are 0."""
    return gather(folder, ledger, _plan, plain_statistics(), lambda group: (), progress)


def _plan(recording: Recording) -> WindowPlan:
    channels = tuple(Channel(q, joint.number, s) for joint in recording.robot.joints for q, s in _KINDS)
    return WindowPlan(channels, "cycle", length=_LENGTH, domain="truth:group")


def study_fleet(table: Table, seeds: int, trees: int, ledger: Ledger, progress: Step) -> Part:
    """Every brand under every split; from the first brand, and from all others, to a new one; faults one by one."""
    part = Part()
    brands = list(dict.fromkeys(table.index.domain.tolist()))
    first = "ur5e" if "ur5e" in brands else brands[0]
    tables = {brand: table.take(table.index.domain == brand) for brand in brands}
    jobs = _jobs(brands, first)
    found: dict[Job, list[tuple[Table, np.ndarray, np.ndarray]]] = {}
    for number, job in enumerate(jobs):
        method, split, source, target = job
        learned = [tables[b] for b in brands if (b != target if source == _OTHERS else b == source)]
        rows = table if target == _ALL else tables[target]
        used = _lasting(rows) if method in (ORACLE, _OWN_ORACLE) else rows
        progress(number, len(jobs), f"m3 {source} to {target}: {method}, {split}")
        compute = partial(repeat, partial(_one, method, split, learned, used), seeds, trees)
        for step in ledger.once(f"m3/{'/'.join(job)}", compute):
            score = np.array([np.nan if x is None else x for x in step["score"]], float)
            found.setdefault(job, []).append((used, score, np.array(step["alarm"], int)))
    for (method, split, source, target), steps in found.items():
        _report(part, (method, split, source, target), [[one] for one in steps])
        for brand in brands if target == _ALL else ():
            _report(part, (method, split, source, brand), [[_of_brand(one, brand)] for one in steps])
    for method, split, source in dict.fromkeys(
        (m, s, o if s == _OUT else "each brand") for m, s, o, target in found if target != _ALL
    ):
        same = [v for (m, s, o, t), v in found.items() if (m, s) == (method, split) and t != _ALL]
        if split == _OUT:
            same = [v for (m, s, o, _), v in found.items() if (m, s, o) == (method, split, source)]
        together = [[steps[seed] for steps in same] for seed in range(seeds)]
        _report(part, (method, split, source, _ALL if len(same) == len(brands) else "all others"), together)
    _faults(part, TREES, [[found[TREES, "unit", b, b][seed] for b in brands] for seed in range(seeds)])
    _faults(part, _OWN, [[one] for one in found[_OWN, "unit", _ALL, _ALL]])
    _judge(part, tables, trees)
    for label, count in table.skipped.items():
        part.notes.append(f"m3: {count} {label} cycles have gaps or lost samples and are not judged")
    return part


def joints_pooled(values: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Scaled features (row, joint's feature) of arms with any number of joints as (row, feature): of every quantity
    and statistic the mean, the mean magnitude and the largest magnitude over the joints that the arm has.

    >>> import numpy as np
    >>> joints_pooled(np.array([[1.0, -3.0]]), ["effort/1 mean", "effort/2 mean"])[0].tolist()
    [[-1.0, 2.0, 3.0]]
    """
    joints = np.array([name.partition(" ")[0].partition("/")[2] for name in names])
    there = {joint for joint in np.unique(joints) if values[:, joints == joint].any()}
    kinds: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        channel, _, statistic = name.partition(" ")
        kind, _, joint = channel.partition("/")
        if joint in there:
            kinds.setdefault(f"{kind} {statistic}", []).append(i)
    columns, titles = [], []
    for kind, places in kinds.items():
        own = values[:, places]
        columns += [own.mean(axis=1), np.abs(own).mean(axis=1), np.abs(own).max(axis=1)]
        titles += [f"{kind}, mean", f"{kind}, mean magnitude", f"{kind}, largest magnitude"]
    return np.column_stack(columns), titles


def _jobs(brands: Sequence[str], first: str) -> list[Job]:
    jobs: list[Job] = []
    for brand in brands:
        jobs += [(TREES, split, brand, brand) for split in SPLITS]
        jobs += [(method, "unit", brand, brand) for method in (_DURATION, CHANCE, ORACLE)]
        if len(brands) > 1:
            jobs.append((_POOLED, _OUT, _OTHERS, brand))
        if brand != first:
            jobs.append((_POOLED, _OUT, first, brand))
    return [*jobs, *((method, "unit", _ALL, _ALL) for method in (_POOLED, _OWN, _OWN_ORACLE))]


_NO_DRIVE = "torque_sensor_drift"  # a joint's fault that leaves its drive as it was


def _lasting(table: Table) -> Table:
    """True latent parameters of the sessions that are healthy or have a lasting fault of a joint."""
    sessions = table.by_session("latent")
    kinds = {name: catalog.load("faults", name) for name in np.unique(sessions.of("fault")) if name}
    keep = [
        not f or (kinds[f].scope == "joint" and not kinds[f].episodic and f != _NO_DRIVE) for f in sessions.of("fault")
    ]
    return sessions.take(np.array(keep, bool))


def _one(method: str, split: str, learned: Sequence[Table], used: Table, forest: Forest) -> dict[str, Any]:
    """Score (share of the trees for anomalous, None = not tested) and alarm of every row of the table that is used."""
    if split == _OUT:
        score, alarm = _brand_out(learned, used, forest)
    elif method in (_OWN, _OWN_ORACLE):
        baseline = healthy_half(used, forest.seed)
        kept = ~baseline & np.isin(used.index.unit, used.index.unit[baseline])
        score, alarm = np.full(len(used), np.nan), np.zeros(len(used), bool)
        score[kept], alarm[kept] = _within(_POOLED, split, against(used, baseline), forest)
    else:
        score, alarm = _within(method, split, used, forest)
    return {
        "score": [None if np.isnan(x) else round(float(x), 4) for x in score],
        "alarm": alarm.astype(int).tolist(),
    }


def _within(method: str, split: str, table: Table, forest: Forest) -> tuple[np.ndarray, np.ndarray]:
    y, sure = table.index.label == "anomalous", table.index.label != "uncertain"
    parts = folds(table.stub, split, forest.seed)
    score = np.full(len(table), np.nan)
    for train, test in parts:
        if method == CHANCE:
            score[test] = np.random.default_rng([forest.seed, int(test[0])]).random(len(test))
            continue
        rows = train[sure[train]]
        X = table.values if method in (TREES, ORACLE) else table.index.cycle_s[:, None]
        if method == _POOLED:
            healthy = np.zeros(len(table), bool)
            healthy[rows] = ~y[rows]
            X = _pooled(table, healthy)
        score[test] = _anomalous(forest.fit(X[rows], y[rows]), X[test])
    alarm = np.zeros(len(table), bool)
    for _, test in parts:
        # the limit of a fold comes from the healthy cycles of the others
        others = sure & ~y
        others[test] = False
        alarm[test] = score[test] > _limit(score[others])
    return score, alarm


def _brand_out(learned: Sequence[Table], used: Table, forest: Forest) -> tuple[np.ndarray, np.ndarray]:
    """Each brand in the scale of its own healthy cycles; a third of the new brand's units gives only that scale."""
    X, labels, index = [], [], []
    for table in learned:
        sure = table.index.label != "uncertain"
        X.append(_pooled(table, table.index.label == "normal")[sure])
        labels.append(table.index.label[sure] == "anomalous")
        index.append(table.index.take(sure))
    values, y = np.concatenate(X), np.concatenate(labels)
    both = Table(values, (), Index.concatenate(index), np.zeros(len(y), int), learned[0].sessions, {})
    held = np.full(len(y), np.nan)
    for train, test in folds(both.stub, "unit", forest.seed):
        held[test] = _anomalous(forest.fit(values[train], y[train]), values[test])
    units = np.unique(used.index.unit)
    count = max(1, round(_CALIBRATION * len(units)))
    calibrating = np.isin(used.index.unit, np.random.default_rng(forest.seed).permutation(units)[:count])
    Z = _pooled(used, calibrating & (used.index.label == "normal"))
    score = np.full(len(used), np.nan)
    score[~calibrating] = _anomalous(forest.fit(values, y), Z[~calibrating])
    return score, score > _limit(held[~y])


def _pooled(table: Table, healthy: np.ndarray) -> np.ndarray:
    """Features pooled over joints, each brand in the scale of its own healthy rows."""
    columns: list[str] = []
    found = np.empty((len(table), 0))
    for brand in np.unique(table.index.domain):
        own = table.index.domain == brand
        values, names = joints_pooled(healthy_scale(table.values[own], healthy[own]), table.names)
        if not columns:
            columns, found = names, np.zeros((len(table), len(names)))
        found[np.ix_(own, [columns.index(name) for name in names])] = values
    return found


def _anomalous(model: Any, X: np.ndarray) -> np.ndarray:
    shares = model.predict_proba(X)
    found: np.ndarray = shares[:, list(model.classes_).index(True)] if True in model.classes_ else np.zeros(len(X))
    return found


def _limit(healthy: np.ndarray) -> float:
    return float(np.quantile(healthy, 1 - _FALSE_ALARMS, method="higher")) if len(healthy) else 1.0


Scored = tuple[Table, np.ndarray, np.ndarray]
"""Table, score and alarm of its rows."""


def _of_brand(scored: Scored, brand: str) -> Scored:
    table, score, alarm = scored
    own = table.index.domain == brand
    return table.take(own), score[own], alarm[own]


def _report(part: Part, job: Job, seeds: Sequence[Sequence[Scored]]) -> None:
    """Rows of one job; for each seed the scored tables, of one brand or of several side by side."""
    method, split, source, target = job
    place = {"method": method, "split": SPLITS.get(split, split), "source": source, "target": target}
    units = np.unique(np.concatenate([table.index.unit for table, _, _ in seeds[0]]))
    tested = len({u for table, score, _ in seeds[0] for u in np.unique(table.index.unit[~np.isnan(score)])})
    found = cluster_auroc([_clusters(one, units) for one in seeds], repeats=500)
    counted = "sessions" if method in (ORACLE, _OWN_ORACLE) else "cycles"
    part.figure(found, f"AUROC of {counted}", **place, n=tested, seeds=len(seeds))
    half = [_counts(one, units, [score > 0.5 for _, score, _ in one]) for one in seeds]
    alarms = [_counts(one, units, [alarm > 0 for _, _, alarm in one]) for one in seeds]
    record = {"source": source, "target": target, "method": method, "split": split, "AUROC": found[0]}
    record |= {"AUROC low": found[1], "AUROC high": found[2]}
    record |= part.add(half, ["balanced accuracy"], **place, suffix=f" of {counted}")
    if counted == "cycles":
        record |= part.add(alarms, ["recall", "false-alarm share"], **place, suffix=f" of {counted} at a 1 % limit")
        telemetry = [_counts(one, units, [a > 0 for _, _, a in one], "uncertain") for one in seeds]
        if np.sum(telemetry):
            flagged = part.add(telemetry, ["recall"], **place, suffix=" of telemetry faults (a false alarm)")
            record["telemetry flagged"] = flagged["recall"]
    part.table("m3", [record])


def _clusters(scored: Sequence[Scored], units: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each unit the scores of its anomalous and of its healthy rows."""
    name = np.concatenate([table.index.unit for table, _, _ in scored])
    label = np.concatenate([table.index.label for table, _, _ in scored])
    score = np.concatenate([score for _, score, _ in scored])
    known = ~np.isnan(score)
    return [
        tuple(score[known & (name == unit) & (label == kind)] for kind in ("anomalous", "normal")) for unit in units
    ]


def _counts(
    scored: Sequence[Scored],
    units: np.ndarray,
    said: Sequence[np.ndarray],
    positive: str = "anomalous",
    fault: str = "",
) -> np.ndarray:
    """(unit, true, said) counts of healthy and positive rows, of one fault if it is named."""
    total = np.zeros((len(units), 2, 2), int)
    for (table, score, _), flagged in zip(scored, said, strict=True):
        true = (table.index.label == positive).astype(int)
        counted = np.isin(table.index.label, ("normal", positive)) & ~np.isnan(score)
        if fault:
            counted &= table.index.fault == fault
        total += confusions(table.index.unit, units, true, np.where(counted, flagged, -1).astype(int), 2)
    return total


def _faults(part: Part, method: str, seeds: Sequence[Sequence[Scored]]) -> None:
    """Share of the cycles of each fault that the trees flag, all brands side by side, whole units held out."""
    units = np.unique(np.concatenate([table.index.unit for table, _, _ in seeds[0]]))
    rows = Index.concatenate([table.index for table, _, _ in seeds[0]])
    for fault in np.unique(rows.fault[rows.fault != ""]):
        label = str(rows.label[rows.fault == fault][0])
        counts = [_counts(one, units, [a > 0 for _, _, a in one], label, fault) for one in seeds]
        part.add(
            counts,
            ["recall"],
            method=method,
            split=SPLITS["unit"],
            source=_ALL if method == _OWN else "each brand",
            target=f"{fault} ({'a telemetry fault' if label == 'uncertain' else 'all brands'})",
            suffix=" of cycles at a 1 % limit",
        )
        row = part.rows[-1]
        record = {"method": method, "fault": fault, "label": label, "cycles": int((rows.fault == fault).sum())}
        part.table("m3_faults", [record | {"recall": row.mean, "low": row.low, "high": row.high}])


def _judge(part: Part, tables: Mapping[str, Table], trees: int) -> None:
    """Suspected leaks."""
    for record in part.details["m3"]:
        brand = record["target"]
        if record["method"] != TREES or record["split"] != "unit" or brand not in tables or record["AUROC"] <= LEAK:
            continue
        rows = tables[brand].take(tables[brand].index.label != "uncertain")
        y = (rows.index.label == "anomalous").astype(int)
        best = leading_features(rows.values, y, rows.names, folds(rows.stub, "unit", 0)[0], Forest(0, trees))
        part.notes.append(
            f"suspected leak: m3, {brand} reaches AUROC {record['AUROC']:.3f} with units held out, by "
            + ", ".join(f"{name} ({loss:.2f})" for name, loss in best)
        )
