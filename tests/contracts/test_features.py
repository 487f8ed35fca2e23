"""What every feature transformer of the catalog keeps to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from jointwatch.core import Channel, Quantity, Recording, Windows, catalog
from jointwatch.core.errors import InputError, UsageError
from jointwatch.features.base import Features
from jointwatch.windows.sliding import sliding

pytestmark = pytest.mark.parametrize("name", catalog.names("features"))


@pytest.fixture(scope="module")
def windows(arm_recording: Callable[..., Recording]) -> Windows:
    """Windows of a two- and a three-joint arm under one mask; the phase currents of each motor are measured too."""
    arms = [arm_recording(joints=2, cycles=4), arm_recording(joints=3, cycles=4, unit="arm-2", seed=1)]
    return sliding([_with_phases(arm) for arm in arms], rate_hz=100.0, length=100, step=50)


def _with_phases(arm: Recording) -> Recording:
    rng = np.random.default_rng(0)
    channels = [Channel(Quantity.CURRENT, j.number, component=f"phase_{p}") for j in arm.robot.joints for p in "abc"]
    third = 2 * np.pi / 3 * (np.arange(len(channels)) % 3)
    currents = np.cos(2 * np.pi * 6.0 * arm.time_s - third[:, None])
    return arm.with_channels(channels, currents + 0.1 * rng.standard_normal(currents.shape))


def _make(name: str) -> Features:
    return catalog.load("features", name)()


def test_is_a_feature_transformer_with_documentation(name: str) -> None:
    kind = catalog.load("features", name)
    assert issubclass(kind, Features)
    assert catalog.describe("features")[name]
    assert ">>>" in (kind.__doc__ or "")


def test_one_finite_named_vector_a_window(name: str, windows: Windows) -> None:
    features = _make(name).fit(windows)
    table = features.transform(windows)
    assert table.dtype == np.float64
    assert table.shape == (len(windows), len(features.get_feature_names_out()))
    assert table.shape[1] > 0
    assert np.isfinite(table).all()
    assert len(set(features.get_feature_names_out())) == table.shape[1]
    assert table.std(axis=0).max() > 0


def test_features_know_their_channel(name: str, windows: Windows) -> None:
    features = _make(name).fit(windows)
    channel = features.feature_channel_
    assert channel.shape == features.get_feature_names_out().shape
    assert ((channel >= -1) & (channel < len(windows.channels))).all()
    rest = np.array(windows.values)
    rest[:, 0] = np.random.default_rng(0).standard_normal(rest[:, 0].shape)
    moved = features.transform(windows.with_values(rest)) != features.transform(windows)
    own = [windows.channels[0]] if features.of_one_channel else [c for c in windows.channels if c.joint == 1]
    others = [i for i, c in enumerate(windows.channels) if c not in own]
    apart = np.isin(channel, others)
    assert apart.any()
    assert not moved[:, apart].any()
    sums = features.by_channel(np.ones((2, len(channel))))
    np.testing.assert_array_equal(sums[0], np.bincount(channel[channel >= 0], minlength=len(windows.channels)))


def test_absent_channels_are_zero_and_do_not_matter(name: str, windows: Windows) -> None:
    features = _make(name).fit(windows)
    table = features.transform(windows)
    own = features.feature_channel_ >= 0
    absent = ~windows.presence[:, features.feature_channel_[own]]
    assert absent.any()
    assert (table[:, own][absent] == 0).all()


def test_each_window_by_itself(name: str, windows: Windows) -> None:
    features = _make(name).fit(windows)
    table = features.transform(windows)
    order = np.random.default_rng(0).permutation(len(windows))
    np.testing.assert_allclose(features.transform(windows[order]), table[order], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(features.transform(windows[3]), table[3:4], rtol=1e-9, atol=1e-12)
    assert features.transform(windows[:0]).shape == (0, table.shape[1])


def test_constant_windows_are_finite(name: str, windows: Windows) -> None:
    constant = windows.with_values(np.ones(windows.shape))
    assert np.isfinite(_make(name).fit(constant).transform(constant)).all()


def test_arrays_give_the_same_numbers(name: str, windows: Windows) -> None:
    whole = windows[windows.index.unit == "arm-2"]
    if not catalog.load("features", name).of_one_channel:
        with pytest.raises(InputError, match="arrays do not name their channels"):
            _make(name).fit(whole.values)
        return
    by_windows = _make(name).fit(whole).transform(whole)
    np.testing.assert_allclose(_make(name).fit(whole.values).transform(whole.values), by_windows)


def test_scikit_learn_conventions(name: str, windows: Windows) -> None:
    features = _make(name)
    parameters = features.get_params()
    fitted = clone(features).fit(windows)
    assert fitted.get_params() == parameters == features.get_params()
    with pytest.raises(NotFittedError):
        features.transform(windows)
    table = Pipeline([("features", features), ("scale", StandardScaler())]).fit_transform(windows)
    assert table.shape == (len(windows), len(fitted.get_feature_names_out()))


def test_other_windows_than_fitted_on_are_refused(name: str, windows: Windows) -> None:
    features = _make(name).fit(windows)
    for other in (windows.values[:, :-1], windows.values[:, :, :-1], windows.values[0]):
        with pytest.raises(UsageError):
            features.transform(other)
    with pytest.raises(UsageError, match="finite"):
        features.transform(np.full(windows.shape, np.nan))
