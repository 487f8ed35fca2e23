"""One window on one thread: a network in eager PyTorch, as an ONNX graph, and in eight bits, from one run.

The networks are those of the sizes that deployment asks for: a convolutional classifier of about half a million
parameters and the auto-encoder of two million, 24 channels x 200 samples, trained briefly on windows made here. Eager
is the same function of the same windows (standardised values in, score out), so that only the execution differs.
p50 and p99 over rotating calls, the ratio to eager, and how many decisions change on windows that no variant has seen.

  python benchmarks/edge_latency.py [--quick]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

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
from jointwatch.models._onnx_graph import GraphFunction, OnnxGraph

CHANNELS, LENGTH = 24, 200
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


def taken_apart(detector: Detector) -> tuple[NetworkGraph, GraphFunction]:
    """The detector as it is exported, and the torch function that its score is made of."""
    functions: list[GraphFunction] = []

    def compiled(name: str, function: GraphFunction) -> OnnxGraph:
        functions.append(function)
        return to_onnx(function)

    exported: NetworkGraph = detector.for_edge(compiled)  # type: ignore[attr-defined]
    return exported, functions[0]


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
    detector.fit(healthy)
    exported, function = taken_apart(detector)
    graph, constants, edge = exported.score_graph, exported.constants(exported.score_graph), exported.inputs
    seen = [edge(windows) for windows in (healthy, disturbed(healthy))]
    rows = {key: np.concatenate([each[key] for each in seen]) for key in seen[0]}
    small = in_eight_bits(graph, rows, constants)
    fixed = [torch.from_numpy(array) for array in constants.values()]
    given = [torch.from_numpy(array.copy()) for array in graph.adjustable.values()]

    def eager(inputs: dict[str, np.ndarray]) -> np.ndarray:
        with torch.inference_mode():
            found = function.function(*(torch.from_numpy(array) for array in inputs.values()), *fixed, *given)
        return (found[0] if isinstance(found, tuple) else found).numpy()

    one = edge(new[:1])
    calls: dict[str, Callable[[], object]] = {
        "eager": lambda: eager(one),
        "ONNX": lambda: graph.run(**one, **constants),
        "int8": lambda: small.run(**one, **constants),
    }
    asked = [edge(windows) for windows in (new, disturbed(new))]
    scores = {
        "eager": np.concatenate([eager(each) for each in asked]),
        "ONNX": np.concatenate([graph.run(**each, **constants)[0] for each in asked]),
        "int8": np.concatenate([small.run(**each, **constants)[0] for each in asked]),
    }
    limit = np.quantile(eager(edge(healthy)), 0.99)
    spent = percentiles(calls, rounds)
    count = sum(parameter.numel() for parameter in detector.network_.parameters())  # type: ignore[attr-defined]
    for variant, (half, most) in spent.items():
        changed = ((scores[variant] > limit) != (scores["eager"] > limit)).sum()
        table.add_row(
            f"{name} ({count / 1e6:.2f} M)",
            variant,
            *(f"{value / spent['eager'][i]:.2f}" for i, value in enumerate((half, most))),
            f"{half * 1e3:.2f}",
            f"{most * 1e3:.2f}",
            f"{changed} of {len(scores['eager'])}",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer epochs and calls")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("network", "as", "p50 / eager", "p99 / eager", "p50, ms", "p99, ms", "decisions changed")
    for name in DETECTORS:
        run(name, options.quick, 100 if options.quick else 1000, table)
    console = Console(width=120)
    console.print(machine())
    console.print(table)


if __name__ == "__main__":
    main()
