"""Performance of an analysis over many trials: bias, coverage, error rates, each with its Monte Carlo error.

Definitions and standard errors: Morris, White and Crowther 2019, Stat Med 38:2074, table 6. Exact characteristics are
the same sums with the probability of each possible result as weight, and have no error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

VALUES = ("estimate", "std_err", "lower", "upper", "rejects", "patients", "stops")
EXACT, SIMULATED = "exact", "simulated"
REJECTION = {"null": "type I error", "alternative": "power", "other": "rejection"}


@dataclass(frozen=True)
class Sample:
    """Readings of one measure: arrays by name, one entry per replicate, or per possible result with its probability."""

    scenario: str
    analysis: str
    measure: str
    truth: str
    unit: str
    values: Mapping[str, np.ndarray]
    weights: np.ndarray | None


@dataclass(frozen=True)
class Mean:
    """A mean over replicates (with its Monte Carlo standard error) or over all results (error nan)."""

    value: float
    error: float
    spread: float
    count: int


def mean(values: np.ndarray, weights: np.ndarray | None) -> Mean:
    """Mean and standard deviation of what is defined; nan without any."""
    known = ~np.isnan(values)
    values = values[known]
    if not len(values):
        return Mean(math.nan, math.nan, math.nan, 0)
    if weights is not None:
        chances = weights[known] / math.fsum(weights[known])
        centre = math.fsum(chances * values)
        return Mean(centre, math.nan, math.sqrt(math.fsum(chances * (values - centre) ** 2)), len(values))
    centre, count = math.fsum(values) / len(values), len(values)
    spread = math.sqrt(math.fsum((values - centre) ** 2) / (count - 1)) if count > 1 else math.nan
    return Mean(centre, spread / math.sqrt(count), spread, count)


def share(hits: np.ndarray, weights: np.ndarray | None) -> Mean:
    """A probability; its Monte Carlo error is sqrt(p (1 - p) / n)."""
    found = mean(hits, weights)
    if weights is not None or not found.count:
        return found
    error = math.sqrt(found.value * (1 - found.value) / found.count)
    return Mean(found.value, error, found.spread, found.count)


def performance(sample: Sample, truth: float, role: str) -> list[dict[str, object]]:
    """Rows of the contract CHARACTERISTICS, without ``order``. ``truth`` nan: neither bias nor coverage is defined."""
    values, weights = sample.values, sample.weights
    found: list[tuple[str, str, Mean]] = []
    if not np.isnan(values["rejects"]).all():
        found.append((REJECTION[role], "probability", share(values["rejects"], weights)))
    if not np.isnan(values["stops"]).all():
        found.append(("stop after stage 1", "probability", share(values["stops"], weights)))
        found.append(("patients", "patients", mean(values["patients"], weights)))
    if not np.isnan(values["estimate"]).all():
        found += _estimate(sample, truth)
    count = 0 if weights is not None else len(values["estimate"])
    return [
        {
            "scenario": sample.scenario,
            "method": EXACT if weights is not None else SIMULATED,
            "analysis": sample.analysis,
            "measure": sample.measure,
            "quantity": quantity,
            "unit": unit,
            "truth": truth,
            "value": number.value,
            "mcse": number.error,
            "replicates": count,
        }
        for quantity, unit, number in found
    ]


def _estimate(sample: Sample, truth: float) -> list[tuple[str, str, Mean]]:
    values, weights, unit = sample.values, sample.weights, sample.unit
    estimates = mean(values["estimate"], weights)
    found = [("mean estimate", unit, estimates)]
    if not math.isnan(truth):
        found.append(("bias", unit, mean(values["estimate"] - truth, weights)))
    # error of a standard deviation of n values: sd / sqrt(2 (n - 1))
    error = estimates.spread / math.sqrt(2 * (estimates.count - 1)) if estimates.count > 1 else math.nan
    error = math.nan if weights is not None else error
    found.append(("empirical standard error", unit, Mean(estimates.spread, error, math.nan, estimates.count)))
    if not np.isnan(values["std_err"]).all():
        found.append(("mean model standard error", unit, _model(values["std_err"], weights)))
    lower, upper = values["lower"], values["upper"]
    known = ~(np.isnan(lower) | np.isnan(upper))
    if known.any():
        if not math.isnan(truth):
            covers = np.where(known, ((lower <= truth) & (truth <= upper)).astype(float), np.nan)
            found.append(("coverage", "probability", share(covers, weights)))
        found.append(("mean width", unit, mean(upper - lower, weights)))
    undefined = (np.isnan(values["estimate"]) | (~known if known.any() else False)).astype(float)
    lacking = share(undefined, weights)
    return [*found, ("undefined", "probability", lacking)] if lacking.value > 0 else found


def _model(errors: np.ndarray, weights: np.ndarray | None) -> Mean:
    """Root of the mean variance; its error is sqrt(var(se^2) / (4 n mean(se^2)))."""
    squares = mean(errors**2, weights)
    root = math.sqrt(squares.value)
    return Mean(root, squares.error / (2 * root) if root else math.nan, math.nan, squares.count)
