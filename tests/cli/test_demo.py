"""The demo as a new user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jointwatch.cli import app


@pytest.mark.slow
def test_the_demo_needs_nothing_and_finds_what_it_simulated(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["demo", "--out", str(tmp_path)])
    assert said.exit_code == 0, said.output
    alarms = {}
    for brand in ("crx10ia", "gofa5", "iiwa7", "m1013"):
        assert (tmp_path / brand / "report.html").stat().st_size > 50_000
        alarms[brand] = json.loads((tmp_path / brand / "alarms.json").read_text())
        assert alarms[brand]["decisions"] == 48
    found = sum(len(one["alarms"]) for one in alarms.values())
    assert 20 <= found <= 80
    again = CliRunner().invoke(app, ["demo", "--out", str(tmp_path)])  # the fleet is there: nothing is simulated twice
    assert again.exit_code == 0
    assert "220 sessions" in again.output
