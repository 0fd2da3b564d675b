"""Rank tests, censored regression, calibration curve and fixed-time comparisons against R."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import stats_cases
from helpers.stats_cases import close

from trialpipe.stats import censored, describe, fixed_time, fourpl, km, parametric, ranks

CASE = ("biomarker", "rank_and_censored_a")


def _want(part: str) -> dict:
    return stats_cases.expected(*CASE)[part]


def _sleep() -> np.ndarray:
    data = stats_cases.table(*CASE, "paired.csv")
    return data["drug2"] - data["drug1"]


def _ozone() -> tuple[np.ndarray, np.ndarray]:
    data = stats_cases.table(*CASE, "twogroup.csv")
    return data["Ozone"][data["Month"] == 5], data["Ozone"][data["Month"] == 8]


def test_signed_rank() -> None:
    want, difference = _want("paired_signed_rank_drug2_minus_drug1"), _sleep()
    statistic, p, used = ranks.signed_rank(difference, zeros="drop")
    close([statistic, used], [want["V"], want["n"] - want["n_zero_dropped"]])
    close(p, want["p_exact_ties"], 1e-9)
    close(ranks.signed_rank_normal(difference)[1], want["p_normal_cc"], 1e-7)
    close(ranks.signed_rank_normal(difference, correct=False)[1], want["p_normal_nocc"], 1e-7)
    found = ranks.hodges_lehmann_paired(difference, exact=False)
    close([found.value, found.lower, found.upper], [want["pseudomedian"], *want["ci"]], 1e-4)


def test_rank_sum() -> None:
    want, (may, august) = _want("ozone_may_vs_aug"), _ozone()
    assert [len(may), len(august)] == want["n"]
    exact = ranks.rank_sum(may, august)
    close([exact.statistic, exact.p], [want["W"], want["p_exact_permutation_ties"]], 1e-9)
    close(ranks.rank_sum_normal(may, august).p, want["p_normal_cc"], 1e-7)
    close(ranks.rank_sum_normal(may, august, correct=False).p, want["p_normal_nocc"], 1e-7)
    found = ranks.hodges_lehmann_shift(may, august, exact=False)
    close([found.value, found.lower, found.upper], [want["HL_shift_normal"], *want["HL_ci_normal_cc"]], 1e-4)


def test_kruskal_wallis() -> None:
    want, data = _want("kruskal_ozone_month"), stats_cases.table(*CASE, "groups.csv")
    found = ranks.kruskal_wallis([data["Ozone"][data["Month"] == m] for m in np.unique(data["Month"])])
    close(found, [want["H"], want["df"], want["p"]], 1e-7)


def test_correlations() -> None:
    want, data = _want("correlation_ozone_solar"), stats_cases.table(*CASE, "groups.csv")
    x, y = data["Ozone"], data["Solar.R"]
    found = parametric.pearson(x, y)
    close([found.value, found.p], [want["pearson"], want["pearson_p"]], 1e-7)
    close([found.lower, found.upper], want["pearson_ci"], 1e-7)
    found = parametric.spearman(x, y)
    close([found.value, found.p], [want["spearman"], want["spearman_p"]], 1e-7)
    found = parametric.kendall(x, y)
    close([found.value, found.p], [want["kendall_tau_b"], want["kendall_p"]], 1e-7)


def test_student() -> None:
    want, found = _want("paired_t"), parametric.one_sample(_sleep())
    close([found.t, found.df, found.p, found.lower, found.upper], [want["t"], want["df"], want["p"], *want["ci"]], 1e-7)
    may, august = _ozone()
    want, found = _want("welch_log_may_aug"), parametric.two_sample(np.log(may), np.log(august))
    close([found.t, found.df, found.p], [want["t"], want["df"], want["p"]], 1e-7)
    close(np.exp([found.estimate, found.lower, found.upper]), [want["ratio"], *want["ratio_ci"]], 1e-7)


def test_geometric_mean() -> None:
    want, x = _want("geometric_mean_ozone"), stats_cases.table(*CASE, "groups.csv")["Ozone"]
    assert len(x) == want["n"]
    close(describe.geometric(x), [want["gmean"], want["gcv_pct"]], 1e-7)
    close(describe.geometric_limits(x), [want["lo"], want["hi"]], 1e-7)


def test_tobit() -> None:
    want, data = _want("tobit"), stats_cases.table(*CASE, "tobin.csv")
    y = data["durable"]
    lower = np.where(y > 0, y, -math.inf)
    found = censored.tobit(lower, y, np.column_stack([np.ones(len(y)), data["age"], data["quant"]]))
    assert found.converged
    close(found.coef, list(want["coef"].values()), 1e-7)
    close(found.se, want["se"], 1e-7)
    close([found.scale, found.loglik], [want["scale"], want["loglik"]], 1e-7)


@pytest.mark.parametrize("method", ["holm", "hochberg", "hommel", "bonferroni", "BH", "BY"])
def test_adjusted_p(method: str) -> None:
    p = stats_cases.table(*CASE, "pvalues.csv")["p"]
    close(parametric.adjust(p, method.lower()), _want("p_adjust")[method])


def test_four_parameter_logistic() -> None:
    want = stats_cases.expected("biomarker", "elisa_4pl_run1")
    data = stats_cases.table("biomarker", "elisa_4pl_run1")
    found = fourpl.fit(data["conc"], data["density"])
    assert found.converged
    close([found.a, found.b, found.xmid, found.scal], [want[k] for k in ("A", "B", "xmid", "scal")], 1e-5)
    close(found.se, want["se"], 1e-5)
    close(found.sigma, want["sigma"], 1e-5)
    back = want["back_calculated"]
    close([found.concentration(d) for d in back["density"]], back["conc"], 1e-5)


def test_fixed_time_and_restricted_means() -> None:
    want = stats_cases.expected("km", "followup_fixed_time_rmst_a")["fixed_time"]
    data = stats_cases.table("km", "followup_fixed_time_rmst_a")
    curves = [km.kaplan_meier(data["time"][data["arm"] == a], data["event"][data["arm"] == a]) for a in want["arms"]]
    first, second = (km.at_times(c, [want["time"]])[0] for c in curves)
    close([first.survival, second.survival], want["surv"])
    close([first.std_err, second.std_err], want["se"])
    plain = fixed_time.difference(second.survival, second.std_err, first.survival, first.std_err)
    close([plain.estimate, plain.z, plain.p], [want["diff"], want["z_plain"], want["p_plain"]])
    z, p = fixed_time.complementary_log_log(second.survival, second.std_err, first.survival, first.std_err)
    close([z, p], [want["z_cloglog"], want["p_cloglog"]])
    means = [km.restricted_mean(c, want["tau"]) for c in curves]
    close([m[0] for m in means], want["rmst"])
    close([m[1] for m in means], want["rmst_se"])
    found = fixed_time.difference(means[1][0], means[1][1], means[0][0], means[0][1])
    close([found.estimate, found.std_err], [want["rmst_diff"], want["rmst_diff_se"]])
    close([found.lower, found.upper, found.p], [*want["rmst_diff_ci"], want["rmst_p"]])
