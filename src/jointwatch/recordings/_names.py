"""What a column's name says: quantity, source, joint number, unit, as robot makers and laboratories abbreviate them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jointwatch.core import Quantity, Source

__all__ = ["Named", "parse_name"]

_QUANTITIES: dict[Quantity, str] = {
    Quantity.POSITION: "q pos position posn angle ang theta phi jpos qpos enc encoder winkel",
    Quantity.VELOCITY: "qd dq vel velocity speed omega qdot qvel jvel rpm drehzahl",
    Quantity.ACCELERATION: "qdd ddq acc accel acceleration qddot",
    Quantity.CURRENT: "i iq cur curr current amp amps ampere strom",
    Quantity.TORQUE: "tau torque trq moment eff effort drehmoment",
    Quantity.TEMPERATURE: "temp temperature tmp temperatur",
    Quantity.VOLTAGE: "volt voltage u spannung",
    Quantity.POWER: "power leistung",
    Quantity.POSITION_ERROR: "error err deviation lag following",
    Quantity.STATUS: "status state mode",
    Quantity.CONTACT: "contact collision",
}
_WORDS = {word: quantity for quantity, words in _QUANTITIES.items() for word in words.split()}
_SOURCES: dict[Source, str] = {
    Source.MEASURED: "actual act meas measured ist real feedback fb",
    Source.COMMANDED: "target cmd command commanded desired des ref reference setpoint set soll computed cmptd goal",
    Source.MODEL: "model modelled expected predicted est estimated",
}
_SOURCE_WORDS = {word: source for source, words in _SOURCES.items() for word in words.split()}
_JOINT_WORDS = frozenset(
    ("joint", "joints", "j", "jnt", "axis", "axes", "ax", "a", "achse", "motor", "mot", "servo", "m", "link", "t")
)
_TIME_WORDS = frozenset(
    ("t", "time", "timestamp", "ts", "zeit", "stamp", "clock", "elapsed", "datetime", "date", "sec", "seconds")
)
_TCP_WORDS = frozenset(("tcp", "ee", "eef", "cartesian", "tool0", "flange"))
_UNITS = {
    "deg": "deg", "degree": "deg", "degrees": "deg", "rad": "rad", "rads": "rad/s", "dps": "deg/s", "rpm": "rpm",
    "ma": "mA", "mm": "mm", "nm": "N m", "degc": "degC", "celsius": "degC", "kelvin": "K", "mv": "mV",
    "ms": "ms", "us": "us", "ns": "ns", "msec": "ms", "usec": "us", "sec": "s", "seconds": "s",
    "rad/s": "rad/s", "deg/s": "deg/s", "°": "deg", "°/s": "deg/s", "°c": "degC", "a": "A", "v": "V", "s": "s",
    "m": "m", "n m": "N m", "n": "N", "k": "K", "c": "degC", "w": "W", "1/min": "rpm", "rad/s^2": "rad/s^2",
}  # fmt: skip
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_AXES = ("x", "y", "z", "rx", "ry", "rz")


@dataclass(frozen=True)
class Named:
    """What was understood.

    `quantity` None = not said; `number` as written (it may count from 0); `unknown` words lower the trust;
    `vector` is `pose` or `force` for parts of a TCP vector, with `component` x, y, z, rx, ry, rz.
    """

    quantity: Quantity | None = None
    source: Source = Source.MEASURED
    number: int | None = None
    unit: str = ""
    joint_word: bool = False
    is_time: bool = False
    vector: str = ""
    component: str = ""
    unknown: tuple[str, ...] = ()


def parse_name(name: str) -> Named:
    """What a column's name says.

    >>> parse_name("actual_qd_0").quantity, parse_name("actual_qd_0").number
    (<Quantity.VELOCITY: 'velocity'>, 0)
    >>> parse_name("joint3_pos [deg]").unit, parse_name("TorqueCur4").quantity
    ('deg', <Quantity.TORQUE: 'torque'>)
    """
    bracket = re.search(r"[\[(]([^\])]*)[\])]", name)
    unit = _UNITS.get(bracket[1].strip().lower(), "") if bracket else ""
    bare = name[: bracket.start()] + name[bracket.end() :] if bracket else name
    chunks = [chunk for chunk in re.split(r"[^A-Za-z0-9]+", bare) if chunk]
    said_unit = next((c for c in chunks[1:] if len(c) > 1 and c.lower() in _UNITS), "")
    if said_unit and not unit:
        unit = _UNITS[said_unit.lower()]
        chunks = [chunk for chunk in chunks if chunk is not said_unit or chunk.lower() in _WORDS]
    words = [_singular(word.lower()) for chunk in chunks for word in _TOKEN.findall(chunk)]
    numbers = [int(word) for word in words if word.isdigit()]
    words = [word for word in words if not word.isdigit()]
    source = next((_SOURCE_WORDS[word] for word in words if word in _SOURCE_WORDS), Source.MEASURED)
    words = [word for word in words if word not in _SOURCE_WORDS]
    number = numbers[-1] if len(numbers) == 1 else None
    tcp = _tcp(words, number)
    if tcp:
        return Named(source=source, unit=unit, vector=tcp[0], component=tcp[1])
    if any(word in _TCP_WORDS for word in words):
        return Named(source=source, unit=unit, unknown=tuple(words))
    said = [_WORDS[word] for word in words if word in _WORDS]
    if Quantity.CURRENT in said and len(set(said)) > 1:  # "current position", "torque from current"
        said = [quantity for quantity in said if quantity is not Quantity.CURRENT]
    if Quantity.POSITION_ERROR in said and Quantity.POSITION in said:
        said = [Quantity.POSITION_ERROR]
    quantity = said[0] if said else None
    if quantity is Quantity.TORQUE and {"sensor", "sm", "measured"} & set(words):
        quantity = Quantity.JOINT_TORQUE
    joint_word = any(word in _JOINT_WORDS for word in words)
    known = {*_WORDS, *_JOINT_WORDS, *_UNITS, "sensor", "sm"}
    unknown = tuple(word for word in words if word not in known)
    is_time = not numbers and quantity is None and bool(words) and set(words) <= _TIME_WORDS | set(_UNITS)
    return Named(quantity, source, number, unit, joint_word, is_time, unknown=unknown)


def _singular(word: str) -> str:
    known = word in _WORDS or word in _UNITS or len(word) < 4
    return word[:-1] if not known and word.endswith("s") and word[:-1] in _WORDS else word


def _tcp(words: list[str], number: int | None) -> tuple[str, str] | None:
    """("pose" or "force", component) of a part of a TCP vector."""
    rest = [word for word in words if word not in _TCP_WORDS]
    at_tcp = len(rest) < len(words)
    kinds = {"pose": "pose", "force": "force", "wrench": "force"}
    kind = next((kinds[word] for word in rest if word in kinds), "")
    if not kind and not at_tcp:
        return None
    axis = next((word for word in rest if word in _AXES), "")
    rest = [word for word in rest if word not in kinds and word not in _AXES]
    if rest or (not axis and (number is None or not 0 <= number < 6)):
        return None
    return kind or "pose", axis or _AXES[number or 0]
