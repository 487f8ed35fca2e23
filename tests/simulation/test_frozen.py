"""What decides how hard the simulated world is does not change without its version."""

from __future__ import annotations

import hashlib
import json

from jointwatch.simulation.difficulty import difficulty
from jointwatch.simulation.produce import REVISION
from jointwatch.simulation.robot import load_robot, robot_digest
from jointwatch.simulation.spec import load_spec, presets

FROZEN = {
    ("1", "1"): {
        "arms": "a2e19ebaed79a3bb",
        "demo": "9e5c2dc9e21dc7ee",
        "m1-axes": "cd958b665244f531",
        "m1-published": "67974d88c91b1576",
        "m2-aging": "32c94e2c337fadef",
        "m2-arm": "95697ef34e1fbb5a",
        "m2-drives": "df959df4b9c9a50c",
        "m3-fleet": "9f003ecf75e1c9e2",
        "m3-sessions": "07b82db3110dd978",
    },
}
"""Digest of each preset, with the difficulty and its robots, by (difficulty, revision)."""


def _digest(preset: str) -> str:
    spec = load_spec(preset)
    robots = sorted({group.robot for group in spec.groups})
    everything = [
        difficulty().model_dump(mode="json"),
        spec.model_dump(mode="json"),
        {name: robot_digest(load_robot(name)) for name in robots},
    ]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]


def test_numbers_change_only_with_the_version() -> None:
    digests = {preset: _digest(preset) for preset in presets()}
    assert FROZEN.get((difficulty().version, REVISION)) == digests, (
        "difficulty, a preset or one of its robots changed: raise `version` in difficulty.yaml or produce.REVISION, "
        f"run `jointwatch study difficulty` again, and note the digests here (a new preset is only noted): {digests}"
    )
