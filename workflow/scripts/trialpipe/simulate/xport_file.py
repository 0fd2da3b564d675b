"""SAS transport files, version 5: fixed records of 80 bytes, numbers in IBM hexadecimal floating point.

Layout: SAS technical support document TS-140, "The Record Layout of a Data Set in SAS Transport (XPORT) Format". The
moment of writing is given by the caller, so that the bytes are the same at every run.
"""

from __future__ import annotations

import datetime as dt
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

EPOCH = dt.datetime(1960, 1, 1)
ENCODING = "cp1252"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MISSING = b"." + bytes(7)
_HEADER = "HEADER RECORD*******{:<8}HEADER RECORD!!!!!!!{:<30}  "
_ZEROS = "0" * 30
_NAMESTR = struct.Struct(">hhhh8s40s8shhh2s8shhi52x")


@dataclass(frozen=True)
class Variable:
    """A variable; ``kind`` num, date, moment or char; ``length`` in bytes; ``format`` (name, width)."""

    name: str
    label: str
    kind: str
    length: int = 8
    format: tuple[str, int] = ("", 0)


def file(
    name: str, label: str, variables: Sequence[Variable], rows: Sequence[Sequence[str]], made: dt.datetime
) -> bytes:
    """A transport file with one data set. Cells are text: figures, ISO dates and moments, empty for missing.

    Raises ValueError for a name over 8 or a label over 40 characters, and for text longer than its variable.
    """
    stamp = _padded(f"{made:%d}{MONTHS[made.month - 1]}{made:%y:%H:%M:%S}", 16)
    system = _padded("9.4", 8) + _padded("Linux", 8)
    parts = [
        _record("LIBRARY", _ZEROS),
        b"SAS     SAS     SASLIB  " + system + b" " * 24 + stamp,
        stamp + b" " * 64,
        _record("MEMBER", "000000000000000001600000000140"),
        _record("DSCRPTR", _ZEROS),
        b"SAS     " + _padded(name, 8) + b"SASDATA " + system + b" " * 24 + stamp,
        stamp + b" " * 16 + _padded(label, 40) + b" " * 8,
        _record("NAMESTR", f"000000{len(variables):04d}" + "0" * 20),
        _filled(b"".join(_namestrs(variables))),
        _record("OBS", _ZEROS),
        _filled(b"".join(_cell(v, text) for row in rows for v, text in zip(variables, row, strict=True))),
    ]
    return b"".join(parts)


def ibm(value: float) -> bytes:
    """A finite number as 8 bytes: sign, power of 16 (bias 64), 56 bits of mantissa."""
    if value == 0:
        return bytes(8)
    mantissa, exponent = math.frexp(abs(value))
    power = -(-exponent // 4)
    bits = int(math.ldexp(mantissa, 56 + exponent - 4 * power))
    if not 0 <= power + 64 < 128:
        raise ValueError(f"{value} is beyond IBM floating point")
    return (bits | (power + 64) << 56 | (value < 0) << 63).to_bytes(8, "big")


def _record(kind: str, rest: str) -> bytes:
    return _HEADER.format(kind, rest).encode("ascii")


def _filled(data: bytes) -> bytes:
    """Blanks up to whole records."""
    return data + b" " * (-len(data) % 80)


def _padded(text: str, length: int) -> bytes:
    data = text.encode(ENCODING)
    if len(data) > length:
        raise ValueError(f"'{text}' is longer than {length} bytes")
    return data.ljust(length)


def _namestrs(variables: Sequence[Variable]) -> list[bytes]:
    found, start = [], 0
    for number, v in enumerate(variables, start=1):
        kind = 2 if v.kind == "char" else 1
        name, label, shown = _padded(v.name, 8), _padded(v.label, 40), _padded(v.format[0], 8)
        width = v.format[1]
        found.append(
            _NAMESTR.pack(kind, 0, v.length, number, name, label, shown, width, 0, 0, b"", b" " * 8, 0, 0, start)
        )
        start += v.length
    return found


def _cell(variable: Variable, text: str) -> bytes:
    if variable.kind == "char":
        return _padded(text, variable.length)
    if text == "":
        return MISSING
    if variable.kind == "date":
        return ibm((dt.date.fromisoformat(text) - EPOCH.date()).days)
    if variable.kind == "moment":
        return ibm((dt.datetime.fromisoformat(text) - EPOCH).total_seconds())
    return ibm(float(text))
