"""K-sample log-rank test, stratified, with Fleming-Harrington weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.distributions import chi2_upper
from trialpipe.stats.inputs import codes, labels, merge_close, times


@dataclass(frozen=True)
class LogRank:
    """Observed and expected (weighted) events per group (order of ``groups``), chi-square, degrees of freedom, p.

    ``variance``: covariance of the observed numbers.
    """

    groups: list
    n: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    chi_square: float
    df: int
    p: float
    variance: np.ndarray


def logrank(
    time: np.ndarray, event: np.ndarray, group: np.ndarray, strata: np.ndarray | None = None, rho: float = 0.0
) -> LogRank:
    """Test of equal survival between groups (Mantel 1966), events weighted by S(t-)^rho (Harrington, Fleming 1982).

    time >= 0; event 0/1; group and strata any labels. chi_square and p are nan when the variance is singular (no
    events, one group). Raises ValueError on invalid times.
    """
    time = times(time)
    event = codes(event, len(time), "event", 1)
    levels, index = labels(group, len(time), "group")
    _, blocks = labels(strata, len(time), "stratum")
    (time,) = merge_close(time)
    member = np.eye(len(levels), dtype=bool)[index]
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
    return LogRank(levels, member.sum(axis=0), observed, expected, chi, max(df, 0), chi2_upper(chi, df), variance)


def _block(
    time: np.ndarray, event: np.ndarray, member: np.ndarray, rho: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
