"""From a fitted estimator to one file that decides on an industrial PC as it did here, without torch."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jointwatch.bundle._int8 import in_eight_bits
from jointwatch.bundle._to_onnx import to_onnx
from jointwatch.bundle.archive import Archive, read_archive, write_archive
from jointwatch.bundle.golden import Golden, Parity, compare, disturbed, golden_set, monitor_of
from jointwatch.bundle.store import fitted_names, from_files, to_files
from jointwatch.core import Recording
from jointwatch.core.errors import ModelFileError, UsageError
from jointwatch.core.estimator import BaseEstimator
from jointwatch.detectors._network_graph import NetworkGraph
from jointwatch.diagnosis.anomaly import AnomalyDetector
from jointwatch.models._onnx_graph import GraphFunction, OnnxGraph
from jointwatch.transfer._deployed import Deployed
from jointwatch.transfer.base import Strategy

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["Bundle", "export", "open_bundle"]

_GOLDEN = "golden/"
_MODEL = "model/"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle that was read and is whole.

    Parameters
    ----------
    model : `Monitor`, `AnomalyDetector`, `AxisFaultClassifier` or `TransmissionErrorGrader`, ready to judge recordings.
    golden : what the model that was exported said of some inputs.
    archive : manifest, signer, facts.
    recalibration : manifest, signer and facts of the version in use, if there is one.
    """

    model: Any
    golden: Golden
    archive: Archive
    recalibration: Archive | None = None

    @property
    def origin(self) -> dict[str, str | int]:
        """What results name as the model they come from: name of the file, the digest that its manifest gives of
        itself, bundle schema and version of jointwatch that wrote it; number of the recalibration in use (0 = none)
        and its digest."""
        manifest, version = self.archive.manifest, self.recalibration
        return {
            "file": self.archive.path.name,
            "sha256": manifest["content_sha256"],
            "schema": manifest["schema"],
            "version": manifest["version"],
            "recalibration": version.facts["number"] if version else 0,
            "recalibration_sha256": version.manifest["content_sha256"] if version else "",
        }

    def check(self) -> Parity:
        """Whether it says here what it said where it was exported."""
        return compare(self.model, self.golden)


def export(
    model: Any,
    path: str | Path,
    *,
    recordings: Sequence[Recording] = (),
    int8: bool = False,
    key: Ed25519PrivateKey | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Bundle:
    """Write a bundle, open it again and compare it with the model.

    Networks become ONNX graphs; everything else is stored as it is, so that windows, z-scores, thresholds and
    calibration are computed by the same code there as here. What only learning needs stays behind: strategies,
    optimisers, windows of the sources.

    Parameters
    ----------
    model : fitted `Monitor`, `AnomalyDetector`, `AxisFaultClassifier` or `TransmissionErrorGrader`.
    recordings : of the robots that it is ready for, to compare both on; they go into the bundle. Without any a monitor
        is compared on windows that it keeps.
    int8 : store the score of a detector's network in eight bits: smaller and faster, and not exactly the same; `facts`
        of the bundle say how many decisions of the golden set change.
    key : signs the bundle (`signature.load_private_key`). facts : further ones, JSON.

    Errors: `UsageError` for a model that is not fitted or cannot be exported, or whose bundle does not agree with it;
    `MissingExtra` without torch, onnx or onnxscript where it has networks.
    """
    if not fitted_names(model):
        raise UsageError(f"{type(model).__name__} is not fitted; fit it before it is exported")
    golden = golden_set(model, recordings)
    deployed = _deployed(model)
    if int8:
        _make_small(deployed)
    files = to_files(deployed)
    if b'"$network"' in files["model.json"]:
        raise UsageError(f"a network of this {type(model).__name__} cannot be exported: its class has no `for_edge`")
    members = {f"{_MODEL}{name}": content for name, content in files.items()}
    members |= {f"{_GOLDEN}{name}": content for name, content in to_files(golden).items()}
    parity = compare(from_files(lambda name: files[name], path), golden)
    if not int8 and not parity.identical:
        raise UsageError(
            f"the exported model does not agree with the one it was made of: {parity}. Remedy: compare on other "
            "recordings (--golden); if it stays so, please report it"
        )
    known = {"int8": int8, "parity": asdict(parity), **(facts or {})}
    kind = re.sub(r"(?<!^)(?=[A-Z])", " ", type(model).__name__).lower()
    return open_bundle(write_archive(path, members, kind=kind, facts=known, key=key))


def open_bundle(path: str | Path, *, public_key: Ed25519PublicKey | None = None) -> Bundle:
    """Read a bundle; with a public key only one that its holder has signed.

    Errors: `ModelFileError` if one bit of the file differs from what was written, or the signature is missing or of
    another key; `MissingExtra` if it needs a package that is not installed.
    """
    archive = read_archive(path, public_key=public_key)
    model, golden = (_part(archive, folder) for folder in (_MODEL, _GOLDEN))
    if not isinstance(golden, Golden) or not hasattr(model, "get_params"):
        raise ModelFileError(f"{path} holds no model of jointwatch; export it again")
    return Bundle(model, golden, archive)


def _part(archive: Archive, folder: str) -> Any:
    return from_files(lambda name: archive.read(folder + name), archive.path)


def _deployed(value: Any) -> Any:
    """The same without torch, and without what only learning needs; the original stays as it is."""
    if hasattr(value, "for_edge"):
        return value.for_edge(_compiled)
    if isinstance(value, Strategy):
        bare = Deployed(value.name, clip_sigma=value.clip_sigma, floor_share=value.floor_share)
        return bare.of(value.normaliser_, _deployed(value.detector_)) if hasattr(value, "detector_") else bare
    if isinstance(value, BaseEstimator):
        twin = copy.copy(value)
        for name in {*value.get_params(deep=False), *fitted_names(value)}:
            setattr(twin, name, _deployed(getattr(value, name)))
        if isinstance(twin, AnomalyDetector):
            twin.others_, twin.remembered_ = [], None
        return twin
    if isinstance(value, (list, tuple)):
        return type(value)(_deployed(each) for each in value)
    if isinstance(value, dict):
        return {key: _deployed(each) for key, each in value.items()}
    return value


def _make_small(deployed: Any) -> None:
    """The score of a monitor's network in eight bits, in place."""
    monitor = monitor_of(deployed)
    detector = None if monitor is None else monitor.strategy_.detector_
    if monitor is None or not isinstance(detector, NetworkGraph):
        raise UsageError("int8 is for monitors around a network, such as cnn or cnn_lstm_auto_encoder")
    healthy = monitor.healthy_[::2]  # the golden set has the others
    # what is odd has to be inside the scale as well, or large anomalies would all look alike
    seen = [
        detector.inputs(monitor.strategy_.normaliser_.transform(windows)) for windows in (healthy, disturbed(healthy))
    ]
    rows = {name: np.concatenate([each[name] for each in seen]) for name in seen[0]}
    detector.blame_graph = detector.blame_graph or detector.score_graph
    detector.score_graph = in_eight_bits(detector.score_graph, rows, detector.constants(detector.score_graph))
    detector.statistics_graph = None  # they are part of the weights now
    detector.eight_bits = True
    monitor.set_threshold(monitor.healthy_)  # scores have moved, and the stated rate is to hold for these


def _compiled(name: str, function: GraphFunction) -> OnnxGraph:
    return to_onnx(function)
