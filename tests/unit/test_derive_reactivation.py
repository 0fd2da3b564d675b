"""Reactivation after response in the configured trial c-hlh with a reactivation dataset. Expected values by hand.

A row of ``reactivation_truth.csv``: ``records`` are ``day STATE PARAM=value ..`` (CR, PR and NR stand for a full set of
values, an empty value leaves the parameter out), ``events`` milestones by elapsed day or ISO text.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from helpers.derive_case import check_contract, day, derive_all, domain, trial_outcomes, trial_protocol
from hypothesis import given, settings
from hypothesis import strategies as st

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive.errors import UndeclaredIntercurrentEvent
from trialpipe.derive.run import derive
from trialpipe.io.errors import DataError

TRUTH = list(csv.DictReader((Path(__file__).parent / "data" / "reactivation_truth.csv").open(encoding="utf-8")))
SICK: dict[str, object] = {"TEMP": 39.0, "SPLENO": "Y", "CNS": "N", "HGB": 70.0, "NEUT": 0.4, "PLAT": 40.0}
SICK |= {"FERRITIN": 9000.0, "FIBRINO": 1.0, "DDIMER": 2000.0, "CD25S": 5000.0, "TRIG": 5.0}
WELL: dict[str, object] = {"TEMP": 36.8, "SPLENO": "N", "CNS": "N", "HGB": 110.0, "NEUT": 2.5, "PLAT": 250.0}
WELL |= {"FERRITIN": 300.0, "FIBRINO": 2.5, "DDIMER": 200.0, "CD25S": 900.0, "TRIG": 1.2}
STATES = {"CR": WELL, "PR": WELL | {"TEMP": 38.0}, "NR": SICK}
HOME = {"TEMP": "vs", "SPLENO": "pe", "CNS": "pe"}
DATASET = {
    "kind": "reactivation",
    "id": "adreac",
    "label": "Reactivation",
    "source": "adrs",
    "rule_set": "NI-0501-04",
    "levels": ["CR", "PR"],
    "criteria": "HLH-2004",
    "inputs": ["adlb", "advs", "adpe"],
    "competing": ["death", "conditioning"],
}


def protocol(**changes: object) -> Protocol:
    plain = trial_protocol("c-hlh").model_dump(mode="json")
    kept = [d for d in plain["datasets"] if d["id"] in ("adlb", "advs", "adpe", "adcsf", "adrs")]
    return Protocol.model_validate({**plain, "datasets": [*kept, DATASET | changes]})


def outcome(**changes: object) -> Outcome:
    return Outcome.model_validate(
        {
            "id": "reactivation",
            "title": "Reactivation",
            "section": "efficacy",
            "group": "g",
            "paramcd": "REACT",
            "endpoint": {"kind": "reactivation", "dataset": "adreac"},
            "estimand": {"population": "treated", "treatment": "t", "variable": "v", "summary": "s"},
            "analyses": [],
            **changes,
        }
    )


PROTOCOL = protocol()


def values(text: str) -> tuple[int, dict[str, object]]:
    """``13 CR TEMP=38`` as elapsed day and values."""
    when, *parts = text.split()
    found: dict[str, object] = {}
    for part in parts:
        name, given_value, text_value = part.partition("=")
        if not given_value:
            found |= STATES[name]
        elif text_value:
            found[name] = text_value if name in ("CNS", "SPLENO") else float(text_value)
        else:
            del found[name]
    return int(when), found


def clean(patients: dict[str, tuple[str, str]], shift: int = 0) -> dict[str, pd.DataFrame]:
    """Patients by number: (records, events) as in the truth table, all days moved by ``shift``."""
    rows: dict[str, list[dict[str, object]]] = {n: [] for n in ("lb", "vs", "pe", "dm", "ex", "ds", "pr")}
    for number, (records, events) in patients.items():
        for elapsed, found in [(0, SICK), *(values(text) for text in records.split(";") if text)]:
            for code, value in found.items():
                entry = {"id": number, "test": code, "value": value, "date": day(elapsed + shift)}
                rows[HOME.get(code, "lb")].append(entry)
        rows["dm"].append({"id": number, "RFICDTC": day(shift - 1)})
        rows["ex"].append({"id": number, "EXTRT": "ALEMTUZUMAB", "EXSTDTC": day(shift)})
        for event in events.split():
            name, _, text = event.partition("=")
            when = day(int(text) + shift) if text.isdigit() else text
            if name == "death":
                rows["ds"].append({"id": number, "DSDECOD": "DEATH", "DSSTDTC": when})
            else:
                rows["pr"].append({"id": number, "PRDECOD": name.upper(), "PRSTDTC": when})
    return {name: domain(name, entries) for name, entries in rows.items()} | {"cm": domain("cm", [])}


def reactivation(records: str, events: str = "", shift: int = 0) -> pd.DataFrame:
    return derive_all(PROTOCOL, (outcome(),), clean({"1": (records, events)}, shift))["adreac"]


@pytest.mark.parametrize("case", TRUTH, ids=[row["case"] for row in TRUTH])
def test_truth(case):
    found = reactivation(case["records"], case["events"])
    if not case["first"]:
        assert found.empty
        return
    row = found.iloc[0]
    assert row["STARTDT"] == pd.Timestamp(day(int(case["first"])))
    assert (row["CNSR"], row["AVAL"]) == (int(case["cnsr"]), float(case["time"]))
    assert pd.Timestamp(row["ADT"]) == row["STARTDT"] + pd.Timedelta(days=int(case["time"]))
    assert (row["EVENT"] or "", row["NOTE"] or "") == (case["event"], case["note"])


def test_row_says_which_signs_and_which_records(tmp_path):
    tables = clean({"1": ("13 PR;30 PR TRIG=4 PLAT=50 FIBRINO=1", ""), "2": ("13 CR;30 CR CNS=Y", ""), "3": ("", "")})
    found = derive_all(PROTOCOL, (outcome(),), tables)["adreac"]
    assert list(found["USUBJID"]) == ["t/1", "t/2"]
    assert list(found["EVNTDESC"]) == ["Reactivation: PLAT, TRIG, FIBRINO", "Reactivation: CNS"]
    assert found["row_id"][0] == "adreac:t/1/REACT/primary"
    behind = list(found["from"][0])
    assert behind[:2] == ["adsl:t/1", "adrs:t/1/NI-0501-04/PR/D14"]
    assert {row.split("/")[2] for row in behind[2:]} == {"PLAT", "TRIG", "FIBRINO"}
    assert len(behind) == 8  # three at the response, three at the reactivation
    check_contract(found, "adreac", PROTOCOL, tmp_path)


def test_only_complete_responders_if_only_that_level_is_declared():
    plan = protocol(levels=["CR"])
    found = derive_all(plan, (outcome(),), clean({"1": ("13 PR;20 CR;30 CR CNS=Y", "")}))["adreac"]
    assert list(found["STARTDT"]) == [pd.Timestamp(day(20))]
    assert list(found["AVAL"]) == [10.0]


def test_a_competing_event_before_the_response_leaves_no_time():
    plan = protocol(competing=["rescue_therapy"])
    rescue = [{"id": "1", "CMCAT": "RESCUE", "CMDECOD": "ETOPOSIDE", "CMSTDTC": day(5)}]
    tables = clean({"1": ("13 CR;30 CR CNS=Y", "")}) | {"cm": domain("cm", rescue)}
    row = derive_all(plan, (outcome(),), tables)["adreac"].iloc[0]
    assert pd.isna(row["AVAL"])
    assert pd.isna(row["CNSR"])
    assert row["NOTE"] == "rescue_therapy 8 day(s) before the response"


def test_nobody_and_no_outcome():
    found = derive_all(PROTOCOL, trial_outcomes("c-hlh"), clean({"1": ("13 CR", "")}))
    assert found["adreac"].empty
    assert derive("adreac", PROTOCOL, (outcome(),), {}, {**found, "adsl": found["adsl"].iloc[:0]}).empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rule_set": "Marsh"}, "is no rule-set of adrs"),
        ({"levels": ["BEST"]}, "is no level of NI-0501-04"),
        ({"criteria": "HLH-94"}, "is not in response_rules.yaml"),
    ],
)
def test_unknown_names_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        derive_all(protocol(**change), (outcome(),), clean({"1": ("13 CR", "")}))


def test_the_time_needs_a_code():
    with pytest.raises(DataError, match="paramcd"):
        derive_all(PROTOCOL, (outcome(paramcd=None),), clean({"1": ("13 CR", "")}))


def rescued() -> dict[str, pd.DataFrame]:
    rescue = [{"id": "1", "CMCAT": "RESCUE", "CMDECOD": "ETOPOSIDE", "CMSTDTC": day(20)}]
    return clean({"1": ("13 CR;30 CR CNS=Y", "")}) | {"cm": domain("cm", rescue)}


def test_an_intercurrent_event_needs_a_strategy_that_changes_no_time():
    estimand = {"population": "treated", "treatment": "t", "variable": "v", "summary": "s"}
    with pytest.raises(UndeclaredIntercurrentEvent, match="rescue_therapy"):
        derive_all(PROTOCOL, (outcome(),), rescued())
    plain = outcome(estimand={**estimand, "intercurrent": {"rescue_therapy": "treatment_policy"}})
    assert list(derive_all(PROTOCOL, (plain,), rescued())["adreac"]["AVAL"]) == [17.0]
    other = outcome(estimand={**estimand, "intercurrent": {"rescue_therapy": "hypothetical"}})
    with pytest.raises(DataError, match="is not derived here"):
        derive_all(PROTOCOL, (other,), rescued())


def test_a_scenario_may_take_another_dataset():
    plain = PROTOCOL.model_dump(mode="json")
    late = DATASET | {"id": "adcr", "levels": ["CR"]}
    plan = Protocol.model_validate({**plain, "datasets": [*plain["datasets"], late]})
    given = outcome(sensitivity=[{"id": "complete", "label": "After CR", "set": {"endpoint.dataset": "adcr"}}])
    found = derive_all(plan, (given,), clean({"1": ("13 PR;20 CR;30 CR CNS=Y", "")}))
    assert list(found["adreac"]["SCENARIO"]) == ["primary"]
    assert list(found["adcr"]["SCENARIO"]) == ["complete"]
    assert (found["adreac"]["AVAL"].iloc[0], found["adcr"]["AVAL"].iloc[0]) == (17.0, 10.0)


SOME = [row for row in TRUTH if row["first"] and "-" not in row["events"]]


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(len(SOME))), st.integers(0, 300))
def test_order_of_rows_and_a_shift_of_all_dates_change_nothing(order, shift):
    cases = {f"{i:02d}": (SOME[i]["records"], SOME[i]["events"]) for i in order}
    tables = clean(cases, shift)
    mixed = {name: frame.sample(frac=1, random_state=order[0]) for name, frame in tables.items()}
    found = derive_all(PROTOCOL, (outcome(),), mixed)["adreac"]
    assert list(found["AVAL"]) == [float(row["time"]) for row in SOME]
    assert list(found["CNSR"]) == [int(row["cnsr"]) for row in SOME]
    assert list(found["STARTDT"]) == [pd.Timestamp(day(int(row["first"]) + shift)) for row in SOME]
