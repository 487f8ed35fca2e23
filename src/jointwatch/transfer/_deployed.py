"""A strategy as it scores where nothing is learned: its normalisation and its detector."""

from __future__ import annotations

from typing import Any, Self

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.transfer.base import Strategy
from jointwatch.windows.normalise import DomainZScore

__all__ = ["Deployed"]


class Deployed(Strategy):
    """Scores as the strategy that it was made of; it cannot be fitted or adapted.

    Parameters
    ----------
    method : catalog name of that strategy. The others: see `Strategy`.
    """

    def __init__(self, method: str, detector: Any = None, clip_sigma: float = 5.0, floor_share: float = 0.01) -> None:
        super().__init__(detector, clip_sigma, floor_share)
        self.method = method

    def of(self, normaliser: DomainZScore, detector: Any) -> Self:
        """Ready to score with what was fitted."""
        self.normaliser_, self.detector_ = normaliser, detector
        return self

    @property
    def name(self) -> str:
        """Of the strategy that it was made of."""
        return self.method

    def _fit(self, source: Windows) -> None:
        raise UsageError(f"an exported {self.method} learns nothing; fit it where torch is installed, and export again")

    def _adapt(self, target: Windows, labelled: Windows | None) -> None:
        raise UsageError(
            f"an exported {self.method} learns nothing; adapt it where torch is installed, and export again"
        )
