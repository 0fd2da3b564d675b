"""xPONENT and INTELLIFLEX plates: re-saved, cut and hostile files. Expected values by hand."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from trialpipe.ingest import intelliflex, lines, xponent
from trialpipe.io.errors import DataError

REL = "cytokines/p.csv"
PLATE = [
    ["Program", "xPONENT", "", "MAGPIX"],
    ["Build", "4.2.1705.0"],
    ["Date", "12/20/2021", "10:50 AM"],
    [],
    ["SN", "MAGPX1"],
    ["Batch", "B1"],
    ["ProtocolDescription", "50 \u00b5L"],
    [],
    ["Results"],
    [],
    ["DataType:", "Median"],
    ["Location", "Sample", "IL-6", "IL-10", "Total Events"],
    ["1(1,A1)", "Standard1", "10.5", "37", "881"],
    ["2(1,B1)", "S-1", "", "<2.5", "728"],
    [],
    ["DataType:", "Units"],
    ["Analyte:", "IL-6", "IL-10"],
    ["BeadID:", "28", "35"],
    [],
    ["DataType:", "Dilution Factor"],
    ["Location", "Sample", "Dilution Factor"],
    ["1(1,A1)", "Standard1", "1"],
    [],
    ["DataType:", "Something New"],
    ["Reagent", "IL-6"],
    ["Standard1", "40000"],
    [],
    ["DataType:", "Audit Logs"],
    ["UserId", "Date", "Message"],
    [],
    ["DataType:", "Warnings/Errors"],
    ["Location", "Status", "Message"],
    ["1,A1", "Warning", "few beads"],
    [],
    ["-- CRC --"],
    ["CRC32: 40B50595"],
]


def _text(rows=PLATE, separator=",", pad=0, quoting=csv.QUOTE_ALL) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, quoting=quoting, lineterminator="\r\n", quotechar='"')
    for row in rows:
        writer.writerow([*row, *[""] * (pad - len(row))])
    return out.getvalue()


def _read(tmp_path: Path, data: str | bytes, **dialect: object):
    path = tmp_path / "p.csv"
    path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    return xponent.read(path, REL, dialect)


def _fails(tmp_path: Path, data: str | bytes, *words: str, **dialect: object) -> None:
    with pytest.raises(DataError) as caught:
        _read(tmp_path, data, **dialect)
    text = str(caught.value)
    assert text.startswith(f"ERROR {REL}")
    assert "\n" not in text
    assert " - " in text
    for word in words:
        assert word in text


def _but(row: int, *new: list[str]) -> list[list[str]]:
    """The plate with line ``row`` (counted from 1) replaced by other lines."""
    return [*PLATE[: row - 1], *new, *PLATE[row:]]


CELLS = ("source_row", "BLOCK", "LOCATION", "SAMPLE", "ANALYTE", "VALUE", "TOTAL_EVENTS")
EXPECTED = [
    (13, "Median", "1(1,A1)", "Standard1", "IL-6", "10.5", "881"),
    (13, "Median", "1(1,A1)", "Standard1", "IL-10", "37", "881"),
    (14, "Median", "2(1,B1)", "S-1", "IL-6", None, "728"),
    (14, "Median", "2(1,B1)", "S-1", "IL-10", "<2.5", "728"),
    (18, "Units", None, "BeadID:", "IL-6", "28", None),
    (18, "Units", None, "BeadID:", "IL-10", "35", None),
    (22, "Dilution Factor", "1(1,A1)", "Standard1", "Dilution Factor", "1", None),
    (26, "Something New", None, "Standard1", "IL-6", "40000", None),
    (33, "Warnings/Errors", "1,A1", None, "Status", "Warning", None),
    (33, "Warnings/Errors", "1,A1", None, "Message", "few beads", None),
]


def _cells(table) -> list[tuple]:
    return [tuple(row[name] for name in CELLS) for row in table.to_pylist()]


def test_plate(tmp_path):
    table = _read(tmp_path, _text())
    assert table.column_names == ["source_file", "source_row", "source_sheet", *xponent.COLUMNS]
    assert _cells(table) == EXPECTED
    row = table.to_pylist()[-1]
    made = [row[name] for name in xponent.PLATE]
    assert made == ["B1", "12/20/2021 10:50 AM", "MAGPX1", "xPONENT", "4.2.1705.0"]
    meta = json.loads(row["PLATE_META"])
    assert meta == [r for r in PLATE[:9] if r] + PLATE[-2:]


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("pad", [0, 5, 17])
@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_saved_again(tmp_path, separator, pad, quoting, encoding):
    data = _text(separator=separator, pad=pad, quoting=quoting).encode(encoding)
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    assert _cells(_read(tmp_path, data, separator=separator, encoding=declared)) == EXPECTED


@pytest.mark.parametrize("pad", [0, 17])
def test_locations_without_quotes_are_joined(tmp_path, pad):
    assert _cells(_read(tmp_path, _text(pad=pad).replace('"', ""))) == EXPECTED


def test_decimal_commas_stay_text(tmp_path):
    data = _text(_but(13, ["1(1,A1)", "Standard1", "10,5", "37", "881"]), separator=";", quoting=csv.QUOTE_MINIMAL)
    assert _cells(_read(tmp_path, data, separator=";"))[0][5] == "10,5"


def test_row_is_the_line_also_behind_a_text_over_two_lines(tmp_path):
    table = _read(tmp_path, _text(_but(7, ["ProtocolDescription", "50\nL"])))
    assert _cells(table)[0][0] == 14


def test_plate_line_that_is_absent_is_null(tmp_path):
    row = _read(tmp_path, _text([r for r in PLATE if r[:1] != ["Batch"]])).to_pylist()[0]
    assert row["PLATE_BATCH"] is None


HOSTILE = {
    "few cells": (_text(_but(13, ["1(1,A1)", "Standard1", "10.5"])), ":13", "3 cells", "5 columns"),
    "many cells": (_text(_but(13, ["1(1,A1)", "S", "1", "2", "3", "4"])), ":13", "6 cells"),
    "analyte twice": (_text(_but(12, ["Location", "Sample", "IL-6", "IL-6", "Total Events"])), ":12", "same header"),
    "unnamed column": (_text(_but(12, ["Location", "Sample", "", "IL-6", "Total Events"])), ":12", "no header"),
    "block twice": (_text(_but(24, ["DataType:", "median"])), ":24", "stands twice", "line 11"),
    "block without a name": (_text(_but(24, ["DataType:"])), ":24", "no name"),
    "block without rows": (_text(PLATE[:12] + PLATE[14:]), ":11", "'Median' block has no rows"),
    "no footer": (_text(PLATE[:-2]), ":33", "file is cut"),
    "footer without sum": (_text(PLATE[:-1]), "file is cut"),
    "text behind": (_text([*PLATE, *PLATE]), ":37", "behind the CRC"),
    "no block": (_text(PLATE[:9] + PLATE[-2:]), "no block of wells"),
    "separator": (_text(separator=";", quoting=csv.QUOTE_MINIMAL), ":1", "correct separator"),
    "other file": ("a,b\r\n1,2\r\n", ":1", "no xPONENT export"),
    "page": ("<!DOCTYPE html><html></html>", "HTML"),
    "workbook": (b"PK\x03\x04rest", "Excel"),
    "old workbook": (b"\xd0\xcf\x11\xe0rest", "old Excel"),
    "empty": (b"", "empty"),
    "blank": (b",,,\r\n\r\n,,\r\n", "no content"),
    "NUL": (_text().replace("B1", "B\x00"), ":6", "U+0000"),
    "binary": (bytes(range(256)), ":1", "U+0000"),
    "UTF-16": (_text().encode("utf-16"), "UTF-16"),
    "byte of cp1252": (_text().encode("cp1252"), ":7", "0xB5", "encoding: cp1252"),
    "open quote": (_text().replace('"37"', '"37'), "quote"),
    "long line": (b"Program," + b"x" * (lines.LINE_LIMIT + 1), ":1", "1 MiB"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_one_clear_message(tmp_path, name):
    data, *words = HOSTILE[name]
    _fails(tmp_path, data, *words)


def test_utf8_declared_as_cp1252(tmp_path):
    _fails(tmp_path, _text(), ":7", "encoding: utf-8", encoding="cp1252")


def test_file_larger_than_a_plate(tmp_path, monkeypatch):
    monkeypatch.setattr(xponent, "CELL_LIMIT", 3)
    _fails(tmp_path, _text(), ":16", "more than a plate")
    monkeypatch.setattr(xponent, "HEADER_LIMIT", 3)
    _fails(tmp_path, _text(), ":6", "more than a plate")


@pytest.mark.parametrize("pad", [0, 9])
def test_cut_anywhere(tmp_path, pad):
    whole = _text(pad=pad).encode()
    shown: list[str] = []
    for end in range(len(whole)):
        if whole[:end].rstrip(b'\r\n,"') == whole.rstrip(b'\r\n,"'):
            continue
        try:
            table = _read(tmp_path, whole[:end])
        except DataError as error:
            shown.append(str(error))
        else:
            # a cut inside of the sum itself cannot be told
            assert b"CRC32" in whole[:end]
            assert _cells(table) == EXPECTED
    assert not [text for text in shown if "\n" in text]


WIDE = (
    "INSTRUMENT TYPE,SERIAL NUMBER,SOFTWARE VERSION,PLATE NAME,PLATE START,WELL LOCATION,SAMPLE ID,NOTE,"
    "R25: RP1 MEDIAN,R25: RP1 COUNT,R25: RP1 AVERAGE MFI\r\n"
)
WELL = "INTELLIFLEX,I1,2.0,P1,11/8/2024 12:12,A1,U1,x,130.5,28,131\r\n"


def test_intelliflex(tmp_path):
    path = tmp_path / "i.csv"
    path.write_text(WIDE + WELL, encoding="utf-8", newline="")
    table = intelliflex.read(path, REL, {})
    assert _cells(table) == [
        (2, "Median", "A1", "U1", "R25: RP1", "130.5", None),
        (2, "Count", "A1", "U1", "R25: RP1", "28", None),
        (2, "Avg Net MFI", "A1", "U1", "R25: RP1", "131", None),
    ]
    assert json.loads(table.column("PLATE_META")[0].as_py()) == [["NOTE", "x"]]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (WIDE, "no wells"),
        (WIDE + WELL + WELL, "stands twice"),
        (WIDE.replace("WELL LOCATION", "WELL") + WELL, "WELL LOCATION"),
        (WIDE.replace("MEDIAN", "M").replace("COUNT", "C").replace("AVERAGE MFI", "A") + WELL, "no column ends"),
        (WIDE + WELL[:40], "cells"),
        ("", "empty"),
    ],
)
def test_intelliflex_one_clear_message(tmp_path, text, word):
    path = tmp_path / "i.csv"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(DataError, match=word):
        intelliflex.read(path, REL, {})
