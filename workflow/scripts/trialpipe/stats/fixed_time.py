"""Comparison of two groups at one time: survival probabilities and restricted means."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trialpipe.stats.distributions import normal_p, two_sided_z


@dataclass(frozen=True)
class Difference:
    """First minus second with limits (normal, from the two standard errors), z and two-sided p; nan if undefined."""

    estimate: float
    std_err: float
    lower: float
    upper: float
    z: float
    p: float


def difference(first: float, se1: float, second: float, se2: float, conf_level: float = 0.95) -> Difference:
    """Difference of two independent estimates, of S(t), of an incidence or of restricted means. No spread: p is nan."""
    error = math.hypot(se1, se2)
    gap = first - second
    if math.isnan(error) or math.isnan(gap):
        return Difference(gap, math.nan, math.nan, math.nan, math.nan, math.nan)
    half = two_sided_z(conf_level) * error
    z = gap / error if error > 0 else math.nan
    return Difference(gap, error, gap - half, gap + half, z, normal_p(z))


def ratio(first: float, se1: float, second: float, se2: float, conf_level: float = 0.95) -> Difference:
    """First over second of two independent estimates that are positive, normal on the log scale; z is of the log.

    Ratio of restricted means (Uno and others 2014 J Clin Oncol 32:2380): the error of the log is
    sqrt(se1^2/first^2 + se2^2/second^2). ``std_err`` is of the log; all nan unless both are positive.
    """
    if not (first > 0 and second > 0) or math.isnan(se1) or math.isnan(se2):
        return Difference(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)
    found = difference(math.log(first), se1 / first, math.log(second), se2 / second, conf_level)
    estimate, lower, upper = (math.exp(v) for v in (found.estimate, found.lower, found.upper))
    return Difference(estimate, found.std_err, lower, upper, found.z, found.p)


def complementary_log_log(first: float, se1: float, second: float, se2: float) -> tuple[float, float]:
    """(z, two-sided p) of log(-log S1) - log(-log S2) = 0 (Klein, Logan, Harhoff, Andersen 2007, Stat Med 26:4505).

    first, second: S(t) with Greenwood standard errors; for incidences give 1 - F. nan unless both lie inside (0, 1).
    """
    if not (0 < first < 1 and 0 < second < 1) or math.isnan(se1) or math.isnan(se2):
        return math.nan, math.nan
    gap = math.log(-math.log(first)) - math.log(-math.log(second))
    error = math.hypot(se1 / (first * math.log(first)), se2 / (second * math.log(second)))
    z = gap / error if error > 0 else math.nan
    return z, normal_p(z)
