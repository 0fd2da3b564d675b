"""Tails and quantiles of the normal, chi-square, t and binomial distributions (no scipy.stats: slow to import)."""

from __future__ import annotations

import math


def normal_quantile(p: float) -> float:
    """z with P(Z <= z) = p."""
    from scipy.special import ndtri

    return float(ndtri(p))


def two_sided_z(conf_level: float) -> float:
    """Normal quantile of a two-sided interval. Raises ValueError unless 0 < conf_level < 1."""
    if not 0 < conf_level < 1:
        raise ValueError("conf_level must lie between 0 and 1")
    return normal_quantile(0.5 + conf_level / 2)


def normal_p(z: float, alternative: str = "two-sided") -> float:
    """p-value of a normal statistic; nan for nan."""
    from scipy.special import ndtr

    if math.isnan(z):
        return math.nan
    if alternative == "two-sided":
        return min(1.0, 2 * float(ndtr(-abs(z))))
    if alternative == "greater":
        return float(ndtr(-z))
    if alternative == "less":
        return float(ndtr(z))
    raise ValueError("alternative must be two-sided, greater or less")


def chi2_upper(x: float, df: float) -> float:
    """P(chi-square with df degrees of freedom > x); nan for nan or df = 0."""
    from scipy.special import chdtrc

    return math.nan if math.isnan(x) or df <= 0 else float(chdtrc(df, max(x, 0.0)))


def f_upper(f: float, df1: float, df2: float) -> float:
    """P(F with df1 and df2 degrees of freedom > f); nan for nan or without degrees of freedom."""
    from scipy.special import fdtrc

    return math.nan if math.isnan(f) or df1 <= 0 or df2 <= 0 else float(fdtrc(df1, df2, max(f, 0.0)))


def t_p(t: float, df: float) -> float:
    """Two-sided p-value of Student's t; nan for nan."""
    from scipy.special import stdtr

    return math.nan if math.isnan(t) else min(1.0, 2 * float(stdtr(df, -abs(t))))


def t_quantile(df: float, p: float) -> float:
    """Quantile p of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def binomial_upper(x: int, n: int, p: float) -> float:
    """P(X >= x) for X binomial(n, p), without cancellation (regularised incomplete beta)."""
    from scipy.special import betainc

    if x <= 0:
        return 1.0
    return 0.0 if x > n else float(betainc(x, n - x + 1, p))


def binomial_lower(x: int, n: int, p: float) -> float:
    """P(X <= x) for X binomial(n, p)."""
    from scipy.special import betainc

    if x >= n:
        return 1.0
    return 0.0 if x < 0 else float(betainc(n - x, x + 1, 1 - p))


def binomial_mass(x: int, n: int, p: float) -> float:
    """P(X = x); exact product of integers for small n, by log-gamma otherwise."""
    if not 0 <= x <= n:
        return 0.0
    if n <= 300:
        return math.comb(n, x) * p**x * (1 - p) ** (n - x)
    if p in (0, 1):
        return float(x == n * p)
    log = math.lgamma(n + 1) - math.lgamma(x + 1) - math.lgamma(n - x + 1)
    return math.exp(log + x * math.log(p) + (n - x) * math.log1p(-p))


def bisect(function, low: float, high: float, steps: int = 200) -> float:
    """Where a monotone function changes sign on [low, high]; the nearer end if it does not."""
    at_low = function(low)
    if at_low == 0:
        return low
    for _ in range(steps):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if (function(middle) > 0) == (at_low > 0):
            low = middle
        else:
            high = middle
    return (low + high) / 2
