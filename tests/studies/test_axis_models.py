"""Five networks on an axis: honest halves, published amounts, both splits in rows and pictures, and it resumes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.core.errors import InputError, NotEnoughData, UsageError
from jointwatch.diagnosis._maps_view import MapsView
from jointwatch.models.base import batch_norms
from jointwatch.reports.by_study import axis_models as pictures
from jointwatch.reports.study import write_study
from jointwatch.studies import _axes
from jointwatch.studies._axes import FIGURES, NETWORKS, AxisOptions, Fleet, codes_of, drawn, fitted, judged, numbers
from jointwatch.studies._confusions import CHANCE
from jointwatch.studies._trees import TREES
from jointwatch.studies.axis_models import AxisModels
from jointwatch.training.recipes import recipe


@pytest.fixture
def fleet(small: dict[str, Any]) -> Fleet:
    return Fleet(small["data"], AxisOptions(**small))


def test_no_unit_is_on_both_sides_when_units_are_held_out(fleet: Fleet) -> None:
    held = set()
    for seed in range(4):
        halves = fleet.halves(6, "unit", seed)
        train, test = (set(maps.index.unit.tolist()) for maps in (halves.train, halves.test))
        assert not train & test
        assert len(train | test) == 5
        assert set(codes_of(halves.train)) == set(codes_of(halves.test)) == {0, 1}
        held |= test
    assert len(held) > 1


def test_the_random_split_deals_maps_of_all_units_and_tests_a_fifth(fleet: Fleet) -> None:
    halves = fleet.halves(6, "random", 0)
    assert len(halves.test) == round(0.2 * (len(halves.train) + len(halves.test)))
    assert set(halves.train.index.unit) & set(halves.test.index.unit)
    again = fleet.halves(6, "random", 1)
    assert not np.array_equal(halves.test.values, again.test.values)


def test_a_stride_is_taken_as_it_is_given(fleet: Fleet) -> None:
    assert fleet.stride("unit") > fleet.stride("random") == 2
    usual, close = (fleet.halves(4, "unit", 0, **more) for more in ({}, {"stride": 1}))
    assert len(close.train) > 4 * len(usual.train)


def test_sessions_are_drawn_until_the_published_amounts_are_there(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = fleet.recordings(4)
    with pytest.raises(NotEnoughData, match="21,777 worn and 19,105 healthy samples; --amounts all"):
        drawn(recordings, _axes.FEW, 0)
    session = len(recordings[0].time_s)
    wanted = {"anomalous": 4 * session - 10, "normal": 2 * session - 10}
    monkeypatch.setattr(_axes, "FEW", tuple(wanted.values()))
    draws = [drawn(recordings, _axes.FEW, seed) for seed in range(3)]
    for chosen in draws:
        for label, amount in wanted.items():
            own = [len(r.time_s) for r in chosen if r.condition.label == label]
            assert sum(own) >= amount > sum(own) - max(own)
    assert len({tuple(sorted(r.robot.unit for r in chosen)) for chosen in draws}) > 1
    maps = fleet.maps(draws[0], 4)
    for amounts in ("published", "few"):
        less = Fleet(fleet.folder, fleet.options.model_copy(update={"amounts": amounts})).halves(4, "random", 0)
        assert len(less.train) + len(less.test) == len(maps)


def test_grave_wear_is_learned_by_the_published_network(small: dict[str, Any]) -> None:
    fleet = Fleet(small["data"], AxisOptions(**small | {"epochs": 40, "stride": 1}))
    halves = fleet.halves(4, "random", 0)
    found = judged(fitted(halves.train, fleet.options.recipe("paper"), 0), halves.test)
    table = np.sum(list(found.values()), axis=0)
    recalls = np.diag(table) / table.sum(axis=1)
    assert table.sum() == len(halves.test)
    assert recalls.mean() > 0.8


def test_epochs_of_the_options_replace_those_of_a_recipe(small: dict[str, Any]) -> None:
    usual = {name: value for name, value in small.items() if name != "epochs"}
    assert AxisOptions(**usual).recipe("paper") == recipe("paper")
    assert AxisOptions(**usual, quick=True).recipe("paper").options.epochs == 30
    assert AxisOptions(**small, quick=True).recipe("paper").options.epochs == 2
    plain = AxisOptions(**usual).recipe("paper-plain")
    assert plain.options == recipe("paper").options
    assert [r.network["batch_norm"] for r in (recipe("paper"), plain)] == [True, False]
    balanced = AxisOptions(**usual).recipe("paper-balanced")
    assert balanced.balanced
    assert balanced.options == recipe("paper").options
    assert list(AxisOptions(**usual | {"seeds": 5}, quick=True).repeats) == [0, 1]
    with pytest.raises(UsageError, match="commas"):
        numbers("10;20")
    with pytest.raises(InputError, match=r"fleet\.json"):
        Fleet(small["data"] / "axis4", AxisOptions(**small))


def test_every_network_has_a_row_for_both_splits_and_the_study_resumes(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = AxisModels.Options(**small, trainings="paper")
    results = AxisModels().run(options, tmp_path)
    methods = [CHANCE, TREES, *NETWORKS]
    assert len(results.rows) == 2 * len(methods) * len(FIGURES)
    assert any("'paper' here has batch norm" in note for note in results.notes)
    for split in ("random (optimistic)", "unit out"):
        rows = [row for row in results.rows if row.split == split and row.metric == "accuracy"]
        assert [row.method for row in rows] == methods
        assert all(math.isfinite(row.low) and row.low <= row.mean <= row.high for row in rows)
        assert all(row.seeds == 2 for row in rows)
        for row in rows:
            cells = [
                cell
                for cell in results.details["confusions"]
                if (cell["network"], cell["split"]) == (row.method, row.split)
            ]
            right = sum(cell["maps"] for cell in cells if cell["true"] == cell["said"])
            assert len(cells) == 4
            assert right / sum(cell["maps"] for cell in cells) == pytest.approx(row.mean, abs=0.05)

    def refuse(*given: Any, **more: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(MapsView, "fit", refuse)
    again = AxisModels().run(options, tmp_path)
    assert again.rows == results.rows
    assert "taken over" in again.notes[-1]
    paths = write_study(results, tmp_path / "report")
    stems = {path.stem for path in paths if path.suffix == ".svg"}
    assert stems == {"models_paper", "confusion_random", "confusion_unit", "attention"}
    assert stems <= set(pictures.CAPTIONS)


def test_the_plain_recipe_has_networks_without_batch_norm(small: dict[str, Any]) -> None:
    maps = Fleet(small["data"], AxisOptions(**small)).halves(4, "unit", 0).train
    found = {}
    for name in ("paper", "paper-plain"):
        training = AxisOptions(**small | {"epochs": 1}).recipe(name)
        found[name] = len(batch_norms(fitted(maps, training, 0).networks_[0]))
    assert found["paper"] > 0 == found["paper-plain"]


def test_attention_is_kept_of_a_worn_map_of_a_unit_that_is_not_learned(small: dict[str, Any], tmp_path: Path) -> None:
    options = AxisModels.Options(**small | {"seeds": 1, "epochs": 1}, trainings="paper")
    cells = AxisModels().run(options, tmp_path).details["attention"]
    halves = Fleet(small["data"], options).halves(6, "unit", 0)
    (place,) = {(cell["unit"], cell["session"], cell["severity"]) for cell in cells}
    test = halves.test.index
    worn = [
        (u, s, v)
        for u, s, v, k in zip(test.unit, test.session, test.severity, test.label, strict=True)
        if k != "normal"
    ]
    assert place == worn[0]
    assert place[0] not in halves.train.index.unit
    assert len(cells) == np.prod(halves.test.shape[1:])
    assert sum(cell["attention"] for cell in cells) == pytest.approx(1.0, abs=1e-3)
    assert len({cell["attention"] for cell in cells}) > 1
    figure = pictures.attention_figure(cells)
    assert figure.axes[0].images[0].get_array().shape == halves.test.shape[1:]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [c.key for c in halves.test.channels]
    assert figure.axes[0].get_xlim()[1] == pytest.approx(halves.test.shape[2] / halves.test.rate_hz)


def test_the_matrix_is_of_the_network_with_the_best_balanced_accuracy() -> None:
    scores = [
        {
            "network": n,
            "training": t,
            "split": "unit out",
            "metric": "balanced accuracy",
            "mean": m,
            "low": m,
            "high": m,
        }
        for n, t, m in (("CNN", "paper", 0.6), ("AD-CNN", "modern", 0.8), ("LSTM", "paper", math.nan))
    ]
    cells = [
        {"network": n, "training": t, "split": "unit out", "true": true, "said": said, "maps": many}
        for n, t, many in (("CNN", "paper", 7), ("AD-CNN", "modern", 30))
        for true in ("healthy", "worn")
        for said in ("healthy", "worn")
    ]
    figure = pictures.best_figure(scores, cells, "unit out")
    assert figure.axes[0].get_title(loc="left").startswith("AD-CNN, modern training\nunit out\n50.0 %")
    assert [text.get_text() for text in figure.axes[0].texts].count("30") == 4
