"""From recordings to a maintenance date: learn grades on drives of known error, watch one drive, foretell its limit.

Run: python examples/grade_and_forecast.py [OUT]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from jointwatch.core import Recording
from jointwatch.diagnosis.transmission_error import TransmissionErrorGrader
from jointwatch.prognosis.readings import common_error, readings_of
from jointwatch.prognosis.wear_trend import WearTrend
from jointwatch.reports.study_figures import save
from jointwatch.reports.wear_trend_figure import wear_trend_figure
from jointwatch.simulation.produce import simulate_fleet
from jointwatch.simulation.spec import FleetSpec

LIMIT_RAD = float(np.radians(0.05))
WEEKS = 14


def recorded(name: str, units: int, worn: int, fault: dict[str, object]) -> list[Recording]:
    """Sessions of two cycles of strain-wave drives: two of their youth, then worn ones."""
    task = {"name": "reciprocation", "amplitude_deg": 45, "period_s": 6.0}
    drives = {"robot": "harmonic_rig", "units": units, "healthy_sessions": 2, "faulty_sessions": worn, "cycles": 2}
    wear = {"name": "reducer_wear", "joints": [1], **fault}
    group = {"name": name, "task": task, "faults": [wear], **drives}
    return list(simulate_fleet(FleetSpec.model_validate({"name": "example", "seed": 5, "groups": [group]})))


def main(out: Path) -> None:
    # Drives whose static error was measured: a plant's, or simulated ones.
    known = recorded("known", 24, 1, {"levels": [1, 2, 3, 4, 5, 6]})
    grader = TransmissionErrorGrader(cycles=2).fit(known)
    # A drive of the plant, recorded once a week since it was new.
    watched = recorded("watched", 1, WEEKS, {"severity": [round(week / 52, 3) for week in range(1, WEEKS + 1)]})
    watched.sort(key=lambda recording: recording.truth["fault"]["severity"])
    days = 7.0 * np.maximum(np.arange(len(watched)) - 1, 0)  # both sessions of its youth on the first day
    youth = watched[:2]
    grades = grader.adapt(youth).grade(watched).by("session")
    readings = readings_of(grades, days)
    common = common_error(grader.grade(known).by("session"), LIMIT_RAD)
    found = WearTrend(limit_rad=LIMIT_RAD, common_rad=common, slowing=True).forecast(readings)
    print(f"now {grades.said(len(grades) - 1)}: {np.degrees(grades.error_rad[-1]):.3f} deg")
    print(found.sentence)
    title = f"{watched[0].robot.unit}, limit {np.degrees(LIMIT_RAD):g} deg"
    for path in save(wear_trend_figure(readings, found, limit_rad=LIMIT_RAD, title=title), out / "wear_trend"):
        print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/example"))
