"""Reducer faults of one axis from torque, current and position, learned on one axis and carried to another."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from jointwatch.core import Index, Recording, Scores, Windows, catalog
from jointwatch.core.errors import MissingExtra, NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, ClassifierMixin, NotFittedError, clone
from jointwatch.diagnosis._checks import check_healthy, check_windows, listed, names_of
from jointwatch.diagnosis._friction_view import FrictionView
from jointwatch.diagnosis._fusion import Fusion
from jointwatch.diagnosis._profile_view import ProfileView
from jointwatch.diagnosis._split import cluster_of, clusters, held_out_units
from jointwatch.diagnosis.base import HEALTHY, Decide, Diagnosis, Explanation, conditions, together
from jointwatch.windows._cut import Domain
from jointwatch.windows.feature_maps import FeatureMaps

if TYPE_CHECKING:
    from jointwatch.training.recipes import Recipe

__all__ = ["AxisFaultClassifier"]

_VIEWS = ("friction", "network", "profile")
_HELD = 0.2


class AxisFaultClassifier(ClassifierMixin, BaseEstimator):
    """Is the reducer of this axis worn, and how sure is that?

    Three views of an axis, each relative to the unit's own healthy cycles: `friction`, a linear classifier on friction
    and ripple of whole cycles; `network`, the published attention-enhanced dilated network (or another of `models`)
    on maps of block statistics; `profile`, a linear discriminant on the course of torque and current over the cycle,
    which tells many states of one machine and is carried from load to load. What the ablation of docs/axes.md shows to
    be best is the default.

    Parameters
    ----------
    views : which views; several are weighed on held-out units.
    decide : `faulty` (normal or faulty), `kind` (of the fault) or `state` (kind and severity).
    axis : number of the joint; None = in each recording the one that travels farthest.
    baseline : `unit`: relative to the unit's own healthy cycles, which `fit` and `adapt` are given with the others;
        `domain`: to those of the whole domain.
    domain : what is transferred between: `axis`, or `truth:KEY` (a load), `brand`, `model`, `unit`, `session`, or a
        function of the recording (which cannot be stored).
    maps : how recordings are cut for the network, `windows.feature_maps.FeatureMaps`, whose axis and domain are those
        given here; None = sixteen blocks of eight samples inside a cycle.
    network, network_options, training, members, invariance : see `diagnosis._maps_view.MapsView`;
        `training="paper"` trains as published.
    transfer : strategy of `transfer` (its name, or an instance) by which networks learn from labelled target maps.
    calibrate : weigh the views, and make probabilities come true, on units held out from training; with one unit, on
        sessions held out, and then for further sessions of that unit alone.
    random_state : seed of everything.

    Attributes
    ----------
    classes_ : (class,) names, `normal` first. views_ : list of fitted views. fusion_ : how they are put together.

    `fit`, `adapt` and the others take recordings. Rows of `predict` and `predict_proba` are the windows of `rows`:
    maps for the network by itself, else whole cycles. Probabilities hold for conditions that are equally
    frequent; with a prevalence p the odds are those times p / (1 - p). `adapt` leaves the calibration as the source
    gave it.

    Errors: `UsageError` for a unit whose healthy cycles are not known (`adapt` with some), or a joint that a robot does
    not have; `NotEnoughData` without a healthy condition and another to learn, or without recordings; `InputError` for
    a recording without marked cycles; `MissingChannel` naming recording and channel.

    Source: transfer of reducer faults between robot axes by an attention-enhanced dilated network (docs/axes.md).

    >>> from jointwatch.core import Channel, Condition, Cycle, Robot
    >>> def session(unit, name, friction, axis=6):
    ...     t = np.arange(600) / 25
    ...     q, v, noise = np.sin(t), np.cos(t), np.random.default_rng(len(name)).standard_normal(600)
    ...     torque = friction * np.tanh(20 * v) + 0.05 * noise
    ...     channels = tuple(Channel.parse(f"{key}/{axis}") for key in ("position", "torque", "current"))
    ...     state = Condition("normal") if friction < 2 else Condition("anomalous", "reducer_wear", axis, 0.6)
    ...     cycles = tuple(Cycle(2 * np.pi * i, 2 * np.pi * (i + 1), state) for i in range(3))
    ...     arm = Robot.of("demo", "arm", unit, joints=6)
    ...     return Recording(t, np.stack([q, torque, torque / 30]), channels, arm, name, cycles)
    >>> units = [f"arm-{i}" for i in range(4)]
    >>> source = [session(u, n, f) for u in units for n, f in (("a", 1.0), ("bb", 1.1), ("worn", 2.1))]
    >>> model = AxisFaultClassifier().fit(source)
    >>> target = model.adapt([session("new", "a", 1.5, axis=4), session("new", "bb", 1.6, axis=4)])
    >>> target.predict([session("new", "today", 3.2, axis=4)]).tolist()
    ['faulty', 'faulty', 'faulty']
    """

    def __init__(
        self,
        views: Sequence[str] = ("friction",),
        decide: Decide = "faulty",
        axis: int | None = None,
        baseline: Literal["unit", "domain"] = "unit",
        domain: Domain = "axis",
        maps: FeatureMaps | None = None,
        network: str = "ad_cnn",
        network_options: Mapping[str, Any] | None = None,
        training: str | Recipe = "modern",
        members: int = 1,
        invariance: float = 0.0,
        transfer: Any = "head_only",
        calibrate: bool = True,
        random_state: int = 0,
    ) -> None:
        self.views = views
        self.decide = decide
        self.axis = axis
        self.baseline = baseline
        self.domain = domain
        self.maps = maps
        self.network = network
        self.network_options = network_options
        self.training = training
        self.members = members
        self.invariance = invariance
        self.transfer = transfer
        self.calibrate = calibrate
        self.random_state = random_state

    def fit(self, recordings: Recording | Iterable[Recording], y: object = None) -> Self:
        """Learn from recordings whose cycles say what state they are in; uncertain ones, and those that do not name the
        fault that is to be decided, are left out. `y` is not looked at: the labels are in the recordings."""
        found = listed(recordings)
        views = self._made()
        if any(view.tunes for view in views):
            self._strategy()
        cut = [self._known(view.cut(found), found, "learning faults") for view in views]
        names = [conditions(windows.index, self.decide) for windows in cut]
        kinds = np.unique(np.concatenate(names))
        check_healthy(cut[0], "learning what is healthy")
        if len(kinds) < 2:
            units = names_of(recording.robot.unit for recording in found)
            raise NotEnoughData(
                f"learning faults ({units}: all {kinds[0]})", needed=2, have=1, unit="conditions, healthy among them"
            )
        self.classes_ = np.array([HEALTHY, *(kind for kind in kinds if kind != HEALTHY)])
        codes = [self._code(each) for each in names]
        held = self._held(cut, codes)
        for view, windows, code, out in zip(views, cut, codes, held, strict=True):
            view.fit(windows, code, len(self.classes_), out if view.holds_out else None)
        self.views_ = views
        self.fusion_ = self._fused(cut, codes, held)
        return self

    def adapt(self, recordings: Recording | Iterable[Recording], *, learn: bool | Literal["auto"] = "auto") -> Self:
        """A copy that is ready for other units, another axis or another load; this one stays as it is.

        Parameters
        ----------
        recordings : of the target. Healthy cycles give the baselines of their units.
        learn : whether the classifiers learn from the labels as well; `auto` = where there is more than one condition,
            as one says nothing of what tells it from others.
        """
        self._fitted()
        found = listed(recordings)
        adapted = copy.copy(self)
        adapted.views_ = []
        for view in self.views_:
            windows = self._known(view.cut(found), found, "adapting to a target")
            code = self._code(conditions(windows.index, self.decide))
            labels = len(np.unique(code)) > 1 if learn == "auto" else learn
            if not labels:
                check_healthy(windows, "adapting to a target")
            if labels and len(np.unique(code)) < 2:
                only = self.classes_[code[0]]
                raise UsageError(f"all recordings are {only}: nothing can be learned from one condition; learn=False")
            how = self._strategy() if labels and view.tunes else None
            adapted.views_.append(view.adapt(windows, code, how if view.tunes else labels))
        return adapted

    def diagnose(self, recordings: Recording | Iterable[Recording]) -> Diagnosis:
        """Probabilities with the index of their rows, and how much could not be judged."""
        self._fitted()
        found = listed(recordings)
        cut = [view.cut(found) for view in self.views_]
        index, tables, lost = self._aligned(
            [w.index for w in cut], [v.log_proba(w) for v, w in zip(self.views_, cut, strict=True)]
        )
        probability = np.exp(self.fusion_.log_proba(tables))
        return Diagnosis(index, tuple(self.classes_.tolist()), probability, self._skipped(cut, lost))

    def rows(self, recordings: Recording | Iterable[Recording]) -> Index:
        """What each row of `predict` and `predict_proba` is."""
        return self.diagnose(recordings).index

    def predict(self, recordings: Recording | Iterable[Recording]) -> np.ndarray:
        """(row,) names of the most probable conditions."""
        return self.diagnose(recordings).condition

    def predict_proba(self, recordings: Recording | Iterable[Recording]) -> np.ndarray:
        """(row, class) calibrated probabilities, classes as in `classes_`."""
        return self.diagnose(recordings).probability

    def detect(self, recordings: Recording | Iterable[Recording]) -> Scores:
        """Log-odds of a fault, as alarms take them."""
        return self.diagnose(recordings).scores("axis_fault")

    def score(self, recordings: Recording | Iterable[Recording], y: object = None) -> float:
        """Balanced accuracy over the rows whose condition is known."""
        from sklearn.metrics import balanced_accuracy_score  # a diagnosis goes without

        found = self.diagnose(recordings)
        true = conditions(found.index, self.decide)
        return float(balanced_accuracy_score(true[true != ""], found.condition[true != ""]))

    def explain(self, recordings: Recording | Iterable[Recording]) -> list[Explanation]:
        """Of each view, why its rows were diagnosed as they were: what each signal brought, and for networks with
        attention where in a map they looked."""
        self._fitted()
        found = listed(recordings)
        return [view.explain(view.cut(found)) for view in self.views_]

    def _made(self) -> list[Any]:
        unknown = [view for view in self.views if view not in _VIEWS]
        if unknown or not self.views or isinstance(self.views, str):
            raise UsageError(f"views are some of {', '.join(_VIEWS)}, got {self.views!r}")
        where: dict[str, Any] = {"axis": self.axis, "baseline": self.baseline, "domain": self.domain}
        made = {"friction": lambda: FrictionView(**where), "profile": lambda: ProfileView(**where)}
        return [self._network() if view == "network" else made[view]() for view in dict.fromkeys(self.views)]

    def _network(self) -> Any:
        try:
            from jointwatch.diagnosis._maps_view import MapsView
        except ModuleNotFoundError as error:
            raise MissingExtra(str(error.name), extra="learn") from error
        maps = FeatureMaps(step=8, length=16, stride=1, within="cycle") if self.maps is None else clone(self.maps)
        return MapsView(
            maps.set_params(axis=self.axis, domain=self.domain),
            self.network,
            self.network_options,
            self.training,
            self.baseline,
            self.members,
            self.invariance,
            self.random_state,
        )

    def _known(self, windows: Windows, recordings: Sequence[Recording], purpose: str) -> Windows:
        check_windows(windows, recordings, purpose)
        known = windows[conditions(windows.index, self.decide) != ""]
        if not len(known):
            units = names_of(windows.index.unit.tolist())
            raise NotEnoughData(f"{purpose} ({units})", needed=1, have=0, unit="cycles whose condition is known")
        return known

    def _held(self, cut: list[Windows], codes: list[np.ndarray]) -> list[np.ndarray]:
        """The same units for every view."""
        first = cut[0].index
        by = cluster_of(first)
        held = held_out_units(first, codes[0], _HELD, self.random_state)
        out = np.unique(clusters(first, by)[held])
        return [np.isin(clusters(windows.index, by), out) for windows in cut]

    def _fused(self, cut: list[Windows], codes: list[np.ndarray], held: list[np.ndarray]) -> Fusion:
        """Views weighed on rows of units that they have not learned from: all where each view can be learned anew
        without every unit in turn, else those held out."""
        plain = Fusion().plain(len(self.views_), len(self.classes_))
        if not self.calibrate or not all(view.holds_out for view in self.views_):
            return plain
        if all(view.crosses for view in self.views_):
            held = [np.ones(len(windows), bool) for windows in cut]
        if not all(out.any() for out in held):
            return plain
        tables, indexes = [], []
        for view, windows, code, out in zip(self.views_, cut, codes, held, strict=True):
            table = view.held_log_proba(windows, code, out, self.random_state)
            known = np.isfinite(table).all(axis=1)
            tables.append(table[known])
            indexes.append(windows.index.take(out).take(known))
        index, tables, _ = self._aligned(indexes, tables)
        return Fusion().fit(tables, self._code(conditions(index, self.decide))) if len(index) else plain

    def _aligned(self, indexes: Sequence[Index], tables: Sequence[np.ndarray]) -> tuple[Index, list[np.ndarray], int]:
        """Rows of the views put on common cycles, those that every view has, and how many cycles only some have; one
        view keeps its own rows."""
        if len(tables) == 1:
            return indexes[0], list(tables), 0
        cycles = [together(index.cycle, index, table) for index, table in zip(indexes, tables, strict=True)]
        sets = [set(index.cycle.tolist()) for index, _ in cycles]
        shared = set.intersection(*sets)
        aligned, index = [], cycles[0][0]
        keep = np.array([cycle in shared for cycle in index.cycle], bool)
        order = index.cycle[keep]
        for own, table in cycles:
            place = {cycle: row for row, cycle in enumerate(own.cycle.tolist())}
            aligned.append(table[np.array([place[cycle] for cycle in order], np.int64)])
        return index.take(keep), aligned, len(set.union(*sets)) - len(shared)

    def _skipped(self, cut: list[Windows], lost: int) -> dict[str, int]:
        """Pieces that were left out. A cycle that several views leave out for one reason counts once; maps are told
        apart from cycles; and there are cycles that one view has and another has not."""
        found: dict[str, int] = {}
        for view, windows in zip(self.views_, cut, strict=True):
            for reason, count in windows.skipped.items():
                name = reason if view.piece == "cycles" or len(cut) == 1 else f"{view.piece}: {reason}"
                found[name] = max(found.get(name, 0), count)
        return found | ({"not in every view": lost} if lost else {})

    def _code(self, names: np.ndarray) -> np.ndarray:
        place = {name: number for number, name in enumerate(self.classes_.tolist())}
        unknown = sorted(set(names.tolist()) - set(place) - {""})
        if unknown:
            raise UsageError(
                f"conditions {', '.join(unknown)} were not learned; known are {', '.join(place)}. Fit with them"
            )
        return np.array([place.get(name, -1) for name in names.tolist()], np.int64)

    def _strategy(self) -> Any:
        """By which networks learn from labels of a target."""
        from jointwatch.transfer._fine_tuning import FineTuning

        known = [name for name in catalog.names("transfer") if issubclass(catalog.load("transfer", name), FineTuning)]
        if isinstance(self.transfer, FineTuning):
            return self.transfer
        if self.transfer not in known:
            raise UsageError(f"networks are tuned by one of {', '.join(known)}, got {self.transfer!r}")
        return catalog.load("transfer", self.transfer)()

    def _fitted(self) -> None:
        if not hasattr(self, "fusion_"):
            raise NotFittedError("AxisFaultClassifier is not fitted; call fit first")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fusion_")
