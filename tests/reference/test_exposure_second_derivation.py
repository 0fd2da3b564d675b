"""Random administrations by both derivations: numbers absent or twice, doses of 0, open or early dates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import needs
from helpers.derive_case import adsl_of, day, domain, filled
from helpers.second import second

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive.run import derive
from trialpipe.qc.records import compare_datasets

pytestmark = pytest.mark.slow
PATIENTS = 150


def plan(numbered: bool) -> Protocol:
    reason: dict[str, Any] = {"domain": "ds", "where": {"DSDECOD": "NOT GIVEN"}, "variable": "DSTERM"}
    dataset: dict[str, Any] = {"kind": "exposure", "id": "adex", "label": "DLI", "name": "DLI", "planned": "3"}
    dataset |= {"start": "randomisation", "where": {"EXTRT": "DLI"}, "patients": {"ARMCD": "A"}}
    if numbered:
        dataset["number"], reason["number"] = "EXNUM", "DSNUM"
    start = {"id": "randomisation", "variable": "RANDDT", "label": "Randomisation", "domain": "ds"}
    return Protocol.model_validate(
        {
            **{"trial": "t", "acronym": "T", "title": "t", "sponsor": "s", "synthetic": "true", "source": "s"},
            "design": {"allocation": "randomised", "planned_n": "1", "summary": "s"},
            "arms": [{"id": "A", "label": "DLI"}, {"id": "B", "label": "None"}],
            "data_cutoff": "2018-12-31",
            "time": {"origin": "randomisation", "first_day": "0"},
            "milestones": [{**start, "where": {"DSDECOD": "RANDOMISED"}, "date": "DSSTDTC"}],
            "last_alive": {"domains": ["ds"]},
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "datasets": [{**dataset, "reason": reason}],
        }
    )


def pick(rng: np.random.Generator, values: list) -> Any:
    return values[int(rng.integers(len(values)))]


def written(rng: np.random.Generator, number: int) -> str | None:
    chance = rng.random()
    return None if chance < 0.05 else day(number)[:7] if chance < 0.15 else day(number)


def patient(rng: np.random.Generator, name: str) -> tuple[list[dict], list[dict]]:
    start = int(rng.integers(0, 60))
    status: list[dict] = [{"id": name, "DSDECOD": "RANDOMISED", "DSSTDTC": day(start), "key": "start"}]
    given, when = [], start + int(rng.integers(-20, 40))
    for number in range(1, int(rng.integers(0, 5)) + 1):
        recorded = float(number) if rng.random() < 0.85 else pick(rng, [None, 1.0, 2.0, 3.0, 1.5])
        row = {"id": name, "EXTRT": "DLI" if rng.random() < 0.95 else "OTHER", "EXNUM": recorded, "key": str(number)}
        row |= {"EXDOSE": pick(rng, [0.0, None, 1.0, 0.5, 2.5, 10.0]), "EXDOSU": "mg" if rng.random() < 0.05 else "ug"}
        row |= {"EXSTAT": "NOT DONE" if rng.random() < 0.05 else None, "EXSTDTC": written(rng, when)}
        given.append(row)
        when += int(rng.integers(1, 60))
    for number in (1.0, 2.0, 3.0, None):
        if rng.random() < 0.2:
            text = pick(rng, ["GVHD", "RELAPSE", None])
            row = {"id": name, "DSDECOD": "NOT GIVEN", "DSTERM": text, "DSNUM": number, "DSSTDTC": day(100)}
            status.append(row | {"key": f"reason {number}"})
    return given, status


OUTCOMES = (
    Outcome.model_validate(
        {
            **{"id": "given", "title": "Given", "section": "efficacy", "group": "dli"},
            "endpoint": {"kind": "findings", "dataset": "adex"},
            "estimand": {"population": "all", "treatment": "x", "variable": "y", "summary": "s"},
            "analyses": [
                {"kind": "categories_by_visit", "parameters": ["GIVEN"], "visits": ["DLI 1"], "categories": ["Y", "N"]}
            ],
        }
    ),
)


@pytest.mark.parametrize("numbered", [True, False])
def test_both_derivations_agree_on_every_administration(numbered: bool, tmp_path: Path) -> None:
    needs.second_derivation()
    rng, configured = np.random.default_rng(5), plan(numbered)
    people = [{"id": str(number), "ARMCD": "A" if number % 10 else "B"} for number in range(1, PATIENTS + 1)]
    parts = [patient(rng, person["id"]) for person in people]
    clean = {
        "dm": domain("dm", people),
        "ex": domain("ex", [row for given, _ in parts for row in given]),
        "ds": domain("ds", [row for _, status in parts for row in status]),
    }
    for table, name in (("ex", "EXDOSE"), ("ex", "EXNUM"), ("ds", "DSNUM")):
        clean[table][name] = pd.to_numeric(clean[table][name])
    ours = {"adsl": adsl_of(configured, clean)}
    ours["adex"] = derive("adex", configured, OUTCOMES, clean, ours)
    compared = compare_datasets(
        configured, ours, second(configured, OUTCOMES, filled(configured, clean) | clean, tmp_path)
    )
    wrong = compared[compared["verdict"] != "same"]
    assert wrong.empty, wrong.head(20).to_string()
    assert set(compared["dataset"]) == {"adsl", "adex"}
    reasons = ours["adex"][ours["adex"]["PARAMCD"] == "REASON"]
    assert set(reasons["AVALC"]) == {"GVHD", "RELAPSE", "not recorded"}
    assert reasons["NOTE"].notna().any() == numbered
    assert "DLI 4" in set(ours["adex"]["AVISIT"])
