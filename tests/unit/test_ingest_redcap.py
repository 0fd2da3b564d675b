from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialpipe.clean import numbers
from trialpipe.clean.reader import DECIMAL, Reader
from trialpipe.clean.record import Record
from trialpipe.clean.rows import Raw
from trialpipe.clean.run import clean, context_from
from trialpipe.config.extracts import Dialect, DomainMap
from trialpipe.ingest import redcap, run
from trialpipe.io.errors import DataError

HEADER = list(redcap.COLUMNS)
FIELDS = [
    ("record_id", "demographics", "text", "", "", ""),
    ("initials", "demographics", "text", "", "", "y"),
    ("sex", "demographics", "radio", "1, Male | 2, Female", "", ""),
    ("intro", "demographics", "descriptive", "", "", ""),
    ("symptom", "visit", "checkbox", "1, Fever | -1, Unknown | b.2, Other", "", ""),
    ("weight", "visit", "text", "", "number_comma_decimal", ""),
    ("temp", "visit", "text", "", "number_1dp", ""),
    ("bmi", "visit", "calc", "[weight]", "", ""),
    ("ae_term", "ae", "text", "", "", ""),
    ("ae_who", "ae", "checkbox", "1, A | 2, B", "", "y"),
]
DATA = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "initials", "sex"]
DATA += ["demographics_complete", "symptom___1", "symptom____1", "symptom___b2", "weight", "temp", "bmi"]
DATA += ["visit_complete", "ae_term", "ae_who___1", "ae_who___2", "ae_complete"]


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _dictionary(fields=FIELDS, header=HEADER) -> str:
    rows = [header]
    for name, form, kind, options, validation, tag in fields:
        cells = {"field_name": name, "form_name": form, "field_type": kind, "identifier": tag}
        cells |= {"select_choices_or_calculations": options, "text_validation_type_or_show_slider_number": validation}
        rows.append([cells.get(redcap.COLUMNS[long], "") for long in HEADER])
    return _csv(rows)


def _row(**cells: str) -> list[str]:
    assert set(cells) <= set(DATA)
    return [cells.get(name, "") for name in DATA]


def _read(tmp_path: Path, data: str | bytes | None, sheet: str | None, book: str | bytes | None = None, **dialect):
    texts = {"data.csv": data, "dictionary.csv": _dictionary() if book is None else book}
    texts = {name: text for name, text in texts.items() if text is not None}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return redcap.read_all([tmp_path / name for name in texts], list(texts), {"sheet": sheet, **dialect})


def _fails(*args, **kwargs) -> DataError:
    with pytest.raises(DataError) as caught:
        _read(*args, **kwargs)
    assert "\n" not in str(caught.value)
    assert caught.value.cure
    return caught.value


def _read_or_refused(tmp_path: Path, data: bytes, book: bytes) -> None:
    refused = None
    try:
        _read(tmp_path, data, "visit", book)
    except DataError as error:
        refused = error
    assert refused is None or (refused.cure and "\n" not in str(refused))


FULL = _csv(
    [
        DATA,
        _row(record_id="1", redcap_event_name="base", initials="AB", sex="1", demographics_complete="2"),
        _row(
            record_id="1", redcap_event_name="v1", symptom____1="1", symptom___1="0", visit_complete="0", weight="7,5"
        ),
        _row(record_id="1", redcap_event_name="v1", redcap_repeat_instance="2", temp="37.5", bmi="20.1"),
        _row(record_id="1", redcap_repeat_instrument="ae", redcap_repeat_instance="1", ae_term="rash", ae_complete="2"),
        _row(record_id="2", redcap_event_name="base", demographics_complete="0", visit_complete="0", symptom___1="0"),
    ]
)


def test_rows_and_columns_of_instruments(tmp_path):
    visit = _read(tmp_path, FULL, "visit")
    assert visit.column_names == [
        "source_file", "source_row", "source_sheet", "record_id", *redcap.KEYS, "symptom___1", "symptom____1",
        "symptom___b2", "weight", "weight__DECIMAL", "temp", "temp__DECIMAL", "bmi", "bmi__DECIMAL", "visit_complete",
    ]  # fmt: skip
    found = visit.to_pydict()
    assert found["source_row"] == [3, 4]
    assert found["source_sheet"] == [None, None]
    assert found["redcap_data_access_group"] == [None, None]
    assert found["redcap_repeat_instance"] == [None, "2"]
    assert found["weight__DECIMAL"] == [",", None]
    assert found["temp__DECIMAL"] == found["bmi__DECIMAL"] == [None, "."]
    assert _read(tmp_path, FULL, "ae").to_pydict()["ae_term"] == ["rash"]
    # the record that was only created is seen with the instrument of its id
    assert _read(tmp_path, FULL, "demographics").to_pydict()["record_id"] == ["1", "2"]


CELLS = {
    "initials": st.sampled_from(["", "AB", "0"]),
    "sex": st.sampled_from(["", "1"]),
    "demographics_complete": st.sampled_from(["", "0", "2"]),
    "symptom___1": st.sampled_from(["", "0", "1"]),
    "weight": st.sampled_from(["", "7,5", "12"]),
    "bmi": st.sampled_from(["", "20.1"]),
    "visit_complete": st.sampled_from(["", "0", "1"]),
    "ae_term": st.sampled_from(["", "rash"]),
    "ae_complete": st.sampled_from(["", "0", "2"]),
}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fixed_dictionaries({"repeat": st.booleans(), **CELLS}), max_size=6))
def test_nothing_is_lost_and_nothing_invented(tmp_path_factory, drawn):
    rows, no_content = [], {"symptom___1": ("", "0")} | {name: ("", "0") for name in CELLS if "complete" in name}
    for number, cells in enumerate(drawn, start=1):
        repeat = cells.pop("repeat")
        names = [name for name in cells if not repeat or name.startswith("ae_")]
        keys = {"redcap_repeat_instrument": "ae", "redcap_repeat_instance": "1"} if repeat else {}
        rows.append({"record_id": str(number), **keys, **{name: cells[name] for name in names}})
    folder = tmp_path_factory.mktemp("redcap")
    data = _csv([DATA, *(_row(**row) for row in rows)])
    kept: dict[tuple[int, str], str] = {}
    seen = set()
    for form in ("demographics", "visit", "ae"):
        for found in _read(folder, data, form).to_pylist():
            position = found["source_row"] - 2
            seen.add(position)
            for name in CELLS:
                if found.get(name) is not None:
                    assert (position, name) not in kept
                    kept[position, name] = found[name]
    assert seen == set(range(len(rows)))
    for position, row in enumerate(rows):
        for name in CELLS:
            stood = row.get(name, "")
            if stood not in no_content.get(name, ("",)):
                assert kept[position, name] == stood
            else:
                assert kept.get((position, name), "") in ("", stood)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r, Red | g, Green", {"r": "Red", "g": "Green"}),
        ("1,Yes, often|2,No", {"1": "Yes, often", "2": "No"}),
        ("1, A|B | 2, C", {"1": "A | B", "2": "C"}),
        ("-1, Unknown | 1.5, x | 99,", {"-1": "Unknown", "1.5": "x", "99": ""}),
        (
            "0, Hispanic or Latino | 1, NOT Hispanic or Latino",
            {"0": "Hispanic or Latino", "1": "NOT Hispanic or Latino"},
        ),
        ("Yes | No", {"Yes": "Yes", "No": "No"}),
        ("1, a\n2, b", {"1": "a", "2": "b"}),
        ("", {}),
        (None, {}),
        ("|||", {}),
    ],
)
def test_choices_of_a_field(text, expected):
    found = redcap.parse_choices(text)
    assert found == expected
    assert list(found) == list(expected)


def test_dictionary_and_choices_as_tables(tmp_path):
    table = _read(tmp_path, FULL, "dictionary")
    assert table.column_names[3:] == list(redcap.COLUMNS.values())
    assert table.column("field_name").to_pylist() == [item[0] for item in FIELDS]
    assert table.column("source_row").to_pylist() == list(range(2, 2 + len(FIELDS)))
    assert redcap.choices(table)["symptom"] == {"1": "Fever", "-1": "Unknown", "b.2": "Other"}
    assert "bmi" not in redcap.choices(table)
    listed = _read(tmp_path, FULL, "choices").to_pylist()
    assert [(row["field_name"], row["code"], row["label"]) for row in listed][:2] == [
        ("sex", "1", "Male"),
        ("sex", "2", "Female"),
    ]
    (tmp_path / "only.csv").write_text(_dictionary())
    assert redcap.read(tmp_path / "only.csv", "only.csv", {"sheet": "dictionary"}).num_rows == len(FIELDS)
    assert redcap.dictionary(tmp_path / "only.csv", "only.csv").equals(
        redcap.read(tmp_path / "only.csv", "only.csv", {"sheet": "dictionary"})
    )


def _marks(tmp_path, **cells: str) -> dict[str, str]:
    table = _read(tmp_path, _csv([DATA, _row(record_id="1", **cells)]), "visit")
    return {name: table.column(f"{name}{redcap.DECIMAL}")[0].as_py() for name in cells}


def test_one_mark_forced_by_the_export_wins_over_the_dictionary(tmp_path):
    assert _marks(tmp_path, weight="7,5", temp="37.5") == {"weight": ",", "temp": "."}
    assert _marks(tmp_path, weight="7,5", temp="37,5", bmi="20,1") == {"weight": ",", "temp": ",", "bmi": ","}
    assert _marks(tmp_path, weight="7.5", temp="37.5", bmi="20.1") == {"weight": ".", "temp": ".", "bmi": "."}
    # nothing is read as another figure: an odd cell is invalid under the dictionary's mark
    assert numbers.parse("37,5", _marks(tmp_path, temp="37,5", bmi="20.1")["temp"]) == numbers.INVALID


@pytest.mark.parametrize(("text", "mark", "value"), [("7,5", ",", 7.5), ("7.5", ".", 7.5), ("1234", None, 1234.0)])
@pytest.mark.parametrize("decimal", [",", "."])
def test_cleaning_takes_the_mark_beside_the_cell(decimal, text, mark, value):
    dialect = Dialect.model_validate({"encoding": "utf-8", "separator": ",", "decimal": decimal, "dates": "ISO"})
    record = Record(Raw("ecrf.vs", "data.csv", 2, {"weight": text, f"weight{redcap.DECIMAL}": mark}), "1", ())
    found = Reader(None, None, "VS", "ecrf.vs", dialect).number(record, "weight", text)
    assert found.value == value


@pytest.mark.parametrize("decimal", [",", "."])
def test_one_file_with_two_marks_becomes_the_right_figures(tmp_path, decimal):
    fields = [("record_id", "bio", "text", "", "", ""), ("hb", "bio", "text", "", "number_comma_decimal", "")]
    fields += [("fib", "bio", "text", "", "number", ""), ("dt", "bio", "text", "", "date_dmy", "")]
    data = 'record_id,dt,hb,fib,bio_complete\n01,2020-02-03,"9,125",2.125,2\n'
    table = _read(tmp_path, data, "bio", _dictionary(fields))
    mapping = {
        "form": "e.bio",
        "subject": "record_id",
        "date": {"item": "dt", "type": "date"},
        "tests": [{"code": "HGB", "result": "hb", "unit": "g/dL"}, {"code": "FIBRINO", "result": "fib", "unit": "g/L"}],
    }
    domain = {"domain": "lb", "label": "x", "observation": "finding", "key": ["LBTESTCD"], "rows": [mapping]}
    dialect = {"decimal": decimal, "dates": "ISO"}
    spec = {"trial": "t", "data_cutoff": "2020-06-30", "dialects": {"e": dialect}, "subject_pattern": "[0-9]{2}"}
    frame = pd.DataFrame(table.to_pydict(), dtype="object")
    result = clean(DomainMap.model_validate(domain), {"e.bio": frame}, context_from(spec))
    assert dict(zip(result.table["LBTESTCD"], result.table["LBSTRESN"], strict=True)) == {
        "HGB": 91.25,
        "FIBRINO": 2.125,
    }
    assert result.queries.empty


def test_thousands_or_decimals_is_refused(tmp_path):
    found = _fails(tmp_path, _csv([DATA, _row(record_id="1", temp="1,234", bmi="20.1")]), "visit")
    assert (found.file, found.row, found.item, found.value) == ("data.csv", 2, "temp", None)


def test_identifiers_do_not_pass_the_gate(tmp_path):
    rows = [_row(record_id="1", initials="XQZ"), _row(record_id="1", redcap_repeat_instrument="ae", ae_who___2="1")]
    _read(tmp_path, _csv([DATA, *rows]), "ae")
    forms = [
        {"id": name, "files": ["dictionary.csv", "data.csv"], "sheet": name, **more}
        for name, more in [("demographics", {"expected": ["record_id", "sex", "initials"]}), ("ae", {})]
    ]
    forms[0]["ignore"] = ["demographics_complete"]
    source = {"id": "ecrf", "reader": "redcap", "dialect": {}, "forms": forms}
    table, report = run.ingest(source, tmp_path, "demographics")
    # a rule that knows more about the column speaks first
    assert table.column("initials").to_pylist() == ["[REDACTED:initials]"]
    assert report.num_rows == 1
    table, report = run.ingest(source, tmp_path, "ae")
    assert table.column("ae_who___2").to_pylist() == ["[REDACTED:identifier]"]
    assert report.to_pylist()[0]["rule"] == "identifier"
    forms[1]["privacy"] = {"allow": {"ae_who___2": ["identifier"]}}
    assert run.ingest(source, tmp_path, "ae")[0].column("ae_who___2").to_pylist() == ["1"]


def test_survey_identifier_counts_as_identifying(tmp_path):
    _read(tmp_path, FULL, "ae")
    names = ["record_id", "redcap_survey_identifier", "initials"]
    paths = [tmp_path / "data.csv", tmp_path / "dictionary.csv"]
    assert redcap.identifiers(names, paths, ["data.csv", "dictionary.csv"], {}) == names[1:]


def test_columns_expected_by_the_mapping(tmp_path):
    expected = ["record_id", "redcap_event_name", "ae_term", "ae_who___1", "ae_who___2"]
    assert _fails(tmp_path, FULL, "ae", expected=expected).item == "ae_complete"
    assert _read(tmp_path, FULL, "ae", expected=expected, ignore=["ae_complete"]).num_rows == 1
    assert "ae_trem" in str(_fails(tmp_path, FULL, "ae", expected=[*expected, "ae_trem"], ignore=["ae_complete"]))
    assert _read(tmp_path, FULL, "visit", ignore=["bmi"]).column_names.count("bmi") == 0


def test_both_stages_name_the_companion_alike():
    assert redcap.DECIMAL == DECIMAL


def test_several_data_files_and_separators(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"record_id;sex;demographics_complete\r\n{name};1;2\r\n", "utf-8-sig")
    (tmp_path / "d.csv").write_text(_dictionary())
    rels = ["a.csv", "d.csv", "b.csv"]
    table = redcap.read_all([tmp_path / rel for rel in rels], rels, {"sheet": "demographics", "separator": ";"})
    assert table.column("record_id").to_pylist() == ["a", "b"]
    assert table.column("source_file").to_pylist() == ["a.csv", "b.csv"]


def test_labels_in_cells_stand(tmp_path):
    rows = [
        _row(record_id="1", sex="Male", demographics_complete="Complete", symptom___1="Unchecked"),
        _row(record_id="1", redcap_repeat_instrument="AE", ae_term="rash", ae_complete="Incomplete"),
    ]
    data = _csv([DATA, *rows])
    assert _read(tmp_path, data, "demographics").column("sex").to_pylist() == ["Male"]
    assert _read(tmp_path, data, "visit").num_rows == 0
    assert _read(tmp_path, data, "ae").num_rows == 1


@pytest.mark.parametrize(
    ("data", "sheet", "part"),
    [
        (FULL, "visits", "nearest is 'visit'"),
        (FULL, None, "several instruments"),
        (None, "visit", "no data file"),
        ("Record ID,Sex\n1,Male\n", "visit", "record_id is the dictionary's first field"),
        ("record_id,Sex of patient\n1,Male\n", "visit", "is no field of the data dictionary"),
        ("record_id,sexe\n1,Male\n", "visit", "nearest: 'sex'"),
        ("record_id,redcap_repeat_instrument,ae_term\n1,zz,x\n", "ae", "is no instrument"),
        ("record_id,redcap_repeat_instrument,ae_term\n1,visit,secret\n", "ae", "content in a row of the repeating"),
        (b"", "visit", "empty"),
        (b"\x00" * 500, "visit", "control character"),
        ("<!DOCTYPE html><html><body>Log In</body></html>", "visit", "web page"),
        ('{"error":"You do not have permissions to use the API"}', "visit", "error message"),
        ("record_id,sex\n1\n", "demographics", "row has 1 cells"),
        ("record_id,sex\n1,\"Ma", "demographics", "never closed"),
        ("record_id,sex,sex\n1,1,1\n", "demographics", "same header"),
    ],
)  # fmt: skip
def test_refused_data(tmp_path, data, sheet, part):
    message = str(_fails(tmp_path, data, sheet))
    assert part in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("book", "part"),
    [
        ("record_id,x\n1,2\n", "no data dictionary"),
        ("", "no data dictionary"),
        (_csv([HEADER]), "no fields"),
        (_csv([HEADER[:6], ["record_id", "a", "", "text", "", ""]]), "is no column of the data dictionary"),
        (_dictionary([*FIELDS, FIELDS[1]]), "stands twice"),
        (_dictionary([*FIELDS, ("x", "", "text", "", "", "")]), "Form Name is empty"),
    ],
)
def test_refused_dictionaries(tmp_path, book, part):
    assert part in str(_fails(tmp_path, FULL, "visit", book))


def test_two_dictionaries_are_refused(tmp_path):
    assert "second data dictionary" in str(_fails(tmp_path, _dictionary(), "visit"))


@pytest.mark.parametrize("target", ["data.csv", "dictionary.csv"])
def test_a_cut_file_is_read_or_refused_in_one_line(tmp_path, target):
    texts = {"data.csv": FULL.encode(), "dictionary.csv": _dictionary().encode()}
    whole = texts[target]
    for size in range(0, len(whole), 7):
        texts[target] = whole[:size]
        _read_or_refused(tmp_path, texts["data.csv"], texts["dictionary.csv"])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory, noise, as_dictionary, behind):
    folder = tmp_path_factory.mktemp("noise")
    start = (_dictionary() if as_dictionary else FULL).encode() if behind else b""
    data, book = (FULL.encode(), start + noise) if as_dictionary else (start + noise, _dictionary().encode())
    _read_or_refused(folder, data, book)
