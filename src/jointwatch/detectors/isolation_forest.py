"""Isolation forest on cycle statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from jointwatch.detectors._vector import VectorDetector

__all__ = ["IsolationForest"]


class IsolationForest(VectorDetector):
    """How few random cuts set a window apart, 0 to 1; about 0.5 where as many as for a window in the crowd.

    Cuts lie inside the training range, so scores level off beyond it: large faults look alike, and where training
    windows are all the same, or two, every window scores 0.5.
    The score is not a sum over features. Contributions are a stand-in: the squared z-scores of each channel.

    Parameters
    ----------
    features : see `VectorDetector`.
    n_estimators : trees.
    random_state : seed of the trees.

    Attributes
    ----------
    roots_ : (tree,) first node of each tree. compared_, threshold_ : (node,) feature that is compared, and with what.
        below_, above_ : (node,) where it goes on, a leaf with itself. cuts_ : (node,) cuts up to a leaf, with those
        that its training windows would still take. usual_ : cuts that a window in the crowd takes.

    Source: F. T. Liu, K. M. Ting, Z.-H. Zhou, *Isolation forest*, ICDM 2008, as in scikit-learn.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> detector = IsolationForest().fit(rng.standard_normal((200, 3, 50)))
    >>> normal, odd = detector.score_samples(rng.standard_normal((2, 3, 50)) * np.array([1.0, 2.0])[:, None, None])
    >>> bool(normal < 0.5 < odd)
    True
    """

    roots_: np.ndarray
    usual_: float

    def __init__(self, features: Any = None, n_estimators: int = 100, random_state: int = 0) -> None:
        self.features = features
        self.n_estimators = n_estimators
        self.random_state = random_state

    def _fit_vectors(self, z: np.ndarray) -> None:
        from sklearn.ensemble import IsolationForest as Forest  # grown trees are walked without it

        forest = Forest(n_estimators=self.n_estimators, random_state=self.random_state).fit(z)
        trees = [estimator.tree_ for estimator in forest.estimators_]
        sizes = np.array([tree.node_count for tree in trees])
        self.roots_ = np.cumsum(sizes) - sizes
        first = np.repeat(self.roots_, sizes)
        own = np.arange(len(first))
        leaf = np.concatenate([tree.children_left for tree in trees]) < 0
        self.compared_ = np.where(leaf, 0, np.concatenate([tree.feature for tree in trees]))
        self.threshold_ = np.where(leaf, 0.0, np.concatenate([tree.threshold for tree in trees]))
        self.below_ = np.where(leaf, own, np.concatenate([tree.children_left for tree in trees]) + first)
        self.above_ = np.where(leaf, own, np.concatenate([tree.children_right for tree in trees]) + first)
        depth = np.zeros(len(own))
        for node in np.flatnonzero(~leaf):  # parents come before their children
            depth[[self.below_[node], self.above_[node]]] = depth[node] + 1
        self.cuts_ = depth + _usual_cuts(np.concatenate([tree.n_node_samples for tree in trees]))
        self.usual_ = float(_usual_cuts(np.array([forest.max_samples_]))[0])

    def _parts(self, z: np.ndarray) -> np.ndarray:
        return np.square(z)

    def _vector_scores(self, z: np.ndarray, parts: np.ndarray) -> np.ndarray:
        rows, single = np.arange(len(z)), z.astype(np.float32)  # as the trees were grown
        cuts = np.zeros(len(z))
        for root in self.roots_:
            node = np.full(len(z), root)
            while True:
                onward = np.where(
                    single[rows, self.compared_[node]] <= self.threshold_[node], self.below_[node], self.above_[node]
                )
                if (onward == node).all():
                    break
                node = onward
            cuts += self.cuts_[node]
        return np.asarray(2.0 ** (-cuts / (len(self.roots_) * self.usual_)))


def _usual_cuts(count: np.ndarray) -> np.ndarray:
    """Cuts that set one of so many windows apart on average."""
    many = np.maximum(count, 3)
    usual = 2 * (np.log(many - 1.0) + np.euler_gamma) - 2 * (many - 1.0) / many
    return np.where(count <= 1, 0.0, np.where(count == 2, 1.0, usual))
