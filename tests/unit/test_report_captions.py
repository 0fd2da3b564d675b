"""Captions say what the numbers are, with level and method of intervals and tests as the result rows have them."""

from __future__ import annotations

from typing import Any

import pytest

from trialpipe.analyse.run import KINDS
from trialpipe.figures.run import DRAWINGS
from trialpipe.report import captions
from trialpipe.report.run import split
from trialpipe.report.shells import SHELLS

SETS = {"treated": "Treated patients"}


def row(statistic: str, method: str | None = None, **other: Any) -> dict[str, Any]:
    found = {"conf_level": 0.95 if statistic == "lower" else None, "alternative": None, "variable": None}
    common = {"category": None, "group": "Overall", "population": "treated", "rowset": "0123456789abcdef"}
    return {"statistic": statistic, "method": method, **common, **found, **other}


@pytest.mark.parametrize("kind", KINDS)
def test_every_analysis_kind_has_a_caption(kind: str) -> None:
    assert kind in captions.TABLES or (SHELLS[kind].displays and any(k.startswith(f"{kind}/") for k in captions.TABLES))


def test_every_figure_has_a_caption() -> None:
    assert set(captions.FIGURES) == set(DRAWINGS)
    assert set(captions.MARKS) <= set(DRAWINGS)


@pytest.mark.parametrize(
    ("method", "level", "said"),
    [
        ("Clopper-Pearson interval", 0.95, "95 % CI (exact, Clopper-Pearson)"),
        ("Clopper-Pearson interval; exact binomial test, matches", 0.9, "90 % CI (exact, Clopper-Pearson)"),
        ("Aalen-Johansen, Aalen variance, log-log interval", 0.99, "99 % CI (log-log)"),
        ("Per 100 patient-months (1 month = 30.4375 days), exact Poisson interval (Garwood); time at risk ends, or so",
         0.95, "95 % CI (exact Poisson, Garwood)"),
        ("Order of outcomes: p-value and interval of Koyama and Chen 2008 (limits invert the one-sided test), UMVUE",
         0.8, "80 % CI (Koyama and Chen 2008)"),
        ("Restricted mean, area under Kaplan-Meier", 0.95, "95 % CI (normal)"),
        ("P-value of stage 2; Clopper-Pearson interval and exact binomial test that take n as planned", 0.8,
         "80 % CI (exact, Clopper-Pearson)"),
    ],
)  # fmt: skip
def test_an_interval_is_named_by_its_level_and_method(method: str, level: float, said: str) -> None:
    assert captions.intervals([row("n"), row("lower", method, conf_level=level)]) == [said]


def test_intervals_of_several_methods_are_told_apart() -> None:
    rows = [
        row("lower", "Kaplan-Meier, Brookmeyer-Crowley interval (log-log)"),
        row("lower", "Restricted mean, area under Kaplan-Meier"),
        row("lower", "Kaplan-Meier, Greenwood variance, log-log interval"),
    ]
    said = "95 % CI (Brookmeyer-Crowley, log-log; restricted mean: normal; Kaplan-Meier: log-log)"
    assert captions.intervals(rows) == [said]


@pytest.mark.parametrize(
    ("methods", "side", "said"),
    [
        (["Gray's test"], "two-sided", "two-sided p: Gray's test"),
        (["Log-rank test stratified by SITE, AGE"], "two-sided", "two-sided p: log-rank test stratified by SITE, AGE"),
        (["Clopper-Pearson interval; exact binomial test, one-sided level"], "greater",
         "one-sided p: exact binomial test"),
        (["Cox regression, Efron ties, Wald interval", "Likelihood ratio test, Cox regression"], "two-sided",
         "two-sided p: Wald test, likelihood ratio test"),
    ],
)  # fmt: skip
def test_a_test_is_named_by_its_side_and_method(methods: list[str], side: str, said: str) -> None:
    assert captions.tests(row("p", method, alternative=side) for method in methods) == [said]


def test_a_table_says_statistic_groups_and_population() -> None:
    rows = [row("n", group="A"), row("n", group="B"), row("lower", "Clopper-Pearson interval")]
    said = "Patients by state, n/N (%), by arm; 95 % CI (exact, Clopper-Pearson). Treated patients."
    assert captions.table_caption("proportion", rows, SETS, "Arm") == said
    assert (
        captions.table_caption("proportion", rows[:1], SETS, "Arm") == "Patients by state, n/N (%). Treated patients."
    )


def test_a_table_of_estimates_names_their_method() -> None:
    rows = [row("n"), row("hr", "Cox regression, Efron ties, Wald interval")]
    assert captions.table_caption("cox", rows, SETS) == "Hazard ratios (Cox regression). Treated patients."
    rows = [row("difference", "Difference of survival probabilities, normal interval")]
    said = "Difference of survival probabilities at fixed days. Treated patients."
    assert captions.table_caption("difference_at_time", rows, SETS) == said


def test_numbers_of_a_design_are_of_no_population() -> None:
    rows = [row("size", variable="design", rowset=captions.NO_ROWS)]
    assert captions.table_caption("simon_two_stage", rows, SETS) == "Bounds, expected numbers and exact error rates."


def test_a_figure_names_only_intervals_that_it_draws() -> None:
    rows = [row("lower", "Kaplan-Meier, Greenwood variance, log-log interval")]
    assert "band: 95 % CI (log-log)" in captions.figure_caption("kaplan_meier", rows, SETS)
    assert "CI" not in captions.figure_caption("cumulative_incidence", rows, SETS)


def test_a_figure_names_the_events_of_its_curves() -> None:
    rows = [row("cif", category="death"), row("cif", category="hsct"), row("cif", category="relapse")]
    said = captions.figure_caption("cumulative_incidence", rows, SETS, {("category", "hsct"): "Transplant"})
    assert said.startswith("Cumulative incidence of death, transplant and relapse, competing events counted")


def test_tables_carry_their_captions() -> None:
    dimensions = dict.fromkeys(
        ("comparator", "stratum", "parameter", "term", "category", "base_visit", "visit", "time")
    )
    more = {"unit": None, "note": None, "formatted": "3", "value": 3.0, "cell_id": "x"}
    [(_, table)] = split([{**row("n"), **dimensions, **more}], "flow", {}, SETS)
    assert table.caption == "Number of patients. Treated patients."
