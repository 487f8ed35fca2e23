"""Does pre-training pay: every way sees the same cycles, nothing judged is learned from, and leaks are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.models._patch_encoder import SIZES, PatchEncoder
from jointwatch.models._pretrained import save_pretrained
from jointwatch.recordings.parquet import Parquet
from jointwatch.reports.study import write_study
from jointwatch.studies._cross_brand_rows import Fleet
from jointwatch.studies._cross_brand_task import Task
from jointwatch.studies._pretraining_methods import (
    FINE_TUNE,
    MINI_ROCKET,
    PROBE,
    SCRATCH,
    mini_rocket,
    probed,
    trained,
)
from jointwatch.studies._pretraining_rows import load_cycles
from jointwatch.studies.pretraining import Pretraining
from jointwatch.training.corpus import channels_of
from jointwatch.training.foundation import relative_to_own
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.derive import derive

SEEN = "Universal Robots UR5e"


def weights(folder: Path, hours: float, robot: str = SEEN) -> Path:
    facts = {"data": [{"robot": robot, "hours": hours}]}
    save_pretrained(PatchEncoder(**SIZES["small"]), folder / "encoder.safetensors", facts)
    return folder


@pytest.fixture(scope="module")
def study(brands: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("out")
    folders = [weights(out / "much", 3.0), weights(out / "little", 0.5)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        options = Pretraining.Options(
            data=brands,
            quick=True,
            target="gofa5",
            budgets="0,8",
            strategies="dann,head_only",
            weights=",".join(map(str, folders)),
        )
        return Pretraining().run(options, out), out


@pytest.fixture(scope="module")
def fleet(study: tuple[Any, Path]) -> Fleet:
    return Fleet.load(study[1] / "fleet.npz")


def test_every_way_is_told_with_and_without_labels(study: tuple[Any, Path]) -> None:
    areas = {(row.method, row.source, row.labels): row.mean for row in study[0].rows if row.metric == "AUROC"}
    nothing, few = "0 labelled cycles", "8 labelled cycles"
    for source in ("random weights", "0.5 h of windows", "3.0 h of windows"):
        assert ("pre-trained: distance to normal", source, nothing) in areas
        assert ("pre-trained: probe", source, few) in areas
    assert ("pre-trained: fine-tuned", "3.0 h of windows", few) in areas
    assert ("pre-trained: fine-tuned", "random weights", few) in areas
    assert ("pre-trained: fine-tuned", "0.5 h of windows", few) not in areas
    duels = {row.metric.partition(" against ")[2] for row in study[0].rows if row.method == "pre-trained: probe"}
    assert {"random weights, probe (AUROC)", "MiniRocket + ridge (AUROC)"} <= duels
    assert {
        ("target only: MiniRocket + ridge", "none", few),
        ("target only: the same network, trained from scratch", "none", few),
        ("carried: dann", "others", nothing),
        ("carried: head_only", "others", few),
        ("target only: mahalanobis", "none", nothing),
    } <= set(areas)
    assert all(0 <= area <= 1 for area in areas.values())


def test_whether_the_target_was_seen_is_told(study: tuple[Any, Path], brands: Path, tmp_path: Path) -> None:
    assert any("no judged robot is named" in note for note in study[0].notes)
    assert not any("LEAK" in note for note in study[0].notes)
    seen = weights(tmp_path / "seen", 1.0, robot="ABB GoFa CRB 15000-5/0.95")
    options = Pretraining.Options(
        data=brands, quick=True, target="gofa5", budgets="0", strategies="dann", weights=str(seen)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        results = Pretraining().run(options, tmp_path / "out")
    assert any("A LEAK: ABB GoFa CRB 15000-5/0.95" in note for note in results.notes)


def test_two_weights_of_equal_hours_are_refused(brands: Path, tmp_path: Path, study: tuple[Any, Path]) -> None:
    folders = f"{weights(tmp_path / 'a', 1.0)},{weights(tmp_path / 'b', 1.0)}"
    options = Pretraining.Options(data=brands, quick=True, target="gofa5", weights=folders)
    with pytest.raises(UsageError, match="give one of them"):
        Pretraining().run(options, study[1])


def test_windows_are_in_the_order_of_the_fleet(study: tuple[Any, Path], brands: Path) -> None:
    windows = load_cycles(study[1] / "cycles" / "gofa5.npz")
    for row in (0, 17, len(windows) - 1):
        unit, session = windows.index.unit[row], windows.index.session[row]
        (recording,) = Parquet().read(brands / "gofa5" / unit / f"{session}.parquet")
        channels = channels_of(recording)
        again = by_cycle(derive(recording, channels), length=200, channels=channels)
        (same,) = np.flatnonzero(again.index.cycle == windows.index.cycle[row])
        assert np.allclose(again.values[same], windows.values[row])


@pytest.mark.parametrize("method", [PROBE, MINI_ROCKET, FINE_TUNE, SCRATCH])
def test_labels_of_judged_units_have_no_part(
    study: tuple[Any, Path], fleet: Fleet, method: str, tmp_path: Path
) -> None:
    """Turning every label of the judged units changes no score."""
    windows = load_cycles(study[1] / "cycles" / "gofa5.npz")
    task = Task(fleet, (), "gofa5", 8, 0)
    turned = fleet.index.label.copy()
    turned[task.judged] = np.where(turned[task.judged] == "anomalous", "normal", "anomalous")
    other = Task(replace(fleet, index=replace(fleet.index, label=turned)), (), "gofa5", 8, 0)
    file = weights(tmp_path, 1.0)
    run = {
        PROBE: lambda of: probed(of, windows, file),
        MINI_ROCKET: lambda of: mini_rocket(of, windows),
        FINE_TUNE: lambda of: trained(of, windows, file, False, True),
        SCRATCH: lambda of: trained(of, windows, file, True, True),
    }[method]
    first, second = run(task), run(other)
    assert first["score"] == second["score"]
    assert first["calibration"] == second["calibration"]
    assert len(first["score"]) == task.judged.sum()


def test_the_report_has_pictures(study: tuple[Any, Path], tmp_path: Path) -> None:
    written = {path.name for path in write_study(study[0], tmp_path)}
    assert {"labels.png", "scaling.png", "report.html"} <= written


def test_baselines_are_compared_with_other_sessions() -> None:
    """Healthy cycles that differ by session: their own session has no part in what they are compared with."""
    rng = np.random.default_rng(0)
    vectors = 2 * rng.standard_normal((6, 4, 1, 1, 40)).repeat(10, axis=2) + rng.standard_normal((6, 4, 10, 1, 40))
    unit, session = (np.broadcast_to(part, (6, 4, 10)).ravel() for part in np.ogrid[:6, :4, :1][:2])
    base = session < 2
    away = relative_to_own(vectors.reshape(240, 1, 40), unit, base, session)
    size = np.square(away).mean(axis=(1, 2))
    assert 0.8 < size[base].mean() / (4 / 3 * size[~base].mean()) < 1.25  # 2 sessions against 1, new against 2
