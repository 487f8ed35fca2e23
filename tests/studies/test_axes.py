"""What the studies of reducer faults share: what is too good is noted, and steps of other code are not taken over."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from jointwatch.studies import _sources
from jointwatch.studies._axes import Counts, add_counts
from jointwatch.studies._part import Part
from jointwatch.studies._trees import ORACLE
from jointwatch.studies.actuator_transfer import ActuatorTransfer
from jointwatch.studies.axis_alone import AxisAlone
from jointwatch.studies.axis_imbalance import AxisImbalance
from jointwatch.studies.axis_matrix import AxisMatrix
from jointwatch.studies.axis_models import AxisModels
from jointwatch.studies.axis_settings import AxisSettings
from jointwatch.studies.axis_transfer import AxisTransfer
from jointwatch.studies.axis_units import AxisUnits
from jointwatch.studies.collision import Collision
from jointwatch.studies.servo_transfer import ServoTransfer

PERFECT: list[Counts] = [{"a": [[9, 0], [0, 9]], "b": [[9, 0], [0, 9]]}]
GOOD: list[Counts] = [{"a": [[9, 1], [0, 9]], "b": [[9, 0], [1, 9]]}]
PLACE = {"method": "trees", "source": "axis 6", "target": "axis 4", "labels": "10%"}
STUDIES = [
    ActuatorTransfer,
    AxisAlone,
    AxisImbalance,
    AxisMatrix,
    AxisModels,
    AxisSettings,
    AxisTransfer,
    AxisUnits,
    ServoTransfer,
]


def notes(repetitions: list[Counts], split: str, **place: str) -> list[str]:
    part = Part()
    add_counts(part, repetitions, split, **PLACE | place)
    return part.notes


def test_units_held_out_and_no_mistake_is_suspected_once() -> None:
    (note,) = notes(PERFECT, "unit")
    assert note.startswith("suspected leak until shown otherwise: trees, axis 6 to axis 4: balanced accuracy 1.000")
    assert "trees, axis 4:" in notes(PERFECT, "unit", source="axis 4")[0]
    for nothing in (notes(GOOD, "unit"), notes(PERFECT, "random"), notes(PERFECT, "unit", method=ORACLE)):
        assert nothing == []
    part = Part()
    for labels, method in (("10%", "trees"), ("20%", "trees"), ("10%", "kNN")):
        add_counts(part, PERFECT, "unit", **PLACE | {"labels": labels, "method": method})
    assert [note.split(": ")[1].partition(",")[0] for note in part.notes] == ["trees", "kNN"]


@pytest.mark.parametrize("study", STUDIES)
def test_steps_of_other_code_are_not_taken_over(study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = study.Options(data=tmp_path / "data")
    before = study()._fingerprint(options)
    code = tmp_path / "code"
    for package in _sources._PACKAGES:
        shutil.copytree(_sources._ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(_sources, "_ROOT", code)
    assert study()._fingerprint(options) == before
    for package in _sources._PACKAGES:
        with next((code / package).glob("[a-z]*.py")).open("a") as file:
            file.write("# another content\n")
        after = study()._fingerprint(options)
        assert after != before
        before = after


def test_other_studies_do_not_rest_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = Collision.Options(data=tmp_path)
    before = Collision()._fingerprint(options)
    monkeypatch.setattr(_sources, "_PACKAGES", ("core",))
    assert Collision()._fingerprint(options) == before
