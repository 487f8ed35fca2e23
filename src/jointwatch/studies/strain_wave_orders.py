"""Orders of strain-wave gears in measured motor currents: which lines there are, and whether they are the gear's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.recordings import read
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._sources import sources_digest
from jointwatch.studies._statistics import bootstrap
from jointwatch.studies._strain_wave_lines import (
    Search,
    WrongRatio,
    around,
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
from jointwatch.studies._strain_wave_verdict import BEFOREHAND, BLIND, LEAST_TURNS, NULL, joints_together
from jointwatch.studies.base import Progress, Results, Study, StudyOptions

__all__ = ["StrainWaveOrders"]

_NAMED = (1, 2, 3, 4)
"""Cycles a turn of the wave generator that are measured whether found or not."""
_WRONG = 40
_DRAWS = 2000
_PIECE = 0.08
_STEP = 0.05  # of the power of the speed


class _Options(StudyOptions):
    ratio: float = Field(100.0, gt=1, description="Gear ratio named beforehand.")
    low: float = Field(60.0, gt=0, description="Lowest order searched, cycles a turn of the output.")
    high: float = Field(420.0, gt=0, description="Highest order searched.")
    level: float = Field(0.05, gt=0, lt=1, description="Chance of a false line anywhere in one search.")
    min_turns: float = Field(0.06, gt=0, description="Turns one way that a stretch must have.")
    min_speed: float = Field(0.02, gt=0, description="Turns a second that a stretch begins and ends with.")

    @model_validator(mode="after")
    def _in_band(self) -> Self:
        if not (self.low < self.high and self.low <= self.ratio and 2 * self.ratio <= self.high):
            raise UsageError(
                f"orders are searched from --low {self.low:g} to --high {self.high:g}; --ratio {self.ratio:g} and "
                f"{2 * self.ratio:g}, twice as much, must lie between them"
            )
        return self


class StrainWaveOrders(Study):
    """`jointwatch study strain-wave-orders --data ../shared/data/kinova_gen3_harmonic`.

    Every stretch in which a joint turns one way gets a spectrum against its measured angle, spikes of the current left
    out, the background divided out. A line counts if stretches of *different speed* are strong at the same order:
    mains, control cycle and resonances stay at their frequency and so lie at another order in each. Stretches of one
    speed count as one. p-values are from the same spectra slid along the orders, corrected for the search; how often
    as much is found where there is nothing is measured for each joint and signal with every speed's angle at a wrong
    scale of its own, and a line counts by that share. Orders 1 to 4 times the ratio are measured whether found or not;
    that a joint carries one or other of two orders does not say that it carries both, so each has its own test.
    """

    Options = _Options
    revision = 2

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        stretches, left = find_stretches(
            read(options.data), min_turns=options.min_turns, min_speed=options.min_speed, max_order=options.high
        )
        part = Part()
        if left:
            part.notes.append(f"stretches left out: {'; '.join(left)}")
        tasks, most = [], 0
        for joint in sorted({one.joint for one in stretches}):
            for signal in SIGNALS:
                mine = _with(stretches, joint, signal)
                speeds = len(same_speed(mine))
                if signal == "current":
                    most = max(most, speeds)
                if speeds > 1:
                    tasks.append((joint, signal, mine))
                elif mine:
                    part.notes.append(f"joint {joint}, {signal}: one speed only, nothing can be told")
        if most < 2:
            raise NotEnoughData(
                "orders of a joint that moves", needed=2, have=most, unit="stretches of different speed"
            )
        seeds = 1 if options.quick else options.seeds
        found: dict[tuple[int, str], dict[str, Any]] = {}
        for number, (joint, signal, mine) in enumerate(tasks):
            progress(number, len(tasks), f"joint {joint}, {signal}")
            found[joint, signal] = ledger.once(f"{joint}/{signal}", partial(_step, mine, signal, options, seeds))
        progress(len(tasks), len(tasks), "done")
        currents = {joint: step for (joint, signal), step in found.items() if signal == "current"}
        joints_together(part, currents, ratio=options.ratio, level=options.level, seeds=seeds)
        for (joint, signal), step in found.items():
            alike = [run["p_search"] for (_, other), each in found.items() if other == signal for run in each["null"]]
            for line in step["lines"]:
                line["p_wrong"] = _at_most([run["p_search"] for run in step["null"]], line["p"])
                line["p_wrong_joints"] = _at_most(alike, line["p"])
                line["counts"] = line["p_wrong"] <= options.level and line["is_order"]
            _tell(part, joint, signal, step, options)
        return Results("strain-wave-orders", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _with(stretches: Sequence[Stretch], joint: int, signal: str) -> list[Stretch]:
    return [one for one in stretches if one.joint == joint and signal in one.signals and one.signals[signal].any()]


def _at_most(p_values: Sequence[float], p_value: float) -> float:
    """Share of false p-values as small, the one asked about counted in."""
    return float((1 + (np.array(p_values) <= p_value).sum()) / (1 + len(p_values)))


def _step(stretches: Sequence[Stretch], signal: str, options: _Options, seeds: int) -> dict[str, Any]:
    """All that is measured of one signal of one joint, as JSON."""
    rng = np.random.default_rng(0)
    seen = search(stretches, signal, rng, low=options.low, high=options.high, level=options.level, draws=_DRAWS)
    named = [k * options.ratio for k in _NAMED if options.low <= k * options.ratio <= options.high]
    orders = [order for order, _ in seen.lines]
    places = located(stretches, signal, [*orders, *named], options.ratio, rng)
    powers = speed_power(stretches, signal, [*orders, *named])
    locks = phase_lock(stretches, signal, named, rng)
    friction = friction_current(stretches) if signal == "current" else [float("nan")] * len(stretches)
    wrong = [
        wrong_ratio(seen, np.random.default_rng([seed, 1]), level=options.level, draws=_DRAWS, times=_WRONG)
        for seed in range(seeds)
    ]
    best = int(seen.pair.statistic.argmax())
    p_named = [_named_p(seen.orders, seen.shared.p_single, [one.single for one in wrong], order) for order in named]
    p_pair = _named_p(seen.ratios, seen.pair.p_single, [one.pair for one in wrong], options.ratio)
    return {
        "speeds": len(same_speed(stretches)),
        "contrast": max(one.mean_speed for one in stretches) / min(one.mean_speed for one in stretches),
        "lines": [
            {"order": place[0], "low": place[1], "high": place[2], "p": p, "searched": order} | _pace(power)
            for (order, p), place, power in zip(seen.lines, places.lines, powers, strict=False)
        ],
        "named": [
            {"order": order, "lock": lock[0], "lock_p": lock[1], "of": lock[2]}
            | {"place": place[0], "low": place[1], "high": place[2]}
            | p
            | _pace(power)
            for order, p, lock, place, power in zip(
                named, p_named, locks, places.lines[len(orders) :], powers[len(orders) :], strict=True
            )
        ],
        "pair": p_pair
        | {
            "ratio": float(seen.ratios[best]),
            "p_search": float(seen.pair.p_search[best]),
            "p_larger": max(p_named[0]["p"], p_named[1]["p"]),
        },
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
        "null": [run for seed, one in enumerate(wrong) for run in _false(seen, one, seed, options)],
    }


def _named_p(grid: np.ndarray, p_single: np.ndarray, wrong: Sequence[np.ndarray], order: float) -> dict[str, float]:
    """p-value at a place named beforehand, and the share of places near it that give as little at a wrong ratio."""
    p_value = float(p_single[np.abs(grid - order).argmin()])
    false = np.concatenate(wrong)[:, around(grid, order)] <= p_value
    return {"p": p_value, "p_wrong": float((1 + false.mean(axis=1).sum()) / (1 + len(false)))}


def _pace(power: tuple[float, float, float, float]) -> dict[str, Any]:
    """How the frequency of a line goes with the speed; an order's to a power that may be 1 and cannot be 0."""
    best, low, high, over_fixed = power
    is_order = low - _STEP <= 1 <= high + _STEP and low > 0.5
    return {"power": best, "power_low": low, "power_high": high, "over_fixed": over_fixed, "is_order": is_order}


def _false(seen: Search, wrong: WrongRatio, seed: int, options: _Options) -> list[dict[str, Any]]:
    """What each wrong ratio gives: smallest p-value of the search; whether it is a line, and the share of places at
    which one order, or a ratio, is found, in the whole band and near the ratio."""
    single, pair = wrong.single <= options.level, wrong.pair <= options.level
    shares = {
        "line": wrong.search <= options.level,
        "single": single.mean(axis=1),
        "single_near": single[:, around(seen.orders, options.ratio)].mean(axis=1),
        "pair": pair.mean(axis=1),
        "pair_near": pair[:, around(seen.ratios, options.ratio)].mean(axis=1),
    }
    return [
        {"seed": seed, "p_search": float(p)} | {name: float(share[i]) for name, share in shares.items()}
        for i, p in enumerate(wrong.search)
    ]


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

    def row(metric: str, value: Sequence[float] | float, split: str = BEFOREHAND) -> None:
        found = tuple(value) if isinstance(value, (tuple, list)) else (value, np.nan, np.nan)
        part.figure(found, metric, split=split, **place, **count)  # type: ignore[arg-type]

    row("lines found", float(len(step["lines"])), BLIND)
    row("lines found that count", float(sum(line["counts"] for line in step["lines"])), BLIND)
    row("ratio found from it and twice it", step["pair"]["ratio"], BLIND)
    row("p of that ratio", step["pair"]["p_search"], BLIND)
    once, twice = f"{options.ratio:g}", f"{2 * options.ratio:g}"
    row(f"p of {once} or {twice}", step["pair"]["p"])
    row(f"p of {once} or {twice}, share of wrong ratios", step["pair"]["p_wrong"])
    row(f"p of {once} and {twice}, the larger of both", step["pair"]["p_larger"])
    row("ratio fitted", step["ratio"])
    for key, (split, what) in NULL.items():
        share = float(np.mean([run[key] for run in step["null"]]))
        row(f"wrong ratios: share with {what}", share, split)
    for k, line in enumerate(step["named"] if signal == "current" else []):
        order = f"order {line['order']:g}"
        row(f"p of {order}", line["p"])
        row(f"p of {order}, share of wrong ratios", line["p_wrong"])
        row(f"frequency at {order} as the speed to the power", (line["power"], line["power_low"], line["power_high"]))
        row(f"mean phase vector at {order}", line["lock"])
        row(f"p of the phase at {order}", line["lock_p"])
        row(f"p of the phase at {order}, for all phases (Holm)", line["lock_holm"])
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
    part.table("null", [identity | run for run in step["null"]])
    part.table("ratios", [identity | other for other in step["others"]])
    part.table(
        "amplitudes",
        [
            identity | {key: one[key] for key in ("session", "way", "turns", "speed", "highest", "kept", "friction")}
            | {"order": line["order"], "amplitude": a, "uncertainty": u, "phase_rad": phase}
            | {"p": p if one["turns"] >= LEAST_TURNS else np.nan}
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


def _sentence(joint: int, signal: str, step: dict[str, Any], options: _Options) -> str:
    lines = ", ".join(
        f"{line['order']:.1f} [{line['low']:.1f}, {line['high']:.1f}] (p {line['p']:.2g}, as strong in "
        f"{line['p_wrong']:.2g} of the joint's wrong ratios and {line['p_wrong_joints']:.2g} of all joints', "
        f"frequency as speed^{line['power']:.2f})"
        for line in step["lines"]
    )
    named = "; ".join(
        f"{line['order']:g}: p {line['p']:.1g} ({line['p_wrong']:.1g} of wrong ratios), frequency as "
        f"speed^{line['power']:.2f} [{line['power_low']:.2f}, {line['power_high']:.2f}]"
        for line in step["named"]
    )
    ratio = step["ratio"]
    best = max(step["others"], key=lambda other: float(other["gain"]))
    return (
        f"joint {joint}, {signal}, {len(step['stretches'])} stretches of {step['speeds']} speeds (1 : "
        f"{step['contrast']:.1f}): blind {lines or 'no line'}; named beforehand {named}; "
        f"one or both of the first two p {step['pair']['p']:.1g}; "
        f"ratio {ratio[0]:.2f} [{ratio[1]:.2f}, {ratio[2]:.2f}]; of the ratios compared {best['ratio']:g} gains most"
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
