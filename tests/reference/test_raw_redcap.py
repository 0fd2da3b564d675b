"""REDCap exports of REDCapR's test projects: every cell against Python's own CSV reader and the stated values."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from helpers.reference import reference_case

from trialpipe.ingest import redcap, run

CASES = ["redcap_simple", "redcap_longitudinal_arms", "redcap_repeating_instruments", "redcap_decimal_comma"]


def _case(case: str) -> tuple[Path, dict, list[dict[str, str]], list[str]]:
    folder = reference_case("raw_redcap", case)
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["expected"]
    with (folder / "data.csv").open(encoding="utf-8", newline="") as stream:
        data = list(csv.DictReader(stream))
    with (folder / "dictionary.csv").open(encoding="utf-8", newline="") as stream:
        forms = list(dict.fromkeys(row["Form Name"] for row in csv.DictReader(stream)))
    return folder, expected, data, forms


def _read(folder: Path, sheet: str | None, dictionary: str = "dictionary.csv"):
    files = ["data.csv", dictionary]
    return redcap.read_all([folder / name for name in files], files, {"sheet": sheet})


@pytest.mark.parametrize("case", CASES)
def test_every_cell_of_the_file_is_in_one_instrument(case):
    folder, expected, data, forms = _case(case)
    assert len(data) == expected["rows"]
    assert list(data[0]) == expected["columns"]
    rows, cells, columns = set(), 0, set()
    for form in forms:
        table = _read(folder, form).to_pylist()
        for row in table:
            # a physical line is told from the record by its id and repeat, which the file has too
            rows.add((row["record_id"], *(row[key] for key in redcap.KEYS)))
            source = next(
                d
                for d in data
                if d["record_id"] == row["record_id"] and all((d.get(k) or None) == row[k] for k in redcap.KEYS)
            )
            mine = [name for name in row if name in source]
            assert {name: row[name] for name in mine} == {name: source[name] or None for name in mine}
            fields = [name for name in mine if name != "record_id" and name not in redcap.KEYS]
            columns |= set(mine)
            cells += sum(row[name] is not None for name in fields)
    assert len(rows) == expected["rows"]
    assert len({row[0] for row in rows}) == expected["record_ids"]
    assert columns == set(expected["columns"])
    keys = sum(bool(row[name]) for row in data for name in ("record_id", *redcap.KEYS) if name in row)
    assert cells + keys == expected["non_empty_cells"]


def test_columns_stand_as_in_the_file():
    folder, expected, _, forms = _case("redcap_simple")
    found = ["record_id"]
    for form in forms:
        names = _read(folder, form).column_names
        assert names[3:8] == ["record_id", *redcap.KEYS]
        found += [name for name in names[8:] if not name.endswith(redcap.DECIMAL)]
    assert found == expected["columns"]


def test_dictionary_of_the_api_gives_the_same_tables():
    folder, _, _, forms = _case("redcap_simple")
    for form in forms:
        one, other = _read(folder, form), _read(folder, form, "metadata.csv")
        # the metadata of the API, fetched at another time, has age as a calculated field
        assert one.equals(other.select([name for name in other.column_names if name != "age__DECIMAL"]))


def test_decimal_marks_of_a_file_that_mixes_them():
    folder, expected, _, _ = _case("redcap_decimal_comma")
    table = _read(folder, None).to_pydict()
    assert set(table["height__DECIMAL"]) == set(table["weight__DECIMAL"]) == {","}
    assert set(table["bmi__DECIMAL"]) == {"."}
    for name in ("height", "weight"):
        read = [
            float(cell.replace(mark, ".")) for cell, mark in zip(table[name], table[f"{name}__DECIMAL"], strict=True)
        ]
        assert read == expected[name]
    assert table["bmi"] == ["22.1", "27.3", "32.5", "17.7"]


def test_line_break_in_a_text_keeps_rows_and_lines_right():
    folder, expected, _, _ = _case("redcap_simple")
    table = _read(folder, "demographics").to_pydict()
    assert all("\n" in text for text in table[expected["embedded_newline_in"]])
    lines = (folder / "data.csv").read_text(encoding="utf-8").split("\n")
    assert [lines[row - 1].split(",")[0] for row in table["source_row"]] == table["record_id"]


def test_repeats_are_rows_of_their_instrument_alone():
    folder, _, _, _ = _case("redcap_repeating_instruments")
    bp, people = _read(folder, "bp").to_pydict(), _read(folder, "demographics").to_pydict()
    assert list(zip(bp["record_id"], bp["redcap_repeat_instance"], strict=True)) == [
        ("1", "1"), ("1", "2"), ("1", "3"), ("2", "1"),
    ]  # fmt: skip
    assert people["record_id"] == ["1", "2"]
    assert people["redcap_repeat_instrument"] == [None, None]


def test_what_the_dictionary_calls_identifying_does_not_pass_the_gate():
    folder, _, data, _ = _case("redcap_simple")
    form = {"id": "dm", "files": ["data.csv", "dictionary.csv"], "sheet": "demographics"}
    source = {"id": "ecrf", "reader": "redcap", "dialect": {}, "forms": [form]}
    table, report = run.ingest(source, folder, "dm")
    written = json.dumps([table.to_pylist(), report.to_pylist()])
    for name in ("name_first", "name_last", "address", "telephone", "email", "dob"):
        assert not any(row[name] in written for row in data)
    assert table.column("age").to_pylist() == [row["age"] for row in data]
    assert set(table.column("record_id").to_pylist()) == {"1", "2", "3", "4", "5"}
