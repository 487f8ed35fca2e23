"""Run a study: one question, one command, its evidence in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_core import PydanticUndefined
from rich.table import Table

from jointwatch.cli._shared import command, console, progress, written
from jointwatch.core import catalog
from jointwatch.core.errors import UsageError

__all__ = ["SETTINGS", "study"]

# The options of a study are declared by the study itself, so this command takes any and checks them there.
SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@command
def study(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Which study; without one they are listed.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for the results; default out/NAME.")] = None,
) -> None:
    """Run a study: jointwatch study NAME --data DIR --out DIR --seeds N [--quick]; NAME --help shows its options."""
    stem = name.replace("-", "_")
    if not name or name.startswith("-"):
        table = Table(title="studies", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
        for entry, line in catalog.describe("studies").items():
            table.add_row(f"[bold]{entry.replace('_', '-')}[/]", line)
        console.print(table)
        return
    kind = catalog.load("studies", stem)
    if "--help" in ctx.args or "-h" in ctx.args:
        _help(name, kind)
        return
    try:
        options = kind.Options(**_parsed(ctx.args, kind.Options))
    except ValidationError as error:
        first = error.errors()[0]
        option = "".join(f"--{part}: " for part in first["loc"][:1]).replace("_", "-")  # none where options disagree
        raise UsageError(f"{option}{first['msg'].lower()}; see jointwatch study {name} --help") from None
    _run(kind(), options, out or Path("out") / name)


def _parsed(words: list[str], options: Any) -> dict[str, Any]:
    fields = options.model_fields
    values: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        text, equals, given = word.removeprefix("--").partition("=")
        field = text.replace("-", "_")
        if not word.startswith("--") or field not in fields:
            known = ", ".join(f"--{known.replace('_', '-')}" for known in fields)
            raise UsageError(f"{word!r} is not an option of this study; there are {known}, --out")
        if fields[field].annotation is bool:
            values[field] = given.lower() not in ("0", "false", "no") if given else True
        elif not equals and rest and not rest[0].startswith("--"):
            values[field] = rest.pop(0)
        elif given:
            values[field] = given
        else:
            raise UsageError(f"--{text} needs a value")
    return values


def _help(name: str, kind: Any) -> None:
    console.print(f"jointwatch study {name} [OPTIONS]\n", markup=False, highlight=False)
    console.print(catalog.describe("studies")[name.replace("-", "_")], "\n", markup=False, highlight=False)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
    for field, info in kind.Options.model_fields.items():
        needed = "required" if info.default is PydanticUndefined else f"default {info.default}"
        table.add_row(f"--{field.replace('_', '-')}", info.description or "", needed)
    table.add_row("--out", "Folder for the results.", f"default out/{name}")
    console.print(table)


def _run(study: Any, options: Any, out: Path) -> None:
    from jointwatch.reports.study import write_study

    with progress(study.name) as step:
        results = study.run(options, out, step)
    for path in write_study(results, out):
        written(path)
    for note in results.notes:
        console.print(f"- {note}", markup=False, highlight=False)
    console.print(f"{len(results.rows)} figures in {results.seconds:.0f} s")
