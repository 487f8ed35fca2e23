"""Seconds from the samples of one 8 s cycle at 1 kHz to its grade, on line and on one core, beside the whole session.

The published chain (vector, auto-encoder, hidden Markov models) and its parts. Checks that each grade on line is that
of the whole session, bit for bit. Run: python benchmarks/online_grading.py [--quick]
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"  # one core, before numpy and torch start their threads

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _rotate import machine
from rich.console import Console
from rich.table import Table

from jointwatch.core import Channel, Condition, Cycle, Label, Recording, Robot
from jointwatch.core.levels import LEVEL_RAD
from jointwatch.diagnosis.transmission_error import TransmissionErrorGrader
from jointwatch.training.seed import generator

RATE_HZ, CYCLE_S, RATIO = 1000, 8.0, 100
LIMIT_MS = 20.0


def main(quick: bool) -> None:
    torch.set_num_threads(1)
    drives, cycles = (2, 6) if quick else (3, 25)
    known = [session(unit, level, cycles=6) for unit in range(drives) for level in range(1, 7)]
    print(machine())
    table = Table(title="one cycle of 8,000 samples, current and torque", caption="milliseconds by the clock, one core")
    for column in ("", "median", "quartiles", "slowest", f"under {LIMIT_MS:g} ms", "as in one go"):
        table.add_column(column, justify="left" if not column else "right")
    for together in (1, 5):
        grader = TransmissionErrorGrader("code", None, together, view_options={"epochs": 2 if quick else 10}).fit(known)
        recording = session(9, 4, cycles)
        pieces = [recording.between(cycle.start_s, cycle.stop_s) for cycle in recording.cycles]
        seconds, scores = on_line(grader, pieces)
        same = np.array_equal(scores, grader.grade(recording).score)
        row(table, f"step, T = {together}", seconds, "yes" if same else "NO")
    windows = [grader.view_.cut([piece]) for piece in pieces]
    figures = [grader.view_.measure(each) for each in windows]
    parts: dict[str, Callable[[int], Any]] = {
        "of it cutting the cycle": lambda k: grader.view_.cut([pieces[k]]),
        "of it the vector of 2,500": lambda k: grader.view_.measure(windows[k]),
        "of it code and models": lambda k: grader.view_.table(figures[k], windows[k].index),
    }
    for name, part in parts.items():
        row(table, name, [timed(part, k) for k in range(len(pieces))], "")
    Console().print(table)


def on_line(grader: TransmissionErrorGrader, pieces: list[Recording]) -> tuple[list[float], np.ndarray]:
    """Seconds of each step after a first one that warms up, and (cycle, level) scores."""
    grader.step(grader.init(pieces[0].robot.unit), pieces[0])
    state, seconds, scores = grader.init(pieces[0].robot.unit), [], []
    for piece in pieces:
        start = time.perf_counter()
        state, grades = grader.step(state, piece)
        seconds.append(time.perf_counter() - start)
        scores.append(grades.score[0])
    return seconds, np.array(scores)


def timed(part: Callable[[int], Any], number: int) -> float:
    start = time.perf_counter()
    part(number)
    return time.perf_counter() - start


def row(table: Table, name: str, seconds: list[float], same: str) -> None:
    ms = [1000 * value for value in seconds]
    low, middle, high = statistics.quantiles(ms, n=4)
    under = f"{sum(value < LIMIT_MS for value in ms)} of {len(ms)}"
    table.add_row(name, f"{middle:.1f}", f"{low:.1f} .. {high:.1f}", f"{max(ms):.1f}", under, same)


def session(unit: int, level: int, cycles: int) -> Recording:
    """There and back in 8 s behind a ratio of 100, with a line of two a motor turn that grows with the level."""
    rng = generator(unit, level)
    t = np.arange(round(cycles * CYCLE_S * RATE_HZ)) / RATE_HZ
    angle = 0.5 * (1 - np.cos(2 * np.pi * t / CYCLE_S))
    speed = np.sin(2 * np.pi * t / CYCLE_S)
    ripple = 0.02 * level * np.sin(2 * RATIO * angle + unit) + 0.01 * np.sin(RATIO * angle)
    current = 0.5 * np.tanh(20 * speed) + 0.3 * speed + ripple + 0.02 * rng.standard_normal(len(t))
    torque = 10 * current + 0.1 * rng.standard_normal(len(t))
    condition = Condition(Label.NORMAL) if level == 1 else Condition(Label.ANOMALOUS, "reducer_wear", 1)
    return Recording(
        t,
        np.stack([current, torque]),
        (Channel.parse("current/1"), Channel.parse("torque/1")),
        Robot.of("demo", "drive", f"drive-{unit}", 1, gear_ratio=float(RATIO)),
        f"at level {level}",
        tuple(Cycle(CYCLE_S * k, CYCLE_S * (k + 1), condition) for k in range(cycles)),
        truth={"static_error_rad": [(level - 0.5) * LEVEL_RAD]},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, wide spread")
    main(parser.parse_args().quick)
