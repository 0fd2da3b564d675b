from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialpipe.ingest.ages import age, bounds

DATES = st.dates(dt.date(1930, 1, 1), dt.date(2030, 12, 31))


def _anniversaries(born: dt.date, at: dt.date, step: int) -> int:
    """How often the day of birth came round, every ``step`` months, up to ``at`` (counted one by one)."""
    count, year, month = -1, born.year, born.month
    while (year, month, born.day) <= (at.year, at.month, at.day):
        count += 1
        month += step
        year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return count


@settings(deadline=None)
@given(DATES, DATES)
def test_age_counts_anniversaries(one, other):
    born, at = sorted((one, other))
    years, months, neonate = age(f"{born:%d/%m/%Y}", at.isoformat(), "DMY")
    assert years == str(_anniversaries(born, at, 12))
    count = _anniversaries(born, at, 1)
    assert months == (str(count) if count < 24 else None)
    assert neonate == ("Y" if (at - born).days < 28 else "N")


@pytest.mark.parametrize(
    ("born", "at", "order", "expected"),
    [
        ("01/02/2020", "28/02/2020 08:30", "DMY", ("0", "0", "Y")),
        ("01/02/2020", "29/02/2020", "DMY", ("0", "0", "N")),
        ("02/01/2020", "02/29/2020", "MDY", ("0", "0", "N")),
        ("15.03.2018", "2020-03-14T23:59", "DMY", ("1", "23", "N")),
        ("15-03-2018", "2020-03-15", "DMY", ("2", None, "N")),
        ("03/2018", "2020-05-15", "DMY", ("2", None, "N")),
        ("03/2018", "2020-03-15", "DMY", (None, None, "N")),
        ("ND/03/2018", "2020-05-15", "DMY", ("2", None, "N")),
        ("2018", "2020-12-31", "ISO", ("2", None, "N")),
        ("2020-03", "2020-03-15", "ISO", ("0", "0", "Y")),
        ("31/02/2018", "2020-01-01", "DMY", (None, None, None)),
        ("02/01/2020", "01/01/2020", "DMY", (None, None, None)),
        ("NK", "2020-01-01", "DMY", (None, None, None)),
        (None, "2020-01-01", "DMY", (None, None, None)),
        ("01/02/2020", None, "DMY", (None, None, None)),
        ("01/02/20", "2020-03-01", "DMY", (None, None, None)),
    ],
)
def test_cases(born, at, order, expected):
    assert age(born, at, order) == expected


def test_bounds_of_partial_dates():
    assert bounds("02/2020", "DMY") == (dt.date(2020, 2, 1), dt.date(2020, 2, 29))
    assert bounds("2020", "DMY") == (dt.date(2020, 1, 1), dt.date(2020, 12, 31))
    assert bounds("0000-01-01", "ISO") is None
