"""A decision that a person acts on, with the figures that it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from jointwatch.core.errors import UsageError

__all__ = ["Alarm"]


@dataclass(frozen=True)
class Alarm:
    """One alarm.

    Parameters
    ----------
    unit, session, cycle : where it was raised.
    time_s : when, on the recording's clock.
    score, threshold : the cycle's score and the threshold it passed.
    p_value : share of healthy cycles that would score at least as high (conformal).
    false_alarm_rate : the stated rate per cycle that the threshold was set for.
    calibration_cycles : how many healthy cycles the threshold rests on.
    joint, channel : what contributed most, 0 and empty where the detector cannot say.
    persistence : (k, n): raised because k of the last n cycles passed the threshold.
    """

    unit: str
    session: str
    cycle: str
    time_s: float
    score: float
    threshold: float
    p_value: float
    false_alarm_rate: float
    calibration_cycles: int
    joint: int = 0
    channel: str = ""
    persistence: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        if not 0 < self.false_alarm_rate < 1:
            raise UsageError(f"a false-alarm rate is between 0 and 1, got {self.false_alarm_rate}")
        k, n = self.persistence
        if not 1 <= k <= n:
            raise UsageError(f"persistence is k of n with 1 <= k <= n, got {k} of {n}")
