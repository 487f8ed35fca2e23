"""A detector learned on one robot, carried to a real arm with few free runs, beside target-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.core import Label, Windows, catalog
from jointwatch.core.errors import MissingChannel
from jointwatch.recordings import read
from jointwatch.studies._contacts import (
    BASELINES,
    TRAIN_STEP,
    Runs,
    auroc,
    contact_plan,
    judge,
    make_detector,
    summarise,
)
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import SAME
from jointwatch.studies.base import Progress, Results, Row, Study, StudyOptions

__all__ = ["CollisionTransfer"]

_SOURCE_WINDOWS = 3000
_TRANSFERRED = ("envelope", "phase_zscore", "mahalanobis", "pca", "knn", "isolation_forest", "cnn")
_ONE_SCALE = ", one scale"


class _Options(StudyOptions):
    source: Path = Field(description="Folder of the healthy source robot, for example ur10e_innopolis.")


class CollisionTransfer(Study):
    """`jointwatch study collision-transfer --source DIR --data DIR`, for example from ur10e_innopolis to ur_collisions.

    For each seed one free run of every speed is set aside for the threshold, the same for every method; of the others
    the first 1, 2, 4 ... in an order drawn by lot are given to the method, so a budget of one is one run of one speed.
    Wins and losses are counted over seeds: there is one target arm. Compared are the target alone, the source as it
    is, strategy 5 (normalisation) and strategies 5 + 3 (batch-norm fine-tuning), these two also with one scale for all
    joints of a quantity: at the target one joint moves and five stand still, at the source all move.
    """

    Options = _Options

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        runs = Runs.of(read(options.data))
        reading = read(options.source)
        healthy = [r for r in reading if r.condition.label is Label.NORMAL]
        if not healthy:
            raise MissingChannel("no recording there is labelled normal", file=options.source)
        # the same channels for both robots: what one lacks is masked
        source = replace(contact_plan(healthy, TRAIN_STEP), channels=runs.plan.channels).cut(healthy)
        seeds = 2 if options.quick else options.seeds
        jobs = _jobs(len(runs.set_aside(0)[1]))
        found: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
        notes: list[str] = []
        short: dict[str, list[str]] = {}
        for seed in range(seeds):
            sources = _Sources(source, seed, options.quick)
            for number, (approach, detector, budget) in enumerate(jobs):
                progress(seed * len(jobs) + number, seeds * len(jobs), f"{approach} {detector}, {budget} runs")
                key = f"{approach}/{detector}/{budget}/{seed}"
                step = ledger.once(key, partial(_step, approach, detector, budget, seed, runs, sources))
                if "shortage" in step:
                    short.setdefault(step["shortage"], []).append(key)
                else:
                    found.setdefault((approach, detector, budget), []).append(
                        {**step, "seed": seed, "auroc": auroc([step], repeats=0)[0]}
                    )
        progress(seeds * len(jobs), seeds * len(jobs), "done")
        place = {"split": "by run", "source": options.source.name, "target": options.data.name}
        rows: list[Row] = []
        for (approach, detector, budget), results in found.items():
            rows += summarise(results, method=f"{approach}: {detector}", labels=f"{budget} free runs", **place)
        rows += _wins(found, place)
        details = [
            {
                "approach": a,
                "detector": d,
                "free_runs": b,
                "seed": r["seed"],
                "auroc": r["auroc"],
                "threshold": r["threshold"],
            }
            for (a, d, b), results in found.items()
            for r in results
        ]
        notes += [f"{len(keys)} steps without a figure, the first {keys[0]}: {why}" for why, keys in short.items()]
        notes += [f"source: {line}" for line in reading.summary()]
        notes.append(
            f"source: {len(healthy)} healthy recordings, {len(source)} windows, {_SOURCE_WINDOWS} drawn for each seed, "
            f"left out: {dict(source.skipped) or 'none'}"
        )
        notes += [f"target: {line}" for line in runs.notes]
        return Results("collision-transfer", "", 0.0, tuple(rows), tuple(notes), {"steps": details})


class _Sources:
    """Strategies fitted on the source, once for each detector and seed, and only when they are needed."""

    def __init__(self, source: Windows, seed: int, quick: bool) -> None:
        rows = np.random.default_rng(seed).permutation(len(source))[: 1500 if quick else _SOURCE_WINDOWS]
        self.windows = source[np.sort(rows)]
        self.seed, self.quick = seed, quick
        self._fitted: dict[tuple[str, float], Any] = {}

    def strategy(self, approach: str, detector: str) -> Any:
        """The strategy of an approach. Both learn the source in the same way, so it is learned once for each scale."""
        kind = catalog.load("transfer", "batch_norm" if "batch norm" in approach else "normalisation")
        floor_share = 1.0 if approach.endswith(_ONE_SCALE) else 0.01
        strategy = kind(make_detector(detector, self.seed, self.quick), floor_share=floor_share)
        if (detector, floor_share) not in self._fitted:
            self._fitted[detector, floor_share] = strategy.fit(self.windows)
        learned = self._fitted[detector, floor_share]
        strategy.normaliser_, strategy.detector_ = learned.normaliser_, learned.detector_
        return strategy


def _jobs(spare: int) -> list[tuple[str, str, int]]:
    """(approach, detector, free runs) for budgets of 1, 2, 4 ... runs and all that may be fitted on."""
    budgets = sorted({k for k in (1, 2, 4, 8, 16, 32) if k < spare} | {spare})
    jobs = [("source as it is", detector, 0) for detector in _TRANSFERRED]
    for k in budgets:
        jobs += [("target only", detector, k) for detector in (*BASELINES, "cnn")]
        for scale in ("", _ONE_SCALE):
            jobs += [(f"normalisation{scale}", detector, k) for detector in _TRANSFERRED]
            jobs += [(f"normalisation + batch norm{scale}", "cnn", k)]
    return jobs


def _step(approach: str, detector: str, budget: int, seed: int, runs: Runs, sources: _Sources) -> dict[str, Any]:
    aside, rest = runs.set_aside(seed)
    given = runs.free_of(rest[:budget])
    if approach == "source as it is":
        model = sources.strategy(approach, detector)
        return judge(model, runs, aside, domain=str(sources.windows.index.domain[0]))
    if approach == "target only":
        model = catalog.load("transfer", "normalisation")(make_detector(detector, seed, sources.quick)).fit(given)
    else:
        model = sources.strategy(approach, detector).adapt(given, labelled=given)
    return judge(model, runs, aside)


def _wins(found: dict[tuple[str, str, int], list[dict[str, Any]]], place: dict[str, str]) -> Sequence[Row]:
    """Transferred against target-only with the same detector, the same runs and the same seed, pair by pair."""
    rows = []
    for (approach, detector, budget), results in found.items():
        alone = {r["seed"]: r["auroc"] for r in found.get(("target only", detector, budget), [])}
        if approach in ("target only", "source as it is") or not alone:
            continue
        gain = np.array([r["auroc"] - alone[r["seed"]] for r in results if r["seed"] in alone])
        counts = {
            "wins": int((gain > SAME).sum()),
            "losses": int((gain < -SAME).sum()),
            "ties": int((np.abs(gain) <= SAME).sum()),
        }
        for what, count in counts.items():
            rows.append(
                Row(
                    method=f"{approach}: {detector}",
                    labels=f"{budget} free runs",
                    metric=f"{what} against target only (AUROC)",
                    mean=float(count),
                    low=float("nan"),
                    high=float("nan"),
                    n=len(gain),
                    seeds=len(gain),
                    **place,
                )
            )
    return rows
