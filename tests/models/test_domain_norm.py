"""Batch norms by domain: each domain its own, everything else shared; one domain is the plain network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jointwatch.core.errors import UsageError
from jointwatch.models._domain_norm import add_average, by_domain, norms_of, of_domain, select
from jointwatch.models.ad_cnn import AdCnn
from jointwatch.models.base import Network, batch_norms
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.models.lstm import Lstm
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.loop import fit
from jointwatch.training.objectives import Supervised
from jointwatch.training.options import Options
from jointwatch.training.seed import seeded


@pytest.fixture(params=["cnn1d", "ad_cnn"])
def network(request: pytest.FixtureRequest) -> Network:
    with seeded(0):
        if request.param == "cnn1d":
            return Cnn1d(3, filters=(4, 6, 8), dropout=0.3)
        return AdCnn(3, length=8, filters=4, hidden=6, batch_norm=True)


def rows(seed: int = 0, count: int = 40) -> Batch:
    label = np.arange(count) % 2
    values = (1 + seed) * np.random.default_rng(seed).standard_normal((count, 3, 8)) + label[:, None, None] + seed
    return Batch.of_arrays(values, label=label)


def same(one: Network, other: Network) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def trained(network: Network, data: Batch) -> Network:
    fit(
        network,
        Shuffled(data, 16, minimum_steps=8),
        Supervised(),
        Options(epochs=3, learning_rate=0.01, bfloat16=False),
    )
    return network


def test_with_one_domain_it_is_the_plain_network(network: Network) -> None:
    """Outputs and training, bit for bit."""
    opened, data = by_domain(network, 1), rows()
    assert torch.equal(opened.eval()(data.values), network.eval()(data.values))
    assert same(of_domain(opened, 0), network)
    assert same(of_domain(trained(opened, data), 0), trained(network, data))
    assert type(of_domain(opened, 0)) is type(network)
    assert of_domain(opened, 0).config() == network.config()


def test_domains_have_norms_of_their_own_and_share_the_rest(network: Network) -> None:
    opened, plain = by_domain(network, 2), network
    select(opened, 1)
    trained(opened, rows(1))
    first, second = of_domain(opened, 0), of_domain(opened, 1)
    own = {name for name, value in first.state_dict().items() if not torch.equal(value, second.state_dict()[name])}
    norms = {name for name, module in plain.named_modules() if module in batch_norms(plain)}
    assert {name.rpartition(".")[0] for name in own} == norms
    for name, value in plain.state_dict().items():
        if name.rpartition(".")[0] in norms:  # of domain 0, which saw nothing
            assert torch.equal(value, first.state_dict()[name])
    assert not same(first, plain)
    assert len(norms_of(opened, 1)) == 2 * len(norms)
    assert not set(norms_of(opened, 0)) & set(norms_of(opened, 1))
    select(opened, 0)
    data = rows(2)
    assert torch.equal(opened.eval()(data.values), first.eval()(data.values))


def test_a_new_domain_is_exactly_the_average(network: Network) -> None:
    opened = by_domain(network, 3)
    for number in range(3):
        select(opened, number)
        trained(opened, rows(number))
    before = [of_domain(opened, number) for number in range(3)]
    add_average(opened)
    assert all(same(of_domain(opened, number), each) for number, each in enumerate(before))
    new = of_domain(opened, 3)
    for norms in zip(batch_norms(new), *map(batch_norms, before), strict=True):
        for name in ("weight", "bias", "running_mean", "running_var"):
            found, *others = (getattr(norm, name) for norm in norms)
            assert torch.equal(found, torch.stack(others).mean(dim=0))
            assert not torch.equal(found, others[0])
        assert norms[0].num_batches_tracked == 0


def test_the_original_stays(network: Network) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    opened = by_domain(network, 2)
    found = of_domain(opened, 0)
    for each in (opened, found):
        trained(each, rows())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_without_batch_norms_has_nothing_of_its_own() -> None:
    network = Lstm(3, hidden=4, layers=1)
    opened = by_domain(network, 2)
    add_average(opened)
    select(opened, 2)
    assert norms_of(opened, 1) == {}
    assert same(of_domain(opened, 1), network)


def test_refusals(network: Network) -> None:
    with pytest.raises(UsageError, match="need a domain"):
        by_domain(network, 0)
    opened = by_domain(network, 2)
    for call in (select, of_domain, norms_of):
        with pytest.raises(UsageError, match="domains 0 to 1, got 2"):
            call(opened, 2)
