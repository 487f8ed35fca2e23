"""A measured static transmission error on a terminal: its runs, the mean with interval, and the level."""

from __future__ import annotations

import math

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jointwatch.metrology.static_error import MeasuredError
from jointwatch.reports.words import counted

__all__ = ["print_static_error"]


def print_static_error(measured: MeasuredError, console: Console) -> None:
    """Print a table of the runs, then the result in a few plain lines."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("run")
    for title in ("error, deg", "95 % interval", "residual, µm", "shift, µm"):
        table.add_column(title, justify="right")
    for one in measured.runs:
        table.add_row(
            Text(one.run),
            f"{math.degrees(one.error_rad):+.5f}",
            _interval(one.low_rad, one.high_rad),
            f"{1000 * one.rotation.residual_mm:.1f}",
            f"{1000 * one.rotation.shift_mm:+.1f}",
        )
    console.print(table)
    console.print(
        Text.assemble(
            (f"static error {math.degrees(measured.error_rad):+.5f} deg", "bold"),
            f", 95 % interval {_interval(measured.low_rad, measured.high_rad)}, mean of "
            f"{counted(len(measured.runs), 'run')}: {math.degrees(measured.measured_rad):.5f} deg turned where "
            f"{math.degrees(measured.theoretical_rad):g} deg are due",
        )
    )
    chances = ", ".join(
        f"level {level} {100 * chance:.0f} %"
        for level, chance in enumerate(measured.level_probability, 1)
        if chance >= 0.005
    )
    console.print(Text.assemble((measured.level_words, "bold"), f" ({chances})"))
    console.print(Text(_spread(measured), style="dim"))


def _interval(low_rad: float, high_rad: float) -> str:
    return f"{math.degrees(low_rad):+.5f} to {math.degrees(high_rad):+.5f}"


def _spread(measured: MeasuredError) -> str:
    """Where the uncertainty comes from."""
    origin = "stated" if measured.noise_stated else "from the distances of the spheres"
    noise = f"noise of a coordinate {1000 * measured.noise_mm:.1f} µm ({origin})"
    if np.isnan(measured.repeatability_rad):
        return f"{noise}; one run shows no repeatability, so that the interval holds none: measure at least three"
    if measured.repeatability_rad == 0:
        return f"{noise}; runs scatter no more than it explains"
    return f"{noise}; runs scatter by {math.degrees(measured.repeatability_rad):.5f} deg beyond it"
