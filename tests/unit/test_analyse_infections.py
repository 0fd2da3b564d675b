"""Infections by virus and class, time to the event in those who have it, and incidence of both. Values by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, one, outcome, protocol, run, table, value

from trialpipe.analyse.laws import laws
from trialpipe.analyse.stack import stack
from trialpipe.io import contracts, store
from trialpipe.io.errors import DataError

INFECTIONS = {
    "kind": "infections",
    "id": "adinf",
    "label": "i",
    "viruses": [{"code": v, "label": v, "where": {"MBTESTCD": v}} for v in ("EBV", "CMV")],
    "start": "first_dose",
    "until": "56 days",
    "competing": ["death", "hsct"],
}
REACTIVATION = {
    "kind": "reactivation",
    "id": "adreac",
    "label": "r",
    "source": "adrs",
    "rule_set": "R",
    "levels": ["CR"],
    "criteria": "C",
    "inputs": [],
    "competing": ["hsct", "death"],
}
RESPONSE = {
    "kind": "response",
    "id": "adrs",
    "label": "r",
    "inputs": [],
    "visits": "v",
    "rule_sets": ["R"],
    "max_age": "7 days",
}
PLAN = protocol(datasets=[RESPONSE, INFECTIONS, REACTIVATION])
# patient: (virus, baseline, class, time, CNSR)
ROWS: list[tuple[str, str, str, str, float | None, int | None]] = [
    ("1", "CMV", "negative", "de novo", 10, 0),
    ("1", "EBV", "positive", "worsening", 7, 0),
    ("1", "ANYVIR", "positive", "worsening", 7, 0),
    ("2", "CMV", "negative", "none", 56, 1),
    ("2", "EBV", "negative", "none", 56, 1),
    ("2", "ANYVIR", "negative", "none", 56, 1),
    ("3", "CMV", "none", "unclassifiable", 56, 1),
    ("3", "EBV", "negative", "de novo", 20, 0),
    ("3", "ANYVIR", "negative", "de novo", 20, 0),
    ("4", "CMV", "positive", "none", 30, 2),
    ("4", "EBV", "none", "not tested", None, None),
    ("4", "ANYVIR", "positive", "none", 30, 2),
]
ENDPOINT = {"kind": "infections", "dataset": "adinf"}


def adinf(rows: list[tuple[str, str, str, str, float | None, int | None]]) -> pd.DataFrame:
    given: list[dict[str, Any]] = [
        {
            "patient": p,
            "PARAMCD": v,
            "BASESTAT": b,
            "CLASS": c,
            "AVAL": t,
            "CNSR": n,
            "ENTRY": 0.0,
            "STARTDT": "2020-01-01",
        }
        | {"ADT": None if t is None else pd.Timestamp("2020-01-01") + pd.Timedelta(days=t)}
        for p, v, b, c, t, n in rows
    ]
    frame = table(contracts.ADINF, given, "adinf")
    return frame[[c.name for c in contracts.ADINF.columns]]


def people(number: int = 4) -> pd.DataFrame:
    return adsl({f"{i}": {"ARMCD": "AB"[i % 2]} for i in range(1, number + 1)})


def cells(results: pd.DataFrame, parameter: str) -> dict[str, tuple[int, int]]:
    rows = results[(results["parameter"] == parameter) & (results["group"] == "Overall")]
    counts = rows.pivot_table(index="category", columns="statistic", values="value", sort=False)
    return {c: (int(r["n"]), int(r["denominator"])) for c, r in counts.iterrows()}


def test_counts_by_virus_and_of_any_virus() -> None:
    results, rowsets = run(outcome("infections", ENDPOINT), {"adsl": people(), "adinf": adinf(ROWS)}, PLAN)
    assert list(dict.fromkeys(results["parameter"])) == ["EBV", "CMV", "ANYVIR"]
    new, among = "de novo", "de novo, negative at baseline"
    worse, unclear, never = "worsening, positive at baseline", "unclassifiable", "not tested"
    assert cells(results, "CMV") == {new: (1, 4), among: (1, 2), worse: (0, 1), unclear: (1, 4), never: (0, 4)}
    assert cells(results, "EBV") == {new: (1, 4), among: (1, 2), worse: (1, 1), unclear: (0, 4), never: (1, 4)}
    # any virus: at least one; patient 1 has both classes
    assert cells(results, "ANYVIR") == {new: (2, 4), among: (2, 3), worse: (1, 2), unclear: (1, 4), never: (0, 4)}
    note = one(results, "n", parameter="EBV", category="de novo")["note"]
    assert note == "1 patient(s) not tested: in the denominator, not counted as infected"
    # Clopper-Pearson of 1 of 4: 0.63 % and 80.59 % (tables of exact binomial limits)
    assert value(results, "lower", parameter="CMV", category=new) == pytest.approx(0.631, abs=1e-3)
    assert value(results, "upper", parameter="CMV", category=new) == pytest.approx(80.588, abs=1e-3)
    row = one(results, "n", parameter="ANYVIR", category=new)
    behind = rowsets[(rowsets["rowset"] == row["rowset"]) & (rowsets["role"] == "n")]["row_key"]
    assert sorted(behind) == ["adinf:toy/1/0", "adinf:toy/3/7"]


def test_a_patient_without_a_row_stays_in_the_denominator() -> None:
    results, _ = run(outcome("infections", ENDPOINT), {"adsl": people(5), "adinf": adinf(ROWS)}, PLAN)
    row = one(results, "denominator", parameter="CMV", category="de novo")
    assert row["value"] == 5
    assert row["note"] == "1 patient(s) without a record: in the denominator, not counted as infected"


def test_only_the_chosen_virus_and_groups_that_add_up() -> None:
    given = outcome("infections", ENDPOINT, {"where": {"PARAMCD": "CMV"}, "by": "ARMCD"})
    results, rowsets = run(given, {"adsl": people(), "adinf": adinf(ROWS)}, PLAN)
    assert set(results["parameter"]) == {"CMV"}
    whole = stack([results], (given,))
    checked = laws(whole, rowsets, people(), store.empty(contracts.RECONCILIATION), PLAN, (given,))
    assert checked["holds"].all(), checked[~checked["holds"]].to_string()


def test_worsening_after_a_negative_baseline_is_named() -> None:
    rows = adinf([("1", "CMV", "negative", "worsening", 7, 0), ("2", "CMV", "positive", "none", 56, 1)])
    results, _ = run(outcome("infections", ENDPOINT), {"adsl": people(2), "adinf": rows}, PLAN)
    found = one(results, "n", parameter="CMV", category="worsening, positive at baseline")
    assert (found["value"], found["note"]) == (0, "1 patient(s) worsened after a negative baseline and are not in it")


def test_time_of_those_who_have_it() -> None:
    given = outcome("event_time", ENDPOINT, {"where": {"PARAMCD": "ANYVIR"}})
    results, rowsets = run(given, {"adsl": people(), "adinf": adinf(ROWS)}, PLAN)
    found = {s: value(results, s) for s in ("n", "median", "q1", "q3", "min", "max")}
    assert found == {"n": 2, "median": 13.5, "q1": 7, "q3": 20, "min": 7, "max": 20}
    row = one(results, "median")
    assert row["method"] == "Percentiles by SAS definition 5, patients with the event only (conditional)"
    assert row["unit"] == "d"
    assert sorted(rowsets[rowsets["rowset"] == row["rowset"]]["row_key"]) == ["adinf:toy/1/2", "adinf:toy/3/8"]


def test_nobody_with_the_event() -> None:
    rows = adinf([("1", "CMV", "negative", "none", 56, 1)])
    results, _ = run(outcome("event_time", ENDPOINT), {"adsl": people(1), "adinf": rows}, PLAN)
    assert value(results, "n") == 0
    row = one(results, "median")
    assert (row["value_text"], row["note"]) == ("NE", "no patient with the event")


@pytest.mark.parametrize(
    ("kind", "analysis"),
    [("cumulative_incidence", {"at": ["56 days"]}), ("kaplan_meier", {"at": ["56 days"]}), ("event_time", {})],
)
def test_several_rows_of_a_patient_are_refused(kind: str, analysis: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="add where: {PARAMCD"):
        run(outcome(kind, ENDPOINT, analysis), {"adsl": people(), "adinf": adinf(ROWS)}, PLAN)


def test_incidence_of_infection() -> None:
    """1: infection 7, 3: infection 20, 4: death 30, 2: censored 56. CIF 1/4 at 7, 2/4 at 20; death 1/4 at 30."""
    days = {"at": ["7 days", "20 days", "56 days"], "where": {"PARAMCD": "ANYVIR"}}
    results, _ = run(outcome("cumulative_incidence", ENDPOINT, days), {"adsl": people(), "adinf": adinf(ROWS)}, PLAN)
    found = [value(results, "cif", category="infection", time=t) for t in (7.0, 20.0, 56.0)]
    assert found == pytest.approx([0.25, 0.5, 0.5])
    assert value(results, "cif", category="death", time=56.0) == pytest.approx(0.25)
    assert value(results, "cif", category="hsct", time=56.0) == 0
    only = {"at": ["20 days"], "where": {"PARAMCD": "EBV"}}
    results, _ = run(outcome("kaplan_meier", ENDPOINT, only), {"adsl": people(), "adinf": adinf(ROWS)}, PLAN)
    assert value(results, "missing") == 1  # not tested
    # EBV: 1 at 7, 3 at 20, 2 censored at 56: 2/3 * 1/2
    assert value(results, "survival", time=20.0) == pytest.approx(1 / 3)


def test_denominator_of_reactivation_is_the_responders() -> None:
    """Of 6 patients 4 responded: reactivation 10, HSCT 20 (code 2), reactivation 30, censored 40."""
    times = [("1", 10, 0), ("2", 20, 2), ("4", 30, 0), ("6", 40, 1)]
    rows = table(
        contracts.ADTTE,
        [{"patient": p, "AVAL": t, "CNSR": c, "ENTRY": 0.0, "STARTDT": "2020-02-01"} for p, t, c in times],
        "adreac",
    )
    data = {"adsl": people(6), "adreac": rows}
    endpoint = {"kind": "reactivation", "dataset": "adreac"}
    results, _ = run(outcome("cumulative_incidence", endpoint, {"at": ["20 days", "30 days"]}), data, PLAN)
    assert value(results, "n") == 4
    assert value(results, "missing") == 0
    assert value(results, "n_risk", category="reactivation", time=20.0) == 3
    assert value(results, "cif", category="reactivation", time=20.0) == pytest.approx(0.25)
    assert value(results, "cif", category="reactivation", time=30.0) == pytest.approx(0.5)
    assert value(results, "cif", category="hsct", time=30.0) == pytest.approx(0.25)
    results, _ = run(outcome("kaplan_meier", endpoint, {"at": ["30 days"]}), data, PLAN)
    # competing events are censored: 3/4 * 1/2
    assert value(results, "survival", time=30.0) == pytest.approx(0.375)
    results, _ = run(outcome("event_time", endpoint), data, PLAN)
    assert [value(results, s) for s in ("n", "median", "min", "max")] == [2, 20, 10, 30]
