"""Kaplan-Meier estimate with Greenwood variance, quantiles, restricted mean, follow-up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri


@dataclass(frozen=True)
class Curve:
    """Estimate at each distinct observed time (events and censorings), all arrays of one length.

    ``survival`` with standard error ``std_err`` (Greenwood, of S itself) and limits; ``n_risk`` just before the time.
    """

    time: np.ndarray
    n_risk: np.ndarray
    n_event: np.ndarray
    n_censor: np.ndarray
    survival: np.ndarray
    std_err: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    n: int
    conf_level: float
    conf_type: str


def check_times(time: np.ndarray, *others: np.ndarray) -> None:
    """Raise ValueError for negative or missing times, or arrays of different length."""
    if any(len(other) != len(time) for other in others):
        raise ValueError("arrays differ in length")
    if np.isnan(time).any():
        raise ValueError("a time is missing")
    if (time < 0).any():
        raise ValueError("a time is negative")


def kaplan_meier(
    time: np.ndarray,
    event: np.ndarray,
    entry: np.ndarray | None = None,
    conf_level: float = 0.95,
    conf_type: str = "log-log",
) -> Curve:
    """Product-limit estimate (Kaplan and Meier 1958); events precede censorings at ties.

    time: elapsed times >= 0; event: 1 event, 0 censored; entry: times from which a subject is at risk (left
    truncation), at risk on (entry, time]. Limits: ``log-log`` S^exp(+-z se/(S log S)), ``log`` S exp(+-z se/S) capped
    at 1, ``plain`` S +- z se capped to [0, 1]; nan where undefined. Raises ValueError on invalid times.
    """
    time, event = np.asarray(time, float), np.asarray(event, int)
    check_times(time, event)
    start = np.full(len(time), -1.0) if entry is None else np.asarray(entry, float)
    start = np.where(start <= 0, -1.0, start)
    points = np.unique(time)
    risk = np.array([((start < t) & (time >= t)).sum() for t in points], int)
    died = np.array([((time == t) & (event == 1)).sum() for t in points], int)
    left = np.array([((time == t) & (event == 0)).sum() for t in points], int)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(np.where(risk > 0, 1 - died / np.maximum(risk, 1), 1.0))
        terms = np.where(died > 0, died / (risk * (risk - died).astype(float)), 0.0)
        std_err = survival * np.sqrt(np.cumsum(terms))
    std_err = np.where(survival == 0, math.nan, std_err)
    lower, upper = limits(survival, std_err, conf_level, conf_type)
    return Curve(points, risk, died, left, survival, std_err, lower, upper, len(time), conf_level, conf_type)


def limits(
    survival: np.ndarray, std_err: np.ndarray, conf_level: float, conf_type: str
) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise limits of a survival probability from its standard error; nan where undefined."""
    z = float(ndtri(0.5 + conf_level / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        if conf_type == "log-log":
            half = z * std_err / (survival * np.abs(np.log(survival)))
            low, high = survival ** np.exp(half), survival ** np.exp(-half)
        elif conf_type == "log":
            half = z * std_err / survival
            low, high = survival * np.exp(-half), np.minimum(survival * np.exp(half), 1.0)
        elif conf_type == "plain":
            low, high = np.maximum(survival - z * std_err, 0.0), np.minimum(survival + z * std_err, 1.0)
        else:
            raise ValueError(f"conf_type {conf_type!r} is none of log-log, log, plain")
    bad = np.isnan(std_err) | (survival <= 0)
    if conf_type == "log-log":
        bad |= survival >= 1
    return np.where(bad, math.nan, low), np.where(bad, math.nan, high)


@dataclass(frozen=True)
class AtTime:
    """Estimate read at a time. ``beyond``: the time is after the last observation and the curve had not reached 0."""

    time: float
    survival: float
    std_err: float
    lower: float
    upper: float
    n_risk: int
    cumulative_events: int
    beyond: bool


def at_times(curve: Curve, times: list[float] | np.ndarray) -> list[AtTime]:
    """The curve at each time, carried forward between and after steps. Before the first step S = 1 with no limits."""
    found = []
    for t in times:
        i = int(np.searchsorted(curve.time, t, side="right")) - 1
        later = int(np.searchsorted(curve.time, t, side="left"))
        risk = int(curve.n_risk[later]) if later < len(curve.time) else 0
        beyond = len(curve.time) == 0 or (t > curve.time[-1] and curve.survival[-1] > 0)
        if i < 0:
            empty = curve.n == 0
            found.append(AtTime(float(t), math.nan if empty else 1.0, math.nan if empty else 0.0, math.nan, math.nan, risk, 0, beyond))
            continue
        events = int(curve.n_event[: i + 1].sum())
        row = (float(a[i]) for a in (curve.survival, curve.std_err, curve.lower, curve.upper))
        found.append(AtTime(float(t), *row, risk, events, beyond))
    return found


def quantiles(curve: Curve, p: float) -> tuple[float, float, float]:
    """Time at which S falls to 1 - p, with Brookmeyer-Crowley limits (1982, Biometrics 38:29); nan if not reached.

    Where S equals 1 - p on an interval the answer is its midpoint (R's survfit, SAS).
    """
    return (
        _crossing(curve.time, curve.survival, 1 - p),
        _crossing(curve.time, curve.lower, 1 - p),
        _crossing(curve.time, curve.upper, 1 - p),
    )


def _crossing(time: np.ndarray, level: np.ndarray, target: float) -> float:
    known = ~np.isnan(level)
    time, level = time[known], level[known]
    tolerance = math.sqrt(np.finfo(float).eps)
    below = np.nonzero(level <= target + tolerance)[0]
    if len(below) == 0:
        return math.nan
    i = int(below[0])
    if abs(level[i] - target) < tolerance:
        lower = np.nonzero(level < target - tolerance)[0]
        return float((time[i] + time[int(lower[0])]) / 2) if len(lower) else float((time[i] + time[-1]) / 2)
    return float(time[i])


def restricted_mean(curve: Curve, tau: float, conf_level: float = 0.95) -> tuple[float, float, float, float]:
    """Restricted mean survival time to ``tau``: estimate, standard error, limits (Klein and Moeschberger 4.5).

    Beyond the last observation the curve is carried forward as constant. nan without subjects.
    """
    if curve.n == 0:
        return math.nan, math.nan, math.nan, math.nan
    inside = curve.time < tau
    grid = np.concatenate([[0.0], curve.time[inside], [tau]])
    heights = np.concatenate([[1.0], curve.survival[inside]])
    areas = np.diff(grid) * heights
    mean = math.fsum(areas)
    tail = np.cumsum(areas[::-1])[::-1][1:]
    risk, died = curve.n_risk[inside].astype(float), curve.n_event[inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where((died > 0) & (risk > died), tail**2 * died / (risk * (risk - died)), 0.0)
    error = math.sqrt(math.fsum(terms))
    z = float(ndtri(0.5 + conf_level / 2))
    return mean, error, mean - z * error, mean + z * error


def follow_up(time: np.ndarray, event: np.ndarray, conf_level: float = 0.95) -> tuple[float, float, float]:
    """Median follow-up by reverse Kaplan-Meier with its limits (Schemper and Smith 1996)."""
    reverse = kaplan_meier(time, 1 - np.asarray(event, int), conf_level=conf_level)
    return quantiles(reverse, 0.5)
