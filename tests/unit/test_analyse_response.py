"""Response by visit and time to response."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, one, outcome, protocol, run, table, value

from trialpipe.io import contracts

RESPONSE = {"kind": "response", "dataset": "adrs"}
TIME = {"kind": "response_time", "dataset": "adttr"}
BY_VISIT = {"rule_set": "R", "levels": ["CR", "PR"], "visits": ["D14"]}
PLAN = {
    "visit_sets": [
        {
            "id": "v",
            "visits": [
                {"label": "Base", "day": "1", "window": ["1", "1"], "baseline": "true"},
                {"label": "D14", "day": "14", "window": ["11", "17"]},
                {"label": "D21", "day": "21", "window": ["18", "24"]},
                {"label": "D28", "day": "28", "window": ["25", "35"]},
            ],
        }
    ],
    "datasets": [
        {
            "kind": "response",
            "id": "adrs",
            "label": "r",
            "inputs": [],
            "visits": "v",
            "rule_sets": ["R"],
            "max_age": "7 days",
        },
        {"kind": "response_time", "id": "adttr", "label": "t", "source": "adrs", "competing": ["death", "hsct"]},
    ],
}


def assessments(found: list[tuple[str, str]]) -> pd.DataFrame:
    rows = [
        {
            "patient": f"{i:02d}",
            "RULESET": "R",
            "PARAMCD": "OVRLRESP",
            "AVISIT": "D14",
            "AVALC": response,
            "STATUS": status,
            "CARRIED": "Y" if status == "conditioned" else None,
        }
        for i, (response, status) in enumerate(found)
    ]
    rows.append(
        {
            "patient": "01",
            "RULESET": "R",
            "PARAMCD": "PR",
            "AVISIT": "D14",
            "AVALC": "false",
            "STATUS": "assessed",
            "NOTE": "not attainable: 2 of 3 items abnormal at baseline",
        }
    )
    return table(contracts.ADRS, rows, "adrs").drop(columns="SCENARIO")


def test_response_by_visit_counts_non_evaluable_and_dead_as_non_response() -> None:
    found = [
        ("CR", "assessed"),
        ("NR", "assessed"),
        ("PR", "assessed"),
        ("PR", "conditioned"),
        ("NE", "not_evaluable"),
        ("DEAD", "dead"),
        ("NE", "not_reached"),
    ]
    people = adsl({f"{i:02d}": {} for i in range(len(found))})
    results, _ = run(outcome("response_by_visit", RESPONSE, BY_VISIT), {"adsl": people, "adrs": assessments(found)})
    counts = {c: int(value(results, "n", category=c)) for c in results["category"].drop_duplicates()}
    assert counts == {
        "CR": 1,
        "PR": 2,
        "CR+PR": 3,
        "No response": 1,
        "Not evaluable": 1,
        "Dead": 1,
        "Assessed": 3,
        "Carried from before conditioning": 1,
        "PR: not attainable from baseline": 1,
    }
    assert set(results.loc[results["statistic"] == "denominator", "value"]) == {6.0}
    assert "1 patient(s) left out" in one(results, "percent", category="CR")["note"]
    assert value(results, "lower", category="CR+PR") == pytest.approx(11.811724875, rel=1e-8)  # binom.test(3, 6)
    assert set(results.loc[results["statistic"] == "lower", "category"]) == {"CR", "PR", "CR+PR"}


def test_levels_that_are_not_asked_for_are_a_line() -> None:
    people = adsl({f"{i:02d}": {} for i in range(2)})
    given = outcome("response_by_visit", RESPONSE, {**BY_VISIT, "levels": ["CR"]})
    data = {"adsl": people, "adrs": assessments([("CR", "assessed"), ("PR", "assessed")])}
    results, _ = run(given, data)
    assert value(results, "n", category="Other level") == 1
    assert value(results, "n", category="No response") == 0


def test_a_patient_without_a_row_stays_in_the_denominator() -> None:
    people = adsl({f"{i:02d}": {} for i in range(4)})
    given = outcome("response_by_visit", RESPONSE, BY_VISIT)
    data = {"adsl": people, "adrs": assessments([("CR", "assessed"), ("PR", "assessed")])}
    results, _ = run(given, data)
    assert value(results, "denominator", category="CR") == 4
    assert value(results, "n", category="No visit derived") == 2


def response_times(rows: list[tuple[float, float | None, float, int, str | None]]) -> pd.DataFrame:
    """(left, right, time, CNSR, visit)."""
    return table(
        contracts.ADTTR,
        [
            {
                "patient": f"{i:02d}",
                "RULESET": "R",
                "LEVEL": "CR",
                "LEFT": left,
                "RIGHT": right,
                "TIME": time,
                "CNSR": cnsr,
                "AVISIT": visit,
            }
            for i, (left, right, time, cnsr, visit) in enumerate(rows)
        ],
        "adttr",
    ).drop(columns=["SCENARIO", "PARAMCD"])


LEVEL = {"rule_set": "R", "level": "CR"}


def test_discrete_incidence_over_visits() -> None:
    """5 patients: response at D14 and D28, death by D21, HSCT by D28, no response by D28 (elapsed 13, 20, 27)."""
    rows = response_times(
        [
            (0, 13, 13, 0, "D14"),
            (13, None, 20, 2, None),
            (20, 27, 27, 0, "D28"),
            (20, None, 27, 3, None),
            (27, None, 27, 1, None),
        ]
    )
    data = {"adsl": adsl({f"{i:02d}": {} for i in range(5)}), "adttr": rows}
    results, _ = run(outcome("response_incidence", TIME, LEVEL), data, protocol(**PLAN))
    assert [value(results, "cif", category="response", visit=v) for v in ("D14", "D21", "D28")] == pytest.approx(
        [0.2, 0.2, 0.4]
    )
    assert [value(results, "cif", category="death", visit=v) for v in ("D14", "D21", "D28")] == pytest.approx(
        [0, 0.2, 0.2]
    )
    assert value(results, "cif", category="hsct", visit="D28") == pytest.approx(0.2)
    assert one(results, "cif", category="hsct", visit="D28")["time"] == 27
    assert value(results, "n_risk", category="response", visit="D28") == 3


def test_turnbull_of_visits() -> None:
    """Clinical facts, section 8: survival after D14 .7, D21 .4, D28 .2."""
    intervals = [(0, 14), (0, 14), (14, 21), (14, 21), (21, 28), (0, 14), (28, None), (21, 28), (14, 21), (28, None)]
    rows = response_times([(a, b, b or a, 0 if b else 1, None) for a, b in intervals])
    data = {"adsl": adsl({f"{i:02d}": {} for i in range(10)}), "adttr": rows}
    results, _ = run(outcome("response_turnbull", TIME, LEVEL), data, protocol(**PLAN))
    assert [value(results, "survival", time=t) for t in (14.0, 21.0, 28.0)] == pytest.approx([0.7, 0.4, 0.2], abs=1e-9)
    assert (value(results, "n"), value(results, "events")) == (10, 8)
    assert "(14, 21]" in set(results["category"])


def test_time_in_responders_is_labelled_conditional() -> None:
    rows = response_times(
        [(0, 13, 13, 0, "D14"), (0, 13, 13, 0, "D14"), (20, 27, 27, 0, "D28"), (27, None, 27, 1, None)]
    )
    data = {"adsl": adsl({f"{i:02d}": {} for i in range(4)}), "adttr": rows}
    results, _ = run(outcome("responder_time", TIME, LEVEL), data, protocol(**PLAN))
    assert (value(results, "n"), value(results, "median")) == (3, 13)
    assert one(results, "median")["note"].startswith("conditional")
    none, _ = run(outcome("responder_time", TIME, {**LEVEL, "level": "PR"}), data, protocol(**PLAN))
    assert one(none, "median")["value_text"] == "NE"
