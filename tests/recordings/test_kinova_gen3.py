"""Columns that were not recorded and commanded values that nobody commanded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Quantity, Source
from jointwatch.recordings.kinova_gen3 import KinovaGen3

MEASURED = ("Position", "Velocity", "TorqueSm", "TorqueCur", "Temp", "Cur")


def trajectory(path: Path, rows: int = 40, stray: tuple[int, ...] = (), torque_sensor: float = 0.0) -> Path:
    names = ["Time", *(f"{p}{j}" for p in (*MEASURED, "PositionCmptd", "AccCmptd") for j in range(1, 8))]
    lines = [",".join(names)]
    for i in range(rows):
        angle = 0.01 * i
        blocks = [angle, 10.0, torque_sensor, 9.13, 33.0, 1.0, angle, 0.5]
        if i in stray:
            blocks[-2:] = [7.2e-312, -1.5e283] if i % 2 else [float("nan"), 0.5]
        lines.append(",".join([str(i), *(f"{value:g}" for value in blocks for _ in range(7))]))
    path.write_text("\n".join(lines))
    return path


def test_a_run_of_any_name_has_measured_and_commanded_channels(tmp_path: Path) -> None:
    (recording,) = KinovaGen3().read(trajectory(tmp_path / "joint_7_trapez.csv", torque_sensor=2.0))
    assert recording.truth["moving_joint"] == 7
    assert recording.rate_hz == 1000
    assert recording.robot.joint(7).gear_ratio == 100
    assert (Quantity.JOINT_TORQUE, Source.MEASURED) in recording.quantities
    assert (Quantity.POSITION, Source.COMMANDED) in recording.quantities


def test_stray_commanded_values_are_blanked_and_measured_ones_stay(tmp_path: Path) -> None:
    (recording,) = KinovaGen3().read(trajectory(tmp_path / "run.csv", stray=(30, 31, 35)))
    (issue,) = [issue for issue in recording.quality.issues if issue.kind == "stray_command"]
    assert (issue.count, issue.rows) == (3, (31, 32, 36))
    for channel, values in zip(recording.channels, recording.values, strict=True):
        expected = [30, 31, 35] if channel.source is Source.COMMANDED else []
        assert np.flatnonzero(np.isnan(values)).tolist() == expected, channel.key


def test_a_torque_sensor_of_zeros_is_left_out_and_said(tmp_path: Path) -> None:
    (recording,) = KinovaGen3().read(trajectory(tmp_path / "run.csv"))
    assert Quantity.JOINT_TORQUE not in {quantity for quantity, _ in recording.quantities}
    (issue,) = [issue for issue in recording.quality.issues if issue.kind == "all_zero"]
    assert issue.where == tuple(f"TorqueSm{j}" for j in range(1, 8))


def test_measured_defects_and_drive_gain(data_dir: Path) -> None:
    folder = data_dir / "kinova_gen3_harmonic"
    for recording in KinovaGen3().read(folder):
        moved = np.abs(recording["current/2"]) > 0.2
        gain = recording["torque/2"][moved] / recording["current/2"][moved]
        if moved.sum() > 100:
            assert np.median(gain) == pytest.approx(9.13, abs=0.02)
    path = folder / "validation_data" / "opti_traj_testing1.csv"
    if not path.is_file():
        pytest.skip("the file with the NaN row is not among these")
    (recording,) = KinovaGen3().read(path)
    rows = {row for issue in recording.quality.issues if issue.kind == "stray_command" for row in issue.rows}
    assert 4722 in rows  # its Time is 4721
    assert not np.isnan(recording["position/1"]).any()
