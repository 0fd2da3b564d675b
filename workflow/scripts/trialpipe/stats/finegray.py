"""Fine-Gray regression of the subdistribution hazard with robust variance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri


@dataclass(frozen=True)
class FineGray:
    """Estimates per covariate; ``shr`` subdistribution hazard ratio; nan where not estimable."""

    coef: np.ndarray
    se: np.ndarray
    shr: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    z: np.ndarray
    p: np.ndarray
    n: int
    n_event: int
    loglik: float
    converged: bool


def fine_gray(time: np.ndarray, cause: np.ndarray, covariates: np.ndarray, of: int, conf_level: float = 0.95) -> FineGray:
    """Proportional subdistribution hazards (Fine and Gray 1999, JASA 94:496), Breslow ties.

    Subjects with another event stay at risk with weight G(t-)/G(time-), G the Kaplan-Meier estimate of the censoring
    distribution. The variance is the sandwich of the paper, censoring distribution estimated. time >= 0; cause 0 censored;
    covariates (n, k). Raises ValueError on invalid input.
    """
    time, cause = np.asarray(time, float), np.asarray(cause, int)
    x = np.asarray(covariates, float).reshape(len(time), -1)
    if np.isnan(time).any() or np.isnan(x).any() or (time < 0).any():
        raise ValueError("a time or covariate is missing, or a time negative")
    points = np.unique(time[cause == of])
    k = x.shape[1]
    weights = _weights(time, cause, of, points)
    events = np.array([(time == t) & (cause == of) for t in points])
    beta, converged = np.zeros(k), False
    value = _likelihood(x, beta, weights, events)
    for _ in range(60):
        if k == 0 or len(points) == 0 or np.linalg.matrix_rank(value[2]) < k:
            break
        step = np.linalg.solve(value[2], value[1])
        trial = _likelihood(x, beta + step, weights, events)
        scale = 1.0
        while not trial[0] >= value[0] - 1e-12 * abs(value[0]) and scale > 1e-6:
            scale /= 2
            trial = _likelihood(x, beta + scale * step, weights, events)
        beta, value = beta + scale * step, trial
        if np.abs(step).max() < 1e-11 * (1 + np.abs(beta).max()):
            converged = bool(np.abs(beta).max() < 15)
            break
    n_event = int((cause == of).sum())
    if not converged:
        nan = np.full(k, math.nan)
        return FineGray(nan, nan, nan, nan, nan, nan, nan, len(time), n_event, math.nan, False)
    inverse = np.linalg.inv(value[2])
    residual = _residuals(time, cause, x, beta, of, points, weights)
    covariance = inverse @ (residual.T @ residual) @ inverse
    se = np.sqrt(np.diag(covariance))
    z = beta / se
    half = float(ndtri(0.5 + conf_level / 2)) * se
    return FineGray(
        beta, se, np.exp(beta), np.exp(beta - half), np.exp(beta + half), z, 2 * ndtr(-np.abs(z)), len(time), n_event, value[0], True
    )


def _censoring(time: np.ndarray, cause: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Kaplan-Meier estimate of remaining uncensored just before each time of ``at``; events precede censorings."""
    censored = np.unique(time[cause == 0])
    survival, curve = 1.0, []
    for t in censored:
        # those with an event at t have left the risk set of censoring
        risk = ((time > t) | ((time == t) & (cause == 0))).sum()
        survival *= 1 - ((time == t) & (cause == 0)).sum() / risk
        curve.append(survival)
    steps = np.concatenate([[1.0], curve])
    return steps[np.searchsorted(censored, at, side="left")]


def _weights(time: np.ndarray, cause: np.ndarray, of: int, points: np.ndarray) -> np.ndarray:
    """(times of interest, subjects): 1 while at risk, G ratio after another event, 0 otherwise."""
    own, later = _censoring(time, cause, time), _censoring(time, cause, points)
    other = (cause != 0) & (cause != of)
    at_risk = time[None, :] >= points[:, None]
    decayed = np.divide(later[:, None], own[None, :], out=np.zeros((len(points), len(time))), where=own[None, :] > 0)
    return np.where(at_risk, 1.0, np.where(other[None, :], decayed, 0.0))


def _likelihood(x: np.ndarray, beta: np.ndarray, weights: np.ndarray, events: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    k = len(beta)
    risk = np.exp(np.clip(x @ beta, -500, 500))
    total, score, information = 0.0, np.zeros(k), np.zeros((k, k))
    for w, e in zip(weights, events, strict=True):
        wr = w * risk
        s0, s1 = wr.sum(), wr @ x
        mean, d = s1 / s0, int(e.sum())
        total += float((x[e] @ beta).sum()) - d * math.log(s0)
        score = score + x[e].sum(axis=0) - d * mean
        information = information + d * ((x * wr[:, None]).T @ x / s0 - np.outer(mean, mean))
    return total, score, information


def _residuals(
    time: np.ndarray, cause: np.ndarray, x: np.ndarray, beta: np.ndarray, of: int, points: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """eta + psi of the paper: score residuals plus the contribution of estimating the censoring distribution."""
    n, k = x.shape
    risk = np.exp(x @ beta)
    wr = weights * risk[None, :]
    s0 = wr.sum(axis=1)
    mean = (wr @ x) / s0[:, None]
    died = np.array([((time == t) & (cause == of)).sum() for t in points])
    hazard = died / s0
    eta = np.zeros((n, k))
    for j, t in enumerate(points):
        now = (time == t) & (cause == of)
        eta[now] += x[now] - mean[j]
        eta -= (x - mean[j]) * (wr[j] * hazard[j])[:, None]
    other = (cause != 0) & (cause != of)
    psi = np.zeros((n, k))
    for u in np.unique(time[cause == 0]):
        risk_set = (time > u) | ((time == u) & (cause == 0))
        size, lost = risk_set.sum(), ((time == u) & (cause == 0)).sum()
        # q(u): what the other-cause subjects before u contribute after u
        gone = other & (time <= u)
        q = np.zeros(k)
        for j in np.nonzero(points > u)[0]:
            part = wr[j] * gone
            q += ((x - mean[j]) * part[:, None]).sum(axis=0) * hazard[j]
        censored_now = (time == u) & (cause == 0)
        psi[censored_now] += q / size
        psi[risk_set] -= q / size * lost / size
    return eta + psi
