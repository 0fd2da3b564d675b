"""Cumulative incidence, Gray's test and Fine-Gray regression against cmprsk and survival."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import stats_cases
from helpers.stats_cases import close, numbers

from trialpipe.stats import competing
from trialpipe.stats.finegray import FineGray, fine_gray
from trialpipe.stats.gray import gray_test

CASES = ["bmt_relapse_trm", "mgus2_pcm_death", "tidycmprsk_trial"]
KINDS = {"loglog": "log-log", "cloglog1m": "cloglog", "plain": "plain"}


def _level(values: np.ndarray) -> np.ndarray:
    return np.array([f"{v:g}" if isinstance(v, float) else v for v in values], dtype=object)


def _check_incidence(time: np.ndarray, status: np.ndarray, cause: int, want: dict, times: list[float]) -> None:
    curve = competing.cumulative_incidence(time, status, cause)
    rows = competing.at_times(curve, times)
    # cmprsk's timepoints() is undefined after the last observation; ours carries forward and says so
    known = ~np.isnan(numbers(want["cif"]))
    assert all(r.time > time.max() for r, k in zip(rows, known, strict=True) if not k)
    close(np.array([r.cif for r in rows])[known], np.array(want["cif"], float)[known].tolist(), 1e-10, 1e-10)
    close(np.array([r.std_err**2 for r in rows])[known], np.array(want["var"], float)[known].tolist(), 1e-9, 1e-10)
    for key, kind in KINDS.items():
        if f"{key}_lo" not in want:
            continue
        for row, low, high in zip(competing.at_times(curve, times, conf_type=kind), numbers(want[f"{key}_lo"]),
                                  numbers(want[f"{key}_hi"]), strict=True):  # fmt: skip
            if row.cif == 0 and kind == "cloglog":
                assert math.isnan(row.lower)  # cmprsk prints 0, 0: there is no variance, hence no interval
            elif kind == "plain":
                close([row.lower, row.upper], np.clip([low, high], 0, 1).tolist(), 1e-8)  # ours are clipped
            else:
                close([row.lower, row.upper], [low, high], 1e-8)


@pytest.mark.parametrize("case", CASES)
def test_incidence(case: str) -> None:
    want, data = stats_cases.expected("competing_risks", case), stats_cases.table("competing_risks", case)
    time, status, group = data["time"], data["status"], _level(data[want["group_column"]])
    for cause in (1, 2):
        _check_incidence(time, status, cause, want["cuminc_overall"][f"cause{cause}"], want["times"])
    for key, block in want["cuminc_by"].items():
        level, cause = key.rsplit(" ", 1)
        _check_incidence(time[group == level], status[group == level], int(cause), block, want["times"])


@pytest.mark.parametrize("case", CASES)
def test_aalen_johansen_with_infinitesimal_jackknife(case: str) -> None:
    want, data = stats_cases.expected("competing_risks", case), stats_cases.table("competing_risks", case)
    group = _level(data[want["group_column"]])
    for key, block in want["aalen_johansen"].items():
        rows = group == key.split("=")[1]
        for cause in (1, 2):
            curve = competing.cumulative_incidence(data["time"][rows], data["status"][rows], cause, "jackknife")
            found = competing.at_times(curve, block["times"])
            close([r.cif for r in found], block["pstate"][f"cause{cause}"], 1e-10)
            close([r.std_err for r in found], block["se_ij"][f"cause{cause}"], 1e-8)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("which", ["gray", "gray_rho1", "gray_stratified"])
def test_gray(case: str, which: str) -> None:
    want, data = stats_cases.expected("competing_risks", case), stats_cases.table("competing_risks", case)
    if which not in want:
        assert case == "mgus2_pcm_death"
        return
    block = want[which]
    strata = data[block["strata_column"]] if "strata_column" in block else None
    group = _level(data[want["group_column"]])
    for i, cause in enumerate(block["cause"]):
        found = gray_test(data["time"], data["status"], group, int(cause), strata, 1.0 if which == "gray_rho1" else 0.0)
        close([found.chi_square, found.df, found.p], [block["stat"][i], block["df"][i], block["pv"][i]], 1e-8)


@pytest.mark.parametrize("edge", ["no_cause2", "tied_causes", "time_zero"])
def test_edges(edge: str) -> None:
    want = stats_cases.expected("competing_risks", "edge_open")[edge]
    data = stats_cases.table("competing_risks", "edge_open", f"{edge}.csv")
    time, status, group = data["time"], data["status"], data["g"]
    for key, block in want["overall"].items():
        _check_incidence(time, status, int(key.split()[1]), block, want["times"])
    for key, block in want["by"].items():
        level, cause = key.split()
        _check_incidence(time[group == level], status[group == level], int(cause), block, want["times"])
    for i, cause in enumerate(want["gray"]["cause"]):
        found = gray_test(time, status, group, int(cause))
        close([found.chi_square, found.df, found.p],
              [want["gray"]["stat"][i], want["gray"]["df"][i], want["gray"]["pv"][i]], 1e-8)  # fmt: skip


def _covariates(model: str, data: dict[str, np.ndarray]) -> np.ndarray:
    if model == "crr_cancer_age_trt":
        return np.column_stack([data["age"], data["trt"] == "Drug B"])
    if model == "crr_pcm_sexage":
        return np.column_stack([data["sex"] == "M", data["age"]])
    if model == "crr_pcm_mspike_cc":
        return np.column_stack([data["age"], data["mspike"]])
    low_high = [data["group"] == 2, data["group"] == 3]
    return np.column_stack([*low_high, data["fab"], data["age"] - 28] if model == "crr_relapse_adj" else low_high)


MODELS = [
    ("bmt_relapse_trm", "crr_relapse_group", 1), ("bmt_relapse_trm", "crr_trm_group", 2),
    ("bmt_relapse_trm", "crr_relapse_adj", 1), ("bmt_relapse_trm", "crr_relapse_cengroup_mtx", 1),
    ("mgus2_pcm_death", "crr_pcm_sexage", 1), ("mgus2_pcm_death", "crr_pcm_mspike_cc", 1),
    ("tidycmprsk_trial", "crr_cancer_age_trt", 1),
]  # fmt: skip
# crr stops at a gradient of 1e-6 |loglik| by default, and the stored coefficients of these models are that far from
# the maximum (2e-5). The same calls with gtol = 1e-12 (R 4.2.2, cmprsk 2.2-11) give: coefficients, standard errors.
TIGHT = {
    "crr_relapse_group": ([-0.803372064824845, 0.508514758872467], [0.42845581888788, 0.366181989114858]),
    "crr_trm_group": ([-0.114701392187055, -0.0917574913798614], [0.370671864144598, 0.401886563109197]),
    "crr_relapse_cengroup_mtx": ([-0.803776165663291, 0.508405746428849], [0.428485019121203, 0.366190201148759]),
    "crr_cancer_age_trt": ([0.00587836039615767, 0.417123065062463], [0.00998585607086787, 0.278946248272735]),
}


def _fit(case: str, model: str, cause: int) -> tuple[FineGray, dict]:
    want, data = stats_cases.expected("competing_risks", case)[model], stats_cases.table("competing_risks", case)
    x = _covariates(model, data).astype(float)
    used = ~np.isnan(x).any(axis=1)
    if model == "crr_pcm_mspike_cc":
        used &= ~np.isnan(data["hgb"])
    extra = {"censoring_group": data["mtx"][used]} if "cengroup" in model else {}
    return fine_gray(data["time"][used], data["status"][used], x[used], cause, **extra), want


@pytest.mark.parametrize(("case", "model", "cause"), MODELS)
def test_fine_gray(case: str, model: str, cause: int) -> None:
    found, want = _fit(case, model, cause)
    assert found.n == want["n"]
    close([found.loglik, found.loglik_null], [want["loglik"], want["loglik_null"]], 1e-8)
    # the maximum is a maximum: ours is not below what crr reached
    assert found.loglik >= want["loglik"] - 1e-10 * abs(want["loglik"])
    if model in TIGHT:
        close(found.coef, TIGHT[model][0], 1e-10)
    else:
        close(found.coef, list(want["coef"].values()), 1e-6, 1e-8)
        close(found.shr, want["shr"], 1e-6)
    # within what the default stopping rule of crr leaves open, in standard errors
    assert (np.abs(found.coef - list(want["coef"].values())) < 1e-4 * found.se).all()


@pytest.mark.parametrize(("case", "model", "cause"), MODELS)
def test_fine_gray_robust_variance(case: str, model: str, cause: int) -> None:
    found, want = _fit(case, model, cause)
    if model in TIGHT:
        close(found.se, TIGHT[model][1], 1e-8)
        return
    close(found.se, want["se"], 1e-6, 1e-8)
    close(found.covariance.ravel(), np.array(want["var"]).ravel().tolist(), 1e-6, 1e-8)
    half = 1.959963984540054 * np.array(want["se"])
    close(found.upper / found.lower, np.exp(2 * half).tolist(), 1e-6)
