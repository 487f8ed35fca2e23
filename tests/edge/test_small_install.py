"""What a full installation fitted, a small one loads and scores alike: without SciPy, scikit-learn, Arrow and torch."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.alarms.monitor import Monitor
from jointwatch.bundle import save
from jointwatch.core import Recording
from jointwatch.diagnosis.anomaly import AnomalyDetector
from jointwatch.diagnosis.axis_fault import AxisFaultClassifier
from jointwatch.diagnosis.transmission_error import TransmissionErrorGrader
from jointwatch.recordings import read

Make = Callable[..., Recording]
Command = Callable[..., subprocess.CompletedProcess[str]]
SCRIPT = Path(__file__).with_name("_score_stored.py")
DERIVED = "current/J,velocity.derived/J,current.derived/J:innovation"
MONITORS: dict[str, dict[str, Any]] = {
    **{
        name: {"detector": name, "length": 40}
        for name in (
            "mahalanobis", "pca", "phase_zscore", "envelope", "kmeans", "knn", "lof", "isolation_forest",
            "linear_autoregression", "duration", "random_score",
        )
    },
    "derived": {"detector": "mahalanobis", "channels": DERIVED, "length": 40},
    "slower": {"detector": "mahalanobis", "kind": "sliding", "rate_hz": 31.0, "length": 50, "step": 25},
    "persistent": {"detector": "pca", "length": 40, "persistence": "2/3"},
}  # fmt: skip
MODELS = [
    *(f"arm {name}" for name in MONITORS),
    "arm anomaly",
    "axis friction",
    "axis both",
    "drive profile",
]


def score(folder: Path, *options: str) -> dict[str, Any]:
    out = folder / f"scores{len(options)}.json"
    done = subprocess.run(
        [sys.executable, "-W", "error", SCRIPT, folder, out, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(out.read_text()))


@pytest.fixture(scope="module")
def folder(
    arm_recording: Make,
    axis_session: Make,
    drive_session: Make,
    write_csv: Callable[[Recording, Path], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("edge")
    models, tables = folder / "models", folder / "recordings"
    for s in range(5):
        write_csv(arm_recording(seed=s, cycles=10, session=f"s{s}"), tables / "arm" / "healthy")
    write_csv(arm_recording(seed=77, cycles=10, session="new", faulty=(2, 3, 7)), tables / "arm" / "asked")
    healthy = list(read(tables / "arm" / "healthy"))
    for name, options in MONITORS.items():
        save(Monitor.suited_to(healthy, false_alarm_rate=0.1, **options).fit(healthy), models / f"arm-{name}")
    detector = AnomalyDetector("normalisation", "mahalanobis", windows={"length": 40}, false_alarm_rate=0.1)
    save(detector.fit(healthy), models / "arm-anomaly")

    states = (("a", ""), ("b", ""), ("w", "wear"), ("x", "wear"))
    units = [axis_session(f"arm-{u}", s, fault, friction=1 + 0.3 * u) for u in range(4) for s, fault in states]
    for name, views in (("friction", ("friction",)), ("both", ("friction", "profile"))):
        model = AxisFaultClassifier(views=views).fit(units[:12]).adapt([r for r in units[12:] if r.session == "a"])
        save(model, models / f"axis-{name}")
    for session in units[13:]:
        write_csv(session, tables / "axis" / "asked")

    drives = [
        drive_session(f"drive-{u}", name, level)
        for u in range(12)
        for name, level in (("a", 0.5), ("b", 0.5), *((f"w{k}", k - 0.5) for k in (2, 3, 4, 5, 6)))
    ]
    youth = [r for r in drives[77:] if r.session in "ab"]
    save(TransmissionErrorGrader().fit(drives[:77]).adapt(youth), models / "drive-profile")
    for session in drives[79:]:
        write_csv(session, tables / "drive" / "asked")
    return folder


@pytest.fixture(scope="module")
def both(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    return score(folder), score(folder, "--small")


@pytest.mark.parametrize("model", MODELS)
def test_scores_and_decisions_are_the_same(model: str, both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    full, small = (each[model] for each in both)
    assert full.keys() == small.keys()
    assert len(next(iter(full.values()))) > 2
    for name, expected in full.items():
        if name in ("said", "passed", "alarms", "condition", "level"):
            assert small[name] == expected
        else:
            size = np.nanmax(np.abs(np.array(expected, float)), initial=1e-300)
            np.testing.assert_allclose(small[name], expected, rtol=1e-9, atol=1e-12 * size, err_msg=name)


def test_models_see_what_is_wrong(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Equal scores would prove little if they said nothing."""
    small = both[1]
    assert {2, 3, 7} <= set(np.flatnonzero(small["arm mahalanobis"]["passed"]).tolist())
    assert set(small["axis friction"]["condition"]) == {"normal", "faulty"}
    assert len(set(small["drive profile"]["level"])) > 3


def test_the_command_scores_and_says_what_it_leaves_out(small_command: Command, folder: Path, tmp_path: Path) -> None:
    asked = folder / "recordings" / "arm" / "asked"
    done = small_command("score", folder / "models" / "arm-anomaly", asked, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alarms.json", "scores.csv"]
    assert "no report.html" in done.stdout
    assert "jointwatch[fit]" in done.stdout
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["cycle"] for row in rows if row["passed"] == "True"} >= {f"arm-1/new/{k}" for k in (3, 4, 8)}
    assert {"unit", "session", "score", "p_value", "said"} <= rows[0].keys()


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["fit", "recordings/arm/healthy", "--model", "out"], "fit"),
        (["simulate", "m3-fleet", "--out", "out"], "fit"),
        (["score", "models/arm-anomaly", "recordings/arm/other/a.parquet", "--out", "out"], "fit"),
        (["score", "models/arm-anomaly", "recordings/arm/other/a.h5", "--out", "out"], "io"),
    ],
)
def test_other_commands_name_the_extra(
    words: list[str], extra: str, small_command: Command, folder: Path, tmp_path: Path
) -> None:
    other = folder / "recordings" / "arm" / "other"
    other.mkdir(exist_ok=True)
    (other / "a.parquet").write_bytes(b"PAR1")
    (other / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    places = [str(tmp_path / w) if w == "out" else str(folder / w) if "/" in w else w for w in words]
    done = small_command(*places)
    assert done.returncode == 5, done.stderr
    assert f"jointwatch[{extra}]" in done.stderr
    assert "Traceback" not in done.stderr
