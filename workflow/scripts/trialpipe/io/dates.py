"""Partial ISO 8601 dates: their bounds, their imputation, and time elapsed between dates.

A partial date keeps what is known: ``2019``, ``2019-07``, ``2019-07--``, ``2019---18``, ``--07-18``,
``2019-07-18T13:-:19``. Imputation rules and their names follow the ADaM implementation guide and the vocabulary
of its open implementations (highest imputed level, rule first, mid, last, preserve, limits).
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterable
from functools import lru_cache

_DATE = re.compile(
    r"(?P<year>\d{4}|-)(?:-(?P<month>\d{2}|-)(?:-(?P<day>\d{2}|-))?)?"
    r"(?:T(?P<hour>\d{2}|-)(?::(?P<minute>\d{2}|-)(?::(?P<second>\d{2}(?:\.\d+)?|-))?)?)?"
)
NAMES = ("year", "month", "day", "hour", "minute", "second")
LEVELS = "YMDhms"
_FIRST = ("0001", "01", "01", "00", "00", "00")
_LAST = ("9999", "12", "31", "23", "59", "59")
Parts = tuple[str | None, ...]


@lru_cache(maxsize=65536)
def parts(text: str | None) -> Parts | None:
    """Known digits of year, month, day, hour, minute, second, None where unknown; None if the text is not ISO 8601.

    Only the form is checked, not the calendar.
    """
    match = _DATE.fullmatch(text or "")
    if match is None:
        return None
    return tuple(None if match[name] in (None, "-") else match[name] for name in NAMES)


@lru_cache(maxsize=65536)
def bounds(text: str | None) -> tuple[dt.date, dt.date] | None:
    """First and last day a partial date can mean; None without a year and for days that do not exist.

    ``2019---18`` (month unknown) runs from 18 January to 18 December.
    """
    known = parts(text)
    if known is None or known[0] is None:
        return None
    year, month, day = int(known[0]), known[1], known[2]
    try:
        if month is None and day is not None:
            return dt.date(year, 1, int(day)), dt.date(year, 12, int(day))
        if day is not None:
            exact = dt.date(year, int(month or 0), int(day))
            return exact, exact
        last = int(month or 12)
        return dt.date(year, int(month or 1), 1), dt.date(year, last, calendar.monthrange(year, last)[1])
    except (ValueError, calendar.IllegalMonthError):
        return None


def impute_date(
    text: str | None,
    highest: str = "n",
    rule: str = "first",
    min_dates: Iterable[str | None] = (),
    max_dates: Iterable[str | None] = (),
    preserve: bool = False,
) -> str | None:
    """ISO date from a partial one, or None where more is missing than ``highest`` (n, D, M, Y) lets be imputed.

    ``rule``: first, mid (15th, 30 June), last, or MM-DD for the missing parts. With ``preserve`` a known day stays
    when the month is missing. ``min_dates`` and ``max_dates`` move the result, but only to days the partial date
    can mean. With highest Y and no limit that applies, a date without a year stays None. ValueError for a rule that
    is none of these.
    """
    known = parts(text)
    if known is None and not (highest == "Y" and not text):
        return None
    filled = _impute(known or (None,) * 6, highest, rule, "first", min_dates, max_dates, preserve)
    return None if filled is None else filled[:10]


def impute_datetime(
    text: str | None,
    highest: str = "h",
    rule: str = "first",
    time_rule: str = "first",
    min_dates: Iterable[str | None] = (),
    max_dates: Iterable[str | None] = (),
    preserve: bool = False,
) -> str | None:
    """ISO date and time, as `impute_date`; levels s, m, h, D, M, Y; ``time_rule`` first, last or HH:MM:SS.

    Limits may be dates; they count from 00:00:00 (min) or to 23:59:59 (max).
    """
    known = parts(text)
    if known is None and not (highest == "Y" and not text):
        return None
    return _impute(known or (None,) * 6, highest, rule, time_rule, min_dates, max_dates, preserve)


def _impute(
    known: Parts,
    highest: str,
    rule: str,
    time_rule: str,
    min_dates: Iterable[str | None],
    max_dates: Iterable[str | None],
    preserve: bool,
) -> str | None:
    if None not in known[:3] and bounds("-".join(part or "" for part in known[:3])) is None:
        return None
    missing = [level for level, part in zip(LEVELS, known, strict=True) if part is None]
    date_only = highest in "nDMY" and not any(known[3:])
    first = next((level for level in missing if not (date_only and level in "hms" and highest == "n")), None)
    if first is not None and (highest == "n" or LEVELS.index(first) < LEVELS.index(highest)):
        return None
    kept = known if preserve or first is None else _cut(known, LEVELS.index(first))
    return _limit(_fill(kept, rule, time_rule), kept, min_dates, max_dates, first)


def _cut(known: Parts, position: int) -> Parts:
    return tuple(part if index < position else None for index, part in enumerate(known))


def _fill(known: Parts, rule: str, time_rule: str) -> str:
    """The parts with the missing ones filled by the rules, the day at most the month's last."""
    day_rule, clock_rule = rule.lower(), time_rule.lower()
    pattern = re.fullmatch(r"(\d{2})-(\d{2})", day_rule)
    if day_rule not in ("first", "mid", "last") and pattern is None:
        raise ValueError(f"'{rule}' is no date rule: first, mid, last or MM-DD")
    year, month, day = known[:3]
    ends = _LAST if day_rule == "last" else _FIRST
    full_year = year or ends[0]
    if month is None:
        full_month = pattern[1] if pattern else "06" if day_rule == "mid" else ends[1]
        middle = "30"
    else:
        full_month, middle = month, "15"
    full_day = day or (pattern[2] if pattern else middle if day_rule == "mid" else ends[2])
    last = calendar.monthrange(int(full_year), int(full_month))[1]
    named = {"first": _FIRST[3:], "last": _LAST[3:]}
    clock: tuple[str, ...] = named.get(clock_rule) or tuple(clock_rule.split(":"))
    time = ":".join(part or default for part, default in zip(known[3:], clock, strict=True))
    return f"{full_year}-{full_month}-{min(int(full_day), last):02d}T{time}"


def _limit(
    filled: str, known: Parts, min_dates: Iterable[str | None], max_dates: Iterable[str | None], first: str | None
) -> str | None:
    if first is None:
        return filled
    low, high = _fill(known, "first", "first"), _fill(known, "last", "last")
    floor = [limit for limit in (_whole(text, "first") for text in min_dates) if limit and low <= limit <= high]
    roof = [limit for limit in (_whole(text, "last") for text in max_dates) if limit and low <= limit <= high]
    if first == "Y" and not floor and not roof:
        return None
    filled = max([filled, *floor])
    return min([filled, *roof])


def _whole(text: str | None, rule: str) -> str | None:
    known = parts(text)
    return None if known is None or None in known[:3] else _fill(known, rule, rule)


_SECONDS = {"weeks": 604800.0, "days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
# a year is 365.25 days on average, a month a twelfth of it
_MEAN_SECONDS = _SECONDS | {"years": 365.25 * 86400.0, "months": 365.25 * 86400.0 / 12}
_UNITS = {
    "years": ("year", "years", "yr", "yrs", "y"),
    "months": ("month", "months", "mo", "mos"),
    "weeks": ("week", "weeks", "wk", "wks", "w"),
    "days": ("day", "days", "d"),
    "hours": ("hour", "hours", "hr", "hrs", "h"),
    "minutes": ("minute", "minutes", "min", "mins"),
    "seconds": ("second", "seconds", "sec", "secs", "s"),
}
_UNIT = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings}


def duration(
    start: dt.date | dt.datetime,
    end: dt.date | dt.datetime,
    unit: str,
    *,
    in_unit: str = "days",
    floor: bool = True,
    add_one: bool = False,
    truncate: bool = False,
    calendar_units: bool = False,
) -> float:
    """Time from ``start`` to ``end`` in ``unit`` (years, months, weeks, days, hours, minutes, seconds, or their usual
    abbreviations); negative if end is before start.

    ``floor`` first drops what is finer than ``in_unit`` (weeks begin on Sunday); ``add_one`` adds one ``in_unit``
    unless the time is negative, so that with days the first day is day 1; ``truncate`` cuts to whole units. Years and
    months are mean lengths (365.25 days), or with ``calendar_units`` whole calendar steps plus the share of the next
    one; what ``add_one`` adds is always a mean length. KeyError for another unit.
    """
    wanted, step = _UNIT[unit.lower()], _UNIT[in_unit.lower()]
    first, last = (_floored(value, step) if floor else _moment(value) for value in (start, end))
    if calendar_units and wanted in ("years", "months"):
        value = _calendar(first, last, 12 if wanted == "years" else 1)
    else:
        value = (last - first).total_seconds() / _MEAN_SECONDS[wanted]
    if add_one and value >= 0:
        value += _MEAN_SECONDS[step] / _MEAN_SECONDS[wanted]
    return float(int(value)) if truncate else value


def _moment(value: dt.date | dt.datetime) -> dt.datetime:
    return value if isinstance(value, dt.datetime) else dt.datetime(value.year, value.month, value.day)


def _floored(value: dt.date | dt.datetime, unit: str) -> dt.datetime:
    """The start of the unit that holds a moment."""
    moment = _moment(value)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "weeks":
        return day - dt.timedelta(days=(day.weekday() + 1) % 7)
    names = ("years", "months", "days", "hours", "minutes", "seconds")
    finer = dict(zip(names, ("month", "day", "hour", "minute", "second", "microsecond"), strict=True))
    changes = {finer[name]: 1 if finer[name] in ("month", "day") else 0 for name in names[names.index(unit) :]}
    return moment.replace(**changes)  # type: ignore[arg-type]


def _calendar(first: dt.datetime, last: dt.datetime, step: int) -> float:
    count = ((last.year - first.year) * 12 + last.month - first.month) // step
    while _later(first, count * step) > last:
        count -= 1
    while _later(first, (count + 1) * step) <= last:
        count += 1
    here, there = _later(first, count * step), _later(first, (count + 1) * step)
    return count + (last - here) / (there - here)


def _later(moment: dt.datetime, months: int) -> dt.datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))
