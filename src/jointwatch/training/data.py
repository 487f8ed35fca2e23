"""What the loop is fed: one typed batch, and shuffled batches that any step can be asked for again."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.training.seed import generator

__all__ = ["Batch", "Batches", "Order", "Shuffled", "identity"]

_CLASSES = {"normal": 0, "anomalous": 1, "uncertain": -1}


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows, or a whole data set.

    Parameters
    ----------
    values : (row, channel, time) float32.
    mask : (row, channel) bool, False where a robot lacks the channel.
    label : (row,) class, -1 = unknown.
    domain : (row,) number of the domain the row comes from.
    """

    values: Float[Tensor, "row channel time"]
    mask: Bool[Tensor, "row channel"]
    label: Int[Tensor, " row"]
    domain: Int[Tensor, " row"]

    def __post_init__(self) -> None:
        shape = tuple(self.values.shape)
        if len(shape) != 3:
            raise UsageError(f"a batch is (row, channel, time), got shape {shape}")
        for name, expected in (("mask", shape[:2]), ("label", shape[:1]), ("domain", shape[:1])):
            if tuple(getattr(self, name).shape) != expected:
                raise UsageError(f"{name} of a batch must be {expected}, got {tuple(getattr(self, name).shape)}")

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of(cls, windows: Windows, domains: tuple[str, ...] | None = None) -> Self:
        """All rows of `windows`: normal is class 0, anomalous 1, uncertain -1; domains are numbered as in
        `domains`, or in alphabetical order."""
        known = {name: number for number, name in enumerate(domains or np.unique(windows.index.domain))}
        if unknown := set(np.unique(windows.index.domain)) - set(known):
            raise UsageError(f"domains {sorted(unknown)} are not among {sorted(known)}")
        return cls.of_arrays(
            windows.values,
            windows.presence,
            np.array([_CLASSES[label] for label in windows.index.label], np.int64),
            np.array([known[name] for name in windows.index.domain], np.int64),
        )

    @classmethod
    def of_arrays(
        cls,
        values: np.ndarray,
        mask: np.ndarray | None = None,
        label: np.ndarray | None = None,
        domain: np.ndarray | None = None,
    ) -> Self:
        """Rows of arrays; every channel present, class unknown and one domain where not said otherwise."""
        rows = len(values)
        return cls(
            torch.tensor(np.asarray(values, np.float32)),
            torch.ones(values.shape[:2], dtype=torch.bool) if mask is None else torch.tensor(mask),
            torch.full((rows,), -1) if label is None else torch.tensor(np.asarray(label, np.int64)),
            torch.zeros(rows, dtype=torch.int64) if domain is None else torch.tensor(np.asarray(domain, np.int64)),
        )

    def take(self, rows: np.ndarray) -> Self:
        """Rows by position or mask."""
        index = torch.from_numpy(np.ascontiguousarray(rows))
        return type(self)(self.values[index], self.mask[index], self.label[index], self.domain[index])

    def unlabelled(self) -> Self:
        """The same rows without labels: what is not there cannot be learned from."""
        return replace(self, label=torch.full_like(self.label, -1))

    def of_domain(self, number: int) -> Self:
        """The same rows, said to be of one domain."""
        return replace(self, domain=torch.full_like(self.domain, number))

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Rows of several batches of one layout, one after the other."""
        return cls(*(torch.cat([getattr(part, column.name) for part in parts]) for column in fields(cls)))

    def to(self, device: torch.device) -> Self:
        """The same rows on a device; no copy if they are there."""
        return type(self)(*(getattr(self, column.name).to(device, non_blocking=True) for column in fields(self)))

    def fingerprint(self) -> str:
        """Digest of the content."""
        digest = hashlib.sha256()
        for column in fields(self):
            array = getattr(self, column.name).numpy()
            digest.update(f"{column.name}{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


class Batches(Protocol):
    """Batches of an epoch by number. `batch` is a pure function of (epoch, step): that is why a training that
    was interrupted goes on bit for bit, without any state of the data being stored."""

    def __len__(self) -> int:
        """Steps of an epoch."""

    def batch(self, epoch: int, step: int) -> Batch:
        """The batch of that step."""

    def fingerprint(self) -> str:
        """Digest of all that decides what the batches are."""


@dataclass(eq=False)
class Order:
    """Numbers of rows in a new order each epoch, in batches as equal in size as can be.

    Parameters
    ----------
    count : rows there are.
    batch_size : rows of a batch, at most.
    seed : of the order.
    minimum_steps : steps of an epoch at least; few rows are gone through several times.

    >>> order = Order(5, batch_size=2, seed=1)
    >>> [order.rows(0, step).tolist() for step in range(len(order))]
    [[0, 2], [4, 3], [1]]
    """

    count: int
    batch_size: int
    seed: int = 0
    minimum_steps: int = 1
    _parts: tuple[int, list[np.ndarray]] = field(default=(-1, []), init=False, repr=False)

    def __post_init__(self) -> None:
        if self.count < 1 or self.batch_size < 1:
            raise UsageError(f"cannot make batches of {self.batch_size} from {self.count} rows")

    def __len__(self) -> int:
        return max(math.ceil(self.count / self.batch_size), self.minimum_steps)

    def rows(self, epoch: int, step: int) -> np.ndarray:
        """(row,) numbers of the rows of that step, a pure function of both."""
        if self._parts[0] != epoch:
            self._parts = (epoch, self._of(epoch))
        return self._parts[1][step]

    def _of(self, epoch: int) -> list[np.ndarray]:
        rng = generator(self.seed, epoch)
        full = math.ceil(self.count / self.batch_size)
        parts: list[np.ndarray] = []
        while len(parts) < len(self):
            parts += np.array_split(rng.permutation(self.count), full)
        return parts[: len(self)]


@dataclass(eq=False)
class Shuffled:
    """All rows in the order of `Order`.

    Parameters
    ----------
    data : all rows.
    batch_size, seed, minimum_steps : of the order.
    change : what is done to a batch before use, with its own generator: augmentation, synthetic anomalies.

    >>> rows = Batch.of_arrays(np.arange(5, dtype=np.float32).reshape(5, 1, 1))
    >>> batches = Shuffled(rows, batch_size=2, seed=1)
    >>> [batches.batch(0, step).values.flatten().tolist() for step in range(len(batches))]
    [[0.0, 2.0], [4.0, 3.0], [1.0]]
    """

    data: Batch
    batch_size: int
    seed: int = 0
    change: Callable[[Batch, np.random.Generator], Batch] | None = None
    minimum_steps: int = 1

    def __post_init__(self) -> None:
        self.order = Order(len(self.data), self.batch_size, self.seed, self.minimum_steps)

    def __len__(self) -> int:
        return len(self.order)

    def batch(self, epoch: int, step: int) -> Batch:
        rows = self.data.take(self.order.rows(epoch, step))
        return rows if self.change is None else self.change(rows, generator(self.seed, epoch, step))

    def fingerprint(self) -> str:
        return f"{self.data.fingerprint()} {self.batch_size} {self.seed} {self.minimum_steps} {identity(self.change)}"


def identity(thing: Any) -> str:
    """Text that tells an objective, a change or a validation from another: its `fingerprint`, its `repr` if it
    is a data class, else its name.

    >>> identity(None), identity(math.sqrt)
    ('None', 'math.sqrt')
    """
    if thing is None:
        return "None"
    if hasattr(thing, "fingerprint"):
        return str(thing.fingerprint())
    if is_dataclass(thing):
        return repr(thing)
    return f"{thing.__module__}.{thing.__qualname__}"
