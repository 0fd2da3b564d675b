"""Alive at D7 with a score at least 3 below baseline: states, scenarios, and the proportion on top of it."""

from __future__ import annotations

import pytest
from helpers.derive_case import adsl_of, check_contract
from helpers.sofa_case import clean, moment, protocol, record

from trialpipe.analyse.run import analyse
from trialpipe.config.outcomes import Outcome
from trialpipe.derive.errors import UndeclaredIntercurrentEvent
from trialpipe.derive.run import derive
from trialpipe.io.errors import DataError

PLAN = protocol()


def outcome(**changes) -> Outcome:
    endpoint = {"kind": "sofa_response", "dataset": "adsofar", "origin": "included", "visit": "D7"}
    data = {
        "id": "sofa-d7",
        "title": "Alive at D7 with a fall of SOFA of at least 3",
        "section": "efficacy",
        "group": "primary",
        "paramcd": "SOFARSP",
        "endpoint": {**endpoint, **changes.pop("endpoint", {})},
        "estimand": {"population": "all", "treatment": "x", "variable": "y", "summary": "proportion"},
        "analyses": [{"kind": "proportion", "conf_level": "0.9", "null_value": "0.4", "alternative": "greater"}],
        "sensitivity": [
            {"id": "best", "label": "Missing is success", "set": {"endpoint.missing": "success"}},
            {"id": "complete", "label": "Complete scores", "set": {"endpoint.parameter": "SOFACC"}},
            {"id": "excluded", "label": "Missing excluded", "set": {"endpoint.missing": "exclude"}},
        ],
    }
    return Outcome.model_validate({**data, **changes})


def day_with(day: int, total: int) -> list[dict]:
    """A day of all six components whose total is ``total`` (0 to 6, then 4 more by platelets and bilirubin)."""
    bands = {"PLAT": [160, 120, 60, 30, 10], "BILI": [10, 25, 50, 150, 300], "GCS": [15, 14, 11, 8, 4]}
    found = [record(c, day, "08:00", v) for c, v in (("MAP", 90), ("CREAT", 80), ("PO2", 450), ("FIO2", 1))]
    left = total
    for code, values in bands.items():
        level = min(4, left)
        found.append(record(code, day, "08:00", values[level]))
        left -= level
    assert left == 0
    return found


def tables(records, events=None):
    return clean(records, (), events)


def decided(records, events=None, plan=PLAN, which=None):
    made = tables(records, events)
    adsl = adsl_of(plan, made)
    scores = derive("adsofa", plan, (), made, {"adsl": adsl})
    frame = derive("adsofar", plan, (which or outcome(),), made, {"adsl": adsl, "adsofa": scores})
    return frame.set_index("SCENARIO")


@pytest.mark.parametrize(
    ("base", "later", "state", "value"),
    [
        (8, 5, "success", 1),
        (8, 4, "success", 1),
        (8, 6, "no_decrease", 0),
        (3, 0, "success", 1),
        (2, 0, "no_decrease", 0),
    ],
)
def test_decrease(base, later, state, value):
    row = decided(day_with(0, base) + day_with(6, later)).loc["primary"]
    assert (row["AVALC"], row["AVAL"], row["BASE"], row["SCORE"], row["CHG"]) == (
        state,
        value,
        base,
        later,
        later - base,
    )
    assert (row["ATIME"], row["from"]) == (6, ["adsofa:t/1/SOFATOT/6", "adsl:t/1"])


@pytest.mark.parametrize(
    ("death", "state"),
    [(moment(6, "23:59"), "dead"), (moment(6), "dead"), (moment(7, "00:01"), "success"), ("2024-03", "dead")],
)
def test_death_up_to_day_7_is_failure_whatever_the_score(death, state):
    """A death in an unknown part of the month of inclusion counts as its first possible day."""
    row = decided(day_with(0, 8) + day_with(6, 2), {"death": death, "seen": ""}).loc["primary"]
    assert (row["AVALC"], row["AVAL"]) == (state, float(state == "success"))


def test_missing_is_failure_and_its_scenarios():
    frame = decided(day_with(0, 8) + day_with(2, 2))
    assert list(frame["AVALC"]) == ["missing"] * 4
    assert frame.loc[["primary", "best", "complete"], "AVAL"].tolist() == [0, 1, 0]
    assert frame.loc["excluded", "AVAL"] != frame.loc["excluded", "AVAL"]
    assert frame.loc["primary", "NOTE"] == "no score at D7"


def test_discharged_alive_counts_with_the_rule_of_missing_components():
    frame = decided(day_with(0, 8) + day_with(3, 4), {"icu_out": moment(4)})
    assert (frame.loc["primary", "AVALC"], frame.loc["primary", "SCORE"]) == ("success", 4)
    assert "SOFACOAG ward_last" in frame.loc["primary", "NOTE"]
    assert frame.loc["complete", "AVALC"] == "missing"


def test_visit_after_the_cutoff_is_undetermined():
    plan = PLAN.model_copy(update={"data_cutoff": moment(3)})
    row = decided(day_with(0, 8), plan=plan).loc["primary"]
    assert row["AVALC"] is None
    assert row["AVAL"] != row["AVAL"]
    assert row["NOTE"] == "D7 2024-03-16 is after the data cut-off"


def test_intercurrent_events_need_a_strategy():
    event = {"id": "etoposide", "milestone": "icu_back", "label": "Etoposide"}
    plan = PLAN.model_validate({**PLAN.model_dump(mode="json"), "intercurrent_events": [event]})
    records, events = day_with(0, 8) + day_with(6, 2), {"icu_back": moment(3)}
    with pytest.raises(UndeclaredIntercurrentEvent):
        decided(records, events, plan)
    estimand = {"population": "all", "treatment": "x", "variable": "y", "summary": "p"}
    policy = outcome(estimand={**estimand, "intercurrent": {"etoposide": "treatment_policy"}})
    assert decided(records, events, plan, policy).loc["primary", "AVAL"] == 1
    failure = outcome(estimand={**estimand, "intercurrent": {"etoposide": "composite_failure"}})
    row = decided(records, events, plan, failure).loc["primary"]
    assert (row["AVALC"], row["AVAL"], row["NOTE"]) == ("success", 0, "icu_back on day 3: composite failure")
    refused = outcome(estimand={**estimand, "intercurrent": {"etoposide": "hypothetical"}})
    with pytest.raises(DataError, match="is not derived for icu_back"):
        decided(records, events, plan, refused)


@pytest.mark.parametrize(("name", "wrong"), [("visit", "is no visit of adsofa"), ("parameter", "is not in the score")])
def test_errors(name, wrong):
    with pytest.raises(DataError, match=wrong):
        decided(day_with(0, 8), which=outcome(endpoint={name: "NONE"}))


def test_proportion_on_top(tmp_path):
    """Two successes, one without decrease, one dead, one missing: 2 of 5."""
    import pandas as pd

    courses = [
        (day_with(0, 8) + day_with(6, 5), {}),
        (day_with(0, 8) + day_with(6, 2), {}),
        (day_with(0, 8) + day_with(6, 7), {}),
        (day_with(0, 8) + day_with(4, 2), {"death": moment(5)}),
        (day_with(0, 8), {}),
    ]
    parts = [clean(records, (), events, str(i)) for i, (records, events) in enumerate(courses, start=1)]
    made = {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]}
    adsl = adsl_of(PLAN, made)
    scores = derive("adsofa", PLAN, (), made, {"adsl": adsl})
    frame = derive("adsofar", PLAN, (outcome(),), made, {"adsl": adsl, "adsofa": scores})
    check_contract(frame, "adsofar", PLAN, tmp_path)
    results, _ = analyse((outcome(),), PLAN, {"adsl": adsl, "adsofar": frame})
    assert not results["result_id"].duplicated().any()
    own = results[results["scenario"] == "primary"].set_index(["category", "statistic"])["value"]
    counts = {state: own[state, "n"] for state in ("success", "no_decrease", "dead", "missing")}
    assert counts == {"success": 2, "no_decrease": 1, "dead": 1, "missing": 1}
    # P(X >= 2), X binomial(5, 0.4): 1 - 0.6**5 - 5 * 0.4 * 0.6**4
    assert own["success", "p"] == pytest.approx(1 - 0.6**5 - 5 * 0.4 * 0.6**4, abs=1e-12)
    best = results[(results["scenario"] == "best") & (results["category"] == "success")].set_index("statistic")["value"]
    assert best["n"] == 3


def test_without_a_dose_the_days_count_from_what_stands_for_the_origin():
    """Never treated: D1 is the day of inclusion. With a dose on the next day D7 is seven days after inclusion."""
    plan = PLAN.model_copy(update={"time": PLAN.time.model_copy(update={"origin": "dose", "otherwise": "included"})})
    row = decided(day_with(0, 8) + day_with(6, 5), {"dose": ""}, plan).loc["primary"]
    assert (row["AVALC"], row["BASE"], row["SCORE"], row["ATIME"]) == ("success", 8, 5, 6)
    late = decided(day_with(0, 8) + day_with(7, 5), {"dose": moment(1, "12:00")}, plan).loc["primary"]
    assert (late["AVALC"], late["SCORE"], late["ATIME"]) == ("success", 5, 7)
    dead = decided(day_with(0, 8), {"dose": moment(1, "12:00"), "death": moment(7, "01:00"), "seen": ""}, plan).loc[
        "primary"
    ]
    assert dead["AVALC"] == "dead"
    alone = PLAN.model_copy(update={"time": PLAN.time.model_copy(update={"origin": "dose"})})
    none = decided(day_with(0, 8) + day_with(6, 5), {"dose": ""}, alone).loc["primary"]
    assert none["AVALC"] is None
