"""MSD Discovery Workbench plates. Expected values by hand."""

from __future__ import annotations

import pytest

from trialpipe.ingest import msd
from trialpipe.io.errors import DataError

REL = "cytokines/m.csv"
HEADER = "Sample,Assay,Well,Spot,Detection Range,Calc. Concentration\n"
ONE = "Plate_1,,,,,\n" + HEADER + "S001,IL-6,A01,1,In Detection Range,12.5\nU001,IL-6,A02,1,,NaN\n"
TWO = "Plate_2\n" + HEADER + '"U,2",IL-6,A01,1,Below Fit Curve Range,\n'


def _read(tmp_path, text, **dialect):
    path = tmp_path / "m.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return msd.read(path, REL, dialect)


@pytest.mark.parametrize("blank", ["", "\n", ",,,,,\n"])
def test_two_plates(tmp_path, blank):
    table = _read(tmp_path, ONE + blank + TWO)
    lines = HEADER.strip().split(",")
    assert table.column_names == ["source_file", "source_row", "source_sheet", *lines, "PLATE"]
    late = 7 + bool(blank)
    assert [(r["source_row"], *(r[n] for n in (*lines, "PLATE"))) for r in table.to_pylist()] == [
        (3, "S001", "IL-6", "A01", "1", "In Detection Range", "12.5", "Plate_1"),
        (4, "U001", "IL-6", "A02", "1", None, "NaN", "Plate_1"),
        (late, "U,2", "IL-6", "A01", "1", "Below Fit Curve Range", None, "Plate_2"),
    ]


def test_padded_semicolons_and_bom(tmp_path):
    text = "\ufeff" + ONE.replace(",", ";").replace("\n", ";;;\r\n").replace("12.5", "12,5")
    table = _read(tmp_path, text, separator=";")
    assert table.column("Calc. Concentration").to_pylist() == ["12,5", "NaN"]
    assert table.column("PLATE").to_pylist() == ["Plate_1"] * 2


def test_later_plate_with_another_column(tmp_path):
    text = ONE + TWO.replace("Calc. Concentration\n", "Calc. Concentration,CV\n").replace("Range,\n", "Range,,3\n")
    table = _read(tmp_path, text)
    assert table.column_names[-2:] == ["CV", "PLATE"]
    assert table.column("CV").to_pylist() == [None, None, "3"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty"]),
        (",,\n", ["no content"]),
        (HEADER + "S001,IL-6,A01,1,,1\n", [":1", "not a plate's name"]),
        ("Plate_1\n", ["no rows"]),
        ("Plate_1\n" + HEADER, ["no rows"]),
        ("Plate_1\na,b\n1,2\n", [":2", "no column Sample, Assay, Well"]),
        (ONE + ONE, [":5", "plate stands twice"]),
        (ONE + "S001,IL-6,A03\n", [":5", "3 cells", "header has 6"]),
        (ONE + "S001,IL-6,A03,1,a,b,1\n", [":5", "7 cells"]),
        (ONE.replace("Spot", "Well"), [":2", "same header"]),
        (ONE.replace("Spot", "PLATE"), [":2", "reserved"]),
        (ONE.replace("NaN", "\x00"), [":4", "U+0000"]),
        (b"PK\x03\x04", ["Excel"]),
        (ONE.encode() + b"\xb5,IL-6,A03,1,,1\n", [":5", "0xB5", "cp1252"]),
        ("<html></html>", ["HTML"]),
    ],
)
def test_one_clear_message(tmp_path, text, words):
    with pytest.raises(DataError) as caught:
        _read(tmp_path, text)
    shown = str(caught.value)
    assert shown.startswith(f"ERROR {REL}")
    assert "\n" not in shown
    assert " - " in shown
    for word in words:
        assert word in shown


def test_columns_are_compared_with_the_mapping(tmp_path):
    expected = [*HEADER.strip().split(","), "PLATE"]
    assert _read(tmp_path, ONE, expected=expected).num_rows == 2
    with pytest.raises(DataError, match="unknown column 'Spot'"):
        _read(tmp_path, ONE, expected=[name for name in expected if name != "Spot"])
    with pytest.raises(DataError, match="missing column 'CV'"):
        _read(tmp_path, ONE, expected=[*expected, "CV"])


def test_cut_anywhere(tmp_path):
    whole = (ONE + TWO).encode()
    shown: list[str] = []
    for end in range(len(whole)):
        try:
            _read(tmp_path, whole[:end])
        except DataError as error:
            shown.append(str(error))
    assert not [text for text in shown if "\n" in text]
