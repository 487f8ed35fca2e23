"""Which faults can be seen from the signals of a recording at its rate, and which cannot, each with its reason.

The rules are data (`diagnosability.yaml`); here they are read, checked and applied.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Literal, Self

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from jointwatch.core import Channel, Quantity, Recording
from jointwatch.reports.joint_evidence import JointEvidence, gather
from jointwatch.reports.words import span

__all__ = ["AbilityTally", "Diagnosability", "Sight", "diagnose_ability", "faults"]


class Sight(StrEnum):
    """Whether a fault can be seen. `yes` says that it leaves a trace of its own, not that any severity is found."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


@dataclass(frozen=True)
class Diagnosability:
    """What recordings can tell about one fault.

    Parameters
    ----------
    fault, title : name and words.
    verdict : `yes`, `partly` or `no`.
    joints : joint numbers concerned, empty for the robot as a whole.
    because : the reason, one clause.
    would_need : what would have to be recorded: of a `no` to see it at all, of a `partly` to see it fully; empty
        where nothing is missing.
    robot : brand and model.
    recordings, of : in how many recordings of that robot the verdict is as good as this.
    """

    fault: str
    title: str
    verdict: Sight
    joints: tuple[int, ...]
    because: str
    would_need: str
    robot: str
    recordings: int
    of: int


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Components(_Strict):
    quantity: Quantity
    at_least: int
    prefix: str = ""


class _Order(_Strict):
    per_input_turn: float
    resolved_share: float = Field(gt=0, le=1)


class _Condition(_Strict):
    """Exactly one predicate, with the words for when it fails or cannot be judged."""

    signals: list[list[str]] | None = None
    components: _Components | None = None
    min_rate_hz: float | None = None
    moves: Literal[True] | None = None
    min_reversals: int | None = None
    min_output_turns: float | None = None
    min_input_turns: float | None = None
    min_speed_ratio: float | None = None
    gear_ratio: Literal[True] | None = None
    order: _Order | None = None
    any_of: list[list[str]] | None = None
    otherwise: str
    unknown: str = ""
    instead: dict[str, str] = Field(default_factory=dict)
    would_need: str

    @model_validator(mode="after")
    def _one_predicate(self) -> Self:
        words = {"otherwise", "unknown", "instead", "would_need"}
        given = [name for name in type(self).model_fields if name not in words and getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a condition has exactly one predicate, got {given}")
        for name in [*(name for group in self.signals or [] for name in group), *self.instead]:
            Channel.parse(name)
        for text in (self.otherwise, self.unknown, self.would_need, *self.instead.values()):
            text.format(**dict.fromkeys(_PLACEHOLDERS, ""))
        return self


class _Fault(_Strict):
    title: str
    scope: Literal["joint", "robot"] = "joint"
    kinds: list[Literal["revolute", "prismatic"]] = ["revolute", "prismatic"]
    partly: list[str]
    full: list[str]
    shows_as: str
    partly_as: str = ""


class _Rules(_Strict):
    conditions: dict[str, _Condition]
    faults: dict[str, _Fault]

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        used = [name for fault in self.faults.values() for name in (*fault.partly, *fault.full)]
        used += [name for c in self.conditions.values() for group in c.any_of or [] for name in group]
        for name, fault in self.faults.items():
            by_ratio = [c for c in (*fault.partly, *fault.full) if c in self.conditions and self._by_ratio(c)]
            if by_ratio and "gear_ratio" not in (*fault.partly, *fault.full):
                raise ValueError(f"{name} rests on {by_ratio}, so it must name gear_ratio")
        if unknown := set(used) - set(self.conditions):
            raise ValueError(f"there are no conditions {sorted(unknown)}")
        return self

    def _by_ratio(self, name: str) -> bool:
        condition = self.conditions[name]
        return condition.order is not None or condition.min_input_turns is not None


_PLACEHOLDERS = ("rate", "nyquist", "travel", "speed", "order", "order_fast", "rate_needed", "share", "ratio", "turns")
_MOTION_NEED = "the position or velocity of the joint"
_LIMITS = ("min_rate_hz", "min_reversals", "min_output_turns", "min_input_turns", "min_speed_ratio")


@cache
def _rules() -> _Rules:
    text = importlib.resources.files("jointwatch.reports").joinpath("diagnosability.yaml").read_text(encoding="utf-8")
    return _Rules.model_validate(yaml.safe_load(text))


def faults() -> dict[str, str]:
    """Name -> title of every fault that is judged.

    >>> faults()["backlash"]
    'Backlash'
    """
    return {name: fault.title for name, fault in _rules().faults.items()}


def diagnose_ability(recordings: Iterable[Recording]) -> list[Diagnosability]:
    """What these recordings can tell about each fault, by robot model, joints with the same answer together.

    Every recording is judged by itself; the best answer of any counts, because a signal in one recording and a
    motion in another do not make a fault visible. Recordings are read one at a time.

    >>> import numpy as np
    >>> from jointwatch.core import Robot
    >>> time_s = np.arange(500) / 25
    >>> channels = (Channel(Quantity.POSITION, 1), Channel(Quantity.CURRENT, 1))
    >>> values = np.stack([np.sin(time_s), np.cos(time_s)])
    >>> found = diagnose_ability([Recording(time_s, values, channels, Robot.of("demo", "arm", "a", 1), "s")])
    >>> {d.fault: d.verdict.value for d in found if d.fault in ("friction", "backlash", "overcurrent")}
    {'friction': 'partly', 'backlash': 'no', 'overcurrent': 'yes'}
    """
    tally = AbilityTally()
    for recording in recordings:
        tally.add(recording)
    return tally.result()


@dataclass
class _Best:
    """The best answer so far for one fault of one joint."""

    sight: Sight
    unmet: tuple[str, ...]  # the texts' templates, so that joints with the same reason fall together
    needs: tuple[str, ...]
    amounts: dict[str, tuple[float, str]]
    count: int = 1


@dataclass
class AbilityTally:
    """Collects recordings one at a time (`add`) and gives the table (`result`); holds no samples."""

    _best: dict[tuple[str, str, int], _Best] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)

    def add(self, recording: Recording) -> None:
        """Judge one recording."""
        robot = f"{recording.robot.brand} {recording.robot.model}".strip()
        self._seen[robot] = self._seen.get(robot, 0) + 1
        *joints, whole = gather(recording)
        for name, fault in _rules().faults.items():
            for evidence in [whole] if fault.scope == "robot" else joints:
                if evidence.joint is not None and evidence.kind not in fault.kinds:
                    continue
                answer = _judge(fault, evidence)
                key = (robot, name, evidence.joint or 0)
                best = self._best.get(key)
                if best is None or _rank(answer) < _rank(best):
                    self._best[key] = answer
                elif answer.sight is best.sight:
                    best.count += 1

    def result(self) -> list[Diagnosability]:
        """The table so far: by robot, then fault in the order of the rules, then best verdict first."""
        rows: list[Diagnosability] = []
        for robot in self._seen:
            for name, fault in _rules().faults.items():
                groups: dict[tuple[Sight, tuple[str, ...]], list[tuple[int, _Best]]] = {}
                for (whose, which, joint), best in self._best.items():
                    if whose == robot and which == name:
                        groups.setdefault((best.sight, best.unmet), []).append((joint, best))
                rows += [
                    self._row(robot, name, fault, members)
                    for _, members in sorted(
                        groups.items(), key=lambda item: (list(Sight).index(item[0][0]), item[1][0][0])
                    )
                ]
        return rows

    def _row(self, robot: str, name: str, fault: _Fault, members: list[tuple[int, _Best]]) -> Diagnosability:
        first = members[0][1]
        amounts = _together([best.amounts for _, best in members])
        reasons = "; ".join(first.unmet)
        shown = fault.shows_as if first.sight is Sight.YES else fault.partly_as or fault.shows_as
        text = {
            Sight.YES: f"shows as {shown}",
            Sight.PARTLY: f"shows as {shown}; but {reasons}",
            Sight.NO: reasons,
        }[first.sight]
        return Diagnosability(
            name,
            fault.title,
            first.sight,
            tuple(sorted(joint for joint, _ in members if joint)),
            text.format(**amounts),
            "; ".join(dict.fromkeys(need for _, best in members for need in best.needs)).format(**amounts),
            robot,
            max(best.count for _, best in members),
            self._seen[robot],
        )


def _rank(answer: _Best) -> tuple[int, int, int]:
    return list(Sight).index(answer.sight), len(answer.unmet), len(answer.needs)


def _judge(fault: _Fault, evidence: JointEvidence) -> _Best:
    conditions = _rules().conditions
    ruled_out: list[str] = []
    missing: list[str] = []
    unmet: list[_Condition] = []
    for name in dict.fromkeys((*fault.partly, *fault.full)):
        condition = conditions[name]
        met = _met(condition, evidence)
        if met is True:
            continue
        unmet.append(condition)
        if not _follows(condition, evidence, fault):
            (ruled_out if met is False and name in fault.partly else missing).append(_reason(condition, evidence, met))
    sight = Sight.NO if ruled_out else Sight.PARTLY if unmet else Sight.YES
    reasons = ruled_out if sight is Sight.NO else missing
    wanted = [c for c in unmet if sight is not Sight.NO or any(conditions[name] is c for name in fault.partly)]
    return _Best(sight, tuple(dict.fromkeys(reasons)), _needs(wanted, evidence), _amounts(evidence))


def _follows(condition: _Condition, evidence: JointEvidence, fault: _Fault) -> bool:
    """Whether another unmet condition already says why: an unknown gear ratio, no motion or an unknown one."""
    by_ratio = condition.order is not None or condition.min_input_turns is not None
    by_motion = by_ratio or any(
        limit is not None for limit in (condition.min_reversals, condition.min_output_turns, condition.min_speed_ratio)
    )
    return (by_ratio and evidence.gear_ratio is None) or (
        by_motion and evidence.moves is not True and "moves" in fault.partly + fault.full
    )


def _needs(unmet: list[_Condition], evidence: JointEvidence) -> tuple[str, ...]:
    """What would have to be recorded; of several limits of one kind the highest."""
    texts = []
    for condition in unmet:
        limits = [name for name in _LIMITS if getattr(condition, name) is not None]
        higher = any(
            getattr(other, name) is not None and getattr(other, name) > getattr(condition, name)
            for name in limits
            for other in unmet
        )
        unknown = condition.order is not None and len(evidence.speed) == 0  # no speed, no rate to ask for
        if not higher and not unknown and not (condition.order is not None and evidence.gear_ratio is None):
            unknown_motion = condition.unknown and evidence.travel is None
            texts.append(_MOTION_NEED if unknown_motion else condition.would_need)
    return tuple(dict.fromkeys(texts))


def _reason(condition: _Condition, evidence: JointEvidence, met: bool | None) -> str:
    if met is None and condition.unknown:
        return condition.unknown
    wanted = {name for group in condition.signals or [] for name in group}
    if dead := sorted(wanted & evidence.dead):
        verb = "is" if len(dead) == 1 else "are"
        return f"{' and '.join(name.replace('_', ' ') for name in dead)} {verb} recorded but constant"
    for signal, text in condition.instead.items():
        if signal in evidence.signals:
            return text
    return condition.otherwise


def _met(condition: _Condition, e: JointEvidence) -> bool | None:
    """True, False, or None where the recording does not allow to say."""
    if condition.signals is not None:
        return any(set(group) <= e.signals for group in condition.signals)
    if condition.components is not None:
        names = e.components.get(condition.components.quantity, ())
        return sum(name.startswith(condition.components.prefix) for name in names) >= condition.components.at_least
    if condition.min_rate_hz is not None:
        return e.rate_hz >= condition.min_rate_hz
    if condition.gear_ratio:
        return e.gear_ratio is not None
    if condition.any_of is not None:
        known = _rules().conditions
        groups = [[_met(known[name], e) for name in group] for group in condition.any_of]
        if any(all(met is True for met in group) for group in groups):
            return True
        return None if any(all(met is not False for met in group) for group in groups) else False
    if e.travel is None:
        return None
    if condition.moves:
        return e.moves
    if condition.min_reversals is not None:
        return e.reversals >= condition.min_reversals
    if condition.min_output_turns is not None:
        return e.travel >= 2 * np.pi * condition.min_output_turns
    if condition.min_speed_ratio is not None:
        low, high = np.quantile(e.speed, [0.1, 0.9]) if len(e.speed) else (1.0, 1.0)
        return bool(high >= condition.min_speed_ratio * low)
    if e.gear_ratio is None:
        return None
    if condition.min_input_turns is not None:
        return e.travel * e.gear_ratio >= 2 * np.pi * condition.min_input_turns
    assert condition.order is not None
    if len(e.speed) == 0:
        return False
    ripple_hz = condition.order.per_input_turn * e.gear_ratio * e.speed / (2 * np.pi)
    return bool(np.mean(ripple_hz < e.rate_hz / 2) >= condition.order.resolved_share)


def _amounts(e: JointEvidence) -> dict[str, tuple[float, str]]:
    """Placeholder -> (value, unit) of one joint, as far as it is known."""
    length, scale = ("deg", 180 / np.pi) if e.kind == "revolute" else ("mm", 1e3)
    known: dict[str, tuple[float, str]] = {"rate": (e.rate_hz, "Hz"), "nyquist": (e.rate_hz / 2, "Hz")}
    if e.travel is not None:
        known["travel"] = (e.travel * scale, length)
    if len(e.speed):
        typical, fast = np.quantile(e.speed, [0.5, 0.95])
        known["speed"] = (float(typical) * scale, f"{length}/s")
        if e.gear_ratio is not None:
            known["order"] = (float(typical) * e.gear_ratio / np.pi, "Hz")
            known["order_fast"] = (float(fast) * e.gear_ratio / np.pi, "Hz")
            known["rate_needed"] = (2 * float(fast) * e.gear_ratio / np.pi, "Hz")
    if e.gear_ratio is not None:
        known["ratio"] = (e.gear_ratio, "")
        if e.travel is not None:
            known["turns"] = (e.travel * e.gear_ratio / (2 * np.pi), "")
    return known


def _together(amounts: list[dict[str, tuple[float, str]]]) -> dict[str, str]:
    """Each placeholder as one text, a range where the joints differ."""
    texts = dict.fromkeys(_PLACEHOLDERS, "an unknown amount")
    for name in _PLACEHOLDERS:
        values: list[tuple[float, str]] = [a[name] for a in amounts if name in a]
        if values:
            digits = 3 if name in ("rate", "nyquist") else 2
            low, high = min(values)[0], max(values)[0]
            texts[name] = span(high if name == "rate_needed" else low, high, values[0][1], digits)
    return texts
