"""Two made-up arms of two brands: learn on one, carry to the other, score days with a worn joint, write the report.

Run: python examples/carry_to_another_robot.py [OUT]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from jointwatch.alarms.monitor import Monitor
from jointwatch.core import Channel, Condition, Cycle, Joint, Label, Quantity, Recording, Robot
from jointwatch.reports.verdict import write_verdict

RATE_HZ, CYCLE_S = 100.0, 4.0
NAMES = ("base", "shoulder", "elbow", "wrist 1", "wrist 2", "wrist 3")


def day(brand: str, session: str, seed: int, cycles: int, gain: float, worn: tuple[int, ...] = ()) -> Recording:
    """One session: six joints swing, currents hold gravity and friction; joint 3 has more of it in `worn` cycles."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(cycles * CYCLE_S * RATE_HZ)) / RATE_HZ
    number = (time_s / CYCLE_S).astype(int)
    channels, rows = [], []
    for joint in range(1, 7):
        angle = 2 * np.pi * time_s / CYCLE_S + joint
        position, velocity = np.sin(angle), np.cos(angle) * 2 * np.pi / CYCLE_S
        warm = 1 + 0.05 * np.sin(number / 9 + seed)  # friction changes with temperature
        extra = np.where(np.isin(number, worn) & (joint == 3), 1.35, 1.0)
        friction = 0.4 * warm * extra * np.tanh(velocity / 0.1)
        current = gain * (position / joint + friction + 0.03 * rng.standard_normal(len(time_s)))
        channels += [Channel(Quantity.POSITION, joint), Channel(Quantity.CURRENT, joint)]
        rows += [position, current]
    robot = Robot(brand, "six-axis arm", f"{brand}-1", tuple(Joint(n, name) for n, name in enumerate(NAMES, 1)))
    marks = [
        Cycle(
            c * CYCLE_S,
            (c + 1) * CYCLE_S,
            Condition(Label.ANOMALOUS, "friction", 3) if c in worn else Condition(Label.NORMAL),
        )
        for c in range(cycles)
    ]
    return Recording(time_s, np.stack(rows), tuple(channels), robot, session, cycles=tuple(marks))


def main(out: Path) -> None:
    source = [day("red", f"day {s}", s, cycles=50, gain=1.0) for s in range(6)]
    target = [day("blue", f"day {s}", 100 + s, cycles=50, gain=1.7) for s in range(6)]
    today = [
        day("blue", "monday", 200, cycles=40, gain=1.7),
        day("blue", "tuesday", 201, cycles=40, gain=1.7, worn=tuple(range(22, 40))),
    ]
    monitor = Monitor.suited_to(source, detector="mahalanobis", persistence="2/3", length=100).fit(source)
    carried = monitor.adapt(target)
    print(*carried.summary(), sep="\n")
    verdict = carried.score(today)
    print(f"{len(verdict.alarms)} alarms, joints {sorted({alarm.joint for alarm in verdict.alarms})}")
    for path in write_verdict(carried, verdict, today, out):
        print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/example"))
