"""Linear mixed models of repeated measures by restricted maximum likelihood (REML).

y of a patient has mean X b and a covariance between visits that is linear in its components t: ``random_intercept``
(t = variance between patients, residual variance), ``random_slope`` (t = variance of intercepts, covariance, variance
of slopes, residual variance) or ``unstructured`` (t = every variance and covariance of the visits). Harville 1977 JASA
72:320 (likelihood, scores); Laird and Ware 1982 Biometrics 38:963; degrees of freedom of contrasts Fai and Cornelius
1996 J Stat Comput Simul 54:363 (Satterthwaite, one contrast); small-sample covariance Kenward and Roger 1997 Biometrics
53:983. Missing visits of a patient are left out of the data: missing at random given what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trialpipe.stats.linear import Contrast

STRUCTURES = ("random_intercept", "random_slope", "unstructured")
COVARIANCES = ("model", "kenward_roger", "empirical")
MOST_STEPS = 200
FLAT = 1e-4
"""Observed over expected information below which the expected one leads the search."""
SMALLEST_GAIN = 1e-13
"""Squared length of the last step, in units of the information, at which the search ends."""


class NotFitted(ValueError):
    """The data do not determine the model."""


@dataclass(frozen=True)
class MixedFit:
    """``covariance``: of ``coef``, (p, p). ``components``: t; ``between``: the covariance matrix between visits.

    ``loglik``: restricted log-likelihood, constant -(n - p)/2 log(2 pi), no term in X alone. ``slopes``: derivative of
    ``covariance`` by each component; ``spread``: asymptotic covariance of the components. ``boundary``: the variance
    between patients was set to 0. ``kenward_roger``: covariance of ``coef`` adjusted for the components being
    estimated, whose second derivatives are 0 (what SAS prints for TYPE=UN); ``empirical``: the sandwich over patients.
    """

    coef: np.ndarray
    covariance: np.ndarray
    components: np.ndarray
    between: np.ndarray
    loglik: float
    subjects: int
    n: int
    slopes: np.ndarray
    spread: np.ndarray
    boundary: bool
    kenward_roger: np.ndarray
    empirical: np.ndarray

    @property
    def std_err(self) -> np.ndarray:
        return np.sqrt(np.diag(self.covariance))

    @property
    def aic(self) -> float:
        """-2 log-likelihood + 2 per component (Akaike 1974)."""
        return -2 * self.loglik + 2 * len(self.components)

    @property
    def bic(self) -> float:
        """-2 log-likelihood + log(patients) per component (Schwarz 1978)."""
        return -2 * self.loglik + math.log(self.subjects) * len(self.components)


class _Block(NamedTuple):
    """Patients measured at the same visits: ``y`` (k, m), ``x`` (k, m, p) and the visits (m)."""

    y: np.ndarray
    x: np.ndarray
    visits: np.ndarray


class _State(NamedTuple):
    """At one value of the components: likelihood, its derivatives and what the estimates are made of."""

    loglik: float
    coef: np.ndarray
    covariance: np.ndarray
    score: np.ndarray
    expected: np.ndarray
    observed: np.ndarray
    slopes: np.ndarray
    single: np.ndarray
    double: np.ndarray
    meat: np.ndarray


def fit(
    y: np.ndarray,
    x: np.ndarray,
    subject: np.ndarray,
    visit: np.ndarray,
    structure: str = "random_intercept",
    reml: bool = True,
    when: np.ndarray | None = None,
) -> MixedFit:
    """REML fit of ``y`` (n,) on ``x`` (n, p) with patients ``subject`` (n,) and visits ``visit`` (n,), codes from 0.

    ``reml`` False: maximum likelihood. ``when``: time of each visit code, for random slopes. Raises ValueError for
    arrays that differ in length, a missing value, two rows of one patient and visit, slopes without times, or an
    unknown structure; NotFitted if x is not of full rank, or the components cannot be estimated from the data.
    """
    y, x = np.asarray(y, float), np.asarray(x, float)
    subject, visit = np.asarray(subject), np.asarray(visit)
    _check(y, x, subject, visit, structure)
    blocks = _blocks(y, x, subject, visit)
    size = int(visit.max()) + 1
    parts = _parts(structure, size, when)
    people = len(np.unique(subject))
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    variance = float(rest @ rest) / (len(y) - x.shape[1])
    if variance <= 1e-12 * max(1.0, float(y @ y) / len(y)):
        raise NotFitted("every value equals its mean: no variance to estimate")
    if structure == "unstructured":
        _enough(visit, size, people)
    start = np.array([variance * 0.5 * size / np.trace(part) if np.trace(part) else 0.0 for part in parts])
    if structure == "random_slope":
        start[1] = 0.0
    boundary = False
    try:
        found, state = _search(blocks, parts, start, len(y), reml)
        boundary = structure == "random_intercept" and found[0] <= 0
    except NotFitted:
        # below 0 the likelihood of few patients may have no end: it need not, where it falls from 0 on
        if structure != "random_intercept" or not _falls(blocks, parts, variance, len(y), reml):
            raise
        boundary = True
    if boundary:
        rest_only, state = _search(blocks, parts[1:], np.array([variance]), len(y), reml)
        found, parts = np.array([0.0, rest_only[0]]), parts[1:]
    if structure == "random_slope" and (min(found[0], found[2]) <= 0 or found[0] * found[2] <= found[1] ** 2):
        raise NotFitted("intercepts and slopes of patients: the likelihood is largest where one of them does not vary")
    spread = np.linalg.inv(state.observed)
    # Kenward and Roger 1997, components of the covariance linear: no second derivatives
    gain = np.einsum("ab,abpq->pq", spread, state.double)
    gain -= np.einsum("ab,apr,rs,bsq->pq", spread, state.single, state.covariance, state.single)
    adjusted = state.covariance + 2 * state.covariance @ gain @ state.covariance
    between = np.tensordot(found[-len(parts) :], parts, axes=1)
    return MixedFit(
        state.coef,
        state.covariance,
        found,
        between,
        state.loglik,
        people,
        len(y),
        state.slopes,
        spread,
        boundary,
        (adjusted + adjusted.T) / 2,
        state.covariance @ state.meat @ state.covariance,
    )


def contrast(
    model: MixedFit,
    weights: np.ndarray,
    conf_level: float = 0.95,
    covariance: str = "model",
    df: float | None = None,
) -> Contrast:
    """Weighted sum of the coefficients: t interval and two-sided test against 0, Satterthwaite degrees of freedom.

    df = 2 v^2 / g' A g, v the variance of the contrast, g its derivative by the components, A their covariance; for one
    contrast those of Kenward and Roger are the same. covariance: ``model``, ``kenward_roger`` or ``empirical``. A
    ``df`` that is given is used instead. Raises ValueError for another covariance.
    """
    from trialpipe.stats.distributions import t_p, t_quantile

    if covariance not in COVARIANCES:
        raise ValueError(f"covariance must be one of {', '.join(COVARIANCES)}")
    w = np.asarray(weights, float)
    value, variance = float(w @ model.coef), float(w @ model.covariance @ w)
    if df is None:
        slope = np.einsum("i,kij,j->k", w, model.slopes, w)
        df = 2 * variance**2 / float(slope @ model.spread @ slope)
    if covariance != "model":
        variance = float(w @ getattr(model, covariance) @ w)
    se = math.sqrt(variance)
    half = t_quantile(df, 0.5 + conf_level / 2) * se
    t = value / se
    return Contrast(value, se, df, value - half, value + half, t, t_p(t, df))


def _check(y: np.ndarray, x: np.ndarray, subject: np.ndarray, visit: np.ndarray, structure: str) -> None:
    if structure not in STRUCTURES:
        raise ValueError(f"structure must be one of {', '.join(STRUCTURES)}")
    if x.ndim != 2 or not len(y) == len(x) == len(subject) == len(visit):
        raise ValueError("y, x, subject and visit must have one row per measurement")
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise ValueError("a value is missing or infinite")
    if len(set(zip(subject.tolist(), visit.tolist(), strict=True))) < len(y):
        raise ValueError("two values of one patient at one visit")
    if len(y) <= x.shape[1] or np.linalg.matrix_rank(x) < x.shape[1]:
        raise NotFitted("more effects than the data can tell apart")
    if len(np.unique(subject)) == len(y):
        raise NotFitted("no patient has two values")


def _enough(visit: np.ndarray, size: int, people: int) -> None:
    if people <= size or min(np.bincount(visit, minlength=size)) < 2:
        raise NotFitted("too few patients for an unstructured covariance of so many visits")


def _blocks(y: np.ndarray, x: np.ndarray, subject: np.ndarray, visit: np.ndarray) -> list[_Block]:
    """Patients grouped by the visits they have, rows in order of visits."""
    patterns: dict[tuple[int, ...], list[np.ndarray]] = {}
    for person in np.unique(subject):
        rows = np.flatnonzero(subject == person)
        rows = rows[np.argsort(visit[rows], kind="stable")]
        patterns.setdefault(tuple(visit[rows].tolist()), []).append(rows)
    return [_Block(y[np.array(rows)], x[np.array(rows)], np.array(seen)) for seen, rows in sorted(patterns.items())]


def _parts(structure: str, size: int, when: np.ndarray | None) -> np.ndarray:
    """Matrices G_k with covariance sum t_k G_k: all ones (with times, if slopes) and the identity, or one per pair."""
    if structure == "random_intercept":
        return np.array([np.ones((size, size)), np.eye(size)])
    if structure == "random_slope":
        at = np.asarray(() if when is None else when, float)
        if at.shape != (size,) or not np.isfinite(at).all():
            raise ValueError("random slopes need the time of each visit")
        one = np.ones(size)
        both = np.outer(one, at) + np.outer(at, one)
        return np.array([np.outer(one, one), both, np.outer(at, at), np.eye(size)])
    found = []
    for i in range(size):
        for j in range(i + 1):
            part = np.zeros((size, size))
            part[i, j] = part[j, i] = 1.0
            found.append(part)
    return np.array(found)


def _falls(blocks: list[_Block], parts: np.ndarray, variance: float, n: int, reml: bool) -> bool:
    """Whether the likelihood falls with the variance between patients where that is 0."""
    rest_only, _ = _search(blocks, parts[1:], np.array([variance]), n, reml)
    state = _state(blocks, parts, np.array([0.0, rest_only[0]]), n, reml)
    return state is not None and bool(state.score[0] <= 0)


def _search(
    blocks: list[_Block], parts: np.ndarray, start: np.ndarray, n: int, reml: bool
) -> tuple[np.ndarray, _State]:
    """Fisher scoring, then Newton steps where the likelihood is concave; halved until the likelihood does not fall."""
    now, state = start, _state(blocks, parts, start, n, reml)
    if state is None:
        raise NotFitted("the covariance of the start is singular")
    for _ in range(MOST_STEPS):
        step = _step(state)
        if float(step @ state.expected @ step) < SMALLEST_GAIN:
            return now, state
        better = next(_halved(blocks, parts, now, step, state.loglik, n, reml), None)
        if better is None:
            return now, state
        now, state = better
    raise NotFitted("the covariance between visits was not found: the likelihood has no maximum inside its range")


def _step(state: _State) -> np.ndarray:
    sizes, turn = np.linalg.eigh(state.expected)
    if sizes[0] <= 1e-12 * sizes[-1]:
        raise NotFitted("the data do not determine the covariance between visits")
    # in the units of the expected information: where the likelihood is all but flat a Newton step leads nowhere
    half = turn / np.sqrt(sizes)
    concave = np.linalg.eigvalsh(half.T @ state.observed @ half)[0] > FLAT
    step: np.ndarray = np.linalg.solve(state.observed if concave else state.expected, state.score)
    return step


def _halved(
    blocks: list[_Block], parts: np.ndarray, now: np.ndarray, step: np.ndarray, least: float, n: int, reml: bool
) -> Iterator[tuple[np.ndarray, _State]]:
    for k in range(40):
        tried = now + step / 2**k
        state = _state(blocks, parts, tried, n, reml)
        if state is not None and state.loglik >= least - 1e-12 * abs(least):
            yield tried, state


def _state(blocks: list[_Block], parts: np.ndarray, components: np.ndarray, n: int, reml: bool) -> _State | None:
    """Likelihood and derivatives at ``components``; None if a covariance matrix is not positive definite.

    W is the inverse covariance of a patient, r the residual: score_k = -(tr P G_k - r'W G_k W r)/2, expected
    information tr(P G_k P G_l)/2, observed y'P G_k P G_l P y less the expected, P = W - W X C X'W. Without ``reml``
    the traces are of W instead of P, and the likelihood has no term of X.
    """
    inverses, log_det = [], 0.0
    whole = np.tensordot(components, parts, axes=1)
    for block in blocks:
        own = whole[np.ix_(block.visits, block.visits)]
        values = np.linalg.eigvalsh(own)
        if values[0] <= 1e-12 * values[-1]:
            return None
        inverses.append(np.linalg.inv(own))
        log_det += len(block.y) * float(np.log(values).sum())
    information = sum(np.einsum("kip,ij,kjq->pq", b.x, w, b.x) for b, w in zip(blocks, inverses, strict=True))
    right = sum(np.einsum("kip,ij,kj->p", b.x, w, b.y) for b, w in zip(blocks, inverses, strict=True))
    covariance = np.linalg.inv(np.asarray(information))
    coef = covariance @ right
    count, p = len(parts), len(coef)
    trace, square, quadratic = np.zeros(count), np.zeros((count, count)), np.zeros((count, count))
    single, mixed = np.zeros((count, p, p)), np.zeros((count, count, p, p))
    residual, crossed, fitted, meat = 0.0, np.zeros(count), np.zeros((count, p)), np.zeros((p, p))
    for block, w in zip(blocks, inverses, strict=True):
        own_parts = parts[:, block.visits][:, :, block.visits]
        wg = w @ own_parts
        wx = np.einsum("ij,kjp->kip", w, block.x)
        r = block.y - block.x @ coef
        wr = r @ w
        residual += float(np.einsum("ki,ki->", r, wr))
        gwr = np.einsum("aij,kj->aki", own_parts, wr)
        gwx = np.einsum("aij,kjp->akip", own_parts, wx)
        trace += len(block.y) * np.einsum("aii->a", wg)
        square += len(block.y) * np.einsum("aij,bji->ab", wg, wg)
        crossed += np.einsum("ki,aki->a", wr, gwr)
        quadratic += np.einsum("aki,ij,bkj->ab", gwr, w, gwr)
        fitted += np.einsum("kip,aki->ap", wx, gwr)
        each = np.einsum("kip,ki->kp", block.x, wr)
        meat += each.T @ each
        single += np.einsum("kip,akiq->apq", wx, gwx)
        mixed += np.einsum("akip,ij,bkjq->abpq", gwx, w, gwx)
    inner = covariance @ single
    trace_p = trace - np.einsum("aii->a", inner)
    square_p = square - 2 * np.einsum("pq,abqp->ab", covariance, mixed) + np.einsum("aij,bji->ab", inner, inner)
    loglik = -0.5 * (n * math.log(2 * math.pi) + log_det + residual)
    if reml:
        loglik += 0.5 * (p * math.log(2 * math.pi) - float(np.linalg.slogdet(np.asarray(information))[1]))
    else:
        trace_p, square_p = trace, square
    return _State(
        loglik,
        coef,
        covariance,
        0.5 * (crossed - trace_p),
        0.5 * square_p,
        quadratic - fitted @ covariance @ fitted.T - 0.5 * square_p,
        covariance @ single @ covariance,
        single,
        mixed,
        meat,
    )
