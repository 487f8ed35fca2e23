"""Orders of rotation: what repeats a whole number of times a turn, found against an angle instead of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Complex, Float
from numpy.lib.stride_tricks import sliding_window_view
from scipy.interpolate import make_interp_spline
from scipy.stats import f as f_distribution
from scipy.stats import rankdata

from jointwatch.core.errors import UsageError

__all__ = [
    "OrderFit",
    "SharedOrders",
    "fit_orders",
    "gapped_spectrum",
    "monotone_stretches",
    "order_spectrum",
    "resample_by_angle",
    "shared_orders",
]

_NEIGHBOURS = 12  # orders on either side that say how strong nothing in particular is
_BINS = 64  # places in a cycle of the highest order: the place within one changes an amplitude by 0.04 %


@dataclass(frozen=True, eq=False)
class OrderFit:
    """Orders found in each channel, (channel, order) arrays.

    Parameters
    ----------
    orders : (order,) cycles a turn.
    amplitude, phase_rad : the part `amplitude * cos(order * angle + phase_rad)`.
    uncertainty : standard error of the amplitude, from the strength of the neighbouring orders.
    p_value : chance of an order as strong in noise whose spectrum is level around it.
    residual : (channel,) root mean square of what neither trend nor orders explain, of its degrees of freedom.
    """

    orders: Float[np.ndarray, " order"]
    amplitude: Float[np.ndarray, "channel order"]
    phase_rad: Float[np.ndarray, "channel order"]
    uncertainty: Float[np.ndarray, "channel order"]
    p_value: Float[np.ndarray, "channel order"]
    residual: Float[np.ndarray, " channel"]


def monotone_stretches(
    angle_rad: Float[np.ndarray, " time"], *, min_turns: float = 1.0, slack_rad: float = 0.0
) -> list[slice]:
    """Stretches in which the angle goes one way for at least `min_turns`.

    Steps back of at most `slack_rad` against the extreme so far, the noise of an encoder, do not end a stretch.

    >>> import numpy as np
    >>> angle = 2 * np.pi * np.concatenate([np.linspace(0, 3, 31), np.linspace(3, 1, 21)[1:]])
    >>> monotone_stretches(angle)
    [slice(0, 31, None), slice(30, 51, None)]
    """
    way = np.sign(np.diff(angle_rad))
    # only where the angle may turn: ends, and samples between steps of different sense
    corners = np.flatnonzero(np.concatenate([[True], way[1:] != way[:-1], [True]]))
    turns = [0]
    sense, extreme = 0.0, 0
    for i in corners.tolist():
        step = float(angle_rad[i] - angle_rad[extreme])
        if sense == 0:
            if abs(step) > slack_rad:
                sense, extreme = np.sign(step), i
        elif sense * step >= 0:
            extreme = i
        elif -sense * step > slack_rad:
            turns.append(extreme)
            sense, extreme = -sense, i
    turns.append(len(angle_rad) - 1)
    least = 2 * np.pi * min_turns * (1 - 1e-12)
    return [slice(a, b + 1) for a, b in pairwise(turns) if abs(angle_rad[b] - angle_rad[a]) >= least]


def resample_by_angle(
    values: Float[np.ndarray, "channel time"],
    angle_rad: Float[np.ndarray, " time"],
    per_turn: int,
) -> tuple[Float[np.ndarray, "channel point"], Float[np.ndarray, " point"]]:
    """(values, angle) at `per_turn` even points a turn, by a cubic spline; one monotone stretch, either way.

    Samples that do not go beyond the angle reached so far are passed over. The angle increases in the result and its
    points are multiples of 2 pi / per_turn, so that stretches of one machine share their grid. There is no filter: a
    signal with more than per_turn / 2 cycles a turn folds back.

    Errors: `UsageError` for fewer than four usable samples.

    >>> import numpy as np
    >>> time_s = np.linspace(0, 1, 400)
    >>> angle = 2 * np.pi * (time_s + time_s**2)
    >>> even, at = resample_by_angle(np.cos(3 * angle)[None], angle, 64)
    >>> bool(abs(even[0] - np.cos(3 * at)).max() < 1e-4)
    True
    """
    x = angle_rad if angle_rad[-1] >= angle_rad[0] else angle_rad[::-1]
    y = values if angle_rad[-1] >= angle_rad[0] else values[:, ::-1]
    ahead = np.concatenate([[True], x[1:] > np.maximum.accumulate(x)[:-1]]) & np.isfinite(y).all(axis=0)
    x, y = x[ahead], y[:, ahead]
    if len(x) > 1:  # of samples that nearly coincide one is enough: a cubic would overshoot between them
        _, first = np.unique(np.floor((x - x[0]) / (0.5 * np.median(np.diff(x)))), return_index=True)
        x, y = x[first], y[:, first]
    if len(x) < 4:
        raise UsageError(f"resampling by angle needs at least 4 samples that go one way, there are {len(x)}")
    step = 2 * np.pi / per_turn
    grid = step * np.arange(np.ceil(x[0] / step - 1e-9), np.floor(x[-1] / step + 1e-9) + 1)
    return make_interp_spline(x, y, k=3, axis=1)(np.clip(grid, x[0], x[-1])), grid


def order_spectrum(
    values: Float[np.ndarray, "channel time"],
    angle_rad: Float[np.ndarray, " time"],
    max_order: float,
) -> tuple[Float[np.ndarray, "channel order"], Float[np.ndarray, " order"]]:
    """(amplitude, orders) of one monotone stretch up to `max_order`: Hann-windowed discrete Fourier transform by angle.

    A straight line is taken out first. A component on a line of the spectrum shows its own amplitude; lines lie
    one over the number of turns apart, and a component reaches over two lines to either side.

    >>> import numpy as np
    >>> angle = 2 * np.pi * np.linspace(0, 10, 4000) ** 1.1
    >>> amplitude, orders = order_spectrum(0.3 * np.cos(2 * angle + 1)[None], angle, 8.0)
    >>> float(orders[amplitude[0].argmax()].round(1)), float(amplitude.max().round(1))
    (2.0, 0.3)
    """
    even, grid = resample_by_angle(values, angle_rad, int(np.ceil(2.5 * max_order)))
    centred = (grid - grid.mean()) / max(np.ptp(grid), 1e-300)
    basis = np.stack([np.ones_like(centred), centred])
    even = even - np.linalg.lstsq(basis.T, even.T, rcond=None)[0].T @ basis
    window = np.hanning(len(grid) + 1)[:-1]
    spectrum = np.abs(np.fft.rfft(even * window, axis=1)) * 2 / window.sum()
    orders = np.fft.rfftfreq(len(grid), (grid[1] - grid[0]) / (2 * np.pi))
    kept = orders <= max_order
    return spectrum[:, kept], orders[kept]


def gapped_spectrum(
    values: Float[np.ndarray, "channel time"],
    angle_rad: Float[np.ndarray, " time"],
    max_order: float,
    *,
    per_order: int = 2,
    good: Bool[np.ndarray, " time"] | None = None,
    below: float = 0.0,
) -> tuple[Complex[np.ndarray, "channel order"], Float[np.ndarray, " order"]]:
    """(complex amplitude, orders) of one stretch with samples left out, at orders 1 / per_order apart.

    It is the Fourier integral over the angle under half a sine: samples count by the angle they cover, those left out
    not at all, so that there is nothing to interpolate and nothing folds back below half the sampling rate. A
    component `a cos(order * angle + phase)` shows as `a exp(i phase)`; it reaches over 1.5 over the number of turns to
    either side, and further, weakly, where much is left out.

    Parameters
    ----------
    angle_rad : in one way, up or down; as it is counted, so that phases of stretches can be compared.
    good : samples that count; None = all.
    below : what is slower than this order is taken out first, as a polynomial of degree 2 * turns * below.

    Errors: `UsageError` if the samples that count are fewer than twice the polynomial's terms.

    >>> import numpy as np
    >>> angle = 2 * np.pi * np.linspace(0, 0.4, 3000) ** 1.2
    >>> amplitude, orders = gapped_spectrum(0.3 * np.cos(100 * angle + 1)[None], angle, 150.0)
    >>> best = np.abs(amplitude[0]).argmax()
    >>> float(orders[best]), complex(amplitude[0, best].round(2)), complex((0.3 * np.exp(1j)).round(2))
    (100.0, (0.16+0.25j), (0.16+0.25j))
    """
    turned = angle_rad / (2 * np.pi)
    covered = np.abs(np.gradient(turned)) * (1.0 if good is None else good)
    first, last = float(turned.min()), float(turned.max())
    degree = int(np.ceil(2 * (last - first) * below))
    if np.count_nonzero(covered) < 2 * (degree + 1):
        raise UsageError(f"{np.count_nonzero(covered)} samples are too few for a trend of degree {degree}")
    place = (turned - first) / (last - first)
    trend = np.polynomial.legendre.legvander(2 * place - 1, degree)
    root = np.sqrt(covered)[:, None]
    kept = np.where(covered > 0, values, 0.0)
    free = kept - (trend @ np.linalg.lstsq(trend * root, kept.T * root, rcond=None)[0]).T
    weight = np.sin(np.pi * place) * covered
    size = per_order * int(2 ** np.ceil(np.log2(_BINS * max_order)))
    bins = np.rint(turned * (size / per_order)).astype(int) % size
    laid = np.stack([np.bincount(bins, row, size) for row in free * weight])
    count = int(np.floor(max_order * per_order + 1e-9)) + 1
    return np.fft.rfft(laid, axis=1)[:, :count] * 2 / weight.sum(), np.arange(count) / per_order


@dataclass(frozen=True, eq=False)
class SharedOrders:
    """Orders at which spectra of several stretches are strong together.

    Parameters
    ----------
    statistic : (order,) minus the sum over stretches of the logarithm of the share of orders at least as strong there.
    p_single : (order,) chance of as much at an order that was named beforehand.
    p_search : (order,) chance of as much anywhere among the orders (family-wise).
    limit : statistic that is passed anywhere with the chance `level`.
    """

    statistic: Float[np.ndarray, " order"]
    p_single: Float[np.ndarray, " order"]
    p_search: Float[np.ndarray, " order"]
    limit: float


def shared_orders(
    strength: Float[np.ndarray, "stretch *kind order"],
    rng: np.random.Generator,
    *,
    level: float = 0.05,
    draws: int = 2000,
) -> SharedOrders:
    """Fisher's combination of ranks, against the same spectra each slid along the orders by a place of its own.

    Only ranks within a spectrum count, so one stretch can never decide alone. Sliding keeps all that a stretch has, its
    lines and the width of them, and breaks only what is asked about: that they fall on the same orders. It takes for
    granted that a line is as likely anywhere in a spectrum, so the background must be divided out before; a rotation
    test as of permutations (Phipson and Smyth 2010 for the count of the observed one).

    Parameters
    ----------
    strength : higher = stronger, background divided out; at even steps of the order. At least two stretches. Spectra of
        several kinds of one stretch are slid together, as they are not independent.

    Errors: `UsageError` for fewer than two stretches.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> strength = rng.exponential(size=(4, 300))
    >>> strength[:, 120] += 6
    >>> found = shared_orders(strength, rng)
    >>> int(found.statistic.argmax()), bool(found.p_search[120] < 0.01), int((found.p_search < 0.05).sum())
    (120, True, 1)
    """
    stretches, orders = len(strength), strength.shape[-1]
    if stretches < 2:
        raise UsageError(f"orders are shared by at least two stretches, there are {stretches}")
    share = rankdata(-strength, method="max", axis=-1) / orders
    own = -np.log(share).reshape(stretches, -1, orders).sum(axis=1)
    statistic = own.sum(axis=0)
    slid = np.tile(own[0], (draws, 1))
    offsets = rng.integers(orders, size=(draws, stretches - 1))
    for row, offset in zip(own[1:], offsets.T, strict=True):
        slid += sliding_window_view(np.tile(row, 2), orders)[offset]
    highest = np.sort(slid.max(axis=1))
    passed = 1 - np.searchsorted(np.sort(slid, axis=None), statistic - 1e-9) / slid.size
    search = (1 + draws - np.searchsorted(highest, statistic - 1e-9)) / (1 + draws)
    single = (1 / orders + draws * passed) / (1 / orders + draws)
    return SharedOrders(statistic, single, search, float(np.quantile(highest, 1 - level)))


def fit_orders(
    values: Float[np.ndarray, "channel time"],
    angle_rad: Float[np.ndarray, " time"],
    orders: Sequence[float],
    *,
    trend: int = 2,
) -> OrderFit:
    """Least squares of the given orders and a polynomial trend by angle, on the samples as they are.

    An order's strength (sum of squares that is lost without it) is set against that of the 24 nearest orders, one
    over the number of turns apart, that are two such steps or more from all orders fitted. In noise whose spectrum is
    level there, whatever its colour elsewhere, the ratio follows Fisher's F distribution with 2 and 48 degrees of
    freedom: exactly for white Gaussian noise at steady speed, nearly at a speed that varies.

    Parameters
    ----------
    angle_rad : in one way or both; the phase of both directions is taken as the same.
    orders : cycles a turn, positive.
    trend : degree of the polynomial of the angle.

    Errors: `UsageError` if the samples or turns are too few to tell the orders apart.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> angle = 2 * np.pi * np.linspace(0, 20, 3000)
    >>> found = fit_orders((0.2 * np.cos(2 * angle + 0.5) + 0.1 * rng.standard_normal(3000))[None], angle, [1.0, 2.0])
    >>> found.amplitude.round(2).tolist(), (found.p_value < 1e-6).tolist(), float(found.phase_rad[0, 1].round(1))
    ([[0.0, 0.2]], [[False, True]], 0.5)
    """
    wanted = np.asarray(orders, float)
    turns = float(np.ptp(angle_rad)) / (2 * np.pi)
    columns = trend + 1 + 2 * len(wanted)
    gaps = np.diff(np.sort(np.concatenate([[0.0], wanted])))
    if len(wanted) == 0 or not (wanted > 0).all() or (gaps <= 0).any():
        raise UsageError(f"orders must be positive and differ, got {list(orders)}")
    if len(angle_rad) <= 2 * columns or turns * gaps.min() < 1:
        raise UsageError(f"{len(angle_rad)} samples over {turns:.2f} turns are too few for orders {list(orders)}")
    x = (angle_rad - angle_rad.mean()) / np.ptp(angle_rad) * 2
    waves = _waves(angle_rad, wanted).reshape(len(angle_rad), -1)
    design = np.concatenate([x[:, None] ** np.arange(trend + 1), waves], axis=1)
    solved = np.linalg.lstsq(design, values.T, rcond=None)[0]
    left = values.T - design @ solved
    cosine, sine = solved[trend + 1 :: 2].T, solved[trend + 2 :: 2].T
    basis = np.linalg.qr(design)[0]
    amplitude, phase = np.hypot(cosine, sine), np.arctan2(-sine, cosine)
    uncertainty, p_value = np.empty_like(amplitude), np.empty_like(amplitude)
    for i, order in enumerate(wanted):
        place = slice(trend + 1 + 2 * i, trend + 3 + 2 * i)
        others = np.linalg.qr(np.delete(design, np.r_[place], axis=1))[0]
        own = _strengths(others, design[:, None, place], left + design[:, place] @ solved[place])[0]
        near = _neighbours(float(order), wanted, turns)
        around = _strengths(basis, _waves(angle_rad, near), left)
        level = np.mean(around, axis=0)
        p_value[:, i] = f_distribution.sf(own / np.maximum(level, 1e-300), 2, 2 * len(near))
        uncertainty[:, i] = np.sqrt(level / len(angle_rad))
    freedom = max(len(angle_rad) - columns, 1)
    return OrderFit(wanted, amplitude, phase, uncertainty, p_value, np.sqrt((left**2).sum(axis=0) / freedom))


def _waves(angle_rad: np.ndarray, orders: Sequence[float] | np.ndarray) -> np.ndarray:
    """(time, order, 2) cosine and sine."""
    turned = angle_rad[:, None] * np.asarray(orders, float)
    return np.stack([np.cos(turned), np.sin(turned)], axis=-1)


def _strengths(basis: np.ndarray, waves: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(order, channel) sum of squares of values (time, channel) that each wave (time, order, 2) explains beyond a basis
    with orthonormal columns."""
    flat = waves.reshape(len(waves), -1)
    free = (flat - basis @ (basis.T @ flat)).reshape(waves.shape)
    gram = np.einsum("tij,tik->ijk", free, free)
    along = np.einsum("tij,tc->ijc", free, values)
    return np.einsum("ijc,ijc->ic", along, np.linalg.solve(gram, along))


def _neighbours(order: float, orders: np.ndarray, turns: float) -> list[float]:
    """Orders around one, nearest first, that are at least two lines from every order that is fitted and from 0."""
    found: list[float] = []
    for k in range(2, 40 * _NEIGHBOURS):
        for near in (order - k / turns, order + k / turns):
            if near * turns >= 2 and (np.abs(near - orders) * turns >= 2 - 1e-9).all():
                found.append(near)
        if len(found) >= 2 * _NEIGHBOURS:
            break
    return found[: 2 * _NEIGHBOURS]
