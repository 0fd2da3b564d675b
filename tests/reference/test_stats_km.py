"""Kaplan-Meier, Nelson-Aalen, restricted mean, log-rank against R's survival (see the README of each case)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import stats_cases
from helpers.stats_cases import close, number, numbers

from trialpipe.stats import km
from trialpipe.stats.logrank import logrank

PLAIN = ["aml_maintenance", "bmt_dfs", "colon_os", "freireich_6mp", "veteran_celltype", "veteran_trt"]
EDGES = [
    "last_is_event", "missing_values", "no_events", "single_subject_event", "ties_event_and_censor", "zero_time_event",
]  # fmt: skip
TYPES = {"conf_loglog": "log-log", "conf_log": "log", "conf_plain": "plain"}


def _check_limits(found: list[float], want: list, survival: list[float]) -> None:
    """At S = 1 after a censoring the reference prints null; from survival 3.8 it prints 1: either is right."""
    for f, w, s in zip(found, numbers(want), survival, strict=True):
        assert (s == 1 and f == 1 and math.isnan(w)) or f == pytest.approx(w, rel=1e-8, abs=1e-10, nan_ok=True)


def _check_curve(time: np.ndarray, event: np.ndarray, want: dict, taus: list[float]) -> None:
    assert len(time) == want["n_used"]
    for key, kind in TYPES.items():
        block = want[key]
        curve = km.kaplan_meier(time, event, conf_type=kind)
        rows = km.at_times(curve, block["times"])
        close([r.survival for r in rows], block["surv"])
        close([r.n_risk for r in rows], block["n_risk"])
        close([r.std_err for r in rows], block["std_err"])
        _check_limits([r.lower for r in rows], block["lower"], [r.survival for r in rows])
        _check_limits([r.upper for r in rows], block["upper"], [r.survival for r in rows])
        found = [km.quantiles(curve, p) for p in block["quantile_probs"]]
        for j, name in enumerate(("quantile", "quantile_lower", "quantile_upper")):
            close([f[j] for f in found], block[name], what=f"{key} {name}")
    curve = km.kaplan_meier(time, event)
    for row in want["rmst"]:
        close(km.restricted_mean(curve, row["tau"])[:2], [row["rmean"], row["se"]])
    hazard, spread = km.nelson_aalen(curve)
    at = np.searchsorted(curve.time, want["conf_loglog"]["times"], side="right") - 1
    close([hazard[i] if i >= 0 else 0 for i in at], want["cumhaz_nelson_aalen"])
    close([spread[i] if i >= 0 else 0 for i in at], want["std_chaz"])
    if "steps" in want:
        _check_steps(curve, want["steps"])


def _check_steps(curve: km.Curve, want: dict) -> None:
    names = {"time": "time", "n_risk": "n_risk", "n_event": "n_event", "n_censor": "n_censor", "surv": "survival"}
    for key, name in names.items():
        close(getattr(curve, name), want[key])
    close(curve.std_err, want["std_err"])
    _check_limits(curve.lower.tolist(), want["lower_loglog"], curve.survival.tolist())
    _check_limits(curve.upper.tolist(), want["upper_loglog"], curve.survival.tolist())
    close(km.nelson_aalen(curve)[0], want["cumhaz"])


def _text(labels: np.ndarray) -> np.ndarray:
    return np.array([f"{v:g}" if isinstance(v, float) else v for v in labels], dtype=object)


@pytest.mark.parametrize("case", PLAIN)
def test_curves(case: str) -> None:
    want, data = stats_cases.expected("km", case), stats_cases.table("km", case)
    _check_curve(data["time"], data["event"], want["overall"], want["taus"])
    group = _text(data[want["group_column"]])
    for level, block in want["by"].items():
        _check_curve(data["time"][group == level], data["event"][group == level], block, want["taus"])


@pytest.mark.parametrize("case", PLAIN)
def test_logrank_of_the_curves(case: str) -> None:
    want, data = stats_cases.expected("km", case), stats_cases.table("km", case)
    group = _text(data[want["group_column"]])
    for name, rho in (("rho0", 0.0), ("rho1", 1.0)):
        block = want["logrank"][name]
        found = logrank(data["time"], data["event"], group, rho=rho)
        assert found.groups == block["groups"]
        close(found.n, block["n"])
        close(found.observed, block["observed"])
        close(found.expected, block["expected"])
        close([found.chi_square, found.df, found.p], [block["chisq"], block["df"], block["p"]])


@pytest.mark.parametrize("edge", EDGES)
def test_edges(edge: str) -> None:
    data = stats_cases.table("km", "edge_open", f"{edge}.csv")
    known = ~(np.isnan(data["time"]) | np.isnan(data["event"]))
    want = stats_cases.expected("km", "edge_open")[edge]
    assert int((~known).sum()) == want["n_omitted"]
    # n_events of the case counts the event of a row without a time too, which no estimate can use
    assert int(np.nansum(data["event"])) == want["n_events"]
    _check_curve(data["time"][known], data["event"][known], want, [])


def test_weights_and_level() -> None:
    want = stats_cases.expected("km", "aml_conf90_and_weights")
    data = stats_cases.table("km", "aml_conf90_and_weights")
    block = want["weighted"]
    # the case says robust=FALSE, but its numbers are those of R's robust=TRUE (run again in R, survival 3.5-3)
    curve = km.kaplan_meier(data["time"], data["event"], weights=data["wt"], variance="jackknife")
    rows = km.at_times(curve, want["times"])
    found = {"n_risk": "n_risk", "surv": "survival", "std_err": "std_err", "lower": "lower", "upper": "upper"}
    for key, name in found.items():
        close([getattr(r, name) for r in rows], block[key], what=key)
    greenwood = km.at_times(km.kaplan_meier(data["time"], data["event"], weights=data["wt"]), want["times"])
    # survfit(..., weights=wt, robust=FALSE), R 4.2.2, survival 3.5-3
    robust_false = [0.0433045233555, 0.0866090467111, 0.0978063228189, 0.0742629161638]
    close([r.std_err for r in greenwood], robust_false)
    curve = km.kaplan_meier(data["time"], data["event"], conf_level=0.9)
    rows, block = km.at_times(curve, want["times"]), want["conf90"]
    for key in ("surv", "lower", "upper"):
        close([getattr(r, found[key]) for r in rows], block[key])
    close(km.quantiles(curve, 0.5), [block["median"], block["median_lower"], block["median_upper"]])


def test_follow_up_by_reverse_estimate() -> None:
    want = stats_cases.expected("km", "followup_fixed_time_rmst_a")["followup"]
    data = stats_cases.table("km", "followup_fixed_time_rmst_a")
    reverse = km.kaplan_meier(data["time"], 1 - data["event"])
    found = [km.quantiles(reverse, p) for p in (0.25, 0.5, 0.75)]
    for j, name in enumerate(("reverse_km_quantiles", "lo", "hi")):
        close([f[j] for f in found], want[name])
    for arm, row in want["by_arm"].items():
        rows = data["arm"] == arm
        close(km.follow_up(data["time"][rows], data["event"][rows]), [row["median"], row["lo"], row["hi"]])


def test_first_event_composite_of_the_transplant_trial() -> None:
    want = stats_cases.expected("multistate", "bmt_grfs_composite")
    data = stats_cases.table("multistate", "bmt_grfs_composite", "baseline.csv")
    never = math.inf
    relapse_or_death = data["t2"]
    acute, chronic = (np.where(data[d] == 1, data[t], never) for t, d in (("ta", "da"), ("tc", "dc")))
    time = np.minimum(np.minimum(acute, chronic), relapse_or_death)
    event = ((time == acute) | (time == chronic) | ((time == data["t2"]) & (data["d3"] == 1))).astype(int)
    close(time, want["time"])
    close(event, want["event"])
    for i, (stratum, t) in enumerate(zip(want["km"]["strata"], want["km"]["times"], strict=True)):
        rows = data["group"] == float(stratum.split("=")[1])
        (at,) = km.at_times(km.kaplan_meier(time[rows], event[rows]), [t])
        close(
            [at.survival, at.lower, at.upper, at.n_risk],
            [number(want["km"][k][i]) for k in ("surv", "lower", "upper", "n_risk")],
        )
