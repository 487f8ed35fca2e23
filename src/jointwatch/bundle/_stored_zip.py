"""The one ZIP file that given members make: stored, dated 1980-01-01, without anything optional.

Every byte follows from the names and contents, so a reader can build the file again and compare. The records are
laid out here and not by `zipfile`, whose choices may differ between releases of Python; any ZIP tool reads them.
Source: APPNOTE.TXT of PKWARE, version 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import BinaryIO

__all__ = ["SIZE_LIMIT", "frame", "header_size", "pack", "packed_size", "read_first"]

SIZE_LIMIT = 1 << 30  # of the whole file, bytes; far from the 4 GiB where the format changes

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _UNIX, _MODE, _DATE = 20, 3, 0o100644, (1 << 5) | 1


def pack(members: Mapping[str, bytes]) -> bytes:
    """The whole file; the members keep the order of the mapping."""
    headers, end = frame(members)
    records = [part for pair in zip(headers, members.values(), strict=True) for part in pair]
    return b"".join((*records, end))


def frame(members: Mapping[str, bytes]) -> tuple[list[bytes], bytes]:
    """What is in the file beside contents: what stands before each member, and behind the last."""
    headers, directory, offset = [], [], 0
    for name, content in members.items():
        fields = _fields(name, content)
        headers.append(_LOCAL.pack(b"PK\3\4", *fields) + name.encode("ascii"))
        made_by = _UNIX << 8 | _VERSION
        directory += [_CENTRAL.pack(b"PK\1\2", made_by, *fields, 0, 0, 0, _MODE << 16, offset), name.encode("ascii")]
        offset += header_size(name) + len(content)
    size = sum(map(len, directory))
    end = _END.pack(b"PK\5\6", 0, 0, len(members), len(members), size, offset, 0)
    return headers, b"".join((*directory, end))


def header_size(name: str) -> int:
    """Bytes before the content of a member."""
    return _LOCAL.size + len(name)


def packed_size(sizes: Mapping[str, int]) -> int:
    """Bytes of the whole file for members of these sizes."""
    return sum(header_size(name) + size + _CENTRAL.size + len(name) for name, size in sizes.items()) + _END.size


def read_first(stream: BinaryIO, name: str, limit: int) -> bytes:
    """Content of the member `name` whose record begins where the stream stands and has a size that only its header
    knows, of at most `limit` bytes.

    Errors: `ValueError` with what is there instead.
    """
    offset = stream.tell()
    head = stream.read(_LOCAL.size)
    if not head.startswith(b"PK\3\4"):
        raise ValueError("it is not a ZIP file" if offset == 0 else f"{name} does not begin where it should")
    if len(head) < _LOCAL.size:
        raise ValueError("it is truncated")
    fields = _LOCAL.unpack(head)
    size, found = fields[7], stream.read(len(name))
    if found != name.encode("ascii")[: len(found)]:
        raise ValueError(f"it is a ZIP file of another kind: its first member is not {name}")
    content = stream.read(min(size, limit + 1))
    if len(content) < min(size, limit + 1):
        raise ValueError(f"it is truncated, or the header of {name} is damaged")
    if size > limit:
        raise ValueError(f"{name} is too large ({size} bytes, at most {limit})")
    if _LOCAL.pack(b"PK\3\4", *_fields(name, content)) != head:
        raise ValueError(f"{name} is damaged, or another tool packed the file")
    return content


def _fields(name: str, content: bytes) -> tuple[int, ...]:
    """Fields that both headers of a member share: from the version needed to the length of the name."""
    return _VERSION, 0, 0, 0, _DATE, zlib.crc32(content), len(content), len(content), len(name), 0
