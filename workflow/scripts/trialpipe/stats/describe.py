"""Description of a sample: moments, order statistics by PCTLDEF 5, geometric mean."""

from __future__ import annotations

import math

import numpy as np


def quantile(values: np.ndarray, p: float) -> float:
    """Percentile by SAS PCTLDEF 5 (empirical distribution with averaging; Hyndman and Fan 1996, type 2).

    nan for an empty sample.
    """
    if len(values) == 0:
        return math.nan
    return float(np.quantile(np.sort(np.asarray(values, float)), p, method="averaged_inverted_cdf"))


def describe(values: np.ndarray) -> dict[str, float]:
    """n, mean, sd (n - 1), median, q1, q3, min, max of the finite values; undefined ones are nan."""
    x = np.asarray(values, float)
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
