"""What every network is: windows in, logits out, rebuilt from its own constructor arguments."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from jointwatch.core.errors import UsageError

__all__ = ["PARTS", "Network", "batch_norms", "set_memory_format"]

PARTS = ("all", "head", "batch_norm")


class Network(nn.Module, ABC):
    """An encoder (`embed`) with a classifier (`head`) on top.

    Contract, checked for every network of the catalog:

    - each constructor argument is kept as an attribute of its own name, so that `config` can tell it and the
      network can be stored as JSON + weights, without pickle: `type(network)(**network.config())`;
    - inputs are (batch, channel, time) with any time from 1 up, outputs are (batch, class) logits in float32;
    - `mask` (batch, channel) is False where a robot lacks a channel: what stands there has no influence, so that
      arms with 6 and 7 axes meet in one model;
    - in evaluation mode a row's output does not depend on the other rows.
    """

    head: nn.Module

    @abstractmethod
    def embed(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None = None
    ) -> Float[Tensor, "batch feature"]:
        """One feature vector a window, float32."""

    def forward(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None = None
    ) -> Float[Tensor, "batch class"]:
        """Logits of the classes; class 0 = normal, class 1 = anomalous where there are two."""
        embedded = self.embed(values, mask)
        # The head costs nothing; in bfloat16 its logits would have 8 significant bits and scores would tie.
        with torch.autocast(embedded.device.type, enabled=False):
            return self.head(embedded)

    def config(self) -> dict[str, Any]:
        """Constructor arguments as JSON values."""
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        return {name: _plain(getattr(self, name)) for name in names}

    def part(self, name: str) -> dict[str, nn.Parameter]:
        """Parameters by name: `all`; `head` (the classifier); `batch_norm` (scales and shifts of the batch
        norms, and the classifier), which is what batch-norm fine-tuning trains.

        Errors: `UsageError` for another name.
        """
        if name not in PARTS:
            raise UsageError(f"the parts of a network are {', '.join(PARTS)}, got {name!r}")
        wanted = {id(p) for p in self.parameters()} if name == "all" else {id(p) for p in self.head.parameters()}
        if name == "batch_norm":
            wanted |= {id(p) for norm in batch_norms(self) for p in norm.parameters(recurse=False)}
        return {key: parameter for key, parameter in self.named_parameters() if id(parameter) in wanted}

    @property
    def name(self) -> str:
        """Catalog name: the stem of the file the network lives in."""
        return type(self).__module__.rpartition(".")[2]


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """All batch-norm layers of a network, in order."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


def set_memory_format(network: nn.Module, *, channels_last: bool) -> None:
    """Choose the convolution kernels: channels-last (fast) or contiguous (plain, and what storage expects)."""
    # torch's own annotation of `Module.to` lacks this overload.
    cast(Any, network).to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
