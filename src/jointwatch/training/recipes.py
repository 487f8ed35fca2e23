"""How the networks of reducer faults are trained: as published, and as we would."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from jointwatch.core.errors import UsageError
from jointwatch.training.options import Options

__all__ = ["RECIPES", "Recipe", "recipe"]


@dataclass(frozen=True)
class Recipe:
    """A training by name.

    Parameters
    ----------
    options : of the loop.
    batch_size : maps a step.
    balanced : whether classes count alike in the loss.
    validation_share : share of the units held out to choose the epoch and to calibrate; 0 = none.
    network : what it asks of networks that know these arguments, such as `batch_norm`.
    """

    options: Options
    batch_size: int
    balanced: bool = False
    validation_share: float = 0.0
    network: dict[str, Any] = field(default_factory=dict)

    def lasting(self, epochs: int) -> Recipe:
        """The same for so many epochs."""
        return replace(self, options=replace(self.options, epochs=epochs))


# The published text mentions no normalisation between layers; Adam at 0.01 without it ends with one class for all in
# some runs.
_PAPER = Recipe(Options(epochs=150, learning_rate=0.01), batch_size=256, network={"batch_norm": True})

RECIPES = {
    "paper": _PAPER,
    "paper-plain": replace(_PAPER, network={"batch_norm": False}),
    "paper-balanced": replace(_PAPER, balanced=True),
    "modern": Recipe(
        Options(epochs=60, learning_rate=3e-3, weight_decay=1e-2, patience=15, schedule="cosine", warm_up=0.1),
        batch_size=128,
        balanced=True,
        validation_share=0.2,
        network={"batch_norm": True, "dropout": 0.3},
    ),
}
"""`paper`: Adam 0.01, batches of 256, 150 epochs, batch norm; `paper-plain`: the same without batch norm;
`paper-balanced`: with it, classes alike. `modern`: rising then falling rate, decay, early stopping on held-out units,
classes alike, dropout."""


def recipe(name: str | Recipe) -> Recipe:
    """The recipe of that name; a recipe is given back as it is.

    Errors: `UsageError` for another name.

    >>> recipe("paper").options.epochs, recipe("paper").batch_size
    (150, 256)
    """
    if isinstance(name, Recipe):
        return name
    if name not in RECIPES:
        raise UsageError(f"recipes are {', '.join(RECIPES)}, got {name!r}")
    return RECIPES[name]
