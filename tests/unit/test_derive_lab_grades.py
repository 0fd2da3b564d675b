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
from trialpipe.derive.ctcae import Result, grade, measured, terms
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


def test_every_term_has_a_code_of_its_own():
    codes = [term.code for term in known().values()]
    assert len(set(codes)) == len(codes) == 40
    assert max(map(len, codes)) <= 8


@given(st.sampled_from(sorted(known())), st.floats(0, 2000), st.floats(0, 2000), st.floats(1, 100), st.floats(1, 100))
def test_grades_are_monotone(name, a, b, low, width):
    """In the direction of the term, whatever the limits, without a baseline."""
    term = known()[name]
    better, worse = (min(a, b), max(a, b)) if term.direction == "H" else (max(a, b), min(a, b))
    found = []
    for value in (better, worse):
        where = measured(value, "none", None, None)
        found.append(grade(term, Result(where, term.unit or None, low, low + width))[0])
    if None not in found:
        assert found[0] <= found[1]


@given(st.floats(0.1, 1000), st.integers(1, 20))
def test_a_limit_times_a_factor_is_no_higher_grade(limit, factor):
    """3 times the limit is not above 3 times the limit, whatever binary fractions make of it."""
    where = measured(limit * factor, "none", None, None)
    expected = {1: 0, 2: 1, 3: 1, 4: 2, 5: 2}.get(factor, 3)
    assert grade(known()["Alanine aminotransferase increased"], Result(where, None, None, limit))[0] == expected


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


def graded(rows=COURSE, **changes) -> tuple[pd.DataFrame, Protocol]:
    own = plan(**changes)
    short = [{"id": "1", "test": code, "date": when, "value": value} for code, when, value in rows]
    lb = domain("lb", short)
    for place, name in enumerate(("LBSTRESU", "LBSTNRLO", "LBSTNRHI")):
        lb[name] = [LIMITS[code][place] for code in lb["LBTESTCD"]]
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
        ({"terms": [{"term": "Thrombocytopenia", "parameter": "PLAT"}]}, "is no term of ctcae_v5_lab.csv"),
        ({"version": "4.03"}, "is not in ctcae_v5_lab.csv"),
    ],
)
def test_errors(changes, wrong):
    with pytest.raises(DataError, match=wrong):
        graded(**changes)
