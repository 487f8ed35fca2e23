"""Self-attention over the positions of a feature map."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SelfAttention", "attend", "attention_weights"]


class SelfAttention(nn.Module):
    """What each position takes from all others is added to what it has: gamma * o + x.

    f, g and h are 1 x 1 convolutions, that is, one matrix each applied at every position; s_ij = f(x_i)^T g(x_j),
    beta_ji = softmax over i of s_ij, o_j = sum over i of beta_ji h(x_i). The three matrices are held as one, in this
    order. As o is linear in h, gamma multiplies the matrix of h: the same function, without a pass over all maps.

    Everything here is float32, also under autocast: backwards in bfloat16 torch's kernel for processors takes five
    times as long.

    Parameters
    ----------
    filters : number of filters of the map, and of each of f, g and h.
    gamma : where gamma starts. At 0 the layer begins as the identity, and in the very first step only gamma learns.

    Source: Zhang et al., "Self-attention generative adversarial networks", ICML 2019.
    """

    def __init__(self, filters: int, gamma: float = 0.0) -> None:
        super().__init__()
        self.fgh = nn.Linear(filters, 3 * filters)
        self.gamma = nn.Parameter(torch.tensor([gamma]))

    def forward(self, positions: Float[Tensor, "batch position filter"]) -> Float[Tensor, "batch position filter"]:
        with torch.autocast(positions.device.type, enabled=False):
            positions = positions.float()
            f, g, taken = self._fgh(positions)
            return attend(f, g, taken) + positions

    def weights(self, positions: Float[Tensor, "batch position filter"]) -> Float[Tensor, "batch position position"]:
        """beta by the written-out formula; [j, i] = share of position i in what j takes."""
        with torch.autocast(positions.device.type, enabled=False):
            f, g, _ = self._fgh(positions.float())
            return attention_weights(f, g)

    def _fgh(self, positions: Tensor) -> tuple[Tensor, ...]:
        """f, g and gamma * h of all positions."""
        filters = positions.shape[2]
        scale = torch.cat((self.gamma.new_ones(2 * filters), self.gamma.expand(filters)))
        return functional.linear(positions, self.fgh.weight * scale[:, None], self.fgh.bias * scale).chunk(3, dim=2)


def attention_weights(
    f: Float[Tensor, "batch position filter"], g: Float[Tensor, "batch position filter"]
) -> Float[Tensor, "batch position position"]:
    """beta_ji = softmax over i of f_i^T g_j, as [j, i]; each row sums to 1."""
    return (g @ f.transpose(1, 2)).softmax(dim=2)


def attend(
    f: Float[Tensor, "batch position filter"],
    g: Float[Tensor, "batch position filter"],
    h: Float[Tensor, "batch position filter"],
) -> Float[Tensor, "batch position filter"]:
    """o_j = sum over i of beta_ji h_i, without the matrix of all pairs in memory.

    >>> f, g, h = torch.randn(3, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(attend(f, g, h), attention_weights(f, g) @ h, atol=1e-5)
    True
    """
    query, key, value = (part.unsqueeze(1) for part in (g, f, h))  # one head
    return functional.scaled_dot_product_attention(query, key, value, scale=1.0).squeeze(1)
