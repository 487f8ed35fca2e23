"""What the studies of reducer faults share: the fleet by axis, the published amounts, the two splits, the counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.core import Recording, Windows
from jointwatch.core.errors import InputError, NotEnoughData
from jointwatch.diagnosis._maps_view import MapsView
from jointwatch.recordings import read
from jointwatch.studies._confusions import METRICS, confusions
from jointwatch.studies._fleet_table import manifest
from jointwatch.studies._folds import SPLITS
from jointwatch.studies._part import Part
from jointwatch.studies.base import StudyOptions
from jointwatch.training.seed import generator
from jointwatch.windows.feature_maps import FeatureMaps
from jointwatch.windows.splits import check_no_leak, holdout

__all__ = [
    "FIGURES",
    "NETWORKS",
    "AxisOptions",
    "Counts",
    "Fleet",
    "Halves",
    "add_counts",
    "codes_of",
    "counts_of",
    "judged",
    "over_repeats",
    "published",
]

NETWORKS = {"AD-CNN": "ad_cnn", "D-CNN": "d_cnn", "CNN": "cnn", "FCN": "fcn", "LSTM": "lstm"}
FIGURES = ("accuracy", "precision", "recall", "F1", "balanced accuracy", "MCC")
_AMOUNTS = {6: (189_749, 44_796)}
_FEW = (21_777, 19_105)
_TEST = 0.2
_SPARSE = 4  # with units held out, near copies of a map add nothing but time

Counts = dict[str, list[list[int]]]
"""Of each unit, (true, said) counts."""


class AxisOptions(StudyOptions):
    """Options of the studies of reducer faults."""

    step: int = Field(25, ge=2, description="S1: samples a block.")
    length: int = Field(16, ge=2, description="N_t: blocks a map.")
    stride: int = Field(1, ge=1, description="S2: blocks from one map to the next (random split; units out: 4 x S2).")


@dataclass(frozen=True)
class Halves:
    """Maps of one axis to train on and to test on, and how they were told apart."""

    train: Windows
    test: Windows
    split: str


class Fleet:
    """The simulated fleet `m1-axes`, read axis by axis when it is asked for.

    Errors: `InputError` if the folder is not such a fleet.
    """

    def __init__(self, folder: Path, options: AxisOptions) -> None:
        if not (folder / "fleet.json").is_file():
            raise InputError(
                "holds no fleet.json",
                file=folder,
                remedy=f"jointwatch simulate m1-axes --out {folder}, or point --data at such a fleet",
            )
        self.folder, self.options = folder, options
        self.about = manifest(folder)
        self._read: dict[int, list[Recording]] = {}

    @cached_property
    def axes(self) -> dict[int, str]:
        """Axis -> group of the fleet in which it is the one that moves and wears."""
        return {group["faults"][0]["joints"][0]: group["name"] for group in self.about["spec"]["groups"]}

    @property
    def note(self) -> str:
        """What the results rest on."""
        return f"difficulty {self.about['difficulty']}, simulator revision {self.about['revision']}"

    def recordings(self, axis: int) -> list[Recording]:
        """All sessions of an axis.

        Errors: `InputError` if the fleet has none.
        """
        if axis not in self.axes:
            raise InputError(
                f"has no axis {axis}", file=self.folder, remedy=f"axes are {', '.join(map(str, self.axes))}"
            )
        if axis not in self._read:
            self._read[axis] = list(read(self.folder / self.axes[axis]))
        return self._read[axis]

    def halves(self, axis: int, split: str, seed: int, **settings: Any) -> Halves:
        """Training and test maps, a fifth for the test.

        `random`: the published amounts of samples, maps dealt at random as published. `unit`: the whole fleet, whole
        units held out, maps further apart.
        """
        recordings = self.recordings(axis)
        if split == "random":
            maps = self.maps(published(recordings, axis, seed), axis, **settings)
            order = generator(seed, 21).permutation(len(maps))
            test = np.sort(order[: max(1, round(_TEST * len(maps)))])
            rest = np.setdiff1d(np.arange(len(maps)), test)
            return Halves(maps[rest], maps[test], split)
        stride = settings.pop("stride", self.options.stride)
        train, held = holdout(self.maps(recordings, axis, stride=stride * _SPARSE, **settings), "unit", _TEST, seed)
        check_no_leak(train, held, by="unit")
        return Halves(train, held, split)

    def maps(self, recordings: Sequence[Recording], axis: int, **settings: Any) -> Windows:
        """Maps of one axis, on no scale yet."""
        chosen = {"step": self.options.step, "length": self.options.length, "stride": self.options.stride, **settings}
        return FeatureMaps(axis=axis, **chosen).fit_transform(recordings)


def published(recordings: Sequence[Recording], axis: int, seed: int) -> list[Recording]:
    """Sessions of units drawn by lot until there are as many worn and healthy samples as were published."""
    worn, healthy = _AMOUNTS.get(axis, _FEW)
    wanted = {"anomalous": worn, "normal": healthy}
    units = generator(seed, 22).permutation(sorted({recording.robot.unit for recording in recordings}))
    place = {unit: number for number, unit in enumerate(units)}
    chosen = []
    for recording in sorted(recordings, key=lambda r: (place[r.robot.unit], r.session)):
        label = str(recording.condition.label)
        if wanted.get(label, 0) > 0:
            wanted[label] -= len(recording.time_s)
            chosen.append(recording)
    if any(missing > 0 for missing in wanted.values()):
        raise NotEnoughData(
            f"the published amounts of axis {axis}",
            needed=worn + healthy,
            have=sum(len(recording.time_s) for recording in recordings),
            unit="samples",
        )
    return chosen


def codes_of(maps: Windows) -> np.ndarray:
    """(map,) 1 where worn."""
    return (maps.index.label == "anomalous").astype(np.int64)


def counts_of(maps: Windows, said: np.ndarray) -> Counts:
    """(true, said) counts of the test maps by unit."""
    names = np.unique(maps.index.unit)
    table = confusions(maps.index.unit, names, codes_of(maps), said, 2)
    return {str(name): table[number].tolist() for number, name in enumerate(names)}


def judged(view: MapsView, maps: Windows) -> Counts:
    """Counts of what a fitted view says of test maps."""
    return counts_of(maps, view.log_proba(maps).argmax(axis=1))


def add_counts(part: Part, repetitions: Sequence[Counts], split: str, **place: str) -> dict[str, float]:
    """A row of `part` for every figure; `repetitions` hold one entry for each seed. Means by figure."""
    units = sorted({unit for counts in repetitions for unit in counts})
    empty = [[0, 0], [0, 0]]
    arrays = [np.array([counts.get(unit, empty) for unit in units]) for counts in repetitions]
    return part.add(arrays, FIGURES, split=SPLITS[split], **place)


def over_repeats(repetitions: Sequence[Counts], figure: str) -> tuple[float, float]:
    """Mean and standard deviation over the seeds, as publications give it."""
    values = [METRICS[figure](np.array(list(counts.values()), float).sum(axis=0)[None])[0] for counts in repetitions]
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
