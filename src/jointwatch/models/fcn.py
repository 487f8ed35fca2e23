"""Fully convolutional 1-D network (128, 256, 128 filters) with global average pooling."""

from __future__ import annotations

from collections.abc import Sequence

from jointwatch.models.cnn1d import Cnn1d

__all__ = ["Fcn"]


class Fcn(Cnn1d):
    """`Cnn1d` in the widths and kernels it was published with: convolutions over time, each with batch norm and
    ReLU, then the mean over time; any length.

    The published kernels are 8, 5 and 3 samples; the first is 7 here, as an even one cannot keep the length.

    Parameters
    ----------
    channels, classes, filters, kernels, dropout : see `models.cnn1d.Cnn1d`.

    Source: Wang, Yan & Oates, "Time series classification from scratch with deep neural networks", IJCNN 2017.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> Fcn(channels=9).eval()(torch.zeros(5, 9, 16)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        channels: int,
        classes: int = 2,
        filters: Sequence[int] = (128, 256, 128),
        kernels: Sequence[int] = (7, 5, 3),
        dropout: float = 0.0,
    ) -> None:
        super().__init__(channels, classes, filters, kernels, dropout)
