"""A bundle comes back whole, and whatever else lies in its place is refused: with one error, never a crash."""

from __future__ import annotations

import copy
import io
import json
import os
import stat
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jointwatch
from jointwatch.bundle import archive as module
from jointwatch.bundle._files import canonical, digest
from jointwatch.bundle._manifest import MANIFEST
from jointwatch.bundle._stored_zip import SIZE_LIMIT, pack
from jointwatch.bundle.archive import read_archive, write_archive
from jointwatch.core.errors import ModelFileError, UsageError

SMALL = {"model.json": b"{}", "net.onnx": b"\0\1\2", "golden/a.npy": b""}
FACTS = {"joints": 6, "rate_hz": 125.5, "brands": ["a", None, True], "text": "5 µm [b] :smile: \x1b[31m", "none": {}}
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2, 1.5, 10**30, -(1 << 63), "", "x", "..", "../x", "\ud800", "\0", "9.9.9", "1.2\n"),
    *([], {}, [[]], {"": {}}, {"sha256": "0" * 64, "size": 0}, {"size": 1}, "a" * 70, "٣.1.0", "0" * 64, 1e308),
    *(float("nan"), float("inf"), [0] * 2000, {str(i): {"sha256": "0" * 64, "size": 0} for i in range(1001)}),
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "small.jointwatch", SMALL, kind="detector", facts=FACTS)


@pytest.fixture
def realistic(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    members = {
        "model.json": json.dumps({"weights": rng.normal(size=400).tolist()}).encode(),
        "arrays.safetensors": rng.normal(size=3000).astype(np.float32).tobytes(),
        "encoder.onnx": rng.bytes(20_000) + bytes(5_000),
        "golden/scores.npy": rng.normal(size=200).tobytes(),
    }
    return write_archive(tmp_path / "arm.jointwatch", members, kind="detector", facts=FACTS)


def put(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)  # a new file: some file systems flush one that is cut and written again
    path.write_bytes(data)


def refused(path: Path, data: bytes, match: str = "Remedy: ") -> None:
    put(path, data)
    with pytest.raises(ModelFileError, match=match) as caught:
        read_archive(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "Remedy: " in str(caught.value)


def forge(content: Any, members: dict[str, bytes] = SMALL) -> bytes:
    """A container without a fault around any manifest, its digest made to fit."""
    if isinstance(content, dict) and "content_sha256" in content:
        rest = {key: value for key, value in content.items() if key != "content_sha256"}
        content = {**rest, "content_sha256": digest(rest)}
    raw = content if isinstance(content, bytes) else json.dumps(content, sort_keys=True, indent=1).encode()
    return pack({MANIFEST: raw, **{name: members[name] for name in sorted(members)}})


def manifest_of(path: Path) -> dict[str, Any]:
    return copy.deepcopy(read_archive(path).manifest)


def listing(members: dict[str, bytes]) -> dict[str, Any]:
    return {name: module._listed(content) for name, content in members.items()}


def test_round_trip_and_manifest(small: Path) -> None:
    found = read_archive(small)
    assert found.members == SMALL
    assert list(found.members) == sorted(SMALL)
    assert (found.kind, found.facts, found.signed_by, found.verified) == ("detector", FACTS, "", False)
    assert found.manifest["version"] == jointwatch.__version__
    assert (found.manifest["format"], found.manifest["schema"]) == ("jointwatch bundle", 1)
    assert found.manifest["members"] == listing(SMALL)
    text = "\n".join(found.summary())
    assert "net.onnx: 3 bytes" in text
    assert "not signed" in text
    assert "\x1b" not in text


def test_same_members_same_bytes(small: Path, tmp_path: Path) -> None:
    turned = {name: SMALL[name] for name in reversed(SMALL)}
    facts = {name: FACTS[name] for name in reversed(FACTS)}
    again = write_archive(tmp_path / "deep" / "er" / "b", turned, kind="detector", facts=facts)
    assert again.read_bytes() == small.read_bytes()
    assert sorted(path.name for path in again.parent.iterdir()) == ["b"]


def test_any_zip_tool_reads_it(small: Path) -> None:
    with zipfile.ZipFile(small) as found:
        assert found.testzip() is None
        assert found.namelist() == [MANIFEST, *sorted(SMALL)]
        assert {name: found.read(name) for name in SMALL} == SMALL
        for info in found.infolist():
            assert (info.compress_type, info.date_time) == (zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0))
            assert stat.filemode(info.external_attr >> 16) == "-rw-r--r--"


def test_writing_replaces_or_leaves_the_old(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = small.read_bytes()
    with pytest.raises(UsageError):
        write_archive(small, SMALL, kind="detector", facts={"x": float("nan")})
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("no power")))
    with pytest.raises(OSError, match="no power"):
        write_archive(small, {}, kind="other", facts={})
    monkeypatch.undo()
    assert small.read_bytes() == before
    assert [path.name for path in small.parent.iterdir()] == [small.name]
    write_archive(small, {}, kind="other", facts={})
    assert (read_archive(small).kind, read_archive(small).members) == ("other", {})


def test_200_random_bytes(realistic: Path) -> None:
    data = realistic.read_bytes()
    assert len(data) > 40_000
    rng, positions = np.random.default_rng(0), []
    for _ in range(200):
        damaged = bytearray(data)
        positions.append(int(rng.integers(len(data))))
        damaged[positions[-1]] ^= int(rng.integers(1, 256))
        refused(realistic, bytes(damaged))
    assert min(positions) < 0.05 * len(data) < 0.95 * len(data) < max(positions)
    realistic.write_bytes(data)
    assert read_archive(realistic).kind == "detector"


def test_one_bit_of_every_byte(small: Path) -> None:
    data, bits = small.read_bytes(), np.random.default_rng(1)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(bits.integers(8))
        refused(small, bytes(damaged))


def test_every_truncation_and_what_is_put_before_or_behind(small: Path) -> None:
    data = small.read_bytes()
    for length in range(len(data)):
        refused(small, data[:length], "truncated|not a ZIP")
    for more in (b"\0", b"PK\5\6", data, data[:1]):
        refused(small, data + more, "bytes that its manifest does not list")
        refused(small, more + data)
    for position in range(0, len(data), 7):
        refused(small, data[:position] + b"\0" + data[position:])
        refused(small, data[:position] + data[position + 1 :])


def test_what_is_no_bundle_file(tmp_path: Path, small: Path) -> None:
    for path, said in ((tmp_path / "none", "No such file"), (tmp_path, "not a file"), (Path("a\0b"), "null")):
        with pytest.raises(ModelFileError, match=said):
            read_archive(path)
    refused(small, b"", "not a ZIP file")
    refused(small, b"\x89PNG" * 40, "not a ZIP file")
    refused(small, pack({"other": b"1"}), "ZIP file of another kind")
    refused(small, pack({}), "not a ZIP file")
    with small.open("wb") as stream:
        stream.truncate(SIZE_LIMIT + 1)
    with pytest.raises(ModelFileError, match="at most"):
        read_archive(small)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ModelFileError, match="not a file"):
        read_archive(pipe)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_packed_again_by_another_tool(small: Path, compression: int) -> None:
    raw, stream = small.read_bytes(), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(stream, "w", compression) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), old.read(name), compression)
    refused(small, stream.getvalue(), "damaged|another tool")


def test_members_missing_extra_renamed_exchanged_doubled(small: Path) -> None:
    manifest = manifest_of(small)
    refused(small, forge(manifest, {k: v for k, v in SMALL.items() if k != "net.onnx"}), "truncated")
    refused(small, forge(manifest, {**SMALL, "more": b""}), "does not list")
    refused(small, forge(manifest, {**{k: v for k, v in SMALL.items() if k != "net.onnx"}, "net.onny": b"\0\1\2"}))
    refused(small, forge(manifest, {**SMALL, "net.onnx": b"\0\1\3"}), r"net\.onnx is damaged or not the one")
    refused(small, pack({MANIFEST: canonical(manifest), **SMALL}), "damaged|another tool")  # not sorted
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as new:
        warnings.simplefilter("ignore", UserWarning)
        for name, content in ((MANIFEST, canonical(manifest)), *sorted(SMALL.items()), ("net.onnx", b"\0\1\2")):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100644 << 16
            new.writestr(info, content)
    refused(small, stream.getvalue(), "does not list")


NAMES = ["../x", "/x", "a/../x", "a//x", "./x", "a/", "", ".x", "C:x", "a\\x", "a\nb", "é", "a\0", "x" * 201]
NAMES += ["manifest.json", "Manifest.json", "signature.json", "MODEL.json"]


@pytest.mark.parametrize("name", NAMES)
def test_unsafe_names(small: Path, name: str) -> None:
    with pytest.raises(UsageError, match="member name"):
        write_archive(small, {**SMALL, name: b"1"}, kind="detector", facts={})
    manifest = manifest_of(small)
    manifest["members"] |= listing({name: b"1"})
    refused(small, forge(manifest, {**SMALL, "x": b"1"}), "member name")


def test_absurd_sizes(small: Path) -> None:
    manifest = manifest_of(small)
    for size in (4, 1 << 40, 10**15, (1 << 63) - 1):
        manifest["members"]["net.onnx"]["size"] = size
        refused(small, forge(manifest), "truncated")
    for size in (-1, 3.0, "3", None, True):
        manifest["members"]["net.onnx"]["size"] = size
        refused(small, forge(manifest), "size of net.onnx")
    refused(small, forge(b" " * (5 << 20)), "too large")


@pytest.mark.parametrize("declared", [(200 << 20,), (100 << 20, 100 << 20), ((1 << 30) - 100,) * 2])
def test_declared_sizes_take_no_memory(small: Path, declared: tuple[int, ...]) -> None:
    """Neither of one member nor together, in a file of a few bytes and in one of holes."""
    manifest = manifest_of(small)
    manifest["members"] = {f"m{i}": {"sha256": "0" * 64, "size": size} for i, size in enumerate(declared)}
    data = forge(manifest, {"m0": b"1"})
    tracemalloc.start()
    refused(small, data, "truncated")
    with small.open("r+b") as stream:
        stream.truncate(SIZE_LIMIT - 1)
    with pytest.raises(ModelFileError, match=r"bytes that its manifest|truncated"):
        read_archive(small)
    head = bytearray(data[:60])
    head[18:26] = b"\xff\xff\xff\x3f" * 2  # the manifest itself
    refused(small, bytes(head), "truncated")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_manifests_that_are_no_manifest(small: Path) -> None:
    text = canonical(manifest_of(small))
    for raw, said in (
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{" + text, "not JSON"),
        (b"[" * 100_000, "nested too deeply|not JSON"),
        (b"[" * 900 + b"]" * 900, "nested"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested"),
        (b"1" * 5000, "not JSON"),
        (b"1" * 400, "64 bits"),
        (b"NaN", "not a number of JSON"),
        (b"1e999", "not a number of JSON"),
        (b'"\\ud800"', "surrogate"),
        (b"null", "does not say"),
        (b"{}", "does not say"),
        (text + b"\n", "not spelt"),
        (text.replace(b"125.5", b"125.50"), "not spelt"),
        (text.replace(b'"kind"', b'"kind": "x",\n "kind"'), "not spelt"),
        (text.replace(b'"kind": "detector"', b'"kind": "detectos"'), "changed after"),
        (text.decode().encode("utf-16"), "not JSON"),
    ):
        refused(small, forge(raw), said)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield from places(tree[key], (*path, key))


def test_strange_values_at_every_place(small: Path) -> None:
    manifest, count = manifest_of(small), 0
    for path in places(manifest):
        if not path:
            continue
        variants = [("set", value) for value in STRANGE] + [("drop", None), ("add", 1)]
        for what, value in variants:
            changed = copy.deepcopy(manifest)
            parent = changed
            for key in path[:-1]:
                parent = parent[key]
            if what == "set" and type(parent[path[-1]]) is type(value) and parent[path[-1]] == value:
                continue
            if what == "set":
                parent[path[-1]] = value
            elif what == "drop":
                parent.pop(path[-1])
            elif isinstance(parent, dict):
                parent["extra"] = value
            if path == ("content_sha256",) and what == "set":  # the one place whose change is not to be mended
                raw = pack(
                    {MANIFEST: json.dumps(changed, sort_keys=True, indent=1).encode(), **dict(sorted(SMALL.items()))}
                )
            else:
                raw = forge(changed)
            count += 1
            put(small, raw)
            free = (path[0] == "facts" and len(path) > 1) or (path == ("facts",) and isinstance(value, dict))
            if path == ("kind",) and value == "x":
                free = True
            with suppress(ModelFileError):
                found = read_archive(small)
                assert free, (path, what, value)
                assert found.manifest | {"content_sha256": 0} == changed | {"content_sha256": 0}
                found.summary()
    assert count > 500


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
TREES = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(key=st.sampled_from(["format", "schema", "version", "kind", "members", "content_sha256", ""]), tree=TREES)
def test_any_json_in_any_field(tmp_path_factory: pytest.TempPathFactory, key: str, tree: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jointwatch"
    whole = {"format": "jointwatch bundle", "schema": 1, "version": jointwatch.__version__, "kind": "detector"}
    whole |= {"facts": {}, "members": listing(SMALL), "content_sha256": ""}
    refused(path, forge({**whole, key: tree} if key != "content_sha256" else tree))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(facts=st.dictionaries(st.text(max_size=8), TREES, max_size=4))
def test_facts_come_back_or_are_refused_alike(tmp_path_factory: pytest.TempPathFactory, facts: dict[str, Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "facts.jointwatch"
    whole = {"format": "jointwatch bundle", "schema": 1, "version": jointwatch.__version__, "kind": "detector"}
    whole |= {"facts": facts, "members": listing(SMALL), "content_sha256": ""}
    try:
        write_archive(path, SMALL, kind="detector", facts=facts)
    except UsageError:
        refused(path, forge(whole))
    else:
        assert read_archive(path).facts == facts
        assert path.read_bytes() == forge(whole)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(raw=st.binary(max_size=200))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.jointwatch"
    refused(path, raw)
    refused(path, b"PK\3\4" + raw)
    refused(path, forge(raw))


@pytest.mark.parametrize(
    ("theirs", "ours", "said"),
    [
        ("1.2.9", "1.2.0", ""),
        ("1.1.0", "1.2.0", ""),
        ("1.2.0rc1", "1.2.0.dev3+local", ""),
        ("1.3.0", "1.2.7", "1.3.0 wrote it, this is 1.2.7. Remedy: update"),
        ("1.10.0", "1.9.0", "update"),
        ("2.0.0", "1.9.0", "update"),
        ("0.9.0", "1.0.0", "export it again with this one"),
    ],
)
def test_versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, theirs: str, ours: str, said: str) -> None:
    monkeypatch.setattr(jointwatch, "__version__", theirs)
    path = write_archive(tmp_path / "b", SMALL, kind="detector", facts={})
    monkeypatch.setattr(jointwatch, "__version__", ours)
    if not said:
        assert read_archive(path).manifest["version"] == theirs
    else:
        with pytest.raises(ModelFileError, match=said):
            read_archive(path)


def test_newer_schema_says_update_whatever_else_it_holds(small: Path) -> None:
    manifest = manifest_of(small)
    newer = {key: manifest[key] for key in ("format", "content_sha256")} | {"schema": 2, "layout": "other"}
    refused(small, forge(newer), "bundle schema 2; this release reads up to 1. Remedy: update")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"x": float("inf")}, "inf"),
        ({1: 2}, "not text"),
        ({"x": np.float64(1)}, "float64"),
        ({"x": {1, 2}}, "set"),
        ({"x": 1 << 63}, "64 bits"),
        ([], "not a mapping"),
        ({"x": "y" * (5 << 20)}, "too large"),
    ],
)
def test_facts_that_cannot_be_stored(tmp_path: Path, facts: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        write_archive(tmp_path / "b", SMALL, kind="detector", facts=facts)
    assert not list(tmp_path.iterdir())


def test_members_that_cannot_be_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for members, said in (({"a": "text"}, "a is a str"), ({"a": 5}, "a is a int"), ({3: b""}, "member name 3")):
        with pytest.raises(UsageError, match=said):
            write_archive(tmp_path / "b", members, kind="detector", facts={})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="1001 members"):
        write_archive(tmp_path / "b", {f"m{i}": b"" for i in range(1001)}, kind="detector", facts={})
    for kind in ("", "Detector", "a\x1b[31m", 3):
        with pytest.raises(UsageError, match="kind"):
            write_archive(tmp_path / "b", SMALL, kind=kind, facts={})  # type: ignore[arg-type]
    monkeypatch.setattr(module, "SIZE_LIMIT", 1000)
    with pytest.raises(UsageError, match="1000 at most"):
        write_archive(tmp_path / "b", {"a": bytes(600)}, kind="detector", facts={})


def test_large_member(tmp_path: Path) -> None:
    content = np.random.default_rng(3).bytes(20 << 20)
    path = write_archive(tmp_path / "b", {"net.onnx": content}, kind="detector", facts={})
    assert len(content) < path.stat().st_size < len(content) + 2000
    assert read_archive(path).members["net.onnx"] == content
    tracemalloc.start()
    read_archive(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(content) < peak < 1.1 * len(content)  # it is in memory once
    with path.open("r+b") as stream:
        stream.seek(10 << 20)
        stream.write(bytes([content[10 << 20] ^ 1]))
    with pytest.raises(ModelFileError):
        read_archive(path)
