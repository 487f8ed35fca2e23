"""What a device may change by itself, from recent healthy cycles without labels: batch-norm statistics and threshold.

The bundle stays as it was signed. Each recalibration is a file of its own beside it, with a number, the figures before
and after, and the digest of the bundle that it belongs to; going back is to use an earlier one, or none.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jointwatch.alarms.monitor import Monitor
from jointwatch.bundle.archive import read_archive, write_archive
from jointwatch.bundle.export import Bundle
from jointwatch.bundle.golden import disturbed, monitor_of
from jointwatch.bundle.store import from_files, to_files
from jointwatch.core import Recording, Windows
from jointwatch.core.errors import ModelFileError, NotEnoughData, UsageError
from jointwatch.detectors._network_graph import NetworkGraph
from jointwatch.diagnosis.anomaly import AnomalyDetector
from jointwatch.windows.trusted import as_healthy, suspected

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["SUFFIX", "Figures", "Recalibration", "recalibrate", "recalibrated"]

SUFFIX = ".recalibration"
_KIND = "recalibration"
_JUDGED = 5  # every so many-th cycle gives the figures and nothing else
_LEAST = 10  # such cycles


@dataclass(frozen=True)
class Figures:
    """How a model does on healthy cycles that set nothing, and on copies of them that were disturbed.

    Parameters
    ----------
    cycles : how many. false_alarms : of them, called anomalous. found : of their disturbed copies.
    median_score, threshold : of scores; the score of half of the healthy cycles, and where an alarm begins.
    """

    cycles: int
    false_alarms: int
    found: int
    median_score: float
    threshold: float

    def __str__(self) -> str:
        return (
            f"{self.false_alarms} of {self.cycles} healthy cycles called anomalous, {self.found} of as many disturbed "
            f"copies found, median score {self.median_score:.4g}, threshold {self.threshold:.4g}"
        )


@dataclass(frozen=True, eq=False)
class Recalibration:
    """One version.

    Parameters
    ----------
    path : its file. number : counted from 1. before, after : figures on the same cycles.
    left_out : cycles that are labelled, or suspected, as faulty. odd : healthy cycles that stand apart, which may have
        raised the threshold, with the reason.
    """

    path: Path
    number: int
    before: Figures
    after: Figures
    left_out: int
    odd: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class State:
    """What replaces parts of a monitor. `statistics` (name -> figures of batch norms) is empty where they stay."""

    threshold: Any
    scores: Any
    guard: Any
    healthy: Windows
    known_cycles: np.ndarray
    facts: dict[str, Any]
    statistics: dict[str, np.ndarray] = field(default_factory=dict)


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
    the threshold; with `batch_norm` half of them give the statistics of the network's batch norms first.

    Parameters
    ----------
    bundle : of a monitor or an anomaly detector.
    recordings : recent ones of its robots; cycles without a label are taken as healthy.
    key : signs the file.

    Errors: `UsageError` for a bundle without a threshold, a robot that it is not ready for, or `batch_norm` where there
    is none that can be adjusted; `NotEnoughData` with too few cycles.
    """
    monitor = _monitor(bundle)
    cut = monitor.plan.cut(recordings)
    bad = (cut.index.label == "anomalous") | suspected(cut)
    windows = as_healthy(cut[~bad])
    names = list(dict.fromkeys(windows.index.cycle.tolist()))
    place = np.array([names.index(name) for name in windows.index.cycle.tolist()], dtype=int)
    judged = place % _JUDGED == _JUDGED - 1
    count = len(np.unique(place[judged]))
    if count < _LEAST:
        raise NotEnoughData("recalibration", needed=_LEAST * _JUDGED, have=len(names), unit="healthy cycles")
    rest, parity = ~judged, (place % _JUDGED) % 2 == 0
    adjusted = copy.copy(monitor)
    statistics: dict[str, np.ndarray] = {}
    if batch_norm:
        adjusted, statistics = _with_statistics(monitor, windows[rest & parity])
        rest &= ~parity
    after = adjusted.recalibrated(windows[rest])
    shown = windows[judged]
    state = State(
        after.threshold_, after.calibration_scores_, after.guard_, after.healthy_, after.known_cycles_, after.facts_,
        statistics,
    )  # fmt: skip
    figures = _figures(monitor, shown), _figures(after, shown)
    folder, stem = Path(folder), bundle.archive.path.stem
    number = max(_numbers(folder, stem), default=0) + 1
    facts = {
        "bundle": stem,
        "bundle_sha256": bundle.archive.manifest["content_sha256"],
        "number": number,
        "batch_norm": batch_norm,
        "cycles": len(names),
        "left_out": len(np.unique(cut.index.cycle[bad])),
        "before": asdict(figures[0]),
        "after": asdict(figures[1]),
    }
    path = write_archive(folder / f"{stem}.{number}{SUFFIX}", to_files(state), kind=_KIND, facts=facts, key=key)
    odd = tuple(f"{cycle.cycle}: {cycle.reason}" for cycle in after.guard_.odd)
    return Recalibration(path, number, *figures, facts["left_out"], odd)


def recalibrated(bundle: Bundle, path: str | Path, *, public_key: Ed25519PublicKey | None = None) -> Bundle:
    """The bundle with one of its recalibrations in use; the bundle given stays as it is.

    Errors: `ModelFileError` if the file is damaged, of another bundle, or not signed by the holder of the key.
    """
    archive = read_archive(path, public_key=public_key)
    if archive.kind != _KIND:
        raise ModelFileError(f"{path} holds a {archive.kind}, not a recalibration")
    if archive.facts.get("bundle_sha256") != bundle.archive.manifest["content_sha256"]:
        raise ModelFileError(f"{path} belongs to another bundle than {bundle.archive.path}; recalibrate this one")

    def read(name: str) -> bytes:
        try:
            return archive.members[name]
        except KeyError as error:
            raise ModelFileError(f"{path} has no {name}; recalibrate again") from error

    state = from_files(read, path)
    if not isinstance(state, State):
        raise ModelFileError(f"{path} holds no recalibration; recalibrate again")
    monitor = copy.copy(_monitor(bundle))
    if state.statistics:
        monitor = _adjusted(monitor, _graph(monitor).with_statistics(state.statistics))
    monitor.threshold_, monitor.calibration_scores_, monitor.guard_ = state.threshold, state.scores, state.guard
    monitor.healthy_, monitor.known_cycles_, monitor.facts_ = state.healthy, state.known_cycles, state.facts
    monitor.shortage_ = ""
    model: Any = monitor
    if isinstance(bundle.model, AnomalyDetector):
        model = copy.copy(bundle.model)
        model.monitor_ = monitor
    return Bundle(model, bundle.golden, bundle.archive)


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
    threshold = float("nan") if monitor.threshold_ is None else float(monitor.threshold_.threshold_)
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
