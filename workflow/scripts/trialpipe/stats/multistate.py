"""Multi-state models: transition hazards, transition probabilities and state occupation with their standard errors.

Aalen and Johansen 1978 Scand J Stat 5:141; Andersen, Borgan, Gill and Keiding 1993 (ABGK), section IV.4: the matrix of
transition probabilities P(s, t) is the product of I + dA(u) over s < u <= t; its covariance follows term by term
(equation 4.4.17). Clock forward: a patient is at risk in a state from the time of entry, which is left truncation of
every transition out of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trialpipe.stats.inputs import codes, labels, merge_close, times
from trialpipe.stats.sojourns import Sojourns, occupation_influence

Transition = tuple[int, int]
ROUNDING = 1e-9


@dataclass(frozen=True)
class Hazards:
    """Increments of the cumulative transition hazards at each time at which one of them moves.

    ``increments`` (T, K) in the order of ``transitions`` (from, to); ``covariance`` (T, K, K) of the increments;
    ``states``: their number, coded from 0; ``variance``: greenwood, or aalen (of counting processes without ties, as
    those of a Cox model are).
    """

    time: np.ndarray
    transitions: tuple[Transition, ...]
    increments: np.ndarray
    covariance: np.ndarray
    states: int
    variance: str


class Probabilities(NamedTuple):
    """``time`` (T,); ``probability`` (T, S, S): from state (row) to state; ``std_err`` of the same shape."""

    time: np.ndarray
    probability: np.ndarray
    std_err: np.ndarray


class Occupation(NamedTuple):
    """State occupation: at each of ``time`` (T,) the probability of each state (T, S) and its standard error.

    ``n_risk`` (T, S): patients seen in each state just before the time.
    """

    time: np.ndarray
    probability: np.ndarray
    std_err: np.ndarray
    n_risk: np.ndarray


def hazards(data: Sojourns, variance: str = "greenwood") -> Hazards:
    """Nelson-Aalen estimate of every transition that was seen.

    variance ``greenwood``: of d_j events j among n at risk, covariance (n d_j [j = k] - d_j d_k)/n^3; ``aalen``: d/n^2,
    transitions independent. Raises ValueError for another name.
    """
    if variance not in ("greenwood", "aalen"):
        raise ValueError(f"variance {variance!r} is neither greenwood nor aalen")
    moved = data.target >= 0
    points = np.unique(data.exit[moved])
    found = tuple(sorted(set(zip(data.state[moved].tolist(), data.target[moved].tolist(), strict=True))))
    risk = data.at_risk(points)
    increments = np.zeros((len(points), len(found)))
    events = np.zeros((len(points), len(found)))
    for k, (a, b) in enumerate(found):
        own = data.exit[moved & (data.state == a) & (data.target == b)]
        events[:, k] = np.bincount(np.searchsorted(points, own), minlength=len(points))
        increments[:, k] = np.divide(events[:, k], risk[:, a], out=np.zeros(len(points)), where=risk[:, a] > 0)
    spread = np.zeros((len(points), len(found), len(found)))
    for k, (a, _) in enumerate(found):
        for m, (c, _) in enumerate(found):
            if a != c or (variance == "aalen" and k != m):
                continue
            n = np.where(risk[:, a] > 0, risk[:, a], 1.0)
            own = events[:, k] / n**2 if k == m else 0.0
            spread[:, k, m] = own - (events[:, k] * events[:, m] / n**3 if variance == "greenwood" else 0.0)
    return Hazards(points, found, increments, spread, data.states, variance)


def transition_probabilities(found: Hazards, start: float = 0.0) -> Probabilities:
    """P(start, t) after each time of the hazards later than ``start`` (and at ``start`` itself), all states.

    With start 0 an event at time 0 counts. Covariance: sum over u of the effects of dA(u), P(s, u-) dA(u) P(u, t), by
    ABGK 4.4.17 (greenwood); aalen: P(s, u) in the place of P(s, u-), de Wreede, Fiocco and Putter 2010 Comput Methods
    Programs Biomed 99:261.
    """
    return Probabilities(*_product(found, np.eye(found.states), start))


def _product(
    found: Hazards, first: np.ndarray, start: float, spread: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(times, first P(start, t), standard errors) for rows ``first`` (R, S) of shares of the states at start.

    ``spread`` (R, S, S): covariance of the shares; known without it.
    """
    s = found.states
    later = found.time > start if start > 0 else np.ones(len(found.time), bool)
    now = first
    spread = np.zeros((len(first), s, s)) if spread is None else spread
    grid, steps, errors = [float(start)], [now], [np.sqrt(np.einsum("aii->ai", spread))]
    # what one more unit of each hazard does to a row: leaves one state, enters another
    move = np.zeros((len(found.transitions), s, s))
    for k, (a, b) in enumerate(found.transitions):
        move[k, a, b], move[k, a, a] = 1.0, -1.0
    for i in np.flatnonzero(later):
        step = np.eye(s) + np.tensordot(found.increments[i], move, axes=1)
        after = now @ step
        effect = np.einsum("ab,kbi->aki", after if found.variance == "aalen" else now, move)
        new = np.einsum("aki,kl,alj->aij", effect, found.covariance[i], effect)
        spread = np.einsum("abd,bi,dj->aij", spread, step, step) + new
        now = after
        here = np.sqrt(np.maximum(np.einsum("aii->ai", spread), 0.0))
        if found.time[i] == grid[-1]:
            steps[-1], errors[-1] = now, here
            continue
        grid.append(float(found.time[i]))
        steps.append(now)
        errors.append(here)
    return np.array(grid), np.array(steps), np.array(errors)


def probabilities_at(found: Probabilities, at: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(probability, standard error) at each time, carried forward; nan before the start.

    A time that differs from a step by rounding error only is that step.
    """
    wanted = np.asarray(at, float)
    index = np.searchsorted(found.time, wanted + ROUNDING * np.maximum(1.0, np.abs(wanted)), side="right") - 1
    missing = (index < 0)[:, None, None]
    return (
        np.where(missing, math.nan, found.probability[index]),
        np.where(missing, math.nan, found.std_err[index]),
    )


def occupation(data: Sojourns, variance: str = "greenwood") -> Occupation:
    """State occupation probabilities of patients followed from time 0.

    The start is the share of patients in each state at time 0. variance ``greenwood`` has that share as
    multinomial (known where all begin in one state), so that without censoring the errors are those of shares of
    patients; ``jackknife`` is the infinitesimal jackknife, robust to models that are not Markov
    (Datta and Satten 2001 show the estimate itself is). Without patients: no times. Raises ValueError if nobody is
    followed from time 0, or for another name.
    """
    if variance not in ("greenwood", "jackknife"):
        raise ValueError(f"variance {variance!r} is neither greenwood nor jackknife")
    if data.patients == 0:
        empty = np.zeros((0, data.states))
        return Occupation(np.zeros(0), empty, empty, empty.astype(int))
    first = data.initial()
    if first.sum() == 0:
        raise ValueError("nobody is followed from time 0: occupation of states cannot be estimated")
    share = first / first.sum()
    spread = (np.diag(share) - np.outer(share, share)) / first.sum()
    grid, probability, error = _product(hazards(data), share[None, :], 0.0, spread[None, :, :])
    errors = {
        "greenwood": lambda: error[:, 0],
        "jackknife": lambda: np.sqrt(np.square(occupation_influence(data, grid)).sum(axis=1)),
    }
    return Occupation(grid, probability[:, 0], errors[variance](), data.at_risk(grid).astype(int))


def cox_hazards(
    time: np.ndarray,
    event: np.ndarray,
    covariates: np.ndarray,
    entry: np.ndarray,
    strata: np.ndarray,
    coef: np.ndarray,
    covariance: np.ndarray,
    patient: Sequence[tuple[Transition, object, np.ndarray]],
    states: int,
) -> Hazards:
    """Transition hazards of one patient under a fitted Cox model with Breslow's ties (de Wreede and others 2010).

    Rows of the model as for ``cox`` (one per transition at risk); ``patient``: for each transition its stratum and its
    covariates, so that transitions may share a baseline hazard. ``covariance`` is of ``coef``, which must be finite.
    Cumulative hazards have the covariance of Andersen et al. (ABGK VII.2.3): their own, sum exp(z'b + v'b) d/S0^2 where
    the stratum is shared, and that of the coefficients; the increments have its differences. Raises ValueError on
    invalid times, coefficients that are not finite, or a stratum that no row has.
    """
    time, start = times(time), times(entry, "entry")
    happened = codes(event, len(time), "event", 1) == 1
    x, beta = np.asarray(covariates, float), np.asarray(coef, float)
    if x.ndim != 2 or x.shape != (len(time), len(beta)):
        raise ValueError("covariates must have a row per time and a column per coefficient")
    if not np.isfinite(beta).all():
        raise ValueError("a coefficient has no finite estimate")
    known, block = labels(strata, len(time), "stratum")
    time, start = merge_close(time, start)
    grid = np.unique(time[happened])
    baseline: dict[object, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
    centre = x.mean(axis=0) if len(x) else np.zeros(len(beta))
    for number, name in enumerate(known):
        rows = block == number
        baseline[name] = _baseline(time[rows], start[rows], happened[rows], x[rows] - centre, beta, grid)
    count = len(patient)
    steps, own, drift = np.zeros((len(grid), count)), np.zeros((len(grid), count, count)), []
    for k, (_, name, z) in enumerate(patient):
        if name not in baseline:
            raise ValueError(f"stratum {name!r} has no row")
        moved = np.asarray(z, float) - centre
        hazard, _, mean = baseline[name]
        size = math.exp(float(moved @ beta))
        steps[:, k] = size * hazard
        drift.append(np.cumsum(size * (moved[None, :] - mean) * hazard[:, None], axis=0))
        for m, (_, other, v) in enumerate(patient):
            if other == name:
                second = math.exp(float((np.asarray(v, float) - centre) @ beta))
                own[:, k, m] = size * second * baseline[name][1]
    stacked = np.stack(drift, axis=1)
    by_coef = np.einsum("tkp,pq,tlq->tkl", stacked, np.asarray(covariance, float), stacked)
    spread = own + np.diff(by_coef, axis=0, prepend=np.zeros((1, count, count)))
    return Hazards(grid, tuple(t for t, _, _ in patient), steps, spread, states, "aalen")


def _baseline(
    time: np.ndarray, start: np.ndarray, happened: np.ndarray, x: np.ndarray, beta: np.ndarray, grid: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per time of the grid: Breslow's increment d/S0, d/S0^2, and the weighted mean of the covariates at risk."""
    weight = np.exp(x @ beta)
    jumps, squares, means = np.zeros(len(grid)), np.zeros(len(grid)), np.zeros((len(grid), x.shape[1]))
    for i, t in enumerate(grid):
        died = int((happened & (time == t)).sum())
        if not died:
            continue
        present = (time >= t) & ((start < t) | (start <= 0))
        total = float(weight[present].sum())
        jumps[i], squares[i] = died / total, died / total**2
        means[i] = weight[present] @ x[present] / total
    return jumps, squares, means
