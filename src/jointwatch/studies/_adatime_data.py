"""Subjects of AdaTime's UCI HAR split: signals for the methods, labels of a target for the judge alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from jointwatch.core.errors import InputError, UsageError
from jointwatch.training.data import Batch

__all__ = ["CLASSES", "SCENARIOS", "Scenario", "labels_of", "pairs_asked", "read_scenario", "subjects"]

CLASSES = ("walking", "upstairs", "downstairs", "sitting", "standing", "lying")
SCENARIOS = (
    ("2", "11"), ("6", "23"), ("7", "13"), ("9", "18"), ("12", "16"),
    ("18", "27"), ("20", "5"), ("24", "8"), ("28", "27"), ("30", "20"),
)  # fmt: skip
"""Source and target subject of AdaTime's ten scenarios."""


@dataclass(frozen=True, eq=False)
class Scenario:
    """All that a method and a choice between methods may see. Labels of the target are not read from its file.

    Parameters
    ----------
    source : labelled windows of the source's training split. held_out : those of its test split, with labels.
    target : windows of the target's training split, without labels.
    test : windows of the target's test split, without labels, each file normalised by itself as AdaTime does.
    test_by_training : the same windows, normalised by the target's training windows.
    """

    source: Batch
    held_out: Batch
    target: Batch
    test: Batch
    test_by_training: Batch


def subjects(folder: Path) -> list[str]:
    """Names of the subjects in the folder.

    Errors: `InputError` where there is none.
    """
    found = [path.stem.removeprefix("subject_") for path in folder.glob("subject_*.npz")]
    if not found:
        raise InputError(f"{folder}: no file subject_N.npz with X_train, y_train, X_test and y_test")
    return sorted(found, key=lambda name: (len(name), name))


def pairs_asked(folder: Path, asked: str) -> list[tuple[str, str]]:
    """Pairs such as `2-11,6-23`; without any, those of AdaTime's scenarios whose subjects are there.

    Errors: `UsageError` for what is no pair of subjects in the folder.
    """
    there = subjects(folder)
    if not asked.strip():
        found = [pair for pair in SCENARIOS if set(pair) <= set(there)]
        if not found:
            raise UsageError(
                f"{folder} holds both subjects of none of AdaTime's scenarios; name pairs of the subjects "
                f"{', '.join(there)} with --scenarios"
            )
        return found
    pairs = []
    for part in asked.split(","):
        source, dash, target = part.strip().partition("-")
        if not dash or not {source, target} <= set(there) or source == target:
            raise UsageError(f"--scenarios: {part.strip()!r} is no SOURCE-TARGET of the subjects {', '.join(there)}")
        pairs.append((source, target))
    return list(dict.fromkeys(pairs))


def read_scenario(folder: Path, source: str, target: str) -> Scenario:
    """Signals of both subjects and labels of the source; `y_train` and `y_test` of the target stay unread.

    Errors: `InputError` for a file that lacks an array or whose arrays do not fit together.
    """
    known, given = _arrays(folder, source, ("train", "test")), _signals(folder, target)
    return Scenario(
        Batch.of_arrays(_scaled(known["X_train"], known["X_train"]), label=known["y_train"]),
        Batch.of_arrays(_scaled(known["X_test"], known["X_test"]), label=known["y_test"]),
        Batch.of_arrays(_scaled(given["X_train"], given["X_train"])),
        Batch.of_arrays(_scaled(given["X_test"], given["X_test"])),
        Batch.of_arrays(_scaled(given["X_test"], given["X_train"])),
    )


def labels_of(folder: Path, subject: str, part: str) -> np.ndarray:
    """(window,) classes of a split, `train` or `test`: what judges, and what target-only learns from."""
    label: np.ndarray = _arrays(folder, subject, (part,))[f"y_{part}"]
    return label


def _signals(folder: Path, subject: str) -> dict[str, np.ndarray]:
    return _read(folder, subject, ("X_train", "X_test"))


def _arrays(folder: Path, subject: str, parts: tuple[str, ...]) -> dict[str, np.ndarray]:
    found = _read(folder, subject, tuple(f"{kind}_{part}" for part in parts for kind in "Xy"))
    for part in parts:
        label, rows = found[f"y_{part}"], len(found[f"X_{part}"])
        if label.shape != (rows,) or not np.isin(label, range(len(CLASSES))).all():
            raise InputError(
                f"{_file(folder, subject)}: y_{part} must hold a class 0 to {len(CLASSES) - 1} for each of {rows} "
                "windows"
            )
    return found


def _read(folder: Path, subject: str, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    file = _file(folder, subject)
    try:
        with np.load(file) as content:  # members that are not asked for are not read
            found = {name: content[name] for name in names}
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"{file}: cannot be read ({error}); X_train, y_train, X_test and y_test are needed") from error
    for name, values in found.items():
        if name[0] == "X" and (values.ndim != 3 or not len(values) or not np.isfinite(values).all()):
            raise InputError(f"{file}: {name} must be finite (window, channel, time), got shape {values.shape}")
    return found


def _file(folder: Path, subject: str) -> Path:
    return folder / f"subject_{subject}.npz"


def _scaled(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Each channel less its mean, by its standard deviation, over all windows and samples of `by`."""
    values, by = values.astype(np.float64), by.astype(np.float64)
    spread = by.std(axis=(0, 2), ddof=1, keepdims=True)
    scaled: np.ndarray = (values - by.mean(axis=(0, 2), keepdims=True)) / np.where(spread > 0, spread, 1.0)
    return scaled
