"""The encoder with what only its pre-training needs: vectors for what is hidden, and a decoder that tells it."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from jointwatch.models._joint_rows import SLOTS
from jointwatch.models._patch_encoder import PatchEncoder, patches_of

__all__ = ["MaskedPatches"]


class MaskedPatches(nn.Module):
    """Rebuilds the patches of a grid from those that are not hidden.

    What is hidden is a quantity of a joint during a patch: all quantities of a token, or one of them while the others
    are seen. In place of its samples the token gets a learned vector of that quantity, so that the encoder is told that
    something was there. The decoder is one linear map from the state of a token to all its quantities.

    It is no entry of the catalog: `encoder` is what is kept.

    Source: Devlin et al., "BERT", NAACL 2019; Zerveas et al., "A transformer-based framework for multivariate time
    series representation learning", KDD 2021 (spans of single variables are hidden).

    >>> _ = torch.manual_seed(0)
    >>> network = MaskedPatches(PatchEncoder(width=16, heads=2, layers=1))
    >>> there, hidden = torch.ones(2, 3, len(SLOTS), dtype=bool), torch.zeros(2, 3, 4, len(SLOTS), dtype=bool)
    >>> step_s, joint = torch.full((2,), 0.01), torch.ones(2, 3, dtype=int)
    >>> network(torch.zeros(2, 3, len(SLOTS), 70), there, step_s, joint, hidden).shape
    torch.Size([2, 3, 4, 10, 20])
    """

    def __init__(self, encoder: PatchEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.hidden = nn.Parameter(0.02 * torch.randn(len(SLOTS), encoder.width))
        self.decoder = nn.Linear(encoder.width, len(SLOTS) * encoder.patch)

    def forward(
        self,
        grid: Float[Tensor, "batch joint slot time"],
        there: Bool[Tensor, "batch joint slot"],
        step_s: Float[Tensor, " batch"],
        joint: Int[Tensor, "batch joint"],
        hidden: Bool[Tensor, "batch joint patch slot"],
    ) -> Float[Tensor, "batch joint patch slot sample"]:
        """Patches as the network believes they are, in the layout of `patches_of`; see `PatchEncoder.forward`."""
        encoder = self.encoder
        patches, step_s = patches_of(grid, step_s, encoder.patch, encoder.max_patches)
        given = there.unsqueeze(2).expand(-1, -1, patches.shape[2], -1)
        tokens = encoder.tokens(patches, given & ~hidden) + (given & hidden).to(self.hidden.dtype) @ self.hidden
        states = encoder.attend(tokens + encoder.codes(step_s, joint, patches.shape[2]), there.any(dim=2))
        rebuilt: Tensor = self.decoder(states).unflatten(3, (len(SLOTS), encoder.patch))
        return rebuilt
