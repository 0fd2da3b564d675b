"""Cox proportional-hazards regression: Efron and Breslow ties, strata, counting-process input."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri


@dataclass(frozen=True)
class Cox:
    """Estimates per covariate with their covariance; log partial likelihoods and global tests.

    ``converged`` is False when Newton's method did not settle; a covariate without finite estimate is then in doubt.
    """

    coef: np.ndarray
    se: np.ndarray
    covariance: np.ndarray
    hr: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    z: np.ndarray
    p: np.ndarray
    n: int
    n_event: int
    loglik_null: float
    loglik: float
    lr_test: float
    lr_p: float
    wald_test: float
    wald_p: float
    score_test: float
    score_p: float
    df: int
    converged: bool


def cox(
    time: np.ndarray,
    event: np.ndarray,
    covariates: np.ndarray,
    entry: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    ties: str = "efron",
    conf_level: float = 0.95,
) -> Cox:
    """Maximum partial likelihood (Cox 1972; ties Efron 1977 or Breslow 1974) by Newton's method with step halving.

    time: end of the interval at risk; event 0/1 at that time; covariates (n, k); entry: start of the interval, at risk on
    (entry, time]; strata: labels with separate baseline hazards. Raises ValueError on invalid input.
    """
    time, event = np.asarray(time, float), np.asarray(event, int)
    x = np.asarray(covariates, float)
    x = x.reshape(len(time), -1)
    start = np.full(len(time), -math.inf) if entry is None else np.asarray(entry, float)
    if np.isnan(x).any() or np.isnan(time).any():
        raise ValueError("a time or covariate is missing")
    if ties not in ("efron", "breslow"):
        raise ValueError(f"ties {ties!r} is neither efron nor breslow")
    if (start >= time).any():
        raise ValueError("an interval does not end after it starts")
    blocks = np.zeros(len(time), int) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    centred = x - x.mean(axis=0) if len(x) else x
    parts = [(time[blocks == b], event[blocks == b], start[blocks == b], centred[blocks == b]) for b in np.unique(blocks)]
    k = x.shape[1]
    null = _likelihood(parts, np.zeros(k), ties)
    beta, last, converged = np.zeros(k), null, False
    for _ in range(50):
        step = _solve(last[2], last[1])
        if step is None:
            break
        scale = 1.0
        trial = _likelihood(parts, beta + step, ties)
        while not trial[0] >= last[0] - 1e-12 * abs(last[0]) and scale > 1e-6:
            scale /= 2
            trial = _likelihood(parts, beta + scale * step, ties)
        beta = beta + scale * step
        gain = abs(trial[0] - last[0])
        last = trial
        if gain <= 1e-13 * (abs(last[0]) + 1e-13) and np.abs(step).max(initial=0.0) < 1e-9 * (1 + np.abs(beta).max(initial=0.0)):
            converged = True
            break
    return _result(beta, null, last, len(time), int(event.sum()), conf_level, converged and bool(np.abs(beta).max(initial=0.0) < 15))


def _likelihood(parts: list, beta: np.ndarray, ties: str) -> tuple[float, np.ndarray, np.ndarray]:
    """(log partial likelihood, score, information)."""
    k = len(beta)
    total, score, information = 0.0, np.zeros(k), np.zeros((k, k))
    for time, event, start, x in parts:
        risk = np.exp(np.clip(x @ beta, -500, 500))
        for t in np.unique(time[event == 1]):
            present = (start < t) & (time >= t)
            dead = (time == t) & (event == 1)
            w, xs = risk[present], x[present]
            s0, s1 = w.sum(), w @ xs
            s2 = (xs * w[:, None]).T @ xs
            wd, xd = risk[dead], x[dead]
            d = int(dead.sum())
            d0, d1 = wd.sum(), wd @ xd
            d2 = (xd * wd[:, None]).T @ xd
            total += float((xd @ beta).sum())
            score = score + xd.sum(axis=0)
            for j in range(d):
                share = j / d if ties == "efron" else 0.0
                a0, a1, a2 = s0 - share * d0, s1 - share * d1, s2 - share * d2
                mean = a1 / a0
                total -= math.log(a0)
                score = score - mean
                information = information + a2 / a0 - np.outer(mean, mean)
    return total, score, information


def _solve(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray | None:
    if len(vector) == 0 or np.linalg.matrix_rank(matrix) < len(vector):
        return None
    return np.linalg.solve(matrix, vector)


def _result(beta: np.ndarray, null: tuple, last: tuple, n: int, events: int, conf_level: float, converged: bool) -> Cox:
    k = len(beta)
    z_limit = float(ndtri(0.5 + conf_level / 2))
    regular = k > 0 and np.linalg.matrix_rank(last[2]) == k and converged
    covariance = np.linalg.inv(last[2]) if regular else np.full((k, k), math.nan)
    coef = beta if regular else np.full(k, math.nan)
    se = np.sqrt(np.diag(covariance))
    z = coef / se
    lr = 2 * (last[0] - null[0]) if regular else math.nan
    wald = float(coef @ last[2] @ coef) if regular else math.nan
    step = _solve(null[2], null[1])
    rao = float(null[1] @ step) if step is not None else math.nan
    lr_p, wald_p, rao_p = (float(chdtrc(k, v)) if not math.isnan(v) else math.nan for v in (lr, wald, rao))
    p = 2 * ndtr(-np.abs(z))
    return Cox(
        coef, se, covariance, np.exp(coef), np.exp(coef - z_limit * se), np.exp(coef + z_limit * se), z, p, n, events,
        null[0], last[0] if regular else math.nan, lr, lr_p, wald, wald_p, rao, rao_p, k, bool(regular),
    )  # fmt: skip


def split_at(
    time: np.ndarray, event: np.ndarray, switch: np.ndarray, when: str = "after"
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Counting process for an exposure that starts during follow-up.

    switch: elapsed time at which it starts, nan if never. ``after``: exposed on (switch, time]; ``on``: exposed from the
    switch day itself, i.e. on (switch - 1, time] in whole days. Returns (row, entry, time, event, exposed): row is the
    index of the subject; two intervals where the exposure starts strictly inside follow-up.
    """
    if when not in ("after", "on"):
        raise ValueError(f"when {when!r} is neither after nor on")
    rows, entries, ends, events, exposed = [], [], [], [], []
    for i in range(len(time)):
        cut = switch[i] - (1 if when == "on" else 0)
        if math.isnan(cut) or cut >= time[i]:
            pieces = [(0.0, time[i], event[i], 0)]
        elif cut <= 0:
            pieces = [(0.0, time[i], event[i], 1)]
        else:
            pieces = [(0.0, cut, 0, 0), (cut, time[i], event[i], 1)]
        for a, b, e, x in pieces:
            rows.append(i)
            entries.append(a)
            ends.append(b)
            events.append(e)
            exposed.append(x)
    return np.array(rows, int), np.array(entries, float), np.array(ends, float), np.array(events, int), np.array(exposed, float)
