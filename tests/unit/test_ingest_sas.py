from __future__ import annotations

import io
import math
import struct
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialpipe.ingest import run, sas, sas_values, trialmaster, xport
from trialpipe.io.errors import DataError

REL = "ecrf/ae.xpt"
STAMP = b"01JAN24:00:00:00"


def ibm(value: float | str | None) -> bytes:
    """A number in IBM floating point, exactly (TS-140); a letter, _ or None are missing values."""
    if value is None or isinstance(value, str):
        return (value or ".").encode() + bytes(7)
    if value == 0:
        return bytes(8)
    fraction, exponent = abs(Fraction(value)), 64
    while fraction >= 1:
        fraction, exponent = fraction / 16, exponent + 1
    while fraction < Fraction(1, 16):
        fraction, exponent = fraction * 16, exponent - 1
    mantissa = fraction * 2**56
    assert mantissa.denominator == 1
    return bytes([exponent | (128 if value < 0 else 0)]) + int(mantissa).to_bytes(7, "big")


def _padded(raw: bytes, size: int = 80) -> bytes:
    return raw + b" " * (-len(raw) % size)


def _header(kind: str, digits: str = "0" * 30) -> bytes:
    return f"HEADER RECORD*******{kind:<8}HEADER RECORD!!!!!!!{digits}  ".encode()


def member(name: str, columns: list[tuple], rows: list[tuple]) -> bytes:
    """A data set; columns are (name, label, format, width, length), length 0 for a number."""
    names, start = b"", 0
    for number, (column, label, shown, width, length) in enumerate(columns, 1):
        size = length or 8
        names += struct.pack(
            ">hhhh8s40s8shhh2s8shhi52s", 2 if length else 1, 0, size, number, column.encode().ljust(8),
            label.encode().ljust(40), shown.encode().ljust(8), width, 0, 0, b"", b" " * 8, 0, 0, start, b"",
        )  # fmt: skip
        start += size
    cells = b"".join(
        cell if isinstance(cell, bytes) else (cell or "").encode().ljust(column[4]) if column[4] else ibm(cell)
        for row in rows
        for column, cell in zip(columns, row, strict=True)
    )
    label = b"SAS     " + name.encode().ljust(8) + b"SASDATA 9.4     X64" + b" " * 29 + STAMP
    return (
        _header("MEMBER", "000000000000000001600000000140")
        + _header("DSCRPTR")
        + label
        + STAMP.ljust(32)
        + b"A label".ljust(48)
        + _header("NAMESTR", f"000000{len(columns):04d}".ljust(30, "0"))
        + _padded(names)
        + _header("OBS")
        + _padded(cells)
    )


def xpt(*members: bytes) -> bytes:
    library = b"SAS     SAS     SASLIB  9.4     X64".ljust(64) + STAMP
    return _header("LIBRARY") + library + STAMP.ljust(80) + b"".join(members)


COLUMNS = [
    ("SUBJ", "Subject", "$", 10, 10),
    ("AGE", "Age", "", 0, 0),
    ("AEDT", "Onset", "DATE", 9, 0),
    ("AEDTM", "Onset", "DATETIME", 20, 0),
    ("AETM", "Clock", "TIME", 5, 0),
    ("DTTXT", "Date as text", "DATE", 9, 50),
]
ROWS = [
    ("001", 63.0, 22000.0, 22000.0 * 86400 + 29700, 29700.0, "12JAN2021"),
    ("002", "A", "_", None, "Z", None),
    (None, None, None, None, None, None),
    ("004", 0.1, -1.0, 0.5, 90061.25, " x"),
]
SAMPLE = xpt(member("AE", COLUMNS, ROWS))


def _read(tmp_path: Path, data: bytes, sheet: str | None = None, name: str = "ae.xpt", **dialect: object):
    (tmp_path / name).write_bytes(data)
    return sas.read(tmp_path / name, REL, {"sheet": sheet, **dialect})


def _fails(tmp_path: Path, data: bytes, *args, **kwargs) -> DataError:
    with pytest.raises(DataError) as caught:
        _read(tmp_path, data, *args, **kwargs)
    assert "\n" not in str(caught.value)
    assert caught.value.cure
    return caught.value


def _read_or_refused(tmp_path: Path, data: bytes, *args, **kwargs) -> DataError | None:
    try:
        _read(tmp_path, data, *args, **kwargs)
    except DataError as error:
        refused = error
    else:
        return None
    assert refused.cure
    assert "\n" not in str(refused)
    return refused


def test_values_of_a_transport_file(tmp_path):
    table = _read(tmp_path, SAMPLE)
    assert table.to_pydict() == {
        "source_file": [REL] * 3,
        "source_row": [1, 2, 4],
        "source_sheet": [None] * 3,
        "SUBJ": ["001", "002", "004"],
        "AGE": ["63", ".A", "0.1"],
        "AEDT": ["2020-03-26", "._", "1959-12-31"],
        "AEDTM": ["2020-03-26T08:15:00", None, "1960-01-01T00:00:00.5"],
        "AETM": ["08:15:00", ".Z", "25:01:01.25"],
        "DTTXT": ["12JAN2021", None, " x"],
    }


def test_variables_of_a_transport_file(tmp_path):
    found = _read(tmp_path, SAMPLE, "variables").to_pylist()
    assert [(r["dataset"], r["source_row"], r["name"], r["label"], r["format"], r["type"], r["length"]) for r in found][
        ::5
    ] == [
        ("AE", 1, "SUBJ", "Subject", "$10.", "char", "10"),
        ("AE", 6, "DTTXT", "Date as text", "DATE9.", "char", "50"),
    ]
    assert [row["format"] for row in found] == ["$10.", None, "DATE9.", "DATETIME20.", "TIME5.", "DATE9."]


DOUBLES = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e60, max_value=1e60).filter(
    lambda v: v == 0 or abs(v) > 1e-60
)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=4).map(lambda t: t.rstrip(" \0"))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(DOUBLES | st.sampled_from([None, "A", "Z", "_"]), TEXT, DOUBLES), min_size=1, max_size=12),
    st.integers(1, 3),
)
def test_any_numbers_and_texts_as_written_and_as_readstat_reads_them(tmp_path_factory, rows, extra):
    folder = tmp_path_factory.mktemp("sas")
    columns = [("N", "", "", 0, 0), ("T", "", "", 0, 16), ("M", "", "", 0, 0), ("P", "", "", 0, extra)]
    data = xpt(member("D", columns, [(*row, "x") for row in rows]))
    table = _read(folder, data)
    values, _ = pyreadstat.read_xport(str(folder / "ae.xpt"), output_format="dict")
    assert table.num_rows == len(rows)
    for n, (number, text, other) in enumerate(rows):
        found = {name: table.column(name)[n].as_py() for name in "NTM"}
        assert found["T"] == (text or None)
        assert (values["T"][n] or None) == (text or None)
        if isinstance(number, float):
            assert float(found["N"]) == number == values["N"][n]
        else:
            assert found["N"] == (f".{number}" if number else None)
        assert float(found["M"]) == other == values["M"][n]


@pytest.mark.parametrize("rows", range(12))
def test_padding_is_no_observation(tmp_path, rows):
    columns = [("A", "", "", 0, 3), ("B", "", "", 0, 4)]
    table = _read(tmp_path, xpt(member("D", columns, [("abc", "defg")] * rows)))
    assert table.num_rows == rows


def test_short_numbers_keep_the_bytes_they_have(tmp_path):
    data = xpt(member("D", [("N", "", "", 0, 0), ("P", "", "", 0, 5)], [(0.5, "x")]))
    at = data.index(_header("OBS")) + 80
    # a number of three bytes, as LENGTH N 3 writes it
    short = data.replace(struct.pack(">hhhh", 1, 0, 8, 1), struct.pack(">hhhh", 1, 0, 3, 1))
    short = short.replace(struct.pack(">i", 8) + bytes(52), struct.pack(">i", 3) + bytes(52))
    short = short[:at] + _padded(ibm(0.5)[:3] + b"x    ")
    assert _read(tmp_path, short).to_pylist()[0]["N"] == "0.5"


@pytest.mark.parametrize(
    ("shown", "value", "text"),
    [
        ("DATE9.", 0, "1960-01-01"),
        ("YYMMDD10.", 22000.75, "2020-03-26"),
        ("DDMMYYP10.", -138061, "1582-01-01"),
        ("E8601DA10.", 21915, "2020-01-01"),
        ("MONYY7.", 21946, "2020-02-01"),
        ("DATE9.", 1.9e9, "1900000000"),
        ("DATETIME20.", 1.9e9, "2020-03-16T17:46:40"),
        ("DATETIME22.3", 0.25, "1960-01-01T00:00:00.25"),
        ("E8601DT.", -1, "1959-12-31T23:59:59"),
        ("DTDATE9.", 22000 * 86400, "2020-03-26"),
        ("DTDATE9.", 22000 * 86400 + 60, "2020-03-26T00:01:00"),
        ("DATETIME20.", 22000 * 86400, "2020-03-26T00:00:00"),
        ("TIME5.", 0, "00:00:00"),
        ("TIME8.", -61, "-00:01:01"),
        ("HHMM.", 86399.999, "23:59:59.999"),
        ("TOD8.", 22000 * 86400, "2020-03-26T00:00:00"),
        ("BEST12.", 1e15, "1000000000000000.0"),
        ("BEST12.", -0.0, "0"),
        ("8.2", 7.1, "7.1"),
        ("YN.", 1, "1"),
        ("", 1e-5, "1e-05"),
        ("DATEX.", 5, "5"),
    ],
)
def test_numbers_by_their_format(shown, value, text):
    assert sas_values.writer(shown)(float(value)) == text


@given(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(["DATE9.", "DATETIME20.", "TIME5.", "TOD.", ""]))
def test_every_number_has_a_text(value, shown):
    text = sas_values.texts([value], sas_values.writer(shown))[0]
    assert (text is None) == (not math.isfinite(value))


def test_several_data_sets_in_a_file(tmp_path):
    one = member("AE", [("A", "", "", 0, 80)], [("x",)])
    data = xpt(one, member("DM", [("B", "", "", 0, 0)], [(1.0,), (2.0,)]))
    assert _read(tmp_path, data, "dm").to_pydict()["B"] == ["1", "2"]
    assert _read(tmp_path, data, "AE").to_pydict()["A"] == ["x"]
    assert [r["name"] for r in _read(tmp_path, data, "variables").to_pylist()] == ["A", "B"]
    assert "several data sets: AE, DM" in str(_fails(tmp_path, data))
    assert "nearest is 'DM'" in str(_fails(tmp_path, data, "DMM"))


def test_encoding_is_declared(tmp_path):
    columns = [("T", "", "", 0, 8)]
    latin = xpt(member("D", columns, [("é".encode("cp1252").ljust(8),)]))
    assert _read(tmp_path, latin, encoding="cp1252").to_pylist()[0]["T"] == "é"
    error = _fails(tmp_path, latin)
    assert (error.row, error.item, error.value) == (1, "T", None)
    assert "encoding: cp1252" in str(error)
    modern = xpt(member("D", columns, [("é".encode().ljust(8),)]))
    assert "encoding: utf-8" in str(_fails(tmp_path, modern, encoding="cp1252"))


def test_columns_expected_by_the_mapping(tmp_path):
    names = [column[0] for column in COLUMNS]
    assert _read(tmp_path, SAMPLE, expected=names).num_rows == 3
    assert "nearest in the file: 'SUBJ'" in str(_fails(tmp_path, SAMPLE, expected=[*names, "SUBJID"]))
    assert _fails(tmp_path, SAMPLE, expected=names[:-1]).item == "DTTXT"


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "empty"),
        (bytes(4000), "no SAS data set"),
        (b"<html><body>log in</body></html>", "web page"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>", "web page or XML"),
        (b"a,b\n1,2\n", "no SAS data set"),
        (xport.CPORT + bytes(200), "CPORT"),
        (xport.V8.ljust(80, b"0") * 9, "version 8"),
        (sas._CATALOG + bytes(5000), "catalog"),
        (sas._SAS7 + bytes(5000), "sas7bdat is cut"),
        (SAMPLE.replace(b"\n", b"\r\n") + b"\r", "not whole records"),
        (xpt(), "no data set"),
        (SAMPLE.replace(b"NAMESTR HEADER RECORD!!!!!!!000000000", b"NAMESTR HEADER RECORD!!!!!!!000000999"), "damaged"),
        (SAMPLE.replace(b"000000000000000001600000000140", b"000000000000000001600000000999"), "damaged"),
        (SAMPLE.replace(struct.pack(">hhhh", 1, 0, 8, 2), struct.pack(">hhhh", 1, 0, 9, 2)), "damaged"),
        (SAMPLE.replace(b"AGE     ", b"SUBJ    "), "same header"),
    ],
)  # fmt: skip
def test_refused_files(tmp_path, data, part):
    assert part in str(_fails(tmp_path, data))


def test_a_transport_file_cut_anywhere(tmp_path):
    columns = [("A", "", "", 0, 100), ("N", "", "", 0, 0)]
    data = xpt(member("D", columns, [("x" * 100, 1.5)] * 20))
    body = data.index(_header("OBS")) + 80
    for size in range(0, len(data), 40):
        refused = _read_or_refused(tmp_path, data[:size])
        # a cut at a whole record that is a whole observation too cannot be told
        whole = size >= body and size % 80 == 0 and (size - body) % 108 == 0
        assert whole or refused is not None, size


def test_a_sas7bdat_that_is_not_whole(tmp_path):
    head = sas._SAS7 + bytes(268)
    for size in range(0, 5000, 250):
        _fails(tmp_path, (head + bytes(size))[: 33 + size], name="x.sas7bdat")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_flipped_bytes_are_read_or_refused(tmp_path_factory, data):
    raw = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refused(tmp_path_factory.mktemp("flip"), bytes(raw), data.draw(st.sampled_from([None, "variables"])))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"", xport.LIBRARY, sas._SAS7, trialmaster.ZIP]))
def test_any_bytes_are_read_or_refused(tmp_path_factory, noise, start):
    _read_or_refused(tmp_path_factory.mktemp("noise"), start + noise)


PROGRAM = """\
* the patient's lists;
/* made by the system; 'quoted' */
proc format library=work;
  value $YESNO 'YES'='Yes' 'NO'='No'
    ;
  value YN (default=20) 1='Yes' 0="It's not" ;
  value GRADE 1, 2 = 'low'
     3 - 5 = 'high' low-<0 = 'odd' . = ' ' other = [best12.];
  value $X 'a''b' = 'say ""x""' ;
  invalue ACODE 'A'=1;
  picture P low-high='009';
run;
"""


def test_code_lists_of_a_program(tmp_path):
    found = _read(tmp_path, PROGRAM.encode(), "formats", "procformat.sas").to_pylist()
    assert [(row["source_row"], row["format"], row["code"], row["label"]) for row in found] == [
        (4, "$YESNO", "YES", "Yes"),
        (4, "$YESNO", "NO", "No"),
        (6, "YN", "1", "Yes"),
        (6, "YN", "0", "It's not"),
        (7, "GRADE", "1", "low"),
        (7, "GRADE", "2", "low"),
        (8, "GRADE", "3-5", "high"),
        (8, "GRADE", "low-<0", "odd"),
        (8, "GRADE", ".", " "),
        (8, "GRADE", "other", "[best12.]"),
        (9, "$X", "a'b", 'say ""x""'),
    ]


@pytest.mark.parametrize(
    ("program", "part"),
    [
        ("value A 1='x", "never closed"),
        ("/* no end", "never closed"),
        ("value A 1='x'", "cut"),
        ("value A 1= ;", "without code or label"),
        ("value A ='x';", "without code or label"),
        ("value A 1='x' 2;", "without label"),
        ("<html></html>", "web page"),
    ],
)
def test_broken_programs(tmp_path, program, part):
    assert part in str(_fails(tmp_path, program.encode(), "formats", "procformat.sas"))


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("value A$1='\";,()[]/* \n-."), max_size=40))
def test_any_program_is_read_or_refused(tmp_path_factory, program):
    _read_or_refused(tmp_path_factory.mktemp("p"), b"value " + program.encode(), "formats", "p.sas")


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


PAT = xpt(member("PAT", [("PTNO", "Patient", "", 0, 0), ("LNAME", "Last name", "$", 20, 20)], [(7.0, "Durandal")]))
EXPORT = {"ae.xpt": SAMPLE, "PAT.xpt": PAT, "procformat.sas": PROGRAM.encode(), "__MACOSX/ae.xpt": b"junk"}
NAME = "TRIAL_Export_SAS_XPORT_2024_06_03_08_15.zip"


def test_a_form_of_a_zip(tmp_path):
    data = _zip(EXPORT)
    table = _read(tmp_path, data, "AE", NAME)
    assert table.column("source_file").to_pylist() == [REL] * 3
    assert table.column("source_sheet").to_pylist() == ["ae"] * 3
    assert table.column("DTTXT")[0].as_py() == "12JAN2021"
    listed = _read(tmp_path, data, "variables", NAME).to_pylist()
    assert {row["dataset"] for row in listed} == {"AE", "PAT"}
    assert _read(tmp_path, data, "formats", NAME).num_rows == 11
    assert "several forms: AE, PAT" in str(_fails(tmp_path, data, None, NAME))
    assert "nearest is 'PAT'" in str(_fails(tmp_path, data, "PATS", NAME))


def test_names_do_not_pass_the_gate(tmp_path):
    (tmp_path / NAME).write_bytes(_zip(EXPORT))
    source = {"id": "ecrf", "reader": "sas", "dialect": {}, "forms": [{"id": "dm", "files": [NAME], "sheet": "PAT"}]}
    table, report = run.ingest(source, tmp_path, "dm")
    assert table.column("LNAME").to_pylist() == ["[REDACTED:name]"]
    assert table.column("PTNO").to_pylist() == ["7"]
    assert report.num_rows == 1


@pytest.mark.parametrize(
    ("members", "part"),
    [
        ({"../ae.xpt": SAMPLE}, "leads out"),
        ({"/ae.xpt": SAMPLE}, "leads out"),
        ({"x/..\\..\\ae.xpt": SAMPLE}, "leads out"),
        ({"C:ae.xpt": SAMPLE}, "leads out"),
        ({"a/ae.xpt": SAMPLE, "b/AE.XPT": SAMPLE}, "same name"),
        ({"readme.txt": b"x"}, "no .xpt file"),
        ({"ae.xpt": b"junk"}, "ae.xpt is no SAS transport file"),
        ({"ae.xpt": SAMPLE, "big.bin": bytes(20_000_000)}, "refused"),
        ({"ae.xpt": xpt(member("A", COLUMNS, ROWS[:1]), member("B", COLUMNS, ROWS[:1]))}, "several data sets"),
    ],
)
def test_refused_zips(tmp_path, members, part):
    assert part in str(_fails(tmp_path, _zip(members), "AE", NAME))


def test_a_locked_zip_says_so(tmp_path):
    raw = bytearray(_zip({"ae.xpt": SAMPLE}))
    raw[6] |= 1  # the flag in the member's header and in the directory
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    error = _fails(tmp_path, bytes(raw), "AE", NAME)
    assert "password-protected" in error.message
    assert error.cure.startswith("unzip it with its password")


def test_a_zip_without_program(tmp_path):
    assert "no SAS program" in str(_fails(tmp_path, _zip({"ae.xpt": SAMPLE}), "formats", NAME))


def test_a_zip_cut_anywhere(tmp_path):
    data = _zip(EXPORT)
    for size in range(4, len(data), 50):
        _fails(tmp_path, data[:size], "AE", NAME)


def test_a_zip_with_a_byte_of_its_directory_blanked(tmp_path):
    """Among them a member without a name."""
    data = _zip(EXPORT)
    refused = 0
    for place in range(data.index(b"PK\x01\x02"), len(data)):
        raw = data[:place] + b"\0" + data[place + 1 :]
        refused += _read_or_refused(tmp_path, raw, "AE", NAME) is not None
    assert refused > 20


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_flipped_bytes_of_a_zip(tmp_path_factory, data):
    raw = bytearray(_zip(EXPORT))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    sheet = data.draw(st.sampled_from(["AE", "PAT", "formats", "variables"]))
    _read_or_refused(tmp_path_factory.mktemp("zip"), bytes(raw), sheet, NAME)


def test_readers_do_not_import_pandas():
    code = "import sys, trialpipe.ingest.sas, trialpipe.ingest.redcap; sys.exit('pandas' in sys.modules)"
    scripts = Path(sas.__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=scripts, check=False).returncode == 0
