"""The z-score makes domains alike whatever their units, and does not blow up what stands still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from jointwatch.core import Index, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.windows.normalise import DomainZScore

Make = Callable[..., Windows]


def _relabel(windows: Windows, **columns: object) -> Windows:
    new = {name: np.broadcast_to(np.asarray(value), len(windows)) for name, value in columns.items()}
    return replace(windows, index=Index(**{**windows.index.columns(), **new}))


def test_every_domain_and_channel_has_mean_0_and_std_1(noise_windows: Make) -> None:
    windows = noise_windows(count=200)
    odd = windows.index.domain == "odd"
    gain = np.array([1.0, 40.0, 1e-3, 7.0])[:, None]
    values = windows.values * np.where(odd[:, None, None], gain, 2.0) + np.where(odd[:, None, None], 10 * gain, -1.0)
    z = DomainZScore(floor_share=0).fit_transform(windows.with_values(values)).values
    for rows in (odd, ~odd):
        np.testing.assert_allclose(z[rows].mean(axis=(0, 2)), 0, atol=1e-3)
        np.testing.assert_allclose(z[rows].std(axis=(0, 2)), 1, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)),
    st.lists(st.floats(-50, 50), min_size=4, max_size=4),
    st.booleans(),
    st.integers(0, 99),
)
def test_units_and_zero_offsets_of_a_domain_do_not_matter(
    noise_windows: Make, gains: tuple[float, float], offset: list[float], robust: bool, seed: int
) -> None:
    windows = noise_windows(seed=seed)
    # a joint that stands: its last bit flickers, which is where the corrections act
    values = np.array(windows.values)
    values[:, 2] = 0.02 * (values[:, 2] > 2.0)
    windows = windows.with_values(values)
    gain = np.array([gains[0], gains[1], gains[0], gains[1]])  # current, position, current, position
    other = (windows.index.domain == "odd")[:, None, None]
    changed = np.where(other, (values + np.array(offset)[:, None]) * gain[:, None], values)
    normaliser = DomainZScore(robust=robust)
    expected = normaliser.fit_transform(windows).values
    found = normaliser.fit_transform(windows.with_values(changed)).values
    np.testing.assert_allclose(found, expected, atol=2e-2)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999))
def test_order_of_windows_does_not_matter(noise_windows: Make, seed: int) -> None:
    windows = noise_windows()
    order = np.random.default_rng(seed).permutation(len(windows))
    direct = DomainZScore().fit(windows).transform(windows).values
    shuffled = DomainZScore().fit(windows[order]).transform(windows[order]).values
    np.testing.assert_allclose(shuffled, direct[order], atol=1e-5)


def test_clipped_at_five_sigma_by_default(noise_windows: Make) -> None:
    windows = noise_windows()
    normaliser = DomainZScore().fit(windows)
    wild = normaliser.transform(windows.with_values(windows.values * 1e4)).values
    assert np.abs(wild).max() == 5
    assert np.abs(DomainZScore(clip_sigma=2).fit(windows).transform(windows).values).max() == 2


def test_only_normal_windows_are_learned_from(noise_windows: Make) -> None:
    good, bad = noise_windows(), noise_windows(seed=1, label="anomalous")
    bad = bad.with_values(bad.values * 100 + 1000)
    unsure = _relabel(bad, label="uncertain")
    alone = DomainZScore().fit(good)
    for mixed in (Windows.concatenate([good, bad]), Windows.concatenate([unsure, good])):
        found = DomainZScore().fit(mixed)
        np.testing.assert_array_equal(found.mean_, alone.mean_)
        np.testing.assert_array_equal(found.scale_, alone.scale_)
    by_y = DomainZScore().fit(Windows.concatenate([good, unsure]), np.repeat([0, 1], len(good)))
    np.testing.assert_array_equal(by_y.mean_, alone.mean_)
    assert DomainZScore().fit(unsure).basis_ == ["uncertain", "uncertain"]
    with pytest.raises(NotEnoughData, match=r"'even'.*normal or uncertain"):
        DomainZScore().fit(bad)


def test_adapt_returns_a_copy_that_knows_the_target(noise_windows: Make) -> None:
    source, target = noise_windows(), _relabel(noise_windows(seed=2), domain="new", label="anomalous")
    target = target.with_values(target.values * 30 + 5)
    fitted = DomainZScore().fit(source)
    with pytest.raises(UsageError, match=r"'new'.*adapt"):
        fitted.transform(target)
    adapted = fitted.adapt(target)
    assert fitted.domains_ == ["even", "odd"]
    assert adapted.domains_ == ["even", "odd", "new"]
    assert adapted.basis_ == ["normal", "normal", "adapted"]
    assert adapted.transform(target).values.std() == pytest.approx(1, abs=0.01)
    np.testing.assert_array_equal(adapted.transform(source).values, fitted.transform(source).values)

    again = adapted.adapt(target.with_values(target.values + 100))
    assert again.domains_ == ["even", "odd", "new"]
    np.testing.assert_allclose(again.mean_[2], adapted.mean_[2] + 100, rtol=1e-4)


def test_a_standing_joint_is_not_blown_up(noise_windows: Make) -> None:
    windows = noise_windows(count=400, units=1)
    rng = np.random.default_rng(3)
    values = np.array(windows.values)
    bit = 0.002
    values[:, 3] = bit * np.rint(0.4 * values[:, 3])  # position/2 stands: the last bit flickers at 1 sigma = 0.4 bit
    values[:, 2] = bit * (rng.random(values[:, 2].shape) < 1e-3)  # current/2: one sample in a thousand is a bit higher
    normaliser = DomainZScore().fit(windows.with_values(values))
    assert normaliser.scale_[0, 3] >= 0.0099  # 1 % of position/1, which moves with a standard deviation of 1
    assert normaliser.scale_[0, 2] >= bit
    z = normaliser.transform(windows.with_values(values)).values
    assert np.abs(z[:, 2:]).max() < 1.5
    # without both corrections the flicker would look like the largest anomaly there is
    plain = (values[:, 2] - values[:, 2].mean()) / values[:, 2].std()
    assert plain.max() > 20


def test_flicker_counts_as_one_even_where_all_joints_stand(noise_windows: Make) -> None:
    windows = noise_windows(count=400, units=1, channels=("position/1", "position/2"))
    flicker = 1e-4 * (np.random.default_rng(0).random(windows.shape) < 0.002) + 2.0
    normaliser = DomainZScore().fit(windows.with_values(flicker))
    np.testing.assert_allclose(normaliser.scale_, 1e-4, rtol=0.01)


def test_a_channel_that_never_changes_stays_quiet_and_finite(noise_windows: Make) -> None:
    windows = noise_windows(channels=("torque/1", "temperature/1"))
    values = np.stack([windows.values[:, 0], np.full((40, 50), 0.1)], axis=1)
    normaliser = DomainZScore().fit(windows.with_values(values))
    assert normaliser.scale_[:, 1].tolist() == [1, 1]
    assert np.abs(normaliser.transform(windows.with_values(values)).values[:, 1]).max() < 1e-6


def test_a_real_fault_of_a_standing_joint_is_still_seen(noise_windows: Make) -> None:
    windows = noise_windows(count=200, units=1)
    values = np.array(windows.values)
    values[:, 2] *= 0.02  # noise of the current of joint 2, which stands, against 1 of joint 1, which moves
    normaliser = DomainZScore().fit(windows.with_values(values))
    hit = values.copy()
    hit[:, 2] += 0.08
    assert normaliser.transform(windows.with_values(hit)).values[:, 2].mean() == pytest.approx(4, abs=0.1)


def test_robust_stands_a_few_odd_windows(noise_windows: Make) -> None:
    windows = noise_windows(count=400, units=1)
    values = np.array(windows.values)
    values[:12] += 50.0  # 3 %
    odd = windows.with_values(values)
    plain, robust = DomainZScore().fit(odd), DomainZScore(robust=True).fit(odd)
    assert (plain.scale_ > 5).all()
    np.testing.assert_allclose(robust.scale_, 1, atol=0.15)
    np.testing.assert_allclose(robust.mean_, 0, atol=0.15)
    clean = DomainZScore(robust=True).fit(windows)
    np.testing.assert_allclose(clean.scale_, 1, atol=0.03)


def test_absent_channels_stay_zero_and_do_not_count(noise_windows: Make) -> None:
    mask = np.ones((40, 4), bool)
    mask[::2, 2:] = False  # units u0 and u2, which are the domain "even", lack joint 2
    windows = noise_windows(mask=mask)
    windows = windows.with_values((windows.values + 3) * mask[:, :, None])
    normaliser = DomainZScore().fit(windows)
    z = normaliser.transform(windows)
    assert (z.values[~mask] == 0).all()
    assert normaliser.known_.tolist() == [[True, True, False, False], [True] * 4]
    np.testing.assert_allclose(normaliser.mean_[1], 3, atol=0.2)
    whole = noise_windows()
    with pytest.raises(UsageError, match="current/2 was absent when domain 'even'"):
        normaliser.transform(whole)


def test_state_is_storable_and_scikit_learn_can_handle_it(noise_windows: Make) -> None:
    windows = noise_windows()
    normaliser = DomainZScore(clip_sigma=3.0, robust=True)
    copy = clone(normaliser)
    assert copy.get_params() == normaliser.get_params()
    with pytest.raises(NotFittedError):
        copy.transform(windows)
    pipeline = Pipeline([("z", copy)]).fit(windows)
    np.testing.assert_array_equal(pipeline.transform(windows).values, normaliser.fit_transform(windows).values)
    kinds = {type(value) for name, value in vars(normaliser).items() if name.endswith("_")}
    assert kinds <= {np.ndarray, list, tuple}


def test_wrong_use_is_said(noise_windows: Make) -> None:
    windows = noise_windows()
    fitted = DomainZScore().fit(windows)
    with pytest.raises(UsageError, match="torque/1"):
        fitted.transform(noise_windows(channels=("torque/1",)))
    with pytest.raises(UsageError, match="Windows"):
        DomainZScore().fit(np.zeros((3, 2, 5)))
    with pytest.raises(UsageError, match="clip_sigma"):
        DomainZScore(clip_sigma=0).fit(windows)
    with pytest.raises(NotEnoughData):
        DomainZScore().fit(windows[:0])
    assert fitted.transform(windows[:0]).shape == (0, 4, 50)
