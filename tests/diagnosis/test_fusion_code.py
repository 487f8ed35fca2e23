"""Codes: learned from the rows of fit alone, the same whatever stands beside a row, stored without pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from jointwatch.bundle import load, save
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.diagnosis._fusion_code import Code, FusionCode
from jointwatch.training.reconstruction import held_out_groups


def vectors(rows: int = 60, seed: int = 0) -> np.ndarray:
    """(row, 150) three hidden figures in very different units, and noise; the last column is constant."""
    rng = np.random.default_rng(0)
    axes, units = rng.standard_normal((3, 150)), np.logspace(-6, 3, 150)
    own = np.random.default_rng(seed)
    found = (own.standard_normal((rows, 3)) @ axes + 0.1 * own.standard_normal((rows, 150))) * units
    found[:, -1] = 7.0
    return found


GROUPS = np.arange(60) // 6


@pytest.fixture(scope="module", params=["auto_encoder", "pca"])
def fitted(request: pytest.FixtureRequest) -> FusionCode:
    return FusionCode(request.param, size=3, epochs=40).fit(vectors(), GROUPS)


def test_most_of_new_rows_is_kept(fitted: FusionCode) -> None:
    """The three hidden figures can be read off the code of rows never seen, with a straight line."""
    seen, new = fitted.transform(vectors()), fitted.transform(vectors(40, seed=5))
    scaled = [(v / np.logspace(-6, 3, 150))[:, :-1] for v in (vectors(), vectors(40, seed=5))]
    weights = np.linalg.lstsq(np.column_stack([seen, np.ones(60)]), scaled[0], rcond=None)[0]
    rebuilt = np.column_stack([new, np.ones(40)]) @ weights
    assert np.square(rebuilt - scaled[1]).sum() < 0.35 * np.square(scaled[1] - scaled[1].mean(axis=0)).sum()
    assert fitted.explained_ > 0.3


def test_rows_beside_it_have_no_influence(fitted: FusionCode) -> None:
    new = vectors(12, seed=2)
    whole = fitted.transform(new)
    np.testing.assert_array_equal(np.concatenate([fitted.transform(row[None]) for row in new]), whole)
    assert fitted.transform(new[:0]).shape == (0, 3)


@pytest.mark.parametrize("kind", ["auto_encoder", "pca"])
def test_it_is_learned_from_the_rows_of_fit_alone(kind: Code) -> None:
    """Test rows, however odd, change nothing: scaling, weights and epoch were settled before they came."""
    code = FusionCode(kind, size=3, epochs=2).fit(vectors(), GROUPS)
    before = code.transform(vectors(9, seed=4))
    code.transform(1e6 * vectors(9, seed=4))
    np.testing.assert_array_equal(code.transform(vectors(9, seed=4)), before)
    np.testing.assert_array_equal(
        FusionCode(kind, size=3, epochs=2).fit(vectors(), GROUPS).transform(vectors(9, seed=4)), before
    )


def test_what_chooses_the_epoch_does_not_scale() -> None:
    code = FusionCode(size=3, epochs=1).fit(vectors(), GROUPS)
    held = held_out_groups(GROUPS, 0.2, seed=0)
    np.testing.assert_array_equal(code.mean_, vectors()[~held].mean(axis=0))
    assert len(code.history_["validation_loss"]) == 1  # type: ignore[arg-type]


def test_an_odd_figure_is_clipped(fitted: FusionCode) -> None:
    odd = vectors(1, seed=3)
    odd[0, 20] = 1e12
    assert np.abs(fitted.transform(odd)).max() < 1e3


def test_principal_components_are_those_of_the_standardised_rows() -> None:
    for rows in (60, 400):  # fewer and more rows than figures
        own = vectors(rows)
        code = FusionCode("pca", size=3).fit(own, np.arange(rows))
        scale = np.where(own.std(axis=0) > 1e-12 * np.abs(own).max(), own.std(axis=0), 1.0)
        expected = np.linalg.svd((own - own.mean(axis=0)) / scale, full_matrices=False)[2][:3]
        np.testing.assert_allclose(np.abs(code.components_ @ expected.T), np.eye(3), atol=1e-6)


def test_stored_and_loaded(fitted: FusionCode, tmp_path: Path) -> None:
    again = load(save(fitted, tmp_path / "code"))
    np.testing.assert_array_equal(again.transform(vectors(9, seed=1)), fitted.transform(vectors(9, seed=1)))
    assert again.explained_ == fitted.explained_


def test_bad_input_is_refused(fitted: FusionCode) -> None:
    with pytest.raises(NotFittedError):
        clone(fitted).transform(vectors())
    with pytest.raises(NotEnoughData, match="a code of 3: 1 more cycles"):
        clone(fitted).fit(vectors(2), np.arange(2))
    with pytest.raises(UsageError, match="finite"):
        clone(fitted).fit(np.full((9, 4), np.nan), np.arange(9))
    with pytest.raises(UsageError, match="auto_encoder or pca"):
        FusionCode("zip").fit(vectors(), GROUPS)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"\(row, 150\)"):
        fitted.transform(np.zeros((2, 5)))
