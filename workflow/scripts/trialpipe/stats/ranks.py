"""Rank tests for paired data."""

from __future__ import annotations

import math

import numpy as np


def signed_rank(difference: np.ndarray) -> tuple[float, float, int]:
    """Wilcoxon signed-rank test, zeros ranked and then dropped (Pratt 1959), exact by enumeration of signs.

    difference: signed sizes whose order counts; midranks for ties. Returns (sum of positive ranks, two-sided p, pairs that
    are not zero). p is nan without a pair that is not zero. The exact null distribution is built by convolution of the
    ranks, doubled to whole numbers; twice the smaller tail, at most 1.
    """
    x = np.asarray(difference, float)
    if np.isnan(x).any():
        raise ValueError("a difference is missing")
    size = np.abs(x)
    ordered = np.sort(size)
    rank2 = np.searchsorted(ordered, size, "left") + np.searchsorted(ordered, size, "right") + 1
    kept = x != 0
    if not kept.any():
        return math.nan, math.nan, 0
    used = rank2[kept].astype(int)
    counts = np.zeros(int(used.sum()) + 1)
    counts[0] = 1.0
    for r in used:
        counts[r:] = counts[r:] + counts[: len(counts) - r]
    counts /= counts.sum()
    positive = int(rank2[x > 0].sum())
    lower, upper = math.fsum(counts[: positive + 1]), math.fsum(counts[positive:])
    return positive / 2, min(1.0, 2 * min(lower, upper)), int(kept.sum())
