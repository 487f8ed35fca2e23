"""Self-training: what the network is sure of in the target becomes its label, the easiest rows first."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network
from jointwatch.training.data import Batch
from jointwatch.training.frozen import embed_all
from jointwatch.training.objectives import balanced_weights, cross_entropy
from jointwatch.transfer._adaptation import Adaptation, Beside, Embedded, Task, calibrated, network_of

__all__ = ["SelfTraining"]


@dataclass(eq=False, repr=False)
class SelfTraining(Adaptation):
    """The network learns the sources first. Then in each of several rounds it classifies the target, of each class the
    rows that it is surest of get the class as their label, and it is trained further on sources and these rows. The
    share of rows that are taken grows from round to round.

    A row must be both among the surest of its class and above the threshold. Of every class the same share is taken,
    and in the loss each class that was taken counts the same, so that the easiest one does not swallow the others.
    Labels are given anew in each round. Labelled rows of the target count as much as all that were taken.

    Parameters
    ----------
    weight : of the target's rows beside the cross-entropy of the sources.
    epochs : of the whole: half on the sources, the rest in rounds.
    rounds : how often labels are given.
    share : of the target's rows of a class that are taken in the last round; round r of n takes r / n of it.
    threshold : least probability of the class. The others are those of every adaptation: see `Adaptation`.

    Errors: `UsageError` for no round, or a share or threshold that is none.

    Source: Zou et al., "Unsupervised domain adaptation for semantic segmentation via class-balanced self-training",
    ECCV 2018; the threshold as in Lee, "Pseudo-label", ICML workshops 2013.

    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> SelfTraining(epochs=4).align(Cnn1d(2, filters=(4, 4, 8)), source, target)(target.values).shape
    torch.Size([20, 2])
    """

    rounds: int = 3
    share: float = 0.9
    threshold: float = 0.7
    uses_bare_target: ClassVar[bool] = False

    def _align(self, network: Network, task: Task) -> Network:
        if self.rounds < 1 or not 0 < self.share <= 1 or not 0 <= self.threshold < 1:
            raise UsageError(
                f"self-training takes one round or more, a share in (0, 1] and a threshold in [0, 1), got "
                f"{self.rounds}, {self.share} and {self.threshold}"
            )
        epochs = max(self.epochs // (2 * self.rounds), 1)
        stage = replace(self, epochs=max(self.epochs - self.rounds * epochs, 1))
        network = Adaptation._align(stage, network, task)
        for number in range(1, self.rounds + 1):
            chosen, label = surest(_probabilities(network, task), self.share * number / self.rounds, self.threshold)
            taken = replace(task.target, label=torch.from_numpy(label)).take(chosen)
            known = replace(task, labelled=_together(task.labelled, taken))
            network = Adaptation._align(replace(self, epochs=epochs), network, known)
        return network

    def _opened(self, network: Network, task: Task) -> nn.Module:
        opened = Beside(network)
        label = np.empty(0, np.int64) if task.labelled is None else task.labelled.label.numpy()
        weights = balanced_weights(label, int(network.config()["classes"]))
        opened.register_buffer("target_weights", torch.tensor(weights))
        return opened

    def _loss(self, opened: nn.Module, rows: Embedded, progress: float, class_weights: Tensor | None) -> Tensor:
        weights = opened.target_weights
        assert isinstance(weights, Tensor)
        here = rows.target
        loss = cross_entropy(rows.logits[~here], rows.label[~here], class_weights)
        return loss + self.weight * cross_entropy(rows.logits[here], rows.label[here], weights)

    def _closed(self, opened: nn.Module, task: Task) -> Network:
        return calibrated(network_of(opened), replace(task, labelled=None))


def surest(probabilities: np.ndarray, share: float, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose class may be taken for true, in their order, and the most likely class of every row.

    Of the rows most likely of a class the given share, rounded up, and of these the ones whose probability is not
    below the threshold.

    Parameters
    ----------
    probabilities : (row, class).

    >>> sure = np.array([0.9, 0.6, 0.8, 0.95, 0.2, 0.3])
    >>> rows, label = surest(np.stack([sure, 1 - sure], axis=1), share=0.5, threshold=0.75)
    >>> rows.tolist(), label.tolist()
    ([0, 3, 4], [0, 0, 0, 0, 1, 1])
    """
    label, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    taken = []
    for number in np.unique(label):
        rows = np.flatnonzero(label == number)
        rows = rows[np.argsort(-confidence[rows], kind="stable")][: math.ceil(share * len(rows))]
        taken.append(rows[confidence[rows] >= threshold])
    return np.sort(np.concatenate(taken)), label.astype(np.int64)


def _probabilities(network: Network, task: Task) -> np.ndarray:
    embedded = embed_all(network, task.target, device=task.device)
    with torch.no_grad():
        return network.head(embedded).softmax(dim=1).numpy()


def _together(labelled: Batch | None, taken: Batch) -> Batch | None:
    """Rows with a given label, repeated so that they are as many as those that were taken, and these."""
    if labelled is None or not len(taken):
        return taken if labelled is None and len(taken) else labelled
    repeated = labelled.take(np.arange(max(len(taken), len(labelled))) % len(labelled))
    return Batch.concatenate([repeated, taken])
