"""Fine-Gray regression of the subdistribution hazard with robust variance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.cox import independent
from trialpipe.stats.distributions import normal_p, two_sided_z
from trialpipe.stats.inputs import codes, labels, matrix, times


@dataclass(frozen=True)
class FineGray:
    """Estimates per covariate; ``shr`` subdistribution hazard ratio; ``covariance`` robust; nan where not estimable.

    ``inverse``: of the information, the covariance were there no censoring to be estimated.
    """

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
    covariance: np.ndarray
    loglik_null: float
    inverse: np.ndarray


@dataclass(frozen=True)
class _Data:
    """Subjects in the order given, and their weights at each event of interest.

    points: times of events of interest with their number of deaths; weights (points, subjects): 1 while at risk,
    G(t-)/G(time-) after another event, 0 otherwise.
    """

    time: np.ndarray
    of_interest: np.ndarray
    other: np.ndarray
    censored: np.ndarray
    x: np.ndarray
    strata: np.ndarray
    points: np.ndarray
    deaths: np.ndarray
    weights: np.ndarray


def fine_gray(
    time: np.ndarray,
    cause: np.ndarray,
    covariates: np.ndarray,
    of: int,
    conf_level: float = 0.95,
    censoring_group: np.ndarray | None = None,
) -> FineGray:
    """Proportional subdistribution hazards (Fine and Gray 1999, JASA 94:496), Breslow ties, as R's cmprsk::crr.

    Subjects with another event stay at risk with weight G(t-)/G(time-), G the Kaplan-Meier estimate of the censoring
    distribution (per ``censoring_group`` if given); subjects with an event at t are at risk of being censored at t.
    The variance is the sandwich of the paper, censoring distribution estimated; with a ``censoring_group`` its
    influence is taken within the group and, as in crr, over the events of that group. time >= 0;
    cause 0 censored; covariates (n, k). Estimates are nan and ``converged`` False without events, with collinear
    covariates or where the likelihood has no maximum. Raises ValueError on invalid input.
    """
    time = times(time)
    cause = codes(cause, len(time), "cause")
    x = matrix(covariates, len(time))
    _, strata = labels(censoring_group, len(time), "censoring group")
    data = _prepare(time, cause, x - (x.mean(axis=0) if len(x) else 0.0), of, strata)
    k = x.shape[1]
    null = _likelihood(data, np.zeros(k))
    beta, value = _maximise(data, null)
    n, n_event = len(time), int(data.of_interest.sum())
    if beta is None:
        nan = np.full(k, math.nan)
        empty = np.full((k, k), math.nan)
        null_value = null[0] if n_event else math.nan
        return FineGray(nan, nan, nan, nan, nan, nan, nan, n, n_event, math.nan, False, empty, null_value, empty)
    inverse = np.linalg.inv(value[2])
    residual = _residuals(data, beta)
    covariance = inverse @ (residual.T @ residual) @ inverse
    spread = np.diag(covariance)
    # no residual at all (everybody at one time): the sandwich is 0, which is no precision
    se = np.sqrt(np.where(spread > 0, spread, math.nan))
    z = beta / se
    half = two_sided_z(conf_level) * se
    p = np.array([normal_p(v) for v in z.tolist()])
    return FineGray(
        beta, se, np.exp(beta), np.exp(beta - half), np.exp(beta + half), z, p, n, n_event, value[0], True,
        covariance, null[0], inverse,
    )  # fmt: skip


def subjects_at_risk(
    time: np.ndarray, cause: np.ndarray, of: int, censoring_group: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(times of events of interest, their numbers, weight of each subject at each: (times, subjects)).

    Raises ValueError on invalid input.
    """
    time = times(time)
    cause = codes(cause, len(time), "cause")
    _, strata = labels(censoring_group, len(time), "censoring group")
    data = _prepare(time, cause, np.zeros((len(time), 0)), of, strata)
    return data.points, data.deaths, data.weights


def _prepare(time: np.ndarray, cause: np.ndarray, x: np.ndarray, of: int, strata: np.ndarray) -> _Data:
    points = np.unique(time[cause == of])
    other = (cause != 0) & (cause != of)
    own, later = np.ones(len(time)), np.ones((len(points), len(time)))
    for s in np.unique(strata):
        rows = strata == s
        own[rows] = _censoring(time[rows], cause[rows] == 0, time[rows])
        later[:, rows] = _censoring(time[rows], cause[rows] == 0, points)[:, None]
    decayed = np.divide(later, own[None, :], out=np.zeros_like(later), where=own[None, :] > 0)
    at_risk = time[None, :] >= points[:, None]
    weights = np.where(at_risk, 1.0, np.where(other[None, :], decayed, 0.0))
    deaths = np.array([((time == t) & (cause == of)).sum() for t in points], float)
    return _Data(time, cause == of, other, cause == 0, x, strata, points, deaths, weights)


def _censoring(time: np.ndarray, censored: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Kaplan-Meier estimate of remaining uncensored just before each time of ``at``."""
    points = np.unique(time[censored])
    ordered, left = np.sort(time), np.sort(time[censored])
    risk = len(time) - np.searchsorted(ordered, points, side="left")
    lost = np.searchsorted(left, points, side="right") - np.searchsorted(left, points, side="left")
    curve = np.concatenate([[1.0], np.cumprod(1 - lost / risk)])
    return curve[np.searchsorted(points, at, side="left")]


def _maximise(data: _Data, start: tuple) -> tuple[np.ndarray | None, tuple]:
    """(estimate, likelihood there) by Newton's method with step halving; None where there is no maximum."""
    k = data.x.shape[1]
    beta, value = np.zeros(k), start
    if k == 0 or len(data.points) == 0:
        return None, value
    scale = data.deaths.sum() * np.square(data.x).max(axis=0)
    if not independent(start[2], scale).all():
        return None, value
    for _ in range(40):
        # with next to nothing of the information left the estimate runs away, whatever rounding makes of the score
        if (np.diag(value[2]) < 1e-8 * np.diag(start[2])).any() or np.linalg.matrix_rank(value[2]) < k:
            return None, value
        step = np.linalg.solve(value[2], value[1])
        length, trial = 1.0, _likelihood(data, beta + step)
        while not trial[0] >= value[0] - 1e-12 * abs(value[0]) and length > 1e-6:
            length /= 2
            trial = _likelihood(data, beta + length * step)
        spread = np.sqrt(np.diag(np.linalg.inv(value[2])))
        beta, value = beta + length * step, trial
        # a step small beside its standard error: on a likelihood without maximum both grow and steps stay near 1
        if np.abs(step).max() < 1e-9 * (1 + np.abs(beta).max()) and (np.abs(step) < 1e-6 * spread).all():
            lost = (np.diag(value[2]) < 1e-8 * np.diag(start[2])).any()
            return (None if lost or not np.isfinite(beta).all() else beta), value
    return None, value


def _likelihood(data: _Data, beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """(log pseudo-likelihood, score, information)."""
    linear = data.x @ beta
    top = linear.max(initial=0.0)
    wr = data.weights * np.exp(linear - top)[None, :]
    s0, s1 = wr.sum(axis=1), wr @ data.x
    mean = s1 / s0[:, None]
    # the information needs the second moments summed over points only: one weight per subject
    per_subject = (data.deaths / s0) @ wr
    information = (data.x * per_subject[:, None]).T @ data.x - (mean * data.deaths[:, None]).T @ mean
    total = float(linear[data.of_interest].sum()) - float(data.deaths @ (np.log(s0) + top))
    return total, data.x[data.of_interest].sum(axis=0) - data.deaths @ mean, information


def _residuals(data: _Data, beta: np.ndarray) -> np.ndarray:
    """eta + psi of the paper: score residuals plus the contribution of estimating the censoring distribution."""
    linear = data.x @ beta
    wr = data.weights * np.exp(linear - linear.max(initial=0.0))[None, :]
    s0 = wr.sum(axis=1)
    mean = (wr @ data.x) / s0[:, None]
    hazard = data.deaths / s0
    share = wr * hazard[:, None]
    eta = -(data.x * share.sum(axis=0)[:, None] - share.T @ mean)
    at = np.searchsorted(data.points, data.time[data.of_interest])
    eta[data.of_interest] += data.x[data.of_interest] - mean[at]
    psi = np.zeros_like(eta)
    for s in np.unique(data.strata):
        rows = data.strata == s
        # crr integrates over the events of the censoring group only, which differs from all events by about 1e-4
        own = np.bincount(at[rows[data.of_interest]], minlength=len(data.points))
        psi[rows] = _censoring_part(data, rows, wr * (own / s0)[:, None], mean)
    return eta + psi


def _censoring_part(data: _Data, rows: np.ndarray, share: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Influence of each subject of one censoring group through the weights of those with another event."""
    time, censored = data.time[rows], data.censored[rows]
    psi = np.zeros((len(time), data.x.shape[1]))
    for u in np.unique(time[censored]):
        risk, now = time >= u, (time == u) & censored
        # what subjects gone before u through another event contribute from u on: I(time < u <= t) of the paper
        gone, after = rows & data.other & (data.time < u), data.points >= u
        part = share[np.ix_(after, gone)]
        q = part.sum(axis=0) @ data.x[gone] - part.sum(axis=1) @ mean[after]
        size = risk.sum()
        psi[now] += q / size
        psi[risk] -= q / size * (now.sum() / size)
    return psi
