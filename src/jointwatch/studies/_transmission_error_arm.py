"""Every joint of an arm moved by itself: graded among units of that joint, and carried from the other five."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from jointwatch.core import Index
from jointwatch.core.levels import LEVEL_RAD, LEVELS
from jointwatch.diagnosis._profile_grades import RELATIVE, ProfileGrades
from jointwatch.signals.joint_profile import figure_names
from jointwatch.studies._confusions import CHANCE, confusions, random_choice
from jointwatch.studies._fleet_table import Table
from jointwatch.studies._folds import SPLITS, folds
from jointwatch.studies._grading_scores import rank_correlation, spread
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._own_baseline import against
from jointwatch.studies._part import Part
from jointwatch.studies._transmission_error_methods import OWN, PROFILE
from jointwatch.studies._transmission_error_profiles import figures_for, profile_table, statistics_of
from jointwatch.studies._trees import ORACLE, Forest, held_out
from jointwatch.studies.base import Progress
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = ["CARRIED", "INSIDE", "JOINTS_OUT", "RANK", "TREES_OWN", "arm_part"]

INSIDE: Final = "arms held out"
CARRIED: Final = "carried from the other joints"
RANK: Final = "rank correlation of the static error"
TREES_OWN: Final = "trees on simple statistics, static error" + OWN
JOINTS_OUT: Final = PROFILE + OWN + ", intervals by whole joints"
_PROFILES: dict[str, Literal["unit"] | None] = {PROFILE + OWN: "unit", PROFILE: None}
_ORACLE = f"{ORACLE}, static error{OWN}"
_CYCLES = 4  # of a session are judged together
_COVERAGE, _FEW_COVERAGE = 0.9, 0.8  # five joints give errors for no more than 5 in 6
_TREES = 200
_METRICS = ("accuracy", "within one level", "mean absolute level error")
_SHOWN = {
    "ripple twice a turn at top speed": "order 2 at 98% speed",
    "Coulomb friction": "coulomb",
    "what friction and load leave": "rest",
    "slow part of it at middle speed": "slow rest at 44% speed",
}
"""Figures of the profile whose course with the error is noted, joint by joint."""
Told = dict[str, list[float]]


def arm_part(folder: Path, seeds: int, ledger: Ledger, progress: Progress) -> Part:
    """Grades of every joint's worn sessions, all cycles of a session together.

    Inside a joint, five folds of whole arms. Carried, everything of the other joints' arms is learned and the joint's
    own arms give healthy sessions only. Groups of the fleet are called `joint1` ... Rows: accuracy, within one level,
    mean absolute level error, rank correlation, coverage and width of intervals. Tables `arm`, `arm_sessions` (first
    seed), `arm_figures`.

    Parameters
    ----------
    folder : what the preset m2-arm makes.
    """
    joints = sorted(int(group.name.removeprefix("joint")) for group in folder.glob("joint*"))
    tables = {joint: profile_table(folder, [f"joint{joint}"], joint, ledger, progress) for joint in joints}
    found = ledger.every(_steps(tables, seeds), progress)
    part = Part()
    for joint, table in tables.items():
        for way, method, own in _jobs(joint, seeds, len(joints)):
            told = [_random(table, seed) if method == CHANCE else found[key] for seed, key in enumerate(own)]
            _judge(part, table, told, joint, way, method)
        part.table("arm_figures", _figures(table, joint))
    for way in (INSIDE, CARRIED):
        _against_trees(part, joints, way, seeds)
    part.notes += _notes(part, joints)
    return part


def _jobs(joint: int, seeds: int, joints: int) -> list[tuple[str, str, list[str]]]:
    """(way, method, key of each seed)."""

    def keys(way: str, method: str, count: int) -> tuple[str, str, list[str]]:
        return way, method, [f"arm/{joint}/{way}/{method}/{seed}" for seed in range(count)]

    found = [keys(INSIDE, method, seeds) for method in (*_PROFILES, TREES_OWN, _ORACLE, CHANCE)]
    if joints > 1:
        # a carried profile has no draw in it but how its own folds are dealt
        found += [keys(CARRIED, method, 1) for method in _PROFILES]
        found += [keys(CARRIED, TREES_OWN, seeds)]
    if joints - 1 >= _FEW_COVERAGE / (1 - _FEW_COVERAGE):
        found += [keys(CARRIED, JOINTS_OUT, 1)]
    return found


def _steps(tables: Mapping[int, Table], seeds: int) -> dict[str, Callable[[], Told]]:
    steps: dict[str, Callable[[], Told]] = {}
    for joint, table in tables.items():
        others = [other for number, other in tables.items() if number != joint]
        for way, method, keys in _jobs(joint, seeds, len(tables)):
            for seed, key in enumerate(keys):
                if method == JOINTS_OUT:
                    steps[key] = partial(_carried_profile, others, table, "unit", True, seed)
                elif method in _PROFILES and way == INSIDE:
                    steps[key] = partial(_inside_profile, table, _PROFILES[method], seed)
                elif method in _PROFILES:
                    steps[key] = partial(_carried_profile, others, table, _PROFILES[method], False, seed)
                elif method == TREES_OWN:
                    steps[key] = partial(_trees, None if way == INSIDE else others, table, seed)
                elif method == _ORACLE:
                    steps[key] = partial(_oracle, table, seed)
    return steps


def _asked(index: Index) -> np.ndarray:
    """Rows that are graded: the last cycle of every worn session, which the earlier ones are judged with."""
    order = np.lexsort((index.start_s, index.unit_session))
    sessions = index.unit_session[order]
    last = order[np.append(sessions[1:] != sessions[:-1], True)]
    return np.sort(last[index.label[last] != "normal"])


def _degree(table: Table) -> np.ndarray:
    found: np.ndarray = table.of("error_rad") / LEVEL_RAD
    return found


def _inside_profile(table: Table, baseline: Literal["unit"] | None, seed: int) -> Told:
    figures, error, asked = figures_for(table, baseline), table.of("error_rad"), _asked(table.index)
    told = np.full((3, len(table)), np.nan)
    for train, test in folds(table.stub, "unit", seed):
        view = ProfileGrades(baseline=baseline, cycles=_CYCLES, coverage=_COVERAGE, random_state=seed)
        own = table.index.take(train)
        view.fit(figures[train], own, error[train], own.unit)
        told[:, test] = _graded(view, figures[test], table.index.take(test))
    return _shortened(told[:, asked])


def _carried_profile(
    others: Sequence[Table], table: Table, baseline: Literal["unit"] | None, by_joint: bool, seed: int
) -> Told:
    """With `by_joint`, what errors are measured on is whole joints held out, as the joint that is asked is new."""
    figures = np.concatenate([figures_for(other, baseline) for other in others])
    index = Index.concatenate([other.index for other in others])
    error = np.concatenate([other.of("error_rad") for other in others])
    groups = np.concatenate([other.of("group") for other in others]) if by_joint else index.unit
    coverage = _FEW_COVERAGE if by_joint else _COVERAGE
    view = ProfileGrades(baseline=baseline, cycles=_CYCLES, coverage=coverage, random_state=seed)
    view.fit(figures, index, error, groups)
    return _shortened(_graded(view, figures_for(table, baseline), table.index)[:, _asked(table.index)])


def _graded(view: ProfileGrades, figures: np.ndarray, index: Index) -> np.ndarray:
    """(3, row) degree, low and high; healthy rows give the baselines."""
    ready = view.adapt(figures, index) if view.baseline else view
    said = ready.table(figures, index)
    return np.stack([said.error_rad, said.low_rad, said.high_rad]) / LEVEL_RAD


def _shortened(told: np.ndarray) -> Told:
    return {name: np.round(values, 4).tolist() for name, values in zip(("degree", "low", "high"), told, strict=True)}


def _trees(others: Sequence[Table] | None, table: Table, seed: int) -> Told:
    """Static error by trees on simple statistics relative to the unit's healthy ones; a session is the mean of its
    cycles."""
    own = _relative(table)
    forest = Forest(seed, _TREES, regression=True)
    if others is None:
        said = held_out(own.values, _degree(own), folds(own.stub, "unit", seed), forest)
    else:
        known = [_relative(other) for other in others]
        values, degree = (np.concatenate(parts) for parts in zip(*((t.values, _degree(t)) for t in known), strict=True))
        said = forest.fit(values, degree).predict(own.values)
    sessions = own.index.unit_session
    asked = table.index.unit_session[_asked(table.index)]
    return {"degree": [round(float(said[sessions == name].mean()), 4) for name in asked]}


def _relative(table: Table) -> Table:
    plain = statistics_of(table)
    return against(plain, plain.index.label == "normal")


def _oracle(table: Table, seed: int) -> Told:
    latents = table.by_session("latent")
    own = against(latents, latents.index.label == "normal")
    said = held_out(own.values, _degree(own), folds(own.stub, "unit", seed), Forest(seed, _TREES, regression=True))
    of_session = dict(zip(own.index.unit_session.tolist(), said.tolist(), strict=True))
    return {"degree": [round(of_session[name], 4) for name in table.index.unit_session[_asked(table.index)].tolist()]}


def _random(table: Table, seed: int) -> Told:
    level = random_choice(_asked(table.index), LEVELS, seed)
    return {"degree": (level + 0.5).tolist()}


def _judge(part: Part, table: Table, told: Sequence[Told], joint: int, way: str, method: str) -> None:
    asked = _asked(table.index)
    units, true = table.index.unit[asked], _degree(table)[asked]
    level = _levels(true)
    place = {
        "method": method,
        "split": SPLITS["unit"] if way == INSIDE else "joint out",
        "source": f"joint {joint}" if way == INSIDE else "other joints",
        "target": f"joint {joint}",
    }
    first, names, seeds = len(part.rows), np.unique(units), len(told)
    said = np.array([one["degree"] for one in told])
    part.add([confusions(units, names, level, _levels(one), LEVELS) for one in said], _METRICS, **place)
    if method != CHANCE:
        found = spread(said, true, units, rank_correlation)
        part.figure(found, RANK, n=len(names), seeds=seeds, **place)
    if "low" in told[0]:
        asks = f"{_FEW_COVERAGE if method == JOINTS_OUT else _COVERAGE:.0%}"
        low, high = (np.array([one[end] for one in told]) for end in ("low", "high"))
        inside = ((low <= true) & (true <= high)).astype(float)
        for values, metric in ((inside, f"share inside the {asks} interval"), (high - low, f"{asks} interval, levels")):
            part.figure(spread(values, true, units, _mean), metric, n=len(names), seeds=seeds, **place)
    for row in part.rows[first:]:
        shown = {"metric": row.metric, "mean": row.mean, "low": row.low, "high": row.high}
        part.table("arm", [{"joint": joint, "way": way, "method": method, **shown}])
    if method not in (CHANCE, JOINTS_OUT):
        for number, row in enumerate(asked):
            record = {"session": str(table.index.unit_session[row]), "true": float(true[number])}
            values = {name: float(told[0][name][number]) for name in told[0]}
            part.table("arm_sessions", [{"joint": joint, "way": way, "method": method, **record, **values}])


def _against_trees(part: Part, joints: Sequence[int], way: str, seeds: int) -> None:
    """Wins and losses of the profile's exact levels, joint by joint."""
    exact = {(r["joint"], r["way"], r["method"]): r["mean"] for r in part.details["arm"] if r["metric"] == "accuracy"}
    pairs = [(exact.get((j, way, PROFILE + OWN)), exact.get((j, way, TREES_OWN))) for j in joints]
    gains = [ours - theirs for ours, theirs in pairs if ours is not None and theirs is not None]
    if gains:
        place = {"method": f"{PROFILE}{OWN}, against trees", "split": SPLITS["unit"] if way == INSIDE else "joint out"}
        part.pairs(gains, source=way, target="every joint", labels="", seeds=seeds, **place)


def _levels(degree: np.ndarray) -> np.ndarray:
    """(row,) level from 0."""
    found: np.ndarray = np.clip(np.ceil(degree), 1, LEVELS).astype(int) - 1
    return found


def _mean(values: np.ndarray, _: np.ndarray, weights: np.ndarray) -> np.ndarray:
    found: np.ndarray = weights @ values / weights.sum(axis=1)
    return found


def _figures(table: Table, joint: int) -> list[dict[str, Any]]:
    """How the chosen figures of worn sessions, less those of the unit's youth, go with the static error."""
    names = [name for family in RELATIVE for name in figure_names(family)]
    figures, index = figures_for(table, "unit"), table.index
    own = OwnBaseline("unit", "difference").fit(figures, index)
    change = own.transform(figures, index) * own.size_ * own.scale_
    worn, young = index.label != "normal", index.label == "normal"
    true = _degree(table)[worn]
    records = []
    for title, name in _SHOWN.items():
        values = change[worn, names.index(name)]
        moves = np.ptp(values) > 0
        records.append(
            {
                "joint": joint,
                "figure": title,
                "correlation": float(np.corrcoef(values, true)[0, 1]) if moves else 0.0,
                "growth a level": float(np.polyfit(true, values, 1)[0]) if moves else 0.0,
                "new": float(np.exp(figures[young, names.index(name)].mean())),
            }
        )
    return records


def _notes(part: Part, joints: Sequence[int]) -> list[str]:
    found = {(r["joint"], r["way"], r["method"], r["metric"]): r["mean"] for r in part.details["arm"]}
    notes = []
    for joint in joints:
        of = {r["figure"]: r["correlation"] for r in part.details["arm_figures"] if r["joint"] == joint}
        course = ", ".join(f"{name} {value:.2f}" for name, value in of.items())
        said = []
        for way in (INSIDE, CARRIED):
            key = (joint, way, PROFILE + OWN)
            if (*key, "accuracy") in found:
                inside = found[*key, f"share inside the {_COVERAGE:.0%} interval"]
                said.append(
                    f"{way}: exact {found[*key, 'accuracy']:.2f}, within one {found[*key, 'within one level']:.2f}, "
                    f"inside the {_COVERAGE:.0%} interval {inside:.2f}"
                )
        notes.append(f"joint {joint}, {'; '.join(said)}. Correlation with the error: {course}")
    carried = {j: found[j, CARRIED, PROFILE + OWN, "accuracy"] for j in joints if len(joints) > 1}
    if carried:
        worst = min(carried, key=lambda joint: carried[joint])
        trees = found[worst, CARRIED, TREES_OWN, "accuracy"]
        notes.append(f"carried worst: joint {worst}, exact {carried[worst]:.2f}, {TREES_OWN} {trees:.2f}")
    return notes
