"""A progress bar for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from jointwatch.training.session import Progress

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(title: str = "training", console: Console | None = None) -> Iterator[Callable[[Progress], None]]:
    """A bar on the console for `Session(progress=...)`; one training after the other may use it.

    >>> with progress_bar(console=Console(quiet=True)) as report:
    ...     report(Progress(epoch=0, epochs=2, step=3, steps=4))
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task(title, note="")

        def report(at: Progress) -> None:
            note = f"epoch {min(at.epoch + 1, at.epochs)}/{at.epochs}"
            if at.train_loss is not None:
                note += f" loss {at.train_loss:.4f}"
            if at.validation_loss is not None:
                note += f" validation {at.validation_loss:.4f}"
            bars.update(task, completed=at.epoch * at.steps + at.step, total=at.epochs * at.steps, note=note)

        yield report
