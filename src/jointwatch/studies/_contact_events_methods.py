"""What is compared on contact events: each method scores the target's test windows, with few or no events labelled."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jointwatch.core import catalog
from jointwatch.core.errors import NotEnoughData
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.studies._contact_events import Arm
from jointwatch.studies._contact_events_frames import Drift, block_means, by_number, ends, matched, standardised
from jointwatch.studies._strategy_names import adaptations, names_asked
from jointwatch.studies._trees import Forest
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.loop import fit
from jointwatch.training.objectives import Supervised, balanced_weights
from jointwatch.training.options import Options
from jointwatch.training.seed import seeded

__all__ = [
    "BASELINES",
    "BY_NUMBER",
    "CARRIED",
    "DRIFT_ALONE",
    "OWN",
    "PLAIN",
    "TARGET_ONLY",
    "TOGETHER",
    "Case",
    "networks",
    "scores",
]

TARGET_ONLY, BY_NUMBER = "target only", "joints by number"
BASELINES = ("random_score", "mahalanobis", "pca", "knn", "isolation_forest")
"""Detectors that take what they are fitted on as free: the labelled free windows, or all windows without labels."""
_FEWEST = 20  # windows a baseline is fitted on
_TREES = 200
_SHRINKAGE = 0.01
_FULL_WEIGHT = 20  # labelled events at which the target's own trees count as much as the source
_FILTERS, _KERNELS = (16, 32, 32), (7, 5, 3)


@dataclass(frozen=True, eq=False)
class Case:
    """What a method may see.

    source : labelled windows of the source. unlabelled : windows of the target; their labels are never read.
    labelled : windows of its labelled events, none at a budget of 0. test : windows that are scored; never fitted on.
    epochs : of networks.
    """

    source: Arm
    unlabelled: Arm
    labelled: Arm | None
    test: Arm
    seed: int
    epochs: int

    @property
    def events(self) -> int:
        """How many are labelled."""
        return 0 if self.labelled is None else len(np.unique(self.labelled.event))


def scores(method: str, case: Case) -> np.ndarray:
    """(window,) scores of the test windows by a method's name.

    Errors: `NotEnoughData` where the method needs labels that there are not.
    """
    approach, _, what = method.partition(": ")
    if approach == TARGET_ONLY and what in BASELINES:
        return _baseline(what, case)
    if method in _BY_NAME:
        return _BY_NAME[method](case)
    return _adapted(what, approach, case)


def networks(asked: str = "") -> list[str]:
    """Methods with a network: `FRAME: STRATEGY` for the strategies of the catalog, or those asked for (`none` = none).

    Errors: `UsageError` for a name that is none.

    >>> "joints by number: dann" in networks(), networks("deep-coral")
    (True, ['joints by number: deep_coral', 'drift direction: deep_coral'])
    """
    return [f"{frame}: {name}" for frame in _FRAMES for name in names_asked(asked, adaptations())]


def _baseline(name: str, case: Case) -> np.ndarray:
    given = case.unlabelled if case.labelled is None else case.labelled[~case.labelled.contact]
    if len(given) < _FEWEST:
        raise NotEnoughData(f"fitting {name} on free windows", needed=_FEWEST, have=len(given), unit="windows")
    kind = catalog.load("detectors", name)
    seeded_by = {"random_state": case.seed} if "random_state" in inspect.signature(kind).parameters else {}
    fitted = kind(**seeded_by).fit(given.values)
    return np.asarray(fitted.score_samples(case.test.values))


def _drift_alone(case: Case) -> np.ndarray:
    return _end_along_drift(case)(case.test.values)


def _end_along_drift(case: Case) -> Callable[[np.ndarray], np.ndarray]:
    """No source and no label: how far the end of the window lies along the target's own drift."""
    drift = Drift.of(case.unlabelled.values)
    return lambda values: ends(drift.along(values))[:, 0]


def _own_logistic(case: Case) -> np.ndarray:
    given = _labelled(case)
    return _logistic(ends(given.values), given.contact)(ends(case.test.values))


def _own_trees(case: Case) -> np.ndarray:
    given = _labelled(case)
    return _trees(ends(given.values), given.contact, case.seed)(ends(case.test.values))


def _as_it_is(learn: Callable[..., Any]) -> Callable[[Case], np.ndarray]:
    def score(case: Case) -> np.ndarray:
        frames = [by_number(case.source.values, each.values) for each in _given(case)]
        return _carried(learn, case, frames[0][0], [pair[1] for pair in frames])

    return score


def _by_joint_z_score(case: Case) -> np.ndarray:
    source = standardised(case.source, case.source.values)
    frames = [by_number(source, standardised(case.unlabelled, each.values)) for each in _given(case)]
    return _carried(_logistic, case, frames[0][0], [pair[1] for pair in frames])


def _by_matched_joints(case: Case) -> np.ndarray:
    source, _, *given = matched(case.source.values, case.unlabelled.values, *(each.values for each in _given(case)))
    return _carried(_logistic, case, source, given)


def _along_drift(case: Case) -> np.ndarray:
    return _drift_scorer(case)(case.test.values)


def _along_drift_and_own(case: Case) -> np.ndarray:
    return _with_own_trees(case, _drift_scorer(case))


def _drift_and_own(case: Case) -> np.ndarray:
    """The same without a source: what is left to show for it is the source's."""
    return _with_own_trees(case, _end_along_drift(case))


def _with_own_trees(case: Case, along: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A score along the drift and the target's own trees, each by its spread over the unlabelled windows; the trees
    count the more, the more events they have learned from."""
    given = _labelled(case)
    share = _trees(ends(given.values), given.contact, case.seed)

    def own(values: np.ndarray) -> np.ndarray:
        said = np.clip(share(ends(values)), 0.02, 0.98)
        return np.asarray(np.log(said / (1 - said)))

    weight = min(2.0, case.events / _FULL_WEIGHT)
    parts = [(along, 1.0), (own, weight)]
    total = np.zeros(len(case.test))
    for score, factor in parts:
        total += factor * score(case.test.values) / max(float(score(case.unlabelled.values).std()), 1e-9)
    return total


def _drift_scorer(case: Case) -> Callable[[np.ndarray], np.ndarray]:
    there, here = Drift.of(case.source.values), Drift.of(case.unlabelled.values)
    said = _logistic(block_means(there.along(case.source.values)), case.source.contact)
    return lambda values: said(block_means(here.along(values)))


def _given(case: Case) -> list[Arm]:
    """Test windows, and the labelled ones where there are some."""
    return [case.test] if case.labelled is None else [case.test, case.labelled]


def _carried(learn: Callable[..., Any], case: Case, source: np.ndarray, given: list[np.ndarray]) -> np.ndarray:
    """Learned on the source and on the labelled windows together, both of the same weight."""
    X, y, weight = block_means(source), case.source.contact, np.ones(len(source))
    if case.labelled is not None:
        X, y = np.concatenate([X, block_means(given[1])]), np.concatenate([y, case.labelled.contact])
        weight = np.concatenate([weight, np.full(len(case.labelled), len(source) / len(case.labelled))])
    said = learn(X, y, case.seed, weight)
    return np.asarray(said(block_means(given[0])))


def _labelled(case: Case) -> Arm:
    if case.labelled is None:
        raise NotEnoughData("learning contact on the target", needed=1, have=0, unit="labelled events")
    if len(np.unique(case.labelled.contact)) < 2:
        raise NotEnoughData("learning contact on the target", needed=2, have=1, unit="kinds of labelled windows")
    return case.labelled


def _logistic(
    X: np.ndarray, y: np.ndarray, seed: int = 0, weight: np.ndarray | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=_SHRINKAGE, class_weight="balanced", max_iter=2000))
    model.fit(X, y, logisticregression__sample_weight=weight)
    return lambda rows: np.asarray(model.decision_function(rows))


def _trees(
    X: np.ndarray, y: np.ndarray, seed: int, weight: np.ndarray | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    copies = np.ones(len(X), int) if weight is None else np.maximum(1, np.rint(weight).astype(int))
    model = Forest(seed, _TREES).fit(np.repeat(X, copies, axis=0), np.repeat(y, copies))
    return lambda rows: np.asarray(model.predict_proba(rows)[:, list(model.classes_).index(True)])


def _adapted(strategy: str, frame: str, case: Case) -> np.ndarray:
    """Log-odds of a small network that a strategy of the catalog adapts; `source only`: trained on the source alone."""
    source, target, test, *labelled = _FRAMES[frame](case)
    batches = [Batch.of_arrays(source, label=case.source.contact.astype(int)), Batch.of_arrays(target)]
    given = Batch.of_arrays(labelled[0], label=_labelled(case).contact.astype(int)) if labelled else None
    with seeded(case.seed):
        network: Any = Cnn1d(source.shape[1], filters=_FILTERS, kernels=_KERNELS)
    if strategy == "source only":
        rows = batches[0] if given is None else Batch.concatenate([batches[0], given])
        objective = Supervised(balanced_weights(rows.label.numpy()))
        fit(network, Shuffled(rows, 32, case.seed), objective, Options(epochs=case.epochs, seed=case.seed))
        network.eval()
    else:
        kind = catalog.load("transfer", strategy)
        network = kind(epochs=case.epochs).align(network, batches[0], batches[1], given, seed=case.seed)
    with torch.inference_mode():
        logits = network(torch.tensor(test, dtype=torch.float32)).double().numpy()
    return np.asarray(logits[:, 1] - logits[:, 0])


def _number_frame(case: Case) -> list[np.ndarray]:
    source = np.clip(standardised(case.source, case.source.values), -5, 5)
    theirs = [np.clip(standardised(case.unlabelled, a.values), -5, 5) for a in (case.unlabelled, *_given(case))]
    pairs = [by_number(source, each, "all") for each in theirs]
    return [pairs[0][0], *(pair[1] for pair in pairs)]


def _drift_frame(case: Case) -> list[np.ndarray]:
    there, here = Drift.of(case.source.values), Drift.of(case.unlabelled.values)
    return [there.along(case.source.values), *(here.along(a.values) for a in (case.unlabelled, *_given(case)))]


_FRAMES: dict[str, Callable[[Case], list[np.ndarray]]] = {
    BY_NUMBER: _number_frame,
    "drift direction": _drift_frame,
}
PLAIN = {
    "source as it is: logistic": _as_it_is(_logistic),
    "source as it is: trees": _as_it_is(_trees),
    "z-score by joint: logistic": _by_joint_z_score,
    "matched joints: logistic": _by_matched_joints,
}
CARRIED, TOGETHER = "drift direction: logistic", "drift direction + own trees"
OWN = {
    "target only: logistic": _own_logistic,
    "target only: trees": _own_trees,
    "target only: drift + own trees": _drift_and_own,
}
DRIFT_ALONE = "target only: drift without labels"
_BY_NAME = {
    **PLAIN,
    **OWN,
    DRIFT_ALONE: _drift_alone,
    CARRIED: _along_drift,
    TOGETHER: _along_drift_and_own,
}
