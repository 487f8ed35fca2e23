"""The decision table as data: size of the target, likeness of the domains and labels -> what to try, and why."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import yaml

from jointwatch.core.errors import UsageError

__all__ = ["DecisionTable", "FineTuningRow", "Match", "Situation", "Stage", "StrategyRow", "decision_table"]

Size = Literal["small", "large"]
Similarity = Literal["high", "low"]


@dataclass(frozen=True)
class Situation:
    """What is known before anything is trained.

    Parameters
    ----------
    labelled : labelled windows of the target. similarity : share of the target's windows as near to the source as its
        own sessions are to each other (`distance.overlap`), 0 to 1.
    sources : source robots' domains (brands). network : whether the detector has a network that can be trained further.
    healthy_only : no labelled window is anomalous.
    """

    labelled: int
    similarity: float
    sources: int = 1
    network: bool = True
    healthy_only: bool = False

    def __post_init__(self) -> None:
        if self.labelled < 0 or self.sources < 1 or not 0 <= self.similarity <= 1:
            raise UsageError(
                "a situation has labelled windows >= 0, at least one source and a similarity between 0 and 1, got "
                f"{self.labelled}, {self.sources}, {self.similarity}"
            )


@dataclass(frozen=True)
class FineTuningRow:
    """One of the rows A to D. `entries` are names of the catalog, best first."""

    row: str
    target_size: Size
    similarity: Similarity
    do: str
    entries: tuple[str, ...]


@dataclass(frozen=True)
class StrategyRow:
    """One of the six strategies. `labels` : windows of the target it wants labelled at least, `anomalous` : some of
    them as anomalous; `entry` : its name in the catalog."""

    number: int
    name: str
    entry: str
    labels: int
    anomalous: bool
    sources: int
    effort: str
    speed: str
    expected: str


@dataclass(frozen=True)
class Stage:
    """What to try first, and what when that falls short: numbers of strategies."""

    stage: str
    strategies: tuple[int, ...]
    why: str


@dataclass(frozen=True)
class Match:
    """Which rows apply to a situation.

    Parameters
    ----------
    fine_tuning : rows for labelled target windows; empty without labels.
    cells : rows of the target's size and likeness, labels or not: what is marked where the table is drawn.
    strategies : those that can be used now, in the order of the stages.
    waiting : number of a strategy -> what it waits for.
    why : sentences.
    """

    fine_tuning: tuple[FineTuningRow, ...]
    cells: tuple[FineTuningRow, ...]
    strategies: tuple[StrategyRow, ...]
    waiting: dict[int, str]
    why: tuple[str, ...]

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of the catalog worth trying, in order, each once."""
        found = [strategy.entry for strategy in self.strategies] + [e for row in self.fine_tuning for e in row.entries]
        return tuple(dict.fromkeys(found))

    @property
    def first_entries(self) -> tuple[str, ...]:
        """The same with the first alone of each row for fine-tuning: the others are variants of it."""
        found = [strategy.entry for strategy in self.strategies] + [row.entries[0] for row in self.fine_tuning]
        return tuple(name for name in self.entries if name in found)


@dataclass(frozen=True)
class DecisionTable:
    """Rows and limits, as read from `decision_table.yaml`."""

    small_below: int
    large_above: int
    similar_from: float
    fine_tuning: tuple[FineTuningRow, ...]
    strategies: tuple[StrategyRow, ...]
    stages: tuple[Stage, ...]

    def sizes(self, labelled: int) -> tuple[Size, ...]:
        """Size of the target; both between the two limits."""
        if labelled < self.small_below:
            return ("small",)
        return ("large",) if labelled > self.large_above else ("small", "large")

    def similarity(self, overlap: float) -> Similarity:
        """Likeness of the domains in words."""
        return "high" if overlap >= self.similar_from else "low"

    def match(self, situation: Situation) -> Match:
        """The rows that apply, and why.

        >>> match = decision_table().match(Situation(labelled=0, similarity=0.8))
        >>> [row.number for row in match.strategies], [row.row for row in match.cells], match.entries
        ([5, 1], ['A'], ('normalisation', 'dann'))
        >>> match = decision_table().match(Situation(labelled=200, similarity=0.2))
        >>> match.entries[:4]
        ('normalisation', 'batch_norm', 'dann', 'supervised_contrastive')
        >>> match.entries[4:], match.first_entries[4:]
        (('foundation', 'l2_sp', 'discriminative', 'gradual_unfreezing', 'lora'), ('foundation', 'l2_sp'))
        """
        sizes, likeness = self.sizes(situation.labelled), self.similarity(situation.similarity)
        cells = tuple(r for r in self.fine_tuning if r.target_size in sizes and r.similarity == likeness)
        order = [number for stage in self.stages for number in stage.strategies]
        order += [row.number for row in self.strategies if row.number not in order]
        by_number = {row.number: row for row in self.strategies}
        usable, waiting = [], {}
        for number in order:
            reason = _waits_for(by_number[number], situation)
            if reason:
                waiting[number] = reason
            else:
                usable.append(by_number[number])
        why = [
            f"{situation.similarity:.0%} of the target's windows are as near to the source as its own sessions are to "
            f"each other: similarity is {likeness} (high from {self.similar_from:.0%})",
            f"{situation.labelled} labelled windows: the target is {' to '.join(sizes)} "
            f"(small below {self.small_below}, large above {self.large_above})",
            *(f"row {row.row}: {row.do}" for row in cells if situation.labelled),
        ]
        if not situation.labelled:
            why.append("no labels: the rows for fine-tuning wait, strategies that need none apply")
        return Match(
            cells if situation.labelled and situation.network else (), cells, tuple(usable), waiting, tuple(why)
        )

    def labels_to_change(self, situation: Situation) -> tuple[tuple[int, str], ...]:
        """Numbers of labelled windows above the present one at which other rows apply, and which.

        >>> decision_table().labels_to_change(Situation(labelled=60, similarity=0.8))[0]
        (100, 'strategy 3 (batch-norm fine-tuning) applies')
        """
        found = [
            (row.labels, f"strategy {row.number} ({row.name}) applies")
            for row in self.strategies
            if row.labels > situation.labelled and row.sources <= situation.sources and situation.network
        ]
        likeness = self.similarity(situation.similarity)
        for row in self.fine_tuning:
            start = {"small": 1, "large": self.small_below}[row.target_size]
            if row.similarity == likeness and start > situation.labelled and situation.network:
                found.append((start, f"row {row.row} applies: {row.do}"))
        return tuple(sorted(found))


def _waits_for(row: StrategyRow, situation: Situation) -> str:
    """Why a strategy cannot be used yet; empty where it can."""
    if row.entry != "normalisation" and not situation.network:
        return "needs a detector with a network, for example cnn"
    if row.sources > situation.sources:
        return f"needs {row.sources} source domains, there is {situation.sources}"
    if row.labels > situation.labelled:
        return f"wants {row.labels} labelled windows of the target, there are {situation.labelled}"
    if row.anomalous and situation.healthy_only:
        return "wants anomalous windows of the target among the labelled ones, there are none"
    return ""


@cache
def decision_table() -> DecisionTable:
    """The table of this release.

    >>> [row.row for row in decision_table().fine_tuning], [row.number for row in decision_table().strategies]
    (['A', 'B', 'C', 'D'], [1, 2, 3, 4, 5, 6])
    """
    text = (importlib.resources.files(__package__) / "decision_table.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return DecisionTable(
        found["small_below"],
        found["large_above"],
        found["similar_from"],
        tuple(FineTuningRow(**{**row, "entries": tuple(row["entries"])}) for row in found["fine_tuning"]),
        tuple(StrategyRow(**row) for row in found["strategies"]),
        tuple(Stage(**{**stage, "strategies": tuple(stage["strategies"])}) for stage in found["stages"]),
    )
