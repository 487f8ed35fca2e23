"""The choice without labels on tasks whose answer is known: never the model that negative transfer has spoilt."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from jointwatch.selection.consensus import consensus
from jointwatch.selection.scores import Source, Target

CLASSES, SIZE, ROWS = 3, 5, 150


def task(seed: int) -> tuple[dict[str, tuple[Source, Target]], dict[str, float]]:
    """Candidates of a target with another offset and other gains, and their true balanced accuracy on it."""
    rng = np.random.default_rng(seed)
    centres = 2 * rng.standard_normal((CLASSES, SIZE))
    offset, gain = 2 * rng.standard_normal(SIZE), np.exp(0.5 * rng.standard_normal(SIZE))

    def draw() -> tuple[np.ndarray, np.ndarray]:
        label = rng.integers(0, CLASSES, ROWS)
        return centres[label] + rng.standard_normal((ROWS, SIZE)), label

    (train, known), (held, truth), (target, answer) = draw(), draw(), draw()
    target = target * gain + offset
    model = LogisticRegression(max_iter=300).fit(train, known)
    aligned = (target - target.mean(axis=0)) / target.std(axis=0) * train.std(axis=0) + train.mean(axis=0)
    turned = aligned @ np.linalg.qr(rng.standard_normal((SIZE, SIZE)))[0]
    views = {
        "source only": target,
        "mean": target - target.mean(axis=0) + train.mean(axis=0),
        "z-score": aligned,
        "negative transfer": turned,
    }
    source = Source(held, model.decision_function(held), truth)
    said = {name: (source, Target(view, model.decision_function(view))) for name, view in views.items()}
    said["one class"] = (source, Target(target, np.tile([9.0, 0.0, 0.0], (ROWS, 1))))
    right = {
        name: float(np.mean([(found.said[answer == c] == c).mean() for c in range(CLASSES)]))
        for name, (_, found) in said.items()
    }
    return said, right


def test_what_is_chosen_is_close_to_the_best_and_no_worse_than_the_source_model() -> None:
    regret, gain, spoilt = [], [], []
    for seed in range(12):
        said, right = task(seed)
        ranking = consensus(said)
        assert "one class" not in ranking.names
        regret.append(max(right.values()) - right[ranking.best])
        gain.append(right[ranking.best] - right["source only"])
        spoilt.append(right["negative transfer"])
    assert np.mean(spoilt) < 0.6  # there is something to avoid,
    assert np.mean(gain) > 0.1  # and something to gain
    assert np.mean(regret) < 0.05
    assert min(gain) > -0.05
