"""Reader of delimited text: CSV as e-CRF systems, laboratories and spreadsheets write it.

Structure is checked strictly, because a silently shifted column is the worst that can happen; what the text
means (dates, numbers, codes) is the clean stage's business.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from trialpipe.ingest.common import Builder, Dialect, check_columns, items
from trialpipe.io.errors import DataError

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINE_END = re.compile("\r\n|\r|\n")
_SEPARATORS = {";": "';'", ",": "','", "\t": "a tab", "|": "'|'"}
_MAGIC = (
    (b"PK\x03\x04", "is an Excel workbook or a zip archive", "use reader: workbook, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel file or password-protected", "save it as CSV or as plain .xlsx"),
    (b"\xff\xfe", "is UTF-16", "save it as CSV UTF-8 and declare encoding: utf-8"),
    (b"\xfe\xff", "is UTF-16", "save it as CSV UTF-8 and declare encoding: utf-8"),
)


def read(path: Path, rel: str, dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """Read one delimited file into an ingested table (see `common`).

    Dialect keys: ``encoding`` (utf-8, utf-8-sig, cp1252, iso-8859-15; a byte order mark is accepted with
    both UTF-8 names), ``separator``, ``quote`` (None: no quoting), ``comment``, ``expected``, ``ignore``.
    ``source_row`` is the physical line on which the record starts. Mixed line endings, blank lines and a
    missing last line end are accepted. Raises DataError naming file, row and cure for an empty file, bytes
    that do not fit the encoding, UTF-8 declared as an 8-bit encoding, control characters, an unclosed quote,
    a row with more or fewer cells than the header, two equal headers, data under an empty header, and
    unknown or missing columns.
    """
    form = Dialect.of(dialect)
    codec = "utf-8-sig" if form.encoding.lower() in ("utf-8", "utf8", "utf-8-sig") else form.encoding
    data = Path(path).read_bytes()
    _check_bytes(data, rel, codec)
    with io.TextIOWrapper(io.BytesIO(data), encoding=codec, newline="") as lines:
        return _table(_records(lines, rel, form), rel, form)


def _table(records: Iterator[tuple[int, list[str]]], rel: str, dialect: Dialect) -> pa.Table:
    first = next(records, None)
    if first is None:
        raise _empty(rel)
    header_row, header = first
    _check_separator(header, header_row, rel, dialect)
    names = items(header, rel, header_row)
    check_columns(names, dialect, rel, header_row)
    builder = Builder(names, rel, header_row)
    for row, cells in records:
        if len(cells) != len(names):
            raise _ragged(rel, row, len(cells), len(names))
        builder.add(row, cells)
    return builder.table()


def _records(lines: io.TextIOWrapper, rel: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """(row, cells) of every record with content; row is the physical line on which it starts."""
    quote = dialect.quote or '"'
    if dialect.quote is None:
        reader = csv.reader(lines, delimiter=dialect.separator, quoting=csv.QUOTE_NONE, strict=True)
    else:
        reader = csv.reader(lines, delimiter=dialect.separator, quotechar=quote, strict=True)
    while True:
        row = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _broken(rel, row, reader.line_num, str(error), quote) from error
        if not any(cells) or (len(cells) == 1 and not cells[0].strip()):
            continue
        if dialect.comment and cells[0].startswith(dialect.comment):
            continue
        yield row, cells


def _check_bytes(data: bytes, rel: str, codec: str) -> None:
    if not data:
        raise _empty(rel)
    for magic, message, cure in _MAGIC:
        if data.startswith(magic):
            raise DataError(rel, None, None, None, f"file {message}, not delimited text", cure)
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        raise _undecodable(data, rel, codec, error) from error
    if codec != "utf-8-sig" and not data.isascii() and _is(data, "utf-8"):
        offset = next(i for i, byte in enumerate(data) if byte > 127)
        message = f"byte {offset} starts a UTF-8 character, but the encoding is declared as {codec}"
        cure = "declare encoding: utf-8 in extracts.yaml"
        raise DataError(rel, _line(data, offset), None, None, message, cure)
    control = _CONTROL.search(text)
    if control:
        row = 1 + len(_LINE_END.findall(text, 0, control.start()))
        code = f"U+{ord(control.group()):04X}"
        message = f"control character {code} in the text (character {control.start() + 1} of the file)"
        eight_bit = control.group() >= "\x80" and codec != "utf-8-sig"
        cure = "declare encoding: cp1252 in extracts.yaml" if eight_bit else "export the file again"
        raise DataError(rel, row, None, None, message, cure)


def _undecodable(data: bytes, rel: str, codec: str, error: UnicodeDecodeError) -> DataError:
    # the utf-8-sig codec counts from behind a byte order mark
    start = error.start + (3 if codec == "utf-8-sig" and data.startswith(b"\xef\xbb\xbf") else 0)
    shown = codec.removesuffix("-sig")
    message = f"byte {start} (0x{data[start]:02X}) is not {shown}"
    others = [name for name in ("utf-8", "cp1252", "iso-8859-15") if name != shown and _is(data, name)]
    cure = f"declare encoding: {others[0]} in extracts.yaml" if others else "export the file again as UTF-8"
    return DataError(rel, _line(data, start), None, None, message, cure)


def _is(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _line(data: bytes, offset: int) -> int:
    return 1 + len(re.findall(rb"\r\n|\r|\n", data[:offset]))


def _check_separator(header: list[str], row: int, rel: str, dialect: Dialect) -> None:
    if len(header) != 1 or (dialect.expected and header[0].strip() in dialect.expected):
        return
    for separator, shown in _SEPARATORS.items():
        if separator in header[0]:
            message = f"the header has one column; it seems to be separated by {shown}"
            raise DataError(rel, row, None, None, message, "correct separator in extracts.yaml")


def _empty(rel: str) -> DataError:
    cure = "export it again; a form without records still has its header row"
    return DataError(rel, None, None, None, "file is empty", cure)


def _ragged(rel: str, row: int, found: int, expected: int) -> DataError:
    message = f"row has {found} cells, the header has {expected}"
    cure = "a separator or line break inside a text is not quoted; export the file again with quotes"
    return DataError(rel, row, None, None, message, cure)


def _broken(rel: str, row: int, last: int, error: str, quote: str) -> DataError:
    if "unexpected end" in error:
        message = f"a text opened with {quote} is never closed: the file is cut, or a quote is not doubled"
    elif "field larger" in error:
        message = f"a text opened with {quote} runs over more than {csv.field_size_limit()} characters"
    else:
        message = f"quotes are broken between lines {row} and {last}: {error}"
    return DataError(rel, row, None, None, message, "export the file again")
