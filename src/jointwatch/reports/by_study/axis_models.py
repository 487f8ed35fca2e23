"""Figures of the study of five networks: their scores under each split, and what the best of them confuses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jointwatch.reports.paper_figures import attention_map, confusion_matrix, grouped_bars
from jointwatch.reports.study_figures import save
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "attention_figure", "best_figure", "drawn", "figures", "models_figure"]

Record = Mapping[str, Any]

_BEST_BY = "balanced accuracy"
_BEST = "Test maps of the network with the highest balanced accuracy, all repetitions together"
CAPTIONS = {
    "models_paper": "Five networks trained as published; bars are means, whiskers 95 % intervals over units",
    "models_modern": "The same networks with our own training; bars are means, whiskers 95 % intervals over units",
    "confusion_random": f"{_BEST}: random split (optimistic)",
    "confusion_unit": f"{_BEST}: whole units held out",
    "attention": "A worn map of a unit never seen, as AD-CNN saw it, and where the network looked",
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: the bars show them all."""
    return []


def figures(results: Results, out: Path) -> list[Path]:
    """Bars a training, a confusion matrix a split, attention over a map; returns the paths, PNG before SVG."""
    paths: list[Path] = []
    scores, confusions = results.details["figures"], results.details["confusions"]
    for training in dict.fromkeys(str(record["training"]) for record in scores):
        chosen = [record for record in scores if record["training"] == training]
        paths += save(models_figure(chosen), out / f"models_{training}")
    for split in dict.fromkeys(str(record["split"]) for record in scores):
        stem = "confusion_" + split.partition(" ")[0]
        paths += save(best_figure(scores, confusions, split), out / stem)
    if results.details.get("attention"):
        paths += save(attention_figure(results.details["attention"]), out / "attention")
    return paths


def models_figure(scores: Sequence[Record]) -> Figure:
    """A group of bars a metric, a bar a network, a panel a split."""
    least = min((float(r[end]) for r in scores for end in ("mean", "low") if math.isfinite(r[end])), default=0.0)
    rows = [{**record, "method": record["network"]} for record in scores]
    return grouped_bars(rows, panel="split", low=min(0.0, math.floor(10 * least) / 10))


def best_figure(scores: Sequence[Record], confusions: Sequence[Record], split: str) -> Figure:
    """Confusion of the network and training with the highest balanced accuracy under a split."""
    own = [r for r in scores if r["split"] == split and r["metric"] == _BEST_BY and math.isfinite(r["mean"])]
    best = max(own, key=lambda record: float(record["mean"]))
    keys = ("network", "training", "split")
    cells = [record for record in confusions if all(record[key] == best[key] for key in keys)]
    names = list(dict.fromkeys(str(cell["true"]) for cell in cells))
    counts = np.zeros((len(names), len(names)))
    for cell in cells:
        counts[names.index(str(cell["true"])), names.index(str(cell["said"]))] = cell["maps"]
    return confusion_matrix(counts, names, title=f"{best['network']}, {best['training']} training\n{split}", of="maps")


def attention_figure(cells: Sequence[Record]) -> Figure:
    """A map and the attention that each of its positions got.

    Parameters
    ----------
    cells : `feature`, `start_s` in the map, `value`, `attention`; see `studies.axis_models`.
    """
    features = list(dict.fromkeys(str(cell["feature"]) for cell in cells))
    starts = sorted({float(cell["start_s"]) for cell in cells})
    values, attended = np.zeros((2, len(starts), len(features)))
    for cell in cells:
        place = starts.index(float(cell["start_s"])), features.index(str(cell["feature"]))
        values[place], attended[place] = cell["value"], cell["attention"]
    first = cells[0]
    title = f"{first['unit']}, session {first['session']},\nseverity {first['severity']:g}"
    block_s = starts[1] - starts[0] if len(starts) > 1 else None
    return attention_map(values, attended, features, block_s=block_s, titles=(title, "attention"))
