"""What the reference cases hold beside the estimates: counts, concordance, predictions, tests, event-free share."""

from __future__ import annotations

import math

import numpy as np
import pytest
import test_stats_competing as competing_cases
import test_stats_cox as cox_cases
import test_stats_km as km_cases
from helpers import stats_cases
from helpers.stats_cases import close

from trialpipe.stats import competing, km, multistate
from trialpipe.stats.concordance import concordance
from trialpipe.stats.cox import cox, split_at
from trialpipe.stats.cox_checks import proportional_hazards
from trialpipe.stats.finegray_predict import predicted_incidence
from trialpipe.stats.logrank import logrank
from trialpipe.stats.sojourns import sojourns

SWITCH = {"agvhd": ("ta", "da"), "cgvhd": ("tc", "dc"), "platelet": ("tp", "dp")}


@pytest.mark.parametrize(("case", "model", "time"), cox_cases._models())
def test_concordance(case: str, model: str, time: str) -> None:
    want = stats_cases.expected("cox_logrank", case)[model]
    data = stats_cases.table("cox_logrank", case, "baseline.csv" if case == "bmt_time_dependent" else "input.csv")
    if model == "cox_2arm_strat":
        data = cox_cases._restrict(data, np.isin(data["rx"].astype(str), ["Obs", "Lev+5FU"]))
    event = cox_cases.EVENT.get(case, "event")
    for ties in [t for t in ("efron", "breslow", "exact") if t in want]:
        x = cox_cases._columns(data, want[ties]["terms"])
        used = ~np.isnan(x).any(axis=1)
        part = cox_cases._restrict(data, used)
        stratum = cox_cases._strata(part, cox_cases.STRATA.get(model))
        fit = cox(part[time], part[event], x[used], strata=stratum, ties=ties)
        found = concordance(x[used] @ fit.coef, part[time], part[event], strata=stratum)
        close(found.value, want[ties]["concordance"], 1e-9)
        if "cox_zph_km" in want[ties] and ties != "exact":
            block = want[ties]["cox_zph_km"]
            test = proportional_hazards(fit, part[time], part[event], x[used], strata=stratum, ties=ties)
            assert block["rows"] == [*want[ties]["terms"], "GLOBAL"]
            close([*[1] * len(test.chi_square), test.df], block["df"])


@pytest.mark.parametrize("when", ["after", "on"])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("exposure", SWITCH)
def test_exposures_that_begin_during_follow_up(when: str, ties: str, exposure: str) -> None:
    """Every number of the models, with the exposure on the day itself and from the day after."""
    case = stats_cases.expected("cox_logrank", "bmt_time_dependent")
    whole = case["covariate_switches_on_the_day_itself"] if when == "on" else case
    want = (whole[exposure] if when == "on" else whole[f"td_{exposure}"])[ties]
    data = stats_cases.table("cox_logrank", "bmt_time_dependent", "baseline.csv")
    time, happened = SWITCH[exposure]
    switch = np.where(data[happened] == 1, data[time], math.nan)
    row, start, stop, event, exposed = split_at(data["t2"], data["d3"].astype(int), switch, when)
    known = {"low": data["low"][row], "high": data["high"][row]}
    x = np.column_stack([known.get(name, exposed) for name in want["terms"]])
    fit = cox(stop, event, x, start, ties=ties)
    if when == "on":
        # the case cuts follow-up at all three exposures: more rows, the same likelihood
        cox_cases._check(fit, want | {"n": fit.n})
    else:
        close(fit.coef, want["coef"], 1e-7, 1e-9)
    close(concordance(x @ fit.coef, stop, event, start).value, want["concordance"], 1e-9)


def test_rows_of_the_counting_process() -> None:
    want = stats_cases.expected("cox_logrank", "bmt_time_dependent")
    table = stats_cases.table("cox_logrank", "bmt_time_dependent", "counting_process.csv")
    assert len(table["id"]) == want["n_rows_counting_process"]


def test_arm_without_events_is_said_to_have_no_maximum() -> None:
    want = stats_cases.expected("cox_logrank", "edge_no_events_in_arm")
    data = stats_cases.table("cox_logrank", "edge_no_events_in_arm")
    fit = cox(data["time"], data["event"], data["arm"])
    assert want["cox_monotone_likelihood"] is (not fit.converged)
    assert "HR must not be reported" in want["coxph_note"]
    assert np.isnan(fit.hr).all()


@pytest.mark.parametrize(("case", "model", "time", "group", "strata", "rho"), cox_cases._logranks())
def test_groups_of_the_log_rank_test(case, model, time, group, strata, rho) -> None:
    want, data = stats_cases.expected("cox_logrank", case)[model], stats_cases.table("cox_logrank", case)
    if model == "logrank_2arm":
        data = cox_cases._restrict(data, np.isin(data["rx"].astype(str), ["Obs", "Lev+5FU"]))
    found = logrank(data[time], data[cox_cases.EVENT.get(case, "event")], data[group])
    assert [f"{group}={v:g}" if isinstance(v, float) else f"{group}={v}" for v in found.groups] == want["groups"]


@pytest.mark.parametrize("case", km_cases.PLAIN)
def test_counts_of_the_curves(case: str) -> None:
    want, data = stats_cases.expected("km", case), stats_cases.table("km", case)
    group = km_cases._text(data[want["group_column"]])
    blocks = [(want["overall"], np.ones(len(group), bool)), *((b, group == g) for g, b in want["by"].items())]
    for block, rows in blocks:
        time, event = data["time"][rows], data["event"][rows]
        known = ~(np.isnan(time) | np.isnan(event))
        curve = km.kaplan_meier(time[known], event[known])
        assert (len(time), curve.n_event.sum(), int((~known).sum())) == (
            block["n"], block["n_events"], block["n_omitted"])  # fmt: skip
    assert want["times_requested"] == want["overall"]["conf_loglog"]["times"]


@pytest.mark.parametrize("edge", km_cases.EDGES)
def test_rows_of_the_edges(edge: str) -> None:
    data = stats_cases.table("km", "edge_open", f"{edge}.csv")
    assert len(data["time"]) == stats_cases.expected("km", "edge_open")[edge]["n"]


@pytest.mark.parametrize("case", competing_cases.CASES)
def test_event_free_share_and_counts(case: str) -> None:
    want, data = stats_cases.expected("competing_risks", case), stats_cases.table("competing_risks", case)
    time, status, group = data["time"], data["status"], competing_cases._level(data[want["group_column"]])
    assert len(time) == want["n"]
    assert {str(int(k)): int((status == k).sum()) for k in np.unique(status)} == dict(want["status_counts"])
    for key, block in want["aalen_johansen"].items():
        own = group == key.split("=")[1]
        curve = competing.cumulative_incidence(time[own], status[own], 1)
        at = np.searchsorted(curve.time, np.array(block["times"]), side="right") - 1
        survival = np.where(at < 0, 1.0, curve.survival[at])
        close(survival, block["pstate"]["event_free"], 1e-10)
        n = int(own.sum())
        stays = sojourns(
            np.arange(n), np.zeros(n), np.where(status[own] == 0, -1, status[own]), np.zeros(n), time[own], 3
        )
        found = multistate.occupation(stays, "jackknife")
        place = np.searchsorted(found.time, np.array(block["times"]), side="right") - 1
        close(found.std_err[place, 0], block["se_ij"]["event_free"], 1e-8, 1e-10)
    for cause, block in [(k[-1], b) for k, b in want["cuminc_by"].items()]:
        assert cause in "12"
        assert block["times"] == want["times"]
    assert all(want["cuminc_overall"][f"cause{k}"]["times"] == want["times"] for k in (1, 2))
    assert want["key_format"] == "cuminc_by keys are '<group> <cause>'"


@pytest.mark.parametrize(("case", "model", "cause"), competing_cases.MODELS)
def test_fine_gray_beside_the_coefficients(case: str, model: str, cause: int) -> None:
    """crr stops short of the maximum (``test_stats_competing.py``): limits and tests to 1e-4 standard errors."""
    found, want = competing_cases._fit(case, model, cause)
    assert want["converged"] is found.converged is True
    close(found.se, want["se"], 1e-4)
    close(np.abs(found.covariance / np.array(want["var"])).ravel(), [1.0] * found.covariance.size, 2e-3)
    close((found.inverse / np.array(want["invinf"])).ravel(), [1.0] * found.inverse.size, 1e-3)
    close(2 * (found.loglik - found.loglik_null), want["pseudo_lr"], 1e-6)
    for name, key in (("z", "z"), ("p", "p")):
        close(getattr(found, name), want[key], 1e-3, 2e-4)
    error = np.array(want["se"])
    for name, key in (("shr", "shr"), ("lower", "lo"), ("upper", "hi")):
        assert (np.abs(np.log(getattr(found, name)) - np.log(want[key])) < 2e-4 * error).all()


@pytest.mark.parametrize(("case", "model", "cause"), [m for m in competing_cases.MODELS if m[1] in
                                                      ("crr_relapse_group", "crr_pcm_sexage")])  # fmt: skip
def test_fine_gray_predictions(case: str, model: str, cause: int) -> None:
    found, want = competing_cases._fit(case, model, cause)
    data = stats_cases.table("competing_risks", case)
    x = competing_cases._covariates(model, data).astype(float)
    block = want["predict"]
    patients = np.column_stack([block["newX"][name] for name in block["newX"]])
    assert len(patients) == len(block["cif"])
    for patient, cif in zip(patients, block["cif"].values(), strict=True):
        value = predicted_incidence(found, data["time"], data["status"], x, cause, patient, block["times"])
        close(value, cif, 1e-4)


def test_cause_specific_regression_and_the_same_model_by_weighted_rows() -> None:
    want = stats_cases.expected("competing_risks", "bmt_relapse_trm")
    data = stats_cases.table("competing_risks", "bmt_relapse_trm")
    assert want["crr_covariates"] is not None
    block = want["cause_specific_cox_relapse"]
    x = np.column_stack([data["group"] == 2, data["group"] == 3]).astype(float)
    fit = cox(data["time"], (data["status"] == 1).astype(int), x)
    close(fit.coef, block["coef"], 1e-7)
    close(fit.se, block["se"], 1e-7)
    close([fit.loglik_null, fit.loglik], block["loglik"], 1e-8)
    check = stats_cases.expected("competing_risks", "mgus2_pcm_death")["finegray_coxph_check"]
    sub, _ = competing_cases._fit("mgus2_pcm_death", "crr_pcm_sexage", 1)
    # coxph on the rows of finegray() has Efron's ties, and an error that leaves out that the censoring is estimated
    assert (np.abs(sub.coef - check["coef"]) < 0.01 * sub.se).all()
    close(sub.se, check["robust_se"], 1e-2)
    assert check["n_rows"] > sub.n
