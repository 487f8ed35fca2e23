"""Foundation model: a pre-trained encoder in the network's place, for which normal windows or few labels suffice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.models._pretrained import load_pretrained
from jointwatch.models.base import Network
from jointwatch.models.patch_transformer import PatchTransformer
from jointwatch.training.data import Batch, Batches
from jointwatch.training.foundation import Use, ready
from jointwatch.training.loop import History
from jointwatch.training.objectives import Objective
from jointwatch.training.options import Options
from jointwatch.transfer.base import Strategy
from jointwatch.windows._standardised import standardised
from jointwatch.windows.time_step import time_step_s

__all__ = ["Foundation"]


@dataclass(eq=False, repr=False)
class Foundation(Strategy):
    """An encoder that was shown healthy robots of many kinds (`jointwatch pretrain`) stays as it is; what is learned is
    where the target's normal windows lie in its embedding, and from labels, those of sources among them, what a fault
    does to a robot.

    The detector's own network serves until `adapt` and is then replaced; with the detector `foundation` it is the same
    encoder before and after. It serves on two levels: `align` takes any `PatchTransformer`, pre-trained or not; `fit`
    and `adapt` work inside a detector that has a network.

    Parameters
    ----------
    detector : one with a network, such as `foundation` or `cnn`.
    clip_sigma, floor_share : of the normalisation under every strategy.
    use : `distance`, `probe`, `fine_tune`, or `auto`: a probe where labels of both classes are known of the target or
        of a source, else the distance to normal; see `training.foundation.ready`.
    weights : what `jointwatch pretrain` wrote; None = the weights that come with the package.
    strength : inverse of the probe's regularisation.
    depths : of the states that are looked at: 0 = patches of the signal as tokens, -1 = the encoder's last states.
    epochs, learning_rate, batch_size : of the fine-tuning.
    remembered : windows of the sources that a fitted strategy keeps for `adapt`, at most.

    Errors: `UsageError` for a detector without a network; `NotEnoughData` without two normal windows of the target;
    `ModelFileError` for weights that cannot be read.

    Source: strategy 6 of docs/transfer.md; see docs/foundation.md.
    """

    usual_detector: ClassVar[str] = "foundation"

    detector: Any = None
    clip_sigma: float = 5.0
    floor_share: float = 0.01
    use: Use = "auto"
    weights: str | None = None
    strength: float = 0.1
    depths: Sequence[int] = (0, -1)
    epochs: int = 10
    learning_rate: float = 1e-3
    batch_size: int = 64
    remembered: int = 2000

    def align(
        self,
        network: Network,
        sources: Batch | Sequence[Batch],
        target: Batch,
        labelled: Batch | None = None,
        *,
        seed: int = 0,
        device: str = "cpu",
        bfloat16: bool | Literal["auto"] = False,
    ) -> Network:
        """A network for the target; the given one stays as it is.

        Parameters
        ----------
        network : a `PatchTransformer` bound to the layout of the rows, with the encoder that is to be used.
        sources : rows of robots that lend their labels, one batch each; none are needed.
        target : rows of the target, taken as normal whatever their labels say.
        labelled : the few rows of the target whose labels may be used.
        seed, device, bfloat16 : of the fine-tuning.

        Errors: `UsageError` for another kind of network.
        """
        if not isinstance(network, PatchTransformer):
            raise UsageError(
                f"{self.name} works with the network patch_transformer, got {type(network).__name__}; "
                "bind a pre-trained encoder with PatchTransformer.of"
            )
        lent = (sources,) if isinstance(sources, Batch) else tuple(sources)
        own = [replace(target, label=torch.zeros_like(target.label)), *([] if labelled is None else [labelled])]
        parts = [part.of_domain(0) for part in own] + [part.of_domain(1 + i) for i, part in enumerate(lent)]
        options = Options(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            schedule="cosine",
            warm_up=0.1,
            seed=seed,
            device=device,
            bfloat16=bfloat16,
        )
        data = Batch.concatenate([part for part in parts if len(part)])
        return ready(
            network,
            data,
            target=0,
            use=self.use,
            strength=self.strength,
            options=options,
            batch_size=self.batch_size,
        )

    def _fit(self, source: Windows) -> None:
        if not hasattr(self.detector_, "align_by"):
            raise UsageError(
                f"{type(self.detector_).__name__} has no network that could be replaced; {self.name} works with the "
                "detectors foundation and cnn, normalisation with all"
            )
        self.detector_.fit(source)
        self.source_ = self.detector_.examples(source, self.remembered)

    def _adapt(self, target: Windows, labelled: Windows | None) -> None:
        detector, source = self.detector_, self.source_
        known = None if labelled is None else labelled[labelled.index.label != "uncertain"]
        others = target if known is None else target[~np.isin(target.index.cycle, known.index.cycle)]
        encoder, _ = load_pretrained(self.weights)
        step_s = float(np.median(time_step_s(target)))
        bound = PatchTransformer.of(encoder, target.channels, step_s, depths=self.depths)

        def rows(windows: Windows) -> Batch:
            return Batch.of(
                windows.with_values(standardised(windows, detector.mean_, detector.scale_, detector.clip_sigma))
            )

        lent = [rows(source[source.index.domain == name]) for name in np.unique(source.index.domain)]
        made = self.align(
            bound,
            lent,
            rows(others),
            None if known is None or not len(known) else rows(known),
            seed=detector.random_state,
            device=detector.device,
            bfloat16=detector.bfloat16,
        )

        def exchange(
            network: Network, batches: Batches, objective: Objective, options: Options
        ) -> tuple[Network, History]:
            return made, History()

        detector.fine_tune_by(others if len(others) else target, exchange)
