"""Every analysis kind on no data at all: nulls with notes, never a crash or an invented number."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, outcome, protocol, run

from trialpipe.analyse.laws import laws
from trialpipe.analyse.run import KINDS
from trialpipe.analyse.stack import stack
from trialpipe.derive import eligibility
from trialpipe.io import contracts, contracts_icu, store
from trialpipe.io.contracts import Column

TIMES = {"kind": "time_to_event", "origin": "first_dose", "event": "death", "competing": "hsct"}
DEATH = {"kind": "time_to_event", "origin": "first_dose", "event": "death"}
STATE = {"kind": "state_at_horizon", "origin": "first_dose", "horizon": "56 days", "terminal": "hsct"}
FINDINGS = {"kind": "findings", "dataset": "adlb"}
RESPONSE = {"kind": "response", "dataset": "adrs"}
RESPONSE_TIME = {"kind": "response_time", "dataset": "adttr"}
INFECTIONS = {"kind": "infections", "dataset": "adinf"}
EVENTS = {"kind": "adverse_events", "dataset": "adae"}
SUBJECTS = {"kind": "subjects"}
LEVEL = {"rule_set": "R", "level": "CR"}
SPECS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "proportion": (STATE, {"by": "ARMCD", "null_value": "0.4", "alternative": "greater"}),
    "simon_two_stage": (STATE, {"accrual": "closed"}),
    "cumulative_incidence": (TIMES, {"by": "ARMCD", "at": ["28 days"]}),
    "kaplan_meier": (TIMES, {"by": "ARMCD", "at": ["28 days"], "rmst": "28 days", "follow_up": "true"}),
    "event_time": (TIMES, {"by": "ARMCD"}),
    "infections": (INFECTIONS, {"by": "ARMCD"}),
    "length_of_stay": ({"kind": "stay", "dataset": "adstay"}, {"by": "ARMCD"}),
    "nosocomial": ({"kind": "nosocomial", "dataset": "adnoso"}, {"by": "ARMCD"}),
    "logrank": (TIMES, {"by": "ARMCD", "strata": ["SEX"]}),
    "difference_at_time": (TIMES, {"by": "ARMCD", "at": ["28 days"]}),
    "difference_in_proportions": (FINDINGS, {"by": "ARMCD"}),
    "first_events": (TIMES, {"by": "ARMCD"}),
    "cox": (TIMES, {"terms": ["ARMCD", "AGE"], "strata": ["SEX"]}),
    "fine_gray": (TIMES, {"terms": ["ARMCD", "AGE"]}),
    "response_by_visit": (RESPONSE, {"rule_set": "R", "levels": ["CR", "PR"], "visits": ["D14"]}),
    "response_incidence": (RESPONSE_TIME, LEVEL),
    "response_turnbull": (RESPONSE_TIME, LEVEL),
    "responder_time": (RESPONSE_TIME, LEVEL),
    "describe_by_visit": (FINDINGS, {"parameters": ["HGB"], "visits": ["D14"], "geometric": "true"}),
    "in_bands": (FINDINGS, {"parameter": "HGB", "visit": "D14", "bands": [{"id": "b", "label": "b", "low": "1"}]}),
    "sparse_area": (
        FINDINGS,
        {
            "parameter": "HGB",
            "hours": [
                {"hours": "0", "from_hours": "-1", "to_hours": "0"},
                {"hours": "2", "from_hours": "1", "to_hours": "3"},
            ],
        },
    ),
    "paired_change": (FINDINGS, {"parameters": ["HGB"], "base_visit": "D1", "visit": "D14"}),
    "mixed_model": (FINDINGS, {"parameter": "HGB", "visits": ["D1", "D14"], "base_visit": "D1", "by": "ARMCD"}),
    "ancova": (FINDINGS, {"parameter": "HGB", "visit": "D14", "by": "ARMCD", "covariates": ["SEX"]}),
    "cmh": (FINDINGS, {"parameter": "CNS", "visit": "D14", "by": "ARMCD", "categories": ["N", "Y"], "strata": ["SEX"]}),
    "state_occupation": (DEATH, {"by": "ARMCD", "at": ["28 days"], "states": [{"milestone": "hsct", "label": "HSCT"}]}),
    "categories_by_visit": (FINDINGS, {"parameters": ["CNS"], "visits": ["D14"], "categories": ["N", "Y"]}),
    "adverse_events": (EVENTS, {"window": "w", "by": "ARMCD"}),
    "baseline": (
        SUBJECTS,
        {"items": [{"variable": "AGE"}, {"variable": "SEX"}, {"dataset": "adlb", "parameter": "HGB"}]},
    ),
    "flow": (SUBJECTS, {"boxes": [{"id": "all", "label": "All"}, {"id": "dead", "label": "Dead", "require": "death"}]}),
    "populations": (SUBJECTS, {}),
    "deviations": ({"kind": "findings", "dataset": "adie"}, {"by": "ARMCD"}),
    "intercurrent_events": (TIMES, {"by": "ARMCD"}),
    "planned": (TIMES, {"method": "Joint model"}),
}
RESPONSES = [
    {
        "kind": "response",
        "id": "adrs",
        "label": "r",
        "inputs": [],
        "visits": "v",
        "rule_sets": ["R"],
        "max_age": "7 days",
    },
    {"kind": "response_time", "id": "adttr", "label": "t", "source": "adrs"},
    {
        "kind": "infections",
        "id": "adinf",
        "label": "i",
        "viruses": [{"code": "CMV", "label": "CMV", "where": {"MBTESTCD": "CMV"}}],
        "start": "first_dose",
    },
    {
        "kind": "stay",
        "id": "adstay",
        "label": "s",
        "code": "STAY",
        "origin": "first_dose",
        "discharge": "hsct",
    },
    {
        "kind": "nosocomial",
        "id": "adnoso",
        "label": "n",
        "types": [{"code": "BACT", "label": "b", "where": {"CEDECOD": "B"}}],
        "origin": "first_dose",
        "admission": "first_dose",
    },
    {
        "kind": "eligibility",
        "id": "adie",
        "label": "e",
        "inputs": [],
        "visit": "D14",
        "criteria": [{"code": "I01", "category": "INCLUSION", "text": "i", "rule": {"parameter": "AGE", "lt": "18"}}],
    },
]
VISITS = [{"id": "v", "visits": [{"label": "D14", "day": "14", "window": ["11", "17"]}]}]
WINDOW = {
    "kind": "adverse_events",
    "id": "adae",
    "label": "AE",
    "windows": [{"id": "w", "variable": "TRTEMFL", "label": "w", "start": "first_dose", "until": "28 days"}],
}


SIMON = {"p0": "0.7", "p1": "0.9", "alpha": "0.1", "power": "0.8", "r1": "4", "n1": "6", "r": "16", "n": "20"}
DESIGN = {"allocation": "single_arm", "planned_n": "20", "summary": "toy", "simon": SIMON}


def nothing() -> dict[str, pd.DataFrame]:
    flag = Column("TRTEMFL", "text", "Window")
    return {
        "adtte": store.empty(contracts.ADTTE),
        "adeff": store.empty(contracts.ADEFF),
        "adlb": store.empty(contracts.BDS),
        "adie": store.empty(eligibility.CONTRACT),
        "adrs": store.empty(contracts.ADRS),
        "adttr": store.empty(contracts.ADTTR),
        "adinf": store.empty(contracts.ADINF),
        "adstay": store.empty(contracts_icu.ADSTAY),
        "adnoso": store.empty(contracts_icu.ADNOSO),
        "adae": store.empty(contracts.ADAE.with_columns(flag)),
        "adice": store.empty(contracts.ADICE),
    }


def test_all_kinds_are_here() -> None:
    assert set(SPECS) == set(KINDS)


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("people", ["patients without records", "no patient"])
def test_nothing_gives_no_number_and_keeps_the_laws(kind: str, people: str) -> None:
    endpoint, analysis = SPECS[kind]
    events = [{"id": "transplant", "milestone": "hsct", "label": "Transplant"}]
    plan = protocol(datasets=[WINDOW, *RESPONSES], visit_sets=VISITS, design=DESIGN, intercurrent_events=events)
    subjects = adsl({f"{i}": {"ARMCD": "AB"[i % 2]} for i in range(4)})
    if people == "no patient":
        subjects = subjects.assign(SAFFL="N")
    estimand = {"population": "treated", "treatment": "t", "variable": "v", "summary": "s"}
    declared = estimand | {"intercurrent": {"transplant": "treatment_policy"}}
    given = outcome(kind, endpoint, analysis, estimand=declared)
    results, rowsets = run(given, {"adsl": subjects, **nothing()}, plan)
    assert len(results)
    found = laws(stack([results], (given,)), rowsets, subjects, store.empty(contracts.RECONCILIATION), plan, (given,))
    assert found["holds"].all(), found[~found["holds"]].to_string()
    estimates = results[~results["statistic"].isin(["n", "denominator", "missing", "alive"])]
    # a design's own numbers need no patient
    estimates = estimates[~estimates["variable"].isin(["AGE", "design", "alternatives", "characteristics"])]
    made = estimates[estimates["value"].notna() & (estimates["value"] != 0)]
    # what is left: 4 of 4 patients without a record
    assert set(made["statistic"]) <= {"percent", "lower", "upper", "person_time", "undetermined"}, made.to_string()
