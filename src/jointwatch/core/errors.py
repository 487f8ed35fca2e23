"""One tree of errors, one base per decision the caller has to take.

=====================  ====================================================
base                   what the caller does
=====================  ====================================================
`InputError`           repair or replace the file that is named
`UsageError`           change the call, option or configuration
`NotEnoughData`        record more, the message says how much
`MissingExtra`         install the named optional dependency
`ModelFileError`       discard the stored model and make it again
=====================  ====================================================
"""

from __future__ import annotations

from os import PathLike, fspath

__all__ = [
    "EXTRAS",
    "CorruptInput",
    "EmptyInput",
    "InputError",
    "JointwatchError",
    "MissingChannel",
    "MissingExtra",
    "ModelFileError",
    "NotEnoughData",
    "UnknownFormat",
    "UsageError",
    "missing_extra",
]

EXTRAS = {
    "cryptography": "edge",
    "onnxruntime": "edge",
    "hmmlearn": "fit",
    "jinja2": "fit",
    "joblib": "fit",
    "matplotlib": "fit",
    "polars": "fit",
    "pyarrow": "fit",
    "pywt": "fit",
    "scipy": "fit",
    "sklearn": "fit",
    "ot": "learn",
    "torch": "learn",
    "onnx": "export",
    "onnxscript": "export",
    "numba": "sim",
    "h5py": "io",
    "mcap": "io",
    "mcap_ros2": "io",
    "python_calamine": "io",
    "rosbags": "io",
}
"""Which extra brings a module that is not part of the smallest install."""


class JointwatchError(Exception):
    """Root of all errors that jointwatch raises on purpose."""


class InputError(JointwatchError):
    """A file cannot be used as it is; names the file, row, channel and remedy.

    Parameters
    ----------
    problem : what is wrong, one clause.
    file, row, channel : where; `row` counts data rows from 1 as a person sees them in the file.
    remedy : what to do about it.

    >>> str(InputError("no time column", file="arm.csv", remedy="name it in the column map"))
    'arm.csv: no time column. Remedy: name it in the column map.'
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | PathLike[str] | None = None,
        row: int | None = None,
        channel: str | None = None,
        remedy: str = "",
    ) -> None:
        self.problem, self.row, self.channel, self.remedy = problem, row, channel, remedy
        self.file = None if file is None else fspath(file)
        where = [self.file] if self.file else []
        where += [f"row {row}"] if row is not None else []
        where += [f"channel {channel}"] if channel else []
        text = f"{', '.join(where)}: {problem}" if where else problem
        super().__init__(f"{text.rstrip('.')}." + (f" Remedy: {remedy.rstrip('.')}." if remedy else ""))

    def __reduce__(self) -> tuple[object, ...]:  # keyword-only arguments survive worker processes
        return (_rebuild_input_error, (type(self), self.problem, self.file, self.row, self.channel, self.remedy))


def _rebuild_input_error(
    kind: type[InputError], problem: str, file: str | None, row: int | None, channel: str | None, remedy: str
) -> InputError:
    return kind(problem, file=file, row=row, channel=channel, remedy=remedy)


class EmptyInput(InputError):
    """The file holds no samples."""


class CorruptInput(InputError):
    """The content is damaged beyond what can be kept and counted."""


class MissingChannel(InputError):
    """A column, joint or quantity that is needed is not there."""


class UnknownFormat(InputError):
    """No reader recognises the file."""


class UsageError(JointwatchError):
    """The call, option or configuration asks for something that cannot be."""


class NotEnoughData(JointwatchError):
    """An honest answer needs more data; `needed` and `have` count the same `unit`.

    >>> str(NotEnoughData("a 1 % threshold", needed=99, have=40, unit="healthy cycles"))
    'not enough data for a 1 % threshold: 59 more healthy cycles (have 40, need 99)'
    """

    def __init__(self, purpose: str, *, needed: int, have: int, unit: str) -> None:
        self.purpose, self.needed, self.have, self.unit = purpose, needed, have, unit
        super().__init__(f"not enough data for {purpose}: {needed - have} more {unit} (have {have}, need {needed})")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_not_enough_data, (self.purpose, self.needed, self.have, self.unit))


def _rebuild_not_enough_data(purpose: str, needed: int, have: int, unit: str) -> NotEnoughData:
    return NotEnoughData(purpose, needed=needed, have=have, unit=unit)


class MissingExtra(JointwatchError):
    """An optional dependency is not installed.

    >>> str(MissingExtra("torch", extra="learn"))
    "torch is not installed. Remedy: pip install 'jointwatch[learn]'."
    """

    def __init__(self, module: str, *, extra: str) -> None:
        self.module, self.extra = module, extra
        super().__init__(f"{module} is not installed. Remedy: pip install 'jointwatch[{extra}]'.")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_missing_extra, (self.module, self.extra))


def _rebuild_missing_extra(module: str, extra: str) -> MissingExtra:
    return MissingExtra(module, extra=extra)


def missing_extra(error: ModuleNotFoundError) -> MissingExtra | None:
    """What to install where a module of an extra is absent; None for a module of no extra.

    >>> str(missing_extra(ModuleNotFoundError(name="scipy.signal")))
    "scipy is not installed. Remedy: pip install 'jointwatch[fit]'."
    """
    module = (error.name or "").partition(".")[0]
    return MissingExtra(module, extra=EXTRAS[module]) if module in EXTRAS else None


class ModelFileError(JointwatchError):
    """A stored model is damaged, foreign or of a version this release does not know."""
