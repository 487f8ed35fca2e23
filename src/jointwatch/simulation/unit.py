"""Specimens: how one robot of a model differs from the next, and one session from another."""

from __future__ import annotations

import numpy as np

from jointwatch.simulation._units import ARCSEC
from jointwatch.simulation.difficulty import difficulty
from jointwatch.simulation.motion import GRIPPER
from jointwatch.simulation.plant import Controller, Drives, Plant
from jointwatch.simulation.rigid_body import RigidBody
from jointwatch.simulation.robot import RobotModel
from jointwatch.simulation.telemetry import telemetry_state

__all__ = ["draw_session", "draw_unit"]

GRAVITY_M_S2 = 9.80665
_RATED_SHARE = 0.4  # of peak torque, to which cogging refers


def draw_unit(robot: RobotModel, rng: np.random.Generator) -> Plant:
    """A healthy specimen of the model with its own friction, gears, motors and sensors, upright at 40 degC.

    Numbers scatter lognormally about those of the robot file with the standard deviations of `difficulty`. The
    wave and output errors of a gear share part of their scatter, they are not the same.

    >>> import numpy as np
    >>> from jointwatch.simulation.robot import load_robot
    >>> one, other = (draw_unit(load_robot("ur5e"), np.random.default_rng(seed)) for seed in (1, 2))
    >>> bool((one.drives.coulomb != other.drives.coulomb).all())
    True
    """
    hard = difficulty()
    sigma = hard.unit_sigma
    n = robot.n_joints
    number = robot.number

    stretch = hard.odd_factor if rng.random() < hard.odd_share else 1.0

    def scattered(key: str, spread: float) -> np.ndarray:
        mean = number(key)
        return mean * np.exp(stretch * spread * rng.standard_normal((n,) + (1,) * (mean.ndim - 1)))

    ratio = number("drive.ratio").copy()
    stiffness = scattered("drive.stiffness_nm_rad", sigma.stiffness)
    inertia = np.diag(RigidBody(robot, GRIPPER).mass_matrix(number("kinematics.home_rad")[None])[0])
    share = hard.gear_correlation
    common = rng.standard_normal((n, 1))

    def gear(key: str) -> np.ndarray:
        own = rng.standard_normal(number(key).shape)
        mixed = np.sqrt(share) * common + np.sqrt(1 - share) * own
        return number(key) * ARCSEC * np.exp(sigma.gear_error * mixed)

    def phases(columns: int) -> np.ndarray:
        return rng.uniform(0, 2 * np.pi, (n, columns))

    loop = scattered("drive.hysteresis_arcsec", sigma.hysteresis) * ARCSEC
    rotor = scattered("drive.rotor_inertia_kg_m2", sigma.rotor)
    constant = number("drive.torque_constant_nm_a")
    heat = np.exp(sigma.heat * rng.standard_normal(n))
    drives = Drives(
        ratio=ratio,
        rotor_inertia=rotor,
        torque_constant=scattered("drive.torque_constant_nm_a", sigma.torque_constant),
        pole_pairs=number("drive.pole_pairs").copy(),
        max_current=number("limits.torque_nm") / (ratio * constant),
        stiffness=stiffness,
        knee=number("drive.stiffness_knee_nm").copy(),
        damping=2 * scattered("drive.damping_ratio", sigma.damping) * np.sqrt(stiffness[:, 1] * inertia),
        # Two elements: the small one closes soon after a reversal, the large one later.
        hysteresis_nm=stiffness[:, :1] * loop[:, None] / 2 * np.array([0.6, 0.4]),
        hysteresis_rad=loop[:, None] * np.array([0.7, 2.0]),
        backlash_rad=scattered("drive.lost_motion_arcsec", sigma.backlash) * ARCSEC,
        wave_rad=gear("drive.wave_error_arcsec"),
        wave_phase=phases(4),
        beat=rng.uniform(*hard.beat, n),
        beat_phase=phases(1)[:, 0],
        output_rad=gear("drive.output_error_arcsec"),
        output_phase=phases(3),
        bump_rad=np.zeros(n),
        bump_order=np.ones(n),
        bump_width_rad=np.full(n, 0.3),
        bump_phase=phases(1)[:, 0],
        crack=np.zeros(n),
        crack_phase=phases(1)[:, 0],
        coulomb=scattered("drive.coulomb_nm", sigma.coulomb),
        coulomb_load=scattered("drive.coulomb_load", sigma.coulomb_load),
        stribeck=scattered("drive.stribeck_nm", sigma.stribeck),
        stribeck_speed=scattered("drive.stribeck_speed_rad_s", sigma.stribeck_speed),
        viscous=scattered("drive.viscous_nm", sigma.viscous),
        viscous_power=number("drive.viscous_power").copy(),
        cold=np.exp(sigma.cold * rng.standard_normal(n)),
        drag_nm=np.zeros(n),
        link_friction=scattered("drive.link_friction_nm", sigma.link_friction),
        cogging=scattered("drive.cogging_share", sigma.cogging) * number("limits.torque_nm") * _RATED_SHARE,
        cogging_phase=phases(1)[:, 0],
        ripple=scattered("drive.ripple_share", sigma.ripple),
        ripple_phase=phases(3),
        commutation_rad=np.zeros(n),
        encoder_rad=np.exp(sigma.encoder * rng.standard_normal((n, 2)))
        * np.array([1.0, 0.5])
        * (hard.encoder_arcsec * ARCSEC / ratio)[:, None],
        encoder_phase=phases(2),
        encoder_drift_rad_s=np.zeros(n),
        heat_capacity=number("drive.heat_capacity_j_k") * heat,
        heat_resistance=number("drive.heat_resistance_k_w") / heat,
        temperature_c=np.full(n, 40.0),
    )
    controller = Controller(
        position_gain=scattered("control.position_gain_1_s", sigma.gains),
        velocity_gain=2 * np.pi * scattered("control.velocity_bandwidth_hz", sigma.gains) * rotor * ratio**2,
        velocity_integral=number("control.velocity_integral_1_s").copy(),
        current_rate_hz=number("control.current_bandwidth_hz").copy(),
        feedforward_speed=number("control.feedforward_speed").copy(),
        feedforward_torque=number("control.feedforward_torque").copy(),
    )
    return Plant(
        robot=robot,
        drives=drives,
        controller=controller,
        telemetry=telemetry_state(robot, rng),
        gravity_m_s2=np.array([0.0, 0.0, -GRAVITY_M_S2]),
        ambient_c=25.0,
        wander_share=np.full(n, hard.wander_share),
        wander_s=hard.wander_s,
    )


def draw_session(unit: Plant, rng: np.random.Generator) -> Plant:
    """The unit on another day: ambient and start temperatures, friction after its history, mounting."""
    hard = difficulty().session
    plant = unit.copy()
    n = plant.drives.n_joints
    plant.ambient_c = float(rng.uniform(*hard.ambient_c))
    together = rng.uniform(*hard.warm_up_k)  # a warm arm is warm in all its joints, more or less
    plant.drives.temperature_c = plant.ambient_c + together * rng.uniform(0.7, 1.3, n)
    friction = np.exp(hard.friction_sigma * rng.standard_normal(n))
    for name in ("coulomb", "stribeck", "viscous"):
        setattr(plant.drives, name, getattr(plant.drives, name) * friction)
    tilt_x, tilt_y = hard.tilt_rad * rng.standard_normal(2)
    down = np.array([np.sin(tilt_y), -np.sin(tilt_x) * np.cos(tilt_y), -np.cos(tilt_x) * np.cos(tilt_y)])
    plant.gravity_m_s2 = GRAVITY_M_S2 * down
    return plant
