"""The stage that several strategies begin with: a classifier on the sources."""

from __future__ import annotations

from jointwatch.models.base import Network
from jointwatch.training.domains import Domains
from jointwatch.training.loop import fit
from jointwatch.training.objectives import Supervised
from jointwatch.training.options import Options
from jointwatch.transfer._adaptation import Task

__all__ = ["fit_on_sources"]


def fit_on_sources(network: Network, task: Task, options: Options, batch_size: int, minimum_steps: int) -> Network:
    """Train in place on the labels of the sources, and of the target's rows where a few have some."""
    parts = [*task.sources, *([] if task.labelled is None else [task.labelled])]
    batches = Domains(parts, batch_size, task.seed, minimum_steps)
    fit(network, batches, Supervised(task.class_weights), options)
    return network
