"""The pre-trained detector needs no training, no layout and, once fitted, no file of weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jointwatch.bundle import load, save
from jointwatch.core import Recording, Windows
from jointwatch.core.errors import ModelFileError
from jointwatch.detectors.foundation import Foundation
from jointwatch.models._patch_encoder import PatchEncoder
from jointwatch.models._pretrained import save_pretrained
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.sliding import sliding


@pytest.mark.parametrize(("joints", "rate_hz", "cut_hz"), [(6, 25.0, 25.0), (7, 500.0, 500.0), (2, 100.0, None)])
def test_the_same_weights_judge_any_robot(
    arm_recording: Callable[..., Recording], joints: int, rate_hz: float, cut_hz: float | None
) -> None:
    def windows(seed: int, faulty: tuple[int, ...] = ()) -> Windows:
        recording = arm_recording(seed=seed, joints=joints, rate_hz=rate_hz, cycles=12, faulty=faulty)
        if cut_hz is None:
            return by_cycle(recording, length=100)
        return sliding(recording, rate_hz=cut_hz, length=int(2 * cut_hz), step=int(2 * cut_hz))

    detector = Foundation().fit(windows(0))
    odd = windows(1, faulty=(1, 4, 5, 8))
    assert detector.score(odd) > 0.95
    assert detector.network_.step_s == pytest.approx(2 / 100 if cut_hz is None else 1 / cut_hz, rel=1e-3)
    found = detector.detect(odd[odd.index.label == "anomalous"])
    assert found.contributions is not None
    assert {found.channels[column].joint for column in found.contributions.argmax(axis=1)} == {1}


def test_weights_of_ones_own_are_stored_with_the_detector(
    arm_recording: Callable[..., Recording], tmp_path: Path
) -> None:
    file = save_pretrained(PatchEncoder(width=16, heads=2, layers=1), tmp_path / "own", {})
    windows = by_cycle(arm_recording(cycles=12), length=60)
    detector = Foundation(weights=str(file)).fit(windows)
    assert detector.network_.width == 16
    save(detector, tmp_path / "model")
    file.unlink()
    assert np.array_equal(load(tmp_path / "model").score_samples(windows), detector.score_samples(windows))
    with pytest.raises(ModelFileError, match="own"):
        Foundation(weights=str(file)).fit(windows)


def test_labels_are_used_where_there_are_some(arm_recording: Callable[..., Recording]) -> None:
    windows = by_cycle(arm_recording(cycles=20, faulty=tuple(range(0, 20, 4))), length=60)
    kinds = {use: Foundation(use=use, epochs=2).fit(windows).network_.kind for use in ("auto", "distance", "fine_tune")}  # type: ignore[arg-type]
    assert kinds == {"auto": "probe", "distance": "distance", "fine_tune": "probe"}
