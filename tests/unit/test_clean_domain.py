"""Domains end to end from small frames: records, findings, duplicates, joins, row accounting."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialpipe.clean.run import clean, context_from
from trialpipe.config.extracts import DomainMap
from trialpipe.io import store
from trialpipe.io.contracts import CLEAN, QUERIES, RECONCILIATION
from trialpipe.io.errors import DataError

SPEC = {
    "trial": "t",
    "data_cutoff": "2020-06-30",
    "dialects": {"e": {"decimal": ",", "dates": "DMY", "missing": ["NSP"], "unknown_part": ["ND"]}},
    "codelists": [
        {"id": "YN", "values": {"Oui": "Y", "Non": "N"}},
        {"id": "V", "values": {"J7": "D7"}},
        {"id": "T", "values": {"Ferritine": "FERRITIN"}},
    ],
    "subject_pattern": "[0-9]{2}",
    "checks": [],
}


def frame(form: str, header: str, *lines: str) -> pd.DataFrame:
    """Raw rows; cells are separated by ``|``, an empty cell is null."""
    names = header.split("|")
    rows = []
    for number, line in enumerate(lines, start=2):
        cells = {name: cell or None for name, cell in zip(names, line.split("|"), strict=True)}
        rows.append({"source_file": f"{form}.csv", "source_row": number, "source_sheet": None, **cells})
    return pd.DataFrame(rows, columns=["source_file", "source_row", "source_sheet", *names], dtype="object")


def run(domain: dict, forms: dict[str, pd.DataFrame], **spec: object):
    model = DomainMap.model_validate({"label": "x", "key": [], **domain})
    result = clean(model, {f"e.{name}": value for name, value in forms.items()}, context_from({**SPEC, **spec}))
    accounts = result.reconciliation.groupby("status")["rows"].sum().to_dict()
    assert accounts["in"] == accounts["kept"] + accounts.get("set_aside", 0)
    return result


def rules(result) -> list[tuple[str, str]]:
    return [(row.rule, row.origin[0]) for row in result.queries.itertuples()]


LB = {
    "domain": "lb",
    "observation": "finding",
    "key": ["LBTESTCD", "LBSPEC", "LBDTC"],
    "rows": [
        {
            "form": "e.bio",
            "subject": "N",
            "visit": {"item": "V", "type": "code", "codelist": "V"},
            "date": {"item": "D", "type": "date", "required": True},
            "set": {"LBSPEC": {"const": "BLOOD"}},
            "tests": [
                {"code": "HGB", "result": "HB", "unit_item": "HBU", "low": "HBL"},
                {"code": "FIBRINO", "result": "FIB", "unit": "g/L"},
            ],
        }
    ],
}
HEAD = "N|V|D|HB|HBU|HBL|FIB"


def lb(*lines: str, **spec: object):
    return run(LB, {"bio": frame("bio", HEAD, *lines)}, **spec)


def test_a_finding_carries_everything():
    result = lb("01|J7|03/02/2020|9,1|g/dL|11|2,0")
    assert len(result.table) == 2
    row = result.table[result.table["LBTESTCD"] == "HGB"].iloc[0].to_dict()
    assert row["row_id"] == "lb:t/01/HGB/BLOOD/2020-02-03/1"
    assert (row["USUBJID"], row["DOMAIN"], row["VISIT"], row["LBDTC"]) == ("t/01", "LB", "D7", "2020-02-03")
    assert (row["LBORRES"], row["LBORRESU"], row["LBSTRESC"], row["LBSTRESU"]) == ("9,1", "g/dL", "91", "g/L")
    assert (row["LBSTRESN"], row["LBSTNRLO"], row["LBCENS"]) == (91.0, 110.0, "none")
    assert row["flags"] == ["UNIT_CONVERTED"]
    assert row["LBDT_LO"] == row["LBDT_HI"] == pd.Timestamp("2020-02-03")
    cells = {"HB", "HBU", "HBL", "V", "D", "N"}
    assert set(row["origin"]) == {f"bio.csv:2:{item}" for item in cells}
    assert row["origin"][0] == "bio.csv:2:HB"
    assert result.queries.empty


@pytest.mark.parametrize(
    ("cells", "flags", "rule"),
    [
        ("9,1||", ["UNIT_SUSPECT"], "unit-missing"),
        ("9,1|bananas|", ["UNIT_SUSPECT"], "unit-unknown"),
        ("9,1|U/L|", ["UNIT_SUSPECT"], "unit-unknown"),
        ("91|g/dL|", ["UNIT_CONVERTED", "UNIT_SUSPECT", "OUT_OF_RANGE"], "unit-factor"),
        ("9,1|g/L|", ["UNIT_SUSPECT", "OUT_OF_RANGE"], "unit-factor"),
        ("-9,1|g/dL|", ["UNIT_CONVERTED", "OUT_OF_RANGE"], "range-hard"),
        ("9.1.2|g/dL|", ["NUMBER_INVALID"], "number-invalid"),
        ("9,1 mg/L|g/dL|", ["UNIT_SUSPECT"], "unit-conflict"),
        ("1.234|g/L|", ["NUMBER_INVALID"], "number-invalid"),
    ],
)
def test_what_cannot_be_trusted_is_null_flagged_and_queried(cells, flags, rule):
    result = lb(f"01|J7|03/02/2020|{cells}|")
    row = result.table.iloc[0]
    assert row["LBSTRESC"] is None
    assert pd.isna(row["LBSTRESN"])
    assert row["LBORRES"] == cells.split("|")[0]
    assert sorted(row["flags"]) == sorted(flags)
    assert [r for r, _ in rules(result)] == [rule]


def test_a_figure_that_another_unit_would_explain_names_the_cell_of_its_unit():
    query = lb("01|J7|03/02/2020|9,1|g/L||").queries.iloc[0]
    assert (query["item"], list(query["origin"])) == ("HB", ["bio.csv:2:HB", "bio.csv:2:HBU"])


VS = {
    "domain": "vs",
    "observation": "finding",
    "key": ["VSTESTCD", "VSDTC"],
    "rows": [
        {
            "form": "e.day",
            "subject": "N",
            "date": {"item": "D", "type": "date"},
            "tests": [
                {
                    "code": "NOREPI",
                    "result": "NE",
                    "unit_item": "NEU",
                    "unit_codes": "NEU",
                    "set": {"VSSALT": {"item": "NES", "type": "code", "codelist": "SALT", "required": True}},
                }
            ],
        }
    ],
}
RATES = [{"id": "NEU", "values": {"1": "ug/kg/min", "2": "mg/h"}}, {"id": "SALT", "values": {"1": "BASE"}}]


@pytest.mark.parametrize(
    ("cells", "kept", "found"),
    [
        ("0,1|1|1", 0.1, []),
        ("0,1|2|1", 0.1, []),
        ("0,1||1", None, [("unit-missing", "day.csv:2:NEU")]),
        ("0,1|1|", 0.1, [("norepinephrine-salt-missing", "day.csv:2:NES")]),
    ],
)
def test_a_rate_needs_its_unit_and_its_salt(cells, kept, found):
    """The unit of a rate by weight and of one by hour stays as reported, since the test has none of its own."""
    result = run(VS, {"day": frame("day", "N|D|NE|NEU|NES", f"01|03/02/2020|{cells}")}, codelists=RATES)
    row = result.table.iloc[0]
    assert rules(result) == found
    assert (None if pd.isna(row["VSSTRESN"]) else row["VSSTRESN"]) == kept
    assert ("UNIT_SUSPECT" in row["flags"]) == (kept is None)


def test_no_norepinephrine_needs_no_unit():
    result = run(VS, {"day": frame("day", "N|D|NE|NEU|NES", "01|03/02/2020|||")}, codelists=RATES)
    assert result.table.empty
    assert result.queries.empty


def test_unusual_but_possible_is_kept_with_a_warning():
    result = lb("01|J7|03/02/2020|2,5|g/dL||")
    assert result.table.iloc[0]["LBSTRESN"] == 25
    assert result.queries.iloc[0][["rule", "severity"]].tolist() == ["range-soft", "warning"]


@pytest.mark.parametrize(
    ("cell", "cens", "bound", "shown", "flag"),
    [("<0,5", "left", 0.5, "<0.5", "BLQ"), ("sup. à 9", "right", 9.0, ">9", "ALQ")],
)
def test_censored_results_keep_their_bound(cell, cens, bound, shown, flag):
    row = lb(f"01|J7|03/02/2020||||{cell}").table.iloc[0]
    assert pd.isna(row["LBSTRESN"])
    assert (row["LBCENS"], row["LBSTRESC"], row["flags"]) == (cens, shown, [flag])
    assert row["LBLLOQ" if cens == "left" else "LBULOQ"] == bound


def test_a_limit_in_words_without_a_figure_is_queried():
    result = lb("01|J7|03/02/2020||||<LQ")
    assert [r for r, _ in rules(result)] == ["bound-missing"]
    assert result.table.iloc[0]["LBCENS"] == "left"


def test_words_for_no_result_are_not_done_and_empty_cells_are_nothing():
    result = lb("01|J7|03/02/2020|hémolysé|||", "01|J7|04/02/2020||||")
    assert result.table["LBSTAT"].tolist() == ["NOT DONE"]
    assert result.table["LBORRES"].tolist() == ["hémolysé"]
    aside = result.reconciliation[result.reconciliation["status"] == "set_aside"]
    assert aside[["reason", "rows", "origin"]].values.tolist() == [["no result", 1, ["bio.csv:3"]]]


def test_unit_inside_the_value():
    result = lb("01|J7|03/02/2020|9,1 g/dL|||")
    assert result.table.iloc[0]["LBSTRESN"] == 91
    assert [r for r, _ in rules(result)] == ["unit-in-value"]


@pytest.mark.parametrize(
    ("date", "dtc", "flags", "rule"),
    [
        ("ND/02/2020", "2020-02", ["DATE_PARTIAL"], "date-partial"),
        ("31/02/2020", None, ["DATE_INVALID"], "date-invalid"),
        ("", None, ["DATE_PARTIAL"], "finding-date-missing"),
        ("NSP", None, ["DATE_PARTIAL"], "finding-date-missing"),
        ("01/07/2020", "2020-07-01", ["AFTER_CUTOFF"], "after-cutoff"),
        ("01/07/2102", "2102-07-01", ["AFTER_CUTOFF"], "date-year"),
        ("ND/ND/2020", "2020", ["DATE_PARTIAL"], "date-partial"),
        ("01/02/20", "2020-02-01", [], "date-two-digit-year"),
    ],
)
def test_dates(date, dtc, flags, rule):
    result = lb(f"01|J7|{date}||||2,0")
    row = result.table.iloc[0]
    assert (row["LBDTC"], row["flags"]) == (dtc, flags)
    assert [r for r, _ in rules(result)] == [rule]
    assert row["LBSTRESN"] == 2.0


def test_an_unknown_visit_keeps_the_result():
    result = lb("01|V3 bis|03/02/2020||||2,0")
    row = result.table.iloc[0]
    assert (row["VISIT"], row["flags"], row["LBSTRESN"]) == (None, ["VISIT_UNKNOWN"], 2.0)
    assert rules(result) == [("visit-unknown", "bio.csv:2:V")]


@pytest.mark.parametrize(
    ("number", "rule"), [("O1", "subject-invalid"), ("", "subject-missing"), ("1E5", "subject-invalid")]
)
def test_rows_without_a_patient_are_set_aside(number, rule):
    result = lb(f"{number}|J7|03/02/2020||||2,0", "02|J7|03/02/2020||||2,0")
    assert [r for r, _ in rules(result)] == [rule]
    assert result.table["USUBJID"].tolist() == ["t/02"]


def test_a_row_repeated_cell_by_cell_is_set_aside():
    result = lb("01|J7|03/02/2020|9,1|g/dL||2,0", "01|J7|03/02/2020|9,1|g/dL||2,0")
    assert len(result.table) == 2
    assert rules(result) == [("duplicate-exact", "bio.csv:3:N")]
    assert "bio.csv:2" in result.queries.iloc[0]["message"]


def test_a_row_repeated_with_another_value_is_kept_flagged_and_queried():
    result = lb("01|J7|03/02/2020|9,1|g/dL||2,0", "01|J7|03/02/2020|9,5|g/dL||2,0")
    hb = result.table[result.table["LBTESTCD"] == "HGB"]
    assert hb["row_id"].str[-2:].tolist() == ["/1", "/2"]
    assert hb["LBSTRESN"].tolist() == [91, 95]
    assert all("DUPLICATE" in flags for flags in hb["flags"])
    fib = result.table[result.table["LBTESTCD"] == "FIBRINO"]
    assert len(fib) == 1
    assert {"bio.csv:2:FIB", "bio.csv:3:FIB"} <= set(fib.iloc[0]["origin"])
    assert rules(result) == [("duplicate-conflict", "bio.csv:3:HB")]


@pytest.mark.parametrize("date", ["ND/02/2020", "", "31/02/2020"])
def test_a_partial_key_proves_no_repetition(date):
    result = lb(f"01|J7|{date}|9,1|g/dL||", f"01|J7|{date}|9,5|g/dL||")
    assert len(result.table) == 2
    assert not any("DUPLICATE" in flags for flags in result.table["flags"])


def test_a_rule_can_be_switched_off():
    result = lb("01|J7|01/07/2020||||2,0", checks=[{"rule": "after-cutoff", "off": "because"}])
    assert result.queries.empty
    assert result.table.iloc[0]["flags"] == ["AFTER_CUTOFF"]
    with pytest.raises(ValueError, match="no-such-rule"):
        context_from({**SPEC, "checks": [{"rule": "no-such-rule", "off": "because"}]})


LONG = {
    "domain": "lb",
    "observation": "finding",
    "key": ["LBTESTCD", "LBREFID"],
    "rows": [
        {
            "form": "e.res",
            "join": {"form": "e.tubes", "on": {"TUBE": "REF"}},
            "subject": "N",
            "date": {"item": "D", "type": "date", "time": "H"},
            "set": {"LBREFID": {"item": "TUBE"}},
            "long": {"code": "WHAT", "codelist": "T", "result": "RES", "unit_item": "U", "lloq": "LIQ"},
        }
    ],
}
TUBES = frame("tubes", "REF|N|D|H", "A1|01|03/02/2020|08:15", "A2|02|04/02/2020|25:00", "A2|03|04/02/2020|08:00")


def test_long_findings_with_a_join():
    lines = ["A1|Ferritine|BLQ|mg/L|0,002", "A2|ferritine |50|ng/mL|2", "A9|Ferritine|50|ng/mL|2", "A1|Fer|50|ng/mL|2"]
    result = run(LONG, {"res": frame("res", "TUBE|WHAT|RES|U|LIQ", *lines), "tubes": TUBES})
    first = result.table.iloc[0]
    assert (first["USUBJID"], first["LBDTC"], first["LBDT_TM"]) == ("t/01", "2020-02-03T08:15", "08:15")
    assert (first["LBCENS"], first["LBLLOQ"], first["LBSTRESC"]) == ("left", 2.0, "<2")
    assert "tubes.csv:2:D" in first["origin"]
    assert "tubes.csv:2:H" in first["origin"]
    assert result.table["USUBJID"].tolist() == ["t/01", "t/02"]
    assert rules(result) == [
        ("sample-repeated", "res.csv:3:TUBE"),
        ("sample-unknown", "res.csv:4:TUBE"),
        ("test-unknown", "res.csv:5:WHAT"),
        ("time-invalid", "tubes.csv:3:H"),
    ]
    reasons = result.reconciliation.set_index("reason")["rows"].to_dict()
    assert reasons["not in e.tubes"] == reasons["test not known"] == 1


AE = {
    "domain": "ae",
    "observation": "event",
    "key": ["AETERM", "AESTDTC"],
    "rows": [
        {
            "form": "e.ae",
            "subject": "N",
            "where": {"KIND": "Événement"},
            "set": {
                "AESTDTC": {"item": "D", "type": "date", "time": "H", "required": True},
                "AEENDTC": {"item": "E", "type": "date"},
                "AETERM": {"item": "TERM"},
                "AESER": {"item": "SER", "type": "code", "codelist": "YN"},
                "AEDOSE": {"item": "DOSE", "type": "number"},
                "AESRC": {"const": "form"},
            },
        }
    ],
}


def ae(*lines: str):
    return run(AE, {"ae": frame("ae", "N|KIND|TERM|D|H|E|SER|DOSE", *lines)})


def test_events():
    result = ae(
        "01|evenement|toux|03/02/2020|08h05|05/02/2020|oui|1,5",
        "01|Autre|toux|03/02/2020||||",
        "02|Événement|fièvre|03/02/2020|||Peut-être|x1",
        "02|Événement|[REDACTED:phone]||||NSP|<5",
    )
    table = result.table.set_index("row_id")
    row = table.loc["ae:t/01/toux/2020-02-03T08:05/1"]
    assert (row["AESER"], row["AEDOSE"], row["AESRC"], row["AESTDT_TM"]) == ("Y", 1.5, "form", "08:05")
    assert table.loc["ae:t/02/fièvre/2020-02-03/1", "flags"] == ["CODE_UNKNOWN", "NUMBER_INVALID"]
    empty = table.loc["ae:t/02///1"]
    assert empty["AETERM"] is None
    assert empty["flags"] == ["DATE_PARTIAL", "NUMBER_INVALID", "REDACTED"]
    assert {r for r, _ in rules(result)} == {
        "ae-start-missing",
        "code-unknown",
        "number-invalid",
        "redacted",
    }
    aside = result.reconciliation[result.reconciliation["status"] == "set_aside"]
    assert aside["reason"].tolist() == ["not selected: KIND=Événement"]


def test_an_end_before_its_start_only_if_certain():
    result = ae(
        "01|Événement|a|03/02/2020||02/02/2020||",
        "01|Événement|b|03/02/2020||ND/02/2020||",
        "01|Événement|c|03/02/2020||ND/01/2020||",
    )
    assert [o for r, o in rules(result) if r == "date-order"] == ["ae.csv:2:E", "ae.csv:4:E"]


def test_a_record_without_any_content_is_none_unless_selected():
    domain = {
        "domain": "ds",
        "observation": "event",
        "key": ["DSDECOD"],
        "rows": [
            {
                "form": "e.end",
                "subject": "N",
                "set": {"DSDECOD": {"const": "DEATH"}, "DSSTDTC": {"item": "D", "type": "date"}},
            }
        ],
    }
    forms = {"end": frame("end", "N|S|D", "01|Vivant|", "02|Décédé|ND/03/2020", "03|Décédé|")}
    assert run(domain, forms).table["USUBJID"].tolist() == ["t/02"]
    domain["rows"][0]["where"] = {"S": "DECEDE"}
    domain["rows"][0]["set"]["DSSTDTC"]["required"] = True
    result = run(domain, forms)
    assert result.table["USUBJID"].tolist() == ["t/02", "t/03"]
    assert [r for r, _ in rules(result)] == ["date-partial-milestone", "death-date-missing"]


def test_the_status_of_a_form_is_no_content():
    domain = {
        "domain": "ce",
        "observation": "event",
        "key": ["CETERM"],
        "rows": [
            {
                "form": "e.inf",
                "subject": "N",
                "set": {"CETERM": {"item": "T"}, "CEFORM": {"item": "F", "type": "code", "codelist": "F"}},
            }
        ],
    }
    lists = [{"id": "F", "values": {"0": "INCOMPLETE", "2": "COMPLETE"}}]
    result = run(domain, {"inf": frame("inf", "N|T|F", "01||0", "02|Pneumonie|0", "03|Pneumonie|2")}, codelists=lists)
    assert list(zip(result.table["USUBJID"], result.table["CEFORM"], strict=True)) == [
        ("t/02", "INCOMPLETE"),
        ("t/03", "COMPLETE"),
    ]
    assert rules(result) == [("form-incomplete", "inf.csv:3:F")]


def test_lines_as_patients_and_elapsed_days():
    domain = {
        "domain": "pr",
        "observation": "intervention",
        "key": ["PRDECOD"],
        "rows": [
            {
                "form": "z.list",
                "subject": "source_row",
                "set": {"PRDECOD": {"const": "HSCT"}, "PRSTDTC": {"const": "0", "type": "day"}},
            }
        ],
    }
    dialects = {"z": {"day_zero": "1990-01-01"}}
    forms = frame("list", "X", "1", "1", "1")
    context = context_from({**SPEC, "dialects": dialects, "subject_pattern": "[0-9]+"})
    result = clean(DomainMap.model_validate({"label": "x", **domain}), {"z.list": forms}, context)
    assert result.table["USUBJID"].tolist() == ["t/2", "t/3", "t/4"]
    assert result.table["PRSTDTC"].unique().tolist() == ["1990-01-01"]
    assert result.queries.empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subject": "NX"}, "NX is no item"),
        ({"tests": [{"code": "XYZ", "result": "FIB", "unit": "g/L"}]}, "tests.csv"),
        ({"tests": [{"code": "HGB", "result": "FIB"}]}, "no unit"),
        ({"visit": {"item": "V", "type": "code", "codelist": "NONE"}}, "codelist 'NONE'"),
        ({"prepare": "magic"}, "no preparer"),
        ({"form": "e.other"}, "was not ingested"),
    ],
)
def test_a_mapping_that_cannot_work_stops_with_one_line(change, message):
    domain = {**LB, "rows": [{**LB["rows"][0], **change}]}
    with pytest.raises(DataError, match=message) as caught:
        run(domain, {"bio": frame("bio", HEAD, "01|J7|03/02/2020|9,1|g/dL||2,0")})
    assert "\n" not in str(caught.value)


LINES = (
    "01|J7|03/02/2020|9,1|g/dL||2,0",
    "01|J7|03/02/2020|9,5|g/dL||2,0",
    "01|J7|03/02/2020|9,5|g/dL||2,0",
    "O2|J7|03/02/2020|9,5|g/dL||2,0",
    "02|J9|ND/02/2020|9,5|g/L||2,0",
    "02|J9||NR||<|x",
)


@settings(deadline=None)
@given(st.permutations(range(len(LINES))))
def test_the_order_of_the_frame_does_not_matter(order):
    whole = frame("bio", HEAD, *LINES)
    first, second = run(LB, {"bio": whole}), run(LB, {"bio": whole.iloc[list(order)]})
    pd.testing.assert_frame_equal(first.table, second.table)
    pd.testing.assert_frame_equal(first.queries, second.queries)
    pd.testing.assert_frame_equal(first.reconciliation, second.reconciliation)


CELL = st.sampled_from(
    ["", "01", "03/02/2020", "9,1", "<5", "J7", "g/dL", "ND", "x", "-", "31/02/2020", "1.234"]
    + ["01/02/0020", "01/02/2920", "2020-00-00", "1e308", "9" * 40, "a\nb", "{value}", "[REDACTED:", "\u202e", "<1e400"]
)


@settings(deadline=None)
@given(st.lists(st.tuples(*[CELL] * 7), max_size=6))
def test_any_cells_give_tables_that_keep_their_contracts(tmp_path_factory, lines):
    result = lb(*("|".join(line) for line in lines)) if lines else lb("01||||||")
    folder = tmp_path_factory.getbasetemp()
    for table, contract in ((result.table, CLEAN), (result.queries, QUERIES), (result.reconciliation, RECONCILIATION)):
        store.write(table, folder / "table.parquet", contract)
        assert len(store.read(folder / "table.parquet")) == len(table)
    for row in result.table.to_dict("records"):
        assert pd.isna(row["LBDT_LO"]) == pd.isna(row["LBDT_HI"])
        assert pd.isna(row["LBDT_LO"]) or row["LBDT_LO"] <= row["LBDT_HI"]
        assert row["LBCENS"] in (None, "none", "left", "right")
        assert pd.isna(row["LBSTRESN"]) or row["LBCENS"] == "none"


def test_rows_are_sorted_by_identity():
    table = lb("02|J7|03/02/2020|9,1|g/dL||2,0", "01|J7|04/02/2020||||2,0", "01|J7|03/02/2020||||2,0").table
    assert table["row_id"].tolist() == sorted(table["row_id"])


def test_columns_do_not_depend_on_the_data():
    full, none = lb("01|J7|03/02/2020|9,1|g/dL|11|2,0").table, lb("O1|J7|||||").table
    assert none.empty
    assert list(full.columns) == list(none.columns)
    assert full.dtypes.tolist() == none.dtypes.tolist()


@pytest.mark.parametrize("year", ["0020", "2920"])
def test_a_mistyped_year_is_a_query_and_stops_nothing(year):
    result = lb(f"01|J7|01/02/{year}||||2,0", "02|J7|01/02/2020||||2,0")
    first = result.table.iloc[0]
    assert (first["LBDTC"], first["flags"], first["LBSTRESN"]) == (None, ["DATE_INVALID"], 2.0)
    assert rules(result) == [("date-invalid", "bio.csv:2:D")]


def test_rows_that_differ_only_in_what_is_not_read_count_once_and_are_named():
    lines = ["01|Événement|toux|03/02/2020||||", "01|Événement|toux|03/02/2020||||", "01|Événement|toux|04/02/2020||||"]
    forms = frame("ae", "N|KIND|TERM|D|H|E|SER|DOSE", *lines)
    forms["EXPORT_LINE"] = ["1", "2", "3"]
    result = run(AE, {"ae": forms})
    assert result.table["row_id"].tolist() == ["ae:t/01/toux/2020-02-03/1", "ae:t/01/toux/2020-02-04/1"]
    assert {"ae.csv:2:TERM", "ae.csv:3:TERM"} <= set(result.table.iloc[0]["origin"])
    assert rules(result) == [("duplicate-merged", "ae.csv:3:N")]


@pytest.mark.parametrize(("value", "limit", "fires"), [("15", "20", True), ("20", "20", False), ("30", "20", False)])
def test_a_figure_below_its_limit_is_kept_and_queried(value, limit, fires):
    lines = [f"A1|Ferritine|{value}|ng/mL|{limit}"]
    result = run(LONG, {"res": frame("res", "TUBE|WHAT|RES|U|LIQ", *lines), "tubes": TUBES})
    row = result.table.iloc[0]
    assert (row["LBSTRESN"], row["LBCENS"]) == (float(value.replace(",", ".")), "none")
    assert [rule for rule, _ in rules(result)] == (["limit-crossed"] if fires else [])


OWN = {
    "domain": "lb",
    "observation": "finding",
    "key": ["LBTESTCD", "LBDTC"],
    "rows": [
        {
            "form": "e.bio",
            "subject": "N",
            "date": {"item": "D", "type": "date", "required": True},
            "long": {"code": "T", "codelist": "T", "result": "R", "unit_item": "U", "unit_codes": "U", "high": "H"},
        }
    ],
}
OWN_TESTS = [
    {"domain": "lb", "code": "VITK", "label": "Vitamin K", "unit": "beads/spoon", "low": 0, "high": 10},
    {"domain": "lb", "code": "HGB", "label": "Haemoglobin", "unit": "mmol/L", "low": 1, "high": 20},
]
OWN_LISTS = [
    {"id": "T", "values": {"K": "VITK", "Hb": "HGB", "Fer": "FERRITIN"}},
    {"id": "U", "values": {"ngml": "ug/L"}},
]


def test_a_trials_own_tests() -> None:
    """Its own unit and limits count, also in place of the table's; codes of units are read; the rest stays as it is."""
    lines = (
        "01|01/02/2020|K|7|beads/spoon|9",
        "01|02/02/2020|K|11|beads/spoon|",
        "01|01/02/2020|Hb|8,5|mmol/L|",
        "01|01/02/2020|Fer|300|ngml|",
    )
    bio = frame("bio", "N|D|T|R|U|H", *lines)
    result = run(OWN, {"bio": bio}, codelists=OWN_LISTS, tests=OWN_TESTS)
    rows = result.table.set_index(["LBTESTCD", "LBDTC"])
    assert rows.loc[("VITK", "2020-02-01"), ["LBSTRESN", "LBSTRESU", "LBTEST"]].tolist() == [
        7.0,
        "beads/spoon",
        "Vitamin K",
    ]
    assert pd.isna(rows.loc[("VITK", "2020-02-02"), "LBSTRESN"])
    assert rows.loc[("HGB", "2020-02-01"), ["LBSTRESN", "LBSTRESU"]].tolist() == [8.5, "mmol/L"]
    assert rows.loc[("FERRITIN", "2020-02-01"), ["LBSTRESN", "LBSTRESU"]].tolist() == [300.0, "ug/L"]
    assert [rule for rule, _ in rules(result)] == ["range-hard"]
    with pytest.raises(DataError, match="add it there or under tests in extracts.yaml"):
        run(OWN, {"bio": bio}, codelists=OWN_LISTS)
