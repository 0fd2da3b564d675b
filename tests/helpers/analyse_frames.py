"""Small protocols, datasets and lookups for the tests of the analyse stage."""

from __future__ import annotations

from typing import Any

import pandas as pd

from trialpipe.analyse.run import analyse
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.io import contracts, store

TRIAL = "toy"


def protocol(**changes: Any) -> Protocol:
    """A protocol with two arms, three milestones and two nested populations."""
    base: dict[str, Any] = {
        "trial": TRIAL,
        "acronym": "TOY",
        "title": "Toy",
        "sponsor": "Nobody",
        "synthetic": "true",
        "source": "made in the test",
        "design": {"allocation": "randomised", "planned_n": "4", "summary": "toy"},
        "arms": [{"id": "A", "label": "Arm A"}, {"id": "B", "label": "Arm B"}],
        "data_cutoff": "2021-12-31",
        "time": {"origin": "first_dose", "first_day": "1"},
        "milestones": [milestone("first_dose", "TRTSDT"), milestone("hsct", "HSCTDT"), milestone("death", "DTHDT")],
        "last_alive": {"domains": ["ds"]},
        "subject_variables": [
            {"name": "AGE", "label": "Age", "domain": "dm", "column": "AGE", "type": "number", "unit": "a"},
            {"name": "SEX", "label": "Sex", "domain": "dm", "column": "SEX", "levels": ["F", "M"]},
        ],
        "populations": [
            {"id": "included", "variable": "ENRLFL", "label": "Included"},
            {"id": "treated", "variable": "SAFFL", "label": "Treated", "parent": "included", "require": "first_dose"},
        ],
        "datasets": [],
    }
    return Protocol.model_validate({**base, **changes})


def milestone(name: str, variable: str) -> dict[str, Any]:
    return {"id": name, "variable": variable, "label": name, "domain": "ds", "date": "DSSTDTC"}


def outcome(kind: str, endpoint: dict[str, Any], analysis: dict[str, Any] | None = None, **changes: Any) -> Outcome:
    """An outcome with one analysis."""
    base: dict[str, Any] = {
        "id": "o",
        "title": "Outcome",
        "section": "efficacy",
        "group": "g",
        "paramcd": "P",
        "endpoint": endpoint,
        "estimand": {"population": "treated", "treatment": "t", "variable": "v", "summary": "s"},
        "analyses": [{"kind": kind, **(analysis or {})}],
    }
    return Outcome.model_validate({**base, **changes})


def adsl(patients: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """ADSL by patient number; dates as ISO text become first, last and exact day. Arm A, all populations."""
    rows = []
    for number, given in patients.items():
        row: dict[str, Any] = {
            "row_id": f"adsl:{TRIAL}/{number}",
            "USUBJID": f"{TRIAL}/{number}",
            "SUBJID": number,
            "SITEID": None,
            "ARMCD": "A",
            "ARM": None,
            "from": [],
            "ENRLFL": "Y",
            "SAFFL": "Y",
            "AGE": 40.0,
            "SEX": "F",
            "TRTSDT": "2020-01-01",
            "HSCTDT": None,
            "DTHDT": None,
            "LSTALVDT": "2021-12-31",
        }
        row.update(given)
        rows.append(row)
    frame = pd.DataFrame(rows)
    for name in ("TRTSDT", "HSCTDT", "DTHDT", "LSTALVDT"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[ns]")
        for bound in ("LO", "HI"):
            if f"{name}_{bound}" not in frame.columns and name != "LSTALVDT":
                frame[f"{name}_{bound}"] = frame[name]
    return frame


def table(contract: contracts.Contract, rows: list[dict[str, Any]], dataset: str, **extra: str) -> pd.DataFrame:
    """Rows under a contract: ``patient`` becomes USUBJID, missing row ids are counted, other columns are null."""
    filled = []
    for place, row in enumerate(rows):
        full = {c.name: None for c in contract.all} | {"PARAMCD": "P", "PARAM": "P", "SCENARIO": "primary", "from": []}
        number = row["patient"]
        full |= {"USUBJID": f"{TRIAL}/{number}", "row_id": f"{dataset}:{TRIAL}/{number}/{place}"} | extra
        filled.append(full | {k: v for k, v in row.items() if k != "patient"})
    frame = pd.DataFrame(filled)
    for column in contract.all:
        if column.type == "float":
            frame[column.name] = frame[column.name].astype("float64")
        elif column.type in ("date", "datetime"):
            frame[column.name] = pd.to_datetime(frame[column.name]).astype("datetime64[ns]")
        elif column.type == "int":
            frame[column.name] = frame[column.name].astype("Int64")
    return frame


def run(
    given: Outcome | list[Outcome], datasets: dict[str, pd.DataFrame], plan: Protocol | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Results and row sets, checked against their contracts in memory."""
    outcomes = tuple(given) if isinstance(given, list) else (given,)
    results, rowsets = analyse(outcomes, plan or protocol(), datasets)
    for frame, contract in ((results, contracts.RESULTS), (rowsets, contracts.ROWSETS)):
        assert list(frame.columns) == [c.name for c in contract.columns]
        for column in contract.columns:
            store._array(frame[column.name], column, contract)
        assert not frame.duplicated(list(contract.key)).any()
    return results, rowsets


def one(results: pd.DataFrame, statistic: str, **place: Any) -> dict[str, Any]:
    """The one row with these columns."""
    rows = results[results["statistic"] == statistic]
    if "analysis" not in place:
        rows = rows[~rows["analysis"].str.endswith("~curve")]
    for name, wanted in place.items():
        rows = rows[rows[name].isna()] if wanted is None else rows[rows[name] == wanted]
    assert len(rows) == 1, f"{statistic} {place}: {len(rows)} rows"
    return dict(rows.iloc[0])


def value(results: pd.DataFrame, statistic: str, **place: Any) -> float:
    """Its value."""
    return float(one(results, statistic, **place)["value"])
