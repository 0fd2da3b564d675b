from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.xlsx import workbook

from trialpipe.ingest import bioplex
from trialpipe.io.errors import DataError

REL = "cytokines/plate1.xlsx"
HEADER = [
    "Type",
    "Well",
    "Outlier",
    "Description",
    "FI",
    "FI - Bkgd",
    "Std Dev",
    "%CV",
    "Obs Conc",
    "Exp Conc",
    "(Obs/Exp) * 100",
    "Conc in Range",
    "Dilution",
]
META = [
    ["File Name", "run1.rbx"],
    ["Acquisition Date", "07-Aug-2020, 04:25 PM"],
    ["Reader Serial Number", "LX1"],
]
FOOTER = "Standards with recovery between 70-130% are valid"
WELLS = [
    ["S1", "A1", 0, "Standard", 20000.5, 19990, 12, 3.5, 3200, 3200, 100, 3200, 1],
    ["X1", "B1", 0, "C01 J0", 50, 40, None, None, "OOR <", None, None, "OOR <", 4],
    ["X2", "B2", 1, "C02 J0", 60, 50, "***", None, "*12.3", None, None, "---", 4],
]


def _sheet(wells=WELLS, header=HEADER, meta=META, footer=FOOTER):
    return [*meta, [], header, *wells, [], [footer]]


def _read(path: Path, **dialect: object):
    return bioplex.read(path, REL, dialect)


def _fails(path: Path, **dialect: object) -> DataError:
    with pytest.raises(DataError) as caught:
        _read(path, **dialect)
    return caught.value


def test_plate(tmp_path):
    path = workbook(tmp_path / "p.xlsx", {"IFN-g (21)": _sheet(), "IL-6": _sheet(wells=WELLS[:1])})
    table = _read(path)
    assert table.column_names == [
        "source_file",
        "source_row",
        "source_sheet",
        "ANALYTE",
        "BEAD_REGION",
        *HEADER,
        "PLATE_FILE",
        "PLATE_DATE",
        "PLATE_READER_SERIAL",
        "PLATE_META",
        "RECOVERY_LOW",
        "RECOVERY_HIGH",
    ]
    rows = table.to_pylist()
    assert [(r["ANALYTE"], r["BEAD_REGION"], r["source_sheet"], r["source_row"]) for r in rows] == [
        ("IFN-g", "21", "IFN-g (21)", 6),
        ("IFN-g", "21", "IFN-g (21)", 7),
        ("IFN-g", "21", "IFN-g (21)", 8),
        ("IL-6", None, "IL-6", 6),
    ]
    assert rows[0]["FI"] == "20000.5"
    assert rows[0]["Exp Conc"] == "3200"
    assert [r["Obs Conc"] for r in rows] == ["3200", "OOR <", "*12.3", "3200"]
    assert (rows[2]["Std Dev"], rows[2]["Conc in Range"], rows[2]["%CV"]) == ("***", "---", None)
    assert {r["RECOVERY_LOW"] for r in rows} == {"70"}
    assert {r["RECOVERY_HIGH"] for r in rows} == {"130"}
    assert (rows[3]["PLATE_FILE"], rows[3]["PLATE_READER_SERIAL"]) == ("run1.rbx", "LX1")
    meta = json.loads(rows[0]["PLATE_META"])
    assert list(meta) == ["File Name", "Acquisition Date", "Reader Serial Number", "Footer"]
    assert meta["Footer"] == FOOTER


def test_tolerated_spellings(tmp_path):
    header = [h.replace("FI - Bkgd", "FI-Bkgd").replace("(Obs/Exp) * 100", "(Obs/Exp)×100") for h in HEADER]
    meta = [["File Name: run2.rbx"], ["Reader Serial Number:", "LX2"], ["Plate note"]]
    sheet = [
        *meta,
        header,
        *WELLS[:2],
        [],
        WELLS[2],
        ["OOR: out of range"],
        ["Recovery 80 % to 120 % is valid"],
    ]
    row = _read(workbook(tmp_path / "p.xlsx", {"TNF-a(5)": sheet})).to_pylist()[-1]
    assert (row["ANALYTE"], row["BEAD_REGION"], row["source_row"]) == ("TNF-a", "5", 8)
    assert (row["FI - Bkgd"], row["PLATE_FILE"], row["PLATE_READER_SERIAL"]) == ("50", "run2.rbx", "LX2")
    assert (row["RECOVERY_LOW"], row["RECOVERY_HIGH"]) == ("80", "120")


def test_nothing_but_type_and_well(tmp_path):
    table = _read(workbook(tmp_path / "p.xlsx", {"A": [["Type", "Well"], ["X1", "A1"]]}))
    row = table.to_pylist()[0]
    assert (row["Type"], row["PLATE_META"], row["RECOVERY_LOW"]) == ("X1", None, None)


def test_sheets_may_differ_in_columns(tmp_path):
    short = [["Type", "Well", "Dilution"], ["X1", "A1", 4]]
    long = [["Type", "Well", "FI", "Dilution"], ["X1", "A1", 9, 4]]
    one = _read(workbook(tmp_path / "p.xlsx", {"A": short, "B": long}))
    two = _read(workbook(tmp_path / "q.xlsx", {"A": long, "B": short}))
    assert one.column_names == two.column_names
    assert one["FI"].to_pylist() == [None, "9"]


def test_sheet_without_header(tmp_path):
    path = workbook(tmp_path / "p.xlsx", {"IL-6": _sheet(), "Notes": [["see binder"]]})
    error = _fails(path)
    assert (error.file, "[Notes]" in error.cure) == (f"{REL}[Notes]", True)
    assert _read(path, ignore=["[Notes]"]).num_rows == 3


def test_same_analyte_twice(tmp_path):
    path = workbook(tmp_path / "p.xlsx", {"IL-6 (1)": _sheet(), "IL-6 (2)": _sheet()})
    assert "are the same analyte" in _fails(path).message


def test_row_that_is_no_well(tmp_path):
    broken = ["X9", None, 0, "C09", 1]
    error = _fails(workbook(tmp_path / "p.xlsx", {"IL-6": _sheet(wells=[*WELLS, broken])}))
    assert (error.row, error.item) == (9, "Well")


def test_columns(tmp_path):
    path = workbook(tmp_path / "p.xlsx", {"IL-6": _sheet(header=[*HEADER, "Extra"])})
    assert _fails(path, expected=["ANALYTE", "Obs Conc", "RECOVERY_LOW"]).item == "Extra"
    assert _read(path, expected=["ANALYTE", "Obs Conc"], ignore=["Extra"]).num_rows == 3
    assert "'Well'" in _fails(workbook(tmp_path / "q.xlsx", {"A": [["Type", "FI"], ["X", 1]]})).message
    assert _fails(path, expected=["Obs conc."], ignore=["Extra"]).item == "Obs conc."


def test_made_names_are_reserved(tmp_path):
    path = workbook(tmp_path / "p.xlsx", {"A": [["Type", "Well", "ANALYTE"], ["X", "A1", "x"]]})
    assert "reserved" in _fails(path).message
