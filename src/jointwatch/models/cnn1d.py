"""1-D convolutional encoder (64, 128, 256 filters) with global average pooling and an anomaly head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network

__all__ = ["Cnn1d"]


class Cnn1d(Network):
    """Three same-padded convolutions over time, each with batch norm and ReLU, then the mean over time.

    Convolutions are written as 1 x k over a height of one. That is the same arithmetic as a 1-D convolution,
    and it lets the memory format choose the kernel at run time: `network.to(memory_format=torch.channels_last)`
    takes the fast one, `torch.contiguous_format` the plain one, with equal results up to rounding.

    Parameters
    ----------
    channels : number of input channels (24 for position, velocity, current and torque of six joints).
    classes : number of logits; 2 = normal, anomalous.
    filters, kernels : one entry a layer; kernels are odd numbers of samples.
    dropout : share of embedding values dropped before the classifier while training.

    Source: the shared encoder of domain-adversarial and batch-norm transfer across cobot brands (docs/transfer.md);
    the shape is that of the fully convolutional network of Wang, Yan & Oates (IJCNN 2017).

    >>> _ = torch.manual_seed(0)
    >>> network = Cnn1d(channels=24).eval()
    >>> network(torch.zeros(5, 24, 200)).shape, network.embed(torch.zeros(5, 24, 200)).shape
    (torch.Size([5, 2]), torch.Size([5, 256]))
    >>> sum(p.numel() for p in network.parameters())
    151426
    """

    def __init__(
        self,
        channels: int,
        classes: int = 2,
        filters: Sequence[int] = (64, 128, 256),
        kernels: Sequence[int] = (7, 5, 3),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if len(filters) != len(kernels) or not filters:
            raise UsageError(f"one kernel a layer: got {len(filters)} filters and {len(kernels)} kernels")
        if any(size < 1 or size % 2 == 0 for size in kernels):
            raise UsageError(f"kernels must be odd so that the length is kept, got {tuple(kernels)}")
        self.channels, self.classes, self.dropout = channels, classes, dropout
        self.filters, self.kernels = tuple(filters), tuple(kernels)
        layers: list[nn.Module] = []
        for inputs, outputs, size in zip((channels, *filters), filters, kernels, strict=False):
            layers += [
                nn.Conv2d(inputs, outputs, (1, size), padding=(0, size // 2), bias=False),  # batch norm has the bias
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        self.encoder = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.filters[-1], classes))

    def embed(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None = None
    ) -> Float[Tensor, "batch feature"]:
        """(batch, filters[-1]) mean over time of the last layer, float32."""
        if mask is not None:
            values = torch.where(mask.unsqueeze(-1), values, 0.0)
        maps = values.unsqueeze(2)
        if next(self.encoder.parameters()).is_contiguous(memory_format=torch.channels_last):
            maps = maps.contiguous(memory_format=torch.channels_last)
        return self.encoder(maps).mean((2, 3), dtype=torch.float32)
