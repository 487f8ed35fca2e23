"""A peer's own benchmark: every adaptation strategy on AdaTime's scenarios of UCI HAR, and choices without labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from pydantic import Field, field_validator
from sklearn.metrics import f1_score

from jointwatch.studies._adatime_data import labels_of, pairs_asked
from jointwatch.studies._adatime_methods import (
    BEST,
    BY_SPLIT,
    BY_TRAINING,
    CHOSEN,
    MEAN_OF_SEEDS,
    SOURCE_ONLY,
    TARGET_ONLY,
    Training,
    alone,
    candidates,
    compare,
    strategies,
)
from jointwatch.studies._adatime_peer import PEER, as_in_peer, peer_name
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._sources import sources_digest
from jointwatch.studies.base import Progress, Results, Row, Study, StudyOptions

__all__ = ["Adatime"]

_METRIC = "macro F1"
_QUICK_PAIRS, _QUICK_EPOCHS = 2, 8
_REPEATS = 2000
ALL = "all scenarios"

_Scores = dict[tuple[str, str, tuple[str, str]], list[float]]
"""Method, normalisation, scenario -> macro F1 of each seed."""


class _Options(StudyOptions):
    scenarios: str = Field("", description="Pairs such as 2-11,6-23; default those of AdaTime that are in the folder.")
    strategies: str = Field(
        "", description="Adaptation strategies of the catalog, comma-separated; `none`; empty = all."
    )
    seeds: int = Field(3, ge=1, description="How many repetitions with different seeds.")
    epochs: int = Field(40, ge=1, description="Passes over the training windows; AdaTime's number is 40.")

    @field_validator("strategies")
    @classmethod
    def _known(cls, value: str) -> str:
        strategies(value)
        return value


class Adatime(Study):
    """`jointwatch study adatime --data DIR [--scenarios 2-11,6-23]`, where DIR is `adatime_har` or holds files
    `subject_N.npz` of its form.

    AdaTime's protocol: learn from the source's training windows with labels and the target's without, 40 epochs in
    batches of 32, judge the last epoch by macro F1 on the target's test windows, three seeds, its network. Every
    channel of every file is normalised by its own mean and deviation, as its code does; the same figures with the
    statistics of the target's training windows in place of those of its test windows stand beside.

    No hyper-parameter was fitted to a target: epochs, batch size and decay are AdaTime's, the rate is Adam's usual one,
    the rest is what each strategy has by default from its publication. Beside the candidates stand three of them with
    the settings of AdaTime's code, to compare like with like. What a method or a choice may see holds no label
    of the target (`Scenario`).
    """

    Options = _Options

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        pairs, names = pairs_asked(options.data, options.scenarios), strategies(options.strategies)
        if options.quick:
            pairs = pairs[-_QUICK_PAIRS:]
        seeds = 1 if options.quick else options.seeds
        training = Training(epochs=min(options.epochs, _QUICK_EPOCHS) if options.quick else options.epochs)
        steps = {
            f"{what}/{'-'.join(pair)}/{seed}": step
            for seed in range(seeds)
            for pair in pairs
            for what, step in (
                ("compare", partial(compare, options.data, pair, names, seed, training)),
                ("alone", partial(alone, options.data, pair, seed, training)),
            )
        }
        found = ledger.every(steps, progress)
        part, scores = Part(), _scores(options, found, pairs, seeds)
        _rows(part, scores, pairs, candidates(names))
        _pairs_of(part, scores, pairs)
        _choices(part, found, scores, pairs, seeds)
        _steadiness(part, found, pairs, seeds)
        _beside_peer(part, scores, pairs)
        part.notes += _closing(len(pairs), seeds)
        return Results("adatime", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _scores(options: Any, found: Mapping[str, Any], pairs: Sequence[tuple[str, str]], seeds: int) -> _Scores:
    """What was said is held against the labels here, and nowhere else."""
    scores: _Scores = {}
    for pair in pairs:
        true = labels_of(options.data, pair[1], "test").astype(int)
        for seed in range(seeds):
            for what in ("alone", "compare"):
                for method, ways in found[f"{what}/{'-'.join(pair)}/{seed}"]["said"].items():
                    for way, said in ways.items():
                        scores.setdefault((method, way, pair), []).append(_macro_f1(true, np.array(said)))
        steps = [found[f"compare/{'-'.join(pair)}/{seed}"] for seed in range(seeds)]
        for way in (BY_SPLIT, BY_TRAINING):
            mean = np.mean([step["mean"][way] for step in steps], axis=0)
            scores[MEAN_OF_SEEDS, way, pair] = [_macro_f1(true, mean.argmax(axis=1))]
    return scores


def _macro_f1(true: np.ndarray, said: np.ndarray) -> float:
    """As AdaTime counts it: classes neither there nor said do not count, those only said count 0."""
    return float(f1_score(true, said, average="macro", zero_division=0.0))


def _rows(part: Part, scores: _Scores, pairs: Sequence[tuple[str, str]], names: Sequence[str]) -> None:
    """Each method on each scenario and on all; the best of the candidates, by labels, closes."""
    methods = list(dict.fromkeys(method for method, _, _ in scores))
    for way in (BY_SPLIT, BY_TRAINING):
        for method in methods:
            each = [scores[method, way, pair] for pair in pairs]
            for pair, values in zip(pairs, each, strict=True):
                found = (float(np.mean(values)), min(values), max(values))
                part.rows.append(_row(method, way, pair, found, len(values)))
            part.rows.append(_row(method, way, (ALL, ALL), _over(each), len(each[0]), len(pairs)))
        best = max(names, key=lambda name: np.mean([scores[name, way, pair] for pair in pairs]))
        each = [scores[best, way, pair] for pair in pairs]
        part.rows.append(_row(BEST, way, (ALL, ALL), _over(each), len(each[0]), len(pairs)))
        part.notes.append(f"{way}: best strategy over all scenarios, said by labels: {best}")


def _over(each: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Mean over scenarios, each with its seeds, and its interval when scenarios are drawn with replacement."""
    means = np.array([np.mean(values) for values in each])
    if len(means) < 2:
        return float(means.mean()), math.nan, math.nan
    drawn = np.random.default_rng(0).integers(0, len(means), (_REPEATS, len(means)))
    low, high = np.percentile(means[drawn].mean(axis=1), [2.5, 97.5])
    return float(means.mean()), float(low), float(high)


def _row(
    method: str, way: str, pair: tuple[str, str], found: tuple[float, float, float], seeds: int, n: int = 1
) -> Row:
    source, target = pair if pair[0] == ALL else (f"subject {name}" for name in pair)
    labels = "all of the target's training windows" if method == TARGET_ONLY else "none"
    return Row(method, way, source, target, labels, _METRIC, *found, n, seeds)


def _pairs_of(part: Part, scores: _Scores, pairs: Sequence[tuple[str, str]]) -> None:
    """Gains and losses of every method against no adaptation, scenario by scenario and seed by seed."""
    for method in dict.fromkeys(method for method, _, _ in scores):
        if method in (SOURCE_ONLY, TARGET_ONLY):
            continue
        gains = [
            (gain, pair)
            for pair in pairs
            for gain in np.subtract(scores[method, BY_SPLIT, pair], scores[SOURCE_ONLY, BY_SPLIT, pair])
        ]
        part.pairs(
            [float(gain) for gain, _ in gains],
            method=f"{method}, against {SOURCE_ONLY}",
            split=BY_SPLIT,
            source=ALL,
            target=ALL,
            labels="none",
            seeds=len(scores[method, BY_SPLIT, pairs[0]]),
        )
        mean = {pair: float(np.mean([gain for gain, of in gains if of == pair])) for pair in pairs}
        worst = min(mean, key=lambda pair: mean[pair])
        part.table("worst", [{"method": method, "scenario": "-".join(worst), "gain": mean[worst]}])
        if method == CHOSEN:
            part.notes.append(
                f"{method}: its worst scenario against {SOURCE_ONLY} is {'-'.join(worst)}, {mean[worst]:+.3f}"
            )


def _choices(
    part: Part, found: Mapping[str, Any], scores: _Scores, pairs: Sequence[tuple[str, str]], seeds: int
) -> None:
    """What was chosen each time, what that cost against the best candidate, and the scores behind it."""
    for pair in pairs:
        for seed in range(seeds):
            step = found[f"compare/{'-'.join(pair)}/{seed}"]
            names = list(step["target"])
            known = {name: scores[name, BY_SPLIT, pair][seed] for name in names}
            best = max(known, key=lambda name: known[name])
            for choice, name in step["chosen"].items():
                part.table(
                    "choices",
                    [{
                        "scenario": "-".join(pair), "seed": seed, "choice": choice, "taken": name,
                        _METRIC: known[name], "best": best, f"best {_METRIC}": known[best],
                    }],
                )  # fmt: skip
            for score, values in step["scores"].items():
                part.table(
                    "scores",
                    [
                        {"scenario": "-".join(pair), "seed": seed, "score": score, "method": name, "value": value}
                        | {_METRIC: known[name]}
                        for name, value in values.items()
                    ],
                )


def _steadiness(part: Part, found: Mapping[str, Any], pairs: Sequence[tuple[str, str]], seeds: int) -> None:
    """Share of the target's training windows of which two starts of a candidate say the same class: where it is low,
    the target is not safe to adapt to, and that is seen without labels."""
    for pair in pairs if seeds > 1 else ():
        steps = [found[f"compare/{'-'.join(pair)}/{seed}"]["target"] for seed in range(seeds)]
        same = {
            name: float(np.mean([np.equal(one[name], other[name]).mean() for one, other in combinations(steps, 2)]))
            for name in steps[0]
        }
        part.table("steadiness", [{"scenario": "-".join(pair), "method": name, "same": same[name]} for name in same])
        part.notes.append(
            f"{'-'.join(pair)}: two starts of a candidate say the same of {np.mean(list(same.values())):.2f} of the "
            "target's training windows"
        )


def _beside_peer(part: Part, scores: _Scores, pairs: Sequence[tuple[str, str]]) -> None:
    """Ours beside the figures of AdaTime's own code, on the scenarios for which they are known."""
    shared = [pair for pair in pairs if pair in next(iter(PEER.values()))]
    for method, known in PEER.items():
        for own in (method, as_in_peer(method)):
            if not shared or (own, BY_SPLIT, shared[0]) not in scores:
                continue
            records = [
                {
                    "method": own,
                    "of": method,
                    "scenario": "-".join(pair),
                    "ours": float(np.mean(scores[own, BY_SPLIT, pair])),
                    "AdaTime's code": known[pair],
                }
                for pair in shared
            ]
            part.table("peer", records)
            ours, theirs = (float(np.mean([record[key] for record in records])) for key in ("ours", "AdaTime's code"))
            part.notes.append(
                f"{own} over {len(shared)} scenarios: {ours:.3f}, {peer_name(method)} of AdaTime's own code "
                f"{theirs:.3f}"
            )


def _closing(pairs: int, seeds: int) -> list[str]:
    return [
        f"low and high are the lowest and highest of {seeds} seeds for one scenario, and a 95 % interval over "
        f"scenarios for all {pairs}",
        "convolutions are computed in bfloat16 where the processor has instructions for it",
    ]
