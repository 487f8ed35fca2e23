"""Only the head is trained on the target; the encoder is frozen, so its features are computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from jointwatch.models.base import Network
from jointwatch.training.data import Batch, Batches, Shuffled
from jointwatch.training.frozen import OnFeatures, features_of
from jointwatch.training.groups import Group
from jointwatch.training.heads import HeadJob, fit_heads
from jointwatch.training.loop import History, fit
from jointwatch.training.objectives import HeldOut, Objective, Supervised
from jointwatch.training.options import Options
from jointwatch.transfer._fine_tuning import FineTuning, Validate, Weights

__all__ = ["HeadOnly"]


@dataclass(eq=False, repr=False)
class HeadOnly(FineTuning):
    """Convolutions, recurrences and batch norms stay as the source taught them, statistics included; dense layers and
    classifier are trained, from those of the source or new (`new_head`).

    Where batches are not changed on the way (no synthetic anomalies) the head learns on stored features, with the
    same result up to rounding; `tune_many` trains many heads at once.

    Parameters are those of every fine-tuning: see `FineTuning`.

    Source: Yosinski et al., "How transferable are features in deep neural networks?", NIPS 2014; for reducers of
    robots the convolutions are frozen and new fully connected layers and classifier are trained (`new_head`).

    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> source, label = Cnn1d(2, filters=(4, 4, 4)), np.arange(20) % 2
    >>> target = Batch.of_arrays(np.random.default_rng(0).standard_normal((20, 2, 16)), label=label)
    >>> network = HeadOnly(epochs=2, new_head=True).tune(source, target)
    >>> one, other = source.state_dict(), network.state_dict()
    >>> [name for name in one if not bool((one[name] == other[name]).all())]
    ['head.1.weight', 'head.1.bias']
    """

    def _groups(self, network: Network) -> Sequence[Group]:
        return [Group(network.part("head"))]

    def _fitted(
        self, network: Network, batches: Batches, objective: Objective, options: Options, validate: Validate | None
    ) -> History:
        fixed = isinstance(batches, Shuffled) and batches.change is None and isinstance(objective, Supervised)
        if not fixed or not (validate is None or isinstance(validate, HeldOut)):
            return super()._fitted(network, batches, objective, options, validate)
        assert isinstance(batches, Shuffled)
        stored = replace(batches, data=features_of(network, batches.data, device=options.device))
        if isinstance(validate, HeldOut):
            validate = replace(validate, data=features_of(network, validate.data, device=options.device))
        return fit(OnFeatures(network.head), stored, objective, options, validate=validate)

    def tune_many(
        self,
        network: Network | Sequence[Network],
        data: Batch,
        rows: Sequence[np.ndarray],
        *,
        seeds: Sequence[int] | None = None,
        validate_rows: Sequence[np.ndarray] | None = None,
        classes: int | None = None,
        class_weights: Weights = "balanced",
        device: str = "cpu",
        bfloat16: bool | Literal["auto"] = False,
    ) -> list[Network]:
        """As in every strategy, but each network sees `data` once and all heads are trained at the same time."""
        networks, numbers = self._each(network, rows, seeds, validate_rows)
        starts = [self._start(networks[i], classes, numbers[i]) for i in range(len(rows))]
        seen = {id(each): features_of(each, data, device=device) for each in {id(n): n for n in networks}.values()}
        jobs = [
            HeadJob(
                starts[i].head,
                seen[id(networks[i])],
                rows[i],
                numbers[i],
                None if validate_rows is None else validate_rows[i],
                self._objective(starts[i], data.take(rows[i]), class_weights).class_weights,
            )
            for i in range(len(rows))
        ]
        options = self._options(Options(device=device))
        found = fit_heads(jobs, options, batch_size=self.batch_size, minimum_steps=self.minimum_steps)
        for start, trained in zip(starts, found, strict=True):
            start.head.load_state_dict(trained.head.state_dict())
            start.eval()
        return starts
