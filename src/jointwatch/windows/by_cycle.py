"""One window a cycle, stretched to one length: sample k is the same phase of the movement in all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from jointwatch.core import Channel, Recording, Windows
from jointwatch.signals.resample import evaluate, pieces
from jointwatch.windows._cut import Collector, Domain, Missing, as_list, breaks_within, longest_gap_s, spans
from jointwatch.windows.layout import common_channels

__all__ = ["by_cycle"]

_MIN_SAMPLES = 4  # a cubic needs as many


def by_cycle(
    recordings: Recording | Iterable[Recording],
    *,
    length: int = 200,
    channels: Sequence[Channel] | None = None,
    domain: Domain = "brand",
    missing: Missing = "error",
    max_gap_s: float | None = None,
) -> Windows:
    """Windows (cycle, channel, length) with values at the phases 0, 1/length, 2/length ... of each cycle.

    Cubic interpolation between the cycle's own samples; a cycle with more samples than `length` goes through the
    anti-alias filter of `resample` first. Before a cycle's first sample (less than one step) the first value is held.
    `rate_hz` is NaN, because each window has its own rate; `index.cycle_s` keeps the duration. In a recording without
    cycle marks each continuous stretch counts as one cycle. There may be no windows at all: `skipped` tells why.

    Parameters: see `sliding`.

    `skipped` counts cycles: `too_short` (fewer than 4 samples), `gap` (interrupted or not covered to its ends),
    `nan` (samples lost for longer than `max_gap_s`).

    Errors: `MissingChannel` naming recording and channel; `UsageError` for an unknown domain.

    >>> import numpy as np
    >>> from jointwatch.core import Cycle, Quantity, Robot
    >>> arm = Robot.of("demo", "arm", "arm-1", joints=1)
    >>> marks = (Cycle(0.0, 3.0), Cycle(3.0, 8.0))
    >>> current = (Channel(Quantity.CURRENT, 1),)
    >>> recording = Recording(np.arange(800) / 100, np.ones((1, 800)), current, arm, "mon", marks)
    >>> windows = by_cycle(recording, length=50)
    >>> windows.shape, windows.index.cycle_s.tolist(), windows.index.cycle.tolist()
    ((2, 1, 50), [3.0, 5.0], ['arm-1/mon/1', 'arm-1/mon/2'])
    """
    found = as_list(recordings)
    collector = Collector(tuple(channels or common_channels(found)), length, domain, missing)
    names: dict[str, int] = {}
    for recording in found:
        values, present = collector.select(recording)
        longest = longest_gap_s(recording, max_gap_s)
        for span in spans(recording, names, max_gap_s):
            time_s, piece = recording.time_s[span.part], values[:, span.part]
            if len(time_s) < _MIN_SAMPLES:
                collector.skip("gap" if len(time_s) == 0 else "too_short")
                continue
            parts, splits = pieces(time_s, piece, breaks=breaks_within(recording, span.part), max_gap_s=longest)
            whole = parts[0] if len(parts) == 1 else slice(0, 0)
            inside = time_s[whole]
            covered = len(inside) and inside[0] - span.start_s <= longest and span.stop_s - inside[-1] <= longest
            if not covered or "gap" in splits:
                collector.skip("nan" if "nan" in splits else "gap")
                continue
            at_s = np.clip(span.start_s + np.arange(length) / length * span.duration_s, inside[0], inside[-1])
            native_hz = 1 / float(np.median(np.diff(inside)))
            cycle = evaluate(inside, piece[:, whole], at_s, native_hz, length / span.duration_s)
            collector.add(recording, span, present, cycle[None], np.array([span.start_s]), span.duration_s)
    return collector.windows(float("nan"))
