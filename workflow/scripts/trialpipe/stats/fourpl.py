"""Four-parameter logistic calibration curve of an immunoassay."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FourPL:
    """Response = a + (b - a)/(1 + exp((xmid - log concentration)/scal)).

    ``se`` in the order a, b, xmid, scal; ``sigma`` residual standard deviation (n - 4 degrees of freedom). nan if the
    fit did not converge or had fewer than five points.
    """

    a: float
    b: float
    xmid: float
    scal: float
    se: np.ndarray
    sigma: float
    converged: bool

    def concentration(self, response: float) -> float:
        """Concentration that gives a response; nan outside the asymptotes."""
        low, high = sorted((self.a, self.b))
        if not low < response < high:
            return math.nan
        return math.exp(self.xmid - self.scal * math.log((self.b - response) / (response - self.a)))


def fit(concentration: np.ndarray, response: np.ndarray, weights: np.ndarray | None = None) -> FourPL:
    """Least squares on the log concentration (natural log), each point weighted by ``weights`` (1 if none).

    Raises ValueError on missing values, concentrations that are not positive, weights that are not positive.
    """
    from scipy.optimize import least_squares

    conc, y = np.asarray(concentration, float), np.asarray(response, float)
    root = np.ones(len(conc)) if weights is None else np.asarray(weights, float)
    if not len(conc) == len(y) == len(root):
        raise ValueError("arrays differ in length")
    if not (np.isfinite(conc).all() and np.isfinite(y).all() and (conc > 0).all() and (root > 0).all()):
        raise ValueError("a response is missing, or a concentration or weight is not positive")
    if len(np.unique(conc)) < 4 or len(y) < 5:
        return _nothing()
    x, root = np.log(conc), np.sqrt(root)
    found = least_squares(
        lambda p: root * (_curve(p, x) - y), _start(x, y), lambda p: root[:, None] * _slopes(p, x), method="lm",
        xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=5000,
    )  # fmt: skip
    jacobian = root[:, None] * _slopes(found.x, x)
    if not found.success or not np.isfinite(found.x).all() or np.linalg.matrix_rank(jacobian) < 4:
        return _nothing()
    sigma = math.sqrt(2 * float(found.cost) / (len(y) - 4))
    se = sigma * np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    a, b, xmid, scal = found.x.tolist()
    return FourPL(a, b, xmid, scal, se, sigma, True)


def _curve(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return p[0] + (p[1] - p[0]) * expit((x - p[2]) / p[3])


def _slopes(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    share = expit((x - p[2]) / p[3])
    steep = (p[1] - p[0]) * share * (1 - share) / p[3]
    return np.column_stack([1 - share, share, -steep, -steep * (x - p[2]) / p[3]])


def _start(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Asymptotes a little outside the data, middle and slope by a line through the logits."""
    margin = 0.05 * (y.max() - y.min()) or 1.0
    low, high = y.min() - margin, y.max() + margin
    logit = np.log((y - low) / (high - y))
    slope, intercept = np.polyfit(x, logit, 1)
    if abs(slope) < 1e-6:
        return np.array([low, high, float(x.mean()), 1.0])
    # a falling curve has its asymptotes the other way round, the scale stays positive
    a, b, sign = (low, high, 1) if slope > 0 else (high, low, -1)
    return np.array([a, b, -intercept / slope, sign / slope])


def _nothing() -> FourPL:
    return FourPL(math.nan, math.nan, math.nan, math.nan, np.full(4, math.nan), math.nan, False)
