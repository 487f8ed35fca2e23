"""Made-up sphere centres of a drive that turns 0.047 degrees too far, measured five times and graded.

Run: python examples/measure_transmission_error.py [OUT]

OUT/transmission_error.csv is no measurement: it is computed from a known angle with noise, and shows the layout that
`jointwatch transmission-error` reads.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from jointwatch.metrology.sphere_centres import SphereCentres, read_centres, write_centres
from jointwatch.metrology.static_error import measure_static_error

RUNS, NOISE_MM, REPEATABILITY_DEG, ERROR_DEG = 5, 0.002, 0.001, 0.047
ROD_MM = np.array([[150.0, 0.0, 40.0], [110.0, 70.0, 40.0], [120.0, 20.0, 110.0]])
AXIS, POINT_MM = np.array([0.1, -0.2, 1.0]), np.array([320.0, 210.0, 95.0])


def synthetic(seed: int) -> SphereCentres:
    """Three spheres on a rod, 20 input turns at ratio 100 in each run, about an axis that the machine does not know."""
    rng = np.random.default_rng(seed)
    before = np.repeat(ROD_MM[None], RUNS, axis=0)
    turned = np.radians(72.0 + ERROR_DEG + REPEATABILITY_DEG * rng.standard_normal(RUNS))
    after = np.stack([Rotation.from_rotvec(angle * AXIS / np.linalg.norm(AXIS)).apply(ROD_MM) for angle in turned])
    noisy = [POINT_MM + centres + NOISE_MM * rng.standard_normal(centres.shape) for centres in (before, after)]
    return SphereCentres(tuple(str(run) for run in range(1, RUNS + 1)), ("A", "B", "C"), *noisy)


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = out / "transmission_error.csv"
    write_centres(path, synthetic(seed=1), comment="synthetic, no measurement: examples/measure_transmission_error.py")
    measured = measure_static_error(read_centres(path), ratio=100, turns=20, noise_mm=NOISE_MM)
    error, low, high = np.degrees([measured.error_rad, measured.low_rad, measured.high_rad])
    print(f"made with {ERROR_DEG} deg; found {error:.4f} deg, 95 % interval {low:.4f} to {high:.4f}")
    print(f"{measured.level_words}; chance of levels 1 to 6: {measured.level_probability.round(3).tolist()}")
    print(f"now: jointwatch transmission-error {path} --noise-mm {NOISE_MM} --picture {out / 'error.png'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/transmission_error"))
