"""The templates of all pages, and what they may call."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from jointwatch.reports import console, issues, words
from jointwatch.reports.judgement import State

__all__ = ["environment"]


@cache
def environment() -> Environment:
    """Text is escaped, and a name that is not there is an error."""
    made = Environment(
        loader=PackageLoader("jointwatch.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"words": words, "State": State, "console": console, "issues": issues}
    return made
