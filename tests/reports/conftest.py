"""Fixtures of the report tests: report data from synthetic arms, and a strict reader of HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from jointwatch.alarms.conformal import ConformalThreshold, MeasuredRate
from jointwatch.core import Alarm, Index, Recording, Robot, Scores, Windows
from jointwatch.reports.base import Decision, ModelFacts, ReportData


def _rate(alarms: int, cycles: int) -> MeasuredRate:
    """So many alarms counted on so many fresh healthy cycles."""
    return ConformalThreshold(0.01).fit(np.zeros(99)).confirm(np.repeat([1.0, 0.0], [alarms, cycles - alarms]))


@pytest.fixture(scope="session")
def measured_rate() -> Callable[[int, int], MeasuredRate]:
    return _rate


_VOID = {"meta", "link", "br", "hr", "img", "input"}


@dataclass
class Page:
    """Parsed page: all text, the text of each element with a class, and what the tags were."""

    text: str = ""
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)

    def having(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """Attributes of the elements of that tag that have these attributes."""
        return [a for name, a in self.tags if name == tag and all(a.get(k) == v for k, v in attributes.items())]


class _Strict(HTMLParser):
    """Fails on a tag that is closed but was not opened last."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"attributes of <{tag}> repeat: {names}"
        self.page.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.page.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.page.open_tags[-1:] == [tag], f"</{tag}> closes {self.page.open_tags[-3:]}"
        self.page.open_tags.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.page.open_tags:
            self.page.text += data + " "


@pytest.fixture(scope="session")
def parse_html() -> Callable[[str], Page]:
    """Parse a page; the test fails where tags do not fit."""

    def parse(text: str) -> Page:
        reader = _Strict()
        reader.feed(text)
        reader.close()
        assert not reader.page.open_tags, f"never closed: {reader.page.open_tags}"
        reader.page.text = " ".join(reader.page.text.split())
        return reader.page

    return parse


def _windows(recordings: list[Recording]) -> Windows:
    """Whole cycles as windows."""
    values, rows = [], []
    for recording in recordings:
        for number, cycle in enumerate(recording.cycles, start=1):
            inside = (recording.time_s >= cycle.start_s - 1e-9) & (recording.time_s < cycle.stop_s - 1e-9)
            values.append(recording.values[:, inside])
            unit, session, state = recording.robot.unit, recording.session, cycle.condition
            rows.append(
                (unit, session, f"{unit}/{session}/{number}", "demo", cycle.start_s, cycle.stop_s, 0.5,
                 cycle.stop_s - cycle.start_s, str(state.label), state.fault, state.joint or 0, np.nan)
            )  # fmt: skip
    index = Index(*(np.array(column) for column in zip(*rows, strict=True)))
    return Windows(np.stack(values), recordings[0].channels, index, 100.0)


@pytest.fixture(scope="session")
def report_data(arm_recording: Callable[..., Recording]) -> Callable[..., ReportData]:
    """Factory of report data: three-joint arms, 24 scored cycles each, 40 calibration cycles each.

    report_data(units=("arm-1",), faulty={"arm-1": (15, 16, 17, 18)}, threshold=True, contributions=True, **changes)
    """

    def make(
        units: tuple[str, ...] = ("arm-1",),
        faulty: dict[str, tuple[int, ...]] | None = None,
        threshold: bool = True,
        contributions: bool = True,
        **changes: Any,
    ) -> ReportData:
        faulty = {"arm-1": (15, 16, 17, 18)} if faulty is None else faulty
        shape = {"joints": 3, "cycle_s": 1.0}
        healthy, scored = [], []
        for i, unit in enumerate(units):
            healthy.append(arm_recording(seed=i, cycles=40, unit=unit, session="baseline", **shape))
            for part in range(2):
                ill = tuple(c - 12 * part for c in faulty.get(unit, ()) if 0 <= c - 12 * part < 12)
                seed = 100 + 10 * i + part
                scored.append(
                    arm_recording(seed=seed, cycles=12, unit=unit, session=f"day-{part}", faulty=ill, **shape)
                )
        base, windows = _windows(healthy), _windows(scored)
        middle, spread = base.values.mean(axis=0), base.values.std(axis=0) + 0.02
        parts = np.square((windows.values - middle) / spread).mean(axis=2)
        scores = Scores(
            parts.mean(axis=1),
            windows.index,
            "demo",
            windows.channels if contributions else (),
            parts if contributions else None,
        )
        level = float(np.square((base.values - middle) / spread).mean(axis=(1, 2)).max()) * 1.3
        alarms = [
            Alarm(
                str(scores.index.unit[row]), str(scores.index.session[row]), str(scores.index.cycle[row]),
                float(scores.index.stop_s[row]), float(scores.value[row]), level, 1 / 41, 0.01, 40,
                joint=int(scores.channels[int(parts[row].argmax())].joint or 0) if contributions else 0,
            )
            for row in np.flatnonzero(scores.value > level)
        ]  # fmt: skip
        fields: dict[str, Any] = {
            "cycle_scores": scores,
            "alarms": tuple(alarms) if threshold else (),
            "threshold": level if threshold else None,
            "decision": Decision(
                0.01,
                40,
                message="" if threshold else "not enough data for a 1 % threshold: 59 more healthy cycles",
                measured=_rate(1, 180) if threshold else None,
                odd_cycles=("arm-1/baseline/7",),
            ),
            "model": ModelFacts("knn", "normalise", "ur10e", "demo", "1.2.3", 7),
            "windows": windows,
            "healthy": base,
            "robots": tuple(Robot.of("demo", "arm", unit, 3) for unit in units),
        }
        return ReportData(**{**fields, **changes})

    return make
