"""Worn reducers of an industrial arm at 25 Hz: each axis and severity against healthy sessions, in windows of 2 s."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jointwatch.core import Channel, Quantity, Recording
from jointwatch.studies._confusions import CHANCE, confusions, random_choice
from jointwatch.studies._fleet_table import Table, gather, plain_statistics
from jointwatch.studies._folds import SPLITS, folds
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._own_baseline import OWN, against, healthy_half
from jointwatch.studies._part import LEAK, Part, band_note
from jointwatch.studies._trees import ORACLE, TREES, Forest, healthy_scale, held_out, leading_features, repeat
from jointwatch.windows.plan import WindowPlan

__all__ = ["BAND", "BAND_SEVERITIES", "study_axes", "table_of_axes"]

_RATE_HZ = 25.0
_LENGTH = 50
_QUANTITIES = (Quantity.POSITION, Quantity.TORQUE, Quantity.CURRENT)
_POOLED = 0.0
BAND = (0.6, 0.9)
BAND_SEVERITIES = (0.3, 0.6)
_AXIS_OUT = "axis out"
_ALL = f"{TREES}, all joints"
_OWN = f"{TREES}, {OWN}"
_CALIBRATION = 0.5  # share of the target's units whose healthy windows give the scale

Step = Callable[[int, int, str], None]


def table_of_axes(folder: Path, axes: Mapping[str, int], ledger: Ledger, progress: Step) -> Table:
    """Mean, standard deviation and kurtosis of every channel in windows of 2 s."""
    return gather(folder, ledger, _plan, plain_statistics(("mean", "std", "kurtosis")), lambda g: (axes[g],), progress)


def _plan(recording: Recording) -> WindowPlan:
    channels = tuple(Channel(q, joint.number) for joint in recording.robot.joints for q in _QUANTITIES)
    return WindowPlan(channels, "sliding", length=_LENGTH, step=_LENGTH, rate_hz=_RATE_HZ, domain="truth:group")


def study_axes(table: Table, axes: Mapping[str, int], seeds: int, trees: int, ledger: Ledger, progress: Step) -> Part:
    """Every axis and severity, healthy or worn, under every split; then learned on one axis and used on another."""
    part = Part()
    severities = sorted({float(s["severity"]) for s in table.sessions if s["fault"]})
    severities += [_POOLED] if len(severities) > 1 else []
    source = max(axes, key=lambda group: int((table.of("group") == group).sum()))
    jobs = [(group, severity) for group in axes for severity in severities]
    found: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for number, (group, severity) in enumerate(jobs):
        progress(number, len(jobs), f"m1 {group}, severity {severity or 'any'}")
        learned = (_chosen(table, source, severity), axes[source]) if group != source else None
        compute = partial(_one, _chosen(table, group, severity), axes[group], learned)
        found[group, severity] = ledger.once(f"m1/{group}/{severity}", partial(repeat, compute, seeds, trees))
    for (group, severity), steps in found.items():
        _report(part, steps, source, group, severity)
    for severity in severities:
        _report_all(part, [found[group, severity] for group in axes], source, severity)
    _judge(part, table, axes, trees)
    return part


def _chosen(table: Table, group: str, severity: float) -> Table:
    """Healthy rows of a group and those of one severity, or of all."""
    worn = table.of("severity").astype(float)
    keep = (worn == 0) | (worn == severity) if severity else np.ones(len(table), bool)
    return table.take((table.of("group") == group) & keep)


def _one(table: Table, axis: int, learned: tuple[Table, int] | None, forest: Forest) -> dict[str, Any]:
    """Confusions by method, split and what is counted; `learned` is the axis to carry over from."""
    y = (table.index.label == "anomalous").astype(int)
    own = table.columns(partial(_is_of, axis))
    found: dict[str, Any] = {}
    for split in SPLITS:
        shares = held_out(own, y, folds(table.stub, split, forest.seed), forest)[:, 1]
        found[f"{TREES}|{split}|windows"] = _windows(table, y, shares)
        if split == "unit":
            found[f"{TREES}|{split}|sessions"] = _sessions(table, y, shares)
    whole = held_out(table.values, y, folds(table.stub, "unit", forest.seed), forest)[:, 1]
    found[f"{_ALL}|unit|windows"] = _windows(table, y, whole)
    found[f"{CHANCE}|unit|windows"] = _windows(table, y, random_choice(y, 2, forest.seed).astype(float))
    relative = against(table, healthy_half(table, forest.seed))
    if len(relative):
        z = (relative.index.label == "anomalous").astype(int)
        shares = held_out(
            relative.columns(partial(_is_of, axis)), z, folds(relative.stub, "unit", forest.seed), forest
        )[:, 1]
        found[f"{_OWN}|unit|windows"] = _windows(relative, z, shares, table)
    if learned is not None:
        found[f"{TREES}|{_AXIS_OUT}|windows"] = _axis_out(*learned, table, axis, forest)
    latent = table.by_session("latent")
    truth = (latent.index.label == "anomalous").astype(int)
    shares = held_out(latent.values, truth, folds(latent.stub, "unit", forest.seed), forest)[:, 1]
    found[f"{ORACLE}|unit|sessions"] = _windows(latent, truth, shares)
    return found


def _axis_out(source: Table, source_axis: int, target: Table, axis: int, forest: Forest) -> list[Any]:
    """Learned on one axis, used on another of other units; each in the scale of its own healthy windows.

    Half of the target's units only give their healthy windows for the scale; the others are tested.
    """
    units = np.unique(target.index.unit)
    drawn = np.random.default_rng(forest.seed).permutation(units)
    calibrating = np.isin(target.index.unit, drawn[: max(1, round(_CALIBRATION * len(units)))])
    y = [(part.index.label == "anomalous").astype(int) for part in (source, target)]
    X = healthy_scale(source.columns(partial(_is_of, source_axis)), y[0] == 0)
    Z = healthy_scale(target.columns(partial(_is_of, axis)), calibrating & (y[1] == 0))
    shares = np.full(len(target), np.nan)
    shares[~calibrating] = forest.fit(X, y[0]).predict_proba(Z[~calibrating])[:, 1]
    return _windows(target, y[1], shares)


def _is_of(joint: int, name: str) -> bool:
    return f"/{joint} " in name


def _windows(table: Table, y: np.ndarray, shares: np.ndarray, units_of: Table | None = None) -> list[Any]:
    """(unit, true, said) counts; of the units of another table if it is given."""
    said = np.where(np.isnan(shares), -1, shares > 0.5).astype(int)
    units = np.unique((units_of or table).index.unit)
    counts: list[Any] = confusions(table.index.unit, units, y, said, 2).tolist()
    return counts


def _sessions(table: Table, y: np.ndarray, shares: np.ndarray) -> list[Any]:
    """The same for whole sessions, decided by the mean share of their windows."""
    names, first, which = np.unique(table.session_of_row, return_index=True, return_inverse=True)
    mean = np.bincount(which, shares) / np.bincount(which)
    assert len(names) == len(mean)
    return _windows(table.take(first), y[first], mean)


def _report(part: Part, steps: Sequence[Mapping[str, Any]], source: str, group: str, severity: float) -> None:
    for key in steps[0]:
        method, split, counted = key.split("|")
        means = part.add(
            [np.array(step[key]) for step in steps],
            ["balanced accuracy"],
            method=method,
            split=SPLITS.get(split, split),
            source=source if split == _AXIS_OUT else group,
            target=_target(group, severity),
            suffix=f" of {counted}",
        )
        part.table(
            "m1",
            [{"axis": group, "severity": severity, "method": method, "split": split, "counted": counted, **means}],
        )


def _report_all(part: Part, steps: Sequence[Sequence[Mapping[str, Any]]], source: str, severity: float) -> None:
    """All axes together: their units side by side, each judged by the trees of its own axis."""
    for key in dict.fromkeys(key for one in steps for key in one[0]):
        having = [one for one in steps if key in one[0]]
        method, split, counted = key.split("|")
        seeds = len(having[0])
        means = part.add(
            [np.concatenate([np.array(one[seed][key]) for one in having]) for seed in range(seeds)],
            ["balanced accuracy"],
            method=method,
            split=SPLITS.get(split, split),
            source=source if split == _AXIS_OUT else "each axis",
            target=_target("all axes" if split != _AXIS_OUT else "all other axes", severity),
            suffix=f" of {counted}",
        )
        part.table(
            "m1",
            [{"axis": "all", "severity": severity, "method": method, "split": split, "counted": counted, **means}],
        )


def _target(group: str, severity: float) -> str:
    return f"{group}, severity {severity:g}" if severity else f"{group}, any severity"


def _judge(part: Part, table: Table, axes: Mapping[str, int], trees: int) -> None:
    """Bands of difficulty, and suspected leaks."""
    records = [r for r in part.details["m1"] if r["split"] == "unit" and r["counted"] == "windows"]
    for record in records:
        if record["method"] == TREES and record["severity"] in BAND_SEVERITIES:
            what = f"m1, {record['axis']} axes" if record["axis"] == "all" else f"m1, {record['axis']}"
            name = f"{what}, severity {record['severity']:g}, units held out, balanced accuracy"
            part.notes.append(band_note(name, record["balanced accuracy"], *BAND))
    for record in records:
        if record["method"] == TREES and record["axis"] != "all" and record["balanced accuracy"] > LEAK:
            chosen = _chosen(table, record["axis"], record["severity"])
            axis = axes[record["axis"]]
            y = (chosen.index.label == "anomalous").astype(int)
            names = [name for name in chosen.names if _is_of(axis, name)]
            first = folds(chosen.stub, "unit", 0)[0]
            best = leading_features(chosen.columns(partial(_is_of, axis)), y, names, first, Forest(0, trees))
            part.notes.append(
                f"suspected leak: m1, {record['axis']}, severity {record['severity']:g} reaches "
                f"{record['balanced accuracy']:.3f} with units held out, by "
                + ", ".join(f"{name} ({loss:.2f})" for name, loss in best)
            )
