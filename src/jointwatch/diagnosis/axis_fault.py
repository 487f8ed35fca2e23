"""Reducer faults of one axis from torque, current and position, learned on one axis and carried to another."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.metrics import balanced_accuracy_score

from jointwatch.core import Channel, Index, Recording, Scores, Windows, catalog
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.diagnosis._cycles_view import CyclesView
from jointwatch.diagnosis._fusion import Fusion
from jointwatch.diagnosis._maps_view import MapsView
from jointwatch.diagnosis._split import held_out_units
from jointwatch.diagnosis.base import HEALTHY, Decide, Diagnosis, Explanation, conditions
from jointwatch.features.friction import Friction
from jointwatch.windows.feature_maps import FeatureMaps

__all__ = ["AxisFaultClassifier"]

_VIEWS = ("friction", "network")
_HELD = 0.2


class AxisFaultClassifier(ClassifierMixin, BaseEstimator):
    """Is the reducer of this axis worn, and how sure is that?

    Two views of an axis, each relative to the unit's own healthy cycles: `friction`, a linear classifier on friction
    and ripple of whole cycles, and `network`, the published attention-enhanced dilated network (or another of
    `models`) on maps of block statistics. What the ablation of docs/axes.md shows to be best is the default.

    Parameters
    ----------
    views : which views; several are weighed on held-out units.
    decide : `faulty` (normal or faulty), `kind` (of the fault) or `state` (kind and severity).
    axis : number of the joint; None = in each recording the one that travels farthest.
    baseline : `unit`: relative to the unit's own healthy cycles, which `fit` and `adapt` are given with the others;
        `domain`: to those of the whole axis.
    maps : how recordings are cut for the network, `windows.feature_maps.FeatureMaps`; None = sixteen blocks of eight
        samples inside a cycle.
    network, network_options, training, members : see `diagnosis._maps_view.MapsView`; `training="paper"` trains as
        published.
    transfer : strategy of `transfer` (its name, or an instance) by which networks learn from labelled target maps.
    calibrate : weigh the views, and make probabilities come true, on units held out from training.
    random_state : seed of everything.

    Attributes
    ----------
    classes_ : (class,) names, `normal` first. views_ : list of fitted views. fusion_ : how they are put together.

    `fit`, `adapt` and the others take recordings. Rows of `predict` and `predict_proba` are the windows of `rows`:
    whole cycles where the friction view has a part, else maps. Probabilities hold for conditions that are equally
    frequent; with a prevalence p the odds are those times p / (1 - p).

    Errors: `UsageError` for a unit whose healthy cycles are not known (`adapt` with some), `NotEnoughData` without
    two conditions to learn, `MissingChannel` naming recording and channel.

    Source: transfer of reducer faults between robot axes by an attention-enhanced dilated network (docs/axes.md).

    >>> from jointwatch.core import Condition, Cycle, Robot
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
    >>> model = AxisFaultClassifier(views=("friction",)).fit(source)
    >>> target = model.adapt([session("new", "a", 1.5, axis=4), session("new", "bb", 1.6, axis=4)])
    >>> target.predict([session("new", "today", 3.2, axis=4)]).tolist()
    ['faulty', 'faulty', 'faulty']
    """

    def __init__(
        self,
        views: Sequence[str] = _VIEWS,
        decide: Decide = "faulty",
        axis: int | None = None,
        baseline: Literal["unit", "domain"] = "unit",
        maps: FeatureMaps | None = None,
        network: str = "ad_cnn",
        network_options: Mapping[str, Any] | None = None,
        training: str = "modern",
        members: int = 1,
        transfer: Any = "head_only",
        calibrate: bool = True,
        random_state: int = 0,
    ) -> None:
        self.views = views
        self.decide = decide
        self.axis = axis
        self.baseline = baseline
        self.maps = maps
        self.network = network
        self.network_options = network_options
        self.training = training
        self.members = members
        self.transfer = transfer
        self.calibrate = calibrate
        self.random_state = random_state

    def fit(self, recordings: Recording | Iterable[Recording], y: object = None) -> Self:
        """Learn from recordings whose cycles say what state they are in; uncertain ones are left out. `y` is not
        looked at: the labels are in the recordings."""
        found = _listed(recordings)
        self.views_ = self._made()
        cut = [_known(view.cut(found)) for view in self.views_]
        names = [conditions(windows.index, self.decide) for windows in cut]
        kinds = np.unique(np.concatenate(names))
        if HEALTHY not in kinds or len(kinds) < 2:
            raise NotEnoughData(
                f"learning faults (the recordings are {', '.join(kinds) or 'unlabelled'})",
                needed=2,
                have=len(kinds),
                unit="conditions, healthy among them",
            )
        self.classes_ = np.array([HEALTHY, *(kind for kind in kinds if kind != HEALTHY)])
        codes = [self._code(each) for each in names]
        count = len(self.classes_)
        held = [held_out_units(w.index, c, _HELD, self.random_state) for w, c in zip(cut, codes, strict=True)]
        for view, windows, code, out in zip(self.views_, cut, codes, held, strict=True):
            if isinstance(view, MapsView):
                view.fit(windows, code, count, out if self._holds_out() else None)
            else:
                view.fit(windows, code, count)
        self.fusion_ = self._fused(cut, codes, held)
        return self

    def adapt(self, recordings: Recording | Iterable[Recording], *, learn: bool | Literal["auto"] = "auto") -> Self:
        """A copy that is ready for other units, another axis or another load; this one stays as it is.

        Parameters
        ----------
        recordings : of the target. Healthy cycles give the baselines of their units.
        learn : whether the classifiers learn from the labels as well; `auto` = where there is more than one condition.
        """
        self._fitted()
        found = _listed(recordings)
        adapted = copy.copy(self)
        adapted.views_ = []
        for view in self.views_:
            windows = _known(view.cut(found))
            code = self._code(conditions(windows.index, self.decide))
            several = len(np.unique(code)) > 1
            adapted.views_.append(
                view.adapt(windows, code, self._strategy() if (several if learn == "auto" else learn) else None)
            )
        return adapted

    def diagnose(self, recordings: Recording | Iterable[Recording]) -> Diagnosis:
        """Probabilities with the index of their rows."""
        self._fitted()
        found = _listed(recordings)
        cut = [view.cut(found) for view in self.views_]
        index, views = self._aligned(
            [w.index for w in cut], [v.log_proba(w) for v, w in zip(self.views_, cut, strict=True)]
        )
        return Diagnosis(index, tuple(self.classes_.tolist()), np.exp(self.fusion_.log_proba(views)))

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
        found = self.diagnose(recordings)
        true = conditions(found.index, self.decide)
        return float(balanced_accuracy_score(true[true != ""], found.condition[true != ""]))

    def explain(self, recordings: Recording | Iterable[Recording]) -> list[Explanation]:
        """Of each view, why its rows were diagnosed as they were: what each signal brought, and for networks with
        attention where in a map they looked."""
        self._fitted()
        found, explained = _listed(recordings), []
        for view in self.views_:
            windows = view.cut(found)
            if isinstance(view, MapsView):
                parts, maps, attention = view.explain(windows)
                keys = tuple(channel.key for channel in windows.channels)
                signals, summed = _by_signal(windows, parts)
                explained.append(Explanation(windows.index, signals, summed, keys, maps, attention))
            else:
                explained.append(Explanation(windows.index, windows.channels, view.explain(windows)))
        return explained

    def _made(self) -> list[Any]:
        unknown = [view for view in self.views if view not in _VIEWS]
        if unknown or not self.views:
            raise UsageError(f"views are {', '.join(_VIEWS)}, got {', '.join(unknown) or 'none'}")
        made: list[Any] = []
        for view in dict.fromkeys(self.views):
            if view == "friction":
                made.append(CyclesView(Friction(), self.axis, baseline=self.baseline))
                continue
            maps = copy.deepcopy(self.maps) or FeatureMaps(step=8, length=16, stride=1, axis=self.axis, within="cycle")
            made.append(
                MapsView(
                    maps,
                    self.network,
                    self.network_options,
                    self.training,
                    self.baseline,
                    self.members,
                    self.random_state,
                )
            )
        return made

    def _holds_out(self) -> bool:
        """The published training has no rows for choosing anything."""
        return self.training != "paper"

    def _fused(self, cut: list[Windows], codes: list[np.ndarray], held: list[np.ndarray]) -> Fusion:
        """Views weighed on units that the network has not learned from; the friction view gives those it has not."""
        count = len(self.classes_)
        usable = self.calibrate and all(out.any() for out in held)
        if not usable or (not self._holds_out() and any(isinstance(view, MapsView) for view in self.views_)):
            return Fusion().plain(len(self.views_), count)
        tables, rows = [], []
        for view, windows, code, out in zip(self.views_, cut, codes, held, strict=True):
            if isinstance(view, MapsView):
                tables.append(view.log_proba(windows[out]))
                rows.append(windows.index.take(out))
            else:
                out = out if len(self.views_) > 1 else np.ones(len(code), bool)
                tables.append(view.cross_log_proba(windows, code, count, self.random_state)[out])
                rows.append(windows.index.take(out))
        index, views = self._aligned(rows, tables)
        return Fusion().fit(views, self._code(conditions(index, self.decide)))

    def _aligned(self, indexes: Sequence[Index], tables: Sequence[np.ndarray]) -> tuple[Index, list[np.ndarray]]:
        """Rows of the views put on common cycles, those that every view has; one view keeps its own rows."""
        if len(tables) == 1:
            return indexes[0], list(tables)
        names = tuple(self.classes_.tolist())
        cycles = [Diagnosis(i, names, np.exp(t)).by("cycle") for i, t in zip(indexes, tables, strict=True)]
        shared = set.intersection(*(set(each.index.cycle.tolist()) for each in cycles))
        views, index = [], cycles[0].index
        keep = np.array([cycle in shared for cycle in index.cycle], bool)
        order = index.cycle[keep]
        for each in cycles:
            place = {cycle: row for row, cycle in enumerate(each.index.cycle.tolist())}
            views.append(np.log(np.maximum(each.probability[[place[cycle] for cycle in order]], 1e-12)))
        return index.take(keep), views

    def _code(self, names: np.ndarray) -> np.ndarray:
        place = {name: number for number, name in enumerate(self.classes_.tolist())}
        unknown = sorted(set(names.tolist()) - set(place) - {""})
        if unknown:
            raise UsageError(
                f"conditions {', '.join(unknown)} were not learned; known are {', '.join(place)}. Fit with them"
            )
        return np.array([place.get(name, -1) for name in names.tolist()], np.int64)

    def _strategy(self) -> Any:
        return catalog.load("transfer", self.transfer)() if isinstance(self.transfer, str) else self.transfer

    def _fitted(self) -> None:
        if not hasattr(self, "fusion_"):
            raise NotFittedError("AxisFaultClassifier is not fitted; call fit first")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fusion_")


def _listed(recordings: Recording | Iterable[Recording]) -> list[Recording]:
    found = [recordings] if isinstance(recordings, Recording) else list(recordings)
    if not found:
        raise NotEnoughData("diagnosing an axis", needed=1, have=0, unit="recordings")
    return found


def _known(windows: Windows) -> Windows:
    return windows[windows.index.label != "uncertain"]


def _by_signal(windows: Windows, parts: np.ndarray) -> tuple[tuple[Channel, ...], np.ndarray]:
    """Contributions of the statistics of a signal, summed."""
    signals = [Channel(c.quantity, c.joint, c.source) for c in windows.channels]
    unique = tuple(dict.fromkeys(signals))
    summed = np.zeros((len(parts), len(unique)))
    for column, signal in enumerate(signals):
        summed[:, unique.index(signal)] += parts[:, column]
    return unique, summed
