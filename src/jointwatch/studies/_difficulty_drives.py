"""Six levels of static transmission error of strain-wave drives, from the current and torque of a cycle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jointwatch.core import Channel, Quantity, Recording, Windows
from jointwatch.core.levels import LEVEL_RAD, LEVELS
from jointwatch.studies._confusions import CHANCE, confusions, random_choice
from jointwatch.studies._fleet_table import Table, gather, plain_statistics
from jointwatch.studies._folds import SPLITS, folds
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._own_baseline import OWN, against
from jointwatch.studies._part import LEAK, Part, band_note
from jointwatch.studies._trees import ORACLE, TREES, Forest, held_out, leading_features, repeat
from jointwatch.windows.plan import WindowPlan

__all__ = ["BANDS_HZ", "level_features", "study_drives", "table_of_drives"]

BANDS_HZ = ((0.5, 2.0), (2.0, 5.0), (5.0, 10.0), (10.0, 20.0), (20.0, 40.0), (40.0, 80.0), (80.0, 120.0))
"""Bands of the motor current and torque whose energy is a feature of a drive's cycle."""

_NO_ENERGY = 1e-12
_LENGTH = 4000  # samples a cycle, 500 Hz at 8 s: the bands end at 120 Hz
_METRICS = ("accuracy", "within one level", "kappa", "mean absolute level error")
_CLASSES, _ERROR = f"{TREES}, levels", f"{TREES}, static error"
_OWN_CLASSES, _OWN_ERROR, _OWN_ORACLE = (f"{name}, {OWN}" for name in (_CLASSES, _ERROR, ORACLE))
_ORACLE_ERROR = f"{ORACLE}, static error"
_BANDS = (
    (_CLASSES, "accuracy", 0.30, 0.50),
    (_CLASSES, "within one level", 0.60, 0.90),
    (_OWN_CLASSES, "accuracy", 0.60, 0.90),
    (_OWN_ERROR, "accuracy", 0.60, 0.90),
)

Step = Callable[[int, int, str], None]


def table_of_drives(folder: Path, ledger: Ledger, progress: Step) -> Table:
    """RMS, mean, kurtosis, skewness and band energies of current and torque in every cycle."""
    return gather(folder, ledger, _plan, level_features, lambda group: (1,), progress)


def level_features(windows: Windows) -> tuple[np.ndarray, Sequence[str]]:
    """RMS, mean, kurtosis and skewness of each channel, and the logarithm of its mean square in each of `BANDS_HZ`."""
    values, names = plain_statistics(("rms", "mean", "kurtosis", "skewness"))(windows)
    length = windows.shape[2]
    power = np.abs(np.fft.rfft(windows.values.astype(float), axis=2)) ** 2 * 2 / length**2
    order = np.arange(power.shape[2])
    columns, titles = [], []
    for i, channel in enumerate(windows.channels):
        for low, high in BANDS_HZ:
            inside = (order >= low * windows.index.cycle_s[:, None]) & (order < high * windows.index.cycle_s[:, None])
            columns.append(np.log((power[:, i] * inside).sum(axis=1) + _NO_ENERGY))
            titles.append(f"{channel.key} log energy {low:g}-{high:g} Hz")
    return np.column_stack([values, *columns]), [*names, *titles]


def _plan(recording: Recording) -> WindowPlan:
    channels = (Channel(Quantity.CURRENT, 1), Channel(Quantity.TORQUE, 1))
    return WindowPlan(channels, "cycle", length=_LENGTH, domain="truth:group")


def study_drives(table: Table, seeds: int, trees: int, ledger: Ledger, progress: Step) -> Part:
    """Drives with a healthy youth (`fleet`) under every split; the ten drives of the publication at random only."""
    part = Part()
    group = table.of("group")
    published = table.take(np.char.startswith(group, "paper"))
    fleet = table.take(~np.char.startswith(group, "paper"))
    worn = fleet.take(fleet.of("fault") != "")
    own = against(fleet, fleet.of("fault") == "")
    latents = fleet.by_session("latent")
    latent = latents.take(latents.of("fault") != "")
    own_latent = against(latents, latents.of("fault") == "")
    jobs: list[tuple[str, str, str, Table, bool]] = [
        *(("fleet", _CLASSES, split, worn, False) for split in SPLITS),
        ("fleet", _ERROR, "unit", worn, True),
        ("fleet", _OWN_CLASSES, "unit", own, False),
        ("fleet", _OWN_ERROR, "unit", own, True),
        ("fleet", ORACLE, "unit", latent, False),
        ("fleet", _ORACLE_ERROR, "unit", latent, True),
        ("fleet", _OWN_ORACLE, "unit", own_latent, True),
        ("fleet", CHANCE, "unit", worn, False),
        *(("paper", _CLASSES, split, published, False) for split in ("random", "session")),
        ("paper", CHANCE, "random", published, False),
    ]
    jobs = [job for job in jobs if len(job[3])]
    for number, (where, method, split, rows, regression) in enumerate(jobs):
        progress(number, len(jobs), f"m2 {where}: {method}, {split}")
        compute = partial(repeat, partial(_one, rows, method, split), seeds, trees, regression=regression)
        steps = [np.array(step) for step in ledger.once(f"m2/{where}/{method}/{split}", compute)]
        means = part.add(steps, _METRICS, method=method, split=SPLITS[split], source=where, target=where)
        part.table("m2", [{"drives": where, "method": method, "split": split, **means}])
        part.table("m2_confusion", _cells(where, method, split, np.mean(steps, axis=0).sum(axis=0)))
        if method in (_CLASSES, _OWN_CLASSES) and split == "unit" and means["accuracy"] > LEAK:
            part.notes.append(_leak(rows, method, means["accuracy"], trees))
    if len(published):
        drives = len(np.unique(published.index.unit))
        part.notes.append(
            f"m2, paper: {drives} drives, one for each of levels 3 to 6: no drive can be held out, random cycles and "
            "whole sessions only"
        )
    _judge(part)
    return part


def _levels(table: Table) -> np.ndarray:
    """(row,) level from 0."""
    return table.of("level")[:, 0] - 1


def _one(table: Table, method: str, split: str, forest: Forest) -> list[Any]:
    """(unit, true level, said level) counts."""
    y = _levels(table)
    if method == CHANCE:
        said = random_choice(y, LEVELS, forest.seed)
    elif forest.regression:
        error = table.of("static_error_rad")[:, 0] / LEVEL_RAD
        found = held_out(table.values, error, folds(table.stub, split, forest.seed), forest)
        said = np.clip(np.ceil(found), 1, LEVELS).astype(int) - 1
    else:
        said = held_out(table.values, y, folds(table.stub, split, forest.seed), forest).argmax(axis=1)
    counts: list[Any] = confusions(table.index.unit, np.unique(table.index.unit), y, said, LEVELS).tolist()
    return counts


def _cells(where: str, method: str, split: str, counts: np.ndarray) -> Sequence[dict[str, Any]]:
    return [
        {"drives": where, "method": method, "split": split, "true": i + 1, "said": k + 1, "cycles": float(counts[i, k])}
        for i in range(LEVELS)
        for k in range(LEVELS)
    ]


def _leak(table: Table, method: str, value: float, trees: int) -> str:
    best = leading_features(
        table.values, _levels(table), table.names, folds(table.stub, "unit", 0)[0], Forest(0, trees)
    )
    return f"suspected leak: m2, {method} reaches {value:.3f} with units held out, by " + ", ".join(
        f"{name} ({loss:.2f})" for name, loss in best
    )


def _judge(part: Part) -> None:
    for method, metric, low, high in _BANDS:
        for record in part.details.get("m2", []):
            if (record["drives"], record["method"], record["split"]) == ("fleet", method, "unit"):
                part.notes.append(band_note(f"m2, {method}, units held out, {metric}", record[metric], low, high))
