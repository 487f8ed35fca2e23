"""How hard the simulated fleets are: plain trees under four splits, with the ceiling from the true parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from jointwatch.core.errors import InputError
from jointwatch.simulation.fleet import plan_fleet
from jointwatch.simulation.spec import FleetSpec
from jointwatch.studies._difficulty_axes import study_axes, table_of_axes
from jointwatch.studies._difficulty_drives import study_drives, table_of_drives
from jointwatch.studies._difficulty_fleet import study_fleet, table_of_fleet
from jointwatch.studies._difficulty_probes import probe
from jointwatch.studies._fleet_table import manifest
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies.base import Progress, Results, Study, StudyOptions

__all__ = ["Difficulty"]

_PRESETS = ("m1-axes", "m2-drives", "m3-fleet")
_TREES = 60
_QUICK_TREES = 30
_QUICK_SEEDS = 2


class _Options(StudyOptions):
    presets: str = Field(",".join(_PRESETS), description="Which of the fleets, comma-separated.")

    @field_validator("presets")
    @classmethod
    def _known(cls, value: str) -> str:
        unknown = [name for name in value.split(",") if name not in _PRESETS]
        if unknown:
            raise ValueError(f"no fleet {', '.join(unknown)}; there are {', '.join(_PRESETS)}")
        return value


class Difficulty(Study):
    """`jointwatch study difficulty --data DIR`, where DIR holds the folders m1-axes, m2-drives and m3-fleet that
    `jointwatch simulate m1-axes --out DIR/m1-axes` and so on make.

    Splits: random windows or cycles, as in the publications (optimistic); whole sessions out; whole units out (the
    headline); axis or brand out. Statistics are simple and the trees are plain, so that what they reach is a floor for
    every other method; the oracle, the same trees on the true latent parameters, is about what any method can reach.
    Fleets of different difficulty versions are not mixed.
    """

    Options = _Options

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        seeds = min(_QUICK_SEEDS, options.seeds) if options.quick else options.seeds
        trees = _QUICK_TREES if options.quick else _TREES
        whole = Part()
        chosen = _present(options.data, options.presets.split(","), whole)
        versions = {preset: f"difficulty {about['difficulty']}" for preset, about in chosen.items()}
        if len(set(versions.values())) > 1:
            raise InputError(
                f"holds fleets of different versions ({', '.join(f'{k}: {v}' for k, v in versions.items())})",
                file=options.data,
                remedy="simulate them again with one version, or choose some with --presets",
            )
        for preset, about in chosen.items():
            folder = options.data / preset
            if preset == "m1-axes":
                axes = {group["name"]: group["faults"][0]["joints"][0] for group in about["spec"]["groups"]}
                table = table_of_axes(folder, axes, ledger, progress)
                part = study_axes(table, axes, seeds, trees, ledger, progress)
            elif preset == "m2-drives":
                table = table_of_drives(folder, ledger, progress)
                part = study_drives(table, seeds, trees, ledger, progress)
            else:
                table = table_of_fleet(folder, ledger, progress)
                part = study_fleet(table, seeds, trees, ledger, progress)
            part.join(probe(preset, table, seeds, trees, ledger))
            whole.join(part)
        progress(1, 1, "done")
        revisions = {about["revision"] for about in chosen.values()}
        about_all = f"{next(iter(versions.values()))}, simulator revision {', '.join(sorted(revisions))}"
        notes = [f"{about_all}: {', '.join(versions)}", *whole.notes]
        return Results("difficulty", "", 0.0, tuple(whole.rows), tuple(notes), whole.details)


def _present(data: Path, presets: list[str], whole: Part) -> dict[str, dict[str, Any]]:
    """Manifests of the fleets that are there; a note for each that is not.

    Errors: `InputError` if none is.
    """
    found = {preset: manifest(data / preset) for preset in presets if (data / preset / "fleet.json").is_file()}
    whole.notes += [
        f"{preset} is not there: jointwatch simulate {preset} --out {data / preset}"
        for preset in presets
        if preset not in found
    ]
    for preset, about in found.items():
        planned = len(plan_fleet(FleetSpec(**about["spec"])))
        there = len(list((data / preset).glob("*/*/*.parquet")))
        if there < planned:
            whole.notes.append(
                f"{preset} is unfinished, {there} of {planned} sessions are there: not for quoting; the same "
                "`jointwatch simulate` goes on"
            )
    if not found:
        raise InputError(
            f"holds none of {', '.join(presets)}",
            file=data,
            remedy=f"jointwatch simulate {presets[0]} --out {data / presets[0]}",
        )
    return found
