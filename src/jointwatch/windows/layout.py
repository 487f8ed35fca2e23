"""Which channels windows have, so that arms with other joints meet: one list with a mask, or one row a joint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from jointwatch.core import Channel, Index, Quantity, Recording, Windows
from jointwatch.core.errors import MissingChannel, UsageError

__all__ = ["JointRows", "common_channels", "joint_wise"]

# A contact sensor or a status word is what is to be found, not what it is found in: only on request.
_ON_REQUEST = (Quantity.CONTACT, Quantity.STATUS)


def common_channels(
    recordings: Recording | Iterable[Recording],
    quantities: Sequence[Quantity | str] | None = None,
    joints: Sequence[int] | Literal["all", "common"] = "all",
) -> tuple[Channel, ...]:
    """Channels for windows of all these recordings, joint by joint, within a joint in the order of `quantities`.

    Channels of a joint that only some of the robots have are part of it: they are masked in the others.

    Parameters
    ----------
    quantities : `"current"`, `"position.commanded"`, `"torque.derived:innovation"` or `Quantity` (measured). Without
        a component all components are taken. Default: all joint quantities that every recording has, in the first
        recording's order, without `contact` and `status`. Quantities of the whole robot (`"tcp_force"`) must be asked
        for; they come last.
    joints : numbers; `all` = joints of any robot, `common` = joints of every robot.

    Errors: `MissingChannel` for a quantity that a recording lacks, naming both; `UsageError` if nothing is left.

    >>> import numpy as np
    >>> from jointwatch.core import Robot
    >>> def arm(joints):
    ...     channels = [Channel(q, j) for q in (Quantity.POSITION, Quantity.CURRENT) for j in range(1, joints + 1)]
    ...     robot = Robot.of("demo", "arm", f"arm-{joints}", joints=joints)
    ...     return Recording(np.arange(9.0), np.zeros((len(channels), 9)), tuple(channels), robot, "mon")
    >>> [c.key for c in common_channels([arm(1), arm(2)], ["current", "position"])]
    ['current/1', 'position/1', 'current/2', 'position/2']
    """
    found = [recordings] if isinstance(recordings, Recording) else list(recordings)
    if not found:
        raise UsageError("there are no recordings to take channels from")
    wanted = _shared_kinds(found) if quantities is None else [_kind(quantity) for quantity in quantities]
    numbers = _joints(found, joints)
    pool = list(dict.fromkeys(channel for recording in found for channel in recording.channels))
    chosen: list[Channel] = []
    for kind in wanted:
        for recording in found:
            if not any(_is(channel, kind) for channel in recording.channels):
                raise MissingChannel(
                    f"not recorded for {recording.robot.unit}, session {recording.session!r}",
                    file=recording.source or None,
                    channel=replace(kind, joint=None).key,
                    remedy=f"the recording has {', '.join(c.key for c in recording.channels)}",
                )
        chosen += [c for c in pool if _is(c, kind) and (c.joint is None or c.joint in numbers)]
    chosen = list(dict.fromkeys(chosen))
    if not chosen:
        raise UsageError("the recordings share no channel; name quantities and joints that they have")
    place = {channel: i for i, channel in enumerate(chosen)}
    last = max(numbers, default=0) + 1
    return tuple(sorted(chosen, key=lambda c: (last if c.joint is None else c.joint, place[c])))


@dataclass(frozen=True, eq=False)
class JointRows:
    """Windows with one row for each window and joint, and the way back.

    Parameters
    ----------
    windows : (row, kind, time); channels have no joint. The index is that of the window each row comes from; where
        the fault of an anomalous window is known to sit in another joint, the row is `uncertain`.
    window_of_row, joint_of_row : (row,) which window, and which joint number, a row is.
    source : the windows it was made from.
    """

    windows: Windows
    window_of_row: np.ndarray
    joint_of_row: np.ndarray
    source: Windows

    @property
    def joints(self) -> tuple[int, ...]:
        """Joint numbers in order."""
        return tuple(sorted({c.joint for c in self.source.channels if c.joint is not None}))

    def per_joint(self, values: np.ndarray) -> np.ndarray:
        """(row, ...) figures as (window, joint, ...), NaN where a robot lacks the joint."""
        values = self._checked(values)
        table = np.full((len(self.source), len(self.joints), *values.shape[1:]), np.nan)
        table[self.window_of_row, np.searchsorted(self.joints, self.joint_of_row)] = values
        return table

    def aggregate(self, values: np.ndarray, how: Literal["max", "mean", "sum"] = "max") -> np.ndarray:
        """(row, ...) figures as (window, ...), over the joints that each robot has."""
        combine: dict[str, Any] = {"max": np.nanmax, "mean": np.nanmean, "sum": np.nansum}
        if how not in combine:
            raise UsageError(f"how is max, mean or sum, got {how!r}")
        return np.asarray(combine[how](self.per_joint(values), axis=1))

    def contributions(self, values: np.ndarray) -> np.ndarray:
        """(row, kind) figures as (window, channel) of the source, 0 where absent."""
        values = self._checked(values)
        result = np.zeros((len(self.source), len(self.source.channels)), values.dtype)
        for i, channel in enumerate(self.source.channels):
            rows = self.joint_of_row == channel.joint
            result[self.window_of_row[rows], i] = values[rows, self._kinds.index(replace(channel, joint=None))]
        return result * self.source.presence

    def back(self, windows: Windows | None = None) -> Windows:
        """Windows (window, channel, time) again, from these or other rows in the same order."""
        rows = self.windows if windows is None else windows
        values = self._checked(rows.values)
        result = np.zeros((len(self.source), len(self.source.channels), values.shape[2]), np.float32)
        for i, channel in enumerate(self.source.channels):
            mine = self.joint_of_row == channel.joint
            result[self.window_of_row[mine], i] = values[mine, self._kinds.index(replace(channel, joint=None))]
        return replace(self.source, values=result * self.source.presence[:, :, None])

    @property
    def _kinds(self) -> tuple[Channel, ...]:
        return self.windows.channels

    def _checked(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values)
        if len(values) != len(self.joint_of_row):
            raise UsageError(f"expected one entry for each of {len(self.joint_of_row)} rows, got {len(values)}")
        return values


def joint_wise(windows: Windows) -> JointRows:
    """(window, channel, time) -> (window and joint, kind of channel, time): one model with shared weights for all
    joints of all arms, 6- or 7-axis.

    A row is made for each joint that a window has (some channel present); a kind that only other joints have is 0 and
    masked. Rows of a window stand together, joints in ascending order.

    Errors: `UsageError` if a channel belongs to no joint, or a window has none of the channels.

    >>> import numpy as np
    >>> a, t = np.array(["a", "b"]), np.zeros(2)
    >>> index = Index(a, a, a, a, t, t + 1, t, t, np.array(["normal", "normal"]), a, t, t)
    >>> channels = (Channel(Quantity.POSITION, 1), Channel(Quantity.POSITION, 2))
    >>> windows = Windows(np.ones((2, 2, 5)), channels, index, 5.0, mask=np.array([[True, True], [True, False]]))
    >>> rows = joint_wise(windows)
    >>> rows.windows.shape, rows.joint_of_row.tolist(), rows.aggregate(np.array([1.0, 3.0, 2.0])).tolist()
    ((3, 1, 5), [1, 2, 1], [3.0, 2.0])
    """
    loose = [channel.key for channel in windows.channels if channel.joint is None]
    if loose:
        raise UsageError(f"{', '.join(loose)} belong to no joint; cut the windows with channels of joints only")
    numbers = sorted({channel.joint for channel in windows.channels if channel.joint is not None})
    kinds = tuple(dict.fromkeys(replace(channel, joint=None) for channel in windows.channels))
    values = np.zeros((len(windows), len(numbers), len(kinds), windows.shape[2]), np.float32)
    mask = np.zeros(values.shape[:3], bool)
    for i, channel in enumerate(windows.channels):
        place = numbers.index(channel.joint or 0), kinds.index(replace(channel, joint=None))
        values[:, *place] = windows.values[:, i]
        mask[:, *place] = windows.presence[:, i]
    if not mask.any(axis=(1, 2)).all():
        raise UsageError(f"window {np.flatnonzero(~mask.any(axis=(1, 2)))[0]} has none of the channels")
    window_of_row, place_of_row = np.nonzero(mask.any(axis=2))
    joint_of_row = np.array(numbers, dtype=np.int64)[place_of_row]
    columns = windows.index.take(window_of_row).columns()
    elsewhere = (columns["label"] == "anomalous") & (columns["joint"] > 0) & (columns["joint"] != joint_of_row)
    index = Index(**{**columns, "label": np.where(elsewhere, "uncertain", columns["label"])})
    rows = Windows(
        values[window_of_row, place_of_row],
        kinds,
        index,
        windows.rate_hz,
        mask[window_of_row, place_of_row],
        windows.skipped,
    )
    return JointRows(rows, window_of_row, joint_of_row, windows)


def _kind(quantity: Quantity | str) -> Channel:
    return Channel(quantity) if isinstance(quantity, Quantity) else Channel.parse(quantity)


def _is(channel: Channel, kind: Channel) -> bool:
    same = channel.quantity == kind.quantity and channel.source == kind.source
    return same and kind.component in ("", channel.component) and kind.joint in (None, channel.joint)


def _shared_kinds(recordings: list[Recording]) -> list[Channel]:
    def kinds(recording: Recording) -> dict[Channel, None]:
        return dict.fromkeys(
            Channel(c.quantity, None, c.source, c.component)
            for c in recording.channels
            if c.joint is not None and c.quantity not in _ON_REQUEST
        )

    rest = [kinds(recording) for recording in recordings[1:]]
    return [kind for kind in kinds(recordings[0]) if all(kind in other for other in rest)]


def _joints(recordings: list[Recording], joints: Sequence[int] | str) -> set[int]:
    robots = [{joint.number for joint in recording.robot.joints} for recording in recordings]
    if joints == "all":
        return set.union(*robots)
    if joints == "common":
        return set.intersection(*robots)
    if isinstance(joints, str):
        raise UsageError(f"joints is 'all', 'common' or numbers, got {joints!r}")
    return set(joints)
