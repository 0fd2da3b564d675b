"""Cumulative incidence of a patient under a Fine-Gray regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trialpipe.stats.finegray import FineGray, subjects_at_risk
from trialpipe.stats.inputs import matrix


def predicted_incidence(
    fit: FineGray,
    time: np.ndarray,
    cause: np.ndarray,
    covariates: np.ndarray,
    of: int,
    patient: np.ndarray,
    at: Sequence[float] | np.ndarray,
    censoring_group: np.ndarray | None = None,
) -> np.ndarray:
    """1 - exp(-H(t) exp(x'b)) at each time, H Breslow's estimate of the subdistribution hazard (Fine and Gray 1999).

    Data as given to ``fine_gray``; ``patient`` (k,): covariates of the patient. nan unless the fit converged. Raises
    ValueError if the numbers of covariates differ.
    """
    x = matrix(covariates, len(time))
    z = np.asarray(patient, float)
    if len(fit.coef) != x.shape[1] or z.shape != fit.coef.shape:
        raise ValueError(f"the fit has {len(fit.coef)} covariates")
    when = np.asarray(at, float)
    if not fit.converged:
        return np.full(len(when), np.nan)
    points, deaths, weights = subjects_at_risk(time, cause, of, censoring_group)
    risk = np.exp((x - z) @ fit.coef)
    hazard = np.concatenate([[0.0], np.cumsum(deaths / (weights @ risk))])
    found: np.ndarray = -np.expm1(-hazard[np.searchsorted(points, when, side="right")])
    return found
