"""Figures of drives held out: levels, static errors, their intervals, pairs of methods, the worst, and noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from jointwatch.core.levels import LEVEL_RAD, LEVELS
from jointwatch.studies._folds import SPLITS
from jointwatch.studies._grading_scores import spread
from jointwatch.studies._part import Part
from jointwatch.studies._transmission_error_drives import DRIVE_FOLDS
from jointwatch.studies._transmission_error_methods import (
    AE_HMM,
    ORACLES,
    OWN,
    PROFILE,
    TREES,
    TREES_BANDS,
    Said,
    key_of,
)
from jointwatch.studies._transmission_error_table import Cycles
from jointwatch.studies._transmission_error_told import (
    METRICS,
    Told,
    confusion_cells,
    counts_of,
    fold_accuracy,
    row_of,
    told_plain,
    told_with,
)

__all__ = ["AIMS", "BINS", "drives_part", "noise_part"]

AIMS = {"accuracy": 0.80, "within one level": 0.98}
"""What drives held out, with their own baseline, should reach."""
BINS = 10
_BRIEF = METRICS[:4]
_LEVEL_DEG = float(np.degrees(LEVEL_RAD))
_COVERAGE = 0.9
_DRIVES = "drives held out"

Value = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _mean(values: np.ndarray, _: np.ndarray, weights: np.ndarray) -> np.ndarray:
    found: np.ndarray = weights @ values / weights.sum(axis=1)
    return found


def drives_part(cycles: Cycles, steps: Mapping[str, Any], seeds: int, counts: Sequence[int]) -> Part:
    """Drives held out, with and without their own baselines, for every T; intervals from whole drives drawn again."""
    part = Part()
    told = Told(steps, seeds, DRIVE_FOLDS, told_plain)
    for key in sorted(told.of, key=lambda key: int(key.rpartition("|")[2])):
        _judged(part, cycles, told.of[key], key, _DRIVES, METRICS)
    main = key_of(PROFILE + OWN, 1)
    for key in (key_of(PROFILE, 1), main):
        _predicted(part, cycles, told.of[key], key)
        _calibration(part, cycles, told.of[key], key)
        _coverage(part, cycles, told.of[key], key)
    _calibration(part, cycles, told.of[key_of(AE_HMM, 1)], key_of(AE_HMM, 1))
    for count in counts:
        for name in ("", OWN):
            for rival in (TREES, TREES_BANDS):
                _pairs(part, cycles, told, key_of(PROFILE + name, count), key_of(rival + name, count), seeds)
    _worst(part, cycles, told.of[main])
    _verdict(part)
    _against_oracle(part)
    part.notes.append(
        "the margin to the limit is the limit less the error, so that its interval covers exactly where that of the "
        "error does"
    )
    return part


def noise_part(
    cycles: Cycles,
    drives: Mapping[str, Any],
    both: Mapping[str, Any],
    seeds: int,
    levels: Sequence[float],
) -> Part:
    """Main methods with white noise in the judged cycles, or in all, beside those as recorded."""
    part = Part()
    told = {0.0: Told(drives, seeds, DRIVE_FOLDS, told_plain)}
    for size in levels:
        told[size] = Told(drives, seeds, DRIVE_FOLDS, partial(told_with, f"{size:g}"))
    for size, one in told.items():
        for key in told[levels[0]].of:
            _noisy(part, cycles, one.of[key], key, size, "judged cycles")
    for size in levels:
        mine = {key.partition("/")[2]: step for key, step in both.items() if key.startswith(f"{size:g}/")}
        for key, repetitions in Told(mine, 1, DRIVE_FOLDS, told_plain).of.items():  # learned anew for one seed only
            _noisy(part, cycles, repetitions, key, size, "all cycles")
    for key in told[levels[0]].of:
        _noisy(part, cycles, told[0.0].of[key], key, 0.0, "all cycles", rows=False)
    part.notes.append(
        "noise: white, on current and torque, in multiples of the sensors' own (0.02 A, 0.2 N m); in the judged cycles "
        "alone, with model and youth as recorded, or in all cycles (first seed; the auto-encoder at two sizes)"
    )
    return part


def _noisy(
    part: Part,
    cycles: Cycles,
    repetitions: Sequence[tuple[np.ndarray, Said]],
    key: str,
    size: float,
    where: str,
    *,
    rows: bool = True,
) -> None:
    found = Part()
    _judged(found, cycles, repetitions, key, f"noise {size:g}x in {where}", _BRIEF)
    for record in found.details["graded"]:
        part.table("noise", [{**record, "noise": size, "where": where}])
    if rows and size:
        part.rows += found.rows


def _judged(
    part: Part,
    cycles: Cycles,
    repetitions: Sequence[tuple[np.ndarray, Said]],
    key: str,
    target: str,
    metrics: Sequence[str],
) -> None:
    """Rows of levels, of the static error and of its intervals."""
    method, _, count = key.rpartition("|")
    place = {"method": method, "split": SPLITS["unit"], "source": "fleet", "target": target}
    units = cycles.index.unit
    first = len(part.rows)
    confused = [counts_of(cycles, units, rows, said) for rows, said in repetitions]
    part.add(confused, metrics, labels=f"T = {count}", **place)
    rows = repetitions[0][0]
    number = len(np.unique(units[rows]))

    def figure(values: Sequence[np.ndarray], metric: str) -> None:
        found = spread(np.array(values), np.zeros(len(rows)), units[rows], _mean)
        part.rows.append(row_of(place, count, metric, found, number, len(repetitions)))

    true = cycles.degree[rows]
    if len(repetitions[0][1].degree):
        away = [np.abs(said.degree - true) for _, said in repetitions]
        figure(away, "mean absolute error, levels")
        figure([_LEVEL_DEG * one for one in away], "mean absolute error, degree")
    if len(repetitions[0][1].low):
        inside = [(said.low <= true) & (true <= said.high) for _, said in repetitions]
        figure([one.astype(float) for one in inside], f"share inside the {_COVERAGE:.0%} interval")
        figure([said.high - said.low for _, said in repetitions], "width of the interval, levels")
    if not target.startswith("noise"):
        confusion_cells(part, target, method, SPLITS["unit"], count, confused)
    part.table(
        "graded",
        [
            {
                "method": method.removesuffix(OWN),
                "baseline": "own" if method.endswith(OWN) else "none",
                "target": target,
                "cycles": int(count),
                "metric": row.metric,
                "mean": row.mean,
                "low": row.low,
                "high": row.high,
            }
            for row in part.rows[first:]
        ],
    )


def _predicted(part: Part, cycles: Cycles, repetitions: Sequence[tuple[np.ndarray, Said]], key: str) -> None:
    """What was said of each session of the first seed, beside the truth."""
    rows, said = repetitions[0]
    sessions = cycles.index.unit_session[rows]
    names, place = np.unique(sessions, return_inverse=True)
    for number, name in enumerate(names):
        own = place == number
        values = (cycles.degree[rows], said.degree, said.low, said.high)
        true, degree, low, high = (float(one[own].mean()) for one in values)
        record = {"method": key.rpartition("|")[0], "session": str(name), "true": true, "said": degree}
        part.table("predicted", [{**record, "low": low, "high": high}])


def _calibration(part: Part, cycles: Cycles, repetitions: Sequence[tuple[np.ndarray, Said]], key: str) -> None:
    """What share of the cycles that are given a probability of an error above the limit is above it."""
    method, _, count = key.rpartition("|")
    true = np.concatenate([cycles.level[rows] > 0 for rows, _ in repetitions]).astype(float)
    said = np.concatenate([one.above for _, one in repetitions])
    units = np.concatenate([cycles.index.unit[rows] for rows, _ in repetitions])
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    off = 0.0
    for number in range(BINS):
        mine = bins == number
        if mine.any():
            record = {"said": float(said[mine].mean()), "true": float(true[mine].mean()), "share": float(mine.mean())}
            off += record["share"] * abs(record["said"] - record["true"])
            drives = len(np.unique(units[mine]))
            part.table("calibration", [{"method": method, "cycles": int(count), **record, "drives": drives}])
    place = {"method": method, "split": SPLITS["unit"], "source": "fleet", "target": _DRIVES}
    number = len(np.unique(units))
    each = [(one.above - (cycles.level[rows] > 0)) ** 2 for rows, one in repetitions]
    first = repetitions[0][0]
    brier = spread(np.array(each), np.zeros(len(first)), cycles.index.unit[first], _mean)
    error = (off, float("nan"), float("nan"))
    for metric, found in (("Brier score, above the limit", brier), ("calibration error, above the limit", error)):
        part.rows.append(row_of(place, count, metric, found, number, len(repetitions)))


def _coverage(part: Part, cycles: Cycles, repetitions: Sequence[tuple[np.ndarray, Said]], key: str) -> None:
    """Of each level, how often its interval holds the error, and how wide it is."""
    method, _, count = key.rpartition("|")
    for level in range(LEVELS):
        inside, width = [], []
        for rows, said in repetitions:
            mine, true = cycles.level[rows] == level, cycles.degree[rows]
            inside.append(((said.low <= true) & (true <= said.high))[mine])
            width.append((said.high - said.low)[mine])
        record = {"method": method, "cycles": int(count), "level": level + 1, "nominal": _COVERAGE}
        covered, wide = np.concatenate(inside), np.concatenate(width)
        if len(covered):
            part.table("coverage", [{**record, "inside": float(covered.mean()), "width": float(wide.mean())}])


def _pairs(part: Part, cycles: Cycles, told: Told, one: str, other: str, seeds: int) -> None:
    """Wins and losses, fold by fold and seed by seed."""
    if one not in told.of or other not in told.of:
        return
    gains: list[float] = []
    for (rows, said), (_, rival), fold in zip(told.of[one], told.of[other], told.fold[one], strict=True):
        ours, theirs = fold_accuracy(cycles, rows, said, fold), fold_accuracy(cycles, rows, rival, fold)
        gains += (ours - theirs).tolist()
    (method, _, count), (beaten, _, _) = one.rpartition("|"), other.rpartition("|")
    place = {"method": f"{method}, against {beaten}", "split": SPLITS["unit"], "source": "fleet", "target": _DRIVES}
    part.pairs(gains, labels=f"T = {count}", seeds=seeds, **place)
    # The gain itself, drive by drive, drawn again: whether it lies outside its own interval.
    rows = told.of[one][0][0]
    hits = [
        (said.level == cycles.level[r]).astype(float) - (rival.level == cycles.level[r])
        for (r, said), (_, rival) in zip(told.of[one], told.of[other], strict=True)
    ]
    gain = spread(np.array(hits), np.zeros(len(rows)), cycles.index.unit[rows], _mean)
    number = len(np.unique(cycles.index.unit[rows]))
    part.rows.append(row_of(place, count, "gain of accuracy", gain, number, seeds))


def _worst(part: Part, cycles: Cycles, repetitions: Sequence[tuple[np.ndarray, Said]]) -> None:
    """The drive and the level that are graded worst by the profile with its own baseline."""
    rows = repetitions[0][0]
    away = np.mean([np.abs(said.level - cycles.level[rows]) for _, said in repetitions], axis=0)
    exact = np.mean([said.level == cycles.level[rows] for _, said in repetitions], axis=0)
    for what, names in (("drive", cycles.index.unit[rows]), ("level", cycles.level[rows] + 1)):
        groups, place = np.unique(names, return_inverse=True)
        count = np.bincount(place)
        off, hit = np.bincount(place, away) / count, np.bincount(place, exact) / count
        at = int(off.argmax()) if what == "drive" else int(hit.argmin())
        level = f" (level {int(cycles.level[rows][place == at].max()) + 1})" if what == "drive" else ""
        part.notes.append(
            f"{PROFILE}{OWN}: worst {what} {groups[at]}{level}: exact {hit[at]:.2f}, mean absolute level error "
            f"{off[at]:.2f}"
        )
        for group, mean, share in zip(groups.tolist(), off, hit, strict=True):
            part.table(f"by_{what}", [{what: group, "exact": float(share), "mean absolute level error": float(mean)}])


def _against_oracle(part: Part) -> None:
    """Whether what knows the true parameters, and learns from as few drives, is a bound."""
    found = {row.method: row for row in part.rows if row.metric == "accuracy" and row.labels == "T = 1"}
    for name in ("", OWN):
        ours, best = found[PROFILE + name], max((found[one + name] for one in ORACLES), key=lambda row: row.mean)
        beaten = "" if ours.mean <= best.mean else ", which so few drives teach badly: it is no bound"
        part.notes.append(f"{ours.method}, exact {ours.mean:.3f}; {best.method} {best.mean:.3f}{beaten}")


def _verdict(part: Part) -> None:
    """Whether the aims are reached."""
    for row in part.rows:
        aim = AIMS.get(row.metric)
        if aim is None or row.method != PROFILE + OWN or row.target != _DRIVES:
            continue
        short = aim - row.mean
        verdict = f"reaches {aim:.2f}" if short <= 0 else f"{short:.3f} short of {aim:.2f}"
        part.notes.append(
            f"{row.method}, {row.labels}: {row.metric} {row.mean:.3f} [{row.low:.3f}, {row.high:.3f}]: {verdict}"
        )
