"""Write docs/cards/robots.md from the robot files: what each number rests on.

Run it after a change to a robot: python tools/robot_cards.py
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jointwatch.simulation.robot import EVIDENCE, RobotModel, load_robot, robots

__all__ = ["PAGE", "main", "page"]

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cards" / "robots.md"

_HEAD = """# Robots of the simulator

One YAML file a model in `src/jointwatch/simulation/robots`; this page is written from them by `tools/robot_cards.py`.
Every number carries its evidence:

"""
_RULE = """
A key whose numbers rest on different evidence carries the weakest of them, and its source says which are stronger.
"Published" and "measured" name their source; the files give one for every key.

"""
_SIGNALS = "telemetry.signals."


def page() -> str:
    """The whole page as Markdown."""
    models = {name: load_robot(name) for name in robots()}
    lines = [f"- **{tag}**: {meaning}" for tag, meaning in EVIDENCE.items()]
    columns = ("robot", "joints", "moved mass, kg", "ratio", "rate, Hz", "signals", *EVIDENCE)
    table = [_row(columns), _row("---" for _ in columns)]
    table += [_row((f"[{name}](#{name})", *_summary(model), *_counts(model))) for name, model in models.items()]
    cards = [_card(name, model) for name, model in models.items()]
    return _HEAD + "\n".join(lines) + "\n" + _RULE + "\n".join(table) + "\n\n" + "\n".join(cards)


def _card(name: str, model: RobotModel) -> str:
    lines = [
        f"## {name}",
        "",
        f"{model.brand} {model.model}, {model.n_joints} joint{'s' if model.n_joints > 1 else ''}.",
        "",
    ]
    lines += [_row(("evidence", "numbers")), _row(("---", "---"))]
    lines += [_row((tag, _keys(model, tag))) for tag in EVIDENCE if _keys(model, tag)]
    lines += ["", "Sources:", ""]
    lines += [f"- `{key}`: {text}" for key, text in model.sources.items()]
    if model.remarks:
        lines += ["", *(f"- {remark}" for remark in model.remarks)]
    return "\n".join(lines) + "\n"


def _summary(model: RobotModel) -> tuple[str, ...]:
    ratios = dict.fromkeys(f"{ratio:.4g}" for ratio in model.number("drive.ratio"))
    return (
        str(model.n_joints),
        f"{model.number('inertials.mass_kg').sum():.1f}",
        ", ".join(ratios),
        f"{model.number('telemetry.rate_hz'):g}",
        ", ".join(f"`{kind}`" for kind in model.telemetry.signals),
    )


def _counts(model: RobotModel) -> tuple[str, ...]:
    found = model.evidence().values()
    return tuple(str(sum(numbers.tag == tag for numbers in found)) for tag in EVIDENCE)


def _keys(model: RobotModel, tag: str) -> str:
    """Keys with this tag, by part of the file; `all` where a part has no other."""
    parts: dict[str, list[tuple[str, bool]]] = {}
    for key, found in model.evidence().items():
        if key.startswith(_SIGNALS):
            part, name = "signals", key.removeprefix(_SIGNALS)
        else:
            part, _, name = key.partition(".")
        parts.setdefault(part, []).append((name, found.tag == tag))
    said = []
    for part, names in parts.items():
        chosen = [name for name, has in names if has]
        if chosen:
            said.append(f"{part}: {'all' if len(chosen) == len(names) else ', '.join(chosen)}")
    return "; ".join(said)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
