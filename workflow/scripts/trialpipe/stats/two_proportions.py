"""Two independent proportions x1/n1 and x2/n2: difference, ratio, odds ratio, tests."""

from __future__ import annotations

import math

from trialpipe.stats.binomial import wilson
from trialpipe.stats.distributions import bisect, chi2_upper, two_sided_z

Limits = tuple[float, float]


def difference_newcombe(x1: int, n1: int, x2: int, n2: int, conf_level: float = 0.95) -> Limits:
    """Limits of p1 - p2 from two Wilson intervals (Newcombe 1998, Stat Med 17:873, method 10)."""
    _check(x1, n1, x2, n2)
    if not n1 or not n2:
        return math.nan, math.nan
    p1, p2 = x1 / n1, x2 / n2
    (l1, u1), (l2, u2) = wilson(x1, n1, conf_level), wilson(x2, n2, conf_level)
    difference = p1 - p2
    return difference - math.hypot(p1 - l1, u2 - p2), difference + math.hypot(u1 - p1, p2 - l2)


def difference_score(
    x1: int, n1: int, x2: int, n2: int, conf_level: float = 0.95, method: str = "miettinen-nurminen"
) -> Limits:
    """Limits of p1 - p2 by inverting the score test with the constrained maximum-likelihood variance.

    ``miettinen-nurminen`` (1985, Stat Med 4:213) multiplies the variance by N/(N - 1); ``mee`` (1984) does not.
    """
    _check(x1, n1, x2, n2)
    if method not in ("miettinen-nurminen", "mee"):
        raise ValueError("method must be miettinen-nurminen or mee")
    if not n1 or not n2:
        return math.nan, math.nan
    z, observed = two_sided_z(conf_level), x1 / n1 - x2 / n2
    inflation = (n1 + n2) / (n1 + n2 - 1) if method == "miettinen-nurminen" else 1.0

    def statistic(delta: float) -> float:
        p1, p2 = _constrained(x1, n1, x2, n2, delta)
        variance = (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * inflation
        gap = observed - delta
        return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap) if gap else 0.0

    low = -1.0 if observed <= -1 else bisect(lambda d: statistic(d) - z, -1.0, observed)
    high = 1.0 if observed >= 1 else bisect(lambda d: statistic(d) + z, observed, 1.0)
    return low, high


def _constrained(x1: int, n1: int, x2: int, n2: int, delta: float) -> Limits:
    """Maximum-likelihood p1, p2 given p1 - p2 = delta: the root of the (falling) score in p2."""
    low, high = max(0.0, -delta), min(1.0, 1.0 - delta)

    def score(p2: float) -> float:
        p1 = min(max(p2 + delta, 0.0), 1.0)
        total = 0.0
        for x, n, p in ((x1, n1, p1), (x2, n2, p2)):
            total += (math.inf if p <= 0 else x / p) if x else 0.0
            total -= (math.inf if p >= 1 else (n - x) / (1 - p)) if n - x else 0.0
        return total

    for _ in range(100):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if score(middle) > 0 else (low, middle)
    p2 = (low + high) / 2
    return min(max(p2 + delta, 0.0), 1.0), p2


def difference_wald(x1: int, n1: int, x2: int, n2: int, conf_level: float = 0.95) -> Limits:
    """Textbook limits of p1 - p2. Not clipped to [-1, 1]."""
    _check(x1, n1, x2, n2)
    if not n1 or not n2:
        return math.nan, math.nan
    p1, p2 = x1 / n1, x2 / n2
    half = two_sided_z(conf_level) * math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    return p1 - p2 - half, p1 - p2 + half


def risk_ratio(x1: int, n1: int, x2: int, n2: int, conf_level: float = 0.95) -> tuple[float, float, float]:
    """p1/p2 with the limits of Katz 1978 (normal on the log). nan limits unless both counts are positive.

    x2 = 0 < x1 gives infinity, 0/0 nan.
    """
    _check(x1, n1, x2, n2)
    if not n1 or not n2 or x1 == x2 == 0:
        return math.nan, math.nan, math.nan
    if x1 == 0 or x2 == 0:
        return (0.0 if x1 == 0 else math.inf), math.nan, math.nan
    ratio = (x1 / n1) / (x2 / n2)
    half = two_sided_z(conf_level) * math.sqrt(1 / x1 - 1 / n1 + 1 / x2 - 1 / n2)
    return ratio, ratio * math.exp(-half), ratio * math.exp(half)


def odds_ratio(x1: int, n1: int, x2: int, n2: int) -> float:
    """Sample odds ratio; infinite if only its denominator is 0, nan for 0/0."""
    _check(x1, n1, x2, n2)
    over, under = x1 * (n2 - x2), x2 * (n1 - x1)
    return over / under if under else math.inf if over else math.nan


def pearson_test(x1: int, n1: int, x2: int, n2: int, correct: bool = False) -> tuple[float, float]:
    """Pearson chi-square of the 2 x 2 table and p (df 1), with Yates' correction if asked. nan if a margin is 0."""
    _check(x1, n1, x2, n2)
    total, successes = n1 + n2, x1 + x2
    if not n1 or not n2 or successes in (0, total):
        return math.nan, math.nan
    gap = abs(x1 - n1 * successes / total)
    gap -= min(0.5, gap) if correct else 0.0
    chi = gap * gap * total**3 / (n1 * n2 * successes * (total - successes))
    return chi, chi2_upper(chi, 1)


def _check(x1: int, n1: int, x2: int, n2: int) -> None:
    for x, n in ((x1, n1), (x2, n2)):
        if not 0 <= x <= n:
            raise ValueError(f"x = {x} does not lie in 0..{n}")
