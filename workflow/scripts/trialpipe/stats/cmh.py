"""Cochran-Mantel-Haenszel statistics of R x C tables in strata (Landis, Heyman and Koch 1978 Int Stat Rev 46:237)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.distributions import chi2_upper

SCORES = ("table", "ridit")


@dataclass(frozen=True)
class Cmh:
    """Chi-square, degrees of freedom and p of the three alternatives; nan where nothing can vary.

    ``general``: any association (df (R - 1)(C - 1)); ``means``: rows differ in mean score of the columns (R - 1);
    ``correlation``: scores of rows and columns are correlated (1).
    """

    general: tuple[float, int, float]
    means: tuple[float, int, float]
    correlation: tuple[float, int, float]


def cmh(
    tables: np.ndarray,
    scores: str = "table",
    row_scores: np.ndarray | None = None,
    column_scores: np.ndarray | None = None,
) -> Cmh:
    """Tests of K strata of R x C counts (K, R, C), margins of each stratum fixed.

    scores ``table``: 1, 2, ... in order, or the scores given; ``ridit``: mean ranks within the stratum over n + 1 (van
    Elteren's weights; with one stratum the test of means is that of Kruskal and Wallis). Strata of fewer than two
    subjects carry no information. Degrees of freedom are the rank of the covariance: of a row or column without
    subjects none. Raises ValueError on other shapes, counts that are negative, fractional or missing, or other scores.
    """
    tables = _counts(tables)
    if scores not in SCORES:
        raise ValueError(f"scores {scores!r} is neither {' nor '.join(SCORES)}")
    k, r, c = tables.shape
    rows = _scores(row_scores, r, "row")
    columns = _scores(column_scores, c, "column")
    cells, spread = np.zeros(r * c), np.zeros((r * c, r * c))
    mean, mean_spread = np.zeros(r), np.zeros((r, r))
    line, line_spread = 0.0, 0.0
    for table in tables:
        n = table.sum()
        if n < 2:
            continue
        by_row, by_column = table.sum(axis=1), table.sum(axis=0)
        gap = table - np.outer(by_row, by_column) / n
        vary_row = (np.diag(by_row) * n - np.outer(by_row, by_row)) / n**2
        vary_column = (np.diag(by_column) * n - np.outer(by_column, by_column)) / n**2
        factor = n**2 / (n - 1)
        cells += gap.ravel()
        spread += factor * np.kron(vary_row, vary_column)
        b = _ridits(by_column) if scores == "ridit" else columns
        a = _ridits(by_row) if scores == "ridit" else rows
        of_columns = float(b @ vary_column @ b)
        mean += gap @ b
        mean_spread += factor * of_columns * vary_row
        line += float(a @ gap @ b)
        line_spread += factor * of_columns * float(a @ vary_row @ a)
    return Cmh(
        _quadratic(cells, spread),
        _quadratic(mean, mean_spread),
        _quadratic(np.array([line]), np.array([[line_spread]])),
    )


def _quadratic(gap: np.ndarray, spread: np.ndarray) -> tuple[float, int, float]:
    """gap' spread^- gap by the eigenvalues that are not 0: the same for every choice of cells left out."""
    size, vectors = np.linalg.eigh(spread)
    kept = size > 1e-10 * max(float(size.max(initial=0.0)), 1e-300)
    if not (size.max(initial=0.0) > 0) or not kept.any():
        return math.nan, 0, math.nan
    along = vectors[:, kept].T @ gap
    chi, df = float((along**2 / size[kept]).sum()), int(kept.sum())
    return chi, df, chi2_upper(chi, df)


def _ridits(margin: np.ndarray) -> np.ndarray:
    below = np.concatenate([[0.0], np.cumsum(margin)[:-1]])
    found: np.ndarray = (below + (margin + 1) / 2) / (margin.sum() + 1)
    return found


def _scores(given: np.ndarray | None, n: int, name: str) -> np.ndarray:
    found = np.arange(1.0, n + 1) if given is None else np.asarray(given, float)
    if found.shape != (n,) or not np.isfinite(found).all():
        raise ValueError(f"{name} scores must be {n} numbers")
    return found


def _counts(tables: np.ndarray) -> np.ndarray:
    found = np.asarray(tables, float)
    if found.ndim != 3 or min(found.shape[1:]) < 2:
        raise ValueError("tables must have the shape K x R x C with at least two rows and columns")
    if np.isnan(found).any() or (found < 0).any() or (found != np.round(found)).any():
        raise ValueError("a count is missing, negative or fractional")
    return found
