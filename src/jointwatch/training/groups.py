"""Parameters that are trained alike: their share of the learning rate, their decay, when they join; layers by depth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network

__all__ = ["Group", "by_depth"]


@dataclass(frozen=True, eq=False)
class Group:
    """Some parameters of a network and how the loop trains them.

    Parameters
    ----------
    parameters : by name.
    rate : factor on the learning rate.
    weight_decay : None = that of the options. From 0 to infinity.
    start : number of the epoch, from 0, in which they join; until then they stay, as does a batch norm that has
        none but waiting parameters.
    towards : values by name that the decay pulls to; None = zero. The pull is decoupled from the gradient, as in AdamW,
        and taken implicitly: w := (w + a b) / (1 + a), with b the value and a = learning rate x decay. So no decay is
        too strong, and an infinite one puts the parameters on those values.
    """

    parameters: Mapping[str, nn.Parameter]
    rate: float = 1.0
    weight_decay: float | None = None
    start: int = 0
    towards: Mapping[str, Tensor] | None = None

    def __post_init__(self) -> None:
        if not self.rate > 0 or self.start < 0:
            raise UsageError(
                f"a group has a rate above 0 and joins in epoch 0 or later, got {self.rate} and {self.start}"
            )
        if self.weight_decay is not None and not self.weight_decay >= 0:
            raise UsageError(f"weight decay is not negative, got {self.weight_decay}")
        if self.towards is not None and (missing := set(self.parameters) - set(self.towards)):
            raise UsageError(f"no value to pull {sorted(missing)} to")

    def fingerprint(self) -> str:
        """Digest of all that decides what the training does."""
        text = [sorted(self.parameters), self.rate, self.weight_decay, self.start]
        digest = hashlib.sha256(json.dumps(text).encode())
        for name in sorted(self.towards or {}):
            assert self.towards is not None
            digest.update(self.towards[name].detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def by_depth(network: Network) -> list[dict[str, nn.Parameter]]:
    """Parameters by name of the layers of a network, from the head (first) down to the layer at the input (last).

    The head is one layer. In the encoder a layer is a module with weights (convolution, dense, recurrent, or a block
    that has parameters of its own, such as attention) with the normalisation that follows it.

    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> [sorted(layer)[0] for layer in by_depth(Cnn1d(2, filters=(4, 4, 4)))]
    ['head.1.bias', 'encoder.6.weight', 'encoder.3.weight', 'encoder.0.weight']
    """
    layers: list[dict[str, nn.Parameter]] = []

    def collect(module: nn.Module, path: str) -> None:
        for name, child in module.named_children():
            if child is network.head:
                continue
            inside = {f"{path}{name}.{key}": parameter for key, parameter in child.named_parameters()}
            if not any(True for _ in child.parameters(recurse=False)):
                collect(child, f"{path}{name}.")
                continue
            if not layers or any(parameter.ndim > 1 for parameter in inside.values()):
                layers.append({})
            layers[-1] |= inside

    collect(network, "")
    own = dict(network.named_parameters(recurse=False))
    if own:  # what the network holds itself works on what the encoder gives
        layers = [*layers[:-1], {**(layers[-1] if layers else {}), **own}]
    return [network.part("head"), *reversed(layers)]
