"""SAS files of other programs: stated counts, sums and labels, and every cell against ReadStat's own reading."""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
from collections import Counter
from pathlib import Path

import pyreadstat
import pytest
from helpers.reference import reference_case

from trialpipe.ingest import run, sas
from trialpipe.io.errors import DataError

XPT = [("raw_sas", "adsl_xpt", "adsl.xpt"), ("cdisc_pilot", "adsl_demographics", "adsl.xpt")]
XPT += [("cdisc_pilot", "adtte_dermatologic", "adtte.xpt")]
EPOCH = dt.date(1960, 1, 1)


def _case(group: str, case: str) -> tuple[Path, dict]:
    folder = reference_case(group, case)
    return folder, json.loads((folder / "expected.json").read_text(encoding="utf-8"))["expected"]


def test_transport_file_counts_sums_and_labels():
    folder, expected = _case("raw_sas", "adsl_xpt")
    table = sas.read(folder / "adsl.xpt", "adsl.xpt", {"expected": expected["columns"]})
    assert table.num_rows == expected["rows"]
    assert table.column_names[3:] == expected["columns"]
    assert table.column("source_row").to_pylist() == list(range(1, expected["rows"] + 1))
    for name, total in expected["numeric_sums"].items():
        values = [float(text) for text in table.column(name).to_pylist() if text is not None]
        assert sum(values) == pytest.approx(total, rel=1e-12)
    listed = sas.read(folder / "adsl.xpt", "adsl.xpt", {"sheet": "variables"}).to_pylist()
    assert {row["name"]: row["label"] for row in listed} == expected["labels"]


@pytest.mark.parametrize(("group", "case", "name"), XPT)
def test_every_cell_as_readstat_reads_it(group, case, name):
    path = reference_case(group, case) / name
    found = sas.read(path, name, {})
    values, meta = pyreadstat.read_xport(str(path), output_format="dict", disable_datetime_conversion=True)
    assert found.column_names[3:] == meta.column_names
    for column in meta.column_names:
        is_date = (meta.original_variable_types[column] or "").startswith(("DATE", "YYMMDD", "E8601DA"))
        for text, value in zip(found.column(column).to_pylist(), values[column], strict=True):
            if text is None:
                assert value in ("", None) or value != value
            elif isinstance(value, str):
                assert text == value
            elif is_date:
                assert (dt.date.fromisoformat(text) - EPOCH).days == value
            else:
                assert float(text) == value


def test_transport_file_agrees_with_the_csv_beside_it():
    folder, _ = _case("cdisc_pilot", "adsl_demographics")
    table = sas.read(folder / "adsl.xpt", "adsl.xpt", {}).to_pylist()
    with (folder / "adsl.csv").open(encoding="utf-8", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert len(written) == len(table)
    for row, other in zip(table, written, strict=True):
        for name in ("USUBJID", "TRTSDT", "AGE", "SEX", "BMIBL", "DISONSDT", "DCDECOD"):
            if name in other and row[name] is not None:
                assert other[name] in (row[name], f"{row[name]}.0")


def test_sas7bdat_counts_and_sums():
    folder, expected = _case("raw_sas", "iris_sas7bdat")
    table = sas.read(folder / "iris.sas7bdat", "iris.sas7bdat", {})
    assert table.num_rows == expected["rows"]
    assert table.column_names[3:] == expected["columns"]
    for name, total in expected["column_sums"].items():
        assert sum(map(float, table.column(name).to_pylist())) == pytest.approx(total, rel=1e-12)
    assert Counter(table.column("Species").to_pylist()) == expected["species_counts"]
    assert set(table.column("Sepal_Length").to_pylist()) >= {"5.1", "5"}


def test_through_the_stage_with_its_gate():
    folder, expected = _case("raw_sas", "adsl_xpt")
    source = {"id": "ecrf", "reader": "sas", "dialect": {}, "forms": [{"id": "dm", "files": "adsl.xpt"}]}
    table, report = run.ingest(source, folder, "dm")
    assert table.num_rows == expected["rows"]
    assert report.num_rows == 0


def _refused(path: Path) -> DataError | None:
    try:
        sas.read(path, "x.sas7bdat", {})
    except DataError as error:
        return error
    return None


def test_a_sas7bdat_cut_anywhere_is_one_error(tmp_path):
    folder, _ = _case("raw_sas", "iris_sas7bdat")
    whole = (folder / "iris.sas7bdat").read_bytes()
    path = tmp_path / "é b.sas7bdat"
    path.write_bytes(whole)
    assert _refused(path) is None
    for size in range(0, len(whole), 2048):
        path.write_bytes(whole[:size])
        error = _refused(path)
        assert error is not None
        assert error.cure
        assert "\n" not in str(error)


def test_a_damaged_sas7bdat_is_read_or_refused(tmp_path):
    folder, _ = _case("raw_sas", "iris_sas7bdat")
    whole = (folder / "iris.sas7bdat").read_bytes()
    draw = random.Random(1)
    path = tmp_path / "x.sas7bdat"
    for number in range(300):
        raw = bytearray(whole)
        for _ in range(1 + number % 30):
            raw[draw.randrange(len(raw) if number % 2 else 2000)] = draw.randrange(256)
        path.write_bytes(raw)
        error = _refused(path)
        assert error is None or "\n" not in str(error)


def test_every_cut_of_a_transport_file_is_one_error(tmp_path):
    folder, expected = _case("raw_sas", "adsl_xpt")
    whole = (folder / "adsl.xpt").read_bytes()
    path = tmp_path / "adsl.xpt"
    told = 0
    for size in range(0, len(whole), 80):
        path.write_bytes(whole[:size])
        try:
            rows = sas.read(path, "adsl.xpt", {}).num_rows
        except DataError:
            told += 1
        else:
            # cut where an observation ends (or only blanks of it are there): version 5 does not count observations
            assert rows < expected["rows"]
    assert told > 0.9 * len(whole) / 80
