"""How far apart the features of two or more domains are, as numbers that can be minimised."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from jointwatch.core.errors import MissingExtra, UsageError

__all__ = [
    "SCALES",
    "Bandwidth",
    "coral",
    "joint_cost",
    "local_mmd",
    "mmd",
    "moment_distance",
    "squared_distances",
    "transport_cost",
    "transport_plan",
]

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
Bandwidth = float | Literal["mean", "median"]
Blocks = tuple[Float[Tensor, "row_a row_a"], Float[Tensor, "row_a row_b"], Float[Tensor, "row_b row_b"]]


def mmd(
    a: Float[Tensor, "row_a feature"],
    b: Float[Tensor, "row_b feature"],
    scales: Sequence[float] = SCALES,
    bandwidth: Bandwidth = "mean",
    *,
    unbiased: bool = False,
) -> Float[Tensor, ""]:
    """Squared maximum mean discrepancy of two samples under a mean of Gaussian kernels exp(-|x - y|^2 / (s h)).

    Parameters
    ----------
    a, b : the samples.
    scales : factors s of the bandwidth, one a kernel.
    bandwidth : h in squared units of the features; `mean` or `median` = of the squared distances between all distinct
        rows of both samples, taken as a constant: otherwise the loss would fall by spreading the features.
    unbiased : leave each row's distance to itself out. The value may then be below 0, and is 0 on average for samples
        of one distribution; else it lies in [0, 2] and is 0 for equal samples.

    Errors: `UsageError` for samples of different width, without rows, or of one row where `unbiased`.

    Source: Gretton et al., "A kernel two-sample test", JMLR 13, 2012; with several kernels as in Long et al., "Learning
    transferable features with deep adaptation networks", ICML 2015, each kernel with the same weight.

    >>> a = torch.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]])
    >>> [round(float(mmd(a, a + shift)), 3) for shift in (0.0, 1.0, 9.0)]
    [0.0, 0.516, 1.413]
    """
    with _exact(a):
        own_a, between, own_b = _kernels(a, b, scales, bandwidth)
        if not unbiased:
            # blocks of equal samples are equal to the bit; rounding of others must not make the value negative
            return (own_a.mean() + own_b.mean() - 2 * between.mean()).clamp(min=0)
        if min(len(a), len(b)) < 2:
            raise UsageError(f"an unbiased MMD needs two rows of each sample, got {len(a)} and {len(b)}")
        return _without_diagonal(own_a) + _without_diagonal(own_b) - 2 * between.mean()


def local_mmd(
    source: Float[Tensor, "row_s feature"],
    target: Float[Tensor, "row_t feature"],
    label: Int[Tensor, " row_s"],
    probability: Float[Tensor, "row_t class"],
    scales: Sequence[float] = SCALES,
    bandwidth: Bandwidth = "mean",
) -> Float[Tensor, ""]:
    """Mean over classes of the squared MMD between the source's rows of a class and the target's rows weighted by their
    probability of that class: what is alike in class comes together, and nothing else.

    Parameters
    ----------
    source, target : features.
    label : of the source's rows; -1 = unknown, the row then has no part in it.
    probability : of the target's rows. No gradient goes through it.
    scales, bandwidth : as in `mmd`.

    A class counts where the source has a row of it and it is the likeliest class of a row of the target; with none the
    value is 0. With a single class this is `mmd`.

    Source: Zhu et al., "Deep subdomain adaptation network for image classification", IEEE TNNLS 32, 2021.

    >>> source = torch.tensor([[0.0, 0.0], [5.0, 0.0]])
    >>> likely = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    >>> swapped, right = source.flip(0), torch.tensor([0, 1])
    >>> float(mmd(source, swapped)), round(float(local_mmd(source, swapped, right, likely)), 3)
    (0.0, 1.155)
    """
    with _exact(source):
        kernels = _kernels(source, target, scales, bandwidth)
        likely = probability.detach().to(kernels[0])
        classes = likely.shape[1]
        if int(label.max()) >= classes:
            raise UsageError(f"a row of the source has class {int(label.max())}, the target {classes} probabilities")
        members = functional.one_hot(label.clamp(min=0), classes).to(likely) * (label >= 0)[:, None]
        guessed = functional.one_hot(likely.argmax(dim=1), classes).to(likely)
        present = (members.sum(dim=0) > 0) & (guessed.sum(dim=0) > 0)
        if not present.any():
            return 0.0 * (source.sum() + target.sum())
        of_source, of_target = _shares(members, present), _shares(likely, present)
        own_source, between, own_target = (
            torch.einsum("ic,ij,jc->", left, kernel, right)
            for left, kernel, right in zip(
                (of_source, of_source, of_target), kernels, (of_source, of_target, of_target), strict=True
            )
        )
        return ((own_source + own_target - 2 * between) / present.sum()).clamp(min=0)


def coral(source: Float[Tensor, "row_s feature"], target: Float[Tensor, "row_t feature"]) -> Float[Tensor, ""]:
    """Squared Frobenius distance of two covariances (divisor n - 1) / (4 d^2), d features. Shifts do not count.

    For many groups at a time, with their means: `training.invariance.group_coral`.

    Errors: `UsageError` for samples of different width or of less than two rows.

    Source: Sun & Saenko, "Deep CORAL: correlation alignment for deep domain adaptation", ECCV workshops 2016.

    >>> rows = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    >>> float(coral(rows, rows + 7)), float(coral(rows, 2 * rows))
    (0.0, 2.25)
    """
    _check(source, target, rows=2)
    with _exact(source):
        one, other = (torch.cov(_full(rows).T).reshape(rows.shape[1], -1) for rows in (source, target))
        return (one - other).square().sum() / (4 * source.shape[1] ** 2)


def moment_distance(
    sources: Sequence[Float[Tensor, "row_s feature"]], target: Float[Tensor, "row_t feature"], order: int = 2
) -> Float[Tensor, ""]:
    """Distance of the means of the features' powers 1 to `order`: for each power the mean over the sources of the
    distance to the target, plus the mean over all pairs of sources of their distance. With one source that second term
    is none.

    Errors: `UsageError` without a source, for an order below 1, or samples of different width.

    Source: Peng et al., "Moment matching for multi-source domain adaptation", ICCV 2019.

    >>> one, other, target = torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [2.0]]), torch.tensor([[0.0], [0.0]])
    >>> float(moment_distance([one], target, order=1)), float(moment_distance([one, other], target, order=2))
    (2.0, 7.5)
    """
    if not sources or order < 1:
        raise UsageError(f"moments need a source and an order from 1, got {len(sources)} sources and order {order}")
    for source in sources:
        _check(source, target)
    with _exact(target):
        total = target.new_zeros((), dtype=_full(target).dtype)
        for power in range(1, order + 1):
            *means, aim = (_full(rows).pow(power).mean(dim=0) for rows in (*sources, target))
            total = total + torch.stack([torch.linalg.vector_norm(mean - aim) for mean in means]).mean()
            if len(means) > 1:
                pairs = [torch.linalg.vector_norm(one - other) for one, other in combinations(means, 2)]
                total = total + torch.stack(pairs).mean()
        return total


def joint_cost(
    source: Float[Tensor, "row_s feature"],
    target: Float[Tensor, "row_t feature"],
    label: Int[Tensor, " row_s"],
    logits: Float[Tensor, "row_t class"],
    alpha: float = 1.0,
    beta: float = 1.0,
) -> Float[Tensor, "row_s row_t"]:
    """What it costs to take a row of the target for one of the source: alpha x squared distance of the features + beta
    x cross-entropy of the source row's label under the target row's logits (0 for label -1).

    Source: Damodaran et al., "DeepJDOT: deep joint distribution optimal transport for unsupervised domain adaptation",
    ECCV 2018.

    >>> source, target = torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0]])
    >>> cost = joint_cost(source, target, torch.tensor([0, -1]), logits=torch.zeros(1, 2), beta=10)
    >>> [round(float(row), 3) for row in cost]
    [6.931, 4.0]
    """
    _check(source, target)
    with _exact(source):
        surprise = -functional.log_softmax(_full(logits), dim=1).T[label.clamp(min=0)] * (label >= 0)[:, None]
        return alpha * squared_distances(source, target) + beta * surprise


def transport_plan(
    cost: Float[Tensor, "row_s row_t"],
    source_weights: Float[Tensor, " row_s"] | None = None,
    target_weights: Float[Tensor, " row_t"] | None = None,
) -> Float[Tensor, "row_s row_t"]:
    """Cheapest way to move the source's mass onto the target's: exact optimal transport, without gradient.

    Parameters
    ----------
    cost : of moving a unit of mass, as of `joint_cost`.
    source_weights, target_weights : mass of the rows, not negative, scaled to sum 1; None = each the same.

    Errors: `UsageError` for a cost that is not finite; `MissingExtra` without POT.

    >>> transport_plan(torch.tensor([[1.0, 3.0], [2.0, 1.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    try:
        import ot  # takes a second, and only transport needs it
    except ImportError as error:
        raise MissingExtra("ot", extra="learn") from error
    ground = cost.detach().double().cpu().numpy()
    if not ground.size or not np.isfinite(ground).all():
        raise UsageError(
            f"a transport cost of shape {ground.shape} has no entries or some that are not finite; lower the learning "
            "rate or look for values far from the others in the data"
        )
    masses = [
        np.full(count, 1 / count) if weights is None else _mass(weights)
        for count, weights in zip(ground.shape, (source_weights, target_weights), strict=True)
    ]
    # the plan does not depend on the unit of the cost, the solver's tolerance does
    plan = ot.emd(*masses, np.ascontiguousarray(ground / max(float(np.abs(ground).max()), 1e-300)))
    return torch.from_numpy(plan).to(cost)


def transport_cost(
    cost: Float[Tensor, "row_s row_t"],
    source_weights: Float[Tensor, " row_s"] | None = None,
    target_weights: Float[Tensor, " row_t"] | None = None,
) -> Float[Tensor, ""]:
    """Cost of the cheapest transport (`transport_plan`); its gradient with the plan held fixed is the true one wherever
    the plan is unique.

    >>> float(transport_cost(torch.tensor([[1.0, 3.0], [2.0, 1.0]])))
    1.0
    """
    with _exact(cost):
        full = _full(cost)
        return (transport_plan(full, source_weights, target_weights) * full).sum()


def squared_distances(
    a: Float[Tensor, "row_a feature"], b: Float[Tensor, "row_b feature"]
) -> Float[Tensor, "row_a row_b"]:
    """Squared Euclidean distances between all rows, by one product of matrices; with a gradient where it is 0, too.

    >>> squared_distances(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[25.0, 0.0]]
    """
    _check(a, b)
    with _exact(a):
        a, b = _centred(a, b)
        return _distances(a, b)


def _kernels(a: Tensor, b: Tensor, scales: Sequence[float], bandwidth: Bandwidth) -> Blocks:
    """Mean of the kernels within the first sample, between both, within the second."""
    _check(a, b)
    if not len(scales) or not all(scale > 0 for scale in scales):
        raise UsageError(f"kernels need scales above 0, got {tuple(scales)}")
    energy = torch.cat([_full(a), _full(b)]).detach().square().sum(dim=1).mean()
    a, b = _centred(a, b)
    blocks = (_distances(a, a), _distances(a, b), _distances(b, b))
    # rows that differ by rounding only count as equal
    finest = torch.finfo(energy.dtype)
    least = (100 * finest.eps**2 * energy).clamp(min=finest.tiny**0.5)
    width = torch.maximum(_width(blocks, bandwidth).detach(), least)
    factors = [-1 / (scale * width) for scale in scales]
    own_a, between, own_b = (
        torch.stack([(block * factor).exp() for factor in factors]).mean(dim=0) for block in blocks
    )
    return own_a, between, own_b


def _width(blocks: Blocks, bandwidth: Bandwidth) -> Float[Tensor, ""]:
    own_a, between, own_b = blocks
    if bandwidth not in ("mean", "median"):
        if isinstance(bandwidth, str) or not bandwidth > 0:
            raise UsageError(f"the bandwidth is mean, median or a number above 0, got {bandwidth!r}")
        return between.new_tensor(bandwidth)
    pairs = torch.cat([own_a[_upper(own_a)], between.flatten(), own_b[_upper(own_b)]])
    return pairs.mean() if bandwidth == "mean" else pairs.median()


def _upper(square: Tensor) -> Bool[Tensor, "row row"]:
    return torch.ones_like(square, dtype=torch.bool).triu(diagonal=1)


def _without_diagonal(square: Float[Tensor, "row row"]) -> Float[Tensor, ""]:
    rows = len(square)
    return (square.sum() - square.diagonal().sum()) / (rows * (rows - 1))


def _centred(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both less their common mean: distances are the same and lose no digits to an offset."""
    a, b = _full(a), _full(b)
    middle = torch.cat([a, b]).detach().mean(dim=0)
    return a - middle, b - middle


def _distances(a: Tensor, b: Tensor) -> Float[Tensor, "row_a row_b"]:
    return (a.square().sum(dim=1)[:, None] + b.square().sum(dim=1) - 2 * a @ b.T).clamp(min=0)


def _shares(weights: Float[Tensor, "row class"], present: Bool[Tensor, " class"]) -> Float[Tensor, "row class"]:
    """Weights of the rows in the classes that are present, each class with sum 1."""
    weights = weights[:, present]
    return weights / weights.sum(dim=0)


def _mass(weights: Tensor) -> np.ndarray:
    mass = weights.detach().double().cpu().numpy()
    if not (mass >= 0).all() or not mass.sum() > 0:
        raise UsageError("masses of a transport must not be negative, and not all 0")
    return mass / mass.sum()


def _check(a: Tensor, b: Tensor, rows: int = 1) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < rows:
        raise UsageError(
            f"two samples of the same features, {rows} or more rows each, can be compared; got shapes "
            f"{tuple(a.shape)} and {tuple(b.shape)}"
        )


def _exact(values: Tensor) -> torch.autocast:
    """Differences of large sums have no business in bfloat16."""
    return torch.autocast(values.device.type, enabled=False)


def _full(values: Tensor) -> Tensor:
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
