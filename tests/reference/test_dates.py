"""Partial dates and durations against answers harvested from admiral's own tests (Apache-2.0)."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path

import pytest
from helpers.reference import reference_case

from trialpipe.io import dates

# limits stand in admiral's test code, not in the case files
MIN_DATES = {"derive_vars_dt Test 6: min_dates parameter works": ("2019-07-06", "2019-06-06")}
MAX_DATES = {
    94: ("2020-12-06T12:12:12", None),
    95: (None, "2020-11-11"),
    96: ("2020-09-13T08:30:00", None),
    97: (None, "2020-02-02"),
}


def _case(group: str, case: str, name: str) -> tuple[list[dict[str, str]], dict]:
    folder: Path = reference_case(group, case)
    with open(folder / name, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return rows, json.loads((folder / "expected.json").read_text(encoding="utf-8"))["expected"]


def test_dates_are_imputed_as_expected():
    rows, expected = _case("dates", "partial_date_imputation_a", "dates.csv")
    found = [
        dates.impute_date(
            row["dtc"] or None,
            row["highest_imputation"],
            row["date_imputation"],
            min_dates=MIN_DATES.get(row["test"], ()),
            preserve=row["preserve"] == "TRUE",
        )
        for row in rows
    ]
    assert found == expected["dates"]


def test_datetimes_are_imputed_as_expected():
    rows, expected = _case("dates", "partial_date_imputation_a", "datetimes.csv")
    found = []
    for row in rows:
        options = dict(part.split("=") for part in row["options"].split(";") if part)
        found.append(
            dates.impute_datetime(
                row["dtc"] or None,
                options.get("highest_imputation", "h"),
                options.get("date_imputation", "first"),
                options.get("time_imputation", "first"),
                max_dates=MAX_DATES.get(int(row["row"]), ()),
                preserve=options.get("preserve") == "TRUE",
            )
        )
    assert found == expected["datetimes"]


def test_durations():
    rows, expected = _case("dates", "durations_a", "rows.csv")
    for row, value in zip(rows, expected["expected"], strict=True):
        found = dates.duration(
            dt.datetime.fromisoformat(row["start"]),
            dt.datetime.fromisoformat(row["end"]),
            row["out_unit"],
            in_unit=row["in_unit"],
            floor=row["floor_in"] == "TRUE",
            add_one=row["add_one"] == "TRUE",
            truncate=row["trunc_out"] == "TRUE",
            calendar_units=row["type"] == "interval",
        )
        assert found == pytest.approx(value, rel=1e-6), row["test"]


_NEW_YEAR, _NOON = dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 15, 12, 30, 45)


@pytest.mark.parametrize(
    ("start", "end", "unit", "options", "want"),
    [
        # a day, counted from 0 and from 1, and never 0 without a sign
        (dt.date(2020, 3, 1), dt.date(2020, 3, 1), "days", {}, 0),
        (dt.date(2020, 3, 1), dt.date(2020, 3, 1), "days", {"add_one": True}, 1),
        (dt.date(2020, 3, 1), dt.date(2020, 2, 28), "days", {"add_one": True}, -2),
        (dt.date(2020, 2, 28), dt.date(2020, 3, 1), "days", {"add_one": True}, 3),
        # clock times count only where they are not dropped
        (_NEW_YEAR, _NOON, "days", {}, 14),
        (_NEW_YEAR, _NOON, "days", {"floor": False}, 14 + 45045 / 86400),
        (_NEW_YEAR, _NOON, "hours", {"in_unit": "hours"}, 14 * 24 + 12),
        (_NEW_YEAR, _NOON, "minutes", {"in_unit": "minutes"}, 14 * 1440 + 750),
        (_NEW_YEAR, _NOON, "seconds", {"in_unit": "seconds"}, 14 * 86400 + 45045),
        (_NEW_YEAR, _NOON, "days", {"in_unit": "months"}, 0),
        (_NEW_YEAR, dt.datetime(2021, 5, 5), "days", {"in_unit": "years"}, 366),
        (dt.date(2020, 1, 4), dt.date(2020, 1, 5), "days", {"in_unit": "weeks"}, 7),
        # one unit of the input, in units of the output
        (_NEW_YEAR, _NOON, "hours", {"add_one": True}, 15 * 24),
        (_NEW_YEAR, _NOON, "weeks", {"add_one": True}, 15 / 7),
        (_NEW_YEAR, _NOON, "hours", {"in_unit": "hours", "add_one": True}, 14 * 24 + 13),
        # mean and calendar years and months
        (dt.date(2019, 1, 1), dt.date(2020, 1, 1), "years", {}, 365 / 365.25),
        (dt.date(2019, 1, 1), dt.date(2020, 1, 1), "years", {"calendar_units": True}, 1),
        (dt.date(2019, 1, 1), dt.date(2019, 2, 1), "months", {}, 31 / 30.4375),
        (dt.date(2019, 1, 1), dt.date(2019, 2, 15), "months", {"calendar_units": True}, 1.5),
        (
            dt.date(2019, 1, 1),
            dt.date(2019, 2, 1),
            "months",
            {"calendar_units": True, "add_one": True},
            1 + 1 / 30.4375,
        ),
        (dt.date(2019, 2, 15), dt.date(2019, 1, 1), "months", {"calendar_units": True}, -1 - 14 / 31),
        # to whole units towards zero
        (dt.date(2020, 1, 1), dt.date(2020, 1, 14), "wk", {"truncate": True}, 1),
        (dt.date(2020, 1, 14), dt.date(2020, 1, 1), "WEEKS", {"truncate": True}, -1),
    ],
)
def test_branches_of_durations(start: dt.date, end: dt.date, unit: str, options: dict, want: float) -> None:
    assert dates.duration(start, end, unit, **options) == pytest.approx(want, rel=1e-12)


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(KeyError):
        dates.duration(_NEW_YEAR, _NOON, "fortnights")


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2020-02-29", "2020-02-29", "2020-02-29"),
        ("2020-02", "2020-02-01", "2020-02-29"),
        ("2019", "2019-01-01", "2019-12-31"),
        ("2019---18", "2019-01-18", "2019-12-18"),
        ("2019-07-18T13:30", "2019-07-18", "2019-07-18"),
    ],
)
def test_bounds(text, low, high):
    assert [d.isoformat() for d in dates.bounds(text)] == [low, high]


@pytest.mark.parametrize("text", [None, "", "--07-18", "2021-02-29", "2020-13", "31/12/2020", "2020-1-1"])
def test_no_bounds(text):
    assert dates.bounds(text) is None


@pytest.mark.parametrize("text", ["2021-02-29", "2021-13-01", "2021-00-10"])
def test_days_that_do_not_exist_are_never_imputed(text):
    assert dates.impute_date(text, "M", "last") is None
