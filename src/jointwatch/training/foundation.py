"""From a pre-trained encoder to a network for one robot: distance to normal, probe, or fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.slices import slices
from jointwatch.models.patch_transformer import Head, PatchTransformer
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.groups import Group
from jointwatch.training.loop import fit
from jointwatch.training.objectives import Supervised, balanced_weights
from jointwatch.training.options import Options

__all__ = [
    "USES",
    "Use",
    "joint_vectors",
    "logistic",
    "ready",
    "relative_to_own",
    "spread_of",
    "trainable",
    "whitening_of",
]

Use = Literal["auto", "distance", "probe", "fine_tune"]
USES: tuple[Use, ...] = ("auto", "distance", "probe", "fine_tune")

_AT_ONCE = 256
_BLOCKS = 4
_LEAST_SPREAD = 0.05  # of a figure, as share of the typical one: what hardly varies is not blown up


@dataclass(frozen=True)
class Normal:
    """Where normal windows of the target lie: centre and scale of each joint's vector, and its map."""

    centre: Float[Tensor, "joint figure"]
    scale: Float[Tensor, "joint figure"]
    whitening: Float[Tensor, "joint figure figure"]


def ready(
    network: PatchTransformer,
    data: Batch,
    *,
    target: int | None = None,
    use: Use = "auto",
    strength: float = 0.1,
    options: Options = Options(epochs=10, learning_rate=1e-3, schedule="cosine", warm_up=0.1),  # noqa: B008 (it is frozen)
    batch_size: int = 64,
) -> PatchTransformer:
    """A network for the target whose log-odds of class 1 are the score; the given one, pre-trained and bound to the
    layout of the rows, stays as it is.

    Embeddings are taken relative to the normal windows of their own domain, sources' and target's alike; so labels of a
    source tell what a fault does to a robot, not what that robot is like. How much normal windows vary is learned from
    all, see `spread_of`.

    Parameters
    ----------
    network : of any kind and without a baseline; only encoder and layout are used.
    data : standardised rows; label 0 = normal, 1 = anomalous, -1 = not told. Domains without a normal row do not count.
    target : number of the domain that the network is for; None = all rows are.
    use : `distance` = squared Mahalanobis distance to the target's normal rows, each joint by itself, with Ledoit-Wolf
        shrinkage; `probe` = logistic classifier of the distances on the frozen encoder; `fine_tune` = from the probe
        on, the head first, then everything in smaller steps; `auto` = `probe` where there are labels of both classes,
        else `distance`.
    strength : inverse of the probe's regularisation.
    options, batch_size : of the fine-tuning; in the last two thirds of its epochs the encoder learns too, at a tenth of
        the rate.

    Errors: `NotEnoughData` without two normal rows of the target, or without labels of both classes for a use that
    needs them.

    Source: strategy 6 of docs/transfer.md; O. Ledoit, M. Wolf, J. Multivariate Anal. 88, 2004; head first, then all:
    Kumar et al., "Fine-tuning can distort pretrained features", ICLR 2022.

    >>> from jointwatch.core import Channel
    >>> from jointwatch.models._patch_encoder import PatchEncoder
    >>> rng = np.random.default_rng(0)
    >>> arm = [Channel.parse(f"{quantity}/{joint}") for joint in (1, 2) for quantity in ("position", "current")]
    >>> healthy = np.sin(np.arange(100) / 8) + 0.3 * rng.standard_normal((40, 4, 100))
    >>> odd = healthy[:10] * np.array([1.0, 1.0, 1.0, 2.0])[:, None]
    >>> _ = torch.manual_seed(0)
    >>> bound = PatchTransformer.of(PatchEncoder(16, 2, 1), arm, step_s=0.01)
    >>> network = ready(bound, Batch.of_arrays(healthy, label=np.zeros(40)))
    >>> with torch.inference_mode():
    ...     scores = [network(torch.tensor(values).float())[:, 1].mean() for values in (healthy, odd)]
    >>> network.kind, bool(scores[1] > 2 * scores[0])
    ('distance', True)
    """
    if use not in USES:
        raise UsageError(f"a pre-trained encoder is used by {', '.join(USES)}, got {use!r}")
    label = data.label.numpy()
    own = np.ones(len(data), bool) if target is None else data.domain.numpy() == target
    if np.count_nonzero(own & (label == 0)) < 2:
        have = int(np.count_nonzero(own & (label == 0)))
        raise NotEnoughData("a baseline in the embedding", needed=2, have=have, unit="normal windows of the target")
    both = (label == 0).any() and (label == 1).any()
    if use == "auto":
        use = "probe" if both else "distance"
    if use != "distance" and not both:
        raise NotEnoughData(f"the use {use!r}", needed=1, have=0, unit="labelled anomalous windows")
    network = _of_kind(network, "distance" if use == "distance" else "probe")
    group = np.where(own, -1, data.domain.numpy())
    vectors = joint_vectors(network, data)
    away = relative_to_own(vectors, group, label == 0)
    centre = vectors[own & (label == 0)].mean(axis=0).astype(np.float32)
    scale, whitening = spread_of(*(away[(label == 0) & np.isfinite(away).all(axis=(1, 2)) & of] for of in (own, ~own)))
    _set(network, Normal(torch.tensor(centre), torch.tensor(scale), torch.tensor(whitening)))
    if use == "distance":
        return network
    rows = (label >= 0) & np.isfinite(away).all(axis=(1, 2))
    with torch.inference_mode():
        pooled = network.pooled(torch.tensor(away[rows] / scale, dtype=torch.float32)).numpy()
    weight, bias = logistic(pooled, label[rows], strength)
    head = network.head
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.copy_(torch.stack([torch.zeros_like(weight), weight]))
        head.bias.copy_(torch.tensor([0.0, bias]))
    return (
        network if use == "probe" else _fine_tuned(network, data.take(np.flatnonzero(rows & own)), options, batch_size)
    )


def trainable(network: PatchTransformer) -> PatchTransformer:
    """The same encoder, layout and baseline with a linear head that begins at 0: what a further training starts from.

    Distances are whitened by a baseline that a step of the encoder makes stale; vectors relative to it are not.
    """
    if network.kind == "linear":
        return network
    opened = _of_kind(network, "linear")
    _set(opened, Normal(network.centre, network.scale, network.whitening))
    for parameter in opened.head.parameters():
        nn.init.zeros_(parameter)
    return opened


def _of_kind(network: PatchTransformer, kind: Head) -> PatchTransformer:
    """A new network of that kind with two classes, the same layout and encoder, and no baseline yet."""
    fresh = PatchTransformer(**{**network.config(), "kind": kind, "classes": 2})
    fresh.encoder.load_state_dict(network.encoder.state_dict())
    return fresh.eval()


def spread_of(
    own: Float[np.ndarray, "row joint figure"], lent: Float[np.ndarray, "lent joint figure"]
) -> tuple[Float[np.ndarray, "joint figure"], Float[np.ndarray, "joint figure figure"]]:
    """Scale of each figure about its centre, and the map of each joint to unit covariance.

    A robot has few normal windows when it is new, fewer than figures; what others vary by is then the better guess. So
    rows of sources count too, all together as much as one row of the target for each figure, at most.
    """
    weight = np.sqrt(min(1.0, own.shape[2] / len(lent))) if len(lent) else 0.0
    away = np.concatenate([own, weight * lent]) * np.sqrt((len(own) + len(lent)) / (len(own) + weight**2 * len(lent)))
    spread = np.sqrt(np.square(away).mean(axis=0))
    typical = float(np.median(spread[spread > 0])) if (spread > 0).any() else 1.0
    scale = np.maximum(spread, _LEAST_SPREAD * typical)
    maps = np.stack([whitening_of(away[:, joint] / scale[joint]) for joint in range(away.shape[1])])
    return scale.astype(np.float32), maps.astype(np.float32)


def whitening_of(rows: Float[np.ndarray, "row figure"]) -> Float[np.ndarray, "figure figure"]:
    """Symmetric square root of the inverse Ledoit-Wolf covariance of rows about 0; the identity where nothing varies.

    >>> rows = np.random.default_rng(0).standard_normal((500, 2)) @ np.array([[2.0, 0.0], [0.0, 0.5]])
    >>> np.abs(whitening_of(rows)).round(1).tolist()
    [[0.5, 0.0], [0.0, 2.0]]
    """
    from sklearn.covariance import LedoitWolf

    if not np.any(rows):
        return np.eye(rows.shape[1])
    value, vector = np.linalg.eigh(LedoitWolf(assume_centered=True).fit(rows).covariance_)
    root: np.ndarray = (vector / np.sqrt(np.maximum(value, 1e-9 * value[-1]))) @ vector.T
    return root


def logistic(
    rows: Float[np.ndarray, "row figure"], label: np.ndarray, strength: float
) -> tuple[Float[Tensor, " figure"], float]:
    """Weights and bias of a regularised logistic classifier, both classes counting the same, for rows as they are:
    their standardisation is in the weights."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    size = np.sqrt(rows.shape[1])  # so that the strength means the same for any number of figures
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000).fit(
        (rows - mean) / scale / size, label
    )
    weight = model.coef_[0] / scale / size
    return torch.tensor(weight, dtype=torch.float32), float(model.intercept_[0] - weight @ mean)


def joint_vectors(network: PatchTransformer, data: Batch) -> Float[np.ndarray, "row joint figure"]:
    """The vector of every joint in every row, float64, not relative to anything; 0 where a robot lacks the joint."""
    found = []
    with torch.no_grad():
        for rows in slices(len(data), _AT_ONCE):
            found.append(network.embed_joints(data.values[rows], data.mask[rows]))
    return torch.cat(found).double().numpy()


def _set(network: PatchTransformer, normal: Normal) -> None:
    network.centre.copy_(normal.centre)
    network.scale.copy_(normal.scale)
    network.whitening.copy_(normal.whitening)


def relative_to_own(
    vectors: Float[np.ndarray, "row joint figure"],
    group: np.ndarray,
    healthy: Bool[np.ndarray, " row"],
    session: np.ndarray | None = None,
) -> Float[np.ndarray, "row joint figure"]:
    """Vectors minus the mean of their group's normal ones, NaN in groups without two.

    A normal row is compared with those of other parts of the group only: compared with itself it would be nearer than
    any new one.

    Parameters
    ----------
    group : (row,) whose rows share a baseline. healthy : rows that are known to be normal.
    session : (row,) the parts; None = a few blocks in the order of the rows, as where sessions are not known, also for
        groups of one session.
    """
    away = np.full(vectors.shape, np.nan)
    for number in np.unique(group):
        mine = np.flatnonzero(group == number)
        normal = mine[healthy[mine]]
        if len(normal) < 2:
            continue
        away[mine] = vectors[mine] - vectors[normal].mean(axis=0)
        part = np.arange(len(normal)) * _BLOCKS // max(len(normal), _BLOCKS)
        if session is not None and len(np.unique(session[normal])) > 1:
            part = session[normal]
        for name in np.unique(part):
            own = part == name
            away[normal[own]] = vectors[normal[own]] - vectors[normal[~own]].mean(axis=0)
    return away


def _fine_tuned(network: PatchTransformer, data: Batch, options: Options, batch_size: int) -> PatchTransformer:
    label = data.label.numpy()
    if len(np.unique(label)) < 2:
        raise NotEnoughData("fine-tuning on the target", needed=1, have=0, unit="labelled windows of both classes")
    head = network.part("head")
    rest = {name: parameter for name, parameter in network.named_parameters() if name not in head}
    groups = [Group(head), Group(rest, rate=0.1, start=max(1, options.epochs // 3))]
    batches = Shuffled(data, batch_size, options.seed, minimum_steps=8)
    fit(network, batches, Supervised(balanced_weights(label)), replace(options, clip_norm=1.0), trained=groups)
    return network
