"""Kaplan-Meier estimate with Greenwood variance, quantiles, restricted mean, follow-up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.distributions import two_sided_z
from trialpipe.stats.inputs import codes, entries, merge_close, times


@dataclass(frozen=True)
class Curve:
    """Estimate at each distinct observed time (events and censorings), all arrays of one length.

    ``survival`` with standard error ``std_err`` (Greenwood, of S itself; nan where S = 0) and limits; ``n_risk`` just
    before the time; counts are sums of weights if weights were given.
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


def kaplan_meier(
    time: np.ndarray,
    event: np.ndarray,
    entry: np.ndarray | None = None,
    conf_level: float = 0.95,
    conf_type: str = "log-log",
    weights: np.ndarray | None = None,
    variance: str = "greenwood",
) -> Curve:
    """Product-limit estimate (Kaplan and Meier 1958); events precede censorings at ties.

    time: elapsed times >= 0; event: 1 event, 0 censored; entry: times from which a subject is at risk (left
    truncation), at risk on (entry, time]; an entry at 0 is no truncation; weights: case weights > 0, their sums replace
    the counts. variance ``greenwood`` takes weights as frequencies; ``jackknife`` (infinitesimal, each row a subject)
    takes them as sampling weights and is what R's survfit does by itself with weights that are not whole.
    Limits: see ``limits``. Raises ValueError on invalid input.
    """
    time = times(time)
    event = codes(event, len(time), "event", 1)
    if variance not in ("greenwood", "jackknife"):
        raise ValueError(f"variance {variance!r} is neither greenwood nor jackknife")
    start = entries(entry, time)
    weight = _weights(weights, len(time))
    time, start = merge_close(time, start)
    points = np.unique(time)
    at = np.searchsorted(points, time)
    zero = np.zeros(len(points) + 1)
    died = _sum_at(zero, at, weight * event)[:-1]
    left = _sum_at(zero, at, weight * (1 - event))[:-1]
    # at risk at a point: those who end there or later, less those who enter there or later
    ended = _sum_at(zero, at, weight)[:-1]
    last_absent = np.searchsorted(points, start, side="right") - 1
    absent = _sum_at(zero, last_absent[last_absent >= 0], weight[last_absent >= 0])[:-1]
    risk = np.cumsum((ended - absent)[::-1])[::-1]
    if weights is None:
        risk, died, left = risk.round().astype(int), died.round().astype(int), left.round().astype(int)
    else:
        risk = np.where(risk < 1e-9 * max(weight.sum(), 1.0), 0.0, risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        alive = np.where(died > 0, (risk - died) / risk, 1.0)
        alive = np.where(alive < 1e-12, 0.0, alive)
        survival = np.cumprod(alive)
        terms = np.where(died > 0, died / (risk * (risk - died).astype(float)), 0.0)
        std_err = survival * np.sqrt(np.cumsum(terms))
    if variance == "jackknife":
        present = (start[:, None] < points[None, :]) & (time[:, None] >= points[None, :])
        now = (time[:, None] == points[None, :]) & (event[:, None] == 1)
        std_err = survival * _jackknife(present, now, weight, risk, died)
    std_err = np.where(survival == 0, math.nan, std_err)
    lower, upper = limits(survival, std_err, conf_level, conf_type)
    return Curve(points, risk, died, left, survival, std_err, lower, upper, len(time), conf_level, conf_type)


def _jackknife(
    present: np.ndarray, now: np.ndarray, weight: np.ndarray, risk: np.ndarray, died: np.ndarray
) -> np.ndarray:
    """Standard error of log S: root of the sum of squared influences of each row on it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(died > 0, died / risk, 0.0)
        step = np.where(died > 0, (now - present * hazard) / (risk - died), 0.0)
    return np.sqrt(np.square(np.cumsum(weight[:, None] * step, axis=1)).sum(axis=0))


def _weights(weights: np.ndarray | None, n: int) -> np.ndarray:
    found = np.ones(n) if weights is None else np.asarray(weights, float)
    if len(found) != n:
        raise ValueError(f"arrays differ in length: weights has {len(found)}, time {n}")
    if not (np.isfinite(found).all() and (found > 0).all()):
        raise ValueError("a weight is missing, infinite or not positive")
    return found


def _sum_at(zero: np.ndarray, index: np.ndarray, values: np.ndarray) -> np.ndarray:
    total = zero.copy()
    np.add.at(total, index, values)
    return total


def limits(
    survival: np.ndarray, std_err: np.ndarray, conf_level: float, conf_type: str
) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise limits of a survival probability from its standard error; nan where undefined (S = 0).

    ``log-log`` S^exp(+-z se/(S log S)), ``log`` S exp(+-z se/S) capped at 1, ``plain`` S +- z se capped to [0, 1].
    While S = 1 both limits are 1 (as SAS and R's survival from 3.8): no event yet, so there is no variance.
    """
    z = two_sided_z(conf_level)
    if conf_type not in ("log-log", "log", "plain"):
        raise ValueError(f"conf_type {conf_type!r} is none of log-log, log, plain")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if conf_type == "log-log":
            half = z * std_err / (survival * np.abs(np.log(survival)))
            low, high = survival ** np.exp(half), survival ** np.exp(-half)
        elif conf_type == "log":
            half = z * std_err / survival
            low, high = survival * np.exp(-half), np.minimum(survival * np.exp(half), 1.0)
        else:
            low, high = np.maximum(survival - z * std_err, 0.0), np.minimum(survival + z * std_err, 1.0)
    undefined, full = np.isnan(std_err) | (survival <= 0), survival >= 1
    low, high = np.where(full, 1.0, low), np.where(full, 1.0, high)
    return np.where(undefined, math.nan, low), np.where(undefined, math.nan, high)


def nelson_aalen(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative hazard at each time of the curve and its standard error sqrt(sum d/n^2) (Aalen 1978)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(curve.n_event > 0, curve.n_event / curve.n_risk, 0.0)
        spread = np.where(curve.n_event > 0, curve.n_event / np.square(curve.n_risk, dtype=float), 0.0)
    return np.cumsum(hazard), np.sqrt(np.cumsum(spread))


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
    """The curve at each time, carried forward between and after steps. S = 1 with limits 1 before the first step.

    Without subjects the estimate is nan.
    """
    found = []
    for t in times:
        i = int(np.searchsorted(curve.time, t, side="right")) - 1
        later = int(np.searchsorted(curve.time, t, side="left"))
        risk = curve.n_risk[later].item() if later < len(curve.time) else 0
        beyond = len(curve.time) == 0 or bool(t > curve.time[-1] and curve.survival[-1] > 0)
        estimate, error, low, high = (math.nan,) * 4 if curve.n == 0 else (1.0, 0.0, 1.0, 1.0)
        if i >= 0:
            estimate, error, low, high = (
                a[i].item() for a in (curve.survival, curve.std_err, curve.lower, curve.upper)
            )
        events = curve.n_event[: i + 1].sum().item()
        found.append(AtTime(float(t), estimate, error, low, high, risk, events, beyond))
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
    # a limit may rise again: as R does, read it in the order of its height (the same order if it only falls)
    order = np.argsort(-level[known], kind="stable")
    time, level = time[known][order], level[known][order]
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
    z = two_sided_z(conf_level)
    return mean, error, mean - z * error, mean + z * error


def follow_up(time: np.ndarray, event: np.ndarray, conf_level: float = 0.95) -> tuple[float, float, float]:
    """Median follow-up by reverse Kaplan-Meier with its limits (Schemper and Smith 1996)."""
    reverse = kaplan_meier(time, 1 - np.asarray(event, int), conf_level=conf_level)
    return quantiles(reverse, 0.5)
