"""Description of a sample: moments, order statistics by PCTLDEF 5, geometric mean."""

from __future__ import annotations

import math

import numpy as np

from trialpipe.stats.distributions import t_quantile, two_sided_z


def quantile(values: np.ndarray, p: float) -> float:
    """Percentile by SAS PCTLDEF 5 (empirical distribution with averaging; Hyndman and Fan 1996, type 2).

    nan for an empty sample.
    """
    if len(values) == 0:
        return math.nan
    return float(np.quantile(np.sort(np.asarray(values, float)), p, method="averaged_inverted_cdf"))


def describe(values: np.ndarray) -> dict[str, float]:
    """n, mean, sd (n - 1), median, q1, q3, min, max of the values that are not nan; undefined ones are nan.

    Raises ValueError on infinite values.
    """
    x = np.asarray(values, float)
    if np.isinf(x).any():
        raise ValueError("a value is infinite")
    x = np.sort(x[~np.isnan(x)])
    n = len(x)
    mean = math.fsum(x) / n if n else math.nan
    sd = math.sqrt(math.fsum((x - mean) ** 2) / (n - 1)) if n > 1 else math.nan
    return {
        "n": float(n),
        "mean": mean,
        "sd": sd,
        "median": quantile(x, 0.5),
        "q1": quantile(x, 0.25),
        "q3": quantile(x, 0.75),
        "min": float(x[0]) if n else math.nan,
        "max": float(x[-1]) if n else math.nan,
    }


def geometric(values: np.ndarray) -> tuple[float, float]:
    """Geometric mean and geometric coefficient of variation in percent, sqrt(exp(s^2 of logs) - 1) * 100.

    nan unless all values are positive; the coefficient is nan for one value.
    """
    x = np.sort(np.asarray(values, float))
    if len(x) == 0 or np.isnan(x).any() or (x <= 0).any():
        return math.nan, math.nan
    log = describe(np.log(x))
    return math.exp(log["mean"]), math.sqrt(math.expm1(log["sd"] ** 2)) * 100 if len(x) > 1 else math.nan


def geometric_limits(values: np.ndarray, conf_level: float = 0.95) -> tuple[float, float]:
    """Limits of the geometric mean: Student's t on the logs. nan below two values or unless all are positive."""
    two_sided_z(conf_level)  # refuses a level outside (0, 1)
    x = np.sort(np.asarray(values, float))
    if len(x) < 2 or np.isnan(x).any() or (x <= 0).any():
        return math.nan, math.nan
    log = describe(np.log(x))
    half = t_quantile(len(x) - 1, 0.5 + conf_level / 2) * log["sd"] / math.sqrt(len(x))
    return math.exp(log["mean"] - half), math.exp(log["mean"] + half)
