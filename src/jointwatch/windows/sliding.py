"""Windows of equal length and rate, moved along each cycle and never across its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from jointwatch.core import Channel, Recording, Windows
from jointwatch.core.errors import UsageError
from jointwatch.signals.resample import resample
from jointwatch.windows._cut import (
    Collector,
    Domain,
    Missing,
    as_list,
    breaks_within,
    count_windows,
    longest_gap_s,
    shared_rate,
    spans,
)
from jointwatch.windows.layout import common_channels

__all__ = ["sliding"]


def sliding(
    recordings: Recording | Iterable[Recording],
    *,
    rate_hz: float | None = 250.0,
    length: int = 200,
    step: int = 100,
    channels: Sequence[Channel] | None = None,
    domain: Domain = "brand",
    missing: Missing = "error",
    max_gap_s: float | None = None,
) -> Windows:
    """Windows (window, channel, length) at one rate, every `step` samples from the start of each cycle.

    Each cycle is resampled by itself, so a window rests on samples of its own cycle alone and crosses neither a cycle
    nor a break. In a recording without cycle marks each continuous stretch counts as one cycle. What is left of
    a cycle behind its last whole window is not used. There may be no windows at all: `skipped` tells why.

    Parameters
    ----------
    recordings : one or several; all are cut to the same channels.
    rate_hz : rate after resampling; None = the rate the recordings share (within 2 %), on a uniform clock.
    length, step : samples.
    channels : default `common_channels(recordings)`. Channels of joints that a robot lacks are 0 and masked.
    domain : `brand`, `model`, `unit`, `session`, `truth:KEY` (an entry of `Recording.truth`) or a function
        of the recording.
    missing : what to do where a joint is there but its channel was not recorded: `error`, or `mask` as absent.
    max_gap_s : longest gap that is interpolated, see `resample`.

    Labels are those of the cycle, `uncertain` included; events do not change them (see `label_by_event`).
    `skipped` counts lost windows: `too_short` (one a cycle shorter than a window), and by how many windows fewer an
    interrupted cycle has: `gap`, `nan`.

    Errors: `MissingChannel` naming recording and channel; `UsageError` for rates that differ or an unknown domain.

    >>> import numpy as np
    >>> from jointwatch.core import Cycle, Quantity, Robot
    >>> arm = Robot.of("demo", "arm", "arm-1", joints=1)
    >>> marks = (Cycle(0.0, 4.0), Cycle(4.0, 8.0))
    >>> current = (Channel(Quantity.CURRENT, 1),)
    >>> recording = Recording(np.arange(800) / 100, np.ones((1, 800)), current, arm, "mon", marks)
    >>> windows = sliding(recording, rate_hz=100.0, length=200, step=100)
    >>> windows.shape, windows.index.cycle.tolist()[2:4], windows.index.stop_s.tolist()[:3]
    ((6, 1, 200), ['arm-1/mon/1', 'arm-1/mon/2'], [2.0, 3.0, 4.0])
    """
    found = as_list(recordings)
    if step < 1:
        raise UsageError(f"step is at least 1 sample, got {step}")
    rate_hz = shared_rate(found) if rate_hz is None else rate_hz
    collector = Collector(tuple(channels or common_channels(found)), length, domain, missing)
    names: dict[str, int] = {}
    for recording in found:
        values, present = collector.select(recording)
        longest = longest_gap_s(recording, max_gap_s)
        for span in spans(recording, names, max_gap_s):
            time_s = recording.time_s[span.part]
            if len(time_s) < 2:
                collector.skip("gap" if len(time_s) == 0 else "too_short")
                continue
            resampled = resample(
                time_s,
                values[:, span.part],
                rate_hz,
                breaks=breaks_within(recording, span.part),
                max_gap_s=longest,
            )
            possible = count_windows(int((time_s[-1] - time_s[0]) * rate_hz * (1 + 1e-12) + 1e-6) + 1, length, step)
            made = 0
            for segment in resampled:
                count = count_windows(len(segment.time_s), length, step)
                if count:
                    view = sliding_window_view(segment.values.astype(np.float32), length, axis=1)[:, ::step]
                    start_s = segment.time_s[: count * step : step]
                    collector.add(recording, span, present, view.transpose(1, 0, 2), start_s, length / rate_hz)
                made += count
            if possible == 0:
                collector.skip("too_short")
            else:
                collector.skip("nan" if "nan" in resampled.splits else "gap", possible - made)
    return collector.windows(rate_hz)
