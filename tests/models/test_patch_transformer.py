"""One set of weights for any robot: joints, quantities and rates are other inputs, not other networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jointwatch.core import Channel
from jointwatch.core.errors import UsageError
from jointwatch.models._joint_rows import SLOTS, JointLayout
from jointwatch.models._masked_patches import MaskedPatches
from jointwatch.models._patch_encoder import SIZES, PatchEncoder, patches_of
from jointwatch.models.patch_transformer import PatchTransformer
from jointwatch.training.seed import seeded


@pytest.fixture
def encoder() -> PatchEncoder:
    with seeded(0):
        return PatchEncoder(width=16, heads=2, layers=2).eval()


def arm(joints: int, *quantities: str) -> list[Channel]:
    return [Channel.parse(f"{quantity}/{joint}") for joint in range(1, joints + 1) for quantity in quantities]


def values(rows: int, channels: int, samples: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, channels, samples, generator=torch.Generator().manual_seed(seed))


def grid(joints: int = 4, samples: int = 100) -> dict[str, torch.Tensor]:
    return {
        "grid": values(3, joints * len(SLOTS), samples).unflatten(1, (joints, len(SLOTS))),
        "there": torch.ones(3, joints, len(SLOTS), dtype=torch.bool),
        "step_s": torch.full((3,), 0.01),
        "joint": torch.arange(1, joints + 1).repeat(3, 1),
    }


@pytest.mark.parametrize(
    ("joints", "rate_hz", "samples"),
    [(6, 25.0, 25), (6, 25.0, 500), (7, 125.0, 1000), (7, 500.0, 200), (1, 1000.0, 20_000)],
)
def test_the_same_weights_for_any_joints_and_rate(
    encoder: PatchEncoder, joints: int, rate_hz: float, samples: int
) -> None:
    channels = arm(joints, "position", "torque")
    network = PatchTransformer.of(encoder, channels, 1 / rate_hz).eval()
    with torch.inference_mode():
        found = network.embed_joints(values(2, len(channels), samples))
    assert found.shape == (2, joints, 64)
    assert torch.isfinite(found).all()
    for name, weight in encoder.state_dict().items():
        assert torch.equal(network.encoder.state_dict()[name], weight)


def test_long_windows_are_averaged_and_their_step_grows() -> None:
    signal = torch.arange(6.0).reshape(1, 1, 1, 6)
    patches, step_s = patches_of(signal, torch.tensor([0.1]), patch=1, max_patches=3)
    assert patches.flatten().tolist() == [0.5, 2.5, 4.5]
    assert step_s.tolist() == pytest.approx([0.2])


def test_the_rate_is_seen(encoder: PatchEncoder) -> None:
    """The same samples, taken faster, are another movement."""
    given = grid()
    slow = encoder(**given)
    fast = encoder(**{**given, "step_s": given["step_s"] / 10})
    assert not torch.allclose(slow, fast, atol=1e-3)


def test_joints_may_stand_in_any_order(encoder: PatchEncoder) -> None:
    given, order = grid(), [2, 0, 3, 1]
    moved = {name: value if name == "step_s" else value[:, order] for name, value in given.items()}
    torch.testing.assert_close(encoder(**moved), encoder(**given)[:, order], rtol=1e-4, atol=1e-5)


def test_joint_numbers_matter_only_where_they_are_told(encoder: PatchEncoder) -> None:
    given = grid()
    told, untold = encoder(**given), encoder(**{**given, "joint": torch.zeros_like(given["joint"])})
    beyond = encoder(**{**given, "joint": torch.full_like(given["joint"], 99)})
    assert not torch.allclose(told, untold, atol=1e-4)
    assert torch.equal(untold, beyond)


def test_channels_may_stand_in_any_order(encoder: PatchEncoder) -> None:
    channels = arm(3, "position", "velocity", "torque")
    order = np.random.default_rng(0).permutation(len(channels))
    one = PatchTransformer.of(encoder, channels, 0.01).eval()
    other = PatchTransformer.of(encoder, [channels[i] for i in order], 0.01).eval()
    x = values(2, len(channels), 80)
    rows = [one.layout.joints.index(joint) for joint in other.layout.joints]
    torch.testing.assert_close(other.embed_joints(x[:, order]), one.embed_joints(x)[:, rows], rtol=1e-4, atol=1e-5)


def test_absent_joints_and_quantities_have_no_influence(encoder: PatchEncoder) -> None:
    given = grid()
    given["there"][:, 3] = False
    given["there"][:, :, SLOTS.index("velocity")] = False
    changed = given["grid"].clone()
    changed[:, 3] = 1e6
    changed[:, :, SLOTS.index("velocity")] = -1e6
    found, again = encoder(**given), encoder(**{**given, "grid": changed})
    assert torch.equal(found, again)
    fewer = {name: value if name == "step_s" else value[:, :3] for name, value in given.items()}
    torch.testing.assert_close(found[:, :3], encoder(**fewer), rtol=1e-4, atol=1e-5)
    nothing = encoder(**{**given, "there": torch.zeros_like(given["there"])})
    assert torch.isfinite(nothing).all()


def test_what_is_hidden_does_not_leak() -> None:
    with seeded(0):
        network = MaskedPatches(PatchEncoder(width=16, heads=2, layers=2)).eval()
    given = grid()
    hidden = torch.rand((3, 4, 5, len(SLOTS)), generator=torch.Generator().manual_seed(1)) < 0.3
    other = given["grid"].clone().unflatten(3, (5, 20)).permute(0, 1, 3, 2, 4).clone()
    other[hidden] = 1e4
    changed = other.permute(0, 1, 3, 2, 4).flatten(3)
    assert not torch.equal(changed, given["grid"])
    assert torch.equal(network(**given, hidden=hidden), network(**{**given, "grid": changed}, hidden=hidden))
    seen = torch.zeros_like(hidden)
    assert not torch.allclose(network(**given, hidden=seen), network(**{**given, "grid": changed}, hidden=seen))


def test_layouts() -> None:
    keys = ("torque/2", "current/2", "effort.derived/2", "position/1", "position.commanded/1", "tcp_force:x")
    layout = JointLayout.of([Channel.parse(key) for key in keys])
    assert layout.joints == (2, 2, 1, 0)  # a third effort finds no place in the first row of joint 2
    assert [SLOTS[cell % len(SLOTS)] for cell in layout.cells] == [
        "effort", "effort_2", "effort", "position", "other", "other",
    ]  # fmt: skip
    assert len(set(layout.cells)) == len(keys)
    assert [layout.sources[cell] for cell in layout.cells] == list(range(len(keys)))


def test_depths_are_states_on_the_way(encoder: PatchEncoder) -> None:
    channels, x = arm(3, "position", "torque"), values(4, 6, 60)

    def vectors(*depths: int) -> torch.Tensor:
        return PatchTransformer.of(encoder, channels, 0.01, depths=depths).eval().embed_joints(x)

    assert torch.equal(vectors(-1), vectors(2))
    assert torch.equal(torch.cat([vectors(0), vectors(1)], dim=2), vectors(0, 1))
    other = x.clone()
    other[:, :2] += 1.0  # of joint 1
    tokens, late = (PatchTransformer.of(encoder, channels, 0.01, depths=[depth]).eval() for depth in (0, -1))
    assert torch.equal(tokens.embed_joints(other)[:, 1:], tokens.embed_joints(x)[:, 1:])  # each joint by itself
    assert not torch.allclose(late.embed_joints(other)[:, 1:], late.embed_joints(x)[:, 1:], atol=1e-4)


def test_the_sizes_are_what_is_said() -> None:
    sizes = {name: sum(p.numel() for p in PatchEncoder(**SIZES[name]).parameters()) for name in SIZES}
    assert 0.5e6 < sizes["small"] < 1e6
    assert SIZES["paper"] == {"width": 256, "heads": 8, "layers": 6}
    assert 4e6 < sizes["paper"] < 6e6


@pytest.mark.parametrize("kind", ["linear", "distance", "probe"])
def test_kinds_of_heads(encoder: PatchEncoder, kind: str) -> None:
    channels = arm(3, "position", "torque")
    network = PatchTransformer.of(encoder, channels, 0.01, kind=kind).eval()  # type: ignore[arg-type]
    x = values(4, 6, 60)
    assert network(x).shape == (4, 2)
    assert network.embed(x).shape == (4, network.features)
    assert bool(network.part("head")) == (kind != "distance")
    again = PatchTransformer(**network.config())
    again.load_state_dict(network.state_dict())
    assert torch.equal(again.eval()(x), network(x))


def test_wrong_arguments_are_told() -> None:
    with pytest.raises(UsageError, match="heads divide"):
        PatchEncoder(width=10, heads=4)
    with pytest.raises(UsageError, match="slots are"):
        PatchTransformer(1, joints=[1], slots=["wind"])
    with pytest.raises(UsageError, match="one joint and slot"):
        PatchTransformer(2, joints=[1], slots=["effort"])
    with pytest.raises(UsageError, match="from -1 to the 4 layers"):
        PatchTransformer(1, depths=[5])
    with pytest.raises(UsageError, match="positive"):
        PatchTransformer(1, step_s=0.0)
    with pytest.raises(UsageError, match="distance with two classes"):
        PatchTransformer(1, classes=3, kind="distance")
