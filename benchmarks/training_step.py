"""Time of a training step: the project's loop against a plain PyTorch loop with the same network.

24 channels x 200 samples, CNN 64/128/256, batches of 256. Run: python benchmarks/training_step.py [--quick]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from _plain import PlainCnn, train
from _rotate import machine, ratios, show

from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.loop import fit
from jointwatch.training.objectives import Supervised
from jointwatch.training.options import Options
from jointwatch.training.seed import generator, seeded

BATCH_SIZE, CHANNELS, LENGTH = 256, 24, 200


def main(quick: bool) -> None:
    steps, repeats = (2, 5) if quick else (6, 15)
    rng = generator(0)
    values = rng.standard_normal((steps * BATCH_SIZE, CHANNELS, LENGTH)).astype(np.float32)
    data = Batch.of_arrays(values, label=rng.integers(0, 2, len(values)))
    with seeded(0):
        start = Cnn1d(CHANNELS)
    same_work(start, data.values[:8])

    def ours(options: Options) -> Callable[[], object]:
        network = Cnn1d(**start.config())
        network.load_state_dict(start.state_dict())
        return lambda: fit(network, Shuffled(data, BATCH_SIZE), Supervised(), options)

    plain = PlainCnn(start)
    work: dict[str, Callable[[], object]] = {
        "plain loop, 1-D layers, float32": lambda: train(plain, data.values, data.label, BATCH_SIZE, epochs=1),
        "our loop, float32": ours(Options(epochs=1, channels_last=False, bfloat16=False)),
        "our loop, channels-last": ours(Options(epochs=1, channels_last=True, bfloat16=False)),
        "our loop, bfloat16": ours(Options(epochs=1, channels_last=False, bfloat16=True)),
        "our loop, channels-last + bfloat16": ours(Options(epochs=1, channels_last=True, bfloat16=True)),
        "our loop, default options": ours(Options(epochs=1)),
    }
    print(machine())
    print(f"{repeats} rounds of {steps} steps, {CHANNELS} x {LENGTH}, batches of {BATCH_SIZE}")
    show("training step: time", ratios(work, next(iter(work)), repeats), "smaller")


def same_work(network: Cnn1d, values: torch.Tensor) -> None:
    """Both networks compute the same, or the comparison is void."""
    with torch.inference_mode():
        torch.testing.assert_close(PlainCnn(network).eval()(values), network.eval()(values), rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, wide spread")
    main(parser.parse_args().quick)
