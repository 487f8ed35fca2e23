"""The installation of an industrial PC (extra `edge`): size on disk by package, time to import and to the first score.

A fresh virtual environment is made in a temporary folder; the installation that runs this script is compared with it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import numpy as np

from jointwatch.alarms.monitor import Monitor
from jointwatch.bundle import save
from jointwatch.core import Channel, Cycle, Quantity, Recording, Robot

ROOT = Path(__file__).resolve().parents[1]
SIZES = """
import importlib.metadata, json
sizes = {}
for package in importlib.metadata.distributions():
    files = [package.locate_file(file) for file in package.files or ()]
    sizes[package.metadata["Name"]] = sum(file.stat().st_size for file in files if file.is_file())
print(json.dumps(sizes))
"""
IMPORT = """
import time
start = time.perf_counter()
import jointwatch.cli
print(time.perf_counter() - start)
"""
SCORE = """
import sys
from jointwatch.bundle import load
from jointwatch.recordings import read
verdict = load(sys.argv[1]).score(list(read(sys.argv[2])))
print(float(verdict.cycle_scores.value.sum()))
"""


def said(python: Path, code: str, *words: object) -> str:
    """What a fresh process prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, "-c", code, *map(str, words)], capture_output=True, text=True, check=True, env=environment, cwd="/"
    )
    return done.stdout.strip()


def arm(seed: int, joints: int = 6, cycles: int = 10, cycle_s: float = 8.0, rate_hz: float = 125.0) -> Recording:
    """A session of a six-axis arm."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(cycles * cycle_s * rate_hz)) / rate_hz
    rows, channels = [], []
    for joint in range(1, joints + 1):
        phase = 2 * np.pi * time_s / cycle_s + joint
        current = np.sin(phase) + 0.5 * np.tanh(10 * np.cos(phase)) + 0.02 * rng.standard_normal(len(time_s))
        rows += [np.sin(phase), current]
        channels += [Channel(Quantity.POSITION, joint), Channel(Quantity.CURRENT, joint)]
    marks = tuple(Cycle(cycle_s * k, cycle_s * (k + 1)) for k in range(cycles))
    return Recording(
        time_s, np.stack(rows), tuple(channels), Robot.of("demo", "arm", "arm-1", joints), f"s{seed}", marks
    )


def write_csv(recording: Recording, path: Path) -> None:
    """The session as a table with its column map."""
    keys = [channel.key for channel in recording.channels]
    number = np.searchsorted([cycle.start_s for cycle in recording.cycles], recording.time_s, side="right")
    table = np.column_stack([recording.time_s, number, recording.values.T])
    np.savetxt(path, table, delimiter=",", header=",".join(["t", "cycle", *keys]), comments="", fmt="%.9g")
    column_map = {
        "robot": {"brand": "demo", "model": "arm", "unit": "arm-1"},
        "time": {"column": "t"},
        "cycle": "cycle",
        "columns": {key: key for key in keys},
    }
    path.with_name(path.name + ".map.yaml").write_text(json.dumps(column_map))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "edge", with_pip=True)
        small, full = folder / "edge" / "bin" / "python", Path(sys.executable)
        before = set(json.loads(said(small, SIZES)))  # pip itself
        subprocess.run([small, "-m", "pip", "install", "--quiet", f"{ROOT}[edge]"], check=True)
        sizes = {key: value for key, value in json.loads(said(small, SIZES)).items() if key not in before}
        whole = sum(json.loads(said(full, SIZES)).values())
        print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
        for package, size in sorted(sizes.items(), key=lambda item: -item[1]):
            print(f"{package:24} {size / 1e6:8.1f} MB")
        total = sum(sizes.values())
        print(f"{'edge':24} {total / 1e6:8.1f} MB, {total / whole:.3f} of {whole / 1e6:.0f} MB here")

        healthy = [arm(seed) for seed in range(4)]
        model = save(Monitor.suited_to(healthy, false_alarm_rate=0.1).fit(healthy), folder / "model")
        write_csv(arm(9), folder / "s9.csv")
        taken: dict[str, dict[str, list[float]]] = {}
        scores = set()
        for turn in range(rounds + 1):
            for kind, python in (("edge", small), ("here", full)) if turn % 2 else (("here", full), ("edge", small)):
                imported = float(said(python, IMPORT))
                start = time.perf_counter()
                scores.add(round(float(said(python, SCORE, model, folder / "s9.csv")), 6))
                elapsed = time.perf_counter() - start
                if turn:  # the first fills the disk's cache
                    taken.setdefault("import", {}).setdefault(kind, []).append(imported)
                    taken.setdefault("first score", {}).setdefault(kind, []).append(elapsed)
        for what, kinds in taken.items():
            edge, here = (np.median(kinds[kind]) for kind in ("edge", "here"))
            print(f"{what:24} {edge:8.2f} s, {edge / here:.2f} of {here:.2f} s here (medians of {rounds})")
        print(f"scores alike: {len(scores) == 1}")


if __name__ == "__main__":
    main()
