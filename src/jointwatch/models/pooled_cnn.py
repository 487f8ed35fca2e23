"""1-D convolutional encoder that halves the time after each layer (64, 128, 128 filters), with dropout and a head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network

__all__ = ["PooledCnn"]


class PooledCnn(Network):
    """Convolutions over time, each with batch norm, ReLU and the larger of two neighbours; then the mean over time.

    Later layers see four to eight times as far as those of `Cnn1d` at a fraction of the work. Convolutions are written
    as 1 x k over a height of one, as in `Cnn1d`.

    Parameters
    ----------
    channels : number of input channels.
    classes : number of logits.
    filters, kernels : one entry a layer; kernels in samples, odd or even.
    dropout : share of values dropped behind the first layer while training.

    Source: the 1-D CNN of the benchmark AdaTime (Ragab et al., "AdaTime: a benchmarking suite for domain adaptation on
    time series data", ACM TKDD 17, 2023), whose sizes for UCI HAR are the defaults.

    >>> _ = torch.manual_seed(0)
    >>> network = PooledCnn(channels=9, classes=6).eval()
    >>> network(torch.zeros(5, 9, 128)).shape, network.embed(torch.zeros(5, 9, 128)).shape
    (torch.Size([5, 6]), torch.Size([5, 128]))
    >>> sum(p.numel() for p in network.parameters())
    200902
    """

    def __init__(
        self,
        channels: int,
        classes: int = 2,
        filters: Sequence[int] = (64, 128, 128),
        kernels: Sequence[int] = (5, 8, 8),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if len(filters) != len(kernels) or not filters:
            raise UsageError(f"one kernel a layer: got {len(filters)} filters and {len(kernels)} kernels")
        if any(size < 1 for size in kernels):
            raise UsageError(f"kernels are numbers of samples from 1, got {tuple(kernels)}")
        self.channels, self.classes, self.dropout = channels, classes, dropout
        self.filters, self.kernels = tuple(filters), tuple(kernels)
        layers: list[nn.Module] = []
        for inputs, outputs, size in zip((channels, *filters), filters, kernels, strict=False):
            layers += [
                nn.Conv2d(inputs, outputs, (1, size), padding=(0, size // 2), bias=False),  # batch norm has the bias
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
                nn.MaxPool2d((1, 2), padding=(0, 1)),  # padded, so that a single sample can be halved too
            ]
        layers.insert(4, nn.Dropout(dropout))
        self.encoder = nn.Sequential(*layers)
        self.head = nn.Linear(self.filters[-1], classes)

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
