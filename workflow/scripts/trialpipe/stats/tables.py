"""Conditional inference of 2 x 2 tables and their strata: Fisher, Cochran-Mantel-Haenszel, McNemar."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.binomial import exact_test
from trialpipe.stats.distributions import bisect, chi2_upper, two_sided_z


@dataclass(frozen=True)
class Conditional:
    """Exact p-values of odds ratio = 1, conditional maximum-likelihood odds ratio and its exact limits."""

    p: float
    p_greater: float
    p_less: float
    odds_ratio: float
    lower: float
    upper: float


def fisher(a: int, b: int, c: int, d: int, conf_level: float = 0.95) -> Conditional:
    """Fisher's exact test of the table [[a, b], [c, d]] (odds ratio ad/bc), two-sided by point probabilities.

    As in R's fisher.test, a table with a single possible outcome has p = 1, odds ratio 0 and limits (0, inf).
    """
    return conditional(np.array([[[a, b], [c, d]]]), conf_level)


def fisher_p(a: int, b: int, c: int, d: int) -> float:
    """Two-sided p-value of `fisher` alone: no odds ratio is searched for, so that tables of many lines stay quick."""
    low, log_mass = _hypergeometric(_counts(np.array([[[a, b], [c, d]]]))[0])
    return _two_sided(np.exp(log_mass), a - low)


def _two_sided(null: np.ndarray, at: int) -> float:
    """Probability of outcomes no more likely than the observed one, those equal but for rounding included."""
    return min(1.0, math.fsum(null[null <= null[at] * (1 + 1e-7)]))


def conditional(tables: np.ndarray, conf_level: float = 0.95) -> Conditional:
    """Exact common odds ratio of K tables (K x 2 x 2 counts) given all margins (Mehta, Patel, Gray 1985).

    Raises ValueError on negative or fractional counts.
    """
    tables = _counts(tables)
    offset, log_mass = 0, np.zeros(1)
    for table in tables:
        low, mass = _hypergeometric(table)
        offset, log_mass = offset + low, _convolve(log_mass, mass)
    support = offset + np.arange(len(log_mass))
    return _infer(support, log_mass, int(tables[:, 0, 0].sum()), conf_level)


def _hypergeometric(table: np.ndarray) -> tuple[int, np.ndarray]:
    """Smallest possible first cell and the log probabilities of all possible ones at odds ratio 1."""
    from scipy.special import gammaln

    row, other, column = int(table[0].sum()), int(table[1].sum()), int(table[:, 0].sum())
    low, high = max(0, column - other), min(row, column)
    x = np.arange(low, high + 1)
    mass = -(gammaln(x + 1) + gammaln(row - x + 1) + gammaln(column - x + 1) + gammaln(other - column + x + 1))
    return low, mass - mass.max() - math.log(math.fsum(np.exp(mass - mass.max())))


def _convolve(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    mass = np.convolve(np.exp(first - first.max()), np.exp(second - second.max()))
    with np.errstate(divide="ignore"):
        return np.log(mass) + first.max() + second.max()


def _infer(support: np.ndarray, log_mass: np.ndarray, x: int, conf_level: float) -> Conditional:
    tail = (1 - conf_level) / 2

    def weights(log_odds: float) -> np.ndarray:
        tilted = log_mass + support * log_odds
        mass = np.exp(tilted - tilted.max())
        return mass / mass.sum()

    null = weights(0.0)
    p = _two_sided(null, int(x - support[0]))
    at_lowest, at_highest = x == support[0], x == support[-1]
    span = 700.0  # log odds ratios beyond this are not representable
    estimate = math.inf if at_highest else math.nan
    if at_lowest:
        estimate = 0.0
    elif not at_highest:
        estimate = math.exp(bisect(lambda t: x - float(support @ weights(t)), -span, span))
    lower = 0.0 if at_lowest else math.exp(bisect(lambda t: tail - weights(t)[support >= x].sum(), -span, span))
    upper = math.inf if at_highest else math.exp(bisect(lambda t: weights(t)[support <= x].sum() - tail, -span, span))
    greater, less = (min(1.0, math.fsum(null[side])) for side in (support >= x, support <= x))
    return Conditional(p, greater, less, estimate, lower, upper)


@dataclass(frozen=True)
class MantelHaenszel:
    """Cochran-Mantel-Haenszel test (df 1) and the common odds ratio with Robins-Breslow-Greenland limits."""

    statistic: float
    p: float
    odds_ratio: float
    lower: float
    upper: float


def mantel_haenszel(tables: np.ndarray, correct: bool = False, conf_level: float = 0.95) -> MantelHaenszel:
    """K stratified 2 x 2 tables (K x 2 x 2 counts); strata of fewer than two subjects carry no information.

    Limits by Robins, Breslow, Greenland 1986 (Biometrics 42:311). nan where undefined.
    """
    tables = _counts(tables).astype(float)
    tables = tables[tables.sum(axis=(1, 2)) > 1]
    n = tables.sum(axis=(1, 2))
    a, b, c, d = (tables[:, i, j] for i in (0, 1) for j in (0, 1))
    row, column = a + b, a + c
    gap = abs(math.fsum(a - row * column / n))
    variance = math.fsum(row * (n - row) * column * (n - column) / (n * n * (n - 1)))
    gap -= min(0.5, gap) if correct and gap >= 0.5 else 0.0
    statistic = gap * gap / variance if variance > 0 else math.nan
    r, s = a * d / n, b * c / n
    total_r, total_s = math.fsum(r), math.fsum(s)
    ratio = total_r / total_s if total_s else math.inf if total_r else math.nan
    lower = upper = math.nan
    if total_r and total_s:
        p, q = (a + d) / n, (b + c) / n
        log_variance = (
            math.fsum(p * r) / (2 * total_r**2)
            + math.fsum(p * s + q * r) / (2 * total_r * total_s)
            + math.fsum(q * s) / (2 * total_s**2)
        )
        half = two_sided_z(conf_level) * math.sqrt(log_variance)
        lower, upper = ratio * math.exp(-half), ratio * math.exp(half)
    return MantelHaenszel(statistic, chi2_upper(statistic, 1), ratio, lower, upper)


def mantel_haenszel_difference(tables: np.ndarray, conf_level: float = 0.95) -> tuple[float, float, float]:
    """Common risk difference, first row minus second (first column = success), variance of Sato 1989."""
    tables = _counts(tables).astype(float)
    tables = tables[(tables.sum(axis=2) > 0).all(axis=1)]
    if len(tables) == 0:
        return math.nan, math.nan, math.nan
    x1, x2 = tables[:, 0, 0], tables[:, 1, 0]
    n1, n2 = tables[:, 0].sum(axis=1), tables[:, 1].sum(axis=1)
    n = n1 + n2
    weight = math.fsum(n1 * n2 / n)
    difference = math.fsum((x1 * n2 - x2 * n1) / n) / weight
    p = (n1**2 * x2 - n2**2 * x1 + n1 * n2 * (n2 - n1) / 2) / n**2
    q = (x1 * (n2 - x2) + x2 * (n1 - x1)) / (2 * n)
    error = math.sqrt(max(0.0, difference * math.fsum(p) + math.fsum(q))) / weight
    half = two_sided_z(conf_level) * error
    return difference, difference - half, difference + half


@dataclass(frozen=True)
class McNemar:
    """Chi-square (df 1) and p of the discordant pairs, and the exact two-sided p."""

    statistic: float
    p: float
    exact_p: float


def mcnemar(b: int, c: int, correct: bool = False) -> McNemar:
    """McNemar 1947 on the two discordant counts; with Edwards' correction if asked. nan without discordant pairs."""
    if b < 0 or c < 0:
        raise ValueError("a count is negative")
    if b + c == 0:
        return McNemar(math.nan, math.nan, math.nan)
    gap = max(abs(b - c) - (1 if correct else 0), 0)
    statistic = gap * gap / (b + c)
    return McNemar(statistic, chi2_upper(statistic, 1), exact_test(b, b + c, 0.5))


def _counts(tables: np.ndarray) -> np.ndarray:
    tables = np.asarray(tables, float)
    if tables.ndim != 3 or tables.shape[1:] != (2, 2):
        raise ValueError("tables must have the shape K x 2 x 2")
    if np.isnan(tables).any() or (tables < 0).any() or (tables != np.round(tables)).any():
        raise ValueError("a count is missing, negative or fractional")
    return tables.astype(int)
