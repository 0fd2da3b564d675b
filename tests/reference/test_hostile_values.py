"""Hostile dates, numbers, names and patient numbers: the expected readings were written by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from helpers.reference import reference_case

from trialpipe.clean import dates, numbers, subjects
from trialpipe.clean.codes import codelists
from trialpipe.ingest import delimited, workbook
from trialpipe.io import reference


def _expected(folder: Path) -> dict:
    return json.loads((folder / "expected.json").read_text(encoding="utf-8"))["expected"]


def _column(case: str, column: str, separator: str) -> tuple[list[str], dict]:
    folder = reference_case("hostile", case)
    with open(folder / "input.csv", encoding="utf-8", newline="") as stream:
        return [row[column] for row in csv.DictReader(stream, delimiter=separator)], _expected(folder)


def test_dates_day_first():
    texts, expected = _column("dates_dmy_partial_a", "date_txt", ",")
    found = [dates.parse(text, "DMY") for text in texts]
    assert [date.date for date in found] == expected["iso"]
    assert [date.precision for date in found] == expected["precision"]
    assert found[20].text == "2020-06-15T08:30"
    assert [date.short for date in found].index(True) == 17


def test_numbers_with_a_decimal_point():
    texts, expected = _column("numbers_en_a", "value", ";")
    for text, value, status in zip(texts, expected["value"], expected["status"], strict=True):
        found = numbers.parse(text)
        if status is None:
            assert (found.status, found.cens, found.value) == ("number", "none", value), text
        elif status == "missing":
            assert found.status == "missing", text
        elif status == "flag":
            assert found == numbers.INVALID, text
        else:
            words, bound = status.rsplit(" ", 1)
            assert found.cens == {"below": "left", "at or below": "left", "above": "right"}[words], text
            assert found.value == float(bound), text


def test_french_numbers():
    folder = reference_case("hostile", "french_excel_cp1252_semicolon")
    expected = _expected(folder)
    table = delimited.read(folder / "input.csv", "input.csv", {"encoding": "cp1252", "separator": ";"})
    for item in ("poids_kg", "créatinine_µmol_L"):
        found = [numbers.parse(text, ",") for text in table[item].to_pylist()]
        for number, value in zip(found, expected[item], strict=True):
            if isinstance(value, str) or value is None:
                assert number.status == "missing"
            else:
                assert (number.status, number.value) == ("number", value)


def test_analyte_names():
    names, expected = _column("analyte_names", "analyte", ",")
    codes = codelists(reference.rows("codelists.csv"), {})["ANALYTE"]
    assert [codes.get(name) for name in names] == expected["canonical"]
    assert codes.get("IL-66") is None


def test_subject_ids_stay_text():
    texts, expected = _column("subject_ids", "subject", ",")
    found = [subjects.tidy(text) for text in texts]
    assert found == expected["text_ids_after_trim"]
    pairs = {frozenset(pair) for pair in subjects.near(found)}
    assert {frozenset(pair) for pair in expected["should_flag_as_near_duplicates"]} <= pairs
    assert not any("1E5" in pair for pair in pairs)


def test_spreadsheet_dates():
    folder = reference_case("hostile", "excel_dates_1900")
    expected = _expected(folder)
    table = workbook.read(folder / "input.xlsx", "input.xlsx", {})
    cells = [dates.parse(text, "DMY", serial=True).text for text in table["date_cell"].to_pylist()]
    assert cells == expected["date_cell"]
    serials = [dates.parse(text, "DMY", serial=True).text for text in table["serial"].to_pylist()]
    # seconds are not kept: all clocks in the extracts show hours and minutes
    assert serials == [text and text.removesuffix(":00") for text in expected["serial_as_date"]]


@pytest.mark.parametrize("text", ["43890", "61", "43890.5"])
def test_figures_are_no_dates_outside_a_spreadsheet(text):
    assert dates.parse(text, "DMY") == dates.INVALID


def test_a_spreadsheet_s_29_february_1900_is_no_date():
    assert dates.parse("60", serial=True) == dates.INVALID
    assert dates.parse("59", serial=True).date == "1900-02-28"
