"""How far simulated recordings are from measured ones, and by what they give themselves away."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from jointwatch.core import Label, Recording, catalog
from jointwatch.core.errors import InputError, NotEnoughData, UsageError
from jointwatch.simulation.difficulty import difficulty
from jointwatch.simulation.motion import Load
from jointwatch.simulation.produce import REVISION
from jointwatch.simulation.robot import RobotModel, load_robot, robot_digest
from jointwatch.simulation.twin import twin_of
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._realism import axes
from jointwatch.studies._realism_measure import HEADLINES, Compared, compare, halves, measure
from jointwatch.studies._realism_twosample import FEATURES, VIEWS, TwoSample, two_sample
from jointwatch.studies.base import Progress, Results, Row, Study, StudyOptions

__all__ = ["Realism"]

_SETS = {  # folder -> (reader, robot model)
    "ur10e_innopolis": ("ur10e_innopolis", "ur10e"),
    "kinova_gen3_harmonic": ("kinova_gen3", "gen3"),
    "ur3e_rad_power": ("ur3e_rad", "ur3e"),
    "emps_servo": ("emps", "emps"),
    "voraus_ad_fixture": ("voraus", "yu_cobot"),
}
_QUICK = 8  # recordings of a set
_LEAST_HELD_OUT = 3  # recordings of a set that can be held out in turn; where there are fewer, blocks of time are
_BLOCKS = 4
_WORST = 4
_TREES, _QUICK_TREES = 150, 40


class Realism(Study):
    """`jointwatch study realism --data ../shared/data`: simulated twins beside the measured recordings they follow.

    Every healthy recording with positions and motor effort gets a twin a seed: another specimen of the robot model on
    the same path. Both sides are cut to the same channels and span and measured by the same code. What two halves of
    a measured recording differ by is the floor below which no difference means anything. The two-sample test trains
    trees to tell windows of both sides apart; a recording and its twins are always on the same side of a split.
    """

    Options = StudyOptions

    def _rests_on(self) -> str:
        robots = " ".join(robot_digest(load_robot(model)) for _, model in _SETS.values())
        return f"{REVISION} {difficulty().model_dump_json()} {robots}"

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        seeds = 1 if options.quick else options.seeds
        sets = {name: kinds for name, kinds in _SETS.items() if (options.data / name).is_dir()}
        if not sets:
            raise InputError("holds none of the measured sets", file=options.data, remedy=f"one of {', '.join(_SETS)}")
        notes = [f"{name}: not in the folder, left out" for name in _SETS if name not in sets]
        rows: list[Row] = []
        tables: dict[str, list[dict[str, Any]]] = {"joints": [], "tells": [], "recordings": [], "curves": []}
        for number, (name, (reader, model)) in enumerate(sets.items()):
            robot = load_robot(model)
            found = _Set(name, robot)
            recordings = list(_usable(catalog.load("recordings", reader)().read(options.data / name), found))
            chosen = _telling(recordings) if options.quick else recordings
            for k, recording in enumerate(chosen):
                progress(number * 100 + 90 * k // len(chosen), len(sets) * 100, f"{name}, {recording.session}")
                key = f"{name}/{recording.session}"
                found.add(recording, ledger.once(key, partial(_step, recording, robot, seeds)))
            tests = ledger.once(f"{name}/two-sample", partial(_tests, found, _QUICK_TREES if options.quick else _TREES))
            rows += found.rows(seeds, tests)
            for table, records in found.tables(tests).items():
                tables[table] += records
            notes += found.notes(tests)
        progress(1, 1, "done")
        return Results("realism", "", 0.0, tuple(rows), tuple(notes), tables)


@dataclass
class _Set:
    """What was measured on both sides of one set."""

    name: str
    robot: RobotModel
    sessions: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def add(self, recording: Recording, step: dict[str, Any]) -> None:
        if "shortage" in step:
            self.left_out.setdefault(step["shortage"], []).append(recording.session)
        else:
            self.sessions.append(recording.session)
            self.steps.append(step)
            self.seconds.append(recording.duration_s)

    def compared(self) -> dict[str, Compared]:
        """Simulated against measured."""
        measured = [step["measured"]["numbers"] for step in self.steps]
        return compare(measured, [[twin["numbers"] for twin in step["twins"]] for step in self.steps])

    def floor(self) -> dict[str, Compared]:
        """Second half of a measured recording against its first."""
        whole = [step["halves"] for step in self.steps if step["halves"]]
        return compare([first["numbers"] for first, _ in whole], [[second["numbers"]] for _, second in whole])

    def rows(self, seeds: int, tests: dict[str, Any]) -> Iterator[Row]:
        same, floor = self.compared(), self.floor()
        for metric in (m for m in HEADLINES if m in same):
            found = same[metric]
            named = f"{metric} ({found.unit})"
            yield self._row("measured", named, found.first, found.recordings, 1)
            yield self._row("simulated", named, found.second, found.recordings, seeds)
            yield self._row("simulated / measured", f"{metric}, ratio", found.ratio, found.recordings, seeds)
            if metric in floor:
                own = floor[metric]
                yield self._row("measured, second half / first", f"{metric}, ratio", own.ratio, own.recordings, 1)
        for key in (key for key in tests if key != "shortage"):
            sides, _, view = key.partition(", ")
            test = TwoSample(**tests[key])
            method = "simulated / measured" if sides == "twins" else "measured, second half / first"
            spread = (test.auroc, test.low, test.high)
            yield self._row(method, f"two-sample AUC, {view}", spread, test.windows, seeds if sides == "twins" else 1)

    def _row(self, method: str, metric: str, spread: tuple[float, float, float], n: int, seeds: int) -> Row:
        return Row(method, "same motion", self.name, self.robot.model, "", metric, *spread, n, seeds)

    def tables(self, tests: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        same, floor = self.compared(), self.floor()
        joints = [
            {
                "set": self.name,
                "joint": joint or None,
                "metric": metric,
                "unit": found.unit,
                "measured": a,
                "simulated": b,
                "ratio": ratio,
                "ratio_of_halves": floor[metric].by_joint[joint][2]
                if metric in floor and joint in floor[metric].by_joint
                else None,
                "recordings": found.recordings,
            }
            for metric, found in same.items()
            for joint, (a, b, ratio) in found.by_joint.items()
        ]
        tells = [
            {
                "set": self.name,
                "sides": key,
                "feature": feature,
                "importance": loss,
                "auc_alone": alone,
                "median_first": a,
                "median_second": b,
            }
            for key in tests
            if key != "shortage"
            for feature, loss, alone, a, b in tests[key]["features"]
        ]
        recordings = [
            {"set": self.name, "recording": session, "seconds": seconds, "left_out": None}
            for session, seconds in zip(self.sessions, self.seconds, strict=True)
        ]
        recordings += [
            {"set": self.name, "recording": session, "seconds": None, "left_out": why}
            for why, sessions in self.left_out.items()
            for session in sessions
        ]
        return {"joints": joints, "tells": tells, "recordings": recordings, "curves": list(self._curves())}

    def _curves(self) -> Iterator[dict[str, Any]]:
        """Of each joint the curves of one recording, the best for friction and then the longest, of both sides."""
        best: dict[tuple[str, int], int] = {}
        for k, step in enumerate(self.steps):
            for kind, joint, *_ in step["measured"]["curves"]:
                worth = (step["measured"]["methods"].get(str(joint)) == "both ways", self.seconds[k])
                held = best.get((kind, joint))
                if held is None or worth > (
                    self.steps[held]["measured"]["methods"].get(str(joint)) == "both ways",
                    self.seconds[held],
                ):
                    best[kind, joint] = k
        for (kind, joint), k in best.items():
            sides = [("measured", 0, self.steps[k]["measured"])]
            sides += [("simulated", seed, twin) for seed, twin in enumerate(self.steps[k]["twins"])]
            for side, seed, found in sides:
                for its_kind, its_joint, unit, x, y in found["curves"]:
                    if (its_kind, its_joint) == (kind, joint):
                        head = {
                            "set": self.name,
                            "kind": kind,
                            "joint": joint,
                            "unit": unit,
                            "side": side,
                            "seed": seed,
                        }
                        yield from ({**head, "x": a, "y": b} for a, b in zip(x, y, strict=True))

    def notes(self, tests: dict[str, Any]) -> list[str]:
        """What a reader must know: where the simulation is most wrong, what gives it away, what was left out."""
        said = []
        for why, sessions in self.left_out.items():
            said.append(f"{self.name}: {len(sessions)} recordings not compared ({why}), the first {sessions[0]}")
        if not self.steps:
            return [*said, f"{self.name}: nothing could be compared"]
        same, floor = self.compared(), self.floor()
        worst = sorted(
            (
                (abs(math.log(ratio)), metric, joint, a, b, ratio)
                for metric in HEADLINES
                if metric in same
                for joint, (a, b, ratio) in _worst_joint(same[metric])
                if abs(math.log(ratio)) > abs(math.log(floor[metric].ratio[0] if metric in floor else 1.0))
            ),
            reverse=True,
        )
        for _, metric, joint, a, b, ratio in worst[:_WORST]:
            where = f" of joint {joint}" if joint else ""
            unit = same[metric].unit
            far = "missing on one side" if a == 0 or b == 0 else f"ratio {ratio:.2g}"
            said.append(
                f"{self.name}: wrong in {metric}{where}: measured {a:.3g} {unit}, simulated {b:.3g} {unit} ({far})"
            )
        absent = sorted(
            {m for step in self.steps for _, m, *_ in step["measured"]["numbers"]} & set(HEADLINES) - set(same)
        )
        if absent:
            said.append(f"{self.name}: measured but not shown by the simulation: {', '.join(absent)}")
        for view in VIEWS:
            if (key := f"twins, {view}") in tests:
                said.append(f"{self.name}: {_told_apart(view, TwoSample(**tests[key]))}")
        if "shortage" in tests:
            said.append(f"{self.name}: no two-sample test: {tests['shortage']}")
        return said


def _told_apart(view: str, test: TwoSample) -> str:
    feature, _, alone, a, b = test.features[0]
    return (
        f"windows are told apart ({view}) with AUC {test.auroc:.3f} [{test.low:.3f}, {test.high:.3f}], "
        f"0.5 = not at all; most telling: {feature} (alone AUC {alone:.2f}; median measured {a:.3g}, simulated {b:.3g})"
    )


def _worst_joint(found: Compared) -> list[tuple[int, tuple[float, float, float]]]:
    """The joint with the largest ratio, either way."""
    return [max(found.by_joint.items(), key=lambda item: abs(math.log(item[1][2])))]


def _usable(recordings: Iterator[Recording], found: _Set) -> Iterator[Recording]:
    """Healthy recordings with positions and effort that are not part of another; the others are noted."""
    names: set[str] = set()
    for recording in recordings:
        why = None
        if recording.condition.label is not Label.NORMAL:
            why = "not labelled healthy"
        elif "slice_of" in recording.truth:
            why = "part of another recording"
        elif not axes(recording):
            why = "no positions or no motor effort"
        elif recording.truth.get("payload") and "payload_kg" not in recording.truth:
            why = "payload unknown"
        elif recording.session in names:
            why = "second of its name"
        if why is None:
            names.add(recording.session)
            yield recording
        else:
            found.left_out.setdefault(why, []).append(recording.session)


def _telling(recordings: list[Recording]) -> list[Recording]:
    """A few recordings: those in which one joint moves first, then others evenly."""
    strokes = [r for r in recordings if r.truth.get("task") == "joint stroke"][:_QUICK]
    others = [r for r in recordings if r.truth.get("task") != "joint stroke"]
    room = _QUICK - len(strokes)
    return strokes + (others[:: max(1, math.ceil(len(others) / room))] if room else [])


def _step(recording: Recording, robot: RobotModel, seeds: int) -> dict[str, Any]:
    """Both sides of one recording, cut to what they share, and the halves of the measured one."""
    ratio = robot.number("drive.ratio").tolist()
    payload = float(recording.truth.get("payload_kg", 0.0))
    load = Load(0.0, payload) if payload else None
    try:
        twins = [twin_of(recording, robot, seed, load) for seed in range(seeds)]
    except (NotEnoughData, UsageError) as shortage:
        return {"shortage": str(shortage)}
    shared = [channel for channel in recording.channels if channel in twins[0]]
    step = float(np.median(np.diff(recording.time_s)))
    cut = recording.select(shared).between(float(twins[0].time_s[0]), float(twins[0].time_s[-1]) + step)
    if not axes(cut):
        return {"shortage": "the twin has no motor effort that the recording has"}
    parts = halves(cut)
    return {
        "measured": measure(cut, ratio),
        "twins": [measure(twin.select(shared), ratio) for twin in twins],
        "halves": None if parts is None else [measure(part, ratio) for part in parts],
    }


def _tests(found: _Set, trees: int) -> dict[str, Any]:
    """Two-sample tests: twins against measured, and second halves against first ones, which differ by drift only."""
    blocks = 1 if len(found.steps) >= _LEAST_HELD_OUT else _BLOCKS
    measured = [part for step in found.steps for part in _windows([step["measured"]], blocks)]
    twins = [part for step in found.steps for part in _windows(step["twins"], blocks)]
    parts = [[_windows([half], 1)[0] for half in step["halves"]] for step in found.steps if step["halves"]]
    result: dict[str, Any] = {}
    for view, features in VIEWS.items():
        try:
            result[f"twins, {view}"] = _as_dict(two_sample(measured, twins, features=features, trees=trees))
            if len(parts) > 1:
                first, second = zip(*parts, strict=True)
                result[f"halves, {view}"] = _as_dict(two_sample(first, second, features=features, trees=trees))
        except NotEnoughData as shortage:
            result["shortage"] = str(shortage)
    return result


def _windows(measured: list[dict[str, Any]], blocks: int) -> list[np.ndarray]:
    """(window and joint, feature) of a recording in consecutive blocks of time; of several twins every so many windows,
    so that both sides have as many."""
    found: list[list[np.ndarray]] = [[] for _ in range(blocks)]
    for k, one in enumerate(measured):
        rows = np.array(one["features"], float).reshape(-1, len(FEATURES))
        joints = max(1, len(np.unique(rows[:, FEATURES.index("joint")])))
        by_window = rows.reshape(-1, joints, len(FEATURES))
        for block, part in zip(found, np.array_split(by_window, blocks), strict=True):
            block.append(part[k :: len(measured)].reshape(-1, len(FEATURES)))
    return [np.concatenate(parts) for parts in found]


def _as_dict(found: TwoSample) -> dict[str, Any]:
    return {name: getattr(found, name) for name in TwoSample.__dataclass_fields__}
