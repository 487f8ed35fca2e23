"""A new brand arrives: every way to a detector for it, with no label, few labels, and beside the target alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.core.errors import UsageError
from jointwatch.studies._cross_brand_gate import GATED
from jointwatch.studies._cross_brand_methods import ALONE, CARRIED, HEALTHY_ONLY, ORACLE, OURS
from jointwatch.studies._cross_brand_networks import AS_IS, embeddings, kinds
from jointwatch.studies._cross_brand_rows import gather_fleet
from jointwatch.studies._cross_brand_steps import OTHERS, Budgets, Key, known, names_in, step, task_of
from jointwatch.studies._cross_brand_told import Step, tell
from jointwatch.studies._fleet_table import manifest
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._sources import sources_digest
from jointwatch.studies.base import Progress, Results, Study, StudyOptions

__all__ = ["CrossBrand"]

_QUICK = ("normalisation", "dann", "deep_coral", "self_training", "head_only")
_QUICK_BASELINES = ("random_score", "duration", "mahalanobis", "knn")
_SHOWN = "dann"  # whose embeddings are drawn


class _Options(StudyOptions):
    source: str = Field("ur5e,others", description="Brands to borrow from; `others` = all but the target, together.")
    target: str = Field("", description="Brands that arrive, comma-separated; empty = every brand but the source.")
    budgets: Budgets = Field("0,100,500", description="Labelled cycles of the target, beside its healthy baselines.")
    strategies: str = Field("", description="Strategies of the catalog, comma-separated; `none`; empty = all.")


class CrossBrand(Study):
    """`jointwatch study cross-brand --data FLEET`; FLEET is what `jointwatch simulate m3-fleet --out FLEET` makes.

    For every seed a third of the target's units is held out whole. Of each of the target's units two healthy sessions
    are known, as a plant has them; every other cycle of the held-out units is judged. A budget is a number of labelled
    cycles (not windows of a second) of the target's other units, drawn by whole sessions. Every method sees the same
    cycles. Thresholds come from the baselines of those other units, so nothing that is judged has a part in them.

    Networks are one common small `Cnn1d` on the deviations of one joint from its own baseline along the path, so that
    arms with six and seven axes meet; a strategy of the transfer catalog is taken in by `align` or `tune`.
    """

    Options = _Options

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        targets, sources = names_in(options.target), names_in(options.source) or [OTHERS]
        named = [brand for brand in (*targets, *sources) if brand != OTHERS]
        needed = named if targets and OTHERS not in sources else ()
        fleet = gather_fleet(options.data, ledger, named, needed, progress)
        file = ledger.path.parent / "fleet.npz"
        fleet.save(file)
        seeds = range(1 if options.quick else options.seeds)
        budgets = sorted({int(part) for part in names_in(options.budgets)})
        if options.quick:
            budgets = [budgets[0], budgets[-1]] if len(budgets) > 1 else budgets
        wanted = options.strategies or (",".join(_QUICK) if options.quick else "")
        used, left_out = kinds(wanted)
        pairs = _pairs(fleet.brands, sources, targets, options.quick)
        if not pairs:
            raise UsageError(f"there is no pair of a source and another brand; the fleet has {', '.join(fleet.brands)}")
        keys = _keys(pairs, budgets, seeds, used, options.quick)
        work = {"/".join(map(str, key)): partial(step, str(file), key, used) for key in keys}
        found = ledger.every(work, progress)
        steps = [Step(*key, found["/".join(map(str, key))]) for key in keys]
        part = tell(fleet, steps)
        if _SHOWN in used:
            source, target = next(((s, t) for s, t in pairs if s != OTHERS), pairs[0])
            for state, name, how in (("before", AS_IS, ""), ("after", _SHOWN, used[_SHOWN])):
                draw = partial(_draw, str(file), source, target, name, how)
                points = ledger.once(f"embeddings/{source}/{target}/{name}", draw)
                part.table("embeddings", [{"when": state, **point} for point in points])
        part.notes.append(
            f"{len(fleet)} cycles of {len(np.unique(fleet.index.unit))} units; not cut, because samples are lost: "
            + (", ".join(f"{count} {label}" for label, count in fleet.skipped.items()) or "none")
        )
        part.notes += [f"{name} is left out: {why}" for name, why in left_out.items()]
        part.notes.append(f"difficulty of the fleet: version {manifest(options.data)['difficulty']}")
        return Results("cross-brand", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _pairs(brands: list[str], sources: list[str], targets: list[str], quick: bool) -> list[tuple[str, str]]:
    found = []
    for source in sources:
        own = targets or [brand for brand in brands if source == OTHERS or brand != source]
        found += [(source, target) for target in own if source != target]
    return [pair for pair in found if pair[0] != OTHERS][:2] or found[:1] if quick else found


def _keys(
    pairs: list[tuple[str, str]], budgets: list[int], seeds: range, strategies: dict[str, str], quick: bool
) -> list[Key]:
    """All steps, seed by seed, what is quick first."""
    keys: list[Key] = []
    baselines = _QUICK_BASELINES if quick else HEALTHY_ONLY
    for seed in seeds:
        for target in dict.fromkeys(target for _, target in pairs):
            keys += [(seed, "", target, 0, ALONE, name) for name in baselines]
            keys += [(seed, "", target, 0, ALONE, ORACLE)]
            for budget in budgets:
                keys.append((seed, "", target, budget, ALONE, OURS))
                keys += [(seed, "", target, budget, ALONE, name) for name in ("trees", "network") if budget]
        for source, target in pairs:
            for budget in budgets:
                keys += [(seed, source, target, budget, CARRIED, name) for name in (OURS, "trees")]
                keys.append((seed, source, target, budget, GATED, OURS))
        for source, target in pairs:
            keys.append((seed, source, target, 0, AS_IS, "network"))
            for name, how in strategies.items():
                keys += [(seed, source, target, b, CARRIED, name) for b in budgets if b or how == "align"]
    return keys


def _draw(file: str, source: str, target: str, name: str, how: str) -> list[dict[str, Any]]:
    fleet, tables = known(file)
    return embeddings(name, how, task_of(fleet, source, target, 0, 0), tables)
