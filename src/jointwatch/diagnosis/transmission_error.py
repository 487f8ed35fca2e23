"""Static transmission error of strain-wave drives in six levels, from motor current and torque of whole cycles."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

import numpy as np

from jointwatch.core import Index, Recording, Scores, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, ClassifierMixin, NotFittedError
from jointwatch.core.levels import LEVEL_RAD, LEVELS, level_of
from jointwatch.diagnosis._checks import check_cycles, listed, names_of
from jointwatch.diagnosis._code_view import CodeView
from jointwatch.diagnosis._drives import DriveRecording, drives_of, errors_of, ratio_of
from jointwatch.diagnosis._grade_view import GradeTable, GradeView
from jointwatch.diagnosis._split import cluster_of, clusters
from jointwatch.diagnosis.base import Grades, check_limit
from jointwatch.windows.axis_view import axis_of

__all__ = ["TransmissionErrorGrader"]


@dataclass(frozen=True, eq=False)
class GradingState:
    """What is remembered of one drive between its cycles on line: the joint that was asked for and that of the
    session, the session, cycles of it that came, and the figures of the last T that could be judged."""

    unit: str
    asked: int | None = None
    joint: int | None = None
    session: str = ""
    count: int = 0
    figures: np.ndarray | None = None
    index: Index | None = None


@dataclass(frozen=True, eq=False)
class _Measured:
    """Figures of cycles: `index` as it is told, of units, their joints and clocks; `named` as views take it, each drive
    a unit of its own and cycles in the order in which they came; `recording`, which each row is of."""

    figures: np.ndarray
    index: Index
    named: Index
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
        None = as measured. A joint of an arm is a drive of its own, with a baseline of its own.
    cycles : how many successive cycles of a session are judged together, T; the first of a session by fewer.
    joint : number of the joint; None = in each recording the one that travels farthest.
    ratio : of all drives; None = each drive's own, as its robot says, by which `profile` measures it. A drive whose
        robot says nothing is taken for one of the learned ratio, and for one of 100 where no learned drive's robot
        says any, all joints alike.
    coverage : of intervals and of what is said, 0 to 1. It is of whole units held out; with several joints of one
        unit, of drives held out; with a single drive, of its sessions, and holds for further sessions of it only.
    decide : what `predict` gives: `median` of the levels' distribution, or the `likeliest` level by score; None = the
        median of `profile`, whose probabilities are measured, and the likeliest of `code`, as published.
    limit_rad : error from which a drive is out of tolerance.
    view_options : further options of the view; of `code`: `code` (auto_encoder or pca), `classifier` (hmm, logistic or
        k_means), `length`, `vector`, `size`, `epochs`, `states`, `covariance` (see `diagnosis._code_view`).
    random_state : seed of everything.

    Attributes
    ----------
    classes_ : (6,) levels 1 to 6; k ends at k times 0.025 degree, 6 holds all above. view_ : the fitted view.
    ratios_ : list of ratios that the learned drives' robots say.

    Rows are cycles, drives and their sessions in the order in which they come; `joint` of a row's index is the drive's.
    A cycle's grade rests on it and the T - 1 cycles before it of its drive's session, in the order of recordings and
    of time in each, whatever clocks these have, so that `init` and `step` say on line what `grade` says of the whole
    session.

    Errors: `InputError` for a recording whose error is not known, or whose cycles are of several levels (`fit`), naming
    it, or without marked cycles; `UsageError` for a drive whose healthy cycles are not known (`adapt` with some), for
    recordings of one session that disagree, for a drive whose robot says another ratio than `ratio`, or, of `code`,
    than the learned ones; `NotEnoughData` where nothing can be learned; `MissingChannel` without motor current;
    `MissingExtra` without torch, where the code view trains an auto-encoder.

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
        errors_rad : (recording,) static error of the drive at that time; None = what the recording tells: its
            `truth["static_error_rad"]`, one for every joint (list, array, or a number where there is one joint), else
            the level 1 to 6 in the `stage` of its cycles' conditions, whose middle is taken. All cycles of a session
            have the same; one that is called normal and has no stage has no level.
        """
        drives = self._drives(recordings)
        view = self._made()
        errors = errors_of(drives, errors_rad)
        ratios = {ratio for drive in drives if (ratio := drive.said_ratio) is not None}
        self.ratios_ = sorted(ratios)
        measured = self._measured(view, drives)
        self._check_rows(measured, drives, "learning grades")
        # Arms are held out whole, and joints of a single arm as drives.
        whole = measured.index if cluster_of(measured.index) == "unit" else measured.named
        by = cluster_of(whole)
        try:
            view.fit(measured.figures, measured.named, errors[measured.recording], clusters(whole, by))
        except NotEnoughData as error:
            if error.unit != "groups":
                raise
            unit = "drives" if by == "unit" else "sessions (there is one drive only)"
            raise NotEnoughData(error.purpose, needed=error.needed, have=error.have, unit=unit) from None
        view.set_params(joint=self.joint)
        self.view_, self.classes_ = view, np.arange(1, LEVELS + 1)
        return self

    def adapt(self, recordings: Recording | Iterable[Recording]) -> Self:
        """A copy that is ready for other drives, whose healthy cycles give their baselines; this one stays as it is.
        Without a baseline nothing is learned."""
        self._fitted()
        adapted, drives = copy.copy(self), self._drives(recordings)
        measured = self._measured(copy.copy(self.view_), drives)
        self._check_rows(measured, drives, "adapting to a drive")
        adapted.view_ = self.view_.adapt(measured.figures, measured.named)
        return adapted

    def grade(self, recordings: Recording | Iterable[Recording]) -> Grades:
        """Grades of the cycles, with intervals where the view gives them, and how many could not be judged."""
        self._fitted()
        return self._graded(self._measured(copy.copy(self.view_), self._drives(recordings)))

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
        drives = self._drives(recordings)
        errors, measured = errors_of(drives, errors_rad), self._measured(copy.copy(self.view_), drives)
        self._check_rows(measured, drives, "scoring grades", healthy=False)
        true = np.array([level_of(error) for error in errors[measured.recording]])
        return float((self._decided(self._graded(measured)) == true).mean())

    def init(self, unit: str, joint: int | None = None) -> GradingState:
        """The state before a unit's first cycle on line.

        Parameters
        ----------
        joint : whose drive the state is of; None = the grader's, or, where that is None too, in each session the one
            that travels farthest in its first cycle. Where several joints move in a session, keep a state for each.
        """
        self._fitted()
        if joint is not None and self.joint not in (None, joint):
            raise UsageError(f"the grader is of joint {self.joint}, the state would be of {joint}; say one of them")
        return GradingState(unit, self.joint if joint is None else joint)

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
            first = axis_of(recording, state.asked)
            state = GradingState(state.unit, state.asked, first, recording.session)
        cycle = recording.cycles[0]
        named = replace(recording, cycles=(replace(cycle, name=cycle.name or str(state.count + 1)),))
        measured = self._measured(copy.copy(self.view_), drives_of([named], state.joint))
        state = replace(state, count=state.count + 1)
        if not len(measured.index):
            return state, self._graded(measured)
        figures, index = measured.figures, measured.named
        if state.figures is not None and state.index is not None:
            figures = np.concatenate([state.figures, figures])[-self.cycles :]
            index = Index.concatenate([state.index, index]).take(slice(-self.cycles, None))
        table = self.view_.table(figures, _in_order(index))
        last = GradeTable(**{column.name: getattr(table, column.name)[-1:] for column in fields(table)})
        return replace(state, figures=figures, index=index), self._made_grades(measured, last)

    def _graded(self, measured: _Measured) -> Grades:
        if not len(measured.index):
            levels, none = np.empty((0, LEVELS)), np.empty(0)
            return self._made_grades(measured, GradeTable(none, none, none, levels, levels))
        return self._made_grades(measured, self.view_.table(measured.figures, measured.named))

    def _made_grades(self, measured: _Measured, table: GradeTable) -> Grades:
        values = {name: getattr(table, name) for name in ("probability", "error_rad", "low_rad", "high_rad", "score")}
        return Grades(
            measured.index, **values, coverage=self.coverage, limit_rad=self.limit_rad, skipped=measured.skipped
        )

    def _decided(self, grades: Grades) -> np.ndarray:
        likeliest = self.view == "code" if self.decide is None else self.decide == "likeliest"
        return grades.likeliest if likeliest else grades.level

    def _made(self) -> GradeView:
        if self.decide not in ("median", "likeliest", None) or self.baseline not in ("unit", None):
            raise UsageError(
                f"decide is median or likeliest and baseline unit or None, got {self.decide!r} and {self.baseline!r}"
            )
        if not isinstance(self.cycles, (int, np.integer)) or self.cycles < 1 or not 0 < self.coverage < 1:
            raise UsageError(
                f"cycles are a whole number, 1 or more, and a coverage lies between 0 and 1, got {self.cycles} and "
                f"{self.coverage}"
            )
        if self.ratio is not None and not (np.isfinite(self.ratio) and self.ratio > 0):
            raise UsageError(f"a ratio is positive, got {self.ratio}")
        check_limit(self.limit_rad)
        options: dict[str, Any] = {
            "joint": self.joint,
            "baseline": self.baseline,
            "cycles": self.cycles,
            "coverage": self.coverage,
            "random_state": self.random_state,
        }
        if self.view not in ("profile", "code"):
            raise UsageError(f"a view is profile or code, got {self.view!r}")
        kind: type[GradeView] = CodeView
        if self.view == "profile":
            from jointwatch.diagnosis._profile_grades import ProfileGrades

            kind = ProfileGrades
        further = dict(self.view_options or {})
        known = sorted(set(kind().get_params(deep=False)) - {*options, "ratio"})
        if unknown := sorted(set(further) - set(known)):
            raise UsageError(
                f"the view {self.view} has no option {', '.join(map(str, unknown))}; view_options are "
                f"{', '.join(known)}, all others are the grader's own"
            )
        return kind(**options, **further)

    def _drives(self, recordings: Recording | Iterable[Recording]) -> list[DriveRecording]:
        found = listed(recordings)
        check_cycles(found)
        return drives_of(found, self.joint)

    def _measured(self, view: GradeView, drives: Sequence[DriveRecording]) -> _Measured:
        """Drive by drive and session by session, so that few windows are in memory at once; the view's joint and ratio
        are set to each drive's."""
        sessions: dict[tuple[str, str, float], list[int]] = {}
        for number, drive in enumerate(drives):
            ratio = ratio_of(drive, self.ratio, self.ratios_)
            if self.view == "code" and self.ratios_ and drive.said_ratio and ratio not in self.ratios_:
                raise UsageError(
                    f"{drive.session}, has ratio {ratio:g}, and the learned drives have "
                    f"{names_of(f'{one:g}' for one in self.ratios_)}, by which their spectra differ; learn from drives "
                    "of this ratio, or take view='profile', which measures each by its own"
                )
            sessions.setdefault((drive.name, drive.recording.session, ratio), []).append(number)
        figures, named, first, skipped = [], [], [], dict[str, int]()
        for (_, _, ratio), numbers in sessions.items():
            drive = drives[numbers[0]]
            view.set_params(joint=drive.joint, **({} if self.view == "code" else {"ratio": ratio}))
            windows = view.cut([drives[number].recording for number in numbers])
            for reason, count in windows.skipped.items():
                skipped[reason] = skipped.get(reason, 0) + count
            named.append(windows.index)
            first.append(np.full(len(windows), numbers[0]))
            if len(windows):
                _check_length(view, windows, drive)
                figures.append(view.measure(windows))
        table = np.concatenate(figures) if figures else np.empty((0, 0))
        index, recording = Index.concatenate(named), np.concatenate(first)
        units, joints = (np.array([getattr(drives[n], of) for n in recording]) for of in ("unit", "joint"))
        told = Index(**{**index.columns(), "unit": units.astype(np.str_), "joint": joints.astype(int)})
        return _Measured(table, told, _in_order(index), recording, skipped)

    def _check_rows(
        self, measured: _Measured, drives: Sequence[DriveRecording], purpose: str, healthy: bool = True
    ) -> None:
        names = names_of(drive.name for drive in drives)
        if not len(measured.index):
            why = ", ".join(f"{count} {reason}" for reason, count in measured.skipped.items()) or "none marked"
            raise NotEnoughData(f"{purpose} ({names}; left out: {why})", needed=1, have=0, unit="whole cycles")
        if healthy and self.baseline and not (measured.index.label == "normal").any():
            raise NotEnoughData(f"{purpose} ({names})", needed=1, have=0, unit="healthy cycles, labelled normal")

    def _fitted(self) -> None:
        if not hasattr(self, "view_"):
            raise NotFittedError("TransmissionErrorGrader is not fitted; call fit first")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "view_")


def _in_order(index: Index) -> Index:
    """Rows count in the order in which they came, whatever the clocks of their recordings say."""
    return Index(**{**index.columns(), "start_s": np.arange(len(index), dtype=float)})


def _check_length(view: GradeView, windows: Windows, drive: DriveRecording) -> None:
    """Errors: `UsageError` for cycles so long that their samples do not reach the code view's spectrum."""
    if not isinstance(view, CodeView):
        return
    longest = float(windows.index.cycle_s.max())
    if (needed := int(np.ceil(2 * view.top_hz * longest))) > view.length:
        raise UsageError(
            f"cycles of {drive.session}, last up to {longest:.4g} s, and {view.length} samples of each are too few for "
            f"a spectrum up to {view.top_hz:g} Hz; learn with view_options={{'length': {needed}}} or more"
        )
