"""An inspection on a terminal: worst first, big sets summarised, legible from 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from jointwatch.core import Channel, Label
from jointwatch.reports.diagnosability import Diagnosability, Sight
from jointwatch.reports.inspection import ChannelSummary, Inspection, RobotSummary
from jointwatch.reports.issues import example_words, file_name
from jointwatch.reports.words import counted, duration, joint_list, percent, quantity_words, span

__all__ = [
    "SIGHT_MARKS",
    "because_words",
    "by_sight",
    "channel_rows",
    "print_inspection",
    "robot_facts",
    "summary_line",
    "worst_files",
]

SIGHT_MARKS = {Sight.YES: ("●", "yes", "green"), Sight.PARTLY: ("◐", "partly", "yellow"), Sight.NO: ("○", "no", "red")}
_SHOWN = 8
_WIDE = 110


def print_inspection(inspection: Inspection, console: Console) -> None:
    """Print what is there, what is wrong with it, and what it can tell."""
    console.print(Text(summary_line(inspection), style="bold"))
    for file, reason in inspection.failed[:_SHOWN]:
        console.print(
            Text.assemble(("✗ could not be read: ", "bold red"), reason if file in reason else f"{file}: {reason}")
        )
    _more(console, len(inspection.failed), "file|files that could not be read")
    if inspection.ignored:
        names = ", ".join(file_name(file) for file, _ in inspection.ignored[:_SHOWN])
        rest = len(inspection.ignored) - _SHOWN
        console.print(Text(f"ignored: {names}" + (f" and {rest} more" if rest > 0 else ""), style="dim"))
    for robot in inspection.robots:
        _print_robot(robot, console)
    _print_quality(inspection, console)
    _print_ability(inspection.diagnosability, console)


def summary_line(inspection: Inspection) -> str:
    """The first line: how much of what."""
    parts = [
        counted(len(inspection.recordings), "recording"),
        counted(len(inspection.robots), "robot model"),
        duration(sum(robot.duration_s for robot in inspection.robots)),
        counted(sum(robot.cycles for robot in inspection.robots), "marked cycle"),
    ]
    if inspection.issues:
        files = len({line.source for line in inspection.recordings if line.issues})
        parts.append(f"{counted(len(inspection.issues), 'kind')} of quality issue in {counted(files, 'file')}")
    else:
        parts.append("no quality issue")
    if inspection.failed:
        parts.append(f"{counted(len(inspection.failed), 'file')} could not be read")
    return " · ".join(parts)


def robot_facts(robot: RobotSummary) -> list[tuple[str, str]]:
    """What is known of a robot model, as (name, text)."""
    shown = ", ".join(robot.units[:_SHOWN]) + (
        f" and {len(robot.units) - _SHOWN} more" if len(robot.units) > _SHOWN else ""
    )
    facts = [
        ("units", f"{len(robot.units)}: {shown}"),
        ("sessions", f"{counted(robot.sessions, 'session')}, {counted(robot.recordings, 'recording')}"),
        ("joints", _joints(robot)),
        ("rate", span(robot.rates_hz[0], robot.rates_hz[-1], "Hz")),
        ("duration", duration(robot.duration_s)),
        ("cycles", counted(robot.cycles, "cycle") if robot.cycles else "not marked"),
        ("labels", ", ".join(f"{robot.labels[label]:,} {label}" for label in Label if label in robot.labels)),
    ]
    for name, counts in (("faults", robot.faults), ("events", robot.events)):
        if counts:
            ranked = sorted(counts.items(), key=lambda item: -item[1])
            rest = f" and {counted(len(ranked) - _SHOWN, 'more kind')}" if len(ranked) > _SHOWN else ""
            facts.append((name, ", ".join(f"{what} {count:,}" for what, count in ranked[:_SHOWN]) + rest))
    return facts


def channel_rows(robot: RobotSummary) -> list[tuple[str, str, str, str, str]]:
    """(quantity, joints, range, lost, remark) with the joints of one quantity together."""
    groups: dict[tuple[str, bool, str], list[ChannelSummary]] = {}
    for channel in robot.channels:
        title = quantity_words(channel.quantity, channel.source)
        groups.setdefault((title, channel.joint is None, channel.unit), []).append(channel)
    rows = []
    for (title, of_robot, _), members in groups.items():
        parts = list(dict.fromkeys(part for m in members if (part := Channel.parse(m.key).component)))
        if of_robot:
            title = title.replace("motor ", "")
        if parts:
            title += f" ({', '.join(parts[:4])}{', ...' if len(parts) > 4 else ''})"
        joints = [m.joint for m in members if m.joint is not None]
        finite = [m for m in members if m.low == m.low]
        reach = (
            span(
                min(m.low for m in finite),
                max(m.high for m in finite),
                members[0].unit.replace("^2", "²").removeprefix("1"),
            )
            if finite
            else "all lost"
        )
        lost = sum(m.lost for m in members)
        remarks = []
        if constant := [m for m in members if m.constant and m in finite]:
            which = joint_list(m.joint for m in constant if m.joint is not None)
            remarks.append("constant" if len(constant) == len(members) else f"constant: joint {which}")
        if (some := max(m.recordings for m in members)) < robot.recordings:
            remarks.append(f"in {some} of {counted(robot.recordings, 'recording')}")
        where = joint_list(joints) if joints else "robot"
        share = percent(lost / sum(m.samples for m in members)) if lost else ""
        rows.append((title, where, reach, share, "; ".join(remarks)))
    return rows


def _joints(robot: RobotSummary) -> str:
    kinds = sorted({joint["kind"] for joint in robot.joints})
    ratios = sorted({joint["gear_ratio"] for joint in robot.joints if joint["gear_ratio"] is not None})
    unknown = [joint["number"] for joint in robot.joints if joint["gear_ratio"] is None]
    text = f"{len(robot.joints)} {' and '.join(kinds)}"
    if not ratios:
        return f"{text}, gear ratio not given"
    rest = f" (joint {joint_list(unknown)}: not given)" if unknown else ""
    return f"{text}, gear ratio {span(ratios[0], ratios[-1])}{rest}"


def _print_robot(robot: RobotSummary, console: Console) -> None:
    console.print()
    console.rule(Text(robot.name, style="bold"), align="left", style="dim")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in robot_facts(robot):
        grid.add_row(name, escape(text))
    console.print(grid)
    table = _table("signal", "joints", "range", "lost", "remark")
    for row in channel_rows(robot):
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)


def _print_quality(inspection: Inspection, console: Console) -> None:
    console.print()
    console.rule(Text("Data quality", style="bold"), align="left", style="dim")
    if not inspection.issues:
        console.print("No issue found.")
        return
    table = _table("issue", "count", "files", "what was done", "worst files")
    table.columns[1].justify = table.columns[2].justify = "right"
    for group in inspection.issues:
        text = example_words(group) + (f" → {group.remedy}" if group.remedy else "")
        table.add_row(group.title, f"{group.count:,}", f"{group.files:,}", ", ".join(group.actions), escape(text))
    console.print(table)
    worst = worst_files(inspection)
    if len(worst) > 1:
        files = ", ".join(f"{file_name(source)} ({issues:,})" for source, issues, _ in worst[:_SHOWN])
        rest = f" and {len(worst) - _SHOWN} more" if len(worst) > _SHOWN else ""
        console.print(Text(f"worst files: {files}{rest}", style="dim"))


def _print_ability(rows: Sequence[Diagnosability], console: Console) -> None:
    for robot in dict.fromkeys(row.robot for row in rows):
        console.print()
        console.rule(Text(f"What can be seen: {robot}", style="bold"), align="left", style="dim")
        wide = console.width >= _WIDE
        table = _table("fault", "seen", "joints", "because", *(["would need"] if wide else []))
        table.columns[0].ratio, table.columns[3].ratio = 3, 5 if wide else 6
        if wide:
            table.columns[4].ratio = 3
        table.expand = True
        for row in by_sight(row for row in rows if row.robot == robot):
            mark, word, colour = SIGHT_MARKS[row.verdict]
            reason = Text(because_words(row))
            if row.would_need and not wide:
                reason.append(f"\nneeds {row.would_need}", style="dim")
            cells: list[str | Text] = [
                row.title,
                Text(f"{mark} {word}", style=colour),
                joint_list(row.joints) or "robot",
                reason,
            ]
            table.add_row(*cells, *([Text(row.would_need)] if wide else []))
        console.print(table)
    if rows:
        console.print(
            Text(
                "'yes' means that the fault leaves a trace of its own here, not that it is found at any size.",
                style="dim",
            )
        )


def worst_files(inspection: Inspection) -> list[tuple[str, int, tuple[str, ...]]]:
    """(file, samples or rows concerned, kinds) of all files with issues, worst first."""
    files: dict[str, tuple[int, dict[str, None]]] = {}
    for line in inspection.recordings:
        if line.issues:
            count, kinds = files.get(line.source, (0, {}))
            files[line.source] = (count + line.issues, kinds | dict.fromkeys(line.kinds))
    return sorted(((file, count, tuple(kinds)) for file, (count, kinds) in files.items()), key=lambda entry: -entry[1])


def by_sight(rows: Iterable[Diagnosability]) -> list[Diagnosability]:
    """What can be seen first, then what partly, then what cannot; otherwise in the given order."""
    return sorted(rows, key=lambda row: list(Sight).index(row.verdict))


def because_words(row: Diagnosability) -> str:
    """The reason, with how many recordings it holds for where it is not all of them."""
    some = row.verdict is not Sight.NO and row.recordings < row.of
    return row.because + (f" (in {row.recordings} of {counted(row.of, 'recording')})" if some else "")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("count", "files", "seen"))
    return table


def _more(console: Console, total: int, noun: str) -> None:
    if total > _SHOWN:
        console.print(Text(f"... and {counted(total - _SHOWN, f'more {noun}')}", style="dim"))
