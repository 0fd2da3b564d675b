"""The target of its own: jobs per batch, on two cores, give what one loop gives; a plain run does none of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from helpers.characteristics_case import case, trial
from workflow.runs import copy_repo, planned, snakemake

from trialpipe.characteristics.contract import CHARACTERISTICS
from trialpipe.characteristics.replicates import replicates
from trialpipe.characteristics.run import characteristics
from trialpipe.io import store

pytestmark = pytest.mark.slow
TRIAL = "c-hlh"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_repo(tmp_path_factory.mktemp("characteristics") / "run", (TRIAL,))
    scenarios = folder / "config" / "trials" / TRIAL / "characteristics.yaml"
    scenarios.write_text(scenarios.read_text(encoding="utf-8") + "batch: 2\n", encoding="utf-8")
    done = snakemake(folder, "--cores", "2", "--config", "replicates=5", "--", "characteristics_all")
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_jobs_give_what_one_loop_gives(run: Path, tmp_path: Path) -> None:
    assert len(list((run / "results" / TRIAL / "characteristics").glob("replicates_*.parquet"))) == 3
    made = case(TRIAL)
    store.write(characteristics(made, replicates(made, 0, 5)), tmp_path / "ours.parquet", CHARACTERISTICS)
    found = run / "results" / TRIAL / "characteristics.parquet"
    assert found.read_bytes() == (tmp_path / "ours.parquet").read_bytes()
    assert set(pd.read_parquet(found)["method"]) == {"exact", "simulated"}


def test_the_page_names_every_truth(run: Path) -> None:
    text = (run / "results" / TRIAL / "report" / "characteristics.html").read_text(encoding="utf-8")
    spec = trial(TRIAL).characteristics
    assert spec is not None
    assert [s.label for s in spec.scenarios if s.label not in text] == []


def test_it_is_done_once_and_no_part_of_a_run(run: Path) -> None:
    again = ("--config", "replicates=5", "--", "characteristics_all")
    assert planned(run, *again) <= {"characteristics_all"}
    assert not any(job.startswith("characteristics") for job in planned(run))
    more = planned(run, "--config", "replicates=7", "--", "characteristics_all")
    # the third batch held one replicate and now holds two; the first two stay
    assert {job for job in more if job.startswith("characteristics_replicates")} == {
        f"characteristics_replicates {TRIAL} {number}" for number in ("0002", "0003")
    }
