"""The gate: target labels cannot reach it, what does not help is not used, what helps is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Windows
from jointwatch.core.errors import ModelFileError, NotEnoughData, UsageError
from jointwatch.detectors.mahalanobis import Mahalanobis
from jointwatch.selection.evidence import Changed, Lender, disturbed, scale_of
from jointwatch.selection.gate import Candidate, GateResult, TransferGate
from jointwatch.transfer.normalisation import Normalisation

Arm = Callable[..., Windows]


class _By:
    """Scores by a function of the windows."""

    def __init__(self, score: object) -> None:
        self.score = score

    def score_samples(self, windows: Windows) -> np.ndarray:
        return self.score(windows)  # type: ignore[operator,no-any-return]


def candidates(arm: Arm) -> list[Candidate]:
    """A good borrowed model, a useless one, and a target-only one that is no better than chance."""
    source = Normalisation(Mahalanobis()).fit(arm(9, brand="red"))
    return [
        Candidate.carried("carried", source),
        Candidate("useless", True, lambda target, labelled: _By(lambda w: -np.abs(w.values).mean(axis=(1, 2)))),
        Candidate("coin", False, lambda target, labelled: _By(lambda w: w.values[:, 0, 0].astype(float) * 1e3 % 1)),
    ]


def same(one: GateResult, other: GateResult) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
        if isinstance(getattr(one, name), np.ndarray)
        else getattr(one, name) == getattr(other, name)
        for name in one.__dataclass_fields__
    )


def test_a_model_that_helps_is_used_and_the_losses_stay_on_record(arm: Arm) -> None:
    result = TransferGate().decide(candidates(arm), arm(0))
    assert result.winner == "carried"
    assert result.lead_low > 0.1
    table = {row["candidate"]: row for row in result.table()}
    assert table["useless"]["behind"] > 0.1
    assert table["carried"]["made_auroc"] > 0.75
    assert any("target only" in line for line in result.summary())


def test_a_borrowed_model_that_is_not_better_is_not_used(arm: Arm) -> None:
    worse = Candidate("useless", True, lambda target, labelled: _By(lambda w: -np.abs(w.values).mean(axis=(1, 2))))
    alone = Candidate.alone("alone", Normalisation(Mahalanobis()))
    result = TransferGate().decide([worse, alone], arm(0))
    assert result.winner == "alone"
    assert result.lead < 0
    # As good as target-only is not enough.
    twin = Candidate("twin", True, alone.make)
    result = TransferGate().decide([twin, alone], arm(0))
    assert result.winner == "alone"
    assert result.lead == 0


def test_hidden_labels_of_the_target_change_no_bit(arm: Arm) -> None:
    target = arm(0, faulty=(2,))
    rng = np.random.default_rng(1)
    label = rng.permutation(np.where(np.arange(len(target)) % 3, "normal", "anomalous"))
    scrambled = replace(
        target,
        index=replace(
            target.index, label=label, fault=rng.permutation(target.index.fault),
            joint=rng.integers(0, 3, len(target)), severity=rng.random(len(target)),
        ),
    )  # fmt: skip
    labelled = target[np.isin(target.index.session, ["s0", "s3"])]
    lender = arm(5, brand="red", faulty=(3,))
    for given in (None, labelled):
        one = TransferGate().decide(candidates(arm), target, given, lender)
        other = TransferGate().decide(candidates(arm), scrambled, given, lender)
        assert same(one, other)
    # The labels that are given do count: the test above is not blind.
    swapped = replace(labelled, index=replace(labelled.index, label=labelled.index.label[::-1]))
    assert not same(TransferGate().decide(candidates(arm), target, swapped, lender), one)


def test_no_model_is_judged_on_windows_it_was_made_from(arm: Arm) -> None:
    target = arm(0)
    made_from: list[set[str]] = []
    seen: list[set[str]] = []

    class Watch(_By):
        def score_samples(self, windows: Windows) -> np.ndarray:
            seen.append(set(windows.index.session.tolist()))
            assert not seen[-1] & made_from[-1]
            return np.zeros(len(windows))

    def make(windows: Windows, labelled: Windows | None) -> Watch:
        made_from.append(set(windows.index.session.tolist()))
        assert set(windows.index.label.tolist()) == {"normal"}
        return Watch(None)

    result = TransferGate(folds=3).decide([Candidate("watched", False, make)], target)
    assert len(made_from) == 3
    assert len(seen) == 9
    assert result.groups == tuple(f"blue-1/s{i}" for i in range(6))
    assert result.winner == "watched"


def test_labelled_cycles_count_and_are_not_taken_as_healthy(arm: Arm) -> None:
    target = arm(0, faulty=(1, 4))
    result = TransferGate().decide(candidates(arm), target, target)
    assert result.labelled_cycles == 12
    row = {r["candidate"]: r for r in result.table()}["carried"]
    assert row["labelled_auroc"] > 0.9
    healthy_only = TransferGate().decide(candidates(arm), arm(0))
    assert np.isnan(healthy_only.labelled).all()
    assert healthy_only.labelled_cycles == 0


def test_a_threshold_that_does_not_carry_over_costs(arm: Arm) -> None:
    """Two models of the same ranking within sessions; one drifts from session to session."""
    target = arm(0, noise=0.05)
    spread = {f"blue-1/s{i}": 5.0 * (i % 3) for i in range(6)}

    def score(windows: Windows) -> np.ndarray:
        return np.square(windows.values).mean(axis=(1, 2)).astype(float)

    def drifting(windows: Windows) -> np.ndarray:
        return score(windows) + np.array([spread[name] for name in windows.index.unit_session])

    result = TransferGate().decide(
        [
            Candidate("steady", False, lambda target, labelled: _By(score)),
            Candidate("drifting", True, lambda target, labelled: _By(drifting)),
        ],
        target,
    )
    assert result.winner == "steady"
    np.testing.assert_allclose(result.made[0], result.made[1])
    assert result.false_alarms[1].mean() > result.false_alarms[0].mean() + 0.1


def test_candidates_that_cannot_be_made_are_named(arm: Arm) -> None:
    def short(windows: Windows, labelled: Windows | None) -> _By:
        raise NotEnoughData("labels", needed=5, have=0, unit="labelled windows")

    def damaged(windows: Windows, labelled: Windows | None) -> _By:
        raise ModelFileError("weights.safetensors is cut short")

    def refusing(windows: Windows) -> np.ndarray:
        raise UsageError("no healthy baseline is known of unit blue-1")

    alone = Candidate.alone("alone", Normalisation(Mahalanobis()))
    strange = Candidate("strange", True, lambda target, labelled: _By(refusing))
    result = TransferGate().decide(
        [Candidate("short", True, short), Candidate("damaged", True, damaged), strange, alone], arm(0)
    )
    assert result.winner == "alone"
    assert "baseline" in result.left_out["strange"]
    assert "5 more labelled windows" in result.left_out["short"]
    assert "cut short" in result.left_out["damaged"]
    with pytest.raises(UsageError, match="target alone"):
        TransferGate().decide([Candidate("short", True, short)], arm(0))
    with pytest.raises(NotEnoughData, match="healthy cycles"):
        TransferGate().decide([alone], arm(0, sessions=1, cycles=2))


def test_few_sessions_are_held_out_by_blocks_of_cycles(arm: Arm) -> None:
    result = TransferGate().decide(
        [Candidate.alone("alone", Normalisation(Mahalanobis()))], arm(0, sessions=1, cycles=30)
    )
    assert result.held_out_by == "block of cycles"
    assert result.held_out == f"{len(result.groups)} blocks of cycles"
    assert len(result.groups) == 6


def test_changed_windows_replace_one_window_of_their_cycle(arm: Arm) -> None:
    target = arm(0)
    cycle = np.array(["a", "a", "b", "b"])
    copies = Changed(target[[0, 2]], np.array([0, 3]))
    found = copies.cycle_scores(np.array([0.5, 0.1]), np.array([9.0, 1.0, 2.0, 3.0]), cycle)
    assert found.tolist() == [1.0, 2.0]


def test_made_anomalies_are_in_the_scale_of_the_robot(arm: Arm) -> None:
    target = arm(0)
    large = target.with_values(target.values * 1000)
    small, big = (disturbed(w, scale_of(w), np.random.default_rng(0), copies=2) for w in (target, large))
    np.testing.assert_allclose(big.windows.values, 1000 * small.windows.values, rtol=1e-3, atol=1e-1)
    assert (np.abs(small.windows.values - target.values[small.rows]).max(axis=(1, 2)) > 0).all()


def test_lent_faults_change_what_the_source_shows_and_controls_do_not(arm: Arm) -> None:
    source, target = arm(5, brand="red", faulty=(1, 2), noise=0.02), arm(0, noise=0.02)
    rng = np.random.default_rng(0)
    faults, controls = Lender(source, rng).lend(target, scale_of(target), rng, copies=2)
    change = [np.abs(c.windows.values - target.values[c.rows]).mean(axis=(0, 2)) for c in (faults, controls)]
    assert change[0][1] > 3 * change[1][1]  # current of joint 1
    assert change[0][3] < 2 * change[1][3]  # current of joint 2
