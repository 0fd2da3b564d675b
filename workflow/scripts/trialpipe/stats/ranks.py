"""Rank tests: signed rank, rank sum, Kruskal-Wallis, and the Hodges-Lehmann estimates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.distributions import bisect, chi2_upper, normal_p, two_sided_z


@dataclass(frozen=True)
class Estimate:
    """Location or shift with its limits; nan where the sample is too small for the level."""

    value: float
    lower: float
    upper: float


def ranks(values: np.ndarray) -> np.ndarray:
    """Midranks from 1."""
    x = np.asarray(values, float)
    ordered = np.sort(x)
    return (np.searchsorted(ordered, x, "left") + np.searchsorted(ordered, x, "right") + 1) / 2


def signed_rank(difference: np.ndarray, zeros: str = "pratt") -> tuple[float, float, int]:
    """Wilcoxon signed-rank test, exact by the distribution of signs over the ranks that were seen.

    difference: signed sizes whose order counts; midranks for ties. zeros: ``pratt`` ranks them and then drops them
    (Pratt 1959), ``drop`` drops them first (Wilcoxon). Returns (sum of positive ranks, two-sided p, pairs that are not
    zero). p is nan without a pair that is not zero; else twice the smaller tail, at most 1.
    """
    x, rank = _signed(difference, zeros)
    if len(rank) == 0:
        return math.nan, math.nan, 0
    doubled = np.round(2 * rank).astype(int)
    chance = np.zeros(int(doubled.sum()) + 1)
    chance[0] = 1.0
    for r in doubled:
        chance[r:], chance[:r] = (chance[r:] + chance[: len(chance) - r]) / 2, chance[:r] / 2
    positive = int(doubled[x > 0].sum())
    lower, upper = math.fsum(chance[: positive + 1]), math.fsum(chance[positive:])
    return positive / 2, min(1.0, 2 * min(lower, upper)), len(rank)


def signed_rank_normal(difference: np.ndarray, correct: bool = True, zeros: str = "drop") -> tuple[float, float, int]:
    """The same by the normal approximation with the variance of the ranks seen; ``correct``: continuity correction."""
    x, rank = _signed(difference, zeros)
    if len(rank) == 0:
        return math.nan, math.nan, 0
    return float(rank[x > 0].sum()), normal_p(_signed_z(x, rank, correct)), len(rank)


def _signed(difference: np.ndarray, zeros: str) -> tuple[np.ndarray, np.ndarray]:
    """Non-zero differences and the ranks of their sizes."""
    x = _known(difference, "difference")
    if zeros not in ("pratt", "drop"):
        raise ValueError("zeros must be pratt or drop")
    if zeros == "drop":
        x = x[x != 0]
    rank = ranks(np.abs(x))
    return x[x != 0], rank[x != 0]


def _signed_z(x: np.ndarray, rank: np.ndarray, correct: bool) -> float:
    gap = float(rank[x > 0].sum() - rank.sum() / 2)
    spread = math.sqrt(float((rank**2).sum()) / 4)
    return (gap - (math.copysign(0.5, gap) if correct and gap else 0.0)) / spread


def hodges_lehmann_paired(difference: np.ndarray, conf_level: float = 0.95, exact: bool = True) -> Estimate:
    """Pseudomedian: median of the Walsh averages of the non-zero differences, with limits by inverting the test.

    exact: from the order of the Walsh averages by the distribution without ties; otherwise by the normal approximation
    with continuity correction, ties counted at each value tried (R's wilcox.test with exact = FALSE).
    """
    x = _known(difference, "difference")
    x = x[x != 0]
    if len(x) == 0:
        return Estimate(math.nan, math.nan, math.nan)
    i, j = np.triu_indices(len(x))
    walsh = np.sort((x[i] + x[j]) / 2)
    chance = np.ones(1)
    for r in range(1, len(x) + 1):
        chance = (np.concatenate([chance, np.zeros(r)]) + np.concatenate([np.zeros(r), chance])) / 2
    return _inverted(walsh, chance, lambda d: _signed_at(x, d), conf_level, exact)


def _signed_at(x: np.ndarray, d: float) -> float:
    kept, rank = _signed(x - d, "drop")
    return _signed_z(kept, rank, True) if len(rank) else 0.0


@dataclass(frozen=True)
class RankSum:
    """Mann-Whitney count of the first sample (pairs in which it is larger, half for ties) and the two-sided p."""

    statistic: float
    p: float


def rank_sum(first: np.ndarray, second: np.ndarray) -> RankSum:
    """Wilcoxon-Mann-Whitney test, exact by all divisions of the ranks that were seen (ties included).

    p is the probability of a rank sum at least as far from its mean. nan if a sample is empty.
    """
    x, y = _known(first, "value"), _known(second, "value")
    if not len(x) or not len(y):
        return RankSum(math.nan, math.nan)
    doubled = np.round(2 * ranks(np.concatenate([x, y]))).astype(int)
    m, total = len(x), int(doubled.sum())
    chance = _divisions(doubled, m)
    seen = int(doubled[:m].sum())
    distance = np.abs(np.arange(total + 1) * len(doubled) - m * total)
    p = math.fsum(chance[distance >= abs(seen * len(doubled) - m * total)])
    return RankSum(seen / 2 - m * (m + 1) / 2, min(1.0, p))


def _divisions(doubled: np.ndarray, m: int) -> np.ndarray:
    """Probability of each sum of m of the (doubled) ranks when all choices are equally likely."""
    n, total = len(doubled), int(doubled.sum())
    # chance[k, s]: of the ranks so far, k were chosen with sum s; each step weighs by the chance of being chosen next
    chance = np.zeros((m + 1, total + 1))
    chance[0, 0] = 1.0
    for done, r in enumerate(doubled.tolist()):
        take = np.clip((m - np.arange(m + 1)) / (n - done), 0, 1)[:, None]
        moved = np.zeros_like(chance)
        moved[1:, r:] = (chance * take)[:-1, : total + 1 - r]
        chance = chance * (1 - take) + moved
    return chance[m]


def rank_sum_normal(first: np.ndarray, second: np.ndarray, correct: bool = True) -> RankSum:
    """The same by the normal approximation with ties; p is nan if all values are equal or a sample is empty."""
    x, y = _known(first, "value"), _known(second, "value")
    if not len(x) or not len(y):
        return RankSum(math.nan, math.nan)
    rank = ranks(np.concatenate([x, y]))
    m = len(x)
    return RankSum(float(rank[:m].sum() - m * (m + 1) / 2), normal_p(_sum_z(rank, m, correct)))


def _sum_z(rank: np.ndarray, m: int, correct: bool) -> float:
    n = len(rank)
    gap = float(rank[:m].sum() - m * (n + 1) / 2)
    spread = m * (n - m) * (float((rank**2).sum()) - n * (n + 1) ** 2 / 4) / (n * (n - 1))
    if spread <= 1e-12:
        return math.nan
    return (gap - (math.copysign(0.5, gap) if correct and gap else 0.0)) / math.sqrt(spread)


def hodges_lehmann_shift(
    first: np.ndarray, second: np.ndarray, conf_level: float = 0.95, exact: bool = True
) -> Estimate:
    """Median of all differences first - second, with limits by inverting the rank-sum test (see the paired form)."""
    x, y = _known(first, "value"), _known(second, "value")
    m, n = len(x), len(y)
    if not m or not n:
        return Estimate(math.nan, math.nan, math.nan)
    gaps = np.sort((x[:, None] - y[None, :]).ravel())
    chance = np.zeros(1)
    if exact:
        sums = _divisions(np.arange(1, m + n + 1), m)
        chance = sums[m * (m + 1) // 2 : m * (m + 1) // 2 + m * n + 1]

    def statistic(d: float) -> float:
        z = _sum_z(ranks(np.concatenate([x - d, y])), m, True)
        return 0.0 if math.isnan(z) else z

    return _inverted(gaps, chance, statistic, conf_level, exact)


def _inverted(
    ordered: np.ndarray, chance: np.ndarray, statistic: Callable[[float], float], conf_level: float, exact: bool
) -> Estimate:
    """Median of the ordered values with limits from their order (exact) or where the statistic crosses +-z."""
    z, value = two_sided_z(conf_level), float(np.median(ordered))
    if exact:
        below = np.cumsum(chance)
        out = int(np.searchsorted(below, (1 - conf_level) / 2 * (1 + 1e-12), side="right"))
        if out == 0:
            return Estimate(value, math.nan, math.nan)
        return Estimate(value, float(ordered[out - 1]), float(ordered[len(ordered) - out]))
    low, high = float(ordered[0]), float(ordered[-1])
    if not (statistic(low) > z and statistic(high) < -z):
        return Estimate(value, math.nan, math.nan)
    lower = bisect(lambda d: statistic(d) - z, low, high)
    return Estimate(value, lower, bisect(lambda d: statistic(d) + z, low, high))


def kruskal_wallis(groups: list[np.ndarray]) -> tuple[float, int, float]:
    """(H corrected for ties, degrees of freedom, p) of k samples; nan below two samples or if all values are equal."""
    samples = [_known(g, "value") for g in groups if len(g)]
    if len(samples) < 2:
        return math.nan, 0, math.nan
    rank = ranks(np.concatenate(samples))
    n, df = len(rank), len(samples) - 1
    cuts = np.cumsum([len(s) for s in samples])[:-1]
    between = math.fsum(part.sum() ** 2 / len(part) for part in np.split(rank, cuts)) - n * (n + 1) ** 2 / 4
    spread = (float((rank**2).sum()) - n * (n + 1) ** 2 / 4) / (n - 1)
    if spread <= 0:
        return math.nan, df, math.nan
    return between / spread, df, chi2_upper(between / spread, df)


def _known(values: np.ndarray, name: str) -> np.ndarray:
    found = np.asarray(values, float)
    if np.isnan(found).any():
        raise ValueError(f"a {name} is missing")
    return found
