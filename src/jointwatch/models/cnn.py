"""2-D convolutional network over feature maps (time x feature), without dilation."""

from __future__ import annotations

from jointwatch.models._dilated import MapNetwork

__all__ = ["Cnn2d"]

_LAYERS = 4


class Cnn2d(MapNetwork):
    """Four convolutions of stride 1 that keep the size, each with ReLU, then two dense layers (`head`).

    Parameters
    ----------
    channels, length : N_f features and N_t blocks of a map; both are fixed, as the dense layers see the whole map.
    classes : number of logits; class 0 = normal.
    filters : of each convolution.
    hidden : width of the first dense layer.
    kernel : odd size of the kernels in both directions.
    dropout : share of the first dense layer's values dropped while training.
    batch_norm : a batch norm after each convolution; the published network has none, fine-tuning by batch norms needs
        them.

    Errors: `UsageError` for sizes below 1, an even kernel, or windows of another shape.

    Source: the plain baseline of reducer-fault transfer between robot axes.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> network = Cnn2d(channels=9, length=16).eval()
    >>> network(torch.zeros(5, 9, 16)).shape, network.embed(torch.zeros(5, 9, 16)).shape
    (torch.Size([5, 2]), torch.Size([5, 2304]))
    """

    def __init__(
        self,
        channels: int,
        length: int,
        classes: int = 2,
        filters: int = 16,
        hidden: int = 64,
        kernel: int = 3,
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        plain = (1,) * _LAYERS
        super().__init__(channels, length, classes, filters, hidden, kernel, plain, plain, dropout, batch_norm)
