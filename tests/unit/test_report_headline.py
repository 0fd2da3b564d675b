"""The number of an outcome in overviews, and the line headers of a comparison of two groups."""

from __future__ import annotations

from typing import Any

from trialpipe.report.run import headline
from trialpipe.report.tables import Row, table


def row(statistic: str, value: float, text: str, **place: Any) -> Row:
    found: Row = dict.fromkeys(
        ("group", "comparator", "stratum", "variable", "parameter", "term", "category", "base_visit", "visit", "time")
    )
    found |= {"analysis": "x", "scenario": "primary", "unit": None, "conf_level": None, "note": None, "method": None}
    found |= {"statistic": statistic, "value": value, "formatted": text, "cell_id": "c"}
    return found | place


def comparison(**place: Any) -> list[Row]:
    place = {"analysis": "difference_at_time", "group": "New", "comparator": "Old", "time": 730.0} | place
    numbers = (("difference", 0.2), ("lower", 0.1), ("upper", 0.3), ("p", 0.04))
    return [row(name, value, str(value), conf_level=0.95, **place) for name, value in numbers]


def test_a_comparison_names_its_groups() -> None:
    said = headline(comparison(), {"analysis": "difference_at_time"})
    assert said == "day 730: New vs Old, difference 0.2 (95 % CI 0.1 to 0.3; p 0.04)"
    made = table(comparison(), "difference_at_time", {})
    assert (made.stub, made.body[0][0]) == (["Group", "Day"], ["New vs Old", "730"])


def test_groups_only_where_the_analysis_is_named() -> None:
    rows = [
        row("cif", value, str(value), analysis="cumulative_incidence", group=group, time=time, cell_id=f"{group}{time}")
        for group, time, value in (("New", 365.0, 0.1), ("New", 730.0, 0.2), ("Old", 365.0, 0.3), ("Old", 730.0, 0.4))
    ]
    assert headline(rows, {}) == ""
    said = headline(rows, {"analysis": "cumulative_incidence"})
    assert said == "day 730: New, cumulative incidence 0.2; Old, cumulative incidence 0.4"
    overall = [*rows, row("cif", 0.25, "0.25", analysis="cumulative_incidence", group="Overall", time=730.0)]
    assert headline(overall, {"analysis": "cumulative_incidence"}) == "day 730: cumulative incidence 0.25"


def test_columns_of_values_outside_the_range_only_where_there_are_any() -> None:
    for below, printed in ((0.0, False), (1.0, True)):
        rows = [row("n", 3.0, "3"), row("n_below", below, f"{below:g}"), row("median", 5.0, "5")]
        head = table(rows, "describe_by_visit", {}).head
        assert ("<LLOQ (%)" in head, "Median" in head) == (printed, True)


def test_groups_stand_beside_each_other_where_few_columns_do() -> None:
    def line(group: str, statistic: str, value: float) -> Row:
        return row(statistic, value, f"{value:g}", variable="overview", category="Serious", group=group)

    few = [line(g, s, v) for g in ("New", "Old") for s, v in (("n", 1.0), ("denominator", 4.0), ("events", 2.0))]
    made = table(few, "adverse_events", {})
    assert (made.spans, made.body[0][0]) == ([("New", 2), ("Old", 2)], ["Serious"])
    many = few + [line(g, s, 3.0) for g in ("New", "Old") for s in ("person_time", "rate", "lower", "upper")]
    assert [first for (first, *_), _ in table(many, "adverse_events", {}).body] == ["New", "Old"]


def test_a_contrast_has_the_words_of_its_levels() -> None:
    rows = [row("hr", 0.5, "0.50", term="RISK", category="ADV vs FAV", analysis="cox")]
    words = {("term", "RISK"): "Risk", ("category", "ADV"): "Adverse", ("category", "FAV"): "Favourable"}
    assert table(rows, "cox", words).body[0][0] == ["Risk", "Adverse vs Favourable"]


def test_a_count_of_intercurrent_events_is_no_headline() -> None:
    found = [row("n", 6.0, "6"), row("denominator", 42.0, "42"), row("percent", 14.3, "14.3")]
    events = [one | {"analysis": "intercurrent_events", "group": "Overall", "category": "rescue"} for one in found]
    assert headline(events, {}) == ""
    median = row("median", 5.0, "5.0", analysis="describe_by_visit", group="Overall", visit="D7", cell_id="d")
    assert headline([*events, median], {}) == "D7: median 5.0"
