"""Samples a block (S1) and blocks a map (N_t): how large feature maps should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.core.errors import NotEnoughData
from jointwatch.studies._axes import AxisOptions, Counts, Fleet, Halves, add_counts, codes_of, fitted, judged, numbers
from jointwatch.studies._folds import SPLITS
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies.base import Progress, Results, Study
from jointwatch.training.recipes import Recipe
from jointwatch.windows._cut import count_windows

__all__ = ["AxisSettings"]


class _Options(AxisOptions):
    axis: int = Field(4, ge=1, description="The axis that is learned and tested.")
    blocks: str = Field("5,10,25,50", description="S1: samples a block, comma-separated.")
    lengths: str = Field("8,16,24", description="N_t: blocks a map, comma-separated.")


@dataclass(frozen=True)
class _Cut:
    """One setting under one split; `stride` is 0 where no session is long enough for a map."""

    split: str
    block: int
    length: int
    stride: int
    left_out: int

    @property
    def key(self) -> str:
        return f"{self.split}/{self.block}x{self.length}"


class AxisSettings(Study):
    """`jointwatch study axis-settings --data FLEET`; FLEET is what `jointwatch simulate m1-axes --out FLEET` makes.

    AD-CNN, trained as published, on maps of every S1 and N_t, under the random split (optimistic) and with whole units
    held out. So that a setting does not win by the number of its maps, the stride S2 of each is the whole number of
    blocks that gives the number of maps nearest to that of `--step`, `--length` and `--stride`; where even S2 = 1 gives
    fewer, there are fewer. Sessions shorter than a map are left out and counted; a setting without any is not run.
    """

    Options = _Options

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        fleet = Fleet(options.data, options)
        splits = fleet.splits(options.axis)
        samples = [len(recording.time_s) for recording in fleet.recordings(options.axis)]
        training = options.recipe("paper")
        part, cuts, steps, amounts = Part(), [], {}, {}
        for split in splits:
            usual = _Cut(split, options.step, options.length, fleet.stride(split), 0)
            for block in map(int, numbers(options.blocks)):
                for length in map(int, numbers(options.lengths)):
                    cut = _like(usual, samples, block, length)
                    cuts.append(cut)
                    if not cut.stride:
                        continue
                    for seed in options.repeats:
                        halves = _halves(fleet, options.axis, cut, seed)
                        amounts[f"{cut.key}/{seed}"] = (len(halves.train), len(halves.test))
                        steps[f"{cut.key}/{seed}"] = partial(_learned, halves, training, seed)
        found = ledger.every(steps, progress)
        for cut in cuts:
            keys = [f"{cut.key}/{seed}" for seed in options.repeats]
            if cut.stride:
                _report(part, cut, [found[key] for key in keys], [amounts[key] for key in keys], options.axis)
            else:
                _not_run(part, cut)
        part.notes += _left_out(cuts, len(samples))
        part.notes.append(fleet.note)
        return Results("axis-settings", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _maps_in(samples: Sequence[int], block: int, length: int, stride: int) -> int:
    """How many maps sessions of so many samples hold."""
    return sum(count_windows(session // block, length, stride) for session in samples)


def _like(usual: _Cut, samples: Sequence[int], block: int, length: int) -> _Cut:
    """The setting with the stride that gives the number of maps nearest to the usual; of several, the nearest one."""
    wanted = _maps_in(samples, usual.block, usual.length, usual.stride)
    moved = usual.stride * usual.block
    left_out = sum(session // block < length for session in samples)
    strides = range(1, max(samples) // block - length + 2)
    missed = {stride: abs(_maps_in(samples, block, length, stride) - wanted) for stride in strides}
    found = min(strides, key=lambda stride: (missed[stride], abs(stride * block - moved)), default=0)
    return _Cut(usual.split, block, length, found, left_out)


def _halves(fleet: Fleet, axis: int, cut: _Cut, seed: int) -> Halves:
    halves = fleet.halves(axis, cut.split, seed, step=cut.block, length=cut.length, stride=cut.stride)
    for side, maps in (("train on", halves.train), ("test on", halves.test)):
        kinds = len(np.unique(codes_of(maps)))
        if kinds < 2:
            what = f"maps of {cut.length} blocks of {cut.block} samples to {side}"
            raise NotEnoughData(what, needed=2, have=kinds, unit="conditions (worn, healthy)")
    return halves


def _learned(halves: Halves, training: Recipe, seed: int) -> Counts:
    return judged(fitted(halves.train, training, seed), halves.test)


def _record(cut: _Cut, train: float, test: float) -> dict[str, Any]:
    return {
        "S1": cut.block,
        "N_t": cut.length,
        "S2": cut.stride,
        "maps to train": train,
        "maps to test": test,
        "sessions left out": cut.left_out,
    }


def _report(part: Part, cut: _Cut, counts: list[Counts], amounts: list[tuple[int, int]], axis: int) -> None:
    train, test = (float(mean) for mean in np.mean(amounts, axis=0))
    add_counts(
        part,
        counts,
        cut.split,
        _record(cut, train, test),
        method=f"AD-CNN, S1 = {cut.block}, N_t = {cut.length}",
        source=f"axis {axis}",
        target=f"axis {axis}",
        labels=f"{train:.0f} maps",
    )


def _not_run(part: Part, cut: _Cut) -> None:
    empty = {"metric": "", "mean": math.nan, "low": math.nan, "high": math.nan}
    part.table("figures", [{**_record(cut, 0.0, 0.0), "split": SPLITS[cut.split], **empty}])


def _left_out(cuts: Sequence[_Cut], sessions: int) -> list[str]:
    short = {(cut.block, cut.length): cut.left_out for cut in cuts if cut.left_out}
    return [
        f"S1 = {block}, N_t = {length}: {count} of {sessions} sessions are shorter than a map and left out"
        for (block, length), count in short.items()
    ]
