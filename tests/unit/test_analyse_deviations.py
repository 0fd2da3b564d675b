"""Deviations from eligibility criteria: counts by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, outcome, protocol, run, table, value

from trialpipe.derive.eligibility import CONTRACT

INCLUDED, EXCLUDED = "INCLUSION", "EXCLUSION"
RULE = {"parameter": "AGE", "lt": "18"}
SPEC = {
    "kind": "eligibility",
    "id": "adie",
    "label": "E",
    "inputs": [],
    "visit": "Inclusion",
    "criteria": [
        {"code": "I01", "category": INCLUDED, "text": "Child", "rule": RULE},
        {"code": "E01", "category": EXCLUDED, "text": "Treated before", "rule": RULE},
    ],
}
STATES = {
    "1": ("met", "not met"),
    "2": ("not met", "not met"),
    "3": ("met", "met"),
    "4": ("undetermined", "not met"),
    "5": ("not met", "undetermined"),
}
"""Patient to (I01, E01): 2, 3 and 5 deviate, 4 is open, 1 is clear."""
DEVIATION = {INCLUDED: {"met": "N", "not met": "Y"}, EXCLUDED: {"met": "Y", "not met": "N"}}


def rows() -> pd.DataFrame:
    found = []
    for patient, states in STATES.items():
        for code, category, state in zip(("I01", "E01"), (INCLUDED, EXCLUDED), states, strict=True):
            row = {"patient": patient, "PARAMCD": code, "PARAM": code, "AVALC": state, "CENS": "none"}
            found.append(row | {"CATEGORY": category, "DEVIATION": DEVIATION[category].get(state)})
    return table(CONTRACT, found, "adie", AVISIT="Inclusion", ANL01FL="Y").drop(columns="SCENARIO")


def results(frame: pd.DataFrame, **analysis: object) -> pd.DataFrame:
    people = adsl({patient: {"ARMCD": "A" if patient in "12" else "B"} for patient in STATES})
    given = outcome("deviations", {"kind": "findings", "dataset": "adie"}, dict(analysis))
    found, _ = run(given, {"adsl": people, "adie": frame}, protocol(datasets=[SPEC]))
    return found


@pytest.mark.parametrize(
    ("parameter", "category", "n"),
    [
        ("I01", "Met", 2),
        ("I01", "Not met (deviation)", 2),
        ("I01", "Undetermined", 1),
        ("E01", "Met (deviation)", 1),
        ("E01", "Not met", 3),
        ("E01", "Undetermined", 1),
        ("Any deviation", "Patients with at least one deviation", 3),
        ("Any deviation", "Patients without a known deviation, a criterion undetermined", 1),
        ("Any deviation", "Patients without deviation", 1),
    ],
)
def test_counts(parameter, category, n):
    found = results(rows())
    assert value(found, "n", parameter=parameter, category=category) == n
    assert value(found, "denominator", parameter=parameter, category=category) == 5
    assert value(found, "percent", parameter=parameter, category=category) == pytest.approx(20 * n)


def test_state_that_is_a_deviation_is_noted():
    found = results(rows())
    shown = found[(found["statistic"] == "n") & found["parameter"].isin(["I01", "E01"])]
    assert set(zip(shown["parameter"], shown["category"], strict=True)) == {
        *(("I01", word) for word in ("Met", "Not met (deviation)", "Undetermined")),
        *(("E01", word) for word in ("Met (deviation)", "Not met", "Undetermined")),
    }


def test_groups_and_a_patient_without_rows():
    """Patient 4 loses its rows: undetermined, not left out."""
    frame = rows()
    found = results(frame[frame["USUBJID"] != "toy/4"], by="ARMCD")
    assert value(found, "n", parameter="I01", category="Undetermined", group="B") == 1
    assert value(found, "n", parameter="E01", category="Undetermined", group="B") == 2
    open_ = "Patients without a known deviation, a criterion undetermined"
    assert [value(found, "n", category=open_, group=g) for g in ("A", "B", "Overall")] == [0, 1, 1]


def test_no_patients():
    found = results(rows().iloc[:0])
    assert value(found, "n", parameter="I01", category="Undetermined") == 5
