"""Plain windows of every cycle of one brand, in the order of the fleet's figures."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from jointwatch.core import Channel, Index, Windows
from jointwatch.core.errors import UsageError
from jointwatch.recordings.parquet import Parquet
from jointwatch.studies._cross_brand_rows import Fleet
from jointwatch.studies._kept_arrays import keep
from jointwatch.studies._ledger import Ledger
from jointwatch.training.corpus import channels_of
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.derive import derive

__all__ = ["gather_cycles", "load_cycles"]

LENGTH: Final = 200
"""Samples of a cycle, as in pre-training."""


def gather_cycles(
    folder: Path, brand: str, fleet: Fleet, ledger: Ledger, progress: Callable[[int, int, str], None]
) -> tuple[Path, str]:
    """File with the windows of all cycles that `fleet` has of a brand, and the robot's brand and model.

    Units are steps of the ledger, computed side by side.

    Errors: `UsageError` for a brand whose robots have different channels.
    """
    store = ledger.path.parent / "cycles"
    store.mkdir(parents=True, exist_ok=True)
    units = sorted({file.parent for file in folder.glob(f"{brand}/*/*.parquet")})
    found = ledger.every({f"cycles/{brand}/{unit.name}": partial(_unit, unit, store) for unit in units}, progress)
    parts = list(found.values())
    if any(part["channels"] != parts[0]["channels"] for part in parts):
        raise UsageError(f"robots of {brand} have different channels; give a fleet with one model a group")
    at = {cycle: row for row, cycle in enumerate(cycle for part in parts for cycle in part["cycles"])}
    index = fleet.index.take(np.flatnonzero(fleet.index.domain == brand))
    if lost := [cycle for cycle in index.cycle if cycle not in at]:
        raise UsageError(f"{len(lost)} cycles of {brand} cannot be cut with all channels, the first is {lost[0]}")
    values = np.concatenate([np.load(store / f"{part['unit']}.npz")["values"] for part in parts])
    file = store / f"{brand}.npz"
    rows = [at[cycle] for cycle in index.cycle]
    columns: dict[str, Any] = index.columns()
    keep(file, values=values[rows], channels=np.array(parts[0]["channels"]), **columns)
    return file, parts[0]["robot"]


@lru_cache(maxsize=1)
def load_cycles(file: Path) -> Windows:
    """What `gather_cycles` wrote."""
    with np.load(file) as kept:
        columns = {name: kept[name] for name in kept.files if name not in ("values", "channels")}
        channels = tuple(Channel.parse(key) for key in kept["channels"].tolist())
        return Windows(kept["values"], channels, Index(**columns), float("nan"))


def _unit(folder: Path, store: Path) -> dict[str, Any]:
    blocks: list[Windows] = []
    for recording in (one for file in sorted(folder.glob("*.parquet")) for one in Parquet().read(file)):
        channels = channels_of(recording)
        blocks.append(by_cycle(derive(recording, channels), length=LENGTH, channels=channels, domain="truth:group"))
        robot = f"{recording.robot.brand} {recording.robot.model}"
    windows = Windows.concatenate(blocks)
    keep(store / f"{folder.name}.npz", values=windows.values.astype(np.float32))
    return {
        "unit": folder.name,
        "robot": robot,
        "channels": [channel.key for channel in windows.channels],
        "cycles": windows.index.cycle.tolist(),
    }
