"""Levels made of bands of a number, rounding in formulas, events by a filter, adverse events marked by a rule."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.derive_case import adsl_of, domain, filled
from pydantic import ValidationError

from trialpipe.config.datasets import TermList
from trialpipe.config.protocol import DerivedEvent, Grouping, Protocol, ValueBand
from trialpipe.derive import formula
from trialpipe.derive.events import with_events
from trialpipe.derive.run import derive
from trialpipe.derive.subjects import subjects
from trialpipe.io.errors import DataError

LIST = {
    "variable": "DERMFL",
    "label": "Dermatologic",
    "contains": ["application", "Erythema"],
    "classes": ["SKIN DISORDERS"],
    "except_terms": ["Alopecia"],
}
EVENT = {"id": "derm", "label": "Derm", "dataset": "adae", "where": {"DERMFL": "Y", "TRTEMFL": "Y"}, "date": "ASTDT"}
BANDS = [{"label": "<65", "lt": 65}, {"label": "65-80", "ge": 65, "le": 80}, {"label": ">80", "gt": 80}]


def protocol() -> Protocol:
    return Protocol.model_validate(
        {
            "trial": "t",
            "acronym": "T",
            "title": "t",
            "sponsor": "s",
            "synthetic": "true",
            "source": "s",
            "design": {"allocation": "single_arm", "planned_n": "1", "summary": "s"},
            "arms": [{"id": "A", "label": "A"}],
            "data_cutoff": "2019-12-31",
            "time": {"origin": "dose", "first_day": "0"},
            "milestones": [{"id": "dose", "variable": "TRTSDT", "label": "d", "domain": "ex", "date": "EXSTDTC"}],
            "last_alive": {"domains": ["ae"]},
            "subject_variables": [
                {"name": "AGE", "label": "Age", "domain": "dm", "column": "AGE", "type": "number", "unit": "years"}
            ],
            "formulas": [{"name": "DECADES", "label": "Decades", "expression": "round(AGE / 10, 0)"}],
            "groupings": [{"name": "AGEGR1", "label": "Age group", "of": "AGE", "bands": BANDS}],
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "derived_events": [EVENT],
            "datasets": [
                {
                    "kind": "adverse_events",
                    "id": "adae",
                    "label": "AE",
                    "windows": [{"id": "on", "variable": "TRTEMFL", "label": "On", "start": "dose"}],
                    "lists": [LIST],
                }
            ],
        }
    )


def adsl(ages: list[float | None]) -> pd.DataFrame:
    clean = {"dm": domain("dm", [{"id": str(i), "AGE": age} for i, age in enumerate(ages)])}
    return adsl_of(protocol(), filled(protocol(), clean))


def test_bands_hold_their_limits_as_declared() -> None:
    found = adsl([64.0, 65.0, 80.0, 80.5, None])
    assert list(found["AGEGR1"].astype(object).where(found["AGEGR1"].notna(), None)) == [
        "<65",
        "65-80",
        "65-80",
        ">80",
        None,
    ]


def test_a_number_in_no_band_is_missing_and_the_first_band_counts() -> None:
    bands = (ValueBand(label="a", ge=1, lt=3), ValueBand(label="b", ge=2, lt=4))
    chosen = [next((b.label for b in bands if b.holds(x)), None) for x in (0.5, 1.0, 2.0, 3.0, 4.0)]
    assert chosen == [None, "a", "a", "b", None]


@pytest.mark.parametrize("limits", [{}, {"ge": 1, "gt": 1}, {"le": 1, "lt": 1}])
def test_a_band_has_at_most_one_limit_on_each_side(limits: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        ValueBand.model_validate({"label": "x", **limits})
    with pytest.raises(ValidationError):
        Grouping.model_validate({"name": "X", "label": "x", "of": "AGE", "bands": [{"label": "x", **limits}]})


@pytest.mark.parametrize(
    ("expression", "x", "wanted"),
    [
        ("round(X, 1)", 54.45, 54.5),  # binary 54.4500000000000028
        ("round(X, 2)", 2.675, 2.68),  # binary 2.67499999999999982
        ("round(X, 0)", 2.5, 3.0),
        ("round(X, 0)", -2.5, -3.0),
        ("round(X * 2, 1) + 1", 0.125, 1.3),
        ("round(X, 1)", None, None),
        ("round(X / 0, 1)", 1.0, None),
    ],
)
def test_round_takes_halves_away_from_zero(expression: str, x: float | None, wanted: float | None) -> None:
    assert formula.names(expression) == ["X"]
    assert formula.evaluate(formula.parse(expression), {"X": x}) == wanted


@pytest.mark.parametrize(
    "expression", ["round(X)", "round(X, Y)", "round(X, 1.5)", "round(X, -1)", "round(X, 11)", "abs(X)", "X(1, 2)"]
)
def test_no_other_call_is_a_formula(expression: str) -> None:
    with pytest.raises(DataError, match="call"):
        formula.parse(expression)


def adae(rows: list[tuple[str | None, str | None, str]]) -> pd.DataFrame:
    clean = {
        "dm": domain("dm", [{"id": "1", "AGE": 50.0}]),
        "ex": domain("ex", [{"id": "1", "EXSTDTC": "2018-01-15"}]),
        "ae": domain(
            "ae",
            [
                {"id": "1", "AETERM": "x", "AEDECOD": term, "AEBODSYS": soc, "AESTDTC": start, "key": f"{i}/1"}
                for i, (term, soc, start) in enumerate(rows)
            ],
        ),
    }
    plan = protocol()
    return derive("adae", plan, (), filled(plan, clean), {"adsl": adsl_of(plan, filled(plan, clean))})


@pytest.mark.parametrize(
    ("term", "soc", "flag"),
    [
        ("APPLICATION SITE PAIN", "General disorders", "Y"),  # part of the term
        ("Pharyngeal érythema", "Respiratory disorders", "Y"),  # accents and case aside
        ("Rash", "Skin  disorders", "Y"),  # class
        ("ALOPECIA", "SKIN DISORDERS", "N"),  # not meant
        ("Alopecia with erythema", "SKIN DISORDERS", "Y"),  # another term
        ("Rash", "General disorders", "N"),
        ("Rash", None, "N"),
        (None, "SKIN DISORDERS", None),  # not coded: unknown
    ],
)
def test_events_marked_by_a_rule(term: str | None, soc: str | None, flag: str | None) -> None:
    found = adae([(term, soc, "2018-02-01")])["DERMFL"].iloc[0]
    assert (None if pd.isna(found) else found) == flag


def test_terms_are_named_one_by_one() -> None:
    with pytest.raises(ValidationError, match="which events are marked"):
        TermList.model_validate({"variable": "X", "label": "x"})
    with pytest.raises(ValidationError, match="except_terms is for classes"):
        TermList.model_validate({"variable": "X", "label": "x", "terms": ["A"], "except_terms": ["B"]})


def test_the_first_event_that_matches_the_filter_counts() -> None:
    """One before treatment and one that is no event of the list do not; the earlier of two that are does."""
    rows = [
        ("Rash", "Skin disorders", "2018-01-10"),
        ("Rash", "Skin disorders", "2018-03-01"),
        ("Erythema", "Eye disorders", "2018-02-20"),
        ("Headache", "Nervous system disorders", "2018-01-20"),
    ]
    events = adae(rows)
    people = subjects(adsl([50.0]), protocol())
    plan = protocol()
    one = events.assign(USUBJID=people[0].usubjid)
    found = with_events(people, plan, {"adae": one})[0]
    moment = found.moment("derm")
    assert moment is not None
    assert pd.Timestamp("1970-01-01") + pd.Timedelta(days=moment.high) == pd.Timestamp("2018-02-20")
    assert found.rows["derm"] == one["row_id"].iloc[2]


def test_an_event_needs_to_say_which_rows() -> None:
    with pytest.raises(ValidationError, match="which rows are the event"):
        DerivedEvent.model_validate({"id": "x", "label": "x", "dataset": "adae"})
