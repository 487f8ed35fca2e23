"""A row is told from what is usual of its unit, and never from itself."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from jointwatch.core import Index
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.windows.own_baseline import OwnBaseline


def index_of(rows: list[tuple[str, str, str]], domain: str = "axis1") -> Index:
    """Index of (unit, session, label) rows, each a cycle of its own."""
    unit, session, label = (np.array(column) for column in zip(*rows, strict=True))
    zero = np.zeros(len(rows))
    cycle = np.char.add("c", np.arange(len(rows)).astype(str))
    return Index(unit, session, cycle, np.full(len(rows), domain), zero, zero + 1, zero, zero + 1, label,
                 np.where(label == "anomalous", "wear", ""), zero, zero)  # fmt: skip


ROWS = [(u, s, "normal") for u in ("a", "b") for s in ("1", "2", "3") for _ in range(2)]
ROWS += [("a", "4", "anomalous"), ("b", "4", "anomalous")]


def test_healthy_rows_are_compared_with_the_other_sessions_alone() -> None:
    """Raise one session: its own rows move by all of it, the unit's other sessions by their share of it, the other
    unit not at all."""
    index = index_of(ROWS)
    X = np.random.default_rng(0).standard_normal((len(ROWS), 2))
    own = (index.unit == "a") & (index.session == "1")
    baseline = OwnBaseline(form="difference").fit(X, index)
    raised = X + own[:, None] * 7.0
    moved = baseline.add(raised, index).crossed(raised, index) - baseline.crossed(X, index)
    unit = moved / (7.0 / (baseline.size_ * baseline.scale_))
    np.testing.assert_allclose(unit[own], 1.0)
    others = (index.unit == "a") & ~own & (index.label == "normal")
    np.testing.assert_allclose(unit[others], -1 / 2, atol=1e-12)  # one of the two sessions they are compared with
    np.testing.assert_allclose(unit[(index.unit == "a") & (index.label == "anomalous")], -1 / 3, atol=1e-12)
    np.testing.assert_allclose(unit[index.unit == "b"], 0.0, atol=1e-12)


def test_rows_of_a_session_are_not_compared_with_each_other() -> None:
    index = index_of(ROWS)
    X = np.random.default_rng(0).standard_normal((len(ROWS), 1))
    baseline = OwnBaseline(form="difference").fit(X, index)
    one = np.array(X)
    one[1] += 5.0  # the second cycle of a's first session
    change = baseline.add(one, index).crossed(one, index) - baseline.crossed(X, index)
    moved = np.abs(change) > 1e-12
    assert not moved[0]
    assert moved[1].all()
    assert moved[2:6].all()


def test_with_one_session_a_cycle_is_compared_with_the_others() -> None:
    index = index_of([("a", "1", "normal")] * 3)
    X = np.array([[0.0], [3.0], [6.0]])
    baseline = OwnBaseline(form="difference").fit(X, index)
    crossed = baseline.crossed(X, index).ravel() * baseline.scale_ * baseline.size_
    np.testing.assert_allclose(crossed, [-4.5, 0.0, 4.5])
    single = OwnBaseline().fit_transform(np.array([[2.0]]), index_of([("a", "1", "normal")]))
    assert single.tolist() == [[0.0]]


def test_ratios_are_taken_of_what_is_positive_and_differences_of_the_rest() -> None:
    index = index_of(ROWS)
    rng = np.random.default_rng(0)
    size = np.where(index.unit == "a", 1.0, 10.0) * np.where(index.label == "normal", 1.0, 1.5)
    X = np.column_stack([size * (1 + 0.01 * rng.standard_normal(len(size))), rng.standard_normal(len(size))])
    baseline = OwnBaseline().fit(X, index)
    assert baseline.ratio_.tolist() == [True, False]
    relative = baseline.transform(X, index)
    np.testing.assert_allclose(relative[-2:, 0], np.log(1.5), atol=0.03)  # whatever the size of the unit
    assert baseline.crossed(X, index)[:-2, 1].std() == pytest.approx(1.0, abs=0.05)
    assert not OwnBaseline(form="difference").fit(X, index).ratio_.any()


def test_a_unit_s_gain_does_not_matter_where_ratios_are_taken() -> None:
    index = index_of(ROWS)
    X = 1 + np.random.default_rng(0).random((len(ROWS), 1))
    gain = np.where(index.unit == "a", 1.0, 400.0)[:, None]
    one, other = (OwnBaseline().fit_transform(x, index) for x in (X, X * gain))
    np.testing.assert_allclose(one, other, atol=1e-9)
    learned, small = OwnBaseline().fit(X, index), X / 1000  # and so from a strong axis to a weak one
    np.testing.assert_allclose(learned.add(small, index).transform(small, index), learned.transform(X, index))


def test_unknown_units_are_named_until_they_are_added() -> None:
    index = index_of(ROWS)
    X = 1 + np.random.default_rng(0).random((len(ROWS), 2))
    baseline = OwnBaseline().fit(X, index)
    new = index_of([("c", "1", "normal"), ("c", "2", "normal"), ("c", "3", "anomalous")])
    rows = 3 + np.random.default_rng(1).random((3, 2))
    with pytest.raises(UsageError, match=r"unit c; fit or adapt with some healthy cycles"):
        baseline.transform(rows, new)
    added = baseline.add(rows, new)
    assert added.names_ == ["a", "b", "c"]
    assert baseline.names_ == ["a", "b"]
    np.testing.assert_array_equal(added.transform(X, index), baseline.transform(X, index))
    np.testing.assert_allclose(added.transform(rows, new)[:2].mean(axis=0), 0.0, atol=0.01)
    other = rows * np.array([[1.0], [1.0], [9.0]])  # what is not healthy has no part
    np.testing.assert_array_equal(baseline.add(other, new).mean_, added.mean_)


def test_by_domain_all_units_share_a_baseline() -> None:
    index = index_of(ROWS)
    X = np.random.default_rng(0).standard_normal((len(ROWS), 1))
    baseline = OwnBaseline(by="domain", form="difference").fit(X, index)
    assert baseline.names_ == ["axis1"]
    with pytest.raises(UsageError, match="domain axis2"):
        baseline.transform(X, index_of(ROWS, "axis2"))


def test_conventions_and_refusals() -> None:
    index = index_of(ROWS)
    X = np.ones((len(ROWS), 1))
    assert clone(OwnBaseline("domain", "difference")).get_params() == {"by": "domain", "form": "difference"}
    with pytest.raises(NotFittedError):
        OwnBaseline().transform(X, index)
    with pytest.raises(NotEnoughData, match="healthy rows"):
        OwnBaseline().fit(X[-2:], index.take(slice(-2, None)))
    with pytest.raises(UsageError, match="unit or domain"):
        OwnBaseline("session").fit(X, index)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"\(row, feature\)"):
        OwnBaseline().fit(X[:-1], index)
    assert np.isfinite(OwnBaseline().fit_transform(np.zeros((len(ROWS), 1)), index)).all()
