"""Pre-training of the foundation model: masked reconstruction of healthy windows, and figures beside simple guesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from jointwatch.core.errors import UsageError
from jointwatch.core.slices import slices
from jointwatch.models._masked_patches import MaskedPatches
from jointwatch.models._patch_encoder import SIZES, PatchEncoder, patches_of
from jointwatch.training.corpus import Part
from jointwatch.training.loop import History, fit
from jointwatch.training.masked import GUESSES, MaskedReconstruction, guess, masked_error
from jointwatch.training.options import Options
from jointwatch.training.reconstruction import held_out_groups
from jointwatch.training.seed import generator, seeded
from jointwatch.training.telemetry import Interleaved, MaskPolicy, Telemetry, masked

__all__ = ["HeldOutMasked", "Pretrained", "figures", "pretrain"]

_VALIDATION = 71  # stream of the masks that validation and figures see
_AT_ONCE = 128


@dataclass(frozen=True)
class HeldOutMasked:
    """Mean loss over groups that are not trained on, each row counting the same, with masks that stay: what chooses
    the epoch."""

    groups: tuple[Telemetry, ...]

    def __call__(self, network: nn.Module) -> float:
        device = next(network.parameters()).device
        mode = network.training
        network.eval()
        total = 0.0
        with torch.inference_mode():
            for group in self.groups:
                for rows in slices(len(group), _AT_ONCE):
                    some = group.take(np.r_[rows])
                    total += len(some) * float(MaskedReconstruction()(network, some.to(device), 1.0))
        network.train(mode)
        return total / sum(map(len, self.groups))

    def fingerprint(self) -> str:
        """Digest of the data and masks."""
        return " ".join(group.fingerprint() for group in self.groups)


@dataclass(frozen=True, eq=False)
class Pretrained:
    """What `pretrain` gives: network of the best epoch, losses, numbers of windows, figures of sessions held out."""

    network: MaskedPatches
    history: History
    trained: int
    validated: int
    figures: dict[str, dict[str, float]]

    @property
    def encoder(self) -> PatchEncoder:
        """What is kept."""
        return self.network.encoder


def pretrain(
    parts: Sequence[Part],
    size: Literal["small", "paper"] = "small",
    *,
    options: Options = Options(  # noqa: B008 (it is frozen)
        epochs=24, learning_rate=1e-3, weight_decay=0.01, schedule="cosine", warm_up=0.05, clip_norm=1.0
    ),
    batch_size: int = 64,
    steps: int | None = None,
    policy: MaskPolicy = MaskPolicy(),  # noqa: B008 (it is frozen)
    validation_share: float = 0.1,
    network: MaskedPatches | None = None,
) -> Pretrained:
    """A network that rebuilds what is hidden of healthy windows.

    Parameters
    ----------
    parts : windows by robot and cut (`training.corpus.Corpus`); a step has rows of one of them.
    size : see `models._patch_encoder.SIZES`.
    options : of the loop; its seed also sets the initial weights, the sessions held out, batches and masks.
    batch_size : windows of a step. steps : of an epoch; None = every window once.
    policy : what is hidden.
    validation_share : of the sessions of each robot, held out to choose the epoch and for `figures`.
    network : another network than one of `size`, new; it is trained in place.

    Progress, stops and checkpoints go through the surrounding `training.session`, as in every training.

    Errors: `UsageError` for an unknown size.
    """
    if network is None:
        if size not in SIZES:
            raise UsageError(f"sizes are {', '.join(SIZES)}, got {size!r}")
        with seeded(options.seed):
            network = MaskedPatches(PatchEncoder(**SIZES[size]))
    learned, held = [], []
    for part in parts:
        out = _held_out(part, validation_share, options.seed)
        learned.append(_telemetry(part, ~out, network))
        held.append(_telemetry(part, out, network))
    shown = tuple(_with_masks(group, options.seed) for group in held if len(group))
    history = fit(
        network,
        Interleaved(learned, batch_size, options.seed, policy, steps),
        MaskedReconstruction(),
        options,
        validate=HeldOutMasked(shown) if shown else None,
    )
    told = {
        f"{part.robot}, {part.cut}": _figures(network, _with_masks(group, options.seed))
        for part, group in zip(parts, held, strict=True)
        if len(group)
    }
    return Pretrained(network, history, sum(map(len, learned)), sum(map(len, held)), told)


def figures(network: MaskedPatches, part: Part, seed: int = 0) -> dict[str, float]:
    """Masked-reconstruction error of a part's windows, `network` beside the guesses of `training.masked.GUESSES`; 1 is
    about the variance of what is hidden. `windows` says how many there are."""
    return _figures(network, _with_masks(_telemetry(part, np.ones(len(part.windows), bool), network), seed))


def _figures(network: MaskedPatches, group: Telemetry) -> dict[str, float]:
    network.eval()
    sums = dict.fromkeys(("network", *GUESSES), 0.0)
    grid, there = group.grid()
    patches, _ = patches_of(grid, group.step_s, network.encoder.patch, network.encoder.max_patches)
    hidden = group.hidden & there.unsqueeze(2)
    count = int(hidden.sum())
    with torch.inference_mode():
        for rows in slices(len(group), _AT_ONCE):
            some = group.take(np.r_[rows])
            rebuilt = network(*some.grid(), some.step_s, some.joint, some.hidden)
            sums["network"] += float(masked_error(rebuilt, patches[rows], hidden[rows])) * int(hidden[rows].sum())
    for how in GUESSES:
        said = torch.from_numpy(guess(how, patches.numpy(), hidden.numpy()))
        sums[how] = float(masked_error(said, patches, hidden)) * count
    return {"windows": len(group), **{name: value / max(count, 1) for name, value in sums.items()}}


def _telemetry(part: Part, rows: np.ndarray, network: MaskedPatches) -> Telemetry:
    encoder = network.encoder
    return Telemetry.of_windows(part.windows[rows], encoder.patch, encoder.max_patches)


def _with_masks(group: Telemetry, seed: int) -> Telemetry:
    return masked(group, MaskPolicy.masks_alone(), generator(seed, _VALIDATION))


def _held_out(part: Part, share: float, seed: int) -> np.ndarray:
    return held_out_groups(part.windows.index.unit_session, share, seed)
