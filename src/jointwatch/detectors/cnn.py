"""1-D convolutional network with anomaly head, trained on labels or on synthetic anomalies."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, Self

import numpy as np
import torch
from torch.func import functional_call

from jointwatch.core import Channel, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.slices import slices
from jointwatch.detectors._network_graph import NetworkGraph
from jointwatch.detectors._spread import channel_moments
from jointwatch.detectors.base import Detector
from jointwatch.models._blame import blame, log_odds
from jointwatch.models._onnx_graph import Compiler, GraphFunction
from jointwatch.models.base import Network, set_memory_format
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.batch_norm import estimate_statistics, running_statistics, statistics_function
from jointwatch.training.data import Batch, Batches, Shuffled
from jointwatch.training.loop import History, fit
from jointwatch.training.objectives import HeldOut, Objective, Supervised, balanced_weights
from jointwatch.training.options import Options
from jointwatch.training.seed import generator, seeded
from jointwatch.training.synthetic_anomalies import disturb
from jointwatch.windows._standardised import standardised
from jointwatch.windows.trusted import evenly

__all__ = ["Cnn"]

Trainer = Callable[[Network, Batches, Objective, Options], tuple[Network, History]]

Aligner = Callable[..., Network]

_CHUNK = 256  # windows scored at once, and healthy ones kept for comparison
_MINIMUM_STEPS = 8  # of an epoch, so that few windows are gone through several times


class Cnn(Detector):
    """The score is the network's log-odds of anomalous against normal, so it does not saturate.

    Channels are standardised by the training windows (without effect where a strategy has done so) and clipped.
    With labels of both classes the network learns them, each class counting the same. Where everything is healthy,
    each batch holds healthy windows and as many disturbed copies of them (`training.synthetic_anomalies`), new
    ones every time.

    Parameters
    ----------
    anomalies : `labels`, `synthetic`, or `auto`: labels if there are anomalous windows, else synthetic.
    filters, kernels : one entry a layer.
    epochs, batch_size, learning_rate, weight_decay : of training; an epoch has at least 8 steps.
    patience : epochs without a better validation loss after which training stops.
    validation_share : share of the groups held out from training to choose the epoch; 0 = none, last epoch.
    validation_group : `cycle`, `session` or `unit`: what is never on both sides. With one group nothing is held out.
    strength_sigma : weakest and strongest synthetic anomaly.
    clip_sigma : inputs are clipped at this many standard deviations.
    bfloat16 : see `training.options.Options`; scoring is always in float32.
    device : where to train: `cpu`, `cuda` or `auto`.
    random_state : seed of initial weights, held-out groups, batches and synthetic anomalies.

    Attributes
    ----------
    network_ : `models.cnn1d.Cnn1d`, with adapters where a strategy has put some. mean_, scale_ : (channel,).
    history_ : losses by epoch, kept epoch, why it ended.
    anomalies_ : `labels` or `synthetic`. validation_windows_ : how many chose the epoch.
    references_ : (window, channel, time) healthy windows that others are compared with to name the channel.
    healthy_part_, healthy_part_scale_ : (channel,) mean and spread over healthy windows of each channel's part of
        the score.

    >>> rng = np.random.default_rng(0)
    >>> healthy = rng.standard_normal((40, 2, 32)).astype(np.float32)
    >>> odd = healthy[:10] + 3 * np.sin(np.linspace(0, np.pi, 32))
    >>> detector = Cnn(filters=(8, 8, 8), epochs=10, learning_rate=0.01).fit(healthy)
    >>> detector.anomalies_, bool(detector.score_samples(odd).mean() > detector.score_samples(healthy).mean())
    ('synthetic', True)
    """

    uses_labels = True

    def __init__(
        self,
        anomalies: Literal["auto", "labels", "synthetic"] = "auto",
        filters: Sequence[int] = (64, 128, 256),
        kernels: Sequence[int] = (7, 5, 3),
        epochs: int = 30,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-3,
        patience: int | None = 8,
        validation_share: float = 0.2,
        validation_group: Literal["cycle", "session", "unit"] = "cycle",
        strength_sigma: tuple[float, float] = (0.2, 5.0),
        clip_sigma: float = 5.0,
        bfloat16: bool | Literal["auto"] = "auto",
        device: str = "cpu",
        random_state: int = 0,
    ) -> None:
        self.anomalies = anomalies
        self.filters = filters
        self.kernels = kernels
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.patience = patience
        self.validation_share = validation_share
        self.validation_group = validation_group
        self.strength_sigma = strength_sigma
        self.clip_sigma = clip_sigma
        self.bfloat16 = bfloat16
        self.device = device
        self.random_state = random_state

    def _fit(self, windows: Windows) -> None:
        healthy = windows.normal()
        self.anomalies_ = self._mode(windows)
        if self.anomalies_ == "synthetic":
            windows = healthy
        self.mean_, self.scale_ = channel_moments(healthy)
        with seeded(self.random_state):
            self.network_: Network = Cnn1d(windows.shape[1], filters=self.filters, kernels=self.kernels)
        held = self._held_out(windows)
        self.validation_windows_ = int(held.sum())
        batches, objective = self._batches(windows[~held], self.anomalies_)
        validate = HeldOut(objective, self._validation(windows[held])) if held.any() else None
        history = fit(self.network_, batches, objective, self._options(), validate=validate)
        self.history_ = asdict(history)
        self._rebuild()
        self._remember(healthy)

    def fine_tune(
        self,
        windows: Windows,
        *,
        parameters: Literal["all", "head", "batch_norm"] = "all",
        reset_batch_norm: bool = False,
        epochs: int = 10,
        learning_rate: float = 1e-3,
    ) -> Self:
        """Train a fitted detector further, in place, for a fixed number of epochs, on windows of the same layout.

        Windows of both classes are learned by their labels; healthy ones alone get synthetic anomalies.
        The standardisation stays.

        Parameters
        ----------
        parameters : which part of the network: all, the classifier, or batch norms and classifier.
        reset_batch_norm : forget the running statistics and measure them on `windows`, in their mixture with
            anomalies, as in training.

        Errors: `NotEnoughData` without a normal window.
        """

        def train(
            network: Network, batches: Batches, objective: Objective, options: Options
        ) -> tuple[Network, History]:
            options = replace(options, epochs=epochs, learning_rate=learning_rate)
            history = fit(network, batches, objective, options, trained=network.part(parameters))
            if reset_batch_norm:
                estimate_statistics(network, batches, epoch=epochs)
            return network, history

        return self.fine_tune_by(windows, train)

    def fine_tune_by(self, windows: Windows, train: Trainer) -> Self:
        """The same with a training of the caller's: (network, batches, objective, options) -> (network, history); the
        options are the detector's, without patience. This is what the fine-tuning strategies of `transfer` use.

        Errors: `NotEnoughData` without a normal window.
        """
        self._checked(windows)
        windows = windows[windows.index.label != "uncertain"]
        if not len(windows.normal()):
            raise NotEnoughData("fine-tuning", needed=1, have=0, unit="normal windows")
        mode = self._mode(windows)
        batches, objective = self._batches(windows if mode == "labels" else windows.normal(), mode)
        self.network_, history = train(self.network_, batches, objective, replace(self._options(), patience=None))
        self.history_ = asdict(history)
        self._rebuild()
        self._remember(windows.normal())
        return self

    def examples(self, windows: Windows, count: int) -> Windows:
        """At most so many of the windows, evenly drawn from each domain and label: what `align_by` will need of the
        sources."""
        return evenly(windows[windows.index.label != "uncertain"], count, generator(self.random_state, 1))

    def align_by(self, sources: Windows, target: Windows, labelled: Windows | None, align: Aligner) -> Self:
        """Learn from labelled sources and a target without labels at once, in place, by an alignment of the caller's:
        (network, sources, target, labelled) -> network. This is what the adaptation strategies of `transfer` use.

        Each domain of `sources` is a source of its own. Where all of them are healthy, sources and target alike get a
        disturbed copy of each window. Labels of `target` are not looked at.

        Errors: `NotEnoughData` without a window of the target, or without a healthy one of the sources where these are
        to be disturbed.
        """
        for windows in (sources, target):
            self._checked(windows)
        if not len(target):
            raise NotEnoughData("adapting", needed=1, have=0, unit="windows of the target")
        synthetic = self.anomalies_ == "synthetic"
        sources = sources.normal() if synthetic else sources
        if not len(sources):
            raise NotEnoughData("adapting", needed=1, have=0, unit="healthy windows of the sources")
        parts = [sources[sources.index.domain == name] for name in np.unique(sources.index.domain)]
        known = None if labelled is None else labelled[labelled.index.label != "uncertain"]
        batches, bare = [self._batch(part) for part in parts], self._batch(target)
        if synthetic:
            batches = [self._with_copies(part, sources.channels, stream=2) for part in batches]
            bare = self._with_copies(bare, sources.channels, stream=3)
        given = None if known is None or not len(known) else self._batch(known)
        self.network_ = align(
            self.network_,
            batches,
            bare.unlabelled(),
            given,
            seed=self.random_state,
            device=self.device,
            bfloat16=self.bfloat16,
        )
        self._rebuild()
        self._remember(target)
        return self

    def _score(self, windows: Windows) -> np.ndarray:
        values, mask = self._standardised(windows), torch.tensor(windows.presence)
        scores = np.empty(len(windows))
        with torch.inference_mode():
            for rows in slices(len(windows), _CHUNK):
                scores[rows] = log_odds(self._fast(values[rows], mask[rows])).numpy()
        return scores

    def _contributions(self, windows: Windows) -> np.ndarray:
        return self._assess(windows)[1]

    @property
    def _costly_contributions(self) -> bool:
        return True

    def _assess(self, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
        """Scores, and how far each channel's part of them is above what it is in healthy windows, relative to how
        much it varies there; 0 where it is not."""
        scores, parts = self._parts(self._standardised(windows), torch.tensor(windows.presence))
        above = (parts - self.healthy_part_) / self.healthy_part_scale_
        return scores, np.where(windows.presence, np.clip(above, 0.0, None), 0.0)

    def _parts(self, values: torch.Tensor, mask: torch.Tensor, own: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """(window,) scores and (window, channel) gradient x difference to the most similar healthy window; `own`:
        the windows are the references, and each is compared with another."""
        references = torch.from_numpy(self.references_.astype(np.float32))
        scores, parts = np.empty(len(values)), np.empty(values.shape[:2])
        for rows in slices(len(values), _CHUNK):
            odds, blamed = blame(self._fast, values[rows], mask[rows], references, own and len(references) > 1)
            scores[rows], parts[rows] = odds.numpy(), blamed.numpy()
        return scores, parts

    def for_edge(self, compiled: Compiler) -> NetworkGraph:
        """The detector as it scores without torch. Running statistics of batch norms stay outside the graphs."""
        network = copy.deepcopy(self.network_).eval().requires_grad_(False)
        statistics = running_statistics(network)

        def logits(values: torch.Tensor, mask: torch.Tensor, given: Sequence[torch.Tensor]) -> torch.Tensor:
            return functional_call(network, dict(zip(statistics, given, strict=True)), (values, mask))

        def score(values: torch.Tensor, mask: torch.Tensor, *given: torch.Tensor) -> torch.Tensor:
            return log_odds(logits(values, mask, given))

        def explain(
            values: torch.Tensor,
            mask: torch.Tensor,
            references: torch.Tensor,
            healthy: torch.Tensor,
            scale: torch.Tensor,
            *given: torch.Tensor,
        ) -> tuple[torch.Tensor, torch.Tensor]:
            odds, parts = blame(lambda x, there: logits(x, there, given), values, mask, references)
            return odds, torch.where(mask, ((parts - healthy) / scale).clamp(min=0.0), 0.0)

        some = torch.from_numpy(self.references_[:1].astype(np.float32))
        inputs = {"values": some, "mask": torch.ones(some.shape[:2], dtype=torch.bool)}
        constants = {
            "references": self.references_,
            "healthy_part": self.healthy_part_.astype(np.float32),
            "healthy_part_scale": self.healthy_part_scale_.astype(np.float32),
        }
        examples = {name: torch.from_numpy(array.astype(np.float32)) for name, array in constants.items()}
        return NetworkGraph(
            self.name,
            compiled("score", GraphFunction(score, inputs, ("score",), adjustable=statistics)),
            compiled("blame", GraphFunction(explain, inputs, ("score", "parts"), examples, statistics, gradient=True)),
            compiled("statistics", statistics_function(network, inputs)) if statistics else None,
            self.clip_sigma,
            (self.strength_sigma[0], self.strength_sigma[1]) if self.anomalies_ == "synthetic" else None,
        ).of(self, self.mean_, self.scale_, **constants)

    def _remember(self, healthy: Windows) -> None:
        some = healthy[np.unique(np.linspace(0, len(healthy) - 1, _CHUNK).astype(int))]
        values = self._standardised(some)
        self.references_ = values.numpy().astype(np.float16)
        _, parts = self._parts(values, torch.tensor(some.presence), own=True)
        self.healthy_part_, scale = parts.mean(axis=0), parts.std(axis=0)
        # Without a floor the quietest channel would be blamed for everything.
        self.healthy_part_scale_ = np.maximum(scale + 0.3 * np.median(scale), 1e-9)

    def _rebuild(self) -> None:
        # The stored network keeps torch's plain memory order, which storage expects; scoring uses the fast one.
        self._fast = copy.deepcopy(self.network_).eval().requires_grad_(False)
        set_memory_format(self._fast, channels_last=True)

    def _mode(self, windows: Windows) -> str:
        if self.anomalies not in ("auto", "labels", "synthetic"):
            raise UsageError(f"anomalies come from 'auto', 'labels' or 'synthetic', got {self.anomalies!r}")
        both = set(np.unique(windows.index.label)) == {"normal", "anomalous"}
        if self.anomalies == "labels" and not both:
            raise UsageError("anomalies='labels' needs normal and anomalous windows; use 'auto' or 'synthetic'")
        return "labels" if both and self.anomalies != "synthetic" else "synthetic"

    def _options(self) -> Options:
        return Options(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=self.patience,
            seed=self.random_state,
            bfloat16=self.bfloat16,
            device=self.device,
        )

    def _standardised(self, windows: Windows) -> torch.Tensor:
        return torch.from_numpy(standardised(windows, self.mean_, self.scale_, self.clip_sigma))

    def _batch(self, windows: Windows) -> Batch:
        return replace(Batch.of(windows), values=self._standardised(windows))

    def _batches(self, windows: Windows, mode: str) -> tuple[Shuffled, Supervised]:
        data = self._batch(windows)
        if mode == "labels":
            weights = balanced_weights(data.label.numpy())
            return Shuffled(data, self.batch_size, self.random_state, minimum_steps=_MINIMUM_STEPS), Supervised(weights)
        half = max(self.batch_size // 2, 1)
        return Shuffled(data, half, self.random_state, self._change(windows.channels), _MINIMUM_STEPS), Supervised()

    def _change(self, channels: tuple[Channel, ...]) -> _WithAnomalies:
        low, high = self.strength_sigma
        return _WithAnomalies(channels, (low, high), self.clip_sigma)

    def _validation(self, windows: Windows) -> Batch:
        data = self._batch(windows)
        return data if self.anomalies_ == "labels" else self._with_copies(data, windows.channels, stream=1)

    def _with_copies(self, data: Batch, channels: tuple[Channel, ...], stream: int) -> Batch:
        """Healthy rows and disturbed copies of them; few are disturbed in several ways."""
        rows = data.take(np.tile(np.arange(len(data)), max(1, _CHUNK // len(data))))
        return self._change(channels)(rows, generator(self.random_state, 0, 0, stream))

    def _held_out(self, windows: Windows) -> np.ndarray:
        """(window,) True where held out to choose the epoch; whole groups, some of each class."""
        if self.validation_group not in ("cycle", "session", "unit"):
            raise UsageError(f"validation groups are cycle, session or unit, got {self.validation_group!r}")
        if not 0 <= self.validation_share < 1:
            raise UsageError(f"the share held out for validation is in [0, 1), got {self.validation_share}")
        group = getattr(windows.index, self.validation_group)
        anomalous = np.unique(group[windows.index.label == "anomalous"])
        rng, chosen = generator(self.random_state), []
        for names in (np.setdiff1d(group, anomalous), anomalous):
            if len(names) == 1 or not self.validation_share:
                return np.zeros(len(windows), bool)  # a class on one side only would mislead the choice
            chosen.append(rng.permutation(names)[: max(round(self.validation_share * len(names)), len(names) > 0)])
        return np.isin(group, np.concatenate(chosen))


@dataclass(frozen=True)
class _WithAnomalies:
    """Healthy rows followed by a disturbed copy of each."""

    channels: tuple[Channel, ...]
    strength_sigma: tuple[float, float]
    clip_sigma: float

    def __call__(self, batch: Batch, rng: np.random.Generator) -> Batch:
        values, mask = batch.values.numpy(), batch.mask.numpy()
        odd = disturb(values, self.channels, rng, mask=mask, strength_sigma=self.strength_sigma).values
        both = np.concatenate([values, np.clip(odd, -self.clip_sigma, self.clip_sigma)])
        label = np.repeat([0, 1], len(batch))
        return Batch.of_arrays(both, np.concatenate([mask, mask]), label, np.tile(batch.domain.numpy(), 2))
