"""Batch norms of its own for every domain, in a network whose other layers all domains share."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network

__all__ = ["DomainNorm", "add_average", "by_domain", "norms_of", "of_domain", "select"]

Kind = TypeVar("Kind", bound=nn.Module)


class DomainNorm(nn.Module):
    """The batch norms of one place in a network, one for each domain; `active` is the one that is used.

    Scales and shifts as well as running statistics are the domain's own.

    Parameters
    ----------
    norms : one a domain.

    Source: Chang et al., "Domain-specific batch normalization for unsupervised domain adaptation", CVPR 2019.
    """

    def __init__(self, norms: Sequence[_BatchNorm]) -> None:
        super().__init__()
        self.norms = nn.ModuleList(norms)
        self.active = 0

    def forward(self, values: Tensor) -> Tensor:
        return self.norms[self.active](values)


def by_domain(network: Network, domains: int) -> Network:
    """A copy whose every batch norm is there once for each domain, all as in `network`; domain 0 is selected.

    Errors: `UsageError` without a domain.

    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> network = by_domain(Cnn1d(2, filters=(4, 4, 8)), domains=3)
    >>> [len(place.norms) for place in network.modules() if isinstance(place, DomainNorm)]
    [3, 3, 3]
    """
    if domains < 1:
        raise UsageError(f"batch norms by domain need a domain, got {domains}")
    network = copy.deepcopy(network)
    for parent, name, norm in _children(network, _BatchNorm):
        setattr(parent, name, DomainNorm([copy.deepcopy(norm) for _ in range(domains)]))
    return network


def of_domain(network: Network, number: int) -> Network:
    """A copy of a network with batch norms by domain as a plain one, with those of one domain.

    Errors: `UsageError` for a domain that is not there.
    """
    network = copy.deepcopy(network)
    for parent, name, place in _places(network):
        setattr(parent, name, place.norms[_known(place, number)])
    return network


def select(network: Network, number: int) -> None:
    """From here on rows are of this domain. A network without batch norms has nothing to select.

    Errors: `UsageError` for a domain that is not there.
    """
    for _, _, place in _places(network):
        place.active = _known(place, number)


@torch.no_grad()
def add_average(network: Network) -> None:
    """One more domain, the last: its scales, shifts, means and variances are the average of those that are there."""
    for _, _, place in _places(network):
        new = copy.deepcopy(place.norms[0])
        states = [norm.state_dict() for norm in place.norms]
        for name, value in new.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.stack([state[name] for state in states]).mean(dim=0))
            else:  # how many batches were seen
                value.zero_()
        place.norms.append(new)


def norms_of(network: Network, number: int) -> dict[str, nn.Parameter]:
    """Scales and shifts of one domain, by name."""
    wanted = {id(p) for _, _, place in _places(network) for p in place.norms[_known(place, number)].parameters()}
    return {name: parameter for name, parameter in network.named_parameters() if id(parameter) in wanted}


def _places(network: nn.Module) -> list[tuple[nn.Module, str, DomainNorm]]:
    return _children(network, DomainNorm)


def _children(network: nn.Module, kind: type[Kind]) -> list[tuple[nn.Module, str, Kind]]:
    """Modules of a kind with the one that holds them and their name there."""
    return [
        (parent, name, child)
        for parent in network.modules()
        for name, child in parent.named_children()
        if isinstance(child, kind)
    ]


def _known(place: DomainNorm, number: int) -> int:
    if not 0 <= number < len(place.norms):
        raise UsageError(f"the network has batch norms of domains 0 to {len(place.norms) - 1}, got {number}")
    return number
