"""A few figures that stand for a long feature vector: from an auto-encoder, or from principal components."""

from __future__ import annotations

import copy
from dataclasses import asdict
from typing import Any, Literal, Self

import numpy as np

from jointwatch.core.errors import MissingExtra, NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError
from jointwatch.models._onnx_graph import Compiler, GraphFunction, OnnxGraph

__all__ = ["Code", "FusionCode"]

Code = Literal["auto_encoder", "pca"]
_CLIP = 10.0  # standard deviations
_HELD = 0.2  # of the groups, by which the epoch is chosen


class FusionCode(BaseEstimator):
    """Vectors are standardised figure by figure, then squeezed; everything is learned from the rows of `fit` alone.

    Parameters
    ----------
    kind : `auto_encoder` (`models._auto_encoder`, trained on reconstruction; the epoch is chosen on a fifth of the
        groups, which neither the scaling nor the weights see), or `pca` (linear, all rows).
    size : figures of the code.
    epochs, batch_size : of training, epochs at most.
    random_state : seed of weights, batches and held-out groups.

    Attributes
    ----------
    mean_, scale_ : (feature,). network_ : the auto-encoder, or its encoder as a graph.
    components_ : (size, feature), of `pca`.
    explained_ : share of the standardised rows' variance that their codes give back, on the rows that chose the epoch
        where there are some.
    history_ : losses by epoch, empty for `pca`.

    A row's code is the same to the last bit whatever rows stand beside it.

    Errors: `NotEnoughData` with fewer rows than code figures; `UsageError` for other sizes than at `fit`;
    `MissingExtra` where torch is needed and absent.

    >>> rng = np.random.default_rng(0)
    >>> vectors = rng.standard_normal((60, 3)) @ rng.standard_normal((3, 200))
    >>> code = FusionCode("pca", size=3).fit(vectors, np.arange(60) // 6)
    >>> code.transform(vectors).shape, round(code.explained_, 3)
    ((60, 3), 1.0)
    """

    def __init__(
        self,
        kind: Code = "auto_encoder",
        size: int = 10,
        epochs: int = 40,
        batch_size: int = 64,
        random_state: int = 0,
    ) -> None:
        self.kind = kind
        self.size = size
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, vectors: np.ndarray, groups: np.ndarray) -> Self:
        """(row, feature) vectors; groups (row,) names what is held out as a whole to choose the epoch."""
        if self.kind not in ("auto_encoder", "pca"):
            raise UsageError(f"a code is auto_encoder or pca, got {self.kind!r}")
        vectors = np.asarray(vectors, float)
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise UsageError(f"vectors must be (row, feature) and finite, got {vectors.shape}")
        if len(vectors) < self.size:
            raise NotEnoughData(f"a code of {self.size}", needed=self.size, have=len(vectors), unit="cycles")
        if self.kind == "pca":
            self._scaled_by(vectors)
            rows = self._standard(vectors)
            self.components_ = _principal(rows, self.size)
            self.history_: dict[str, object] = {}
            rebuilt = (rows @ self.components_.T) @ self.components_
            self.explained_ = _explained(rows, rebuilt)
        else:
            self._train(vectors, groups)
        return self

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """(row, size) codes, float64."""
        if not hasattr(self, "mean_"):
            raise NotFittedError("FusionCode is not fitted; call fit first")
        vectors = np.asarray(vectors, float)
        if vectors.ndim != 2 or vectors.shape[1] != len(self.mean_):
            raise UsageError(f"vectors must be (row, {len(self.mean_)}), got {vectors.shape}")
        rows = self._standard(vectors)
        if self.kind == "pca":
            # Row by row: a product of matrices rounds differently with other rows beside it.
            return np.array([self.components_ @ row for row in rows]).reshape(len(rows), self.size)
        single = rows.astype(np.float32)[:, None, None, :]
        if isinstance(self.network_, OnnxGraph):
            codes = [self.network_.run(values=row)[0][0] for row in single]
            return np.array(codes, float).reshape(len(rows), self.size)
        import torch

        with torch.inference_mode():
            codes = [self.network_.encode(row)[0].numpy() for row in torch.from_numpy(single)]
        return np.array(codes, float).reshape(len(rows), self.size)

    def for_edge(self, compiled: Compiler) -> FusionCode:
        """The same without torch: its network becomes a graph."""
        twin = copy.copy(self)
        if self.kind == "auto_encoder":
            import torch

            encode = copy.deepcopy(self.network_).eval().requires_grad_(False).encode
            inputs = {"values": torch.zeros(1, 1, len(self.mean_))}
            twin.network_ = compiled("encode", GraphFunction(encode, inputs, ("code",)))
        return twin

    def _train(self, vectors: np.ndarray, groups: np.ndarray) -> None:
        try:
            from jointwatch.training.options import Options
            from jointwatch.training.reconstruction import fit_auto_encoder, held_out_groups
        except ModuleNotFoundError as error:
            raise MissingExtra(str(error.name), extra="learn") from error
        held = held_out_groups(groups, _HELD, self.random_state)
        self._scaled_by(vectors[~held])
        rows = self._standard(vectors)
        options = Options(
            self.epochs, learning_rate=2e-3, patience=8, schedule="cosine", seed=self.random_state, channels_last=False,
            bfloat16=False,
        )  # fmt: skip
        self.network_: Any
        self.network_, history = fit_auto_encoder(rows, held, self.size, options, self.batch_size)
        self.history_ = asdict(history)
        told = rows[held] if held.any() else rows
        import torch

        with torch.inference_mode():
            rebuilt = self.network_(torch.from_numpy(told.astype(np.float32))[:, None, :])[:, 0].numpy()
        self.explained_ = _explained(told, rebuilt)

    def _scaled_by(self, vectors: np.ndarray) -> None:
        self.mean_, spread = vectors.mean(axis=0), vectors.std(axis=0)
        self.scale_ = np.where(spread > 1e-12 * np.abs(vectors).max(initial=0.0), spread, 1.0)

    def _standard(self, vectors: np.ndarray) -> np.ndarray:
        rows: np.ndarray = np.clip((vectors - self.mean_) / self.scale_, -_CLIP, _CLIP)
        return rows


def _principal(rows: np.ndarray, size: int) -> np.ndarray:
    """(size, feature) leading right singular vectors, from the smaller product of the rows with themselves."""
    from scipy.linalg import eigh  # only fitting needs it

    if rows.shape[0] >= rows.shape[1]:
        count = rows.shape[1]
        axes: np.ndarray = eigh(rows.T @ rows, subset_by_index=[max(count - size, 0), count - 1])[1]
        return axes[:, ::-1].T
    count = rows.shape[0]
    left = eigh(rows @ rows.T, subset_by_index=[count - size, count - 1])[1][:, ::-1]
    found = left.T @ rows
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 1e-9 * lengths.max(initial=0.0))


def _explained(rows: np.ndarray, rebuilt: np.ndarray) -> float:
    total = float(np.square(rows - rows.mean(axis=0)).sum())
    return 1.0 - float(np.square(rows - rebuilt).sum()) / total if total else 1.0
