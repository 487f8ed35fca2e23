"""One window on one thread: a detector with a network in PyTorch, as an ONNX graph, and in eight bits, from one run.

The networks are those of the sizes that deployment asks for: a convolutional classifier of about half a million
parameters and the auto-encoder of two million, 24 channels x 200 samples, trained briefly on windows made here. What is
timed is what a user calls, standardisation included: `score_samples` gives the score, `detect` the score and what each
channel brought to it, which names the joint; `detect_by_cycle` does that for a cycle of eight windows, of which the
highest is explained, and `detect` beside it for all eight. PyTorch runs as it scores by default (channels-last, no
gradient but for contributions). p50 and p99 over rotating calls, ratios to PyTorch, and how many decisions change on
windows that nothing was fitted to, half of them disturbed.

  OMP_NUM_THREADS=1 python benchmarks/edge_latency.py [--quick]
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from _rotate import machine
from rich.console import Console
from rich.table import Table

from jointwatch.bundle._int8 import in_eight_bits
from jointwatch.bundle._to_onnx import to_onnx
from jointwatch.bundle.golden import disturbed
from jointwatch.core import Windows
from jointwatch.detectors._network_graph import NetworkGraph
from jointwatch.detectors.base import Detector, as_windows
from jointwatch.detectors.cnn import Cnn
from jointwatch.detectors.cnn_lstm_auto_encoder import CnnLstmAutoEncoder

CHANNELS, LENGTH, WINDOWS = 24, 200, 8
DETECTORS: dict[str, Callable[[int], Detector]] = {
    "CNN, filters 128 256 384": lambda epochs: Cnn(filters=(128, 256, 384), epochs=epochs),
    "CNN-LSTM auto-encoder": lambda epochs: CnnLstmAutoEncoder(epochs=epochs),
}


def made(count: int, seed: int) -> Windows:
    """Windows of smooth motion with noise."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1)) + np.arange(CHANNELS)[:, None]
    t = np.linspace(0, 4 * np.pi, LENGTH)
    return as_windows((np.sin(t + phase) + 0.3 * rng.standard_normal((count, CHANNELS, LENGTH))).astype(np.float32))


def in_variants(detector: Detector, healthy: Windows) -> dict[str, Detector]:
    """The detector, and what it is exported to."""
    graph: NetworkGraph = detector.for_edge(lambda name, function: to_onnx(function))  # type: ignore[attr-defined]
    seen = [graph.inputs(windows) for windows in (healthy, disturbed(healthy))]
    rows = {key: np.concatenate([each[key] for each in seen]) for key in seen[0]}
    small = copy.copy(graph)
    small.blame_graph = graph.blame_graph or graph.score_graph
    small.score_graph = in_eight_bits(graph.score_graph, rows, graph.constants(graph.score_graph))
    small.eight_bits = True
    return {"PyTorch": detector, "ONNX": graph, "int8": small}


def percentiles(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Name -> (p50, p99) seconds; the calls take turns."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 20):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number >= 20:
                spent[name].append(time.perf_counter() - start)
    return {name: np.percentile(seconds, (50, 99)) for name, seconds in spent.items()}


def run(name: str, quick: bool, rounds: int, table: Table) -> None:
    detector = DETECTORS[name](1 if quick else 5)
    healthy, new = made(200 if quick else 600, 0), made(200, 1)
    variants = in_variants(detector.fit(healthy), healthy)
    limits = {variant: np.quantile(each.score_samples(healthy), 0.99) for variant, each in variants.items()}
    passed = {
        variant: np.concatenate([each.score_samples(windows) for windows in (new, disturbed(new))]) > limits[variant]
        for variant, each in variants.items()
    }
    count = sum(parameter.numel() for parameter in detector.network_.parameters())  # type: ignore[attr-defined]
    one, cycle = new[:1], new[:WINDOWS]
    cycle = replace(cycle, index=replace(cycle.index, cycle=np.full(WINDOWS, "one")))
    for what, asked in (("score_samples", one), ("detect", one), ("detect", cycle), ("detect_by_cycle", cycle)):
        calls = {variant: partial(getattr(each, what), asked) for variant, each in variants.items()}
        spent = percentiles(calls, rounds)
        for variant, (half, most) in spent.items():
            table.add_row(
                f"{name} ({count / 1e6:.2f} M)",
                what if asked is one else f"{what}, {WINDOWS} windows",
                variant,
                *(f"{value / spent['PyTorch'][i]:.2f}" for i, value in enumerate((half, most))),
                f"{half * 1e3:.2f}",
                f"{most * 1e3:.2f}",
                f"{(passed[variant] != passed['PyTorch']).sum()} of {len(passed[variant])}",
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer epochs and calls")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("network", "call", "as", "p50 ratio", "p99 ratio", "p50, ms", "p99, ms", "decisions changed")
    for name in DETECTORS:
        run(name, options.quick, 100 if options.quick else 1000, table)
    console = Console(width=120)
    console.print(machine())
    console.print(table)


if __name__ == "__main__":
    main()
