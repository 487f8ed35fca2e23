"""The measured part: contacts of a real arm whose recordings no weights have seen, few free runs and no label."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from jointwatch.core import catalog
from jointwatch.detectors.foundation import Foundation
from jointwatch.recordings import read
from jointwatch.studies._contacts import Runs, auroc, judge, make_detector, summarise
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies.base import Progress

__all__ = ["contacts"]

_ALONE: Final = ("random_score", "duration", "phase_zscore", "mahalanobis", "pca", "knn", "isolation_forest", "cnn")
_QUICK_ALONE: Final = ("random_score", "mahalanobis")


def contacts(
    folder: Path,
    encoders: Mapping[str, list[Path]],
    digests: Mapping[str, str],
    quick: bool,
    ledger: Ledger,
    progress: Progress,
) -> tuple[Part, set[str]]:
    """Rows by number of free runs, and brands and models of the arm.

    Parameters
    ----------
    encoders : name -> the weights for each seed. digests : name -> of these weights.
    """
    reading = read(folder)
    runs = Runs.of(reading)
    robots = {f"{recording.robot.brand} {recording.robot.model}" for recording in reading}
    seeds = len(next(iter(encoders.values())))
    spare = len(runs.set_aside(0)[1])
    budgets = [spare] if quick else sorted({k for k in (1, 2, 4) if k < spare} | {spare})
    jobs = [(name, budget) for budget in budgets for name in (*(_QUICK_ALONE if quick else _ALONE), *encoders)]
    part = Part()
    for number, (name, budget) in enumerate(jobs):
        results = []
        for seed in range(seeds):
            progress(number * seeds + seed, len(jobs) * seeds, f"contacts: {name}, {budget} free runs")
            weights = encoders[name][seed] if name in encoders else None
            step = ledger.once(
                f"contacts/{name}{digests.get(name, '')}/{budget}/{seed}",
                partial(_step, name, weights, budget, seed, runs, quick),
            )
            if "shortage" in step:
                part.notes.append(f"contacts, {name}, {budget} free runs, seed {seed}: {step['shortage']}")
            else:
                results.append(step)
        if results:
            part.rows += summarise(
                results,
                method=name,
                split="by run",
                source=name if name in encoders else "none",
                target=folder.name,
                labels=f"{budget} free runs",
            )
            areas = [auroc([step], repeats=0)[0] for step in results]
            part.table("contacts", [{"method": name, "free_runs": budget, "auroc": area} for area in areas])
    part.notes += [f"{folder.name}: {line}" for line in runs.notes]
    return part, robots


def _step(name: str, weights: Path | None, budget: int, seed: int, runs: Runs, quick: bool) -> dict[str, Any]:
    aside, rest = runs.set_aside(seed)
    detector = make_detector(name, seed, quick) if weights is None else Foundation(weights=str(weights))
    model = catalog.load("transfer", "normalisation")(detector).fit(runs.free_of(rest[:budget]))
    return judge(model, runs, aside)
