"""Transformer over patches of every joint's signals: any number of joints, any length, any sampling rate."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from jointwatch.core.errors import UsageError
from jointwatch.models._joint_rows import SLOTS

__all__ = ["SIZES", "PatchEncoder", "held", "patch_count", "patches_of", "shortened"]

SIZES: dict[str, dict[str, int]] = {
    "small": {"width": 128, "heads": 4, "layers": 4},
    "paper": {"width": 256, "heads": 8, "layers": 6},
}
"""`paper` is strategy 6 as described; `small` is what two processor cores can train."""

_JOINTS = 16  # numbers that have a code of their own; beyond, and where the number is unknown, code 0
_PERIODS_S = (0.02, 80.0)  # shortest and longest period of the code of time
_PERIODS = 12
_NOWHERE = -1e4  # added to the attention to what is not there: its share is exactly 0 in float32


class PatchEncoder(nn.Module):
    """One token is what one joint did during `patch` samples: all its quantities, those that are there.

    All joints share the weights. What tells tokens apart is added to them: which quantities are there, the time of the
    patch's centre in seconds, the sampling rate, and the number of the joint from the base (0 = not told). So windows
    of other joints, lengths and rates are other numbers of tokens and other codes, not other weights. Windows of more
    than `max_patches` patches are averaged over so many neighbouring samples that they fit: 20 s at 1 kHz are then seen
    at 62.5 Hz. Who needs what is faster cuts shorter windows.

    Pre-norm blocks attend in turn over the patches of a joint and over the joints at one moment (divided attention):
    which tokens belong together need not be learned, and no attention is over all tokens of a window.

    Parameters
    ----------
    width, heads, layers : of the transformer.
    patch : samples of a token.
    max_patches : of a joint, at most.

    Errors: `UsageError` for sizes below 1, a width that heads do not divide.

    Source: strategy 6 of cross-brand transfer (docs/foundation.md); Nie et al., "A time series is worth 64 words", ICLR
    2023 (patches); Xiong et al., "On layer normalization in the transformer architecture", ICML 2020 (pre-norm);
    Bertasius et al., "Is space-time attention all you need for video understanding?", ICML 2021 (divided attention).

    >>> _ = torch.manual_seed(0)
    >>> encoder = PatchEncoder(width=16, heads=2, layers=1).eval()
    >>> for joints, samples, rate_hz in ((6, 50, 25.0), (7, 1000, 500.0)):
    ...     grid, there = torch.zeros(2, joints, len(SLOTS), samples), torch.ones(2, joints, len(SLOTS), dtype=bool)
    ...     step_s, joint = torch.full((2,), 1 / rate_hz), torch.arange(1, joints + 1).expand(2, joints)
    ...     encoder(grid, there, step_s, joint).shape
    torch.Size([2, 6, 3, 16])
    torch.Size([2, 7, 50, 16])
    """

    periods_s: Tensor

    def __init__(
        self, width: int = 128, heads: int = 4, layers: int = 4, patch: int = 20, max_patches: int = 64
    ) -> None:
        super().__init__()
        if min(width, heads, layers, patch, max_patches) < 1 or width % heads:
            raise UsageError(
                f"sizes of a transformer are 1 or more and its heads divide its width, got width {width}, {heads} "
                f"heads, {layers} layers, patches of {patch} samples, at most {max_patches}"
            )
        self.width, self.heads, self.layers = width, heads, layers
        self.patch, self.max_patches = patch, max_patches
        self.content = nn.Linear(len(SLOTS) * patch, width, bias=False)
        self.known = nn.Parameter(0.02 * torch.randn(len(SLOTS), width))
        self.when = nn.Linear(2 * _PERIODS + 1, width)
        self.joint = nn.Embedding(_JOINTS + 1, width)
        nn.init.normal_(self.joint.weight, std=0.02)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        low, high = (math.log(bound) for bound in _PERIODS_S)
        periods = torch.exp(torch.linspace(low, high, _PERIODS, dtype=torch.float64)).float()
        self.register_buffer("periods_s", periods, persistent=False)

    def forward(
        self,
        grid: Float[Tensor, "batch joint slot time"],
        there: Bool[Tensor, "batch joint slot"],
        step_s: Float[Tensor, " batch"],
        joint: Int[Tensor, "batch joint"],
    ) -> Float[Tensor, "batch joint patch width"]:
        """State of every token; what stands where `there` is False has no influence.

        Parameters
        ----------
        grid : standardised values. step_s : seconds from sample to sample. joint : numbers from 1, 0 = not told.
        """
        return self.depths(grid, there, step_s, joint)[-1]

    def depths(
        self,
        grid: Float[Tensor, "batch joint slot time"],
        there: Bool[Tensor, "batch joint slot"],
        step_s: Float[Tensor, " batch"],
        joint: Int[Tensor, "batch joint"],
    ) -> list[Float[Tensor, "batch joint patch width"]]:
        """The tokens, then the states after each block, the last one normalised; see `forward`. What is near the
        signal is early, what the network makes of it late."""
        patches, step_s = patches_of(grid, step_s, self.patch, self.max_patches)
        seen = there.unsqueeze(2).expand(-1, -1, patches.shape[2], -1)
        tokens = self.tokens(patches, seen) + self.codes(step_s, joint, patches.shape[2])
        return self._through(tokens, there.any(dim=2))

    def tokens(
        self, patches: Float[Tensor, "batch joint patch slot sample"], seen: Bool[Tensor, "batch joint patch slot"]
    ) -> Float[Tensor, "batch joint patch width"]:
        """What is seen of each patch, and which quantities that is."""
        shown = torch.where(seen.unsqueeze(-1), patches, 0.0)
        tokens: Tensor = self.content(shown.flatten(3)) + seen.to(self.known.dtype) @ self.known
        return tokens

    def codes(
        self, step_s: Float[Tensor, " batch"], joint: Int[Tensor, "batch joint"], patches: int
    ) -> Float[Tensor, "batch joint patch width"]:
        """Time, rate and joint of each token. Angles are computed in float32 whatever the rest is in."""
        with torch.autocast(step_s.device.type, enabled=False):
            number = torch.arange(patches, device=step_s.device, dtype=torch.float32) + 0.5
            centre_s = step_s.float()[:, None] * self.patch * number
            angle = 2 * math.pi * centre_s.unsqueeze(-1) / self.periods_s
            rate = torch.log(step_s.float()).div(math.log(10)).add(2)[:, None, None].expand(-1, patches, 1)
            when = self.when(torch.cat([angle.sin(), angle.cos(), rate], dim=2))
        who = self.joint(torch.where(joint > _JOINTS, 0, joint))
        codes: Tensor = when.unsqueeze(1) + who.unsqueeze(2)
        return codes

    def attend(
        self, tokens: Float[Tensor, "batch joint patch width"], there: Bool[Tensor, "batch joint"]
    ) -> Float[Tensor, "batch joint patch width"]:
        """States of the tokens; joints that are not there are attended to by none."""
        return self._through(tokens, there)[-1]

    def _through(self, tokens: Tensor, there: Tensor) -> list[Tensor]:
        joints, patches = tokens.shape[1], tokens.shape[2]
        bias = torch.where(there, 0.0, _NOWHERE).repeat_interleave(patches, dim=0)[:, None, None, :]
        states = [tokens]
        for number, block in enumerate(self.blocks):
            if number % 2 == 0:
                states.append(block(states[-1].flatten(0, 1)).unflatten(0, (-1, joints)))
            else:
                moments = block(states[-1].transpose(1, 2).flatten(0, 1), bias)
                states.append(moments.unflatten(0, (-1, patches)).transpose(1, 2))
        states[-1] = self.norm(states[-1])
        return states

    def config(self) -> dict[str, Any]:
        """Constructor arguments as JSON values."""
        return {
            name: getattr(self, name) for name in inspect.signature(type(self).__init__).parameters if name != "self"
        }


class _Block(nn.Module):
    """x + attention(norm(x)), then x + dense(norm(x))."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.between, self.up, self.down = (
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.Linear(4 * width, width),
        )

    def forward(self, states: Tensor, bias: Tensor | None = None) -> Tensor:
        query, key, value = self.qkv(self.before(states)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        with torch.autocast(states.device.type, enabled=False):
            if states.device.type == "cpu":  # backwards in bfloat16 torch's kernel takes five times as long there
                query, key, value = query.float(), key.float(), value.float()
            if bias is not None:
                bias = bias.to(query.dtype)
            taken = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        states = states + self.out(taken.transpose(1, 2).flatten(2))
        mixed: Tensor = states + self.down(functional.gelu(self.up(self.between(states))))
        return mixed


def shortened(time: int, patch: int, max_patches: int) -> int:
    """How many neighbouring samples are averaged so that a window of `time` samples has at most so many patches.

    >>> shortened(200, 20, 64), shortened(20_000, 20, 64)
    (1, 16)
    """
    return max(1, math.ceil(time / (patch * max_patches)))


def patch_count(time: int, patch: int, max_patches: int) -> int:
    """Patches of a joint in a window of `time` samples.

    >>> patch_count(200, 20, 64), patch_count(201, 20, 64), patch_count(20_000, 20, 64)
    (10, 11, 63)
    """
    return math.ceil(math.ceil(time / shortened(time, patch, max_patches)) / patch)


def patches_of(
    grid: Float[Tensor, "batch joint slot time"], step_s: Float[Tensor, " batch"], patch: int, max_patches: int
) -> tuple[Float[Tensor, "batch joint patch slot sample"], Float[Tensor, " batch"]]:
    """The signals in patches, and the time step within them; the last value is held where a patch is not full.

    >>> patches, step_s = patches_of(torch.arange(5.0).reshape(1, 1, 1, 5), torch.tensor([0.1]), 2, 64)
    >>> patches.flatten().tolist(), step_s.shape
    ([0.0, 1.0, 2.0, 3.0, 4.0, 4.0], torch.Size([1]))
    """
    width = shortened(grid.shape[3], patch, max_patches)
    whole = held(grid, width)
    short = whole if width == 1 else whole.unflatten(3, (-1, width)).mean(dim=4)
    return held(short, patch).unflatten(3, (-1, patch)).permute(0, 1, 3, 2, 4), step_s * width


def held(grid: Tensor, multiple: int) -> Tensor:
    """The last value repeated until the length, the last axis, is a multiple."""
    missing = -grid.shape[-1] % multiple
    return torch.cat([grid, grid[..., -1:].expand(*grid.shape[:-1], missing)], dim=-1) if missing else grid
