"""States at the horizon and their time-to-event view: one row of state_truth.csv per branch of the rules."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from helpers.derive_case import adsl_of, check_contract, domain

from trialpipe.config.errors import ConfigError
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.config.scenarios import apply_sensitivity, scenarios
from trialpipe.derive.errors import UndeclaredIntercurrentEvent
from trialpipe.derive.run import derive

TRUTH = list(csv.DictReader((Path(__file__).parent / "data" / "state_truth.csv").open(encoding="utf-8")))
HORIZON = 122


def protocol(cutoff: str = "2019-12-31") -> Protocol:
    where = {"death": ("ds", "DSDECOD", "DEATH", "DSSTDTC"), "hsct": ("pr", "PRDECOD", "HSCT", "PRSTDTC")}
    where |= {"rescue": ("cm", "CMCAT", "RESCUE", "CMSTDTC"), "dose": ("ex", "EXTRT", "X", "EXSTDTC")}
    milestones = [
        {"id": i, "variable": f"{i.upper()}DT", "label": i, "domain": d, "where": {v: w}, "date": t}
        for i, (d, v, w, t) in where.items()
    ]
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
            "data_cutoff": cutoff,
            "time": {"origin": "dose", "first_day": "1"},
            "milestones": milestones,
            "last_alive": {"domains": ["lb", "ex"]},
            "intercurrent_events": [{"id": "rescue", "milestone": "rescue", "label": "Rescue"}],
            "populations": [{"id": "treated", "variable": "SAFFL", "label": "Treated", "require": "dose"}],
            "datasets": [
                {"kind": "state", "id": "adeff", "label": "State"},
                {"kind": "time_to_event", "id": "adtte", "label": "Time"},
            ],
        }
    )


def outcome(**changes: object) -> Outcome:
    endpoint = {"kind": "state_at_horizon", "origin": "dose", "horizon": f"{HORIZON} days", "terminal": "hsct"}
    estimand = {"population": "treated", "treatment": "X", "variable": "alive", "summary": "proportion"}
    estimand["intercurrent"] = changes.pop("intercurrent", {"rescue": "treatment_policy"})  # type: ignore[assignment]
    sensitivity = changes.pop("sensitivity", [])
    return Outcome.model_validate(
        {
            "id": "survival",
            "title": "Survival",
            "section": "efficacy",
            "group": "g",
            "paramcd": "SURV",
            "endpoint": endpoint | changes,
            "estimand": estimand,
            "analyses": [{"kind": "proportion"}],
            "sensitivity": sensitivity,
        }
    )


def clean(case: dict[str, str]) -> dict[str, pd.DataFrame]:
    date = {name: None if case[name] == "unknown" else case[name] for name in ("death", "hsct", "rescue", "seen")}
    row = {"id": "1"}
    return {
        "dm": domain("dm", [row]),
        "ex": domain("ex", [row | {"EXTRT": "X", "EXSTDTC": case.get("dose", "2018-01-01")}]),
        "ds": domain("ds", [row | {"DSDECOD": "DEATH", "DSSTDTC": date["death"]}] if case["death"] else []),
        "pr": domain("pr", [row | {"PRDECOD": "HSCT", "PRSTDTC": date["hsct"]}] if case["hsct"] else []),
        "cm": domain("cm", [row | {"CMCAT": "RESCUE", "CMSTDTC": date["rescue"]}] if case["rescue"] else []),
        "lb": domain("lb", [row | {"test": "HGB", "value": 80, "date": date["seen"]}] if case["seen"] else []),
    }


def run(dataset: str, case: dict[str, str], what: Outcome) -> pd.DataFrame:
    configured = protocol(case["cutoff"] or "2019-12-31")
    return derive(dataset, configured, (what,), {}, {"adsl": adsl_of(configured, clean(case))})


def configured_outcome(case: dict[str, str]) -> Outcome:
    success = "[reached, alive]" if case["success"] == "both" else case["success"]
    strategy = {"rescue": case["strategy"] or "treatment_policy"}
    parts = success.strip("[]").split(", ")
    unordered = case["unordered"] or "death"
    return outcome(lost=case["lost"], success=parts, intercurrent=strategy, unordered=unordered)


@pytest.mark.parametrize("case", TRUTH, ids=[case["case"] for case in TRUTH])
def test_state(case, tmp_path):
    found = run("adeff", case, configured_outcome(case))
    row = found.iloc[0]
    assert row["AVALC"] == (case["state"] or None)
    assert number(row["AVAL"]) == value(case["aval"])
    assert number(row["ATIME"]) == value(case["day"])
    assert case["note"] in (row["NOTE"] or "")
    assert bool(row["NOTE"]) == bool(case["note"])
    check_contract(found, "adeff", protocol(), tmp_path)


@pytest.mark.parametrize("case", TRUTH, ids=[case["case"] for case in TRUTH])
def test_time_view(case, tmp_path):
    found = run("adtte", case, configured_outcome(case))
    row = found.iloc[0]
    assert number(row["CNSR"]) == value(case["cnsr"])
    assert number(row["AVAL"]) == value(case["time"])
    assert row["EVENT"] == (case["event"] or None)
    check_contract(found, "adtte", protocol(), tmp_path)


def number(found: object) -> float | None:
    return None if pd.isna(found) else float(found)  # type: ignore[arg-type]


def value(text: str) -> float | None:
    return float(text) if text else None


BLANK = dict.fromkeys(("death", "hsct", "rescue", "cutoff", "strategy", "unordered"), "") | {"seen": "2018-06-30"}


def test_undeclared_intercurrent_event_stops_the_run():
    case = BLANK | {"rescue": "2018-02-01"}
    for dataset in ("adeff", "adtte"):
        with pytest.raises(UndeclaredIntercurrentEvent) as caught:
            run(dataset, case, outcome(intercurrent={}))
        assert caught.value.patients == 1
        text = str(caught.value)
        assert "outcome survival" in text
        assert "'rescue'" in text
        assert "1 patient(s)" in text
        assert "treatment_policy" in text.split(" - ")[1]


@pytest.mark.parametrize("rescue", ["", "2017-12-01", "2018-05-04"])
def test_an_event_outside_the_time_at_risk_needs_no_strategy(rescue):
    assert run("adeff", BLANK | {"rescue": rescue}, outcome(intercurrent={}))["AVAL"].tolist() == [1.0]


def test_an_event_outside_the_population_needs_no_strategy():
    case = BLANK | {"rescue": "2018-02-01", "dose": "2018-01-01"}
    configured = protocol()
    adsl = adsl_of(configured, clean(case))
    adsl["SAFFL"] = "N"
    assert len(derive("adeff", configured, (outcome(intercurrent={}),), {}, {"adsl": adsl})) == 1


@pytest.mark.parametrize("dose", [None, "2018-01"])
def test_without_an_exact_origin_the_state_is_undetermined(dose):
    case = BLANK | {"dose": dose}
    for dataset, column in (("adeff", "AVALC"), ("adtte", "CNSR")):
        row = run(dataset, case, outcome()).iloc[0]
        assert pd.isna(row["AVAL"])
        assert pd.isna(row[column])
        assert row["NOTE"] == "dose is partial"


def test_principal_stratum_is_refused():
    with pytest.raises(Exception, match="principal_stratum"):
        run("adeff", BLANK, outcome(intercurrent={"rescue": "principal_stratum"}))


SENSITIVITY = [
    {"id": "rescue-fails", "label": "x", "set": {"estimand.intercurrent.rescue": "composite_failure"}},
    {"id": "reached-only", "label": "x", "set": {"endpoint.success": "reached", "endpoint.horizon": "8 weeks"}},
    {"id": "level", "label": "x", "set": {"analyses.proportion.conf_level": "0.9"}},
]


def test_scenarios():
    case = BLANK | {"rescue": "2018-02-01"}
    found = run("adeff", case, outcome(sensitivity=SENSITIVITY))
    assert dict(zip(found["SCENARIO"], found["AVAL"], strict=True)) == {
        "primary": 1.0,
        "rescue-fails": 0.0,
        "reached-only": 0.0,
        "level": 1.0,
    }
    assert found["ATIME"].tolist() == [122.0, 122.0, 56.0, 122.0]
    changed = dict(scenarios(outcome(sensitivity=SENSITIVITY)))["level"]
    assert changed.analyses[0].conf_level == 0.9


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("endpoint.horizn", "56 days", "no part of the outcome"),
        ("endpoint.horizon", "8 wekks", "not a duration"),
        ("endpoint.success", "[reached, live]", "endpoint"),
        ("estimand.intercurrent.rescue", "ignore", "estimand.intercurrent.rescue"),
    ],
)
def test_a_sensitivity_that_leads_nowhere_is_refused(path, text, message):
    declared = outcome(sensitivity=[{"id": "s", "label": "x", "set": {path: text}}])
    with pytest.raises(ConfigError, match=message) as caught:
        apply_sensitivity(declared, declared.sensitivity[0])
    assert "outcomes[survival].sensitivity[s].set" in str(caught.value)
