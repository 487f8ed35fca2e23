"""What every network of the catalog promises."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
import torch
from torch.nn import functional

from jointwatch.core import catalog
from jointwatch.core.errors import UsageError
from jointwatch.models.base import PARTS, Network, batch_norms, set_memory_format
from jointwatch.training.seed import seeded

CHANNELS, LENGTH = 6, 40
NETWORKS = [
    name
    for name in catalog.names("models")
    if inspect.isclass(catalog.load("models", name)) and issubclass(catalog.load("models", name), Network)
]


def takes(name: str, parameter: str) -> bool:
    return parameter in inspect.signature(catalog.load("models", name)).parameters


def build(name: str, length: int = LENGTH, **options: Any) -> Network:
    """A network whose dense layers see the whole window has a `length` of its own."""
    if takes(name, "length"):
        options["length"] = length
    with seeded(0):
        return catalog.load("models", name)(channels=CHANNELS, **options)


@pytest.fixture(
    params=[(name, False) for name in NETWORKS] + [(name, True) for name in NETWORKS if takes(name, "batch_norm")],
    ids=lambda param: param[0] + (" with batch norm" if param[1] else ""),
)
def network(request: pytest.FixtureRequest) -> Network:
    name, batch_norm = request.param
    return build(name, batch_norm=True) if batch_norm else build(name)


@pytest.fixture(scope="module")
def values() -> torch.Tensor:
    return torch.randn(5, CHANNELS, LENGTH, generator=torch.Generator().manual_seed(0))


def test_there_are_networks() -> None:
    assert {"ad_cnn", "cnn", "cnn1d", "d_cnn", "fcn", "lstm"} <= set(NETWORKS)


def test_the_name_is_the_file(network: Network) -> None:
    assert network.name in NETWORKS


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("length", [1, 2, 7, 200])
@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_for_any_length(name: str, batch: int, length: int) -> None:
    network = build(name, length).eval()
    logits = network(torch.zeros(batch, CHANNELS, length))
    assert logits.shape == (batch, 2)
    assert logits.dtype == torch.float32
    embedded = network.embed(torch.zeros(batch, CHANNELS, length))
    assert embedded.shape[0] == batch
    assert embedded.ndim == 2
    assert embedded.dtype == torch.float32


@pytest.mark.parametrize("name", [name for name in NETWORKS if takes(name, "length")])
def test_another_length_is_refused_where_it_is_fixed(name: str) -> None:
    with pytest.raises(UsageError, match=f"length={LENGTH + 1}"):
        build(name)(torch.zeros(2, CHANNELS, LENGTH + 1))


@pytest.mark.parametrize("name", NETWORKS)
def test_several_classes(name: str) -> None:
    assert build(name, classes=13).eval()(torch.zeros(3, CHANNELS, LENGTH)).shape == (3, 13)


def test_gradient_reaches_every_parameter(network: Network, values: torch.Tensor) -> None:
    # In two steps: a factor that is learned from 0 (gamma of the attention) hides what is behind it in the first.
    reached = dict.fromkeys(dict(network.named_parameters()), 0.0)
    optimiser = torch.optim.SGD(network.train().parameters(), lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        functional.cross_entropy(network(values), torch.tensor([0, 1, 0, 1, 1])).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            reached[name] += float(parameter.grad.abs().sum())
        optimiser.step()
    assert [name for name, size in reached.items() if size == 0.0] == []


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


@pytest.mark.parametrize("name", [name for name in NETWORKS if takes(name, "batch_norm")])
def test_batch_norms_are_there_on_request(name: str) -> None:
    assert not batch_norms(build(name, batch_norm=False))
    assert batch_norms(build(name, batch_norm=True))
