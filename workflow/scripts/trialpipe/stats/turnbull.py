"""NPMLE of a distribution from interval-censored values (Turnbull 1976, JRSS B 38:290)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Npmle:
    """Mass per innermost interval (left, right]; an exact value has left = right."""

    left: np.ndarray
    right: np.ndarray
    mass: np.ndarray

    def survival_after(self, t: float) -> float:
        """P(T > t), defined where t is not inside an interval of mass; nan where it is."""
        if len(self.mass) == 0:
            return math.nan
        inside = (self.left < t) & (t < self.right) & (self.mass > 1e-9)
        return math.nan if inside.any() else float(self.mass[self.right > t].sum())

    def quantile(self, p: float) -> tuple[float, float]:
        """Interval of mass that holds the p-quantile; (nan, nan) without data. Equal bounds are an exact value."""
        total = np.cumsum(self.mass)
        hit = np.nonzero(total >= p - 1e-9)[0]
        if len(hit) == 0:
            return math.nan, math.nan
        first = int(hit[0])
        if abs(total[first] - p) <= 1e-9:
            later = np.nonzero(self.mass[first + 1 :] > 1e-9)[0]
            if len(later):
                other = first + 1 + int(later[0])
                return (self.left[first] + self.left[other]) / 2, (self.right[first] + self.right[other]) / 2
        return float(self.left[first]), float(self.right[first])


def turnbull(left: np.ndarray, right: np.ndarray, tolerance: float = 1e-12) -> Npmle:
    """NPMLE from intervals (left, right]; left = right is exact; left -inf or right inf are one-sided.

    Self-consistency iterations until no mass moves by ``tolerance``. Raises ValueError if an interval is
    reversed or nan.
    """
    left, right = np.asarray(left, float), np.asarray(right, float)
    if len(left) != len(right) or np.isnan(left).any() or np.isnan(right).any() or (left > right).any():
        raise ValueError("intervals must be (left, right] with left <= right and nothing missing")
    if len(left) == 0:
        return Npmle(np.array([]), np.array([]), np.array([]))
    low, high = _innermost(left, right)
    # an innermost interval belongs to an observation that covers it
    exact = left == right
    covers = np.where(
        exact[:, None],
        (low[None, :] == left[:, None]) & (high[None, :] == right[:, None]),
        (low[None, :] >= left[:, None])
        & (high[None, :] <= right[:, None])
        & ~((low == high)[None, :] & (low[None, :] == left[:, None])),
    ).astype(float)
    mass = np.full(len(low), 1 / len(low))
    for _ in range(200_000):
        share = covers * mass[None, :]
        new = (share / share.sum(axis=1, keepdims=True)).mean(axis=0)
        moved = np.abs(new - mass).max()
        mass = new
        if moved < tolerance:
            break
    mass = np.where(mass < 1e-10, 0.0, mass)
    return Npmle(low, high, mass / mass.sum())


def _innermost(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intervals whose left end is a left end, whose right end is a right end, with no end between."""
    ends: set[tuple[float, int, str]] = set()
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        # at one point: right ends of (l, r] first, then exact points closed, then open left ends
        if a == b:
            ends.update({(a, 0, "L"), (b, 1, "R")})
        else:
            ends.update({(a, 2, "L"), (b, 1, "R")})
    ordered = sorted(ends, key=lambda end: (end[0], end[1]))
    found = [(a[0], b[0]) for a, b in zip(ordered, ordered[1:], strict=False) if a[2] == "L" and b[2] == "R"]
    return np.array([a for a, _ in found]), np.array([b for _, b in found])
