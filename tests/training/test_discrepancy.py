"""Discrepancies are the published formulas: 0 for equal samples, growing with what they measure, blind to the rest."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from jointwatch.core.errors import UsageError
from jointwatch.training.discrepancy import (
    SCALES,
    coral,
    joint_cost,
    local_mmd,
    mmd,
    moment_distance,
    squared_distances,
    transport_cost,
    transport_plan,
)

few = settings(max_examples=40, deadline=None)
samples = st.tuples(st.integers(2, 40), st.integers(2, 40), st.integers(1, 20), st.integers(0, 2**31))


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def drawn(sizes: tuple[int, int, int, int], dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Two samples whose offsets and scales differ."""
    rows_a, rows_b, width, seed = sizes
    a, b = normal(rows_a, width, seed=seed, dtype=dtype), normal(rows_b, width, seed=seed + 1, dtype=dtype)
    return a, (1 + seed % 3) * b + seed % 7 - 3


def plain_mmd(a: Tensor, b: Tensor, *, unbiased: bool, weights: tuple[np.ndarray, np.ndarray] | None = None) -> float:
    """By loops, from the definition."""
    both = torch.cat([a, b]).numpy()
    square = ((both[:, None] - both) ** 2).sum(axis=2)
    width = square[~np.eye(len(both), dtype=bool)].mean()
    kernel = np.mean([np.exp(-square / (scale * width)) for scale in SCALES], axis=0)
    n, m = len(a), len(b)
    aa, bb, ab = kernel[:n, :n], kernel[n:, n:], kernel[:n, n:]
    if weights is not None:
        return float(weights[0] @ aa @ weights[0] + weights[1] @ bb @ weights[1] - 2 * weights[0] @ ab @ weights[1])
    if unbiased:
        return float((aa.sum() - n) / (n * (n - 1)) + (bb.sum() - m) / (m * (m - 1)) - 2 * ab.mean())
    return float(aa.mean() + bb.mean() - 2 * ab.mean())


class TestMmd:
    @few
    @given(samples)
    def test_it_is_the_definition(self, sizes: tuple[int, int, int, int]) -> None:
        a, b = drawn(sizes)
        for unbiased in (False, True):
            expected = plain_mmd(a, b, unbiased=unbiased)
            assert float(mmd(a, b, unbiased=unbiased)) == pytest.approx(expected, abs=1e-9)

    @few
    @given(samples)
    def test_equal_samples_symmetry_and_bounds(self, sizes: tuple[int, int, int, int]) -> None:
        a, b = drawn(sizes, torch.float32)
        assert float(mmd(a, a.clone())) == 0
        assert float(mmd(a, a[torch.randperm(len(a))])) == pytest.approx(0, abs=1e-6)
        assert float(mmd(a, b)) == pytest.approx(float(mmd(b, a)), abs=1e-6)
        assert 0 <= float(mmd(a, b)) <= 2

    @few
    @given(samples)
    def test_the_unit_of_the_features_and_their_origin_do_not_count(self, sizes: tuple[int, int, int, int]) -> None:
        a, b = drawn(sizes)
        torch.testing.assert_close(mmd(a, b), mmd(30 * a - 5, 30 * b - 5), atol=1e-9, rtol=1e-7)

    @pytest.mark.parametrize("bandwidth", ["mean", "median", 4.0])
    def test_it_grows_with_the_shift(self, bandwidth: float) -> None:
        a, b = normal(200, 6), normal(200, 6, seed=1)
        values = [float(mmd(a, b + shift, bandwidth=bandwidth)) for shift in (0.0, 0.2, 0.5, 1.0, 2.0)]
        assert values == sorted(values)
        assert values[2] > 5 * values[0]

    def test_it_sees_what_means_do_not_show(self) -> None:
        a, b = normal(300, 3), normal(300, 3, seed=1)
        assert float(mmd(a, 3 * b)) > 20 * float(mmd(a, b))

    def test_bandwidths(self) -> None:
        one, other = torch.zeros(1, 1), torch.tensor([[3.0]])
        # two rows, k(0) = 1: 2 - 2 exp(-9 / h); the only distance there is, is its mean and median
        assert float(mmd(one, other, scales=(1.0,), bandwidth=18.0)) == pytest.approx(2 - 2 * np.exp(-0.5))
        for name in ("mean", "median"):
            assert float(mmd(one, other, scales=(2.0,), bandwidth=name)) == pytest.approx(2 - 2 * np.exp(-0.5))
        far = torch.cat([normal(20, 2), torch.full((1, 2), 100.0)])
        square = squared_distances(far, far)[torch.ones(21, 21).triu(diagonal=1).bool()]
        for name, value in (("mean", square.mean()), ("median", square.median())):
            torch.testing.assert_close(
                mmd(far[:9], far[9:], bandwidth=name), mmd(far[:9], far[9:], bandwidth=float(value))
            )

    def test_unbiased_is_nothing_on_average(self) -> None:
        values = [float(mmd(normal(8, 4, seed=2 * i), normal(8, 4, seed=2 * i + 1), unbiased=True)) for i in range(300)]
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values)) < 3 * error
        assert min(values) < 0
        biased = np.mean([float(mmd(normal(8, 4, seed=2 * i), normal(8, 4, seed=2 * i + 1))) for i in range(300)])
        assert biased > 30 * error

    def test_gradient(self) -> None:
        a, b = normal(5, 3).requires_grad_(), (normal(6, 3, seed=1) + 1).requires_grad_()
        assert torch.autograd.gradcheck(lambda x, y: mmd(x, y, bandwidth=5.0), (a, b))
        assert torch.autograd.gradcheck(lambda x, y: mmd(x, y, bandwidth=5.0, unbiased=True), (a, b))
        mmd(a, b).backward()
        assert a.grad is not None
        assert (a.grad.mean(dim=0) < 0).all()  # downhill is towards the other sample

    def test_the_bandwidth_is_a_constant(self) -> None:
        """With a bandwidth of the rows themselves, the gradient is that of the bandwidth's value given as a number."""
        a, b = normal(7, 3).requires_grad_(), normal(6, 3, seed=1) + 1
        both = torch.cat([a, b]).detach()
        width = float(torch.pdist(both).square().mean())
        (free,) = torch.autograd.grad(mmd(a, b), a)
        (fixed,) = torch.autograd.grad(mmd(a, b, bandwidth=width), a)
        torch.testing.assert_close(free, fixed)

    def test_what_cannot_be_compared(self) -> None:
        rows = normal(4, 3)
        for a, b in ((rows, rows[:, :2]), (rows[:0], rows), (rows[0], rows)):
            with pytest.raises(UsageError, match="two samples"):
                mmd(a, b)
        with pytest.raises(UsageError, match="two rows"):
            mmd(rows[:1], rows, unbiased=True)
        for scales, bandwidth, match in (
            ((), "mean", "scales"),
            ((1.0,), "mode", "bandwidth"),
            ((1.0,), 0.0, "above 0"),
        ):
            with pytest.raises(UsageError, match=match):
                mmd(rows, rows, scales=scales, bandwidth=bandwidth)  # type: ignore[arg-type]


class TestLocalMmd:
    @few
    @given(samples)
    def test_one_class_is_mmd(self, sizes: tuple[int, int, int, int]) -> None:
        a, b = drawn(sizes)
        one = local_mmd(a, b, torch.zeros(len(a), dtype=torch.int64), torch.ones(len(b), 1))
        torch.testing.assert_close(one, mmd(a, b), atol=1e-6, rtol=1e-5)

    @few
    @given(samples)
    def test_it_is_the_mean_over_the_classes_that_both_have(self, sizes: tuple[int, int, int, int]) -> None:
        a, b = drawn(sizes)
        label = torch.from_numpy(np.random.default_rng(sizes[-1]).integers(-1, 3, len(a)))
        likely = (2 * normal(len(b), 4, seed=5)).softmax(dim=1)
        each = []
        for name in range(4):
            if (label == name).any() and (likely.argmax(dim=1) == name).any():
                own = (label == name).double()
                shares = ((own / own.sum()).numpy(), (likely[:, name] / likely[:, name].sum()).numpy())
                each.append(plain_mmd(a, b, unbiased=False, weights=shares))
        expected = np.mean(each) if each else 0.0
        assert float(local_mmd(a, b, label, likely)) == pytest.approx(expected, abs=1e-9)

    def test_classes_that_are_swapped_are_far_apart(self) -> None:
        """The two samples are alike as a whole, but not class by class."""
        label = torch.arange(200) % 2
        a = normal(200, 4) + 3 * label[:, None]
        b = normal(200, 4, seed=1) + 3 * label[:, None]
        sure = torch.nn.functional.one_hot(label, 2).double()
        right, wrong = float(local_mmd(a, b, label, sure)), float(local_mmd(a, b, label, sure.flip(1)))
        assert wrong > 20 * right
        assert wrong > 20 * float(mmd(a, b))

    def test_nothing_in_common_is_0_with_a_gradient(self) -> None:
        a, b = normal(6, 2).requires_grad_(), normal(5, 2, seed=1).requires_grad_()
        never = torch.tensor([[0.0, 1.0]]).expand(5, 2)
        for label in (torch.zeros(6, dtype=torch.int64), torch.full((6,), -1)):
            loss = local_mmd(a, b, label, never)
            assert loss.item() == 0
            loss.backward()
            assert float(a.grad.abs().sum()) == 0  # type: ignore[union-attr]
        with pytest.raises(UsageError, match="class 2"):
            local_mmd(a, b, torch.tensor([0, 1, 2, 0, 0, 0]), never)

    def test_no_gradient_goes_through_the_probabilities(self) -> None:
        a, b = normal(6, 2).requires_grad_(), normal(5, 2, seed=1).requires_grad_()
        logits = normal(5, 2, seed=2).requires_grad_()
        local_mmd(a, b, torch.arange(6) % 2, logits.softmax(dim=1)).backward()
        assert logits.grad is None
        assert float(b.grad.abs().sum()) > 0  # type: ignore[union-attr]


class TestCoral:
    @few
    @given(samples)
    def test_it_is_the_published_formula(self, sizes: tuple[int, int, int, int]) -> None:
        a, b = drawn(sizes)
        one, other = (np.cov(rows.numpy(), rowvar=False, ddof=1).reshape(-1) for rows in (a, b))
        assert float(coral(a, b)) == pytest.approx(((one - other) ** 2).sum() / (4 * a.shape[1] ** 2), rel=1e-6)

    @few
    @given(samples)
    def test_shifts_do_not_count_scales_do(self, sizes: tuple[int, int, int, int]) -> None:
        a, b = drawn(sizes)
        torch.testing.assert_close(coral(a + 9, b - 4), coral(a, b))
        torch.testing.assert_close(coral(a, b), coral(b, a))
        assert float(coral(a, a + 5)) == pytest.approx(0, abs=1e-12)
        assert float(coral(a, 2 * a)) == pytest.approx(
            float(9 * torch.cov(a.T).square().sum() / (4 * a.shape[1] ** 2)), rel=1e-6
        )

    def test_gradient_and_errors(self) -> None:
        assert torch.autograd.gradcheck(coral, (normal(5, 3).requires_grad_(), normal(4, 3, seed=1).requires_grad_()))
        with pytest.raises(UsageError, match="2 or more rows"):
            coral(normal(1, 3), normal(4, 3))


class TestMomentDistance:
    def test_hand_worked(self) -> None:
        """Means (1, 0), (0, 0), (4, 4); means of squares (2, 1), (1, 4), (17, 17)."""
        one = torch.tensor([[0.0, 1.0], [2.0, -1.0]])
        other = torch.tensor([[1.0, 2.0], [-1.0, -2.0]])
        target = torch.tensor([[3.0, 5.0], [5.0, 3.0]])
        first = (5 + np.sqrt(32)) / 2 + 1
        second = (np.hypot(15, 16) + np.hypot(16, 13)) / 2 + np.hypot(1, 3)
        assert float(moment_distance([one, other], target, order=1)) == pytest.approx(first)
        assert float(moment_distance([one, other], target)) == pytest.approx(first + second)

    @few
    @given(samples)
    def test_equal_domains_and_order_of_sources(self, sizes: tuple[int, int, int, int]) -> None:
        a, b = drawn(sizes)
        assert float(moment_distance([a, a.clone()], a.flip(0), order=3)) == pytest.approx(0, abs=1e-9)
        torch.testing.assert_close(moment_distance([a, b], a), moment_distance([b, a], a))
        torch.testing.assert_close(moment_distance([a], b, order=1), (a.mean(dim=0) - b.mean(dim=0)).norm())
        assert float(moment_distance([a, b], a)) >= 0

    def test_gradient_and_errors(self) -> None:
        rows = [normal(4, 3, seed=seed).requires_grad_() for seed in range(3)]
        assert torch.autograd.gradcheck(lambda *each: moment_distance(each[:2], each[2], order=3), rows)
        for sources, order in (((), 2), (rows, 0)):
            with pytest.raises(UsageError, match="moments"):
                moment_distance(sources, rows[0], order=order)


class TestTransport:
    def test_hand_worked(self) -> None:
        """Rows 0, 1, 2 of mass 1/2, 1/4, 1/4 to columns of 1/4, 3/4: what is not cheap in column 0 goes to column 1."""
        cost = torch.tensor([[1.0, 2.0], [5.0, 1.0], [4.0, 3.0]])
        mass, room = torch.tensor([2.0, 1.0, 1.0]), torch.tensor([1.0, 3.0])
        plan = transport_plan(cost, mass, room)
        torch.testing.assert_close(plan, torch.tensor([[0.25, 0.25], [0.0, 0.25], [0.0, 0.25]]))
        assert float(transport_cost(cost, mass, room)) == pytest.approx(0.25 + 0.5 + 0.25 + 0.75)

    @few
    @given(st.integers(1, 5), st.integers(0, 2**31))
    def test_equal_masses_are_the_best_assignment(self, count: int, seed: int) -> None:
        cost = normal(count, count, seed=seed)
        best = min(float(cost[range(count), list(order)].mean()) for order in permutations(range(count)))
        assert float(transport_cost(cost)) == pytest.approx(best)

    @few
    @given(samples)
    def test_on_a_line_it_is_the_distance_of_the_sorted_rows(self, sizes: tuple[int, int, int, int]) -> None:
        count, _, _, seed = sizes
        a, b = normal(count, 1, seed=seed), normal(count, 1, seed=seed + 1) * 1e-4 + 7
        expected = (a.sort(dim=0).values - b.sort(dim=0).values).square().mean()
        torch.testing.assert_close(transport_cost(squared_distances(a, b)), expected, rtol=1e-6, atol=1e-9)

    @few
    @given(samples)
    def test_the_plan_keeps_the_masses(self, sizes: tuple[int, int, int, int]) -> None:
        a, b = drawn(sizes)
        plan = transport_plan(squared_distances(a, b))
        torch.testing.assert_close(plan.sum(dim=1), torch.full((len(a),), 1 / len(a)).double())
        torch.testing.assert_close(plan.sum(dim=0), torch.full((len(b),), 1 / len(b)).double())
        assert (plan >= 0).all()

    def test_gradient_is_the_true_one(self) -> None:
        assert torch.autograd.gradcheck(
            lambda a, b: transport_cost(squared_distances(a, b)),
            (normal(4, 3).requires_grad_(), normal(5, 3, seed=1).requires_grad_()),
        )

    def test_joint_cost(self) -> None:
        source, target = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[3.0, 4.0]])
        logits = torch.tensor([[0.0, np.log(3.0)]], dtype=torch.float32)
        cost = joint_cost(source, target, torch.tensor([0, 1]), logits, alpha=0.5, beta=2.0)
        expected = [[0.5 * 25 + 2 * np.log(4)], [0.5 * 13 + 2 * np.log(4 / 3)]]
        torch.testing.assert_close(cost, torch.tensor(expected, dtype=torch.float32))

    def test_the_labels_decide_where_features_cannot(self) -> None:
        features, label = torch.zeros(4, 2), torch.tensor([0, 0, 1, 1])
        logits = torch.tensor([[0.0, 5.0], [5.0, 0.0], [0.0, 5.0], [5.0, 0.0]])
        plan = transport_plan(joint_cost(features, features, label, logits))
        assert float(plan[:2, [0, 2]].sum()) == 0
        assert float(plan[2:, [1, 3]].sum()) == 0

    def test_errors(self) -> None:
        for cost in (torch.tensor([[1.0, torch.inf]]), torch.tensor([[torch.nan]]), torch.zeros(0, 2)):
            with pytest.raises(UsageError, match="transport cost"):
                transport_plan(cost)
        for mass in (torch.tensor([-1.0, 2.0]), torch.zeros(2)):
            with pytest.raises(UsageError, match="masses"):
                transport_plan(torch.ones(2, 1), mass)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mmd": mmd,
    "unbiased": lambda a, b: mmd(a, b, unbiased=True),
    "median": lambda a, b: mmd(a, b, bandwidth="median"),
    "local": lambda a, b: local_mmd(a, b, torch.arange(len(a)) % 2, torch.full((len(b), 2), 0.5)),
    "coral": coral,
    "moments": lambda a, b: moment_distance([a, b], a),
    "transport": lambda a, b: transport_cost(squared_distances(a, b)),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
class TestAll:
    @pytest.mark.parametrize("value", [0.0, 1e-8, 1.0, 1e4])
    def test_rows_that_are_all_the_same(self, loss: Callable[[Tensor, Tensor], Tensor], value: float) -> None:
        """A network that has collapsed: nothing to tell apart, but the training must not end in NaN."""
        a = torch.full((6, 3), value, requires_grad=True)
        b = torch.full((5, 3), value, requires_grad=True)
        result = loss(a, b)
        result.backward()
        assert result.item() == pytest.approx(0, abs=1e-6)
        assert a.grad is not None
        assert torch.isfinite(a.grad).all()
        assert b.grad is not None
        assert torch.isfinite(b.grad).all()

    @pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
    def test_gradients_are_finite_and_move_both(self, loss: Callable[[Tensor, Tensor], Tensor], scale: float) -> None:
        a = (scale * normal(12, 4, dtype=torch.float32)).requires_grad_()
        b = (scale * (2 * normal(10, 4, seed=1, dtype=torch.float32) + 1)).requires_grad_()
        loss(a, b).backward()
        for rows in (a, b):
            assert rows.grad is not None
            assert torch.isfinite(rows.grad).all()
            assert rows.grad.abs().max() > 0

    def test_full_precision_inside_mixed_precision(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        a, b = normal(12, 40, dtype=torch.float32) + 30, normal(10, 40, seed=1, dtype=torch.float32) + 30
        plain = loss(a, b)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = loss(a, b)
            halves = loss(a.bfloat16(), b.bfloat16())
        assert torch.equal(plain, mixed)
        assert halves.dtype == torch.float32
        assert torch.equal(halves, loss(a.bfloat16().float(), b.bfloat16().float()))

    def test_it_can_be_minimised(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        a, b = normal(30, 3, dtype=torch.float32), (2 * normal(30, 3, seed=1, dtype=torch.float32) + 1).requires_grad_()
        optimiser = torch.optim.Adam([b], lr=0.05)
        first = loss(a, b).item()
        for _ in range(100):
            optimiser.zero_grad()
            loss(a, b).backward()
            optimiser.step()
        assert loss(a, b).item() < 0.2 * first
