"""Networks and the loop as one would write them by hand in PyTorch: what the benchmarks compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from jointwatch.models.ad_cnn import AdCnn
from jointwatch.models.cnn1d import Cnn1d

__all__ = ["PlainAdCnn", "PlainCnn", "train"]


class PlainCnn(nn.Module):
    """`Cnn1d` written with 1-D layers, with the same weights."""

    def __init__(self, twin: Cnn1d) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = twin.channels
        for outputs, size in zip(twin.filters, twin.kernels, strict=True):
            layers += [nn.Conv1d(inputs, outputs, size, padding="same", bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
            inputs = outputs
        self.encoder = nn.Sequential(*layers)
        self.head = nn.Linear(inputs, twin.classes)
        weights = {name.replace("head.1.", "head."): value for name, value in twin.state_dict().items()}
        self.load_state_dict({name: value.squeeze(2) if value.ndim == 4 else value for name, value in weights.items()})

    def forward(self, values: Tensor) -> Tensor:
        return self.head(self.encoder(values).mean(dim=2))


class PlainAdCnn(nn.Module):
    """`AdCnn` as its paper writes it, with the same weights: images N_t x N_f, three convolutions for f, g and h, the
    whole matrix of attention."""

    def __init__(self, twin: AdCnn) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for rates in zip(twin.dilations_time, twin.dilations_feature, strict=True):
            layers += [nn.Conv2d(inputs, twin.filters, twin.kernel, padding="same", dilation=rates), nn.ReLU()]
            inputs = twin.filters
        self.encoder = nn.Sequential(*layers)
        self.f, self.g, self.h = (nn.Conv2d(inputs, inputs, 1) for _ in range(3))
        self.gamma = nn.Parameter(torch.zeros(1))
        self.head = nn.Sequential(
            nn.Linear(inputs * twin.length * twin.channels, twin.hidden),
            nn.ReLU(),
            nn.Linear(twin.hidden, twin.classes),
        )
        self._copy(twin)

    def _copy(self, twin: AdCnn) -> None:
        weights = {name.replace("head.3.", "head.2."): value for name, value in twin.state_dict().items()}
        for kind in ("weight", "bias"):
            parts = weights.pop(f"self_attention.fgh.{kind}").chunk(3)
            weights |= {f"{name}.{kind}": part for name, part in zip("fgh", parts, strict=True)}
        weights |= {f"{name}.weight": weights[f"{name}.weight"][..., None, None] for name in "fgh"}
        weights["gamma"] = weights.pop("self_attention.gamma")
        by_position = weights["head.0.weight"].unflatten(1, (twin.channels, twin.length, twin.filters))
        weights["head.0.weight"] = by_position.permute(0, 3, 2, 1).flatten(1)
        self.load_state_dict({name: value.mT if value.ndim == 4 else value for name, value in weights.items()})

    def forward(self, values: Tensor) -> Tensor:
        maps = self.encoder(values.mT.unsqueeze(1))
        f, g, h = (layer(maps).flatten(2) for layer in (self.f, self.g, self.h))
        beta = torch.softmax(f.transpose(1, 2) @ g, dim=1)
        return self.head((self.gamma * (h @ beta).view_as(maps) + maps).flatten(1))


def train(
    network: nn.Module, values: Tensor, label: Tensor, batch_size: int, epochs: int, learning_rate: float = 1e-3
) -> None:
    """Adam, shuffled batches, cross-entropy."""
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(values)).split(batch_size):
            loss = nn.functional.cross_entropy(network(values[rows]), label[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
