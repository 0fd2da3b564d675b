"""Days as whole numbers: conversions between frames and plain Python values, and the frame of a contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from trialpipe.io.contracts import Contract

_EPOCH = pd.Timestamp("1970-01-01")
_DTYPES = {"int": "Int64", "float": "float64", "bool": "boolean"}


def day(value: object) -> int | None:
    """Days from 1970-01-01 of a date, a timestamp or ISO text; None for a missing value."""
    known = pd.Timestamp(value) if value is not None else pd.NaT
    return None if pd.isna(known) else (known.normalize() - _EPOCH).days


def days(values: pd.Series) -> list[int | None]:
    """``day`` of every value of a date column."""
    stamps = pd.to_datetime(values)
    numbers = (stamps.dt.normalize() - _EPOCH).dt.days
    return [None if missing else int(number) for number, missing in zip(numbers, stamps.isna(), strict=True)]


def date(number: int | None) -> pd.Timestamp:
    """The date of a day number; NaT for None."""
    return pd.NaT if number is None else _EPOCH + pd.Timedelta(days=number)


def stamp(number: int | None, time: str | None) -> pd.Timestamp:
    """Date and clock time (HH:MM) as one value; NaT if either is missing."""
    if number is None or time is None:
        return pd.NaT
    hours, minutes = time.split(":")[:2]
    return date(number) + pd.Timedelta(hours=int(hours), minutes=int(minutes))


def iso(number: int) -> str:
    """YYYY-MM-DD of a day number."""
    return date(number).strftime("%Y-%m-%d")


def imputation_flag(low: int | None, high: int | None) -> str | None:
    """Largest unknown part of a date known by its bounds: D, M or Y (CDISC date imputation flag); None if exact."""
    if low is not None and low == high:
        return None
    if low is None or high is None:
        return "Y"
    first, last = date(low), date(high)
    if first.year != last.year:
        return "Y"
    return "D" if first.month == last.month else "M"


def texts(values: pd.Series) -> list[str | None]:
    """Text column as str or None, whatever stands for missing."""
    return [value if isinstance(value, str) else None for value in values]


def numbers(values: pd.Series) -> list[float | None]:
    """Number column as float or None."""
    return [None if pd.isna(value) else float(value) for value in pd.to_numeric(values)]


def column(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column of the frame, or an all-missing one if the extract has no such item."""
    return frame[name] if name in frame.columns else pd.Series([None] * len(frame), index=frame.index, dtype="object")


def joined(notes: Iterable[str]) -> str | None:
    """Notes in order, each once; None if there is none."""
    return "; ".join(dict.fromkeys(notes)) or None


def frame(rows: Sequence[Mapping[str, object]], contract: Contract) -> pd.DataFrame:
    """Rows as a frame with the contract's columns and dtypes (missing keys are null), in row order."""
    data: dict[str, pd.Series] = {}
    for item in contract.all:
        values = [row.get(item.name) for row in rows]
        if item.type in ("date", "datetime"):
            data[item.name] = pd.Series(pd.to_datetime(pd.Series(values, dtype="object")), dtype="datetime64[ns]")
        else:
            data[item.name] = pd.Series(values, dtype=_DTYPES.get(item.type, "object"))
    return pd.DataFrame(data)
