"""Single proportions: exact, score and other intervals, exact tests."""

from __future__ import annotations

import math

from trialpipe.stats.distributions import binomial_lower, binomial_mass, binomial_upper, bisect, two_sided_z

Limits = tuple[float, float]


def clopper_pearson(x: int, n: int, conf_level: float = 0.95) -> Limits:
    """Exact two-sided interval of a proportion (Clopper and Pearson 1934, Biometrika 26:404), by beta quantiles.

    n = 0 gives (nan, nan). Raises ValueError unless 0 <= x <= n and 0 < conf_level < 1.
    """
    _check(x, n, conf_level)
    if n == 0:
        return math.nan, math.nan
    tail = (1 - conf_level) / 2
    return _exact_lower(x, n, tail), _exact_upper(x, n, tail)


def clopper_pearson_one_sided(x: int, n: int, conf_level: float = 0.95) -> Limits:
    """Exact one-sided limits, each with the whole error on its side: (lower limit, upper limit)."""
    _check(x, n, conf_level)
    if n == 0:
        return math.nan, math.nan
    return _exact_lower(x, n, 1 - conf_level), _exact_upper(x, n, 1 - conf_level)


def _exact_lower(x: int, n: int, tail: float) -> float:
    from scipy.special import betaincinv

    return 0.0 if x == 0 else float(betaincinv(x, n - x + 1, tail))


def _exact_upper(x: int, n: int, tail: float) -> float:
    from scipy.special import betaincinv

    return 1.0 if x == n else float(betaincinv(x + 1, n - x, 1 - tail))


def wilson(x: int, n: int, conf_level: float = 0.95, correct: bool = False) -> Limits:
    """Score interval (Wilson 1927), with Yates' continuity correction if ``correct`` (Newcombe 1998, method 4).

    The correction is never larger than the distance of x/n from 1/2, as in R's prop.test with its default p = 1/2.
    """
    _check(x, n, conf_level)
    if n == 0:
        return math.nan, math.nan
    z, p = two_sided_z(conf_level), x / n
    shift = min(0.5, abs(x - n * 0.5)) / n if correct else 0.0
    half = z * z / (2 * n)

    def root(at: float, sign: int) -> float:
        return (at + half + sign * z * math.sqrt(at * (1 - at) / n + z * z / (4 * n * n))) / (1 + z * z / n)

    low = 0.0 if p - shift <= 0 else max(0.0, root(p - shift, -1))
    high = 1.0 if p + shift >= 1 else min(1.0, root(p + shift, 1))
    return low, high


def agresti_coull(x: int, n: int, conf_level: float = 0.95) -> Limits:
    """Agresti and Coull 1998: Wald interval around (x + z^2/2)/(n + z^2). Not clipped to [0, 1]."""
    _check(x, n, conf_level)
    if n == 0:
        return math.nan, math.nan
    z = two_sided_z(conf_level)
    total = n + z * z
    p = (x + z * z / 2) / total
    half = z * math.sqrt(p * (1 - p) / total)
    return p - half, p + half


def wald(x: int, n: int, conf_level: float = 0.95) -> Limits:
    """Textbook normal interval. Not clipped to [0, 1]; of no width at x = 0 and x = n."""
    _check(x, n, conf_level)
    if n == 0:
        return math.nan, math.nan
    p = x / n
    half = two_sided_z(conf_level) * math.sqrt(p * (1 - p) / n)
    return p - half, p + half


def jeffreys(x: int, n: int, conf_level: float = 0.95) -> Limits:
    """Equal-tailed posterior interval under Beta(1/2, 1/2) (Brown, Cai, DasGupta 2001); 0 at x = 0, 1 at x = n."""
    from scipy.special import betaincinv

    _check(x, n, conf_level)
    if n == 0:
        return math.nan, math.nan
    tail = (1 - conf_level) / 2
    low = 0.0 if x == 0 else float(betaincinv(x + 0.5, n - x + 0.5, tail))
    high = 1.0 if x == n else float(betaincinv(x + 0.5, n - x + 0.5, 1 - tail))
    return low, high


def mid_p(x: int, n: int, conf_level: float = 0.95) -> Limits:
    """Exact interval in which the observed outcome counts half (Lancaster 1961)."""
    _check(x, n, conf_level)
    if n == 0:
        return math.nan, math.nan
    tail = (1 - conf_level) / 2

    def above(p: float) -> float:
        return binomial_upper(x + 1, n, p) + binomial_mass(x, n, p) / 2

    def below(p: float) -> float:
        return binomial_lower(x - 1, n, p) + binomial_mass(x, n, p) / 2

    low = 0.0 if x == 0 else bisect(lambda p: above(p) - tail, 0.0, 1.0)
    high = 1.0 if x == n else bisect(lambda p: below(p) - tail, 0.0, 1.0)
    return low, high


def exact_test(x: int, n: int, null_value: float, alternative: str = "two-sided") -> float:
    """Exact binomial p-value of H0: p = null_value.

    ``greater`` is P(X >= x), ``less`` P(X <= x); ``two-sided`` sums the outcomes that are at most as likely as x
    (relative tolerance 1e-7, the rule of R's binom.test). n = 0 gives nan.
    """
    _check(x, n)
    if not 0 <= null_value <= 1:
        raise ValueError("null_value must lie in [0, 1]")
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError("alternative must be two-sided, greater or less")
    if n == 0:
        return math.nan
    if alternative == "greater":
        return binomial_upper(x, n, null_value)
    if alternative == "less":
        return binomial_lower(x, n, null_value)
    return _two_sided(x, n, null_value)


def _two_sided(x: int, n: int, p: float) -> float:
    # the mass rises to the mode and falls after it: the far side is one tail, found from its end
    limit = binomial_mass(x, n, p) * (1 + 1e-7)
    if x == n * p:
        return 1.0
    if x < n * p:
        beyond = next((k for k in range(math.ceil(n * p), n + 1) if binomial_mass(k, n, p) <= limit), n + 1)
        return min(1.0, binomial_lower(x, n, p) + binomial_upper(beyond, n, p))
    beyond = next((k for k in range(math.floor(n * p), -1, -1) if binomial_mass(k, n, p) <= limit), -1)
    return min(1.0, binomial_upper(x, n, p) + binomial_lower(beyond, n, p))


def _check(x: int, n: int, conf_level: float = 0.5) -> None:
    if not 0 <= x <= n:
        raise ValueError(f"x = {x} does not lie in 0..{n}")
    if not 0 < conf_level < 1:
        raise ValueError("conf_level must lie between 0 and 1")
