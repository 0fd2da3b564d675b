from __future__ import annotations

import datetime as dt
from pathlib import Path

import openpyxl
import pytest
from helpers.xlsx import edit_part, workbook
from hypothesis import given, settings
from hypothesis import strategies as st

from trialpipe.ingest import workbook as reader
from trialpipe.ingest import xlsx
from trialpipe.io.errors import DataError

REL = "biobank/flat.xlsx"
SHEET = "xl/worksheets/sheet1.xml"


def _read(path: Path, **dialect: object):
    return reader.read(path, REL, dialect)


def _fails(path: Path, **dialect: object) -> DataError:
    with pytest.raises(DataError) as caught:
        _read(path, **dialect)
    assert caught.value.cure
    return caught.value


class _Cell:
    def __init__(self, value: object, number_format: str = "General") -> None:
        self.value = value
        self.number_format = number_format


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("", None),
        ("  0012 ", "  0012 "),
        ("=1+1", "=1+1"),
        (12, "12"),
        (12.0, "12"),
        (-0.5, "-0.5"),
        (0.1 + 0.2, "0.3"),
        (12.300000000000001, "12.3"),
        (1e-7, "0.0000001"),
        (1e21, "1000000000000000000000"),
        (123456789012345.0, "123456789012345"),
        (True, "TRUE"),
        (False, "FALSE"),
        (dt.datetime(2020, 2, 29), "2020-02-29"),
        (dt.datetime(2020, 2, 29, 13, 30), "2020-02-29T13:30"),
        (dt.datetime(2020, 2, 29, 13, 29, 59, 999_900), "2020-02-29T13:30"),
        (dt.datetime(2020, 2, 29, 23, 59, 59, 999_999), "2020-03-01"),
        (dt.datetime(2020, 2, 29, 13, 30, 5), "2020-02-29T13:30:05"),
        (dt.date(2020, 2, 29), "2020-02-29"),
        (dt.time(8, 5), "08:05"),
        (dt.time(8, 5, 9), "08:05:09"),
        (dt.timedelta(hours=26, minutes=3), "26:03"),
    ],
)
def test_text_of_a_cell(value, shown):
    assert xlsx.text(_Cell(value)) == shown


def test_leading_zeros_of_the_number_format():
    assert xlsx.text(_Cell(12, "0000")) == "0012"
    assert xlsx.text(_Cell(12345, "0000")) == "12345"
    assert xlsx.text(_Cell(12, "0")) == "12"
    assert xlsx.text(_Cell(1.5, "00")) == "1.5"


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_numbers_keep_fifteen_digits(value):
    shown = xlsx.text(_Cell(value))
    assert float(shown) == pytest.approx(value, rel=1e-14)
    assert "e" not in shown.lower()


def test_flat_table(tmp_path):
    rows = [
        [" ID ", "date", "résultat"],
        ["0012", dt.datetime(2021, 3, 4, 8, 15), 12.5],
        [],
        ["0013", None, "<LQ"],
    ]
    table = _read(workbook(tmp_path / "f.xlsx", {"Feuil1": rows}))
    assert table.to_pylist() == [
        {
            "source_file": REL,
            "source_row": 2,
            "source_sheet": "Feuil1",
            "ID": "0012",
            "date": "2021-03-04T08:15",
            "résultat": "12.5",
        },
        {
            "source_file": REL,
            "source_row": 4,
            "source_sheet": "Feuil1",
            "ID": "0013",
            "date": None,
            "résultat": "<LQ",
        },
    ]


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="\ufffe\uffff"), max_size=6)


@settings(deadline=None)
@given(st.lists(st.lists(TEXT.filter(str.strip), min_size=2, max_size=2), max_size=4))
def test_every_text_reads_back(tmp_path_factory, rows):
    # written as inline text: a text that starts with = is no formula
    path = tmp_path_factory.mktemp("x") / "f.xlsx"
    book = openpyxl.Workbook()
    for r, cells in enumerate([["a", "b"], *rows], start=1):
        for c, value in enumerate(cells, start=1):
            cell = book.active.cell(r, c, value)
            cell.data_type = "s"
    book.save(path)
    table = _read(path)
    assert [[row["a"], row["b"]] for row in table.to_pylist()] == rows


def test_header_only(tmp_path):
    table = _read(workbook(tmp_path / "f.xlsx", {"S": [["a", "b"]]}))
    assert (table.num_rows, table.column_names[3:]) == (0, ["a", "b"])


def test_1904_epoch(tmp_path):
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    book.active.append(["d"])
    book.active.append([dt.datetime(2020, 2, 29)])
    book.save(tmp_path / "f.xlsx")
    assert _read(tmp_path / "f.xlsx")["d"].to_pylist() == ["2020-02-29"]


def _formulas(tmp_path: Path, stored: str) -> Path:
    path = workbook(tmp_path / "f.xlsx", {"S": [["a", "b"], ["=1+1", "x"]]})
    return edit_part(
        path,
        SHEET,
        lambda xml: xml.replace('<c r="A2"><f>1+1</f><v></v></c>', stored).replace(
            '<c r="A2"><f>1+1</f><v /></c>', stored
        ),
    )


def test_formula_gives_its_stored_value(tmp_path):
    path = _formulas(tmp_path, '<c r="A2"><f>1+1</f><v>7</v></c>')
    assert _read(path)["a"].to_pylist() == ["7"]


def test_formula_with_empty_text_is_empty(tmp_path):
    path = _formulas(tmp_path, '<c r="A2" t="str"><f>1+1</f><v></v></c>')
    assert _read(path)["a"].to_pylist() == [None]


def test_formula_without_stored_value(tmp_path):
    error = _fails(workbook(tmp_path / "f.xlsx", {"S": [["a", "b"], ["=1+1", "x"]]}))
    assert (error.file, error.row) == (f"{REL}[S]", 2)
    assert "formula in A2" in error.message


def test_error_cells_stay_as_text(tmp_path):
    path = _formulas(tmp_path, '<c r="A2" t="e"><v>#N/A</v></c>')
    assert _read(path)["a"].to_pylist() == ["#N/A"]


def test_merged_cells(tmp_path):
    book = openpyxl.Workbook()
    for row in [["a", "b"], ["1", "x"], [None, "y"]]:
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.save(tmp_path / "f.xlsx")
    assert "A2:A3 are merged" in _fails(tmp_path / "f.xlsx").message


def test_choice_of_sheet(tmp_path):
    path = workbook(tmp_path / "f.xlsx", {"Data": [["a"], ["1"]], "Empty": [], "Notes": [["n"]]})
    assert "several sheets: 'Data', 'Notes'" in _fails(path).message
    assert "nearest is 'Data'" in _fails(path, sheet="data ").cure
    assert _read(path, sheet="Data")["a"].to_pylist() == ["1"]
    only = workbook(tmp_path / "g.xlsx", {"Data": [["a"], ["1"]], "Empty": []})
    assert _read(only)["a"].to_pylist() == ["1"]


def test_empty_workbook(tmp_path):
    assert "workbook is empty" in _fails(workbook(tmp_path / "f.xlsx", {"S": []})).message


def test_headers_and_columns_are_checked(tmp_path):
    path = workbook(tmp_path / "f.xlsx", {"S": [["a", "a"], ["1", "2"]]})
    assert "columns 1 (A) and 2 (B)" in _fails(path).message
    path = workbook(tmp_path / "f.xlsx", {"S": [["a", None], ["1", "2"]]})
    assert _fails(path).row == 2
    path = workbook(tmp_path / "f.xlsx", {"S": [["a"], ["1"]]})
    error = _fails(path, expected=["b"])
    assert (error.file, error.row, error.item) == (f"{REL}[S]", 1, "a")


def test_stray_far_cell_does_not_hang(tmp_path):
    book = openpyxl.Workbook()
    book.active["A1"] = "a"
    book.active["XFD1048576"] = "x"
    book.save(tmp_path / "f.xlsx")
    assert "stray cells" in _fails(tmp_path / "f.xlsx").cure


@pytest.mark.parametrize("data", [b"", b"\xd0\xcf\x11\xe0 old or encrypted", b"PK\x03\x04 cut"])
def test_no_workbook(tmp_path, data):
    (tmp_path / "f.xlsx").write_bytes(data)
    assert "without a password" in _fails(tmp_path / "f.xlsx").cure


def test_zip_without_a_workbook(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "f.xlsx", "w") as archive:
        archive.writestr("a.txt", "a")
    assert "cannot be read as a workbook" in _fails(tmp_path / "f.xlsx").message


def test_document_types_are_refused(tmp_path):
    path = workbook(tmp_path / "f.xlsx", {"S": [["a"], ["1"]]})
    edit_part(path, SHEET, lambda xml: '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + xml)
    assert "declares a document type" in _fails(path).message


def test_size_limit(tmp_path, monkeypatch):
    path = workbook(tmp_path / "f.xlsx", {"S": [["a"], ["1"]]})
    monkeypatch.setattr(xlsx, "MAX_BYTES", 1000)
    assert "refused" in _fails(path).message
