"""Three-phase motor currents with inter-turn short circuits of four severities (`itsc_motor_current`), MATLAB file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jointwatch.core import Channel, Condition, Cycle, Label, Quantity, Recording, Robot
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._matlab import read_matlab, variable_names
from jointwatch.recordings.base import Reader

__all__ = ["Itsc"]

_RATE_HZ = 1000.0
_CLASS = re.compile(r"ITSC_(?:(?P<phase>[ABC])(?P<percent>\d+)|(?P<healthy>HLT))")
_REPETITION = re.compile(r"Repetition0*(?P<number>\d+)")
_PHASES = ("phase_a", "phase_b", "phase_c")


class Itsc(Reader):
    """One recording for every class and repetition: three phase currents of one induction motor at 60 Hz without load.

    The class name says the phase and the share of its turns that are shorted (10, 20, 30, 40 %: stages 1 to 4).
    `severity` is that share; the whole recording is one cycle. A motor, not a robot: joint 1 is its shaft.

    Source: Measurement 222, 113680, 2023.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     from scipy.io import savemat
    ...     path = Path(folder) / "motor.mat"
    ...     savemat(path, {"itsc": {"ITSC_B30": {"Repetition01": np.ones((20, 3))}}})
    ...     recording = next(Itsc().read(path))
    >>> recording.condition.stage, recording.truth["phase"], recording.channels[1].key
    (3, 'b', 'current/1:phase_b')
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        return "itsc" in variable_names(source)

    def _read(self, source: Path) -> Iterator[Recording]:
        try:
            classes = read_matlab(source)["itsc"][0, 0]
            repetitions = {
                (name, repetition): np.asarray(classes[name][0, 0][repetition], np.float64)
                for name in classes.dtype.names
                for repetition in classes[name][0, 0].dtype.names
            }
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise CorruptInput(
                f"is not the class and repetition structure that was expected ({error})",
                file=source,
                remedy="download it again",
            ) from error
        for (name, repetition), currents in repetitions.items():
            yield _recording(source, name, repetition, currents)


def _recording(source: Path, name: str, repetition: str, currents: np.ndarray) -> Recording:
    where = f"{name}/{repetition}"
    if currents.ndim != 2 or currents.shape[1] != len(_PHASES):
        raise CorruptInput(
            f"must be (time, 3 phases), is {currents.shape}", file=source, channel=where, remedy="download it again"
        )
    condition, truth = _class(name)
    number = _REPETITION.fullmatch(repetition)
    truth["repetition"] = int(number["number"]) if number else repetition
    return assemble(
        [Column(Channel(Quantity.CURRENT, 1, component=p), currents[:, i], "A") for i, p in enumerate(_PHASES)],
        Robot.of("Baldor", "CM3542 induction motor", "itsc-motor", 1, name="shaft"),
        session=f"{name}-{repetition}",
        source=source,
        rate_hz=_RATE_HZ,
        cycles=[Cycle(0.0, len(currents) / _RATE_HZ, condition, where)],
        condition=condition,
        truth=truth,
    )


def _class(name: str) -> tuple[Condition, dict[str, Any]]:
    match = _CLASS.fullmatch(name)
    truth: dict[str, Any] = {"class": name, "label_source": "class name"}
    if match is None:
        return Condition(), truth
    if match["healthy"]:
        return Condition(Label.NORMAL, stage=0), truth
    percent = int(match["percent"])
    truth |= {"phase": match["phase"].lower(), "shorted_turns_percent": percent}
    return Condition(Label.ANOMALOUS, "inter_turn_short_circuit", 1, min(1.0, percent / 100), percent // 10), truth
