"""Supervised contrastive learning: rows of one class come together, whatever brand they are from."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from jointwatch.core.errors import UsageError

__all__ = ["ProjectionHead", "supervised_contrastive"]


def supervised_contrastive(
    embedded: Float[Tensor, "row feature"], label: Int[Tensor, " row"], temperature: float = 0.07
) -> Float[Tensor, ""]:
    """How badly each row finds the others of its class among all: with z the rows brought to length 1 and t the
    temperature, the mean over rows i of the mean over the other rows p of its class of
    -log(exp(z_i z_p / t) / sum over all a but i of exp(z_i z_a / t)).

    Rows without a label (-1) are left out; one that is alone in its class is only what others are compared with. Where
    no class has two rows it is 0. Computed in float32 at least.

    Parameters
    ----------
    embedded : of any length; only directions count.
    label : class, -1 = unknown.
    temperature : small = the nearest rows of other classes count most.

    Errors: `UsageError` for a temperature that is not positive.

    Source: Khosla et al., "Supervised contrastive learning", NeurIPS 2020 (their L_out).

    >>> rows = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    >>> apart, mixed = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    >>> [round(float(supervised_contrastive(rows, label, temperature=1.0)), 3) for label in (apart, mixed)]
    [0.551, 1.551]
    """
    if not temperature > 0:
        raise UsageError(f"the temperature of a contrastive loss is positive, got {temperature}")
    # autocast would multiply in bfloat16: at a temperature of 0.07 that costs the second digit
    with torch.autocast(embedded.device.type, enabled=False):
        known = label >= 0
        rows, label = embedded[known], label[known]
        rows = functional.normalize(rows.to(torch.promote_types(rows.dtype, torch.float32)), dim=1)
        itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
        alike = (label[:, None] == label) & ~itself
        anchors = alike.any(dim=1)
        if not anchors.any():
            return rows.sum() * 0.0
        similarity = (rows @ rows.T / temperature).masked_fill(itself, -torch.inf)
        loss = (similarity.logsumexp(dim=1, keepdim=True) - similarity)[anchors]
        alike = alike[anchors]
        return (loss.masked_fill(~alike, 0.0).sum(dim=1) / alike.sum(dim=1)).mean()


class ProjectionHead(nn.Module):
    """Two dense layers on the embedding in which the contrastive loss is taken; thrown away after training, so that
    the embedding itself keeps what the classifier needs.

    Parameters
    ----------
    features : of the embedding.
    outputs : of the projection. hidden : width between; None = as many as `features`.

    Source: Khosla et al., NeurIPS 2020.

    >>> _ = torch.manual_seed(0)
    >>> ProjectionHead(64, outputs=16)(torch.zeros(3, 64)).shape
    torch.Size([3, 16])
    """

    def __init__(self, features: int, outputs: int = 128, hidden: int | None = None) -> None:
        super().__init__()
        hidden = features if hidden is None else hidden
        if min(features, outputs, hidden) < 1:
            raise UsageError(f"a projection head has widths from 1, got {features}, {hidden} and {outputs}")
        self.layers = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, outputs))

    def forward(self, embedded: Float[Tensor, "row feature"]) -> Float[Tensor, "row output"]:
        """The projection, of any length: `supervised_contrastive` brings it to 1."""
        return self.layers(embedded)
