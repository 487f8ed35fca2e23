"""Learn worn reducers on axis 6 of a simulated arm, carry to axis 4 of new units with nothing but healthy sessions.

Run: python examples/worn_reducer.py
"""

from __future__ import annotations

from jointwatch.core import Label, Recording
from jointwatch.diagnosis.axis_fault import AxisFaultClassifier
from jointwatch.simulation.produce import simulate_fleet
from jointwatch.simulation.spec import FleetSpec


def fleet(axis: int, units: int, seed: int) -> list[Recording]:
    """Units of an industrial arm whose axis swings to and fro, each with three healthy and three worn sessions."""
    group = {
        "name": f"axis{axis}",
        "robot": "industrial6",
        "units": units,
        "healthy_sessions": 3,
        "faulty_sessions": 3,
        "cycles": 2,
        "task": {"name": "reciprocation", "joint": axis, "load_kg": 5.0},
        "faults": [{"name": "reducer_wear", "joints": [axis], "severity": [0.3, 0.6, 1.0]}],
    }
    return list(simulate_fleet(FleetSpec.model_validate({"name": "example", "seed": seed, "groups": [group]})))


def main() -> None:
    model = AxisFaultClassifier().fit(fleet(axis=6, units=8, seed=1))
    target = fleet(axis=4, units=4, seed=2)
    # What a plant has of new units: their first two healthy sessions.
    known, asked = [], []
    for unit in sorted({recording.robot.unit for recording in target}):
        own = [recording for recording in target if recording.robot.unit == unit]
        healthy = [recording for recording in own if recording.condition.label is Label.NORMAL]
        known += healthy[:2]
        asked += [recording for recording in own if recording not in healthy[:2]]
    carried = model.adapt(known)
    verdict = carried.diagnose(asked).by("session")
    for place, condition, worn in zip(range(len(verdict)), verdict.condition, verdict.probability[:, 1], strict=True):
        index = verdict.index
        true = f"worn, severity {index.severity[place]:g}" if index.fault[place] else "healthy"
        print(f"{index.unit[place]} {index.session[place]}: {condition}, P(worn) = {worn:.2f}; in truth {true}")
    print(f"balanced accuracy of cycles on axis 4, no label of it used: {carried.score(asked):.2f}")
    parts = carried.explain(asked[:1])[0]
    for channel, share in zip(parts.channels, parts.contributions[0], strict=True):
        print(f"first cycle: {channel.key} brought {share:+.2f} to the log-odds")


if __name__ == "__main__":
    main()
