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
from jointwatch.core.errors import NotEnoughData
from jointwatch.core.slices import slices
from jointwatch.detectors._spread import channel_moments
from jointwatch.features.mini_rocket import MiniRocket
from jointwatch.models._patch_encoder import PatchEncoder
from jointwatch.models._pretrained import load_pretrained, save_pretrained
from jointwatch.models.base import Network
from jointwatch.models.patch_transformer import PatchTransformer
from jointwatch.studies._cross_brand_task import Task, found
from jointwatch.training.data import Batch
from jointwatch.training.foundation import joint_vectors, logistic, ready, relative_to_own, spread_of
from jointwatch.training.options import Options
from jointwatch.training.seed import seeded
from jointwatch.windows._standardised import standardised
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
_EPOCHS, _QUICK_EPOCHS = 8, 2
_AT_ONCE: Final = 256
_FOLDS: Final = 3
_ONE_KIND: Final = "the labelled cycles that were drawn are all of one kind"


def random_weights(folder: Path, seed: int, config: dict[str, Any]) -> Path:
    """An encoder of these sizes that has seen nothing, on disk."""
    with seeded(seed):
        return save_pretrained(PatchEncoder(**config), folder / f"random-{seed}.safetensors", {"data": []})


def probed(task: Task, windows: Windows, weights: Path) -> dict[str, Any]:
    """A frozen encoder: without labels the distance to normal, with labels a logistic classifier of distances.

    Vectors are relative to the unit's own baseline; how much normal ones vary is learned from all baselines.

    Parameters
    ----------
    windows : of the target's cycles, in the order of the fleet.
    weights : what `jointwatch pretrain` wrote.
    """
    frozen = _frozen(_Same(task, windows), weights)
    begin = time.perf_counter()
    rows = np.flatnonzero(task.of_target)
    base, known, label = task.baseline[rows], *_known(task, rows)
    if task.budget and len(np.unique(label[known])) < 2:
        return {"shortage": _ONE_KIND}

    def score(out: np.ndarray, asked: np.ndarray) -> np.ndarray:
        pooled = frozen.pooled(base & ~out)[0]
        if not task.budget:
            return pooled[asked, -1]
        learned = known & ~out
        if len(np.unique(label[learned])) < 2:
            return np.empty(0)
        weight, bias = logistic(pooled[learned], label[learned], _STRENGTH)
        odds: np.ndarray = pooled[asked] @ weight.numpy() + bias
        return odds

    judged = task.judged[rows]
    scores, calibration = _scored(task, rows, score)
    joints = frozen.joints[frozen.pooled(base)[1][judged].argmax(axis=1)]
    return found(task, scores, calibration, joints, frozen.seconds + time.perf_counter() - begin)


def trained(task: Task, windows: Windows, weights: Path, scratch: bool, quick: bool) -> dict[str, Any]:
    """All of the network learns from the labels: from a probe on, or, from `scratch`, everything at the full rate and
    twice as long.

    The threshold rests on healthy cycles that it has learned from, so its false-alarm share runs high.
    """
    torch.set_num_threads(1)
    begin = time.perf_counter()
    rows = np.flatnonzero(task.of_target)
    known, label = _known(task, rows)
    if len(np.unique(label[known])) < 2:
        return {"shortage": _ONE_KIND}
    batch = Batch.of_arrays(_seen(task, windows).values, label=np.where(known, label, -1))
    learned = batch.take(np.flatnonzero(known))
    with seeded(task.seed):
        network = _bound(weights, windows, "linear")
    epochs = _QUICK_EPOCHS if quick else _EPOCHS
    made: Network
    if scratch:
        full = catalog.load("transfer", "full")(epochs=2 * epochs, batch_size=64, learning_rate=1e-3)
        made = full.tune(network, learned, seed=task.seed)
    else:
        options = Options(epochs=epochs, learning_rate=1e-3, schedule="cosine", warm_up=0.1, seed=task.seed)
        made = ready(network, learned, use="fine_tune", strength=_STRENGTH, options=options)
    with torch.inference_mode():
        logits = torch.cat([made.eval()(batch.values[part]) for part in slices(len(batch), _AT_ONCE)])
    score = (logits[:, 1] - logits[:, 0]).float().numpy()
    near = (task.baseline & task.near)[rows]
    return found(task, score[task.judged[rows]], score[near], None, time.perf_counter() - begin)


def mini_rocket(task: Task, windows: Windows) -> dict[str, Any]:
    """Ridge classifier of MiniRocket's features relative to the unit's own baseline; it chooses its own penalty."""
    begin = time.perf_counter()
    rows = np.flatnonzero(task.of_target)
    known, label = _known(task, rows)
    if len(np.unique(label[known])) < 2:
        return {"shortage": _ONE_KIND}
    seen = _seen(task, windows)
    features = MiniRocket(random_state=task.seed).fit(seen[task.baseline[rows]]).transform(seen)
    away = _away(task, rows, features[:, None])[:, 0]

    def score(out: np.ndarray, asked: np.ndarray) -> np.ndarray:
        learned = known & ~out
        if len(np.unique(label[learned])) < 2:
            return np.empty(0)
        model = make_pipeline(
            StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-3, 3, 10), class_weight="balanced")
        )
        odds: np.ndarray = model.fit(away[learned], label[learned]).decision_function(away[asked])
        return odds

    return found(task, *_scored(task, rows, score), None, time.perf_counter() - begin)


def _known(task: Task, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(cycle,) whose labels are known: baselines of the other units and the budget; and 1 = anomalous, 0 = normal."""
    label = (task.fleet.anomalous & ~task.baseline)[rows].astype(np.int64)
    return np.isin(rows, task.labelled) | (task.baseline & task.near)[rows], label


def _scored(
    task: Task, rows: np.ndarray, score: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the judged cycles, and of the other units' baselines by what knows nothing of their units.

    Parameters
    ----------
    score : (rows that have no part, rows that are asked) -> scores of these, none where it cannot learn.
    """
    near, unit = (task.baseline & task.near)[rows], task.fleet.index.unit[rows]
    calibration = []
    for part in np.array_split(np.unique(unit[near]), _FOLDS):
        out = np.isin(unit, part)
        if (near & out).any() and (near & ~out).any():
            calibration.append(score(out, near & out))
    nobody = np.zeros(len(rows), bool)
    return score(nobody, task.judged[rows]), np.concatenate(calibration) if calibration else np.empty(0)


def _seen(task: Task, windows: Windows) -> Windows:
    """What all methods here see: the unit's own mean healthy course is replaced by that of all baselines, and each
    channel is standardised and clipped as the detector `foundation` does."""
    rows = np.flatnonzero(task.of_target)
    base = task.baseline[rows]
    values = _away(task, rows, windows.values) + windows.values[base].mean(axis=0)
    moved = windows.with_values(values.astype(np.float32))
    return moved.with_values(standardised(moved, *channel_moments(moved[base]), _CLIP_SIGMA))


def _away(task: Task, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(cycle, a, b) minus the mean of the unit's own baseline; its cycles minus that of the other session."""
    index, base = task.fleet.index.take(rows), task.baseline[rows]
    away = relative_to_own(values, np.unique(index.unit, return_inverse=True)[1], base, index.session)
    if lacking := sorted(set(index.unit[np.isnan(away).any(axis=(1, 2))])):
        raise NotEnoughData(f"the own baseline of {', '.join(lacking)}", needed=2, have=1, unit="healthy cycles")
    return away


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
        return same and self.windows is other.windows and self.task.fleet is other.task.fleet

    def __hash__(self) -> int:
        return hash((self.task.target, self.task.seed))


class _Frozen:
    """What a frozen encoder makes of all cycles of a target; budgets share it.

    joints : number of each row of the layout. seconds : that the vectors took.
    """

    def __init__(self, same: _Same, weights: Path) -> None:
        torch.set_num_threads(1)
        begin = time.perf_counter()
        self._network = _bound(weights, same.windows, "probe")
        vectors = joint_vectors(self._network, Batch.of(_seen(same.task, same.windows)))
        self._away = _away(same.task, np.flatnonzero(same.task.of_target), vectors)
        self._pooled: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
        self.joints = np.array(self._network.layout.joints)
        self.seconds = time.perf_counter() - begin

    def pooled(self, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(cycle, pooled) distances, and (cycle, joint) mean squares, both by how much these normal rows vary."""
        key = normal.tobytes()
        if key not in self._pooled:
            scale, whitening = spread_of(self._away[normal], self._away[:0])
            network = self._network
            network.whitening.copy_(torch.tensor(whitening))
            relative = torch.tensor(self._away / scale, dtype=torch.float32)
            with torch.inference_mode():
                squares = network.squares(relative)
                self._pooled[key] = network.pool(squares).numpy(), squares.mean(dim=2).numpy()
        return self._pooled[key]


@lru_cache(maxsize=4)
def _frozen(same: _Same, weights: Path) -> _Frozen:
    return _Frozen(same, weights)
