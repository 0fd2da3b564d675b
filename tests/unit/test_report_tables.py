"""Tables of the report: notes that name their lines, methods said once, units, and the sensitivity of a result."""

from __future__ import annotations

from typing import Any

from helpers.analyse_frames import outcome

from trialpipe.report import sensitivity
from trialpipe.report.tables import table

STATE = {"kind": "state_at_horizon", "origin": "first_dose", "horizon": "56 days"}


def row(statistic: str, value: float | None, text: str = "", **place: Any) -> dict[str, Any]:
    names = ("group", "comparator", "stratum", "term", "parameter", "variable", "category", "visit", "base_visit")
    empty: dict[str, Any] = dict.fromkeys((*names, "time", "unit", "note", "method", "conf_level"))
    shown = {
        "analysis": "proportion",
        "scenario": "primary",
        "group": "Overall",
        "cell_id": "c",
        "population": "all",
        "rowset": "r",
    }
    return {**empty, **shown, "statistic": statistic, "value": value, "formatted": text or f"{value:g}", **place}


def share(n: int, of: int, **place: Any) -> list[dict[str, Any]]:
    numbers = {"n": n, "denominator": of, "percent": 100 * n / of, "lower": 1, "upper": 99}
    return [
        row(s, v, **{"conf_level": 0.9 if s in ("lower", "upper") else None, "category": "success", **place})
        for s, v in numbers.items()
    ]


def test_note_of_one_line_names_it_and_that_of_all_does_not() -> None:
    lines = [row("n", 1, parameter="A", visit="D1", note="one missing"), row("n", 2, parameter="B", visit="D1")]
    assert table(lines, "describe_by_visit", {}).notes == ["A: one missing"]
    lines[1]["note"] = "one missing"
    assert table(lines, "describe_by_visit", {}).notes == ["One missing"]


def test_note_that_another_begins_with_and_symbols() -> None:
    lines = [
        row("n", 1, parameter="A", note="ends at death"),
        row("n", 1, parameter="B", note="ends at death; 1 without a length"),
        row("mean", None, "NE", parameter="C", note="no value"),
    ]
    assert table(lines, "describe_by_visit", {}).notes == ["B: ends at death; 1 without a length", "NE: no value"]


def test_method_that_another_only_adds_to_is_left_out() -> None:
    lines = [row("mean", 1, parameter="A", method="Mean"), row("mean", 2, parameter="B", method="Mean, censored")]
    assert table(lines, "describe_by_visit", {}).methods == ["Mean, censored"]


def test_unit_is_that_of_the_values_not_of_a_rate() -> None:
    values = [row("median", 3, parameter="A", unit="g/L"), row("percent_below", 0, parameter="A", unit="%")]
    assert table(values, "describe_by_visit", {}).body[0][0] == ["A (g/L)"]
    rates = [row("rate_days", 3, parameter="A", unit="/(1000.d)"), row("person_days", 9, parameter="A", unit="d")]
    assert table(rates, "nosocomial", {}).body[0][0] == ["A"]


SCENARIOS = [
    {"id": "best", "label": "Missing is success", "set": {"endpoint.lost": "success"}},
    {"id": "same", "label": "Nothing computed", "set": {"endpoint.lost": "failure"}},
]


def test_sensitivity_has_a_line_per_scenario_of_the_headline() -> None:
    given = outcome("proportion", STATE, sensitivity=SCENARIOS)
    rows = [*share(3, 9), *share(4, 9, scenario="best"), *share(2, 9, category="dead")]
    made = sensitivity.summary(given, "proportion", "proportion", rows, {})
    assert made is not None
    assert made.caption == "Success. Patients by state, n/N (%); 90 % CI (normal). all."
    assert made.head == ["n/N (%)", "90 % CI"]
    assert [(labels, cells[0].text[:3]) for labels, cells in made.body] == [
        (["Primary analysis"], "3/9"),
        (["Missing is success"], "4/9"),
    ]


def test_no_sensitivity_without_scenarios_or_for_another_analysis() -> None:
    rows = [*share(3, 9), *share(4, 9, scenario="best")]
    assert sensitivity.summary(outcome("proportion", STATE), "proportion", "proportion", rows, {}) is None
    headed = outcome("proportion", STATE, sensitivity=SCENARIOS, headline={"analysis": "kaplan_meier"})
    assert sensitivity.summary(headed, "proportion", "proportion", rows, {}) is None
    alone = outcome("proportion", STATE, sensitivity=SCENARIOS)
    assert sensitivity.summary(alone, "proportion", "proportion", share(3, 9), {}) is None


def test_two_codes_with_one_word_are_two_lines() -> None:
    lines = [row("n", 20, category="died_treated"), row("n", 1, category="died_untreated")]
    words = {("category", code): "Died" for code in ("died_treated", "died_untreated")}
    made = table(lines, "flow", words)
    assert [(labels, cells[0].text) for labels, cells in made.body] == [(["Died"], "20"), (["Died"], "1")]


def test_notes_that_differ_in_one_number_are_one() -> None:
    lines = [
        row("n", n, parameter=f"P{n}", visit=visit, note=f"median of {n} pair(s) in range")
        for n in (2, 5, 9, 11)
        for visit in ("D1", "D7")
    ]
    assert table(lines, "describe_by_visit", {}).notes == ["Median of 2 to 11 pair(s) in range"]
    two = table(lines[:4], "describe_by_visit", {}).notes
    assert two == ["P2, D1; P2, D7: median of 2 pair(s) in range", "P5, D1; P5, D7: median of 5 pair(s) in range"]
