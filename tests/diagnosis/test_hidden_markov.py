"""Hidden Markov models of levels: likelihoods against hmmlearn, training, right where levels are well apart."""

from __future__ import annotations

import logging
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from jointwatch.bundle import load, save
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.diagnosis._hidden_markov import LevelHmms, calibrated

T, SIZE = 4, 3


def chains(rows: int = 60, levels: int = 3, apart: float = 1.5, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Sequences whose mean wanders between two places, with the level in the first code figure; ten groups."""
    rng = np.random.default_rng(seed)
    level = np.arange(rows * levels) % levels
    sequences = rng.standard_normal((len(level), T, SIZE)) * [1.0, 0.5, 2.0]
    sequences[..., 0] += apart * level[:, None]
    sequences[..., 1] += rng.integers(0, 2, (len(level), T)) * 3.0
    return sequences, level, np.arange(len(level)) // levels % 10


@pytest.fixture(scope="module", params=["diag", "full"])
def fitted(request: pytest.FixtureRequest) -> LevelHmms:
    return LevelHmms(levels=3, covariance=request.param).fit(*chains())


def theirs(model: LevelHmms, number: int) -> GaussianHMM:
    own = GaussianHMM(len(model.start_), "full")
    own.startprob_, own.transmat_ = model.start_, model.transition_[number]
    own.means_ = model.mean_[number]
    own.covars_ = model.covariances_[number]
    return own


def test_likelihoods_are_those_of_hmmlearn(fitted: LevelHmms) -> None:
    sequences = chains(seed=5)[0]
    sequences[::3, 0], sequences[::5, :2] = np.nan, np.nan  # shorter ones
    table = fitted.score_table(sequences)
    for number in range(3):
        own = theirs(fitted, number)
        expected = [own.score((s[np.isfinite(s[:, 0])] - fitted.centre_) / fitted.scale_) for s in sequences]
        np.testing.assert_allclose(table[:, number], expected, rtol=1e-10)


def test_likelihood_is_the_sum_over_all_paths(fitted: LevelHmms) -> None:
    sequence = chains(seed=6)[0][0]
    z = (sequence - fitted.centre_) / fitted.scale_
    for number in range(3):
        total = 0.0
        for path in product(range(3), repeat=T):
            value = fitted.start_[path[0]]
            for before, after in pairwise(path):
                value *= fitted.transition_[number, before, after]
            for state, code in zip(path, z, strict=True):
                value *= multivariate_normal(fitted.mean_[number, state], fitted.covariances_[number, state]).pdf(code)
            total += value
        np.testing.assert_allclose(fitted.score_table(sequence[None])[0, number], np.log(total), rtol=1e-9)


def test_states_start_as_published_and_are_used(fitted: LevelHmms) -> None:
    assert fitted.start_.tolist() == [1.0, 0.0, 0.0]
    np.testing.assert_allclose(fitted.transition_.sum(axis=2), 1.0)
    assert (fitted.transition_ != np.eye(3)).any()
    spread = np.abs(fitted.mean_[:, 0] - fitted.mean_[:, 1]).max()
    assert spread > 0.1  # two states of a level differ: the sequences do wander


def test_training_raises_the_likelihood_until_it_stands(fitted: LevelHmms) -> None:
    cycles = (chains()[1] == 0).sum() * T
    for curve in fitted.curve_:
        assert len(curve) >= 3
        assert curve[-1] > curve[0] + 0.01 * cycles
        assert (np.diff(curve) > -fitted.tolerance * cycles).all()  # the priors let it fall by a hair
        gains = np.diff(curve) / cycles
        assert (gains[:-1] >= fitted.tolerance).all()
        assert gains[-1] < fitted.tolerance or len(curve) == fitted.iterations


@pytest.mark.parametrize("form", ["diag", "full"])
def test_the_curve_is_the_likelihood_of_the_level_before_each_iteration(form: Any) -> None:
    sequences, level, groups = chains(30)
    sequences[::4, 0] = np.nan
    long = LevelHmms(levels=3, covariance=form, iterations=7, tolerance=0.0).fit(sequences, level, groups)
    for iterations in (2, 6):
        short = clone(long).set_params(iterations=iterations).fit(sequences, level, groups)
        reached = short.score_table(sequences)
        for number in range(3):
            np.testing.assert_array_equal(short.curve_[number], long.curve_[number][:iterations])
            own = reached[level == number, number].sum()
            np.testing.assert_allclose(long.curve_[number][iterations], own, rtol=1e-9)


@pytest.mark.parametrize("form", ["diag", "full"])
def test_a_level_of_few_rows_is_well_conditioned_and_nothing_is_said(
    form: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sequences, level, groups = chains(30)
    kept = np.flatnonzero((level < 2) | (np.cumsum(level == 2) <= 3))
    sequences[level == 2, 1:] = sequences[level == 2, :1]  # and those the same cycle over again
    model = LevelHmms(levels=3, covariance=form).fit(sequences[kept], level[kept], groups[kept])
    values = np.linalg.eigvalsh(model.covariances_)
    assert values.min() >= 1e-3 - 1e-12
    assert (values.max(axis=2) / values.min(axis=2))[2].max() < 1e4
    assert np.isfinite(model.score_table(sequences)).all()
    assert not caplog.records
    assert logging.getLogger("hmmlearn.base").level == logging.NOTSET


def test_states_that_are_never_reached_or_left_stay_defined() -> None:
    sequences, level, groups = chains(30)
    sequences[level == 0, :-1] = np.nan  # one cycle: neither reached nor left
    sequences[level == 1, :-2] = np.nan  # two: never left
    forms: tuple[Any, ...] = ("diag", "full")
    for form in forms:
        model = LevelHmms(levels=3, covariance=form).fit(sequences, level, groups)
        np.testing.assert_allclose(model.transition_.sum(axis=2), 1.0)
        assert np.isfinite(model.mean_).all()
        assert np.isfinite(model.covariances_).all()
        assert np.isfinite(model.score_table(chains(30, seed=3)[0])).all()


def test_a_cycle_far_off_does_not_end_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its density is 0 as a number; logarithms go on."""
    sequences, level, groups = chains(40, levels=2)
    sequences = np.tile(sequences, 4) + np.random.default_rng(1).standard_normal((80, T, 4 * SIZE))
    sequences[0, 1] = 1e6
    ways, fit = [], GaussianHMM.fit

    def seen(self: GaussianHMM, *given: Any) -> GaussianHMM:
        ways.append(self.implementation)
        return fit(self, *given)

    monkeypatch.setattr(GaussianHMM, "fit", seen)
    model = LevelHmms(levels=2, covariance="diag").fit(sequences, level, groups)
    assert set(ways) == {"scaling", "log"}
    assert np.isfinite(model.score_table(sequences)).all()
    assert model.curve_[0][-1] > model.curve_[0][0]


def test_levels_that_are_apart_are_found() -> None:
    """What is learned on some groups holds for others."""
    sequences, level, groups = chains(apart=4.0)
    model = LevelHmms(levels=3).fit(sequences[groups < 7], level[groups < 7], groups[groups < 7])
    new, true, _ = chains(apart=4.0, seed=9)
    assert (model.score_table(new).argmax(axis=1) == true).mean() > 0.97
    assert (model.log_proba(new).argmax(axis=1) == true).mean() > 0.97


def test_probabilities_are_as_often_right_as_they_say() -> None:
    """Also where cycles of a sequence are the same cycle over again, so that likelihoods count it T times."""
    rng = np.random.default_rng(3)
    level = np.arange(900) % 3
    code = 1.2 * level[:, None] + rng.standard_normal((900, 2))
    sequences = np.repeat(code[:, None], T, axis=1) + 0.05 * rng.standard_normal((900, T, 2))
    part = np.arange(900) // 3 % 2 == 0
    model = LevelHmms(levels=3, covariance="diag").fit(sequences[part], level[part], np.arange(450) // 9)
    share = np.exp(model.log_proba(sequences[~part]))
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    right = (share.argmax(axis=1) == level[~part]).mean()
    assert abs(share.max(axis=1).mean() - right) < 0.06
    plain = np.exp(model.score_table(sequences[~part]))
    sure = (plain / plain.sum(axis=1, keepdims=True)).max(axis=1).mean()
    assert sure > right + 0.1  # uncalibrated it would be far too sure


def test_sharpness_is_found_where_it_is_known() -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, 6000)
    code = level + rng.standard_normal(6000)
    table = -0.5 * 7.0 * (code[:, None] - np.arange(3)) ** 2
    found = calibrated(table, level)
    assert found.lapse <= 0.01
    assert found.sharpness == pytest.approx(1 / 7, rel=0.1)
    assert 0 < found.loss < np.log(3)
    np.testing.assert_allclose(found.confusion.sum(axis=1), 1.0)


def test_rows_of_which_the_models_know_nothing_do_not_blunt_the_others() -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, 6000)
    code = level + rng.standard_normal(6000)
    table = -0.5 * (code[:, None] - np.arange(3)) ** 2
    alone = calibrated(table, level)
    table[:300] = -1e4 * rng.random((300, 3))
    found = calibrated(table, level)
    assert found.lapse >= 0.03
    assert 0.7 < found.sharpness < 2
    assert found.loss < 0.95 * alone.loss + 0.05 * np.log(3) + 0.05  # a twentieth is guessed


def test_one_cycle_is_one_gaussian_a_level() -> None:
    sequences, level, groups = chains()
    model = LevelHmms(levels=3, covariance="full").fit(sequences[:, :1], level, groups)
    assert model.mean_.shape == (3, 1, SIZE)
    assert model.start_.tolist() == [1.0]
    np.testing.assert_allclose(model.transition_, 1.0)
    z = (sequences[:, 0] - model.centre_) / model.scale_
    for number in range(3):
        own = z[level == number]
        np.testing.assert_allclose(model.mean_[number, 0], own.mean(axis=0), atol=1e-6)
        covariance = np.cov(own.T, bias=True) + np.eye(SIZE) / len(own)
        np.testing.assert_allclose(model.covariances_[number, 0], covariance, atol=1e-6)
        expected = multivariate_normal(own.mean(axis=0), covariance).logpdf(z)
        np.testing.assert_allclose(model.score_table(sequences[:, :1])[:, number], expected, rtol=1e-5)


def test_step_by_step_it_is_the_same(fitted: LevelHmms) -> None:
    codes = np.random.default_rng(4).standard_normal((9, SIZE))
    state = fitted.init()
    for number in range(len(codes)):
        state, scores = fitted.step(state, codes[number], cycles=T)
        window = np.full((1, T, SIZE), np.nan)
        past = codes[max(0, number + 1 - T) : number + 1]
        window[0, T - len(past) :] = past
        np.testing.assert_array_equal(scores, fitted.score_table(window)[0])


def test_rows_beside_it_have_no_influence(fitted: LevelHmms) -> None:
    sequences = chains(seed=7)[0]
    alone = np.concatenate([fitted.score_table(row[None]) for row in sequences])
    np.testing.assert_array_equal(alone, fitted.score_table(sequences))
    assert fitted.score_table(sequences[:0]).shape == (0, 3)


def test_a_level_never_seen_has_no_probability() -> None:
    sequences, level, groups = chains(20)
    model = LevelHmms(levels=6, covariance="diag").fit(sequences, level * 2, groups)
    assert model.known_.tolist() == [True, False, True, False, True, False]
    assert (np.exp(model.log_proba(sequences))[:, 1::2] == 0).all()
    assert np.isneginf(model.score_table(sequences)[:, 1::2]).all()


def test_same_seed_same_models_and_other_seed_others() -> None:
    sequences, level, groups = chains(12)
    one, two, other = (LevelHmms(levels=3, random_state=s).fit(sequences, level, groups) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.mean_, two.mean_)
    np.testing.assert_array_equal(one.log_proba(sequences), two.log_proba(sequences))
    assert (one.mean_ != other.mean_).any()


def test_stored_and_loaded(fitted: LevelHmms, tmp_path: object) -> None:
    again = load(save(fitted, f"{tmp_path}/model"))
    sequences = chains(seed=8)[0]
    np.testing.assert_array_equal(again.score_table(sequences), fitted.score_table(sequences))
    np.testing.assert_array_equal(again.log_proba(sequences), fitted.log_proba(sequences))


def test_bad_input_is_refused() -> None:
    sequences, level, groups = chains(12)
    model = LevelHmms(levels=3, covariance="diag")
    with pytest.raises(NotFittedError):
        model.score_table(sequences)
    with pytest.raises(NotFittedError):
        model.init()
    with pytest.raises(UsageError, match="diag, full or auto"):
        clone(model).set_params(covariance="round").fit(sequences, level, groups)
    with pytest.raises(UsageError, match="level from 0 to 2"):
        model.fit(sequences, level + 1, groups)
    with pytest.raises(UsageError, match="end with a cycle"):
        model.fit(np.full_like(sequences, np.nan), level, groups)
    with pytest.raises(NotEnoughData, match="1 more levels"):
        model.fit(sequences, np.zeros_like(level), groups)
    few = np.concatenate([np.flatnonzero(level < 2), np.flatnonzero(level == 2)[:2]])
    with pytest.raises(NotEnoughData, match="the model of level 3: 1 more sequences"):
        model.fit(sequences[few], level[few], groups[few])
