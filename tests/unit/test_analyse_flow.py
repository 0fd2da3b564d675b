"""Flow, populations and the laws on them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, outcome, protocol, run, value

from trialpipe.analyse.laws import laws
from trialpipe.analyse.stack import stack
from trialpipe.io import contracts, store

BOXES: list[dict[str, Any]] = [
    {"id": "included", "label": "Included"},
    {"id": "treated", "label": "Treated", "parent": "included", "require": ["first_dose"]},
    {"id": "untreated", "label": "Not treated", "parent": "included", "absent": ["first_dose"]},
    {"id": "died", "label": "Died", "parent": "treated", "require": ["death"]},
    {"id": "alive", "label": "Alive", "parent": "treated", "absent": ["death"]},
    {
        "id": "early",
        "label": "Died before HSCT",
        "parent": "treated",
        "require": ["death"],
        "before": "hsct",
        "splits": "false",
    },
]
PEOPLE: dict[str, dict[str, Any]] = {
    "00": {"HSCTDT": "2020-02-01", "DTHDT": "2020-03-01"},
    "01": {"DTHDT": "2020-01-10"},
    "02": {"HSCTDT": "2020-02-01", "DTHDT": "2020-02-01", "HSCTDT_TM": "14:00", "DTHDT_TM": "03:00"},
    "03": {"HSCTDT": "2020-02-01"},
    "04": {"TRTSDT": None, "SAFFL": "N"},
    "05": {"HSCTDT": "2020-02-01", "DTHDT": "2020-02-01", "HSCTDT_TM": None, "DTHDT_TM": None},
}


def flow(**analysis: Any):
    return outcome(
        "flow",
        {"kind": "subjects"},
        {"boxes": BOXES, **analysis},
        section="flow",
        estimand={"population": "included", "treatment": "t", "variable": "v", "summary": "s"},
    )


def verdicts(results: pd.DataFrame, rowsets: pd.DataFrame, people: pd.DataFrame, given, recon=None) -> pd.DataFrame:
    reconciliation = store.empty(contracts.RECONCILIATION) if recon is None else recon
    found = laws(stack([results], (given,)), rowsets, people, reconciliation, protocol(), (given,))
    assert list(found.columns) == [c.name for c in contracts.LAWS.columns]
    assert found["law_id"].is_unique
    return found


def test_boxes_by_milestones() -> None:
    results, _ = run(flow(), {"adsl": adsl(PEOPLE)})
    counts = dict(zip(results["category"], results["value"], strict=True))
    assert counts == {"included": 6, "treated": 5, "untreated": 1, "died": 4, "alive": 1, "early": 2}


def test_populations() -> None:
    given = outcome("populations", {"kind": "subjects"}, {"by": "ARMCD"}, section="populations")
    people = adsl({k: {**v, "ARMCD": "B" if k == "00" else "A"} for k, v in PEOPLE.items()})
    results, _ = run(given, {"adsl": people})
    assert value(results, "n", category="included", group="Overall") == 6
    assert value(results, "n", category="treated", group="Overall") == 5
    assert value(results, "n", category="treated", group="B") == 1
    assert value(results, "denominator", category="treated", group="A") == 5


def test_laws_of_flow_hold_and_break() -> None:
    people = adsl(PEOPLE)
    given = flow(by="ARMCD")
    results, rowsets = run(given, {"adsl": people})
    good = verdicts(results, rowsets, people, given)
    assert good["holds"].all(), good[~good["holds"]].to_string()
    assert set(good["law"]) >= {"Flow boxes conserve patients", "Groups add up to Overall", "Populations nest"}
    wrong = results.copy()
    wrong.loc[(wrong["category"] == "alive") & (wrong["group"] == "Overall"), "value"] = 2.0
    broken = verdicts(wrong, rowsets, people, given)
    bad = broken[~broken["holds"]]
    assert set(bad["law"]) == {"Flow boxes conserve patients", "Groups add up to Overall", "Counts are numbers of rows"}
    row = bad[(bad["law"] == "Flow boxes conserve patients")].iloc[-1]
    assert (row["expected"], row["found"]) == ("5", "4 + 2")


def test_population_outside_its_parent_breaks() -> None:
    people = adsl({**PEOPLE, "06": {"ENRLFL": "N"}})
    given = flow()
    results, rowsets = run(given, {"adsl": people})
    found = verdicts(results, rowsets, people, given)
    row = found[found["law"] == "Populations nest"].iloc[0]
    assert (row["found"], bool(row["holds"])) == ("1", False)


@pytest.mark.parametrize(("kept", "holds"), [(3, True), (2, False)])
def test_reconciliation(kept: int, holds: bool) -> None:
    recon = pd.DataFrame(
        [
            {"domain": "lb", "form": "f", "status": "in", "reason": "", "rows": 5, "origin": []},
            {"domain": "lb", "form": "f", "status": "kept", "reason": "", "rows": kept, "origin": []},
            {"domain": "lb", "form": "f", "status": "set_aside", "reason": "a", "rows": 1, "origin": []},
            {"domain": "lb", "form": "f", "status": "set_aside", "reason": "b", "rows": 1, "origin": []},
        ]
    )
    people, given = adsl(PEOPLE), flow()
    results, rowsets = run(given, {"adsl": people})
    found = verdicts(results, rowsets, people, given, recon)
    row = found[found["law"] == "Rows in are rows kept and rows set aside"].iloc[0]
    assert (row["expected"], row["found"], bool(row["holds"])) == ("5 rows in", f"{kept} kept + 2 set aside", holds)


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("Every row set is stored", lambda r: r.assign(rowset="0" * 16)),
        ("No result is null without a reason", lambda r: r.assign(value=float("nan"))),
        ("Counts are numbers of rows", lambda r: r.assign(value=r["value"] + 1)),
    ],
)
def test_every_law_can_break(law: str, change) -> None:
    people, given = adsl(PEOPLE), flow()
    results, rowsets = run(given, {"adsl": people})
    if law == "No result is null without a reason":
        given = outcome("populations", {"kind": "subjects"}, section="populations")
        results, rowsets = run(given, {"adsl": people})
    found = verdicts(change(results), rowsets, people, given)
    assert not found[found["law"] == law]["holds"].all()


def test_an_estimate_outside_its_interval_breaks() -> None:
    from trialpipe.analyse.laws import Tables, _at_risk, _inside

    results = pd.DataFrame(
        {
            "cell_id": ["c"] * 3 + ["d"] * 2,
            "outcome": "o",
            "analysis": "a",
            "statistic": ["hr", "lower", "upper", "n_event", "n_risk"],
            "value": [0.5, 0.6, 0.9, 3.0, 2.0],
            "qualifier": None,
        }
    )
    tables = Tables(results, results, results, results, results, protocol(), ())
    assert [check.holds for check in _inside(tables)] == [False]
    assert [check.holds for check in _at_risk(tables)] == [False]
