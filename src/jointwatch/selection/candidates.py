"""Ways to a model for a target: every strategy around what was learned on the source once, and target-only ones."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jointwatch.core import Windows, catalog
from jointwatch.core.errors import UsageError
from jointwatch.core.estimator import clone
from jointwatch.selection.gate import Candidate
from jointwatch.transfer.base import Strategy

__all__ = ["ALONE", "BASELINES", "alone_around", "carried_from", "default_detectors", "take_over", "title"]

ALONE = "target only"
BASELINES = ("envelope", "phase_zscore")
"""Simple detectors that every borrowed model is held against, besides its own detector learned on the target."""


def title(strategy: str, detector: str) -> str:
    """Name of a candidate, as `dann: cnn`."""
    return f"{strategy}: {detector}"


def default_detectors() -> tuple[str, ...]:
    """Names of the detectors that are tried where none is asked for: those that need a network only with torch."""
    return ("mahalanobis", "cnn") if importlib.util.find_spec("torch") else ("mahalanobis",)


def take_over(name: str, fitted: Strategy, source: Windows | None = None) -> Strategy:
    """Another strategy over the detector that a fitted one learned on the source: the source is learned once.

    Parameters
    ----------
    name : of the catalog. fitted : before it was adapted to a target.
    source : windows it was fitted on, for strategies that learn from sources and target together; None = those that
        the fitted strategy remembers.

    Errors: `UsageError` where the detector has no network and the strategy needs one, or where no source windows are
    remembered.
    """
    if not hasattr(fitted, "detector_"):
        raise UsageError("a strategy takes over what was learned on a source: fit it first")
    kind = catalog.load("transfer", name)
    taken: Strategy = kind(clone(fitted.detector), clip_sigma=fitted.clip_sigma, floor_share=fitted.floor_share)
    for needed, what in (("align", "align_by"), ("tune", "fine_tune_by")):
        if hasattr(taken, needed) and not hasattr(fitted.detector_, what):
            raise UsageError(
                f"{name} trains a network further, and {fitted.detector_.name} has none; "
                "use normalisation, or a detector with a network such as cnn"
            )
    taken.normaliser_, taken.detector_ = fitted.normaliser_, fitted.detector_
    if hasattr(taken, "align"):
        remembered: Any = getattr(fitted, "source_", None)
        if source is not None:
            remembered = fitted.detector_.examples(fitted.normaliser_.transform(source), taken.remembered)
        if remembered is None:
            raise UsageError(
                f"{name} learns from sources and target together, and the {fitted.name} model keeps no windows of its "
                f"sources; fit with --strategy auto or --strategy {name}"
            )
        taken.source_ = remembered
    return taken


def carried_from(
    fitted: Iterable[Strategy], entries: Sequence[str], source: Windows | None = None
) -> tuple[list[Candidate], dict[str, str]]:
    """Borrowed candidates: every strategy around every fitted detector that it can work with.

    Also says which were left out and why.
    """
    found: list[Candidate] = []
    left_out: dict[str, str] = {}
    for learned in fitted:
        for name in entries:
            label = title(name, learned.detector.name)
            try:
                found.append(Candidate.carried(label, take_over(name, learned, source)))
            except UsageError as error:
                left_out[label] = str(error)
    return found, left_out


def alone_around(detectors: Mapping[str, Any], **settings: float) -> list[Candidate]:
    """Target-only candidates: the same detectors and the baselines, each learned on the target alone.

    `settings` are those of the normalisation under them (`clip_sigma`, `floor_share`).
    """
    strategy = catalog.load("transfer", "normalisation")
    kinds = {**{name: catalog.load("detectors", name)() for name in BASELINES}, **detectors}
    return [Candidate.alone(title(ALONE, name), strategy(detector, **settings)) for name, detector in kinds.items()]
