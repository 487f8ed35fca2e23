"""Robots as data: one YAML file a model, every number with its evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from jointwatch.core import Joint, Robot
from jointwatch.core.errors import UsageError
from jointwatch.simulation import _shipped

__all__ = ["EVIDENCE", "RobotModel", "Sensor", "Telemetry", "load_robot", "robot_digest", "robots"]

EVIDENCE = {
    "measured": "computed from recordings",
    "published": "read in a public source, named",
    "remembered": "order of magnitude from the literature, not read again",
    "assumed": "our assumption",
}

Evidence = Literal["measured", "published", "remembered", "assumed"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _array(value: Any) -> Any:
    array = np.asarray(value, np.float64)
    if not np.isfinite(array).all():
        raise ValueError("numbers must be finite")
    array.flags.writeable = False
    return array


class Tagged(_Data):
    """Numbers with where they come from: an evidence tag and a source named in the file's `sources`, or a remark."""

    value: Annotated[Any, AfterValidator(_array)]
    tag: Evidence
    source: str


class Kinematics(_Data):
    """Joint i turns (or slides) along `axis` of a frame that stands at `origin_*` in the frame of joint i-1.

    origin_m (joint, 3); origin_rpy_rad (joint, 3) fixed-axis roll, pitch, yaw; axis (joint, 3) unit vectors;
    flange_m (3), flange_rpy_rad (3): where tools are mounted, in the frame of the last joint, z outwards.
    home_rad (joint): a posture well inside the workspace with the flange pointing straight down.
    """

    origin_m: Tagged
    origin_rpy_rad: Tagged
    axis: Tagged
    flange_m: Tagged
    flange_rpy_rad: Tagged
    home_rad: Tagged


class Inertials(_Data):
    """mass_kg (joint), com_m (joint, 3), inertia_kg_m2 (joint, 6) = xx yy zz xy xz yz about the centre of mass, all in
    the frame of the joint that moves the link."""

    mass_kg: Tagged
    com_m: Tagged
    inertia_kg_m2: Tagged


class Limits(_Data):
    """position_rad (joint, 2), speed_rad_s (joint), acceleration_rad_s2 (joint), torque_nm (joint) peak at the
    output.
    """

    position_rad: Tagged
    speed_rad_s: Tagged
    acceleration_rad_s2: Tagged
    torque_nm: Tagged


class Drive(_Data):
    """Motor, reducer and friction of each joint, all (joint) unless said otherwise.

    Friction is in N m at the joint's output and output rad/s, at 40 degC: what the motor has to give on top.

    ratio; rv_pins of the outer ring of an RV reducer, 0 for a strain-wave gear; rotor_inertia_kg_m2 of motor and wave
    generator at the motor; torque_constant_nm_a at the motor per A of q-axis current; pole_pairs; stiffness_nm_rad
    (joint, 3) and stiffness_knee_nm (joint, 2) of the piecewise torsion curve; damping_ratio of the locked mode;
    hysteresis_arcsec, lost_motion_arcsec at the output; wave_error_arcsec (joint, 4) amplitudes at orders 1, 2, 4, 6
    of the motor; output_error_arcsec (joint, 3) amplitudes at orders 1, 2, 3 of the output; coulomb_nm; coulomb_load
    (N m per N m transmitted); stribeck_nm on top of Coulomb at standstill; stribeck_speed_rad_s; viscous_nm at 1
    rad/s; viscous_power (exponent of the speed); link_friction_nm on the output side; cogging_share of rated torque;
    ripple_share of motor torque at electrical orders 1, 2, 6 (joint, 3); heat_capacity_j_k; heat_resistance_k_w.
    """

    ratio: Tagged
    rv_pins: Tagged
    rotor_inertia_kg_m2: Tagged
    torque_constant_nm_a: Tagged
    pole_pairs: Tagged
    stiffness_nm_rad: Tagged
    stiffness_knee_nm: Tagged
    damping_ratio: Tagged
    hysteresis_arcsec: Tagged
    lost_motion_arcsec: Tagged
    wave_error_arcsec: Tagged
    output_error_arcsec: Tagged
    coulomb_nm: Tagged
    coulomb_load: Tagged
    stribeck_nm: Tagged
    stribeck_speed_rad_s: Tagged
    viscous_nm: Tagged
    viscous_power: Tagged
    link_friction_nm: Tagged
    cogging_share: Tagged
    ripple_share: Tagged
    heat_capacity_j_k: Tagged
    heat_resistance_k_w: Tagged


class Control(_Data):
    """Cascade with motor-side feedback, (joint) each.

    position_gain_1_s; velocity_bandwidth_hz of the rotor with its velocity loop; velocity_integral_1_s = 1 / reset
    time; current_bandwidth_hz; feedforward_speed and feedforward_torque, 0 (none) to 1 (exact model).
    """

    position_gain_1_s: Tagged
    velocity_bandwidth_hz: Tagged
    velocity_integral_1_s: Tagged
    current_bandwidth_hz: Tagged
    feedforward_speed: Tagged
    feedforward_torque: Tagged


class Sensor(_Data):
    """One quantity as the controller reports it, numbers (joint) or one for all.

    resolution: least significant bit, 0 = none; noise: standard deviation; both SI. filter_hz: first-order low-pass of
    the firmware, 0 = none. latency_s: delay against the clock of the recording. offset, gain_error: standard deviation
    over units, SI and share. ripple: amplitude of a torque sensor's own error at order 2 of its joint, SI.
    """

    resolution: Tagged
    noise: Tagged
    filter_hz: Tagged
    latency_s: Tagged
    offset: Tagged
    gain_error: Tagged
    ripple: Tagged


class Telemetry(_Data):
    """Clock and conventions, and the signals that exist, by channel kind such as `current` or `position.commanded`.

    rate_hz; jitter_s: standard deviation of the time step; drop_probability, repeat_probability of a sample; sign
    (joint) +1 or -1 and zero_rad (joint): reported position = sign * (angle - zero).
    """

    rate_hz: Tagged
    jitter_s: Tagged
    drop_probability: Tagged
    repeat_probability: Tagged
    sign: Tagged
    zero_rad: Tagged
    signals: dict[str, Sensor]


class RobotModel(_Data):
    """One robot model with every number that the simulator needs; see the classes of its parts for shapes and units.

    >>> robot = load_robot("ur5e")
    >>> robot.brand, robot.n_joints, robot.number("drive.ratio").tolist()[0]
    ('Universal Robots', 6, 101.0)
    >>> robot.evidence()["drive.ratio"].tag
    'remembered'
    """

    brand: str
    model: str
    joint_names: tuple[str, ...]
    joint_kind: Literal["revolute", "prismatic"] = "revolute"
    sources: dict[str, str] = Field(min_length=1)
    kinematics: Kinematics
    inertials: Inertials
    limits: Limits
    drive: Drive
    control: Control
    telemetry: Telemetry
    remarks: tuple[str, ...] = ()

    @property
    def n_joints(self) -> int:
        return len(self.joint_names)

    def number(self, key: str) -> np.ndarray:
        """Read-only array of a dotted key such as `drive.ratio`; UsageError for a key that does not exist."""
        found = self._by_key.get(key)
        if found is None:
            raise UsageError(f"{self.model} has no numbers {key!r}; the keys are those of evidence()")
        return found.value

    def evidence(self) -> dict[str, Tagged]:
        """Dotted key -> numbers with their evidence, in the order of the file."""
        return dict(self._by_key)

    @cached_property
    def _by_key(self) -> dict[str, Tagged]:
        return dict(_leaves(self))

    def fleet_robot(self, unit: str) -> Robot:
        """The robot as recordings name it."""
        ratio = self.number("drive.ratio")
        joints = (Joint(i + 1, name, self.joint_kind, float(ratio[i])) for i, name in enumerate(self.joint_names))
        return Robot(self.brand, self.model, unit, tuple(joints))

    @model_validator(mode="after")
    def _consistent(self) -> RobotModel:
        n = self.n_joints
        for key, found in _leaves(self):
            name = key.rpartition(".")[2]
            if key.startswith("telemetry.signals."):
                shapes: tuple[tuple[int, ...], ...] = ((), (n,))
            else:
                shapes = (_SHAPES.get(name, (n,)),) if name in _SHAPES else ((n,),)
                shapes = tuple(tuple(n if size == -1 else size for size in shape) for shape in shapes)
            if found.value.shape not in shapes:
                raise ValueError(f"{key} has shape {found.value.shape}, expected {' or '.join(map(str, shapes))}")
            if name in _POSITIVE and not (found.value > 0).all():
                raise ValueError(f"{key} must be positive")
        if not np.allclose(np.linalg.norm(self.kinematics.axis.value, axis=1), 1):
            raise ValueError("kinematics.axis must be unit vectors")
        return self


_SHAPES: dict[str, tuple[int, ...]] = {
    "origin_m": (-1, 3),
    "origin_rpy_rad": (-1, 3),
    "axis": (-1, 3),
    "flange_m": (3,),
    "flange_rpy_rad": (3,),
    "com_m": (-1, 3),
    "inertia_kg_m2": (-1, 6),
    "position_rad": (-1, 2),
    "stiffness_nm_rad": (-1, 3),
    "stiffness_knee_nm": (-1, 2),
    "wave_error_arcsec": (-1, 4),
    "output_error_arcsec": (-1, 3),
    "ripple_share": (-1, 3),
    "rate_hz": (),
    "jitter_s": (),
    "drop_probability": (),
    "repeat_probability": (),
}
_POSITIVE = {
    "mass_kg", "speed_rad_s", "acceleration_rad_s2", "torque_nm", "ratio", "rotor_inertia_kg_m2",
    "torque_constant_nm_a", "pole_pairs", "stiffness_nm_rad", "stiffness_knee_nm", "damping_ratio",
    "stribeck_speed_rad_s", "coulomb_nm", "viscous_power", "heat_capacity_j_k", "heat_resistance_k_w",
    "position_gain_1_s", "velocity_bandwidth_hz", "current_bandwidth_hz", "rate_hz",
}  # fmt: skip


def _leaves(part: BaseModel, prefix: str = "") -> Iterator[tuple[str, Tagged]]:
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, Tagged):
            yield prefix + name, value
        elif isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        elif isinstance(value, Mapping):
            for key, item in value.items():
                if isinstance(item, BaseModel):
                    yield from _leaves(item, f"{prefix}{name}.{key}.")


def robots() -> tuple[str, ...]:
    """Names of the robot models that come with the package.

    >>> "ur5e" in robots()
    True
    """
    return _shipped.names("robots")


@lru_cache(maxsize=32)
def load_robot(name: str) -> RobotModel:
    """A robot model by its name in the package, or from a YAML file of the user's own.

    Errors: `UsageError` for an unknown name; `InputError` that names the file and the key that is wrong.
    """
    remedy = "see the robots in the package"
    return _shipped.load(name, "robots", RobotModel, entry="robot", what="robot", remedy=remedy)


def robot_digest(robot: RobotModel) -> str:
    """SHA-256 of all numbers of a robot model: what was simulated with other numbers is not continued.

    >>> robot_digest(load_robot("ur5e")) == robot_digest(load_robot("ur10e"))
    False
    """
    digest = hashlib.sha256(repr((robot.brand, robot.model, robot.joint_names, robot.joint_kind)).encode())
    for key, found in robot.evidence().items():
        digest.update(key.encode() + np.ascontiguousarray(found.value).tobytes())
    return digest.hexdigest()
