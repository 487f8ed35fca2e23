"""Time of many head fine-tunings: through the frozen network, on stored features, and all heads at once.

12 heads: four shares of the target x three repeats, on AD-CNN (maps of 16 blocks x 9 features, 16 filters: 2,304 values
into 64 hidden units, batches of 256) and on the 1-D CNN (64 values into a dense layer, batches of 32).
Run: python benchmarks/frozen_features.py [--quick] [--device cuda]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from _rotate import machine, ratios, show

from jointwatch.models.ad_cnn import AdCnn
from jointwatch.models.base import Network
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.frozen import OnFeatures, features_of
from jointwatch.training.loop import fit
from jointwatch.training.objectives import Supervised, balanced_weights
from jointwatch.training.options import Options
from jointwatch.training.seed import generator, seeded
from jointwatch.transfer.head_only import HeadOnly

CHANNELS, LENGTH = 9, 16


def main(quick: bool, device: str) -> None:
    with seeded(0):
        ad_cnn = AdCnn(channels=CHANNELS, length=LENGTH)
        cnn1d = Cnn1d(channels=CHANNELS, filters=(32, 64, 64))
    print(machine(), f"device {device}")
    compare(ad_cnn, 256, quick, device)
    compare(cnn1d, 32, quick, device)


def compare(source: Network, batch_size: int, quick: bool, device: str) -> None:
    count, epochs, repeats = (512, 2, 3) if quick else (2048, 20, 5)
    rng = generator(0)
    label = rng.integers(0, 2, count)
    values = rng.standard_normal((count, CHANNELS, LENGTH)) + label[:, None, None]
    data = Batch.of_arrays(values, label=label)
    rows = [
        generator(draw).permutation(count)[: round(share * count)] for share in (0.1, 0.4, 0.7, 1) for draw in (1, 2, 3)
    ]
    seeds = list(range(len(rows)))
    strategy = HeadOnly(
        epochs=epochs, learning_rate=1e-3, batch_size=batch_size, minimum_steps=1, schedule="constant", warm_up=0.0
    )

    def options(seed: int) -> Options:
        return Options(epochs=epochs, learning_rate=1e-3, seed=seed, bfloat16=False, device=device)

    def through() -> list[Network]:
        """The ordinary loop with all but the head frozen."""
        found = []
        for each, seed in zip(rows, seeds, strict=True):
            network = type(source)(**source.config())
            network.load_state_dict(source.state_dict())
            own = data.take(each)
            objective = Supervised(balanced_weights(own.label.numpy()))
            fit(network, Shuffled(own, batch_size, seed), objective, options(seed), trained=network.part("head"))
            found.append(network)
        return found

    def stored() -> list[Network]:
        features, found = features_of(source, data, device=device), []
        for each, seed in zip(rows, seeds, strict=True):
            network = type(source)(**source.config())
            network.load_state_dict(source.state_dict())
            own = features.take(each)
            objective = Supervised(balanced_weights(own.label.numpy()))
            fit(OnFeatures(network.head), Shuffled(own, batch_size, seed), objective, options(seed))
            found.append(network)
        return found

    def together() -> list[Network]:
        return strategy.tune_many(source, data, rows, seeds=seeds, device=device)

    same_work(data, through(), stored(), together())
    work: dict[str, Callable[[], object]] = {
        "through the frozen network, one after another": through,
        "on stored features, one after another": stored,
        "on stored features, all at once": together,
    }
    print(f"{source.name}: {repeats} rounds, {len(rows)} heads, {count} rows, {epochs} epochs, batches of {batch_size}")
    show(f"head fine-tuning of {source.name}: time", ratios(work, next(iter(work)), repeats), "smaller")


def same_work(data: Batch, *ways: list[Network]) -> None:
    """All ways end with the same verdicts, or the comparison is void."""
    with torch.inference_mode():
        first, *others = ([network.eval()(data.values, data.mask) for network in way] for way in ways)
        for other in others:
            torch.testing.assert_close(other, first, rtol=1e-2, atol=1e-2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, wide spread")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    given = parser.parse_args()
    main(given.quick, given.device)
