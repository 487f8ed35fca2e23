"""Choosing among candidates without labels: who has collapsed is out, the others are placed by one score or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from jointwatch.core.errors import UsageError
from jointwatch.selection.scores import DIRECTION, Source, Target, score_all

__all__ = ["TOGETHER", "Ranking", "consensus"]

TOGETHER = ("agreement",)
"""What decides by default. On tasks with known answers (shifted and turned Gaussian classes, aligned rightly and
wrongly) agreement after the exclusions loses least against the best candidate, and less than any mean rank it was part
of; scores that rest on one candidate alone prefer whatever is overconfident. More names give a mean rank."""
_TIES = "information"
_FEWER_CLASSES = 0.6
_FORGOTTEN = 0.5


@dataclass(frozen=True, eq=False)
class Ranking:
    """Candidates from best to worst.

    Parameters
    ----------
    names : those that were ranked, best first; `left_out` follow nowhere.
    place : (candidate,) mean rank over the scores, in the order of `names`; 1 = first in every score.
    left_out : name -> why.
    scores : score -> name -> value.
    """

    names: tuple[str, ...]
    place: np.ndarray
    left_out: Mapping[str, str]
    scores: Mapping[str, Mapping[str, float]]

    @property
    def best(self) -> str:
        """Name of the candidate to take."""
        return self.names[0]

    def summary(self) -> list[str]:
        """One line a candidate."""
        lines = [f"{name}: mean rank {place:.2f}" for name, place in zip(self.names, self.place, strict=True)]
        return lines + [f"{name}: left out, {why}" for name, why in self.left_out.items()]


def consensus(
    candidates: Mapping[str, tuple[Source | None, Target]],
    *,
    scores: Sequence[str] = TOGETHER,
    all_classes: bool = True,
    weights: np.ndarray | None = None,
    seed: int = 0,
) -> Ranking:
    """The candidates by their mean rank over the scores; no label of the target has a part in it.

    Left out beforehand: a candidate that says far fewer classes of the target than the others do (the effective number,
    exp of the entropy of the said classes' shares, below 60 % of the median), because such a model looks confident to
    most scores; and one that has lost more than half of what the best candidate knows of the source beyond chance.
    Ties go to the candidate with more `information`, then to the one that comes first.

    Parameters
    ----------
    candidates : name -> (what it says of held-out source rows or None, what it says of target rows).
    scores : of `scores.DIRECTION`; those that need the source are passed over where a candidate has none.
    all_classes : whether the target holds all classes; False where it is mostly healthy, then nobody is left out for
        saying few.
    weights : (source row,) for `importance_weighted`.

    Errors: `UsageError` for an unknown score, or without candidates.

    >>> rng = np.random.default_rng(0)
    >>> label = rng.integers(0, 2, 200)
    >>> rows = 3.0 * np.eye(2)[label] + rng.standard_normal((200, 2))
    >>> said = {"right": 3 * rows, "flat": 0.1 * rows, "one class": 9 * np.eye(2)[np.zeros(200, int)]}
    >>> held = Source(rows, 3 * rows, label)
    >>> ranking = consensus({name: (held, Target(rows, logits)) for name, logits in said.items()})
    >>> ranking.best, ranking.left_out
    ('right', {'one class': 'says 1.0 classes of the target where others say 2.0'})
    """
    if not candidates:
        raise UsageError("there is no candidate to choose from")
    if unknown := set(scores) - set(DIRECTION):
        raise UsageError(f"no score {', '.join(sorted(unknown))}; there are {', '.join(DIRECTION)}")
    left_out = _collapsed(candidates) if all_classes else {}
    left_out |= {name: why for name, why in _forgetful(candidates).items() if name not in left_out}
    kept = [name for name in candidates if name not in left_out]
    # Those left out have no part in the mean that the others are held against.
    table = score_all({name: candidates[name] for name in kept}, weights=weights, seed=seed)
    used = [score for score in scores if score in table]
    if not used:
        raise UsageError("none of the scores can be computed; give what the candidates say of held-out source rows")
    ranks = [rankdata([-DIRECTION[score] * table[score][name] for name in kept]) for score in used]
    place = np.mean(ranks, axis=0)
    order = np.lexsort(([-table[_TIES][name] for name in kept], place))
    return Ranking(tuple(kept[i] for i in order), place[order], left_out, table)


def _collapsed(candidates: Mapping[str, tuple[Source | None, Target]]) -> dict[str, str]:
    number = {}
    for name, (_, target) in candidates.items():
        share = np.bincount(target.said) / len(target.said)
        number[name] = float(np.exp(-sum(p * np.log(p) for p in share if p > 0)))
    usual = float(np.median(list(number.values())))
    return {
        name: f"says {count:.1f} classes of the target where others say {usual:.1f}"
        for name, count in number.items()
        if count < _FEWER_CLASSES * usual
    }


def _forgetful(candidates: Mapping[str, tuple[Source | None, Target]]) -> dict[str, str]:
    known = {}
    for name, (source, _) in candidates.items():
        if source is not None:
            classes = np.unique(source.label)
            said = source.logits.argmax(axis=1)
            right = float(np.mean([(said[source.label == c] == c).mean() for c in classes]))
            known[name] = (right, 1.0 / len(classes))
    best = max((right for right, _ in known.values()), default=0.0)
    return {
        name: f"is right on {right:.0%} of the source where the best is on {best:.0%}"
        for name, (right, chance) in known.items()
        if right - chance < _FORGOTTEN * (best - chance)
    }
