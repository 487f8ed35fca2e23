"""Path profiles of every cycle of a fleet of several brands: computed once and kept beside the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from jointwatch.core import Channel, Index, Quantity, Recording, Source, Windows
from jointwatch.core.errors import InputError, UsageError
from jointwatch.features._path_profile import PathProfile
from jointwatch.features.base import Features
from jointwatch.recordings.parquet import Parquet
from jointwatch.studies._fleet_table import json_columns, numbers_of
from jointwatch.studies._kept_arrays import keep
from jointwatch.studies._ledger import Ledger
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.derive import derive

__all__ = ["Fleet", "Stored", "gather_fleet"]

_LENGTH: Final = 1024
_KINDS: Final = (
    (Quantity.POSITION, Source.MEASURED),
    (Quantity.EFFORT, Source.DERIVED),
    (Quantity.JOINT_TORQUE, Source.MEASURED),
    (Quantity.POSITION_ERROR, Source.DERIVED),
)
_EFFORTS = (Quantity.TORQUE, Quantity.CURRENT, Quantity.JOINT_TORQUE)


class _Shared:
    """An array that is not copied with the estimators that hold it."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __deepcopy__(self, memo: Any) -> Self:
        return self


class Stored(Features):
    """Figures that were computed before, looked up by the number that stands in each window."""

    def __init__(self, table: Any = None, names: Sequence[tuple[str, int]] = ()) -> None:
        self.table = table
        self.names = names

    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        return list(self.names)

    def _fit(self, values: np.ndarray, presence: np.ndarray) -> None:
        """Nothing."""

    def _transform(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        rows: np.ndarray = self.table.values[values[:, 0, 0].astype(np.int64)]
        return rows


@dataclass(frozen=True, eq=False)
class Fleet:
    """Cycles of several brands.

    vectors : (cycle, figure) of `PathProfile`. names : of the figures, with the channel each is of. channels : of the
    windows. mask : (cycle, channel) which of them a robot has. index : whose the cycles are, `domain` is the brand.
    healthy_session : (cycle,) whether its session is healthy throughout. latent : (cycle, parameter) what the
    simulation knows of the drives in that session, NaN where an arm has fewer joints. latent_names : `name/joint`.
    skipped : label -> cycles that could not be cut.
    """

    vectors: np.ndarray
    names: tuple[tuple[str, int], ...]
    channels: tuple[Channel, ...]
    mask: np.ndarray
    index: Index
    healthy_session: np.ndarray
    latent: np.ndarray
    latent_names: tuple[str, ...]
    skipped: dict[str, int]

    def __len__(self) -> int:
        return len(self.vectors)

    def save(self, file: Path) -> None:
        """Everything in one file, for other processes."""
        told = {
            "names": self.names,
            "channels": [channel.key for channel in self.channels],
            "latent_names": self.latent_names,
            "skipped": self.skipped,
        }
        columns: dict[str, Any] = {f"index.{name}": column for name, column in self.index.columns().items()}
        arrays: dict[str, Any] = {
            name: getattr(self, name) for name in ("vectors", "mask", "healthy_session", "latent")
        }
        keep(file, told=np.array(json.dumps(told)), **arrays, **columns)

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` wrote."""
        with np.load(file) as kept:
            told = json.loads(str(kept["told"]))
            columns = {name.removeprefix("index."): kept[name] for name in kept.files if name.startswith("index.")}
            return cls(
                kept["vectors"],
                tuple((name, channel) for name, channel in told["names"]),
                tuple(Channel.parse(key) for key in told["channels"]),
                kept["mask"],
                Index(**columns),
                kept["healthy_session"],
                kept["latent"],
                tuple(told["latent_names"]),
                told["skipped"],
            )

    @property
    def brands(self) -> list[str]:
        """In the order of the fleet."""
        return list(dict.fromkeys(self.index.domain.tolist()))

    @property
    def anomalous(self) -> np.ndarray:
        """(cycle,) bool."""
        found: np.ndarray = self.index.label == "anomalous"
        return found

    @property
    def sure(self) -> np.ndarray:
        """(cycle,) whether its label is certain."""
        found: np.ndarray = self.index.label != "uncertain"
        return found

    def features(self) -> Stored:
        """A transformer that looks the figures up."""
        return Stored(_Shared(self.vectors), self.names)

    def windows(self, rows: np.ndarray, label: str | None = None) -> Windows:
        """Windows that stand for these cycles (mask or numbers): they hold nothing but where their figures are.

        `label` is said of all of them instead of their own.
        """
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        index = self.index.take(rows)
        if label is not None:
            index = replace(index, label=np.full(len(rows), label), joint=np.zeros(len(rows), np.int64))
        values = np.zeros((len(rows), len(self.channels), 2), np.float32)
        values[:, 0] = rows[:, None]
        stub = Windows(values, self.channels, index, float("nan"), np.ones(values.shape[:2], bool))
        return replace(stub, mask=self.mask[rows] | (np.arange(len(self.channels)) == 0))


def gather_fleet(
    folder: Path,
    ledger: Ledger,
    named: Sequence[str],
    brands: Sequence[str],
    progress: Callable[[int, int, str], None],
) -> Fleet:
    """Cycles of the fleet in `folder`; units are steps of the ledger, computed side by side.

    Parameters
    ----------
    named : brands that must be there. brands : those that are wanted, empty = all.

    Errors: `InputError` without sessions; `UsageError` for a brand that is not there.
    """
    units = sorted({file.parent for file in folder.glob("*/*/*.parquet")})
    if not units:
        raise InputError("holds no sessions", file=folder, remedy=f"jointwatch simulate {folder.name} --out {folder}")
    there = list(dict.fromkeys(unit.parent.name for unit in units))
    if unknown := sorted(set(named) - set(there)):
        raise UsageError(f"the fleet has no brand {', '.join(unknown)}; it has {', '.join(there)}")
    store = ledger.path.parent / "profiles"
    store.mkdir(parents=True, exist_ok=True)
    wanted = [unit for unit in units if not brands or unit.parent.name in brands]
    steps = {f"profiles/{unit.parent.name}/{unit.name}": partial(_unit, unit, store) for unit in wanted}
    found = ledger.every(steps, progress)
    return _joined(found, store)


def _channels(joints: int) -> tuple[Channel, ...]:
    return tuple(Channel(q, joint, s) for joint in range(1, joints + 1) for q, s in _KINDS)


def _reported(recording: Recording) -> tuple[Channel, ...]:
    """The wanted channels that this robot's signals give; where no motor signal is reported the torque sensor stands
    for the drive, as `derive` has it."""
    found = []
    for channel in _channels(len(recording.robot.joints)):
        needed: tuple[Channel, ...] = (channel,)
        if channel.quantity is Quantity.EFFORT:
            needed = tuple(Channel(q, channel.joint) for q in _EFFORTS)
        elif channel.quantity is Quantity.POSITION_ERROR:
            needed = (Channel(Quantity.POSITION, channel.joint, Source.COMMANDED),)
        if any(one in recording for one in needed):
            found.append(channel)
    return tuple(found)


def _unit(folder: Path, store: Path) -> dict[str, Any]:
    """Figures of one unit, written to `store`; what belongs to them as JSON."""
    recordings = [one for file in sorted(folder.glob("*.parquet")) for one in Parquet().read(file)]
    channels = _channels(7)
    blocks, sessions = [], []
    skipped: dict[str, int] = {}
    for recording in recordings:
        reported = _reported(recording)
        ready = derive(recording, reported).select(reported)
        windows = by_cycle(ready, length=_LENGTH, channels=channels, domain="truth:group", missing="mask")
        _count_lost(recording, windows, skipped)
        blocks.append(windows)
        latent = {
            f"{name}/{joint}": value
            for name, column in recording.truth["latent"].items()
            for joint, value in enumerate(column, start=1)
        }
        sessions.append({"healthy": not recording.truth["fault"]["name"], "latent": numbers_of(latent, "")})
    windows = Windows.concatenate(blocks)
    profile = PathProfile().fit(windows)
    keep(store / f"{folder.name}.npz", vectors=profile.transform(windows).astype(np.float32), mask=windows.presence)
    return {
        "unit": folder.name,
        "names": [[name, int(c)] for name, c in zip(profile.feature_names_, profile.feature_channel_, strict=True)],
        "channels": [channel.key for channel in channels],
        "index": json_columns(windows.index),
        "session": [number for number, block in enumerate(blocks) for _ in range(len(block))],
        "sessions": sessions,
        "skipped": skipped,
    }


def _count_lost(recording: Recording, windows: Windows, skipped: dict[str, int]) -> None:
    labels = [str(cycle.condition.label) for cycle in recording.cycles]
    for label in np.unique(labels):
        lost = labels.count(str(label)) - int((windows.index.label == label).sum())
        if lost:
            skipped[str(label)] = skipped.get(str(label), 0) + lost


def _joined(found: dict[str, Any], store: Path) -> Fleet:
    parts = [part for part in found.values() if part["index"]["unit"]]
    files = [np.load(store / f"{part['unit']}.npz") for part in parts]
    latent_names = tuple(dict.fromkeys(n for part in parts for s in part["sessions"] for n in s["latent"]))
    latent = [
        [part["sessions"][number]["latent"].get(name, np.nan) for name in latent_names]
        for part in parts
        for number in part["session"]
    ]
    index = Index(
        **{
            name: np.concatenate(
                [np.array([np.nan if x is None else x for x in part["index"][name]]) for part in parts]
            )
            for name in parts[0]["index"]
        }
    )
    skipped: dict[str, int] = {}
    for part in found.values():
        for label, count in part["skipped"].items():
            skipped[label] = skipped.get(label, 0) + count
    return Fleet(
        np.concatenate([file["vectors"] for file in files]),
        tuple((name, int(channel)) for name, channel in parts[0]["names"]),
        tuple(Channel.parse(key) for key in parts[0]["channels"]),
        np.concatenate([file["mask"] for file in files]),
        index,
        np.array([part["sessions"][number]["healthy"] for part in parts for number in part["session"]], bool),
        np.array(latent, float),
        latent_names,
        skipped,
    )
