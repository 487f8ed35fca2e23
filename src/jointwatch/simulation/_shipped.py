"""YAML files that come with the package, or a user's own in their place."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from jointwatch.core.errors import InputError, UsageError

__all__ = ["load", "names"]

Model = TypeVar("Model", bound=BaseModel)

_PACKAGE = "jointwatch.simulation"


def names(folder: str) -> tuple[str, ...]:
    """Names of the files of a folder, in alphabetical order."""
    files = (importlib.resources.files(_PACKAGE) / folder).iterdir()
    return tuple(sorted(file.name[:-5] for file in files if file.name.endswith(".yaml")))


def load(source: str, folder: str, kind: type[Model], *, entry: str, what: str, remedy: str) -> Model:
    """The file of that name in the folder, or at that path, as a validated model.

    Parameters
    ----------
    entry : what one of the folder is called. what : what such a file describes. remedy : where to see a right one.

    Errors: `UsageError` for an unknown name; `InputError` that names the file and the key that is wrong.
    """
    if source in names(folder):
        file = importlib.resources.files(_PACKAGE) / folder / f"{source}.yaml"
        text, where = file.read_text(encoding="utf-8"), f"{source}.yaml"
    elif source.endswith((".yaml", ".yml")):
        path = Path(source)
        if not path.is_file():
            raise InputError("not found", file=path, remedy=f"give the path of a {what} file or the name of a {entry}")
        text, where = path.read_text(encoding="utf-8"), source
    else:
        there = ", ".join(names(folder))
        raise UsageError(f"no {entry} {source!r}; there are {there}, or give the path of a YAML file")
    try:
        return kind(**yaml.safe_load(text))
    except (yaml.YAMLError, TypeError) as error:
        problem = str(error).splitlines()[0]
        raise InputError(f"is no {what} file ({problem})", file=where, remedy=remedy) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or what
        raise InputError(f"{key}: {first['msg']}", file=where, remedy="correct this key") from None
