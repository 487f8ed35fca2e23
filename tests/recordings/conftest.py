"""Fixtures of the reader tests: small tables of a moving arm, whole or damaged on purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

MAP = """
robot: {brand: demo, model: arm, unit: arm-1, gear_ratio: 100}
time: {column: t}
columns:
  q1: {channel: position/1, unit: rad}
  q2: {channel: position/2, unit: rad}
  qd1: {channel: velocity/1, unit: rad/s}
  qd2: {channel: velocity/2, unit: rad/s}
  i1: {channel: current/1, unit: A}
  i2: {channel: current/2, unit: A}
"""


@pytest.fixture(scope="session")
def arm_columns() -> Callable[..., dict[str, np.ndarray]]:
    """Factory: name -> (row,) of a two-joint arm at 100 Hz with noisy sensors; arm_columns(rows=200, seed=0)."""

    def make(rows: int = 200, seed: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        t = 5.0 + np.arange(rows) / 100
        columns = {"t": t}
        for joint in (1, 2):
            columns[f"q{joint}"] = np.sin(3 * t + joint) + 1e-5 * rng.standard_normal(rows)
        for joint in (1, 2):
            columns[f"qd{joint}"] = 3 * np.cos(3 * t + joint) + 1e-3 * rng.standard_normal(rows)
        for joint in (1, 2):
            columns[f"i{joint}"] = np.cos(3 * t + joint) + 0.02 * rng.standard_normal(rows)
        return columns

    return make


@pytest.fixture(scope="session")
def csv_lines() -> Callable[..., list[str]]:
    """Factory: columns -> lines of text with header; csv_lines(columns, delimiter=",")."""

    def make(columns: dict[str, np.ndarray], delimiter: str = ",") -> list[str]:
        table = np.stack(list(columns.values()), axis=1)
        return [delimiter.join(columns), *(delimiter.join(f"{value:.6f}" for value in row) for row in table)]

    return make


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """Factory: lines -> CSV file with the arm's column map beside it; csv_file(lines, columns=MAP, end="\\n")."""

    def make(lines: Sequence[str] | bytes, columns: str | None = MAP, end: str = "\n", name: str = "arm.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(lines if isinstance(lines, bytes) else ("\n".join(lines) + end).encode())
        if columns is not None:
            path.with_name(f"{name}.map.yaml").write_text(columns)
        return path

    return make


@pytest.fixture(scope="session")
def arm_map() -> str:
    """The column map of the arm, as YAML."""
    return MAP
