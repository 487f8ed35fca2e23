"""Masked-patch transformer over joints and time, with a head: the foundation model bound to a robot's channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from jointwatch.core import Channel
from jointwatch.core.errors import UsageError
from jointwatch.models._joint_rows import SLOTS, JointLayout, slot_of
from jointwatch.models._patch_encoder import PatchEncoder
from jointwatch.models.base import Network

__all__ = ["PatchTransformer"]

Head = Literal["linear", "distance", "probe"]
HEADS: tuple[Head, ...] = ("linear", "distance", "probe")
_LEAST = 1e-6  # below any mean square that a logarithm is taken of


class PatchTransformer(Network):
    """`PatchEncoder` for windows (channel, time) of one layout: channels find their joint and slot, a joint's vector is
    mean and spread over time of its states, and the embedding rests on those of all joints, relative to a baseline.

    The encoder's weights do not depend on the layout: `of` gives them to any. Without a layout each channel is a row of
    its own in the slot `other`.

    Parameters
    ----------
    channels, classes : numbers of inputs a sample and of logits; class 0 = normal.
    joints, slots : one entry a channel: number of its joint (0 = none) and one of `SLOTS`; None = no layout.
    step_s : seconds from sample to sample of the windows; of stretched cycles the usual one.
    depths : of the states that vectors are made of: 0 = tokens, k = after k blocks, -1 = the last.
    width, heads, layers, patch, max_patches : of the encoder.
    kind : what the head rests on. `linear`: on the vectors of all joints; `probe`: linear on how far from normal they
        are (`pooled`); `distance`: no parameters, the log-odds of class 1 are the squared distance to normal, mean over
        figures and joints.

    Buffers
    -------
    centre, scale, whitening : (joint, figure), (joint, figure, figure); where normal windows lie: vectors of joints
        minus centre, divided by scale, have the identity as covariance after the map. 0, 1 and the identity until
        `training.foundation` sets them.

    Errors: `UsageError` for a layout that does not fit the channels, a step that is not positive, another head.

    Source: see `models._patch_encoder.PatchEncoder`; strategy 6 of docs/transfer.md.

    >>> _ = torch.manual_seed(0)
    >>> arm = [Channel.parse(f"{quantity}/{joint}") for joint in (1, 2, 3) for quantity in ("position", "torque")]
    >>> network = PatchTransformer.of(PatchEncoder(width=16, heads=2, layers=1), arm, step_s=0.01).eval()
    >>> network(torch.zeros(5, 6, 100)).shape, network.embed_joints(torch.zeros(5, 6, 100)).shape
    (torch.Size([5, 2]), torch.Size([5, 3, 64]))
    """

    centre: Tensor
    scale: Tensor
    whitening: Tensor
    source: Tensor
    joint_numbers: Tensor
    step: Tensor

    def __init__(
        self,
        channels: int,
        classes: int = 2,
        joints: Sequence[int] | None = None,
        slots: Sequence[str] | None = None,
        step_s: float = 0.004,
        width: int = 128,
        heads: int = 4,
        layers: int = 4,
        patch: int = 20,
        max_patches: int = 64,
        kind: Head = "linear",
        depths: Sequence[int] = (0, -1),
    ) -> None:
        super().__init__()
        self.channels, self.classes, self.step_s, self.kind = channels, classes, step_s, kind
        self.joints = tuple([0] * channels if joints is None else joints)
        self.slots = tuple(["other"] * channels if slots is None else slots)
        if not len(self.joints) == len(self.slots) == channels or channels < 1:
            raise UsageError(
                f"one joint and slot a channel: got {channels} channels, {len(self.joints)} joints and "
                f"{len(self.slots)} slots"
            )
        if wrong := set(self.slots) - set(SLOTS):
            raise UsageError(f"slots are {', '.join(SLOTS)}, got {sorted(wrong)}")
        if not step_s > 0:
            raise UsageError(f"the time step is positive, got {step_s} s")
        if kind not in HEADS or (kind == "distance" and classes != 2):
            raise UsageError(f"the head is linear, probe, or distance with two classes; got {kind!r} with {classes}")
        if not depths or any(not -1 <= depth <= layers for depth in depths):
            raise UsageError(f"depths are numbers from -1 to the {layers} layers, one or more, got {tuple(depths)}")
        self.depths = tuple(depths)
        self.layout = JointLayout.of_places(list(zip(self.joints, self.slots, strict=True)))
        self.encoder = PatchEncoder(width, heads, layers, patch, max_patches)
        self.width, self.heads, self.layers = width, heads, layers
        self.patch, self.max_patches = patch, max_patches
        rows, figures = len(self.layout.joints), self.figures
        self.register_buffer("centre", torch.zeros(rows, figures))
        self.register_buffer("scale", torch.ones(rows, figures))
        self.register_buffer("whitening", torch.eye(figures).repeat(rows, 1, 1))
        self.register_buffer("source", torch.tensor(self.layout.sources), persistent=False)
        self.register_buffer("joint_numbers", torch.tensor(self.layout.joints), persistent=False)
        self.register_buffer("step", torch.tensor(float(step_s)), persistent=False)
        self.head = _Distance() if kind == "distance" else nn.Linear(self.features, classes)

    @property
    def features(self) -> int:
        """Length of the embedding."""
        return len(self.layout.joints) * self.figures if self.kind == "linear" else self.figures + 2

    @property
    def figures(self) -> int:
        """Length of a joint's vector: mean and spread of its states at every depth."""
        return 2 * self.width * len(self.depths)

    @classmethod
    def of(
        cls,
        encoder: PatchEncoder,
        channels: Sequence[Channel],
        step_s: float,
        classes: int = 2,
        kind: Head = "linear",
        depths: Sequence[int] = (0, -1),
    ) -> Self:
        """A network for these channels with the weights of an encoder, which stays as it is."""
        joints = [channel.joint or 0 for channel in channels]
        slots = [slot_of(channel) for channel in channels]
        network = cls(len(joints), classes, joints, slots, step_s, **encoder.config(), kind=kind, depths=depths)
        network.encoder.load_state_dict(encoder.state_dict())
        return network

    def embed_joints(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None = None
    ) -> Float[Tensor, "batch joint figure"]:
        """One feature vector a row of the layout (`layout.joints` names its joint), float32, not relative to anything;
        0 where a robot lacks the joint."""
        there = torch.ones(values.shape[:2], dtype=torch.bool, device=values.device) if mask is None else mask
        nothing = torch.zeros_like(values[:, :1])
        shape = (len(self.layout.joints), len(SLOTS))
        grid = torch.cat([values, nothing], dim=1)[:, self.source].unflatten(1, shape)
        seen = torch.cat([there, torch.zeros_like(there[:, :1])], dim=1)[:, self.source].unflatten(1, shape)
        step_s = self.step.expand(values.shape[0])
        states = self.encoder.depths(grid, seen, step_s, self.joint_numbers.expand(values.shape[0], -1))
        figures = []
        for depth in self.depths:
            state = states[depth].float()
            mean = state.mean(dim=2)
            figures += [mean, ((state - mean.unsqueeze(2)).square().mean(dim=2) + _LEAST).sqrt()]
        return torch.where(seen.any(dim=2).unsqueeze(-1), torch.cat(figures, dim=2), 0.0)

    def embed(
        self, values: Float[Tensor, "batch channel time"], mask: Bool[Tensor, "batch channel"] | None = None
    ) -> Float[Tensor, "batch feature"]:
        """Float32. For the head `linear` the vectors of all joints relative to the baseline, (batch, joint * figure), 0
        for a joint that is not there; else `pooled` of them."""
        found = self.embed_joints(values, mask)
        relative = self.relative(found)
        return relative.flatten(1) if self.kind == "linear" else self.pooled(relative)

    def relative(self, found: Float[Tensor, "batch joint figure"]) -> Float[Tensor, "batch joint figure"]:
        """Vectors of joints minus centre, divided by scale; 0 for a joint that is not there."""
        there = (found != 0).any(dim=2, keepdim=True)
        return torch.where(there, (found - self.centre) / self.scale, 0.0)

    def pooled(self, relative: Float[Tensor, "batch joint figure"]) -> Float[Tensor, "batch pooled"]:
        """How far from normal, as logarithms of mean squares after each joint's own map: of each of its figures over
        all joints, of all figures at the oddest joint, and altogether. So a fault that was learned at one joint is
        known at all, and arms of other joints have the same figures."""
        return self.pool(self.squares(relative))

    def squares(self, relative: Float[Tensor, "batch joint figure"]) -> Float[Tensor, "batch joint figure"]:
        """Squares of the figures after each joint's own map: of normal windows 1 on average."""
        with torch.autocast(relative.device.type, enabled=False):  # in bfloat16 distances near 1 would tie
            return torch.einsum("brw,rvw->brv", relative, self.whitening).square()

    @staticmethod
    def pool(squares: Float[Tensor, "batch joint figure"]) -> Float[Tensor, "batch pooled"]:
        """`pooled` from `squares`."""
        of_joint = squares.mean(dim=2)
        oddest, altogether = of_joint.amax(dim=1, keepdim=True), of_joint.mean(dim=1, keepdim=True)
        return torch.log(torch.cat([squares.mean(dim=1), oddest, altogether], dim=1) + _LEAST)


class _Distance(nn.Module):
    """Log-odds of class 1 are the mean square altogether, the last figure of `pooled`: 1 where windows are normal."""

    def forward(self, pooled: Float[Tensor, "batch pooled"]) -> Float[Tensor, "batch class"]:
        distance = pooled[:, -1].exp()
        return torch.stack([torch.zeros_like(distance), distance], dim=1)
