"""Diagnoses: names of conditions, decisions put together, scores for alarms."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core import Index
from jointwatch.core.errors import UsageError
from jointwatch.diagnosis.base import Diagnosis, conditions


def index_of(label: list[str], fault: list[str], severity: list[float], cycle: list[str] | None = None) -> Index:
    count = len(label)
    unit, t = np.full(count, "a"), np.arange(count, dtype=float)
    names = np.array(cycle or [f"c{i}" for i in range(count)])
    session = np.array(["s1"] * (count // 2) + ["s2"] * (count - count // 2))
    return Index(unit, session, names, unit, t, t + 1, t * 0, t * 0 + 1, np.array(label), np.array(fault),
                 np.zeros(count), np.array(severity))  # fmt: skip


NAN = float("nan")
FIVE = index_of(
    ["normal", "anomalous", "anomalous", "anomalous", "uncertain"],
    ["", "wear", "wear", "", "wear"],
    [NAN, 0.125, NAN, 0.5, 0.5],
)


@pytest.mark.parametrize(
    ("decide", "names"),
    [
        ("faulty", ["normal", "faulty", "faulty", "faulty", ""]),
        ("kind", ["normal", "wear", "wear", "", ""]),
        ("state", ["normal", "wear 0.125", "wear", "", ""]),
    ],
)
def test_names_of_conditions(decide: str, names: list[str]) -> None:
    assert conditions(FIVE, decide).tolist() == names  # type: ignore[arg-type]


def test_an_unknown_decision_is_refused() -> None:
    with pytest.raises(UsageError, match="faulty, kind or state"):
        conditions(FIVE, "severity")  # type: ignore[arg-type]


@pytest.fixture
def six() -> Diagnosis:
    index = index_of(["normal"] * 6, [""] * 6, [NAN] * 6, ["x", "y", "x", "z", "y", "z"])
    share = np.array([0.9, 0.2, 0.6, 0.5, 0.2, 0.1])
    return Diagnosis(index, ("normal", "faulty"), np.column_stack([share, 1 - share]), {"gap": 2})


def test_rows_of_a_cycle_are_put_together_in_order(six: Diagnosis) -> None:
    cycles = six.by("cycle")
    assert cycles.index.cycle.tolist() == ["x", "y", "z"]
    assert cycles.index.start_s.tolist() == [0, 1, 3]
    assert cycles.index.stop_s.tolist() == [3, 5, 6]
    odds = np.log(cycles.probability[:, 0] / cycles.probability[:, 1])
    each = np.log(six.probability[:, 0] / six.probability[:, 1])
    np.testing.assert_allclose(odds, [each[[0, 2]].mean(), each[[1, 4]].mean(), each[[3, 5]].mean()])
    assert cycles.skipped == {"gap": 2}
    assert six.by("session").index.session.tolist() == ["s1", "s2"]
    assert len(Diagnosis(six.index.take(slice(0)), six.classes, np.empty((0, 2))).by("cycle")) == 0


def test_condition_and_scores_follow_the_probabilities(six: Diagnosis) -> None:
    assert six.condition.tolist() == ["normal", "faulty", "normal", "normal", "faulty", "faulty"]
    scores = six.scores("axis_fault")
    np.testing.assert_allclose(1 / (1 + np.exp(-scores.value)), six.probability[:, 1])
    sure = Diagnosis(six.index, six.classes, np.tile([[1.0, 0.0]], (6, 1)))
    assert np.isfinite(sure.scores("x").value).all()


def test_what_does_not_fit_is_refused(six: Diagnosis) -> None:
    with pytest.raises(UsageError, match=r"\(row, class\) = \(6, 2\)"):
        Diagnosis(six.index, six.classes, six.probability[:5])
    with pytest.raises(UsageError, match="cycle or session"):
        six.by("unit")  # type: ignore[arg-type]
