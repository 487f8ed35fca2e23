"""Training of an auto-encoder: what is minimised, and a whole fit that stops on groups it does not learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from jointwatch.core.errors import UsageError
from jointwatch.models._auto_encoder import AutoEncoder
from jointwatch.models._recurrent_auto_encoder import RecurrentAutoEncoder
from jointwatch.training.adversarial import Discriminator, domain_loss, reverse_gradient, strength_at
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.loop import History, fit
from jointwatch.training.objectives import HeldOut
from jointwatch.training.options import Options
from jointwatch.training.seed import generator, seeded

__all__ = [
    "DomainBlind",
    "DomainReconstruction",
    "Reconstruction",
    "channel_errors",
    "fit_auto_encoder",
    "held_out_groups",
]

_GROUP_STREAM = 41
_MINIMUM_STEPS = 8  # of an epoch, so that few rows are gone through several times


def channel_errors(
    rebuilt: Float[Tensor, "row channel time"],
    values: Float[Tensor, "row channel time"],
    mask: Bool[Tensor, "row channel"] | None = None,
) -> Float[Tensor, "row channel"]:
    """Mean over time of the squared difference of each channel; 0 where it is absent.

    >>> channel_errors(torch.ones(1, 2, 5), torch.zeros(1, 2, 5), torch.tensor([[True, False]])).tolist()
    [[1.0, 0.0]]
    """
    errors = (rebuilt - values).square().mean(dim=2)
    return errors if mask is None else torch.where(mask, errors, 0.0)


@dataclass(frozen=True)
class Reconstruction:
    """Mean squared difference between what a network is given and what it gives back; an `Objective`.

    `masked`: the network takes the mask of absent channels too, and the mean is over those that are there.
    """

    masked: bool = False

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        if not self.masked:
            return functional.mse_loss(network(batch.values).float(), batch.values)
        errors = channel_errors(network(batch.values, batch.mask).float(), batch.values, batch.mask)
        return errors.sum() / batch.mask.sum().clamp(min=1)


class DomainBlind(nn.Module):
    """An auto-encoder and, for training only, a discriminator that tells domains apart by its code.

    Called like the auto-encoder, so that `Reconstruction` and `HeldOut` take either.
    """

    def __init__(self, network: RecurrentAutoEncoder, domains: int) -> None:
        super().__init__()
        self.network = network
        self.discriminator = Discriminator(network.code, domains)

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        rebuilt: Tensor = self.network(values, mask)
        return rebuilt


@dataclass(frozen=True)
class DomainReconstruction:
    """Reconstruction over the channels that are there, and a code that does not tell the domain; an `Objective` of a
    `DomainBlind`.

    The discriminator minimises the cross-entropy of `Batch.domain`; the encoder, behind the reversed gradient,
    maximises `weight` times it, growing over the training as `strength_at` says.

    Parameters
    ----------
    weight : of the discriminator's gradient in the encoder; 0 = the discriminator only watches.

    Source: Ganin et al., "Domain-adversarial training of neural networks", JMLR 17, 2016.
    """

    weight: float = 1.0

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        assert isinstance(network, DomainBlind)
        code = network.network.encode(batch.values, batch.mask)
        rebuilt = network.network.decode(code)
        errors = channel_errors(rebuilt, batch.values, batch.mask)
        told = network.discriminator(reverse_gradient(code, self.weight * strength_at(progress)))
        return errors.sum() / batch.mask.sum().clamp(min=1) + domain_loss(told, batch.domain)


def fit_auto_encoder(
    rows: np.ndarray,
    held: np.ndarray,
    code: int = 10,
    options: Options = Options(epochs=40, learning_rate=2e-3, patience=8, schedule="cosine"),  # noqa: B008 (it is frozen)
    batch_size: int = 64,
) -> tuple[AutoEncoder, History]:
    """An auto-encoder of standardised rows, trained on those that are not held out.

    Parameters
    ----------
    rows : (row, feature), standardised by the rows that are trained on.
    held : (row,) True for rows of training data that only choose the epoch, whole groups (`held_out_groups`); with none
        the last epoch is kept.
    code : figures of the code.
    options : of the loop; its seed also sets the initial weights and the order of the batches.
    batch_size : rows a step.

    Progress goes to the surrounding `training.session`.

    Errors: `UsageError` for rows that do not fit, or nothing to train on.

    >>> rng = np.random.default_rng(0)
    >>> rows = rng.standard_normal((96, 1)) * np.sin(np.linspace(0, 6, 40))
    >>> network, history = fit_auto_encoder(rows, np.arange(96) < 16, code=2, options=Options(epochs=10))
    >>> history.validation_loss[-1] < history.validation_loss[0]
    True
    """
    rows, held = np.asarray(rows, np.float32), np.asarray(held, bool)
    if rows.ndim != 2 or held.shape != (len(rows),) or held.all():
        raise UsageError(f"rows must be (row, feature) with one flag each, not all held out; got {rows.shape}")
    with seeded(options.seed):
        network = AutoEncoder(rows.shape[1], code)
    data = Batch.of_arrays(rows[:, None, :])
    batches = Shuffled(data.take(np.flatnonzero(~held)), batch_size, options.seed, minimum_steps=_MINIMUM_STEPS)
    validate = HeldOut(Reconstruction(), data.take(np.flatnonzero(held))) if held.any() else None
    return network, fit(network, batches, Reconstruction(), options, validate=validate)


def held_out_groups(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """(row,) True for rows of about `share` of the groups, at least one; none where there is one group only.

    >>> held = held_out_groups(np.repeat(["a", "b", "c", "d", "e"], 3), 0.2, seed=0)
    >>> int(held.sum()), len(set(np.repeat(["a", "b", "c", "d", "e"], 3)[held]))
    (3, 1)
    """
    names = np.unique(groups)
    if len(names) < 2 or not share:
        return np.zeros(len(groups), bool)
    count = min(max(round(share * len(names)), 1), len(names) - 1)
    return np.isin(groups, generator(seed, _GROUP_STREAM).permutation(names)[:count])
