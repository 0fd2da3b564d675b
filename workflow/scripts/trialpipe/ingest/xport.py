"""SAS transport files, version 5: records of 80 bytes, numbers in IBM hexadecimal floating point.

Source of the layout: SAS technical support document TS-140, "The Record Layout of a Data Set in SAS Transport
(XPORT) Format". What the format cannot tell: blank text from missing text, observations of blanks at the end from
padding, and an observation that was cut off exactly at its start. It knows no encoding: the dialect declares it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trialpipe.ingest.common import Dialect
from trialpipe.ingest.sas_values import Dataset, Variable, format_name, texts, writer
from trialpipe.io.errors import DataError

LIBRARY = b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!"
V8 = b"HEADER RECORD*******LIBV8   HEADER RECORD!!!!!!!"
CPORT = b"**COMPRESSED** **COMPRESSED**"
AGAIN = "ask for the file again, copied as binary"
_MEMBER = b"HEADER RECORD*******MEMBER  HEADER RECORD!!!!!!!"
_DESCRIPTOR = b"HEADER RECORD*******DSCRPTR HEADER RECORD!!!!!!!"
_NAMES = b"HEADER RECORD*******NAMESTR HEADER RECORD!!!!!!!"
_OBSERVATIONS = b"HEADER RECORD*******OBS     HEADER RECORD!!!!!!!"
_RECORD = 80
_LONGEST = 32767
_NAMESTR = struct.Struct(">hhhh8s40s8shhh2s8shhi")
_SPECIAL = frozenset(b"._ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True)
class _Slot:
    """A variable and where it stands in an observation."""

    variable: Variable
    start: int


def read(data: bytes, rel: str, dialect: Dialect, only: str | None = None) -> list[Dataset]:
    """The data sets of a transport file, or the one called ``only`` (case aside; none if it is not there).

    Text loses trailing blanks. Raises DataError for another kind of file, a file that is cut or damaged, text that does
    not fit the encoding.
    """
    _check(data, rel)
    starts = _members(data)
    if not starts:
        raise DataError(rel, None, None, None, "transport file holds no data set (or is cut)", AGAIN)
    found = []
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        name, label, slots, offset = _header(data[:end], start, rel, dialect)
        if only is None or name.casefold() == only.casefold():
            found.append(_dataset(data[offset:end], name, label, slots, rel, dialect))
    return found


def names(data: bytes, rel: str) -> list[str]:
    """Names of the data sets of a transport file."""
    _check(data, rel)
    return [_ascii(data[start + 3 * _RECORD - 72 : start + 3 * _RECORD - 64]) for start in _members(data)]


def _check(data: bytes, rel: str) -> None:
    if data.startswith(V8):
        cure = "export with the XPORT engine (version 5), or as sas7bdat"
        raise DataError(rel, None, None, None, "is a SAS transport file of version 8 or 9", cure)
    if data.startswith(CPORT):
        cure = "export with the XPORT engine (libname x xport), or as sas7bdat"
        raise DataError(rel, None, None, None, "was written by PROC CPORT, which only SAS can read", cure)
    if not data.startswith(LIBRARY):
        raise DataError(rel, None, None, None, "is no SAS transport file (or is cut)", AGAIN)
    if len(data) % _RECORD:
        message = f"transport file is cut: {len(data)} bytes are not whole records of {_RECORD}"
        raise DataError(rel, None, None, None, message, AGAIN)


def _members(data: bytes) -> list[int]:
    starts, at = [], data.find(_MEMBER)
    while at >= 0:
        if at % _RECORD == 0:
            starts.append(at)
        at = data.find(_MEMBER, at + 1)
    return starts


def _header(data: bytes, start: int, rel: str, dialect: Dialect) -> tuple[str, str, list[_Slot], int]:
    """(name, label, slots, offset of the observations) of the data set whose header starts at ``start``."""
    record = [data[start + n * _RECORD : start + (n + 1) * _RECORD] for n in range(5)]
    size, count = record[0][74:78], record[4][54:58]
    if not record[1].startswith(_DESCRIPTOR) or not record[4].startswith(_NAMES):
        raise _damaged(rel, "the header of a data set")
    if not size.isdigit() or not count.isdigit() or int(size) not in (136, 140) or not int(count):
        raise _damaged(rel, "the header of a data set")
    first = start + 5 * _RECORD
    length, number = int(size), int(count)
    offset = first + -(-length * number // _RECORD) * _RECORD
    if not data[offset:].startswith(_OBSERVATIONS):
        raise _damaged(rel, "the list of variables")
    label = record[3][32:72].rstrip(b" \0").decode(dialect.encoding, "replace")
    slots = [_slot(data[first + n * length : first + (n + 1) * length], rel, dialect) for n in range(number)]
    ends = [slot.start + slot.variable.length for slot in slots]
    if [slot.start for slot in slots] != [0, *ends[:-1]]:
        raise _damaged(rel, "the places of the variables")
    return _ascii(record[2][8:16]), label, slots, offset + _RECORD


def _slot(raw: bytes, rel: str, dialect: Dialect) -> _Slot:
    kind, _, length, _, name, label, shown, width, decimals, *_, start = _NAMESTR.unpack_from(raw)
    valid = 2 <= length <= 8 if kind == 1 else kind == 2 and 1 <= length <= _LONGEST
    if not valid or not name.rstrip(b" \0").isascii() or not name.strip(b" \0"):
        raise _damaged(rel, "the description of a variable")
    text = label.rstrip(b" \0").decode(dialect.encoding, "replace")
    form = format_name(_ascii(shown), max(width, 0), max(decimals, 0))
    return _Slot(Variable(_ascii(name), text, form, "num" if kind == 1 else "char", length), start)


def _dataset(data: bytes, name: str, label: str, slots: Sequence[_Slot], rel: str, dialect: Dialect) -> Dataset:
    width = slots[-1].start + slots[-1].variable.length
    rows, rest = divmod(len(data), width)
    if rest and (rest >= _RECORD or data[-rest:].strip(b" ")):
        message = f"transport file is cut within observation {rows + 1} of data set {name}"
        raise DataError(rel, rows + 1, None, None, message, AGAIN)
    # padding to a whole record may look like further observations of blanks
    while rows and len(data) - (rows - 1) * width < _RECORD and not data[(rows - 1) * width :].strip(b" "):
        rows -= 1
    block = np.frombuffer(data, dtype=np.uint8, count=rows * width).reshape(rows, width)
    columns = []
    for slot in slots:
        variable = slot.variable
        cells = np.ascontiguousarray(block[:, slot.start : slot.start + variable.length])
        if variable.type == "num":
            columns.append(texts(_numbers(cells), writer(variable.format)))
        else:
            decode = decoder(rel, variable.name, dialect)
            columns.append([decode(row, raw) for row, raw in enumerate(cells.view(f"S{variable.length}")[:, 0], 1)])
    return Dataset(name, label, [slot.variable for slot in slots], columns)


def _numbers(cells: np.ndarray) -> list[float | str | None]:
    """IBM floating point (shape rows x 2..8 bytes, big endian) as floats; a special missing value as its letter."""
    padded = np.zeros((len(cells), 8), dtype=np.uint8)
    padded[:, : cells.shape[1]] = cells
    bits = padded.view(">u8")[:, 0].astype(np.uint64)
    mantissa = (bits & np.uint64((1 << 56) - 1)).astype(np.float64)
    exponent = ((bits >> np.uint64(56)) & np.uint64(0x7F)).astype(np.int64)
    values = np.ldexp(mantissa, 4 * (exponent - 64) - 56)
    values = np.where(bits >> np.uint64(63), -values, values)
    found: list[float | str | None] = values.tolist()
    for row in np.flatnonzero((mantissa == 0) & (bits != 0)).tolist():
        first = int(padded[row, 0])
        found[row] = chr(first) if first in _SPECIAL else 0.0
    return found


def decoder(rel: str, item: str, dialect: Dialect) -> Callable[[int, bytes], str | None]:
    """Bytes of a cell to text without trailing blanks, null if empty; DataError if they do not fit the encoding."""
    codec = "utf-8" if dialect.encoding.lower() in ("utf-8", "utf8", "utf-8-sig") else dialect.encoding
    known: dict[bytes, str | None] = {}

    def decode(row: int, raw: bytes) -> str | None:
        if raw not in known:
            known[raw] = _decoded(raw.rstrip(b" \0"), codec, rel, row, item)
        return known[raw]

    return decode


def _decoded(raw: bytes, codec: str, rel: str, row: int, item: str) -> str | None:
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError as error:
        others = [name for name in ("utf-8", "cp1252") if name != codec and _fits(raw, name)]
        cure = f"declare encoding: {others[0]} in extracts.yaml" if others else AGAIN
        message = f"byte {error.start + 1} of the text (0x{raw[error.start]:02X}) is not {codec}"
        raise DataError(rel, row, item, None, message, cure) from error
    if codec != "utf-8" and not raw.isascii() and _fits(raw, "utf-8"):
        message = f"text is UTF-8, but the encoding is declared as {codec}"
        raise DataError(rel, row, item, None, message, "declare encoding: utf-8 in extracts.yaml")
    return text or None


def _fits(raw: bytes, codec: str) -> bool:
    try:
        raw.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _ascii(raw: bytes) -> str:
    return raw.strip(b" \0").decode("ascii", "replace")


def _damaged(rel: str, what: str) -> DataError:
    return DataError(rel, None, None, None, f"transport file is cut or damaged in {what}", AGAIN)
