"""How detections, delays and false alarms are counted, on runs where the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from jointwatch.core import Channel, Condition, Cycle, Event, Label, Quantity, Recording, Robot, Windows
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.studies._contacts import Runs, auroc, decisions, evaluate, judge, summarise

ARM = Robot.of("demo", "arm", "arm-1", joints=1)
ONSET_S = 6.0


def run(session: str, seed: int, contact: bool) -> Recording:
    time_s = np.arange(1000) / 125
    current = 1 + 0.05 * np.random.default_rng(seed).standard_normal(1000)
    condition = Condition(Label.ANOMALOUS, "contact", 1) if contact else Condition(Label.NORMAL)
    if contact:
        current = current + 2.0 * (time_s >= ONSET_S)
    return Recording(
        time_s,
        current[None],
        (Channel(Quantity.CURRENT, 1),),
        ARM,
        session,
        cycles=(Cycle(0.0, 8.0, condition),),
        events=(Event("contact", ONSET_S, 8.0, condition),) if contact else (),
        condition=condition,
        truth={"speed_deg_s": 4.0},
    )


@pytest.fixture(scope="module")
def runs() -> Runs:
    return Runs.of([run(f"free{i}", i, False) for i in range(6)] + [run(f"hit{i}", 50 + i, True) for i in range(4)])


def test_free_and_contact_runs_are_told_apart(runs: Runs) -> None:
    assert list(runs.speed) == [f"free{i}" for i in range(6)]
    assert runs.onset_s == {f"hit{i}": ONSET_S for i in range(4)}
    assert set(runs.free_of(["free2"]).index.session.tolist()) == {"free2"}


def test_without_free_or_contact_runs_it_says_so() -> None:
    with pytest.raises(MissingChannel, match="0 free runs"):
        Runs.of([run("hit", 1, True)])


def perfect(runs: Runs, late_s: float = 0.0) -> np.ndarray:
    onset = np.array([runs.onset_s[s] for s in runs.contact.index.session])
    return (runs.contact.index.stop_s >= onset + late_s).astype(float)


def test_a_perfect_detector_has_every_contact_and_no_false_alarm(runs: Runs) -> None:
    found = evaluate(perfect(runs), runs, np.zeros(200))
    assert auroc([found])[0] == 1.0
    assert all(r["detected"] and r["false_alarms"] == 0 for r in found["runs"].values())
    assert all(0 <= r["delay_s"] <= 0.016 + 1e-9 for r in found["runs"].values())
    free_s = [r["free_s"] for r in found["runs"].values()]
    assert free_s == pytest.approx([ONSET_S - 0.15 - 0.32] * 4, abs=0.04)  # from the first window's end


def test_delay_is_measured_and_an_alarm_after_the_horizon_is_a_miss(runs: Runs) -> None:
    late = evaluate(perfect(runs, late_s=0.5), runs, np.zeros(200))
    assert all(0.5 <= r["delay_s"] <= 0.516 + 1e-9 for r in late["runs"].values())
    missed = evaluate(perfect(runs, late_s=1.2), runs, np.zeros(200))
    assert not any(r["detected"] for r in missed["runs"].values())


def test_alarms_before_the_contact_are_false_once_a_decision(runs: Runs) -> None:
    index = runs.contact.index
    value = perfect(runs)
    early = (index.session == "hit0") & (index.stop_s > 1.95) & (index.stop_s < 2.3)
    found = evaluate(np.where(early, 1.0, value), runs, np.zeros(200))
    assert found["runs"]["hit0"]["false_alarms"] == 1
    assert found["runs"]["hit1"]["false_alarms"] == 0
    constant = evaluate(np.ones_like(value), runs, np.zeros(200))
    assert [r["false_alarms"] for r in constant["runs"].values()] == [14] * 4  # 5.53 s are 13.8 periods


def test_a_threshold_needs_enough_held_out_decisions(runs: Runs) -> None:
    with pytest.raises(NotEnoughData, match="59 more"):
        evaluate(perfect(runs), runs, np.zeros(40))


def test_decisions_are_the_maxima_of_periods(runs: Runs) -> None:
    part = runs.dense_of(["free0"])
    every = decisions(part.index.stop_s, part.index)
    assert len(every) == 20  # of 8 s, the first 0.32 s have no window
    assert every.max() == part.index.stop_s.max()
    assert len(decisions(part.index.stop_s, part.index, whole=True)) == 19
    assert len(decisions(np.empty(0), part[:0].index)) == 0


def test_threshold_and_test_decide_on_equally_many_windows(runs: Runs) -> None:
    def windows_in_a_decision(windows: Windows) -> float:
        return float(np.median(np.unique(windows.index.cycle, return_counts=True)[1]))

    assert windows_in_a_decision(runs.dense) == windows_in_a_decision(runs.contact)
    assert windows_in_a_decision(runs.free) == windows_in_a_decision(runs.contact) / 2


def test_a_random_score_keeps_the_stated_rate(runs: Runs) -> None:
    """Averaged over calibration draws: at most 1 % of healthy decisions may alarm."""

    class Lot:
        def __init__(self, seed: int) -> None:
            self.rng = np.random.default_rng(seed)

        def score_samples(self, windows: Windows) -> np.ndarray:
            return self.rng.random(len(windows))

    alarms = periods = 0
    for seed in range(150):
        found = judge(Lot(seed), runs, runs.speed)
        alarms += sum(run["false_alarms"] for run in found["runs"].values())
        periods += sum(len(run["free_scores"]) for run in found["runs"].values())
    assert 0.004 < alarms / periods < 0.0125


def test_runs_set_aside_are_not_fitted_on_and_cover_each_speed(runs: Runs) -> None:
    several = replace(runs, speed={f"free{i}": str(i % 2) for i in range(6)})
    for seed in range(5):
        aside, rest = several.set_aside(seed)
        assert {several.speed[s] for s in aside} == {"0", "1"}
        assert set(aside).isdisjoint(rest)
        assert set(aside) | set(rest) == set(several.speed)
    alone = replace(runs, speed={f"free{i}": str(i) for i in range(6)})
    assert len(alone.set_aside(0)[0]) == 2


def test_runs_of_one_name_and_single_free_runs_are_refused() -> None:
    with pytest.raises(UsageError, match="hit"):
        Runs.of([run("free0", 0, False), run("free1", 1, False), run("hit", 2, True), run("hit", 3, True)])
    with pytest.raises(NotEnoughData, match="free runs"):
        Runs.of([run("free0", 0, False), run("hit", 2, True)])


def test_what_is_left_out_is_named() -> None:
    odd = replace(run("odd", 9, False), condition=Condition(), cycles=())
    found = Runs.of([run("free0", 0, False), run("free1", 1, False), run("hit", 2, True), odd])
    assert any("odd" in note for note in found.notes)


def test_auroc_draws_runs_and_ranks_within_a_seed(runs: Runs) -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(len(runs.contact))
    good = evaluate(noise + 3 * perfect(runs), runs, np.zeros(200))
    value, low, high = auroc([good])
    positives = [p for run in good["runs"].values() for p in run["contact_scores"]]
    negatives = [n for run in good["runs"].values() for n in run["free_scores"]]
    assert value == pytest.approx(roc_auc_score([1] * len(positives) + [0] * len(negatives), positives + negatives))
    assert low <= value <= high
    # another scale in another seed changes nothing: scores are never ranked across seeds
    scaled = evaluate(100 * (noise + 3 * perfect(runs)), runs, np.zeros(200))
    assert auroc([good, scaled])[0] == pytest.approx(value)


def test_rows_carry_intervals_and_count_runs(runs: Runs) -> None:
    results = [evaluate(perfect(runs, late_s=d), runs, np.zeros(200)) for d in (0.0, 0.1, 1.2)]
    rows = {
        row.metric: row
        for row in summarise(results, method="m", split="s", source="", target="t", labels="6 free runs")
    }
    share = rows["contacts detected (share)"]
    assert share.mean == pytest.approx(2 / 3)
    assert share.n == 4
    assert rows["false alarms per free minute"].mean == 0.0
    assert 0.0 <= rows["median delay of the alarm (s)"].mean <= 0.116
    everything = summarise(results[:1], method="m", split="s", source="", target="t", labels="")[0]
    assert everything.mean == 1.0
    assert everything.low == pytest.approx(0.3976, abs=1e-3)  # four of four proves no more than that


def test_runs_are_frozen(runs: Runs) -> None:
    with pytest.raises(AttributeError):
        runs.plan = replace(runs.plan)  # type: ignore[misc]
