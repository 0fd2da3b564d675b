"""Area under the mean curve of sparse samples, where no subject has a whole profile, with standard error.

Bailer's weights, w_i = (t_(i+1) - t_(i-1))/2 (Bailer, J Pharmacokinet Biopharm 1988;16:303), with covariances of
subjects sampled more than once (Holder, J Biopharm Stat 2001;11:75). Degrees of freedom: Satterthwaite (Nedelman,
Gibiansky and Lau, Pharm Res 1995;12:124, equation 6a).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trialpipe.stats.distributions import t_quantile, two_sided_z


@dataclass(frozen=True)
class SparseArea:
    """Area, its standard error and degrees of freedom, each nan where undefined (``note`` says why)."""

    auc: float
    se: float
    df: float
    note: str | None = None

    def limits(self, conf_level: float = 0.95) -> tuple[float, float]:
        """Limits by Student's t. Raises ValueError for a level outside (0, 1)."""
        two_sided_z(conf_level)
        if math.isnan(self.se) or math.isnan(self.df):
            return math.nan, math.nan
        half = t_quantile(self.df, 0.5 + conf_level / 2) * self.se
        return self.auc - half, self.auc + half


def sparse_area(
    time: np.ndarray,
    conc: np.ndarray,
    subject: Sequence[Hashable],
    design: Literal["batch", "serial"] = "batch",
    to: Literal["last", "all"] = "last",
    majority: bool = True,
) -> SparseArea:
    """Linear area under the means of the times, from the first time to the last mean above 0 (``all``: last time).

    Arrays of equal length, one row per sample, BLQ as 0, missing as nan. ``batch``: samples of one subject are
    correlated (Holder's covariance); ``serial``: every sample is taken as a subject of its own. ``majority``: a mean
    of which more than half is BLQ is 0. Degrees of freedom with several samples a subject exist only where subjects
    of a time are the same at all its other times (complete batches). Raises ValueError for arrays that differ in
    length, a missing time, a negative concentration and two samples of one subject at one time.
    """
    t, c = np.asarray(time, float), np.asarray(conc, float)
    if not len(t) == len(c) == len(subject):
        raise ValueError("times, concentrations and subjects differ in length")
    if not np.isfinite(t).all() or np.isinf(c).any() or (c < 0).any():
        raise ValueError("a time is missing, or a concentration is negative or infinite")
    ids = list(subject) if design == "batch" else list(range(len(t)))
    samples: dict[float, dict[Hashable, float]] = {}
    for at, value, who in zip(t.tolist(), c.tolist(), ids, strict=True):
        own = samples.setdefault(at, {})
        if who in own:
            raise ValueError("two samples of one subject at one time")
        if not math.isnan(value):
            own[who] = value
    times = sorted(at for at, own in samples.items() if own)
    groups = [samples[at] for at in times]
    means = [_mean(own, majority) for own in groups]
    last = max((i for i, mean in enumerate(means) if mean > 0), default=-1)
    if len(times) < 2:
        return SparseArea(math.nan, math.nan, math.nan, "fewer than two sampling times")
    if last < 0:
        return SparseArea(0.0, math.nan, math.nan, "all means are below the limit of quantification")
    keep = last + 1 if to == "last" else len(times)
    weights = _weights(times[:keep])
    auc = math.fsum(w * m for w, m in zip(weights, means, strict=False))
    return _with_error(auc, weights, groups[:keep])


def _mean(own: dict[Hashable, float], majority: bool) -> float:
    values = list(own.values())
    if majority and sum(v == 0 for v in values) > len(values) / 2:
        return 0.0
    return math.fsum(values) / len(values)


def _weights(times: list[float]) -> list[float]:
    if len(times) < 2:
        return [0.0] * len(times)
    half = [(b - a) / 2 for a, b in zip(times, times[1:], strict=False)]
    return [left + right for left, right in zip([0.0, *half], [*half, 0.0], strict=True)]


def _with_error(auc: float, weights: list[float], groups: list[dict[Hashable, float]]) -> SparseArea:
    used = [i for i, w in enumerate(weights) if w > 0]
    if not used:
        return SparseArea(math.nan, math.nan, math.nan, "only the first time has a mean above the limit")
    if any(len(groups[i]) < 2 for i in used):
        return SparseArea(auc, math.nan, math.nan, "one sample at a time: no standard error")
    parts = {i: weights[i] ** 2 * _cov(groups[i], groups[i]) / len(groups[i]) for i in used}
    variance, correlated = math.fsum(parts.values()), False
    for place, i in enumerate(used):
        for j in used[:place]:
            both = len(groups[i].keys() & groups[j].keys())
            correlated = correlated or both > 0
            if both > 1:
                shared = both / (len(groups[i]) * len(groups[j]))
                variance += 2 * weights[i] * weights[j] * shared * _cov(groups[i], groups[j])
    if variance < 0:
        return SparseArea(auc, math.nan, math.nan, "the estimated variance is negative")
    if not correlated:
        df = _satterthwaite([(parts[i], len(groups[i]) - 1) for i in used])
        return SparseArea(auc, math.sqrt(variance), df)
    df = _batches([weights[i] for i in used], [groups[i] for i in used])
    note = "subjects with several samples in incomplete batches: no degrees of freedom" if math.isnan(df) else None
    return SparseArea(auc, math.sqrt(variance), df, note)


def _cov(one: dict[Hashable, float], other: dict[Hashable, float]) -> float:
    """Holder's covariance of two times, at most what the variances allow; the variance for a time and itself."""
    both = one.keys() & other.keys()
    m1, m2 = math.fsum(one.values()) / len(one), math.fsum(other.values()) / len(other)
    r = len(both)
    product = math.fsum((one[who] - m1) * (other[who] - m2) for who in both)
    found = product / ((r - 1) + (1 - r / len(one)) * (1 - r / len(other)))
    if one is other:
        return found
    roof = math.sqrt(_cov(one, one) * _cov(other, other))
    return max(-roof, min(roof, found))


def _satterthwaite(parts: list[tuple[float, int]]) -> float:
    """(sum of v)^2 / sum of v^2/df over variance components v with their degrees of freedom; nan if all are 0."""
    below = math.fsum(v**2 / df for v, df in parts)
    return math.fsum(v for v, _ in parts) ** 2 / below if below > 0 else math.nan


def _batches(weights: list[float], groups: list[dict[Hashable, float]]) -> float:
    """Degrees of freedom where subjects fall into batches sampled at the same times: one component per batch."""
    batches: dict[frozenset[Hashable], list[int]] = {}
    for i, own in enumerate(groups):
        batches.setdefault(frozenset(own), []).append(i)
    members = [who for batch in batches for who in batch]
    if len(members) != len(set(members)):
        return math.nan
    parts = []
    for batch, times in batches.items():
        sums = [math.fsum(weights[i] * groups[i][who] for i in times) for who in sorted(batch, key=str)]
        mean = math.fsum(sums) / len(sums)
        parts.append((math.fsum((s - mean) ** 2 for s in sums) / (len(sums) - 1) / len(sums), len(sums) - 1))
    return _satterthwaite(parts)
