"""What is to be told of pre-trained weights: facts as JSON values, and the same as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jointwatch.training.corpus import Corpus, Part
from jointwatch.training.pretraining import Pretrained

__all__ = ["card", "facts"]

_COLUMNS = ("network", "zero", "interpolation", "mean")


def facts(
    found: Pretrained,
    corpus: Corpus,
    parts: Sequence[Part],
    held_out: Mapping[str, Mapping[str, float]],
    *,
    settings: Mapping[str, Any],
    seconds: float,
    device: str,
    threads: int,
) -> dict[str, Any]:
    """Data, settings, cost and losses of a pre-training as JSON values.

    Parameters
    ----------
    held_out : figures of the robots that were kept apart, by robot and cut.
    settings : the command's own, as they were given or by default.
    seconds : of training, over all interruptions.
    """
    history = found.history
    return {
        "settings": dict(settings),
        "data": [
            {
                "robot": part.robot,
                "cut": part.cut,
                "windows": len(part.windows),
                "hours": round(part.hours, 4),
                "units": len(set(part.windows.index.unit)),
                "channels": len(part.windows.channels),
                "joints": len({channel.joint for channel in part.windows.channels}),
            }
            for part in parts
        ],
        "held_out": list(corpus.hold_out),
        "recordings": corpus.recordings,
        "recordings_unused": corpus.unused,
        "windows_trained": found.trained,
        "windows_validated": found.validated,
        "seconds": round(seconds, 1),
        "device": device,
        "threads": threads,
        "bfloat16": history.bfloat16,
        "train_loss": [round(loss, 5) for loss in history.train_loss],
        "validation_loss": [round(loss, 5) for loss in history.validation_loss],
        "best_epoch": history.best_epoch,
        "figures": {name: _rounded(values) for name, values in found.figures.items()},
        "figures_held_out": {name: _rounded(values) for name, values in held_out.items()},
    }


def card(told: Mapping[str, Any]) -> str:
    """The page (Markdown) of the facts that stand beside the weights.

    >>> told = {
    ...     "config": {"width": 8}, "parameters": 10, "settings": {"seed": 0}, "data": [], "held_out": [],
    ...     "recordings": 1, "recordings_unused": 0, "windows_trained": 5, "windows_validated": 1, "seconds": 60.0,
    ...     "device": "cpu", "threads": 1, "bfloat16": False, "train_loss": [1.0, 0.5], "validation_loss": [],
    ...     "best_epoch": None, "figures": {}, "figures_held_out": {}, "sha256": "ab",
    ... }
    >>> print(card(told).splitlines()[0])
    # Pre-trained encoder of joint telemetry
    """
    apart = ", ".join(told["held_out"]) or "no robot"
    lines = [
        "# Pre-trained encoder of joint telemetry",
        "",
        f"A masked-patch transformer of {told['parameters']:,} parameters that was shown healthy windows of robot "
        "joints and learned to rebuild what was hidden of them. No label of a fault had a part in it. For robots that "
        "are not among the data it is a start, not a verdict.",
        "",
        f"- network: {_pairs(told['config'])}",
        f"- settings: {_pairs(told['settings'])}",
        f"- kept apart: {apart}",
        f"- recordings read: {told['recordings']}, of which {told['recordings_unused']} had nothing to learn from",
        f"- windows: {told['windows_trained']} trained on, {told['windows_validated']} of other sessions to choose the "
        "epoch",
        f"- cost: {told['seconds'] / 3600:.2f} h on {told['device']}, {told['threads']} threads, "
        f"{'bfloat16' if told['bfloat16'] else 'float32'}",
        f"- SHA-256 of the weights: `{told['sha256']}`",
        "",
        "## Data",
        "",
        "One signal may be seen in several cuts; hours count each.",
        "",
        "| robot | cut | units | joints | channels | windows | hours |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {row['robot']} | {row['cut']} | {row['units']} | {row['joints']} | {row['channels']} | "
            f"{row['windows']} | {row['hours']:.3f} |"
            for row in told["data"]
        ),
        "",
        "## Loss",
        "",
        "Mean squared error of what was hidden, in standard deviations of the channel squared.",
        "",
        "| epoch | training | validation |",
        "|---|---|---|",
        *_losses(told),
        "",
        "## Rebuilding against guessing",
        "",
        "The same masks for all: the network; the channel's mean (zero); a line between the visible neighbours "
        "(interpolation); the mean course of the same robot's windows (mean), which knows the task.",
        "",
        *_table("sessions that were not trained on", told["figures"]),
        *_table("robots that were kept apart", told["figures_held_out"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _losses(told: Mapping[str, Any]) -> list[str]:
    count = len(told["train_loss"])
    shown = sorted({0, count - 1, *range(0, count, max(1, count // 12)), told["best_epoch"] or 0} - {-1})
    rows = []
    for epoch in shown:
        validation = f"{told['validation_loss'][epoch]:.4f}" if epoch < len(told["validation_loss"]) else ""
        kept = " (kept)" if epoch == told["best_epoch"] else ""
        rows.append(f"| {epoch + 1} | {told['train_loss'][epoch]:.4f} | {validation}{kept} |")
    return rows


def _table(what: str, figures: Mapping[str, Mapping[str, float]]) -> list[str]:
    if not figures:
        return []
    head = [f"| {what} | windows | {' | '.join(_COLUMNS)} |", "|---" * (2 + len(_COLUMNS)) + "|"]
    rows = [
        f"| {name} | {values['windows']:.0f} | " + " | ".join(f"{values[column]:.3f}" for column in _COLUMNS) + " |"
        for name, values in figures.items()
    ]
    return [*head, *rows, ""]


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 5) for name, value in values.items()}


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value not in (None, ""))
