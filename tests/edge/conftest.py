"""What the tests of small installations share."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Recording

SCRIPT = Path(__file__).with_name("_score_stored.py")


@pytest.fixture(scope="session")
def write_csv() -> Callable[[Recording, Path], None]:
    """Writes a recording as a plant exports it: a table, with a column map beside it."""

    def write(recording: Recording, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        keys = [channel.key for channel in recording.channels]
        start = [cycle.start_s for cycle in recording.cycles]
        number = np.searchsorted(start, recording.time_s, side="right")
        path = folder / f"{recording.session}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["t", "cycle", *keys])
            writer.writerows(zip(recording.time_s.tolist(), number.tolist(), *recording.values.tolist(), strict=True))
        ratio = recording.robot.joints[0].gear_ratio
        robot = {"brand": recording.robot.brand, "model": recording.robot.model, "unit": recording.robot.unit}
        column_map = {
            "robot": robot | ({"gear_ratio": ratio} if ratio else {}),
            "time": {"column": "t"},
            "cycle": "cycle",
            "session": recording.session,
            "columns": {key: key for key in keys},
        }
        path.with_name(path.name + ".map.yaml").write_text(json.dumps(column_map))

    return write


@pytest.fixture(scope="session")
def small_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line on a small installation; `there` names packages that it has all the same."""

    def run(*words: object, there: str = "") -> subprocess.CompletedProcess[str]:
        start = (
            "import runpy, sys; small = runpy.run_path(sys.argv.pop(1)); "
            f"small['ABSENT'].difference_update({there.split()}); sys.meta_path.insert(0, small['Absent']()); "
            "from jointwatch.cli import app; app()"
        )
        line = [sys.executable, "-W", "error", "-c", start, str(SCRIPT), *map(str, words)]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    return run
