"""Areas under a concentration-time curve and its first moment, by segments.

Linear segment: (t2 - t1)(c1 + c2)/2. Logarithmic segment: (t2 - t1)(c2 - c1)/ln(c2/c1), exact for exponential decline.
First moments: (t2 - t1)(t1 c1 + t2 c2)/2, and with k = ln(c1/c2)/(t2 - t1), (t1 c1 - t2 c2)/k + (c1 - c2)/k^2.
Sources: Gibaldi and Perrier, Pharmacokinetics, 2nd edition, appendix D; Purves, J Pharmacokinet Biopharm 1992;20:211.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from trialpipe.stats.nca_profile import Profile, tmax_of

Method = Literal["linear-up log-down", "linear", "linear-log", "log"]
METHODS: tuple[Method, ...] = ("linear-up log-down", "linear", "linear-log", "log")
Extension = Literal["last", "all", "infinity"]


def log_segments(time: np.ndarray, conc: np.ndarray, method: Method) -> np.ndarray:
    """Which of the n - 1 segments are logarithmic; the others are linear.

    ``linear-up log-down``: falling ones. ``linear-log``: those after Tmax. ``log``: all. Never where an end is 0 or
    both ends are equal. Raises ValueError for another method.
    """
    if method not in METHODS:
        raise ValueError(f"a method for areas is one of {', '.join(METHODS)}")
    left, right = conc[:-1], conc[1:]
    possible = (left > 0) & (right > 0) & (left != right)
    if method == "linear":
        return np.zeros(len(left), bool)
    if method == "linear-up log-down":
        return possible & (right < left)
    if method == "linear-log":
        return possible & (time[1:] > tmax_of(time, conc))
    return possible


def areas(time: np.ndarray, conc: np.ndarray, logs: np.ndarray) -> tuple[float, float]:
    """(AUC, AUMC) over all segments, those marked in ``logs`` logarithmic."""
    t1, t2, c1, c2 = time[:-1], time[1:], conc[:-1], conc[1:]
    auc = np.where(logs, 0.0, (t2 - t1) * (c1 + c2) / 2)
    aumc = np.where(logs, 0.0, (t2 - t1) * (t1 * c1 + t2 * c2) / 2)
    if logs.any():
        a1, a2, b1, b2 = t1[logs], t2[logs], c1[logs], c2[logs]
        k = np.log(b1 / b2) / (a2 - a1)
        auc[logs] = (b1 - b2) / k
        aumc[logs] = (a1 * b1 - a2 * b2) / k + (b1 - b2) / k**2
    return math.fsum(auc), math.fsum(aumc)


def area(
    profile: Profile, method: Method = "linear-up log-down", to: Literal["last", "all"] = "last"
) -> tuple[float, float]:
    """(AUC, AUMC) from time 0 to the last value above 0, or on to the first value of 0 after it (``all``, linear).

    (0, 0) where at least two values count and all are 0; nan with fewer than two values or none at time 0.
    """
    t, c = profile.time, profile.conc
    last = profile.last()
    if last is None and len(t) > 1:
        return 0.0, 0.0
    if last is None or len(t) < 2 or t[0] != 0:
        return math.nan, math.nan
    logs = log_segments(t, c, method)
    end = last + 1 if to == "last" else min(last + 2, len(t))
    return areas(t[:end], c[:end], logs[: end - 1])


def tail(clast: float, tlast: float, lambda_z: float) -> tuple[float, float]:
    """(AUC, AUMC) from ``tlast`` to infinity; nan unless lambda_z > 0."""
    if not lambda_z > 0:
        return math.nan, math.nan
    return clast / lambda_z, clast * tlast / lambda_z + clast / lambda_z**2


def interpolate(profile: Profile, at: float, method: Method = "linear-up log-down") -> float:
    """Concentration at a time from the first to the last value, by the rule of its segment; nan outside."""
    t, c = profile.time, profile.conc
    if len(t) == 0 or at < t[0] or at > t[-1]:
        return math.nan
    exact = np.flatnonzero(t == at)
    if len(exact):
        return float(c[exact[0]])
    i = int(np.searchsorted(t, at)) - 1
    share = (at - t[i]) / (t[i + 1] - t[i])
    if log_segments(t, c, method)[i]:
        return float(math.exp((1 - share) * math.log(c[i]) + share * math.log(c[i + 1])))
    return float(c[i] + share * (c[i + 1] - c[i]))


def interval_area(
    profile: Profile,
    start: float,
    end: float,
    method: Method = "linear-up log-down",
    extension: Extension = "last",
    lambda_z: float = math.nan,
    clast: float = math.nan,
) -> float:
    """AUC from ``start`` to ``end``, both interpolated in their segment where nothing was measured.

    What lies after the last value above 0 is nothing (``last``), the linear segment to the next 0 (``all``), or
    exponential decline from ``clast``, observed or predicted, by ``lambda_z`` (``infinity``; nan without them). nan
    where ``start`` is before the first value. Raises ValueError unless start < end.
    """
    if not start < end:
        raise ValueError("an interval ends after it starts")
    t, c = profile.time, profile.conc
    last = profile.last()
    if last is None:
        return 0.0 if len(t) > 1 else math.nan
    if start < t[0]:
        return math.nan
    reach = last + 2 if extension == "all" else last + 1
    t, c = t[:reach], c[:reach]
    logs = log_segments(profile.time, profile.conc, method)[: len(t) - 1]
    total = 0.0
    for i in range(len(t) - 1):
        low, high = max(start, t[i]), min(end, t[i + 1])
        if low < high:
            times = np.array([low, high])
            values = np.array([_within(t, c, i, bool(logs[i]), low), _within(t, c, i, bool(logs[i]), high)])
            total += areas(times, values, np.array([bool(logs[i])]))[0]
    if extension == "infinity" and end > t[-1]:
        if not lambda_z > 0 or math.isnan(clast):
            return math.nan
        low = max(start, t[-1]) - t[-1]
        far = 0.0 if math.isinf(end) else math.exp(-lambda_z * (end - t[-1]))
        total += clast / lambda_z * (math.exp(-lambda_z * low) - far)
    return total


def _within(t: np.ndarray, c: np.ndarray, i: int, log: bool, at: float) -> float:
    if at in (t[i], t[i + 1]):
        return float(c[i] if at == t[i] else c[i + 1])
    share = (at - t[i]) / (t[i + 1] - t[i])
    if log:
        return float(c[i] * (c[i + 1] / c[i]) ** share)
    return float(c[i] + share * (c[i + 1] - c[i]))


def time_above(profile: Profile, threshold: float, method: Method = "linear-up log-down") -> float:
    """Time at or above ``threshold`` between the first and the last value, crossings by the rule of their segment.

    nan with fewer than two values. Raises ValueError unless the threshold is finite and >= 0.
    """
    if not (math.isfinite(threshold) and threshold >= 0):
        raise ValueError("a threshold must be >= 0")
    t, c = profile.time, profile.conc
    if len(t) < 2:
        return math.nan
    logs, total = log_segments(t, c, method), 0.0
    for i in range(len(t) - 1):
        step, c1, c2 = t[i + 1] - t[i], c[i], c[i + 1]
        if c1 >= threshold and c2 >= threshold:
            total += step
        elif c1 >= threshold or c2 >= threshold:
            # threshold > 0 here: one end is below it and none below 0
            share = math.log(threshold / c1) / math.log(c2 / c1) if logs[i] else (threshold - c1) / (c2 - c1)
            total += step * (share if c1 >= threshold else 1 - share)
    return float(total)
