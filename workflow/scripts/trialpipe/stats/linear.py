"""Linear models by least squares: analysis of covariance with adjusted means, contrasts and tests of terms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trialpipe.stats.distributions import f_upper, t_p, t_quantile, two_sided_z
from trialpipe.stats.inputs import labels, matrix, same_length

ESTIMABLE = 1e-8
"""Largest part of a contrast outside the rows of the design that counts as rounding error."""


class Contrast(NamedTuple):
    """A weighted sum of coefficients: t interval and two-sided test against 0; nan where the data do not hold it."""

    value: float
    std_err: float
    df: float
    lower: float
    upper: float
    t: float
    p: float


class TermTest(NamedTuple):
    """F test of all coefficients of a term; nan where the term adds nothing to the others or no spread is left."""

    f: float
    df: int
    df_residual: int
    p: float


@dataclass(frozen=True)
class Linear:
    """``coef`` (p,) (of the smallest length, where x is not of full rank), ``unscaled`` its covariance over sigma^2.

    ``projection`` (p, p) maps a contrast on those the data determine; ``variance``: residual, nan without degrees of
    freedom ``df``.
    """

    coef: np.ndarray
    unscaled: np.ndarray
    projection: np.ndarray
    residual: float
    variance: float
    df: int
    rank: int
    n: int


def least_squares(y: np.ndarray, x: np.ndarray) -> Linear:
    """Fit of ``y`` (n,) on ``x`` (n, p), which need not be of full rank. Raises ValueError on missing values."""
    y = np.asarray(y, float)
    if y.ndim != 1 or not np.isfinite(y).all():
        raise ValueError("a value is missing or infinite")
    x = matrix(x, len(y))
    # columns of one size, so that the rank does not depend on units
    scale = np.sqrt(np.square(x).sum(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    u, size, v = np.linalg.svd(x / scale, full_matrices=False)
    kept = size > 1e-10 * (size[0] if len(size) else 1.0)
    rank = int(kept.sum())
    u, size, v = u[:, kept], size[kept], v[kept]
    coef = (v.T @ ((u.T @ y) / size)) / scale
    inverse = (v.T / size**2) @ v / np.outer(scale, scale)
    projection = (v.T @ v) * scale[None, :] / scale[:, None]
    rest = y - u @ (u.T @ y)
    residual, df = float(rest @ rest), len(y) - rank
    if residual <= 1e-24 * max(1.0, float(y @ y)):
        residual = 0.0
    return Linear(coef, inverse, projection, residual, residual / df if df > 0 else math.nan, df, rank, len(y))


def contrast(model: Linear, weights: np.ndarray, conf_level: float = 0.95) -> Contrast:
    """Weighted sum of the coefficients. All nan if the data do not determine it; no interval without a spread."""
    two_sided_z(conf_level)  # refuses a level outside (0, 1)
    w = np.asarray(weights, float)
    away = np.abs(w @ model.projection - w)
    if model.rank == 0 or (away > ESTIMABLE * max(1.0, float(np.abs(w).max(initial=0.0)))).any():
        return Contrast(*[math.nan] * 7)
    value = float(w @ model.coef)
    error = math.sqrt(max(0.0, float(w @ model.unscaled @ w) * model.variance))
    if not error > 0:
        return Contrast(value, math.nan, float(model.df) or math.nan, *[math.nan] * 4)
    half = t_quantile(model.df, 0.5 + conf_level / 2) * error
    t = value / error
    return Contrast(value, error, float(model.df), value - half, value + half, t, t_p(t, model.df))


def drop_term(y: np.ndarray, x: np.ndarray, columns: Sequence[int]) -> TermTest:
    """F test of ``columns`` of ``x`` given all others (type III of a model without interactions; type II as well)."""
    x = np.asarray(x, float)
    full = least_squares(y, x)
    less = least_squares(y, np.delete(x, list(columns), axis=1))
    df = full.rank - less.rank
    if df < 1 or not full.variance > 0:
        return TermTest(math.nan, max(df, 0), full.df, math.nan)
    f = max(0.0, less.residual - full.residual) / df / full.variance
    return TermTest(f, df, full.df, f_upper(f, df, full.df))


@dataclass(frozen=True)
class Ancova:
    """A fitted analysis of covariance; ``groups``: labels in order. Use ``mean``, ``difference`` and ``tests``."""

    groups: list
    model: Linear
    y: np.ndarray
    x: np.ndarray
    terms: dict[str, tuple[int, ...]]
    base: np.ndarray

    def mean(self, group: int, conf_level: float = 0.95) -> Contrast:
        """Adjusted mean of a group (its place in ``groups``)."""
        return contrast(self.model, self._row(group), conf_level)

    def difference(self, first: int, second: int, conf_level: float = 0.95) -> Contrast:
        """Adjusted mean of the first group minus that of the second."""
        return contrast(self.model, self._row(first) - self._row(second), conf_level)

    def tests(self) -> dict[str, TermTest]:
        """F test of each term given all others."""
        return {name: drop_term(self.y, self.x, columns) for name, columns in self.terms.items()}

    def _row(self, group: int) -> np.ndarray:
        found = self.base.copy()
        found[group] = 1.0
        return found


GROUP = "group"


def ancova(
    y: np.ndarray,
    group: np.ndarray,
    covariates: dict[str, np.ndarray] | None = None,
    factors: dict[str, np.ndarray] | None = None,
    weights: str = "equal",
    order: Sequence | None = None,
) -> Ancova:
    """Analysis of covariance without interactions: y on group, numbers ``covariates`` and labels ``factors``.

    Adjusted means hold covariates at their mean; levels of factors count alike (``equal``, least-squares means) or as
    often as observed (``proportional``, observed margins) (Searle, Speed and Milliken 1980 Am Stat 34:216). ``order``:
    groups in the order wanted, of which one may have no patient. Raises ValueError on missing values or other weights.
    """
    if weights not in ("equal", "proportional"):
        raise ValueError(f"weights {weights!r} is neither equal nor proportional")
    y = np.asarray(y, float)
    known, index = labels(group, len(y), "group")
    names = list(order) if order is not None else known
    if set(known) - set(names):
        raise ValueError("a group is not in the order")
    place = np.array([names.index(v) for v in known], int)
    blocks = [np.eye(len(names))[place[index]] if len(y) else np.zeros((0, len(names)))]
    base = [np.zeros(len(names))]
    terms = {GROUP: tuple(range(len(names)))}
    at = len(names)
    for name, values in (covariates or {}).items():
        column = np.asarray(values, float)
        if column.shape != y.shape or not np.isfinite(column).all():
            raise ValueError(f"covariate {name} must have a number for each value of y")
        blocks.append(column[:, None])
        base.append(np.array([column.mean() if len(y) else 0.0]))
        terms[name] = (at,)
        at += 1
    for name, values in (factors or {}).items():
        same_length(len(y), np.asarray(values), name)
        levels, code = labels(values, len(y), name)
        block = np.eye(len(levels))[code] if len(y) else np.zeros((0, 0))
        blocks.append(block)
        share = block.mean(axis=0) if len(y) else np.zeros(0)
        base.append(np.full(len(levels), 1 / len(levels)) if weights == "equal" and levels else share)
        terms[name] = tuple(range(at, at + len(levels)))
        at += len(levels)
    x = np.column_stack(blocks)
    # the constant is in the span of the groups; without it a dropped group term would take the constant with it
    constant = np.ones((len(y), 1))
    x = np.column_stack([x, constant])
    return Ancova(names, least_squares(y, x), y, x, terms, np.concatenate([*base, [1.0]]))
