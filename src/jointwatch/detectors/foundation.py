"""Pre-trained masked-patch transformer: distance to normal without a label, a probe or fine-tuning with few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Self

import numpy as np

from jointwatch.core import Windows
from jointwatch.detectors._spread import channel_moments
from jointwatch.detectors.cnn import Aligner, Cnn, Trainer
from jointwatch.models._pretrained import load_pretrained
from jointwatch.models.base import Network
from jointwatch.models.patch_transformer import PatchTransformer
from jointwatch.training.foundation import Use, ready, trainable
from jointwatch.windows.time_step import time_step_s

__all__ = ["Foundation"]


class Foundation(Cnn):
    """The encoder was shown healthy robots of many kinds before it came here (`jointwatch pretrain`), so it needs no
    training: what is learned is where this robot's normal windows lie in its embedding, joint by joint.

    Without labels the score is the mean over joints of the squared Mahalanobis distance to normal, 1 on average where
    windows are; with labels of both classes the log-odds of a probe of these distances, or of the whole network after
    a fine-tuning. It is a detector with a network, so every strategy that trains one can train it further, and it is
    stored and explained as `cnn` is.

    Parameters
    ----------
    use : `auto`, `distance`, `probe` or `fine_tune`, see `training.foundation.ready`.
    weights : what `jointwatch pretrain` wrote, file or folder; None = the weights that come with the package. They are
        copied into the fitted detector: the file is not needed to load it.
    strength : inverse of the probe's regularisation.
    depths : of the states that are looked at: 0 = patches of the signal as tokens, -1 = the encoder's last states.
    epochs, learning_rate, batch_size, weight_decay : of training the network further.
    strength_sigma, clip_sigma, bfloat16, device, random_state : see `Cnn`.

    Attributes
    ----------
    network_ : `models.patch_transformer.PatchTransformer`. anomalies_ : what a further training learns from. Others:
        see `Cnn`.

    Errors: `ModelFileError` for weights that cannot be read.

    Source: strategy 6 of docs/transfer.md; see docs/foundation.md.

    >>> rng = np.random.default_rng(0)
    >>> healthy = np.sin(np.arange(100) / 8) + 0.2 * rng.standard_normal((60, 2, 100))
    >>> odd = healthy[:10] + 2 * np.tanh(np.arange(100) - 50)
    >>> detector = Foundation().fit(healthy)
    >>> detector.network_.kind, bool(detector.score_samples(odd).min() > detector.score_samples(healthy).max())
    ('distance', True)
    """

    def __init__(
        self,
        use: Use = "auto",
        weights: str | None = None,
        strength: float = 0.1,
        depths: Sequence[int] = (0, -1),
        epochs: int = 10,
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        weight_decay: float = 1e-3,
        strength_sigma: tuple[float, float] = (0.2, 5.0),
        clip_sigma: float = 5.0,
        bfloat16: bool | Literal["auto"] = "auto",
        device: str = "cpu",
        random_state: int = 0,
    ) -> None:
        super().__init__(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            patience=None,
            strength_sigma=strength_sigma,
            clip_sigma=clip_sigma,
            bfloat16=bfloat16,
            device=device,
            random_state=random_state,
        )
        self.use = use
        self.weights = weights
        self.strength = strength
        self.depths = depths

    def _fit(self, windows: Windows) -> None:
        healthy = windows.normal()
        self.anomalies_ = self._mode(windows)
        self.mean_, self.scale_ = channel_moments(healthy)
        encoder, _ = load_pretrained(self.weights)
        step_s = float(np.median(time_step_s(windows)))
        bound = PatchTransformer.of(encoder, windows.channels, step_s, depths=self.depths)
        self.network_: Network = ready(
            bound,
            self._batch(windows),
            use=self.use,
            strength=self.strength,
            options=replace(self._options(), schedule="cosine", warm_up=0.1),
            batch_size=self.batch_size,
        )
        self.validation_windows_, self.history_ = 0, {}
        self._rebuild()
        self._remember(healthy)

    def fine_tune_by(self, windows: Windows, train: Trainer) -> Self:
        """See `Cnn`; what is trained further gets a linear head on the vectors of all joints."""
        self._open()
        return super().fine_tune_by(windows, train)

    def align_by(self, sources: Windows, target: Windows, labelled: Windows | None, align: Aligner) -> Self:
        """See `Cnn`; what is trained further gets a linear head on the vectors of all joints."""
        self._open()
        return super().align_by(sources, target, labelled, align)

    def _open(self) -> None:
        if isinstance(self.network_, PatchTransformer):  # one that a strategy has wrapped has a head to train
            self.network_ = trainable(self.network_)
