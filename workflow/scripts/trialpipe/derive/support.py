"""Medication that supports a count: was any of it given in the days up to the count?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from trialpipe.derive.days import column, days, texts
from trialpipe.derive.records import usable
from trialpipe.io.sdtm import date_columns

_NEVER, _ALWAYS = -(10**9), 10**9


class Course(NamedTuple):
    """One medication record: bounds of its first and last day."""

    term: str
    start_low: int
    start_high: int
    end_low: int
    end_high: int


def courses(frames: Iterable[pd.DataFrame], cutoff: int) -> dict[str, list[Course]]:
    """Medication records by patient. Without an end, a record marked ONGOING lasts, any other is of one day."""
    found: dict[str, list[Course]] = {}
    for frame in frames:
        rows = usable(frame, "CMSTDTC", cutoff)
        start, end = date_columns("CMSTDTC"), date_columns("CMENDTC")
        bounds = [days(column(rows, name)) for name in (start.low, start.high, end.low, end.high)]
        ongoing = [text == "ONGOING" for text in texts(column(rows, "CMENRF"))]
        for i, (usubjid, term) in enumerate(zip(rows["USUBJID"], texts(column(rows, "CMDECOD")), strict=True)):
            if term is not None:
                low, high, end_low, end_high = (bound[i] for bound in bounds)
                record = _course(term, low, high, end_low, end_high, ongoing[i])
                found.setdefault(usubjid, []).append(record)
    return found


def _course(
    term: str, low: int | None, high: int | None, end_low: int | None, end_high: int | None, ongoing: bool
) -> Course:
    first = _NEVER if low is None else low
    last = _ALWAYS if high is None else high
    if ongoing:
        return Course(term, first, last, _ALWAYS, _ALWAYS)
    if end_high is None:
        return Course(term, first, last, first, last)
    return Course(term, first, last, max(first, end_low if end_low is not None else first), end_high)


def free_of(given: Sequence[Course] | None) -> Callable[[Sequence[str], int, int], bool | None]:
    """Function (terms, days, day) -> True if none of the terms was given in the ``days`` up to ``day``.

    Unknown if the trial collects no medication (``given`` None) or a partial date leaves it open.
    """

    def answer(terms: Sequence[str], length: int, day: int) -> bool | None:
        if given is None:
            return None
        first, own = day - length + 1, [course for course in given if course.term in terms]
        if any(course.start_high <= day and course.end_low >= first for course in own):
            return False
        return None if any(course.start_low <= day and course.end_high >= first for course in own) else True

    return answer
