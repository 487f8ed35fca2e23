"""Scores that compare adapted models without a label of the target.

Every score takes what a candidate says of source rows (with labels) and of target rows (`Target` has no field for
labels) and says in `DIRECTION` which way is better. None is right always: `consensus.rank` puts several together.

====================  ======  ====================================================================================
score                 better  says
====================  ======  ====================================================================================
source_risk           lower   cross-entropy on source groups that were held out; blind to the target
importance_weighted   lower   the same, rows weighted by how much they look like the target (IWCV)
deep_embedded         lower   the same in feature space, with a control variate (DEV)
reverse               higher  whether a classifier learned on the target's said classes is right on the source
neighbourhood         higher  whether target rows sit in dense neighbourhoods of one class (SND)
entropy               lower   mean entropy of what is said of target rows
information           higher  entropy of the mean less mean entropy: confident, and not always the same class (IM)
agreement             higher  agreement with the mean of all candidates (ensemble validation)
====================  ======  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from jointwatch.core.errors import NotEnoughData, UsageError

__all__ = [
    "DIRECTION",
    "Source",
    "Target",
    "agreement",
    "control_variate",
    "deep_embedded",
    "entropy",
    "importance_weighted",
    "importance_weights",
    "information",
    "neighbourhood",
    "reverse",
    "score_all",
    "source_risk",
]

DIRECTION: Mapping[str, int] = MappingProxyType(
    {
        "source_risk": -1,
        "importance_weighted": -1,
        "deep_embedded": -1,
        "reverse": 1,
        "neighbourhood": 1,
        "entropy": -1,
        "information": 1,
        "agreement": 1,
    }
)
"""1 where a higher score is better, -1 where a lower one is."""
_LEAST = 1e-12
_ROWS = 4000  # rows of the target that neighbourhoods are looked for among


@dataclass(frozen=True, eq=False)
class Source:
    """What a candidate says of source rows that it was *not* trained on.

    Parameters
    ----------
    features : (row, feature) embeddings. logits : (row, class). label : (row,) class from 0.
    """

    features: np.ndarray
    logits: np.ndarray
    label: np.ndarray

    def __post_init__(self) -> None:
        _check(self.features, self.logits)
        if np.shape(self.label) != (len(self.logits),) or not len(self.label):
            raise UsageError(f"source rows need a label each, got {np.shape(self.label)} for {len(self.logits)} rows")
        if not 0 <= np.min(self.label) <= np.max(self.label) < self.logits.shape[1]:
            raise UsageError(f"source labels are classes 0 to {self.logits.shape[1] - 1}; leave unlabelled rows out")

    @property
    def loss(self) -> np.ndarray:
        """(row,) cross-entropy, natural logarithm."""
        return np.asarray(-log_softmax(self.logits, axis=1)[np.arange(len(self.label)), self.label])


@dataclass(frozen=True, eq=False)
class Target:
    """What a candidate says of target rows. There is no place for a label.

    Parameters
    ----------
    features : (row, feature) embeddings. logits : (row, class).
    """

    features: np.ndarray
    logits: np.ndarray

    def __post_init__(self) -> None:
        _check(self.features, self.logits)
        if not len(self.logits):
            raise NotEnoughData("a score of a model on the target", needed=1, have=0, unit="target rows")

    @property
    def probability(self) -> np.ndarray:
        """(row, class)."""
        return np.asarray(softmax(np.asarray(self.logits, np.float64), axis=1))

    @property
    def said(self) -> np.ndarray:
        """(row,) the most probable class."""
        return np.asarray(self.logits.argmax(axis=1))


def source_risk(source: Source, *, balanced: bool = True) -> float:
    """Mean cross-entropy on held-out source rows; `balanced` counts each class the same. Lower is better.

    >>> rows = Source(np.zeros((2, 1)), np.array([[9.0, -9.0], [9.0, -9.0]]), np.array([0, 0]))
    >>> source_risk(rows) < 1e-6
    True
    """
    return float(np.average(source.loss, weights=_class_weights(source.label) if balanced else None))


def importance_weights(source: np.ndarray, target: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """(source row,) density of the target over that of the source at each source row.

    The ratio is what a linear domain classifier says, p(target | x) / p(source | x), times the ratio of the numbers of
    rows. It is cross-fitted in two halves, so that no row is judged by a classifier that saw it. Their mean is about 1;
    what it misses of that is what the control variate of `deep_embedded` lives on, so it is not forced.

    >>> rng = np.random.default_rng(0)
    >>> rows = rng.standard_normal((400, 1))
    >>> weights = importance_weights(rows, rng.standard_normal((400, 1)) + 2)
    >>> bool(np.corrcoef(weights, rows[:, 0])[0, 1] > 0.5), bool(0.5 < weights.mean() < 2)
    (True, True)
    """
    if len(source) < 4 or len(target) < 4:
        raise NotEnoughData("a density ratio", needed=4, have=min(len(source), len(target)), unit="rows of each domain")
    rng = np.random.default_rng(seed)
    mean, scale = source.mean(axis=0), source.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    rows, others = (source - mean) / scale, np.clip((target - mean) / scale, -50.0, 50.0)
    half, other_half = rng.permutation(len(rows)) % 2, rng.permutation(len(others)) % 2
    weights = np.empty(len(rows))
    for part in (0, 1):
        train = np.concatenate([rows[half != part], others[other_half != part]])
        known = np.repeat([0, 1], [(half != part).sum(), (other_half != part).sum()])
        model = LogisticRegression(C=0.1, max_iter=500).fit(train, known)
        log_ratio = model.decision_function(rows[half == part]) - np.log(known.sum() / (len(known) - known.sum()))
        weights[half == part] = np.exp(np.clip(log_ratio, -20.0, 20.0))
    return weights


def importance_weighted(source: Source, weights: np.ndarray) -> float:
    """Source risk under weights of the target's density over the source's; lower is better.

    Parameters
    ----------
    weights : (row,) of *inputs* or of features that all candidates share, from `importance_weights`.

    Source: Sugiyama, Krauledat, Müller, "Covariate shift adaptation by importance weighted cross validation", JMLR 8,
    2007.
    """
    return float(np.mean(_weights(weights, source) * source.loss))


def deep_embedded(source: Source, target: Target, *, seed: int = 0) -> float:
    """Weighted source risk in the candidate's own feature space, its variance lowered by a control variate; lower is
    better.

    The mean of the weights is known to be 1, so what it errs by says how far the risk errs: with eta =
    -cov(w l, w) / var(w) the risk is mean(w l) + eta mean(w) - eta.

    Source: You, Wang, Long, Jordan, "Towards accurate model selection in deep unsupervised domain adaptation", ICML
    2019.
    """
    return control_variate(source.loss, importance_weights(source.features, target.features, seed=seed))


def control_variate(loss: np.ndarray, weights: np.ndarray) -> float:
    """Mean weighted loss, corrected by what the mean of the weights misses of 1; the estimate of `deep_embedded`.

    >>> control_variate(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    2.0
    """
    weighted = weights * loss
    spread = float(weights.var())
    if spread < _LEAST:
        return float(weighted.mean())
    eta = -float(np.mean((weighted - weighted.mean()) * (weights - weights.mean()))) / spread
    return float(weighted.mean() + eta * weights.mean() - eta)


def reverse(source: Source, target: Target) -> float:
    """Balanced accuracy on the source of a linear classifier that learned the target's said classes from the
    candidate's features; higher is better. 1 / classes where the candidate says one class only.

    Source: Zhong et al., "Cross validation framework to choose amongst models and datasets for transfer learning",
    ECML PKDD 2010; used for adversarial adaptation by Ganin et al., JMLR 17, 2016.
    """
    said = target.said
    classes = np.unique(source.label)
    if len(np.unique(said)) < 2:
        return 1.0 / len(classes)
    mean, scale = target.features.mean(axis=0), target.features.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    model = LogisticRegression(C=1.0, max_iter=500, class_weight="balanced")
    model.fit((target.features - mean) / scale, said)
    found = model.predict(np.clip((source.features - mean) / scale, -50.0, 50.0))
    return float(np.mean([(found[source.label == c] == c).mean() for c in classes]))


def neighbourhood(target: Target, *, temperature: float = 0.05) -> float:
    """Soft neighbourhood density: mean entropy of each row's similarity to the others; higher is better.

    Similarities are those of normalised probability vectors, made a distribution over the other rows by a softmax with
    the temperature. A high entropy means many neighbours that are told alike. Of many rows 4000 are taken evenly.

    Source: Saito et al., "Tune it the right way: unsupervised validation of domain adaptation via soft neighborhood
    density", ICCV 2021.
    """
    rows = target.probability
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).round().astype(int))]
    if len(rows) < 2:
        raise NotEnoughData("neighbourhoods of the target", needed=2, have=len(rows), unit="target rows")
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    entropies = []
    for first in range(0, len(rows), 500):
        similar = rows[first : first + 500] @ rows.T / temperature
        similar[np.arange(len(similar)), first + np.arange(len(similar))] = -np.inf
        entropies.append(_entropy(softmax(similar, axis=1)))
    return float(np.concatenate(entropies).mean())


def entropy(target: Target) -> float:
    """Mean entropy of what is said of target rows, natural logarithm; lower is better. A model that always says the
    same class has the best value there is: see `information`.

    Source: Morerio, Cavazza, Murino, "Minimal-entropy correlation alignment for unsupervised deep domain adaptation",
    ICLR 2018.
    """
    return float(_entropy(target.probability).mean())


def information(target: Target) -> float:
    """Entropy of the mean prediction less the mean entropy, the information of the rows about the class; higher is
    better.

    Source: Krause, Perona, Gomes, "Discriminative clustering by regularized information maximization", NIPS 2010; for
    adaptation Shi, Sha, ICML 2012.

    >>> sure = np.array([[9.0, -9.0], [-9.0, 9.0]])
    >>> [abs(round(information(Target(np.zeros((2, 1)), rows)), 3)) for rows in (sure, sure[[0, 0]])]
    [0.693, 0.0]
    """
    probability = target.probability
    return float(_entropy(probability.mean(axis=0, keepdims=True))[0] - _entropy(probability).mean())


def agreement(targets: Sequence[Target]) -> np.ndarray:
    """(candidate,) share of target rows of which a candidate says what the mean of all candidates' probabilities says,
    counted class by class so that the frequent class does not decide; higher is better.

    Source: Hu et al., "Towards reliable model selection for unsupervised domain adaptation", NeurIPS 2024 (EnsV).

    >>> yes, no = np.array([[9.0, 0.0], [0.0, 9.0]]), np.array([[0.0, 9.0], [9.0, 0.0]])
    >>> agreement([Target(np.zeros((2, 1)), logits) for logits in (yes, yes, no)]).tolist()
    [1.0, 1.0, 0.0]
    """
    if len({target.logits.shape for target in targets}) != 1:
        raise UsageError("candidates must speak of the same target rows and classes")
    model = np.mean([target.probability for target in targets], axis=0).argmax(axis=1)
    classes = np.unique(model)
    return np.array([np.mean([(t.said[model == c] == c).mean() for c in classes]) for t in targets])


def score_all(
    candidates: Mapping[str, tuple[Source | None, Target]],
    *,
    weights: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Every score of every candidate: score -> candidate -> value.

    Parameters
    ----------
    candidates : name -> (what it says of held-out source rows, of target rows). Scores that need the source are left
        out where a candidate has none.
    weights : (source row,) for `importance_weighted`; None = that score is left out.
    """
    found: dict[str, dict[str, float]] = {name: {} for name in DIRECTION}
    for name, (source, target) in candidates.items():
        if source is not None:
            found["source_risk"][name] = source_risk(source)
            found["deep_embedded"][name] = deep_embedded(source, target, seed=seed)
            found["reverse"][name] = reverse(source, target)
            if weights is not None:
                found["importance_weighted"][name] = importance_weighted(source, weights)
        found["neighbourhood"][name] = neighbourhood(target)
        found["entropy"][name] = entropy(target)
        found["information"][name] = information(target)
    said = agreement([target for _, target in candidates.values()])
    found["agreement"] = {name: float(value) for name, value in zip(candidates, said, strict=True)}
    return {score: values for score, values in found.items() if len(values) == len(candidates)}


def _class_weights(label: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / np.bincount(label)[label])


def _weights(weights: np.ndarray, source: Source) -> np.ndarray:
    weights = np.asarray(weights, np.float64)
    if weights.shape != source.label.shape or not (weights >= 0).all():
        raise UsageError(f"weights are one number >= 0 a source row, got {weights.shape} for {len(source.label)} rows")
    return weights


def _entropy(probability: np.ndarray) -> np.ndarray:
    return np.asarray(-(probability * np.log(np.maximum(probability, _LEAST))).sum(axis=1))


def _check(features: np.ndarray, logits: np.ndarray) -> None:
    if np.ndim(features) != 2 or np.ndim(logits) != 2 or len(features) != len(logits) or np.shape(logits)[1] < 2:
        raise UsageError(
            f"features and logits are (row, feature) and (row, class), got {np.shape(features)} and {np.shape(logits)}"
        )
    if not (np.isfinite(features).all() and np.isfinite(logits).all()):
        raise UsageError("features and logits must be finite; the candidate that gave them has diverged")
