"""Pictures of the grading study: a point a run, coverage against what was asked, one confusion a pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from jointwatch.reports.by_study import actuator_grading
from jointwatch.studies._grading_methods import ACROSS, INSIDE
from jointwatch.studies._grading_scores import RANK
from jointwatch.studies.base import Results, Row

PAIR = {"source": "+20 kgf", "target": "+40 kgf"}


def place(split: str) -> dict[str, str]:
    inside = {"source": "+20 kgf", "target": "+20 kgf"}
    method = ACROSS[-1].name if split == "across loads" else INSIDE[-1].name
    return {"method": method, "split": split, **(PAIR if split == "across loads" else inside)}


def titles(figure: Figure) -> list[str]:
    return [axis.get_title(loc="left") for axis in figure.axes if axis.get_visible()]


def results() -> Results:
    splits = ("last runs out", "across loads", "each run out in turn")
    rows = [Row(*place(s).values(), "", RANK, 0.9, 0.8, 0.95, 9, 5) for s in splits]
    rows += [
        Row(*place("across loads").values(), "", f"coverage, {asked} % intervals by {kind}", 0.7, 0.6, 0.8, 9, 5)
        for asked in (80, 90)
        for kind in ("runs", "widened", "specimens")
    ]
    ends = {"low": 0.0, "high": 2.0, "intervals": "90 % intervals by runs"}
    said: list[dict[str, Any]] = [
        {**place(split), **ends, "run": f"{stage} {run}", "stage": stage, "degree": 12.0 * (stage == 2)}
        for split in splits
        for stage in range(3)
        for run in range(2)
    ]
    cells = [{**place(s), "true": k, "said": k, "cycles": 4.0} for s in splits for k in range(3)]
    leading = [
        {"source": a, "load": b, "feature": "current in phase 3 of 27", "run": "1", "stage": 1, "change": 0.1}
        for a in ("+20 kgf", "+40 kgf")
        for b in ("+20 kgf", "+40 kgf")
    ]
    details = {"predictions": said, "confusion": cells, "leading": leading}
    return Results("actuator-grading", "", 0.0, tuple(rows), (), details)


def test_every_picture_is_drawn_and_has_its_words(tmp_path: Path) -> None:
    stems = [path.stem for path in actuator_grading.figures(results(), tmp_path)[::2]]
    assert stems == [
        "stages", "ranks_inside", "ranks_across", "coverage", "confusion_inside_20_kgf", "confusion_20_kgf_to_40_kgf",
        "leading",
    ]  # fmt: skip
    assert set(actuator_grading.CAPTIONS) <= set(stems)


def test_runs_lie_side_by_side_with_their_intervals() -> None:
    said = [record for record in results().details["predictions"] if record["split"] == "across loads"]
    figure = actuator_grading.stages_figure(said)
    assert titles(figure) == ["+20 kgf → +40 kgf\n90 % intervals by runs"]
    x, y = figure.axes[0].get_lines()[1].get_data()
    assert len(set(x)) == 6
    assert max(y) == 2.0  # a degree beyond the stages is drawn at the last


def test_coverage_stands_beside_what_was_asked() -> None:
    rows = [row for row in results().to_dict()["rows"] if row["metric"].startswith("coverage")]
    figure = actuator_grading.coverage_figure(rows)
    assert titles(figure) == ["+20 kgf → +40 kgf"]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["80 % asked", "90 % asked"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["runs", "runs, widened", "specimens"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.70"] * 6
    assert all(text.get_position()[1] < 0.1 for text in figure.axes[0].texts)  # no line goes through them
    other = [{**row, "source": "+40 kgf", "target": "+20 kgf"} for row in rows]
    left, right = (axis.get_position() for axis in actuator_grading.coverage_figure([*rows, *other]).axes)
    assert left.x0 < right.x0
    assert left.y0 == right.y0


def test_one_feature_that_leads_at_both_loads_is_drawn_once() -> None:
    figure = actuator_grading.leading_figure(results().details["leading"])
    assert titles(figure) == ["measured at +20 kgf", "measured at +40 kgf"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["current in phase 3 of 27, leads at +20 kgf and +40 kgf"]
    assert len(figure.axes[0].get_lines()) == 2


def test_no_row_is_drawn_apart_and_tables_hold_all() -> None:
    rows = results().to_dict()["rows"]
    assert actuator_grading.drawn(rows) == []
    assert sum(map(len, actuator_grading.blocks(rows))) == len(rows)
