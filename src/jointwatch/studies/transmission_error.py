"""Transmission error of harmonic drives in six levels: the published protocol, then drives never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from jointwatch.core.errors import NotEnoughData
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._sources import sources_digest
from jointwatch.studies._transmission_error_drives import DRIVE_FOLDS, drives_step, noise_step
from jointwatch.studies._transmission_error_pictures import drives_pictures, protocol_pictures, simple_pictures
from jointwatch.studies._transmission_error_protocol import PROTOCOL_FOLDS, PROTOCOLS, protocol_step
from jointwatch.studies._transmission_error_protocol_rows import protocol_part
from jointwatch.studies._transmission_error_rows import drives_part, noise_part
from jointwatch.studies._transmission_error_table import Source, measure
from jointwatch.studies.base import Progress, Results, Study, StudyOptions

__all__ = ["TransmissionError"]

_PARTS = ("protocol", "drives", "noise", "arm", "aging")
_LEVELS = (1.0, 3.0, 10.0)  # of added noise, in sensors' own
_DEEP_LEVELS = (3.0, 10.0)  # where the auto-encoder is trained on noise, too
_NOISE_CYCLES = (1, 10)
_QUICK_EPOCHS = 3


class _Options(StudyOptions):
    parts: str = Field(
        "", description="Which of protocol, drives, noise, arm and aging, comma-separated; all there is."
    )
    cycles: str = Field("1,3,5,10", description="How many successive cycles are judged together, comma-separated.")
    arm: Path | None = Field(None, description="Fleet of arms whose joints move one at a time (preset m2-arm).")
    aging: Path | None = Field(None, description="Fleet of drives that wear over weeks (preset m2-aging).")
    network_seeds: int = Field(2, ge=1, description="Repetitions with auto-encoders, which take most of the time.")
    epochs: int = Field(40, ge=1, description="Of the auto-encoder, at most.")

    @field_validator("parts")
    @classmethod
    def _known(cls, value: str) -> str:
        unknown = [name for name in value.split(",") if value and name not in _PARTS]
        if unknown:
            raise ValueError(f"no part {', '.join(unknown)}; there are {', '.join(_PARTS)}")
        return value

    @field_validator("cycles")
    @classmethod
    def _counts(cls, value: str) -> str:
        if not all(part.strip().isdigit() and int(part) for part in value.split(",")):
            raise ValueError(f"cycles are whole numbers from 1, comma-separated, got {value!r}")
        return value

    @property
    def counts(self) -> tuple[int, ...]:
        """Numbers of cycles; one cycle is always among them."""
        return tuple(sorted({1} | {int(part) for part in self.cycles.split(",")}))

    @property
    def chosen(self) -> tuple[str, ...]:
        """Parts, in order; those of further fleets only where a folder is given."""
        asked = self.parts.split(",") if self.parts else _PARTS
        return tuple(name for name in _PARTS if name in asked and getattr(self, name, True) is not None)


class TransmissionError(Study):
    """`jointwatch study transmission-error --data FLEET`, where FLEET is what
    `jointwatch simulate m2-drives --out FLEET` makes.

    (a) The published protocol: ten drives, cycles dealt at random to three folds; beside it whole sessions held out.
    (b) Drives held out, five folds of whole drives: only worn sessions are judged. (c) The same, relative to the two
    sessions of the drive's youth. (d) One to ten successive cycles judged together. (e) White noise on current and
    torque of the judged cycles, or of all. `--arm` and `--aging` add the joints of an arm, and a maintenance date.

    Levels are those of the true static error, steps of 0.025 degree. Every method learns from the training drives
    alone, their youth included: scales, auto-encoder, epochs, widths of intervals. Networks are trained once a fold and
    seed, and every classifier stands on the same code. The oracle, trees on the true parameters of the drive, learns
    from as few drives as all others and so is no bound. Intervals are 95 %, from whole drives drawn again (protocol:
    sessions).
    """

    Options = _Options

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        part, parts = Part(), options.chosen
        if {"protocol", "drives", "noise"} & set(parts):
            noise = _LEVELS if "noise" in parts else ()
            source = measure(options.data, ledger.path.parent, self._rests_on(), noise, progress)
            part.join(_of_drives(source, parts, options, ledger, progress))
        seeds = 1 if options.quick else options.seeds
        if "arm" in parts:
            from jointwatch.studies._transmission_error_arm import arm_part

            part.join(arm_part(options.arm, seeds, ledger, progress))
        if "aging" in parts:
            from jointwatch.studies._transmission_error_aging import aging_part

            part.join(aging_part(options.data, options.aging, seeds, ledger, progress))
        return Results("transmission-error", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _of_drives(source: Source, parts: Sequence[str], options: Any, ledger: Ledger, progress: Progress) -> Part:
    """Parts (a) to (e), all their long steps side by side, the headline's first."""
    cycles = source.cycles()
    there = {"protocol": cycles.published.any(), "drives": (~cycles.published).any()}
    parts = [name for name in parts if there.get("drives" if name == "noise" else name, False)]
    if not parts:
        raise NotEnoughData("a study of transmission error", needed=1, have=0, unit="cycles of the parts asked for")
    seeds = range(1 if options.quick else options.seeds)
    epochs = min(_QUICK_EPOCHS, options.epochs) if options.quick else options.epochs
    deep = min(len(seeds), options.network_seeds)
    noise_counts = tuple(count for count in _NOISE_CYCLES if count in options.counts)
    steps: dict[str, Callable[[], Any]] = {}
    if "drives" in parts or "noise" in parts:
        levels = _LEVELS if "noise" in parts else ()
        for seed in seeds:
            for fold in range(DRIVE_FOLDS):
                steps[f"drives/{seed}/{fold}"] = partial(
                    drives_step,
                    source,
                    seed,
                    fold,
                    options.counts,
                    epochs,
                    levels,
                    noise_counts if seed < deep else (),
                    seed < deep,
                )
    if "protocol" in parts:
        for name in PROTOCOLS:
            for seed in seeds:
                for fold in range(PROTOCOL_FOLDS):
                    step = partial(protocol_step, source, name, seed, fold, options.counts, epochs, seed < deep)
                    steps[f"protocol/{name}/{seed}/{fold}"] = step
        steps["pictures/protocol"] = partial(protocol_pictures, source, epochs)
        steps["pictures/simple"] = partial(simple_pictures, source)
    if "drives" in parts:
        steps["pictures/drives"] = partial(drives_pictures, source, epochs)
    if "noise" in parts:
        for size in _LEVELS:
            for fold in range(DRIVE_FOLDS):
                step = partial(noise_step, source, size, 0, fold, noise_counts, epochs, size in _DEEP_LEVELS)
                steps[f"noise/{size:g}/0/{fold}"] = step
    found = ledger.every(steps, progress)
    part = Part()
    if "protocol" in parts:
        part.join(protocol_part(cycles, _of(found, "protocol"), len(seeds), options.counts))
    if "drives" in parts:
        part.join(drives_part(cycles, _of(found, "drives"), len(seeds), options.counts))
    if "noise" in parts:
        part.join(noise_part(cycles, _of(found, "drives"), _of(found, "noise"), deep, _LEVELS))
    for step in _of(found, "pictures").values():
        for name, records in step.items():
            part.table(name, records)
    if options.quick:
        part.notes.append("a quick run: one seed and few epochs, not for quoting")
    drives = len(np.unique(cycles.index.unit[~cycles.published]))
    part.notes.append(f"{drives} drives of the fleet, {len(cycles)} cycles in all")
    return part


def _of(found: dict[str, Any], part: str) -> dict[str, Any]:
    """Steps of a part, their keys without its name."""
    return {key.partition("/")[2]: value for key, value in found.items() if key.startswith(f"{part}/")}
