"""What decides how hard the simulated world is does not change without its version."""

from __future__ import annotations

import hashlib
import json

from jointwatch.simulation.difficulty import difficulty
from jointwatch.simulation.produce import REVISION
from jointwatch.simulation.robot import load_robot, robot_digest
from jointwatch.simulation.spec import load_spec, presets

FROZEN = {("1", "1"): "c4378867bb4c147e"}


def test_numbers_change_only_with_the_version() -> None:
    specs = {name: load_spec(name) for name in presets()}
    robots = sorted({group.robot for spec in specs.values() for group in spec.groups})
    everything = [
        difficulty().model_dump(mode="json"),
        {name: spec.model_dump(mode="json") for name, spec in specs.items()},
        {name: robot_digest(load_robot(name)) for name in robots},
    ]
    digest = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]
    assert FROZEN.get((difficulty().version, REVISION)) == digest, (
        f"difficulty, a preset or one of its robots changed: raise `version` in difficulty.yaml or produce.REVISION, "
        f"run `jointwatch study difficulty` again, and note the new digest {digest} here"
    )
