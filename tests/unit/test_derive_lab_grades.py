"""Laboratory grades: every boundary of the terms used as data, and the dataset with worst grade and first hours."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from helpers.derive_case import adsl_of, check_contract, domain
from helpers.sofa_case import moment, protocol
from hypothesis import given
from hypothesis import strategies as st

from trialpipe.config.protocol import Protocol
from trialpipe.derive.ctcae import Result, Term, grade, measured, terms
from trialpipe.derive.lab_grades import extremes
from trialpipe.derive.run import derive
from trialpipe.io.errors import DataError

DATA = Path(__file__).parent / "data" / "lab_grades_truth.csv"


@cache
def known():
    return terms("5.0")


def table() -> list[dict[str, str]]:
    with DATA.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def result(text: str) -> Result:
    values = dict(part.split("=") for part in text.split(";"))
    raw = values["value"]
    side = {"<": "left", ">": "right"}.get(raw[0], "none")
    number = float(raw.lstrip("<>"))
    where = measured(number, side, number, number)
    lln, uln, base = (float(values[name]) if name in values else None for name in ("lln", "uln", "base"))
    fall = None if base is None else 100 * (number - base) / base
    return Result(where, values["unit"], lln, uln, base, fall, values.get("abnormal") == "Y")


@pytest.mark.parametrize("case", table(), ids=lambda case: f"{case['term']} {case['case']}")
def test_grade(case):
    found, note = grade(known()[case["term"]], result(case["values"]))
    assert ("" if found is None else str(found)) == case["expected"]
    assert (note is None) == (found is not None)


@pytest.mark.parametrize(("version", "count"), [("4.03", 42), ("5.0", 40), ("6.0", 43)])
def test_every_term_has_a_code_of_its_own(version, count):
    codes = {units: {name: t.code for name, t in terms(version, units).items()} for units in ("SI", "US")}
    assert codes["SI"] == codes["US"]
    own = list(codes["SI"].values())
    assert len(set(own)) == len(own) == count
    assert max(map(len, own)) <= 8
    shared = {name: code for name, code in codes["SI"].items() if name in known()}
    assert shared == {name: known()[name].code for name in shared}, "a term keeps its code in all versions"


def test_other_units_are_refused():
    with pytest.raises(DataError, match=r"is not in ctcae_lab.csv - use one of SI, US"):
        terms("5.0", "cgs")


@cache
def every() -> dict[tuple[str, str, str], Term]:
    both = [(version, units) for version in ("4.03", "5.0", "6.0") for units in ("SI", "US")]
    return {(*at, name): term for at in both for name, term in terms(*at).items()}


@given(st.sampled_from(sorted(every())), st.floats(0, 2000), st.floats(0, 2000), st.floats(1, 100), st.floats(1, 100))
def test_grades_are_monotone(key, a, b, low, width):
    """In the direction of the term, whatever the limits, without a baseline."""
    term = every()[key]
    better, worse = (min(a, b), max(a, b)) if term.direction == "H" else (max(a, b), min(a, b))
    found = []
    for value in (better, worse):
        where = measured(value, "none", None, None)
        found.append(grade(term, Result(where, next(iter(term.units), None), low, low + width))[0])
    if None not in found:
        assert found[0] <= found[1]


@given(st.floats(0.1, 1000), st.integers(1, 20))
def test_a_limit_times_a_factor_is_no_higher_grade(limit, factor):
    """3 times the limit is not above 3 times the limit, whatever binary fractions make of it."""
    where = measured(limit * factor, "none", None, None)
    expected = {1: 0, 2: 1, 3: 1, 4: 2, 5: 2}.get(factor, 3)
    assert grade(known()["Alanine aminotransferase increased"], Result(where, None, None, limit))[0] == expected


CREATININE, CLEARANCE = "Creatinine increased", "Creatinine clearance decreased"
HEMOGLOBIN, INR = "Hemoglobin increased", "INR increased"


@pytest.mark.parametrize(
    ("version", "units", "term", "value", "given_", "expected"),
    [
        # 6.0: relative to a baseline below the lower limit, to the upper limit otherwise
        ("6.0", "SI", CREATININE, 121, {"uln": 100, "base": 40, "low": True}, 3),
        ("6.0", "SI", CREATININE, 120, {"uln": 100, "base": 40, "low": True}, 2),
        ("6.0", "SI", CREATININE, 60, {"uln": 100, "base": 40, "low": True}, 0),
        ("6.0", "SI", CREATININE, 121, {"uln": 100, "base": 40}, 1),
        ("6.0", "SI", CREATININE, 301, {"uln": 100, "base": 40}, 3),
        ("6.0", "SI", CREATININE, 601, {"uln": 100, "base": 300, "low": True}, 4),
        # 6.0: above the upper limit and above baseline
        ("6.0", "SI", "Alkaline phosphatase increased", 121, {"uln": 120, "base": 120}, 1),
        ("6.0", "SI", "Alkaline phosphatase increased", 121, {"uln": 120, "base": 121}, 0),
        ("6.0", "SI", "Alkaline phosphatase increased", 119, {"uln": 120, "base": 100}, 0),
        ("6.0", "SI", "Alkaline phosphatase increased", 121, {"uln": 120}, "no baseline"),
        ("6.0", "SI", "Alkaline phosphatase increased", 120, {"uln": 120}, 0),
        ("6.0", "SI", "Alkaline phosphatase increased", 121, {"base": 100}, "no upper limit of normal"),
        ("6.0", "SI", "Alkaline phosphatase increased", 121, {"base": 121}, 0),
        # 6.0: 26 to 49, 10 to 25; below 10 clinical facts decide
        ("6.0", "SI", CLEARANCE, 49.1, {"unit": "mL/min"}, 0),
        ("6.0", "SI", CLEARANCE, 49, {"unit": "mL/min"}, 2),
        ("6.0", "SI", CLEARANCE, 25, {"unit": "mL/min"}, 3),
        ("6.0", "SI", CLEARANCE, 9.9, {"unit": "mL/min"}, "graded by clinical facts, not by the result"),
        # 6.0: bands of an abnormal baseline are narrower, 1.0 x baseline included
        ("6.0", "SI", "GGT increased", 100, {"uln": 60, "base": 100, "abnormal": True}, 1),
        ("6.0", "SI", "GGT increased", 301, {"uln": 60, "base": 100, "abnormal": True}, 3),
        ("6.0", "SI", "Blood bilirubin increased", 251, {"uln": 17, "base": 100, "abnormal": True}, 3),
        ("6.0", "SI", "Thrombocytopenia", 10, {"unit": "10*9/L", "lln": 150}, 3),
        ("6.0", "SI", "Thrombocytopenia", 9.9, {"unit": "10*9/L", "lln": 150}, 4),
        # 4.03: above the larger of upper limit and baseline
        ("4.03", "SI", HEMOGLOBIN, 190, {"unit": "g/L", "uln": 165, "base": 170}, 1),
        ("4.03", "SI", HEMOGLOBIN, 190.1, {"unit": "g/L", "uln": 165, "base": 170}, 2),
        ("4.03", "SI", HEMOGLOBIN, 190, {"unit": "g/L", "uln": 165, "base": 150}, 2),
        ("4.03", "US", HEMOGLOBIN, 19.1, {"unit": "g/dL", "uln": 16.5, "base": 17}, 2),
        ("4.03", "SI", HEMOGLOBIN, 190, {"unit": "g/L", "base": 150}, "no upper limit of normal"),
        # 4.03: one of two measures is enough for a grade, both are needed for none
        ("4.03", "SI", INR, 2.6, {"base": 1}, 3),
        ("4.03", "SI", INR, 2.6, {"uln": 1}, 3),
        ("4.03", "SI", INR, 1, {"uln": 1}, "no baseline"),
        ("4.03", "SI", INR, 1, {"base": 1}, "no upper limit of normal"),
        ("4.03", "SI", INR, 1, {}, "no upper limit of normal and no baseline"),
        ("4.03", "SI", CREATININE, 101, {"uln": 200, "base": 100}, 1),
        ("5.0", "SI", CREATININE, 101, {"uln": 200, "base": 100}, 0),
        ("4.03", "SI", "Fibrinogen decreased", 2.5, {"unit": "g/L", "lln": 2}, "no baseline"),
        ("4.03", "US", "Fibrinogen decreased", 49, {"unit": "mg/dL"}, 4),
        ("4.03", "SI", "Alanine aminotransferase increased", 121, {"uln": 40, "base": 100, "abnormal": True}, 2),
        ("4.03", "SI", "Hyperuricemia", 591, {"unit": "umol/L"}, 4),
        ("4.03", "SI", "Hypophosphatemia", 0.59, {"unit": "mmol/L"}, 3),
        # counts in US units by the unit of the result
        ("5.0", "US", "Neutrophil count decreased", 0.49, {"unit": "10*3/uL"}, 4),
        ("5.0", "US", "Neutrophil count decreased", 490, {"unit": "10^3/mL"}, 4),
        ("5.0", "US", "Neutrophil count decreased", 490, {"unit": "/uL"}, "unit /uL is not 10*3/uL or 10*3/mL"),
        ("5.0", "US", "CD4 lymphocytes decreased", 199, {"unit": "1/uL"}, 3),
        ("5.0", "US", "CD4 lymphocytes decreased", 199, {"unit": "/uL"}, 3),
        ("5.0", "US", "CD4 lymphocytes decreased", 199, {"unit": "uL"}, "unit uL is not /uL"),
    ],
)
def test_terms_of_other_versions_and_units(version, units, term, value, given_, expected):
    """Expected by hand from the text of the version."""
    found, note = grade(terms(version, units)[term], Result(measured(value, "none", None, None), **given_))
    assert (note if found is None else found) == expected


def test_extremes_are_the_earliest_of_equals():
    values = [(0, 1.0, "a"), (5, 0.5, "b"), (7, 3.0, "c"), (7, 3.0, "d"), (9, 0.5, "e"), (11, 0.1, "f")]
    assert extremes(values, 1, 10) == ((5, 0.5, "b"), (7, 3.0, "c"))
    assert extremes(values, 5, 5) == ((5, 0.5, "b"), (5, 0.5, "b"))
    assert extremes(values, 12, 20) == (None, None)


def plan(**changes) -> Protocol:
    data = protocol().model_dump(mode="json")
    parameters = [{"code": c, "label": c, "where": {"LBTESTCD": [c]}} for c in ("PLAT", "ALT", "CREAT")]
    findings = {"kind": "findings", "id": "adlb", "label": "L", "domain": "lb", "visits": "v", "parameters": parameters}
    grades = {
        "kind": "lab_grades",
        "id": "adlbgr",
        "label": "Grades",
        "inputs": ["adlb"],
        "terms": [
            {"term": "Platelet count decreased", "parameter": "PLAT"},
            {"term": "Alanine aminotransferase increased", "parameter": "ALT"},
            {"term": "Creatinine increased", "parameter": "CREAT"},
        ],
        **changes,
    }
    return Protocol.model_validate({**data, "datasets": [findings, grades]})


LIMITS = {"PLAT": ("10*9/L", 150.0, 400.0), "ALT": ("U/L", None, 40.0), "CREAT": ("umol/L", None, None)}
COURSE = [
    ("PLAT", moment(0, "08:00"), 60),
    ("PLAT", moment(3, "08:00"), 20),
    ("PLAT", moment(5, "08:00"), 22),
    ("PLAT", moment(40, "08:00"), 5),
    ("PLAT", moment(6, "08:00"), "<10"),
    ("ALT", moment(0, "08:00"), 100),
    ("ALT", moment(1, "12:00"), 149),
    ("ALT", moment(1, "12:01"), 600),
    ("ALT", moment(-1, "07:00"), 900),
    ("CREAT", moment(2, "08:00"), 500),
]


def graded(rows=COURSE, limits=LIMITS, **changes) -> tuple[pd.DataFrame, Protocol]:
    own = plan(**changes)
    short = [{"id": "1", "test": code, "date": when, "value": value} for code, when, value in rows]
    lb = domain("lb", short)
    for place, name in enumerate(("LBSTRESU", "LBSTNRLO", "LBSTNRHI")):
        lb[name] = [limits[code][place] for code in lb["LBTESTCD"]]
    for name in ("LBSTNRLO", "LBSTNRHI"):
        lb[name] = pd.to_numeric(lb[name])
    ds = domain(
        "ds",
        [
            {"id": "1", "DSDECOD": "INCLUSION", "DSSTDTC": moment(0, "12:00")},
            {"id": "1", "DSDECOD": "DOSE", "DSSTDTC": moment(0, "12:00")},
        ],
    )
    clean = {"lb": lb, "ds": ds, "dm": domain("dm", [{"id": "1", "ARMCD": "A"}]), "vs": domain("vs", [])}
    adsl = adsl_of(own, clean)
    adlb = derive("adlb", own, (), clean, {"adsl": adsl})
    return derive("adlbgr", own, (), clean, {"adsl": adsl, "adlb": adlb}), own


def test_dataset(tmp_path):
    frame, own = graded(until="28 days")
    check_contract(frame, "adlbgr", own, tmp_path)
    plat = frame[frame["PARAMCD"] == "PLATDEC"].sort_values("ADT").reset_index(drop=True)
    assert plat["AVALC"].tolist() == ["2", "4", "4", "4", "4"], "below 10 is below 25"
    assert plat["BASE"].tolist() == [2] * 5
    assert plat["CHG"].tolist()[1:] == [2] * 4
    assert plat["WORSTFL"].tolist() == [None, "Y", None, None, None], "the first of equals"
    assert plat["VALUE"].tolist()[:3] == [60, 20, 22]
    assert set(plat["TOXVER"]) == {"5.0"}


def test_grades_relative_to_an_abnormal_baseline():
    frame, _ = graded()
    alt = frame[frame["PARAMCD"] == "ALTINC"].sort_values("ADTM").reset_index(drop=True)
    assert alt["AVALC"].tolist() == ["3", "0", "0", "3"], "900, 100, 149 and 600 against a baseline of 100"
    assert alt["WORSTFL"].tolist() == [None, None, None, "Y"], "900 was before baseline"
    assert alt["from"].tolist()[3][1] == alt["from"].tolist()[1][0]


def test_no_grade_without_a_reference_range():
    frame, _ = graded()
    creat = frame[frame["PARAMCD"] == "CREATINC"].iloc[0]
    assert (creat["AVALC"], creat["NOTE"]) == (None, "no upper limit of normal")
    assert creat["AVAL"] != creat["AVAL"]
    assert creat["WORSTFL"] is None


def test_version_units_and_a_baseline_below_the_lower_limit():
    terms_ = [{"term": "Creatinine increased", "parameter": "CREAT"}, {"term": "Thrombocytopenia", "parameter": "PLAT"}]
    course = [("CREAT", moment(0, "08:00"), 30), ("CREAT", moment(1, "08:00"), 61), ("PLAT", moment(0, "08:00"), 9)]
    limits = {**LIMITS, "CREAT": ("umol/L", 45.0, 100.0)}
    frame, _ = graded(course, limits, terms=terms_, version="6.0")
    assert frame[frame["PARAMCD"] == "CREATINC"].sort_values("ADT")["AVALC"].tolist() == ["0", "2"]
    assert frame.loc[frame["PARAMCD"] == "THROMBOC", "AVALC"].tolist() == ["4"]
    frame, _ = graded(course, limits, terms=terms_, version="6.0", units="US")
    assert frame.loc[frame["PARAMCD"] == "THROMBOC", "NOTE"].tolist() == ["unit 10*9/L is not 10*3/uL or 10*3/mL"]


def test_worst_grade_up_to_a_day():
    late = [("PLAT", moment(0, "08:00"), 60), ("PLAT", moment(3, "08:00"), 40), ("PLAT", moment(29, "08:00"), 5)]
    for until, value in (({"until": "28 days"}, 40), ({"until": "29 days"}, 5), ({}, 5)):
        frame, _ = graded(late, **until)
        assert frame.loc[frame["WORSTFL"] == "Y", "VALUE"].tolist() == [value]


def test_first_hours():
    frame, _ = graded(first_hours={"milestone": "included", "before": "6", "after": "24"})
    alt = frame[frame["PARAMCD"] == "ALTINC"]
    assert alt.loc[alt["FHMINFL"] == "Y", "VALUE"].tolist() == [100]
    assert alt.loc[alt["FHMAXFL"] == "Y", "VALUE"].tolist() == [149], "12:01 is a minute late"
    unmarked, _ = graded()
    assert unmarked["FHMINFL"].isna().all()


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"terms": [{"term": "Thrombocytopenia", "parameter": "PLAT"}]}, "is no term of ctcae_lab.csv"),
        ({"version": "3.0"}, "is not in ctcae_lab.csv"),
    ],
)
def test_errors(changes, wrong):
    with pytest.raises(DataError, match=wrong):
        graded(**changes)
