"""Networks that turn the signals of one domain into those of another, and networks that judge whether they are real."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

__all__ = ["SignalJudge", "Translator", "masked"]

_LEAST = 1e-5  # variance of a piece that stands still, whose root has a gradient


class Translator(nn.Module):
    """Each channel becomes a mix of all channels with an offset, plus two convolutions over time; at first it changes
    nothing.

    Parameters
    ----------
    channels : of the signals.
    filters, kernel : of the first convolution; the kernel is an odd number of samples.

    >>> _ = torch.manual_seed(0)
    >>> signals = torch.randn(4, 3, 20)
    >>> bool((Translator(3)(signals) == signals).all())
    True
    """

    def __init__(self, channels: int, filters: int = 16, kernel: int = 5) -> None:
        super().__init__()
        self.mix = nn.Conv1d(channels, channels, 1)
        self.bend = nn.Sequential(
            nn.Conv1d(channels, filters, kernel, padding=kernel // 2, padding_mode="replicate"),
            nn.LeakyReLU(0.2),
            nn.Conv1d(filters, channels, kernel, padding=kernel // 2, padding_mode="replicate"),
        )
        with torch.no_grad():
            self.mix.weight.copy_(torch.eye(channels).unsqueeze(-1))
            for parameter in (self.mix.bias, *self.bend[-1].parameters()):
                assert parameter is not None
                parameter.zero_()

    def forward(
        self, values: Float[Tensor, "row channel time"], mask: Bool[Tensor, "row channel"] | None = None
    ) -> Float[Tensor, "row channel time"]:
        """Signals of the other domain, in float32; channels that are not in `mask` are not read and come out as 0."""
        with torch.autocast(values.device.type, enabled=False):
            values = masked(values.float(), mask)
            return masked(self.mix(values) + self.bend(values), mask)


class SignalJudge(nn.Module):
    """Two logits of a signal: translated (0), real (1). It sees short pieces, their mean over time and their spread: a
    gain changes the latter.

    >>> _ = torch.manual_seed(0)
    >>> SignalJudge(3)(torch.zeros(4, 3, 20)).shape
    torch.Size([4, 2])
    """

    def __init__(self, channels: int, filters: int = 32, kernel: int = 7) -> None:
        super().__init__()
        self.pieces = nn.Sequential(
            nn.Conv1d(channels, filters, kernel, padding=kernel // 2, stride=2),
            nn.LeakyReLU(0.2),
            nn.Conv1d(filters, filters, kernel, padding=kernel // 2, stride=2),
            nn.LeakyReLU(0.2),
        )
        self.verdict = nn.Linear(2 * filters, 2)

    def forward(self, values: Float[Tensor, "row channel time"]) -> Float[Tensor, "row 2"]:
        with torch.autocast(values.device.type, enabled=False):
            pieces = self.pieces(values.float())
            spread = (pieces.var(dim=2, correction=0) + _LEAST).sqrt()
            return cast(Tensor, self.verdict(torch.cat([pieces.mean(dim=2), spread], dim=1)))


def masked(
    values: Float[Tensor, "row channel time"], mask: Bool[Tensor, "row channel"] | None
) -> Float[Tensor, "row channel time"]:
    """The same signals, 0 where a channel is not in the mask."""
    return values if mask is None else torch.where(mask.unsqueeze(-1), values, 0.0)
