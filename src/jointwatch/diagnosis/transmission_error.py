"""Static transmission error of strain-wave drives in six levels, from motor current and torque of whole cycles."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError

from jointwatch.core import Index, Recording, Scores
from jointwatch.core.errors import InputError, NotEnoughData, UsageError
from jointwatch.core.levels import LEVEL_RAD, LEVELS, level_of
from jointwatch.diagnosis._checks import check_cycles, listed, names_of
from jointwatch.diagnosis._code_view import CodeView
from jointwatch.diagnosis._grade_view import GradeTable, GradeView
from jointwatch.diagnosis._split import cluster_of, clusters
from jointwatch.diagnosis.base import Grades
from jointwatch.windows.axis_view import axis_of

__all__ = ["TransmissionErrorGrader"]

_RATIO = 100.0


@dataclass(frozen=True, eq=False)
class GradingState:
    """What is remembered of one unit between its cycles on line: session, cycles of it that came, and the figures of
    the last T that could be judged."""

    unit: str
    session: str = ""
    count: int = 0
    figures: np.ndarray | None = None
    index: Index | None = None


@dataclass(frozen=True, eq=False)
class _Measured:
    """Figures of cycles, and of which recording each row is."""

    figures: np.ndarray
    index: Index
    recording: np.ndarray
    skipped: Mapping[str, int]


class TransmissionErrorGrader(ClassifierMixin, BaseEstimator):
    """How large is the static transmission error of this drive, in which of six levels, and how sure is that?

    Two views of a cycle: `profile`, features over the motor's angle and an ordinal regression with intervals; `code`,
    the published chain of a 2,500-figure vector, a code of ten from an auto-encoder, and a hidden Markov model for each
    level. docs/transmission-error.md measures both; the better is the default.

    Parameters
    ----------
    view : `profile` or `code`.
    baseline : `unit` = relative to the drive's own healthy cycles, which `fit` and `adapt` are given with the others;
        None = as measured.
    cycles : how many successive cycles of a session are judged together, T; the first of a session by fewer.
    joint : number of the joint; None = in each recording the one that travels farthest.
    ratio : of the drive; None = what the recordings' robots say, 100 where they say nothing. Used by `profile`.
    coverage : of intervals and of what is said, 0 to 1.
    decide : what `predict` gives: `median` of the levels' distribution, or the `likeliest` level by score; None = the
        median of `profile`, whose probabilities are measured, and the likeliest of `code`, as published.
    limit_rad : error from which a drive is out of tolerance.
    view_options : further options of the view; of `code`: `code` (auto_encoder or pca), `classifier` (hmm, logistic or
        k_means), `length`, `vector`, `size`, `epochs`, `states`, `covariance` (see `diagnosis._code_view`).
    random_state : seed of everything.

    Attributes
    ----------
    classes_ : (6,) levels 1 to 6; k ends at k times 0.025 degree, 6 holds all above. view_ : the fitted view.

    Rows are cycles, sessions in the order in which they come. A cycle's grade rests on it and the T - 1 cycles of its
    session before it, so that `init` and `step` say on line what `grade` says of the whole session.

    Errors: `InputError` for a recording whose error is not known (`fit`), naming it, or without marked cycles;
    `UsageError` for a unit whose healthy cycles are not known (`adapt` with some), for recordings of one session that
    disagree, or for drives of several ratios; `NotEnoughData` where nothing can be learned; `MissingChannel` without
    motor current; `MissingExtra` without torch or hmmlearn, where the code view trains.

    Source: grading of harmonic drives' transmission error by fused features and hidden Markov models
    (docs/transmission-error.md).

    >>> from jointwatch.core import Channel, Condition, Cycle, Robot
    >>> def session(unit, level, name):
    ...     t = np.arange(2000) / 250
    ...     noise = np.random.default_rng([unit, level, len(name)]).standard_normal((2, 2000))
    ...     current = np.sin(np.pi * t) + 0.1 * level * np.sin(2 * np.pi * 8 * t) + 0.05 * noise[0]
    ...     channels = (Channel.parse("current/1"), Channel.parse("torque/1"))
    ...     state = Condition("anomalous", "reducer_wear") if level > 1 else Condition("normal")
    ...     cycles = tuple(Cycle(2.0 * i, 2.0 * i + 2, state) for i in range(4))
    ...     drive = Robot.of("demo", "drive", f"drive-{unit}", joints=1)
    ...     truth = {"static_error_rad": [(level - 0.5) * LEVEL_RAD]}
    ...     values = np.stack([current, current + 0.05 * noise[1]])
    ...     return Recording(t, values, channels, drive, name, cycles, truth=truth)
    >>> drives = [session(unit, level, f"at {level}") for unit in range(5) for level in range(1, 7)]
    >>> options = {"code": "pca", "size": 3, "length": 500, "covariance": "diag", "vector": {"size": 200}}
    >>> grader = TransmissionErrorGrader("code", baseline=None, cycles=2, view_options=options).fit(drives)
    >>> today = session(9, 4, "today")
    >>> grades = grader.grade(today)
    >>> grades.probability.shape, grades.by("session").likeliest.tolist()
    ((4, 6), [4])
    """

    def __init__(
        self,
        view: Literal["profile", "code"] = "profile",
        baseline: Literal["unit"] | None = "unit",
        cycles: int = 1,
        joint: int | None = None,
        ratio: float | None = None,
        coverage: float = 0.9,
        decide: Literal["median", "likeliest"] | None = None,
        limit_rad: float = LEVEL_RAD,
        view_options: Mapping[str, Any] | None = None,
        random_state: int = 0,
    ) -> None:
        self.view = view
        self.baseline = baseline
        self.cycles = cycles
        self.joint = joint
        self.ratio = ratio
        self.coverage = coverage
        self.decide = decide
        self.limit_rad = limit_rad
        self.view_options = view_options
        self.random_state = random_state

    def fit(
        self, recordings: Recording | Iterable[Recording], errors_rad: Sequence[float] | np.ndarray | None = None
    ) -> Self:
        """Learn from cycles of drives whose static error is known.

        Parameters
        ----------
        recordings : of the drives, healthy ones among them where there is a baseline.
        errors_rad : (recording,) static error of the drive at that time; None = what the recording tells, its
            `truth["static_error_rad"]` of the joint, else the level 1 to 6 in the `stage` of its condition, whose
            middle is taken.
        """
        found = listed(recordings)
        view = self._made(found)
        errors = self._errors(found, errors_rad)
        measured = self._measured(view, found)
        self._check_rows(measured, found, "learning grades")
        groups = clusters(measured.index, cluster_of(measured.index))
        view.fit(measured.figures, measured.index, errors[measured.recording], groups)
        self.view_, self.classes_ = view, np.arange(1, LEVELS + 1)
        return self

    def adapt(self, recordings: Recording | Iterable[Recording]) -> Self:
        """A copy that is ready for other drives, whose healthy cycles give their baselines; this one stays as it is.
        Without a baseline nothing is learned."""
        self._fitted()
        adapted, found = copy.copy(self), listed(recordings)
        measured = self._measured(self.view_, found)
        self._check_rows(measured, found, "adapting to a drive")
        adapted.view_ = self.view_.adapt(measured.figures, measured.index)
        return adapted

    def grade(self, recordings: Recording | Iterable[Recording]) -> Grades:
        """Grades of the cycles, with intervals where the view gives them, and how many could not be judged."""
        self._fitted()
        return self._graded(self._measured(self.view_, listed(recordings)))

    def predict(self, recordings: Recording | Iterable[Recording]) -> np.ndarray:
        """(row,) levels 1 to 6."""
        return self._decided(self.grade(recordings))

    def predict_proba(self, recordings: Recording | Iterable[Recording]) -> np.ndarray:
        """(row, level) probabilities."""
        return self.grade(recordings).probability

    def score_table(self, recordings: Recording | Iterable[Recording]) -> np.ndarray:
        """(row, level) log-likelihoods of hidden Markov models, of other methods log-probabilities."""
        return self.grade(recordings).score

    def detect(self, recordings: Recording | Iterable[Recording]) -> Scores:
        """Log-odds of an error above the limit, as alarms take them."""
        return self.grade(recordings).scores("transmission_error")

    def rows(self, recordings: Recording | Iterable[Recording]) -> Index:
        """What each row of `predict` and `predict_proba` is."""
        return self.grade(recordings).index

    def score(
        self, recordings: Recording | Iterable[Recording], errors_rad: Sequence[float] | np.ndarray | None = None
    ) -> float:
        """Share of cycles whose level is met exactly."""
        self._fitted()
        found = listed(recordings)
        errors, measured = self._errors(found, errors_rad), self._measured(self.view_, found)
        true = np.array([level_of(error) for error in errors[measured.recording]])
        return float((self._decided(self._graded(measured)) == true).mean())

    def init(self, unit: str) -> GradingState:
        """The state before a unit's first cycle on line."""
        self._fitted()
        return GradingState(unit)

    def step(self, state: GradingState, recording: Recording) -> tuple[GradingState, Grades]:
        """(next state, grade of one row), what `grade` says of this cycle; `state` stays as it is.

        Parameters
        ----------
        recording : of one cycle. One that cannot be judged (lost samples) gives no row, and why in `skipped`.

        Errors: `UsageError` for a recording of another unit or of several cycles.
        """
        self._fitted()
        if recording.robot.unit != state.unit:
            raise UsageError(f"the state is of {state.unit}, the recording of {recording.robot.unit}; init one for it")
        check_cycles([recording])
        if len(recording.cycles) > 1:
            raise UsageError(f"one cycle a step, got {len(recording.cycles)}; grade takes whole recordings")
        if state.session != recording.session or state.count == 0:
            state = GradingState(state.unit, recording.session)
        cycle = recording.cycles[0]
        named = replace(recording, cycles=(replace(cycle, name=cycle.name or str(state.count + 1)),))
        measured = self._measured(self.view_, [named])
        state = replace(state, count=state.count + 1)
        if not len(measured.index):
            return state, self._graded(measured)
        figures, index = measured.figures, measured.index
        if state.figures is not None and state.index is not None:
            figures = np.concatenate([state.figures, figures])[-self.cycles :]
            index = Index.concatenate([state.index, index]).take(slice(-self.cycles, None))
        # Cycles count in the order in which they came, whatever the clocks of their recordings say.
        ordered = Index(**{**index.columns(), "start_s": np.arange(len(index), dtype=float)})
        table = self.view_.table(figures, ordered)
        last = GradeTable(**{column.name: getattr(table, column.name)[-1:] for column in fields(table)})
        return replace(state, figures=figures, index=index), self._made_grades(measured, last)

    def _graded(self, measured: _Measured) -> Grades:
        if not len(measured.index):
            levels, none = np.empty((0, LEVELS)), np.empty(0)
            return self._made_grades(measured, GradeTable(none, none, none, levels, levels))
        return self._made_grades(measured, self.view_.table(measured.figures, measured.index))

    def _made_grades(self, measured: _Measured, table: GradeTable) -> Grades:
        values = {name: getattr(table, name) for name in ("probability", "error_rad", "low_rad", "high_rad", "score")}
        return Grades(
            measured.index, **values, coverage=self.coverage, limit_rad=self.limit_rad, skipped=measured.skipped
        )

    def _decided(self, grades: Grades) -> np.ndarray:
        likeliest = self.view == "code" if self.decide is None else self.decide == "likeliest"
        return grades.likeliest if likeliest else grades.level

    def _made(self, recordings: Sequence[Recording]) -> GradeView:
        if self.decide not in ("median", "likeliest", None) or self.baseline not in ("unit", None):
            raise UsageError(
                f"decide is median or likeliest and baseline unit or None, got {self.decide!r} and {self.baseline!r}"
            )
        if self.cycles < 1 or not 0 < self.coverage < 1:
            raise UsageError(
                f"cycles are 1 or more and a coverage lies between 0 and 1, got {self.cycles} and {self.coverage}"
            )
        options: dict[str, Any] = {
            "joint": self.joint,
            "baseline": self.baseline,
            "cycles": self.cycles,
            "coverage": self.coverage,
            "random_state": self.random_state,
        } | dict(self.view_options or {})
        if self.view == "code":
            return CodeView(**options)
        if self.view != "profile":
            raise UsageError(f"a view is profile or code, got {self.view!r}")
        from jointwatch.diagnosis._profile_grades import ProfileGrades

        return ProfileGrades(ratio=self._ratio(recordings), **options)

    def _ratio(self, recordings: Sequence[Recording]) -> float:
        if self.ratio is not None:
            return self.ratio
        found = {r.robot.joint(axis_of(r, self.joint)).gear_ratio or _RATIO for r in recordings}
        if len(found) > 1:
            said = names_of(f"{ratio:g}" for ratio in sorted(found))
            raise UsageError(f"the recordings' drives have ratios {said}; learn each by itself, or say ratio=")
        return float(found.pop())

    def _measured(self, view: GradeView, recordings: Sequence[Recording]) -> _Measured:
        """Session by session, so that few windows are in memory at once."""
        check_cycles(recordings)
        sessions: dict[tuple[str, str], list[int]] = {}
        for number, recording in enumerate(recordings):
            sessions.setdefault((recording.robot.unit, recording.session), []).append(number)
        figures, indexes, first, skipped = [], [], [], dict[str, int]()
        for numbers in sessions.values():
            windows = view.cut([recordings[number] for number in numbers])
            for reason, count in windows.skipped.items():
                skipped[reason] = skipped.get(reason, 0) + count
            indexes.append(windows.index)
            first.append(np.full(len(windows), numbers[0]))
            if len(windows):
                figures.append(view.measure(windows))
        table = np.concatenate(figures) if figures else np.empty((0, 0))
        return _Measured(table, Index.concatenate(indexes), np.concatenate(first), skipped)

    def _errors(self, recordings: Sequence[Recording], errors_rad: Sequence[float] | np.ndarray | None) -> np.ndarray:
        """(recording,) known static errors, the same for all recordings of a session."""
        if errors_rad is None:
            errors = np.array([_known_error(recording, axis_of(recording, self.joint)) for recording in recordings])
        else:
            errors = np.abs(np.asarray(errors_rad, float))
            if errors.shape != (len(recordings),):
                raise UsageError(f"one error for each of {len(recordings)} recordings is needed, got {errors.shape}")
        of_session: dict[tuple[str, str], float] = {}
        for recording, error in zip(recordings, errors.tolist(), strict=True):
            if not np.isfinite(error):
                raise _unknown(recording)
            if of_session.setdefault((recording.robot.unit, recording.session), error) != error:
                raise UsageError(
                    f"recordings of {recording.robot.unit}, session {recording.session!r}, have several static errors; "
                    "a drive has one in a session: call the sessions differently"
                )
        return errors

    def _check_rows(self, measured: _Measured, recordings: Sequence[Recording], purpose: str) -> None:
        units = names_of(recording.robot.unit for recording in recordings)
        if not len(measured.index):
            why = ", ".join(f"{count} {reason}" for reason, count in measured.skipped.items()) or "none marked"
            raise NotEnoughData(f"{purpose} ({units}; left out: {why})", needed=1, have=0, unit="whole cycles")
        if self.baseline and not (measured.index.label == "normal").any():
            raise NotEnoughData(f"{purpose} ({units})", needed=1, have=0, unit="healthy cycles, labelled normal")

    def _fitted(self) -> None:
        if not hasattr(self, "view_"):
            raise NotFittedError("TransmissionErrorGrader is not fitted; call fit first")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "view_")


def _known_error(recording: Recording, joint: int) -> float:
    """Static error that the recording tells, else the middle of the level that its condition names."""
    errors = recording.truth.get("static_error_rad")
    numbers = [each.number for each in recording.robot.joints]
    place = numbers.index(joint)
    if isinstance(errors, (list, tuple)) and len(errors) == len(numbers) and errors[place] is not None:
        return abs(float(errors[place]))
    stages = {cycle.condition.stage for cycle in recording.cycles} - {None} or {recording.condition.stage}
    stage = stages.pop() if len(stages) == 1 else None
    if stage is not None and 1 <= stage <= LEVELS:
        return (stage - 0.5) * LEVEL_RAD
    raise _unknown(recording)


def _unknown(recording: Recording) -> InputError:
    return InputError(
        f"the static error of {recording.robot.unit}, session {recording.session!r}, is not known",
        file=recording.source or None,
        remedy='give errors_rad, truth["static_error_rad"], or a level 1 to 6 as the stage of its condition',
    )
