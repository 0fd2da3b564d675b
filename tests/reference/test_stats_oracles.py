"""Single numbers computed in R, kept in oracles.json."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from helpers import stats_cases
from helpers.stats_cases import close

from trialpipe.stats import binomial, competing, km, rates, tables
from trialpipe.stats.cox import cox
from trialpipe.stats.finegray import fine_gray
from trialpipe.stats.gray import gray_test
from trialpipe.stats.logrank import logrank
from trialpipe.stats.turnbull import turnbull

ORACLES = json.loads((Path(__file__).parent / "oracles.json").read_text(encoding="utf-8"))


def test_proportions() -> None:
    for row in ORACLES["clopper_pearson"]:
        close(binomial.clopper_pearson(row["x"], row["n"]), row["limits"], 0, 1e-6)
    row = ORACLES["exact_greater"]
    close(binomial.exact_test(row["x"], row["n"], row["null_value"], "greater"), row["p"], 1e-9)
    row = ORACLES["wilson"]
    close(binomial.wilson(row["x"], row["n"]), row["limits"], 1e-9)
    row = ORACLES["fisher"]
    found = tables.fisher(*row["cells"])
    close(found.p, row["p"], 1e-9)
    close(found.odds_ratio, row["odds_ratio"], row["odds_ratio_tolerance"])


def test_rates() -> None:
    row = ORACLES["poisson"]
    close(rates.poisson_rate(row["events"], row["time"]), [row["rate"], *row["limits"]], 1e-8)
    close(rates.poisson_rate(0, row["time"]), [0, 0, row["upper_without_events"]], 1e-8)
    row = ORACLES["rate_ratio"]
    found = rates.rate_ratio(row["events"][0], row["time"][0], row["events"][1], row["time"][1])
    close(found, [row["ratio"], *row["limits"], row["p"]], 1e-8)


def test_acute_leukaemia() -> None:
    data, want = stats_cases.table("km", "aml_maintenance"), ORACLES["aml"]
    for arm in ("Maintained", "Nonmaintained"):
        rows, block = data["x"] == arm, want[arm.lower()]
        curve = km.kaplan_meier(data["time"][rows], data["event"][rows])
        (at,) = km.at_times(curve, [12])
        close([at.survival, at.lower, at.upper], block["t12"], 1e-9)
        close(km.quantiles(curve, 0.5), block["median"])
    close(km.quantiles(km.kaplan_meier(data["time"], data["event"]), 0.5), want["all_median"])
    found = logrank(data["time"], data["event"], data["x"])
    close([found.chi_square, found.p], want["logrank"], 1e-5, 1e-5)


def _transplant() -> dict[str, np.ndarray]:
    """Times, first event (1 relapse, 2 death in remission), groups and the ages and disease of the trial."""
    data = stats_cases.table("cox_logrank", "bmt_time_dependent", "baseline.csv")
    relapse = stats_cases.table("competing_risks", "bmt_relapse_trm")
    assert (data["t2"] == relapse["time"]).all()
    return data | {"cause": relapse["status"]}


def test_transplant_incidence() -> None:
    data, want = _transplant(), ORACLES["bmt"]
    for cause, name in ((1, "relapse"), (2, "death_in_remission")):
        curve = competing.cumulative_incidence(data["t2"], data["cause"], cause)
        close([a.cif for a in competing.at_times(curve, want["times"])], want[name], 1e-9)
    (at,) = competing.at_times(competing.cumulative_incidence(data["t2"], data["cause"], 1), [365])
    close(at.std_err**2, want["relapse_variance_aalen_365"], 1e-8)
    (at,) = competing.at_times(competing.cumulative_incidence(data["t2"], data["cause"], 1, "jackknife"), [365])
    close(at.std_err, want["relapse_se_jackknife_365"], 1e-8)
    for cause, name in ((1, "gray_relapse"), (2, "gray_trm")):
        found = gray_test(data["t2"], data["cause"], data["group"], cause)
        close([found.chi_square, found.p], want[name], 1e-8)
    x = np.column_stack([data["group"] == 2, data["group"] == 3, data["z1"]]).astype(float)
    fit = fine_gray(data["t2"], data["cause"], x, 1)
    # crr's default stopping rule leaves the oracle up to 3e-5 from the maximum
    close(fit.coef, want["fine_gray"]["coef"], 0, 1e-4 * fit.se.min())
    close(fit.se, want["fine_gray"]["se"], 1e-5)


def test_transplant_survival() -> None:
    data, want = _transplant(), ORACLES["bmt"]
    time, event = data["t2"], data["d3"]
    curve = km.kaplan_meier(time, event)
    close([a.survival for a in km.at_times(curve, want["times"])], want["lfs"], 1e-9, 1e-6)
    (at,) = km.at_times(curve, [365])
    close([at.lower, at.upper], want["lfs_limits_365"], 1e-9)
    close(km.restricted_mean(curve, 730)[:2], want["rmst_730"], 1e-8)
    assert km.follow_up(time, event)[0] == want["follow_up_median"]
    x = np.column_stack([data["group"] == 2, data["group"] == 3, data["z1"]]).astype(float)
    close(cox(time, event, x).coef, want["cox_lfs"], 1e-6)
    close(cox(time, event, x[:, :2], strata=data["z10"]).coef, want["cox_lfs_stratified_z10"], 1e-6)
    assert logrank(time, event, data["group"], data["z10"]).p == pytest.approx(
        want["logrank_stratified_z10_p"], abs=5e-7
    )


def test_aalen_johansen_by_hand() -> None:
    row = ORACLES["hand_aalen_johansen"]
    for cause in (1, 2):
        curve = competing.cumulative_incidence(row["time"], row["cause"], cause)
        close([a.cif for a in competing.at_times(curve, row["at"])], row[f"cif{cause}"], 1e-12)


def test_interval_censored_response() -> None:
    row = ORACLES["turnbull"]
    right = [math.inf if v is None else v for v in row["right"]]
    found = turnbull(np.array(row["left"]), np.array(right))
    close([found.survival_after(t) for t in row["after"]], row["survival"], 1e-8)
