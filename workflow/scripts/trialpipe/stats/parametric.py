"""Student's tests, correlation, adjustment of p-values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.distributions import normal_p, t_p, t_quantile, two_sided_z
from trialpipe.stats.ranks import ranks


@dataclass(frozen=True)
class TTest:
    """Mean or difference of means with its limits, t, degrees of freedom and two-sided p; nan where undefined."""

    estimate: float
    lower: float
    upper: float
    t: float
    df: float
    p: float


def one_sample(values: np.ndarray, conf_level: float = 0.95) -> TTest:
    """Mean of a sample (or of paired differences) against 0. nan below two values; p nan without spread."""
    x = _known(values)
    n = len(x)
    mean = float(x.mean()) if n else math.nan
    error = float(x.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return _t_test(mean, error, n - 1, conf_level)


def two_sample(first: np.ndarray, second: np.ndarray, conf_level: float = 0.95, pooled: bool = False) -> TTest:
    """Difference of means first - second: Welch (Satterthwaite degrees of freedom) or with a pooled variance."""
    x, y = _known(first), _known(second)
    m, n = len(x), len(y)
    estimate = float(x.mean() - y.mean()) if m and n else math.nan
    if min(m, n) < 2:
        return _t_test(estimate, math.nan, math.nan, conf_level)
    a, b = float(x.var(ddof=1)), float(y.var(ddof=1))
    if pooled:
        return _t_test(
            estimate, math.sqrt(((m - 1) * a + (n - 1) * b) / (m + n - 2) * (1 / m + 1 / n)), m + n - 2, conf_level
        )
    square = a / m + b / n
    if square == 0:
        return _t_test(estimate, 0.0, math.nan, conf_level)
    df = square**2 / ((a / m) ** 2 / (m - 1) + (b / n) ** 2 / (n - 1))
    return _t_test(estimate, math.sqrt(square), df, conf_level)


def _t_test(estimate: float, error: float, df: float, conf_level: float) -> TTest:
    two_sided_z(conf_level)  # refuses a level outside (0, 1)
    if math.isnan(error) or error == 0 or math.isnan(df):
        return TTest(estimate, math.nan, math.nan, math.nan, df if df > 0 else math.nan, math.nan)
    half = t_quantile(df, 0.5 + conf_level / 2) * error
    return TTest(estimate, estimate - half, estimate + half, estimate / error, df, t_p(estimate / error, df))


@dataclass(frozen=True)
class Correlation:
    """Coefficient, limits (Pearson only, Fisher's z) and two-sided p."""

    value: float
    lower: float
    upper: float
    p: float


def pearson(x: np.ndarray, y: np.ndarray, conf_level: float = 0.95) -> Correlation:
    """Product-moment correlation; limits need four pairs; nan without spread or below three pairs."""
    x, y = _pairs(x, y)
    r = _product_moment(x, y)
    if math.isnan(r) or len(x) < 3:
        return Correlation(r, math.nan, math.nan, math.nan)
    p = 0.0 if abs(r) == 1 else t_p(r * math.sqrt((len(x) - 2) / (1 - r * r)), len(x) - 2)
    if len(x) < 4 or abs(r) == 1:
        return Correlation(r, math.nan, math.nan, p)
    half = two_sided_z(conf_level) / math.sqrt(len(x) - 3)
    return Correlation(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half), p)


def spearman(x: np.ndarray, y: np.ndarray) -> Correlation:
    """Correlation of the midranks, p by t (R's cor.test with exact = FALSE)."""
    x, y = _pairs(x, y)
    found = pearson(ranks(x), ranks(y))
    return Correlation(found.value, math.nan, math.nan, found.p)


def kendall(x: np.ndarray, y: np.ndarray) -> Correlation:
    """tau-b with the normal approximation of its p-value, ties in the variance (Kendall 1970)."""
    x, y = _pairs(x, y)
    n = len(x)
    if n < 2 or len(np.unique(x)) < 2 or len(np.unique(y)) < 2:
        return Correlation(math.nan, math.nan, math.nan, math.nan)
    i, j = np.triu_indices(n, 1)
    score = float((np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])).sum())
    a, b = (np.unique(v, return_counts=True)[1].astype(float) for v in (x, y))
    pairs = n * (n - 1) / 2
    tied_a, tied_b = (float((t * (t - 1)).sum()) / 2 for t in (a, b))
    tau = score / math.sqrt((pairs - tied_a) * (pairs - tied_b))
    linear = [float((t * (t - 1) * (2 * t + 5)).sum()) for t in (np.array([n]), a, b)]
    variance = (linear[0] - linear[1] - linear[2]) / 18 + 2 * tied_a * tied_b / (n * (n - 1))
    if n > 2:
        cubic = [float((t * (t - 1) * (t - 2)).sum()) for t in (a, b)]
        variance += cubic[0] * cubic[1] / (9 * n * (n - 1) * (n - 2))
    return Correlation(tau, math.nan, math.nan, normal_p(score / math.sqrt(variance)))


def _product_moment(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 2 or (x == x[0]).all() or (y == y[0]).all():
        return math.nan
    a, b = x - x.mean(), y - y.mean()
    return max(-1.0, min(1.0, float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))))


def adjust(p: np.ndarray, method: str) -> np.ndarray:
    """Adjusted p-values: ``bonferroni``, ``holm``, ``hochberg``, ``hommel``, ``bh`` or ``by``, in the order given.

    nan are left out of the family and stay nan. Raises ValueError on values outside [0, 1].
    """
    p = np.asarray(p, float)
    known = ~np.isnan(p)
    if ((p[known] < 0) | (p[known] > 1)).any():
        raise ValueError("a p-value lies outside [0, 1]")
    found = p.copy()
    n = int(known.sum())
    if n == 0:
        return found
    order = np.argsort(p[known], kind="stable")
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(_sorted_adjust(p[known][order], method), 1.0)
    found[known] = adjusted
    return found


def _sorted_adjust(p: np.ndarray, method: str) -> np.ndarray:
    n = len(p)
    i = np.arange(1, n + 1)
    if method == "bonferroni":
        return p * n
    if method == "holm":
        return np.maximum.accumulate((n - i + 1) * p)
    if method == "hommel":
        return _hommel(p)
    factors = {"hochberg": n - i + 1, "bh": n / i, "by": n / i * (1 / i).sum()}
    if method not in factors:
        raise ValueError(f"method {method!r} is none of bonferroni, holm, hochberg, hommel, bh, by")
    return np.minimum.accumulate((factors[method] * p)[::-1])[::-1]


def _hommel(p: np.ndarray) -> np.ndarray:
    """Hommel 1988: the largest Simes p-value over all families of hypotheses that hold the one in question."""
    n = len(p)
    found = p.copy()
    for m in range(1, n + 1):
        # the family of size m that holds hypothesis i: the m - 1 largest others, or i among the m largest
        for i in range(n):
            family = np.sort(np.append(np.delete(p, i)[n - m :], p[i]))
            found[i] = max(found[i], float((m * family / np.arange(1, m + 1)).min()))
    return found


def _known(values: np.ndarray) -> np.ndarray:
    found = np.asarray(values, float)
    if not np.isfinite(found).all():
        raise ValueError("a value is missing or infinite")
    return found


def _pairs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = _known(x), _known(y)
    if len(x) != len(y):
        raise ValueError(f"arrays differ in length: {len(x)} and {len(y)}")
    return x, y
