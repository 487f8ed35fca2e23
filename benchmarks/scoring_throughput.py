"""Windows scored a second: the detector and its network against the plain network, one at a time and in batches.

24 channels x 200 samples, CNN 64/128/256. Run: python benchmarks/scoring_throughput.py [--quick]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from _plain import PlainCnn
from _rotate import machine, ratios, show

from jointwatch.detectors.base import as_windows
from jointwatch.detectors.cnn import Cnn
from jointwatch.models.base import set_memory_format
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.seed import generator

CHANNELS, LENGTH = 24, 200


def main(quick: bool) -> None:
    repeats = 5 if quick else 25
    windows = as_windows(generator(0).standard_normal((256, CHANNELS, LENGTH)).astype(np.float32))
    detector = Cnn(epochs=1).fit(windows)
    print(machine())
    for batch, calls in ((1, 10 if quick else 50), (256, 1 if quick else 2)):
        values, some = torch.tensor(windows.values[:batch]), windows[:batch]
        work: dict[str, Callable[[], object]] = {
            "plain network, 1-D layers, float32": scorer(PlainCnn(detector.network_), values),
            "our network, float32": scorer(fresh(detector, channels_last=False), values),
            "our network, channels-last": scorer(fresh(detector, channels_last=True), values),
            "our network, bfloat16": scorer(fresh(detector, channels_last=False), values, bfloat16=True),
            "our network, channels-last + bfloat16": scorer(fresh(detector, channels_last=True), values, bfloat16=True),
            "detector, standardising included": lambda some=some: detector.score_samples(some),
            "detector, with contributions": lambda some=some: detector.detect(some),
        }
        times = ratios({name: several(call, calls) for name, call in work.items()}, next(iter(work)), repeats)
        throughput = {name: (1 / middle, 1 / high, 1 / low) for name, (middle, low, high) in times.items()}
        show(f"windows a second, batches of {batch}", throughput, "larger")


def scorer(network: torch.nn.Module, values: torch.Tensor, bfloat16: bool = False) -> Callable[[], object]:
    network.eval()

    def score() -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return network(values)

    return score


def fresh(detector: Cnn, channels_last: bool) -> Cnn1d:
    network = Cnn1d(**detector.network_.config())
    network.load_state_dict(detector.network_.state_dict())
    set_memory_format(network, channels_last=channels_last)
    return network


def several(call: Callable[[], object], times: int) -> Callable[[], object]:
    def run() -> None:
        for _ in range(times):
            call()

    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, wide spread")
    main(parser.parse_args().quick)
