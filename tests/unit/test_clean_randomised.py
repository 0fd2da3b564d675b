"""Checks and readings of a randomised trial of infusions: strata, arms, numbers of doses, units beside numbers."""

from __future__ import annotations

import pytest
from unit.test_clean_checks import crossed, fired, record
from unit.test_clean_domain import frame, rules, run

from trialpipe.config.extracts import Source


@pytest.mark.parametrize(
    ("numbers", "fires"),
    [
        ([1.0, 2.0, 3.0], []),
        ([1.0, 1.0, 3.0], ["f.csv:3:EXNUM"]),
        ([2.0, 2.0, 2.0], ["f.csv:4:EXNUM"]),
        ([None, None], []),
    ],
)
def test_one_number_for_two_doses(numbers, fires):
    """The later row is named, the earlier ones are among the cells."""
    doses = [record("ex", line, EXTRT="DLI", EXNUM=number) for line, number in enumerate(numbers, start=2)]
    assert fired("ex", *doses) == [("dose-number-twice", cell) for cell in fires]


def test_numbers_count_each_treatment_apart():
    assert fired("ex", record("ex", 2, EXTRT="DLI", EXNUM=1.0), record("ex", 3, EXTRT="OTHER", EXNUM=1.0)) == []


@pytest.mark.parametrize(
    ("stage", "bilirubin", "line", "fires"),
    [
        (1.0, 2.5, 2, True),
        (1.0, 34.0, 2, False),
        (2.0, 50.9, 2, True),
        (2.0, 51.3, 2, False),
        (3.0, 6.5, 2, True),
        (4.0, 20.0, 2, True),
        (4.0, 258.0, 2, False),
        (0.0, 2.5, 2, False),
        (None, 2.5, 2, False),
        (2.0, None, 2, False),
        (2.0, 3.8, 3, False),
    ],
)
def test_bilirubin_of_a_liver_stage(stage, bilirubin, line, fires):
    """Harris 2016: stages from 2, 3, 6 and 15 mg/dL on, in umol/L 34, 51, 103 and 257; of one raw row."""
    liver = record("gv", 2, GVTESTCD="LIVERST", GVSTRESN=stage, GVORRES="2")
    measured = record("gv", line, GVTESTCD="BILI", GVSTRESN=bilirubin, GVORRES="3.8")
    assert fired("gv", liver, measured) == ([("bilirubin-stage", f"f.csv:{line}:GVORRES")] if fires else [])


def test_an_infusion_in_the_other_arm():
    dm = [{"subject": "01", "ARMCD": "B"}, {"subject": "02", "ARMCD": "A"}, {"subject": "03", "ARMCD": None}]
    ex = [{"subject": s, "EXTRT": "DLI", "EXSTDTC": "2020-01-02"} for s in ("01", "02", "03")]
    assert crossed(dm=dm, ex=ex) == [("dose-in-control-arm", "01")]


@pytest.mark.parametrize(
    ("first", "second", "fires"),
    [
        ("2020-01-02", "2020-01-02", False),
        ("2020-01-02", "2020-01-03", True),
        ("2020-01-02", "2020-01", False),
        ("2020-01-02", "2020-02", True),
        ("2020-01-02", None, False),
        (None, "2020-01-02", False),
    ],
)
def test_two_dates_of_randomisation(first, second, fires):
    found = crossed(dm=[{"subject": "01", "RANDDTC": first, "PTRNDTC": second}])
    assert found == ([("randomisation-date", "01")] if fires else [])


@pytest.mark.parametrize(
    ("stratum", "donor", "rules"),
    [("UNRELATED", "UNRELATED", []), ("UNRELATED", "HAPLOIDENTICAL", ["stratum-donor"]), (None, "UNRELATED", [])],
)
def test_stratum_and_donor(stratum, donor, rules):
    sc = [
        {"subject": "01", "SCTESTCD": "STRDON", "SCSTRESC": stratum},
        {"subject": "01", "SCTESTCD": "DONOR", "SCSTRESC": donor},
        {"subject": "02", "SCTESTCD": "DONOR", "SCSTRESC": "MATCHED SIBLING"},
        {"subject": "01", "SCTESTCD": "STRDIS", "SCSTRESC": "CR1"},
        {"subject": "01", "SCTESTCD": "DISSTAT", "SCSTRESC": "CR1"},
    ]
    assert [rule for rule, _ in crossed(sc=sc)] == rules


CELLS = {
    "domain": "ex",
    "observation": "intervention",
    "key": ["EXTRT", "EXSTDTC"],
    "rows": [
        {
            "form": "e.dli",
            "subject": "N",
            "set": {
                "EXTRT": {"const": "DLI"},
                "EXDOSE": {
                    "item": "CD3",
                    "type": "number",
                    "unit": "10*6/kg",
                    "unit_item": "P",
                    "unit_codes": "POWER",
                    "required": True,
                },
                "EXSTDTC": {"item": "D", "type": "date"},
            },
        }
    ],
}
POWER = {"5": "10*5/kg", "6": "10*6/kg", "7": "10*7/kg"}


@pytest.mark.parametrize(
    ("figure", "power", "dose", "flags", "rule"),
    [
        ("4,98", "6", 4.98, [], []),
        ("4,98", "5", 0.498, ["UNIT_CONVERTED"], []),
        ("1,1", "7", 11.0, ["UNIT_CONVERTED"], []),
        ("1,1", "", None, ["UNIT_SUSPECT"], [("unit-missing", "dli.csv:2:P")]),
        ("1,1", "9", None, ["UNIT_SUSPECT"], [("unit-unknown", "dli.csv:2:P")]),
        ("", "6", None, [], [("required", "dli.csv:2:CD3")]),
        ("x1", "6", None, ["NUMBER_INVALID"], [("number-invalid", "dli.csv:2:CD3")]),
    ],
)
def test_a_number_with_its_unit_beside_it(figure, power, dose, flags, rule):
    lists = [{"id": "POWER", "values": POWER}]
    result = run(CELLS, {"dli": frame("dli", "N|CD3|P|D", f"01|{figure}|{power}|03/02/2020")}, codelists=lists)
    row = result.table.iloc[0]
    assert (None if row["EXDOSE"] != row["EXDOSE"] else row["EXDOSE"]) == dose
    assert list(row["flags"]) == flags
    assert rules(result) == rule
    assert ("dli.csv:2:P" in row["origin"]) == (dose is not None or "UNIT_SUSPECT" in flags)


def test_a_required_result_that_is_missing():
    tests = [{"code": "STRDON", "result": "S", "type": "text", "required": True}]
    domain = {
        "domain": "sc",
        "observation": "finding",
        "key": ["SCTESTCD"],
        "rows": [{"form": "e.rand", "subject": "N", "tests": tests}],
    }
    result = run(domain, {"rand": frame("rand", "N|S", "01|UD", "02|")})
    assert rules(result) == [("required", "rand.csv:3:S")]
    assert len(result.table) == 1


def test_columns_of_every_form_are_ignored_once():
    forms = [{"id": "a", "ignore": ["X"]}, {"id": "b", "files": "b.csv", "ignore": ["Y"]}]
    source = {"id": "e", "label": "e", "reader": "delimited", "files": "a.csv", "ignore": ["TRNO", "X"], "forms": forms}
    found = Source.model_validate(source).forms
    assert [form.ignore for form in found] == [("X", "TRNO"), ("Y", "TRNO", "X")]
    assert [form.files for form in found] == [("a.csv",), ("b.csv",)]
    again = Source.model_validate(Source.model_validate(source).model_dump(mode="json"))
    assert again.forms == found
