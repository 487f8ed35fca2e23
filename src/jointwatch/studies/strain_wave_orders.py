"""Orders of strain-wave gears in measured motor currents: which lines there are, and whether they are the gear's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.core.errors import NotEnoughData
from jointwatch.recordings import read
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._statistics import bootstrap
from jointwatch.studies._strain_wave_lines import (
    fitted,
    friction_current,
    located,
    phase_lock,
    search,
    speed_power,
    wrong_ratio,
)
from jointwatch.studies._strain_wave_stretches import (
    SIGNALS,
    Stretch,
    find_stretches,
    level_out,
    pieces,
    same_speed,
    spectrum,
)
from jointwatch.studies.base import Progress, Results, Study, StudyOptions

__all__ = ["StrainWaveOrders"]

_NAMED = (1, 2, 3, 4)
"""Cycles a turn of the wave generator that are measured whether found or not."""
_WRONG = 20
_DRAWS, _NULL_DRAWS = 2000, 400
_PIECE = 0.08
_STEP = 0.05  # of the power of the speed
_BLIND, _BEFOREHAND = "blind search", "named beforehand"


class _Options(StudyOptions):
    ratio: float = Field(100.0, gt=1, description="Gear ratio named beforehand.")
    low: float = Field(60.0, gt=0, description="Lowest order searched, cycles a turn of the output.")
    high: float = Field(420.0, gt=0, description="Highest order searched.")
    level: float = Field(0.05, gt=0, lt=1, description="Chance of a false line anywhere in one search.")
    min_turns: float = Field(0.06, gt=0, description="Turns one way that a stretch must have.")
    min_speed: float = Field(0.02, gt=0, description="Turns a second that a stretch begins and ends with.")


class StrainWaveOrders(Study):
    """`jointwatch study strain-wave-orders --data ../shared/data/kinova_gen3_harmonic`.

    Every stretch in which a joint turns one way gets a spectrum against its measured angle, spikes of the current left
    out, the background divided out. A line counts if stretches of *different speed* are strong at the same order:
    mains, control cycle and resonances stay at their frequency and so lie at another order in each. Stretches of one
    speed count as one. p-values are from the same spectra slid along the orders, corrected for the search; the share
    of false finds is measured with every speed's angle at a wrong scale of its own. Orders 1 to 4 times the ratio are
    measured whether found or not.
    """

    Options = _Options

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        stretches, left = find_stretches(
            read(options.data), min_turns=options.min_turns, min_speed=options.min_speed, max_order=options.high
        )
        part = Part()
        if left:
            part.notes.append(f"stretches left out: {'; '.join(left)}")
        tasks = []
        for joint in sorted({one.joint for one in stretches}):
            for signal in SIGNALS:
                mine = _with(stretches, joint, signal)
                speeds = len(same_speed(mine))
                if speeds > 1:
                    tasks.append((joint, signal, mine))
                elif mine:
                    part.notes.append(f"joint {joint}, {signal}: one speed only, nothing can be told")
        if not any(signal == "current" for _, signal, _ in tasks):
            raise NotEnoughData("orders of a joint that moves", needed=2, have=1, unit="stretches of different speed")
        seeds = 1 if options.quick else options.seeds
        found: dict[tuple[int, str], dict[str, Any]] = {}
        for number, (joint, signal, mine) in enumerate(tasks):
            progress(number, len(tasks), f"joint {joint}, {signal}")
            found[joint, signal] = ledger.once(f"{joint}/{signal}", partial(_step, mine, signal, options, seeds))
        progress(len(tasks), len(tasks), "done")
        currents = {joint: step for (joint, signal), step in found.items() if signal == "current"}
        wrong = np.array([run[0] for step in currents.values() for seed in step["null"] for run in seed])
        for (joint, signal), step in found.items():
            for line in step["lines"]:
                line["p_wrong"] = float((1 + (wrong <= line["p"]).sum()) / (1 + len(wrong)))
                line["counts"] = bool(line["p_wrong"] <= options.level and _is_order(line))
            _tell(part, joint, signal, step, options)
        _together(part, currents, options, seeds)
        return Results("strain-wave-orders", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _with(stretches: Sequence[Stretch], joint: int, signal: str) -> list[Stretch]:
    return [one for one in stretches if one.joint == joint and signal in one.signals and one.signals[signal].any()]


def _step(stretches: Sequence[Stretch], signal: str, options: _Options, seeds: int) -> dict[str, Any]:
    """All that is measured of one signal of one joint, as JSON."""
    rng = np.random.default_rng(0)
    band = {"low": options.low, "high": options.high, "ratio": options.ratio, "level": options.level}
    seen = search(stretches, signal, rng, draws=_DRAWS, **band)
    named = [k * options.ratio for k in _NAMED if options.low <= k * options.ratio <= options.high]
    orders = [order for order, _ in seen.lines]
    places = located(stretches, signal, [*orders, *named], options.ratio, rng)
    powers = speed_power(stretches, signal, [*orders, *named])
    locks = phase_lock(stretches, signal, named, rng)
    at = [int(np.abs(seen.orders - order).argmin()) for order in named]
    friction = friction_current(stretches) if signal == "current" else [float("nan")] * len(stretches)
    null = [
        wrong_ratio(seen, np.random.default_rng([seed, 1]), level=options.level, draws=_NULL_DRAWS, times=_WRONG)
        for seed in range(seeds if signal == "current" else 0)
    ]
    return {
        "speeds": len(same_speed(stretches)),
        "contrast": max(one.mean_speed for one in stretches) / min(one.mean_speed for one in stretches),
        "lines": [
            {"order": place[0], "low": place[1], "high": place[2], "p": p, "searched": order}
            | dict(zip(("power", "power_low", "power_high", "over_fixed"), power, strict=True))
            for (order, p), place, power in zip(seen.lines, places.lines, powers, strict=False)
        ],
        "named": [
            {"order": order, "p": float(seen.shared.p_single[i]), "lock": lock[0], "lock_p": lock[1], "of": lock[2]}
            | {"place": place[0], "low": place[1], "high": place[2], "over_fixed": power[3], "power": power[0]}
            for order, i, lock, place, power in zip(
                named, at, locks, places.lines[len(orders) :], powers[len(orders) :], strict=True
            )
        ],
        "pair": {"ratio": seen.ratio, "p": seen.ratio_p, "p_named": seen.ratio_p_named},
        "ratio": places.ratio,
        "ratios": places.ratios.tolist(),
        "gain": places.gain.tolist(),
        "others": [{"ratio": ratio, "gain": gain} for ratio, gain in places.others.items()],
        "curve": {
            "order": seen.orders.tolist(),
            "statistic": seen.shared.statistic.tolist(),
            "limit": seen.shared.limit,
            "amplitude": np.sqrt(np.mean(seen.amplitude**2, axis=0))[_inside(seen.whole, seen.orders)].tolist(),
        },
        "stretches": [
            {"session": one.session, "way": one.way, "turns": one.turns, "speed": one.mean_speed}
            | {"highest": one.highest_order, "kept": float(one.good.mean()), "friction": share}
            | {"orders": [list(line) for line in fitted(one, signal, named)]}
            for one, share in zip(stretches, friction, strict=True)
        ],
        "pieces": _map(stretches, signal, options) if signal == "current" else [],
        "null": null,
    }


def _inside(whole: np.ndarray, orders: np.ndarray) -> np.ndarray:
    return (whole >= orders[0]) & (whole <= orders[-1])


def _map(stretches: Sequence[Stretch], signal: str, options: _Options) -> list[dict[str, Any]]:
    """Strength against order in short pieces, each at nearly one speed."""
    found = []
    for one in (piece for whole in stretches for piece in pieces(whole, _PIECE)):
        amplitude, orders = spectrum(one, signal, options.high + options.low)
        strength = level_out(amplitude, one.turns)[0]
        chosen = (orders >= options.low / 2) & (orders % 4 == 0)
        found.append(
            {
                "speed": one.mean_speed,
                "order": orders[chosen].tolist(),
                "strength": np.round(strength[chosen], 2).tolist(),
            }
        )
    return found


def _tell(part: Part, joint: int, signal: str, step: dict[str, Any], options: _Options) -> None:
    """Rows, tables and a sentence of one signal of one joint."""
    place = {"method": signal, "source": f"{step['speeds']} speeds", "target": f"joint {joint}"}
    count = {"n": len(step["stretches"]), "seeds": 1}

    def row(metric: str, value: Sequence[float] | float, split: str = _BEFOREHAND) -> None:
        found = tuple(value) if isinstance(value, (tuple, list)) else (value, np.nan, np.nan)
        part.figure(found, metric, split=split, **place, **count)  # type: ignore[arg-type]

    row("lines found", float(len(step["lines"])), _BLIND)
    row("lines found that count", float(sum(line["counts"] for line in step["lines"])), _BLIND)
    row("ratio found from it and twice it", step["pair"]["ratio"], _BLIND)
    row("p of that ratio", step["pair"]["p"], _BLIND)
    row(f"p of {options.ratio:g} and {2 * options.ratio:g} together", step["pair"]["p_named"])
    row("ratio fitted", step["ratio"])
    for k, line in enumerate(step["named"] if signal == "current" else []):
        order = f"order {line['order']:g}"
        row(f"p of {order}", line["p"])
        row(f"mean phase vector at {order}", line["lock"])
        row(f"p of the phase at {order}", line["lock_p"])
        sizes = [(one["session"], *one["orders"][k][:2], one["friction"]) for one in step["stretches"]]
        row(f"amplitude at {order} (A)", _size([(s, a, u) for s, a, u, _ in sizes]))
        row(f"share of friction current at {order}", _size([(s, a / f, u / f) for s, a, u, f in sizes]))
    identity = {"joint": joint, "signal": signal}
    ratio = options.ratio
    part.table(
        "lines",
        [identity | line | {"multiple": round(line["order"] / ratio)} for line in step["lines"]],
    )
    part.table("named", [identity | line for line in step["named"]])
    part.table("ratios", [identity | other for other in step["others"]])
    part.table(
        "amplitudes",
        [
            identity | {key: one[key] for key in ("session", "way", "turns", "speed", "highest", "kept", "friction")}
            | {"order": line["order"], "amplitude": a, "uncertainty": u, "p": p, "phase_rad": phase}
            for one in step["stretches"]
            for line, (a, u, p, phase) in zip(step["named"], one["orders"], strict=True)
        ],
    )  # fmt: skip
    curve = step["curve"]
    part.table(
        "curves",
        [
            identity | {"order": order, "statistic": statistic, "amplitude": amplitude, "limit": curve["limit"]}
            for order, statistic, amplitude in zip(curve["order"], curve["statistic"], curve["amplitude"], strict=True)
        ],
    )
    part.table(
        "map",
        [
            identity | {"piece": i, "speed": piece["speed"], "order": order, "strength": strength}
            for i, piece in enumerate(step["pieces"])
            for order, strength in zip(piece["order"], piece["strength"], strict=True)
        ],
    )
    part.notes.append(_sentence(joint, signal, step, options))


def _is_order(line: dict[str, Any]) -> bool:
    """Whether the frequency of the line goes with the speed: to a power that may be 1 and cannot be 0."""
    return line["power_low"] - _STEP <= 1 <= line["power_high"] + _STEP and line["power_low"] > 0.5


def _sentence(joint: int, signal: str, step: dict[str, Any], options: _Options) -> str:
    lines = ", ".join(
        f"{line['order']:.1f} [{line['low']:.1f}, {line['high']:.1f}] (p {line['p']:.2g}, as strong in "
        f"{line['p_wrong']:.2g} of wrong ratios, frequency as speed^{line['power']:.2f})"
        for line in step["lines"]
    )
    ratio = step["ratio"]
    best = max(step["others"], key=lambda other: float(other["gain"]))
    return (
        f"joint {joint}, {signal}, {len(step['stretches'])} stretches of {step['speeds']} speeds (1 : "
        f"{step['contrast']:.1f}): blind {lines or 'no line'}; {options.ratio:g} and {2 * options.ratio:g} named "
        f"beforehand p {step['pair']['p_named']:.1g}; ratio {ratio[0]:.2f} [{ratio[1]:.2f}, {ratio[2]:.2f}]; "
        f"of the ratios compared {best['ratio']:g} gains most"
    )


def _size(sizes: Sequence[tuple[str, float, float]]) -> tuple[float, float, float]:
    """Root mean square amplitude over stretches less what noise gives, weighed by its precision; interval by
    recording."""
    clusters: dict[str, list[tuple[float, float]]] = {}
    for session, amplitude, uncertainty in sizes:
        clusters.setdefault(session, []).append((amplitude**2 - 2 * uncertainty**2, uncertainty**-2))
    return bootstrap(
        [np.array(values) for values in clusters.values()],
        lambda values: float(np.sqrt(max(np.average(values[:, 0], weights=values[:, 1]), 0.0))),
    )


def _together(part: Part, steps: dict[int, dict[str, Any]], options: _Options, seeds: int) -> None:
    """Ratio of all joints, and how often a wrong ratio is found."""
    gain = np.array([step["gain"] for step in steps.values()])
    ratios = np.array(next(iter(steps.values()))["ratios"])
    rng = np.random.default_rng(0)
    draws = [ratios[gain[rng.integers(len(gain), size=len(gain))].sum(axis=0).argmax()] for _ in range(2000)]
    low, high = np.percentile(draws, [2.5, 97.5])
    value = (float(ratios[gain.sum(axis=0).argmax()]), float(low), float(high))
    place = {"method": "current", "source": "all joints", "target": "all joints"}
    part.figure(value, "ratio fitted", split=_BEFOREHAND, n=len(steps), seeds=1, **place)
    p_values = np.sort([step["pair"]["p_named"] for step in steps.values()])
    refused = p_values > options.level / np.arange(len(p_values), 0, -1)
    passed = float(refused.argmax() if refused.any() else len(p_values))
    pair = f"{options.ratio:g} and {2 * options.ratio:g} together"
    metric = f"joints with {pair} (Holm, {options.level:g})"
    part.figure((passed, np.nan, np.nan), metric, split=_BEFOREHAND, n=len(steps), seeds=1, **place)
    place["method"] = "current, wrong ratio"
    for which, (split, what) in enumerate(((_BLIND, "any line"), (_BEFOREHAND, "one order"), (_BEFOREHAND, "a ratio"))):
        false = [
            np.array([run[which] <= options.level for seed in step["null"] for run in seed], float)
            for step in steps.values()
        ]
        metric = f"share with {what} found (stated {options.level:g})"
        part.figure(bootstrap(false), metric, split=split, n=sum(map(len, false)), seeds=seeds, **place)
    part.table(
        "null",
        [
            {"joint": joint, "seed": seed, "p_search": run[0], "p_single": run[1], "p_ratio": run[2]}
            for joint, step in steps.items()
            for seed, runs in enumerate(step["null"])
            for run in runs
        ],
    )
    highest = min(one["highest"] for step in steps.values() for one in step["stretches"])
    part.notes.append(f"half the sampling rate is order {highest:.0f} in the fastest stretch: nothing below it folds")
