"""Prismatic servo axis with known injected force pulses (`emps_servo`), MATLAB files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from jointwatch.core import Channel, Condition, Cycle, Event, Joint, Label, Quantity, Recording, Robot, Source
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._matlab import read_matlab, variable_names
from jointwatch.recordings._runs import true_runs
from jointwatch.recordings.base import Reader

__all__ = ["Emps"]

_NEEDED = {"t", "qm", "qg", "vir", "gtau"}
_PULSES = "pulses_N"


class Emps(Reader):
    """One recording a file: reference and motor position (m), drive voltage, and the force that it stands for.

    `torque.derived/1` (newton on this prismatic axis) is the voltage times the file's own drive gain. A cycle is one
    stroke out and back of the reference. The file with `pulses_N` has a pulse in every cycle: all its cycles are
    anomalous, with an event for every pulse.

    Source: Janot, Gautier, Brunot, Data set and reference models of EMPS, 2019.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     from scipy.io import savemat
    ...     path = Path(folder) / "axis.mat"
    ...     time_s = np.arange(200.0) / 100
    ...     reference = 0.1 - 0.1 * np.cos(2 * np.pi * time_s)
    ...     savemat(path, {"t": time_s, "qm": reference, "qg": reference, "vir": np.ones(200), "gtau": 35.0})
    ...     recording = next(Emps().read(path))
    >>> recording["torque.derived/1"][0], len(recording.cycles)
    (np.float64(35.0), 2)
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        return variable_names(source) >= _NEEDED

    def _read(self, source: Path) -> Iterator[Recording]:
        content = {name: np.asarray(values).ravel() for name, values in read_matlab(source).items()}
        lengths = {name: len(content[name]) for name in ("t", "qm", "qg", "vir")}
        if len(set(lengths.values())) != 1:
            raise CorruptInput(f"columns of different length: {lengths}", file=source, remedy="download it again")
        time_s, reference = content["t"], content["qg"]
        gain_n_v = float(content["gtau"][0])
        pulses = content.get(_PULSES)
        condition = Condition(Label.NORMAL) if pulses is None else Condition(Label.ANOMALOUS, "force_pulse", 1)
        truth = {"drive_gain_n_v": gain_n_v, "label_source": "the set's description"}
        truth |= {name: float(content[name][0]) for name in ("kp", "kv") if name in content}
        if pulses is not None:
            truth["pulse_height"] = float(pulses.max())
        yield assemble(
            [
                Column(Channel(Quantity.POSITION, 1), content["qm"], "m"),
                Column(Channel(Quantity.POSITION, 1, Source.COMMANDED), reference, "m"),
                Column(Channel(Quantity.VOLTAGE, 1, Source.COMMANDED), content["vir"], "V"),
                Column(Channel(Quantity.TORQUE, 1, Source.DERIVED), content["vir"] * gain_n_v, "N"),
            ],
            Robot("", "electro-mechanical positioning system", "emps", (Joint(1, "axis", "prismatic"),)),
            session=source.stem,
            source=source,
            time=time_s,
            cycles=_strokes(time_s, reference, condition),
            events=[] if pulses is None else _pulse_events(time_s, pulses, condition),
            condition=condition,
            truth=truth,
        )


def _strokes(time_s: np.ndarray, reference: np.ndarray, condition: Condition) -> list[Cycle]:
    """Cycles from one return of the reference to its lowest point to the next."""
    low = reference < reference.min() + 0.05 * np.ptp(reference)
    turns = [first + int(np.argmin(reference[first:last])) for first, last in true_runs(low)]
    edges = sorted({0, *(turn for turn in turns if turn < len(time_s) - 1)})
    ends = [*time_s[edges[1:]], time_s[-1] + np.median(np.diff(time_s))]
    return [
        Cycle(float(time_s[first]), float(end), condition, f"stroke {number}")
        for number, (first, end) in enumerate(zip(edges, ends, strict=True), 1)
    ]


def _pulse_events(time_s: np.ndarray, pulses: np.ndarray, condition: Condition) -> list[Event]:
    return [
        Event("force_pulse", float(time_s[first]), float(time_s[last - 1]), condition)
        for first, last in true_runs(pulses != 0)
    ]
