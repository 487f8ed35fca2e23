"""What reads a new brand's plain windows: a pre-trained encoder in three uses, the same network without, MiniRocket."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jointwatch.core import Windows, catalog
from jointwatch.detectors._network_graph import standardised
from jointwatch.detectors._spread import channel_moments
from jointwatch.features.mini_rocket import MiniRocket
from jointwatch.models._patch_encoder import SIZES, PatchEncoder
from jointwatch.models._pretrained import load_pretrained, save_pretrained
from jointwatch.models.base import Network
from jointwatch.models.patch_transformer import PatchTransformer
from jointwatch.studies._cross_brand_task import Task, found
from jointwatch.training.data import Batch
from jointwatch.training.foundation import joint_vectors, logistic, ready, relative_to_own, spread_of
from jointwatch.training.options import Options
from jointwatch.training.seed import seeded
from jointwatch.windows.time_step import time_step_s

__all__ = [
    "DISTANCE",
    "FINE_TUNE",
    "MINI_ROCKET",
    "PROBE",
    "SCRATCH",
    "mini_rocket",
    "probed",
    "random_weights",
    "trained",
]

DISTANCE: Final = "distance to normal"
PROBE: Final = "probe"
FINE_TUNE: Final = "fine-tuned"
SCRATCH: Final = "the same network, trained from scratch"
MINI_ROCKET: Final = "MiniRocket + ridge"

_CLIP_SIGMA: Final = 5.0
_STRENGTH: Final = 0.1
_EPOCHS, _QUICK_EPOCHS = 15, 3
_FOLDS: Final = 3
_ONE_KIND: Final = "the labelled cycles that were drawn are all of one kind"


def random_weights(folder: Path, seed: int) -> Path:
    """A small encoder that has seen nothing, on disk."""
    with seeded(seed):
        return save_pretrained(PatchEncoder(**SIZES["small"]), folder / f"random-{seed}.safetensors", {"data": []})


def probed(task: Task, windows: Windows, weights: Path) -> dict[str, Any]:
    """A frozen encoder: without labels the distance to normal, with labels a logistic classifier of distances.

    Vectors are relative to the unit's own baseline; how much normal ones vary is learned from all baselines.

    Parameters
    ----------
    windows : of the target's cycles, in the order of the fleet.
    weights : what `jointwatch pretrain` wrote.
    """
    network, vectors, seconds = _vectors(_Same(task, windows), weights)
    begin = time.perf_counter()
    rows = np.flatnonzero(task.of_target)
    base, unit = task.baseline[rows], task.fleet.index.unit[rows]
    away = relative_to_own(vectors, np.unique(unit, return_inverse=True)[1], base)
    scale, whitening = spread_of(away[base], away[:0])
    network.whitening.copy_(torch.tensor(whitening))
    relative = torch.tensor(away / scale, dtype=torch.float32)
    with torch.inference_mode():
        pooled = network.pooled(relative).numpy()
        of_joint = torch.einsum("brw,rvw->brv", relative, network.whitening).square().mean(dim=2).numpy()
    score = pooled[:, -1]
    near = (task.baseline & task.near)[rows]
    calibration = score[near]
    if task.budget:
        known, label = _known(task, rows)
        if len(np.unique(label[known])) < 2:
            return {"shortage": _ONE_KIND}

        def odds(learned: np.ndarray, asked: np.ndarray) -> np.ndarray:
            weight, bias = logistic(pooled[learned], label[learned], _STRENGTH)
            of_asked: np.ndarray = pooled[asked] @ weight.numpy() + bias
            return of_asked

        score = odds(known, np.ones(len(rows), bool))
        calibration = _crossed(odds, known, label, near, unit)
    judged = task.judged[rows]
    joints = np.array(network.layout.joints)[of_joint[judged].argmax(axis=1)]
    return found(task, score[judged], calibration, joints, seconds + time.perf_counter() - begin)


def trained(task: Task, windows: Windows, weights: Path, scratch: bool, quick: bool) -> dict[str, Any]:
    """All of the network learns from the labels: from a probe on, or, from `scratch`, everything at the full rate and
    twice as long.

    What it compares with is the mean of all baselines, not the unit's own. The threshold rests on healthy cycles that
    it has learned from, so its false-alarm share runs high.
    """
    torch.set_num_threads(1)
    begin = time.perf_counter()
    rows = np.flatnonzero(task.of_target)
    known, label = _known(task, rows)
    if len(np.unique(label[known])) < 2:
        return {"shortage": _ONE_KIND}
    seen = _standardised(windows, task.baseline[rows])
    batch = Batch.of_arrays(seen.values, label=np.where(known, label, -1))
    with seeded(task.seed):
        network = _bound(weights, windows, "linear")
    epochs = _QUICK_EPOCHS if quick else _EPOCHS
    made: Network
    if scratch:
        full = catalog.load("transfer", "full")(epochs=2 * epochs, batch_size=64, learning_rate=1e-3)
        made = full.tune(network, batch.take(np.flatnonzero(known)), seed=task.seed)
    else:
        options = Options(epochs=epochs, learning_rate=1e-3, schedule="cosine", warm_up=0.1, seed=task.seed)
        made = ready(network, batch.take(np.flatnonzero(known)), use="fine_tune", strength=_STRENGTH, options=options)
    with torch.inference_mode():
        logits = torch.cat([made.eval()(batch.values[at : at + 256]) for at in range(0, len(batch), 256)])
    score = (logits[:, 1] - logits[:, 0]).float().numpy()
    near = (task.baseline & task.near)[rows]
    return found(task, score[task.judged[rows]], score[near], None, time.perf_counter() - begin)


def mini_rocket(task: Task, windows: Windows) -> dict[str, Any]:
    """Ridge classifier of MiniRocket's features relative to the unit's own baseline; it chooses its own penalty."""
    begin = time.perf_counter()
    rows = np.flatnonzero(task.of_target)
    base, unit = task.baseline[rows], task.fleet.index.unit[rows]
    known, label = _known(task, rows)
    if len(np.unique(label[known])) < 2:
        return {"shortage": _ONE_KIND}
    seen = _standardised(windows, base)
    features = MiniRocket(random_state=task.seed).fit(seen[base]).transform(seen)
    away = relative_to_own(features[:, None], np.unique(unit, return_inverse=True)[1], base)[:, 0]

    def odds(learned: np.ndarray, asked: np.ndarray) -> np.ndarray:
        model = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-3, 3, 10)))
        of_asked: np.ndarray = model.fit(away[learned], label[learned]).decision_function(away[asked])
        return of_asked

    judged, near = task.judged[rows], (task.baseline & task.near)[rows]
    score = odds(known, judged)
    return found(task, score, _crossed(odds, known, label, near, unit), None, time.perf_counter() - begin)


def _known(task: Task, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(cycle,) whose labels are known: baselines of the other units and the budget; and 1 = anomalous, 0 = normal."""
    label = (task.fleet.anomalous & ~task.baseline)[rows].astype(np.int64)
    return np.isin(rows, task.labelled) | (task.baseline & task.near)[rows], label


def _crossed(
    odds: Callable[[np.ndarray, np.ndarray], np.ndarray],
    known: np.ndarray,
    label: np.ndarray,
    near: np.ndarray,
    unit: np.ndarray,
) -> np.ndarray:
    """Scores of healthy cycles by models that know nothing of their units."""
    parts = []
    for part in np.array_split(np.unique(unit[near]), _FOLDS):
        out = np.isin(unit, part)
        learned = known & ~out
        if (near & out).any() and len(np.unique(label[learned])) == 2:
            parts.append(odds(learned, near & out))
    return np.concatenate(parts) if parts else np.empty(0)


def _standardised(windows: Windows, healthy: np.ndarray) -> Windows:
    """Each channel by its moments in healthy windows, and clipped, as the detector `foundation` does."""
    return windows.with_values(standardised(windows, *channel_moments(windows[healthy]), _CLIP_SIGMA))


def _bound(weights: Path, windows: Windows, kind: Any) -> PatchTransformer:
    step_s = float(np.median(time_step_s(windows)))
    return PatchTransformer.of(load_pretrained(weights)[0], windows.channels, step_s, kind=kind).eval()


class _Same:
    """A task and its windows, equal to those of another budget."""

    def __init__(self, task: Task, windows: Windows) -> None:
        self.task, self.windows = task, windows

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Same):
            return NotImplemented
        same = (self.task.target, self.task.seed) == (other.task.target, other.task.seed)
        return same and self.windows is other.windows

    def __hash__(self) -> int:
        return hash((self.task.target, self.task.seed))


@lru_cache(maxsize=4)
def _vectors(same: _Same, weights: Path) -> tuple[PatchTransformer, np.ndarray, float]:
    """Network, vectors of all cycles, and the seconds they took; budgets share them."""
    torch.set_num_threads(1)
    begin = time.perf_counter()
    network = _bound(weights, same.windows, "probe")
    seen = _standardised(same.windows, same.task.baseline[same.task.of_target])
    return network, joint_vectors(network, Batch.of(seen)), time.perf_counter() - begin
