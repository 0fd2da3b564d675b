"""Terminal slope lambda_z of a concentration-time profile: log-linear least squares on the best last points.

Candidates end at the last quantified value and start after Tmax; the best has the greatest adjusted R2, and among
those within ``tolerance`` of it the one with most points (Gabrielsson and Weiner, section 2.8.4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class TerminalRule:
    """How the points of the terminal slope are chosen, and from when on a slope is good enough.

    ``max_over``: the greatest adjusted R2 is looked for among ``all`` candidates, so that a rising end gives no slope,
    or only among ``falling`` ones. A slope that misses ``min_r2`` (adjusted), ``min_span`` (half-lives covered) or
    leaves more than ``max_extrapolated`` percent of the area to infinity is noted, and with ``strict`` is no slope.
    """

    min_points: int = 3
    allow_tmax: bool = False
    tolerance: float = 1e-4
    max_over: Literal["all", "falling"] = "all"
    min_r2: float = 0.9
    min_span: float = 2.0
    max_extrapolated: float = 20.0
    strict: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for fewer than two points."""
        if self.min_points < 2:
            raise ValueError("a slope needs at least two points")


@dataclass(frozen=True)
class Terminal:
    """Terminal slope; ``r2``, ``adjusted_r2`` and ``correlation`` of the logs, ``first`` and ``last`` its times.

    ``adjusted_r2`` is nan for two points. All nan and n = 0 without a slope, ``note`` says why.
    """

    lambda_z: float = math.nan
    intercept: float = math.nan
    r2: float = math.nan
    adjusted_r2: float = math.nan
    correlation: float = math.nan
    first: float = math.nan
    last: float = math.nan
    n: int = 0
    note: str | None = None

    @property
    def half_life(self) -> float:
        """ln 2 / lambda_z."""
        return math.log(2) / self.lambda_z

    @property
    def span(self) -> float:
        """Half-lives between first and last point."""
        return (self.last - self.first) / self.half_life

    def predicted(self, time: float) -> float:
        """Concentration on the line at a time."""
        return math.exp(self.intercept - self.lambda_z * time)


def fit(time: np.ndarray, conc: np.ndarray) -> Terminal:
    """Least squares of ln(conc) on time over all points. Slopes may rise; a flat line has lambda_z 0 and no R2."""
    t, y = np.asarray(time, float), np.log(np.asarray(conc, float))
    n = len(t)
    mt, my = math.fsum(t) / n, math.fsum(y) / n
    if n < 2 or y.max() == y.min():
        return Terminal(0.0, my, math.nan, math.nan, math.nan, float(t[0]), float(t[-1]), n)
    sxx, sxy = math.fsum((t - mt) ** 2), math.fsum((t - mt) * (y - my))
    syy = math.fsum((y - my) ** 2)
    slope = sxy / sxx
    intercept = my - slope * mt
    # from the residuals: 1 - R2 of a close fit would otherwise be lost
    lack = math.fsum((y - intercept - slope * t) ** 2) / syy
    adjusted = 1 - lack * (n - 1) / (n - 2) if n > 2 else math.nan
    corr = math.copysign(math.sqrt(max(1 - lack, 0.0)), slope)
    return Terminal(-slope, intercept, 1 - lack, adjusted, corr, float(t[0]), float(t[-1]), n)


def terminal(
    time: np.ndarray,
    conc: np.ndarray,
    tmax: float,
    rule: TerminalRule | None = None,
    after: float | None = None,
    points: np.ndarray | None = None,
) -> Terminal:
    """Terminal slope of values in the order of time; values of 0 count for nothing.

    ``after``: only points later than this, e.g. the end of an infusion. ``points`` (mask) takes these points as they
    are, without choice. No slope (note) with too few points, where all values after Tmax are equal, or where the
    best fit does not fall.
    """
    chosen = rule or TerminalRule()
    t, c = np.asarray(time, float), np.asarray(conc, float)
    if points is not None:
        return _taken(t, c, np.asarray(points, bool))
    if math.isnan(tmax):
        return Terminal(note="no value above the limit of quantification")
    use = (c > 0) & ((t >= tmax) if chosen.allow_tmax else (t > tmax))
    if after is not None:
        use &= t > after
    t, c = t[use], c[use]
    if len(t) < chosen.min_points:
        return Terminal(note=f"{len(t)} values for the terminal slope, {chosen.min_points} needed")
    fits = [fit(t[i:], c[i:]) for i in range(len(t) - chosen.min_points + 1)]
    if len(t) == 2 and chosen.min_points == 2:
        return fits[0] if _falls(fits[0]) else Terminal(note="the terminal values do not fall")
    rated = [f for f in fits if not math.isnan(f.adjusted_r2)]
    if not rated:
        return Terminal(note="the terminal values are all equal")
    falling = [f for f in rated if _falls(f)]
    pool = rated if chosen.max_over == "all" else falling
    best = max((f.adjusted_r2 for f in pool), default=math.nan)
    near = [f for f in falling if f.adjusted_r2 > best - chosen.tolerance]
    if not near:
        return Terminal(note="the best fit to the terminal values does not fall")
    return max(near, key=lambda f: f.n)


def _falls(found: Terminal) -> bool:
    """Whether a line falls by more than rounding errors: values that rise and fall back can give 1e-16."""
    return found.lambda_z * (found.last - found.first) > 1e-9


def _taken(t: np.ndarray, c: np.ndarray, points: np.ndarray) -> Terminal:
    if points.shape != t.shape:
        raise ValueError("times and marks of terminal points differ in length")
    if points.sum() < 2 or (c[points] <= 0).any():
        return Terminal(note="the chosen terminal points are fewer than two or below the limit")
    found = fit(t[points], c[points])
    return found if _falls(found) else Terminal(note="the chosen terminal points do not fall")
