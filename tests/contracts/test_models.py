"""What every network of the catalog promises."""

from __future__ import annotations

import inspect
import json

import pytest
import torch
from torch.nn import functional

from jointwatch.core import catalog
from jointwatch.core.errors import UsageError
from jointwatch.models.base import PARTS, Network, batch_norms, set_memory_format
from jointwatch.training.seed import seeded

CHANNELS = 6
NETWORKS = [
    name
    for name in catalog.names("models")
    if inspect.isclass(catalog.load("models", name)) and issubclass(catalog.load("models", name), Network)
]


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    with seeded(0):
        return catalog.load("models", request.param)(channels=CHANNELS)


@pytest.fixture(scope="module")
def values() -> torch.Tensor:
    return torch.randn(5, CHANNELS, 40, generator=torch.Generator().manual_seed(0))


def test_there_are_networks() -> None:
    assert "cnn1d" in NETWORKS


def test_the_name_is_the_file(network: Network) -> None:
    assert network.name in NETWORKS


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("length", [1, 2, 7, 200])
def test_shapes_for_any_length(network: Network, batch: int, length: int) -> None:
    network.eval()
    logits = network(torch.zeros(batch, CHANNELS, length))
    assert logits.shape == (batch, 2)
    assert logits.dtype == torch.float32
    embedded = network.embed(torch.zeros(batch, CHANNELS, length))
    assert embedded.shape[0] == batch
    assert embedded.ndim == 2


def test_gradient_reaches_every_parameter(network: Network, values: torch.Tensor) -> None:
    functional.cross_entropy(network.train()(values), torch.tensor([0, 1, 0, 1, 1])).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_rebuilt_from_json_and_weights(network: Network, values: torch.Tensor) -> None:
    again = type(network)(**json.loads(json.dumps(network.config())))
    again.load_state_dict(network.state_dict())
    assert torch.equal(again.eval()(values), network.eval()(values))


def test_rows_are_independent_in_evaluation(network: Network, values: torch.Tensor) -> None:
    network.eval()
    torch.testing.assert_close(network(values)[2:3], network(values[2:3]), rtol=1e-5, atol=1e-6)


def test_absent_channels_have_no_influence(network: Network, values: torch.Tensor) -> None:
    network.eval()
    mask = torch.ones(5, CHANNELS, dtype=torch.bool)
    torch.testing.assert_close(network(values, mask), network(values), rtol=1e-5, atol=1e-6)
    mask[:, 4:] = False
    changed = values.clone()
    changed[:, 4:] = 1e6
    assert torch.equal(network(values, mask), network(changed, mask))
    assert not torch.allclose(network(values, mask), network(values))


def test_both_memory_formats_give_the_same(network: Network, values: torch.Tensor) -> None:
    plain = network.eval()(values)
    set_memory_format(network, channels_last=True)
    torch.testing.assert_close(network(values), plain, rtol=1e-4, atol=1e-5)
    set_memory_format(network, channels_last=False)
    assert torch.equal(network(values), plain)


def test_logits_are_float32_under_autocast(network: Network, values: torch.Tensor) -> None:
    plain = network.eval()(values)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(values)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, plain, rtol=0.05, atol=0.05)


def test_parts(network: Network) -> None:
    everything, head, norms = (network.part(name) for name in PARTS)
    assert everything.keys() == dict(network.named_parameters()).keys()
    assert set(head) == {name for name in everything if name.startswith("head.")} != set()
    assert set(norms) - set(head) == {
        name for name, p in everything.items() for norm in batch_norms(network) for q in norm.parameters() if p is q
    }
    with pytest.raises(UsageError, match="head"):
        network.part("tail")
