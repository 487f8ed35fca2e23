"""Fleets and options that studies are tested on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from jointwatch.recordings.parquet import Parquet
from jointwatch.simulation.produce import produce
from jointwatch.simulation.spec import FleetSpec


@pytest.fixture(scope="session")
def axes_fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Axes 4 and 6, five units each, one swing a session, two healthy sessions and two (axis 6: four) of grave wear."""

    def group(joint: int, worn: int) -> dict[str, Any]:
        return {
            "name": f"axis{joint}",
            "robot": "industrial6",
            "units": 5,
            "healthy_sessions": 2,
            "faulty_sessions": worn,
            "cycles": 1,
            "task": {"name": "reciprocation", "joint": joint, "period_s": 6.0},
            "faults": [{"name": "reducer_wear", "joints": [joint], "severity": [1.0]}],
        }

    folder = tmp_path_factory.mktemp("fleets") / "m1-axes"
    spec = FleetSpec.model_validate({"name": "m1-axes", "seed": 3, "groups": [group(4, 2), group(6, 4)]})
    produce(spec, folder, Parquet.write, jobs=1)
    return folder


@pytest.fixture(scope="session")
def two_brands(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, Sequence[str]], Path]:
    """A fleet with so many healthy sessions a unit and a grave one of each fault: two brands, three units each, two
    cycles a session."""

    def made(healthy: int, faults: Sequence[str]) -> Path:
        def group(robot: str) -> dict[str, Any]:
            return {
                "name": robot,
                "robot": robot,
                "units": 3,
                "healthy_sessions": healthy,
                "faulty_sessions": len(faults),
                "cycles": 2,
                "task": {"name": "pick_and_place", "speed": 0.8, "dwell_s": 0.2},
                "faults": [{"name": name, "severity": [1.0]} for name in faults],
            }

        folder = tmp_path_factory.mktemp("fleets") / "two-brands"
        spec = FleetSpec.model_validate({"name": "two", "seed": 5, "groups": [group("ur5e"), group("gofa5")]})
        produce(spec, folder, Parquet.write, jobs=1)
        return folder

    return made


@pytest.fixture(scope="session")
def brands(two_brands: Callable[[int, Sequence[str]], Path]) -> Path:
    """Two brands with three healthy sessions a unit and three with grave faults."""
    return two_brands(3, ("friction_rise", "lost_grip", "filter_change"))


@pytest.fixture
def small(axes_fleet: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of a study that is over in seconds, its steps in this process."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    return {"data": axes_fleet, "seeds": 2, "step": 5, "length": 8, "stride": 2, "amounts": "all", "epochs": 2}
