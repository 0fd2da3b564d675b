"""Competing risks: Aalen-Johansen cumulative incidence with exact ties, its variances and intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.distributions import two_sided_z
from trialpipe.stats.inputs import codes, entries, merge_close, times

ROUNDING = 1e-12
MOST_EXPONENT = 700.0
"""exp() of more is no number; a limit is 0 or 1 long before."""


@dataclass(frozen=True)
class Incidence:
    """Cumulative incidence of one cause at each distinct observed time.

    ``survival`` is the probability of no event of any cause just after the time; ``variance`` by the method asked.
    """

    time: np.ndarray
    n_risk: np.ndarray
    n_event: np.ndarray
    n_other: np.ndarray
    n_censor: np.ndarray
    cif: np.ndarray
    survival: np.ndarray
    variance: np.ndarray
    n: int


def cumulative_incidence(
    time: np.ndarray, cause: np.ndarray, of: int, variance: str = "aalen", entry: np.ndarray | None = None
) -> Incidence:
    """Aalen-Johansen estimate for cause ``of`` (Aalen and Johansen 1978); tied causes share one risk set.

    time >= 0; cause: 0 censored, 1, 2, ... causes. variance ``aalen``: the Aalen-type estimate of Gray's cmprsk;
    ``jackknife``: infinitesimal jackknife of R's survfit. entry: times from which a subject is at risk (left
    truncation), at risk on (entry, time]; an entry at 0 is no truncation. Raises ValueError on invalid times or an
    unknown variance.
    """
    time = times(time)
    cause = codes(cause, len(time), "cause")
    start = entries(entry, time)
    time, start = merge_close(time, start)
    points = np.unique(time)
    risk = np.array([((time >= t) & (start < t)).sum() for t in points], float)
    mine = np.array([((time == t) & (cause == of)).sum() for t in points], float)
    every = np.array([((time == t) & (cause != 0)).sum() for t in points], float)
    left = np.array([((time == t) & (cause == 0)).sum() for t in points], int)
    survival = np.cumprod(1 - every / risk) if len(points) else np.array([])
    before = np.concatenate([[1.0], survival])[:-1]
    cif = np.cumsum(before * mine / risk) if len(points) else np.array([])
    if variance == "aalen":
        spread = _aalen(risk, mine, every - mine, before, survival, cif)
    elif variance == "jackknife":
        spread = _jackknife(start, time, cause, of, points, risk, mine, every, before)
    else:
        raise ValueError(f"variance {variance!r} is neither aalen nor jackknife")
    return Incidence(
        points, risk.astype(int), mine.astype(int), (every - mine).astype(int), left, cif, survival, spread, len(time)
    )


def _aalen(
    risk: np.ndarray, mine: np.ndarray, other: np.ndarray, before: np.ndarray, survival: np.ndarray, cif: np.ndarray
) -> np.ndarray:
    """Aalen-type variance: each kind of event adds its binomial variance times its squared effect on the estimate.

    An event of interest at u moves F(t) by S(u-)/n (1 - (F(t) - F(u))/S(u)), another event by the second term alone;
    d tied events of one kind among n at risk have variance d (n - d)/(n - 1).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(survival > 0, 1 / survival, 0.0)
        weight_mine, weight_other = (
            np.where(risk > 1, before**2 * d * (risk - d) / ((risk - 1) * risk**2), before**2 * d / risk**2)
            for d in (mine, other)
        )
    # squares of (1 - (F - F_u)/S_u) and (F - F_u)/S_u are polynomials in F: three running sums each
    constant = 1 + cif * inverse
    v0 = np.cumsum(weight_mine * constant**2 + weight_other * (cif * inverse) ** 2)
    v1 = np.cumsum(weight_mine * constant * inverse + weight_other * cif * inverse**2)
    v2 = np.cumsum((weight_mine + weight_other) * inverse**2)
    return np.maximum(v0 - 2 * cif * v1 + cif**2 * v2, 0.0)


def _jackknife(
    start: np.ndarray,
    time: np.ndarray,
    cause: np.ndarray,
    of: int,
    points: np.ndarray,
    risk: np.ndarray,
    mine: np.ndarray,
    every: np.ndarray,
    before: np.ndarray,
) -> np.ndarray:
    """Sum of squared influences of each subject on the estimate."""
    on_survival, on_cif = np.zeros(len(time)), np.zeros(len(time))
    found = np.zeros(len(points))
    for j, t in enumerate(points):
        present = ((time >= t) & (start < t)).astype(float)
        at = time == t
        d_mine = ((at & (cause == of)) - present * mine[j] / risk[j]) / risk[j]
        d_every = ((at & (cause != 0)) - present * every[j] / risk[j]) / risk[j]
        on_cif = on_cif + on_survival * mine[j] / risk[j] + before[j] * d_mine
        on_survival = on_survival * (1 - every[j] / risk[j]) - before[j] * d_every
        found[j] = math.fsum(on_cif**2)
    return found


@dataclass(frozen=True)
class AtTime:
    """Estimate read at a time; ``beyond``: after the last observation, while someone was still free of any event."""

    time: float
    cif: float
    std_err: float
    lower: float
    upper: float
    n_risk: int
    cumulative_events: int
    beyond: bool


def at_times(
    curve: Incidence, times: list[float] | np.ndarray, conf_level: float = 0.95, conf_type: str = "log-log"
) -> list[AtTime]:
    """The estimate at each time, carried forward between steps. 0 (no limits) before the first event."""
    found = []
    for t in times:
        i = int(np.searchsorted(curve.time, t, side="right")) - 1
        later = int(np.searchsorted(curve.time, t, side="left"))
        risk = int(curve.n_risk[later]) if later < len(curve.time) else 0
        beyond = len(curve.time) == 0 or (t > curve.time[-1] and curve.survival[-1] > 0)
        value = math.nan if curve.n == 0 else float(curve.cif[i]) if i >= 0 else 0.0
        error = math.nan if curve.n == 0 else math.sqrt(curve.variance[i]) if i >= 0 else 0.0
        lower, upper = limits(value, error, conf_level, conf_type)
        events = int(curve.n_event[: i + 1].sum())
        found.append(AtTime(float(t), value, error, lower, upper, risk, events, beyond))
    return found


def limits(cif: float, std_err: float, conf_level: float = 0.95, conf_type: str = "log-log") -> tuple[float, float]:
    """Pointwise limits; nan where undefined (no event yet, or none left).

    ``log-log`` F^exp(+-z se/(F log F)), ``log`` F exp(+-z se/F) capped at 1, ``plain`` F +- z se clipped to [0, 1],
    ``cloglog`` 1 - (1 - F)^exp(+-z se/((1 - F) log(1 - F))).
    """
    z = two_sided_z(conf_level)
    if math.isnan(cif) or math.isnan(std_err):
        return math.nan, math.nan
    if conf_type == "plain":
        return max(cif - z * std_err, 0.0), min(cif + z * std_err, 1.0)
    # a sum of steps that ends a rounding error below 1 has reached it
    if not 0 < cif < 1 - ROUNDING or std_err == 0:
        return math.nan, math.nan
    if conf_type == "log":
        half = min(z * std_err / cif, MOST_EXPONENT)
        return cif * math.exp(-half), min(cif * math.exp(half), 1.0)
    if conf_type == "log-log":
        half = min(z * std_err / (cif * abs(math.log(cif))), MOST_EXPONENT)
        return cif ** math.exp(half), cif ** math.exp(-half)
    if conf_type == "cloglog":
        half = min(z * std_err / ((1 - cif) * abs(math.log1p(-cif))), MOST_EXPONENT)
        return 1 - (1 - cif) ** math.exp(-half), 1 - (1 - cif) ** math.exp(half)
    raise ValueError(f"conf_type {conf_type!r} is none of log-log, log, plain, cloglog")
