"""Auto-encoder of convolutions and a bidirectional LSTM, fitted on healthy windows: what it cannot rebuild is odd."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Literal

import numpy as np
import torch
from torch.func import functional_call

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.core.slices import slices
from jointwatch.detectors._network_graph import NetworkGraph
from jointwatch.detectors._spread import channel_moments
from jointwatch.detectors.base import Detector
from jointwatch.models._onnx_graph import Compiler, GraphFunction
from jointwatch.models._recurrent_auto_encoder import RecurrentAutoEncoder
from jointwatch.training.batch_norm import running_statistics, statistics_function
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.loop import fit
from jointwatch.training.objectives import HeldOut
from jointwatch.training.options import Options
from jointwatch.training.reconstruction import (
    DomainBlind,
    DomainReconstruction,
    Reconstruction,
    channel_errors,
    held_out_groups,
)
from jointwatch.training.seed import seeded
from jointwatch.windows._standardised import standardised
from jointwatch.windows.splits import By, groups_of

__all__ = ["CnnLstmAutoEncoder"]

_CHUNK = 256  # windows scored at once
_MINIMUM_STEPS = 8  # of an epoch, so that few windows are gone through several times
_FLOOR = 0.1  # least normal error of a channel, as share of the channels' median
_LEAST = 1e-9  # and at all: a constant channel is rebuilt to the last bit


class CnnLstmAutoEncoder(Detector):
    """The score is the mean over channels of the squared reconstruction error, each relative to what it is in healthy
    windows: about 1 there. Channels that are hard to rebuild, such as noisy ones, count no more than others.

    Channels are standardised by the training windows and clipped. Labels are not needed; windows that are labelled
    anomalous are left out. The error that is normal for a channel is that of the windows that chose the epoch, because
    windows that were trained on are rebuilt too well.

    A channel's contribution is its part of the score. A robot that lacks a channel is judged by the others.

    Parameters
    ----------
    filters, kernels : of the convolutions, one entry each. hidden, layers : of the LSTM. code : of the bottleneck.
    epochs, batch_size, learning_rate, weight_decay : of training; an epoch has at least 8 steps.
    patience : epochs without a better validation loss after which training stops.
    validation_share : share of the groups held out from training to choose the epoch; 0 = none, last epoch.
    validation_group : `cycle`, `session` or `unit`: what is never on both sides. With one group nothing is held out.
    domain_weight : 0 = none; above, a discriminator tells the domains of the training windows apart by the code, and
        the code is trained to hide them, by the gradient reversed and multiplied by this. With one domain, as 0.
    clip_sigma : inputs are clipped at this many standard deviations.
    bfloat16 : see `training.options.Options`; scoring is always in float32.
    device : where to train: `cpu`, `cuda` or `auto`.
    random_state : seed of initial weights, held-out groups and batches.

    Attributes
    ----------
    network_ : `models._recurrent_auto_encoder.RecurrentAutoEncoder`. mean_, scale_ : (channel,).
    normal_error_ : (channel,) mean squared error of healthy windows, in standardised units.
    history_ : losses by epoch, kept epoch, why it ended. validation_windows_ : how many chose the epoch.
    domains_ : domains that the code was to hide; empty without a discriminator.

    Errors: `UsageError` for a negative `domain_weight`, or a share outside [0, 1).

    Source: the unlabelled detector of cross-brand transfer (docs/transfer.md).

    >>> rng = np.random.default_rng(0)
    >>> healthy = (rng.standard_normal((40, 2, 1)) * np.sin(np.linspace(0, 6, 32))).astype(np.float32)
    >>> odd = healthy[:10].copy()
    >>> odd[:, 1, 10:20] += 2.0
    >>> small = {"filters": (8, 8), "kernels": (5, 3), "hidden": 8, "code": 4}
    >>> detector = CnnLstmAutoEncoder(**small, epochs=15, learning_rate=0.01).fit(healthy)
    >>> bool(detector.score_samples(odd).min() > detector.score_samples(healthy).max())
    True
    >>> detector.explain(odd).argmax(axis=1).tolist() == [1] * 10
    True
    """

    def __init__(
        self,
        filters: Sequence[int] = (64, 128, 256),
        kernels: Sequence[int] = (7, 5, 3),
        hidden: int = 128,
        layers: int = 2,
        code: int = 128,
        epochs: int = 100,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        patience: int | None = 15,
        validation_share: float = 0.2,
        validation_group: By = "cycle",
        domain_weight: float = 0.0,
        clip_sigma: float = 5.0,
        bfloat16: bool | Literal["auto"] = False,
        device: str = "cpu",
        random_state: int = 0,
    ) -> None:
        self.filters = filters
        self.kernels = kernels
        self.hidden = hidden
        self.layers = layers
        self.code = code
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.patience = patience
        self.validation_share = validation_share
        self.validation_group = validation_group
        self.domain_weight = domain_weight
        self.clip_sigma = clip_sigma
        self.bfloat16 = bfloat16
        self.device = device
        self.random_state = random_state

    def _fit(self, windows: Windows) -> None:
        if self.domain_weight < 0 or not 0 <= self.validation_share < 1:
            raise UsageError(
                f"domain_weight is 0 or more and validation_share in [0, 1), got {self.domain_weight} and "
                f"{self.validation_share}"
            )
        held = held_out_groups(groups_of(windows, self.validation_group), self.validation_share, self.random_state)
        self.validation_windows_ = int(held.sum())
        self.mean_, self.scale_ = channel_moments(windows[~held])
        names = np.unique(windows.index.domain)
        self.domains_ = [str(name) for name in names] if self.domain_weight and len(names) > 1 else []
        data = self._batch(windows)
        validate = HeldOut(Reconstruction(masked=True), data.take(np.flatnonzero(held))) if held.any() else None
        batches = Shuffled(
            data.take(np.flatnonzero(~held)), self.batch_size, self.random_state, minimum_steps=_MINIMUM_STEPS
        )
        with seeded(self.random_state):
            self.network_ = RecurrentAutoEncoder(
                windows.shape[1], windows.shape[2], self.filters, self.kernels, self.hidden, self.layers, self.code
            )
            trained = DomainBlind(self.network_, len(names)) if self.domains_ else self.network_
        objective = DomainReconstruction(self.domain_weight) if self.domains_ else Reconstruction(masked=True)
        self.history_ = asdict(fit(trained, batches, objective, self._options(), validate=validate))
        self.normal_error_ = self._normal(windows[held] if held.any() else windows)

    def _score(self, windows: Windows) -> np.ndarray:
        return self._contributions(windows).sum(axis=1)

    def _assess(self, windows: Windows) -> tuple[np.ndarray, np.ndarray | None]:
        parts = self._contributions(windows)
        return parts.sum(axis=1), parts

    def _contributions(self, windows: Windows) -> np.ndarray:
        there = windows.presence
        relative = np.where(there, self._errors(windows) / self.normal_error_, 0.0)
        return relative / np.maximum(there.sum(axis=1), 1)[:, None]

    def for_edge(self, compiled: Compiler) -> NetworkGraph:
        """The detector as it scores without torch. Running statistics of batch norms stay outside the graphs."""
        network = copy.deepcopy(self.network_).eval().requires_grad_(False)
        statistics = running_statistics(network)

        def blame(
            values: torch.Tensor, mask: torch.Tensor, normal: torch.Tensor, *given: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            rebuilt = functional_call(network, dict(zip(statistics, given, strict=True)), (values, mask))
            relative = channel_errors(rebuilt, values, mask) / normal
            parts = relative / mask.sum(dim=1, keepdim=True).clamp(min=1)
            return parts.sum(dim=1), parts

        inputs = {
            "values": torch.zeros(1, len(self.channels_), self.length_),
            "mask": torch.ones(1, len(self.channels_), dtype=torch.bool),
        }
        normal = self.normal_error_.astype(np.float32)
        constants = {"normal_error": torch.from_numpy(normal)}
        graph = compiled("blame", GraphFunction(blame, inputs, ("score", "parts"), constants, statistics))
        found = compiled("statistics", statistics_function(network, inputs)) if statistics else None
        whole = NetworkGraph(self.name, graph, None, found, self.clip_sigma)
        return whole.of(self, self.mean_, self.scale_, normal_error=normal)

    def _errors(self, windows: Windows) -> np.ndarray:
        """(window, channel) squared errors, float64."""
        data = self._batch(windows)
        errors = np.empty(windows.shape[:2])
        with torch.inference_mode():
            for rows in slices(len(windows), _CHUNK):
                values, mask = data.values[rows], data.mask[rows]
                errors[rows] = channel_errors(self.network_(values, mask), values, mask).numpy()
        return errors

    def _normal(self, windows: Windows) -> np.ndarray:
        count = windows.presence.sum(axis=0)
        error = self._errors(windows).sum(axis=0) / np.maximum(count, 1)
        known = error[count > 0]
        floor = max(_FLOOR * float(np.median(known)), _LEAST) if len(known) else 1.0
        # Without a floor a channel that never changed would outweigh all others.
        return np.maximum(error, floor)

    def _batch(self, windows: Windows) -> Batch:
        values = standardised(windows, self.mean_, self.scale_, self.clip_sigma)
        # domains are told apart in training only: a brand that is scored later need not be among them
        known = tuple(self.domains_) if set(self.domains_) >= set(np.unique(windows.index.domain)) else None
        return replace(Batch.of(windows, known), values=torch.from_numpy(values))

    def _options(self) -> Options:
        return Options(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=self.patience,
            clip_norm=1.0,
            seed=self.random_state,
            bfloat16=self.bfloat16,
            device=self.device,
        )
