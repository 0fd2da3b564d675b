"""Lines and records of a text file, checked while they are read, so that memory stays bounded."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import BinaryIO

from trialpipe.ingest.common import Dialect
from trialpipe.io.errors import DataError

LINE_LIMIT = 1 << 20
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_AGAIN = "export the file again from the instrument's program"
_MAGIC = (
    (b"PK\x03\x04", "is an Excel workbook or a zip archive", "save it as CSV, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel file or password-protected", "save it as CSV"),
    (b"\xff\xfe", "is UTF-16", "save it as CSV UTF-8 and declare encoding: utf-8"),
    (b"\xfe\xff", "is UTF-16", "save it as CSV UTF-8 and declare encoding: utf-8"),
    (b"%PDF", "is a PDF", _AGAIN),
)
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml)", re.IGNORECASE)


def lines(stream: BinaryIO, where: str, encoding: str) -> Iterator[str]:
    """The lines of a binary stream as text ending in a line feed; a byte order mark is taken off.

    Raises DataError for an empty file, another file type, a line over 1 MiB, bytes that do not fit the encoding,
    UTF-8 declared as an 8-bit encoding and control characters.
    """
    codec = "utf-8" if encoding.lower() in ("utf-8", "utf8", "utf-8-sig") else encoding
    row = 0
    raw = stream.readline(LINE_LIMIT + 1)
    _check_kind(raw, where)
    raw = raw.removeprefix(b"\xef\xbb\xbf") if codec == "utf-8" else raw
    while raw:
        if len(raw) > LINE_LIMIT:
            raise DataError(where, row + 1, None, None, "line is longer than 1 MiB", _AGAIN)
        # a carriage return alone ends a line too; before a line feed it belongs to that line's end
        for part in raw.rstrip(b"\r\n").split(b"\r"):
            row += 1
            yield _text(part, where, row, codec) + "\n"
        raw = stream.readline(LINE_LIMIT + 1)


def records(stream: BinaryIO, where: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """(row, trimmed cells) of every record with content; row is the line on which it starts.

    Cells behind the last filled one are kept: a spreadsheet pads its rows. Raises DataError as `lines` does, and for
    broken quotes.
    """
    quote = dialect.quote or '"'
    source = lines(stream, where, dialect.encoding)
    if dialect.quote is None:
        reader = csv.reader(source, delimiter=dialect.separator, quoting=csv.QUOTE_NONE, strict=True)
    else:
        reader = csv.reader(source, delimiter=dialect.separator, quotechar=quote, strict=True)
    while True:
        row = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise _broken(where, row, str(error), quote) from error
        if any(cells):
            yield row, cells


def trimmed(cells: list[str]) -> list[str]:
    """``cells`` without the empty ones behind the last filled one."""
    end = len(cells)
    while end and not cells[end - 1]:
        end -= 1
    return cells[:end]


def _check_kind(first: bytes, where: str) -> None:
    if not first:
        raise DataError(where, None, None, None, "file is empty", _AGAIN)
    for magic, message, cure in _MAGIC:
        if first.startswith(magic):
            raise DataError(where, None, None, None, f"file {message}, not delimited text", cure)
    if _PAGE.match(first):
        message = "file is an HTML or XML page, not delimited text"
        raise DataError(where, None, None, None, message, _AGAIN)


def _text(raw: bytes, where: str, row: int, codec: str) -> str:
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError as error:
        message = f"byte 0x{raw[error.start]:02X} (byte {error.start + 1} of the line) is not {codec}"
        others = [name for name in ("utf-8", "cp1252", "iso-8859-15") if name != codec and _fits(raw, name)]
        cure = f"declare encoding: {others[0]} in extracts.yaml" if others else _AGAIN
        raise DataError(where, row, None, None, message, cure) from error
    if codec != "utf-8" and not raw.isascii() and _fits(raw, "utf-8"):
        message = f"line holds UTF-8 characters, but the encoding is declared as {codec}"
        raise DataError(where, row, None, None, message, "declare encoding: utf-8 in extracts.yaml")
    control = _CONTROL.search(text)
    if control:
        message = f"control character U+{ord(control.group()):04X} (character {control.start() + 1} of the line)"
        raise DataError(where, row, None, None, message, _AGAIN)
    return text


def _fits(raw: bytes, codec: str) -> bool:
    try:
        return not _CONTROL.search(raw.decode(codec))
    except UnicodeDecodeError:
        return False


def _broken(where: str, row: int, error: str, quote: str) -> DataError:
    if "unexpected end" in error:
        message = f"a text opened with {quote} is never closed: the file is cut, or a quote is not doubled"
    elif "field larger" in error:
        message = f"a text opened with {quote} runs over more than {csv.field_size_limit()} characters"
    else:
        message = f"quotes are broken: {error}"
    return DataError(where, row, None, None, message, _AGAIN)
