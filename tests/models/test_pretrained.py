"""Pre-trained weights are read back bit for bit or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from jointwatch.core.errors import ModelFileError
from jointwatch.models._patch_encoder import PatchEncoder
from jointwatch.models._pretrained import load_pretrained, save_pretrained


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return save_pretrained(PatchEncoder(width=16, heads=2, layers=1), tmp_path / "encoder", {"seed": 3})


def test_round_trip(tmp_path: Path) -> None:
    encoder = PatchEncoder(width=16, heads=2, layers=1, patch=10)
    file = save_pretrained(encoder, tmp_path / "a" / "encoder", {"seed": 3, "data": [{"robot": "x"}]})
    for path in (file, file.with_suffix(".json"), tmp_path / "a"):
        again, told = load_pretrained(path)
        assert again.config() == encoder.config()
        assert (told["seed"], told["data"]) == (3, [{"robot": "x"}])
        for name, value in encoder.state_dict().items():
            assert torch.equal(again.state_dict()[name], value)


def test_the_package_brings_some() -> None:
    encoder, told = load_pretrained()
    assert encoder.config()["width"] == 128
    assert told["train_loss"]
    assert told["parameters"] == sum(parameter.numel() for parameter in encoder.parameters())


def test_damage_is_refused(stored: Path) -> None:
    content = bytearray(stored.read_bytes())
    content[-5] ^= 1
    stored.write_bytes(content)
    with pytest.raises(ModelFileError, match="damaged"):
        load_pretrained(stored)


def test_what_is_foreign_or_missing_is_refused(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="jointwatch pretrain"):
        load_pretrained(tmp_path / "nowhere")
    sheet = stored.with_suffix(".json")
    told = json.loads(sheet.read_text())
    sheet.write_text(json.dumps({**told, "slots": ["position"]}))
    with pytest.raises(ModelFileError, match="slots"):
        load_pretrained(stored)
    sheet.write_text(json.dumps({**told, "config": {"width": 8, "heads": 2, "layers": 1}}))
    with pytest.raises(ModelFileError, match="cannot be built"):
        load_pretrained(stored)
    sheet.write_text("[1]")
    with pytest.raises(ModelFileError, match="does not tell"):
        load_pretrained(stored)
