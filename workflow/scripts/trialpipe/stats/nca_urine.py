"""Amounts excreted in urine by collection interval, fraction of the dose and renal clearance.

Ae = sum of volume x concentration; fe = Ae/dose; CLR = Ae/AUC of plasma over the same time; rate = amount over the
length of the interval, at its midpoint (Gibaldi and Perrier, Pharmacokinetics, chapter 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Urine:
    """``amounts``, ``rates`` and ``midpoints`` per interval, ``cumulative`` up to its end, ``total`` (Ae) of all.

    nan from the first interval that lacks a volume, or a concentration of a volume above 0; ``note`` says so.
    """

    amounts: np.ndarray
    rates: np.ndarray
    midpoints: np.ndarray
    cumulative: np.ndarray
    total: float
    note: str | None = None


def excreted(start: np.ndarray, end: np.ndarray, volume: np.ndarray, conc: np.ndarray) -> Urine:
    """Amounts from collections (n,): ``start``, ``end``, ``volume`` and ``conc`` in units whose product is an amount.

    A volume of 0 is an amount of 0, whatever the concentration; BLQ as 0. Raises ValueError for arrays that differ
    in length, an interval that does not end after it starts, intervals that overlap, and negative values.
    """
    low, high, v, c = (np.asarray(a, float) for a in (start, end, volume, conc))
    if not low.shape == high.shape == v.shape == c.shape or low.ndim != 1:
        raise ValueError("collections differ in length")
    if not (low < high).all():
        raise ValueError("a collection ends after it starts")
    if (v < 0).any() or (c < 0).any():
        raise ValueError("a volume or concentration is negative")
    order = np.argsort(low, kind="stable")
    low, high, v, c = low[order], high[order], v[order], c[order]
    if (low[1:] < high[:-1]).any():
        raise ValueError("collections overlap")
    amounts = np.where(v == 0, 0.0, v * c)
    missing = int(np.isnan(amounts).sum())
    note = f"volume or concentration of {missing} of {len(v)} collections is missing" if missing else None
    if len(v) == 0:
        note = "no collection"
    total = math.fsum(amounts) if len(v) and not missing else math.nan
    return Urine(amounts, amounts / (high - low), (low + high) / 2, np.cumsum(amounts), total, note)


def fraction(amount: float, dose: float) -> float:
    """fe = Ae/dose; nan unless the dose is positive."""
    return amount / dose if dose > 0 else math.nan


def renal_clearance(amount: float, auc: float) -> float:
    """CLR = Ae/AUC over the same time; nan unless the area is positive."""
    return amount / auc if auc > 0 else math.nan
