"""AD-CNN is D-CNN plus the attention it says it has, on the fast path too."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from jointwatch.models._attention import SelfAttention, attend, attention_weights
from jointwatch.models.ad_cnn import AdCnn
from jointwatch.models.base import set_memory_format
from jointwatch.models.d_cnn import DCnn
from jointwatch.training.seed import seeded


def from_the_formulas(network: AdCnn, values: torch.Tensor) -> torch.Tensor:
    """Logits with images N_t x N_f, loops over the positions, three separate 1 x 1 convolutions."""
    maps = values.transpose(1, 2).unsqueeze(1)
    convolutions = [layer for layer in network.encoder if isinstance(layer, nn.Conv2d)]
    for layer, rates in zip(
        convolutions, zip(network.dilations_time, network.dilations_feature, strict=True), strict=True
    ):
        maps = functional.conv2d(
            maps, layer.weight.transpose(2, 3), layer.bias, padding=rates, dilation=rates
        ).relu()  # kernel 3: the padding is the rate
    matrices = network.self_attention.fgh.weight.chunk(3)
    shifts = network.self_attention.fgh.bias.chunk(3)
    f, g, h = (
        functional.conv2d(maps, matrix[:, :, None, None], shift).flatten(2)
        for matrix, shift in zip(matrices, shifts, strict=True)
    )
    taken = torch.zeros_like(h)
    for row in range(len(values)):
        for j in range(h.shape[2]):
            s = torch.stack([f[row, :, i] @ g[row, :, j] for i in range(h.shape[2])])
            beta = s.exp() / s.exp().sum()
            taken[row, :, j] = sum(beta[i] * h[row, :, i] for i in range(h.shape[2]))
    maps = network.self_attention.gamma * taken.view_as(maps) + maps
    return network.head(maps.permute(0, 3, 2, 1).flatten(1))


@pytest.mark.parametrize("channels_last", [False, True])
def test_same_outputs_and_gradients_as_the_formulas(channels_last: bool) -> None:
    with seeded(0):
        network, values = AdCnn(3, 7, filters=4, hidden=5, gamma_start=0.7), torch.randn(3, 3, 7)
    expected = from_the_formulas(network, values)
    expected.square().sum().backward()
    wanted = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
    network.zero_grad()
    set_memory_format(network, channels_last=channels_last)
    found = network(values)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    found.square().sum().backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], rtol=1e-4, atol=1e-6)


def test_fast_attention_is_the_written_out_one() -> None:
    f, g, h = (part.requires_grad_() for part in torch.randn(3, 4, 30, 8, generator=torch.Generator().manual_seed(0)))
    results = []
    for result in (attend(f, g, h), attention_weights(f, g) @ h):
        results.append((result, *torch.autograd.grad(result.sin().sum(), (f, g, h))))
    for fast, written in zip(*results, strict=True):
        torch.testing.assert_close(fast, written, rtol=1e-4, atol=1e-5)


def test_large_scores_do_not_overflow() -> None:
    f, g, h = 30 * torch.randn(3, 2, 10, 8, generator=torch.Generator().manual_seed(0))
    assert float((g @ f.transpose(1, 2)).max()) > 1000
    torch.testing.assert_close(attend(f, g, h), attention_weights(f, g) @ h, rtol=1e-4, atol=1e-3)


def test_it_begins_as_d_cnn_of_the_same_seed() -> None:
    with seeded(3):
        plain = DCnn(4, 9)
    with seeded(3):
        network = AdCnn(4, 9)
    with seeded(3):
        attentive = AdCnn(4, 9, gamma_start=1.0)
    values = torch.randn(5, 4, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(values), plain(values), rtol=1e-6, atol=1e-7)
    assert not torch.allclose(attentive(values), plain(values), atol=1e-3)


def test_f_g_and_h_learn_only_once_gamma_is_not_0() -> None:
    values = torch.randn(5, 4, 9, generator=torch.Generator().manual_seed(0))
    for gamma, learns in ((0.0, False), (0.5, True)):
        with seeded(0):
            network = AdCnn(4, 9, gamma_start=gamma)
        network(values).square().sum().backward()
        assert float(network.self_attention.gamma.grad.abs()) > 0
        for part in network.self_attention.fgh.weight.grad.chunk(3):
            assert bool(part.abs().sum() > 0) == learns


def test_the_layer_stays_float32_under_autocast() -> None:
    with seeded(0):
        layer, positions = SelfAttention(8, gamma=1.0), torch.randn(2, 12, 8)
    plain = layer(positions)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(positions), plain)
        assert layer.weights(positions).dtype == torch.float32


def test_attention_is_shares_and_shows_where_it_looks() -> None:
    with seeded(0):
        network = AdCnn(4, 9, filters=4).eval()
    values = torch.randn(3, 4, 9, generator=torch.Generator().manual_seed(0))
    matrix = network.attention_matrix(values)
    assert matrix.shape == (3, 9, 4, 9, 4)
    torch.testing.assert_close(matrix.sum((3, 4)), torch.ones(3, 9, 4))
    torch.testing.assert_close(network.attention(values), matrix.mean((1, 2)))
    # All look at where the strongest filter is largest, once f and g pick that filter out.
    with torch.no_grad():
        strongest = int(network.embed(values).view(-1, 4).sum(0).argmax())
        network.self_attention.fgh.weight.zero_()
        network.self_attention.fgh.bias.zero_()
        network.self_attention.fgh.weight[0, strongest] = 1e4  # f
        network.self_attention.fgh.bias[4] = 1.0  # g
        strength = network.embed(values).view(3, 4, 9, 4)[..., strongest]
    where = network.attention(values)
    assert float(strength.max()) > 0
    for row in range(3):
        feature, time = divmod(int(strength[row].argmax()), 9)
        assert divmod(int(where[row].argmax()), 4) == (time, feature)
        assert float(where[row, time, feature]) > 0.99


def test_the_mask_reaches_the_attention() -> None:
    with seeded(0):
        network, values = AdCnn(4, 9).eval(), torch.randn(2, 4, 9)
    mask = torch.tensor([[True, True, True, False]] * 2)
    changed = values.clone()
    changed[:, 3] = 1e3
    assert torch.equal(network.attention(values, mask), network.attention(changed, mask))
    assert not torch.allclose(network.attention(values), network.attention(changed))
