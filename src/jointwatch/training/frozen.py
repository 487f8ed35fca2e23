"""Features of a frozen encoder, computed once: a head is then trained without running the encoder again."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network, set_memory_format
from jointwatch.training.data import Batch
from jointwatch.training.options import device_of

__all__ = ["OnFeatures", "embed_all", "features_of"]


def embed_all(
    network: Network, data: Batch, *, batch_size: int = 1024, device: str = "cpu"
) -> Float[Tensor, "row feature"]:
    """What the encoder of `network` gives for all rows, in evaluation mode and float32, on the CPU.

    An encoder whose parameters and running statistics stay gives the same features in every epoch, so a training of
    the head needs them once (Yosinski et al., "How transferable are features in deep neural networks?", NIPS 2014,
    call them frozen). The network itself is not touched.

    Errors: `UsageError` for data without rows.

    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> data = Batch.of_arrays(np.zeros((5, 2, 30)))
    >>> embed_all(Cnn1d(2, filters=(4, 4, 8)), data).shape
    torch.Size([5, 8])
    """
    if not len(data):
        raise UsageError("no rows to compute features of")
    target = device_of(device)
    encoder = copy.deepcopy(network).eval().to(target)
    set_memory_format(encoder, channels_last=True)
    found = []
    with torch.no_grad():
        for first in range(0, len(data), batch_size):
            rows = data.take(np.arange(first, min(first + batch_size, len(data)))).to(target)
            found.append(encoder.embed(rows.values, rows.mask).float().cpu())
    return torch.cat(found)


def features_of(network: Network, data: Batch, *, device: str = "cpu") -> Batch:
    """The same rows with their features in place of the signals, as (row, feature, 1): what `OnFeatures` takes."""
    features = embed_all(network, data, device=device).unsqueeze(-1)
    return replace(data, values=features, mask=torch.ones(features.shape[:2], dtype=torch.bool))


class OnFeatures(nn.Module):
    """A head as a network on batches of features (row, feature, 1); it is trained in place.

    >>> OnFeatures(nn.Linear(8, 2))(torch.zeros(5, 8, 1)).shape
    torch.Size([5, 2])
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(
        self, values: Float[Tensor, "batch feature 1"], mask: Bool[Tensor, "batch feature"] | None = None
    ) -> Float[Tensor, "batch class"]:
        # As in `Network.forward`: heads are computed in float32 always.
        with torch.autocast(values.device.type, enabled=False):
            return self.head(values.squeeze(-1))
