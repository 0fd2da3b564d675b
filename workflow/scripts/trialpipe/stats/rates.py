"""Event rates with exact Poisson intervals."""

from __future__ import annotations

import math

from trialpipe.stats.binomial import clopper_pearson, exact_test


def poisson_rate(events: int, time: float, conf_level: float = 0.95) -> tuple[float, float, float]:
    """Rate per unit of ``time`` with the exact interval of Garwood (1936, Biometrika 28:437).

    No time at risk gives (nan, nan, nan). Raises ValueError for negative or missing input.
    """
    from scipy.special import gammaincinv

    _check(events, time)
    if not 0 < conf_level < 1:
        raise ValueError("conf_level must lie between 0 and 1")
    if time == 0:
        return math.nan, math.nan, math.nan
    tail = (1 - conf_level) / 2
    lower = 0.0 if events == 0 else float(gammaincinv(events, tail)) / time
    return events / time, lower, float(gammaincinv(events + 1, 1 - tail)) / time


def rate_ratio(
    events1: int, time1: float, events2: int, time2: float, conf_level: float = 0.95
) -> tuple[float, float, float, float]:
    """(ratio of the first rate to the second, limits, two-sided p), exact given the total number of events.

    The first number is binomial(total, share of time) under equal rates (Przyborowski and Wilenski 1940); p by R's
    binom.test rule. Without events, or without time in a group, all are nan; no events in the second gives infinity.
    """
    _check(events1, time1)
    _check(events2, time2)
    total = events1 + events2
    if total == 0 or time1 == 0 or time2 == 0:
        return math.nan, math.nan, math.nan, math.nan
    scale = time2 / time1
    ratio = math.inf if events2 == 0 else events1 / events2 * scale
    low, high = clopper_pearson(events1, total, conf_level)
    upper = math.inf if high == 1 else high / (1 - high) * scale
    return ratio, low / (1 - low) * scale, upper, exact_test(events1, total, time1 / (time1 + time2))


def _check(events: int, time: float) -> None:
    if events < 0 or time < 0 or math.isnan(time) or math.isinf(time) or events != int(events):
        raise ValueError("events or time is negative, missing or infinite")
    if events and not time:
        raise ValueError("events without time at risk")
