"""Numbers, channels and states in plain words, the same on screen, page and figure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from jointwatch.core import Channel, Quantity, Source

__all__ = [
    "channel_words",
    "counted",
    "duration",
    "joint_list",
    "kind_words",
    "number",
    "percent",
    "quantity_words",
    "span",
]

_QUANTITIES = {
    Quantity.TORQUE: "motor torque",
    Quantity.CURRENT: "motor current",
    Quantity.JOINT_TORQUE: "joint torque (sensor)",
    Quantity.TCP_POSITION: "tool position",
    Quantity.TCP_ROTATION: "tool rotation",
    Quantity.TCP_FORCE: "tool force",
    Quantity.TCP_TORQUE: "tool torque",
}
_SOURCES = {Source.MEASURED: "", Source.COMMANDED: "commanded ", Source.MODEL: "modelled ", Source.DERIVED: "derived "}
_KINDS = {
    "not_a_number": "values missing or unreadable",
    "corrupt_row": "corrupt rows",
    "out_of_range": "values outside the plausible range",
    "gap": "gaps in time",
    "clock_restart": "clock started again",
    "time_backwards": "time running backwards",
    "time_repeated": "time stamps repeated",
    "time_unreadable": "time stamps unreadable",
}


def quantity_words(quantity: Quantity, source: Source = Source.MEASURED) -> str:
    """A quantity as a maintenance engineer calls it.

    >>> quantity_words(Quantity.CURRENT, Source.COMMANDED)
    'commanded motor current'
    """
    return _SOURCES[source] + _QUANTITIES.get(quantity, str(quantity).replace("_", " "))


def channel_words(channel: Channel) -> str:
    """A channel in words.

    >>> channel_words(Channel.parse("position.commanded/3"))
    'Joint 3: commanded position'
    """
    where = "Robot" if channel.joint is None else f"Joint {channel.joint}"
    part = f" {channel.component.replace('_', ' ')}" if channel.component else ""
    return f"{where}: {quantity_words(channel.quantity, channel.source)}{part}"


def kind_words(kind: str) -> str:
    """A kind of quality issue in words; unknown kinds lose their underscores."""
    return _KINDS.get(kind, kind.replace("_", " "))


def counted(count: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "cycle"), counted(1200, "cycle"), counted(2, "axis|axes")
    ('1 cycle', '1,200 cycles', '2 axes')
    """
    one, _, many = noun.partition("|")
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def number(value: float, digits: int = 3) -> str:
    """A number with `digits` significant digits, without exponents where a person would not write one.

    >>> number(0.012345), number(123456.0), number(2.7e154), number(-0.0)
    ('0.0123', '123,456', '2.7e+154', '0')
    """
    if not math.isfinite(value):
        return "none"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size >= 7 or size < -4:
        return f"{value:.{max(digits - 1, 0)}g}"
    text = f"{value:,.{max(digits - 1 - size, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def span(low: float, high: float, unit: str = "", digits: int = 3) -> str:
    """Two ends as one text, one number where both read the same.

    >>> span(12.0, 45.0, "Hz"), span(5.0, 5.0, "Hz")
    ('12 to 45 Hz', '5 Hz')
    """
    first, last = number(low, digits), number(high, digits)
    text = first if first == last else f"{first} to {last}"
    return f"{text} {unit}".rstrip()


def percent(share: float) -> str:
    """A share in percent, with one decimal below ten.

    >>> percent(0.014), percent(0.25), percent(0.0)
    ('1.4 %', '25 %', '0 %')
    """
    value = 100 * share
    text = f"{value:.0f}" if value >= 9.95 or value == 0 else f"{value:.2g}" if value < 0.095 else f"{value:.1f}"
    return f"{text.removesuffix('.0')} %"


def duration(seconds: float) -> str:
    """A duration as a person says it.

    >>> duration(0.25), duration(75), duration(8000)
    ('0.25 s', '1 min 15 s', '2 h 13 min')
    """
    if seconds < 60:
        return f"{number(seconds)} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def joint_list(numbers: Iterable[int]) -> str:
    """Joint numbers with runs folded.

    >>> joint_list([1, 2, 3, 5]), joint_list([2]), joint_list([])
    ('1-3, 5', '2', '')
    """
    runs: list[list[int]] = []
    for joint in sorted(set(numbers)):
        if runs and joint == runs[-1][1] + 1:
            runs[-1][1] = joint
        else:
            runs.append([joint, joint])
    return ", ".join(str(a) if a == b else f"{a}, {b}" if b == a + 1 else f"{a}-{b}" for a, b in runs)
