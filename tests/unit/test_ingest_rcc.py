"""NanoString RCC files and zips of them. Expected values by hand."""

from __future__ import annotations

import zipfile

import pytest

from trialpipe.ingest import rcc
from trialpipe.io.errors import DataError

REL = "expression/c1.zip"
LANE = """<Header>
FileVersion,1.7
SoftwareVersion,4.0.0.3
</Header>

<Sample_Attributes>
ID,RN-1
Owner,
Comments,thawed, twice
Date,20240603
GeneRLF,IFN
SystemAPF,n6
</Sample_Attributes>

<Lane_Attributes>
ID,3
FovCount,280
FovCounted,276
ScannerID,1207C0049
StagePosition,2
BindingDensity,0.68
CartridgeID,C1
CartridgeBarcode,
</Lane_Attributes>

<Code_Summary>
CodeClass,Name,Accession,Count
Endogenous,IFI27,NM_005532,90
Positive,POS_A(128),ERCC_1,1 024
Negative,IFI27,ERCC_2,n/a
</Code_Summary>

<Messages>
lane ok
bubble
</Messages>

"""
ATTRIBUTES = ["RN-1", "thawed, twice", "20240603", "IFN", "3", "C1", "280", "276", "0.68", "1207C0049", "2", None]
PROBES = [
    ["Endogenous", "IFI27", "NM_005532", "90"],
    ["Positive", "POS_A(128)", "ERCC_1", "1 024"],
    ["Negative", "IFI27", "ERCC_2", "n/a"],
]


def _read(tmp_path, data, **dialect):
    path = tmp_path / "f"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return rcc.read(path, REL, dialect)


def _zip(tmp_path, members) -> bytes:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return path.read_bytes()


def _fails(tmp_path, data, *words, **dialect):
    with pytest.raises(DataError) as caught:
        _read(tmp_path, data, **dialect)
    shown = str(caught.value)
    assert shown.startswith(f"ERROR {REL}")
    assert "\n" not in shown
    assert " - " in shown
    for word in words:
        assert word in shown


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lane(tmp_path, end, mark):
    table = _read(tmp_path, mark + LANE.replace("\n", end))
    assert table.column_names == ["source_file", "source_row", "source_sheet", *rcc.COLUMNS]
    assert [list(row.values()) for row in table.to_pylist()] == [
        [REL, 28 + i, None, *ATTRIBUTES, *probe, "lane ok; bubble"] for i, probe in enumerate(PROBES)
    ]


def test_system_type(tmp_path):
    text = LANE.replace("FileVersion,1.7", "FileVersion,2.0\nSystemType,Gen3")
    assert set(_read(tmp_path, text).column("SYSTEM_TYPE").to_pylist()) == {"Gen3"}


def test_zip_in_order_of_names(tmp_path):
    members = [
        ("a/2.RCC", LANE.replace("RN-1", "RN-2")),
        ("__MACOSX/a/._2.RCC", "x"),
        ("a/", ""),
        ("a/.DS_Store", "x"),
        ("a/1.rcc", LANE),
        ("read.me", "x"),
    ]
    table = _read(tmp_path, _zip(tmp_path, members), ignore=["[read.me]"])
    assert table.column("source_sheet").to_pylist() == ["a/1.rcc"] * 3 + ["a/2.RCC"] * 3
    assert table.column("SAMPLE_ID").to_pylist() == ["RN-1"] * 3 + ["RN-2"] * 3
    assert table.column("source_row").to_pylist() == [28, 29, 30] * 2


BAD = {
    "empty": ("", "empty"),
    "twice": (LANE.replace("Messages>", "Header>"), "stands twice"),
    "no messages": (LANE[: LANE.index("<Messages>")], "missing section Messages"),
    "not closed": (LANE[: LANE.index("bubble")], "not closed"),
    "nested": (LANE.replace("</Sample_Attributes>", ""), ":15", "not closed"),
    "end first": (LANE.replace("<Header>", "</Header>"), ":1", "before it starts"),
    "unknown": (LANE.replace("Messages>", "Letters>"), "Letters", "no section"),
    "outside": ("a,b\n1,2\n", ":1", "outside"),
    "no ID": (LANE.replace("ID,RN-1\n", ""), "no ID"),
    "key twice": (LANE.replace("Owner,", "ID,"), ":8", "stands twice"),
    "no comma": (LANE.replace("Owner,", "Owner"), ":8", "no comma"),
    "header": (LANE.replace("CodeClass,", "Class,"), ":27", "CodeClass"),
    "no probes": (LANE[: LANE.index("Endo")] + LANE[LANE.index("</Code") :], ":27", "no probes"),
    "cells": (LANE.replace(",NM_005532,90", ",NM_005532"), ":28", "3 cells"),
    "gene twice": (LANE.replace("Negative,", "Endogenous,"), ":30", "'IFI27'", "line 28"),
    "NUL": (LANE.replace("bubble", "\x00"), "U+0000"),
    "page": ("<!DOCTYPE html>", "HTML"),
    "byte": (LANE.replace("bubble", "\u00e9").encode("cp1252"), "0xE9", "cp1252"),
    "too large": (LANE + "\n" * rcc.MEMBER_BYTES, "5 MiB"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_clear_message(tmp_path, name):
    data, *words = BAD[name]
    _fails(tmp_path, data, *words)


@pytest.mark.parametrize("name", [n for n in BAD if n not in ("too large",)])
def test_one_clear_message_with_the_member(tmp_path, name):
    data, *words = BAD[name]
    _fails(tmp_path, _zip(tmp_path, [("0.RCC", LANE), ("1.RCC", data)]), "[1.RCC]", *words)


def test_hostile_zips(tmp_path):
    good = _zip(tmp_path, [("1.RCC", LANE)])
    _fails(tmp_path, _zip(tmp_path, []), "no RCC file")
    _fails(tmp_path, _zip(tmp_path, [("a.txt", "x")]), "a.txt", "no .RCC file")
    _fails(tmp_path, _zip(tmp_path, [("1.RCC", b"\n" * (rcc.MEMBER_BYTES + 1))]), "5 MiB")
    _fails(tmp_path, _zip(tmp_path, [(f"{i}.RCC", "") for i in range(rcc.MEMBERS + 1)]), "501 members")
    for name in ("../1.RCC", "/1.RCC", "a/../../1.RCC", "C:1.RCC", "a\\..\\1.RCC"):
        _fails(tmp_path, _zip(tmp_path, [(name, LANE)]), "leads out")
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = _zip(tmp_path, [("1.RCC", LANE), ("1.RCC", LANE)])
    _fails(tmp_path, twice, "stands twice")
    locked = bytearray(good)
    locked[6] |= 1
    locked[good.index(b"PK\x01\x02") + 8] |= 1
    _fails(tmp_path, bytes(locked), "encrypted")
    damaged = bytearray(good)
    damaged[60] ^= 0xFF
    _fails(tmp_path, bytes(damaged), "unpacked")


def test_member_that_understates_its_size(tmp_path):
    data = _zip(tmp_path, [("1.RCC", b"\n" * (rcc.MEMBER_BYTES + 1))])
    lie = (1000).to_bytes(4, "little")
    centre = data.index(b"PK\x01\x02") + 24
    _fails(tmp_path, data[:22] + lie + data[26:centre] + lie + data[centre + 4 :], "1.RCC")


def test_cut_or_damaged_anywhere(tmp_path):
    whole = LANE.rstrip("\n").encode()
    for end in range(len(whole)):
        _fails(tmp_path, whole[:end])
    good = _zip(tmp_path, [("1.RCC", LANE)])
    for end in range(len(good)):
        _fails(tmp_path, good[:end])
    shown: list[str] = []
    for position in range(len(good)):
        try:
            _read(tmp_path, good[:position] + bytes([good[position] ^ 0xFF]) + good[position + 1 :])
        except DataError as error:
            shown.append(str(error))
    assert not [text for text in shown if "\n" in text]
