"""The simulator's page says what there is, and what it shows runs."""

from __future__ import annotations

import contextlib
import io
import re
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import yaml

from jointwatch.core import catalog
from jointwatch.simulation.difficulty import difficulty
from jointwatch.simulation.fleet import plan_fleet
from jointwatch.simulation.robot import load_robot
from jointwatch.simulation.session import simulate_session
from jointwatch.simulation.spec import FleetSpec, load_spec, presets

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "simulator.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def _row(name: str) -> list[str]:
    """Cells of the one table row that begins with this name."""
    (found,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


@pytest.mark.parametrize("fault", catalog.names("faults"))
def test_every_fault_has_its_row(fault: str) -> None:
    kind = catalog.load("faults", fault)
    cells = _row(fault)
    assert ("cycles" if kind.episodic else "session") in cells
    if kind.scope != "telemetry":
        assert cells[1] == kind.scope
    assert len(cells[-1]) > 15


@pytest.mark.parametrize("task", catalog.names("tasks"))
def test_every_task_has_its_row(task: str) -> None:
    assert len(_row(task)[1]) > 15


@pytest.mark.parametrize("preset", presets())
def test_every_preset_has_its_row(preset: str) -> None:
    sessions = plan_fleet(load_spec(preset))
    assert _row(preset)[2:4] == [str(len({plan.unit for plan in sessions})), str(len(sessions))]
    minutes = 0.0
    for _, group in groupby(sessions, key=lambda plan: plan.group):
        plans = list(group)
        task = catalog.load("tasks", plans[0].task)(**plans[0].parameters)
        motion = task.motion(load_robot(plans[0].robot), plans[0].cycles, np.random.default_rng(0))
        minutes += len(plans) * motion.duration_s / 60
    assert float(_row(preset)[4]) == pytest.approx(minutes, rel=0.15)


def test_the_difficulty_is_the_one_in_force() -> None:
    hard = difficulty()
    assert f"**version {hard.version}**" in PAGE
    numbers = {
        **hard.unit_sigma.model_dump(),
        "friction_sigma": hard.session.friction_sigma,
        "wander_share": hard.wander_share,
        "law_sigma": hard.law_sigma,
    }
    words = " ".join(PAGE.split())
    assert [name for name, value in numbers.items() if f"`{name}` {value:g}" not in words] == []


def test_pictures_and_pages_that_it_names_exist() -> None:
    named = [name for name in re.findall(r"\]\(([^)]+)\)", PAGE) if "://" not in name]
    assert len(named) >= 9
    assert [name for name in named if not (DOCS / name).is_file()] == []
    drawn = {f"simulator/{path.name}" for path in (DOCS / "simulator").glob("*.png")}
    assert drawn == {name for name in named if name.endswith(".png")}


def test_what_truth_holds_is_listed() -> None:
    truth = simulate_session(next(plan for plan in plan_fleet(load_spec("m2-drives")))).truth
    section = PAGE.partition("### What is in `truth`")[2].partition("\n## ")[0]
    listed = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|([^|]*`[^|]*)\|", section, re.MULTILINE)))
    assert sorted(listed) == sorted(truth)


def test_the_fleet_file_is_a_fleet() -> None:
    (text,) = _blocks("yaml")
    sessions = plan_fleet(FleetSpec(**yaml.safe_load(text)))
    assert len(sessions) == 2 * 5
    assert {plan.fault for plan in sessions} == {"", "reducer_wear", "collision"}


def test_the_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fleet, steps = _blocks("python")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(fleet, "simulator.md", "exec"), {})
    lines = said.getvalue().splitlines()
    assert len(lines) == 4
    assert sum("reducer_wear" in line for line in lines) == 2
    assert sum("healthy 0.00 level 1" in line for line in lines) == 2
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(said):
        exec(compile(steps, "simulator.md", "exec"), names)
    change = np.abs(names["trace"].current_a - names["healthy"].current_a).max(axis=1)  # type: ignore[attr-defined]
    assert change.argmax() == 1  # joint 2
