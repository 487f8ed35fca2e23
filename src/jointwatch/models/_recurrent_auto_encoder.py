"""Convolutional and recurrent auto-encoder of windows: one code of 128 figures from which all channels are rebuilt."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from jointwatch.core.errors import UsageError

__all__ = ["RecurrentAutoEncoder"]


class RecurrentAutoEncoder(nn.Module):
    """Convolutions of stride 2, a bidirectional LSTM, its last states squeezed into the code; back the same way.

    The decoder gets the code at every step, and with it a vector of that step's place in the window that it learns:
    the windows of a cycle stand for phases, and a code that is repeated would have to count them. A linear map where
    the encoder's LSTM ends and another where the decoder's convolutions begin leave every figure unbounded.

    It is no entry of the catalog and no `Network`: there is no classifier, and the length is fixed.

    Parameters
    ----------
    channels, length : of a window; any length from 1.
    filters, kernels : one entry a convolution, kernels odd; each halves the length (rounded up).
    hidden : width of the LSTM in each direction.
    layers : of the LSTM.
    code : figures of the bottleneck.

    Errors: `UsageError` for even kernels, other counts of filters and kernels, sizes below 1, or other windows than
    said.

    Source: the unlabelled detector of cross-brand transfer (docs/transfer.md), about 2 million parameters at 24
    channels and 200 samples; LSTM auto-encoders: N. Srivastava et al., ICML 2015; P. Malhotra et al., ICML 2016
    anomaly detection workshop.

    >>> _ = torch.manual_seed(0)
    >>> network = RecurrentAutoEncoder(channels=24, length=200).eval()
    >>> network.encode(torch.zeros(3, 24, 200)).shape, network(torch.zeros(3, 24, 200)).shape
    (torch.Size([3, 128]), torch.Size([3, 24, 200]))
    >>> sum(p.numel() for p in network.parameters())
    2020504
    """

    def __init__(
        self,
        channels: int,
        length: int,
        filters: Sequence[int] = (64, 128, 256),
        kernels: Sequence[int] = (7, 5, 3),
        hidden: int = 128,
        layers: int = 2,
        code: int = 128,
    ) -> None:
        super().__init__()
        if len(filters) != len(kernels) or not filters or any(size % 2 == 0 for size in kernels):
            raise UsageError(f"one odd kernel for each filter is needed, got {tuple(filters)} and {tuple(kernels)}")
        if min(channels, length, hidden, layers, code, *filters, *kernels) < 1:
            raise UsageError("sizes of an auto-encoder are 1 or more")
        self.channels, self.length, self.hidden, self.layers, self.code = channels, length, hidden, layers, code
        self.filters, self.kernels = tuple(filters), tuple(kernels)
        self.sizes = [length]
        for _ in filters:
            self.sizes.append((self.sizes[-1] + 1) // 2)
        widths = (channels, *filters)
        self.down = nn.ModuleList(
            _block(inputs, outputs, size, stride=2)
            for inputs, outputs, size in zip(widths, filters, kernels, strict=False)
        )
        self.reads = nn.LSTM(widths[-1], hidden, layers, batch_first=True, bidirectional=True)
        self.squeeze = nn.Linear(2 * hidden, code)
        self.unfold = nn.Linear(code, 2 * hidden)
        self.place = nn.Parameter(0.1 * torch.randn(self.sizes[-1], 2 * hidden))
        self.writes = nn.LSTM(2 * hidden, hidden, layers, batch_first=True, bidirectional=True)
        self.spread = nn.Linear(2 * hidden, widths[-1])
        back = list(zip(widths[:0:-1], widths[-2:0:-1], kernels[:0:-1], strict=False))
        self.up = nn.ModuleList(_block(inputs, outputs, size) for inputs, outputs, size in back)
        self.last = nn.Conv1d(widths[1], channels, self.kernels[0], padding=self.kernels[0] // 2)

    def encode(
        self, values: Float[Tensor, "row channel length"], mask: Bool[Tensor, "row channel"] | None = None
    ) -> Float[Tensor, "row code"]:
        """The code, not bounded, float32.

        Errors: `UsageError` for windows of other channels or length.
        """
        if values.shape[1:] != (self.channels, self.length):
            raise UsageError(
                f"this auto-encoder takes (row, {self.channels}, {self.length}), got {tuple(values.shape)}"
            )
        maps = values if mask is None else torch.where(mask.unsqueeze(-1), values, 0.0)
        for block in self.down:
            maps = block(maps)
        _, (states, _) = self.reads(maps.transpose(1, 2))
        code: Tensor = self.squeeze(torch.cat([states[-2], states[-1]], dim=1))
        return code.float()

    def decode(self, code: Float[Tensor, "row code"]) -> Float[Tensor, "row channel length"]:
        """The window that the code stands for, float32."""
        steps, _ = self.writes(self.unfold(code).unsqueeze(1) + self.place)
        maps = self.spread(steps).transpose(1, 2)
        sizes = self.sizes[-2::-1]
        for block, size in zip(self.up, sizes, strict=False):
            maps = block(functional.interpolate(maps, size=size, mode="linear"))
        rebuilt: Tensor = self.last(functional.interpolate(maps, size=self.length, mode="linear"))
        return rebuilt.float()

    def forward(
        self, values: Float[Tensor, "row channel length"], mask: Bool[Tensor, "row channel"] | None = None
    ) -> Float[Tensor, "row channel length"]:
        """The window rebuilt from its code; 0 where a channel is absent, and what stands there has no influence."""
        rebuilt = self.decode(self.encode(values, mask))
        return rebuilt if mask is None else torch.where(mask.unsqueeze(-1), rebuilt, 0.0)

    def config(self) -> dict[str, Any]:
        """Constructor arguments as JSON values."""
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        return {name: list(value) if isinstance(value := getattr(self, name), tuple) else value for name in names}


def _block(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv1d(inputs, outputs, size, stride, size // 2, bias=False)  # the norm has the bias
    return nn.Sequential(convolution, nn.BatchNorm1d(outputs), nn.ReLU())
