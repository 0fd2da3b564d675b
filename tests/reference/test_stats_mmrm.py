"""Small-sample and robust inference of mixed models, maximum likelihood and random slopes, against mmrm and lme4.

mmrm's search ends short of the maximum (its log-likelihood is lower, ``test_stats_mixed.py``): its estimates lie up to
3e-4 standard errors from it, which is the tolerance of estimates and limits here.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from helpers import stats_cases
from helpers.stats_cases import close

from trialpipe.stats import mixed
from trialpipe.stats.mixed_df import between_within


@cache
def _fev(reml: bool = True, baseline: bool = False) -> tuple[mixed.MixedFit, np.ndarray, np.ndarray]:
    """Model, its columns in the order of the reference, and the patient of each row."""
    data = stats_cases.table("mmrm", "fev_unstructured")
    known = ~np.isnan(data["FEV1"])
    visit = (data["VISITN"] - 1).astype(int)
    later, treated = np.eye(4)[visit][:, 1:], (data["ARMCD"] == "TRT").astype(float)[:, None]
    race = [data["RACE"] == "Black or African American", data["RACE"] == "White"]
    people = np.column_stack([*race, data["SEX"] == "Female", treated]).astype(float)
    one, base = np.ones((len(known), 1)), data["FEV1_BL"][:, None]
    columns = [one, people, later, later * treated]
    if baseline:
        columns = [one, base, later, people, base * later, later * treated]
    x = np.column_stack(columns)[known]
    return mixed.fit(data["FEV1"][known], x, data["USUBJID"][known], visit[known], "unstructured", reml), x, data[
        "USUBJID"
    ][known]  # fmt: skip


def _near(found: list[float], want: list[float], errors: list[float]) -> None:
    """Within 3e-4 of the standard errors."""
    assert (np.abs(np.array(found) - np.array(want)) < 3e-4 * np.array(errors)).all()


def _want(model: str) -> dict:
    return stats_cases.expected("mmrm", "fev_unstructured")[model]


def _check(
    model: mixed.MixedFit, want: dict, covariance: str = "model", df: np.ndarray | None = None, error: float = 1e-4
) -> None:
    unit = np.eye(len(model.coef))
    given = [None] * len(unit) if df is None else df.tolist()
    found = [mixed.contrast(model, w, covariance=covariance, df=d) for w, d in zip(unit, given, strict=True)]
    assert (model.n, model.subjects) == (want["n_obs"], want["n_subjects"])
    close([model.loglik, model.aic, model.bic], [want["logLik"], want["AIC"], want["BIC"]], 1e-6)
    assert model.loglik >= want["logLik"] - 1e-7
    _near([c.value for c in found], want["coef"], want["se"])
    close([c.std_err for c in found], want["se"], error)
    close([c.df for c in found], want["df"], 1e-3)
    close([c.t for c in found], want["t"], 1e-3, 3e-4)
    close([c.p for c in found], want["p"], 5e-3, 2e-4)
    size = np.sqrt(np.diag(model.between))
    gap = (model.between - np.array(want["varcor"])) / np.outer(size, size)
    assert np.abs(gap).max() < 3e-4


@pytest.mark.parametrize("name", ["us", "us_kr_linear"])
def test_coefficients(name: str) -> None:
    _check(_fev()[0], _want(name), "kenward_roger" if "kr" in name else "model")


def test_maximum_likelihood() -> None:
    _check(_fev(False)[0], _want("us_ml"))


def test_sandwich_with_degrees_of_freedom_between_and_within() -> None:
    model, x, people = _fev()
    _check(model, _want("us_empirical_bw"), "empirical", between_within(x, people))


def test_baseline_with_an_effect_per_visit() -> None:
    model, x, _ = _fev(baseline=True)
    want = _want("with_baseline")
    _check(model, want)
    _means(model, x, want, baseline=True)


@pytest.mark.parametrize("name", ["us", "us_kr_linear"])
def test_adjusted_means_and_differences(name: str) -> None:
    model, x, _ = _fev()
    _means(model, x, _want(name), "kenward_roger" if "kr" in name else "model")


def _means(model: mixed.MixedFit, x: np.ndarray, want: dict, covariance: str = "model", baseline: bool = False) -> None:
    """Means with equal weights of race and sex, the baseline at its mean over measurements."""
    means, gaps = [], []
    for visit in range(4):
        later = np.eye(4)[visit][1:]
        row = {}
        for treated in (0.0, 1.0):
            people = [1 / 3, 1 / 3, 1 / 2, treated]
            base = x[:, 1].mean()
            parts = [[1.0], people, later, later * treated]
            if baseline:
                parts = [[1.0], [base], later, people, base * later, later * treated]
            row[treated] = np.concatenate(parts)
            means.append(mixed.contrast(model, row[treated], covariance=covariance))
        gaps.append(mixed.contrast(model, row[1.0] - row[0.0], covariance=covariance))
    for found, block in ((means, want["lsmeans"]), (gaps, want["differences"])):
        close([c.std_err for c in found], block["SE"], 1e-4)
        close([c.df for c in found], block["df"], 1e-3)
        for name, key in (("value", "estimate"), ("lower", "lower.CL"), ("upper", "upper.CL")):
            _near([getattr(c, name) for c in found], block[key], block["SE"])
        close([c.t for c in found], block["t.ratio"], 2e-4)
        close([c.p for c in found], block["p.value"], 0.02)


def _curved(model: mixed.MixedFit) -> np.ndarray:
    """Kenward and Roger's covariance in mmrm's parameters of the matrix: logarithms of the standard deviations and the
    rows of a unit triangular factor, D L L' D, in which the second derivatives are not 0. Derivatives by differences.
    """
    size = len(model.between)
    sd = np.sqrt(np.diag(np.linalg.cholesky(model.between)) ** 2)
    below = np.tril_indices(size, -1)
    # Sigma = D L L' D with L unit triangular: D is the diagonal of the Cholesky factor
    theta = np.concatenate([np.log(sd), (np.linalg.cholesky(model.between) / sd[:, None])[below]])

    def components(at: np.ndarray) -> np.ndarray:
        factor = np.eye(size)
        factor[below] = at[size:]
        whole = np.exp(at[:size])[:, None] * (factor @ factor.T) * np.exp(at[:size])[None, :]
        return np.array([whole[i, j] for i in range(size) for j in range(i + 1)])

    step, count = 1e-3, len(theta)
    unit = np.eye(count) * step
    slope = np.array([(components(theta + u) - components(theta - u)) / (2 * step) for u in unit]).T
    curve = np.array(
        [
            [
                (components(theta + u + v) - components(theta + u - v) - components(theta - u + v)
                 + components(theta - u - v)) / (4 * step**2) for v in unit
            ]
            for u in unit
        ]
    )  # fmt: skip
    back = np.linalg.inv(slope)
    spread = back @ model.spread @ back.T
    weight = np.einsum("ij,ijk->k", spread, curve)
    return model.kenward_roger - np.einsum("k,kpq->pq", weight, model.slopes) / 2


def test_kenward_roger_in_the_parameters_of_mmrm() -> None:
    """What mmrm calls Kenward-Roger depends on its parameters; with them put in it agrees."""
    model, x, _ = _fev()
    model = replace(model, kenward_roger=_curved(model))
    _check(model, _want("us_kr"), "kenward_roger")
    _means(model, x, _want("us_kr"), "kenward_roger")
    model = _orthodont("unstructured")
    model = replace(model, kenward_roger=_curved(model))
    _check(model, stats_cases.expected("mmrm", "orthodont")["mmrm_linear_kr"], "kenward_roger", error=2e-4)


def _orthodont(structure: str) -> mixed.MixedFit:
    data = stats_cases.table("mmrm", "orthodont")
    female, age = (data["sex"] == "Female").astype(float), data["age"] - 11
    columns = np.column_stack([np.ones(len(age)), female, age, female * age])
    visit = ((data["age"] - 8) / 2).astype(int)
    when = np.unique(age)
    return mixed.fit(data["distance"], columns, data["subject"], visit, structure, when=when)


def test_random_slopes() -> None:
    want, model = stats_cases.expected("mmrm", "orthodont")["lmer_random_slope"], _orthodont("random_slope")
    close(model.loglik, want["logLik_reml"], 1e-9)
    close(model.coef, want["fixef"], 1e-6)
    close(model.std_err, want["se"], 1e-5)
    close(np.sqrt(np.diag(model.kenward_roger)), want["se_kenward_roger"], 1e-5)
    found = [mixed.contrast(model, w) for w in np.eye(4)]
    close([c.df for c in found], want["df_satterthwaite"], 1e-5)
    close([c.df for c in found], want["df_kenward_roger"], 1e-5)
    intercept, both, slope, rest = model.components
    groups = dict(zip(zip(want["varcorr"]["var1"], want["varcorr"]["var2"], strict=True),
                      zip(want["varcorr"]["vcov"], want["varcorr"]["sdcor"], strict=True), strict=True))  # fmt: skip
    table = {
        ("(Intercept)", None): (intercept, np.sqrt(intercept)),
        ("age11", None): (slope, np.sqrt(slope)),
        ("(Intercept)", "age11"): (both, both / np.sqrt(intercept * slope)),
        (None, None): (rest, np.sqrt(rest)),
    }
    assert set(groups) == set(table)
    for key, values in table.items():
        close(list(values), list(groups[key]), 2e-5)


@pytest.mark.parametrize(
    ("structure", "name"), [("random_intercept", "gls_compound_symmetry"), ("unstructured", "gls_unstructured")]
)
def test_sizes_and_ratios_of_orthodont(structure: str, name: str) -> None:
    """gls prints the standard deviation of the first visit and t."""
    want, model = stats_cases.expected("mmrm", "orthodont")[name], _orthodont(structure)
    close(np.sqrt(model.between[0, 0]), want["sigma"], 1e-5)
    close([mixed.contrast(model, w).t for w in np.eye(4)], want["t"], 1e-5)


def test_saturated_orthodont() -> None:
    want = stats_cases.expected("mmrm", "orthodont")["mmrm_saturated"]
    data = stats_cases.table("mmrm", "orthodont")
    female, age = (data["sex"] == "Female").astype(float)[:, None], ((data["age"] - 8) / 2).astype(int)
    later = np.eye(4)[age][:, 1:]
    x = np.column_stack([np.ones(len(age)), female, later, female * later])
    model = mixed.fit(data["distance"], x, data["subject"], age, "unstructured")
    _check(model, want)
    means, gaps = [], []
    for visit in range(4):
        at = np.eye(4)[visit][1:]
        row = [np.concatenate([[1.0, f], at, f * at]) for f in (0.0, 1.0)]
        means += [mixed.contrast(model, r) for r in row]
        gaps.append(mixed.contrast(model, row[1] - row[0]))
    for found, block in ((means, want["lsmeans"]), (gaps, want["differences"])):
        for name, key in (("value", "estimate"), ("lower", "lower.CL"), ("upper", "upper.CL")):
            _near([getattr(c, name) for c in found], block[key], block["SE"])
        close([c.std_err for c in found], block["SE"], 1e-4)
        close([c.df for c in found], block["df"], 1e-3)
        close([c.t for c in found], block["t.ratio"], 2e-4)
        close([c.p for c in found], block["p.value"], 0.01)


def test_random_slopes_need_times_and_slopes() -> None:
    data = stats_cases.table("mmrm", "orthodont")
    visit = ((data["age"] - 8) / 2).astype(int)
    x = np.ones((len(visit), 1))
    with pytest.raises(ValueError, match="need the time"):
        mixed.fit(data["distance"], x, data["subject"], visit, "random_slope")
    with pytest.raises(ValueError, match="covariance must be"):
        mixed.contrast(_orthodont("random_intercept"), np.eye(4)[0], covariance="robust")
    with pytest.raises(ValueError, match="one row per"):
        between_within(x, data["subject"][:3])
