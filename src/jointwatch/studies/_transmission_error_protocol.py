"""The published protocol: ten drives, three folds of cycles dealt at random, and of whole sessions beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jointwatch.core.levels import LEVELS
from jointwatch.studies._confusions import CHANCE, random_choice
from jointwatch.studies._folds import SPLITS
from jointwatch.studies._transmission_error_methods import (
    AE_HMM,
    AE_KMEANS,
    AE_LOGISTIC,
    PCA_HMM,
    PROFILE,
    TREES,
    CodeGrades,
    Problem,
    Said,
    code_learned,
    key_of,
    profile_learned,
    trees_learned,
    vectors_of,
)
from jointwatch.studies._transmission_error_table import Cycles, Source

__all__ = ["BLOCK", "PROTOCOLS", "PROTOCOL_FOLDS", "iterations_needed", "protocol_problem", "protocol_step"]

PROTOCOL_FOLDS = 3
BLOCK = 5
"""Successive cycles that are dealt together at random, so that up to as many can be judged together."""
PROTOCOLS = {"random": SPLITS["random"], "session": SPLITS["session"]}
_GAIN = 0.99


def protocol_problem(cycles: Cycles, split: str, seed: int, fold: int) -> Problem:
    """One fold of the published drives: blocks of successive cycles dealt at random, level by level, or sessions.

    A block is a session of its own, so that no sequence of cycles reaches from one side to the other.
    """
    published = cycles.take(np.flatnonzero(cycles.published))
    names = published.index.unit_session
    if split == "random":
        names = np.array([f"{name} {block}" for name, block in zip(names, _blocks(published), strict=True)])
    index = replace(published.index, session=names)
    published = replace(published, index=index)
    dealt = _dealt(names, published.level, seed)
    rows = np.arange(len(published))
    return Problem(published, rows[dealt != fold], rows[:0], rows[dealt == fold], index.unit_session, seed)


def protocol_step(
    source: Source, split: str, seed: int, fold: int, counts: Sequence[int], epochs: int, networks: bool
) -> dict[str, Any]:
    """`said` by method and number of cycles; `iterations`: of Baum-Welch until 99 % of the gain, of every level;
    `rows`: which of the published drives' cycles were asked."""
    problem = protocol_problem(source.cycles(), split, seed, fold)
    codes = {PCA_HMM: code_learned("pca", problem, 0)}
    if networks:
        code = code_learned("auto_encoder", problem, epochs)
        codes |= {AE_HMM: code, AE_LOGISTIC: code, AE_KMEANS: code}
    said: dict[str, Said] = {}
    iterations = {}
    for count in [count for count in counts if split == "session" or count <= BLOCK]:
        asks = {
            TREES: trees_learned(vectors_of, problem, own=False, cycles=count, regression=False),
            PROFILE: profile_learned(problem, own=False, cycles=count),
        }
        for method, of in codes.items():
            if method == PCA_HMM and count > 1:
                continue
            grades = CodeGrades.of(of, method, problem, own=False, cycles=count)
            asks[method] = grades.ask
            if method == AE_HMM:
                iterations[str(count)] = [iterations_needed(curve) for curve in grades.model.curve_ if len(curve)]
        for method, ask in asks.items():
            said[key_of(method, count)] = ask(problem.cycles)
    level = problem.cycles.level[problem.asked]
    said[key_of(CHANCE, 1)] = Said(random_choice(level, LEVELS, PROTOCOL_FOLDS * seed + fold))
    told = {key: {"level": one.to_json()["level"]} for key, one in said.items()}
    return {"rows": problem.asked.tolist(), "said": told, "iterations": iterations}


def iterations_needed(curve: np.ndarray) -> int:
    """Steps of Baum-Welch until 99 % of what the log-likelihood gained from its start.

    >>> iterations_needed(np.array([-100.0, -20.0, -10.5, -10.0]))
    2
    """
    gain = curve.max() - curve[0]
    return int(np.argmax(curve >= curve[0] + _GAIN * gain))


def _blocks(cycles: Cycles) -> np.ndarray:
    """(row,) number of the block of its session."""
    index, found = cycles.index, np.empty(len(cycles), np.int64)
    for name in np.unique(index.unit_session):
        own = np.flatnonzero(index.unit_session == name)
        found[own[np.argsort(index.start_s[own], kind="stable")]] = np.arange(len(own)) // BLOCK
    return found


def _dealt(names: np.ndarray, level: np.ndarray, seed: int) -> np.ndarray:
    """(row,) fold of whole groups, each level spread evenly."""
    groups, first, place = np.unique(names, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(groups))
    order = order[np.argsort(level[first][order], kind="stable")]
    fold = np.empty(len(groups), np.int64)
    fold[order] = np.arange(len(groups)) % PROTOCOL_FOLDS
    return fold[place]
