"""LSTM over time whose last hidden state is classified."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network

__all__ = ["Lstm"]


class Lstm(Network):
    """One or two LSTM layers read the window sample by sample; any length.

    Parameters
    ----------
    channels, classes : numbers of inputs a sample and of logits; class 0 = normal.
    hidden : width of the state, and of the embedding.
    layers : number of LSTM layers.
    dropout : share of embedding values dropped before the classifier while training.

    Errors: `UsageError` for sizes below 1.

    Source: Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation 9, 1997.

    >>> _ = torch.manual_seed(0)
    >>> network = Lstm(channels=9).eval()
    >>> network(torch.zeros(5, 9, 16)).shape, network.embed(torch.zeros(5, 9, 16)).shape
    (torch.Size([5, 2]), torch.Size([5, 64]))
    """

    def __init__(
        self, channels: int, classes: int = 2, hidden: int = 64, layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        sizes = {"channels": channels, "classes": classes, "hidden": hidden, "layers": layers}
        if wrong := {name: size for name, size in sizes.items() if size < 1}:
            raise UsageError(f"sizes of a network are 1 or more, got {wrong}")
        self.channels, self.classes, self.hidden, self.layers = channels, classes, hidden, layers
        self.dropout = dropout
        self.encoder = nn.LSTM(channels, hidden, layers, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, classes))

    def embed(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None = None
    ) -> Float[Tensor, "batch feature"]:
        """(batch, hidden) state after the last sample, float32."""
        if mask is not None:
            values = torch.where(mask.unsqueeze(-1), values, 0.0)
        states, _ = self.encoder(values.transpose(1, 2))
        return states[:, -1].float()
