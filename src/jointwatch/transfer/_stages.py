"""Stages that adversarial strategies share: a classifier on the sources before, statistics of the target after."""

from __future__ import annotations

from jointwatch.models.base import Network
from jointwatch.training.batch_norm import estimate_statistics
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.domains import Domains
from jointwatch.training.loop import fit
from jointwatch.training.objectives import Supervised
from jointwatch.training.options import Options
from jointwatch.transfer._adaptation import Task

__all__ = ["calibrated", "fit_on_sources"]

_ROWS = 256  # of a batch whose statistics are measured


def fit_on_sources(network: Network, task: Task, options: Options, batch_size: int, minimum_steps: int) -> Network:
    """Train in place on the labels of the sources, and of the target's rows where a few have some."""
    parts = [*task.sources, *([] if task.labelled is None else [task.labelled])]
    batches = Domains(parts, batch_size, task.seed, minimum_steps)
    fit(network, batches, Supervised(task.class_weights), options)
    return network


def calibrated(network: Network, task: Task) -> Network:
    """The same network with running statistics of the target's rows.

    While domains are aligned each batch norm sees one domain at a time, but its running statistics mix them all: with
    the mixture the target would be judged in another scale than the one in which it was aligned.
    """
    rows = task.target if task.labelled is None else Batch.concatenate([task.target, task.labelled])
    estimate_statistics(network, Shuffled(rows, _ROWS, task.seed))
    return network
