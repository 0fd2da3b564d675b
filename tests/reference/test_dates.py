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
            floor=row["floor_in"] == "TRUE",
            add_one=row["add_one"] == "TRUE",
            truncate=row["trunc_out"] == "TRUE",
            calendar_units=row["type"] != "duration",
        )
        assert found == pytest.approx(value, rel=1e-6), row["test"]


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
