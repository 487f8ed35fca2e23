"""The published protocol's figures: accuracies, the leak of choosing a fold by its test, convergence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jointwatch.studies._part import Part
from jointwatch.studies._transmission_error_methods import AE_HMM, AE_KMEANS, Said
from jointwatch.studies._transmission_error_protocol import BLOCK, PROTOCOL_FOLDS, PROTOCOLS
from jointwatch.studies._transmission_error_table import Cycles
from jointwatch.studies._transmission_error_told import (
    METRICS,
    Told,
    confusion_cells,
    counts_of,
    fold_accuracy,
    row_of,
    told_plain,
)

__all__ = ["protocol_part"]

_LEAK = "accuracy, best of three folds by test score (a leak)"
_PUBLISHED = "published drives"


def protocol_part(cycles: Cycles, steps: Mapping[str, Any], seeds: int, counts: Sequence[int]) -> Part:
    """The published protocol, and whole sessions out; intervals from whole sessions drawn again."""
    part = Part()
    published = cycles.take(np.flatnonzero(cycles.published))
    sessions = published.index.unit_session
    for split, title in PROTOCOLS.items():
        mine = {key.removeprefix(f"{split}/"): step for key, step in steps.items() if key.startswith(f"{split}/")}
        told = Told(mine, seeds, PROTOCOL_FOLDS, told_plain)
        for key, repetitions in told.of.items():
            method, _, count = key.rpartition("|")
            place = {"method": method, "split": title, "source": _PUBLISHED, "target": _PUBLISHED}
            confused = [counts_of(published, sessions, rows, said) for rows, said in repetitions]
            part.add(confused, METRICS, labels=f"T = {count}", **place)
            confusion_cells(part, "protocol", method, title, count, confused)
            best = [fold_accuracy(published, rows, said, fold) for (rows, said), fold in _with(told, key)]
            part.rows.append(row_of(place, count, _LEAK, _best(best), PROTOCOL_FOLDS, len(best)))
            if method == AE_HMM:
                part.notes.append(f"{title}, T = {count}, {method}: {_confused(np.mean(confused, axis=0).sum(axis=0))}")
        _convergence(part, mine, title, counts)
    part.notes += [
        "the published drives: levels 3 to 6 have one drive each, so that no drive can be held out; intervals are from "
        "whole sessions drawn again and say nothing of other drives",
        f"random split: {BLOCK} successive cycles are dealt together, for every T up to that, and a sequence never "
        "reaches from one fold to another",
        "Hamming loss of one label a cycle is 1 - accuracy",
    ]
    _protocol_verdict(part)
    return part


def _with(told: Told, key: str) -> Sequence[tuple[tuple[np.ndarray, Said], np.ndarray]]:
    return list(zip(told.of[key], told.fold[key], strict=True))


def _best(folds: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """Mean over seeds of the best fold, and least and greatest of them."""
    best = [float(one.max()) for one in folds]
    return float(np.mean(best)), min(best), max(best)


def _convergence(part: Part, steps: Mapping[str, Any], split: str, counts: Sequence[int]) -> None:
    for count in counts:
        found = [n for step in steps.values() for n in step["iterations"].get(str(count), [])]
        if not found or count == 1:
            continue
        middle, late = float(np.median(found)), int(np.percentile(found, 95))
        part.notes.append(
            f"Baum-Welch, {split}, T = {count}: 99 % of the gain after {middle:g} iterations (median of {len(found)} "
            f"models; 95 % of them within {late}, the slowest {max(found)})"
        )
        part.table(
            "convergence",
            [{"split": split, "cycles": count, "iterations": n, "models": found.count(n)} for n in sorted(set(found))],
        )


def _protocol_verdict(part: Part) -> None:
    found = {(row.method, row.split, row.labels): row.mean for row in part.rows if row.metric == "accuracy"}
    for (method, split, labels), value in found.items():
        if method == AE_HMM and split == PROTOCOLS["random"]:
            rival = found.get((AE_KMEANS, split, labels))
            verdict = "above" if value > 0.91 else "not above"
            beside = "" if rival is None else f"; k-means on the same codes {rival:.3f}"
            part.notes.append(f"published protocol, {labels}: accuracy {value:.3f}, {verdict} 0.91{beside}")


def _confused(counts: np.ndarray) -> str:
    """Which two levels are taken for one another most, as a share of the cycles of both."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    either = np.triu(share + share.T, 1) / 2
    if not either.any():
        return "no level is taken for another"
    i, k = np.unravel_index(int(either.argmax()), either.shape)
    return f"levels {i + 1} and {k + 1} are taken for one another most ({either[i, k]:.1%} of their cycles)"
