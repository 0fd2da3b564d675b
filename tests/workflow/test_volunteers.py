"""Pharmacokinetic parameters by YAML alone: from clock times in CSV to geometric means, against NonCompart and R."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers import needs
from workflow.runs import REPO, accept, snakemake

from trialpipe.io import store
from trialpipe.qc.compare import confirmed

pytestmark = pytest.mark.slow
TRIAL = "volunteers"
REFERENCE = REPO / "tests" / "reference" / "data" / "pk_nca" / "indometh_nca" / "expected.json"
CODES = ("CMAX", "TMAX", "C0", "AUCLST", "AUCIFO", "AUCPEO", "LAMZHL", "CLO", "VZO", "VSSO", "MRTIBIFO")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("volunteers") / "run"
    shutil.copytree(REPO / "tests" / "workflow" / "data" / TRIAL, folder)
    accept(folder, TRIAL)
    run = snakemake(folder, code=REPO)
    assert run.returncode == 0, run.stderr[-3000:]
    return folder / "results" / TRIAL


def wanted(block: str, code: str) -> list[float]:
    """Values of NonCompart by volunteer."""
    own = json.loads(REFERENCE.read_text(encoding="utf-8"))["expected"][block]
    return [own[subject][code.replace("MRTIB", "MRTIV")] for subject in sorted(own, key=int)]


def test_parameters_of_every_volunteer(done: Path) -> None:
    frame = store.read(done / "derived" / "adpp.parquet")
    assert set(frame["PARAMCD"]) == set(CODES)
    for code in CODES:
        own = frame[frame["PARAMCD"] == code].sort_values("USUBJID")
        assert own["AVAL"].tolist() == pytest.approx(wanted("bolus_linear", code), rel=1e-8), code
        assert set(own["ANL01FL"]) == {"Y"}
    assert frame.loc[frame["PARAMCD"] == "CLO", "AVALU"].unique().tolist() == ["L/h"]


def test_an_oral_reading_by_the_default_rules(done: Path) -> None:
    frame = store.read(done / "derived" / "adppev.parquet")
    for code in ("AUCLST", "AUMCLST", "CLFO", "VZFO", "MRTEVIFO", "LAMZHL"):
        own = frame[frame["PARAMCD"] == code].sort_values("USUBJID")
        assert own["AVAL"].tolist() == pytest.approx(wanted("extravascular_log", code), rel=1e-8), code
    assert frame.loc[frame["AVAL"].isna(), "NOTE"].notna().all()


def test_geometric_means_in_the_results(done: Path) -> None:
    rows = store.read(done / "analysis.parquet")
    rows = rows[(rows["outcome"] == "pharmacokinetics") & (rows["visit"] == "Day 1")]
    for analysis, block, codes in (
        ("describe_by_visit", "bolus_linear", CODES),
        ("describe_by_visit.as_if_swallowed", "extravascular_log", ("CMAX", "AUCLST", "CLFO")),
    ):
        for code in codes:
            own = rows[(rows["analysis"] == analysis) & (rows["parameter"] == code)]
            found = dict(zip(own["statistic"], own["value"], strict=True))
            logs = pd.Series([math.log(value) for value in wanted(block, code)])
            assert found["n"] == 6
            assert found["geometric_mean"] == pytest.approx(math.exp(logs.mean()), rel=1e-8), code
            assert found["geometric_cv"] == pytest.approx(100 * math.sqrt(math.expm1(logs.std() ** 2)), rel=1e-6), code


def test_the_report_names_the_parameters(done: Path) -> None:
    report = (done / "report" / "index.html").read_text(encoding="utf-8")
    for words in ("AUC Infinity Obs", "Half-Life Lambda z", "Vol Dist Steady State Obs", "h.µg/mL"):
        assert words in report


def test_the_second_derivation_confirms_them(done: Path) -> None:
    needs.second_derivation()
    folder = done.parents[1]
    run = snakemake(folder, "qc_all", code=REPO)
    assert run.returncode == 0, run.stderr[-3000:]
    results = store.read(folder / "results" / TRIAL / "qc.parquet")
    own = results[results["result_id"].str.startswith("pharmacokinetics/")]
    assert len(own) > 14 * 10
    wrong = own[~own["verdict"].map(confirmed)]
    assert wrong["result_id"].tolist() == [], wrong[["result_id", "ours", "theirs", "verdict"]].to_string()
