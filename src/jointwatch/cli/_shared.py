"""What every command shares: the console, errors as one clear line with an exit code, reading with progress."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from jointwatch.core import Recording
from jointwatch.core.errors import (
    InputError,
    JointwatchError,
    MissingExtra,
    ModelFileError,
    NotEnoughData,
    UsageError,
    missing_extra,
)

if TYPE_CHECKING:
    from jointwatch.diagnosis.anomaly import AnomalyDetector

__all__ = [
    "EXIT_CODES",
    "command",
    "console",
    "errors",
    "load_detector",
    "load_model",
    "progress",
    "read",
    "writable_folder",
    "written",
]

console = Console()
errors = Console(stderr=True)

EXIT_CODES: dict[type[JointwatchError], int] = {
    UsageError: 2,
    InputError: 3,
    NotEnoughData: 4,
    MissingExtra: 5,
    ModelFileError: 6,
}


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command whose jointwatch errors end in one line on standard error and the exit code of their base."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except JointwatchError as error:
            raise _said(error) from None
        except ModuleNotFoundError as error:
            if (missing := missing_extra(error)) is None:
                raise
            raise _said(missing) from None
        except OSError as error:
            errors.print("[bold red]Error:[/]", end=" ")
            errors.print(
                f"{error.filename}: {error.strerror}. Remedy: give another path.", markup=False, soft_wrap=True
            )
            raise typer.Exit(EXIT_CODES[InputError]) from None
        except KeyboardInterrupt:
            errors.print("[yellow]Stopped.[/] Finished steps are kept where the command can be resumed.")
            raise typer.Exit(130) from None

    return run


def _said(error: JointwatchError) -> typer.Exit:
    """The error's line on standard error, and the exit with its code."""
    errors.print("[bold red]Error:[/]", end=" ")
    errors.print(str(error), markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(next(code for base, code in EXIT_CODES.items() if isinstance(error, base)))


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar driven by calls (done, total, text)."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(what, total=None)

        def step(done: int, total: int, text: str = "") -> None:
            bar.update(task, completed=done, total=total, description=f"{what} {text}".rstrip())

        yield step


def read(path: Path, columns: Path | None = None) -> list[Recording]:
    """All recordings at a path; what was ignored or failed is shown, and a path without any is an error."""
    from jointwatch import recordings

    with progress("reading") as step:
        reading = recordings.read(path, columns=columns, progress=step)
        found = list(reading)
    for line in reading.summary():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return found


def load_model(
    path: Path,
    public_key: Path | None = None,
    recalibration: Path | None = None,
    recalibration_key: Path | None = None,
) -> tuple[Any, dict[str, str | int]]:
    """The stored model of a folder or a bundle: an anomaly detector, a classifier or a grader; and what results name as
    its origin, which is empty for a folder."""
    from jointwatch.alarms.monitor import Monitor
    from jointwatch.bundle import load, open_bundle, recalibrated
    from jointwatch.bundle.signature import load_public_key
    from jointwatch.diagnosis.anomaly import AnomalyDetector

    if path.is_dir() or not path.exists():
        if path.is_dir() and (public_key or recalibration):
            raise UsageError(f"{path} is no bundle: signatures and recalibrations belong to .jointwatch files")
        found, origin = load(path), {}
    else:
        bundle = open_bundle(path, public_key=load_public_key(public_key) if public_key else None)
        if recalibration:
            key = load_public_key(recalibration_key) if recalibration_key else None
            bundle = recalibrated(bundle, recalibration, public_key=key)
        found, origin = bundle.model, bundle.origin
    return AnomalyDetector.around(found) if isinstance(found, Monitor) else found, origin


def load_detector(folder: Path) -> AnomalyDetector:
    """The stored detector, or a monitor behind that front door; any other stored model is refused."""
    from jointwatch.diagnosis.anomaly import AnomalyDetector

    found, _ = load_model(folder)
    if not isinstance(found, AnomalyDetector):
        raise ModelFileError(
            f"{folder} holds a {type(found).__name__}, not an anomaly detector as `jointwatch fit` writes it"
        )
    return found


def writable_folder(folder: Path) -> Path:
    """The folder, made if absent: better to fail before the work than after it."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def written(path: Path) -> None:
    """Says where a result lies."""
    console.print(f"written: {path}", markup=False, highlight=False, soft_wrap=True)
