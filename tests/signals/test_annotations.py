"""The shapes in the signatures are checked while tests run, not only written down."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from jointwatch.signals.differentiate import differentiate
from jointwatch.signals.resample import resample


def test_a_wrong_shape_is_refused(request: pytest.FixtureRequest) -> None:
    if "jointwatch.signals" not in (request.config.getoption("jaxtyping_packages") or ""):
        pytest.skip("needs pytest --jaxtyping-packages=jointwatch.signals,beartype.beartype")
    with pytest.raises(TypeCheckError, match="channel time"):
        resample(np.arange(5.0), np.zeros(5), 10.0)
    with pytest.raises(TypeCheckError, match="time"):
        differentiate(np.zeros((2, 9)), np.arange(8.0))
