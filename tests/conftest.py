"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Channel, Condition, Cycle, Label, Quantity, Recording, Robot
from jointwatch.core.levels import LEVEL_RAD

os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the measured recordings; the test is skipped where it is absent."""
    folder = Path(os.environ.get("JOINTWATCH_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"measured recordings not found at {folder}; set JOINTWATCH_DATA")
    return folder


@pytest.fixture(scope="session")
def arm_recording() -> Callable[..., Recording]:
    """Factory of small seeded recordings: a reciprocating arm with friction-like currents.

    `faulty` are the numbers of cycles with extra friction on joint 1, labelled anomalous.
    """

    def make(
        seed: int = 0,
        joints: int = 2,
        cycles: int = 6,
        rate_hz: float = 100.0,
        cycle_s: float = 2.0,
        unit: str = "arm-1",
        session: str = "s1",
        brand: str = "demo",
        noise_a: float = 0.02,
        faulty: tuple[int, ...] = (),
    ) -> Recording:
        rng = np.random.default_rng(seed)
        per_cycle = round(cycle_s * rate_hz)
        time_s = np.arange(cycles * per_cycle) / rate_hz
        phase = 2 * np.pi * time_s / cycle_s
        number = np.arange(len(time_s)) // per_cycle
        channels, rows = [], []
        for joint in range(1, joints + 1):
            position = np.sin(phase + joint)
            velocity = np.cos(phase + joint) * 2 * np.pi / cycle_s
            friction = np.where(np.isin(number, faulty) & (joint == 1), 1.5, 1.0) * 0.5
            current = (
                0.3 * joint * position + friction * np.tanh(velocity / 0.1) + noise_a * rng.standard_normal(len(time_s))
            )
            rows += [position, velocity, current]
            channels += [Channel(q, joint) for q in (Quantity.POSITION, Quantity.VELOCITY, Quantity.CURRENT)]
        marks = tuple(
            Cycle(
                c * cycle_s,
                (c + 1) * cycle_s,
                Condition(Label.ANOMALOUS, "friction", 1, 0.5) if c in faulty else Condition(Label.NORMAL),
            )
            for c in range(cycles)
        )
        robot = Robot.of(brand, "arm", unit, joints)
        return Recording(time_s, np.stack(rows), tuple(channels), robot, session, cycles=marks)

    return make


@pytest.fixture(scope="session")
def drive_session() -> Callable[..., Recording]:
    """Factory of one session of a strain-wave drive at 250 Hz, cycles of 4 s; other joints of the arm stand.

    Wear multiplies friction and the ripple of two a motor turn about sizes of the drive's own; play grows alike in all.
    """

    def make(
        unit: str = "drive-1",
        session: str = "a",
        level: float = 0.5,
        joint: int = 1,
        joints: int = 1,
        ratio: float | None = 50.0,
        cycles: int = 2,
    ) -> Recording:
        own = np.random.default_rng([*f"{unit}/{joint}".encode()]).uniform(0.5, 2.0, 2)
        rng = np.random.default_rng([*f"{unit}/{joint}/{session}".encode()])
        t = np.arange(cycles * 1000) / 250
        angle, way = -0.7 * np.cos(np.pi * t / 2), np.sign(np.sin(np.pi * t / 2))
        friction, ripple = own * np.array([4.0, 0.5]) * 1.15 ** (level - 0.5) * (1 + 0.01 * rng.standard_normal(2))
        play = 0.2 * level * np.sign(angle) * np.exp(-0.5 * (angle / 0.06) ** 2)
        torque = 20 * np.sin(angle) + way * friction + ripple * np.cos(2 * (ratio or 50.0) * angle + own[0]) + play
        torque += 0.05 * rng.standard_normal(len(t))
        moves = np.stack([angle, torque, torque / 30 + 0.001 * rng.standard_normal(len(t))])
        numbers = range(1, joints + 1)
        stands = np.array([[0.3], [6.0], [0.2]]) * np.ones(len(t))
        values = [moves if number == joint else stands for number in numbers]
        channels = [Channel(q, n) for n in numbers for q in (Quantity.POSITION, Quantity.TORQUE, Quantity.CURRENT)]
        worn = Condition(Label.ANOMALOUS, "reducer_wear", joint) if level > 1 else Condition(Label.NORMAL)
        return Recording(
            t,
            np.concatenate(values),
            tuple(channels),
            Robot.of("demo", "drive", unit, joints, gear_ratio=ratio),
            session,
            tuple(Cycle(4.0 * k, 4.0 * (k + 1), worn) for k in range(cycles)),
            truth={"static_error_rad": [(level if n == joint else 0.2) * LEVEL_RAD for n in numbers]},
            source=f"{unit}-{session}.csv",
        )

    return make


@pytest.fixture(scope="session")
def axis_session() -> Callable[..., Recording]:
    """Factory of one session of one moving joint at 25 Hz, cycles of 6 s.

    `fault` names what is wrong, `severity` in [0, 1] adds as much of its own friction to it; `ripple` is of the torque.
    """

    def make(
        unit: str = "arm-1",
        session: str = "s1",
        fault: str = "",
        severity: float = 1.0,
        axis: int = 6,
        friction: float = 1.0,
        cycles: int = 2,
        seed: int = 0,
        ripple: float = 0.0,
        label: Label | None = None,
    ) -> Recording:
        rng = np.random.default_rng([seed, *f"{unit}/{session}/{axis}".encode()])
        samples = 150
        time_s = np.arange(cycles * samples) / 25
        phase = 2 * np.pi * time_s / 6
        position, velocity = np.sin(phase), np.cos(phase)
        worn = (1 + severity if fault else 1.0) * friction
        torque = worn * np.tanh(20 * velocity) + ripple * np.sin(40 * position) + 0.3 * np.cos(position)
        torque += 0.03 * friction * rng.standard_normal(len(time_s))
        current = torque / 30 + 0.001 * friction * rng.standard_normal(len(time_s))
        label = label or (Label.ANOMALOUS if fault else Label.NORMAL)
        state = Condition(label, fault, axis, severity) if fault else Condition(label)
        marks = tuple(Cycle(6.0 * c, 6.0 * (c + 1), state) for c in range(cycles))
        channels = tuple(Channel(q, axis) for q in (Quantity.POSITION, Quantity.TORQUE, Quantity.CURRENT))
        robot = Robot.of("demo", "arm", unit, 6)
        return Recording(time_s, np.stack([position, torque, current]), channels, robot, session, marks)

    return make
