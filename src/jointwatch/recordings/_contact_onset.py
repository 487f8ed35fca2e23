"""When a slow, noisy contact sensor says that contact began: a fixed rule on the sensor alone.

The sensor meant here reads a level while the robot is free and falls for good when it is pressed. It flickers, its
level wanders over seconds, its reading is held for several rows, and it may swing the other way before it falls.

The rule, in the order of its steps:

1. *Sustained fall*: the last row whose median over the following 0.25 s is still at or above the middle between the
   level of the first half and the level of the last second. No contact without a fall of 4 noise widths and 20,000
   counts.
2. *Baseline*: median of the counts from 2.0 s to 0.5 s before that row; *noise*: 1.4826 times their median absolute
   deviation, at least the sensor's resolution.
3. *Band*: baseline +- `tolerance` noise widths. A reading inside the band counts if it stays for 0.8 of the time that
   the sensor holds a reading, so that passing through the band on the way down does not.
4. *Onset*: the row after the last such reading before the fall, in whichever direction the counts leave the band.

The rule's own uncertainty: the onset with a narrow band less one hold, to the onset with a wide band.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["ContactOnset", "contact_onset"]

_AHEAD_S = 0.25
_BASELINE_S = (2.0, 0.5)  # before the fall
_SETTLED_S = 1.0
_LEAST_FALL = (4.0, 20_000.0)  # noise widths, counts
_RESOLUTION = 2_000.0
_HOLD_SHARE = 0.8
_NARROW, _WIDE = 2.5, 5.0


@dataclass(frozen=True)
class ContactOnset:
    """Onset of contact and what it rests on.

    `time_s`, `row` : first row outside the band; `earliest_s`, `latest_s` : bounds of the rule itself;
    `hold_s` : how long the sensor holds a reading; `baseline`, `noise`, `fall` : counts.
    """

    time_s: float
    row: int
    earliest_s: float
    latest_s: float
    hold_s: float
    baseline: float
    noise: float
    fall: float


def contact_onset(time_s: np.ndarray, counts: np.ndarray, *, tolerance: float = 3.5) -> ContactOnset | None:
    """Onset of the contact after which the counts stay low, or None if there is none.

    Parameters
    ----------
    time_s : (row,) increasing seconds.
    counts : (row,) readings of the sensor.
    tolerance : half width of the band in noise widths.

    >>> time_s = np.arange(600) / 100
    >>> counts = 16_200_000 + 2_000.0 * (np.arange(600) // 5 % 2) - 50_000 * (time_s >= 4)
    >>> contact_onset(time_s, counts).time_s, contact_onset(time_s, np.full(600, 16.2e6))
    (4.0, None)
    """
    time_s, counts = np.asarray(time_s, np.float64), np.asarray(counts, np.float64)
    if len(time_s) < 50 or not np.isfinite(counts).all():
        return None
    from scipy.ndimage import median_filter  # only recordings with a contact need it

    before = np.median(counts[: len(counts) // 2])
    final = np.median(counts[time_s >= time_s[-1] - _SETTLED_S])
    ahead = max(3, round(_AHEAD_S / float(np.median(np.diff(time_s)))) | 1)
    coming = median_filter(counts, size=ahead, origin=-(ahead // 2), mode="nearest")
    high = np.flatnonzero(coming >= (before + final) / 2)
    if not len(high):
        return None
    fall_row = int(high[-1])
    baseline_rows = np.flatnonzero(
        (time_s >= time_s[fall_row] - _BASELINE_S[0]) & (time_s < time_s[fall_row] - _BASELINE_S[1])
    )
    if len(baseline_rows) < 10:
        return None
    quiet = counts[baseline_rows]
    baseline = float(np.median(quiet))
    noise = max(1.4826 * float(np.median(np.abs(quiet - baseline))), _RESOLUTION)
    fall = baseline - float(final)
    if fall < max(_LEAST_FALL[0] * noise, _LEAST_FALL[1]):
        return None
    changes = np.diff(time_s[np.flatnonzero(np.diff(counts[: fall_row + 1])) + 1])
    hold_s = float(np.median(changes)) if len(changes) else 0.0

    def leaves(width: float) -> int:
        inside = np.abs(counts - baseline) <= width * noise
        edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
        starts, stops = edges[::2], np.minimum(edges[1::2], len(time_s) - 1)
        stays = (time_s[stops] - time_s[starts] >= _HOLD_SHARE * hold_s) & (starts <= fall_row)
        return int(stops[stays][-1]) if stays.any() else 0

    row = leaves(tolerance)
    return ContactOnset(
        time_s=float(time_s[row]),
        row=row,
        earliest_s=float(time_s[leaves(_NARROW)]) - hold_s,
        latest_s=float(time_s[leaves(_WIDE)]),
        hold_s=hold_s,
        baseline=baseline,
        noise=noise,
        fall=fall,
    )
