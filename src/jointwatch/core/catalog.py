"""What exists at each stage, read from the file names: adding a file is all it takes.

A stage is a package of `jointwatch` (`recordings`, `detectors`, `simulation/faults` ...). Every module in it is one
entry, named by its stem, except `base` and names that start with an underscore. The module's `__all__` holds
exactly one name: the entry.
"""

from __future__ import annotations

import ast
import importlib
import importlib.resources
from typing import Any

from jointwatch.core.errors import UsageError, missing_extra

__all__ = ["STAGES", "describe", "load", "names"]

_FOLDERS = {
    "recordings": "recordings",
    "tasks": "simulation.tasks",
    "faults": "simulation.faults",
    "features": "features",
    "models": "models",
    "transfer": "transfer",
    "detectors": "detectors",
    "alarms": "alarms",
    "diagnosis": "diagnosis",
    "studies": "studies",
}
STAGES = tuple(_FOLDERS)


def names(stage: str) -> tuple[str, ...]:
    """Names of a stage's entries in alphabetical order, without importing them.

    >>> "detectors" in STAGES, "parquet" in names("recordings")
    (True, True)
    """
    return tuple(sorted(_files(stage)))


def describe(stage: str) -> dict[str, str]:
    """Name -> first line of the entry's docstring, without importing anything heavy."""
    lines = {}
    for name, file in sorted(_files(stage).items()):
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        lines[name] = text.splitlines()[0] if text else ""
    return lines


def load(stage: str, name: str) -> Any:
    """The class or function that the file `name` of a stage holds.

    Errors: `UsageError` for an unknown stage or name, `MissingExtra` if it needs an extra that is not installed.

    >>> load("recordings", "parquet").__name__
    'Parquet'
    """
    if name not in _files(stage):
        raise UsageError(f"no {stage} entry {name!r}; there are {', '.join(names(stage))}")
    try:
        module = importlib.import_module(f"jointwatch.{_FOLDERS[stage]}.{name}")
    except ModuleNotFoundError as error:
        if missing := missing_extra(error):
            raise missing from error
        raise
    if len(module.__all__) != 1:
        raise UsageError(
            f"jointwatch.{_FOLDERS[stage]}.{name} must name one entry in __all__, it names {module.__all__}"
        )
    return getattr(module, module.__all__[0])


def _files(stage: str) -> dict[str, Any]:
    if stage not in STAGES:
        raise UsageError(f"no stage {stage!r}; there are {', '.join(STAGES)}")
    folder = importlib.resources.files(f"jointwatch.{_FOLDERS[stage]}")
    return {
        file.name[:-3]: file
        for file in folder.iterdir()
        if file.name.endswith(".py") and file.name != "base.py" and not file.name.startswith("_")
    }
