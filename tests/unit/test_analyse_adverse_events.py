"""Adverse events: patients and events, classes and terms, worst grade, rates."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, one, outcome, protocol, run, table, value

from trialpipe.io import contracts

EVENTS = {"kind": "adverse_events", "dataset": "adae"}
WINDOW = {
    "kind": "adverse_events",
    "id": "adae",
    "label": "AE",
    "windows": [
        {"id": "w", "variable": "TRTEMFL", "label": "w", "start": "first_dose", "ends": ["hsct"], "until": "122 days"}
    ],
}
COLUMNS = ("patient", "AEDECOD", "AEBODSYS", "AETOXGR", "AESER", "AEREL", "AEOUT", "ASTDT", "TRTEMFL")
ROWS = [
    dict(zip(COLUMNS, row, strict=True))
    for row in (
        ("00", "Rash", "Skin", "2", "N", "RELATED", None, "2020-01-11", "Y"),
        ("00", "Rash", "Skin", "3", "Y", "RELATED", None, "2020-01-21", "Y"),
        ("01", "Sepsis", "Infections", "5", "Y", "NOT RELATED", "FATAL", "2020-01-31", "Y"),
        ("02", "Rash", "Skin", None, "N", None, None, "2020-01-06", "Y"),
        ("03", "Rash", "Skin", "4", None, None, None, "2020-08-01", "N"),
    )
]


def made(rows: list[dict] | None = None, people: pd.DataFrame | None = None, **analysis: object) -> tuple:
    rows = ROWS if rows is None else rows
    frame = table(contracts.ADAE, [{"TRTEMFL": "Y", **row} for row in rows], "adae").drop(
        columns=["SCENARIO", "PARAMCD"]
    )
    if people is None:
        people = adsl(
            {
                "00": {"HSCTDT": "2020-02-20"},
                "01": {"DTHDT": "2020-02-05"},
                "02": {"LSTALVDT": "2020-03-01"},
                "03": {},
            }
        )
    given = outcome("adverse_events", EVENTS, {"window": "w", **analysis}, section="safety")
    return run(given, {"adsl": people, "adae": frame}, protocol(datasets=[WINDOW]))


def test_overview_counts_patients_and_events() -> None:
    results, rowsets = made(displays=["overview"])
    found = {
        c: (value(results, "n", category=c), value(results, "events", category=c)) for c in results["category"].unique()
    }
    assert found == {
        "Any adverse event": (3, 4),
        "Serious": (2, 2),
        "Grade 3 or higher": (2, 2),
        "Related": (1, 2),
        "Serious and related": (1, 1),
        "Fatal": (1, 1),
        "Grade missing": (1, 1),
        "Causality missing": (1, 1),
    }
    row = one(results, "percent", category="Any adverse event")
    assert (row["value"], row["formatted"]) == (75.0, "75.0")
    members = rowsets[rowsets["rowset"] == one(results, "n", category="Related")["rowset"]]
    assert sorted(zip(members["role"], members["row_key"], strict=True)) == [
        ("event", "adae:toy/00/0"),
        ("event", "adae:toy/00/1"),
        ("n", "adsl:toy/00"),
    ]


def test_classes_and_terms_by_frequency() -> None:
    results, _ = made(displays=["soc_pt"])
    lines = results[["parameter", "category"]].drop_duplicates().to_numpy().tolist()
    assert lines == [["Skin", None], ["Skin", "Rash"], ["Infections", None], ["Infections", "Sepsis"]]
    assert value(results, "n", parameter="Skin", category=None) == 2
    assert value(results, "events", parameter="Skin", category="Rash") == 3


def test_uncoded_terms_are_kept() -> None:
    results, _ = made([{"patient": "00", "AETERM": "?", "ASTDT": "2020-01-11"}], displays=["soc_pt"])
    assert value(results, "n", parameter="Not coded", category="Not coded") == 1


def test_worst_grade_partitions_the_patients() -> None:
    results, _ = made(displays=["worst_grade"])
    found = {c: value(results, "n", category=c) for c in results["category"].unique()}
    assert found == {
        "Grade 1": 0,
        "Grade 2": 0,
        "Grade 3": 1,
        "Grade 4": 0,
        "Grade 5": 1,
        "Grade missing": 1,
        "No adverse event": 1,
    }
    assert sum(found.values()) == 4


def test_rates_end_at_event_death_hsct_or_end_of_window() -> None:
    """Any: 10 + 30 + 5 + 122 days. Serious: 20 + 30 + 60 (last known alive) + 122. Grade 3: the same."""
    results, _ = made(displays=["rates"])
    months = {c: value(results, "person_time", category=c) * 30.4375 for c in results["category"].unique()}
    assert months == pytest.approx(
        {"Any adverse event": 167, "Serious": 232, "Grade 3 or higher": 232, "Related": 10 + 35 + 60 + 122}
    )
    assert value(results, "rate", category="Any adverse event") == pytest.approx(300 / (167 / 30.4375))
    assert one(results, "rate", category="Serious")["unit"] == "/(100.mo)"


def test_rate_and_exact_limits() -> None:
    """5 events in 12.3 units of time: .406504065 (.1319907634, .9486448845)."""
    people = adsl({f"{i:02d}": {"LSTALVDT": "2020-03-15"} for i in range(6)})
    starts = [70, 70, 70, 70, 20]  # with 74 days of the patient without an event: 374 days, not quite 12.3 months
    rows = [
        {"patient": f"{i:02d}", "AESER": "N", "ASTDT": pd.Timestamp("2020-01-01") + pd.Timedelta(days=d)}
        for i, d in enumerate(starts)
    ]
    results, _ = made(rows, people, displays=["rates"])
    scale = 100 * 12.3 / (374 / 30.4375)
    assert value(results, "person_time", category="Any adverse event") == pytest.approx(374 / 30.4375)
    for statistic, wanted in (("rate", 0.406504065), ("lower", 0.1319907634), ("upper", 0.9486448845)):
        assert value(results, statistic, category="Any adverse event") == pytest.approx(wanted * scale, rel=1e-8)


def test_an_unknown_start_gives_no_time_at_risk() -> None:
    people = adsl({"00": {}, "01": {}})
    results, _ = made([{"patient": "00", "ASTDT": None}], people, displays=["rates"])
    row = one(results, "person_time", category="Any adverse event")
    assert row["value"] * 30.4375 == pytest.approx(122)
    assert row["note"].startswith("1 patient(s) with an unknown start")


def test_no_time_at_risk_is_no_rate() -> None:
    people = adsl({"00": {"TRTSDT": None}})
    results, _ = made([{"patient": "00", "TRTEMFL": "N"}], people, displays=["rates"])
    row = one(results, "rate", category="Any adverse event")
    assert (row["value_text"], row["note"]) == ("NE", "no time at risk")


def test_groups_add_up() -> None:
    people = adsl({f"{i:02d}": {"ARMCD": "A" if i % 2 else "B"} for i in range(4)})
    results, _ = made(None, people, by="ARMCD")
    counts = results[results["statistic"].isin(["n", "denominator", "events"])]
    key = ["variable", "parameter", "category", "statistic"]
    wide = counts.pivot_table(index=key, columns="group", values="value", dropna=False, aggfunc="first").dropna()
    assert len(wide) > 20
    assert (wide["A"] + wide["B"] == wide["Overall"]).all()


def test_empty_dataset() -> None:
    results, _ = made([{"patient": "03", "ASTDT": "2020-08-01", "TRTEMFL": "N"}])
    assert value(results, "n", variable="overview", category="Any adverse event") == 0
    assert value(results, "n", variable="worst_grade", category="No adverse event") == 4


def arms(**analysis: object) -> pd.DataFrame:
    """Four patients of A, of whom three have a rash, against four of B, of whom none has; one of B a mild headache."""
    people = adsl({f"{i:02d}": {"ARMCD": "A" if i < 4 else "B"} for i in range(8)})
    rows = [
        {"patient": f"{i:02d}", "AEDECOD": "Rash", "AEBODSYS": "Skin", "AESEV": severity, "AESER": "N"}
        for i, severity in ((0, "MILD"), (0, "SEVERE"), (1, "MODERATE"), (2, "LIGHT"))
    ]
    rows.append({"patient": "05", "AEDECOD": "Headache", "AEBODSYS": "Nervous", "AESEV": "MILD", "AESER": "N"})
    two = [{"id": "A", "label": "A"}, {"id": "B", "label": "B"}]
    frame = table(contracts.ADAE, [{"TRTEMFL": "Y", **row} for row in rows], "adae").drop(
        columns=["SCENARIO", "PARAMCD"]
    )
    given = outcome("adverse_events", EVENTS, {"window": "w", "by": "ARMCD", **analysis}, section="safety")
    return run(given, {"adsl": people, "adae": frame}, protocol(datasets=[WINDOW], arms=two))[0]


def test_arms_are_compared_line_by_line() -> None:
    """3 of 4 against 0 of 4: two-sided exact p 2 * 4 / 56 = 1/7."""
    results = arms(displays=["overview", "soc_pt"], lines=["any", "severe"], compare_with="B")
    tests = results[results["comparator"] == "B"]
    assert set(tests["statistic"]) == {"p"}
    found = {(r.parameter, r.category): r.value for r in tests.itertuples()}
    assert found[("Skin", "Rash")] == pytest.approx(1 / 7)
    assert found[("Skin", None)] == found[("Skin", "Rash")]
    assert found[(None, "Severe")] == pytest.approx(1.0)
    assert found[("Nervous", "Headache")] == pytest.approx(1.0)
    assert set(tests["group"]) == {"A"}
    assert set(tests["method"]) == {"Fisher's exact test"}
    assert set(results[results["variable"] == "overview"]["category"]) == {"Any adverse event", "Severe"}


def test_no_event_in_either_arm_is_no_comparison() -> None:
    row = one(arms(displays=["overview"], lines=["serious"], compare_with="B"), "p", comparator="B")
    assert (row["value_text"], row["note"]) == ("NE", "no event in either group")


def test_arms_are_compared_by_chi_square() -> None:
    """N (ad - bc)^2 over the product of the margins: 8 * (3*4 - 1*0)^2 / (4 * 4 * 3 * 5) = 4.8."""
    results = arms(displays=["soc_pt"], compare_with="B", test="chi_square")
    row = one(results, "chi_square", parameter="Skin", category="Rash")
    assert (row["value"], row["df"]) == (pytest.approx(4.8), 1.0)


def test_worst_severity_partitions_the_patients() -> None:
    """A patient counts once, by the worst; a word that is none of the three is missing."""
    results = arms(displays=["worst_severity"])
    found = {r.category: (r.group, r.value) for r in results.itertuples() if r.statistic == "n" and r.group == "A"}
    assert {name: number for name, (_, number) in found.items()} == {
        "Mild": 0,
        "Moderate": 1,
        "Severe": 1,
        "Severity missing": 1,
        "No adverse event": 1,
    }


def test_a_comparison_needs_arms() -> None:
    with pytest.raises(ValueError, match="compare_with needs by"):
        outcome("adverse_events", EVENTS, {"window": "w", "compare_with": "B"}, section="safety")
