"""Strategy 6: a pre-trained encoder in the network's place, with no label, few, or those of sources."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from jointwatch.core import Channel, Index, Quantity, Windows, catalog
from jointwatch.core.errors import ModelFileError, NotEnoughData, UsageError
from jointwatch.detectors.cnn import Cnn
from jointwatch.detectors.foundation import Foundation as Detector
from jointwatch.detectors.mahalanobis import Mahalanobis
from jointwatch.models._patch_encoder import PatchEncoder
from jointwatch.models._pretrained import save_pretrained
from jointwatch.models.patch_transformer import PatchTransformer
from jointwatch.selection.candidates import take_over
from jointwatch.training.data import Batch
from jointwatch.training.foundation import ready
from jointwatch.training.seed import seeded
from jointwatch.transfer.foundation import Foundation

JOINTS, LENGTH = 3, 60


def cycles(seed: int = 0, count: int = 80, worn: float = 0.0, domain: str = "a", label: str = "") -> Windows:
    """Strokes of an arm; every second one has more friction at one of the joints, by a factor of 1 + `worn`."""
    rng = np.random.default_rng(seed)
    phase = np.linspace(0, 2 * np.pi, LENGTH, endpoint=False)
    joint = rng.integers(JOINTS, size=count)
    odd = (np.arange(count) % 2 == 1) & (worn > 0)
    factor = 1 + worn * (odd[:, None] & (joint[:, None] == np.arange(JOINTS)))
    rows = []
    for j in range(JOINTS):
        position, direction = np.sin(phase + j), np.tanh(8 * np.cos(phase + j))
        effort = 0.5 * position + factor[:, j, None] * direction
        for course, noise in ((position, 0.02), (effort, 0.15)):
            rows.append(course + noise * rng.standard_normal((count, LENGTH)))
    channels = tuple(
        Channel(quantity, j) for j in range(1, JOINTS + 1) for quantity in (Quantity.POSITION, Quantity.CURRENT)
    )
    number = np.arange(count)
    text = np.where(odd, "anomalous", "normal") if not label else np.full(count, label)
    zero, unit = 2.0 * number, np.full(count, f"{domain}-1")
    name = np.char.add(f"{domain}-1/{seed}/", number.astype(str))
    index = Index(
        unit, np.char.add("s", (number // 20).astype(str)), name, np.full(count, domain), zero, zero + 2, zero * 0,
        zero * 0 + 2, text, np.where(text == "anomalous", "friction", ""), (joint + 1) * (text == "anomalous"),
        zero * np.nan,
    )  # fmt: skip
    return Windows(np.stack(rows, axis=1), channels, index, LENGTH / 2)


def auroc(model: object, windows: Windows) -> float:
    return float(roc_auc_score(windows.index.label == "anomalous", model.score_samples(windows)))  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def fitted() -> Foundation:
    return Foundation(Detector()).fit(cycles(0, 60))


def test_no_label_is_needed(fitted: Foundation) -> None:
    adapted = fitted.adapt(cycles(1, 60, domain="b"))
    assert adapted.detector_.network_.kind == "distance"
    assert auroc(adapted, cycles(2, 80, worn=0.6, domain="b")) > 0.9
    assert auroc(adapted, cycles(2, 80, worn=1e-9, domain="b")) == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("use", ["probe", "fine_tune"])
def test_few_labels(fitted: Foundation, use: str) -> None:
    few = cycles(3, 20, worn=0.35, domain="b")
    adapted = fitted.__class__(Detector(), use=use, epochs=4).fit(cycles(0, 60, worn=0.35))  # type: ignore[arg-type]
    adapted = adapted.adapt(cycles(1, 60, domain="b"), few)
    assert adapted.detector_.network_.kind == "probe"
    judged = cycles(2, 120, worn=0.35, domain="b")
    assert auroc(adapted, judged) > 0.75


def test_labels_of_a_source_are_lent() -> None:
    strategy = Foundation(Detector()).fit(cycles(0, 120, worn=0.6))
    adapted = strategy.adapt(cycles(1, 60, domain="b"))
    assert adapted.detector_.network_.kind == "probe"
    assert auroc(adapted, cycles(2, 80, worn=0.6, domain="b")) > 0.85
    distance = strategy.set_params(use="distance").adapt(cycles(1, 60, domain="b"))
    assert distance.detector_.network_.kind == "distance"


def test_the_joint_is_named(fitted: Foundation) -> None:
    adapted = fitted.adapt(cycles(1, 60, domain="b"))
    judged = cycles(2, 80, worn=1.0, domain="b")
    odd = judged[judged.index.label == "anomalous"]
    found = adapted.detect(odd)
    assert found.contributions is not None
    blamed = np.array([channel.joint for channel in found.channels])[found.contributions.argmax(axis=1)]
    assert (blamed == odd.index.joint).mean() > 0.8


def test_the_encoder_stays_as_it_is_unless_it_is_fine_tuned(tmp_path: Path) -> None:
    with seeded(1):
        encoder = PatchEncoder(width=16, heads=2, layers=1)
    weights = str(save_pretrained(encoder, tmp_path / "own", {}))
    few, target = cycles(3, 20, worn=1.0, domain="b"), cycles(1, 40, domain="b")
    for use, same in (("distance", True), ("probe", True), ("fine_tune", False)):
        strategy = Foundation(Detector(weights=weights), use=use, weights=weights, epochs=4).fit(cycles(0, 40))  # type: ignore[arg-type]
        got = strategy.adapt(target, few).detector_.network_.encoder.state_dict()
        assert all(torch.equal(got[name], value) for name, value in encoder.state_dict().items()) == same, use
    with pytest.raises(ModelFileError, match="no pre-trained encoder"):
        Foundation(Detector(), weights=str(tmp_path / "gone")).fit(cycles(0, 40)).adapt(target)


def test_it_takes_the_place_of_a_network_that_learned_on_the_source() -> None:
    source = cycles(0, 60)
    learned = catalog.load("transfer", "normalisation")(Cnn(filters=(4, 4, 4), epochs=1)).fit(source)
    adapted = take_over("foundation", learned, source).adapt(cycles(1, 60, domain="b"))
    assert isinstance(adapted.detector_, Cnn)
    assert isinstance(adapted.detector_.network_, PatchTransformer)
    assert auroc(adapted, cycles(2, 80, worn=0.6, domain="b")) > 0.9
    with pytest.raises(UsageError, match="foundation and cnn"):
        Foundation(Mahalanobis()).fit(source)


@pytest.mark.parametrize("name", ["full", "head_only", "lora", "adapters", "l2_sp"])
def test_other_strategies_train_it_further(name: str) -> None:
    strategy = catalog.load("transfer", name)(Detector()).set_params(epochs=6)
    adapted = strategy.fit(cycles(0, 40)).adapt(cycles(1, 40, domain="b"))
    assert auroc(adapted, cycles(2, 40, worn=1.0, domain="b")) > 0.7


def test_networks_are_made_ready_without_a_detector() -> None:
    with seeded(0):
        encoder = PatchEncoder(width=16, heads=2, layers=1)
    target, few = cycles(1, 60, domain="b"), cycles(3, 20, worn=1.0, domain="b")
    network = PatchTransformer.of(encoder, target.channels, 1 / 30)
    strategy = Foundation()
    rows = [Batch.of(windows) for windows in (target, few)]
    wrong = replace(rows[0], label=torch.ones_like(rows[0].label))
    alone = strategy.align(network, [], wrong)
    assert alone.kind == "distance"  # what is said of the bare target is not looked at
    assert strategy.align(network, [], *rows).kind == "probe"
    lent = strategy.align(network, Batch.of(cycles(0, 60, worn=1.0)), rows[0])
    assert lent.kind == "probe"
    with pytest.raises(UsageError, match="patch_transformer"):
        strategy.align(torch.nn.Linear(2, 2), [], rows[0])  # type: ignore[arg-type]
    with pytest.raises(NotEnoughData, match="normal windows"):
        ready(network, rows[0].take(np.arange(1)))
    with pytest.raises(NotEnoughData, match="anomalous"):
        ready(network, rows[0], use="probe")
    with pytest.raises(UsageError, match="distance, probe, fine_tune"):
        ready(network, rows[0], use="magic")  # type: ignore[arg-type]
