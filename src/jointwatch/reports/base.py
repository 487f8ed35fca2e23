"""What a report is made from: scores, alarms, signals, and the facts that the decision rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jointwatch.alarms.conformal import MeasuredRate
from jointwatch.core import Alarm, QualityReport, Robot, Scores, Windows
from jointwatch.core.errors import UsageError

__all__ = ["Decision", "ModelFacts", "ReportData"]


@dataclass(frozen=True)
class Decision:
    """What the threshold rests on.

    Parameters
    ----------
    stated_rate : false-alarm rate per cycle that was asked for.
    calibration_cycles : healthy cycles that set the threshold.
    persistence : (k, n): an alarm needs k of the last n cycles above the threshold.
    message : why there is no threshold, for example how many cycles are missing; empty where there is one.
    measured : the rate counted on healthy cycles that neither training nor the threshold saw, if there are any.
    odd_cycles : cycles of the calibration set that the guard named.
    odd_excluded : whether they were left out of the threshold.
    notes : further sentences for the reader, such as what was skipped.
    """

    stated_rate: float
    calibration_cycles: int
    persistence: tuple[int, int] = (1, 1)
    message: str = ""
    measured: MeasuredRate | None = None
    odd_cycles: tuple[str, ...] = ()
    odd_excluded: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.stated_rate < 1:
            raise UsageError(f"a false-alarm rate is between 0 and 1, got {self.stated_rate}")


@dataclass(frozen=True)
class ModelFacts:
    """Which model said so: names from the catalog, where it learned, where it is used, version and seed.

    `further` are more (name, value) pairs to be printed.
    """

    detector: str
    strategy: str = ""
    source: str = ""
    target: str = ""
    version: str = ""
    seed: int | None = None
    further: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything on the page. Frozen and validated.

    Parameters
    ----------
    cycle_scores : one row a cycle, in the order in which the cycles ran (`Scores.by_cycle()`).
    alarms : what was raised, after persistence.
    threshold : None where there was not enough data for one; then nothing is called healthy.
    decision, model : what the figures rest on.
    windows : signals of the scored cycles, for the charts; None = no charts.
    healthy : signals of calibration cycles with the same channels, for the healthy band.
    normalised : the signals are z-scores instead of SI units.
    quality : (source, report) of every recording.
    robots : the machines concerned, for joint names and for joints that were not measured.
    title, made_at : text for the top of the page.

    Errors: `UsageError` if cycles repeat, alarms come without a threshold, or channels do not agree.
    """

    cycle_scores: Scores
    alarms: tuple[Alarm, ...]
    threshold: float | None
    decision: Decision
    model: ModelFacts
    windows: Windows | None = None
    healthy: Windows | None = None
    normalised: bool = False
    quality: tuple[tuple[str, QualityReport], ...] = ()
    robots: tuple[Robot, ...] = ()
    title: str = "Joint health report"
    made_at: str = ""

    def __post_init__(self) -> None:
        for name in ("alarms", "quality", "robots"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(np.unique(self.cycle_scores.index.cycle)) != len(self.cycle_scores):
            raise UsageError("a report needs one score a cycle; take Scores.by_cycle()")
        if self.threshold is None and self.alarms:
            raise UsageError("alarms without a threshold cannot be explained")
        if self.threshold is not None and not np.isfinite(self.threshold):
            raise UsageError(f"the threshold must be finite or None, got {self.threshold}")
        if self.windows is not None and self.healthy is not None and self.windows.channels != self.healthy.channels:
            raise UsageError("scored and healthy windows must have the same channels")
