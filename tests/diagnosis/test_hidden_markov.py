"""Hidden Markov models of levels: exact against hmmlearn, and right where levels are well apart."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from jointwatch.bundle import load, save
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.diagnosis._baum_welch import Hmm, baum_welch
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
    for curve in fitted.curve_:
        assert len(curve) >= 3
        assert (np.diff(curve) > -1e-3).all()  # the prior of the variances lets it fall by a hair
        assert curve[-1] > curve[0]


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
    z = (sequences[:, 0] - model.centre_) / model.scale_
    np.testing.assert_allclose(model.mean_[:, 0], [z[level == k].mean(axis=0) for k in range(3)], atol=1e-3)


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
    sequences, level, groups = chains()
    model = LevelHmms(levels=6).fit(sequences, level * 2, groups)
    assert model.known_.tolist() == [True, False, True, False, True, False]
    assert (np.exp(model.log_proba(sequences))[:, 1::2] == 0).all()
    assert np.isneginf(model.score_table(sequences)[:, 1::2]).all()


def test_same_seed_same_models_and_other_seed_others() -> None:
    sequences, level, groups = chains()
    one, two, other = (LevelHmms(levels=3, random_state=s).fit(sequences, level, groups) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.mean_, two.mean_)
    assert (one.mean_ != other.mean_).any()


def test_stored_and_loaded(fitted: LevelHmms, tmp_path: object) -> None:
    again = load(save(fitted, f"{tmp_path}/model"))
    sequences = chains(seed=8)[0]
    np.testing.assert_array_equal(again.score_table(sequences), fitted.score_table(sequences))
    np.testing.assert_array_equal(again.log_proba(sequences), fitted.log_proba(sequences))


def test_bad_input_is_refused() -> None:
    sequences, level, groups = chains()
    model = LevelHmms(levels=3)
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


@pytest.mark.parametrize("form", ["diag", "full"])
def test_each_step_of_the_training_is_that_of_hmmlearn(form: str) -> None:
    """Same start, same curve, same model, shorter sequences among them."""
    sequences = chains(seed=2)[0]
    there = np.ones(sequences.shape[:2], bool)
    there[::4, 0], there[::6, :2] = False, False
    rng = np.random.default_rng(1)
    spread = np.diag(sequences[there].var(axis=0))
    first = Hmm(np.eye(3)[0], rng.dirichlet(np.ones(3), size=3), sequences[:3, 1], np.tile(spread, (3, 1, 1)))
    own, curve = baum_welch(first, np.where(there[..., None], sequences, 0.0), there, form, 0.1, 12, 1e-6)
    other = GaussianHMM(
        3, form, n_iter=12, tol=1e-6, init_params="", params="tmc", means_weight=1e-6,
        covars_prior=0.1 if form == "diag" else 0.1 * np.eye(SIZE),
    )  # fmt: skip
    other.startprob_, other.transmat_, other.means_ = first.start, first.transition, first.mean
    other.covars_ = np.tile(np.diag(spread), (3, 1)) if form == "diag" else first.covariance
    other.fit(sequences[there], there.sum(axis=1))
    np.testing.assert_allclose(curve, np.array(other.monitor_.history), rtol=1e-9)
    np.testing.assert_allclose(own.transition, other.transmat_, atol=1e-8)
    np.testing.assert_allclose(own.mean, other.means_, atol=1e-7)
    np.testing.assert_allclose(own.covariance, other.covars_, atol=1e-7)
