"""Equality of several groups: analysis of variance of one factor, Pearson's chi-square of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trialpipe.stats.distributions import chi2_upper, f_upper


class Anova(NamedTuple):
    """F with its degrees of freedom and upper p-value."""

    f: float
    df: int
    df_residual: int
    p: float


class ChiSquare(NamedTuple):
    """Chi-square with its degrees of freedom and upper p-value."""

    chi_square: float
    df: int
    p: float


def anova(groups: Sequence[np.ndarray]) -> Anova:
    """One-way analysis of variance (Fisher 1925); ``groups`` are arrays of values, nan and empty groups left out.

    F is the mean square between groups over that within (as R's ``aov``). With fewer than two groups, no residual
    degree of freedom or no variation at all F is nan; with variation between groups alone it is infinite, p 0.
    """
    known = [values[~np.isnan(values)] for values in (np.asarray(group, dtype=float) for group in groups)]
    known = [values for values in known if len(values)]
    total = sum(len(values) for values in known)
    df, rest = len(known) - 1, total - len(known)
    if df < 1 or rest < 1:
        return Anova(math.nan, max(df, 0), max(rest, 0), math.nan)
    # values are moved to their middle: squares of large numbers with little spread would lose it
    centre = math.fsum(math.fsum(values) for values in known) / total
    known = [values - centre for values in known]
    means = [math.fsum(values) / len(values) for values in known]
    grand = math.fsum(len(values) * mean for values, mean in zip(known, means, strict=True)) / total
    within = math.fsum(math.fsum((values - mean) ** 2) for values, mean in zip(known, means, strict=True))
    constant = all(np.ptp(values) == 0 for values in known)
    if constant:
        same = len({float(values[0]) for values in known}) == 1
        return Anova(math.nan, df, rest, math.nan) if same else Anova(math.inf, df, rest, 0.0)
    between = math.fsum(len(values) * (mean - grand) ** 2 for values, mean in zip(known, means, strict=True))
    ratio = (between / df) / (within / rest)
    return Anova(ratio, df, rest, f_upper(ratio, df, rest))


def chi_square(table: np.ndarray) -> ChiSquare:
    """Pearson's chi-square (1900) of a table of counts (levels x groups), without continuity correction.

    Levels and groups without anybody are left out; with fewer than two of either chi-square is nan. Raises ValueError
    for counts that are negative or no whole numbers.
    """
    counts = np.asarray(table, dtype=float)
    if counts.ndim != 2 or (counts < 0).any() or (counts != np.floor(counts)).any():
        raise ValueError("counts must be a table of whole numbers, none negative")
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        return ChiSquare(math.nan, 0, math.nan)
    wanted = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    found = math.fsum(((counts - wanted) ** 2 / wanted).ravel())
    df = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    return ChiSquare(found, df, chi2_upper(found, df))
