"""Feature maps of one axis and a network on them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch

from jointwatch.core import Windows, catalog
from jointwatch.core.errors import NotEnoughData
from jointwatch.core.slices import slices
from jointwatch.diagnosis._maps_graph import MapsGraph
from jointwatch.diagnosis._scaled_maps import AT_ONCE, ScaledMaps
from jointwatch.diagnosis._split import held_out_units
from jointwatch.models._blame import blame
from jointwatch.models._onnx_graph import Compiler, GraphFunction
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

_REFERENCES = 256


class MapsView(ScaledMaps):
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
    networks_ : list of Network. The others: see `ScaledMaps`.
    """

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
        adapted._with_baselines(maps)
        if strategy is not None:
            batch = Batch.of_arrays(adapted.scaled(maps, crossed=True), maps.presence, code)
            classes = int(self.networks_[0].config()["classes"])
            adapted.networks_ = [
                strategy.tune(network, batch, classes=classes, seed=self.random_state + member)
                for member, network in enumerate(self.networks_)
            ]
        return adapted

    def held_log_proba(self, maps: Windows, code: np.ndarray, held: np.ndarray, seed: int) -> np.ndarray:
        """(held map, class) log-probabilities of the maps of `fit` that were held out, healthy ones relative to
        baselines that their own session had no part in."""
        return self._log_proba(self.scaled(maps, crossed=True)[held], maps.presence[held])

    def for_edge(self, compiled: Compiler) -> MapsGraph:
        """The view as it diagnoses without torch."""
        networks = [copy.deepcopy(network).eval().requires_grad_(False) for network in self.networks_]
        references = torch.from_numpy(self.references_.astype(np.float32))
        inputs = {"values": references[:1], "mask": torch.ones(1, len(self.channels_), dtype=torch.bool)}
        looks = all(isinstance(network, AdCnn) for network in networks)

        def judge(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return _mean_log_proba(networks, values, mask)

        def explain(values: torch.Tensor, mask: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, ...]:
            parts, attention = _explained(networks, values, mask, known)
            return (parts,) if attention is None else (parts, attention)

        outputs = ("parts", "attention") if looks else ("parts",)
        return MapsGraph(
            self.maps,
            compiled("judge", GraphFunction(judge, inputs, ("log_proba",))),
            compiled("blame", GraphFunction(explain, inputs, outputs, {"references": references}, gradient=True)),
            int(networks[0].config()["classes"]),
            self.baseline,
        ).of(self)

    def _log_proba(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        found = [np.empty((0, int(self.networks_[0].config()["classes"])))]
        with torch.inference_mode():
            for rows in slices(len(values), AT_ONCE):
                inputs, mask = torch.from_numpy(values[rows]), torch.tensor(presence[rows])
                found.append(_mean_log_proba(self.networks_, inputs, mask).double().numpy())
        return np.concatenate(found)

    def _blamed(self, values: np.ndarray, presence: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        references = torch.from_numpy(self.references_.astype(np.float32))
        inputs, mask = torch.from_numpy(values), torch.tensor(presence)
        parts, attention = _explained(self.networks_, inputs, mask, references)
        return parts.numpy(), None if attention is None else attention.numpy()

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
        self.domains_ = []
        self.scale_ = np.empty((0, len(self.channels_)))
        self._measure(maps[healthy & ~held])
        self._measure(maps[healthy])  # domains that were held out as a whole
        values = self.scaled(maps, crossed=True)
        some = np.flatnonzero(healthy & ~held)
        chosen = some[np.unique(np.linspace(0, len(some) - 1, _REFERENCES).astype(int))]
        self.references_ = values[chosen].astype(np.float16)
        return values


def _mean_log_proba(networks: Sequence[Network], values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(map, class) of the members."""
    return torch.stack([network(values, mask).log_softmax(dim=1) for network in networks]).mean(dim=0)


def _explained(
    networks: Sequence[Network], values: torch.Tensor, mask: torch.Tensor, references: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(map, feature) contributions, and (map, feature, block) attention where all members have it, of the members."""
    parts = torch.stack([blame(network, values, mask, references)[1] for network in networks]).mean(dim=0)
    looks = [network.attention(values).transpose(1, 2) for network in networks if isinstance(network, AdCnn)]
    return parts, torch.stack(looks).mean(dim=0) if len(looks) == len(networks) else None
