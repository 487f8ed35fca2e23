"""Wins, losses and ties are of all pairs that could be compared."""

from __future__ import annotations

import math

from jointwatch.studies._part import SAME, Part


def test_every_pair_is_won_lost_or_level() -> None:
    part = Part()
    gains = [0.1, 0.2, -0.1, SAME / 2, -SAME / 2, 0.0, math.nan]
    part.pairs(gains, method="a", split="s", source="b", target="c", labels="", seeds=2, suffix=", AUROC")
    found = {row.metric: row.mean for row in part.rows}
    assert found == {"wins of 6 pairs, AUROC": 2, "losses of 6 pairs, AUROC": 1, "ties of 6 pairs, AUROC": 3}
    assert {row.n for row in part.rows} == {6}
