"""What is carried is trained as its recipe says: decay, patience, and classes that count alike or not."""

from __future__ import annotations

from typing import Any

import pytest

from jointwatch.studies import _axis_carry
from jointwatch.studies._axes import AxisOptions, Fleet, fitted
from jointwatch.studies._axis_carry import FAMILY, as_in, carried, family
from jointwatch.training.recipes import recipe
from jointwatch.transfer._fine_tuning import FineTuning
from jointwatch.transfer.head_only import HeadOnly


@pytest.mark.parametrize("name", ["paper", "modern"])
def test_the_recipe_goes_on_after_transfer(name: str) -> None:
    training, strategy = recipe(name), as_in(recipe(name))
    for figure in ("epochs", "learning_rate", "weight_decay", "patience", "schedule", "warm_up"):
        assert getattr(strategy, figure) == getattr(training.options, figure)
    assert strategy.batch_size == training.batch_size


@pytest.mark.parametrize(("name", "weights"), [("paper", None), ("paper-balanced", "balanced")])
def test_balanced_weights_go_on_after_transfer(
    name: str, weights: str | None, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = AxisOptions(**small | {"epochs": 1})
    fleet, training = Fleet(options.data, options), options.recipe(name)
    view = fitted(fleet.halves(6, "unit", 0).train, training, 0)
    target = fleet.halves(4, "unit", 0)
    seen: list[Any] = []
    for kind, method in ((HeadOnly, "tune_many"), (FineTuning, "tune")):
        monkeypatch.setattr(kind, method, _watched(getattr(kind, method), seen))
    monkeypatch.setattr(_axis_carry, "FAMILY", FAMILY[:2])
    carried(view, target, [1.0], training, 0)
    family(view, target, 1.0, training, 0)
    assert seen == [weights] * 3


def _watched(usual: Any, seen: list[Any]) -> Any:
    def watch(*given: Any, **more: Any) -> Any:
        seen.append(more["class_weights"])
        return usual(*given, **more)

    return watch
