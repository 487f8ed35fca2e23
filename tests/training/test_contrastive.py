"""The contrastive loss is the published one, sees directions and classes only, and pulls classes together."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from jointwatch.core.errors import UsageError
from jointwatch.training.contrastive import ProjectionHead, supervised_contrastive


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(rows: Tensor, label: Tensor, temperature: float) -> float:
    """Row by row, as the article writes it."""
    rows, losses = rows / rows.norm(dim=1, keepdim=True), []
    numbers = [i for i in range(len(rows)) if label[i] >= 0]
    for i in numbers:
        others = [a for a in numbers if a != i]
        positives = [p for p in others if label[p] == label[i]]
        if positives:
            total = sum(math.exp(float(rows[i] @ rows[a]) / temperature) for a in others)
            terms = [-math.log(math.exp(float(rows[i] @ rows[p]) / temperature) / total) for p in positives]
            losses.append(sum(terms) / len(terms))
    return sum(losses) / len(losses)


def test_a_case_worked_by_hand() -> None:
    """Two rows of one class at a right angle, the third opposite to the first: -log(1 / (1 + 1/e)) for the first,
    -log(1 / 2) for the second, whose neighbours are equally far; the third is alone and only compared with."""
    rows = torch.tensor([[5.0, 0.0], [0.0, 0.1], [-2.0, 0.0]])
    expected = (math.log(1 + math.exp(-1)) + math.log(2)) / 2
    assert float(supervised_contrastive(rows, torch.tensor([0, 0, 1]), 1.0)) == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
def test_it_is_the_published_formula(temperature: float) -> None:
    rows, label = normal(15, 4), torch.arange(15) % 4 - 1
    label[3] = 9  # alone in its class
    loss = supervised_contrastive(rows, label, temperature)
    assert float(loss) == pytest.approx(by_hand(rows, label, temperature))


def test_order_length_and_names_of_classes_do_not_matter() -> None:
    rows, label = normal(20, 5), torch.arange(20) % 3
    loss = supervised_contrastive(rows, label)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(supervised_contrastive(rows[order], label[order]), loss)
    torch.testing.assert_close(supervised_contrastive(rows * (1 + torch.arange(20))[:, None], label), loss)
    torch.testing.assert_close(supervised_contrastive(rows, 7 - label), loss)


def test_rows_without_a_label_have_no_part() -> None:
    rows, label = normal(12, 3).requires_grad_(), torch.arange(12) % 3 - 1
    loss = supervised_contrastive(rows, label)
    torch.testing.assert_close(supervised_contrastive(rows[label >= 0], label[label >= 0]), loss)
    (gradient,) = torch.autograd.grad(loss, rows)
    assert not gradient[label < 0].any()
    assert gradient[label >= 0].any(dim=1).all()


@pytest.mark.parametrize("label", [[-1, -1, -1], [0, 1, 2], [-1, 0, 1]])
def test_without_a_pair_it_is_nothing_to_learn_from(label: list[int]) -> None:
    rows = normal(3, 2).requires_grad_()
    loss = supervised_contrastive(rows, torch.tensor(label))
    assert loss == 0
    (gradient,) = torch.autograd.grad(loss, rows)
    assert not gradient.any()
    assert supervised_contrastive(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)) == 0


def test_it_falls_as_classes_separate_and_its_gradient_separates_them() -> None:
    label = torch.arange(40) % 4
    centres = torch.eye(4, dtype=torch.float64)[label]
    losses = [float(supervised_contrastive(normal(40, 4) + apart * centres, label)) for apart in (0, 1, 2, 4, 50)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(math.log(9), abs=0.1)  # nine rows of its class, equally near
    rows = normal(40, 4).requires_grad_()
    for _ in range(200):
        (gradient,) = torch.autograd.grad(supervised_contrastive(rows, label, 0.5), rows)
        rows = (rows - 5.0 * gradient).detach().requires_grad_()
    nearest = torch.cosine_similarity(rows[:, None], rows, dim=2).fill_diagonal_(-1).argmax(dim=1)
    assert (label[nearest] == label).all()
    small = normal(8, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: supervised_contrastive(values, label[:8], 0.5), small)


def test_in_float32_within_bfloat16_autocast() -> None:
    rows, label = normal(30, 16).float(), torch.arange(30) % 3
    plain = supervised_contrastive(rows, label)
    with torch.autocast("cpu", torch.bfloat16):
        inside = supervised_contrastive(rows, label)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, plain)
    assert supervised_contrastive(rows.bfloat16(), label).dtype == torch.float32
    assert torch.isfinite(supervised_contrastive(torch.zeros(6, 4), label[:6], 1e-3))  # rows of length 0


def test_projection_head() -> None:
    head = ProjectionHead(6, outputs=3, hidden=4)
    assert [tuple(parameter.shape) for parameter in head.parameters()] == [(4, 6), (4,), (3, 4), (3,)]
    rows = normal(5, 6).float()
    first, _, second = head.layers
    torch.testing.assert_close(head(rows), second(torch.relu(first(rows))))
    assert ProjectionHead(6).layers[0].out_features == 6


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_refusals(temperature: float) -> None:
    with pytest.raises(UsageError, match="temperature"):
        supervised_contrastive(normal(4, 2), torch.tensor([0, 0, 1, 1]), temperature)
    with pytest.raises(UsageError, match="widths"):
        ProjectionHead(0)
