"""Derivation against the simulator's truth, written apart from it and before any defect: what every trial has.

The clean tables are built from the true values (`truth_tables`), so that only derivation is judged.
"""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.truth_case import TRIALS, TruthCase, committed
from helpers.truth_tables import derived

VISITS = {"CONDM1": "Day -1 of conditioning"}
"""Names that a visit has in the protocol, where the truth has another."""
LAST_DAY = {
    "c-hlh": {"D14": 16, "D21": 23, "D28": 34},
    "r-hlh": {"D7": 10, "D14": 17, "D21": 24, "D28": 31, "W8": 60},
}
LEVELS = {"CR": "CR", "CR or PR": "PR"}
"""ADRS reads a level or better."""
RESPONSE_ROWS = {"c-hlh": 200, "r-hlh": 300}
WORDS = {"true": True, "false": False, "unknown": None}
MILESTONES = {
    "first_dose": "TRTSDT",
    "last_dose": "TRTEDT",
    "conditioning": "CONDDT",
    "hsct": "HSCTDT",
    "death": "DTHDT",
    "rescue": "RESCDT",
    "last_alive": "LSTALVDT",
}


@pytest.fixture(scope="module", params=TRIALS)
def case(request: pytest.FixtureRequest) -> TruthCase:
    return committed(request.param)


def test_states_and_their_days(case):
    found = derived(case)["adeff"]
    rows = found[(found["PARAMCD"] == "SURVHSCT") & (found["SCENARIO"] == "primary")].set_index("USUBJID")
    for p in case.rows("patients"):
        row = rows.loc[case.usubjid(p)]
        expected = (p["state"], float(p["success"]), float(p["state_day"]))
        assert (row["AVALC"], row["AVAL"], row["ATIME"]) == expected, p["subject"]


def test_milestones_and_last_alive(case):
    adsl = derived(case)["adsl"].set_index("USUBJID")
    for p in case.rows("patients"):
        row = adsl.loc[case.usubjid(p)]
        for name, variable in MILESTONES.items():
            known = None if pd.isna(row[variable]) else row[variable].strftime("%Y-%m-%d")
            assert known == (p[name][:10] or None), (p["subject"], name)


def test_responses(case):
    """Every assessed visit."""
    levels = derived(case)["adrs"].set_index(["USUBJID", "RULESET", "AVISIT", "PARAMCD"])
    wrong, compared = [], 0
    for row in case.rows("response"):
        level = LEVELS.get(row["level"])
        if level is None or row["reading"] != "carried" or row["status"] != "assessed":
            continue
        found = levels.loc[(case.usubjid(row), row["rule_set"], VISITS.get(row["visit"], row["visit"]), level)]
        compared += 1
        if WORDS[found["AVALC"]] is not WORDS[row["holds"]]:
            wrong.append((row["subject"], row["rule_set"], row["visit"], level, found["AVALC"], row["holds"]))
    assert wrong == []
    assert compared > RESPONSE_ROWS[case.trial]


def test_statuses(case):
    """Truth says conditioned before dead; ADRS puts death first (ruling 13: death is non-response)."""
    adrs = derived(case)["adrs"]
    overall = adrs[adrs["PARAMCD"] == "OVRLRESP"].set_index(["USUBJID", "RULESET", "AVISIT"])["STATUS"]
    died = {p["subject"]: int(p["death_day"]) for p in case.rows("patients") if p["death_day"]}
    last = LAST_DAY[case.trial]
    for r in case.rows("response"):
        if r["visit"] not in last:
            continue
        found = overall.loc[(case.usubjid(r), "NI-0501-04", r["visit"])]
        if r["status"] == "assessed":
            assert found in ("assessed", "not_evaluable")
        elif died.get(r["subject"], 10**6) <= last[r["visit"]]:
            assert found == "dead"
        else:
            assert found == r["status"], r


def test_counts_of_states_and_responders(case):
    """truth/outcomes.csv, which counts what the simulator's other tables list: responders at assessed visits."""
    adeff, adrs = derived(case)["adeff"], derived(case)["adrs"]
    states = adeff[(adeff["PARAMCD"] == "SURVHSCT") & (adeff["SCENARIO"] == "primary")].set_index("USUBJID")
    order = sorted(case.rows("patients"), key=lambda p: (p["inclusion"], p["subject"]))
    groups = {"survival-to-hsct": order, "stage-1": order[:6]}
    compared = 0
    for t in case.rows("outcomes"):
        if t["outcome"] in groups:
            own = states.loc[[case.usubjid(p) for p in groups[t["outcome"]]]]
            counts = {"n": len(own), "success": int(own["AVAL"].sum()), **own["AVALC"].value_counts()}
            assert counts.get(t["item"], 0) == int(t["count"]), t
            assert len(own) == int(t["of"]), t
            compared += 1
            continue
        rule_set, _, level = t["item"].partition(" ")
        if level in LEVELS:
            rows = adrs[(adrs["RULESET"] == rule_set) & (adrs["PARAMCD"] == LEVELS[level])]
            rows = rows[rows["CARRIED"].isna() & (rows["AVISIT"] == VISITS.get(t["visit"], t["visit"]))]
            assert (rows["AVALC"] == "true").sum() == int(t["count"]), t
            compared += 1
    assert compared > 15
