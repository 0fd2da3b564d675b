"""Reader of NanoString RCC files (one lane each), alone or as a zip of them: a row per line of Code_Summary.

The file: the sections of ``SECTIONS``, each ``<Name>`` ... ``</Name>``; ``key,value`` lines in the attribute
sections; Code_Summary starts with the header CodeClass,Name,Accession,Count.

The table: ``source_*`` (source_sheet is the member's name in a zip, else null), then ``COLUMNS``. Figures stay as
text; SYSTEM_TYPE is null where the file has none; MESSAGES are the lines of that section, joined by ``; ``.
Members of a zip are read in the order of their names; folders, ``__MACOSX`` and hidden files are passed over.
"""

from __future__ import annotations

import csv
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from trialpipe.ingest.common import Builder, Dialect, place, stack
from trialpipe.ingest.lines import lines
from trialpipe.io.errors import DataError

SECTIONS = ("Header", "Sample_Attributes", "Lane_Attributes", "Code_Summary", "Messages")
# column: sections it may stand in, key
ATTRIBUTES = {
    "SAMPLE_ID": (("Sample_Attributes",), "ID"),
    "COMMENTS": (("Sample_Attributes",), "Comments"),
    "DATE": (("Sample_Attributes",), "Date"),
    "GENERLF": (("Sample_Attributes",), "GeneRLF"),
    "LANE_ID": (("Lane_Attributes",), "ID"),
    "CARTRIDGE_ID": (("Lane_Attributes",), "CartridgeID"),
    "FOV_COUNT": (("Lane_Attributes",), "FovCount"),
    "FOV_COUNTED": (("Lane_Attributes",), "FovCounted"),
    "BINDING_DENSITY": (("Lane_Attributes",), "BindingDensity"),
    "SCANNER_ID": (("Lane_Attributes",), "ScannerID"),
    "STAGE_POSITION": (("Lane_Attributes",), "StagePosition"),
    "SYSTEM_TYPE": (("Header", "Lane_Attributes"), "SystemType"),
}
CODE = ("CODE_CLASS", "NAME", "ACCESSION", "COUNT")
COLUMNS = (*ATTRIBUTES, *CODE, "MESSAGES")
MEMBERS, MEMBER_BYTES = 500, 5 << 20
# what zipfile raises on damaged archives; a ValueError for names and places that cannot be
_UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
_HEADER = ["codeclass", "name", "accession", "count"]
_TAG = re.compile(r"<(/?)([A-Za-z_]+)>")
_AGAIN = "export the lane again from the scanner"

Sections = dict[str, list[tuple[int, str]]]


def read(path: Path, rel: str, dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """Read an RCC file, or a zip of them, into an ingested table (layout: see the module).

    Dialect keys: ``encoding``; ``ignore`` (``[name]`` passes over a member of a zip). Raises DataError for a missing,
    unclosed, repeated or unknown section, a key or a probe (class and name) that stands twice, a lane without
    sample ID line or probes, and for a zip that is broken, encrypted, empty, has more than 500 members or one of
    more than 5 MiB, or members of unsafe or other names.
    """
    form = Dialect.of(dialect)
    with Path(path).open("rb") as stream:
        if stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06"):
            return _archive(stream, rel, form)
        stream.seek(0)
        if len(stream.read(MEMBER_BYTES + 1)) > MEMBER_BYTES:
            raise DataError(rel, None, None, None, "file is larger than 5 MiB, no lane is", _AGAIN)
        stream.seek(0)
        return _lane(stream, rel, None, form)


def _archive(stream: BinaryIO, rel: str, form: Dialect) -> pa.Table:
    try:
        archive = zipfile.ZipFile(stream)
    except _UNREADABLE as error:
        raise DataError(rel, None, None, None, f"zip archive is broken: {error}", "copy or pack it again") from error
    with archive:
        members = _members(archive.infolist(), rel, form)
        return stack([_lane(io.BytesIO(_bytes(archive, m, rel)), rel, m.filename, form) for m in members])


def _members(found: list[zipfile.ZipInfo], rel: str, form: Dialect) -> list[zipfile.ZipInfo]:
    if len(found) > MEMBERS:
        message = f"zip archive has {len(found)} members, more than {MEMBERS}"
        raise DataError(rel, None, None, None, message, "pack one cartridge per archive")
    for name in (member.filename for member in found):
        if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
            raise DataError(rel, None, None, name, "name of a member leads out of the archive", "pack it again")
    members = sorted((m for m in found if not _passed(m, form)), key=lambda m: m.filename)
    for one, two in zip(members, members[1:], strict=False):
        if one.filename == two.filename:
            raise DataError(rel, None, None, one.filename, "member stands twice in the archive", "pack it again")
    for member in members:
        if not member.filename.lower().endswith(".rcc"):
            cure = f"take it out, or add '[{member.filename}]' under ignore of the form in extracts.yaml"
            raise DataError(rel, None, None, member.filename, "member of the archive is no .RCC file", cure)
    if not members:
        raise DataError(rel, None, None, None, "zip archive has no RCC file", "pack the cartridge's RCC files")
    return members


def _passed(member: zipfile.ZipInfo, form: Dialect) -> bool:
    parts = member.filename.split("/")
    hidden = parts[0] == "__MACOSX" or parts[-1].startswith(".")
    return member.filename.endswith("/") or hidden or f"[{member.filename}]" in form.ignore


def _bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo, rel: str) -> bytes:
    where = place(rel, member.filename)
    if member.flag_bits & 1:
        raise DataError(where, None, None, None, "member is encrypted", "pack it again without a password")
    try:
        with archive.open(member) as stream:
            data = stream.read(MEMBER_BYTES + 1)
    except _UNREADABLE as error:
        message = f"member cannot be unpacked: {error}"
        raise DataError(where, None, None, None, message, "copy or pack it again") from error
    if max(len(data), member.file_size) > MEMBER_BYTES:
        raise DataError(where, None, None, None, "member is larger than 5 MiB unpacked, no lane is", _AGAIN)
    return data


def _lane(stream: BinaryIO, rel: str, sheet: str | None, form: Dialect) -> pa.Table:
    where = place(rel, sheet)
    sections = _sections(stream, where, form)
    attributes = {name: _attributes(sections[name], where) for name in SECTIONS[:3]}
    if "id" not in attributes["Sample_Attributes"]:
        raise DataError(where, None, "ID", None, "section Sample_Attributes has no ID line", _AGAIN)
    texts = [
        next((attributes[s][key.lower()] for s in places if key.lower() in attributes[s]), None)
        for places, key in ATTRIBUTES.values()
    ]
    messages = "; ".join(text for _, text in sections["Messages"])
    builder = Builder(COLUMNS, rel, 1, sheet)
    for row, cells in _codes(sections["Code_Summary"], where):
        builder.add(row, [*texts, *cells, messages])
    return builder.table()


def _sections(stream: BinaryIO, where: str, form: Dialect) -> Sections:
    found: Sections = {}
    current: str | None = None
    for row, line in enumerate(lines(stream, where, form.encoding), 1):
        text = line.strip()
        tag = _TAG.fullmatch(text.rstrip(", "))
        if tag:
            current = _turn(tag, current, found, where, row)
        elif text and current is None:
            message = "text stands outside of the sections; the file is no RCC file or is damaged"
            raise DataError(where, row, None, text, message, _AGAIN)
        elif text and current is not None:
            found[current].append((row, text))
    if current is not None:
        raise DataError(where, None, current, None, "section is not closed: the file is cut", _AGAIN)
    missing = [name for name in SECTIONS if name not in found]
    if missing:
        raise DataError(where, None, missing[0], None, f"missing section {', '.join(missing)}", _AGAIN)
    return found


def _turn(tag: re.Match[str], current: str | None, found: Sections, where: str, row: int) -> str | None:
    """The section behind a tag line, None behind its end."""
    end, name = bool(tag[1]), tag[2]
    if name not in SECTIONS:
        raise DataError(where, row, name, None, f"is no section of an RCC file ({', '.join(SECTIONS)})", _AGAIN)
    if end != (current is not None) or (end and name != current):
        message = f"section '{current}' is not closed before" if current else "section is closed before it starts"
        raise DataError(where, row, name, None, message, _AGAIN)
    if end:
        return None
    if name in found:
        raise DataError(where, row, name, None, "section stands twice", "keep one lane per file")
    found[name] = []
    return name


def _attributes(section: list[tuple[int, str]], where: str) -> dict[str, str]:
    """Values by key in lower case; a comment may hold commas."""
    pairs: dict[str, str] = {}
    for row, text in section:
        key, comma, value = text.partition(",")
        if not comma:
            raise DataError(where, row, key, None, "line has no value: no comma", _AGAIN)
        if key.strip().lower() in pairs:
            raise DataError(where, row, key, None, "line stands twice in its section", _AGAIN)
        pairs[key.strip().lower()] = value.strip()
    return pairs


def _codes(section: list[tuple[int, str]], where: str) -> list[tuple[int, list[str]]]:
    rows = [(row, _cells(text, where, row)) for row, text in section]
    if not rows or [cell.lower() for cell in rows[0][1]] != _HEADER:
        row = section[0][0] if section else None
        message = "section does not start with CodeClass,Name,Accession,Count"
        raise DataError(where, row, "Code_Summary", None, message, _AGAIN)
    if len(rows) == 1:
        raise DataError(where, rows[0][0], "Code_Summary", None, "section has no probes", _AGAIN)
    seen: dict[tuple[str, str], int] = {}
    for row, cells in rows[1:]:
        if len(cells) != len(CODE):
            message = f"line has {len(cells)} cells instead of {len(CODE)}"
            raise DataError(where, row, "Code_Summary", None, message, _AGAIN)
        probe = (cells[0], cells[1])
        if probe in seen:
            message = f"probe of class {cells[0]} stands twice, here and in line {seen[probe]}"
            raise DataError(where, row, "Name", cells[1], message, _AGAIN)
        seen[probe] = row
    return rows[1:]


def _cells(text: str, where: str, row: int) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([text], strict=True))]
    except csv.Error as error:
        raise DataError(where, row, "Code_Summary", None, f"quotes are broken: {error}", _AGAIN) from error
