"""Intercurrent events: one row of intercurrent_truth.csv per branch of where, when and in whom they are found."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.analyse_frames import run as analysed
from helpers.analyse_frames import value
from helpers.derive_case import adsl_of, check_contract, domain
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from trialpipe.config import estimands
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import IntercurrentEvent, Protocol
from trialpipe.config.scenarios import scenarios
from trialpipe.derive import days
from trialpipe.derive.errors import UndeclaredIntercurrentEvent
from trialpipe.derive.run import derive
from trialpipe.io.contracts import ADTTE, ADTTR

TRUTH = list(csv.DictReader((Path(__file__).parent / "data" / "intercurrent_truth.csv").open(encoding="utf-8")))
WHERE = {
    "inclusion": ("dm", {}, "DMDTC"),
    "dose": ("ex", {"EXTRT": "X"}, "EXSTDTC"),
    "last_dose": ("ex", {"EXTRT": "X"}, "EXENDTC"),
    "rescue": ("cm", {}, "CMSTDTC"),
    "hsct": ("pr", {}, "PRSTDTC"),
    "death": ("ds", {}, "DSSTDTC"),
}
EVENTS: list[dict[str, Any]] = [
    {"id": "rescue", "milestone": "rescue", "label": "Rescue"},
    {
        "id": "stop",
        "milestone": "last_dose",
        "label": "Stopped early",
        "stop": {"start": "dose", "planned": "28 days", "unless": ["death", "last_alive"]},
    },
    {"id": "never", "absent": "dose", "at": "inclusion", "label": "Never treated"},
    {"id": "other_arm", "milestone": "rescue", "population": "arm_b", "label": "Rescue in arm B"},
    {"id": "hsct", "milestone": "hsct", "label": "HSCT"},
    {"id": "death", "milestone": "death", "label": "Death"},
]
ENDPOINTS: dict[str, dict[str, Any]] = {
    "state": {"kind": "state_at_horizon", "origin": "dose", "horizon": "122 days", "terminal": "hsct"},
    "time": {"kind": "time_to_event", "origin": "dose", "event": "death"},
    "included": {"kind": "time_to_event", "origin": "inclusion", "event": "death"},
    "visits": {"kind": "findings", "dataset": "adlb"},
    "safety": {"kind": "adverse_events", "dataset": "adae"},
}
ANALYSES: dict[str, dict[str, Any]] = {
    "state": {"kind": "proportion"},
    "time": {"kind": "kaplan_meier", "at": ["28 days"]},
    "included": {"kind": "kaplan_meier", "at": ["28 days"]},
    "visits": {"kind": "describe_by_visit", "visits": ["D14"]},
    "safety": {"kind": "adverse_events", "window": "w"},
}


def protocol(events: list[dict[str, Any]] | None = None) -> Protocol:
    milestones = [
        {"id": i, "variable": f"{i.upper().replace('_', '')}DT", "label": i, "domain": d, "where": w, "date": t}
        for i, (d, w, t) in WHERE.items()
    ]
    window = {"id": "w", "variable": "TRTEMFL", "label": "w", "start": "dose", "ends": ["hsct"], "until": "28 days"}
    made = Protocol.model_validate(
        {
            "trial": "t",
            "acronym": "T",
            "title": "t",
            "sponsor": "s",
            "synthetic": "true",
            "source": "s",
            "design": {"allocation": "randomised", "planned_n": "1", "summary": "s"},
            "arms": [{"id": "A", "label": "Arm A"}, {"id": "B", "label": "Arm B"}],
            "data_cutoff": "2019-12-31",
            "time": {"origin": "dose", "first_day": "1"},
            "milestones": milestones,
            "last_alive": {"domains": ["lb", "ex", "pr"]},
            "intercurrent_events": EVENTS if events is None else events,
            "populations": [
                {"id": "everyone", "variable": "ENRLFL", "label": "Everyone"},
                {"id": "arm_b", "variable": "ARMBFL", "label": "Arm B", "where": {"ARMCD": "B"}, "parent": "everyone"},
            ],
            "visit_sets": [
                {
                    "id": "v",
                    "stop_before": ["hsct"],
                    "visits": [
                        {"label": "D14", "day": "14", "window": ["11", "17"]},
                        {"label": "D28", "day": "28", "window": ["25", "31"]},
                        {"label": "HSCT + 1 month", "anchor": "hsct", "day": "30", "window": ["20", "40"]},
                    ],
                }
            ],
            "datasets": [
                {
                    "kind": "findings",
                    "id": "adlb",
                    "label": "l",
                    "domain": "lb",
                    "visits": "v",
                    "parameters": [{"code": "HGB", "label": "h", "where": {"LBTESTCD": "HGB"}}],
                },
                {"kind": "adverse_events", "id": "adae", "label": "a", "domain": "ae", "windows": [window]},
                {"kind": "response", "id": "adrs", "label": "r", "inputs": [], "visits": "v", "rule_sets": ["R"]}
                | {"max_age": "7 days"},
                {"kind": "response_time", "id": "adttr", "label": "t", "source": "adrs", "competing": ["death"]},
                {"kind": "stay", "id": "adstay", "label": "s", "code": "S", "origin": "dose", "discharge": "hsct"},
            ],
        }
    )
    return estimands.with_intercurrent(made)


def outcome(name: str, declared: dict[str, str] | None = None, **changes: Any) -> Outcome:
    estimand = {"population": "everyone", "treatment": "X", "variable": "v", "summary": "s"}
    base = {
        "id": name,
        "title": name,
        "registered": {"title": name, "time_frame": "t", "role": "secondary"},
        "section": "efficacy",
        "group": "g",
        "paramcd": "P",
        "endpoint": ENDPOINTS.get(name, {}),
        "estimand": {**estimand, "intercurrent": declared or {}},
        "analyses": [ANALYSES[name]] if name in ANALYSES else [],
    }
    return Outcome.model_validate({**base, **changes})


def handled(name: str, configured: Protocol, **changes: Any) -> Outcome:
    """The outcome with a strategy for every event that is no part of its endpoint."""
    plain = outcome(name, **changes)
    own = estimands.own_milestones(plain, configured)
    chosen = {
        event.id: "treatment_policy" if "treatment_policy" in allowed else allowed[0]
        for event in configured.intercurrent_events
        if event.moment not in own and (allowed := estimands.truthful(plain, event, configured))
    }
    return outcome(name, chosen, **changes)


def clean(case: dict[str, str]) -> dict[str, pd.DataFrame]:
    row = {"id": "1"}
    dose = row | {"EXTRT": "X", "EXSTDTC": case["dose"], "EXENDTC": case["last_dose"]}
    return {
        "dm": domain("dm", [row | {"ARMCD": case["arm"], "DMDTC": "2017-12-30"}]),
        "ex": domain("ex", [dose] if case["dose"] else []),
        "cm": domain("cm", [row | {"CMSTDTC": case["rescue"]}] if case["rescue"] else []),
        "pr": domain("pr", [row | {"PRSTDTC": case["hsct"]}] if case["hsct"] else []),
        "ds": domain("ds", [row | {"DSSTDTC": case["death"]}] if case["death"] else []),
        "lb": domain("lb", [row | {"test": "HGB", "value": 80, "date": case["seen"]}]),
    }


def found_in(case: dict[str, str], what: Outcome, configured: Protocol) -> pd.DataFrame:
    return derive("adice", configured, (what,), {}, {"adsl": adsl_of(configured, clean(case))})


@pytest.mark.parametrize("case", TRUTH, ids=[case["case"] for case in TRUTH])
def test_event_at_risk(case: dict[str, str], tmp_path: Path) -> None:
    configured = protocol()
    frame = found_in(case, handled(case["endpoint"], configured), configured)
    row = frame[frame["ICE"] == case["event"]].iloc[0]
    assert row["STRATEGY"] == case["strategy"]
    assert row["OCCURFL"] == (case["occurs"] or None)
    assert (None if pd.isna(row["AVAL"]) else row["AVAL"]) == (float(case["day"]) if case["day"] else None)
    for column, name in (("STARTDT", "start"), ("ENDDT", "end")):
        assert (None if pd.isna(row[column]) else row[column].date().isoformat()) == (case[name] or None)
    assert bool(row["NOTE"]) == (case["occurs"] == "")
    check_contract(frame, "adice", configured, tmp_path)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("event", [event["id"] for event in EVENTS])
def test_every_kind_of_event_and_endpoint_has_a_case(endpoint: str, event: str) -> None:
    """Each event is found and not found somewhere, and each endpoint has a patient with and without an event."""
    assert {case["occurs"] for case in TRUTH if case["event"] == event} >= {"Y"}
    assert {case["occurs"] for case in TRUTH if case["endpoint"] == endpoint} >= {"Y", "N"}


PATIENT = dict.fromkeys(("dose", "last_dose", "rescue", "hsct", "death"), "") | {
    "arm": "A",
    "dose": "2018-01-01",
    "last_dose": "2018-01-28",
    "rescue": "2018-01-10",
    "seen": "2018-12-31",
}


@pytest.mark.parametrize("endpoint", ["state", "time", "included", "visits", "safety"])
def test_an_undeclared_event_stops_the_run(endpoint: str) -> None:
    configured = protocol([event for event in EVENTS if event["id"] == "rescue"])
    with pytest.raises(UndeclaredIntercurrentEvent) as caught:
        found_in(PATIENT, outcome(endpoint), configured)
    assert f"outcome {endpoint}" in str(caught.value)
    assert caught.value.event == "rescue"
    assert caught.value.patients == 1


def test_an_undeclared_event_outside_the_population_or_the_time_at_risk_does_not() -> None:
    configured = protocol([event for event in EVENTS if event["id"] == "rescue"])
    estimand = {"population": "arm_b", "treatment": "X", "variable": "v", "summary": "s"}
    assert found_in(PATIENT, outcome("visits", estimand=estimand), configured).empty
    assert found_in(PATIENT | {"rescue": "2018-03-01"}, outcome("visits"), configured).empty


def test_an_undeclared_stop_is_found_by_the_derivation_of_the_endpoint_itself() -> None:
    configured = protocol([event for event in EVENTS if event["id"] == "stop"])
    configured = configured.model_copy(update={"datasets": (*configured.datasets, *_times())})
    adsl = adsl_of(configured, clean(PATIENT | {"last_dose": "2018-01-05"}))
    for name in ("state", "time"):
        with pytest.raises(UndeclaredIntercurrentEvent, match="'stop'"):
            derive("adtte", configured, (outcome(name),), {}, {"adsl": adsl})


@pytest.mark.parametrize(
    ("strategy", "state", "aval"),
    [("treatment_policy", "alive", 1.0), ("composite_failure", "alive", 0.0), ("hypothetical", "alive", None)],
)
def test_the_strategy_for_a_stop_is_applied(strategy: str, state: str, aval: float | None) -> None:
    configured = protocol([event for event in EVENTS if event["id"] == "stop"])
    configured = configured.model_copy(update={"datasets": (*configured.datasets, *_times())})
    adsl = adsl_of(configured, clean(PATIENT | {"last_dose": "2018-01-05"}))
    row = derive("adeff", configured, (outcome("state", {"stop": strategy}),), {}, {"adsl": adsl}).iloc[0]
    assert row["AVALC"] == state
    assert (None if pd.isna(row["AVAL"]) else row["AVAL"]) == aval
    time = derive("adtte", configured, (outcome("time", {"stop": strategy}),), {}, {"adsl": adsl}).iloc[0]
    wanted = {"treatment_policy": (1, 364.0), "composite_failure": (0, 4.0), "hypothetical": (1, 4.0)}[strategy]
    assert (time["CNSR"], time["AVAL"]) == wanted


def _times() -> tuple[Any, ...]:
    fields = [{"kind": "state", "id": "adeff", "label": "s"}, {"kind": "time_to_event", "id": "adtte", "label": "t"}]
    return tuple(type(protocol()).model_validate(_with(fields)).datasets)


def _with(fields: list[dict[str, str]]) -> dict[str, Any]:
    return {**protocol([]).model_dump(mode="json"), "datasets": fields}


def test_time_to_response_ends_the_time_at_risk() -> None:
    """Rescue on day 9 is intercurrent to a response at D14, not to one at D7; other rule-sets and levels do not."""
    configured = protocol()
    what = outcome(
        "response",
        dict.fromkeys([e["id"] for e in EVENTS if e["id"] != "death"], "treatment_policy"),
        endpoint={"kind": "response_time", "dataset": "adttr"},
        analyses=[{"kind": "response_incidence", "rule_set": "R", "level": "CR"}],
    )
    adsl = adsl_of(configured, clean(PATIENT))
    for time, wanted in ((13.0, "Y"), (6.0, "N")):
        rows = [("R", "CR", time), ("R", "PR", 364.0), ("S", "CR", 364.0)]
        made = [{"USUBJID": "t/1", "RULESET": r, "LEVEL": level, "TIME": t, "CNSR": 0} for r, level, t in rows]
        given = {"adsl": adsl, "adttr": days.frame(made, ADTTR)}
        found = derive("adice", configured, (what,), {}, given)
        assert found.loc[found["ICE"] == "rescue", "OCCURFL"].tolist() == [wanted]


def test_a_dataset_of_times_gives_the_time_at_risk() -> None:
    """Rows of another outcome or scenario, and rows without a time, are none of it."""
    configured = protocol()
    what = handled("stay", configured, endpoint={"kind": "reactivation", "dataset": "adstay"})
    base = {"USUBJID": "t/1", "PARAMCD": "P", "SCENARIO": "primary", "CNSR": 1}
    dates = {"STARTDT": pd.Timestamp("2018-01-05"), "ADT": pd.Timestamp("2018-01-09")}
    rows = [
        base | dates,
        base | dates | {"PARAMCD": "Q", "ADT": pd.Timestamp("2018-12-01")},
        base | dates | {"SCENARIO": "best", "ADT": pd.Timestamp("2018-12-01")},
        base | {"CNSR": None, "STARTDT": pd.Timestamp("2018-01-01"), "ADT": pd.NaT},
    ]
    given = {"adsl": adsl_of(configured, clean(PATIENT))}
    for end, wanted in (("2018-01-09", "N"), ("2018-01-10", "Y")):
        rows[0] = rows[0] | {"ADT": pd.Timestamp(end)}
        frame = days.frame(rows, ADTTE)
        found = derive("adice", configured, (what,), {}, {**given, "adstay": frame})
        assert found.loc[found["ICE"] == "rescue", "OCCURFL"].tolist() == [wanted]


def test_counts_by_arm_with_zero_for_what_is_declared_and_not_found() -> None:
    configured = protocol([event for event in EVENTS if event["id"] in ("rescue", "hsct", "death")])
    what = handled("time", configured)
    patients = {f"{n}": arm for n, arm in enumerate("AAB", start=1)}
    rescued = {"1": "2018-01-10", "3": "2018-02-01"}
    domains = {
        "dm": domain("dm", [{"id": n, "ARMCD": arm, "DMDTC": "2017-12-30"} for n, arm in patients.items()]),
        "ex": domain(
            "ex", [{"id": n, "EXTRT": "X", "EXSTDTC": "2018-01-01", "EXENDTC": "2018-01-28"} for n in patients]
        ),
        "cm": domain("cm", [{"id": n, "CMSTDTC": when} for n, when in rescued.items()]),
        "ds": domain("ds", [{"id": "1", "DSSTDTC": "2018-06-01"}]),
        "lb": domain("lb", [{"id": n, "test": "HGB", "value": 80, "date": "2018-05-31"} for n in patients]),
    }
    adsl = adsl_of(configured, domains)
    ice = derive("adice", configured, (what,), {}, {"adsl": adsl})
    results, _ = analysed(estimands.counted(what, configured), {"adsl": adsl, "adice": ice}, configured)
    for event, term, numbers in (
        ("rescue", "treatment_policy", {"Arm A": (1, 2), "Arm B": (1, 1), "Overall": (2, 3)}),
        ("hsct", "treatment_policy", {"Arm A": (0, 2), "Arm B": (0, 1), "Overall": (0, 3)}),
        ("death", "part_of_endpoint", {"Arm A": (1, 2), "Arm B": (0, 1), "Overall": (1, 3)}),
    ):
        for group, (n, denominator) in numbers.items():
            assert value(results, "n", category=event, term=term, group=group) == n
            assert value(results, "denominator", category=event, group=group) == denominator
    assert len(results) == 3 * 3 * 3


def test_a_population_of_one_arm_has_one_group() -> None:
    estimand = {"population": "arm_b", "treatment": "X", "variable": "v", "summary": "s"}
    counted = estimands.counted(outcome("time", estimand=estimand), protocol())
    assert [analysis.by for analysis in counted.analyses] == [None]


WRONG = [
    ("visits", "rescue", "hypothetical", "treatment_policy"),
    ("visits", "rescue", "composite_failure", "treatment_policy"),
    ("visits", "hsct", "treatment_policy", "while_on_treatment"),
    ("visits", "death", "treatment_policy", "while_alive"),
    ("safety", "hsct", "treatment_policy", "while_on_treatment"),
    ("time", "death", "treatment_policy", "terminal_by_definition or composite_failure"),
    ("time", "rescue", "while_alive", "treatment_policy or composite_failure or hypothetical or while_on_treatment"),
]


@pytest.mark.parametrize(("endpoint", "event", "strategy", "cure"), WRONG)
def test_a_strategy_that_is_not_derived_is_refused(endpoint: str, event: str, strategy: str, cure: str) -> None:
    configured = protocol()
    faults = list(estimands.faults(configured, (outcome(endpoint, {event: strategy}),)))
    assert [path for path, _ in faults] == [("outcomes", 0, "estimand", "intercurrent", event)]
    assert faults[0][1].endswith(f"use {cure}")
    right = cure.split(" or ")[0]
    assert not list(estimands.faults(configured, (outcome(endpoint, {event: right}),)))


def test_visits_that_hang_on_a_milestone_are_not_stopped_by_it() -> None:
    analysis = {"kind": "describe_by_visit", "visits": ["HSCT + 1 month"]}
    what = outcome("visits", {"hsct": "treatment_policy"}, analyses=[analysis])
    assert not list(estimands.faults(protocol(), (what,)))


def test_the_group_of_the_counts_is_reserved() -> None:
    faults = list(estimands.faults(protocol(), (outcome("time", group="intercurrent"),)))
    assert len(faults) == 1
    assert "another name" in faults[0][1]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"milestone": "rescue", "absent": "dose", "at": "inclusion"},
        {"absent": "dose"},
        {"milestone": "rescue", "at": "inclusion"},
        {"absent": "dose", "at": "inclusion", "stop": {"start": "dose", "planned": "28 days"}},
    ],
)
def test_an_event_is_either_there_or_absent(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IntercurrentEvent.model_validate({"id": "e", "label": "e", **fields})


@settings(max_examples=60, deadline=None)
@given(
    rescue=st.integers(-30, 200),
    death=st.one_of(st.none(), st.integers(1, 200)),
    shift=st.integers(-700, 700),
    endpoint=st.sampled_from(sorted(ENDPOINTS)),
)
def test_only_differences_of_days_count(rescue: int, death: int | None, shift: int, endpoint: str) -> None:
    """The same course on another calendar day gives the same answer; an event is found exactly inside its bounds."""
    found = []
    for start in (pd.Timestamp("2015-01-01"), pd.Timestamp("2015-01-01") + pd.Timedelta(days=shift)):
        configured = protocol([event for event in EVENTS if event["id"] in ("rescue", "death", "hsct")])

        def when(day: int | None, start: pd.Timestamp = start) -> str:
            return "" if day is None else (start + pd.Timedelta(days=day)).date().isoformat()

        case = PATIENT | {"dose": when(0), "last_dose": when(0), "rescue": when(rescue), "death": when(death)}
        case["seen"] = when(300 if death is None else death)
        tables = clean(case)
        tables["dm"] = domain("dm", [{"id": "1", "ARMCD": "A", "DMDTC": when(-2)}])
        adsl = adsl_of(configured, tables)
        frame = derive("adice", configured, (handled(endpoint, configured),), {}, {"adsl": adsl})
        row = frame[frame["ICE"] == "rescue"].iloc[0]
        inside = row["STARTDT"] <= start + pd.Timedelta(days=rescue) <= row["ENDDT"]
        assert row["OCCURFL"] == ("Y" if inside else "N")
        found.append((row["OCCURFL"], row["AVAL"], (row["ENDDT"] - row["STARTDT"]).days))
    assert str(found[0]) == str(found[1])


def test_sensitivity_scenarios_change_no_count() -> None:
    what = estimands.counted(handled("time", protocol()), protocol())
    assert [name for name, _ in scenarios(what)] == ["primary"]
