"""What the studies of reducer faults share: the fleet by axis, the published amounts, the two splits, the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from jointwatch.core import Recording, Windows
from jointwatch.core.errors import InputError, NotEnoughData, UsageError
from jointwatch.diagnosis._maps_view import MapsView
from jointwatch.recordings import read
from jointwatch.studies._confusions import METRICS, confusions
from jointwatch.studies._fleet_table import manifest
from jointwatch.studies._folds import SPLITS
from jointwatch.studies._part import LEAK, Part
from jointwatch.studies._sources import sources_digest
from jointwatch.studies._trees import ORACLE
from jointwatch.studies.base import StudyOptions
from jointwatch.training.recipes import Recipe, recipe
from jointwatch.training.seed import generator
from jointwatch.windows.feature_maps import FeatureMaps
from jointwatch.windows.splits import check_no_leak, holdout

__all__ = [
    "AMOUNTS",
    "FEW",
    "FIGURES",
    "NETWORKS",
    "SAID",
    "AxisOptions",
    "Counts",
    "Fleet",
    "Halves",
    "add_counts",
    "balanced_of",
    "codes_of",
    "counts_of",
    "drawn",
    "fitted",
    "judged",
    "numbers",
    "over_repeats",
]

NETWORKS = {"AD-CNN": "ad_cnn", "D-CNN": "d_cnn", "CNN": "cnn", "FCN": "fcn", "LSTM": "lstm"}
FIGURES = ("accuracy", "precision", "recall", "F1", "balanced accuracy", "MCC")
SAID = ("healthy", "worn")
"""Names of the two classes."""
AMOUNTS = {6: (189_749, 44_796)}
FEW = (21_777, 19_105)
_TEST = 0.2
_QUICK_SEEDS = 2
_QUICK_EPOCHS = 5  # times fewer
_UNITS = 5  # fewer units cannot be held out
_SPARSE = 4  # with units held out, near copies of a map add nothing but time

Counts = dict[str, list[list[int]]]
"""Of each unit, (true, said) counts."""


class AxisOptions(StudyOptions):
    """Options of the studies of reducer faults."""

    step: int = Field(25, ge=2, description="S1: samples a block.")
    length: int = Field(16, ge=2, description="N_t: blocks a map.")
    stride: int = Field(1, ge=1, description="S2: blocks from one map to the next (random split; units out: 4 x S2).")
    amounts: Literal["published", "few", "all"] = Field(
        "published", description="Of the random split: as published, as published for axis 4 on every axis, or all."
    )
    severity: float | None = Field(None, gt=0, le=1, description="Worn sessions of this severity alone; default: all.")
    epochs: int | None = Field(None, ge=1, description="Of every training; default: those of its recipe.")

    @classmethod
    def rests_on(cls) -> str:
        """The code that cuts, learns and carries."""
        return sources_digest()

    @property
    def repeats(self) -> range:
        """Seeds to be run."""
        return range(min(_QUICK_SEEDS, self.seeds) if self.quick else self.seeds)

    def recipe(self, name: str) -> Recipe:
        """The recipe of that name with the epochs of these options; a quick run has a fifth of the recipe's."""
        found = recipe(name)
        usual = max(1, found.options.epochs // _QUICK_EPOCHS) if self.quick else found.options.epochs
        return found.lasting(self.epochs or usual)


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
        worn = "all severities" if self.options.severity is None else f"severity {self.options.severity:g}"
        name, difficulty = self.about["spec"]["name"], self.about["difficulty"]
        return f"{name}, {worn}, difficulty {difficulty}, simulator revision {self.about['revision']}"

    def recordings(self, axis: int) -> list[Recording]:
        """All sessions of an axis.

        Errors: `InputError` if the fleet has none.
        """
        if axis not in self.axes:
            raise InputError(
                f"has no axis {axis}", file=self.folder, remedy=f"axes are {', '.join(map(str, self.axes))}"
            )
        if axis not in self._read:
            chosen = self.options.severity
            found = read(self.folder / self.axes[axis])
            self._read[axis] = [r for r in found if chosen is None or r.condition.severity in (None, chosen)]
        return self._read[axis]

    def splits(self, *axes: int) -> tuple[str, ...]:
        """`random`, and `unit` where every one of the axes has units enough to hold some out."""
        units = [len({recording.robot.unit for recording in self.recordings(axis)}) for axis in axes]
        return ("random", "unit") if min(units) >= _UNITS else ("random",)

    def halves(self, axis: int, split: str, seed: int, **settings: Any) -> Halves:
        """Training and test maps, a fifth for the test.

        `random`: the published amounts of samples, maps dealt at random as published. `unit`: the whole fleet, whole
        units held out, maps further apart. `settings` of the maps differ from the options; a stride is taken as it is.
        """
        recordings = self.recordings(axis)
        if split == "random":
            amounts = {"published": AMOUNTS.get(axis, FEW), "few": FEW}.get(self.options.amounts)
            chosen = drawn(recordings, amounts, seed) if amounts else recordings
            maps = self.maps(chosen, axis, **settings)
            order = generator(seed, 21).permutation(len(maps))
            test = np.sort(order[: max(1, round(_TEST * len(maps)))])
            rest = np.setdiff1d(np.arange(len(maps)), test)
            return Halves(maps[rest], maps[test], split)
        settings = {"stride": self.stride(split), **settings}
        train, held = holdout(self.maps(recordings, axis, **settings), "unit", _TEST, seed)
        check_no_leak(train, held, by="unit")
        return Halves(train, held, split)

    def stride(self, split: str) -> int:
        """Blocks from one map to the next under a split."""
        return self.options.stride * (_SPARSE if split == "unit" else 1)

    def maps(self, recordings: Sequence[Recording], axis: int, **settings: Any) -> Windows:
        """Maps of one axis, on no scale yet."""
        chosen = {"step": self.options.step, "length": self.options.length, "stride": self.options.stride, **settings}
        return FeatureMaps(axis=axis, **chosen).fit_transform(recordings)


def drawn(recordings: Sequence[Recording], amounts: tuple[int, int], seed: int) -> list[Recording]:
    """Sessions of units drawn by lot until there are at least so many worn and healthy samples."""
    worn, healthy = amounts
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
            f"{worn:,} worn and {healthy:,} healthy samples; --amounts all takes what there is. That",
            needed=worn + healthy,
            have=sum(len(recording.time_s) for recording in recordings),
            unit="samples",
        )
    return chosen


def numbers(text: str) -> tuple[float, ...]:
    """The numbers of a comma-separated option, ascending.

    Errors: `UsageError` if there is none, or something else.

    >>> numbers("50, 80.9")
    (50.0, 80.9)
    """
    try:
        return tuple(sorted({float(word) for word in text.split(",")}))
    except ValueError:
        raise UsageError(f"expected numbers with commas between them, got {text!r}") from None


def codes_of(maps: Windows) -> np.ndarray:
    """(map,) 1 where worn."""
    return (maps.index.label == "anomalous").astype(np.int64)


def counts_of(maps: Windows, said: np.ndarray) -> Counts:
    """(true, said) counts of the test maps by unit."""
    names = np.unique(maps.index.unit)
    table = confusions(maps.index.unit, names, codes_of(maps), said, 2)
    return {str(name): table[number].tolist() for number, name in enumerate(names)}


def fitted(maps: Windows, training: str | Recipe, seed: int, network: str = "ad_cnn") -> MapsView:
    """A network on maps of one axis, all on the scale of that axis."""
    view = MapsView(FeatureMaps(), network, training=training, baseline="domain", random_state=seed)
    return view.fit(maps, codes_of(maps), 2)


def judged(view: MapsView, maps: Windows) -> Counts:
    """Counts of what a fitted view says of test maps."""
    return counts_of(maps, view.log_proba(maps).argmax(axis=1))


def add_counts(
    part: Part,
    repetitions: Sequence[Counts],
    split: str,
    record: Mapping[str, Any] | None = None,
    figures: Sequence[str] = FIGURES,
    /,
    **place: str,
) -> dict[str, float]:
    """A row of `part` for every figure; `repetitions` hold one entry for each seed. Means by figure.

    With `record` the figures go into the table `figures` too, one line each with what is in it. Units held out, what
    is too good to be true is noted.
    """
    units = sorted({unit for counts in repetitions for unit in counts})
    empty = [[0, 0], [0, 0]]
    arrays = [np.array([counts.get(unit, empty) for unit in units]) for counts in repetitions]
    means = part.add(arrays, figures, split=SPLITS[split], **place)
    if split == "unit" and place["method"] != ORACLE:
        _flag(part, means, place)
    if record is not None:
        for row in part.rows[-len(figures) :]:
            ends = {"metric": row.metric, "mean": row.mean, "low": row.low, "high": row.high}
            part.table("figures", [{**record, "split": row.split, **ends}])
    return means


def _flag(part: Part, means: Mapping[str, float], place: Mapping[str, str]) -> None:
    """A note, once for each method and place, if a score is above `LEAK`."""
    source, target = place["source"], place["target"]
    where = target if source in (target, "-") else f"{source} to {target}"
    begin = f"suspected leak until shown otherwise: {place['method']}, {where}: "
    for figure in ("balanced accuracy", "accuracy"):
        if means.get(figure, 0.0) > LEAK and not any(note.startswith(begin) for note in part.notes):
            part.notes.append(f"{begin}{figure} {means[figure]:.3f}, units held out")


def balanced_of(counts: Counts) -> float:
    """Balanced accuracy of all units together."""
    return float(METRICS["balanced accuracy"](np.array(list(counts.values()), float).sum(axis=0)[None])[0])


def over_repeats(repetitions: Sequence[Counts], figure: str) -> tuple[float, float]:
    """Mean and standard deviation over the seeds, as publications give it."""
    with np.errstate(invalid="ignore", divide="ignore"):
        values = [METRICS[figure](np.array(list(one.values()), float).sum(axis=0)[None])[0] for one in repetitions]
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
