"""`jointwatch transmission-error` end to end: table, level, JSON, picture; what is wrong in one line with its code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from jointwatch.cli import app
from jointwatch.metrology.sphere_centres import SphereCentres, write_centres

ROD = np.array([[150.0, 0.0, 40.0], [110.0, 70.0, 40.0], [120.0, 20.0, 110.0]])


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["transmission-error", *(str(word) for word in words)])
    assert result.exit_code == code, result.output
    return " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def centres(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    before = np.repeat(ROD[None], 4, axis=0) + 0.002 * rng.standard_normal((4, 3, 3))
    after = Rotation.from_euler("z", 72.0625, degrees=True).apply(ROD) + 0.002 * rng.standard_normal((4, 3, 3))
    path = tmp_path / "centres.csv"
    write_centres(path, SphereCentres(("1", "2", "3", "[b]4"), ("A", "B", "C"), before, after))
    return path


def test_table_level_json_and_picture(centres: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    said = run(centres, "--noise-mm", 0.002, "--json", out / "e.json", "--picture", out / "e.png")
    assert "level 3 (level 2 1 %, level 3 98 %" in said
    assert "[b]4" in said
    assert "mean of 4 runs" in said
    found = json.loads((out / "e.json").read_text())
    assert found["level"] == 3
    assert found["low_deg"] < 0.0625 < found["high_deg"]
    assert len(found["runs"]) == 4
    assert (out / "e.png").read_bytes()[:4] == b"\x89PNG"
    assert f"{found['error_deg']:+.5f}" in said
    assert "from the distances of the spheres" in run(centres)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--ratio", "0"], 2, "ratio is positive"),
        (["--noise-mm", "-1"], 2, "positive number"),
        (["--turns", "50"], 2, "direction"),
        (["--ratio", "80"], 3, "centres.csv: run 1: the output turned"),
        (["--noise-mm", "0.00001"], 3, "mis-measured"),
    ],
)
def test_bad_calls(centres: Path, words: list[str], code: int, says: str) -> None:
    said = run(centres, *words, code=code)
    assert "Error:" in said
    assert says in said


def test_centres_that_did_not_turn(centres: Path) -> None:
    kept = [line for line in centres.read_text().splitlines() if ",after," not in line]
    centres.write_text("\n".join([*kept, *(line.replace(",before,", ",after,") for line in kept[1:])]))
    assert "run 1: the output did not turn" in run(centres, code=3)


def test_bad_files(centres: Path, tmp_path: Path) -> None:
    assert "nowhere.csv" in run(tmp_path / "nowhere.csv", code=3)
    text = centres.read_text().replace("1,after,B", "1,after,A")
    centres.write_text(text)
    said = run(centres, code=3)
    assert "sphere A after run 1 stands in row 4 already, line 5; again (line 6 of the file)" in said
    assert "Remedy" in said
