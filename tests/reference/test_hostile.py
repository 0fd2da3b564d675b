"""Hostile raw files: the expected readings were written by hand before any reader existed.

Only structure is judged here; what dates, numbers and analyte names mean belongs to the clean stage.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from helpers.reference import reference_case

from trialpipe.ingest import delimited, workbook, xlsx
from trialpipe.io.errors import DataError


def _expected(folder: Path) -> dict:
    return json.loads((folder / "expected.json").read_text(encoding="utf-8"))["expected"]


def _read(case: str, **dialect: object) -> tuple[pa.Table, dict]:
    folder = reference_case("hostile", case)
    return delimited.read(folder / "input.csv", "input.csv", dialect), _expected(folder)


def _items(table: pa.Table) -> list[str]:
    return [name for name in table.column_names if not name.startswith("source_")]


def test_embedded_newlines_and_quotes():
    table, expected = _read("embedded_newlines_and_quotes")
    assert table.num_rows == expected["n_rows"]
    assert table["comment"].to_pylist() == expected["comment"]
    assert [int(v) for v in table["value"].to_pylist()] == expected["value"]
    assert table["source_row"].to_pylist() == [2, 4, 5, 6]


def test_formula_injection_is_carried_as_text():
    table, expected = _read("formula_injection_csv")
    assert table.num_rows == expected["n_rows"]
    assert table["comment"].to_pylist() == expected["values_kept_verbatim_internally"]


def test_french_excel_cp1252():
    table, expected = _read("french_excel_cp1252_semicolon", encoding="cp1252", separator=";")
    assert _items(table) == expected["columns"]
    assert table["subject"].to_pylist() == expected["subject"]
    assert table["prénom"].to_pylist() == expected["prénom"]
    assert table["commentaire"].to_pylist()[1:] == [expected["commentaire_2"], expected["commentaire_3"]]
    assert [v is None for v in table["poids_kg"].to_pylist()] == [v is None for v in expected["poids_kg"]]


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-15"])
def test_french_excel_under_a_wrong_encoding_is_refused(encoding):
    with pytest.raises(DataError, match="declare encoding: cp1252"):
        _read("french_excel_cp1252_semicolon", encoding=encoding, separator=";")


def test_header_only():
    table, expected = _read("header_only")
    assert table.num_rows == expected["n_rows"]
    assert _items(table) == expected["columns"]


def test_mixed_line_endings():
    table, expected = _read("mixed_line_endings")
    assert table["subject"].to_pylist() == expected["subject"]
    assert [int(v) for v in table["value"].to_pylist()] == expected["value"]
    assert table["source_row"].to_pylist() == [2, 3, 4, 6]


def test_utf8_bom_and_quoted_header():
    table, expected = _read("utf8_bom_quoted_header")
    assert _items(table) == expected["columns"]
    rows = [[row["subject"], row["visit"], float(row["value"])] for row in table.to_pylist()]
    assert rows == expected["rows"]


def test_subject_ids_stay_text():
    table, expected = _read("subject_ids")
    assert [v.strip() for v in table["subject"].to_pylist()] == expected["text_ids_after_trim"]
    assert table["subject"].to_pylist()[2] == " 0012 "


def test_duplicate_headers_are_refused():
    with pytest.raises(DataError) as caught:
        _read("duplicate_headers")
    expected = _expected(reference_case("hostile", "duplicate_headers"))
    assert caught.value.item in expected["duplicates"]
    assert caught.value.row == 1
    assert re.search(r"columns 2 \(B\) and 4 \(D\)", str(caught.value))


@pytest.mark.parametrize("case", ["nul_and_control_bytes", "ragged_rows"])
def test_bad_lines_are_refused_by_line(case):
    with pytest.raises(DataError) as caught:
        _read(case)
    assert caught.value.file == "input.csv"
    assert caught.value.row == _expected(reference_case("hostile", case))["bad_lines"][0]


def test_truncated_quoted_field_is_refused_by_line():
    with pytest.raises(DataError, match="never closed") as caught:
        _read("truncated_quoted_field")
    expected = _expected(reference_case("hostile", "truncated_quoted_field"))
    assert caught.value.row == expected["bad_line"]


@pytest.mark.parametrize(
    ("case", "separator", "column", "rows"),
    [
        ("numbers_en_a", ";", "value", 20),
        ("dates_dmy_partial_a", ",", "date_txt", 21),
        ("analyte_names", ",", "analyte", 8),
    ],
)
def test_texts_for_the_clean_stage_arrive_whole(case, separator, column, rows):
    table, _ = _read(case, separator=separator)
    raw = (reference_case("hostile", case) / "input.csv").read_text(encoding="utf-8").splitlines()
    position = raw[0].split(separator).index(column)
    cells = [line.replace('"', "").split(separator)[position] or None for line in raw[1:]]
    assert table.num_rows == rows
    assert table[column].to_pylist() == cells


def test_excel_dates_1900():
    folder = reference_case("hostile", "excel_dates_1900")
    table = workbook.read(folder / "input.xlsx", "input.xlsx", {})
    dates = table["date_cell"].to_pylist()
    assert [dates[0], dates[1], dates[3]] == [_expected(folder)["date_cell"][k] for k in (0, 1, 3)]
    assert dates[2] == "29/02/2020"
    # a number is a number until the dictionary says date
    assert table["serial"].to_pylist() == ["43890", "43890.5625", None, "61"]
    assert table["subject"].to_pylist() == ["01", "02", "03", "04"]


def test_zip_bomb_is_refused_before_unpacking():
    folder = reference_case("hostile", "zip_bomb_small")
    with pytest.raises(DataError, match=str(_expected(folder)["uncompressed_bytes"])) as caught:
        xlsx.guard(folder / "input.zip", "input.zip")
    assert caught.value.file == "input.zip"
