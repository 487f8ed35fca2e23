"""Phase profiles: what is locked to the phase is seen, what is not only roughens it."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.features.phase_profile import PhaseProfile


def ripple(phase_rad: np.ndarray, amplitude: float = 1.0) -> np.ndarray:
    """(window, 1, 120): a slow ramp with twelve waves, each window with its own phase."""
    k = np.arange(120)
    return (0.002 * k + amplitude * np.sin(2 * np.pi * k / 10 + phase_rad[:, None]))[:, None]


def test_profile_holds_the_samples_or_means_of_phases() -> None:
    windows = np.random.default_rng(0).standard_normal((4, 2, 12))
    whole = PhaseProfile(spread_parts=0).fit(windows)
    np.testing.assert_allclose(whole.transform(windows), windows.reshape(4, -1))
    thirds = PhaseProfile(points=3, spread_parts=0).fit(windows).transform(windows)
    np.testing.assert_allclose(thirds, windows.reshape(4, 2, 3, 4).mean(axis=3).reshape(4, -1))


def test_roughness_is_the_spread_within_each_phase() -> None:
    windows = np.random.default_rng(1).standard_normal((5, 1, 60))
    rough = PhaseProfile(points=1, spread_parts=4).fit(windows).transform(windows)[:, 1:]
    np.testing.assert_allclose(rough, np.log(windows.reshape(5, 4, 15).std(axis=2)), rtol=1e-9)


def test_ripple_locked_to_the_phase_is_told_by_the_profile_and_loose_ripple_by_the_roughness() -> None:
    rng = np.random.default_rng(2)
    locked = PhaseProfile(spread_parts=6).fit_transform(ripple(np.zeros(50)))
    turned = PhaseProfile(spread_parts=6).fit_transform(ripple(np.full(50, np.pi)))
    loose = PhaseProfile(spread_parts=6).fit_transform(ripple(rng.uniform(0, 2 * np.pi, 50)))
    weak = PhaseProfile(spread_parts=6).fit_transform(ripple(rng.uniform(0, 2 * np.pi, 50), amplitude=0.3))
    profile, rough = slice(0, 120), slice(120, None)
    assert np.abs(locked[:, profile].mean(0) - turned[:, profile].mean(0)).max() > 1.5
    assert np.abs(loose[:, profile].mean(0) - 0.002 * np.arange(120)).max() < 0.5
    np.testing.assert_allclose(locked[:, rough].mean(0), turned[:, rough].mean(0), atol=0.1)
    assert (loose[:, rough].min(0) > weak[:, rough].max(0)).all()


def test_the_scale_of_a_channel_only_shifts_the_roughness() -> None:
    windows = np.random.default_rng(3).standard_normal((3, 1, 54))
    metres, millimetres = (PhaseProfile(points=1).fit_transform(factor * windows)[:, 1:] for factor in (1, 1000))
    np.testing.assert_allclose(millimetres - metres, np.log(1000), rtol=1e-9)


def test_only_the_chosen_channels_are_profiled() -> None:
    windows = np.random.default_rng(4).standard_normal((3, 2, 30))
    features = PhaseProfile(points=5, spread_parts=2, channels=["c1"]).fit(windows)
    names = features.get_feature_names_out().tolist()
    assert names == [f"c1 {k}of5" for k in range(1, 6)] + [
        f"{c} log spread {k}of2" for c in ("c0", "c1") for k in (1, 2)
    ]
    np.testing.assert_allclose(features.transform(windows)[:, :5], windows[:, 1].reshape(3, 5, 6).mean(axis=2))


@pytest.mark.parametrize("settings", [{"points": 31}, {"points": 0}, {"spread_parts": 31}, {"channels": ["c9"]}])
def test_what_the_windows_do_not_have_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        PhaseProfile(**settings).fit(np.ones((2, 1, 30)))  # type: ignore[arg-type]
