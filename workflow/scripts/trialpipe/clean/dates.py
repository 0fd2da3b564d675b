"""Dates as forms write them, partial ones included. A date that does not exist stays null."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from trialpipe.clean.codes import fold
from trialpipe.io import dates as iso

UNKNOWN = frozenset(
    [
        "", "nd", "nk", "un", "uk", "unk", "na", "nc", "nf", "nr", "ns", "nsp", "x", "xx", "xxx", "xxxx", "?", "??",
        "-", "--", "---", "_", "__", "..", "jj", "dd", "mm", "mmm", "aa", "aaaa", "yy", "yyyy", "u", "uu", "inconnu",
        "inconnue", "unknown", "00", "0", "99", "0000", "9999",
    ]
)  # fmt: skip
"""Texts (folded) for an unknown part of a date."""

_MONTHS = (
    "jan janv janvier january", "feb fev fevr fevrier february", "mar mars march", "apr avr avril april", "may mai",
    "jun juin june", "jul juil juillet july", "aug aou aout august", "sep sept septembre september",
    "oct octobre october", "nov novembre november", "dec decembre december",
)  # fmt: skip
MONTHS = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}
_TIME = re.compile(
    r"(?P<date>.*?)(?:t|\s+(?:a\s+)?|\b)"
    r"(?P<hour>[0-9]{1,2})\s*(?::|h)\s*(?P<minute>[0-9]{2})?(?:\s*:\s*[0-9]{2}(?:[.,][0-9]+)?)?"
)
_ZONE = r"(?:z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
_MOMENT = re.compile(
    r"(?P<date>[0-9-]+)t(?P<hour>[0-9]{2}|-)(?::(?P<minute>[0-9]{2}|-)(?::(?:[0-9]{2}(?:[.,][0-9]+)?|-))?)?"
    rf"{_ZONE}?"
)
_ZONED = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}){_ZONE}")
_SERIAL = re.compile(r"(?P<day>[0-9]{1,5})(?:\.(?P<rest>[0-9]+))?")
_COMPACT = re.compile(r"(?P<d>[0-9]{1,2})?(?P<m>[a-z]{3,9})(?P<y>[0-9]{4}|(?(d)[0-9]{2}|(?!)))")
"""Dates as SAS prints them: 12JAN2021, 12JAN21 and, without a day, JAN2021."""


@dataclass(frozen=True)
class Parsed:
    """A date read: ``precision`` day, month, year, missing or invalid; ``date`` partial ISO 8601 text.

    ``low`` and ``high``: first and last possible day; ``time`` HH:MM. ``short``: the year had two digits.
    ``bad_time``: a clock time stood there that does not exist.
    """

    precision: str
    date: str | None = None
    low: dt.date | None = None
    high: dt.date | None = None
    time: str | None = None
    short: bool = False
    bad_time: bool = False

    @property
    def text(self) -> str | None:
        """ISO 8601 with the time where known."""
        return f"{self.date}T{self.time}" if self.precision == "day" and self.time else self.date


MISSING, INVALID = Parsed("missing"), Parsed("invalid")
YEARS = range(1800, 2201)
"""Years that a date may have at all; others are slips of the pen (0020, 2920), and no table could hold them."""


@lru_cache(maxsize=65536)
def parse(
    text: str | None,
    order: str = "ISO",
    unknown: tuple[str, ...] = (),
    missing: tuple[str, ...] = (),
    latest: int | None = None,
    serial: bool = False,
) -> Parsed:
    """Read one date; ``order`` (DMY, MDY, ISO) says how three figures stand, ISO texts are read under any order.

    ``unknown``: further texts for an unknown part, ``missing``: for no date. Months may have French or English
    names. A two-digit year is 20yy if not after ``latest`` (a year), else invalid, and is marked ``short``.
    ``serial``: plain figures are days of a spreadsheet (1900 system); its 29 February 1900 is invalid.
    Of ISO date-times (the partial and incomplete ones of ODM too: ``2024-10--T-:-:-``) a clock time is kept where
    hour and minute are known, as the clock of the place showed it: an offset from UTC is passed over.
    """
    plain = " ".join(unicodedata.normalize("NFKC", text or "").split())
    folded = fold(plain)
    words = {fold(word) for word in unknown}
    if folded in {fold(word) for word in missing} | words or (folded in UNKNOWN and not folded.isdigit()):
        return MISSING
    if serial and (match := _SERIAL.fullmatch(folded)) and not _is_year(folded):
        return _from_serial(int(match["day"]), float(f"0.{match['rest'] or 0}"))
    if (moment := _moment(folded)) is not None:
        return moment
    match = _TIME.fullmatch(folded)
    day_text = match["date"].strip() if match else folded
    found = _date(day_text, order, words, latest)
    if match is None or found.precision in ("missing", "invalid"):
        return found
    time = clock(f"{match['hour']}:{match['minute'] or '00'}")
    return _with_time(found, time, time is None)


@lru_cache(maxsize=65536)
def clock(text: str | None) -> str | None:
    """HH:MM of ``8:05``, ``08h05``, ``8h``, ``08:05:30`` or the fraction of a day ``0.5``; None if it is no time."""
    folded = fold(text or "")
    match = re.fullmatch(r"([0-9]{1,2})\s*(?::|h)\s*([0-9]{2})?(?:\s*:\s*([0-9]{2}))?(?:\.[0-9]+)?", folded)
    if match:
        hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
        return f"{hour:02d}:{minute:02d}" if hour < 24 and minute < 60 and second < 60 else None
    if re.fullmatch(r"0?\.[0-9]+", folded):
        minutes = round(float(folded) * 1440)
        return f"{minutes // 60:02d}:{minutes % 60:02d}" if minutes < 1440 else None
    return None


def join(found: Parsed, time_text: str | None, missing: tuple[str, ...] = ()) -> Parsed:
    """The date with the clock time of another item; a time beside a partial date is kept, but only as such."""
    folded = fold(time_text or "")
    if folded in UNKNOWN | {fold(word) for word in missing} or found.precision in ("missing", "invalid"):
        return found
    time = clock(time_text)
    return _with_time(found, time, time is None)


def elapsed(text: str | None, zero: str, missing: tuple[str, ...] = ()) -> Parsed:
    """The date ``text`` whole days after the ISO date ``zero``."""
    folded = fold(text or "")
    if folded in UNKNOWN - {"0", "00", "99"} or folded in {fold(word) for word in missing}:
        return MISSING
    match = re.fullmatch(r"([+-]?[0-9]{1,6})(?:\.0*)?", folded)
    if match is None:
        return INVALID
    day = dt.date.fromisoformat(zero).toordinal() + int(match[1])
    known = dt.date(YEARS[0], 1, 1).toordinal() <= day <= dt.date(YEARS[-1], 12, 31).toordinal()
    return _exact(dt.date.fromordinal(day)) if known else INVALID


def _with_time(found: Parsed, time: str | None, bad: bool) -> Parsed:
    return Parsed(found.precision, found.date, found.low, found.high, time, found.short, bad)


def _moment(text: str) -> Parsed | None:
    """An ISO date with a ``t`` and a time, or with an offset; None if the text is neither."""
    zoned, match = _ZONED.fullmatch(text), _MOMENT.fullmatch(text)
    if zoned:
        return _from_iso(zoned[1])
    if match is None or iso.parts(match["date"]) is None:
        return None
    found = _from_iso(match["date"])
    if found.precision in ("missing", "invalid") or match["hour"] == "-" or match["minute"] in (None, "-"):
        return found
    time = clock(f"{match['hour']}:{match['minute']}")
    return _with_time(found, time, time is None)


def _is_year(text: str) -> bool:
    return len(text) == 4 and 1900 <= int(text) <= 2100


def _from_serial(days: int, rest: float) -> Parsed:
    if days in (0, 60):
        return INVALID
    base = dt.date(1899, 12, 30) if days > 60 else dt.date(1899, 12, 31)
    minutes = round(rest * 1440)
    time = f"{minutes // 60:02d}:{minutes % 60:02d}" if 0 < minutes < 1440 else None
    return _with_time(_exact(base + dt.timedelta(days=days)), time, False)


def _exact(day: dt.date) -> Parsed:
    return Parsed("day", day.isoformat(), day, day)


def _date(text: str, order: str, words: set[str], latest: int | None) -> Parsed:
    if iso.parts(text.upper()) is not None and "t" not in text and (found := _from_iso(text)) != INVALID:
        return found
    pieces = _pieces(text)
    compact = _COMPACT.fullmatch(text)
    if compact:
        pieces, order = [piece for piece in (compact["d"], compact["m"], compact["y"]) if piece], "DMY"
    placed = _place(pieces, order)
    if placed is None:
        return INVALID
    day_text, month_text, year_text = (None if p is None else p for p in placed)
    unknown = UNKNOWN | words
    year, short = _year(year_text or "", unknown, latest)
    if year is None:
        # 99 for a year is an unknown one only where the rest is not known either: 12/03/99 may be 1999
        told = (year_text or "") == "99" and day_text not in unknown
        return MISSING if (year_text or "") in unknown and not told else INVALID
    month = _part(month_text, unknown, MONTHS)
    day = _part(day_text, unknown, {"1er": 1})
    if month == -1 or day == -1:
        return INVALID
    tail = "" if month is None and day is None else f"-{month:02d}" if month else "--"
    tail += "" if day is None else f"-{day:02d}"
    found = _from_iso(f"{year:04d}{tail}")
    return Parsed(found.precision, found.date, found.low, found.high, short=short)


def _from_iso(text: str) -> Parsed:
    known = iso.parts(text)
    assert known is not None
    if known[0] is None:
        return MISSING
    if known[0] == "0000" or known[0] == "9999":
        return MISSING
    limits = iso.bounds(text)
    if limits is None or int(known[0]) not in YEARS:
        return INVALID
    if known[1] and known[2]:
        return Parsed("day", text, *limits)
    if known[1]:
        return Parsed("month", text[:7], *limits)
    return Parsed("year", text if known[2] else text[:4], *limits)


def _pieces(text: str) -> list[str]:
    for separator in ("/", None, "."):
        if (separator or " ") in text:
            return [piece.strip(" .") for piece in text.split(separator)]
    return text.split("-")


def _place(pieces: list[str], order: str) -> tuple[str | None, str | None, str | None] | None:
    """(day, month, year) texts; None where the order cannot be told."""
    if len(pieces) == 2:
        first, second = pieces
        if re.fullmatch(r"[0-9]{4}", first):
            return None, second, first
        named = first in MONTHS
        return (None, first, second) if named or (order != "ISO" and re.fullmatch(r"[0-9]{4}", second)) else None
    if len(pieces) != 3:
        return None
    if re.fullmatch(r"[0-9]{4}", pieces[0]):
        return pieces[2], pieces[1], pieces[0]
    if pieces[1] in MONTHS:
        return pieces[0], pieces[1], pieces[2]
    if pieces[0] in MONTHS:
        return pieces[1], pieces[0], pieces[2]
    if order == "DMY":
        return pieces[0], pieces[1], pieces[2]
    return (pieces[1], pieces[0], pieces[2]) if order == "MDY" else None


def _year(text: str, unknown: frozenset[str] | set[str], latest: int | None) -> tuple[int | None, bool]:
    if re.fullmatch(r"[0-9]{4}", text) and text not in unknown:
        return int(text), False
    if re.fullmatch(r"[0-9]{2}", text) and (latest is None or 2000 + int(text) <= latest):
        return 2000 + int(text), True
    return None, False


def _part(text: str | None, unknown: frozenset[str] | set[str], names: dict[str, int]) -> int | None:
    """A day or month, None if unknown, -1 if it is neither."""
    if text is None or text in unknown:
        return None
    bare = text.rstrip(".")
    if bare in names:
        return names[bare]
    return int(text) if re.fullmatch(r"[0-9]{1,2}", text) else -1
