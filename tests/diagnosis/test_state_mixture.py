"""Kinds made of several states are told by their states."""

from __future__ import annotations

import numpy as np

from jointwatch.diagnosis._carried_discriminant import CarriedDiscriminant
from jointwatch.diagnosis._state_mixture import StateMixture

STATES = np.array(["normal", "loose 1", "loose 2", "tight 1"])
CODE = np.array([0, 1, 1, 2])
MEANS = np.array([[0.0, 0.0], [6.0, 0.0], [-6.0, 0.0], [0.0, 6.0]])


def rows(seed: int, runs: int = 5, shift: tuple[float, float] = (0.0, 0.0)) -> tuple[np.ndarray, ...]:
    """Rows, classes, states and runs."""
    state = np.repeat(np.arange(4), runs * 4)
    X = MEANS[state] + shift + np.random.default_rng(seed).standard_normal((len(state), 2))
    return X, CODE[state], STATES[state], np.tile(np.repeat(np.arange(runs), 4), 4)


def right(model: StateMixture, X: np.ndarray, code: np.ndarray) -> float:
    return float((model.log_proba(X).argmax(axis=1) == code).mean())


def test_a_kind_on_both_sides_of_normal_is_told() -> None:
    X, code, states, runs = rows(0)
    model = StateMixture().fit(X, code, states, runs, 3)
    fresh, truth, *_ = rows(1)
    assert right(model, fresh, truth) > 0.97
    assert CarriedDiscriminant().fit(X, code, runs).score(fresh, truth) < 0.8
    np.testing.assert_allclose(np.exp(model.log_proba(fresh)).sum(axis=1), 1.0)
    assert model.class_of_.tolist() == [0, 1, 1, 2]


def test_a_target_moves_it_by_its_healthy_rows_and_by_states_it_did_not_know() -> None:
    X, code, states, runs = rows(0)
    model = StateMixture().fit(X, code, states, runs, 3)
    target = rows(1, shift=(0.0, -6.0))
    healthy = target[1] == 0
    adapted = model.adapt(*(part[healthy] for part in target))
    assert right(model, *target[:2]) < 0.8 < 0.95 < right(adapted, *target[:2])
    other = np.where(target[2] == "loose 2", "loose 3", target[2])
    assert right(model.adapt(target[0], target[1], other, target[3]), *target[:2]) > 0.95
    assert right(model, X, code) > 0.97  # it stays as it is


def test_states_seen_once_are_one_component_of_their_class() -> None:
    X, code, states, runs = rows(0)
    single = np.where(code == 1, np.char.add("loose ", runs.astype(str)), states)
    model = StateMixture().fit(X, code, single, np.where(code == 1, 0, runs), 3)
    assert model.states_[model.class_of_ == 1].tolist() == [""]


def test_a_class_that_was_not_learned_is_as_the_unlikeliest() -> None:
    X, code, states, runs = rows(0)
    model = StateMixture().fit(X, code, states, runs, 4)
    log_p = model.log_proba(X)
    assert np.isfinite(log_p).all()
    assert (log_p[:, 3] <= log_p[:, :3].min(axis=1)).all()
