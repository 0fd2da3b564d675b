"""Age at a date from a birth date as text, so that the birth date itself need not pass the gate."""

from __future__ import annotations

import calendar
import datetime as dt
import re

SUFFIXES = ("AGE_YEARS", "AGE_MONTHS", "NEONATE")
_NEONATE_DAYS = 28
_MONTHS_SHOWN_BELOW = 24
_ISO = re.compile(r"(?P<y>\d{4})(?:-(?P<m>\d{1,2})(?:-(?P<d>\d{1,2}))?)?")
_ORDERED = {
    "DMY": re.compile(r"(?:(?:(?P<d>\d{1,2}|[A-Za-z]{2,3})[/.\-])?(?P<m>\d{1,2})[/.\-])?(?P<y>\d{4})"),
    "MDY": re.compile(r"(?:(?P<m>\d{1,2})[/.\-](?:(?P<d>\d{1,2}|[A-Za-z]{2,3})[/.\-])?)?(?P<y>\d{4})"),
    "ISO": _ISO,
}
_TIME = re.compile(r"[T ]\d{1,2}[:h]\d{2}.*")


def age(birth: str | None, at: str | None, order: str) -> tuple[str | None, str | None, str | None]:
    """(completed years, completed months if below 24, Y or N for younger than 28 days), as text.

    Dates are ISO or in ``order`` (DMY, MDY), a time behind them is passed over; day or month of either may be
    missing. A part is null where the dates do not settle it; all are null for unreadable dates and for a
    birth after ``at``.
    """
    born, seen = bounds(birth, order), bounds(at, order)
    if born is None or seen is None:
        return None, None, None
    shortest, longest = (born[1], seen[0]), (born[0], seen[1])
    # a birth known to the month may be read as after an early date in that month
    least, most = max(months(*shortest), 0), months(*longest)
    if longest[1] < longest[0]:
        return None, None, None
    years = str(least // 12) if least // 12 == most // 12 else None
    below = str(least) if least == most and most < _MONTHS_SHOWN_BELOW else None
    young = (longest[1] - longest[0]).days < _NEONATE_DAYS
    old = (shortest[1] - shortest[0]).days >= _NEONATE_DAYS
    return years, below, "Y" if young else "N" if old else None


def bounds(text: str | None, order: str) -> tuple[dt.date, dt.date] | None:
    """First and last day that a full or partial date can mean; None if it cannot be read."""
    bare = _TIME.sub("", (text or "").strip())
    match = _ISO.fullmatch(bare) or _ORDERED[order].fullmatch(bare)
    if match is None:
        return None
    day = int(match["d"]) if (match["d"] or "").isdigit() else 0
    year, month = int(match["y"]), int(match["m"] or 0)
    try:
        if month and day:
            exact = dt.date(year, month, day)
            return exact, exact
        last = month or 12
        return dt.date(year, month or 1, 1), dt.date(year, last, calendar.monthrange(year, last)[1])
    except ValueError:
        return None


def months(start: dt.date, end: dt.date) -> int:
    """Completed calendar months from ``start`` to ``end``; negative when ``end`` is earlier."""
    return 12 * (end.year - start.year) + end.month - start.month - (end.day < start.day)
