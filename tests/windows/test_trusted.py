"""Which windows are taken for what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jointwatch.core import Windows
from jointwatch.detectors.base import as_windows
from jointwatch.windows.trusted import as_healthy, evenly, suspected


def told(labels: list[str], faults: list[str], domains: list[str]) -> Windows:
    windows = as_windows(np.zeros((len(labels), 1, 4)))
    columns = {"label": np.array(labels), "fault": np.array(faults), "domain": np.array(domains)}
    return replace(windows, index=replace(windows.index, **columns))


def test_an_uncertain_window_with_a_fault_named_is_suspected_and_others_count_as_healthy() -> None:
    windows = told(["normal", "uncertain", "uncertain", "anomalous"], ["", "", "dropouts", "wear"], ["a"] * 4)
    assert suspected(windows).tolist() == [False, False, True, False]
    assert as_healthy(windows).index.label.tolist() == ["normal", "normal", "normal", "anomalous"]


def test_a_small_group_is_kept_whole_and_a_large_one_is_thinned() -> None:
    windows = told(["normal"] * 90 + ["anomalous"] * 3, [""] * 90 + ["wear"] * 3, ["a"] * 93)
    few = evenly(windows, 20, np.random.default_rng(0))
    assert np.unique(few.index.label, return_counts=True)[1].tolist() == [3, 10]
    assert (np.diff([int(cycle) for cycle in few.index.cycle]) > 0).all()
    assert len(evenly(windows[np.zeros(93, bool)], 20, np.random.default_rng(0))) == 0
