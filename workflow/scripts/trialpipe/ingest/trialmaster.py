"""Zips of SAS transport files, one per form, with their code lists, as TrialMaster exports them.

``PROJECT_Export_SAS_XPORT_YYYY_MM_DD_hh_mm.zip`` holds a ``.xpt`` per form and ``procformat.sas``. Dates that such an
export wrote as text (``12JAN2021``, whatever their format says) stay as they stand. Nothing is unpacked to the disk.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa

from trialpipe.ingest import sas_values, xport
from trialpipe.ingest.common import Builder, Dialect, check_columns, stack
from trialpipe.io.errors import DataError

ZIP = b"PK\x03\x04"
FORMATS, VARIABLES = "formats", "variables"
MAX_BYTES = 200_000_000
MAX_RATIO = 200
_SMALL = 10_000_000
_AGAIN = "ask for the export again"
_TOKEN = re.compile(
    r"""(?P<skip>\s+|/\*.*?\*/)|(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?P<end>;)|(?P<equals>=)|(?P<comma>,)"""
    r"""|(?P<group>\([^)]*\)|\[[^\]]*\])|(?P<word>(?!/\*)[^\s'";=,()\[\]]+)""",
    re.DOTALL,
)
_REMARK = re.compile(r"\*[^;]*;")

Token = tuple[str, str, int]


def read(path: Path, rel: str, form: Dialect) -> pa.Table:
    """One form of a zip of transport files (see `sas`); ``sheet`` is the name of its file without ``.xpt``, and the
    ``source_sheet`` of its rows.

    ``sheet: variables`` gives those of all forms, ``sheet: formats`` the code lists. Raises DataError for a zip that is
    cut, locked by a password, too large, or has names that lead out of it, and for an unknown form.
    """
    with _open(path, rel) as archive:
        members = _members(archive, rel)
        forms = _by_name(members, ".xpt", rel)
        if form.sheet == FORMATS and FORMATS not in forms:
            programs = [entry for entry in members if entry.filename.lower().endswith(".sas")]
            return formats([(f"{rel}/{e.filename}", _bytes(archive, e, rel)) for e in programs], form, rel)
        if form.sheet == VARIABLES and VARIABLES not in forms:
            found = [(where, data) for entry in forms.values() for where, data in _datasets(archive, entry, rel, form)]
            return sas_values.variables(found, form)
        entry = _chosen(form.sheet, forms, rel)
        found = _datasets(archive, entry, rel, form)
    if len(found) > 1:
        names = ", ".join(data.name for _, data in found[:12])
        message = f"holds several data sets: {names}"
        raise DataError(found[0][0], None, None, None, message, "unzip it, and name one under sheet in extracts.yaml")
    return sas_values.table(found[0][1], form, rel, PurePosixPath(entry.filename.replace("\\", "/")).stem)


def formats(programs: Sequence[tuple[str, bytes]], form: Dialect, rel: str = "") -> pa.Table:
    """Code lists of SAS programs ((file, content) each): a row per value, columns format, code, label.

    A list of values under one label gives a row each; ranges (1-3, low-<0) and ``other`` stay as they stand. Names keep
    the ``$`` of lists of texts. Only VALUE statements of PROC FORMAT are read. ``source_row`` is the line.
    """
    if not programs:
        raise DataError(rel, None, None, None, "zip holds no SAS program with code lists", "add procformat.sas")
    names = ["format", "code", "label"]
    tables = []
    for file, content in programs:
        check_columns(names, form, file, 1)
        text = xport.decoder(file, "code lists", form)(1, content.removeprefix(b"\xef\xbb\xbf")) or ""
        builder = Builder(names, file, 1)
        for statement in _statements(text, file):
            for line, cells in _values(statement, file):
                builder.add(line, cells)
        tables.append(builder.table())
    return stack(tables)


def _statements(text: str, file: str) -> Iterator[list[Token]]:
    """Tokens (kind, text, line) of each statement that is no remark."""
    at, line = 0, 1
    tokens: list[Token] = []
    while at < len(text):
        match = (_REMARK.match(text, at) if not tokens else None) or _TOKEN.match(text, at)
        if match is None:
            message = f"program cannot be read at {text[at : at + 20]!r}: a quote, bracket or comment is never closed"
            raise DataError(file, line, None, None, message, _AGAIN)
        kind = match.lastgroup
        if kind == "end":
            yield tokens
            tokens = []
        elif kind not in (None, "skip"):
            tokens.append((str(kind), match[0], line))
        line += match[0].count("\n")
        at = match.end()
    if tokens:
        raise DataError(file, tokens[-1][2], None, None, "last statement has no end: the program is cut", _AGAIN)


def _values(statement: list[Token], file: str) -> Iterator[tuple[int, list[str | None]]]:
    """(line, [format, code, label]) of a VALUE statement; nothing for another one."""
    if [kind for kind, _, _ in statement[:2]] != ["word", "word"] or statement[0][1].lower() != "value":
        return
    name = statement[1][1]
    codes: list[list[Token]] = [[]]
    rest = iter(statement[3:] if len(statement) > 2 and statement[2][0] == "group" else statement[2:])
    for token in rest:
        kind, _, line = token
        if kind == "comma":
            codes.append([])
        elif kind != "equals":
            codes[-1].append(token)
        else:
            label = next(rest, ("", "", line))
            if label[0] not in ("text", "word", "group") or not all(codes):
                raise DataError(file, line, name, None, "has a value without code or label", _AGAIN)
            for code in codes:
                yield code[0][2], [name, _plain(code), _plain([label])]
            codes = [[]]
    if codes != [[]]:
        raise DataError(file, statement[-1][2], name, None, "has a value without label", _AGAIN)


def _plain(tokens: Sequence[Token]) -> str:
    """A single text without its quotes; else the tokens as they stand."""
    if len(tokens) == 1 and tokens[0][0] == "text":
        quote = tokens[0][1][0]
        return tokens[0][1][1:-1].replace(quote * 2, quote)
    return "".join(text for _, text, _ in tokens)


def _open(path: Path, rel: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise DataError(rel, None, None, None, f"zip is cut or damaged: {error}", _AGAIN) from error


def _members(archive: zipfile.ZipFile, rel: str) -> list[zipfile.ZipInfo]:
    """Files of the archive, checked before anything is unpacked; what the Mac adds is passed over."""
    # ZipInfo.is_dir fails for a member without a name
    entries = [e for e in archive.infolist() if not e.filename.endswith("/") and not e.filename.startswith("__MACOSX/")]
    for entry in entries:
        if not entry.filename:
            raise DataError(rel, None, None, None, "zip is cut or damaged: a member has no name", _AGAIN)
        name = PurePosixPath(entry.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or re.match(r"[A-Za-z]:", entry.filename):
            message = f"member '{entry.filename}' leads out of the zip"
            raise DataError(rel, None, None, None, message, _AGAIN)
        if entry.flag_bits & 1:
            message = "zip is password-protected"
            cure = "unzip it with its password, and zip it again without or name its files in extracts.yaml"
            raise DataError(rel, None, None, None, message, cure)
    size = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if size > MAX_BYTES or size > max(_SMALL, MAX_RATIO * packed):
        message = f"unpacks to {size} bytes from {packed}: refused"
        cure = f"limits are {MAX_BYTES} bytes and a ratio of {MAX_RATIO}; unzip it and name its files in extracts.yaml"
        raise DataError(rel, None, None, None, message, cure)
    return entries


def _by_name(members: Sequence[zipfile.ZipInfo], suffix: str, rel: str) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in members:
        name = PurePosixPath(entry.filename.replace("\\", "/"))
        if name.suffix.lower() != suffix:
            continue
        stem = name.stem.upper()
        if stem in found:
            message = f"members '{found[stem].filename}' and '{entry.filename}' have the same name"
            raise DataError(rel, None, None, None, message, _AGAIN)
        found[stem] = entry
    return found


def _chosen(sheet: str | None, forms: dict[str, zipfile.ZipInfo], rel: str) -> zipfile.ZipInfo:
    names = list(forms)
    if not names:
        raise DataError(rel, None, None, None, "zip holds no .xpt file", "export as SAS XPORT, or unzip it")
    if sheet is None and len(names) == 1:
        return forms[names[0]]
    if sheet is None:
        message = f"zip holds several forms: {', '.join(names[:12])}"
        raise DataError(rel, None, None, None, message, "name one under sheet in extracts.yaml")
    if sheet.upper() not in forms:
        raise sas_values.unknown(sheet, names, rel)
    return forms[sheet.upper()]


def _datasets(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, rel: str, form: Dialect
) -> list[tuple[str, sas_values.Dataset]]:
    where = f"{rel}/{entry.filename}"
    return [(where, data) for data in xport.read(_bytes(archive, entry, rel), where, form)]


def _bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, rel: str) -> bytes:
    try:
        with archive.open(entry) as stream:
            # no more than announced, so that a false size in the directory cannot fill the memory
            return stream.read(entry.file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        where = f"{rel}/{entry.filename}"
        raise DataError(where, None, None, None, f"member of the zip is cut or damaged: {error}", _AGAIN) from error
