"""The second derivation in R confirms the real trial, and an error on either side is caught."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers import needs
from workflow.runs import copy_repo, python, snakemake

from trialpipe.io import store
from trialpipe.io.contracts import RESULTS
from trialpipe.qc.compare import confirmed

pytestmark = pytest.mark.slow
TRIAL = "bmt-1991"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs.second_derivation()
    folder = copy_repo(tmp_path_factory.mktemp("qc") / "run", (TRIAL,))
    done = snakemake(folder, "qc_all")
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def compared(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return tuple(store.read(folder / "results" / TRIAL / f"{name}.parquet") for name in ("qc", "qc_records"))


def test_every_result_of_the_real_trial_is_confirmed(run: Path) -> None:
    results, records = compared(run)
    counts = results["verdict"].value_counts().to_dict()
    assert {name for name in counts if not confirmed(name)} == {"no value"}
    assert counts["same"] > 20_000
    assert set(records["verdict"]) == {"same"}
    assert set(records["dataset"]) == {"adsl", "adtte"}
    table = python(run, "-m", "trialpipe.qc.table", code=run)
    assert table.returncode == 0, table.stdout
    assert TRIAL in table.stdout


def test_report_says_what_is_confirmed(run: Path) -> None:
    folder = run / "results" / TRIAL / "report"
    page = (folder / "qc.html").read_text(encoding="utf-8")
    results, _ = compared(run)
    total = int(results["verdict"].map(confirmed).sum())
    assert f"{total} of {total} numbers confirmed" in page
    assert "NOT CONFIRMED" not in page
    # a mark under every table and figure, of which each has a caption
    displays = page.count('<p class="caption">') + page.count("<figcaption>")
    assert page.count('<p class="foot">Second derivation: ') == displays
    assert f"{TRIAL}/report/qc.html" in (run / "results" / "qc.html").read_text(encoding="utf-8")


def test_r_is_given_no_result_and_no_derived_table(run: Path) -> None:
    files = {path.name for path in (run / "results" / TRIAL / "qc" / "input").iterdir()}
    assert {name.split("_")[0] for name in files if name.endswith(".csv")} == {"clean", "keys.csv"}
    header = (run / "results" / TRIAL / "qc" / "input" / "keys.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "value" not in header


def again(run: Path, target: Path, *steps: str) -> pd.DataFrame:
    """A copy of a finished run with the named jobs done again; the planted error must not be repaired."""
    done = snakemake(target, f"results/{TRIAL}/qc.parquet", "--allowed-rules", *steps, "--rerun-triggers", "mtime")
    assert done.returncode == 0, done.stderr[-3000:]
    return compared(target)[0]


def test_error_in_a_function_of_ours_is_caught(run: Path, tmp_path: Path) -> None:
    target = shutil.copytree(run, tmp_path / "run", symlinks=True)
    module = target / "workflow" / "scripts" / "trialpipe" / "stats" / "km.py"
    text = module.read_text(encoding="utf-8")
    right, wrong = "tail**2 * died / (risk * (risk - died))", "tail**2 * died / (risk * risk)"
    assert right in text
    module.write_text(text.replace(right, wrong), encoding="utf-8")
    done = snakemake(target, f"results/{TRIAL}/qc.parquet")
    assert done.returncode == 0, done.stderr[-3000:]
    results, records = compared(target)
    found = results[results["verdict"] == "different"]
    assert set(found["statistic"]) == {"std_err", "lower", "upper"}
    assert found["result_id"].str.contains("/restricted-mean/").all()
    assert set(records["verdict"]) == {"same"}
    table = python(target, "-m", "trialpipe.qc.table", code=target)
    assert table.returncode == 1
    assert "here, " in table.stdout


def test_wrong_number_of_ours_is_caught(run: Path, tmp_path: Path) -> None:
    target = shutil.copytree(run, tmp_path / "run", symlinks=True)
    path = target / "results" / TRIAL / "analysis.parquet"
    results = store.read(path)
    wanted = (
        (results["outcome"] == "lfs") & (results["analysis"] == "kaplan_meier") & (results["statistic"] == "survival")
    )
    at = results.index[wanted & (results["time"] == 365) & (results["group"] == "Overall")][0]
    results.loc[at, "value"] += 1e-6
    store.write(results, path, RESULTS)
    found = again(run, target, "qc_compare")
    assert found.loc[found["verdict"] == "different", "result_id"].tolist() == [results.loc[at, "result_id"]]


def test_wrong_step_of_theirs_is_caught(run: Path, tmp_path: Path) -> None:
    target = shutil.copytree(run, tmp_path / "run", symlinks=True)
    script = target / "workflow" / "qc" / "time_to_event.R"
    text = script.read_text(encoding="utf-8")
    assert "AVAL = ifelse(exact, day - origin$low, NA)" in text
    script.write_text(
        text.replace("AVAL = ifelse(exact, day - origin$low, NA)", "AVAL = ifelse(exact, day - origin$low + 1, NA)"),
        encoding="utf-8",
    )
    done = snakemake(target, "qc_all")
    assert done.returncode == 0, done.stderr[-3000:]
    results, records = compared(target)
    assert (results["verdict"] == "different").sum() > 1000
    assert set(records.loc[records["verdict"] == "different", "variable"]) == {"AVAL"}
    table = python(target, "-m", "trialpipe.qc.table", code=target)
    assert table.returncode == 1
    assert "in R" in table.stdout
