"""Each step holds rows of every domain, each goes through its own order, and any step can be asked for."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.training.data import Batch
from jointwatch.training.domains import Domains


def part(rows: int, domain: int, labelled: bool = True) -> Batch:
    """Row i of domain d holds 100 d + i."""
    batch = Batch.of_arrays(100 * domain + np.arange(rows, dtype=float).reshape(-1, 1, 1), label=np.arange(rows) % 3)
    return (batch if labelled else batch.unlabelled()).of_domain(domain)


def seen(batches: Domains, epoch: int, domain: int) -> list[list[int]]:
    """Rows of a domain, step by step."""
    steps = [batches.batch(epoch, step) for step in range(len(batches))]
    return [(batch.values[batch.domain == domain].flatten().int() - 100 * domain).tolist() for batch in steps]


def test_every_step_holds_every_domain() -> None:
    batches = Domains([part(10, 0), part(25, 1), part(7, 2)], batch_size=4)
    assert len(batches) == 7
    for step in range(len(batches)):
        domain = batches.batch(0, step).domain.tolist()
        assert all(3 <= domain.count(number) <= 4 for number in (0, 1, 2))


def test_an_epoch_shows_the_largest_once_and_the_others_evenly() -> None:
    batches = Domains([part(10, 0), part(25, 1)], batch_size=4)
    assert sorted(row for step in seen(batches, 0, 1) for row in step) == list(range(25))
    counts = np.bincount([row for step in seen(batches, 0, 0) for row in step], minlength=10)
    assert counts.min() >= 2
    assert counts.max() <= 3


def test_orders_differ_between_domains_and_epochs() -> None:
    batches = Domains([part(40, 0), part(40, 1)], batch_size=8)
    assert seen(batches, 0, 0) != seen(batches, 0, 1)
    assert seen(batches, 0, 0) != seen(batches, 1, 0)


def test_a_step_is_a_function_of_its_number() -> None:
    parts = [part(10, 0), part(25, 1)]
    batches, again = Domains(parts, 4, seed=3), Domains(parts, 4, seed=3)
    late = batches.batch(5, 6)
    assert late.values.equal(again.batch(5, 6).values)
    assert batches.fingerprint() == again.fingerprint()
    others = [Domains(parts, 4, seed=4), Domains(parts, 5, seed=3), Domains(parts[::-1], 4, seed=3)]
    others.append(Domains([parts[0], part(25, 1, labelled=False)], 4, seed=3))
    assert len({batches.fingerprint(), *(other.fingerprint() for other in others)}) == 5


def test_labels_and_domains_travel_with_their_rows() -> None:
    batches = Domains([part(9, 0), part(9, 1, labelled=False), part(3, 1)], batch_size=3)
    for step in range(len(batches)):
        batch = batches.batch(0, step)
        assert batch.domain.tolist() == [0] * 3 + [1] * 6
        assert batch.label[:3].tolist() == (batch.values[:3].flatten().int() % 3).tolist()
        assert set(batch.label[3:6].tolist()) == {-1}
        assert (batch.label[6:] >= 0).all()


def test_few_rows_fill_the_least_number_of_steps() -> None:
    batches = Domains([part(3, 0), part(5, 1)], batch_size=4, minimum_steps=6)
    assert len(batches) == 6
    for domain, count in ((0, 3), (1, 5)):
        steps = seen(batches, 0, domain)
        assert all(steps)
        assert {row for step in steps for row in step} == set(range(count))


def test_domains_must_have_rows_and_one_layout() -> None:
    with pytest.raises(UsageError, match="every domain needs rows"):
        Domains([], 4)
    with pytest.raises(UsageError, match=r"\[3, 0\]"):
        Domains([part(3, 0), part(3, 1).take(np.zeros(0, np.int64))], 4)
    with pytest.raises(UsageError, match="same \\(channel, time\\)"):
        Domains([part(3, 0), Batch.of_arrays(np.zeros((3, 1, 2)))], 4)
