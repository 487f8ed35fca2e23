"""Static transmission error of a drive from a measuring machine's sphere centres, with its uncertainty and level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student

from jointwatch.core.errors import InputError, UsageError
from jointwatch.core.levels import LEVEL_RAD, LEVELS, level_of
from jointwatch.metrology.rotation import Rotation, common_axis, fit_rotation
from jointwatch.metrology.sphere_centres import SphereCentres

__all__ = ["MeasuredError", "RunError", "average_runs", "measure_static_error"]

_GROSS_RAD = np.radians(1.0)  # no drive errs by as much; the call or the spheres are wrong
_COVERAGE = 0.95


@dataclass(frozen=True, eq=False)
class RunError:
    """One run: measured minus theoretical output angle, positive = turned too far.

    run : its name. error_rad : of this run. uncertainty_rad : standard uncertainty from the noise of the centres.
    low_rad, high_rad : 95 % interval from that alone. rotation : the fit it comes from.
    """

    run: str
    error_rad: float
    uncertainty_rad: float
    low_rad: float
    high_rad: float
    rotation: Rotation


@dataclass(frozen=True, eq=False)
class MeasuredError:
    """The static error of a drive over its runs.

    Parameters
    ----------
    error_rad : weighted mean over runs of measured minus theoretical angle, positive = turned too far.
    uncertainty_rad : standard uncertainty of it, repeatability and noise of the centres together.
    low_rad, high_rad : 95 % interval.
    degrees_of_freedom : of Student's law that the interval and the levels' probabilities follow.
    noise_uncertainty_rad : the part of the uncertainty that the noise of the centres alone would leave.
    repeatability_rad : standard deviation between runs beyond that noise; NaN with one run, which cannot show any.
    level : 1 to 6, of the absolute error.
    level_probability : (6,) chance of each level.
    theoretical_rad, measured_rad : the angle that the ratio asks for, and the one found.
    noise_mm : standard deviation of one coordinate of a centre; noise_stated : whether given or from residuals.
    runs : what each run says.
    """

    error_rad: float
    uncertainty_rad: float
    low_rad: float
    high_rad: float
    degrees_of_freedom: float
    noise_uncertainty_rad: float
    repeatability_rad: float
    level: int
    level_probability: np.ndarray
    theoretical_rad: float
    measured_rad: float
    noise_mm: float
    noise_stated: bool
    runs: tuple[RunError, ...]

    @property
    def level_words(self) -> str:
        """The level, or the fewest neighbours that hold 95 % of the chance.

        >>> from types import SimpleNamespace
        >>> case = SimpleNamespace(level=2, level_probability=np.array([0.0, 0.6, 0.4, 0.0, 0.0, 0.0]))
        >>> MeasuredError.level_words.fget(case)
        'level 2 or 3'
        """
        low = high = self.level
        chance = np.concatenate([[-1.0], self.level_probability, [-1.0]])
        while chance[low : high + 1].sum() < _COVERAGE and high - low < LEVELS - 1:
            if chance[low - 1] > chance[high + 1]:
                low -= 1
            else:
                high += 1
        return f"level {low}" + ("" if low == high else f" or {high}" if high == low + 1 else f" to {high}")

    def to_dict(self) -> dict[str, Any]:
        """Numbers and words for JSON; what cannot be told is None."""
        runs = [
            {
                "run": one.run,
                "error_deg": _degrees(one.error_rad),
                "uncertainty_deg": _degrees(one.uncertainty_rad),
                "low_deg": _degrees(one.low_rad),
                "high_deg": _degrees(one.high_rad),
                "axis": [float(x) for x in one.rotation.axis],
                "shift_mm": one.rotation.shift_mm,
                "residual_mm": one.rotation.residual_mm,
            }
            for one in self.runs
        ]
        return {
            "error_deg": _degrees(self.error_rad),
            "uncertainty_deg": _degrees(self.uncertainty_rad),
            "low_deg": _degrees(self.low_rad),
            "high_deg": _degrees(self.high_rad),
            "degrees_of_freedom": _finite(self.degrees_of_freedom),
            "noise_uncertainty_deg": _degrees(self.noise_uncertainty_rad),
            "repeatability_deg": _degrees(self.repeatability_rad),
            "level": self.level,
            "level_words": self.level_words,
            "level_probability": [float(p) for p in self.level_probability],
            "theoretical_deg": _degrees(self.theoretical_rad),
            "measured_deg": _degrees(self.measured_rad),
            "noise_mm": self.noise_mm,
            "noise_stated": self.noise_stated,
            "runs": runs,
        }


def measure_static_error(
    centres: SphereCentres,
    *,
    ratio: float = 100.0,
    turns: float = 20.0,
    noise_mm: float | None = None,
    direction: np.ndarray | Sequence[float] | None = None,
) -> MeasuredError:
    """Static error of a drive whose input turned `turns` times in every run, forwards or backwards.

    A run that turned the other way counts by how far it turned in its own direction; an error is positive where the
    output went too far. Without a `direction` the sign of a turn is that which fits the theoretical angle better.

    Parameters
    ----------
    centres : of the spheres before and after each run.
    ratio : turns of the input for one of the output. turns : of the input in a run; the angle is turns / ratio of 360
        degrees.
    noise_mm : stated standard deviation of one coordinate of a centre; None = from the residuals of all runs together.
    direction : (3,) rough direction of the output's axis, needed where the angle is near a multiple of 180 degrees;
        there alone every run must turn about it in the sense of the sign of `turns`.

    Errors: `UsageError` for a ratio or turns that ask for no angle, or an angle that needs a direction; `InputError`
    naming the run whose spheres moved against one another, that did not turn, or that turned a degree more or less than
    it should.

    >>> import numpy as np
    >>> from jointwatch.metrology.sphere_centres import SphereCentres
    >>> rng = np.random.default_rng(0)
    >>> rod = np.array([[100.0, 0, 20], [80, 60, 20], [90, 20, 80]])
    >>> turn = np.radians(72 + 0.06)
    >>> c, s = np.cos(turn), np.sin(turn)
    >>> before = rod + rng.normal(0, 0.002, (5, 3, 3))
    >>> after = rod @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + rng.normal(0, 0.002, (5, 3, 3))
    >>> found = measure_static_error(SphereCentres(tuple("12345"), tuple("ABC"), before, after), noise_mm=0.002)
    >>> found.level_words, bool(found.low_rad < np.radians(0.06) < found.high_rad)
    ('level 3', True)
    """
    if not (np.isfinite(ratio) and np.isfinite(turns) and ratio > 0 and turns != 0):
        raise UsageError(f"ratio is positive and turns are not 0, got ratio {ratio} and {turns} turns")
    theory = abs(2 * np.pi * turns / ratio)
    alike = bool(abs(np.sin(theory)) < np.sin(2 * _GROSS_RAD) and np.round(theory / np.pi) > 0)
    if direction is None and alike:
        raise UsageError(
            f"a turn of {np.degrees(theory):g} deg looks the same both ways; give the direction of the output's axis"
        )
    rotations = [_fitted(centres, r, noise_mm, direction) for r in range(len(centres.runs))]
    if not noise_mm:
        rotations = _pooled(rotations)
    if not alike and theory > 2 * _GROSS_RAD:
        _require_turned(rotations, centres, theory)
    if direction is None and theory > 2 * _GROSS_RAD:
        sense = common_axis(rotations)
        rotations = [_towards(turn, sense) for turn in rotations]
    signs = (float(np.sign(turns)),) if alike else (1.0, -1.0)
    errors = [
        _error(turn.angle_rad, theory, signs, run, centres.source)
        for turn, run in zip(rotations, centres.runs, strict=True)
    ]
    return average_runs(
        centres.runs, np.array(errors), rotations, theoretical_rad=float(theory), noise_stated=bool(noise_mm)
    )


def average_runs(
    names: Sequence[str],
    error_rad: np.ndarray,
    rotations: Sequence[Rotation],
    *,
    theoretical_rad: float,
    noise_stated: bool,
) -> MeasuredError:
    """Mean over runs, weighted by 1 / (noise^2 + repeatability^2), and what it leaves open.

    Repeatability is Paule and Mandel's; the uncertainty of the mean is the weighted scatter of the runs themselves
    with one degree of freedom less than runs (Hartung and Knapp), but the interval is never narrower than the noise
    of the centres alone makes it. One run shows no repeatability, and its interval holds none.

    Source: A. L. Rukhin, M. G. Vangel, *Estimation of a common mean and weighted means statistics*, J. Am. Stat.
    Assoc. 93, 1998; J. Hartung, G. Knapp, *On tests of the overall treatment effect*, Stat. Med. 20, 2001.
    """
    noise = np.array([turn.uncertainty_rad for turn in rotations])
    freedom = np.inf if noise_stated else rotations[0].degrees_of_freedom
    floor = np.maximum(noise, 1e-12)
    between = _between(error_rad, floor)
    weight = 1 / (floor**2 + between**2)
    mean = float(weight @ error_rad / weight.sum())
    from_noise = float(1 / np.sqrt((1 / floor**2).sum()))
    scale, degrees = from_noise, float(freedom)
    several = len(error_rad) > 1
    if several:
        scatter = float(np.sqrt((weight @ (error_rad - mean) ** 2) / (len(error_rad) - 1) / weight.sum()))
        if _half(scatter, len(error_rad) - 1) > _half(from_noise, freedom):
            scale, degrees = scatter, float(len(error_rad) - 1)
    half = _half(scale, degrees)
    runs = tuple(
        RunError(
            str(name),
            float(error),
            float(u),
            float(error - _half(u, freedom)),
            float(error + _half(u, freedom)),
            turn,
        )
        for name, error, u, turn in zip(names, error_rad, noise, rotations, strict=True)
    )
    return MeasuredError(
        mean,
        scale,
        mean - half,
        mean + half,
        degrees,
        from_noise,
        between if several else float("nan"),
        level_of(mean),
        _level_probability(mean, scale, degrees),
        theoretical_rad,
        theoretical_rad + mean,
        float(rotations[0].noise_mm),
        noise_stated,
        runs,
    )


def _fitted(
    centres: SphereCentres, run: int, noise_mm: float | None, direction: np.ndarray | Sequence[float] | None
) -> Rotation:
    """A run's rotation; what is wrong with it names file and run."""
    try:
        return fit_rotation(
            centres.before_mm[run],
            centres.after_mm[run],
            direction=direction,
            noise_mm=noise_mm,
            names=centres.spheres,
        )
    except InputError as error:
        raise InputError(
            f"run {centres.runs[run]}: {error.problem}", file=centres.source or None, remedy=error.remedy
        ) from None


def _require_turned(rotations: Sequence[Rotation], centres: SphereCentres, theory: float) -> None:
    for turn, run in zip(rotations, centres.runs, strict=True):
        if abs(turn.angle_rad) < _GROSS_RAD:
            raise InputError(
                f"run {run}: the output did not turn, {np.degrees(abs(turn.angle_rad)):.3f} deg instead of "
                f"{np.degrees(theory):g} deg",
                file=centres.source or None,
                remedy="give the centres of before and after the turn, not the same ones twice",
            )


def _pooled(rotations: Sequence[Rotation]) -> list[Rotation]:
    """The noise estimated from all runs together, which has the degrees of freedom of all."""
    freedom = sum(turn.degrees_of_freedom for turn in rotations)
    noise = float(np.sqrt(sum(turn.residual_mm**2 for turn in rotations) / (2 * freedom)))
    return [
        replace(turn, noise_mm=noise, uncertainty_rad=noise * turn.lever, degrees_of_freedom=freedom)
        for turn in rotations
    ]


def _towards(turn: Rotation, sense: np.ndarray) -> Rotation:
    """The same turn with its sign about a common direction."""
    return replace(turn, angle_rad=-turn.angle_rad, axis=-turn.axis) if turn.axis @ sense < 0 else turn


def _error(angle: float, theory: float, signs: tuple[float, ...], run: str, source: str) -> float:
    """Distance turned minus theoretical, whole turns added and that of the signs taken that fits better."""
    candidates = [sign * angle - theory for sign in signs]
    error = min((np.remainder(c + np.pi, 2 * np.pi) - np.pi for c in candidates), key=abs)
    if abs(error) > _GROSS_RAD:
        raise InputError(
            f"run {run}: the output turned {np.degrees(theory + error):.3f} deg, not {np.degrees(theory):g} deg",
            file=source or None,
            remedy="correct ratio and turns, or the names of the spheres, which must be the same before and after",
        )
    return float(error)


def _between(error: np.ndarray, noise: np.ndarray) -> float:
    """Standard deviation between runs beyond their noise: the weighted scatter then is what is expected."""
    if len(error) < 2:
        return 0.0

    def excess(variance: float) -> float:
        weight = 1 / (noise**2 + variance)
        mean = weight @ error / weight.sum()
        return float(weight @ (error - mean) ** 2) - (len(error) - 1)

    top = float(np.ptp(error) ** 2) * len(error)
    if excess(0.0) <= 0 or top == 0:
        return 0.0
    return float(np.sqrt(brentq(excess, 0.0, top, xtol=1e-24)))


def _half(scale: float, degrees: float) -> float:
    """Half of the 95 % interval."""
    tail = (1 + _COVERAGE) / 2
    return float(scale * (norm.ppf(tail) if np.isinf(degrees) else student.ppf(tail, degrees)))


def _level_probability(mean: float, scale: float, degrees: float) -> np.ndarray:
    law = norm(mean, scale) if np.isinf(degrees) else student(degrees, mean, scale)
    ends = np.append(LEVEL_RAD * np.arange(LEVELS), np.inf)
    inside = law.cdf(ends) - law.cdf(-ends)
    return np.diff(inside)


def _degrees(angle_rad: float) -> float | None:
    return _finite(float(np.degrees(angle_rad)))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
