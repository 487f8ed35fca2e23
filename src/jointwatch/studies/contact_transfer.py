"""Contact seen in the position errors of one arm, carried to another arm with other joints, with few or no labels."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.studies._contact_events import Arm, arms_of, auroc_of_events, auroc_of_windows, read_arm
from jointwatch.studies._contact_events_frames import ends
from jointwatch.studies._contact_events_methods import (
    BASELINES,
    BY_NUMBER,
    CARRIED,
    DRIFT_ALONE,
    OWN,
    PLAIN,
    TARGET_ONLY,
    TOGETHER,
    Case,
    networks,
    scores,
)
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._sources import sources_digest
from jointwatch.studies.base import Progress, Results, Row, Study, StudyOptions

__all__ = ["ContactTransfer"]

_BUDGETS = (0, 5, 10, 20, 50)
_NETWORK_BUDGETS = (0, 20)
_BASELINE_BUDGETS = (20, 50)  # fewer events have too few free windows
_EPOCHS, _QUICK_EPOCHS = 8, 4
_QUICK_SEEDS, _NETWORK_SEEDS = 2, 3
_SPLIT = "by event"
_RIVALS = ("target only: trees", "target only: drift + own trees")
WINDOWS, EVENTS = "AUROC of windows", "AUROC of events"
_SEEDLESS = {*PLAIN, CARRIED, DRIFT_ALONE} - {"source as it is: trees"}
_AIMS = ((0, 0.65), (20, 0.74))


class _Options(StudyOptions):
    source: str = Field("franka_target", description="Arm with labels: the name of a file of the folder, without .npz.")
    target: str = Field("ur10", description="Arm that it is carried to, likewise.")
    pairs: str = Field("", description="`all`: every file to every other one, in place of source and target.")
    strategies: str = Field("", description="Strategies of the catalog, comma-separated; `none`; empty = all.")


class ContactTransfer(Study):
    """`jointwatch study contact-transfer --data DIR [--source NAME] [--target NAME] [--pairs all]`.

    DIR holds files such as `franka_target.npz` and `ur10.npz` (`pos_error`, `y_link`, `event`, `step`), of arms with
    any numbers of joints. Rules of splitting and scoring are in `studies/_contact_events.py`. Every method sees the
    windows of one half of the target's events without labels, and the labels of 0, 5, 10, 20 or 50 events of that half;
    it is judged on the other half; with all labels of the first half the target alone shows what is to be had. Wins
    and losses are counted seed by seed against the target's own trees, and trees with its own drift, with the same
    labelled events; without labels against the target's own drift. Networks take part with 0 and 20 events, in three
    seeds at most.
    """

    Options = _Options

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        pairs = _pairs(options)
        nets = networks(options.strategies)
        arms = {name: read_arm(options.data, name) for name in dict.fromkeys(name for pair in pairs for name in pair)}
        seeds = min(_QUICK_SEEDS, options.seeds) if options.quick else options.seeds
        epochs = _QUICK_EPOCHS if options.quick else _EPOCHS
        part = Part()
        for name, arm in arms.items():
            part.table("joints", _joints(arm))
            part.notes.append(
                f"{name}: {arm.values.shape[1]} joints, {len(np.unique(arm.event))} events, {len(arm)} windows, "
                f"{int(arm.contact.sum())} with contact"
            )
        for source, target in pairs:
            split = arms[target].halves()
            jobs = _jobs(nets, len(np.unique(split[0].event)), options.quick)
            steps = {
                f"{_learned_on(method, source, target)}/{target}/{method}/{budget}/{seed}": partial(
                    _step, arms[source], split, method, budget, seed, epochs
                )
                for method, budget in jobs
                for seed in range(_seeds(method, budget, seeds))
            }
            found = ledger.every(steps, progress)
            first = next(pair for pair in pairs if pair[1] == target) == (source, target)
            _summarise(part, split[1], (source, target), jobs, found, first)
        return Results("contact-transfer", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _pairs(options: Any) -> list[tuple[str, str]]:
    if options.pairs not in ("", "all"):
        raise UsageError(f"--pairs takes all, got {options.pairs!r}; for one pair give --source and --target")
    if options.pairs == "all":
        found = list(permutations(arms_of(options.data), 2))
        if not found:
            raise NotEnoughData(
                f"pairs of {options.data}", needed=2, have=len(arms_of(options.data)), unit=".npz files"
            )
        return found
    if options.source == options.target:
        raise UsageError(f"source and target are both {options.source}; what is inside one arm stands as target only")
    return [(options.source, options.target)]


def _jobs(nets: list[str], events: int, quick: bool) -> list[tuple[str, int]]:
    """(method, labelled events)."""
    jobs: list[tuple[str, int]] = []
    frames = list(dict.fromkeys(name.partition(":")[0] for name in nets))
    for budget in (b for b in _BUDGETS if b <= events):
        own = [f"{TARGET_ONLY}: {name}" for name in BASELINES if budget in (0, *_BASELINE_BUDGETS)]
        jobs += [(name, budget) for name in (own if budget else [*own, DRIFT_ALONE])]
        jobs += [(name, budget) for name in PLAIN]
        jobs += [(name, budget) for name in ((*OWN, TOGETHER) if budget else (CARRIED,))]
        if budget in ((0,) if quick else _NETWORK_BUDGETS):
            # with labels only in the frame in which arms meet: networks are what takes time here
            every = [*(f"{frame}: source only" for frame in frames), *nets]
            jobs += [(name, budget) for name in every if not budget or not name.startswith(BY_NUMBER)]
    return jobs + [(name, events) for name in (*OWN, TOGETHER) if events not in _BUDGETS]


def _seeds(method: str, budget: int, seeds: int) -> int:
    """How many have anything to draw."""
    if method in _SEEDLESS and not budget:
        return 1
    return min(seeds, _NETWORK_SEEDS) if method in networks() or method.endswith(": source only") else seeds


def _step(source: Arm, split: tuple[Arm, Arm], method: str, budget: int, seed: int, epochs: int) -> dict[str, Any]:
    """Scores of the test windows; a `shortage` where the method needs more than it is given."""
    given, test = split
    case = Case(source, given, given.some_events(budget, seed) if budget else None, test, seed, epochs)
    try:
        return {"scores": [float(f"{value:.6g}") for value in scores(method, case)]}
    except NotEnoughData as error:
        return {"shortage": str(error)}


def _summarise(
    part: Part,
    test: Arm,
    pair: tuple[str, str],
    jobs: list[tuple[str, int]],
    found: dict[str, dict[str, Any]],
    first: bool,
) -> None:
    """Rows of a pair; those of the target alone only with the `first` pair that has this target."""
    source, target = pair
    by_seed: dict[tuple[str, int], list[float]] = {}
    short: dict[str, list[str]] = {}
    for method, budget in jobs:
        learned = _learned_on(method, source, target)
        prefix = f"{learned}/{target}/{method}/{budget}/"
        steps = [found[prefix + str(seed)] for seed in range(len(found)) if prefix + str(seed) in found]
        if any("shortage" in step for step in steps):
            why = next(step["shortage"] for step in steps if "shortage" in step)
            short.setdefault(why, []).append(f"{method}, {budget} events")
            continue
        said = [np.array(step["scores"]) for step in steps]
        by_seed[method, budget] = [auroc_of_windows(test, [one], repeats=0)[0] for one in said]
        if learned == target and not first:
            continue
        for metric, judge in ((WINDOWS, auroc_of_windows), (EVENTS, auroc_of_events)):
            _row(part, judge(test, said), metric, method, learned, target, budget, test, len(said))
        part.table(
            "seeds",
            [
                {
                    "source": learned,
                    "target": target,
                    "method": method,
                    "labelled_events": budget,
                    "seed": k,
                    "auroc": x,
                }
                for k, x in enumerate(by_seed[method, budget])
            ],
        )
    for (method, budget), own in by_seed.items():
        if method.startswith(TARGET_ONLY):
            continue
        for name in _RIVALS if budget else (DRIFT_ALONE,):
            rival = by_seed.get((name, budget))
            if rival is None:
                continue
            rival = rival * len(own) if len(rival) == 1 else rival
            part.pairs(
                [a - b for a, b in zip(own, rival, strict=False)],
                method=method,
                split=_SPLIT,
                source=source,
                target=target,
                labels=_events(budget),
                seeds=len(own),
                suffix=f" against {name}",
            )
    if first:
        part.notes += [f"{target}: {', '.join(what)}: {why}" for why, what in short.items()]
    part.notes += _aims(by_seed, source, target)


def _aims(by_seed: dict[tuple[str, int], list[float]], source: str, target: str) -> Iterable[str]:
    for budget, aim in _AIMS:
        method = TOGETHER if budget else CARRIED
        if (method, budget) in by_seed:
            value = float(np.mean(by_seed[method, budget]))
            verdict = "met" if value > aim else "not met"
            yield f"{source} to {target}, {_events(budget)}: {method} {value:.3f}, aim above {aim:g}: {verdict}"


def _row(
    part: Part,
    figure: tuple[float, float, float],
    metric: str,
    method: str,
    source: str,
    target: str,
    budget: int,
    test: Arm,
    seeds: int,
) -> None:
    part.rows.append(
        Row(method, _SPLIT, source, target, _events(budget), metric, *figure, len(np.unique(test.event)), seeds)
    )


def _learned_on(method: str, source: str, target: str) -> str:
    return target if method.startswith(TARGET_ONLY) else source


def _events(budget: int) -> str:
    return f"{budget} labelled events"


def _joints(arm: Arm) -> Iterable[dict[str, Any]]:
    """What contact does to each joint, in the half that is not tested on: growth, and how it ranks contact."""
    half = arm.halves()[0]
    joints = half.values.shape[1]
    for joint in range(joints):
        last, growth = ends(half.values)[:, [joint, joints + joint]].T
        yield {
            "arm": arm.name,
            "joint": joint + 1,
            "growth_free_mrad": float(growth[~half.contact].mean()),
            "growth_contact_mrad": float(growth[half.contact].mean()),
            "end_auroc": auroc_of_windows(half, [last], repeats=0)[0],
            "magnitude_auroc": auroc_of_windows(half, [np.abs(half.values[:, joint]).mean(axis=1)], repeats=0)[0],
        }
