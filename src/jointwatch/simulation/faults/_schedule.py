"""Spans for telemetry faults: where in a cycle, and how long."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from jointwatch.core import Channel, Quantity, Source
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["bursts", "measured", "rest_of_session", "schedule"]


def bursts(start_s: float, stop_s: float, share: float, chance: Generator, most: int = 4) -> list[tuple[float, float]]:
    """One to `most` spans that together take `share` of the time from `start_s` to `stop_s`.

    Their places are drawn alike for every share, and a larger share contains the spans of a smaller one.
    """
    count = int(chance.integers(1, most + 1))
    slot_s = (stop_s - start_s) / count
    length_s = share * slot_s
    begins = start_s + slot_s * np.arange(count) + chance.random(count) * (slot_s - length_s)
    return [(float(begin), float(begin) + length_s) for begin in begins]


def measured(plant: Plant) -> set[Quantity]:
    """Quantities that this robot measures."""
    channels = [Channel.parse(kind) for kind in plant.telemetry.sensors]
    return {channel.quantity for channel in channels if channel.source is Source.MEASURED}


def rest_of_session(motion: Motion, cycles: tuple[int, ...]) -> tuple[float, float]:
    """From the first struck cycle to the end; the whole session if no cycle is named."""
    return (motion.cycles[min(cycles)].start_s if cycles else 0.0), motion.duration_s


def schedule(plant: Plant, name: str, span_s: tuple[float, float], strength: float, joint: int = 0) -> None:
    """Enter a telemetry fault in the plant; joint 0 = all of them."""
    plant.telemetry.faults.append((name, *span_s, joint or None, min(strength, 1.0)))
