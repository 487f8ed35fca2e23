"""A study that was stopped goes on where it was, and never mixes steps of other options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jointwatch.studies._ledger import Ledger
from jointwatch.studies._statistics import bootstrap, share_interval
from jointwatch.studies.base import Results, Row, Study, StudyOptions


def test_a_step_cut_short_by_a_kill_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    first = Ledger(path, "v1")
    assert [first.once(key, lambda k=key: k.upper()) for key in "abc"] == ["A", "B", "C"]
    text = path.read_text()
    path.write_text(text[: text.rindex('"value"')])
    again = Ledger(path, "v1")
    assert again.resumed == 2
    done = []
    assert [again.once(key, lambda k=key: done.append(k) or "new") for key in "abc"] == ["A", "B", "new"]
    assert done == ["c"]
    assert Ledger(path, "v1").resumed == 3


def test_other_options_start_afresh_and_keep_the_old_steps(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    Ledger(path, "v1").once("a", lambda: 1)
    assert Ledger(path, "v2").once("a", lambda: 2) == 2
    assert '"value": 1' in (tmp_path / "steps.old.jsonl").read_text()


class _Counting(Study):
    """A study of two steps."""

    def _run(self, options, ledger, progress):  # type: ignore[no-untyped-def]
        values = [ledger.once(str(i), lambda i=i: i) for i in range(2)]
        row = Row("m", "s", "a", "b", "0", "metric", float(sum(values)), float("nan"), 2.0, 2, 1)
        return Results("counting", "", 0.0, (row,))


def test_results_say_version_and_time_and_write_no_nan(tmp_path: Path) -> None:
    results = _Counting().run(StudyOptions(data=tmp_path), tmp_path / "out")
    content = results.to_dict()
    assert content["version"]
    assert content["seconds"] >= 0
    assert content["rows"][0]["low"] is None
    assert set(content["rows"][0]) == {
        "method", "split", "source", "target", "labels", "metric", "mean", "low", "high", "n", "seeds",
    }  # fmt: skip


def test_bootstrap_draws_whole_clusters() -> None:
    rng = np.random.default_rng(0)
    clusters = [np.full(50, level) for level in rng.normal(size=12)]
    _, low, high = bootstrap(clusters)
    _, naive_low, naive_high = bootstrap(list(np.concatenate(clusters)[:, None]))
    assert high - low > 3 * (naive_high - naive_low)
    assert np.isnan(bootstrap([np.array([1.0, 2.0])])[1])


@pytest.mark.parametrize(("hits", "of"), [(0, 16), (16, 16), (8, 16)])
def test_share_interval_holds_the_share(hits: int, of: int) -> None:
    share, low, high = share_interval(hits, of)
    assert 0 <= low <= share <= high <= 1
    assert high - low > 0.1
