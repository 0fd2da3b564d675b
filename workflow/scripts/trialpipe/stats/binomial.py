"""Single proportions: exact interval and tests."""

from __future__ import annotations

import math

from scipy.special import bdtr, betaincinv


def clopper_pearson(x: int, n: int, conf_level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a proportion (Clopper and Pearson 1934, Biometrika 26:404), by beta quantiles.

    n = 0 gives (nan, nan). Raises ValueError unless 0 <= x <= n and 0 < conf_level < 1.
    """
    _check(x, n)
    if not 0 < conf_level < 1:
        raise ValueError("conf_level must lie between 0 and 1")
    if n == 0:
        return math.nan, math.nan
    tail = (1 - conf_level) / 2
    lower = 0.0 if x == 0 else float(betaincinv(x, n - x + 1, tail))
    upper = 1.0 if x == n else float(betaincinv(x + 1, n - x, 1 - tail))
    return lower, upper


def exact_test(x: int, n: int, null_value: float, alternative: str = "two-sided") -> float:
    """Exact binomial p-value of H0: p = null_value.

    ``greater`` is P(X >= x), ``less`` P(X <= x); ``two-sided`` sums the outcomes that are at most as likely as x
    (relative tolerance 1e-7, the rule of R's binom.test). n = 0 gives nan.
    """
    _check(x, n)
    if not 0 <= null_value <= 1:
        raise ValueError("null_value must lie in [0, 1]")
    if n == 0:
        return math.nan
    if alternative == "greater":
        return 1.0 if x == 0 else float(1 - bdtr(x - 1, n, null_value)) if x < 0.5 * n else _upper(x, n, null_value)
    if alternative == "less":
        return float(bdtr(x, n, null_value)) if x < n else 1.0
    if alternative != "two-sided":
        raise ValueError("alternative must be two-sided, greater or less")
    masses = [math.comb(n, k) * null_value**k * (1 - null_value) ** (n - k) for k in range(n + 1)]
    limit = masses[x] * (1 + 1e-7)
    return min(1.0, math.fsum(m for m in masses if m <= limit))


def _upper(x: int, n: int, p: float) -> float:
    return math.fsum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(x, n + 1))


def _check(x: int, n: int) -> None:
    if not 0 <= x <= n:
        raise ValueError(f"x = {x} does not lie in 0..{n}")
