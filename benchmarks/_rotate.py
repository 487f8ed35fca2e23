"""Timing of alternatives against each other in one process: rotating order, medians, ratios."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping

import torch
from rich.console import Console
from rich.table import Table

__all__ = ["machine", "ratios", "show"]


def ratios(
    work: Mapping[str, Callable[[], object]],
    baseline: str,
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, tuple[float, float, float]]:
    """Median, lower and upper quartile of time relative to the baseline's time in the same round.

    Each round runs everything once, each time from another starting point, so that drift of the machine and
    heat hit all alike; ratios are taken within a round. On a machine that others use `time.process_time` is the
    better clock, as long as one thread does the work.
    """
    names = list(work)
    for name in names:
        work[name]()  # kernels are chosen and memory is taken on the first call
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(repeats):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            start = clock()
            work[name]()
            seconds[name].append(clock() - start)
    found = {}
    for name in names:
        relative = [own / base for own, base in zip(seconds[name], seconds[baseline], strict=True)]
        low, middle, high = statistics.quantiles(relative, n=4)
        found[name] = (middle, low, high)
    return found


def machine() -> str:
    """What the ratios depend on besides the code."""
    known = torch.cpu.get_capabilities()
    bfloat16 = [name for name in ("amx_bf16", "avx512_bf16") if known.get(name)]
    return (
        f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {known.get('architecture', 'unknown processor')}, "
        f"bfloat16 instructions: {', '.join(bfloat16) or 'none'}, torch {torch.__version__}"
    )


def show(title: str, found: Mapping[str, tuple[float, float, float]], better: str) -> None:
    """Print the ratios as a table."""
    table = Table(title=title, caption=f"ratio to the first row within a round, {better} is better")
    for column in ("", "median", "quartiles"):
        table.add_column(column, justify="left" if not column else "right")
    for name, (middle, low, high) in found.items():
        table.add_row(name, f"{middle:.2f}", f"{low:.2f} .. {high:.2f}")
    Console().print(table)
