"""Which drive a recording shows, of what ratio, and what is known of its static error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from jointwatch.core import Recording
from jointwatch.core.errors import InputError, UsageError
from jointwatch.core.levels import LEVEL_RAD, LEVELS
from jointwatch.diagnosis._checks import names_of
from jointwatch.windows.axis_view import axis_of

__all__ = ["USUAL_RATIO", "DriveRecording", "drives_of", "errors_of", "ratio_of"]

USUAL_RATIO = 100.0
"""Taken where nobody says a ratio."""
_ALIKE = 1e-3


@dataclass(frozen=True, eq=False)
class DriveRecording:
    """A recording as that of one drive.

    Parameters
    ----------
    recording : its unit called by the drive's name: `arm-1 joint 2`, or the unit where the robot has one joint only;
        cycles in order of time.
    unit : of the robot. joint : number of the drive's joint.
    """

    recording: Recording
    unit: str
    joint: int

    @property
    def name(self) -> str:
        """Of the drive."""
        return self.recording.robot.unit

    @property
    def session(self) -> str:
        """Drive and session, as messages say it."""
        return f"{self.name}, session {self.recording.session!r}"

    @property
    def said_ratio(self) -> float | None:
        """What its robot says."""
        return self.recording.robot.joint(self.joint).gear_ratio or None


def drives_of(recordings: Sequence[Recording], joint: int | None) -> list[DriveRecording]:
    """Each recording as that of one drive; joint None = the one that travels farthest."""
    found = []
    for recording in recordings:
        number, robot = axis_of(recording, joint), recording.robot
        name = robot.unit if len(robot.joints) == 1 else f"{robot.unit} joint {number}"
        cycles = tuple(sorted(recording.cycles, key=lambda cycle: cycle.start_s))
        named = replace(recording, robot=replace(robot, unit=name), cycles=cycles)
        found.append(DriveRecording(named, robot.unit, number))
    return found


def ratio_of(drive: DriveRecording, ratio: float | None, learned: Sequence[float]) -> float:
    """Ratio to measure a drive by: what its robot says, else `ratio`, else that of all learned drives.

    Errors: `UsageError` where the robot says another than `ratio`, or where nothing tells which of several it is.
    """
    said = drive.said_ratio
    if said is not None:
        if ratio is not None and not math.isclose(said, ratio, rel_tol=_ALIKE):
            raise UsageError(
                f"{drive.session}, has ratio {said:g} by its robot, and ratio={ratio:g} was said; correct one of them, "
                "or say ratio=None, and each drive is measured by its own"
            )
        return float(said)
    if ratio is not None:
        return float(ratio)
    if len(learned) > 1:
        several = names_of(f"{one:g}" for one in learned)
        raise UsageError(
            f"the robot of {drive.session}, tells no ratio, and the learned drives have {several}; give its joint a "
            "gear_ratio"
        )
    return float(learned[0]) if learned else USUAL_RATIO


def errors_of(drives: Sequence[DriveRecording], errors_rad: Sequence[float] | np.ndarray | None) -> np.ndarray:
    """(recording,) known static errors from 0, the same for all recordings of a drive's session.

    Parameters
    ----------
    errors_rad : None = what each recording tells: `truth["static_error_rad"]`, one for every joint, else the level in
        the stage of its cycles, whose middle is taken.

    Errors: `InputError` for a recording whose error is not known, or whose cycles are of several levels; `UsageError`
    for recordings of one session that disagree.
    """
    if errors_rad is None:
        errors = np.array([_told(drive) for drive in drives])
    else:
        errors = np.abs(np.asarray(errors_rad, float))
        if errors.shape != (len(drives),):
            raise UsageError(f"one error for each of {len(drives)} recordings is needed, got {errors.shape}")
    of_session: dict[tuple[str, str], float] = {}
    for drive, error in zip(drives, errors.tolist(), strict=True):
        if not np.isfinite(error):
            raise _unknown(drive)
        if of_session.setdefault((drive.name, drive.recording.session), error) != error:
            raise UsageError(
                f"recordings of {drive.session}, have several static errors; a drive has one in a session: call the "
                "sessions differently"
            )
    return errors


def _told(drive: DriveRecording) -> float:
    """Static error that the recording tells, else the middle of the level that its conditions name."""
    recording = drive.recording
    if (said := recording.truth.get("static_error_rad")) is not None:
        error = _of_joint(drive, said)
        if np.isfinite(error):
            return error
    stages = [
        recording.condition.stage if cycle.condition.stage is None else cycle.condition.stage
        for cycle in recording.cycles
    ]
    unlike = sorted({"none" if stage is None else str(stage) for stage in stages})
    if len(unlike) > 1:
        raise InputError(
            f"cycles of {drive.session}, have the stages {', '.join(unlike)}",
            file=recording.source or None,
            remedy="a drive has one static error in a session: give all of its cycles one stage, or put them into "
            "sessions of their own",
        )
    stage = stages[0]
    if stage is not None and 1 <= stage <= LEVELS:
        return (stage - 0.5) * LEVEL_RAD
    raise _unknown(drive)


def _of_joint(drive: DriveRecording, said: object) -> float:
    """The joint's own of a number, a list or an array; NaN for None."""
    numbers = [joint.number for joint in drive.recording.robot.joints]
    problem = ""
    try:
        errors = np.atleast_1d(np.asarray(said, float))
    except (TypeError, ValueError):
        problem = f"are no numbers: {str(said)[:60]}"
    else:
        if errors.shape == (len(numbers),):
            return abs(float(errors[numbers.index(drive.joint)]))
        problem = f"are {'x'.join(map(str, errors.shape))} for {len(numbers)} joints"
    raise InputError(
        f"the static errors in the truth of {drive.session}, {problem}",
        file=drive.recording.source or None,
        remedy='give truth["static_error_rad"] one number for each joint, in the order of the robot\'s joints',
    )


def _unknown(drive: DriveRecording) -> InputError:
    return InputError(
        f"the static error of {drive.session}, is not known",
        file=drive.recording.source or None,
        remedy='give errors_rad, one for each recording, truth["static_error_rad"], one for each joint, or a level 1 '
        "to 6 as the stage of its condition",
    )
