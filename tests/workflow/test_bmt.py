"""The real trial, raw file to results, against R's numbers for the same data and published medians."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from helpers.reference import reference_case
from workflow.runs import copy_repo, snakemake

from trialpipe.io import store

pytestmark = pytest.mark.slow
GROUPS = {"1": "ALL", "2": "AML low risk", "3": "AML high risk"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = copy_repo(tmp_path_factory.mktemp("bmt") / "run", ("bmt-1991",))
    run = snakemake(folder, str(Path("results") / "bmt-1991" / "analysis.parquet"))
    assert run.returncode == 0, run.stderr[-3000:]
    return store.read(folder / "results" / "bmt-1991" / "analysis.parquet")


def expected(group: str, case: str) -> dict:
    return json.loads((reference_case(group, case) / "expected.json").read_text(encoding="utf-8"))["expected"]


def values(results: pd.DataFrame, statistic: str, **where: object) -> pd.Series:
    rows = results[results["statistic"] == statistic]
    for column, value in where.items():
        rows = rows[rows[column].isna() if value is None else rows[column] == value]
    return rows.sort_values("order")


def close(found: float, wanted: float, rel: float = 1e-8) -> bool:
    return found == pytest.approx(wanted, rel=rel, abs=1e-10)


@pytest.mark.parametrize("by", [None, "1", "2", "3"])
def test_leukaemia_free_survival_equals_survfit(results: pd.DataFrame, by: str | None) -> None:
    reference = expected("km", "bmt_dfs")
    part = reference["overall"] if by is None else reference["by"][by]
    group = GROUPS[by] if by else "Overall"
    curve = part["conf_loglog"]
    names = {"survival": "surv", "std_err": "std_err", "lower": "lower", "upper": "upper", "n_risk": "n_risk"}
    compared = 0
    for statistic, key in names.items():
        rows = values(results, statistic, outcome="lfs", analysis="kaplan_meier", group=group, term=None)
        found = dict(zip(rows["time"], rows["value"], strict=True))
        for time, wanted in zip(curve["times"], curve[key], strict=True):
            if wanted is not None and pd.notna(found[time]):
                assert close(found[time], wanted), (statistic, time)
                compared += 1
    assert compared > 30
    median = values(results, "median", outcome="lfs", analysis="kaplan_meier", group=group, term="Median")[
        "value"
    ].iloc[0]
    assert median == curve["quantile"][1]


def test_published_medians_of_leukaemia_free_survival(results: pd.DataFrame) -> None:
    """Klein and Moeschberger, chapter 4: 418, 2204 and 183 days."""
    rows = values(results, "median", outcome="lfs", analysis="kaplan_meier", term="Median")
    found = dict(zip(rows["group"], rows["value"], strict=True))
    assert [found[g] for g in GROUPS.values()] == [418, 2204, 183]


@pytest.mark.parametrize(("outcome", "cause"), [("relapse", 1), ("nrm", 2)])
def test_cumulative_incidence_and_gray_equal_cmprsk(results: pd.DataFrame, outcome: str, cause: int) -> None:
    reference = expected("competing_risks", "bmt_relapse_trm")
    places = {"Overall": reference["cuminc_overall"][f"cause{cause}"]}
    places |= {name: reference["cuminc_by"][f"{code} {cause}"] for code, name in GROUPS.items()}
    for group, part in places.items():
        for statistic, key in {"cif": "cif", "lower": "loglog_lo", "upper": "loglog_hi"}.items():
            rows = values(results, statistic, outcome=outcome, analysis="cumulative_incidence", group=group, term=None)
            found = dict(zip(rows["time"], rows["value"], strict=True))
            for time, wanted in zip(part["times"], part[key], strict=True):
                if wanted is not None and pd.notna(found[time]):
                    assert close(found[time], wanted, 1e-7), (group, statistic, time)
    chi = values(results, "chi_square", outcome=outcome, analysis="cumulative_incidence", term="Gray's test")["value"]
    assert close(chi.iloc[0], reference["gray"]["stat"][cause - 1])


@pytest.mark.parametrize(
    ("analysis", "case", "path"),
    [
        ("cox.full", "bmt_time_dependent", ("cox_fixed", "efron")),
        ("cox.acute_gvhd", "bmt_time_dependent", ("td_agvhd", "efron")),
        ("cox.chronic_gvhd", "bmt_time_dependent", ("td_cgvhd", "efron")),
        ("cox.platelets", "bmt_time_dependent", ("td_platelet", "efron")),
        ("cox.landmark", "bmt_landmark100", ("cox", "efron")),
    ],
)
def test_cox_models_equal_coxph(results: pd.DataFrame, analysis: str, case: str, path: tuple[str, str]) -> None:
    reference = expected("cox_logrank", case)[path[0]][path[1]]
    for statistic, key in {"coef": "coef", "std_err": "se", "lower": "hr_lo", "upper": "hr_hi", "p": "p"}.items():
        rows = values(results, statistic, outcome="lfs", analysis=analysis)
        found = sorted(rows.loc[rows["term"] != "Likelihood ratio test", "value"].dropna())
        found = [v for v in found if any(close(v, w, 1e-6) for w in reference[key])]
        assert len(found) == len(reference["terms"]), (statistic, found, reference[key])


def test_lifted_from_clinical_facts(results: pd.DataFrame) -> None:
    """R survival 3.5-3: Cox with age, RMST, follow-up, stratified log-rank."""
    coef = values(results, "coef", outcome="lfs", analysis="cox")
    found = {f"{t}/{c}": v for t, c, v in zip(coef["term"], coef["category"], coef["value"], strict=True)}
    assert close(found["GROUP/AML low risk vs ALL"], -0.6246058197, 1e-6)
    assert close(found["GROUP/AML high risk vs ALL"], 0.3075355667, 1e-6)
    assert close(next(v for k, v in found.items() if k.startswith("AGE/")), 0.0088079763, 1e-5)
    rmst = values(results, "rmst", outcome="lfs", analysis="kaplan_meier", group="Overall")["value"].iloc[0]
    assert close(rmst, 445.0580337, 1e-7)
    p = values(results, "p", outcome="lfs", analysis="logrank.by_mtx")["value"].dropna().iloc[0]
    assert p == pytest.approx(0.001365, abs=5e-7)
