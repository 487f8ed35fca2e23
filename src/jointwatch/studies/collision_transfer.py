"""A detector learned on one robot, carried to a real arm with few free runs, beside target-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.core import Index, Label, Windows, catalog
from jointwatch.core.errors import MissingChannel, NotEnoughData
from jointwatch.recordings import read
from jointwatch.studies._contacts import (
    BASELINES,
    TRAIN_STEP,
    Runs,
    auroc,
    contact_plan,
    evaluate,
    held_out_decisions,
    make_detector,
    summarise,
)
from jointwatch.studies._ledger import Ledger
from jointwatch.studies.base import Progress, Results, Row, Study, StudyOptions

__all__ = ["CollisionTransfer"]

_SOURCE_WINDOWS = 3000
_TRANSFERRED = ("envelope", "phase_zscore", "mahalanobis", "pca", "knn", "isolation_forest", "cnn")
_ONE_SCALE = ", one scale"
_SAME = 0.005  # AUROC differences below this are ties


class _Options(StudyOptions):
    source: Path = Field(description="Folder of the healthy source robot, for example ur10e_innopolis.")


class CollisionTransfer(Study):
    """`jointwatch study collision-transfer --source DIR --data DIR`, for example from ur10e_innopolis to ur_collisions.

    For each seed one free run of every speed is kept aside for the threshold, the same for every method; of the others
    1, 2, 4 ... are given to the method. Compared are the target alone, the source as it is, strategy 5
    (normalisation) and strategies 5 + 3 (batch-norm fine-tuning), these two also with one scale for all joints of a
    quantity: at the target one joint moves and five stand still, at the source all move.
    """

    Options = _Options

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        target = list(read(options.data))
        runs = Runs.of(target)
        speed = {r.session: str(r.truth.get("speed_deg_s", "")) for r in target if r.session in set(runs.free_sessions)}
        healthy = [r for r in read(options.source) if r.condition.label is Label.NORMAL]
        if not healthy:
            raise MissingChannel("no recording there is labelled normal", file=options.source)
        # the same channels for both robots: what one lacks is masked
        source = replace(contact_plan(healthy, TRAIN_STEP), channels=runs.plan.channels).cut(healthy)
        seeds = 2 if options.quick else options.seeds
        jobs = _jobs(speed)
        found: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
        notes: list[str] = []
        for seed in range(seeds):
            sources = _Sources(source, seed, options.quick)
            for number, (approach, detector, budget) in enumerate(jobs):
                progress(seed * len(jobs) + number, seeds * len(jobs), f"{approach} {detector}, {budget} runs")
                key = f"{approach}/{detector}/{budget}/{seed}"
                step = ledger.once(key, partial(_step, approach, detector, budget, seed, runs, speed, sources))
                if "shortage" in step:
                    notes.append(f"{key}: {step['shortage']}")
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
        notes.append(
            f"source windows: {len(source)} cut, at most {_SOURCE_WINDOWS} drawn, "
            f"left out: {dict(source.skipped) or 'none'}"
        )
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


def _jobs(speed: dict[str, str]) -> list[tuple[str, str, int]]:
    spare = len(speed) - len(set(speed.values()))
    budgets = [k for k in (1, 2, 4, 8, 16, 32) if k <= spare]
    if spare not in budgets and spare > 0:
        budgets.append(spare)
    jobs = [("source as it is", detector, 0) for detector in _TRANSFERRED]
    for k in budgets:
        jobs += [("target only", detector, k) for detector in (*BASELINES, "cnn")]
        for scale in ("", _ONE_SCALE):
            jobs += [(f"normalisation{scale}", detector, k) for detector in _TRANSFERRED]
            jobs += [(f"normalisation + batch norm{scale}", "cnn", k)]
    return jobs


def _step(
    approach: str, detector: str, budget: int, seed: int, runs: Runs, speed: dict[str, str], sources: _Sources
) -> dict[str, Any]:
    order = np.random.default_rng(seed).permutation(runs.free_sessions).tolist()
    aside = [next(s for s in order if speed[s] == v) for v in sorted(set(speed.values()))]
    given = runs.free_of([s for s in order if s not in aside][:budget])
    contact, calibration = runs.contact, runs.free_of(aside)
    if approach == "target only":
        model = catalog.load("transfer", "normalisation")(make_detector(detector, seed, sources.quick)).fit(given)
    elif approach == "source as it is":
        model = sources.strategy(approach, detector)
        name = str(sources.windows.index.domain[0])
        contact, calibration = _as_domain(contact, name), _as_domain(calibration, name)
    else:
        model = sources.strategy(approach, detector).adapt(given, labelled=given)
    healthy = held_out_decisions(model.score_samples(calibration), calibration.index)
    try:
        return evaluate(model.score_samples(contact), runs, healthy)
    except NotEnoughData as error:
        return {"shortage": str(error)}


def _as_domain(windows: Windows, domain: str) -> Windows:
    columns = {**windows.index.columns(), "domain": np.full(len(windows), domain)}
    return replace(windows, index=Index(**columns))


def _wins(found: dict[tuple[str, str, int], list[dict[str, Any]]], place: dict[str, str]) -> Sequence[Row]:
    """Transferred against target-only with the same detector, the same runs and the same seed, pair by pair."""
    rows = []
    for (approach, detector, budget), results in found.items():
        alone = {r["seed"]: r["auroc"] for r in found.get(("target only", detector, budget), [])}
        if approach in ("target only", "source as it is") or not alone:
            continue
        gain = np.array([r["auroc"] - alone[r["seed"]] for r in results if r["seed"] in alone])
        counts = {
            "wins": int((gain > _SAME).sum()),
            "losses": int((gain < -_SAME).sum()),
            "ties": int((np.abs(gain) <= _SAME).sum()),
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
