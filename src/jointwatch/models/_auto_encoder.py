"""One-dimensional convolutional auto-encoder of a feature vector: ten figures from which it is rebuilt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from jointwatch.core.errors import UsageError

__all__ = ["AutoEncoder"]


class AutoEncoder(nn.Module):
    """Two same-padded convolutions with tanh, pooling after each, two dense layers down to the code; back the same way
    with upsampling.

    It is no entry of the catalog and no `Network`: a network of `models` ends in a classifier through which every
    parameter is trained, and takes windows of any length. This one has a decoder instead, and its dense layers fix the
    length.

    Parameters
    ----------
    length : figures of a vector.
    code : figures of the code.
    filters, kernels : of the two convolutions, kernels odd.
    pool : how many neighbours are averaged after each convolution.
    hidden : width of the dense layer before the code.

    Errors: `UsageError` for an even kernel, or sizes below 1.

    Source: fusion code of M2 (docs/transmission-error.md); G. E. Hinton, R. R. Salakhutdinov, Science 313, 2006.

    >>> _ = torch.manual_seed(0)
    >>> network = AutoEncoder(length=2500)
    >>> network.encode(torch.zeros(3, 1, 2500)).shape, network(torch.zeros(3, 1, 2500)).shape
    (torch.Size([3, 10]), torch.Size([3, 1, 2500]))
    """

    def __init__(
        self,
        length: int,
        code: int = 10,
        filters: Sequence[int] = (8, 8),
        kernels: Sequence[int] = (7, 5),
        pool: int = 5,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        if len(filters) != 2 or len(kernels) != 2 or any(size % 2 == 0 for size in kernels):
            raise UsageError(f"two filters and two odd kernels are needed, got {tuple(filters)} and {tuple(kernels)}")
        if min(length, code, pool, hidden, *filters, *kernels) < 1:
            raise UsageError("sizes of an auto-encoder are 1 or more")
        self.length, self.code, self.pool, self.hidden = length, code, pool, hidden
        self.filters, self.kernels = tuple(filters), tuple(kernels)
        first, second = self.filters
        self.sizes = (math.ceil(length / pool), math.ceil(math.ceil(length / pool) / pool))
        flat = second * self.sizes[1]
        self.squeeze = nn.ModuleList(
            [
                nn.Conv1d(1, first, self.kernels[0], padding="same"),
                nn.Conv1d(first, second, self.kernels[1], padding="same"),
                nn.Linear(flat, hidden),
                nn.Linear(hidden, code),
            ]
        )
        self.unfold = nn.ModuleList(
            [
                nn.Linear(code, hidden),
                nn.Linear(hidden, flat),
                nn.Conv1d(second, first, self.kernels[1], padding="same"),
                nn.Conv1d(first, 1, self.kernels[0], padding="same"),
            ]
        )

    def encode(self, values: Float[Tensor, "row 1 length"]) -> Float[Tensor, "row code"]:
        """The code, not bounded.

        Errors: `UsageError` for vectors of another length.
        """
        if values.shape[1:] != (1, self.length):
            raise UsageError(f"this auto-encoder takes (row, 1, {self.length}), got {tuple(values.shape)}")
        maps = values
        for layer in self.squeeze[:2]:
            maps = functional.avg_pool1d(torch.tanh(layer(maps)), self.pool, ceil_mode=True)
        code: Tensor = self.squeeze[3](torch.tanh(self.squeeze[2](maps.flatten(1))))
        return code

    def decode(self, code: Float[Tensor, "row code"]) -> Float[Tensor, "row 1 length"]:
        """The vector that the code stands for."""
        flat = torch.tanh(self.unfold[1](torch.tanh(self.unfold[0](code))))
        maps = functional.interpolate(flat.unflatten(1, (self.filters[1], self.sizes[1])), size=self.sizes[0])
        maps = functional.interpolate(torch.tanh(self.unfold[2](maps)), size=self.length)
        rebuilt: Tensor = self.unfold[3](maps)
        return rebuilt

    def forward(self, values: Float[Tensor, "row 1 length"]) -> Float[Tensor, "row 1 length"]:
        """The vector rebuilt from its code."""
        return self.decode(self.encode(values))

    def config(self) -> dict[str, Any]:
        """Constructor arguments as JSON values."""
        names = ("length", "code", "filters", "kernels", "pool", "hidden")
        return {name: list(value) if isinstance(value := getattr(self, name), tuple) else value for name in names}
