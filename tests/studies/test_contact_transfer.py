"""Contact carried between arms: any folder of the format, any joints, no label of the tested events, honest scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from jointwatch.cli import app
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.reports.by_study.contact_transfer import labels_figure, strategies_figure
from jointwatch.studies._contact_events import Arm, auroc_of_events, auroc_of_windows, read_arm
from jointwatch.studies._contact_events_frames import Drift, by_number, matched
from jointwatch.studies._contact_events_methods import CARRIED, DRIFT_ALONE, OWN, TOGETHER, Case, networks, scores
from jointwatch.studies.contact_transfer import ContactTransfer, _jobs

KEYS = ("method", "source", "target", "labels", "metric")
PUSH = {5: [0, -1, 0.4, 0, 0], 6: [0, -0.3, -1, 0, 0, 0], 7: [0, 0.4, 0, 1, 0, 0.1, 0]}
"""What contact does to the joints of three arms: other joints, other signs."""


def archive(folder: Path, name: str, joints: int, events: int, seed: int = 0) -> Path:
    """Six windows an event, 5 samples apart; the arm sways, and from sample 30 on contact drives it off."""
    rng = np.random.default_rng(seed)
    time = np.arange(53)
    sway = np.sin(2 * np.pi * (time / 90 + rng.random((events, 1))))[:, :, None] * rng.standard_normal(
        (events, 1, joints)
    )
    push = np.clip(time - 30, 0, None)[:, None] / 22 * np.array(PUSH[joints])
    error = 1e-3 * (0.07 * sway + push * rng.uniform(0.6, 1.4, (events, 1, 1)))
    error += 2e-5 * rng.standard_normal(error.shape)
    windows = np.stack([error[:, 5 * k : 5 * k + 28] for k in range(6)], axis=1)
    path = folder / f"{name}.npz"
    np.savez(
        path,
        pos_error=windows.reshape(-1, 28, joints),
        y_link=np.tile([0, 3, 3, 3, 3, 3], events).astype(np.int8),
        event=np.repeat(np.arange(events), 6),
        step=np.tile(np.arange(6), events),
    )
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "arms"
    path.mkdir()
    for seed, (name, joints) in enumerate((("five", 5), ("six", 6), ("seven", 7))):
        archive(path, name, joints, 24, seed)
    return path


def case(source: Arm, target: Arm, events: int = 0, seed: int = 0) -> Case:
    given, test = target.halves()
    return Case(source, given, given.some_events(events, seed) if events else None, test, seed, epochs=2)


def test_windows_are_those_of_the_file(folder: Path, data_dir: Path) -> None:
    for path in (folder / "five.npz", data_dir / "cobot_contact_zhaw" / "franka_source.npz"):
        arm = read_arm(path.parent, path.stem)
        with np.load(path) as given:
            order = np.lexsort((given["step"], given["event"]))
            np.testing.assert_allclose(arm.values, 1e3 * given["pos_error"][order].transpose(0, 2, 1), atol=1e-9)
            np.testing.assert_array_equal(arm.contact, given["y_link"][order] > 0)
            np.testing.assert_array_equal(arm.event, given["event"][order])


def test_no_event_is_on_both_sides_and_few_labels_come_from_the_given_half(folder: Path) -> None:
    arm = read_arm(folder, "six")
    given, test = arm.halves()
    assert not set(given.event) & set(test.event)
    assert set(given.event) | set(test.event) == set(arm.event)
    some = given.some_events(5, seed=3)
    assert len(set(some.event)) == 5
    assert set(some.event) <= set(given.event)
    assert set(given.some_events(5, seed=4).event) != set(some.event)


@pytest.mark.parametrize(("source", "target"), [("five", "six"), ("six", "seven"), ("seven", "five")])
def test_contact_is_carried_to_an_arm_with_other_joints_without_a_label(folder: Path, source: str, target: str) -> None:
    there, here = read_arm(folder, source), read_arm(folder, target)
    judged = case(there, here)
    carried = auroc_of_windows(judged.test, [scores(CARRIED, judged)], repeats=0)[0]
    naive = auroc_of_windows(judged.test, [scores("source as it is: logistic", judged)], repeats=0)[0]
    assert carried > 0.8
    assert carried > naive + 0.1


def test_labels_of_the_target_have_no_influence_unless_they_are_given(folder: Path) -> None:
    there, here = read_arm(folder, "seven"), read_arm(folder, "six")
    plain = case(there, here)
    turned = replace(
        plain,
        unlabelled=replace(plain.unlabelled, contact=~plain.unlabelled.contact),
        test=replace(plain.test, contact=~plain.test.contact),
    )
    for method in (CARRIED, DRIFT_ALONE, "matched joints: logistic", "z-score by joint: logistic", *networks("dann")):
        np.testing.assert_array_equal(scores(method, plain), scores(method, turned))
    few = case(there, here, events=6)
    labelled = few.labelled
    assert labelled is not None
    wrong = replace(few, labelled=replace(labelled, contact=~labelled.contact))
    assert not np.allclose(scores(TOGETHER, few), scores(TOGETHER, wrong))


def test_own_labels_are_needed_where_a_method_learns_from_them(folder: Path) -> None:
    arm = read_arm(folder, "six")
    with pytest.raises(NotEnoughData, match="labelled events"):
        scores(next(iter(OWN)), case(arm, arm))


def test_every_strategy_scores_every_test_window_in_both_frames(folder: Path) -> None:
    there, here = read_arm(folder, "five"), read_arm(folder, "seven")
    judged = case(there, here, events=4)
    for method in (*networks("deep-coral,self-training"), "drift direction: source only"):
        found = scores(method, judged)
        assert found.shape == (len(judged.test),)
        assert np.isfinite(found).all()
        assert len(np.unique(found)) > len(found) // 2


def test_halves_without_both_kinds_of_windows_are_refused_by_name() -> None:
    free = Arm("arm", np.zeros((4, 1, 28)), np.array([False, True, True, True]), np.array([0, 0, 1, 1]))
    with pytest.raises(NotEnoughData, match="halves of arm"):
        free.halves()


def test_auroc_by_event_is_worked_out_by_hand() -> None:
    contact = np.array([False, True, True, False, True, True])
    arm = Arm("a", np.zeros((6, 1, 28)), contact, np.array([0, 0, 0, 1, 1, 1]))
    score = np.array([0.0, 1.0, 3.0, 1.5, 2.0, 9.0])
    assert auroc_of_windows(arm, [score], repeats=0)[0] == pytest.approx(7 / 8)
    assert auroc_of_events(arm, [score], repeats=0)[0] == 1.0
    assert auroc_of_windows(arm, [-score], repeats=0)[0] == pytest.approx(1 / 8)
    value, low, high = auroc_of_windows(arm, [score, score])
    assert low <= value <= high


def test_signs_and_order_of_joints_have_no_influence_on_the_common_frames() -> None:
    rng = np.random.default_rng(0)
    push = np.linspace(0, 3, 28) * np.array([2.0, -0.7, 0.1])[:, None]
    here = rng.standard_normal((120, 3, 28)) * 0.3 + push * (rng.random((120, 1, 1)) < 0.8)
    other = np.array([1.0, -1.0, -1.0])[:, None] * here[:, [2, 0, 1]]
    np.testing.assert_allclose(Drift.of(here).along(here), Drift.of(other).along(other), atol=1e-9)
    one, two, new = matched(here, other, other[:5])
    np.testing.assert_allclose(one, two, atol=1e-9)
    np.testing.assert_array_equal(two[:5], new)
    assert [each.shape[1] for each in by_number(here, here[:, :2])] == [2, 2]
    assert [each.shape[1] for each in by_number(here, here[:, :2], "all")] == [3, 3]


def test_a_budget_that_the_arm_does_not_have_is_left_out() -> None:
    budgets = {budget for _, budget in _jobs([], events=12, quick=False)}
    assert budgets == {0, 5, 10, 12}


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in ("study", "contact-transfer", *words)])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_study_takes_any_pair_and_all_pairs(tmp_path: Path) -> None:
    (tmp_path / "arms").mkdir()
    for name, joints in (("five", 5), ("seven", 7)):
        archive(tmp_path / "arms", name, joints, 12, joints)
    words = ("--data", tmp_path / "arms", "--seeds", 1, "--quick", "--strategies")
    run(*words, "mmd", "--source", "seven", "--target", "five", "--out", tmp_path / "one")
    found = json.loads((tmp_path / "one" / "results.json").read_text())
    rows = found["rows"]
    assert {(row["source"], row["target"]) for row in rows} == {("seven", "five"), ("five", "five")}
    assert {"AUROC of windows", "AUROC of events"} <= {row["metric"] for row in rows}
    assert {row["labels"].split()[0] for row in rows} == {"0", "5", "6"}
    assert any(row["method"] == "drift direction: mmd" for row in rows)
    assert {path.stem for path in (tmp_path / "one").glob("*.png")} == {"labels", "strategies", "joints"}
    assert any("aim above 0.65" in note for note in found["notes"])
    assert len(labels_figure(rows).axes) == 2
    assert len(strategies_figure(rows).axes) == 1
    run(*words, "none", "--pairs", "all", "--out", tmp_path / "all")
    rows = json.loads((tmp_path / "all" / "results.json").read_text())["rows"]
    pairs = {(row["source"], row["target"]) for row in rows if row["source"] != row["target"]}
    assert pairs == {("five", "seven"), ("seven", "five")}
    assert len({tuple(row[key] for key in KEYS) for row in rows}) == len(rows)


def test_wrong_names_and_folders_say_what_is_there(folder: Path, tmp_path: Path) -> None:
    def study(**options: object) -> None:
        kind = ContactTransfer()
        kind.run(kind.Options(**{"data": folder, "source": "five", "target": "six", **options}), tmp_path / "out")

    with pytest.raises(UsageError, match=r"no panda\.npz.*five, seven, six"):
        study(source="panda")
    with pytest.raises(UsageError, match=r"no \.npz file"):
        study(data=tmp_path)
    with pytest.raises(UsageError, match="both five"):
        study(target="five")
    with pytest.raises(UsageError, match="--pairs takes all"):
        study(pairs="some")
    with pytest.raises(UsageError, match="nonsense not among"):
        study(strategies="nonsense")
    with pytest.raises(NotEnoughData, match="pairs of"):
        study(data=tmp_path, pairs="all")
    lone = tmp_path / "lone"
    lone.mkdir()
    np.savez(
        lone / "free.npz",
        pos_error=np.random.default_rng(0).standard_normal((6, 28, 6)),
        y_link=np.zeros(6, np.int8),
        event=np.arange(6),
        step=np.zeros(6, int),
    )
    with pytest.raises(MissingChannel, match="only one kind is there"):
        read_arm(lone, "free")
