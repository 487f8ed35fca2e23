"""AdaTime's benchmark: labels of a target reach nobody but the judge, scenarios are discovered, figures are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle
from torch.nn.functional import cross_entropy

from jointwatch.core.errors import InputError, UsageError
from jointwatch.reports.by_study.adatime import methods_figure
from jointwatch.reports.study import write_study
from jointwatch.studies._adatime_data import labels_of, pairs_asked, read_scenario, subjects
from jointwatch.studies._adatime_methods import (
    BEST,
    BY_SPLIT,
    BY_TRAINING,
    CHOSEN,
    MEAN,
    MEAN_OF_SEEDS,
    SOURCE_ONLY,
    TARGET_ONLY,
    strategies,
)
from jointwatch.studies._adatime_peer import PEER, SETTINGS, as_in_peer
from jointwatch.studies.adatime import ALL, Adatime, _macro_f1
from jointwatch.studies.base import Results
from jointwatch.training.adversarial import domain_loss
from jointwatch.training.discrepancy import coral

NAMES = "dann,deep-coral"


def write_subjects(folder: Path, numbers: tuple[int, ...] = (2, 5, 11), rows: int = 12) -> Path:
    """Six kinds of short waves; subjects differ in gain, offset and tempo."""
    folder.mkdir(parents=True)
    time = np.arange(32) / 32
    for number in numbers:
        rng = np.random.default_rng(number)
        arrays: dict[str, Any] = {}
        for part in ("train", "test"):
            label = np.arange(rows) % 6
            wave = np.sin(2 * np.pi * (1 + label[:, None]) * (time + 0.01 * number))
            values = wave[:, None, :] * (1 + np.arange(3))[:, None] + 0.3 * rng.standard_normal((rows, 3, 32))
            arrays |= {f"X_{part}": (number * values + number).astype(np.float32), f"y_{part}": label.astype(np.int8)}
        np.savez(folder / f"subject_{number}.npz", **arrays)
    return folder


def rewritten(folder: Path, subject: str, **changed: np.ndarray) -> None:
    file = folder / f"subject_{subject}.npz"
    with np.load(file) as content:
        arrays: dict[str, Any] = {name: content[name] for name in content.files}
    np.savez(file, **(arrays | changed))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")


def run(folder: Path, out: Path, **options: Any) -> tuple[Results, dict[str, Any]]:
    """The study's results and its steps by key."""
    given = {"scenarios": "2-11", "strategies": NAMES, "seeds": 2, "epochs": 1} | options
    results = Adatime().run(Adatime.Options(data=folder, **given), out)
    steps = [json.loads(line) for line in (out / "steps.jsonl").read_text().splitlines()[1:]]
    return results, {step["key"]: step["value"] for step in steps}


def test_labels_of_the_target_reach_only_the_judge(tmp_path: Path, here: None) -> None:
    plain = write_subjects(tmp_path / "plain")
    scrambled = write_subjects(tmp_path / "scrambled")
    rng = np.random.default_rng(0)
    shuffled = {f"y_{part}": rng.permutation(labels_of(plain, "11", part)) for part in ("train", "test")}
    rewritten(scrambled, "11", **shuffled)
    before, steps = run(plain, tmp_path / "a", seeds=1)
    after, other = run(scrambled, tmp_path / "b", seeds=1)
    compared = [key for key in steps if key.startswith("compare/")]
    assert len(compared) == 1
    assert all(steps[key] == other[key] for key in compared)  # every class said, choice and score, to the bit
    told = {row.method: row.mean for row in before.rows if row.source == ALL and row.split == BY_SPLIT}
    scrambled_told = {row.method: row.mean for row in after.rows if row.source == ALL and row.split == BY_SPLIT}
    assert told != scrambled_told  # only the judge sees another truth


def test_labels_that_are_not_there_are_not_missed(tmp_path: Path) -> None:
    folder = write_subjects(tmp_path / "data")
    with np.load(folder / "subject_11.npz") as content:
        np.savez(folder / "subject_11.npz", X_train=content["X_train"], X_test=content["X_test"])
    scenario = read_scenario(folder, "2", "11")
    for batch in (scenario.target, scenario.test, scenario.test_by_training):
        assert set(batch.label.tolist()) == {-1}
    assert set(scenario.source.label.tolist()) == set(range(6))
    with pytest.raises(InputError, match="subject_11"):
        labels_of(folder, "11", "test")


def test_every_file_is_normalised_by_itself(tmp_path: Path) -> None:
    folder = write_subjects(tmp_path / "data")
    scenario = read_scenario(folder, "2", "11")
    for batch in (scenario.source, scenario.held_out, scenario.target, scenario.test):
        values = batch.values.double().numpy()
        np.testing.assert_allclose(values.mean(axis=(0, 2)), 0, atol=1e-5)
        np.testing.assert_allclose(values.std(axis=(0, 2), ddof=1), 1, rtol=1e-5)
    assert abs(scenario.test_by_training.values.mean()) > 1e-5
    rewritten(folder, "11", X_test=100 + np.zeros((4, 3, 32), np.float32))
    assert read_scenario(folder, "2", "11").test_by_training.values.mean() > 1


def test_scenarios(tmp_path: Path) -> None:
    folder = write_subjects(tmp_path / "data", (2, 5, 11, 20))
    assert subjects(folder) == ["2", "5", "11", "20"]
    assert pairs_asked(folder, "") == [("2", "11"), ("20", "5")]
    assert pairs_asked(folder, "5-2, 11-20,5-2") == [("5", "2"), ("11", "20")]
    for wrong in ("2-3", "2", "2-2", "2-11,,"):
        with pytest.raises(UsageError, match="scenarios"):
            pairs_asked(folder, wrong)
    with pytest.raises(UsageError, match="name pairs"):
        pairs_asked(write_subjects(tmp_path / "others", (1, 2)), "")
    with pytest.raises(InputError, match="subject_N"):
        subjects(tmp_path)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"X_train": np.full((4, 3, 32), np.nan)}, "finite"),
        ({"X_train": np.zeros((0, 3, 32))}, "finite"),
        ({"y_train": np.zeros(3, int)}, "each of 12 windows"),
        ({"y_test": np.full(12, 6)}, "class 0 to 5"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, changed: dict[str, np.ndarray], match: str) -> None:
    folder = write_subjects(tmp_path / "data")
    rewritten(folder, "2", **changed)
    with pytest.raises(InputError, match=match) as caught:
        read_scenario(folder, "2", "11")
    assert "subject_2.npz" in str(caught.value)


def test_strategies_are_those_of_the_catalog() -> None:
    assert {"dann", "deep_coral"} <= set(strategies())
    assert not {"full", "lora", "normalisation"} & set(strategies())  # they adapt with labels, or not at all
    with pytest.raises(UsageError, match="lora"):
        strategies("dann,lora")


def test_what_it_writes(tmp_path: Path, here: None) -> None:
    folder = write_subjects(tmp_path / "data")
    results, steps = run(folder, tmp_path / "out", scenarios="2-11,5-2")
    assert len(steps) == 2 * 2 * 2
    methods = {row.method for row in results.rows if row.metric == "macro F1"}
    assert {SOURCE_ONLY, TARGET_ONLY, "dann", "deep-coral", CHOSEN, MEAN, BEST} <= methods
    truth = labels_of(folder, "11", "test").astype(int)
    for row in results.rows:
        if (row.method, row.split, row.target) == ("dann", BY_TRAINING, "subject 11"):
            said = [steps[f"compare/2-11/{seed}"]["said"]["dann"][BY_TRAINING] for seed in (0, 1)]
            f1 = [_macro_f1(truth, np.array(one)) for one in said]
            assert (row.mean, row.low, row.high) == (pytest.approx(np.mean(f1)), min(f1), max(f1))
            break
    else:
        pytest.fail("no such row")
    together = np.mean([steps[f"compare/2-11/{seed}"]["mean"][BY_TRAINING] for seed in (0, 1)], axis=0)
    (row,) = (r for r in results.rows if (r.method, r.split, r.target) == (MEAN_OF_SEEDS, BY_TRAINING, "subject 11"))
    assert row.mean == pytest.approx(_macro_f1(truth, together.argmax(axis=1)))
    one, other = (np.array(steps[f"compare/5-2/{seed}"]["target"]["dann"]) for seed in (0, 1))
    (record,) = (r for r in results.details["steadiness"] if (r["scenario"], r["method"]) == ("5-2", "dann"))
    assert record["same"] == pytest.approx((one == other).mean())
    choices = [row for row in results.details["choices"] if row["choice"] == CHOSEN]
    assert len(choices) == 4
    assert all(row["taken"] in (SOURCE_ONLY, "dann", "deep-coral") for row in choices)
    assert all(row["macro F1"] <= row["best macro F1"] for row in choices)
    counted = {row.metric: row.mean for row in results.rows if row.method == f"dann, against {SOURCE_ONLY}"}
    assert sum(counted.values()) == 4
    assert {record["scenario"] for record in results.details["peer"]} == {"2-11"}
    written = {path.name for path in write_study(results, tmp_path / "report")}
    assert {"methods.png", "peer.png", "scores.png", "choices.csv", "peer.csv", "report.html"} <= written


def test_the_best_strategy_of_each_column_is_framed() -> None:
    def row(method: str, source: str, mean: float) -> dict[str, Any]:
        target = ALL if source == ALL else "subject 9"
        return {"method": method, "source": source, "target": target, "mean": mean, "low": mean, "high": mean}

    places = ("subject 1", "subject 2", ALL)
    table = {SOURCE_ONLY: (0.9, 0.9, 0.9), "dann": (0.8, 0.6, 0.7), "dsan": (0.7, 0.85, 0.78), TARGET_ONLY: (1, 1, 1)}
    table[as_in_peer("dsan")] = (0.95, 0.95, 0.95)  # its settings may have seen labels of targets
    rows = [row(name, place, mean) for name, means in table.items() for place, mean in zip(places, means, strict=True)]
    axis = methods_figure(rows).axes[0]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == [
        "dsan", "dann", SOURCE_ONLY, TARGET_ONLY, as_in_peer("dsan"),
    ]  # fmt: skip
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["1 → 9", "2 → 9", "mean"]
    boxes = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    frames = {(round(box.get_y() + 0.46), round(box.get_x() + 0.48)) for box in boxes}
    assert frames == {(1, 0), (0, 1), (0, 2)}


def test_macro_f1_by_hand() -> None:
    true, said = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert _macro_f1(true, said) == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_the_peer_is_as_measured() -> None:
    means = {method: round(100 * float(np.mean(list(figures.values()))), 1) for method, figures in PEER.items()}
    assert means == {"source only": 85.2, "deep-coral": 86.5, "dann": 86.6, "dsan": 89.8}


def test_a_class_that_is_only_said_counts_nought_and_one_that_is_neither_there_nor_said_does_not_count() -> None:
    assert _macro_f1(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 3])) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_settings_of_the_peer_weigh_the_losses_as_its_code_does() -> None:
    """Its losses, written down by hand: of Deep CORAL the scatters of 32 rows of 128 features, of DANN two sums."""
    draw = torch.Generator().manual_seed(0)
    one, other = (torch.randn(32, 128, generator=draw) * size for size in (1.0, 1.3))
    scatter = [(rows - rows.mean(dim=0)).T @ (rows - rows.mean(dim=0)) for rows in (one, other)]
    theirs = 4.23 / 0.1013 * (scatter[0] - scatter[1]).square().mean() / (4 * 128**2)
    assert SETTINGS["deep_coral"]["weight"] * float(coral(one, other)) == pytest.approx(float(theirs), rel=1e-4)
    logits, domain = torch.randn(64, 2, generator=draw), torch.arange(64) // 32
    parts = [cross_entropy(logits[domain == number], domain[domain == number]) for number in (0, 1)]
    ours = SETTINGS["dann"]["weight"] * float(domain_loss(logits, domain))
    assert ours == pytest.approx(5.43 / 9.74 * float(sum(parts)), rel=1e-5)
