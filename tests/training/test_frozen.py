"""A head learns the same from stored features as through the frozen network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.frozen import OnFeatures, embed_all, features_of
from jointwatch.training.loop import fit
from jointwatch.training.objectives import HeldOut, Supervised
from jointwatch.training.options import Options

Data = Callable[..., Batch]
Make = Callable[..., Cnn1d]


def used(tiny: Make, two_classes: Data) -> Cnn1d:
    """A network whose running statistics are not those of a new one."""
    network = tiny()
    fit(network, Shuffled(two_classes(seed=7), 12), Supervised(), Options(epochs=2, learning_rate=0.01))
    return network


def test_features_are_what_the_encoder_gives(tiny: Make, two_classes: Data) -> None:
    network, data = used(tiny, two_classes), two_classes(23)
    before = copy.deepcopy(network.state_dict())
    network.train()
    found = embed_all(network, data, batch_size=5)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    torch.testing.assert_close(found, network.eval().embed(data.values).detach(), rtol=1e-5, atol=1e-6)
    assert not found.is_inference()
    data.mask[:, 2] = False
    masked = features_of(network, data)
    assert masked.values.shape == (23, 8, 1)
    assert not torch.allclose(masked.values[:, :, 0], found)
    assert torch.equal(masked.label, data.label)


@pytest.mark.parametrize("validated", [False, True])
def test_training_on_features_is_training_through_the_frozen_network(
    validated: bool, tiny: Make, two_classes: Data
) -> None:
    through = used(tiny, two_classes)
    stored = copy.deepcopy(through)
    data, held_out = two_classes(50, seed=1), two_classes(20, seed=2)
    options = Options(epochs=6, learning_rate=0.03, weight_decay=0.01, seed=5, bfloat16=False)
    options = replace(options, schedule="cosine", warm_up=0.2)
    objective = Supervised((0.5, 1.5))
    whole = fit(
        through,
        Shuffled(data, 12, seed=3),
        objective,
        options,
        trained=through.part("head"),
        validate=HeldOut(objective, held_out) if validated else None,
    )
    features, held_features = features_of(stored, data), features_of(stored, held_out)
    history = fit(
        OnFeatures(stored.head),
        Shuffled(features, 12, seed=3),
        objective,
        options,
        validate=HeldOut(objective, held_features) if validated else None,
    )
    start = used(tiny, two_classes).state_dict()
    for name, value in stored.state_dict().items():
        torch.testing.assert_close(value, through.state_dict()[name], rtol=1e-4, atol=1e-5)
        assert torch.equal(value, start[name]) is not name.startswith("head")
    assert history.train_loss == pytest.approx(whole.train_loss, rel=1e-4)  # dropout drew the same, too
    assert history.best_epoch == whole.best_epoch
    assert np.isfinite(history.train_loss).all()
