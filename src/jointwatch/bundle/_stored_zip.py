"""The one ZIP file that given members make: stored, dated 1980-01-01, without anything optional.

Every byte follows from the names and contents, so a reader can build the file again and compare. The records are
laid out here and not by `zipfile`, whose choices may differ between releases of Python; any ZIP tool reads them.
Source: APPNOTE.TXT of PKWARE, version 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

__all__ = ["SIZE_LIMIT", "header_size", "pack", "packed_size", "read_first"]

SIZE_LIMIT = 1 << 30  # of the whole file, bytes; far from the 4 GiB where the format changes

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _UNIX, _MODE, _DATE = 20, 3, 0o100644, (1 << 5) | 1


def pack(members: Mapping[str, bytes]) -> bytes:
    """The whole file; the members keep the order of the mapping."""
    records, directory, offset = [], [], 0
    for name, content in members.items():
        fields = _fields(name, content)
        records += [_LOCAL.pack(b"PK\3\4", *fields), name.encode("ascii"), content]
        made_by = _UNIX << 8 | _VERSION
        directory += [_CENTRAL.pack(b"PK\1\2", made_by, *fields, 0, 0, 0, _MODE << 16, offset), name.encode("ascii")]
        offset += header_size(name) + len(content)
    size = sum(map(len, directory))
    end = _END.pack(b"PK\5\6", 0, 0, len(members), len(members), size, offset, 0)
    return b"".join((*records, *directory, end))


def header_size(name: str) -> int:
    """Bytes before the content of a member."""
    return _LOCAL.size + len(name)


def packed_size(sizes: Mapping[str, int]) -> int:
    """Bytes of the whole file for members of these sizes."""
    return sum(header_size(name) + size + _CENTRAL.size + len(name) for name, size in sizes.items()) + _END.size


def read_first(data: bytes, offset: int, name: str) -> bytes:
    """Content of the member `name` whose record begins at `offset` and has a size that only its header knows.

    Errors: `ValueError` with what is there instead.
    """
    head = data[offset : offset + _LOCAL.size]
    if not head.startswith(b"PK\3\4"):
        raise ValueError("it is not a ZIP file" if offset == 0 else f"{name} does not begin where it should")
    if len(head) < _LOCAL.size:
        raise ValueError("it is truncated")
    fields = _LOCAL.unpack(head)
    start = offset + header_size(name)
    size, found = fields[7], data[offset + _LOCAL.size : start]
    if found != name.encode("ascii")[: len(found)]:
        raise ValueError(f"it is a ZIP file of another kind: its first member is not {name}")
    if start + size > len(data):
        raise ValueError(f"it is truncated, or the header of {name} is damaged")
    content = data[start : start + size]
    if _LOCAL.pack(b"PK\3\4", *_fields(name, content)) != head:
        raise ValueError(f"{name} is damaged, or another tool packed the file")
    return content


def _fields(name: str, content: bytes) -> tuple[int, ...]:
    """Fields that both headers of a member share: from the version needed to the length of the name."""
    return _VERSION, 0, 0, 0, _DATE, zlib.crc32(content), len(content), len(content), len(name), 0
