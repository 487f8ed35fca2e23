"""What both views of a drive measure of every cycle of a simulated fleet, once for all fits, with the truth beside."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from jointwatch.core import Channel, Index, Quantity, Recording, Windows
from jointwatch.core.errors import InputError
from jointwatch.core.levels import LEVEL_RAD, level_of
from jointwatch.diagnosis._code_view import CodeView
from jointwatch.diagnosis._profile_grades import ABSOLUTE, RELATIVE, ProfileGrades
from jointwatch.recordings.parquet import Parquet
from jointwatch.signals.joint_profile import figure_names
from jointwatch.studies._difficulty_drives import level_features
from jointwatch.studies._fleet_table import numbers_of
from jointwatch.studies._kept_arrays import keep
from jointwatch.windows.plan import WindowPlan

__all__ = ["NOISE", "Cycles", "Source", "load", "measure"]

NOISE = {Quantity.CURRENT: 0.02, Quantity.TORQUE: 0.2}
"""Standard deviation of the sensors' own white noise, A and N m: what added noise is counted in."""
_GROUPS = tuple(dict.fromkeys((*RELATIVE, *ABSOLUTE)))
_PUBLISHED = "paper"
_CHANNELS = (Channel(Quantity.CURRENT, 1), Channel(Quantity.TORQUE, 1))
_LENGTH = 4000  # samples a cycle, 500 Hz at 8 s: the bands end at 120 Hz


@dataclass(frozen=True, eq=False)
class Cycles:
    """Cycles of drives of known error, one a row.

    vector : (row, 2500) of `CodeView`. profile : (row, figure) of `ProfileGrades`, all families. latent : (row, number)
    true parameters of the drive. index : (row,), `normal` where the drive is young, before any wear: a drive that wears
    and still is in tolerance is not its own baseline here. error_rad : (row,) true static error. published : (row,) of
    the ten drives of the publication.
    """

    vector: np.ndarray
    profile: np.ndarray
    bands: np.ndarray
    latent: np.ndarray
    index: Index
    error_rad: np.ndarray
    published: np.ndarray

    def __len__(self) -> int:
        return len(self.error_rad)

    @property
    def level(self) -> np.ndarray:
        """(row,) from 0."""
        return np.array([level_of(error) for error in self.error_rad], np.int64) - 1

    @property
    def degree(self) -> np.ndarray:
        """(row,) static error in levels of 0.025 degree."""
        found: np.ndarray = self.error_rad / LEVEL_RAD
        return found

    @property
    def young(self) -> np.ndarray:
        """(row,) cycles before any wear."""
        return np.asarray(self.index.label == "normal")

    @property
    def stub(self) -> Windows:
        """Windows without content that splits can read the index from."""
        return Windows(np.zeros((len(self), 1, 2)), (Channel(Quantity.POSITION, 1),), self.index, 1.0)

    def take(self, rows: np.ndarray) -> Cycles:
        """Rows by position or mask."""
        return Cycles(
            self.vector[rows],
            self.profile[rows],
            self.bands[rows],
            self.latent[rows],
            self.index.take(rows),
            self.error_rad[rows],
            self.published[rows],
        )

    def families(self, groups: Sequence[str]) -> np.ndarray:
        """(row, figure) of the profile, of the named families."""
        start, kept = 0, {}
        for group in _GROUPS:
            kept[group] = np.arange(start, start + len(figure_names(group)))
            start += len(kept[group])
        return self.profile[:, np.concatenate([kept[group] for group in groups])]


@dataclass(frozen=True)
class Source:
    """Where the figures of a fleet lie: what a step of the study is given in place of them.

    files : of the published drives and of the fleet as recorded (0), and of the fleet with noise added, by its size in
    sensors' own.
    """

    files: tuple[tuple[float, str], ...]

    def cycles(self, noise: float = 0.0) -> Cycles:
        return load(dict(self.files)[noise])


def measure(
    folder: Path, out: Path, rests_on: str, noise: Sequence[float], progress: Callable[[int, int, str], None]
) -> Source:
    """Figures of every cycle in `folder`, computed unit by unit in processes of their own unless `out` has them.

    Parameters
    ----------
    out : where they are kept, by a name that changes with data and sources. rests_on : what is said of the sources.
    noise : sizes of added noise, of the fleet's cycles only.

    Errors: `InputError` if there is no session, or the static error of one is not told.
    """
    units = sorted({file.parent for file in folder.glob("*/*/*.parquet")})
    if not units:
        raise InputError("holds no sessions", file=folder, remedy=f"jointwatch simulate m2-drives --out {folder}")
    stem = _fingerprint(units, rests_on)
    found = []
    for number, size in enumerate(sorted({0.0, *noise})):
        file = out / f"figures_{stem}_{size:g}.npz"
        found.append((float(size), str(file)))
        if file.exists():
            continue
        own = [unit for unit in units if not (size and _is_published(unit))]
        if not own:
            continue
        jobs = (joblib.delayed(_unit)(str(unit), size) for unit in own)
        run = joblib.Parallel(n_jobs=min(len(own), joblib.effective_n_jobs(-1)), return_as="generator")
        parts = []
        for part in run(jobs):
            parts.append(part)
            progress(len(parts), len(own), f"figures, noise {size:g} times the sensors' own ({number + 1})")
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        keep(file, **joined)
    return Source(tuple(found))


@lru_cache(maxsize=3)
def load(file: str) -> Cycles:
    """What `measure` kept."""
    with np.load(file, allow_pickle=False) as kept:
        named = {name: kept[name] for name in kept.files}
    index = Index(**{name.removeprefix("index_"): named[name] for name in named if name.startswith("index_")})
    return Cycles(index=index, **{name: named[name] for name in named if not name.startswith("index_")})


def _is_published(unit: Path) -> bool:
    return unit.parent.name.startswith(_PUBLISHED)


def _fingerprint(units: Sequence[Path], rests_on: str) -> str:
    digest = hashlib.sha256(rests_on.encode())
    for unit in units:
        for file in sorted(unit.glob("*.parquet")):
            digest.update(f"{unit.parent.name}/{unit.name}/{file.name}".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _unit(folder: str, noise: float) -> dict[str, np.ndarray]:
    """Figures and truth of one drive, by the names of `Cycles`."""
    recordings = [
        noisy(recording, noise) for file in sorted(Path(folder).glob("*.parquet")) for recording in Parquet().read(file)
    ]
    code, profile = CodeView(), ProfileGrades(groups=_GROUPS)
    plan = WindowPlan(_CHANNELS, "cycle", length=_LENGTH)
    tables = [
        _measured(code.cut, code.measure, recordings),
        _measured(profile.cut, profile.measure, recordings),
        _measured(plan.cut, lambda windows: level_features(windows)[0], recordings),
    ]
    place = [{name: row for row, name in enumerate(index.cycle.tolist())} for _, index in tables]
    shared = [name for name in place[0] if all(name in own for own in place)]
    rows = [np.array([own[name] for name in shared], np.int64) for own in place]
    vectors, profiles, bands = tables
    index = vectors[1].take(rows[0])
    facts = {recording.session: _facts(recording) for recording in recordings}
    young = np.array([facts[session]["young"] for session in index.session], bool)
    columns = {**index.columns(), "label": np.where(young, "normal", "anomalous")}
    return {
        "vector": vectors[0][rows[0]],
        "profile": profiles[0][rows[1]],
        "bands": bands[0][rows[2]],
        "latent": np.array([facts[session]["latent"] for session in index.session]),
        "error_rad": np.array([facts[session]["error_rad"] for session in index.session]),
        "published": np.full(len(index), _is_published(Path(folder))),
        **{f"index_{name}": column for name, column in columns.items()},
    }


def _measured(
    cut: Callable[[Sequence[Recording]], Windows],
    figures: Callable[[Windows], np.ndarray],
    recordings: Sequence[Recording],
) -> tuple[np.ndarray, Index]:
    """Session by session, so that few windows are in memory at once."""
    tables, indexes = [], []
    for recording in recordings:
        windows = cut([recording])
        if len(windows):
            tables.append(figures(windows))
            indexes.append(windows.index)
    return np.concatenate(tables), Index.concatenate(indexes)


def noisy(recording: Recording, times: float) -> Recording:
    """With white noise added to current and torque, of `times` the sensors' own; the same whenever it is drawn."""
    if not times:
        return recording
    seed = zlib.crc32(f"{recording.robot.unit}/{recording.session}".encode())
    rng = np.random.default_rng([seed, round(1000 * times)])
    values = recording.values.copy()
    for place, channel in enumerate(recording.channels):
        if channel.quantity in NOISE:
            added = times * NOISE[channel.quantity] * rng.standard_normal(values.shape[1])
            values[place] = values[place] + added
    return replace(recording, values=values)


def _facts(recording: Recording) -> Mapping[str, Any]:
    truth = recording.truth
    error = truth.get("static_error_rad")
    if not isinstance(error, (list, tuple)) or len(error) != 1 or "latent" not in truth:
        raise InputError(
            f"the static error of {recording.robot.unit}, session {recording.session!r}, is not told",
            file=recording.source or None,
            remedy="simulate the drives with the preset m2-drives",
        )
    latent = numbers_of({name: column[0] for name, column in truth["latent"].items()}, "")
    return {
        "young": not truth["fault"]["name"],
        "error_rad": abs(float(error[0])),
        "latent": [latent[name] for name in sorted(latent)],
    }
