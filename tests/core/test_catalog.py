"""The catalog is what lies in the folders."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jointwatch.core import catalog
from jointwatch.core.errors import UsageError


@pytest.mark.parametrize("stage", catalog.STAGES)
def test_every_entry_loads_and_says_what_it_is(stage: str) -> None:
    assert catalog.names(stage), f"no entry in {stage}"
    for name, line in catalog.describe(stage).items():
        assert line.endswith("."), f"{stage}/{name}: the first docstring line must be a sentence, it is {line!r}"
        entry = catalog.load(stage, name)
        assert entry.__module__.startswith("jointwatch.")
        assert entry.__module__.endswith(f".{stage}.{name}")


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="parquet"):
        catalog.load("recordings", "paquet")
    with pytest.raises(UsageError, match="detectors"):
        catalog.names("detector")


def test_describing_imports_no_torch() -> None:
    code = (
        "import sys; from jointwatch.core import catalog; [catalog.describe(s) for s in catalog.STAGES]; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
