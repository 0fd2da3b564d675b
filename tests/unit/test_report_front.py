"""The front page: what counts as an outcome, and when it counts as reported."""

from __future__ import annotations

from trialpipe.report.front import portfolio
from trialpipe.report.tables import NOT_DONE

PROTOCOL = {
    "trial": "t",
    "acronym": "T",
    "title": "A trial",
    "synthetic": True,
    "design": {"planned_n": 10},
    "data_cutoff": "2026-01-01",
}


def outcome(name: str, role: str, registered: list[str] | None = None) -> dict:
    return {"id": name, "title": name, "role": role, "registered": registered or [name], "headline": {}}


def row(name: str, value: float | None, note: str | None = None) -> dict:
    absent = dict.fromkeys(("parameter", "category", "visit", "group", "comparator", "time", "unit", "conf_level"))
    rest = {
        "analysis": "a",
        "statistic": "estimate",
        "scenario": "primary",
        "dataset": "adx",
        "population": "p",
        "formatted": str(value),
    }
    return {"outcome": name, "value": value, "note": note, "order": 1, **absent, **rest}


def line(outcomes: list[dict], rows: list[dict]) -> dict:
    laws = [{"holds": True}, {"holds": False}]
    queries = [{"severity": "error"}]
    return portfolio([{"protocol": PROTOCOL, "outcomes": outcomes}], [rows], [queries], [laws])[0]


def test_two_analyses_of_one_registered_outcome_count_once_and_only_together():
    shared = ["GVHD", "2 years"]
    outcomes = [outcome("a", "assumed", shared), outcome("b", "assumed", shared), outcome("c", "assumed")]
    assert line(outcomes, [row("a", 1.0), row("b", 2.0), row("c", 3.0)])["outcomes"] == (2, 2)
    assert line(outcomes, [row("a", 1.0), row("c", 3.0)])["outcomes"] == (1, 2)


def test_what_the_registry_only_promises_is_counted_apart():
    found = line([outcome("a", "secondary"), outcome("b", "described")], [row("a", 1.0)])
    assert found["outcomes"] == (1, 1)
    assert found["promised"] == (0, 1)


def test_outcomes_of_a_source_count_where_nothing_is_registered():
    assert line([outcome("a", "source"), outcome("b", "source")], [row("a", 1.0)])["outcomes"] == (1, 2)
    assert line([outcome("a", "secondary"), outcome("b", "source")], [row("a", 1.0)])["outcomes"] == (1, 1)


def test_an_analysis_that_does_not_exist_is_not_reported():
    rows = [row("a", 1.0), row("a", None, NOT_DONE)]
    assert line([outcome("a", "secondary")], rows)["outcomes"] == (0, 1)


def test_queries_and_laws_are_counted():
    found = line([], [])
    assert (found["queries"]["error"], found["queries"]["warning"], found["laws"], found["broken"]) == (1, 0, 2, 1)


def test_patients_are_those_of_the_primary_outcome_in_all_groups_together():
    sizes = [("recorded", "Overall", 43), ("included", "A", 20), ("included", "B", 22), ("included", "Overall", 42)]
    rows = [
        row("flow", n)
        | {"analysis": "populations", "category": name, "group": group, "statistic": "n", "formatted": str(n)}
        for name, group, n in sizes
    ]
    rows += [row("a", 1.0) | {"population": "included"}, row("b", 1.0) | {"population": "recorded"}]
    assert line([outcome("b", "secondary"), outcome("a", "primary")], rows)["n"] == "42"
    assert line([outcome("b", "secondary")], rows)["n"] == "43"
    assert line([outcome("c", "secondary")], rows)["n"] == ""
