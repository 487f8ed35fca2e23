"""Advice for a source and a target: which strategy, why, what it is expected to bring, and when that would change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jointwatch.core import Channel, Quantity, Recording, Windows, catalog
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.selection.candidates import alone_around, carried_from, default_detectors
from jointwatch.selection.decision_table import Match, Situation, decision_table
from jointwatch.selection.distance import (
    ChannelDistance,
    Distance,
    by_channel,
    coral,
    groups_to_hold_out,
    mmd,
    overlap,
    proxy_a_distance,
    vectors,
)
from jointwatch.selection.gate import Candidate, GateResult, Progress, TransferGate
from jointwatch.transfer.base import without_labels
from jointwatch.windows.plan import WindowPlan
from jointwatch.windows.trusted import as_healthy, suspected

__all__ = ["Advice", "CurvePoint", "advise", "advise_on", "learning_curve"]

_LOADS = (Quantity.CURRENT, Quantity.TORQUE, Quantity.JOINT_TORQUE, Quantity.POWER)
_SHARES = (0.25, 0.5)
_DOUBLINGS = 5  # farther than this nothing is foretold


@dataclass(frozen=True)
class CurvePoint:
    """What so many labelled windows are worth: `value` is what the gate compares, `auroc` that of labelled cycles."""

    labelled: int
    value: float
    auroc: float


@dataclass(frozen=True, eq=False)
class Advice:
    """What to do with a target, and on which grounds.

    Parameters
    ----------
    strategy : name of the candidate to use, as `dann: cnn` or `target only: mahalanobis`.
    borrowed : whether it takes something from the source.
    source, target : names of the domains. source_windows, target_windows, labelled_windows : how many there are.
    situation, match : what is known, and the rows of the decision table that apply.
    distances : name -> figure of the whole, with interval; `channels` the same by channel, most unlike first.
    gate : what every candidate was worth on the target's own evidence.
    curve : value of labels, for the best candidate that uses them; empty without labels.
    change : sentences on what would change the answer.
    """

    strategy: str
    borrowed: bool
    source: tuple[str, ...]
    target: tuple[str, ...]
    source_windows: int
    target_windows: int
    labelled_windows: int
    situation: Situation
    match: Match
    distances: dict[str, Distance]
    channels: tuple[ChannelDistance, ...]
    gate: GateResult
    curve: tuple[CurvePoint, ...]
    change: tuple[str, ...]

    @property
    def gain(self) -> tuple[float, float, float]:
        """(gain, low, high) of the best borrowed candidate over the best target-only one, on the gate's scale."""
        return self.gate.lead, self.gate.lead_low, self.gate.lead_high

    def summary(self) -> list[str]:
        """The advice in sentences, the answer first."""
        gain, low, high = self.gain
        lines = [
            f"{', '.join(self.source)} -> {', '.join(self.target)}: use {self.strategy}"
            + ("" if self.borrowed else "; nothing borrowed is shown to be better"),
        ]
        if math.isfinite(gain):
            lines.append(
                f"expected gain of {self.gate.best_borrowed} over {self.gate.alone}: {gain:+.3f} ({low:+.3f} to "
                f"{high:+.3f}), from {self.gate.held_out} of the target held out in turn"
            )
        lines += self.match.why
        lines += [f"{name}: {value}" for name, value in self.distances.items()]
        apart = [f"{c.channel.key} {c.mmd.value:.2f}" for c in self.channels[:3]]
        if apart:
            lines.append("channels that differ most after each robot's own z-score (MMD): " + ", ".join(apart))
        if not any(c.channel.quantity in _LOADS for c in self.channels):
            lines.append(
                "source and target share no current or torque: what shows in the load alone cannot be seen or carried "
                "over; name channels that both have, measured or derived"
            )
        return lines + list(self.change)

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        gate = self.gate
        return _plain(
            {
                "strategy": self.strategy,
                "borrowed": self.borrowed,
                "source": list(self.source),
                "target": list(self.target),
                "windows": {
                    "source": self.source_windows,
                    "target": self.target_windows,
                    "labelled": self.labelled_windows,
                },
                "expected_gain": dict(zip(("gain", "low", "high"), self.gain, strict=True)),
                "best_borrowed": gate.best_borrowed,
                "best_target_only": gate.alone,
                "decision_table": {
                    "fine_tuning": [row.row for row in self.match.fine_tuning],
                    "cells": [row.row for row in self.match.cells],
                    "strategies": [row.number for row in self.match.strategies],
                    "waiting": {str(k): v for k, v in self.match.waiting.items()},
                    "why": list(self.match.why),
                },
                "distances": {name: vars(value) for name, value in self.distances.items()},
                "channels": [
                    {
                        "channel": c.channel.key,
                        "raw": vars(c.raw),
                        "normalised": vars(c.normalised),
                        "mmd": vars(c.mmd),
                        "shift_sigma": c.shift_sigma,
                    }
                    for c in self.channels
                ],
                "candidates": gate.table(),
                "left_out": dict(gate.left_out),
                "learning_curve": [vars(point) for point in self.curve],
                "what_would_change": list(self.change),
            }
        )


def advise(
    source: Windows,
    target: Windows,
    labelled: Windows | None = None,
    *,
    detectors: Sequence[str | Any] = (),
    strategies: Sequence[str] = (),
    gate: TransferGate | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Advice:
    """What to do with a target.

    Parameters
    ----------
    source : windows of one or several source domains, with the labels they have; unlabelled ones count as healthy.
    target : windows of the target, mostly healthy. Their labels are taken off here: what may be used is `labelled`.
    labelled : the few target windows whose labels may be used.
    detectors : names or instances; none = `mahalanobis`, and `cnn` where torch is installed.
    strategies : names of the catalog to hold against each other; none = those of the decision table, of each row for
        fine-tuning the first alone, to save time.
    gate : None = the default one.
    progress : told before each training of the gate.

    Errors: `NotEnoughData` with too little of either side.
    """
    target = without_labels(target)
    if labelled is not None:
        labelled = labelled[labelled.index.label != "uncertain"]
        labelled = labelled if len(labelled) else None
    for name in strategies:
        catalog.load("transfer", name)  # a name that is not there is told before any work
    gate = gate or TransferGate(seed=seed)
    chosen = {
        d if isinstance(d, str) else d.name: catalog.load("detectors", d)() if isinstance(d, str) else d
        for d in (detectors or default_detectors())
    }
    network = any(hasattr(d, "fine_tune_by") for d in chosen.values())
    domains = np.unique(source.index.domain)
    distances, channels = _distances(source, target, seed)
    count = 0 if labelled is None else len(labelled)
    situation = Situation(
        count,
        distances["near the source"].value,
        len(domains),
        network,
        healthy_only=labelled is not None and not (labelled.index.label == "anomalous").any(),
    )
    match = decision_table().match(situation)
    entries = tuple(strategies) or match.first_entries
    normalisation = catalog.load("transfer", "normalisation")
    healthy = as_healthy(source)
    fitted = [normalisation(detector).fit(healthy) for detector in chosen.values()]
    borrowed, left_out = carried_from(fitted, entries, healthy)
    if not strategies:
        left_out = {}  # that mahalanobis has no network need not be told where nobody asked
    result = gate.decide([*borrowed, *alone_around(chosen)], target, labelled, lender=source, progress=progress)
    result = replace(result, left_out={**left_out, **result.left_out})
    curve: tuple[CurvePoint, ...] = ()
    using = _best_with_labels(borrowed, result)
    if labelled is not None and using is not None:
        curve = learning_curve(using, target, labelled, gate, result, lender=source, progress=progress)
    winner = result.names.index(result.winner)
    return Advice(
        result.winner,
        bool(result.borrowed[winner]),
        tuple(domains.tolist()),
        tuple(np.unique(target.index.domain).tolist()),
        len(source),
        len(target),
        count,
        situation,
        match,
        distances,
        channels,
        result,
        curve,
        (*_change(situation, result, curve, using), *([] if strategies else _not_tried(match))),
    )


def advise_on(
    source: Sequence[Recording],
    target: Sequence[Recording],
    *,
    use_labels: bool = True,
    channels: str = "",
    kind: str | None = None,
    detectors: Sequence[str | Any] = (),
    strategies: Sequence[str] = (),
    gate: TransferGate | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **settings: object,
) -> Advice:
    """The same for recordings: both are cut by one plan, with the channels that both have.

    Parameters
    ----------
    use_labels : use those cycles of the target that carry a label; without, none is looked at.
    channels, kind, settings : see `WindowPlan.suited_to`.

    Cycles with a suspected fault (uncertain, but a fault is named) are left out on both sides.
    """
    plan = WindowPlan.suited_to([*source, *target], channels=channels, kind=kind, **settings)
    if not channels:
        plan = replace(plan, channels=_of_all(plan.channels, [*source, *target]))
    here, there = plan.cut(source), plan.cut(target)
    here = here[~suspected(here)]
    # without labels nobody knows which cycles are suspected
    there = there[~suspected(there)] if use_labels else there
    return advise(
        here,
        there,
        there if use_labels else None,
        detectors=detectors,
        strategies=strategies,
        gate=gate,
        seed=seed,
        progress=progress,
    )


def learning_curve(
    candidate: Candidate,
    target: Windows,
    labelled: Windows,
    gate: TransferGate,
    whole: GateResult,
    *,
    lender: Windows | None = None,
    shares: Sequence[float] = _SHARES,
    progress: Progress | None = None,
) -> tuple[CurvePoint, ...]:
    """What a candidate is worth with a share of the labelled cycles of each class, judged on all that are held out; the
    last point is that of all labels, which the gate has judged already.

    Parameters
    ----------
    whole : what the same gate said of the candidate with all labels and the same `lender`.
    shares : below 1, nested: a smaller one is part of the larger.
    """

    def trimmed(share: float) -> Candidate:
        def make(windows: Windows, known: Windows | None) -> Any:
            return candidate.make(windows, None if known is None else _share(known, share, gate.seed))

        return Candidate(f"{share:g}", False, make)  # none of these is chosen: a gate only needs one of its own

    try:
        seen = gate.decide([trimmed(share) for share in shares], target, labelled, lender, progress=progress).table()
    except UsageError:
        seen = []  # with so few labels it cannot be made
    rows = {row["candidate"]: row for row in (*seen, *whole.table())}
    counts = {f"{share:g}": len(_share(labelled, share, gate.seed)) for share in shares} | {
        candidate.name: len(labelled)
    }
    return tuple(
        CurvePoint(count, rows[name]["value"], rows[name]["labelled_auroc"])
        for name, count in counts.items()
        if name in rows
    )


def _distances(source: Windows, target: Windows, seed: int) -> tuple[dict[str, Distance], tuple[ChannelDistance, ...]]:
    healthy = source[source.index.label != "anomalous"]
    if not len(healthy) or not len(target):
        raise NotEnoughData("advice", needed=1, have=0, unit="healthy windows of source and target")
    a, b = vectors(healthy, target)
    groups = groups_to_hold_out(healthy), groups_to_hold_out(target)
    channels = by_channel(healthy, target, seed=seed)
    found = {
        "proxy A-distance (0 alike, 2 told apart)": proxy_a_distance(a, b, *groups, seed=seed),
        "MMD (0 alike, 2 at most)": mmd(a, b, *groups, seed=seed),
        "CORAL": coral(a, b, *groups, seed=seed),
        "near the source": overlap(a, b, *groups, seed=seed),
    }
    return found, tuple(sorted(channels, key=lambda c: -c.mmd.value))


def _of_all(channels: Sequence[Channel], recordings: Sequence[Recording]) -> tuple[Channel, ...]:
    """The channels that every recording has whose robot has the joint, so that a second encoder of one brand is left
    out, and the seventh joint of another is not."""
    joints = [{joint.number for joint in recording.robot.joints} for recording in recordings]
    found = tuple(
        c
        for c in channels
        if all(c in r.channels or c.joint not in known for r, known in zip(recordings, joints, strict=True))
    )
    if not found:
        raise MissingChannel(
            "source and target have no channel in common",
            remedy="name measured or derived channels that both have with channels",
        )
    return found


def _share(labelled: Windows, share: float, seed: int) -> Windows:
    """A share of the cycles of each class, at least one."""
    rng = np.random.default_rng(seed)
    kept: list[str] = []
    for label in ("normal", "anomalous"):
        names = rng.permutation(np.unique(labelled.index.cycle[labelled.index.label == label]))
        kept += names[: max(1, round(share * len(names)))].tolist()
    return labelled[np.isin(labelled.index.cycle, kept)]


def _best_with_labels(borrowed: Sequence[Candidate], result: GateResult) -> Candidate | None:
    """The borrowed candidate of most worth among those whose strategy learns from labels."""
    value = dict(zip(result.names, result.value.tolist(), strict=True))
    using = [c for c in borrowed if not c.name.startswith("normalisation:") and c.name in value]
    return max(using, key=lambda c: value[c.name], default=None)


def _not_tried(match: Match) -> list[str]:
    """Variants that the default leaves out."""
    names = [name for name in match.entries if name not in match.first_entries]
    return [f"not tried, to save time: {', '.join(names)}; name them as strategies to have them tried"] if names else []


def _change(
    situation: Situation, result: GateResult, curve: Sequence[CurvePoint], using: Candidate | None
) -> tuple[str, ...]:
    """What would change the answer."""
    lines = [
        f"from {count} labelled {'window' if count == 1 else 'windows'} {what}"
        for count, what in decision_table().labels_to_change(situation)
    ]
    if not curve or using is None:
        if not situation.labelled:
            lines.append("no labels yet: how much they would bring cannot be measured, only what they would open up")
        return tuple(lines)
    first, last = curve[0], curve[-1]
    doublings = math.log2(max(last.labelled, 1) / max(first.labelled, 1))
    if using.name == result.winner or doublings <= 0:
        return tuple(lines)
    slope = (last.value - first.value) / doublings
    behind = float(result.value[result.names.index(result.winner)]) - last.value
    steps = behind / slope if slope > 1e-3 else math.inf
    if steps <= 0:
        return tuple(lines)
    if steps > _DOUBLINGS:
        lines.append(
            f"{using.name} gains {slope:+.3f} with each doubling of the labels and is {behind:.3f} behind: more labels "
            "of this kind are not expected to change the answer"
        )
    else:
        wanted = math.ceil(last.labelled * 2**steps)
        lines.append(
            f"{using.name} gains {slope:+.3f} with each doubling of the labels: at about {wanted} labelled windows it "
            f"would draw level with {result.winner}, if that goes on"
        )
    return tuple(lines)


def _plain(value: Any) -> Any:
    """NaN as None, arrays and numbers of numpy as those of Python."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
