"""Per-domain, per-joint, per-signal z-score with clipping: what makes robots of several brands comparable."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Self

import numpy as np

from jointwatch.core import Channel, Quantity, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError, TransformerMixin
from jointwatch.core.slices import slices

__all__ = ["DomainZScore"]

_BLOCK = 64  # windows handled at once: their float64 copies stay in the processor's cache
_QUANTILE_SAMPLES = 400_000  # samples of a channel from which medians and quantiles are taken
_WINSOR = 0.05
_WINSOR_GAUSS = 0.91179  # std of a unit Gaussian clipped at its 5 % and 95 % quantiles
_FLAT = 1e-6  # deviations below this share of the largest value are float32 rounding, not signal
_UNITLESS = (Quantity.STATUS, Quantity.CONTACT)  # channels of these need not share a scale


class DomainZScore(TransformerMixin, BaseEstimator):
    """(x - mean) / scale for each domain and channel, clipped at `clip_sigma` (strategy 5 of M3).

    Each domain (column `domain` of the index: brand, model, unit ...) has its own mean and scale for each channel,
    learned from its normal windows. A domain without a normal window is learned from its uncertain ones, never
    from anomalous ones; `basis_` says which. Channels that a robot does not have stay 0.

    The scale is the standard deviation, with two corrections for joints that stand still:

    - Where more than half of the samples sit on one and the same value, the standard deviation tells how *rare* the
      other samples are, not how large: the scale is the root mean square of the samples that differ. One flicker of
      the last bit is then about 1 and not 30.
    - It is at least `floor_share` of the largest standard deviation that the same quantity has at any joint of that
      domain, so that quantisation noise of a standing joint is not blown up to the size of a movement.

    Both follow a change of units of the quantity. A channel that never changes at any joint has scale 1.

    Parameters
    ----------
    clip_sigma : z-scores are clipped at this many standard deviations.
    robust : winsorise at the 5 % and 95 % quantiles of each channel before mean and standard deviation are taken
        (made consistent for Gaussian noise). Stands up to 5 % of odd samples, for baselines and targets
        that are only *mostly* normal. Off by default: peaks that belong to the cycle count then, too.
    floor_share : least scale, relative to the liveliest joint of the same quantity.

    Attributes
    ----------
    domains_ : list of str. channels_ : tuple of Channel.
    mean_, scale_ : (domain, channel) float64. known_ : (domain, channel) bool, False where never seen.
    count_ : (domain,) windows behind the figures. basis_ : list of `normal`, `uncertain` or `adapted`.

    Errors: `UsageError` for an unknown domain, other channels or a channel not seen in that domain, naming it;
    `NotEnoughData` for a domain with anomalous windows only.

    >>> import numpy as np
    >>> from jointwatch.core import Channel, Index, Quantity, Windows
    >>> rng = np.random.default_rng(0)
    >>> a, label, number = np.full(50, "a"), np.full(50, "normal"), np.arange(50.0)
    >>> index = Index(a, a, a, a, number, number + 1, number, number, label, a, number, number)
    >>> windows = Windows(7 + 3 * rng.standard_normal((50, 1, 200)), (Channel(Quantity.CURRENT, 1),), index, 250.0)
    >>> z = DomainZScore().fit_transform(windows).values
    >>> round(float(z.mean()), 3), round(float(z.std()), 2), float(z.max()) <= 5
    (-0.0, 1.0, True)
    """

    def __init__(self, clip_sigma: float = 5.0, robust: bool = False, floor_share: float = 0.01) -> None:
        self.clip_sigma = clip_sigma
        self.robust = robust
        self.floor_share = floor_share

    def fit(self, X: Windows, y: np.ndarray | None = None) -> Self:
        """Learn every domain of the windows; `y` (1 = anomalous, 0 = normal, or text) replaces their labels."""
        _need_windows(X)
        if not self.clip_sigma > 0:
            raise UsageError(f"clip_sigma must be positive, got {self.clip_sigma}")
        if not 0 <= self.floor_share <= 1:
            raise UsageError(f"floor_share is in [0, 1], got {self.floor_share}")
        if len(X) == 0:
            raise NotEnoughData("normalisation", needed=1, have=0, unit="windows")
        label = X.index.label if y is None else _labels(y, len(X))
        domains, chosen, basis = [], [], []
        for domain in np.unique(X.index.domain):
            inside = X.index.domain == domain
            for kind in ("normal", "uncertain"):
                rows = np.flatnonzero(inside & (label == kind))
                if len(rows):
                    break
            else:
                raise NotEnoughData(
                    f"normalisation of domain {str(domain)!r}", needed=1, have=0, unit="normal or uncertain windows"
                )
            domains.append(str(domain))
            chosen.append(rows)
            basis.append(kind)
        self.channels_ = X.channels
        self.domains_: list[str] = []
        self.basis_: list[str] = []
        self.mean_, self.scale_ = np.empty((0, len(X.channels))), np.empty((0, len(X.channels)))
        self.known_, self.count_ = np.empty((0, len(X.channels)), bool), np.empty(0, np.int64)
        self._add(X, domains, chosen, basis)
        return self

    def adapt(self, windows: Windows) -> Self:
        """A new fitted copy in which the domains of `windows` are added or replaced; this one stays as it is.

        Labels are not looked at: all windows are taken as mostly normal (see `robust`).
        """
        self._check(windows)
        if len(windows) == 0:
            raise NotEnoughData("adaptation of the normalisation", needed=1, have=0, unit="windows of the target")
        adapted = copy.deepcopy(self)
        domains = [str(domain) for domain in np.unique(windows.index.domain)]
        keep = [i for i, domain in enumerate(self.domains_) if domain not in domains]
        for name in ("mean_", "scale_", "known_", "count_"):
            setattr(adapted, name, getattr(self, name)[keep])
        for name in ("domains_", "basis_"):
            setattr(adapted, name, [getattr(self, name)[i] for i in keep])
        chosen = [np.flatnonzero(windows.index.domain == domain) for domain in domains]
        adapted._add(windows, domains, chosen, ["adapted"] * len(domains))
        return adapted

    def transform(self, X: Windows) -> Windows:
        """The same windows, normalised and clipped; absent channels are 0."""
        self._check(X)
        domains, inverse = np.unique(X.index.domain, return_inverse=True)
        unknown = [str(domain) for domain in domains if domain not in self.domains_]
        if unknown:
            raise UsageError(
                f"normalisation does not know domain {', '.join(map(repr, unknown))} (it knows "
                f"{', '.join(map(repr, self.domains_))}); call adapt with windows of it first"
            )
        row = np.array([self.domains_.index(str(domain)) for domain in domains], dtype=np.intp)[inverse]
        unseen = X.presence & ~self.known_[row]
        if unseen.any():
            window, channel = np.argwhere(unseen)[0]
            domain = str(X.index.domain[window])
            raise UsageError(
                f"channel {X.channels[channel].key} was absent when domain {domain!r} was learned; "
                "call adapt with windows that have it"
            )
        values = np.empty(X.shape, np.float32)
        for block in slices(len(X), _BLOCK):
            mean, scale = self.mean_[row[block], :, None], self.scale_[row[block], :, None]
            z = np.clip((X.values[block] - mean) / scale, -self.clip_sigma, self.clip_sigma)
            values[block] = z * X.presence[block, :, None]
        return X.with_values(values)

    def _add(self, windows: Windows, domains: list[str], chosen: list[np.ndarray], basis: list[str]) -> None:
        figures = [self._learn(windows, rows) for rows in chosen]
        self.domains_ = [*self.domains_, *domains]
        self.basis_ = [*self.basis_, *basis]
        self.mean_ = np.concatenate([self.mean_, [mean for mean, _, _ in figures]])
        self.scale_ = np.concatenate([self.scale_, [scale for _, scale, _ in figures]])
        self.known_ = np.concatenate([self.known_, [known for _, _, known in figures]])
        self.count_ = np.concatenate([self.count_, [len(rows) for rows in chosen]])

    def _learn(self, windows: Windows, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(channel,) mean, scale, and whether the channel is there at all, from these windows."""
        presence = windows.presence[rows]
        low, middle, high = _quantiles(windows.values, rows, presence)
        if not self.robust:
            low, high = np.full_like(low, -np.inf), np.full_like(high, np.inf)
        count = presence.sum(axis=0) * windows.shape[2]
        known = count > 0
        safe = np.maximum(count, 1)
        total, largest = np.zeros(len(known)), np.zeros(len(known))
        for x, there in _pieces(windows.values, rows, presence, low, high):
            total += (x * there).sum(axis=(0, 2))
            largest = np.maximum(largest, (np.abs(x) * there).max(axis=(0, 2)))
        mean = total / safe
        flat = _FLAT * largest
        square, off, off_square = np.zeros(len(known)), np.zeros(len(known)), np.zeros(len(known))
        for x, there in _pieces(windows.values, rows, presence, low, high):
            square += (((x - mean[:, None]) ** 2) * there).sum(axis=(0, 2))
            away = (x - middle[:, None]) * there
            away[np.abs(away) <= flat[:, None]] = 0.0
            off += np.count_nonzero(away, axis=(0, 2))
            off_square += (away**2).sum(axis=(0, 2))
        std = np.sqrt(square / safe) / (_WINSOR_GAUSS if self.robust else 1.0)
        std[std <= flat] = 0.0
        excursion = np.sqrt(off_square / np.maximum(off, 1))
        std = np.where(off < 0.5 * count, np.maximum(std, excursion), std)
        scale = np.maximum(std, self.floor_share * _liveliest(std, windows.channels))
        scale[scale == 0] = 1.0
        return np.where(known, mean, 0.0), np.where(known, scale, 1.0), known

    def _check(self, windows: Windows) -> None:
        _need_windows(windows)
        if not hasattr(self, "mean_"):
            raise NotFittedError("DomainZScore is not fitted; call fit first")
        if tuple(windows.channels) != tuple(self.channels_):
            raise UsageError(
                f"normalisation was learned for channels {[c.key for c in self.channels_]}, "
                f"got {[c.key for c in windows.channels]}; cut the windows with channels= of the source"
            )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "mean_")


def _need_windows(windows: object) -> None:
    if not isinstance(windows, Windows):
        raise UsageError(f"DomainZScore works on Windows, which know their domain; got {type(windows).__name__}")


def _labels(y: np.ndarray, count: int) -> np.ndarray:
    y = np.asarray(y)
    if y.shape != (count,):
        raise UsageError(f"y must be ({count},), got {y.shape}")
    return y if y.dtype.kind in "US" else np.where(y.astype(int) == 1, "anomalous", "normal")


def _pieces(
    values: np.ndarray, rows: np.ndarray, presence: np.ndarray, low: np.ndarray, high: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of (window, channel, time) float64, clipped between the channel's bounds, and their presence."""
    for block in slices(len(rows), _BLOCK):
        x = values[rows[block]].astype(np.float64)
        yield np.clip(x, low[:, None], high[:, None]), presence[block, :, None]


def _quantiles(values: np.ndarray, rows: np.ndarray, presence: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(channel,) 5 %, 50 % and 95 % quantile; from evenly spread windows where there are very many."""
    figures = np.zeros((3, values.shape[1]))
    for channel in range(values.shape[1]):
        mine = rows[presence[:, channel]]
        stride = max(1, len(mine) * values.shape[2] // _QUANTILE_SAMPLES)
        if len(mine):
            sample = values[mine[::stride], channel].astype(np.float64)
            # "lower" gives a value that occurs, which the test for a standing joint needs
            figures[:, channel] = np.quantile(sample, (_WINSOR, 0.5, 1 - _WINSOR), method="lower")
    return figures[0], figures[1], figures[2]


def _liveliest(std: np.ndarray, channels: tuple[Channel, ...]) -> np.ndarray:
    """(channel,) largest standard deviation among the channels of the same quantity, which share a unit."""
    top: dict[object, float] = {}
    keys = [c if c.quantity in _UNITLESS else c.quantity for c in channels]
    for key, value in zip(keys, std, strict=True):
        top[key] = max(top.get(key, 0.0), float(value))
    return np.array([top[key] for key in keys])
