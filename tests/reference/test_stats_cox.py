"""Cox regression and log-rank tests against R's survival (see the README of each case)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import stats_cases
from helpers.stats_cases import close

from trialpipe.stats.cox import Cox, cox, landmark, split_at
from trialpipe.stats.cox_checks import predicted_survival, proportional_hazards
from trialpipe.stats.logrank import logrank

GROUP = "cox_logrank"


def _check(fit: Cox, want: dict) -> None:
    assert (fit.n, fit.n_event, fit.df) == (want["n"], want["nevent"], want["lr_df"])
    assert fit.converged
    close(fit.coef, want["coef"], 1e-7, 1e-9)
    close(fit.se, want["se"], 1e-7, 1e-9)
    close(fit.covariance.ravel(), np.array(want["vcov"]).ravel().tolist(), 1e-6, 1e-9)
    close([fit.loglik_null, fit.loglik], [want["loglik_null"], want["loglik"]], 1e-8)
    close([fit.lr_test, fit.lr_p], [want["lr_test"], want["lr_p"]], 1e-7)
    close([fit.wald_test, fit.wald_p], [want["wald_test"], want["wald_p"]], 1e-7, 1e-9)
    close([fit.score_test, fit.score_p], [want["score_test"], want["score_p"]], 1e-7)
    for name, key in (("hr", "hr"), ("lower", "hr_lo"), ("upper", "hr_hi"), ("z", "z"), ("p", "p")):
        close(getattr(fit, name), want[key], 1e-6, 1e-9, what=name)


def _columns(data: dict, names: list[str]) -> np.ndarray:
    derived = {"ag28xdag28": "agxdag"}
    return np.column_stack([data[derived.get(n, n)] for n in names])


def _models() -> list[tuple[str, str, str]]:
    return [
        ("bmt_landmark100", "cox", "time100"), ("colon_death", "cox_rx", "time"),
        ("colon_death", "cox_strat_extent_node4", "time"), ("colon_death", "cox_adj_missing", "time"),
        ("colon_death", "cox_2arm_strat", "time"), ("freireich_cox", "cox", "time"),
        ("freireich_cox", "cox_strat_pair", "time"), ("bmt_time_dependent", "cox_fixed", "t2"),
    ]  # fmt: skip


STRATA = {"cox_strat_extent_node4": ["extent", "node4"], "cox_2arm_strat": ["extent"], "cox_strat_pair": ["pair"]}
EVENT = {"bmt_landmark100": "d3", "bmt_time_dependent": "d3"}


def _strata(data: dict, names: list[str] | None) -> np.ndarray | None:
    if names is None:
        return None
    return np.array(["/".join(f"{data[n][i]:g}" for n in names) for i in range(len(data[names[0]]))])


def _restrict(data: dict, rows: np.ndarray) -> dict:
    return {key: values[rows] for key, values in data.items()}


@pytest.mark.parametrize(("case", "model", "time"), _models())
def test_fixed_covariates(case: str, model: str, time: str) -> None:
    want = stats_cases.expected(GROUP, case)[model]
    name = "baseline.csv" if case == "bmt_time_dependent" else "input.csv"
    data = stats_cases.table(GROUP, case, name)
    if model == "cox_2arm_strat":
        data = _restrict(data, np.isin(data["rx"].astype(str), ["Obs", "Lev+5FU"]))
    event = EVENT.get(case, "event")
    for ties in [t for t in ("efron", "breslow", "exact") if t in want]:
        x = _columns(data, want[ties]["terms"])
        used = ~np.isnan(x).any(axis=1)
        part = _restrict(data, used)
        stratum = _strata(part, STRATA.get(model))
        fit = cox(part[time], part[event], x[used], strata=stratum, ties=ties)
        _check(fit, want[ties])
        _check_proportional(fit, part[time], part[event], x[used], stratum, ties, want[ties])
        if "predicted" in want[ties]:
            _check_predicted(fit, part[time], part[event], x[used], ties, want[ties])


def _check_proportional(fit, time, event, x, stratum, ties: str, want: dict) -> None:
    for transform in ("km", "identity"):
        if f"cox_zph_{transform}" in want and ties != "exact":
            block = want[f"cox_zph_{transform}"]
            found = proportional_hazards(fit, time, event, x, strata=stratum, ties=ties, transform=transform)
            close([*found.chi_square, found.global_chi_square], block["chisq"], 1e-7, 1e-8, what=transform)
            close([*found.p, found.global_p], block["p"], 1e-7, 1e-8)


def _check_predicted(fit, time, event, x, ties: str, want: dict) -> None:
    block = want["predicted"]
    for i, name in enumerate(block["surv"]):
        subject = np.array([block["newdata"][t][i] for t in want["terms"]])
        surv, error = predicted_survival(fit, time, event, x, np.array(block["times"]), subject, ties=ties)
        close(surv, block["surv"][name], 1e-7)
        close(error, block["std_err"][name], 1e-6)


TIME_DEPENDENT = {"td_agvhd": ("ta", "da"), "td_cgvhd": ("tc", "dc"), "td_platelet": ("tp", "dp")}


@pytest.mark.parametrize("model", sorted(TIME_DEPENDENT))
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_time_dependent_exposure_given_split(model: str, ties: str) -> None:
    want = stats_cases.expected(GROUP, "bmt_time_dependent")[model][ties]
    data = stats_cases.table(GROUP, "bmt_time_dependent", "counting_process.csv")
    _check(cox(data["tstop"], data["dfs"], _columns(data, want["terms"]), data["tstart"], ties=ties), want)


@pytest.mark.parametrize("when", ["after", "on"])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_time_dependent_exposure_split_here(when: str, ties: str) -> None:
    case = stats_cases.expected(GROUP, "bmt_time_dependent")
    data = stats_cases.table(GROUP, "bmt_time_dependent", "baseline.csv")
    for model, (time, happened) in TIME_DEPENDENT.items():
        switch = np.where(data[happened] == 1, data[time], math.nan)
        row, start, stop, event, exposed = split_at(data["t2"], data["d3"].astype(int), switch, when)
        block = case[model] if when == "after" else case["covariate_switches_on_the_day_itself"]
        want = block[ties] if when == "after" else _on_the_day(block, model, ties)
        low, high = data["low"][row], data["high"][row]
        columns = {"low": low, "high": high, model.removeprefix("td_"): exposed}
        names = want.get("terms", list(columns))
        x = np.column_stack([columns.get(n, exposed) for n in names])
        fit = cox(stop, event, x, start, ties=ties)
        close(fit.coef, want["coef"], 1e-7, 1e-9)
        close(fit.se, want["se"], 1e-7, 1e-9)


def _on_the_day(block: dict, model: str, ties: str) -> dict:
    found = block[model.removeprefix("td_")]
    return found.get(ties, found)


def test_split_gives_the_rows_of_the_reference() -> None:
    """Cutting at the three switches one after the other yields the stored intervals and exposures."""
    want = stats_cases.table(GROUP, "bmt_time_dependent", "counting_process.csv")
    data = stats_cases.table(GROUP, "bmt_time_dependent", "baseline.csv")
    rows = [(i, 0.0, t, int(d), ()) for i, (t, d) in enumerate(zip(data["t2"], data["d3"], strict=True))]
    for time, happened in TIME_DEPENDENT.values():
        cut = []
        for i, a, b, event, seen in rows:
            switch = data[time][i] - a if data[happened][i] == 1 else math.nan
            _, start, stop, events, exposed = split_at(np.array([b - a]), np.array([event]), np.array([switch]))
            cut += [
                (i, a + s, a + e, int(v), (*seen, x)) for s, e, v, x in zip(start, stop, events, exposed, strict=True)
            ]
        rows = cut
    found = sorted((int(data["id"][i]), a, b, event, *seen) for i, a, b, event, seen in rows)
    names = ("id", "tstart", "tstop", "dfs", "agvhd", "cgvhd", "plate")
    assert found == sorted(tuple(float(want[n][j]) for n in names) for j in range(len(want["id"])))


def test_landmark_selection() -> None:
    case = stats_cases.expected(GROUP, "bmt_landmark100")
    want = stats_cases.table(GROUP, "bmt_landmark100")
    data = stats_cases.table(GROUP, "bmt_time_dependent", "baseline.csv")
    kept = landmark(data["t2"], 100)
    close(data["id"][kept], want["id"].tolist())
    close(data["t2"][kept] - 100, want["time100"].tolist())
    assert int(kept.sum()) == case["n"]
    reached = (data["dc"][kept] == 1) & (data["tc"][kept] <= 100)
    assert int(reached.sum()) == case["n_cg100"]


def _logranks() -> list[tuple[str, str, str, str, list[str] | None, float]]:
    return [
        ("bmt_landmark100", "logrank", "time100", "cg100", None, 0),
        ("bmt_landmark100", "logrank_strat", "time100", "cg100", ["group"], 0),
        ("colon_death", "logrank", "time", "rx", None, 0), ("colon_death", "logrank_2arm", "time", "rx", ["extent"], 0),
        ("freireich_cox", "logrank", "time", "trt6mp", None, 0),
        ("freireich_cox", "logrank_strat_pair", "time", "trt6mp", ["pair"], 0),
        ("freireich_cox", "wilcoxon_peto", "time", "trt6mp", None, 1),
        ("edge_no_events_in_arm", "logrank", "time", "arm", None, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("case", "model", "time", "group", "strata", "rho"), _logranks())
def test_logrank(case: str, model: str, time: str, group: str, strata: list[str] | None, rho: float) -> None:
    want, data = stats_cases.expected(GROUP, case)[model], stats_cases.table(GROUP, case)
    if model == "logrank_2arm":
        data = _restrict(data, np.isin(data["rx"].astype(str), ["Obs", "Lev+5FU"]))
    _check_logrank(logrank(data[time], data[EVENT.get(case, "event")], data[group], _strata(data, strata), rho), want)


def test_logrank_stratified_by_text_and_by_two() -> None:
    data = stats_cases.table(GROUP, "edge_no_events_in_arm")
    found = logrank(data["time"], data["event"], data["arm"], data["stratum"])
    _check_logrank(found, stats_cases.expected(GROUP, "edge_no_events_in_arm")["logrank_strat"])
    data = stats_cases.table(GROUP, "colon_death")
    found = logrank(data["time"], data["event"], data["rx"], _strata(data, ["extent", "node4"]))
    _check_logrank(found, stats_cases.expected(GROUP, "colon_death")["logrank_strat"])


def _check_logrank(found, want: dict) -> None:
    close(found.n, want["n"])
    close(found.observed, want["observed"], 1e-9, 1e-9)
    close(found.expected, want["expected"], 1e-9, 1e-9)
    close(found.variance.ravel(), np.array(want["var"]).ravel().tolist(), 1e-9, 1e-9)
    close([found.chi_square, found.df], [want["chisq"], want["df"]], 1e-9, 1e-9)
    close(found.p, want["p"], 1e-8, 0)


def test_arm_without_events_has_no_finite_hazard_ratio() -> None:
    want, data = stats_cases.expected(GROUP, "edge_no_events_in_arm"), stats_cases.table(GROUP, "edge_no_events_in_arm")
    fit = cox(data["time"], data["event"], data["arm"])
    assert not fit.converged
    assert np.isnan([*fit.coef, *fit.se, *fit.hr, *fit.lower, *fit.upper, *fit.p]).all()
    close(fit.loglik, want["loglik_limit"], 1e-6)
