"""Does pre-training pay? A brand that no weights have seen, with no label, few labels, and beside all other ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from jointwatch.core.errors import UsageError
from jointwatch.models._pretrained import load_pretrained
from jointwatch.studies._cross_brand_methods import ALONE, CARRIED, HEALTHY_ONLY, ORACLE, OURS
from jointwatch.studies._cross_brand_networks import kinds
from jointwatch.studies._cross_brand_rows import gather_fleet
from jointwatch.studies._cross_brand_steps import OTHERS, Budgets, Key, known, names_in, step, task_of
from jointwatch.studies._cross_brand_told import SPLIT, Areas, Step, areas, tell
from jointwatch.studies._fleet_table import manifest
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._pretraining_collisions import contacts
from jointwatch.studies._pretraining_methods import (
    DISTANCE,
    FINE_TUNE,
    MINI_ROCKET,
    PROBE,
    SCRATCH,
    mini_rocket,
    probed,
    random_weights,
    trained,
)
from jointwatch.studies._pretraining_rows import gather_cycles, load_cycles
from jointwatch.studies._sources import sources_digest
from jointwatch.studies.base import Progress, Results, Study, StudyOptions

__all__ = ["Pretraining"]

PRETRAINED: Final = "pre-trained"
RANDOM: Final = "random weights"


class _Options(StudyOptions):
    weights: str = Field(
        description="Folders that `jointwatch pretrain --hold-out` wrote, comma-separated; several for the scaling."
    )
    target: str = Field("m1013", description="The brand that arrives: a group of the fleet.")
    budgets: Budgets = Field(
        "0,20,100,200,500", description="Labelled cycles of the target, beside its healthy baselines."
    )
    strategies: str = Field(
        "dann,open_set,partial,cdan,lora,gradual_unfreezing",
        description="Strategies without pre-training, of the catalog, comma-separated; `none`; empty = all.",
    )
    collisions: Path | None = Field(None, description="Folder like ur_collisions: contacts of a real arm, too.")


class Pretraining(Study):
    """`jointwatch study pretraining --data FLEET --weights FOLDER`; FLEET is what `jointwatch simulate m3-fleet` makes,
    FOLDER what `jointwatch pretrain --hold-out` writes.

    The rules are those of `cross-brand`: a third of the target's units is held out whole, of each unit two healthy
    sessions are known, a budget is a number of labelled cycles of other units, and every method sees the same cycles.
    Strategies, trees and joint deviations see deviations from the own baseline along the path, and borrow from all
    other brands. The pre-trained network, the same network without pre-training, and MiniRocket see each cycle as 200
    samples of plain signals, the unit's own mean healthy course replaced by that of all baselines; embeddings and
    features are taken relative to the unit's own baseline once more.

    Weights whose training has seen the target are told of in the notes. Where several are given those of the most
    hours are fine-tuned, too; the others show what more hours bring.
    """

    Options = _Options

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        fleet = gather_fleet(options.data, ledger, (options.target,), (), progress)
        cycles, robot = gather_cycles(options.data, options.target, fleet, ledger, progress)
        file = ledger.path.parent / "fleet.npz"
        fleet.save(file)
        seeds = 1 if options.quick else options.seeds
        budgets = sorted({int(part) for part in names_in(options.budgets)})
        if options.quick:
            budgets = [budgets[0], budgets[-1]] if len(budgets) > 1 else budgets
        encoders = _Encoders.of(names_in(options.weights), seeds, ledger.path.parent / "random")
        used, left_out = kinds(options.strategies)
        keys = _keys(options.target, budgets, seeds, used, list(encoders.files))
        work = {}
        for key in keys:
            seed, source, _, budget, approach, method = key
            if approach == PRETRAINED or method in (SCRATCH, MINI_ROCKET):
                weights = encoders.files.get(source, encoders.files[RANDOM])[seed]
                compute = partial(_step, str(file), str(cycles), key, weights, options.quick)
                work[f"{approach}/{encoders.digests.get(source, '')}/{method}/{budget}/{seed}"] = compute
            else:
                work["/".join(map(str, key))] = partial(step, str(file), key, used)
        found = ledger.every(work, progress)
        steps = [Step(*key, result) for key, result in zip(keys, found.values(), strict=True)]
        part = tell(fleet, steps)
        _duels(part, areas(fleet, steps), options.target)
        part.notes.append(
            f"thresholds of {FINE_TUNE} networks and of {SCRATCH} rest on cycles that they have learned from: "
            "their FPR runs high"
        )
        robots = {robot}
        if options.collisions is not None:
            measured, arms = contacts(
                options.collisions, encoders.files, encoders.digests, options.quick, ledger, progress
            )
            robots |= arms
            part.rows += measured.rows
            part.notes += measured.notes
            for name, table in measured.details.items():
                part.table(name, table)
        part.table("weights", [{"source": name, "hours": hours} for name, hours in encoders.hours.items()])
        part.notes += encoders.told(robots)
        part.notes += [f"{name} is left out: {why}" for name, why in left_out.items()]
        part.notes.append(f"difficulty of the fleet: version {manifest(options.data)['difficulty']}")
        return Results("pretraining", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


@dataclass(frozen=True)
class _Encoders:
    """Weights by the name they have in rows, random ones first.

    files : for each seed. hours : of all windows that they have seen, each cut of a signal counted. robots : brands
    and models among them. digests : of the weights.
    """

    files: dict[str, list[Path]]
    hours: dict[str, float]
    robots: dict[str, set[str]]
    digests: dict[str, str]

    @classmethod
    def of(cls, folders: list[str], seeds: int, random: Path) -> _Encoders:
        """Errors: `UsageError` for two that have seen as much, or for other sizes; `ModelFileError` for weights that
        cannot be read."""
        told = sorted(((folder, load_pretrained(folder)[1]) for folder in folders), key=lambda pair: _hours(pair[1]))
        config = told[-1][1]["config"]
        blank = [random_weights(random, seed, config) for seed in range(seeds)]
        found = cls({RANDOM: blank}, {RANDOM: 0.0}, {RANDOM: set()}, {RANDOM: ""})
        for folder, facts in told:
            name = f"{_hours(facts):.1f} h of windows"
            if name in found.files or facts["config"] != config:
                raise UsageError(f"{folder} has seen {name} or is of another size than others; give one of them")
            found.files[name], found.hours[name] = [Path(folder)] * seeds, _hours(facts)
            found.robots[name] = {row["robot"] for row in facts["data"]}
            found.digests[name] = facts["sha256"][:12]
        return found

    def told(self, robots: set[str]) -> list[str]:
        """Notes: what was seen, and whether these robots were among it."""
        notes = []
        for name, seen in self.robots.items():
            if name == RANDOM:
                continue
            known = sorted(robots & seen)
            makers = {robot.split()[0] for robot in robots}
            relatives = sorted(robot for robot in seen if robot.split()[0] in makers)
            notes.append(
                f"{name}: {len(seen)} models of robots"
                + (f"; A LEAK: {', '.join(known)} was among them" if known else "; no judged robot is named among them")
                + (f", of the same maker {', '.join(relatives)}" if relatives and not known else "")
            )
        return notes


def _hours(facts: Mapping[str, Any]) -> float:
    return sum(float(row["hours"]) for row in facts["data"])


def _duels(part: Part, found: Areas, target: str) -> None:
    """Wins and losses of pre-trained weights against random ones, the network from scratch and MiniRocket, by seed."""
    for (approach, source, budget, method), own in found.items():
        if approach != PRETRAINED or source == RANDOM:
            continue
        others = {
            f"{RANDOM}, {method}": found.get((PRETRAINED, RANDOM, budget, method)),
            SCRATCH: found.get((ALONE, "", budget, SCRATCH)),
            MINI_ROCKET: found.get((ALONE, "", budget, MINI_ROCKET)),
        }
        for name, other in others.items():
            if other:
                seeds = [seed for seed in own if seed in other]
                part.pairs(
                    [own[seed] - other[seed] for seed in seeds],
                    method=f"{PRETRAINED}: {method}",
                    split=SPLIT,
                    source=source,
                    target=target,
                    labels=f"{budget} labelled cycles",
                    seeds=len(seeds),
                    suffix=f" against {name} (AUROC)",
                )


def _keys(target: str, budgets: list[int], seeds: int, strategies: dict[str, str], encoders: list[str]) -> list[Key]:
    """All steps, seed by seed. All of the network learns where random weights or those of the most hours begin."""
    keys: list[Key] = []
    for seed in range(seeds):
        keys += [(seed, "", target, 0, ALONE, name) for name in (*HEALTHY_ONLY, ORACLE)]
        for budget in budgets:
            alone = (OURS, "trees", "network", MINI_ROCKET, SCRATCH) if budget else (OURS,)
            keys += [(seed, "", target, budget, ALONE, name) for name in alone]
            keys += [(seed, OTHERS, target, budget, CARRIED, name) for name in (OURS, "trees")]
            keys += [
                (seed, OTHERS, target, budget, CARRIED, name)
                for name, how in strategies.items()
                if budget or how == "align"
            ]
            keys += [(seed, name, target, budget, PRETRAINED, PROBE if budget else DISTANCE) for name in encoders]
            if budget:
                keys += [(seed, name, target, budget, PRETRAINED, FINE_TUNE) for name in (encoders[0], encoders[-1])]
    return keys


def _step(file: str, cycles: str, key: Key, weights: Path, quick: bool) -> dict[str, Any]:
    seed, _, target, budget, _, method = key
    fleet, _ = known(file)
    task, windows = task_of(fleet, "", target, budget, seed), load_cycles(Path(cycles))
    if method == MINI_ROCKET:
        return mini_rocket(task, windows)
    if method in (FINE_TUNE, SCRATCH):
        return trained(task, windows, weights, method == SCRATCH, quick)
    return probed(task, windows, weights)
