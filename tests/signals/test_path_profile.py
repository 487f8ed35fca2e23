"""The same place of the path is the same place, however long a cycle waited."""

from __future__ import annotations

import numpy as np

from jointwatch.signals.path_profile import along_path, rough_figures


def cycle(wait: int) -> tuple[np.ndarray, np.ndarray]:
    """Two joints there and back with a stop of `wait` samples between; the effort follows place and way, not time."""
    there = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 400))
    position = np.concatenate([there, np.ones(wait), there[::-1]])
    way = np.concatenate([np.ones(400), np.zeros(wait), -np.ones(400)])
    time = np.linspace(0, 1, len(position))
    grid = np.linspace(0, 1, 1000)
    effort = np.interp(grid, time, np.sin(3 * position) + 0.5 * way)
    position = np.interp(grid, time, position)
    return np.stack([position, 2 * position])[None], np.stack([effort, effort])[None]


def test_a_longer_stop_hardly_moves_a_profile() -> None:
    (q, short), (p, long) = cycle(40), cycle(160)
    aligned = np.abs(along_path(short, q, 32) - along_path(long, p, 32)).mean()
    by_time = np.abs((short - long)[0, 0]).mean()
    assert aligned < 0.3 * by_time


def test_ripple_is_found_in_its_band_alone() -> None:
    time = np.linspace(0, 1, 1024, endpoint=False)
    still = np.sin(2 * np.pi * time)[None]
    ripple = still + 0.05 * np.sin(2 * np.pi * 50 * time)[None]
    more = rough_figures(ripple, np.ones((1, 1024))) - rough_figures(still, np.ones((1, 1024)))
    assert int(more[0, :5].argmax()) == 1  # 40 to 64 waves a cycle
