"""Names of strategies that a study's `--strategies` asks for."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from jointwatch.core import catalog
from jointwatch.core.errors import UsageError
from jointwatch.transfer._adaptation import Adaptation

__all__ = ["adaptations", "names_asked"]


def adaptations() -> list[str]:
    """Strategies of the catalog that need no label of the target.

    >>> {"dann", "deep_coral"} <= set(adaptations()), "full" in adaptations()
    (True, False)
    """
    kinds = {name: catalog.load("transfer", name) for name in catalog.names("transfer")}
    return [name for name, kind in kinds.items() if inspect.isclass(kind) and issubclass(kind, Adaptation)]


def names_asked(asked: str, there: Sequence[str], hint: str = "") -> list[str]:
    """Those of the comma-separated names, each once, with dashes or underscores; all that are there without any; of
    the word `none` no name.

    Errors: `UsageError` for a name that is not there; it ends in `hint`.

    >>> names_asked("deep-coral, dann, dann", ["dann", "deep_coral"]), names_asked("", ["dann"])
    (['deep_coral', 'dann'], ['dann'])
    >>> names_asked("none", ["dann"])
    []
    """
    if asked.strip() == "none":
        return []
    wanted = [part.strip().replace("-", "_") for part in asked.split(",") if part.strip()]
    if unknown := [name for name in wanted if name not in there]:
        raise UsageError(f"--strategies: {', '.join(unknown)} not among {', '.join(there)}{hint}")
    return list(dict.fromkeys(wanted)) or list(there)
