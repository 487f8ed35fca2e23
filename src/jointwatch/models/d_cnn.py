"""D-CNN: dilated 2-D convolutional network over feature maps (time x feature)."""

from __future__ import annotations

from collections.abc import Sequence

from jointwatch.models._dilated import MapNetwork

__all__ = ["DCnn"]


class DCnn(MapNetwork):
    """`Cnn2d` whose kernels are spread by (D_t, D_f) in each layer, so that four layers see the whole map.

    With the default rates a position sees 11 blocks and 6 features to each side.

    Parameters
    ----------
    channels, length, classes, filters, hidden, kernel, dropout, batch_norm : see `models.cnn.Cnn2d`.
    dilations_time, dilations_feature : D_t and D_f, one a layer. Both must obey the hybrid-dilation rule
        (`models._dilated.check_rates`), which keeps every position within reach in sight.

    Errors: `UsageError` for rates that leave holes, and as `Cnn2d`.

    Source: reducer-fault transfer between robot axes; rule: Wang et al., "Understanding convolution for semantic
    segmentation", WACV 2018.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> DCnn(channels=9, length=16).eval()(torch.zeros(5, 9, 16)).shape
    torch.Size([5, 2])
    >>> DCnn(channels=9, length=16, dilations_time=(2, 2, 2, 2))
    Traceback (most recent call last):
        ...
    jointwatch.core.errors.UsageError: dilation rates (2, 2, 2, 2) in time direction: M_2 = 2 is within the kernel \
(3), but layer 1 (rate 2) leaves a grid: nothing at distance 1 is seen; (1, 2, 2, 2) obeys
    """

    def __init__(
        self,
        channels: int,
        length: int,
        classes: int = 2,
        filters: int = 16,
        hidden: int = 64,
        kernel: int = 3,
        dilations_time: Sequence[int] = (1, 2, 3, 5),
        dilations_feature: Sequence[int] = (1, 1, 2, 2),
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__(
            channels,
            length,
            classes,
            filters,
            hidden,
            kernel,
            dilations_time,
            dilations_feature,
            dropout,
            batch_norm,
        )
        self.dilations_time, self.dilations_feature = tuple(dilations_time), tuple(dilations_feature)
