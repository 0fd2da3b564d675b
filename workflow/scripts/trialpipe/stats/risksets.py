"""Risk sets of the Cox partial likelihood: one row per event, with the moments of the covariates at risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CANCELLED = 1e-4


@dataclass(frozen=True)
class RiskSets:
    """One stratum. Events are in the order of time; several at one time form a tie group.

    x: covariates in the order of ``stop``; first_stop: for each event, where those still followed begin in that order;
    start_order, first_start: the same for those who enter later; share: the part of the tie group already removed (0
    for Breslow; j/d for the j-th of d in Efron's method); group: tie group of each event; events: rows of x.
    """

    rows: np.ndarray
    x: np.ndarray
    events: np.ndarray
    time: np.ndarray
    first_stop: np.ndarray
    start_order: np.ndarray
    first_start: np.ndarray
    share: np.ndarray
    group: np.ndarray


@dataclass(frozen=True)
class Moments:
    """Per event: log of the denominator, weighted mean of the covariates, their weighted covariance."""

    log_risk: np.ndarray
    mean: np.ndarray
    spread: np.ndarray


def risk_sets(
    start: np.ndarray, stop: np.ndarray, event: np.ndarray, x: np.ndarray, strata: np.ndarray, ties: str
) -> list[RiskSets]:
    """Risk sets of each stratum that has an event; at risk on (start, stop]."""
    found = []
    for s in np.unique(strata):
        rows = np.nonzero(strata == s)[0]
        rows = rows[np.argsort(stop[rows], kind="stable")]
        happened = event[rows] == 1
        if not happened.any():
            continue
        ends, begins = stop[rows], start[rows]
        when = ends[happened]
        start_order = np.argsort(begins, kind="stable")
        distinct, group, size = np.unique(when, return_inverse=True, return_counts=True)
        position = np.arange(len(when)) - np.searchsorted(group, group, side="left")
        share = position / size[group] if ties == "efron" else np.zeros(len(when))
        found.append(
            RiskSets(
                rows,
                x[rows],
                np.nonzero(happened)[0],
                when,
                np.searchsorted(ends, when, side="left"),
                start_order,
                np.searchsorted(begins[start_order], when, side="left"),
                share,
                group,
            )  # fmt: skip
        )
    return found


def moments(sets: RiskSets, beta: np.ndarray) -> Moments:
    """Denominator, mean and covariance of the covariates for each event, ties as the shares say."""
    linear = sets.x @ beta
    top = float(linear.max())
    risk = np.exp(linear - top)
    first = sets.x * risk[:, None]
    second = first[:, :, None] * sets.x[:, None, :]
    s0, s1, s2 = (_at_risk(v, sets) for v in (risk, first, second))
    # where all but a trifle had not entered yet, the difference of two sums is rounding error: sum those who are there
    for i in np.flatnonzero(s0 < CANCELLED * _suffix(risk)[sets.first_stop]):
        there = _present(sets, int(i))
        s0[i], s1[i], s2[i] = risk[there].sum(), first[there].sum(axis=0), second[there].sum(axis=0)
    s0, s1, s2 = (s - _removed(v, sets) for s, v in zip((s0, s1, s2), (risk, first, second), strict=True))
    mean = s1 / s0[:, None]
    spread = s2 / s0[:, None, None] - mean[:, :, None] * mean[:, None, :]
    return Moments(np.log(s0) + top, mean, spread)


def _at_risk(values: np.ndarray, sets: RiskSets) -> np.ndarray:
    """Sum over those at risk, per event: followed until then or later, less those who enter then or later."""
    total = _suffix(values)[sets.first_stop]
    if (sets.first_start < len(values)).any():
        total = total - _suffix(values[sets.start_order])[sets.first_start]
    return total


def _present(sets: RiskSets, event: int) -> np.ndarray:
    """Rows at risk at an event."""
    entered = np.zeros(len(sets.x), bool)
    entered[sets.start_order[: sets.first_start[event]]] = True
    found: np.ndarray = np.nonzero(entered & (np.arange(len(sets.x)) >= sets.first_stop[event]))[0]
    return found


def _removed(values: np.ndarray, sets: RiskSets) -> np.ndarray:
    tied = np.zeros((sets.group[-1] + 1, *values.shape[1:]))
    np.add.at(tied, sets.group, values[sets.events])
    return tied[sets.group] * sets.share.reshape(-1, *[1] * (values.ndim - 1))


def _suffix(values: np.ndarray) -> np.ndarray:
    """Sums of values[i:], with a zero at the end."""
    total = np.zeros((len(values) + 1, *values.shape[1:]))
    total[:-1] = np.cumsum(values[::-1], axis=0)[::-1]
    return total


def likelihood(blocks: list[RiskSets], beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """(log partial likelihood, score, information) by Efron's or Breslow's method."""
    k = len(beta)
    total, score, information = 0.0, np.zeros(k), np.zeros((k, k))
    for sets in blocks:
        found, own = moments(sets, beta), sets.x[sets.events]
        total += float((own @ beta - found.log_risk).sum())
        score = score + (own - found.mean).sum(axis=0)
        information = information + found.spread.sum(axis=0)
    return total, score, information


def exact_likelihood(blocks: list[RiskSets], beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The same by the exact conditional probability of the tied deaths (Cox 1972; recursion of Gail 1981)."""
    k = len(beta)
    total, score, information = 0.0, np.zeros(k), np.zeros((k, k))
    for sets in blocks:
        linear = sets.x @ beta
        top = float(linear.max())
        risk = np.exp(linear - top)
        for g in range(int(sets.group[-1]) + 1):
            own = sets.events[sets.group == g]
            i = int(np.nonzero(sets.group == g)[0][0])
            present = _present(sets, i)
            e0, e1, e2 = _symmetric(risk[present], sets.x[present], len(own))
            mean = e1 / e0
            total += float(linear[own].sum()) - len(own) * top - float(np.log(e0))
            score = score + sets.x[own].sum(axis=0) - mean
            information = information + e2 / e0 - np.outer(mean, mean)
    return total, score, information


def _symmetric(risk: np.ndarray, x: np.ndarray, d: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Elementary symmetric polynomial of order d in the risks, with its first two derivatives in beta."""
    k = x.shape[1]
    e0, e1, e2 = np.zeros(d + 1), np.zeros((d + 1, k)), np.zeros((d + 1, k, k))
    e0[0] = 1.0
    for w, v in zip(risk, x, strict=True):
        cross = e1[:-1, :, None] * v[None, None, :]
        e2[1:] += w * (e2[:-1] + cross + cross.transpose(0, 2, 1) + e0[:-1, None, None] * np.outer(v, v))
        e1[1:] += w * (e1[:-1] + e0[:-1, None] * v)
        e0[1:] += w * e0[:-1]
    return float(e0[d]), e1[d], e2[d]
