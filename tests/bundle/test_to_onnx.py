"""A function becomes a graph with any number of rows, its gradients and its adjustable figures included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from jointwatch.bundle._to_onnx import to_onnx
from jointwatch.core.errors import ModelFileError, UsageError
from jointwatch.models._blame import blame, log_odds
from jointwatch.models._onnx_graph import GraphFunction, OnnxGraph
from jointwatch.models.ad_cnn import AdCnn
from jointwatch.models.base import Network
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.batch_norm import estimate_statistics, running_statistics, statistics_function
from jointwatch.training.data import Batch


def of(network: Network, channels: int, length: int) -> tuple[OnnxGraph, GraphFunction]:
    """The graph of log-odds and contributions of a network in which nothing is at its default."""
    torch.manual_seed(0)
    for name, buffer in running_statistics(network).items():
        buffer.copy_(0.1 * torch.rand_like(buffer) + (0.05 if name.endswith("var") else -0.1))
    network.eval().requires_grad_(False)
    statistics = running_statistics(network)
    references = torch.randn(7, channels, length)

    def explain(values: Tensor, mask: Tensor, known: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip(statistics, given, strict=True))
        return blame(lambda x, there: functional_call(network, named, (x, there)), values, mask, known)

    function = GraphFunction(
        explain,
        {"values": torch.randn(1, channels, length), "mask": torch.ones(1, channels, dtype=torch.bool)},
        ("score", "parts"),
        {"known": references},
        statistics,
        gradient=True,
    )
    return to_onnx(function), function


@pytest.fixture(scope="module")
def cnn() -> tuple[OnnxGraph, GraphFunction]:
    return of(Cnn1d(2, filters=(4, 6), kernels=(5, 3)), 2, 2)


def both(graph: OnnxGraph, function: GraphFunction, rows: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(graph, torch) outputs for random inputs, some channels absent."""
    drawn = torch.Generator().manual_seed(rows)
    shape = function.inputs["values"].shape[1:]
    values, mask = torch.randn(rows, *shape, generator=drawn), torch.rand(rows, shape[0], generator=drawn) > 0.2
    known = function.constants["known"]
    found = graph.run(values=values.numpy(), mask=mask.numpy(), known=known.numpy())
    expected = function.function(values, mask, known, *(torch.from_numpy(a) for a in graph.adjustable.values()))
    return list(zip(found, [tensor.numpy() for tensor in expected], strict=True))


@pytest.mark.parametrize("rows", [1, 2, 5, 7, 300])
def test_scores_and_gradients_are_those_of_torch(cnn: tuple[OnnxGraph, GraphFunction], rows: int) -> None:
    for found, expected in both(*cnn, rows):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_attention_is_exported_with_its_gradient() -> None:
    graph, function = of(AdCnn(channels=3, length=8, filters=4, hidden=8, gamma_start=0.5), 3, 8)
    for found, expected in both(graph, function, 6):
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_adjustable_figures_change_what_the_graph_says(cnn: tuple[OnnxGraph, GraphFunction]) -> None:
    graph, function = cnn
    assert set(graph.adjustable) == set(function.adjustable)
    name = next(name for name in graph.adjustable if name.endswith("running_mean"))
    moved = graph.adjusted({name: graph.adjustable[name] + 1.0})
    before, after = both(graph, function, 5)[0][0], both(moved, function, 5)
    assert np.abs(after[0][0] - before).max() > 1e-3
    assert np.abs(after[0][0] - after[0][1]).max() <= 1e-5 * np.abs(after[0][1]).max()
    with pytest.raises(UsageError, match="no adjustable"):
        graph.adjusted({name: np.zeros(99, np.float32)})
    with pytest.raises(UsageError, match="no adjustable"):
        graph.adjusted({"weight": np.zeros(1, np.float32)})


def test_other_inputs_and_foreign_content_are_refused(cnn: tuple[OnnxGraph, GraphFunction]) -> None:
    with pytest.raises(UsageError, match="the graph takes known, mask, values, got values"):
        cnn[0].run(values=np.zeros((1, 2, 2), np.float32))
    with pytest.raises(ModelFileError, match="export the model again"):
        OnnxGraph(b"not a graph").run()


def test_a_graph_reads_no_file(
    cnn: tuple[OnnxGraph, GraphFunction], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it looks for outside itself is handed over, or not there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adjustable").write_bytes(bytes(10_000))
    with pytest.raises(ModelFileError):
        OnnxGraph(cnn[0].content).run()


def test_statistics_are_those_that_training_would_measure() -> None:
    torch.manual_seed(1)
    network = Cnn1d(3, filters=(4, 5), kernels=(3, 3)).eval().requires_grad_(False)
    values, mask = torch.randn(40, 3, 16) * 3 + 1, torch.ones(40, 3, dtype=torch.bool)
    mask[:7, 1] = False
    graph = to_onnx(statistics_function(network, {"values": values[:1], "mask": mask[:1]}))
    batch = Batch.of_arrays(values.numpy(), mask.numpy(), np.zeros(40, int))

    class Halves:
        def __len__(self) -> int:
            return 2

        def batch(self, epoch: int, step: int) -> Batch:
            return batch.take(np.arange(20) + 20 * step)

    found = [graph.run(values=values[r].numpy(), mask=mask[r].numpy()) for r in (slice(0, 20), slice(20, 40))]
    estimate_statistics(network, Halves())
    for (name, expected), one, two in zip(running_statistics(network).items(), *found, strict=True):
        assert np.allclose((one + two) / 2, expected.numpy(), rtol=1e-5, atol=1e-6), name


def test_what_the_score_rests_on_points_at_the_channel_that_departs() -> None:
    """Of a linear network the parts add up to the difference of the log-odds."""
    weight = torch.tensor([1.0, -2.0, 0.0])

    def linear(values: Tensor, mask: Tensor) -> Tensor:
        odds = (values.mean(dim=2) * weight).sum(dim=1)
        return torch.stack([torch.zeros_like(odds), odds], dim=1)

    values, known = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 3, 4)
    odds, parts = blame(linear, values, torch.ones(5, 3, dtype=torch.bool), known)
    assert torch.allclose(parts.sum(dim=1), odds, atol=1e-6)
    assert (parts[:, 2] == 0).all()
    assert torch.allclose(odds, log_odds(linear(values, torch.ones(5, 3, dtype=torch.bool))))
