"""Proposes a column map for an unknown table, with a reason for every line, for a person to confirm."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jointwatch.core import Channel, Quantity, Source
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings._column_map import ColumnMap
from jointwatch.recordings._csv import RawTable, read_csv
from jointwatch.recordings._headless import Pair, derivative_pairs
from jointwatch.recordings._names import Named, parse_name
from jointwatch.recordings._suggest_time import ClockProposal, propose_clock
from jointwatch.recordings._suggest_units import pair_units, range_unit

__all__ = ["Proposal", "Suggestion", "suggest_columns"]

_SURE = 0.5  # below, a line is written as a comment
_ARM_JOINTS = (6, 7)
_LARGEST_CURRENT_A = 60.0
_LABEL_NAMES = ("label", "anomaly", "fault", "class", "target")
_CYCLE_NAMES = ("cycle", "run", "cycle_id", "cycle_number")
_JOINT_QUANTITIES = frozenset(
    {
        Quantity.POSITION,
        Quantity.VELOCITY,
        Quantity.ACCELERATION,
        Quantity.CURRENT,
        Quantity.TORQUE,
        Quantity.JOINT_TORQUE,
        Quantity.TEMPERATURE,
        Quantity.VOLTAGE,
        Quantity.POSITION_ERROR,
        Quantity.POWER,
    }
)


@dataclass(frozen=True)
class Proposal:
    """What one column seems to be; `channel` None = nothing can be said. `confidence` is in [0, 1]."""

    column: str
    channel: Channel | None
    unit: str
    confidence: float
    reason: str


@dataclass(frozen=True)
class Suggestion:
    """Proposals for all columns of a table but the clock's.

    Parameters
    ----------
    path : the table.
    clock : its time column and unit, or the reason why there is none.
    columns : one proposal a column, in the file's order.
    header, delimiter : how the table is written.
    """

    path: Path
    clock: ClockProposal
    columns: tuple[Proposal, ...]
    header: bool
    delimiter: str

    @property
    def confident(self) -> tuple[Proposal, ...]:
        """The proposals that go into the map; the others are comments."""
        return tuple(p for p in self.columns if p.channel is not None and p.confidence >= _SURE)

    def to_map(self) -> ColumnMap:
        """The map that the YAML holds as it stands; `UsageError` without a clock, for then the rate is missing."""
        return ColumnMap.parse(self.to_yaml(), f"suggestion for {self.path}")

    def to_yaml(self) -> str:
        """The map with the reasons as comments. What is to be filled in is marked with `?`."""
        lines = [
            f"# Proposed for {self.path.name}; confirm each line. The number is the confidence, 0 to 1.",
            "robot:",
            '  brand: ""      # ? maker',
            '  model: ""      # ? type',
            "  unit: unit-1   # ? name of this very robot: results by unit rest on it",
            "  # gear_ratio: 100   # ? needed for order analysis",
        ]
        if self.clock.column is not None:
            spec = f"column: {_quoted(self.clock.column)}, unit: {self.clock.unit}"
            spec += f", format: {json.dumps(self.clock.format)}" if self.clock.format else ""
            lines.append(f"time: {{{spec}}}  # {self.clock.confidence:.2f} {self.clock.reason}")
        else:
            lines.append(f"rate_hz:       # ? {self.clock.reason}")
        lines.append("columns:")
        width = max((len(_quoted(p.column)) for p in self.columns), default=0)
        for p in self.columns:
            sure = p.channel is not None and p.confidence >= _SURE
            name = f"{_quoted(p.column)}:".ljust(width + 1)
            if p.channel is None:
                lines.append(f"  # {name} ?  # {p.reason}")
                continue
            unit = f", unit: {_quoted(p.unit)}" if p.unit else ""
            said = f"{{channel: {p.channel.key}{unit}}}"
            lines.append(f"  {'' if sure else '# '}{name} {said}  # {p.confidence:.2f} {p.reason}")
        for p in self.columns:
            if p.column.strip().lower() in _LABEL_NAMES:
                lines.append(f"# label: {{column: {_quoted(p.column)}, normal: [0], anomalous: [1]}}  # ? {p.reason}")
            if p.column.strip().lower() in _CYCLE_NAMES:
                lines.append(f"# cycle: {_quoted(p.column)}  # ? {p.reason}")
        if not self.confident:
            raise CorruptInput(
                "no column can be told from its name or numbers",
                file=self.path,
                remedy="write the column map by hand; `help(jointwatch.recordings.ColumnMap)` shows the form",
            )
        return "\n".join(lines) + "\n"


def suggest_columns(path: str | Path) -> Suggestion:
    """Proposal of a column map for a text table.

    Names are read as makers and laboratories abbreviate them; units come from the name, from the range of the values
    and from the derivative test: the change of a position must be the integral of its velocity, and the factor
    between them gives away degrees, revolutions a minute and milliseconds.

    Errors: as `read_csv`.

    >>> import tempfile
    >>> t = np.arange(400) / 100
    >>> table = np.stack([t, 90 * np.sin(t), 90 * np.cos(t), np.sin(3 * t)], axis=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "arm.csv"
    ...     np.savetxt(file, table, delimiter=",", header="t,q_1,dq_1,I_1", comments="")
    ...     proposal = suggest_columns(file)
    >>> [(p.column, p.channel.key, p.unit) for p in proposal.columns]
    [('q_1', 'position/1', 'deg'), ('dq_1', 'velocity/1', 'deg/s'), ('I_1', 'current/1', 'A')]
    """
    table = read_csv(Path(path))
    named = {name: _with_unit_row(parse_name(name), table.units.get(name, "")) for name in table.names}
    clock = propose_clock(table, named if table.header else {})
    numeric = [n for n in table.names if n != clock.column and table.columns[n].dtype.kind == "f"]
    pairs = {}
    if clock.step > 0 and numeric:
        matrix = np.stack([table.columns[n] for n in numeric])
        pairs = {numeric[p.position]: (numeric[p.velocity], p) for p in derivative_pairs(clock.step, matrix)}
    proposals = _by_name(table, named, numeric) if table.header else _by_numbers(table, numeric, pairs)
    proposals, clock = _with_units(table, named, proposals, pairs, clock)
    others = {n: Proposal(n, None, "", 0.0, _describe(table, n)) for n in table.names if n != clock.column}
    columns = tuple(proposals.get(n, others[n]) for n in others)
    return Suggestion(Path(path), clock, columns, table.header, table.delimiter)


def _with_unit_row(named: Named, unit: str) -> Named:
    if not unit or named.unit:
        return named
    return replace(named, unit=parse_name(f"x [{unit}]").unit)


def _by_name(table: RawTable, named: dict[str, Named], numeric: Sequence[str]) -> dict[str, Proposal]:
    """Channels that the names tell; joints counted from 0 in the file are counted from 1."""
    from_zero = {(named[n].quantity, named[n].source) for n in numeric if named[n].number == 0 and not named[n].unknown}
    numbered = {(named[n].quantity, named[n].source) for n in numeric if named[n].number is not None}
    found: dict[str, Proposal] = {}
    for name in numeric:
        said = named[name]
        trust = 0.9 * 0.5 ** len(said.unknown)
        reason = "name"
        if said.vector:
            kind = "tcp_rotation" if said.component.startswith("r") else "tcp_position"
            if said.vector == "force":
                kind = "tcp_torque" if said.component.startswith("r") else "tcp_force"
            channel = Channel(Quantity(kind), None, said.source, said.component[-1])
        elif said.quantity in _JOINT_QUANTITIES or (said.quantity is None and said.joint_word):
            quantity = said.quantity or Quantity.POSITION
            if said.quantity is None:
                if said.number is None or said.unknown:
                    continue
                trust, reason = 0.5, "name says only which joint; taken for its position"
            number = said.number
            if number is None:
                if (said.quantity, said.source) in numbered or said.unknown:
                    continue
                number, trust, reason = 1, 0.6, "name, of the only joint"
            elif (said.quantity, said.source) in from_zero:
                number, reason = number + 1, "name, counted from 0"
            if number < 1:
                continue
            channel = Channel(quantity, number, said.source)
        elif said.quantity is Quantity.CONTACT:
            channel = Channel(Quantity.CONTACT, said.number or None)
        else:
            continue
        if said.unknown:
            reason += f", but what is {' '.join(said.unknown)!r}?"
        found[name] = Proposal(name, channel, "", trust, reason)
    return _without_rivals(found)


def _without_rivals(found: dict[str, Proposal]) -> dict[str, Proposal]:
    """Of columns that claim one channel the most trusted keeps it; a name with `joint` before one without."""
    best: dict[Channel, str] = {}
    for name, proposal in found.items():
        assert proposal.channel is not None
        rival = best.get(proposal.channel)
        merit = (proposal.confidence, "joint" in name.lower())
        if rival is None or merit > (found[rival].confidence, "joint" in rival.lower()):
            best[proposal.channel] = name
    kept = {}
    for name, proposal in found.items():
        winner = best[proposal.channel] if proposal.channel else name
        if winner != name:
            reason = f"{proposal.reason}; {winner!r} is taken for it"
            proposal = replace(proposal, confidence=min(proposal.confidence, 0.4), reason=reason)
        kept[name] = proposal
    return kept


def _by_numbers(table: RawTable, numeric: Sequence[str], pairs: dict[str, tuple[str, Pair]]) -> dict[str, Proposal]:
    """Channels of a table without header: blocks of equal length, one column a joint, led by the positions.

    The distance between a position and its velocity is the number of joints; without velocities the first six or
    seven columns are taken for positions if their range is that of angles.
    """
    at = {name: i for i, name in enumerate(numeric)}
    gaps = [at[velocity] - at[position] for position, (velocity, _) in pairs.items()]
    joints = max(set(gaps), key=gaps.count) if gaps else 0
    firsts = sorted(at[p] for p, (v, _) in pairs.items() if at[v] - at[p] == joints)
    found: dict[str, Proposal] = {}
    if joints > 0 and firsts:
        start = max(0, firsts[-1] - joints + 1) if firsts[-1] >= joints else 0
        for j in range(joints):
            for block, quantity in ((0, Quantity.POSITION), (1, Quantity.VELOCITY)):
                i = start + block * joints + j
                if i < len(numeric):
                    tested = start + j in firsts
                    why = "is its velocity integrated" if block == 0 else "integrated is the position"
                    reason = why if tested else f"stands in the block of {joints} {quantity} columns, at rest here"
                    channel = Channel(quantity, j + 1)
                    found[numeric[i]] = Proposal(numeric[i], channel, "", 0.9 if tested else 0.6, reason)
        return found | _current_block(table, numeric[start + 2 * joints :], joints)
    for count in _ARM_JOINTS:
        leading = list(numeric[:count])
        angles = [name for name in leading if np.nanmax(np.abs(table.columns[name]), initial=0.0) <= 360.0]
        if len(angles) == count:
            reason = f"first {count} columns have the range of angles, and nothing contradicts"
            for j, name in enumerate(leading):
                found[name] = Proposal(name, Channel(Quantity.POSITION, j + 1), "", 0.5, reason)
            return found | _current_block(table, numeric[count:], count)
    return found


def _current_block(table: RawTable, rest: Sequence[str], joints: int) -> dict[str, Proposal]:
    """The first further block with the range of currents, as a hint that stays a comment."""
    for first in range(0, len(rest) - joints + 1, joints):
        block = rest[first : first + joints]
        peaks = [float(np.nanmax(np.abs(table.columns[name]), initial=0.0)) for name in block]
        if 0 < max(peaks) <= _LARGEST_CURRENT_A and min(peaks) > 0:
            reason = f"first block of {joints} with the range of currents; it may be torque"
            return {n: Proposal(n, Channel(Quantity.CURRENT, j + 1), "", 0.3, reason) for j, n in enumerate(block)}
    return {}


def _with_units(
    table: RawTable,
    named: dict[str, Named],
    found: dict[str, Proposal],
    pairs: dict[str, tuple[str, Pair]],
    clock: ClockProposal,
) -> tuple[dict[str, Proposal], ClockProposal]:
    """Units from the names, else from the range of all columns of a quantity, checked by the derivative test."""
    groups: dict[tuple[Quantity, Source], list[str]] = {}
    for name, proposal in found.items():
        assert proposal.channel is not None
        groups.setdefault((proposal.channel.quantity, proposal.channel.source), []).append(name)
    units = dict(found)
    for (quantity, _), members in groups.items():
        unit, trust, why = range_unit(quantity, [table.columns[name] for name in members])
        for name in members:
            stated = named[name].unit if table.header else ""
            p = units[name]
            if stated:
                units[name] = replace(p, unit=stated, reason=f"{p.reason}; unit in the name")
            else:
                sure = min(p.confidence, trust) if trust < _SURE else p.confidence
                units[name] = replace(p, unit=unit, confidence=sure, reason=f"{p.reason}; {why}")
    return _tested(units, pairs, clock, named if table.header else {})


def _tested(
    found: dict[str, Proposal], pairs: dict[str, tuple[str, Pair]], clock: ClockProposal, named: dict[str, Named]
) -> tuple[dict[str, Proposal], ClockProposal]:
    """The derivative test between columns already taken for a position and its velocity."""
    factors = {}
    for position, (velocity, pair) in pairs.items():
        p, v = found.get(position), found.get(velocity)
        if p is None or v is None or p.channel is None or v.channel is None:
            continue
        if (p.channel.quantity, v.channel.quantity) == (Quantity.POSITION, Quantity.VELOCITY):
            same = p.channel.joint == v.channel.joint
            if same and p.channel.source == v.channel.source:
                factors[position, velocity] = pair.factor
    if not factors:
        return found, clock
    factor = float(np.median(list(factors.values())))
    position_units = {found[p].unit for p, _ in factors}
    stated = {named[name].unit for pair in factors for name in pair if name in named} - {""}
    verdict = pair_units(factor, position_units, clock, stated=bool(stated))
    if verdict is None:
        return found, clock
    position_unit, velocity_unit, clock = verdict
    tested = {name for pair in factors for name in pair}
    said = f"derivative test: factor {factor:.4g}"
    result = {}
    for name, p in found.items():
        quantity = p.channel.quantity if p.channel else None
        unit = {Quantity.POSITION: position_unit, Quantity.VELOCITY: velocity_unit}.get(quantity, p.unit)  # type: ignore[arg-type]
        if name in named and named[name].unit:
            unit = p.unit
        sure = max(p.confidence, 0.95) if name in tested else p.confidence
        result[name] = replace(
            p, unit=unit, confidence=sure, reason=f"{p.reason}; {said}" if name in tested else p.reason
        )
    return result, clock


def _describe(table: RawTable, name: str) -> str:
    column = table.columns[name]
    if column.dtype.kind != "f":
        return f"text such as {next((c for c in column if c), '')[:24]!r}"
    there = column[np.isfinite(column)]
    if not len(there):
        return "not one number"
    low, high = float(there.min()), float(there.max())
    return f"constant {low:g}" if math.isclose(low, high, rel_tol=0, abs_tol=0) else f"{low:.4g} .. {high:.4g}"


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
