"""Encoder weights get low-rank updates, merged into plain weights after training; the head is trained in full."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network
from jointwatch.training.data import Batches
from jointwatch.training.groups import Group
from jointwatch.training.seed import seeded
from jointwatch.transfer._fine_tuning import FineTuning

__all__ = ["Lora"]


@dataclass(eq=False, repr=False)
class Lora(FineTuning):
    """Each weight of a dense, convolution or recurrent layer becomes W + (alpha / rank) B A, with A (rank, inputs x
    kernel) random, B (outputs, rank) zero at the start, and W, biases and batch norms frozen. The result is a plain
    network of the same size as before.

    Parameters
    ----------
    rank : of the update; a weight with fewer rows or columns gets as many as it has.
    alpha : scale of the update; None = `rank`, so that the factor is 1. The others are those of every fine-tuning:
        see `FineTuning`.

    Source: Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> with seeded(0):
    ...     source, label = Cnn1d(2, filters=(8, 8, 8)), np.arange(20) % 2
    >>> target = Batch.of_arrays(np.random.default_rng(0).standard_normal((20, 2, 16)), label=label)
    >>> network = Lora(epochs=2, rank=2).tune(source, target)
    >>> change = (network.encoder[3].weight - source.encoder[3].weight).detach().flatten(1)
    >>> int(torch.linalg.matrix_rank(change, rtol=1e-3)), list(network.state_dict()) == list(source.state_dict())
    (2, True)
    """

    rank: int = 4
    alpha: float | None = None

    def _opened(self, network: Network, seed: int) -> Network:
        if self.rank < 1:
            raise UsageError(f"an update has a rank of 1 or more, got {self.rank}")
        opened = copy.deepcopy(network)
        with seeded(seed):
            for module, name, weight in list(_weights(opened)):
                rank = min(self.rank, weight.shape[0], weight[0].numel())
                scale = (self.rank if self.alpha is None else self.alpha) / self.rank
                parametrize.register_parametrization(module, name, _LowRank(weight, rank, scale))
        return opened

    def _groups(self, network: Network) -> Sequence[Group]:
        updates = {
            f"{path}.{key}": parameter
            for path, module in network.named_modules()
            if isinstance(module, _LowRank)
            for key, parameter in module.named_parameters()
        }
        return [Group(network.part("head") | updates)]

    def _closed(self, trained: Network, start: Network, batches: Batches) -> Network:
        merged = {}
        with torch.no_grad():
            for name in start.state_dict():
                path, _, attribute = name.rpartition(".")
                merged[name] = getattr(trained.get_submodule(path), attribute)
        start.load_state_dict(merged)
        return start


class _LowRank(nn.Module):
    """A weight, flattened to (output, rest), plus scale x B A."""

    def __init__(self, weight: Tensor, rank: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.a = nn.Parameter(torch.empty(rank, weight[0].numel()))
        self.b = nn.Parameter(torch.zeros(weight.shape[0], rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scale * (self.b @ self.a).view_as(weight)


def _weights(network: Network) -> Iterator[tuple[nn.Module, str, nn.Parameter]]:
    """Matrices and kernels of the encoder."""
    head = set(network.head.modules())
    for module in network.modules():
        if module not in head:
            for name, parameter in module.named_parameters(recurse=False):
                if parameter.ndim > 1:
                    yield module, name, parameter
