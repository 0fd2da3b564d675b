"""What follows a Cox fit: test of proportional hazards, predicted survival."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.cox import Cox, prepare
from trialpipe.stats.distributions import chi2_upper
from trialpipe.stats.inputs import codes, times
from trialpipe.stats.km import kaplan_meier
from trialpipe.stats.risksets import moments


@dataclass(frozen=True)
class ProportionalHazards:
    """Chi-square and p per covariate (df 1) and of all together (df ``df``); nan for covariates without estimate."""

    chi_square: np.ndarray
    p: np.ndarray
    global_chi_square: float
    global_p: float
    df: int


def proportional_hazards(
    fit: Cox,
    time: np.ndarray,
    event: np.ndarray,
    covariates: np.ndarray,
    entry: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    ties: str = "efron",
    transform: str = "km",
) -> ProportionalHazards:
    """Score test of a coefficient that changes with g(time) (Grambsch and Therneau 1994), as cox.zph of survival >= 3.

    g is 1 - S(t-) of the whole sample for ``km``, t for ``identity``, log t for ``log``. All nan unless the fit
    converged. Raises ValueError on invalid input or if the fit has another number of covariates.
    """
    if ties == "exact":
        raise ValueError("the test is defined for efron and breslow ties")
    blocks, x, _ = prepare(time, event, covariates, entry, strata, ties)
    k = x.shape[1]
    if len(fit.coef) != k:
        raise ValueError(f"the fit has {len(fit.coef)} covariates, the data {k}")
    finite = np.isfinite(fit.coef)
    nan = np.full(k, math.nan)
    if not fit.converged or not finite.any():
        return ProportionalHazards(nan, nan, math.nan, math.nan, 0)
    scale = _transform(time, event, entry, transform)
    beta = np.where(finite, fit.coef, 0.0)
    when = np.concatenate([b.time for b in blocks])
    centre = scale(when).mean()
    score, i11, i12, i22 = np.zeros(k), np.zeros((k, k)), np.zeros((k, k)), np.zeros((k, k))
    for sets in blocks:
        found, g = moments(sets, beta), scale(sets.time) - centre
        score += g @ (sets.x[sets.events] - found.mean)
        i11 += found.spread.sum(axis=0)
        i12 += np.einsum("i,ijk->jk", g, found.spread)
        i22 += np.einsum("i,ijk->jk", g * g, found.spread)
    keep = np.ix_(finite, finite)
    rest = i22[keep] - i12[keep].T @ np.linalg.solve(i11[keep], i12[keep])
    part = score[finite]
    chi = nan.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        chi[finite] = np.where(np.diag(rest) > 1e-12 * np.diag(i22[keep]), part**2 / np.diag(rest), math.nan)
    total = math.nan
    size = np.sqrt(np.maximum(np.diag(rest), 0.0))
    # of a matrix of correlations: tests that depend on each other have no test of all together
    if (size > 0).all() and np.linalg.matrix_rank(rest / np.outer(size, size), tol=1e-9) == len(part):
        total = float(part @ np.linalg.solve(rest, part))
    p = np.array([chi2_upper(c, 1) for c in chi.tolist()])
    return ProportionalHazards(chi, p, total, chi2_upper(total, len(part)), len(part))


def _transform(time: np.ndarray, event: np.ndarray, entry: np.ndarray | None, transform: str):
    if transform == "identity":
        return lambda t: t
    if transform == "log":
        return lambda t: np.log(np.maximum(t, np.finfo(float).tiny))
    if transform != "km":
        raise ValueError(f"transform {transform!r} is none of km, identity, log")
    curve = kaplan_meier(times(time), codes(event, len(time), "event", 1), entry)
    before = np.concatenate([[1.0], curve.survival])
    return lambda t: 1 - before[np.searchsorted(curve.time, t, side="left")]


def predicted_survival(
    fit: Cox,
    time: np.ndarray,
    event: np.ndarray,
    covariates: np.ndarray,
    at: np.ndarray,
    subject: np.ndarray,
    entry: np.ndarray | None = None,
    ties: str = "efron",
) -> tuple[np.ndarray, np.ndarray]:
    """Survival of one covariate vector at the times ``at``, and its standard error (Tsiatis 1981, Link 1984).

    Unstratified models; the hazard increments use the ties of the fit (exact ties: Breslow's). nan unless converged.
    """
    used = "breslow" if ties == "exact" else ties
    blocks, x, _ = prepare(time, event, covariates, entry, None, used)
    at, k = np.asarray(at, float), x.shape[1]
    if not fit.converged or not np.isfinite(fit.coef).all():
        return np.full(len(at), math.nan), np.full(len(at), math.nan)
    target = np.asarray(subject, float) - x.mean(axis=0)
    survival, error = [], []
    (sets,) = blocks
    found = moments(sets, fit.coef)
    step = np.exp(float(target @ fit.coef) - found.log_risk)
    slope = (target - found.mean) * step[:, None]
    for t in at.tolist():
        seen = sets.time <= t
        total = math.exp(-math.fsum(step[seen]))
        gradient = slope[seen].sum(axis=0) if k else np.zeros(0)
        variance = math.fsum(step[seen] ** 2) + float(gradient @ fit.covariance @ gradient)
        survival.append(total)
        error.append(total * math.sqrt(variance))
    return np.array(survival), np.array(error)
