"""What a fleet is, as data: groups of units, their task, sessions and faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jointwatch.core import catalog
from jointwatch.simulation import _shipped

__all__ = ["FaultPlan", "FleetSpec", "Group", "load_spec", "presets"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FaultPlan(_Data):
    """A kind of fault that faulty sessions of a group may have.

    name : a fault of the catalog. joints : where, empty = any joint that can have it. severity : (low, high) to draw
    from, or a longer list or a single value to take in turn. levels : instead of a severity, the levels of static
    transmission error that the units of the group have, one for each unit in turn.
    """

    name: str
    joints: tuple[int, ...] = ()
    severity: tuple[float, ...] = (0.05, 1.0)
    levels: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> FaultPlan:
        if self.name not in catalog.names("faults"):
            raise ValueError(f"no fault {self.name!r}; there are {', '.join(catalog.names('faults'))}")
        if not self.severity or not all(0 < s <= 1 for s in self.severity):
            raise ValueError(f"severity of {self.name} must be above 0 and at most 1")
        if not all(1 <= level <= 6 for level in self.levels):
            raise ValueError(f"levels of {self.name} are 1 to 6")
        return self


class Group(_Data):
    """Units of one robot model with one task.

    robot : name of a robot model, or a YAML file. units, healthy_sessions, faulty_sessions (each per unit), cycles (per
    session). task : name and fixed parameters. install : parameter -> (low, high), drawn once for a unit: no two
    cells run the same program. vary : parameter -> (low, high), drawn for every session, healthy or not, and added.
    faults : dealt out evenly over the faulty sessions. struck : share of the cycles that an episodic fault strikes.
    rate_hz : steps per second of the integration.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    robot: str
    units: int = Field(ge=1)
    healthy_sessions: int = Field(ge=0)
    faulty_sessions: int = Field(0, ge=0)
    cycles: int = Field(ge=1)
    task: dict[str, Any]
    install: dict[str, tuple[float, float]] = {}
    vary: dict[str, tuple[float, float]] = {}
    faults: tuple[FaultPlan, ...] = ()
    struck: float = Field(0.5, gt=0, le=1)
    rate_hz: int = Field(4000, ge=1000, multiple_of=1000)

    @model_validator(mode="after")
    def _complete(self) -> Group:
        if self.healthy_sessions + self.faulty_sessions == 0:
            raise ValueError(f"group {self.name} has no sessions")
        if self.faulty_sessions and not self.faults:
            raise ValueError(f"group {self.name} has faulty sessions but no faults")
        names = [plan.name for plan in self.faults]
        if len(set(names)) != len(names):
            raise ValueError(f"faults of group {self.name} repeat: {', '.join(names)}")
        if any(plan.levels for plan in self.faults) and (len(self.faults) > 1 or len(self.faults[0].joints) != 1):
            raise ValueError(f"group {self.name}: levels need a single fault in a single joint")
        if "name" not in self.task:
            raise ValueError(f"the task of group {self.name} needs a name")
        return self


class FleetSpec(_Data):
    """A fleet: `name`, `seed` and its groups.

    >>> [group.robot for group in load_spec("demo").groups]
    ['ur5e', 'crx10ia', 'gofa5', 'iiwa7', 'm1013']
    """

    name: str
    seed: int = Field(0, ge=0)
    groups: tuple[Group, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> FleetSpec:
        names = [group.name for group in self.groups]
        if len(set(names)) != len(names):
            raise ValueError(f"names of groups repeat: {', '.join(names)}")
        return self


def presets() -> tuple[str, ...]:
    """Names of the fleets that come with the package.

    >>> "m3-fleet" in presets()
    True
    """
    return _shipped.names("presets")


def load_spec(source: str | Path) -> FleetSpec:
    """A fleet from a preset's name or a YAML file.

    Errors: `UsageError` for an unknown preset; `InputError` that names the file and key that is wrong.
    """
    remedy = "see `jointwatch simulate --show demo`"
    return _shipped.load(str(source), "presets", FleetSpec, entry="preset", what="fleet", remedy=remedy)
