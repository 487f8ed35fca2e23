"""AD-CNN: dilated 2-D convolutional network over feature maps with self-attention over all positions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from jointwatch.models._attention import SelfAttention
from jointwatch.models.d_cnn import DCnn

__all__ = ["AdCnn"]


class AdCnn(DCnn):
    """`DCnn` with self-attention between the last convolution and the dense layers.

    Each position j of the map takes from all positions i what the learned f, g and h say:
    s_ij = f(x_i)^T g(x_j), beta_ji = softmax over i of s_ij, o_j = sum over i of beta_ji h(x_i); gamma * o_j is added
    to what was there. gamma is learned from `gamma_start` = 0, so the network begins as the `DCnn` of the same seed.

    Parameters
    ----------
    channels, length, classes, filters, hidden, kernel, dilations_time, dilations_feature, dropout, batch_norm : see
        `models.d_cnn.DCnn`.
    gamma_start : where gamma starts; with 0, as published, f, g and h learn from the second step on.

    Errors: as `DCnn`.

    Source: reducer-fault transfer between robot axes; attention: Zhang et al., "Self-attention generative adversarial
    networks", ICML 2019.

    >>> _ = torch.manual_seed(0)
    >>> network, maps = AdCnn(channels=9, length=16).eval(), torch.zeros(5, 9, 16)
    >>> network(maps).shape, network.attention(maps).shape, network.attention_matrix(maps).shape
    (torch.Size([5, 2]), torch.Size([5, 16, 9]), torch.Size([5, 16, 9, 16, 9]))
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
        gamma_start: float = 0.0,
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
        self.gamma_start = gamma_start
        self.self_attention = SelfAttention(filters, gamma_start)

    def embed(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None = None
    ) -> Float[Tensor, "batch feature"]:
        """(batch, channels x length x filters) values after the attention, float32."""
        return self.self_attention(self._positions(values, mask)).flatten(1)

    def attention(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None = None
    ) -> Float[Tensor, "batch time channel"]:
        """Share of each position (block, feature) in what all positions take on average; a map sums to 1.

        It tells where the attention looks, not what that does to the verdict: that goes with gamma
        (`network.self_attention.gamma`).
        """
        return self.attention_matrix(values, mask).mean((1, 2))

    def attention_matrix(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None = None
    ) -> Float[Tensor, "batch time channel time channel"]:
        """beta_ji as [j's block, j's feature, i's block, i's feature]: what j takes from i; sums to 1 over i.

        Both read-outs are without gradient, in the mode the network is in (`eval()` first where it has batch norms).
        """
        size = (self.channels, self.length)
        with torch.no_grad():
            weights = self.self_attention.weights(self._positions(values, mask))
        return weights.unflatten(2, size).unflatten(1, size).permute(0, 2, 1, 4, 3)
