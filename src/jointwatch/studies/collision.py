"""Collisions of a real arm: learn from free runs only, alarm on contact, with every baseline beside."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from jointwatch.core import catalog
from jointwatch.recordings import read
from jointwatch.studies._contacts import (
    BASELINES,
    Runs,
    judge,
    make_detector,
    summarise,
)
from jointwatch.studies._ledger import Ledger
from jointwatch.studies.base import Progress, Results, Row, Study, StudyOptions

__all__ = ["Collision"]


class Collision(Study):
    """`jointwatch study collision --data ../shared/data/ur_collisions`; the rules of counting are in `_contacts`."""

    Options = StudyOptions

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        runs = Runs.of(read(options.data))
        seeds = 2 if options.quick else options.seeds
        methods = [*BASELINES, "cnn"]
        rows: list[Row] = []
        details: list[dict[str, Any]] = []
        notes: list[str] = []
        total = len(methods) * seeds
        for number, method in enumerate(methods):
            results = []
            for seed in range(seeds):
                progress(number * seeds + seed, total, f"{method}, seed {seed}")
                step = ledger.once(f"{method}/{seed}", partial(_step, method, seed, runs, options.quick))
                if "shortage" in step:
                    notes.append(f"{method}, seed {seed}: {step['shortage']}")
                else:
                    results.append(step)
            if not results:
                continue
            rows += summarise(
                results,
                method=method,
                split="free runs to fit, contact runs to test",
                source=str(options.data.name),
                target=str(options.data.name),
                labels=f"{len(runs.set_aside(0)[1])} free runs",
            )
            details += [
                {"method": method, "seed": seed, "run": run, "threshold": result["threshold"]}
                | {key: found[key] for key in ("detected", "delay_s", "false_alarms", "free_s")}
                for seed, result in enumerate(results)
                for run, found in result["runs"].items()
            ]
        progress(total, total, "done")
        notes += [_hardest(details)] if details else []
        notes += runs.notes
        return Results("collision", "", 0.0, tuple(rows), tuple(notes), {"runs": details})


def _hardest(details: Sequence[dict[str, Any]]) -> str:
    """The run that fewest found, and the one with most false alarms."""
    runs = dict.fromkeys(record["run"] for record in details)
    found = {run: sum(record["detected"] for record in details if record["run"] == run) for run in runs}
    false = {run: sum(record["false_alarms"] for record in details if record["run"] == run) for run in runs}
    missed, noisy = min(found, key=found.__getitem__), max(false, key=false.__getitem__)
    of = len(details) // len(runs)
    return (
        f"hardest contact: {missed}, found {found[missed]} times of {of} (methods x seeds); "
        f"most false alarms: {noisy}, {false[noisy]} of {sum(false.values())} of all methods and seeds"
    )


def _step(method: str, seed: int, runs: Runs, quick: bool) -> dict[str, Any]:
    aside, rest = runs.set_aside(seed)
    model = catalog.load("transfer", "normalisation")(make_detector(method, seed, quick)).fit(runs.free_of(rest))
    return judge(model, runs, aside)
