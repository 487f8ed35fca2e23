"""What the sequences of a motor with shorted turns look like: whether phases are alike, which labels are doubtful."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from jointwatch.studies._short_circuit_methods import sequences_of
from jointwatch.studies._short_circuit_rows import HARMONICS, PHASES, SEQUENCES, WITH_ZERO, ShortCircuitRows

__all__ = ["DOUBT", "doubtful", "doubts", "healthy_repetitions", "plane", "symmetry", "symmetry_notes"]

DOUBT = 5.0
"""A label is doubted where the recording lies further from its state than this many times the usual distance."""
_TURN = np.exp(2j * np.pi / 3)

Record = Mapping[str, Any]


def plane(rows: ShortCircuitRows) -> list[dict[str, Any]]:
    """One record a recording: its phasors against the mean of the healthy ones, as they are and turned to phase A."""
    growth, change = sequences_of(rows, rows.state == 0)
    raw = rows.features[SEQUENCES][0]
    records = []
    for name in dict.fromkeys(rows.recording.tolist()):
        own = rows.recording == name
        state = int(rows.state[own][0])
        phase = int(rows.phase_of[state])
        turned = change[own].mean() * _TURN**-phase if phase >= 0 else change[own].mean()
        records.append(
            {
                "recording": name,
                "state": rows.states[state],
                "phase": PHASES[phase] if phase >= 0 else "",
                "severity": int(rows.severity_of[state]),
                "repetition": int(rows.repetition[own][0]),
                "positive_a": float(raw[own, 0].mean()),
                "positive_growth_a": float(growth[own].mean()),
                "negative_real_a": float(raw[own, 1].mean()),
                "negative_imaginary_a": float(raw[own, 2].mean()),
                "change_real_a": float(change[own].mean().real),
                "change_imaginary_a": float(change[own].mean().imag),
                "turned_real_a": float(turned.real),
                "turned_imaginary_a": float(turned.imag),
            }
        )
    return records


def doubts(plane_records: Sequence[Record]) -> list[dict[str, Any]]:
    """One record a recording: how far it lies from its own state, from the nearest one, and from two faults at once.

    A state lies at the median of the *other* recordings of that state, in growth of the positive and change of the
    negative sequence (ampere); two faults of different phases at the sum of both. No method uses this.
    """
    at = np.array([_position(record) for record in plane_records])
    state = np.array([record["state"] for record in plane_records])
    names = list(dict.fromkeys(state.tolist()))
    found = []
    for place, record in enumerate(plane_records):
        others = np.arange(len(at)) != place
        centre = {
            name: np.median(at[others & (state == name)], axis=0) for name in names if (others & (state == name)).any()
        }
        pairs = {
            f"{a} + {b}": centre[a] + centre[b]
            for a, b in combinations([name for name in centre if name != "healthy"], 2)
            if a[0] != b[0]
        }
        own = float(np.linalg.norm(at[place] - centre[state[place]])) if state[place] in centre else float("nan")
        single, single_a = _nearest(centre, at[place])
        double, double_a = _nearest(pairs, at[place]) if pairs else ("", float("nan"))
        found.append(
            {
                "recording": record["recording"],
                "state": record["state"],
                "own_a": own,
                "nearest": single,
                "nearest_a": single_a,
                "pair": double,
                "pair_a": double_a,
            }
        )
    usual = float(np.nanmedian([record["own_a"] for record in found]))
    return [{**record, "doubtful": bool(record["own_a"] > DOUBT * usual)} for record in found]


def doubtful(records: Sequence[Record]) -> list[str]:
    """Sentences on recordings that do not show what they are called."""
    odd = [record for record in records if record["doubtful"]]
    if not odd:
        return []
    usual = float(np.nanmedian([record["own_a"] for record in records]))
    sentences = [
        f"{len(odd)} of {len(records)} recordings do not show their state: further than {DOUBT:g} times the usual "
        f"{usual:.3f} A from the other recordings of it. They are tested and learned all the same"
    ]
    for record in odd:
        far = f"{record['recording']} lies {record['own_a']:.2f} A from {record['state']}"
        one = f"{record['nearest_a']:.2f} A from {record['nearest']}"
        two = f", {record['pair_a']:.2f} A from {record['pair']}" if record["pair_a"] < record["nearest_a"] else ""
        sentences.append(f"{far}, {one}{two}")
    return sentences


def symmetry(plane_records: Sequence[Record]) -> list[dict[str, Any]]:
    """Median growth and change of each phase and severity, the phasor turned to phase A: alike if phases are."""
    found = []
    for severity in sorted({record["severity"] for record in plane_records} - {0}):
        for phase in PHASES:
            own = [r for r in plane_records if (r["phase"], r["severity"]) == (phase, severity)]
            if own:
                growth, real, imaginary = np.median([_position(r, "turned") for r in own], axis=0)
                found.append(
                    {
                        "severity": severity,
                        "phase": phase,
                        "positive_growth_a": float(growth),
                        "negative_change_a": float(np.hypot(real, imaginary)),
                        "turned_angle_deg": float(np.degrees(np.arctan2(imaginary, real))),
                    }
                )
    return found


def symmetry_notes(records: Sequence[Record]) -> list[str]:
    """How far phases of one severity are apart, in words."""
    sentences = []
    for severity in dict.fromkeys(record["severity"] for record in records):
        own = [record for record in records if record["severity"] == severity]
        parts = [
            f"{r['phase']} {r['positive_growth_a']:.2f} A, {r['negative_change_a']:.2f} A "
            f"at {r['turned_angle_deg']:.0f} deg"
            for r in own
        ]
        sentences.append(
            f"severity {severity}, growth of the positive and change of the negative sequence turned to phase A: "
            + "; ".join(parts)
        )
    return sentences


def healthy_repetitions(rows: ShortCircuitRows) -> list[str]:
    """Sentences on what differs between repetitions of the healthy motor, and on harmonics."""
    healthy = rows.state == 0
    table = rows.features[WITH_ZERO][0]
    parts = []
    for repetition in np.unique(rows.repetition[healthy]):
        _, n_re, n_im, z_re, z_im = table[healthy & (rows.repetition == repetition)].mean(axis=0)
        parts.append(f"{repetition}: {np.hypot(n_re, n_im):.3f} and {np.hypot(z_re, z_im):.3f}")
    strength = np.median(rows.harmonics, axis=0)
    return [
        "negative and zero sequence of the healthy motor (A) by repetition: " + "; ".join(parts),
        "harmonics against the fundamental, median over windows: "
        + ", ".join(f"{order}: {100 * s:.3f} %" for order, s in zip(HARMONICS, strength, strict=True)),
    ]


def _position(record: Record, what: str = "change") -> tuple[float, float, float]:
    return record["positive_growth_a"], record[f"{what}_real_a"], record[f"{what}_imaginary_a"]


def _nearest(centres: Mapping[str, np.ndarray], at: np.ndarray) -> tuple[str, float]:
    apart = {name: float(np.linalg.norm(at - centre)) for name, centre in centres.items()}
    name = min(apart, key=lambda one: apart[one])
    return name, apart[name]
