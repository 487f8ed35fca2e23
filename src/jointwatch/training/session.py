"""How a training is watched, stopped and kept: nothing here changes what is learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from jointwatch.core.errors import UsageError

__all__ = ["Progress", "Session", "current", "session"]


@dataclass(frozen=True)
class Progress:
    """Where a training is. `train_loss` and `validation_loss` are of the last finished epoch, None before it."""

    epoch: int
    epochs: int
    step: int
    steps: int
    train_loss: float | None = None
    validation_loss: float | None = None
    best_epoch: int | None = None


@dataclass(frozen=True)
class Session:
    """Who listens to the trainings of this program.

    Parameters
    ----------
    progress : called after every step.
    stop : asked after every step; True ends the training there, with its state saved if there is a folder.
    checkpoints : folder of training states, one file a training, named by a digest of all that decides the
        result (data, options, initial weights). A training that finds its own file goes on from it.
    every : epochs from one saved state to the next.
    """

    progress: Callable[[Progress], None] | None = None
    stop: Callable[[], bool] | None = None
    checkpoints: Path | None = None
    every: int = 1

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"states are saved every 1 or more epochs, got {self.every}")


_CURRENT: ContextVar[Session] = ContextVar("training session", default=Session())  # noqa: B039 (it is frozen)


def current() -> Session:
    """The session of the innermost `with session(...)`, or one in which nobody listens."""
    return _CURRENT.get()


@contextmanager
def session(value: Session) -> Iterator[Session]:
    """Every training inside reports to `value`, also those deep in a detector's `fit`, whose arguments are
    scikit-learn's.

    >>> with session(Session(every=5)):
    ...     current().every
    5
    >>> current().every
    1
    """
    token = _CURRENT.set(value)
    try:
        yield value
    finally:
        _CURRENT.reset(token)
