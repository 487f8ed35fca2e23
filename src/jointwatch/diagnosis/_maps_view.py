"""Feature maps of one axis and a network on them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator

from jointwatch.core import Channel, Recording, Windows, catalog
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.diagnosis._checks import check_cycles
from jointwatch.diagnosis._split import held_out_units
from jointwatch.diagnosis.base import Explanation
from jointwatch.models.ad_cnn import AdCnn
from jointwatch.models.base import Network
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.invariance import VRex
from jointwatch.training.loop import fit
from jointwatch.training.objectives import HeldOut, Supervised, balanced_weights
from jointwatch.training.recipes import Recipe, recipe
from jointwatch.training.seed import seeded
from jointwatch.windows.feature_maps import FeatureMaps
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = ["MapsView"]

_CHUNK = 512
_CLIP = 5.0
_SAME_RATE = 0.02
_REFERENCES = 256


class MapsView(BaseEstimator):
    """Block statistics side by side, one scale for all, and the mean of `members` networks' log-probabilities.

    Parameters
    ----------
    maps : how recordings are cut.
    network, network_options : catalog name of `models`, and arguments that differ from its own and the recipe's.
    training : a recipe or its name (`training.recipes`).
    baseline : `unit` shifts each feature by its mean in the unit's own healthy maps, `domain` by that of the axis's.
    members : networks of other seeds whose log-probabilities are averaged.
    invariance : weight of the variance of the loss between units (`training.invariance.VRex`); 0 = none.

    Attributes
    ----------
    own_ : OwnBaseline of the features' means. domains_ : list of domains, in the order of scale_ : (domain, feature)
    spread of their healthy maps. rate_hz_ : blocks a second. networks_ : list of Network.
    references_ : (map, feature, block) healthy maps that explanations compare with.
    """

    piece: ClassVar[str] = "maps"
    """What a row is."""
    tunes: ClassVar[bool] = True
    """Whether labels are learned by a strategy of `transfer`."""
    crosses: ClassVar[bool] = False
    """Rows of training are not all held out in turn, as that would take as many trainings."""

    def __init__(
        self,
        maps: FeatureMaps,
        network: str = "ad_cnn",
        network_options: Mapping[str, Any] | None = None,
        training: str | Recipe = "modern",
        baseline: Literal["unit", "domain"] = "unit",
        members: int = 1,
        invariance: float = 0.0,
        random_state: int = 0,
    ) -> None:
        self.maps = maps
        self.network = network
        self.network_options = network_options
        self.training = training
        self.baseline = baseline
        self.members = members
        self.invariance = invariance
        self.random_state = random_state

    def cut(self, recordings: Sequence[Recording]) -> Windows:
        """The maps of recordings, on no scale yet."""
        if self.maps.within == "cycle":
            check_cycles(recordings)
        return self.maps.fit_transform(recordings)

    @property
    def holds_out(self) -> bool:
        """Whether the training holds units out; the published one has no rows for choosing anything."""
        return recipe(self.training).validation_share > 0

    def fit(self, maps: Windows, code: np.ndarray, classes: int, held: np.ndarray | None = None) -> Self:
        """Learn from (map, feature, block) maps and their classes; `held` rows choose the epoch and train nothing."""
        chosen = recipe(self.training)
        if held is None:
            held = held_out_units(maps.index, code, chosen.validation_share, self.random_state)
        self.channels_, self.rate_hz_ = maps.channels, maps.rate_hz
        values = self._learn_scale(maps, held)
        units = np.unique(maps.index.unit, return_inverse=True)[1]
        label = Batch.of_arrays(values, maps.presence, code, units)
        train, validation = label.take(~held), label.take(held)
        weights = balanced_weights(code[~held], classes) if chosen.balanced else None
        supervised = Supervised(weights)
        objective = VRex(self.invariance, class_weights=weights) if self.invariance else supervised
        self.networks_ = []
        for member in range(self.members):
            seed = self.random_state + member
            options = replace(chosen.options, seed=seed)
            with seeded(seed):
                network = self._built(classes, maps.shape[2], chosen.network)
            batches = Shuffled(train, chosen.batch_size, seed)
            fit(network, batches, objective, options, validate=HeldOut(supervised, validation) if held.any() else None)
            self.networks_.append(network)
        return self

    def adapt(self, maps: Windows, code: np.ndarray, strategy: Any = None) -> Self:
        """A copy for other units or another axis: baselines from healthy maps, and the scale of a domain not known
        yet; networks tuned by a strategy of `transfer` on all labelled maps, where one is given."""
        adapted = copy.deepcopy(self)
        self._check(maps)
        adapted.own_ = self.own_.add(self._means(maps), maps.index)
        adapted._measure(maps[maps.index.label == "normal"])
        if strategy is not None:
            batch = Batch.of_arrays(adapted.scaled(maps, crossed=True), maps.presence, code)
            classes = int(self.networks_[0].config()["classes"])
            adapted.networks_ = [
                strategy.tune(network, batch, classes=classes, seed=self.random_state + member)
                for member, network in enumerate(self.networks_)
            ]
        return adapted

    def log_proba(self, maps: Windows) -> np.ndarray:
        """(map, class) mean log-probabilities of the members."""
        self._check(maps)
        return self._mean_log_proba(self.scaled(maps), maps.presence)

    def held_log_proba(self, maps: Windows, code: np.ndarray, held: np.ndarray, seed: int) -> np.ndarray:
        """(held map, class) log-probabilities of the maps of `fit` that were held out, healthy ones relative to
        baselines that their own session had no part in."""
        return self._mean_log_proba(self.scaled(maps, crossed=True)[held], maps.presence[held])

    def _mean_log_proba(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        inputs, mask = torch.from_numpy(values), torch.tensor(presence)
        mean: np.ndarray = np.mean([self._log_proba(network, inputs, mask) for network in self.networks_], axis=0)
        return mean

    def explain(self, maps: Windows) -> Explanation:
        """Contributions of the signals, the scaled maps, and the share of attention of networks that have it.

        A contribution is gradient x difference to the most similar healthy map, summed over the signal's statistics.
        """
        self._check(maps)
        values = self.scaled(maps)
        parts, attention = [np.empty((0, values.shape[1]))] * len(self.networks_), []
        references = torch.from_numpy(self.references_.astype(np.float32))
        for first in range(0, len(values), _CHUNK):
            rows = slice(first, first + _CHUNK)
            inputs = torch.from_numpy(values[rows])
            nearest = torch.cdist(inputs.flatten(1), references.flatten(1)).argmin(dim=1)
            for network in self.networks_:
                leaf = inputs.clone().requires_grad_(True)
                logits = network(leaf, torch.tensor(maps.presence[rows]))
                odds = torch.logsumexp(logits[:, 1:], dim=1) - logits[:, 0]
                (slope,) = torch.autograd.grad(odds.sum(), leaf)
                parts.append(((inputs - references[nearest]) * slope).sum(dim=2).numpy())
                if isinstance(network, AdCnn):
                    with torch.inference_mode():
                        attention.append(network.attention(inputs).transpose(1, 2).numpy())
        count = len(self.networks_)
        signals, summed = _by_signal(maps, _mean_of_members(parts, count))
        shares = _mean_of_members(attention, count) if attention else None
        keys = tuple(channel.key for channel in maps.channels)
        return Explanation(maps.index, signals, summed, keys, values, shares)

    def _built(self, classes: int, length: int, wanted: Mapping[str, Any]) -> Network:
        kind = catalog.load("models", self.network)
        known = inspect.signature(kind.__init__).parameters
        settings: dict[str, Any] = {"channels": len(self.channels_), "classes": classes, "length": length, **wanted}
        settings = {name: value for name, value in settings.items() if name in known} | dict(self.network_options or {})
        network: Network = kind(**settings)
        return network

    def _learn_scale(self, maps: Windows, held: np.ndarray) -> np.ndarray:
        """The scaled maps of training, each healthy one against a baseline without its own session."""
        healthy = maps.index.label == "normal"
        if not (healthy & ~held).any():
            raise NotEnoughData("learning the scale of feature maps", needed=1, have=0, unit="healthy maps")
        means = self._means(maps)
        self.own_ = OwnBaseline(self.baseline, "difference").fit(means, maps.index)
        self.domains_: list[str] = []
        self.scale_ = np.empty((0, len(self.channels_)))
        self._measure(maps[healthy & ~held])
        self._measure(maps[healthy])  # domains that were held out as a whole
        values = self.scaled(maps, crossed=True)
        some = np.flatnonzero(healthy & ~held)
        chosen = some[np.unique(np.linspace(0, len(some) - 1, _REFERENCES).astype(int))]
        self.references_ = values[chosen].astype(np.float16)
        return values

    def scaled(self, maps: Windows, crossed: bool = False) -> np.ndarray:
        """(map, feature, block) float32, as the networks see them; `crossed`: rows that are in the baselines, relative
        to baselines that their own session had no part in."""
        shifted = self._shifted(maps, crossed)
        place = {domain: number for number, domain in enumerate(self.domains_)}
        if unknown := sorted(set(maps.index.domain.tolist()) - set(place)):
            raise UsageError(f"no scale is known of {', '.join(unknown)}; adapt with some healthy cycles of it")
        scale = self.scale_[[place[domain] for domain in maps.index.domain.tolist()]]
        return np.clip(shifted / scale[:, :, None], -_CLIP, _CLIP).astype(np.float32)

    def _shifted(self, maps: Windows, crossed: bool) -> np.ndarray:
        means = self._means(maps)
        relative = self.own_.crossed(means, maps.index) if crossed else self.own_.transform(means, maps.index)
        size = self.own_.size_ * self.own_.scale_
        shifted: np.ndarray = maps.values / size[:, None] - (means / size - relative)[:, :, None]
        return shifted

    def _measure(self, healthy: Windows) -> None:
        """The scale of each domain that has none yet: a few sessions of one more unit do not change that of all."""
        for domain in sorted(set(healthy.index.domain.tolist()) - set(self.domains_)):
            spread = self._shifted(healthy[healthy.index.domain == domain], crossed=True).std(axis=(0, 2))
            self.domains_ = [*self.domains_, domain]
            self.scale_ = np.vstack([self.scale_, np.where(spread > 0, spread, 1.0)])

    def _means(self, maps: Windows) -> np.ndarray:
        return maps.values.mean(axis=2, dtype=np.float64)

    def _log_proba(self, network: Network, values: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            found = [
                torch.log_softmax(network(values[first : first + _CHUNK], mask[first : first + _CHUNK]), dim=1)
                for first in range(0, len(values), _CHUNK)
            ]
        classes = int(network.config()["classes"])
        return torch.cat(found).double().numpy() if found else np.empty((0, classes))

    def _check(self, maps: Windows) -> None:
        if maps.channels != self.channels_:
            raise UsageError(
                f"the network was fitted on maps of {', '.join(c.key for c in self.channels_)}, "
                f"got {', '.join(c.key for c in maps.channels)}"
            )
        if not np.isclose(maps.rate_hz, self.rate_hz_, rtol=_SAME_RATE):
            samples = self.maps.step
            raise UsageError(
                f"the network was fitted on recordings of {self.rate_hz_ * samples:g} Hz, these have "
                f"{maps.rate_hz * samples:g} Hz; resample them, or fit another for them"
            )


def _mean_of_members(pieces: Sequence[np.ndarray], members: int) -> np.ndarray:
    """Chunks that stand one member after the other, as one array of the members' mean."""
    chunks = [np.mean(pieces[first : first + members], axis=0) for first in range(0, len(pieces), members)]
    return np.concatenate(chunks)


def _by_signal(maps: Windows, parts: np.ndarray) -> tuple[tuple[Channel, ...], np.ndarray]:
    """Contributions of the statistics of a signal, summed."""
    signals = [Channel(c.quantity, c.joint, c.source) for c in maps.channels]
    unique = tuple(dict.fromkeys(signals))
    summed = np.zeros((len(parts), len(unique)))
    for column, signal in enumerate(signals):
        summed[:, unique.index(signal)] += parts[:, column]
    return unique, summed
