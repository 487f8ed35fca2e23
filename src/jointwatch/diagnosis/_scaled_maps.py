"""Feature maps on one scale, each relative to its unit's own healthy ones: what networks of maps are given."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from jointwatch.core import Channel, Recording, Windows
from jointwatch.core.errors import UsageError
from jointwatch.core.estimator import BaseEstimator
from jointwatch.core.slices import slices
from jointwatch.diagnosis._checks import check_cycles
from jointwatch.diagnosis.base import Explanation
from jointwatch.windows.feature_maps import FeatureMaps
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = ["AT_ONCE", "ScaledMaps"]

AT_ONCE = 512  # maps
_CLIP = 5.0
_SAME_RATE = 0.02


class ScaledMaps(BaseEstimator):
    """The part of a view of maps that needs no network.

    Attributes
    ----------
    own_ : OwnBaseline of the features' means. domains_ : list of domains, in the order of scale_ : (domain, feature)
    spread of their healthy maps. channels_ : of a map. rate_hz_ : blocks a second.
    references_ : (map, feature, block) healthy maps that explanations compare with.
    """

    piece: ClassVar[str] = "maps"
    """What a row is."""

    maps: FeatureMaps
    baseline: Literal["unit", "domain"]
    own_: OwnBaseline
    domains_: list[str]
    scale_: np.ndarray
    channels_: tuple[Channel, ...]
    rate_hz_: float
    references_: np.ndarray

    @abstractmethod
    def _log_proba(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """(map, class) log-probabilities of scaled maps."""

    @abstractmethod
    def _blamed(self, values: np.ndarray, presence: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """(map, feature) contributions to the log-odds, and (map, feature, block) shares of attention or None."""

    def cut(self, recordings: Sequence[Recording]) -> Windows:
        """The maps of recordings, on no scale yet."""
        if self.maps.within == "cycle":
            check_cycles(recordings)
        return self.maps.fit_transform(recordings)

    def log_proba(self, maps: Windows) -> np.ndarray:
        """(map, class) log-probabilities."""
        self._check(maps)
        return self._log_proba(self.scaled(maps), maps.presence)

    def explain(self, maps: Windows) -> Explanation:
        """Contributions of the signals, the scaled maps, and the share of attention of networks that have it.

        A contribution is gradient x difference to the most similar healthy map, summed over the signal's statistics.
        """
        self._check(maps)
        values = self.scaled(maps)
        found = [self._blamed(values[rows], maps.presence[rows]) for rows in slices(len(values), AT_ONCE)]
        parts = np.concatenate([np.empty((0, values.shape[1])), *(part for part, _ in found)])
        shares = [share for _, share in found if share is not None]
        signals, summed = _by_signal(maps, parts)
        keys = tuple(channel.key for channel in maps.channels)
        return Explanation(maps.index, signals, summed, keys, values, np.concatenate(shares) if shares else None)

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

    def _means(self, maps: Windows) -> np.ndarray:
        return maps.values.mean(axis=2, dtype=np.float64)

    def _measure(self, healthy: Windows) -> None:
        """The scale of each domain that has none yet: a few sessions of one more unit do not change that of all."""
        for domain in sorted(set(healthy.index.domain.tolist()) - set(self.domains_)):
            spread = self._shifted(healthy[healthy.index.domain == domain], crossed=True).std(axis=(0, 2))
            self.domains_ = [*self.domains_, domain]
            self.scale_ = np.vstack([self.scale_, np.where(spread > 0, spread, 1.0)])

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

    def _with_baselines(self, maps: Windows) -> None:
        """Baselines of further units from their healthy maps, and the scale of a domain that is not known yet."""
        self._check(maps)
        self.own_ = self.own_.add(self._means(maps), maps.index)
        self._measure(maps[maps.index.label == "normal"])


def _by_signal(maps: Windows, parts: np.ndarray) -> tuple[tuple[Channel, ...], np.ndarray]:
    """Contributions of the statistics of a signal, summed."""
    signals = [Channel(c.quantity, c.joint, c.source) for c in maps.channels]
    unique = tuple(dict.fromkeys(signals))
    summed = np.zeros((len(parts), len(unique)))
    for column, signal in enumerate(signals):
        summed[:, unique.index(signal)] += parts[:, column]
    return unique, summed
