"""A simulated trial that crosses the futility bound at its first stage and goes on (ruling 8).

Seed 2 of R-HLH: 4 of the first 6 succeed (the bound is 4), accrual goes on, 17 of 20 succeed. 17 is more than 16, the
number that rejects p0 in a trial run as planned; a trial that had to stop does not reject.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from helpers.clean_case import ROOT, cleaned

from trialpipe.analyse.run import analyse
from trialpipe.config import plan
from trialpipe.config.trial import load_trial
from trialpipe.derive.run import derive
from trialpipe.simulate import main as simulator

pytestmark = pytest.mark.slow
TRIAL = "r-hlh"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """(extracts, result rows of the primary outcome's two-stage analysis)."""
    root = tmp_path_factory.mktemp("crossing")
    simulator.main(["--out", str(root), "--trial", TRIAL, "--n", "20", "--seed", "2"])
    trial = load_trial(ROOT / "config" / "trials", TRIAL)
    tables = cleaned(TRIAL, root).tables
    derived: dict[str, pd.DataFrame] = {}
    for name in plan.group_datasets(trial, "survival"):
        protocol, outcomes = plan.dataset_protocol(trial.protocol, name), plan.dataset_outcomes(trial, name)
        derived[name] = derive(name, protocol, outcomes, tables, derived)
    results, _ = analyse(plan.group_outcomes(trial, "survival"), plan.group_protocol(trial, "survival"), derived)
    return root, results[(results["analysis"] == "simon_two_stage") & (results["scenario"] == "primary")]


def rows(case: tuple[Path, pd.DataFrame], category: str) -> dict[str, str]:
    found = case[1][(case[1]["category"] == category) & (case[1]["variable"] != "design")]
    return dict(zip(found["statistic"], found["formatted"], strict=True))


def test_the_truth_crosses_and_goes_on(case: tuple[Path, pd.DataFrame]) -> None:
    with open(case[0] / "truth" / "patients.csv", encoding="utf-8", newline="") as stream:
        patients = sorted(csv.DictReader(stream), key=lambda p: (p["inclusion"], p["subject"]))
    success = [int(p["success"]) for p in patients]
    assert (sum(success[:6]), sum(success), len(success)) == (4, 17, 20)


def test_stages_and_decisions(case: tuple[Path, pd.DataFrame]) -> None:
    first, both = rows(case, "stage 1"), rows(case, "both stages")
    assert (first["n"], first["denominator"], first["decision"]) == ("4", "6", "stop for futility")
    assert (both["n"], both["denominator"]) == ("17", "20")
    assert both["decision"].startswith("do not reject p0")
    assert "futility bound crossed" in both["decision"]


def test_supplementary_tests_are_labelled(case: tuple[Path, pd.DataFrame]) -> None:
    extra = case[1][case[1]["variable"] == "unplanned"]
    assert len(extra)
    assert extra["category"].str.contains("naive|exact", case=False).any()
