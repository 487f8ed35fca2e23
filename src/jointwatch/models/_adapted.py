"""A network with small residual adapters between its layers, stored like any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from jointwatch.core import catalog
from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network

__all__ = ["Adapted"]


class Adapted(Network):
    """A network of the catalog whose every convolution is followed by x + U relu(D x), D and U pointwise.

    U starts at zero, so that an adapted network computes what its base did. An encoder without convolutions has one
    adapter, on the embedding.

    Parameters
    ----------
    base : catalog name of the network.
    base_config : its constructor arguments, without `classes`.
    classes : number of logits.
    reduction : how many times narrower than its layer an adapter is; it has at least one channel.

    Errors: `UsageError` for a reduction below 1.

    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> network = Cnn1d(2, filters=(4, 4, 8)).eval()
    >>> adapted = Adapted.around(network).eval()
    >>> values = torch.randn(3, 2, 20)
    >>> bool((adapted(values) == network(values)).all()), len(adapted.adapters())
    (True, 3)
    """

    def __init__(self, base: str, base_config: Mapping[str, Any], classes: int = 2, reduction: int = 4) -> None:
        super().__init__()
        if reduction < 1:
            raise UsageError(f"an adapter is 1 or more times narrower than its layer, got {reduction}")
        self.base, self.base_config = base, dict(base_config)
        self.classes, self.reduction = classes, reduction
        self.inner: Network = catalog.load("models", base)(**self.base_config, classes=classes)
        self.head, self.inner.head = self.inner.head, nn.Identity()
        places = [module for module in self.inner.modules() if type(module) in _ADAPTED]
        for layer in places:
            assert isinstance(layer, (nn.Conv1d, nn.Conv2d))
            layer.adapter = _Adapter(type(layer), layer.out_channels, reduction)
            layer.__class__ = _ADAPTED[type(layer)]  # type: ignore[assignment]
        self.after = nn.Identity() if places else _Adapter(nn.Linear, _width(self.head), reduction)

    @classmethod
    def around(cls, network: Network, reduction: int = 4) -> Self:
        """The same function with adapters that do nothing yet; `network` stays as it is."""
        config = network.config()
        classes = config.pop("classes")
        adapted = cls(network.name, config, classes, reduction)
        state = adapted.state_dict()
        for name, value in network.state_dict().items():
            state[name if name.startswith("head.") else f"inner.{name}"].copy_(value)
        return adapted

    def embed(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None = None
    ) -> Float[Tensor, "batch feature"]:
        """As the base network, through its adapters."""
        return self.after(self.inner.embed(values, mask))

    def adapters(self) -> dict[str, nn.Module]:
        """The adapters by name."""
        return {name: module for name, module in self.named_modules() if isinstance(module, _Adapter)}


class _Adapter(nn.Module):
    def __init__(self, kind: type[nn.Module], width: int, reduction: int) -> None:
        super().__init__()
        narrow = max(width // reduction, 1)
        size = () if kind is nn.Linear else (1,)
        self.down, self.up = kind(width, narrow, *size), kind(narrow, width, *size)
        for parameter in self.up.parameters():
            nn.init.zeros_(parameter)

    def forward(self, values: Tensor) -> Tensor:
        return values + self.up(torch.relu(self.down(values)))


class _WithAdapter:
    """A convolution that stays one to the network around it, which may look at its weights."""

    def forward(self, values: Tensor) -> Tensor:
        return self.adapter(super().forward(values))  # type: ignore[attr-defined, misc]


class _Conv1d(_WithAdapter, nn.Conv1d):
    adapter: nn.Module


class _Conv2d(_WithAdapter, nn.Conv2d):
    adapter: nn.Module


_ADAPTED: dict[type[nn.Module], type[nn.Module]] = {nn.Conv1d: _Conv1d, nn.Conv2d: _Conv2d}


def _width(head: nn.Module) -> int:
    for module in head.modules():
        if isinstance(module, nn.Linear):
            return module.in_features
    raise UsageError("a network without convolutions gets its adapter before a dense head, and this one has none")
