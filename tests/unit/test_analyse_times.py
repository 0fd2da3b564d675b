"""Time-to-event kinds on small frames: edges that the large reference data do not have."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, one, outcome, protocol, run, table, value

from trialpipe.io import contracts

DEATH = {"kind": "time_to_event", "origin": "first_dose", "event": "death"}
HAND = [(5, 1), (8, 2), (12, 1), (15, 0), (20, 2), (22, 1), (28, 0), (30, 2)]


def times(rows: list[tuple[float | None, int]], entry: float = 0.0) -> pd.DataFrame:
    """Rows of (time, cause) with cause 0 censored, 1 event, 2 competing."""
    cnsr = {0: 1, 1: 0, 2: 2}
    return table(
        contracts.ADTTE,
        [
            {"patient": f"{i:02d}", "AVAL": t, "CNSR": cnsr[c], "ENTRY": entry, "STARTDT": "2020-01-01"}
            for i, (t, c) in enumerate(rows)
        ],
        "adtte",
    )


def people(number: int, **changes: object) -> pd.DataFrame:
    return adsl({f"{i:02d}": {"ARMCD": "A" if i % 2 else "B", **changes} for i in range(number)})


def test_cumulative_incidence_by_hand() -> None:
    given = outcome(
        "cumulative_incidence",
        {**DEATH, "competing": "hsct"},
        {"at": ["5 days", "8 days", "12 days", "20 days", "22 days", "30 days"]},
    )
    results, _ = run(given, {"adsl": people(8), "adtte": times(HAND)})
    days = (5, 8, 12, 20, 22, 30)
    assert [value(results, "cif", category="death", time=float(t)) for t in days] == pytest.approx(
        [0.125, 0.125, 0.25, 0.25, 0.40625, 0.40625]
    )
    assert [value(results, "cif", category="hsct", time=float(t)) for t in days] == pytest.approx(
        [0, 0.125, 0.125, 0.28125, 0.28125, 0.59375]
    )
    assert value(results, "n_risk", category="death", time=20.0) == 4
    assert value(results, "cum_events", category="hsct", time=20.0) == 2
    row = one(results, "lower", category="hsct", time=5.0)
    assert (row["value_text"], row["note"]) == ("NE", "no limits where the estimate is 0")


def test_after_the_last_observation_nothing_is_estimated() -> None:
    rows = [(5.0, 1), (9.0, 0)]
    for kind, statistic, analysis in (
        ("cumulative_incidence", "cif", {"at": ["9 days", "10 days"]}),
        ("kaplan_meier", "survival", {"at": ["9 days", "10 days"]}),
    ):
        results, _ = run(outcome(kind, DEATH, analysis), {"adsl": people(2), "adtte": times(rows)})
        assert value(results, statistic, time=9.0) == pytest.approx(0.5)
        row = one(results, statistic, time=10.0)
        assert (row["value_text"], row["note"]) == ("NE", "after the last observation")


def test_patients_without_a_time_are_counted_as_missing() -> None:
    given = outcome("kaplan_meier", DEATH, {"at": ["5 days"]})
    results, rowsets = run(given, {"adsl": people(3), "adtte": times([(5.0, 1), (7.0, 0), (None, 0)])})
    assert value(results, "n", term=None, time=None) == 2
    row = one(results, "missing")
    assert row["value"] == 1
    assert rowsets[(rowsets["rowset"] == row["rowset"]) & (rowsets["role"] == "missing")]["row_key"].tolist() == [
        "adtte:toy/02/2"
    ]


def test_median_that_is_not_reached() -> None:
    given = outcome("kaplan_meier", DEATH, {"at": ["5 days"]})
    results, _ = run(given, {"adsl": people(4), "adtte": times([(5.0, 1), (7.0, 0), (8.0, 0), (9.0, 0)])})
    row = one(results, "median")
    assert (row["formatted"], row["value_text"], row["note"]) == ("NR", "NR", "not reached")


def test_an_empty_level_prints_zero_and_leaves_the_tests() -> None:
    given = outcome(
        "kaplan_meier",
        DEATH,
        analyses=[
            {"kind": "kaplan_meier", "by": "ARMCD", "at": ["5 days"]},
            {"kind": "logrank", "by": "ARMCD"},
            {"kind": "cumulative_incidence", "by": "ARMCD", "at": ["5 days"]},
            {"kind": "cox", "terms": ["ARMCD"]},
        ],
    )
    people_ = people(4).assign(ARMCD="A")
    results, _ = run(given, {"adsl": people_, "adtte": times([(5.0, 1), (7.0, 0), (8.0, 1), (9.0, 0)])})
    assert value(results, "n", analysis="kaplan_meier", group="B", term=None, time=None) == 0
    assert one(results, "survival", analysis="kaplan_meier", group="B", time=5.0)["note"] == "no patient with a time"
    test = one(results, "p", analysis="logrank")
    assert test["value_text"] == "NE"
    assert "no patient in B" in test["note"]
    assert one(results, "p", analysis="cumulative_incidence")["value_text"] == "NE"
    assert "ARMCD has one level only" in one(results, "n", analysis="cox")["note"]


def test_levels_are_in_declared_order_and_missing_is_a_group() -> None:
    given = outcome("kaplan_meier", DEATH, {"by": "SEX", "at": ["5 days"]})
    people_ = people(4).assign(SEX=["M", "F", None, "M"])
    results, _ = run(given, {"adsl": people_, "adtte": times([(5.0, 1), (7.0, 0), (8.0, 1), (9.0, 0)])})
    assert results["group"].drop_duplicates().tolist() == ["F", "M", "Missing", "Overall"]


def test_left_truncation_enters_late_or_is_refused() -> None:
    data = {"adsl": people(3), "adtte": times([(5.0, 1), (7.0, 0), (8.0, 1)], entry=2.0)}
    for kind, name, at_5 in (("kaplan_meier", "survival", 2 / 3), ("cumulative_incidence", "cif", 1 / 3)):
        results, _ = run(outcome(kind, DEATH, {"at": ["1 day", "5 days"]}), data)
        assert value(results, "n_risk", time=1.0) == 0  # nobody is under observation yet
        assert value(results, "n_risk", time=5.0) == 3
        assert value(results, name, time=5.0) == pytest.approx(at_5)
    for kind, analysis, statistic in (
        ("logrank", {"by": "ARMCD"}, "p"),
        ("fine_gray", {"terms": ["AGE"]}, "coef"),
    ):
        shown = data | {"adsl": people(3).assign(AGE=[30.0, 40.0, 60.0])}
        row = one(run(outcome(kind, DEATH, analysis), shown)[0], statistic)
        assert row["value_text"] == "NE"
        assert "left truncation" in row["note"]


def test_cox_without_events_in_a_level_has_no_estimate() -> None:
    rows = [(5.0, 1), (7.0, 0), (8.0, 1), (9.0, 0), (10.0, 1), (11.0, 0)]  # arm B has all events
    results, _ = run(outcome("cox", DEATH, {"terms": ["ARMCD"]}), {"adsl": people(6), "adtte": times(rows)})
    row = one(results, "hr", term="ARMCD", category="B vs A")
    assert row["value_text"] == "NE"
    assert "no finite estimate" in row["note"]
    assert value(results, "events", term="Model") == 3


def test_proportional_hazards_per_term_and_together() -> None:
    """One binary term: the test of the term is the test of all terms."""
    rows = [(5.0, 1), (7.0, 1), (8.0, 1), (9.0, 0), (10.0, 1), (11.0, 1)]
    given = outcome("cox", DEATH, {"terms": ["ARMCD"], "proportional_hazards": "true"})
    results, _ = run(given, {"adsl": people(6), "adtte": times(rows)})
    place = {"term": "Proportional hazards"}
    alone, together = (one(results, "p", category=c, **place) for c in ("ARMCD, B vs A", "All terms"))
    assert 0 < alone["value"] < 1
    assert alone["value"] == pytest.approx(together["value"])
    assert (alone["df"], together["df"]) == (1, 1)


def test_planned_is_never_a_number() -> None:
    given = outcome("planned", DEATH, {"method": "Joint model"})
    results, _ = run(given, {"adsl": people(1), "adtte": times([(5.0, 1)])})
    row = results.iloc[0]
    assert len(results) == 1
    assert pd.isna(row["value"])
    assert (row["note"], row["formatted"], row["method"]) == ("not implemented", "not implemented", "Joint model")


def test_composite_causes_are_named_by_their_parts() -> None:
    endpoint = {"kind": "time_to_event", "origin": "first_dose", "event": ["death", "hsct"]}
    given = outcome("cumulative_incidence", endpoint, {"at": ["9 days"], "causes": "hsct"})
    results, _ = run(given, {"adsl": people(2), "adtte": times([(5.0, 1), (9.0, 0)])})
    assert value(results, "cif", category="death+hsct", time=9.0) == pytest.approx(0.5)


def test_each_level_against_one_is_the_test_of_the_two_alone() -> None:
    """Of three levels, the pair's test equals the overall test where the third has no patients."""
    arms = [{"id": name, "label": name} for name in "ABC"]
    rows = [(5.0, 1), (8.0, 0), (12.0, 1), (15.0, 1), (20.0, 0), (22.0, 1), (28.0, 1), (30.0, 1), (31.0, 0)]
    three = adsl({f"{i:02d}": {"ARMCD": "ABC"[i % 3]} for i in range(9)})
    given = outcome("logrank", DEATH, {"by": "ARMCD", "compare_with": "A"})
    results, _ = run(given, {"adsl": three, "adtte": times(rows)}, protocol(arms=arms))
    pairs = results[results["comparator"].notna()]
    assert {(r.group, r.comparator) for r in pairs.itertuples()} == {("B", "A"), ("C", "A")}
    alone = outcome("logrank", DEATH, {"by": "ARMCD"})
    for level, other in (("B", "C"), ("C", "B")):
        few = three[three["ARMCD"] != other]
        kept = times(rows)
        kept = kept[kept["USUBJID"].isin(few["USUBJID"])]
        expected, _ = run(alone, {"adsl": few, "adtte": kept}, protocol(arms=arms))
        for statistic in ("chi_square", "p"):
            found = one(pairs, statistic, group=level)
            assert found["value"] == pytest.approx(value(expected, statistic, group="Overall"), rel=1e-12)
            assert found["df"] == 1.0
    with pytest.raises(ValueError, match="compare_with needs by"):
        outcome("logrank", DEATH, {"compare_with": "A"})
