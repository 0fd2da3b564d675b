"""What SAS stores as numbers, as text: figures, dates, times and missing values."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from trialpipe.ingest.common import ORIGIN, Dialect, check_columns, integers, items, nearest, place, strings
from trialpipe.io.errors import DataError

_EPOCH = dt.datetime(1960, 1, 1)
_DAY = 86400
_LAST = (dt.datetime(9999, 12, 31) - _EPOCH).days
_FIRST = (dt.datetime(1582, 1, 1) - _EPOCH).days
_NAME = re.compile(r"(?P<name>\$?[A-Z_](?:[A-Z0-9_]*?[A-Z_])?)(?P<width>[0-9]+)?(?:\.[0-9]*)?")
_TIMES = re.compile(r"TIME|HHMM|HOUR|MMSS|TIMEAMPM|[EB]8601(?:TM|TZ|TX|LZ)|IS8601(?:TM|TZ|LZ)|NLTIM(?:E|AP)|TOD")
_DAYS_OF_MOMENTS = re.compile(r"DTDATE|DTMONYY|DTYEAR|DTWKDATX|DTYYQC|[EB]8601DN|IS8601DN")
_MOMENTS = re.compile(r"DATETIME|DATEAMPM|MDYAMPM|[EB]8601(?:DT|DZ|DX|LX)|IS8601(?:DT|DZ)|NLDATM\w*")
_DATES = re.compile(
    r"DATE|DAY|DOWNAME|WEEKDAT[EX]|WORDDAT[EX]|WEEKDAY|WEEK[UVW]|MONNAME|MONTH|MONYY|YEAR|QTRR?|"
    r"(?:DDMMYY|MMDDYY|YYMMDD)[BCDNPS]?|(?:MMYY|YYMM|YYQR?|YYQZ|YYWEEK[UVW]?)[CDNPS]?|YYMON|"
    r"JULIAN|JULDAY|PDJULG|PDJULI|[EB]8601DA|IS8601DA|NLDATE\w*|EURDF(?:DE|DD|DN|DWN|MN|MY|WDX|WKX)|MINGUO|NENGO|HEBDATE"
)


@dataclass(frozen=True)
class Variable:
    """A column of a data set; ``format`` as SAS writes it (``DATE9.``, empty if none), ``type`` num or char."""

    name: str
    label: str
    format: str
    type: str
    length: int


@dataclass(frozen=True)
class Dataset:
    """A data set with all its cells as text; ``columns`` in the order of ``variables``."""

    name: str
    label: str
    variables: Sequence[Variable]
    columns: Sequence[Sequence[str | None]]


def writer(format_: str) -> Callable[[float], str]:
    """How values of a format are written: date ISO, moment ISO to the second, time HH:MM:SS, else `number`.

    Dates count days, moments and times seconds from 1960-01-01. Values that cannot be (a year beyond 9999, as where
    seconds stand under a date format) are written as numbers. Moments shown as dates lose a time of 00:00.
    """
    match = _NAME.fullmatch(format_.strip().upper())
    name = match["name"] if match else ""
    if _DATES.fullmatch(name):
        return _date
    if _DAYS_OF_MOMENTS.fullmatch(name):
        return lambda value: _moment(value).removesuffix("T00:00:00")
    if _MOMENTS.fullmatch(name):
        return _moment
    if _TIMES.fullmatch(name):
        return lambda value: _moment(value) if name == "TOD" and value >= _DAY else _time(value)
    return number


def number(value: float) -> str:
    """The shortest text that reads back as the same number; whole numbers below 1e15 without decimals."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(float(value))


def format_name(name: str, width: int = 0, decimals: int = 0) -> str:
    """``DATE`` and 9 as ``DATE9.``; empty without name and width."""
    if not name and not width:
        return ""
    return f"{name}{width or ''}.{decimals or ''}"


def texts(values: Iterable[float | str | None], write: Callable[[float], str]) -> list[str | None]:
    """Numbers as text; NaN and None as null, a special missing value (a letter or _) as ``.A``."""
    known: dict[float | str, str | None] = {}
    result: list[str | None] = []
    for value in values:
        if value is None or value != value:
            result.append(None)
            continue
        if value not in known:
            known[value] = _text(value, write)
        result.append(known[value])
    return result


def _text(value: float | str, write: Callable[[float], str]) -> str | None:
    if isinstance(value, str):
        return f".{value}" if value.strip(" .") else None
    return write(value) if math.isfinite(value) else None


def table(dataset: Dataset, dialect: Dialect, rel: str, sheet: str | None = None) -> pa.Table:
    """The data set as an ingested table; ``source_row`` is the observation's number; empty observations are skipped.

    ``sheet``: the form of a file that holds several. Raises DataError for columns that do not agree with the mapping.
    """
    where = place(rel, sheet)
    names = items([variable.name for variable in dataset.variables], where, 1)
    check_columns(names, dialect, where, 1)
    columns = list(zip(names, dataset.columns, strict=True))
    rows = len(dataset.columns[0]) if dataset.columns else 0
    kept = [row for row in range(rows) if any(column[row] is not None for _, column in columns)]
    arrays = [strings([rel] * len(kept)), integers([row + 1 for row in kept]), strings([sheet] * len(kept))]
    arrays += [strings([column[row] for row in kept]) for _, column in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema([*ORIGIN, *((str(name), pa.string()) for name in names)]))


def variables(datasets: Sequence[tuple[str, Dataset]], dialect: Dialect) -> pa.Table:
    """A row per variable of the data sets (each with its file): dataset, name, label, format, type, length.

    ``source_row`` is the variable's number in its data set.
    """
    names = ("dataset", "name", "label", "format", "type", "length")
    if datasets:
        check_columns(names, dialect, datasets[0][0], 1)
    rows = [
        (rel, n, (data.name, v.name, v.label or None, v.format or None, v.type, str(v.length)))
        for rel, data in datasets
        for n, v in enumerate(data.variables, start=1)
    ]
    arrays = [strings([row[0] for row in rows]), integers([row[1] for row in rows]), strings([None] * len(rows))]
    arrays += [strings([row[2][at] for row in rows]) for at in range(len(names))]
    return pa.Table.from_arrays(arrays, schema=pa.schema([*ORIGIN, *((name, pa.string()) for name in names)]))


def unknown(sheet: str, names: Sequence[str], rel: str) -> DataError:
    """The error for a data set that is not among ``names``."""
    near = nearest(sheet, names)
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    cure = "correct sheet in extracts.yaml" + (f", nearest is '{near}'" if near else f"; there are {listed}")
    return DataError(rel, None, "sheet", sheet, "is no data set of the file", cure)


def _date(value: float) -> str:
    if not _FIRST <= value <= _LAST:
        return number(value)
    return (_EPOCH + dt.timedelta(days=math.floor(value))).date().isoformat()


def _moment(value: float) -> str:
    if not _FIRST * _DAY <= value < (_LAST + 1) * _DAY:
        return number(value)
    return _trimmed((_EPOCH + dt.timedelta(microseconds=round(value * 1e6))).isoformat(timespec="microseconds"))


def _time(value: float) -> str:
    if abs(value) >= 1e9:
        return number(value)
    whole, micro = divmod(round(abs(value) * 1e6), 1_000_000)
    clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{micro:06d}"
    return ("-" if value < 0 else "") + _trimmed(clock)


def _trimmed(text: str) -> str:
    """Without zeros at the end of the fraction of a second."""
    return text.rstrip("0").rstrip(".") if "." in text else text
