from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialpipe.ingest import delimited
from trialpipe.io.errors import DataError

REL = "ecrf/dm.csv"


def _read(tmp_path: Path, data: bytes | str, **dialect: object) -> pa.Table:
    path = tmp_path / "f.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return delimited.read(path, REL, dialect)


def _fails(tmp_path: Path, data: bytes | str, **dialect: object) -> DataError:
    with pytest.raises(DataError) as caught:
        _read(tmp_path, data, **dialect)
    assert "\n" not in str(caught.value)
    assert caught.value.cure
    return caught.value


def test_shape_of_an_ingested_table(tmp_path):
    table = _read(tmp_path, "SUBJ, AGE \n 01,\n02,7\n")
    assert table.schema == pa.schema(
        [
            ("source_file", pa.string()),
            ("source_row", pa.int32()),
            ("source_sheet", pa.string()),
            ("SUBJ", pa.string()),
            ("AGE", pa.string()),
        ]
    )
    assert table.to_pydict() == {
        "source_file": [REL, REL],
        "source_row": [2, 3],
        "source_sheet": [None, None],
        "SUBJ": [" 01", "02"],
        "AGE": [None, "7"],
    }


CELL = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\t\n\r,;\"' ", exclude_characters="\ufeff"),
    max_size=8,
)
FRENCH = st.text(st.sampled_from("aé èçœ€’«»µ\xa0;\"',\n0"), max_size=8)


@st.composite
def tables(draw, cell):
    width = draw(st.integers(1, 4))
    row = st.lists(cell, min_size=width, max_size=width).filter(lambda cells: any(c.strip() for c in cells))
    return draw(st.lists(row, max_size=6)), width


def _written(rows, width, separator, quoting):
    """Text of the table and the physical line on which each record starts."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=separator, quoting=quoting)
    writer.writerow([f"clé{k}" for k in range(width)])
    starts = []
    for row in rows:
        before = buffer.getvalue().replace("\r\n", "\n").replace("\r", "\n")
        starts.append(before.count("\n") + 1)
        writer.writerow(row)
    return buffer.getvalue(), starts


def _check_round_trip(table, encoding, separator, quoting):
    rows, width = table
    text, starts = _written(rows, width, separator, quoting)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "f.csv")
        path.write_bytes(text.encode(encoding))
        read = delimited.read(path, REL, {"encoding": encoding, "separator": separator})
    for k in range(width):
        assert read[f"clé{k}"].to_pylist() == [row[k] or None for row in rows]
    assert read["source_row"].to_pylist() == starts


@settings(deadline=None)
@given(
    tables(CELL),
    st.sampled_from(["utf-8", "utf-8-sig"]),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_every_text_reads_back(table, encoding, separator, quoting):
    _check_round_trip(table, encoding, separator, quoting)


@settings(deadline=None)
@given(tables(FRENCH), st.sampled_from(",;\t"))
def test_every_french_text_reads_back_from_cp1252(table, separator):
    _check_round_trip(table, "cp1252", separator, csv.QUOTE_MINIMAL)


def test_old_mac_and_mixed_line_ends(tmp_path):
    table = _read(tmp_path, "a,b\r1,2\r3,4\r\n5,6\n")
    assert table["b"].to_pylist() == ["2", "4", "6"]
    assert table["source_row"].to_pylist() == [2, 3, 4]


def test_rows_without_content_are_passed_over_and_keep_the_count(tmp_path):
    table = _read(tmp_path, "\na;b\n;\n1;2\n\n;\n", separator=";")
    assert table["source_row"].to_pylist() == [4]


def test_comment_lines(tmp_path):
    table = _read(tmp_path, "# made 2020\na,b\n#x\n1,2\n", comment="#")
    assert table["source_row"].to_pylist() == [4]


def test_no_quoting(tmp_path):
    table = _read(tmp_path, 'a,b\n5" nail,"x\n', quote=None)
    assert table.to_pylist()[0]["b"] == '"x'


def test_many_rows_are_joined_from_chunks(tmp_path):
    n = 70_000
    table = _read(tmp_path, "a\n" + "".join(f"{k}\n" for k in range(n)))
    assert table["a"].to_pylist() == [str(k) for k in range(n)]
    assert table["source_row"].to_pylist() == list(range(2, n + 2))


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"\xef\xbb\xbf"])
def test_empty_file(tmp_path, data):
    error = _fails(tmp_path, data)
    assert str(error).startswith("ERROR ecrf/dm.csv file is empty - ")


def test_utf8_declared_as_cp1252(tmp_path):
    error = _fails(tmp_path, "a,b\nx,y\nnom,é\n".encode(), encoding="cp1252")
    assert (error.row, error.cure) == (3, "declare encoding: utf-8 in extracts.yaml")
    assert "byte 12 " in error.message


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_cp1252_declared_as_utf8(tmp_path, mark):
    error = _fails(tmp_path, mark + "a,b\nx,é\n".encode("cp1252"))
    assert (error.row, error.cure) == (2, "declare encoding: cp1252 in extracts.yaml")
    assert f"byte {6 + len(mark)} (0xE9)" in error.message


def test_byte_unknown_to_cp1252(tmp_path):
    error = _fails(tmp_path, b"a\n\x81\n", encoding="cp1252")
    assert error.row == 2
    assert "0x81" in error.message


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"PK\x03\x04rest", "reader: workbook"),
        ("a,b\n".encode("utf-16"), "UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1", "plain .xlsx"),
    ],
)
def test_not_text_at_all(tmp_path, data, hint):
    assert hint in str(_fails(tmp_path, data))


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x0b", "\x1a", "\x7f", "\x85"])
def test_control_characters(tmp_path, control):
    error = _fails(tmp_path, f'a,b\n1,"x\ny"\n2,{control}\n')
    assert error.row == 4
    assert f"U+{ord(control):04X}" in error.message


@pytest.mark.parametrize("row", ["1", "1,2,3", "1,2,"])
def test_ragged_rows(tmp_path, row):
    error = _fails(tmp_path, f"a,b\n1,2\n{row}\n4,5\n")
    assert error.row == 3
    assert "the header has 2" in error.message


def test_quote_never_closed_in_the_middle(tmp_path):
    error = _fails(tmp_path, 'a,b\n1,"cut\n2,"x"\n3,y\n')
    assert error.row == 2
    assert "quotes are broken between lines 2 and 3" in error.message


def test_quote_that_runs_on(tmp_path):
    error = _fails(tmp_path, 'a,b\n1,"cut\n' + "2,x\n" * 50_000)
    assert error.row == 2
    assert "runs over" in error.message


def test_data_under_an_empty_header(tmp_path):
    error = _fails(tmp_path, "a,,c\n1,,3\n1,2,3\n")
    assert error.row == 3
    assert "column 2 (B) has data but no header in row 1" in error.message


def test_empty_header_without_data_is_dropped(tmp_path):
    assert _read(tmp_path, "a;b;\n1;2;\n", separator=";").column_names[3:] == ["a", "b"]


def test_equal_headers_after_trimming(tmp_path):
    assert "columns 1 (A) and 3 (C)" in str(_fails(tmp_path, "a,b, a\n"))


def test_reserved_header(tmp_path):
    assert _fails(tmp_path, "source_row,b\n").item == "source_row"


def test_wrong_separator(tmp_path):
    error = _fails(tmp_path, "a;b;c\n1;2;3\n", separator=",")
    assert "separated by ';'" in error.message


def test_a_single_declared_column_may_hold_a_separator(tmp_path):
    table = _read(tmp_path, '"a;b"\n1\n', separator=",", expected=["a;b"])
    assert table["a;b"].to_pylist() == ["1"]


def test_unknown_and_missing_columns_in_one_message(tmp_path):
    error = _fails(tmp_path, "SUBJID,DTNAIS,X1\n", expected=["SUBJID", "DATNAIS", "SEXE"], ignore=["X1"])
    assert (error.row, error.item) == (1, "DTNAIS")
    assert "unknown column 'DTNAIS' (nearest expected: 'DATNAIS')" in error.message
    assert "missing column 'DATNAIS' (nearest in the file: 'DTNAIS'), 'SEXE'" in error.message
    assert "extracts.yaml, or under ignore" in error.cure


def test_ignored_columns_need_not_be_there(tmp_path):
    table = _read(tmp_path, "a\n1\n", expected=["a", "b"], ignore=["b"])
    assert table.column_names[3:] == ["a"]


def test_header_case_differs(tmp_path):
    error = _fails(tmp_path, "subjid\n", expected=["SUBJID"])
    assert "nearest expected: 'SUBJID'" in error.message


def test_error_text():
    error = DataError("f.csv", 3, "AGE", "x\x00" + "y" * 200, "is bad", "mend\nit")
    shown = str(error)
    assert shown.startswith("ERROR f.csv:3 AGE 'x\\x00yyy")
    assert shown.endswith("...' is bad - mend\\nit")
    assert len(shown.split("'")[1]) == 80
    assert str(DataError(message="m")) == "ERROR m"
