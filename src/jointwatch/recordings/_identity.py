"""Which robot a file comes from, for formats that cannot say it: a `robot.yaml` in the folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from jointwatch.core import Action, QualityIssue, Robot
from jointwatch.core.errors import UsageError
from jointwatch.recordings._column_map import JointMap, RobotMap
from jointwatch.recordings._issues import note

__all__ = ["ROBOT_FILE", "identify"]

ROBOT_FILE = "robot.yaml"


def identify(
    source: Path,
    joints: int,
    *,
    brand: str = "",
    model: str = "",
    names: Sequence[str] = (),
    gear_ratio: float | None = None,
) -> tuple[Robot, list[QualityIssue]]:
    """Robot with that many joints, as `robot.yaml` beside the file says, and the rest as given here.

    Without the file all recordings of a folder are taken for one robot: splits by unit then stay honest, because
    one robot is never taken for two. The assumption is reported.

    Errors: `UsageError` if `robot.yaml` is wrong.
    """
    own = {number: JointMap(name=name) for number, name in enumerate(names, 1) if name}
    path = source.with_name(ROBOT_FILE)
    if path.is_file():
        try:
            said = RobotMap.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: {' '.join(str(error).split())}") from None
        filled = {
            "joints": own | {n: j.model_copy(update={"name": j.name or _name(own, n)}) for n, j in said.joints.items()},
            "brand": said.brand or brand,
            "model": said.model or model,
            "gear_ratio": said.gear_ratio or gear_ratio,
        }
        return said.model_copy(update=filled).robot(range(1, joints + 1)), []
    unit = source.resolve().parent.name or "unit"
    remedy = f"write {ROBOT_FILE} beside it: unit, brand, model, gear_ratio"
    issue = note(
        "unit_assumed", 1, Action.KEPT, detail=f"the folder's name {unit!r} stands for the robot", remedy=remedy
    )
    assumed = RobotMap(brand=brand, model=model, unit=unit, joints=own, gear_ratio=gear_ratio)
    return assumed.robot(range(1, joints + 1)), [issue]


def _name(joints: dict[int, JointMap], number: int) -> str:
    return joints[number].name if number in joints else ""
