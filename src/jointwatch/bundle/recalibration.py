"""What a device may change by itself, from recent healthy cycles without labels: batch-norm statistics and threshold.

The bundle stays as it was signed. Each recalibration is a file of its own beside it, with a number, the figures before
and after, and the digest of the bundle that it belongs to; going back is to use an earlier one, or none.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jointwatch.alarms.conformal import cycles_to_alarm
from jointwatch.alarms.monitor import Monitor
from jointwatch.bundle.archive import read_archive, write_archive
from jointwatch.bundle.export import Bundle
from jointwatch.bundle.golden import answers, disturbed, monitor_of
from jointwatch.bundle.store import from_files, to_files
from jointwatch.core import Recording, Windows
from jointwatch.core.errors import ModelFileError, NotEnoughData, UsageError
from jointwatch.detectors._network_graph import NetworkGraph
from jointwatch.diagnosis.anomaly import AnomalyDetector
from jointwatch.windows.overlap import touching
from jointwatch.windows.trusted import as_healthy, suspected

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["SUFFIX", "Figures", "Recalibration", "recalibrate", "recalibrated"]

SUFFIX = ".recalibration"
_KIND = "recalibration"
_JUDGED = 5  # every so many-th cycle gives the figures and nothing else
_LEAST = 10  # such cycles
_BLOCKS = 50  # of overlapping decisions


@dataclass(frozen=True)
class Figures:
    """How a model does on healthy cycles that set nothing, and on copies of them that were disturbed.

    Parameters
    ----------
    cycles : how many. false_alarms : of them, called anomalous. found : of their disturbed copies.
    median_score, threshold : the score that half of the healthy cycles stay below, and where an alarm begins, if there
        was a limit.
    """

    cycles: int
    false_alarms: int
    found: int
    median_score: float
    threshold: float | None

    def __str__(self) -> str:
        limit = "no threshold" if self.threshold is None else f"threshold {self.threshold:.4g}"
        return (
            f"{self.false_alarms} of {self.cycles} healthy cycles called anomalous, {self.found} of as many disturbed "
            f"copies found, median score {self.median_score:.4g}, {limit}"
        )


@dataclass(frozen=True, eq=False)
class Recalibration:
    """One version.

    Parameters
    ----------
    path : its file. number : counted from 1. before, after : figures on the same cycles.
    notes : what was left out, and healthy cycles that stand apart, which may have raised the threshold.
    """

    path: Path
    number: int
    before: Figures
    after: Figures
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class State:
    """What replaces parts of a monitor, and what it then says of the golden set. `statistics` (name -> figures of batch
    norms) is empty where they stay."""

    threshold: Any
    scores: Any
    guard: Any
    healthy: Windows
    known_cycles: np.ndarray
    facts: dict[str, Any]
    statistics: dict[str, np.ndarray]
    golden_scores: np.ndarray
    golden_decisions: np.ndarray


def recalibrate(
    bundle: Bundle,
    recordings: Sequence[Recording],
    folder: str | Path,
    *,
    batch_norm: bool = False,
    key: Ed25519PrivateKey | None = None,
) -> Recalibration:
    """Write the next version into a folder, as BUNDLE.NUMBER.recalibration.

    A fifth of the cycles gives the figures before and after, and has no part in anything else. Of the others all set
    the threshold; with `batch_norm` half of them give the statistics of the network's batch norms first. Cycles that
    the model was fitted or recalibrated with before are left out. Batch norms of a network that learned from labelled
    anomalies saw some of these; healthy cycles alone move its scores, so look at the figures.

    Parameters
    ----------
    bundle : of a monitor or an anomaly detector.
    recordings : recent ones of its robots; cycles without a label are taken as healthy.
    key : signs the file.

    Errors: `UsageError` for a bundle of a model that has no threshold, a robot that it is not ready for, one of several
    that are not heard, or `batch_norm` where there is none that can be adjusted; `NotEnoughData` with too few cycles.
    """
    monitor = _monitor(bundle)
    cut = monitor.plan.cut(recordings)
    bad = (cut.index.label == "anomalous") | suspected(cut)
    known = ~bad & np.isin(cut.index.cycle, monitor.known_cycles_)
    windows = as_healthy(cut[~bad & ~known])
    monitor.require_known(windows)
    _require_all_targets(monitor, windows)
    judged, first, rest = _parts(windows, batch_norm, monitor.plan.decide_s is not None)
    have, share = len(np.unique(windows.index.cycle)), (0.4 if batch_norm else 0.8)
    needed = max(_LEAST * _JUDGED, math.ceil(cycles_to_alarm(monitor.false_alarm_rate) / share) + _JUDGED)
    if len(np.unique(windows.index.cycle[judged])) < _LEAST:
        raise NotEnoughData("recalibration", needed=needed, have=have, unit="new healthy cycles")
    adjusted = copy.copy(monitor)
    statistics: dict[str, np.ndarray] = {}
    if batch_norm:
        adjusted, statistics = _with_statistics(monitor, windows[first])
    try:
        after = adjusted.recalibrated(windows[rest])
    except NotEnoughData as error:
        raise NotEnoughData(
            "recalibration", needed=max(needed, have + 1), have=have, unit="new healthy cycles"
        ) from error
    learned = set(after.known_cycles_.tolist()) | set(windows.index.cycle[first].tolist())
    after.known_cycles_ = np.array(sorted(learned), dtype=np.str_)
    after.facts_ = {**after.facts_, "skipped": dict(cut.skipped), "suspected_left_out": _cycles(cut, bad)}
    shown = windows[judged]
    golden = answers(_model_around(bundle, after), bundle.golden.inputs)
    state = State(
        after.threshold_, after.calibration_scores_, after.guard_, after.healthy_, after.known_cycles_, after.facts_,
        statistics, *golden,
    )  # fmt: skip
    figures = _figures(monitor, shown), _figures(after, shown)
    folder, stem = Path(folder), bundle.archive.path.stem
    number = max(_numbers(folder, stem), default=0) + 1
    facts = {
        "bundle": stem,
        "bundle_sha256": bundle.archive.manifest["content_sha256"],
        "number": number,
        "batch_norm": batch_norm,
        "cycles": have,
        "left_out_faulty": _cycles(cut, bad),
        "left_out_known": _cycles(cut, known),
        "windows_skipped": dict(cut.skipped),
        "before": asdict(figures[0]),
        "after": asdict(figures[1]),
    }
    path = write_archive(folder / f"{stem}.{number}{SUFFIX}", to_files(state), kind=_KIND, facts=facts, key=key)
    return Recalibration(path, number, *figures, _notes(facts, after))


def recalibrated(bundle: Bundle, path: str | Path, *, public_key: Ed25519PublicKey | None = None) -> Bundle:
    """The bundle with one of its recalibrations in use; the bundle given stays as it is.

    Errors: `ModelFileError` if the file is damaged, of another bundle, or not signed by the holder of the key.
    """
    archive = read_archive(path, public_key=public_key)
    if archive.kind != _KIND:
        raise ModelFileError(f"{path} holds a {archive.kind}, not a recalibration")
    if archive.facts.get("bundle_sha256") != bundle.archive.manifest["content_sha256"]:
        raise ModelFileError(f"{path} belongs to another bundle than {bundle.archive.path}; recalibrate this one")

    state = from_files(archive.read, path)
    if not isinstance(state, State) or type(archive.facts.get("number")) is not int:
        raise ModelFileError(f"{path} holds no recalibration; recalibrate again")
    monitor = copy.copy(_monitor(bundle))
    if state.statistics:
        monitor = _adjusted(monitor, _graph(monitor).with_statistics(state.statistics))
    monitor.threshold_, monitor.calibration_scores_, monitor.guard_ = state.threshold, state.scores, state.guard
    monitor.healthy_, monitor.known_cycles_, monitor.facts_ = state.healthy, state.known_cycles, state.facts
    monitor.shortage_ = ""
    golden = replace(bundle.golden, scores=state.golden_scores, decisions=state.golden_decisions)
    return Bundle(_model_around(bundle, monitor), golden, bundle.archive, archive)


def _model_around(bundle: Bundle, monitor: Monitor) -> Any:
    """The bundle's front door to another monitor."""
    if not isinstance(bundle.model, AnomalyDetector):
        return monitor
    model = copy.copy(bundle.model)
    model.monitor_ = monitor
    return model


def _parts(windows: Windows, batch_norm: bool, overlapping: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(window,) flags: what is judged, what gives statistics, what sets the threshold; no cycle and no sample in two.

    Cycles are dealt in turns of five that are shuffled, so that what repeats in the robot's program falls on no part by
    itself; decisions that overlap their neighbours are dealt in blocks.
    """
    names, place = np.unique(windows.index.cycle, return_inverse=True)
    first = np.full(len(names), len(windows))
    np.minimum.at(first, place, np.arange(len(windows)))
    order = first.argsort().argsort()  # as they ran
    count = len(names)
    block = order // max(1, count // _BLOCKS) if overlapping else order
    drawn = np.random.default_rng(0)
    turn = np.concatenate([drawn.permutation(_JUDGED) for _ in range(int(block.max(initial=0)) // _JUDGED + 1)])
    dealt = turn[block][place]
    judged = dealt == 0
    statistics = np.isin(dealt, (1, 2)) & batch_norm & ~touching(windows.index, judged)
    rest = ~judged & ~statistics & ~touching(windows.index, judged) & ~touching(windows.index, statistics)
    return judged, statistics, rest


def _require_all_targets(monitor: Monitor, windows: Windows) -> None:
    """One threshold holds for all targets together, so that all have to be heard."""
    missing = sorted(set(monitor.target_) - set(windows.index.domain.tolist()))
    if missing and len(windows):
        raise UsageError(
            f"one threshold holds for {', '.join(monitor.target_)}; give recent recordings of {', '.join(missing)}, too"
        )


def _cycles(windows: Windows, chosen: np.ndarray) -> int:
    return len(np.unique(windows.index.cycle[chosen]))


def _notes(facts: dict[str, Any], after: Monitor) -> tuple[str, ...]:
    notes = []
    if facts["left_out_faulty"]:
        notes.append(f"{facts['left_out_faulty']} cycles with a fault, known or suspected, were left out")
    if facts["left_out_known"]:
        notes.append(f"{facts['left_out_known']} cycles that were learned from before were left out")
    if facts["windows_skipped"]:
        notes.append("windows left out: " + ", ".join(f"{n} {why}" for why, n in facts["windows_skipped"].items()))
    fate = "left out of the threshold" if after.exclude_odd else "still in the threshold"
    return (*notes, *(f"odd healthy cycle {cycle.cycle}: {cycle.reason}; {fate}" for cycle in after.guard_.odd))


def _monitor(bundle: Bundle) -> Monitor:
    monitor = monitor_of(bundle.model)
    if monitor is None:
        raise UsageError(f"{bundle.archive.path} holds a {bundle.archive.kind}, which has no threshold to recalibrate")
    return monitor


def _graph(monitor: Monitor) -> NetworkGraph:
    detector = monitor.strategy_.detector_
    if not isinstance(detector, NetworkGraph):
        raise UsageError(f"{detector.name} has no batch norms; recalibrate the threshold alone")
    return detector


def _with_statistics(monitor: Monitor, windows: Windows) -> tuple[Monitor, dict[str, np.ndarray]]:
    graph = _graph(monitor)
    statistics = graph.statistics_of(monitor.strategy_.normaliser_.transform(windows))
    return _adjusted(monitor, graph.with_statistics(statistics)), statistics


def _adjusted(monitor: Monitor, graph: NetworkGraph) -> Monitor:
    adjusted = copy.copy(monitor)
    adjusted.strategy_ = copy.copy(monitor.strategy_)
    adjusted.strategy_.detector_ = graph
    return adjusted


def _figures(monitor: Monitor, windows: Windows) -> Figures:
    verdict, odd = monitor.judge(windows), monitor.judge(disturbed(windows))
    threshold = None if monitor.threshold_ is None else float(monitor.threshold_.threshold_)
    return Figures(
        len(verdict.cycle_scores),
        int(verdict.passed.sum()),
        int(odd.passed.sum()),
        float(np.median(verdict.cycle_scores.value)),
        threshold,
    )


def _numbers(folder: Path, stem: str) -> list[int]:
    pattern = re.compile(rf"{re.escape(stem)}\.(\d+){re.escape(SUFFIX)}")
    return [int(found[1]) for path in folder.glob(f"*{SUFFIX}") if (found := pattern.fullmatch(path.name))]
