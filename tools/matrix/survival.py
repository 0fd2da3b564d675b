"""Times to events: data sets and what the library makes of them."""

from __future__ import annotations

import math

import numpy as np

from matrix.compare import Data, Numbers, Statistic, relative
from trialpipe.stats import competing, fixed_time, km
from trialpipe.stats.concordance import concordance
from trialpipe.stats.cox import cox
from trialpipe.stats.cox_checks import proportional_hazards
from trialpipe.stats.finegray import fine_gray
from trialpipe.stats.gray import gray_test
from trialpipe.stats.logrank import logrank

AT = np.arange(14.0)
LATER = AT[1:]
TYPES = ("log-log", "log", "plain")
TIES = ("efron", "breslow", "exact")
SHAPES = 12


def draw(number: int, seed: int) -> Data:
    """Small data sets with many ties; every twelfth of each kind of edge (see the page)."""
    rng = np.random.default_rng([seed, number, 1])
    shape = number % SHAPES
    n = int(rng.integers(1, 4) if shape == 7 else rng.integers(6, 26))
    if shape == 7 and number % 24 == 7:
        n = 1
    time = rng.integers(0 if shape == 9 else 1, 7 if shape == 9 else 13, n).astype(float)
    if shape == 5:
        time = np.round(rng.uniform(0.2, 12.8, n), 4)
    if shape == 11:
        time[:] = 4.0
    cause = rng.choice([0, 1, 2], n, p=[0.3, 0.4, 0.3])
    if shape == 6:
        cause[:] = 0
    if shape == 10:
        cause = rng.integers(0, 2, n)
    group = np.full(n, 1) if shape == 8 else rng.integers(1, 4, n)
    entry = np.maximum(0.0, np.minimum(rng.integers(0, 4, n), np.ceil(time) - 1))
    return {"time": time, "entry": entry, "event": (cause > 0).astype(int), "cause": cause, "group": group,
            "stratum": rng.integers(1, 3, n), "x": rng.integers(0, 4, n) / 2}  # fmt: skip


def _curve(d: Data) -> Numbers:
    rows = km.at_times(km.kaplan_meier(d["time"], d["event"]), AT)
    return {"survival": [r.survival for r in rows], "survival_se": [r.std_err for r in rows],
            "at_risk": [r.n_risk for r in rows]}  # fmt: skip


def _limits(d: Data) -> Numbers:
    found = {}
    for kind in TYPES:
        rows = km.at_times(km.kaplan_meier(d["time"], d["event"], conf_type=kind), AT)
        found |= {f"lower_{kind}": [r.lower for r in rows], f"upper_{kind}": [r.upper for r in rows]}
    return found


def _full(data: Data, name: str, ours: float, theirs: float) -> str | None:
    if ours == 1 and math.isnan(theirs):
        return "limits while S = 1: survival before 3.8 prints NA after a censoring, 3.8 and later 1"
    return None


def _quantiles(d: Data) -> Numbers:
    found = {}
    for kind in TYPES:
        curve = km.kaplan_meier(d["time"], d["event"], conf_type=kind)
        values = np.array([km.quantiles(curve, p) for p in (0.25, 0.5, 0.75)])
        found |= {f"{name}_{kind}": values[:, i] for i, name in enumerate(("q", "ql", "qu"))}
    return found


def _hazard(d: Data) -> Numbers:
    curve = km.kaplan_meier(d["time"], d["event"])
    hazard, error = km.nelson_aalen(curve)
    index = np.searchsorted(curve.time, AT, side="right")
    return {"cumhaz": np.concatenate([[0.0], hazard])[index], "cumhaz_se": np.concatenate([[0.0], error])[index]}


def _late(d: Data) -> Numbers:
    if (d["time"] <= d["entry"]).any():
        return {"late_survival": math.nan}
    rows = km.at_times(km.kaplan_meier(d["time"], d["event"], d["entry"]), LATER)
    return {"late_survival": [r.survival for r in rows], "late_se": [r.std_err for r in rows]}


def _late_cif(d: Data) -> Numbers:
    if (d["time"] <= d["entry"]).any():
        return {"late_cif1": math.nan}
    found = {}
    for k in (1, 2):
        rows = competing.at_times(
            competing.cumulative_incidence(d["time"], d["cause"], k, "jackknife", d["entry"]), LATER
        )
        found |= {f"late_cif{k}": [r.cif for r in rows], f"late_cif_se{k}": [r.std_err for r in rows]}
    return found


def _logrank(d: Data) -> Numbers:
    found = {}
    for rho in (0, 1):
        for name, strata in (("logrank", None), ("logrank_strata", d["stratum"])):
            found[f"{name}{rho}"] = logrank(d["time"], d["event"], d["group"], strata, rho).chi_square
    return found


def _logrank_excuse(data: Data, name: str, ours: float, theirs: float) -> str | None:
    if math.isnan(ours) and (theirs == 0 or abs(theirs) < 1e-12):
        return "no variance: survdiff prints 0 where the library has no test"
    return None


def _gray(d: Data) -> Numbers:
    found = {}
    for rho in (0, 1):
        for name, strata in (("gray", None), ("gray_strata", d["stratum"])):
            for k in (1, 2):
                found[f"{name}{rho}_{k}"] = gray_test(d["time"], d["cause"], d["group"], k, strata, rho).chi_square
    return found


def _gray_excuse(data: Data, name: str, ours: float, theirs: float) -> str | None:
    seen = {(s, g) for s, g in zip(data["stratum"].tolist(), data["group"].tolist(), strict=True)}
    whole = len({s for s, _ in seen}) * len({g for _, g in seen})
    if "strata" in name and math.isnan(theirs) and len(seen) < whole:
        return "a group with nobody in a stratum: cuminc can stop on a missing value of its own"
    return None


def _cif(d: Data) -> Numbers:
    found = {}
    last = d["time"].max()
    for k in (1, 2):
        rows = competing.at_times(competing.cumulative_incidence(d["time"], d["cause"], k), AT)
        seen = (d["cause"] == k).any()
        found[f"cif{k}"] = [r.cif if r.time <= last and seen else math.nan for r in rows]
        found[f"cif_variance{k}"] = [r.std_err**2 if r.time <= last and seen else math.nan for r in rows]
    return found


def _cif_excuse(data: Data, name: str, ours: float, theirs: float) -> str | None:
    if math.isnan(ours):
        return "timepoints of cmprsk after the last observation, where the library says so"
    return None


def _jackknife(d: Data) -> Numbers:
    found = {}
    for k in (1, 2):
        rows = competing.at_times(competing.cumulative_incidence(d["time"], d["cause"], k, "jackknife"), AT)
        found |= {f"aj{k}": [r.cif for r in rows], f"aj_se{k}": [r.std_err for r in rows]}
    return found


def _cox(d: Data) -> Numbers:
    x = np.column_stack([d["x"], d["group"] == 2]).astype(float)
    return _cox_models(d, "cox", x, None, d["stratum"], TIES)


def _cox_late(d: Data) -> Numbers:
    if (d["time"] <= d["entry"]).any():
        return {"late_coef_efron": math.nan}
    # coxph has no exact ties with left truncation
    return _cox_models(d, "late", d["x"][:, None], d["entry"], None, TIES[:2])


def _cox_models(
    d: Data, name: str, x: np.ndarray, entry: np.ndarray | None, strata: np.ndarray | None, ties_of: tuple[str, ...]
) -> Numbers:
    """A model with a covariate that has no estimate is undefined as a whole, but for its likelihood."""
    found: dict[str, np.ndarray | float | list[float]] = {}
    for ties in ties_of:
        fit = cox(d["time"], d["event"], x, entry, strata, ties)
        whole = fit.converged and bool(np.isfinite(fit.coef).all())
        gone = np.full(len(fit.coef), math.nan)
        found[f"{name}_null_{ties}"] = fit.loglik_null
        found[f"{name}_limit_{ties}"] = fit.loglik
        if not whole:
            # the oracle then has no numbers at all
            found[f"{name}_coef_{ties}"] = gone
            continue
        found[f"{name}_coef_{ties}"], found[f"{name}_se_{ties}"] = fit.coef, fit.se
        found[f"{name}_score_{ties}"], found[f"{name}_wald_{ties}"] = fit.score_test, fit.wald_test
    return found


def _cox_excuse(data: Data, name: str, ours: float, theirs: float) -> str | None:
    if "_null_" in name and math.isnan(theirs) and abs(ours) < 1e-9:
        return "log-likelihood 0 where an event has nobody to be compared with: coxph stops"
    if "_limit_" in name and (relative(ours, theirs) < 1e-4 or (math.isnan(theirs) and abs(ours) < 1e-9)):
        return "log-likelihood where a coefficient runs away: as far as either search went"
    return None


def _zph_excuse(data: Data, name: str, ours: float, theirs: float) -> str | None:
    if math.isnan(theirs):
        return "tests of single terms that depend on each other: cox.zph stops at the test of all together"
    return None


def _zph(d: Data) -> Numbers:
    x = np.column_stack([d["x"], d["group"] == 2]).astype(float)
    fit = cox(d["time"], d["event"], x)
    if not fit.converged or not np.isfinite(fit.coef).all():
        return {"zph_km": np.full(3, math.nan)}
    found = {}
    for kind in ("km", "identity"):
        test = proportional_hazards(fit, d["time"], d["event"], x, transform=kind)
        found[f"zph_{kind}"] = [*test.chi_square, test.global_chi_square]
    return found


def _concordance(d: Data) -> Numbers:
    whole = concordance(d["x"], d["time"], d["event"])
    within = concordance(d["x"], d["time"], d["event"], strata=d["stratum"])
    return {"concordance": whole.value, "pairs": [whole.concordant, whole.discordant, whole.tied],
            "concordance_strata": within.value}  # fmt: skip


def _fine_gray(d: Data) -> Numbers:
    x = np.column_stack([d["x"], d["group"] == 2]).astype(float)
    fit = fine_gray(d["time"], d["cause"], x, 1)
    whole = fit.converged and bool(np.isfinite(fit.se).all())
    if not whole:
        return {"crr_coef": np.full(2, math.nan)}
    return {"crr_coef": fit.coef, "crr_se": fit.se, "crr_loglik": fit.loglik}


def _pair(d: Data) -> list[km.Curve] | None:
    curves = [km.kaplan_meier(d["time"][d["group"] == g], d["event"][d["group"] == g]) for g in (1, 2)]
    return curves if all(c.n for c in curves) else None


def _gap(d: Data) -> Numbers:
    curves = _pair(d)
    if curves is None:
        return {"gap": np.full(4, math.nan), "cloglog": math.nan}
    one, two = (km.at_times(c, [5.0])[0] for c in curves)
    gap = fixed_time.difference(one.survival, one.std_err, two.survival, two.std_err)
    _, p = fixed_time.complementary_log_log(one.survival, one.std_err, two.survival, two.std_err)
    return {"gap": [gap.estimate, gap.std_err, gap.lower, gap.upper], "cloglog": p}


def _rmst_gap(d: Data) -> Numbers:
    curves = _pair(d)
    if curves is None:
        return {"rmst_gap": np.full(5, math.nan), "rmst_ratio": np.full(4, math.nan)}
    one, two = (km.restricted_mean(c, 6.0) for c in curves)
    gap = fixed_time.difference(one[0], one[1], two[0], two[1])
    ratio = fixed_time.ratio(one[0], one[1], two[0], two[1])
    return {"rmst_gap": [gap.estimate, gap.std_err, gap.lower, gap.upper, gap.p],
            "rmst_ratio": [ratio.estimate, ratio.lower, ratio.upper, ratio.p]}  # fmt: skip


SURVFIT = "survival 3.5.3: `survfit`"
STATISTICS = (
    Statistic("Kaplan-Meier: survival, standard error, numbers at risk", SURVFIT, _curve),
    Statistic("Kaplan-Meier: limits (log-log, log, plain)", SURVFIT, _limits, excuse=_full),
    Statistic("Kaplan-Meier: quartiles with limits", "survival 3.5.3: `quantile(survfit)`", _quantiles),
    Statistic("Nelson-Aalen: cumulative hazard, standard error", SURVFIT, _hazard),
    Statistic("Kaplan-Meier with left truncation", SURVFIT, _late),
    Statistic("Restricted mean, standard error", "survival 3.5.3: `summary(survfit, rmean=)`",
              lambda d: {"rmst": km.restricted_mean(km.kaplan_meier(d["time"], d["event"]), 10)[:2]}),
    Statistic("Follow-up by reverse Kaplan-Meier", "survival 3.5.3: `quantile(survfit)`",
              lambda d: {"follow_up": km.follow_up(d["time"], d["event"])}),
    Statistic("Difference of survival at a time, test of log(-log)", "R 4.2.2: formula of Klein 2007 on `survfit`",
              _gap),
    Statistic("Difference and ratio of restricted means", "R 4.2.2: formula of survRM2 on `survfit`", _rmst_gap),
    Statistic("Log-rank and Fleming-Harrington tests, stratified", "survival 3.5.3: `survdiff`", _logrank,
              excuse=_logrank_excuse),
    Statistic("Cox regression with strata: coefficients, errors, likelihood, tests (three ties)",
              "survival 3.5.3: `coxph`", _cox, 1e-6, "both stop their search", _cox_excuse),
    Statistic("Cox regression with left truncation", "survival 3.5.3: `coxph`", _cox_late, 1e-6,
              "both stop their search", _cox_excuse),
    Statistic("Test of proportional hazards", "survival 3.5.3: `cox.zph`", _zph, 1e-6, "rests on a search",
              _zph_excuse),
    Statistic("Concordance, stratified", "survival 3.5.3: `concordance`", _concordance),
    Statistic("Cumulative incidence, Aalen's variance", "cmprsk 2.2.11: `cuminc`, `timepoints`", _cif,
              excuse=_cif_excuse),
    Statistic("Cumulative incidence, infinitesimal jackknife", SURVFIT, _jackknife),
    Statistic("Cumulative incidence with left truncation", SURVFIT, _late_cif),
    Statistic("Gray's test, stratified, weighted", "cmprsk 2.2.11: `cuminc`", _gray, 1e-7, "sums in another order",
              _gray_excuse),
    Statistic("Fine-Gray regression", "cmprsk 2.2.11: `crr`, gtol 1e-12 to 1e-8, times + 1", _fine_gray, 1e-6,
              "both stop their search"),
)  # fmt: skip
