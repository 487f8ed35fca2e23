"""Overlapping windows become one stretch without a sample twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Label
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings.zhaw import Zhaw


def archive(path: Path, labels: list[list[int]], joints: int = 7, seed: int = 0) -> tuple[Path, list[np.ndarray]]:
    """Events with one window a label, 5 samples apart; windows of all events shuffled."""
    rng = np.random.default_rng(seed)
    stretches = [1e-3 * rng.standard_normal((28 + 5 * (len(y) - 1), joints)) for y in labels]
    rows = [(e, k) for e, y in enumerate(labels) for k in range(len(y))]
    order = rng.permutation(len(rows))
    picked = [rows[i] for i in order]
    np.savez(
        path,
        pos_error=np.stack([stretches[e][5 * k : 5 * k + 28] for e, k in picked]),
        y_link=np.array([labels[e][k] for e, k in picked], np.int8),
        event=np.array([e for e, _ in picked]),
        step=np.array([k for _, k in picked]),
    )
    return path, stretches


def test_windows_in_any_order_become_the_stretch_they_were_cut_from(tmp_path: Path) -> None:
    path, stretches = archive(tmp_path / "ur10_more.npz", [[0, 3, 3, 3, 3, 3], [0, 0, 5, 5, 5, 5]], joints=6)
    recordings = list(Zhaw().read(path))
    assert len({r.session for r in recordings}) == 2
    for recording, stretch in zip(recordings, stretches, strict=True):
        np.testing.assert_array_equal(recording.values, stretch.T)
        assert recording.robot.model == "UR10"
    first, second = recordings
    assert (first.truth["link"], second.truth["link"]) == (3, 5)
    assert [e.start_s for e in first.events] == [28 / 200]
    assert [e.start_s for e in second.events] == [33 / 200]


def test_cycles_before_and_after_are_equally_long_so_that_length_tells_nothing(tmp_path: Path) -> None:
    path, _ = archive(tmp_path / "franka.npz", [[0, 2, 2, 2, 2, 2]])
    (recording,) = Zhaw().read(path)
    before, contact = recording.cycles
    assert (before.condition.label, contact.condition.label) == (Label.NORMAL, Label.ANOMALOUS)
    assert before.stop_s - before.start_s == pytest.approx(contact.stop_s - contact.start_s)
    assert before.stop_s <= contact.start_s


def test_events_without_or_with_contact_throughout(tmp_path: Path) -> None:
    path, _ = archive(tmp_path / "x.npz", [[0, 0, 0], [4, 4, 4]])
    free, touched = Zhaw().read(path)
    assert [cycle.condition.label for cycle in free.cycles] == [Label.NORMAL]
    assert free.condition.label is Label.NORMAL
    assert [cycle.condition.label for cycle in touched.cycles] == [Label.ANOMALOUS]
    assert not touched.events
    assert touched.condition.label is Label.ANOMALOUS


def test_windows_that_disagree_are_reported(tmp_path: Path) -> None:
    path, _ = archive(tmp_path / "x.npz", [[0, 1, 1]])
    with np.load(path) as content:
        columns = {key: content[key].copy() for key in content.files}
    columns["pos_error"][int(np.flatnonzero(columns["step"] == 1)[0]), 0, 0] += 1e-3
    np.savez(path, **columns)
    (recording,) = Zhaw().read(path)
    assert recording.quality.count("windows_disagree") == 1


def test_a_missing_window_leaves_no_hole_while_its_neighbours_overlap(tmp_path: Path) -> None:
    path, (stretch,) = archive(tmp_path / "x.npz", [[0, 0, 6, 6]])
    with np.load(path) as content:
        kept = content["step"] != 1
        columns = {key: content[key][kept] for key in content.files}
    np.savez(path, **columns)
    (recording,) = Zhaw().read(path)
    np.testing.assert_array_equal(recording.values, stretch.T)
    assert [e.start_s for e in recording.events] == [28 / 200]


def test_an_archive_of_another_shape_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", pos_error=np.zeros((3, 28)), y_link=np.zeros(3), event=np.zeros(3))
    with pytest.raises(CorruptInput, match=r"x\.npz"):
        list(Zhaw().read(tmp_path / "x.npz"))
    np.savez(
        tmp_path / "y.npz", pos_error=np.array([{}], dtype=object), y_link=np.zeros(1), event=np.zeros(1)
    )  # a pickle inside: never loaded
    with pytest.raises(CorruptInput, match=r"y\.npz"):
        list(Zhaw().read(tmp_path / "y.npz"))


def test_measured_windows_agree_where_they_overlap(data_dir: Path) -> None:
    for recording in Zhaw().read(data_dir / "cobot_contact_zhaw"):
        assert not recording.quality.count("windows_disagree")
        assert recording.values.shape[1] == 28 + 5 * 5
