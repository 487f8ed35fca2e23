"""The manifest of a bundle: what it must say, and in which one spelling.

Promised for every schema, past and to come: `manifest.json` is the first member, canonical JSON with "format", "schema"
and "content_sha256". So a release can always tell a damaged bundle from one that is newer than itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import jointwatch
from jointwatch.bundle._files import canonical, digest

__all__ = ["MANIFEST", "MANIFEST_LIMIT", "SIGNATURE", "check_json", "check_names", "parse", "write"]

MANIFEST, SIGNATURE = "manifest.json", "signature.json"
FORMAT, SCHEMA = "jointwatch bundle", 1

_KEYS = {"format", "schema", "version", "kind", "facts", "members", "content_sha256"}
MANIFEST_LIMIT = 4 << 20  # bytes
_MEMBER_LIMIT, _DEPTH_LIMIT, _NAME_LIMIT = 1000, 32, 200
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_NAME = re.compile(rf"{_PART}(/{_PART})*")
_KIND = re.compile(r"[a-z][a-z0-9 _-]{0,60}")
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(\.[0-9A-Za-z.+-]{1,60})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def write(kind: str, facts: Mapping[str, Any], members: Mapping[str, dict[str, Any]]) -> bytes:
    """The bytes of a manifest. Errors: `ValueError` with what cannot be stored."""
    if not isinstance(facts, Mapping):
        raise ValueError(f"facts is a {type(facts).__name__}, not a mapping")
    content = {
        "format": FORMAT,
        "schema": SCHEMA,
        "version": jointwatch.__version__,
        "kind": kind,
        "facts": dict(facts),
        "members": dict(members),
    }
    _check_fields(content)
    raw = canonical({**content, "content_sha256": digest(content)})
    if len(raw) > MANIFEST_LIMIT:
        raise ValueError(f"the facts are too large for a manifest ({len(raw)} bytes, at most {MANIFEST_LIMIT})")
    return raw


def parse(raw: bytes) -> dict[str, Any]:
    """The manifest in these bytes.

    Errors: `LookupError` with its remedy if another release is needed, `ValueError` for all else that is wrong.
    """
    if len(raw) > MANIFEST_LIMIT:
        raise ValueError(f"the manifest is too large ({len(raw)} bytes, at most {MANIFEST_LIMIT})")
    try:
        content = json.loads(raw.decode("ascii"))
    except RecursionError:
        raise ValueError("the manifest is nested too deeply") from None
    except ValueError:
        raise ValueError("the manifest is not JSON") from None
    check_json(content, "the manifest")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"the manifest does not say that this is a {FORMAT}")
    if canonical(content) != raw:  # white space, a key twice, 1.50
        raise ValueError("the manifest is damaged or not spelt as jointwatch spells it")
    if content.get("content_sha256") != digest({k: v for k, v in content.items() if k != "content_sha256"}):
        raise ValueError("the manifest was changed after it was written")
    schema = content.get("schema")
    if type(schema) is not int or schema < 1:
        raise ValueError(f"schema must be a number from 1, not {_shown(schema)}")
    if schema > SCHEMA:
        raise LookupError(
            f"it has bundle schema {schema}; this release reads up to {SCHEMA}. Remedy: update jointwatch."
        )
    if content.keys() != _KEYS:
        raise ValueError(f"the manifest lacks or has more than {', '.join(sorted(_KEYS))}")
    _check_fields(content)
    _check_version(content["version"])
    return content


def check_names(names: Any) -> None:
    """Refuse what is not a safe relative name, is reserved, or differs from another in capitals only (`ValueError`)."""
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or len(name) > _NAME_LIMIT or not _NAME.fullmatch(name):
            raise ValueError(f"member name {_shown(name)} is not of letters, digits, '_', '-', '.' and single '/'")
        if name.lower() in seen | {MANIFEST, SIGNATURE}:
            raise ValueError(f"member name {_shown(name)} is there twice or reserved")
        seen.add(name.lower())
    if len(seen) > _MEMBER_LIMIT:
        raise ValueError(f"it has {len(seen)} members, at most {_MEMBER_LIMIT} are allowed")


def check_json(content: Any, where: str) -> None:
    """Refuse what JSON cannot carry to every reader: depth over 32, integers over 64 bits, NaN, other types."""
    waiting = [(content, where, 0)]
    while waiting:
        value, where, depth = waiting.pop()
        if depth > _DEPTH_LIMIT:
            raise ValueError(f"{where[:_NAME_LIMIT]}... is nested deeper than {_DEPTH_LIMIT} levels")
        if isinstance(value, dict):
            for key, item in value.items():
                if type(key) is not str:
                    raise ValueError(f"{where} has a key that is not text: {_shown(key)}")
                waiting += [(key, f"a key of {where}", depth), (item, f"{where}[{_shown(key)}]", depth + 1)]
        elif isinstance(value, (list, tuple)):
            waiting += [(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
        elif type(value) is str:
            if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
                raise ValueError(f"{where} is text with half a surrogate pair")
        elif type(value) is int:
            if abs(value) >= 1 << 63:
                raise ValueError(f"{where} is an integer of more than 64 bits")
        elif type(value) is float:
            if value != value or value in (float("inf"), float("-inf")):
                raise ValueError(f"{where} is {value}, which is not a number of JSON")
        elif value is not None and type(value) is not bool:
            raise ValueError(f"{where} is a {type(value).__name__}, which JSON does not have")


def _check_fields(content: dict[str, Any]) -> None:
    check_json({key: content[key] for key in ("facts", "members")}, "manifest")
    for key, pattern in (("version", _VERSION), ("kind", _KIND)):
        if not isinstance(content[key], str) or not pattern.fullmatch(content[key]):
            raise ValueError(f"{key} {_shown(content[key])} does not match {pattern.pattern}")
    for key in ("facts", "members"):
        if not isinstance(content[key], dict):
            raise ValueError(f"{key} is a {type(content[key]).__name__}, not an object")
    check_names(content["members"])
    for name, member in content["members"].items():
        if not isinstance(member, dict) or member.keys() != {"sha256", "size"}:
            raise ValueError(f"{name} is not listed with sha256 and size")
        if not isinstance(member["sha256"], str) or not _SHA256.fullmatch(member["sha256"]):
            raise ValueError(f"sha256 of {name} is not 64 hexadecimal digits")
        if type(member["size"]) is not int or member["size"] < 0:
            raise ValueError(f"size of {name} is not a number of bytes: {_shown(member['size'])}")


def _check_version(version: str) -> None:
    """Same major, no newer minor: what a newer release stores may not exist here; an older major meant other things."""
    theirs, ours = (tuple(int(part) for part in v.split(".")[:2]) for v in (version, jointwatch.__version__))
    if theirs > ours:
        raise LookupError(
            f"jointwatch {version} wrote it, this is {jointwatch.__version__}. Remedy: update jointwatch."
        )
    if theirs[0] < ours[0]:
        raise LookupError(
            f"jointwatch {version} wrote it, this is {jointwatch.__version__}. Remedy: export it again with this one."
        )


def _shown(value: Any) -> str:
    return ascii(value)[:60]
