"""Every result of every configured trial is confirmed by the second derivation: reads what ``make qc`` left."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from helpers import needs

from trialpipe.config.site import load_trials, read_site
from trialpipe.io import store
from trialpipe.qc.compare import DIFFERENT, NOT_COVERED

REPO = Path(__file__).resolve().parents[2]
TRIALS = sorted(path.name for path in (REPO / "config" / "trials").iterdir() if path.is_dir())


def lacking(why: str) -> None:
    needs.lacking(f"{why}: make run, make qc")


def table(trial: str, name: str) -> pd.DataFrame:
    path = REPO / read_site().pathvars.get("results", "results") / trial / f"{name}.parquet"
    if not path.exists():
        lacking(f"{path} is not there")
    return store.read(path)


def test_trials_are_those_that_run() -> None:
    assert set(load_trials(read_site().model_dump(mode="json"))) <= set(TRIALS)


@pytest.mark.parametrize("trial", TRIALS)
def test_every_value_is_confirmed(trial: str) -> None:
    found, results = table(trial, "qc"), table(trial, "analysis")
    own = found[~found["result_id"].str.startswith("theirs:")].set_index("result_id")["ours"].astype(float)
    if not own.sort_index().equals(results.set_index("result_id")["value"].astype(float).rename("ours").sort_index()):
        lacking(f"the comparison of {trial} is of another run than its results")
    assert found.loc[found["verdict"].isin([DIFFERENT, NOT_COVERED]), "result_id"].tolist() == []


@pytest.mark.parametrize("trial", TRIALS)
def test_every_record_is_confirmed(trial: str) -> None:
    records = table(trial, "qc_records")
    assert records.loc[records["verdict"] == DIFFERENT, ["dataset", "record", "variable"]].values.tolist() == []
    assert {"adsl"} < set(records["dataset"])
