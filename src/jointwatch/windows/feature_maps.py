"""Feature maps: statistics of short blocks of samples, side by side, as pictures of one axis's signals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from jointwatch.core import Channel, Recording, Windows
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError, TransformerMixin
from jointwatch.signals.resample import pieces
from jointwatch.signals.statistics import STATISTICS, statistics
from jointwatch.windows._cut import (
    SAME_RATE,
    Collector,
    Domain,
    Missing,
    Span,
    as_list,
    breaks_within,
    count_windows,
    domain_of,
    longest_gap_s,
    shared_rate,
    spans,
)
from jointwatch.windows.axis_view import axis_of, signals_of
from jointwatch.windows.derive import derive

__all__ = ["FeatureMaps"]


class FeatureMaps(TransformerMixin, BaseEstimator):
    """Recordings -> maps of N_t blocks x N_f features of one axis, as `Windows` (step 1 of M1).

    The samples are cut into blocks of `step` (the paper's S1). Every signal of the axis concerned gives its statistics
    for every block. `length` successive blocks (N_t) make a map, and the next map begins `stride` blocks (S2) later.
    Features are the channels of the windows, signal by signal (`position:mean`, `position:std`, ...), blocks are
    their time: a map is `values[i].T`, N_t x N_f, and `rate_hz` counts blocks a second.

    Samples are taken as they were recorded, none is interpolated. A map crosses neither a break nor a long step of the
    clock, nor the edge of what is marked as cycles, and holds no block in which a sample was lost.

    Parameters
    ----------
    step : samples a block.
    length, stride : blocks. Maps overlap where stride < length.
    axis : number of the joint, the same in all recordings; None = in each recording the joint that travels farthest,
        by the sum of its position's absolute changes (measured, else commanded; the lower number where two are
        equal). A robot with one joint needs no position for that.
    signals : channel keys of that axis, with or without `/J`: `torque`, `velocity.derived/J`,
        `current.derived/J:innovation`; see `derive`.
    statistics : names of `jointwatch.signals.statistics.STATISTICS`, and `variance`. Kurtosis is not the excess; it is
        0 for a block in which nothing changes.
    domain : `axis` gives `axis1`, `axis2` ...; otherwise as in `sliding`: `brand`, `model`, `unit`, `session`,
        `truth:KEY` or a function of the recording.
    within : `session` lets a map span successive cycles of a recording and names it after the cycle in which it ends;
        `cycle` starts the blocks anew in every cycle, and no map leaves it.
    missing : what to do where a signal was not recorded: `error`, or `mask` as absent.
    max_gap_s : longest step of the clock inside a map; default 5 median steps.

    Attributes
    ----------
    rate_hz_ : samples a second of the recordings learned from. channels_ : tuple of Channel, the features.

    There is nothing else to learn: `fit` only checks and notes the rate. The maps carry the labels of their cycles.
    `Windows.skipped` counts the maps that are missing: `too_short` (one for each stretch shorter than a map), `gap`,
    `nan`, and `two_labels` where the cycles of a map are not in the same condition.

    Errors: `MissingChannel` naming recording and channel; `UsageError` for settings out of range, an unknown signal,
    statistic or domain, and for recordings whose rates differ by more than 2 %.

    >>> import numpy as np
    >>> from jointwatch.core import Robot
    >>> arm = Robot.of("demo", "arm", "arm-1", joints=2)
    >>> keys = ("position/1", "position/2", "torque/2")
    >>> values = np.random.default_rng(0).standard_normal((3, 500)) * np.array([[1], [2], [3]])
    >>> recording = Recording(np.arange(500) / 25, values, tuple(map(Channel.parse, keys)), arm, "monday")
    >>> maps = FeatureMaps(signals=("position", "torque")).fit_transform(recording)
    >>> maps.shape, maps.rate_hz, set(maps.index.domain.tolist())
    ((11, 6, 16), 5.0, {'axis2'})
    >>> [channel.key for channel in maps.channels][3:]
    ['torque:mean', 'torque:std', 'torque:kurtosis']
    >>> bool(np.isclose(maps.values[1, 4, 0], recording["torque/2"][40:45].std()))
    True
    """

    def __init__(
        self,
        step: int = 5,
        length: int = 16,
        stride: int = 8,
        axis: int | None = None,
        signals: Sequence[str] = ("position", "torque", "current"),
        statistics: Sequence[str] = ("mean", "std", "kurtosis"),
        domain: Domain = "axis",
        within: Literal["session", "cycle"] = "session",
        missing: Missing = "error",
        max_gap_s: float | None = None,
    ) -> None:
        self.step = step
        self.length = length
        self.stride = stride
        self.axis = axis
        self.signals = signals
        self.statistics = statistics
        self.domain = domain
        self.within = within
        self.missing = missing
        self.max_gap_s = max_gap_s

    def fit(self, X: Recording | Iterable[Recording], y: object = None) -> Self:
        """Check the settings and note the rate of the recordings; no statistic is learned, `y` is not used."""
        if self.step < 1 or self.stride < 1:
            raise UsageError(f"step is at least 1 sample and stride 1 block, got {self.step} and {self.stride}")
        if self.within not in ("session", "cycle"):
            raise UsageError(f"within is 'session' or 'cycle', got {self.within!r}")
        unknown = [name for name in self.statistics if name != "variance" and name not in STATISTICS]
        if unknown or not self.statistics:
            raise UsageError(f"no statistic {', '.join(unknown)}; there are {', '.join(STATISTICS)}, variance")
        self.channels_ = tuple(
            replace(signal, joint=None, component=f"{signal.component}_{name}".lstrip("_"))
            for signal in signals_of(1, self.signals)
            for name in self.statistics
        )
        self.rate_hz_ = shared_rate(as_list(X))
        return self

    def transform(self, X: Recording | Iterable[Recording]) -> Windows:
        """The maps of all recordings, in order."""
        if not self.__sklearn_is_fitted__():
            raise NotFittedError("FeatureMaps is not fitted; call fit first")
        names: dict[str, int] = {}
        return Windows.concatenate([self._maps(recording, names) for recording in as_list(X)])

    def fit_transform(self, X: Recording | Iterable[Recording], y: object = None) -> Windows:
        """`fit` and `transform` of the same recordings."""
        found = as_list(X)
        return self.fit(found).transform(found)

    def axis_of(self, recording: Recording) -> int:
        """The joint whose signals are taken in this recording."""
        return axis_of(recording, self.axis)

    def _maps(self, recording: Recording, names: dict[str, int]) -> Windows:
        if not self.rate_hz_ / SAME_RATE <= recording.rate_hz <= self.rate_hz_ * SAME_RATE:
            raise UsageError(
                f"{recording.robot.unit}, session {recording.session!r}, runs at {recording.rate_hz:g} Hz, feature "
                f"maps were fitted at {self.rate_hz_:g} Hz; fit others for it"
            )
        axis = self.axis_of(recording)
        domain = f"axis{axis}" if self.domain == "axis" else domain_of(recording, self.domain)
        signals = signals_of(axis, self.signals)
        raw, present = Collector(signals, self.length, domain, self.missing).select(self._derived(recording, signals))
        collector = Collector(self.channels_, self.length, lambda _: domain, self.missing)
        present = np.repeat(present, len(self.statistics))
        longest = longest_gap_s(recording, self.max_gap_s)
        window_s = self.length * self.step / recording.rate_hz
        for run in self._runs(recording, names, collector):
            whole = slice(run[0].part.start, run[-1].part.stop)
            time_s = recording.time_s[whole]
            possible = self._count(len(time_s))
            if possible == 0:
                collector.skip("too_short")
                continue
            breaks = breaks_within(recording, whole)
            # the clock alone: a lost sample costs its block and not the blocks around it
            stretches, _ = pieces(time_s, np.empty((0, len(time_s))), breaks=breaks, max_gap_s=longest)
            collector.skip("gap", possible - sum(self._count(s.stop - s.start) for s in stretches))
            for stretch in stretches:
                first = whole.start + stretch.start
                count = self._count(stretch.stop - stretch.start)
                if count == 0:
                    continue
                maps = self._cut(raw[:, first : whole.start + stretch.stop])
                start = first + np.arange(count) * self.stride * self.step
                known = np.isfinite(maps).all(axis=(1, 2))
                collector.skip("nan", int((~known).sum()))
                ends_in, same = _cycles(run, start, self.length * self.step)
                collector.skip("two_labels", int((known & ~same).sum()))
                for number in np.unique(ends_in[known & same]):
                    rows = known & same & (ends_in == number)
                    start_s = recording.time_s[start[rows]]
                    collector.add(recording, run[number], present, maps[rows], start_s, window_s)
        return collector.windows(self.rate_hz_ / self.step)

    def _derived(self, recording: Recording, signals: tuple[Channel, ...]) -> Recording:
        if self.missing == "error":
            return derive(recording, signals)
        for signal in signals:
            try:
                recording = derive(recording, [signal])
            except MissingChannel:
                continue
        return recording

    def _runs(self, recording: Recording, names: dict[str, int], collector: Collector) -> list[list[Span]]:
        """Cycles that maps may span together: each by itself, or those that follow each other without a pause."""
        runs: list[list[Span]] = []
        for span in spans(recording, names, self.max_gap_s):
            if span.part.start == span.part.stop:
                collector.skip("gap")
            elif self.within == "session" and runs and runs[-1][-1].part.stop == span.part.start:
                runs[-1].append(span)
            else:
                runs.append([span])
        return runs

    def _count(self, samples: int) -> int:
        return count_windows(samples // self.step, self.length, self.stride)

    def _cut(self, values: np.ndarray) -> np.ndarray:
        """(map, feature, block) of one continuous stretch (signal, time)."""
        blocks = values.shape[1] // self.step
        cut = values[:, : blocks * self.step].reshape(len(values), blocks, self.step)
        computed = statistics(cut, ["std" if name == "variance" else name for name in self.statistics])
        for column in np.flatnonzero([name == "variance" for name in self.statistics]):
            computed[..., column] **= 2
        features = computed.transpose(0, 2, 1).reshape(-1, blocks)
        return sliding_window_view(features, self.length, axis=1)[:, :: self.stride].transpose(1, 0, 2)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "rate_hz_")


def _cycles(run: list[Span], start: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """For maps that begin at these samples: the cycle in which each ends, and whether all its cycles are alike."""
    edges = np.array([span.part.start for span in run])
    first = np.searchsorted(edges, start, side="right") - 1
    last = np.searchsorted(edges, start + samples - 1, side="right") - 1
    changed = [False] + [span.condition != before.condition for before, span in pairwise(run)]
    kind = np.cumsum(changed)
    return last, kind[first] == kind[last]
