"""Advice: grounded in measurement, blind to hidden labels, told in words, JSON, pictures and a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Channel, Quantity, Recording, Windows
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.detectors.cnn import Cnn
from jointwatch.detectors.mahalanobis import Mahalanobis
from jointwatch.reports.advice import decision_figure, evidence_figure, write_advice
from jointwatch.selection.advise import Advice, advise, advise_on
from jointwatch.selection.candidates import carried_from, take_over
from jointwatch.selection.gate import TransferGate
from jointwatch.transfer.normalisation import Normalisation

Arm = Callable[..., Windows]


@pytest.fixture(scope="module")
def advice(arm: Arm) -> Advice:
    return advise(arm(5, brand="red", faulty=(3,)), arm(0), detectors=["mahalanobis"])


def test_the_answer_is_the_gates_and_its_grounds_are_there(advice: Advice) -> None:
    assert advice.strategy == advice.gate.winner
    gain, low, high = advice.gain
    assert low <= gain <= high
    assert advice.borrowed == (advice.strategy == advice.gate.best_borrowed)
    assert not advice.situation.network
    assert [row.number for row in advice.match.strategies] == [5]
    assert np.isfinite(advice.gate.lent).all()  # the source has labelled faults to lend
    assert len(advice.channels) == 4
    first = advice.summary()[0]
    assert first.startswith("red -> blue: use ")


def test_hidden_labels_change_no_bit_of_the_advice(arm: Arm, advice: Advice) -> None:
    source, target = arm(5, brand="red", faulty=(3,)), arm(0)
    rng = np.random.default_rng(0)
    index = replace(
        target.index,
        label=rng.permutation(np.resize(["normal", "anomalous", "uncertain"], len(target))),
        fault=rng.permutation(np.resize(["", "wear"], len(target))),
        joint=rng.integers(0, 3, len(target)),
    )
    other = advise(source, replace(target, index=index), detectors=["mahalanobis"])
    assert json.dumps(other.as_json()) == json.dumps(advice.as_json())
    # What is handed over as labelled does count.
    with_faults = arm(0, faulty=(2, 5))
    told = advise(source, with_faults, with_faults, detectors=["mahalanobis"])
    assert told.labelled_windows == len(target)
    assert told.gate.labelled_cycles == 12
    assert told.as_json() != advice.as_json()


def test_a_pair_without_a_shared_load_signal_is_warned_of(advice: Advice) -> None:
    warning = "share no current or torque"
    assert not any(warning in line for line in advice.summary())
    speeds = tuple(c for c in advice.channels if c.channel.quantity is Quantity.VELOCITY)
    assert any(warning in line for line in replace(advice, channels=speeds).summary())


def test_it_says_what_labels_would_change(arm: Arm) -> None:
    source, target = arm(5, brand="red", faulty=(3,)), arm(0, faulty=(2, 5))
    network, quick = Cnn(filters=(4, 4, 8), epochs=1), TransferGate(folds=3)
    bare = advise(
        source, arm(0), detectors=[Mahalanobis(), network], strategies=["normalisation", "batch_norm"], gate=quick
    )
    assert any("100 labelled windows" in line and "batch-norm" in line for line in bare.change)
    assert any("cannot be measured" in line for line in bare.change)
    assert bare.gate.left_out.keys() == {"batch_norm: mahalanobis"}
    steps: list[tuple[int, int, str]] = []
    told = advise(
        source,
        target,
        target,
        detectors=[network],
        strategies=["batch_norm"],
        gate=quick,
        progress=lambda *step: steps.append(step),
    )
    # Four candidates and, for the curve, two shares, in three folds; all labels are not judged a second time.
    assert [done for done, _, _ in steps] == [*range(12), *range(6)]
    assert {total for _, total, _ in steps} == {12, 6}
    worth = {row["candidate"]: row["value"] for row in told.gate.table()}
    assert told.curve[-1].value == worth["batch_norm: cnn"]
    assert not any("not tried" in line for line in told.change)
    assert [point.labelled for point in told.curve] == sorted(point.labelled for point in told.curve)
    assert told.curve[-1].labelled == len(target)


def test_the_source_is_learned_once(arm: Arm) -> None:
    source = arm(5, brand="red", faulty=(3,))
    fitted = Normalisation(Cnn(filters=(4, 4, 8), epochs=1)).fit(source)
    taken = take_over("dann", fitted, source)
    assert taken.detector_ is fitted.detector_
    assert len(taken.source_) == len(source)
    with pytest.raises(UsageError, match="keeps no windows"):
        take_over("dann", fitted)
    with pytest.raises(UsageError, match="fit it first"):
        take_over("dann", Normalisation(Cnn()))
    found, left_out = carried_from([fitted], ["normalisation", "dann"])
    assert [candidate.name for candidate in found] == ["normalisation: cnn"]
    assert list(left_out) == ["dann: cnn"]


def test_files_hold_the_advice(advice: Advice, tmp_path: Path) -> None:
    paths = {path.name for path in write_advice(advice, tmp_path)}
    assert {"advice.json", "advice.html", "decision.png", "decision.svg", "evidence.png"} <= paths
    content = json.loads((tmp_path / "advice.json").read_text())
    assert content["strategy"] == advice.strategy
    assert content["decision_table"]["cells"] == [row.row for row in advice.match.cells]
    page = (tmp_path / "advice.html").read_text()
    assert advice.strategy in page
    assert page.count("<img ") == 2
    texts = {text.get_text() for text in decision_figure(advice).axes[0].texts}
    assert {"A", "B", "C", "D"} <= texts
    names = [label.get_text() for label in evidence_figure(advice).axes[0].get_yticklabels()]
    assert set(names) == set(advice.gate.names)


def test_a_channel_of_one_brand_only_is_left_out(arm_recording: Callable[..., Recording]) -> None:
    def sessions(brand: str, first: int, joints: int) -> list[Recording]:
        return [
            arm_recording(seed=first + s, joints=joints, cycles=6, brand=brand, unit=brand, session=f"s{s}")
            for s in range(4)
        ]

    red, blue = sessions("red", 0, 2), sessions("blue", 50, 3)
    second = Channel(Quantity.POSITION, 1, component="link")
    red = [replace(r, channels=(*r.channels, second), values=np.vstack([r.values, r.values[:1]])) for r in red]
    found = advise_on(red, blue, detectors=["mahalanobis"], length=40)
    assert second not in {c.channel for c in found.channels}
    assert {c.channel.joint for c in found.channels} == {1, 2}  # a third joint has nothing to be compared with
    with pytest.raises(MissingChannel, match="link"):
        advise_on(red, blue, channels="position/1:link,current/1", detectors=["mahalanobis"])
