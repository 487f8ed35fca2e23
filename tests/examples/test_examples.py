"""The examples run as they stand and do what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_carry_to_another_robot(tmp_path: Path) -> None:
    script = EXAMPLES / "carry_to_another_robot.py"
    said = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert "red -> blue" in said
    alarms = json.loads((tmp_path / "alarms.json").read_text())["alarms"]
    assert len(alarms) >= 10
    assert {alarm["session"] for alarm in alarms} == {"tuesday"}
    assert {alarm["joint"] for alarm in alarms} == {3}
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_worn_reducer() -> None:
    script = EXAMPLES / "worn_reducer.py"
    said = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=240).stdout
    lines = [line for line in said.splitlines() if "P(worn)" in line]
    assert len(lines) == 16  # 4 units, 6 sessions each but 2 that are known
    grave = [line for line in lines if "severity 1" in line or "severity 0.6" in line]
    assert sum(": faulty" in line for line in grave) >= 7
    assert float(said.partition("no label of it used: ")[2].split()[0]) > 0.8


def test_grade_and_forecast(tmp_path: Path) -> None:
    script = EXAMPLES / "grade_and_forecast.py"
    said = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=True, timeout=240
    ).stdout
    assert "now level" in said
    assert "The error grows" in said
    assert "reaches 0.05 deg in" in said
    assert (tmp_path / "wear_trend.png").stat().st_size > 10_000


def test_measure_transmission_error(tmp_path: Path) -> None:
    script = EXAMPLES / "measure_transmission_error.py"
    said = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    low, high = (float(word) for word in said.partition("interval ")[2].split()[:3:2])
    assert low < 0.047 < high
    assert "level 2" in said
    assert "synthetic" in (tmp_path / "transmission_error.csv").read_text().splitlines()[0]


def test_every_example_is_tested() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == [
        "carry_to_another_robot.py",
        "grade_and_forecast.py",
        "measure_transmission_error.py",
        "worn_reducer.py",
    ]
