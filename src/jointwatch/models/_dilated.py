"""Stacks of same-padded 2-D convolutions over feature maps, and the rule their dilation rates must obey."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network

__all__ = ["MapNetwork", "check_rates", "largest_gap", "unseen"]


class MapNetwork(Network, ABC):
    """A window of N_f features x N_t blocks seen as an image of one channel: convolutions that keep its size, each
    with ReLU, then all values of all filters, then two dense layers.

    The image is held as (batch, filter, feature, time), which needs no transposition. The embedding goes position by
    position, all filters of one after another: that is how the channels-last convolutions leave it.
    """

    def __init__(
        self,
        channels: int,
        length: int,
        classes: int,
        filters: int,
        hidden: int,
        kernel: int,
        dilations_time: Sequence[int],
        dilations_feature: Sequence[int],
        dropout: float,
        batch_norm: bool,
    ) -> None:
        super().__init__()
        sizes = {"channels": channels, "length": length, "classes": classes, "filters": filters, "hidden": hidden}
        if wrong := {name: size for name, size in sizes.items() if size < 1}:
            raise UsageError(f"sizes of a network are 1 or more, got {wrong}")
        if len(dilations_time) != len(dilations_feature):
            raise UsageError(
                f"one dilation rate a layer and direction: got {len(dilations_time)} in time and "
                f"{len(dilations_feature)} over the features"
            )
        check_rates(dilations_time, kernel, "time")
        check_rates(dilations_feature, kernel, "feature")
        self.channels, self.length, self.classes = channels, length, classes
        self.filters, self.hidden, self.kernel = filters, hidden, kernel
        self.dropout, self.batch_norm = dropout, batch_norm
        layers: list[nn.Module] = []
        inputs = 1
        for rates in zip(dilations_feature, dilations_time, strict=True):
            # "same" keeps the size, as the kernel is odd.
            layers.append(nn.Conv2d(inputs, filters, kernel, padding="same", dilation=rates, bias=not batch_norm))
            layers += [nn.BatchNorm2d(filters)] if batch_norm else []
            layers.append(nn.ReLU(inplace=True))
            inputs = filters
        self.encoder = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(filters * channels * length, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes)
        )

    def embed(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None = None
    ) -> Float[Tensor, "batch feature"]:
        """(batch, channels x length x filters) values of the last layer, float32.

        Errors: `UsageError` for windows of another shape than the dense layers were made for.
        """
        return self._positions(values, mask).flatten(1).float()

    def _positions(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None
    ) -> Float[Tensor, "batch position filter"]:
        """What comes out of the last convolution, position by position, time running fastest."""
        if values.shape[1:] != (self.channels, self.length):
            raise UsageError(
                f"this network is made for maps of {self.channels} features x {self.length} blocks, got "
                f"{tuple(values.shape[1:])}; its dense layers fix the size, build one with length={values.shape[-1]}"
            )
        if mask is not None:
            values = torch.where(mask.unsqueeze(-1), values, 0.0)
        values = values.contiguous()
        # One channel is contiguous in both orders; torch goes by the strides, so they must say which is meant.
        image = values.unsqueeze(-1).permute(0, 3, 1, 2) if self._channels_last() else values.unsqueeze(1)
        return self.encoder(image).flatten(2).transpose(1, 2)

    def _channels_last(self) -> bool:
        last = [layer.weight for layer in self.encoder if isinstance(layer, nn.Conv2d)][-1]
        return last.is_contiguous(memory_format=torch.channels_last) and not last.is_contiguous()


def check_rates(rates: Sequence[int], kernel: int, direction: str) -> None:
    """Refuse dilation rates of one direction that leave holes in what a position sees.

    Two conditions, as the first does not look at the first layer: M_2 <= kernel (`largest_gap`), and no position
    within reach that is `unseen`, which is the fate of rates with a common factor.

    Source: Wang et al., "Understanding convolution for semantic segmentation", WACV 2018 (hybrid dilated convolution).

    Errors: `UsageError`, with rates that obey.

    >>> check_rates((1, 2, 5), kernel=3, direction="time")
    >>> check_rates((1, 2, 9), kernel=3, direction="time")
    Traceback (most recent call last):
        ...
    jointwatch.core.errors.UsageError: dilation rates (1, 2, 9) in time direction: M_2 = 5 at layer 2 (rate 2) is \
larger than the kernel (3), positions in between are skipped; (1, 2, 7) obeys
    """
    if kernel < 1 or kernel % 2 == 0:
        raise UsageError(f"the kernel must be odd so that the size is kept, got {kernel}")
    if not rates or min(rates) < 1:
        raise UsageError(f"dilation rates in {direction} direction are 1 or more, one a layer, got {tuple(rates)}")
    if _obeys(rates, kernel):
        return
    remedy = f"{_nearest(rates, kernel)} obeys"
    if largest_gap(rates) > kernel:
        raise UsageError(
            f"dilation rates {tuple(rates)} in {direction} direction: M_2 = {largest_gap(rates)} at layer 2 (rate "
            f"{rates[1]}) is larger than the kernel ({kernel}), positions in between are skipped; {remedy}"
        )
    raise UsageError(
        f"dilation rates {tuple(rates)} in {direction} direction: M_2 = {largest_gap(rates)} is within the kernel "
        f"({kernel}), but layer 1 (rate {rates[0]}) leaves a grid: nothing at distance {unseen(rates, kernel)[0]} is "
        f"seen; {remedy}"
    )


def largest_gap(rates: Sequence[int]) -> int:
    """M_2: largest distance between two values that the layers from the second on bring together, from
    M_n = r_n and M_i = max(M_(i+1) - 2 r_i, M_(i+1) - 2 (M_(i+1) - r_i), r_i); 1 for a single layer.

    >>> largest_gap((1, 2, 5)), largest_gap((1, 2, 9)), largest_gap((1, 2, 3, 5))
    (2, 5, 2)
    """
    if len(rates) == 1:
        return 1
    gap = rates[-1]
    for rate in reversed(rates[1:-1]):
        gap = max(gap - 2 * rate, gap - 2 * (gap - rate), rate)
    return gap


def unseen(rates: Sequence[int], kernel: int) -> list[int]:
    """Distances within reach of the whole stack from which nothing arrives.

    >>> unseen((1, 2, 5), 3), unseen((2, 2), 3)
    ([], [1, 3])
    """
    seen = {0}
    for rate in rates:
        seen = {at + tap * rate for at in seen for tap in range(-(kernel // 2), kernel // 2 + 1)}
    return [distance for distance in range(max(seen)) if distance not in seen]


def _obeys(rates: Sequence[int], kernel: int) -> bool:
    return largest_gap(rates) <= kernel and not unseen(rates, kernel)


def _nearest(rates: Sequence[int], kernel: int) -> tuple[int, ...]:
    """Rates that obey: 1, then layer by layer as large as may be, none larger than asked for."""
    found = [1] * len(rates)
    for layer, rate in list(enumerate(rates))[1:]:
        # Beyond kernel^layers no rate can be filled.
        for smaller in range(min(rate, kernel ** len(rates)), 1, -1):
            if _obeys([*found[:layer], smaller, *found[layer + 1 :]], kernel):
                found[layer] = smaller
                break
    return tuple(found)
