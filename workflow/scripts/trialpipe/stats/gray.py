"""Gray's test of equal cumulative incidence between groups."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.distributions import chi2_upper
from trialpipe.stats.inputs import codes, labels, merge_close, times


@dataclass(frozen=True)
class Gray:
    """Chi-square, degrees of freedom (groups - 1), p; nan when the variance is singular."""

    chi_square: float
    df: int
    p: float


def gray_test(
    time: np.ndarray,
    cause: np.ndarray,
    group: np.ndarray,
    of: int,
    strata: np.ndarray | None = None,
    rho: float = 0.0,
) -> Gray:
    """K-sample test for cause ``of`` (Gray 1988, Ann Stat 16:1141), stratified if strata are given.

    Score: events minus those expected from the pooled subdistribution hazard, weighted (1 - F(t-))^rho. Its variance
    follows from the martingale representation with the pooled incidence under the hypothesis; d tied events among n
    at risk count (n - d)/(n - 1). time >= 0; cause 0 censored. Raises ValueError on invalid times.
    """
    time = times(time)
    cause = codes(cause, len(time), "cause")
    levels, member = labels(group, len(time), "group")
    _, blocks = labels(strata, len(time), "stratum")
    (time,) = merge_close(time)
    k = len(levels)
    score, variance = np.zeros(k), np.zeros((k, k))
    for block in np.unique(blocks):
        rows = blocks == block
        s, v = _block(time[rows], cause[rows], member[rows], k, of, rho)
        score, variance = score + s, variance + v
    df = k - 1
    if df < 1 or np.linalg.matrix_rank(variance[1:, 1:]) < df:
        return Gray(math.nan, max(df, 0), math.nan)
    chi = float(score[1:] @ np.linalg.solve(variance[1:, 1:], score[1:]))
    return Gray(chi, df, chi2_upper(chi, df))


def _block(
    time: np.ndarray, cause: np.ndarray, member: np.ndarray, k: int, of: int, rho: float
) -> tuple[np.ndarray, np.ndarray]:
    points = np.unique(time[cause != 0])
    if len(points) == 0:
        return np.zeros(k), np.zeros((k, k))
    one_hot = np.eye(k)[member]
    risk = np.array([one_hot[time >= t].sum(axis=0) for t in points])
    mine = np.array([one_hot[(time == t) & (cause == of)].sum(axis=0) for t in points])
    other = np.array([one_hot[(time == t) & (cause != of) & (cause != 0)].sum(axis=0) for t in points])
    some = risk > 0
    after = np.cumprod(1 - np.where(some, (mine + other) / np.where(some, risk, 1), 0.0), axis=0)
    before = np.vstack([np.ones(k), after[:-1]])
    steps = np.where(some, before * mine / np.where(some, risk, 1), 0.0)
    free = 1 - np.vstack([np.zeros(k), np.cumsum(steps, axis=0)[:-1]])
    # h: those at risk blown up by 1/S(t-), the size of the risk set had nobody left by another cause or censoring
    h = np.where(some, risk / np.where(some & (before > 0), before, 1), 0.0)
    pooled, events = h.sum(axis=1), mine.sum(axis=1)
    increment = np.where(pooled > 0, events / np.where(pooled > 0, pooled, 1), 0.0)
    f0 = np.cumsum(increment)
    f0_before = np.concatenate([[0.0], f0[:-1]])
    weight = (1 - f0_before) ** rho
    r = h * free
    total = r.sum(axis=1, keepdims=True)
    share = np.divide(r, total, out=np.zeros_like(r), where=total > 0)
    score = (weight[:, None] * (mine - share * events[:, None])).sum(axis=0)
    share0 = np.divide(h, pooled[:, None], out=np.zeros_like(h), where=pooled[:, None] > 0)
    # contrast[t, r, i]: effect on score r of an event of interest in group i, were the risk sets known
    contrast = weight[:, None, None] * (np.eye(k)[None] - share0[:, :, None])
    hazard = np.divide(increment, 1 - f0_before, out=np.zeros_like(increment), where=f0_before < 1)
    variance = np.zeros((k, k))
    for i in range(k):
        later = contrast[:, :, i] * (h[:, i] * hazard)[:, None]
        later = later.sum(axis=0) - np.cumsum(later, axis=0)
        ratio = np.where(after[:, i] > 0, (1 - f0) / np.where(after[:, i] > 0, after[:, i], 1), 0.0)
        scale = np.where(some[:, i], before[:, i] / np.where(some[:, i], risk[:, i], 1), 0.0)
        on_mine = contrast[:, :, i] + later * ((1 - ratio) * scale)[:, None]
        on_other = -later * (ratio * scale)[:, None]
        expected = h[:, i] * increment * _tie(events, pooled * before[:, i])
        seen = other[:, i] * _tie(other[:, i], risk[:, i])
        variance += (on_mine * expected[:, None]).T @ on_mine + (on_other * seen[:, None]).T @ on_other
    return score, variance


def _tie(events: np.ndarray, risk: np.ndarray) -> np.ndarray:
    """(n - d)/(n - 1) for d > 1 tied events among n."""
    many = (events > 1) & (risk > 1)
    return np.where(many, 1 - (events - 1) / np.where(many, risk - 1, 1), 1.0)
