"""K-sample log-rank test, stratified, with Fleming-Harrington weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from trialpipe.stats.km import check_times


@dataclass(frozen=True)
class LogRank:
    """Observed and expected events per group (order of ``groups``), chi-square, degrees of freedom, p."""

    groups: list
    n: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    chi_square: float
    df: int
    p: float


def logrank(
    time: np.ndarray, event: np.ndarray, group: np.ndarray, strata: np.ndarray | None = None, rho: float = 0.0
) -> LogRank:
    """Test of equal survival between groups (Mantel 1966; Peto and Peto 1972; weight S(t-)^rho, Harrington and Fleming 1982).

    time >= 0; event 0/1; group and strata any labels. chi_square and p are nan when the variance is singular (no events,
    one group). Raises ValueError on invalid times.
    """
    time, event, group = np.asarray(time, float), np.asarray(event, int), np.asarray(group)
    check_times(time, event, group)
    levels = list(dict.fromkeys(np.sort(group).tolist()))
    member = np.array([[g == level for level in levels] for g in group], bool).reshape(len(time), len(levels))
    blocks = np.zeros(len(time), int) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    observed, expected = np.zeros(len(levels)), np.zeros(len(levels))
    variance = np.zeros((len(levels), len(levels)))
    for block in np.unique(blocks):
        rows = blocks == block
        o, e, v = _block(time[rows], event[rows], member[rows], rho)
        observed, expected, variance = observed + o, expected + e, variance + v
    used = np.nonzero(expected > 0)[0]
    df = len(used) - 1
    chi = math.nan
    if df >= 1:
        kept = used[1:]
        matrix = variance[np.ix_(kept, kept)]
        difference = (observed - expected)[kept]
        if np.linalg.matrix_rank(matrix) == df:
            chi = float(difference @ np.linalg.solve(matrix, difference))
    p = float(chdtrc(df, chi)) if not math.isnan(chi) else math.nan
    return LogRank(levels, member.sum(axis=0), observed, expected, chi, max(df, 0), p)


def _block(time: np.ndarray, event: np.ndarray, member: np.ndarray, rho: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k = member.shape[1]
    observed, expected, variance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    survival = 1.0
    for t in np.unique(time[event == 1]):
        risk = member[time >= t].sum(axis=0).astype(float)
        died = member[(time == t) & (event == 1)].sum(axis=0).astype(float)
        n, d = risk.sum(), died.sum()
        weight = survival**rho
        observed += weight * died
        share = risk / n
        expected += weight * d * share
        if n > 1:
            variance += weight**2 * d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
        survival *= 1 - d / n
    return observed, expected, variance
