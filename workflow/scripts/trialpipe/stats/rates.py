"""Event rates with exact Poisson intervals."""

from __future__ import annotations

import math

from scipy.special import gammaincinv


def poisson_rate(events: int, time: float, conf_level: float = 0.95) -> tuple[float, float, float]:
    """Rate per unit of ``time`` with the exact interval of Garwood (1936, Biometrika 28:437).

    No time at risk gives (nan, nan, nan). Raises ValueError for negative input.
    """
    if events < 0 or time < 0:
        raise ValueError("events or time is negative")
    if time == 0:
        return math.nan, math.nan, math.nan
    tail = (1 - conf_level) / 2
    lower = 0.0 if events == 0 else float(gammaincinv(events, tail)) / time
    return events / time, lower, float(gammaincinv(events + 1, 1 - tail)) / time
