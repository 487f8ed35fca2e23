"""Running statistics of batch norms: forgotten, and measured again on data."""

from __future__ import annotations

import torch
from torch import nn

from jointwatch.models.base import batch_norms
from jointwatch.training.data import Batches

__all__ = ["estimate_statistics", "reset_statistics"]


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
