"""What a column of numbers means: quantity, joint, who produced it, and the unit it is in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from jointwatch.core.errors import UsageError

__all__ = ["Channel", "Joint", "Quantity", "Robot", "Source"]


class Quantity(StrEnum):
    """A physical quantity. `torque` is what the motor gives, seen at the joint's output (N Kt i);
    `joint_torque` is what a sensor on the link side measures. `effort` is whichever of
    these a robot reports, for comparing robots that report different ones; it means something only after
    normalisation.
    """

    POSITION = "position"
    VELOCITY = "velocity"
    ACCELERATION = "acceleration"
    CURRENT = "current"
    TORQUE = "torque"
    JOINT_TORQUE = "joint_torque"
    TEMPERATURE = "temperature"
    VOLTAGE = "voltage"
    POSITION_ERROR = "position_error"
    POWER = "power"
    EFFORT = "effort"
    TCP_POSITION = "tcp_position"
    TCP_ROTATION = "tcp_rotation"
    TCP_FORCE = "tcp_force"
    TCP_TORQUE = "tcp_torque"
    CONTACT = "contact"
    STATUS = "status"


# SI throughout; degree Celsius is the SI-derived unit that every robot and every engineer uses.
_UNITS: dict[Quantity, tuple[str, str]] = {  # (revolute, prismatic)
    Quantity.POSITION: ("rad", "m"),
    Quantity.VELOCITY: ("rad/s", "m/s"),
    Quantity.ACCELERATION: ("rad/s^2", "m/s^2"),
    Quantity.CURRENT: ("A", "A"),
    Quantity.TORQUE: ("N m", "N"),
    Quantity.JOINT_TORQUE: ("N m", "N"),
    Quantity.TEMPERATURE: ("degC", "degC"),
    Quantity.VOLTAGE: ("V", "V"),
    Quantity.POSITION_ERROR: ("rad", "m"),
    Quantity.POWER: ("W", "W"),
    Quantity.EFFORT: ("1", "1"),
    Quantity.TCP_POSITION: ("m", "m"),
    Quantity.TCP_ROTATION: ("rad", "rad"),
    Quantity.TCP_FORCE: ("N", "N"),
    Quantity.TCP_TORQUE: ("N m", "N m"),
    Quantity.CONTACT: ("1", "1"),
    Quantity.STATUS: ("1", "1"),
}


class Source(StrEnum):
    """Who produced the numbers: a sensor, the controller's set point, a model, or arithmetic here."""

    MEASURED = "measured"
    COMMANDED = "commanded"
    MODEL = "model"
    DERIVED = "derived"


_KEY = re.compile(
    r"^(?P<quantity>[a-z_]+)(\.(?P<source>[a-z]+))?(/(?P<joint>[1-9]\d*))?(:(?P<component>[A-Za-z0-9_]+))?$"
)


@dataclass(frozen=True, order=True)
class Channel:
    """One time series of a recording.

    Parameters
    ----------
    quantity : what is measured.
    joint : number of the joint from 1 at the base, or None for a quantity of the whole robot.
    source : who produced it.
    component : part of a vector (`x`, `phase_a`), empty for a scalar.

    Joints are numbered, not named, so that arms of different brands meet; names are in `Joint`.

    >>> Channel(Quantity.POSITION, 3, Source.COMMANDED).key
    'position.commanded/3'
    >>> Channel.parse("tcp_force:x")
    Channel(quantity=<Quantity.TCP_FORCE: 'tcp_force'>, joint=None, source=<Source.MEASURED: 'measured'>, component='x')
    """

    quantity: Quantity
    joint: int | None = None
    source: Source = Source.MEASURED
    component: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantity", Quantity(self.quantity))
        object.__setattr__(self, "source", Source(self.source))
        if self.joint is not None and (isinstance(self.joint, bool) or int(self.joint) != self.joint or self.joint < 1):
            raise UsageError(f"joint must be a whole number from 1 or None, got {self.joint!r}")
        if self.component and not re.fullmatch(r"[A-Za-z0-9_]+", self.component):
            raise UsageError(f"component must be letters, digits or '_', got {self.component!r}")

    @property
    def key(self) -> str:
        """Column name in storage; `Channel.parse` is its inverse."""
        source = "" if self.source is Source.MEASURED else f".{self.source}"
        joint = "" if self.joint is None else f"/{self.joint}"
        return f"{self.quantity}{source}{joint}" + (f":{self.component}" if self.component else "")

    @classmethod
    def parse(cls, key: str) -> Channel:
        """Channel of a column name such as `current/2`; UsageError if it is not one."""
        match = _KEY.match(key)
        try:
            if match is None:
                raise ValueError(key)
            return cls(
                Quantity(match["quantity"]),
                int(match["joint"]) if match["joint"] else None,
                Source(match["source"] or "measured"),
                match["component"] or "",
            )
        except ValueError:
            raise UsageError(
                f"{key!r} is no channel name; the form is quantity[.source][/joint][:component], "
                f"quantity one of {', '.join(Quantity)}"
            ) from None

    def unit(self, kind: str = "revolute") -> str:
        """SI unit for a `revolute` or `prismatic` joint."""
        return _UNITS[self.quantity][1 if kind == "prismatic" else 0]


@dataclass(frozen=True)
class Joint:
    """One joint: `number` from 1, the maker's `name`, `kind`, and the gear ratio where known."""

    number: int
    name: str = ""
    kind: str = "revolute"
    gear_ratio: float | None = None

    def __post_init__(self) -> None:
        if self.number < 1:
            raise UsageError(f"joints are numbered from 1, got {self.number}")
        if self.kind not in ("revolute", "prismatic"):
            raise UsageError(f"joint kind is 'revolute' or 'prismatic', got {self.kind!r}")
        if self.gear_ratio is not None and not self.gear_ratio > 0:
            raise UsageError(f"gear ratio must be positive, got {self.gear_ratio}")


@dataclass(frozen=True)
class Robot:
    """Which machine: brand, model, and `unit`, the name of this very specimen in the fleet."""

    brand: str
    model: str
    unit: str
    joints: tuple[Joint, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "joints", tuple(self.joints))
        numbers = [joint.number for joint in self.joints]
        if len(set(numbers)) != len(numbers):
            raise UsageError(f"joint numbers of {self.unit or self.model} repeat: {numbers}")
        if not self.unit:
            raise UsageError("a robot needs a unit name: splits by unit rest on it")

    def joint(self, number: int) -> Joint:
        """The joint of that number; UsageError if the robot has none."""
        for joint in self.joints:
            if joint.number == number:
                return joint
        raise UsageError(f"{self.brand} {self.model} {self.unit} has no joint {number}")

    @classmethod
    def of(cls, brand: str, model: str, unit: str, joints: int, **joint: object) -> Robot:
        """Robot with `joints` equal joints; keyword arguments go to each `Joint`."""
        return cls(brand, model, unit, tuple(Joint(n, **joint) for n in range(1, joints + 1)))  # type: ignore[arg-type]
