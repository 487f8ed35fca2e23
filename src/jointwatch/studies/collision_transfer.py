"""A detector learned on one robot or several, carried to a real arm with few free runs, beside target-only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field

from jointwatch.core import Channel, Label, Quantity, Source, Windows, catalog
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
from jointwatch.studies._sources import sources_digest
from jointwatch.studies._strategy_names import names_asked
from jointwatch.studies.base import Progress, Results, Row, Study, StudyOptions
from jointwatch.transfer._adaptation import Adaptation

__all__ = ["CollisionTransfer"]

_SOURCE_WINDOWS, _QUICK_WINDOWS = 3000, 1500
_REMEMBERED, _QUICK_REMEMBERED = 600, 300  # source windows that a strategy aligns with the target's
_EPOCHS, _QUICK_EPOCHS = 5, 2  # of an alignment or a fine-tuning
_BATCH = 64
_CARRIED = "strategy"
_TRANSFERRED = ("envelope", "phase_zscore", "mahalanobis", "pca", "knn", "isolation_forest", "cnn")
_ONE_SCALE = ", one scale"


def _folders(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    folders = tuple(Path(part.strip()) for part in given.split(",") if part.strip())
    if missing := [folder for folder in folders if not folder.exists()]:
        raise ValueError(f"there is no {missing[0]}")
    return folders


class _Options(StudyOptions):
    source: Annotated[tuple[Path, ...], BeforeValidator(_folders)] = Field(
        min_length=1, description="Folder of a healthy source robot, for example ur10e_innopolis; several with commas."
    )
    strategies: str = Field("", description="Strategies of the catalog, comma-separated; `none`; empty = all.")


class CollisionTransfer(Study):
    """`jointwatch study collision-transfer --source DIR --data DIR`, for example from ur10e_innopolis to ur_collisions.

    For each seed one free run of every speed is set aside for the threshold, the same for every method; of the others
    the first 1, 2, 4 ... in an order drawn by lot are given to the method, so a budget of one is one run of one speed.
    Wins and losses are counted over seeds: there is one target arm. Compared are the target alone, the source as it
    is, strategy 5 (normalisation) and strategies 5 + 3 (batch-norm fine-tuning), these two also with one scale for all
    joints of a quantity: at the target one joint moves and five stand still, at the source all move. Every other
    strategy of the catalog adapts the network learned on the source, with anomalies made from free runs.

    Several sources share the number of windows drawn; without adaptation the target is taken for one of the first.
    A source slower than the windows' 125 Hz is interpolated, which the notes say; joints that the target lacks are
    left out.
    """

    revision = 2

    Options = _Options

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        runs = Runs.of(read(options.data))
        strategies = _strategies(options.strategies)
        healthy = [_Healthy.of(folder, runs.plan.channels) for folder in options.source]
        seeds = 2 if options.quick else options.seeds
        jobs = _jobs(len(runs.set_aside(0)[1]), strategies, options.quick)
        digest = _digest(options.source)
        found: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
        notes: list[str] = []
        short: dict[str, list[str]] = {}
        for seed in range(seeds):
            sources = _Sources([one.windows for one in healthy], seed, options.quick)
            for number, (approach, detector, budget) in enumerate(jobs):
                progress(seed * len(jobs) + number, seeds * len(jobs), f"{approach} {detector}, {budget} runs")
                key = f"{digest}/{approach}/{detector}/{budget}/{seed}"
                step = ledger.once(key, partial(_step, approach, detector, budget, seed, runs, sources))
                if "shortage" in step:
                    short.setdefault(step["shortage"], []).append(key)
                else:
                    found.setdefault((approach, detector, budget), []).append(
                        {**step, "seed": seed, "auroc": auroc([step], repeats=0)[0]}
                    )
        progress(seeds * len(jobs), seeds * len(jobs), "done")
        place = {
            "split": "by run",
            "source": ", ".join(folder.name for folder in options.source),
            "target": options.data.name,
        }
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
        notes += [note for one in healthy for note in one.notes]
        notes.append(f"{_QUICK_WINDOWS if options.quick else _SOURCE_WINDOWS} source windows drawn for each seed")
        notes += [f"target: {line}" for line in runs.notes]
        return Results("collision-transfer", "", 0.0, tuple(rows), tuple(notes), {"steps": details})


@dataclass(frozen=True)
class _Healthy:
    """Windows of one source's healthy recordings with measured current, and what is to be known of them."""

    windows: Windows
    notes: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, channels: tuple[Channel, ...]) -> _Healthy:
        reading = read(folder)
        normal = [r for r in reading if r.condition.label is Label.NORMAL]
        used = [r for r in normal if any(_is_current(channel) for channel in r.channels)]
        if not used:
            raise MissingChannel("no recording there is labelled normal and has a measured current", file=folder)
        # the same channels for both robots: what one lacks is masked
        plan = replace(contact_plan(used, TRAIN_STEP), channels=channels)
        assert plan.rate_hz is not None  # sliding windows have one
        windows = plan.cut(used)
        if not len(windows):
            raise MissingChannel(
                f"no window of {plan.length / plan.rate_hz:g} s could be cut: {dict(windows.skipped)}", file=folder
            )
        notes = [f"source {folder.name}: {line}" for line in reading.summary()]
        notes.append(
            f"source {folder.name}: {len(used)} healthy recordings with measured current of {len(normal)}, "
            f"{len(windows)} windows, left out: {dict(windows.skipped) or 'none'}"
        )
        rate = float(np.median([r.rate_hz for r in used]))
        if rate < 0.9 * plan.rate_hz:
            slow = "; too slow for quick events" if rate < plan.rate_hz / 2 else ""
            notes.append(
                f"source {folder.name} is recorded at {rate:.3g} Hz: its windows are interpolated to "
                f"{plan.rate_hz:g} Hz and hold nothing above {rate / 2:.3g} Hz{slow}"
            )
        own = {channel.joint for r in used for channel in r.channels if _is_current(channel)}
        if extra := sorted(joint for joint in own - {channel.joint for channel in channels} if joint):
            notes.append(
                f"source {folder.name}: joint {', '.join(map(str, extra))} is not at the target and is left out"
            )
        return cls(windows, tuple(notes))


class _Sources:
    """Strategies fitted on the sources, once for each detector and seed, and only when they are needed."""

    def __init__(self, sources: Sequence[Windows], seed: int, quick: bool) -> None:
        rng, parts = np.random.default_rng(seed), []
        share = (_QUICK_WINDOWS if quick else _SOURCE_WINDOWS) // len(sources)
        for source in sources:
            parts.append(source[np.sort(rng.permutation(len(source))[:share])])
        self.domain = str(parts[0].index.domain[0])
        self.windows = Windows.concatenate(parts)
        self.seed, self.quick = seed, quick
        self._fitted: dict[tuple[str, float], Any] = {}

    def strategy(self, approach: str, detector: str) -> Any:
        """The strategy of an approach. All learn the source in the same way, so it is learned once for each scale."""
        floor_share = 1.0 if approach.endswith(_ONE_SCALE) else 0.01
        made = make_detector(detector, self.seed, self.quick)
        strategy = catalog.load("transfer", _name_of(approach))(made, floor_share=floor_share)
        if approach.startswith(_CARRIED):
            effort = {
                "epochs": _QUICK_EPOCHS if self.quick else _EPOCHS,
                "batch_size": _BATCH,
                "remembered": _QUICK_REMEMBERED if self.quick else _REMEMBERED,
            }
            known = strategy.get_params(deep=False)
            strategy.set_params(**{key: value for key, value in effort.items() if key in known})
        if (detector, floor_share) not in self._fitted:
            plain = catalog.load("transfer", "normalisation")(made, floor_share=floor_share)
            self._fitted[detector, floor_share] = plain.fit(self.windows)
        learned = self._fitted[detector, floor_share]
        strategy.normaliser_, strategy.detector_ = learned.normaliser_, learned.detector_
        if isinstance(strategy, Adaptation):
            seen = learned.normaliser_.transform(self.windows)
            strategy.source_ = strategy.detector_.examples(seen, strategy.remembered)
        return strategy


def _is_current(channel: Channel) -> bool:
    return channel.quantity is Quantity.CURRENT and channel.source is Source.MEASURED


def _name_of(approach: str) -> str:
    """Catalog name of an approach's strategy."""
    if approach.startswith(_CARRIED):
        return approach.removeprefix(f"{_CARRIED} ")
    return "batch_norm" if "batch norm" in approach else "normalisation"


def _strategies(asked: str) -> list[str]:
    """Names of the catalog's strategies that change a network, or of those asked for.

    Errors: `UsageError` for a name that is none.
    """
    apart = ("normalisation", "batch_norm", "foundation")  # the last brings a network of its own
    there = [name for name in catalog.names("transfer") if name not in apart]
    return names_asked(
        asked, there, hint=" (normalisation and batch_norm always run; the study pretraining judges foundation)"
    )


def _digest(folders: Sequence[Path]) -> str:
    """Of every byte of the sources."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(path for path in [folder, *folder.rglob("*")] if path.is_file()):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _jobs(spare: int, strategies: Sequence[str], quick: bool) -> list[tuple[str, str, int]]:
    """(approach, detector, free runs) for budgets of 1, 2, 4 ... runs and all that may be fitted on; a quick look
    takes strategies beside normalisation at one run and at all."""
    budgets = sorted({k for k in (1, 2, 4, 8, 16, 32) if k < spare} | {spare})
    jobs = [("source as it is", detector, 0) for detector in _TRANSFERRED]
    for k in budgets:
        jobs += [("target only", detector, k) for detector in (*BASELINES, "cnn")]
        for scale in ("", _ONE_SCALE):
            jobs += [(f"normalisation{scale}", detector, k) for detector in _TRANSFERRED]
            jobs += [(f"normalisation + batch norm{scale}", "cnn", k)]
        if not quick or k in (budgets[0], budgets[-1]):
            jobs += [(f"{_CARRIED} {name}", "cnn", k) for name in strategies]
    return jobs


def _step(approach: str, detector: str, budget: int, seed: int, runs: Runs, sources: _Sources) -> dict[str, Any]:
    aside, rest = runs.set_aside(seed)
    given = runs.free_of(rest[:budget])
    if approach == "source as it is":
        model = sources.strategy(approach, detector)
        return judge(model, runs, aside, domain=sources.domain)
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
