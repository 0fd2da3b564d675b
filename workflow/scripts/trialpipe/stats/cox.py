"""Cox proportional-hazards regression: Efron, Breslow and exact ties, strata, counting-process input."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.distributions import chi2_upper, normal_p, two_sided_z
from trialpipe.stats.inputs import codes, labels, matrix, merge_close, times
from trialpipe.stats.risksets import RiskSets, exact_likelihood, likelihood, risk_sets

TIES = {"efron": likelihood, "breslow": likelihood, "exact": exact_likelihood}


@dataclass(frozen=True)
class Cox:
    """Estimates per covariate with their covariance; log partial likelihoods and global tests.

    A covariate without finite estimate (the likelihood rises without end, or it depends on earlier covariates) is nan.
    ``converged`` is False if there is one of the first kind, or nothing to estimate; ``loglik`` is then the limit.
    ``df`` counts the covariates that do not depend on earlier ones.
    """

    coef: np.ndarray
    se: np.ndarray
    covariance: np.ndarray
    hr: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    z: np.ndarray
    p: np.ndarray
    n: int
    n_event: int
    loglik_null: float
    loglik: float
    lr_test: float
    lr_p: float
    wald_test: float
    wald_p: float
    score_test: float
    score_p: float
    df: int
    converged: bool


def cox(
    time: np.ndarray,
    event: np.ndarray,
    covariates: np.ndarray,
    entry: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    ties: str = "efron",
    conf_level: float = 0.95,
) -> Cox:
    """Maximum partial likelihood (Cox 1972; ties ``efron`` 1977, ``breslow`` 1974, ``exact``) by Newton's method.

    time: end of the interval at risk; event 0/1 at that time; covariates (n, k); entry: start of the interval, at risk
    on (entry, time]; strata: labels with separate baseline hazards. Raises ValueError on invalid input.
    """
    blocks, x, n_event = prepare(time, event, covariates, entry, strata, ties)
    n, k = x.shape
    z_limit = two_sided_z(conf_level)
    value = TIES[ties]
    null = value(blocks, np.zeros(k))
    scale = n_event * np.square(x - x.mean(axis=0)).max(axis=0) if n_event else np.zeros(k)
    kept = independent(null[2], scale)
    if not kept.any():
        return _nothing(n, n_event, k, null[0] if n_event else math.nan)
    part = [_select(b, kept) for b in blocks]
    beta, last, endless = _maximise(part, value)
    finite = np.nonzero(kept)[0][~endless]
    coef, covariance = np.full(k, math.nan), np.full((k, k), math.nan)
    coef[finite] = beta[~endless]
    score, information = null[1][kept], null[2][np.ix_(kept, kept)]
    if len(finite):
        covariance[np.ix_(finite, finite)] = _covariance(last[2], np.sqrt(np.diag(information)), endless)
    rao = float(score @ np.linalg.solve(information, score))
    wald = math.nan if endless.any() else float(beta @ last[2] @ beta)
    df, lr = int(kept.sum()), max(0.0, 2 * (last[0] - null[0]))
    se = np.sqrt(np.diag(covariance))
    z = coef / se
    p = np.array([normal_p(v) for v in z.tolist()])
    return Cox(
        coef, se, covariance, np.exp(coef), np.exp(coef - z_limit * se), np.exp(coef + z_limit * se), z, p, n, n_event,
        null[0], last[0], lr, chi2_upper(lr, df), wald, chi2_upper(wald, df), rao, chi2_upper(rao, df), df,
        not endless.any(),
    )  # fmt: skip


def _covariance(information: np.ndarray, scale: np.ndarray, endless: np.ndarray) -> np.ndarray:
    """Covariance of the finite estimates, also where others run away.

    Only the directions along which the likelihood rises without end have lost their information: two levels of a factor
    run away together where its reference has no event, but what distinguishes them is estimated and is not known.
    ``scale``: what the information is measured in, by covariate.
    """
    scaled = information / np.outer(scale, scale)
    basis = np.eye(len(scale))[:, ~endless]
    if endless.any():
        size, directions = np.linalg.eigh(scaled[np.ix_(endless, endless)])
        estimated = np.zeros((len(scale), int((size > 1e-6).sum())))
        estimated[endless] = directions[:, size > 1e-6]
        basis = np.hstack([basis, estimated])
    found = int((~endless).sum())
    inverse = np.linalg.inv(basis.T @ scaled @ basis)[:found, :found]
    return inverse / np.outer(scale[~endless], scale[~endless])


def prepare(
    time: np.ndarray,
    event: np.ndarray,
    covariates: np.ndarray,
    entry: np.ndarray | None,
    strata: np.ndarray | None,
    ties: str,
) -> tuple[list[RiskSets], np.ndarray, int]:
    """Checked input as (risk sets of centred covariates, covariates as given, number of events)."""
    if ties not in TIES:
        raise ValueError(f"ties {ties!r} is none of {', '.join(sorted(TIES))}")
    stop = times(time)
    event = codes(event, len(stop), "event", 1)
    x = matrix(covariates, len(stop))
    start = np.full(len(stop), -math.inf)
    if entry is not None:
        start = times(entry, "entry")
        if len(start) != len(stop):
            raise ValueError(f"arrays differ in length: entry has {len(start)}, time {len(stop)}")
    _, block = labels(strata, len(stop), "stratum")
    stop, start = merge_close(stop, start)
    if (start >= stop).any():
        raise ValueError("an interval does not end after it starts")
    centred = x - x.mean(axis=0) if len(x) else x
    return risk_sets(start, stop, event, centred, block, ties), x, int(event.sum())


def independent(information: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Which covariates vary among those at risk and do not depend on earlier ones, by sweeping.

    scale: what the diagonal could reach (events times the largest squared deviation); a covariate that is the same for
    all at risk has rounding error there, not 0.
    """
    kept: list[int] = []
    for j in range(len(information)):
        rest = information[j, j]
        if kept:
            cross = information[np.ix_(kept, [j])][:, 0]
            rest = rest - cross @ np.linalg.solve(information[np.ix_(kept, kept)], cross)
        if information[j, j] > 1e-10 * scale[j] and rest > 1e-9 * information[j, j]:
            kept.append(j)
    return np.isin(np.arange(len(information)), kept)


def _select(sets: RiskSets, kept: np.ndarray) -> RiskSets:
    return RiskSets(
        sets.rows, sets.x[:, kept], sets.events, sets.time, sets.first_stop, sets.start_order, sets.first_start,
        sets.share, sets.group,
    )  # fmt: skip


def _maximise(blocks: list[RiskSets], value) -> tuple[np.ndarray, tuple[float, np.ndarray, np.ndarray], np.ndarray]:
    """(estimate, likelihood there, which coefficients run away) by Newton's method with step halving.

    Where the likelihood rises without end each step stays about as long as the last while the gain vanishes; towards a
    maximum the steps vanish too. Steps are measured in standard deviations of their covariate. Far out rounding makes
    the score 0 and the steps vanish there as well, but then next to nothing of the information is left.
    """
    x = np.concatenate([b.x for b in blocks])
    beta = np.zeros(x.shape[1])
    deviation = x.std(axis=0)
    start = last = value(blocks, beta)
    move = np.zeros(len(beta))
    for _ in range(60):
        try:
            step = np.linalg.solve(last[2], last[1])
        except np.linalg.LinAlgError:
            break
        scale, trial = 1.0, value(blocks, beta + step)
        while not trial[0] >= last[0] - 1e-12 * abs(last[0]) and scale > 1e-8:
            scale /= 2
            trial = value(blocks, beta + scale * step)
        gain = trial[0] - last[0]
        beta, last, move = beta + scale * step, trial, np.abs(scale * step) * deviation
        if (move < 1e-10 * (1 + np.abs(beta) * deviation)).all() or (
            gain < 1e-10 * (1 + abs(last[0])) and move.max() > 1e-3
        ):
            break
    return beta, last, (move > 1e-3) | (np.diag(last[2]) < 1e-8 * np.diag(start[2]))


def _nothing(n: int, n_event: int, k: int, loglik: float) -> Cox:
    nan, empty = np.full(k, math.nan), np.full((k, k), math.nan)
    none = math.nan
    return Cox(
        nan, nan, empty, nan, nan, nan, nan, nan, n, n_event, loglik, none, none, none, none, none, none, none, 0, False
    )


def landmark(time: np.ndarray, at: float) -> np.ndarray:
    """Who enters a landmark analysis (Anderson 1983): still followed and without event after ``at``.

    Analyse ``time[kept] - at``; a covariate of these subjects is what was known at ``at``.
    """
    return times(time) > at


def split_at(
    time: np.ndarray, event: np.ndarray, switch: np.ndarray, when: str = "after"
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Counting process for an exposure that starts during follow-up.

    switch: elapsed time at which it starts, nan if never. ``after``: exposed on (switch, time]; ``on``: exposed from
    the switch day itself, i.e. on (switch - 1, time] in whole days. Returns (row, entry, time, event, exposed): row is
    the index of the subject; two intervals where the exposure starts strictly inside follow-up.
    """
    if when not in ("after", "on"):
        raise ValueError(f"when {when!r} is neither after nor on")
    rows, entries, ends, events, exposed = [], [], [], [], []
    for i in range(len(time)):
        cut = switch[i] - (1 if when == "on" else 0)
        if math.isnan(cut) or cut >= time[i]:
            pieces = [(0.0, time[i], event[i], 0)]
        elif cut <= 0:
            pieces = [(0.0, time[i], event[i], 1)]
        else:
            pieces = [(0.0, cut, 0, 0), (cut, time[i], event[i], 1)]
        for a, b, e, x in pieces:
            rows.append(i)
            entries.append(a)
            ends.append(b)
            events.append(e)
            exposed.append(x)
    return (
        np.array(rows, int),
        np.array(entries, float),
        np.array(ends, float),
        np.array(events, int),
        np.array(exposed, float),
    )
