"""Running statistics of batch norms: forgotten, and measured again on data."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from jointwatch.models._onnx_graph import GraphFunction
from jointwatch.models.base import batch_norms
from jointwatch.training.data import Batches

__all__ = ["BatchStatistics", "estimate_statistics", "reset_statistics", "running_statistics", "statistics_function"]


def reset_statistics(network: nn.Module) -> None:
    """Running means to 0 and variances to 1, as in a network that has seen nothing."""
    for norm in batch_norms(network):
        norm.reset_running_stats()


def estimate_statistics(network: nn.Module, batches: Batches, epoch: int = 0) -> None:
    """Replace the running statistics by the mean over one epoch of batches; nothing else changes.

    The moving average of training needs some 30 steps to forget where it began, more than a fine-tuning on a few
    hundred windows takes; a plain mean needs none (as torch.optim.swa_utils.update_bn).
    """
    norms = batch_norms(network)
    if not norms:
        return
    modes = {module: module.training for module in network.modules()}
    momenta = [norm.momentum for norm in norms]
    reset_statistics(network)
    network.eval()
    for norm in norms:
        norm.train()
        norm.momentum = None  # cumulative mean
    try:
        with torch.inference_mode():
            for step in range(len(batches)):
                batch = batches.batch(epoch, step)
                network(batch.values, batch.mask)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes.items():
            module.training = mode


def running_statistics(network: nn.Module) -> dict[str, Tensor]:
    """Running means and variances by their names in the network, layer by layer, mean before variance."""
    norms = {id(norm) for norm in batch_norms(network)}
    return {
        f"{place}.{name}" if place else name: getattr(module, name)
        for place, module in network.named_modules()
        if id(module) in norms
        for name in ("running_mean", "running_var")
    }


class BatchStatistics:
    """What `estimate_statistics` averages, of one batch: (values, mask) -> mean and variance of what goes into each
    batch norm, every layer normalised by the batch itself; in the order of `running_statistics`.

    It works on a copy; the network itself is not changed.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = copy.deepcopy(network).eval()
        self._norms = batch_norms(self._network)
        self._found: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        for norm in self._norms:
            norm.train()
            norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None
            norm.register_forward_pre_hook(self._measure)

    def __call__(self, values: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        self._network(values, mask)
        return tuple(figure for norm in self._norms for figure in self._found[norm])

    def _measure(self, norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (x,) = inputs
        across = [axis for axis in range(x.ndim) if axis != 1]
        self._found[norm] = x.mean(across), x.var(across, unbiased=True)


def statistics_function(network: nn.Module, inputs: Mapping[str, Tensor]) -> GraphFunction:
    """`BatchStatistics` of a network that has batch norms, as what becomes a graph."""
    return GraphFunction(BatchStatistics(network), inputs, tuple(running_statistics(network)))
