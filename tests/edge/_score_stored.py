"""Scores recordings with stored models; with `--small` as on an installation without the packages that fitting needs.

Arguments: folder of the models (model folders beside folders of recordings), file for the results, `--small`.
"""

from __future__ import annotations

import json
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

ABSENT = {
    "scipy", "sklearn", "joblib", "threadpoolctl", "polars", "pyarrow", "matplotlib", "jinja2", "hmmlearn", "pywt",
    "torch", "ot", "numba", "h5py", "mcap", "mcap_ros2", "rosbags", "python_calamine", "onnx", "onnxscript",
    "onnxruntime", "cryptography",
}  # fmt: skip


class Absent(MetaPathFinder):
    """Finds nothing of what is not installed."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def results(folder: Path) -> dict[str, dict[str, Any]]:
    """Model -> what it says of its recordings."""
    from jointwatch.bundle import load
    from jointwatch.recordings import read

    found = {}
    for model in sorted((folder / "models").iterdir()):
        estimator = load(model)
        kind, _, name = model.name.partition("-")
        recordings = list(read(folder / "recordings" / kind / "asked"))
        said: dict[str, Any]
        if kind == "arm" and hasattr(estimator, "detect"):  # AnomalyDetector
            verdict = estimator.detect(recordings)
            said = {"said": estimator.said(verdict).tolist(), "scores": verdict.cycle_scores.value.tolist()}
        elif kind == "arm":
            verdict = estimator.score(recordings)
            said = {
                "scores": verdict.cycle_scores.value.tolist(),
                "p": verdict.p_values.tolist(),
                "passed": verdict.passed.tolist(),
                "alarms": [alarm.cycle for alarm in verdict.alarms],
            }
            if verdict.cycle_scores.contributions is not None:
                said["contributions"] = verdict.cycle_scores.contributions.tolist()
        elif kind == "axis":
            diagnosis = estimator.diagnose(recordings)
            said = {"condition": diagnosis.condition.tolist(), "probability": diagnosis.probability.tolist()}
        else:
            grades = estimator.grade(recordings)
            said = {
                "level": grades.level.tolist(),
                "error": grades.error_rad.tolist(),
                "low": grades.low_rad.tolist(),
                "probability": grades.probability.tolist(),
            }
        found[f"{kind} {name}"] = said
    return found


if __name__ == "__main__":
    if "--small" in sys.argv:
        sys.meta_path.insert(0, Absent())
    Path(sys.argv[2]).write_text(json.dumps(results(Path(sys.argv[1]))))
    if "--small" in sys.argv:
        assert not ABSENT & {name.partition(".")[0] for name in sys.modules}
