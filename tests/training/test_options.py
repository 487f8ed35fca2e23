"""Impossible choices are refused where they are made."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from jointwatch.core.errors import UsageError
from jointwatch.training.options import Options, bfloat16_is_fast, device_of
from jointwatch.training.session import Session


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"weight_decay": -1.0}, {"patience": 0}],
)
def test_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Options(**wrong)


def test_session_refuses_no_epochs_between_saves() -> None:
    with pytest.raises(UsageError):
        Session(every=0)


def test_devices() -> None:
    assert device_of("cpu") == torch.device("cpu")
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UsageError, match="no device"):
        device_of("toaster")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no GPU"):
            device_of("cuda")


def test_bfloat16_is_fast_only_where_it_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    for capability, expected in (("amx_bf16", True), ("avx512_bf16", True), ("avx2", False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda name=capability: {name: True})
        assert bfloat16_is_fast(torch.device("cpu")) is expected
    assert not bfloat16_is_fast(torch.device("meta"))
