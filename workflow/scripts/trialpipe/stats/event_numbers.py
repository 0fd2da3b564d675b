"""Numbers of events for a comparison of two hazards by the log-rank test."""

from __future__ import annotations

import math

from trialpipe.stats.distributions import normal_quantile


def _z(alpha: float, power: float, sided: int) -> float:
    if sided not in (1, 2):
        raise ValueError("a test has one or two sides")
    if not (0 < alpha < 1 and alpha / sided < power < 1):
        raise ValueError("alpha and power must lie between 0 and 1, power above alpha")
    return normal_quantile(1 - alpha / sided) + normal_quantile(power)


def _hazard_ratio(hr: float, ratio: float) -> None:
    if not (math.isfinite(hr) and hr > 0 and hr != 1):
        raise ValueError("a hazard ratio must be positive and other than 1")
    if not (math.isfinite(ratio) and ratio > 0):
        raise ValueError("a ratio of allocation must be positive")


def schoenfeld(hr: float, alpha: float, power: float, sided: int = 2, ratio: float = 1.0) -> float:
    """Events by Schoenfeld (Biometrika 1981;68:316): (1 + ratio)^2/ratio x (z_a + z_b)^2/ln(hr)^2, not rounded.

    ``ratio``: patients of the one arm over those of the other. Raises ValueError for arguments out of range.
    """
    _hazard_ratio(hr, ratio)
    return (1 + ratio) ** 2 / ratio * (_z(alpha, power, sided) / math.log(hr)) ** 2


def freedman(hr: float, alpha: float, power: float, sided: int = 2, ratio: float = 1.0) -> float:
    """Events by Freedman (Stat Med 1982;1:121): (1 + ratio hr)^2/(ratio (1 - hr)^2) x (z_a + z_b)^2, not rounded.

    ``ratio``: patients of the arm with the hazard in the numerator of ``hr`` over those of the other. Raises
    ValueError for arguments out of range.
    """
    _hazard_ratio(hr, ratio)
    return (1 + ratio * hr) ** 2 / (ratio * (1 - hr) ** 2) * _z(alpha, power, sided) ** 2
