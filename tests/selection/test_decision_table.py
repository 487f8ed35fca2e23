"""The decision table: every situation has an answer, entries exist, limits hold."""

from __future__ import annotations

import itertools

import pytest

from jointwatch.core import catalog
from jointwatch.core.errors import UsageError
from jointwatch.selection.decision_table import Situation, decision_table

TABLE = decision_table()


def test_every_strategy_named_is_in_the_catalog() -> None:
    named = {e for row in TABLE.fine_tuning for e in row.entries} | {row.entry for row in TABLE.strategies}
    assert named <= set(catalog.names("transfer"))


def test_rows_a_to_d_cover_size_and_similarity_once() -> None:
    assert sorted((r.target_size, r.similarity) for r in TABLE.fine_tuning) == sorted(
        itertools.product(("small", "large"), ("high", "low"))
    )


@pytest.mark.parametrize(
    ("labelled", "similarity", "rows"),
    [
        (100, 0.9, "A"), (100, 0.1, "B"), (20000, 0.9, "C"), (20000, 0.1, "D"), (5000, 0.9, "AC"), (5000, 0.1, "BD"),
        (999, 0.5, "A"), (1000, 0.49, "BD"), (0, 0.9, ""),
    ],
)  # fmt: skip
def test_rows_by_size_and_similarity(labelled: int, similarity: float, rows: str) -> None:
    match = TABLE.match(Situation(labelled, similarity))
    assert "".join(row.row for row in match.fine_tuning) == rows
    assert match.cells


def test_the_stages_are_5_and_3_then_1_or_4_then_6() -> None:
    assert [stage.strategies for stage in TABLE.stages] == [(5, 3), (1, 4), (6,)]
    rich = TABLE.match(Situation(labelled=300, similarity=0.9, sources=3))
    assert [row.number for row in rich.strategies] == [5, 3, 1, 4, 6, 2]
    assert not rich.waiting
    assert list(TABLE.match(Situation(labelled=9, similarity=0.9)).waiting)[-2:] == [6, 2]
    assert rich.entries[:2] == ("normalisation", "batch_norm")


def test_nothing_is_advised_that_cannot_be_used() -> None:
    for labelled, sources, network, similarity in itertools.product((0, 60, 300), (1, 4), (False, True), (0.1, 0.9)):
        situation = Situation(labelled, similarity, sources, network)
        match = TABLE.match(situation)
        assert "normalisation" in match.entries
        for row in match.strategies:
            assert row.labels <= labelled
            assert row.sources <= sources
            assert network or row.entry == "normalisation"
        assert {row.number for row in match.strategies} | set(match.waiting) == {1, 2, 3, 4, 5, 6}
        assert all(wanted > labelled for wanted, _ in TABLE.labels_to_change(situation))
    only_healthy = TABLE.match(Situation(300, 0.9, healthy_only=True))
    assert "anomalous windows" in only_healthy.waiting[4]
    assert 3 in [row.number for row in only_healthy.strategies]  # it makes anomalies from healthy windows


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="similarity"):
        Situation(10, 1.2)
