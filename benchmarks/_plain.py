"""The network and the loop as one would write them by hand in PyTorch: what the benchmarks compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from jointwatch.models.cnn1d import Cnn1d

__all__ = ["PlainCnn", "train"]


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


def train(network: nn.Module, values: Tensor, label: Tensor, batch_size: int, epochs: int) -> None:
    """Adam, shuffled batches, cross-entropy."""
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(values)).split(batch_size):
            loss = nn.functional.cross_entropy(network(values[rows]), label[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
