"""Linear regression with censored responses, normal errors (Tobin 1958)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

NO_SPREAD = 1e7
"""Spread of the values over that of the residuals at which the fit counts as perfect."""


@dataclass(frozen=True)
class Tobit:
    """Coefficients and the scale with standard errors (the last of ``se`` is of log scale); nan if not estimable."""

    coef: np.ndarray
    scale: float
    se: np.ndarray
    covariance: np.ndarray
    loglik: float
    converged: bool


def tobit(lower: np.ndarray, upper: np.ndarray, covariates: np.ndarray) -> Tobit:
    """Maximum likelihood of a normal response known only to lie in [lower, upper].

    lower = upper: observed; lower -inf: left-censored at upper; upper inf: right-censored at lower. covariates (n, k),
    with a column of ones for the intercept. For a lognormal response give logs (and add -sum(log y) of the observed
    to compare likelihoods). Newton's method in (beta, 1)/sigma, where the likelihood is concave (Olsen 1978).
    Raises ValueError on invalid input.
    """
    low, high, x = np.asarray(lower, float), np.asarray(upper, float), np.asarray(covariates, float)
    x = x.reshape(len(low), -1) if x.ndim != 2 else x
    if not len(low) == len(high) == len(x) or np.isnan(low).any() or np.isnan(high).any() or (low > high).any():
        raise ValueError("responses must be [lower, upper] with lower <= upper and nothing missing")
    if not np.isfinite(x).all():
        raise ValueError("a covariate is missing or infinite")
    k = x.shape[1]
    exact = low == high
    if not k or exact.sum() < 1 or np.linalg.matrix_rank(x) < k:
        return _nothing(k)
    ends = np.concatenate([low, high])
    deviation = float(ends[np.isfinite(ends)].std()) or 1.0
    theta = np.append(np.linalg.lstsq(x, _middle(low, high), rcond=None)[0] / deviation, 1 / deviation)
    value = _likelihood(theta, low, high, x, exact)
    for _ in range(200):
        try:
            step = np.linalg.solve(-value[2], value[1])
        except np.linalg.LinAlgError:
            return _nothing(k)
        scale = 1.0
        while scale > 1e-10:
            if theta[-1] + scale * step[-1] > 0:
                trial = _likelihood(theta + scale * step, low, high, x, exact)
                if trial[0] >= value[0] - 1e-12 * abs(value[0]):
                    break
            scale /= 2
        else:
            return _nothing(k)
        theta, value = theta + scale * step, trial
        # nothing is left over for a spread: the likelihood rises without end
        if theta[-1] * deviation > NO_SPREAD:
            return _nothing(k)
        if np.abs(step).max() < 1e-11 * (1 + np.abs(theta).max()):
            found = _result(theta, value)
            return found if np.isfinite(found.se).all() else _nothing(k)
    return _nothing(k)


def _middle(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    finite_low, finite_high = np.isfinite(low), np.isfinite(high)
    fill = np.where(finite_low, low, np.where(finite_high, high, 0.0))
    return np.where(finite_low & finite_high, (fill + np.where(finite_high, high, 0.0)) / 2, fill)


def _likelihood(
    theta: np.ndarray, low: np.ndarray, high: np.ndarray, x: np.ndarray, exact: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """(log likelihood, gradient, Hessian) in gamma = beta/sigma and tau = 1/sigma."""
    gamma, tau = theta[:-1], theta[-1]
    k = len(gamma)
    ones = np.column_stack([-x, low])[exact]
    residual = ones @ theta
    total = exact.sum() * (math.log(tau) - math.log(2 * math.pi) / 2) - float(residual @ residual) / 2
    gradient, hessian = -(ones.T @ residual), -(ones.T @ ones)
    gradient[k] += exact.sum() / tau
    hessian[k, k] -= exact.sum() / tau**2
    for i in np.nonzero(~exact)[0]:
        value, slope, curve = _interval(theta, low[i], high[i], x[i])
        total, gradient, hessian = total + value, gradient + slope, hessian + curve
    return float(total), gradient, hessian


def _interval(theta: np.ndarray, low: float, high: float, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    from scipy.special import log_ndtr

    ends = []
    for bound in (low, high):
        direction = np.append(-x, bound if math.isfinite(bound) else 0.0)
        ends.append((float(direction @ theta) if math.isfinite(bound) else bound, direction))
    (a, to_a), (b, to_b) = ends
    # in the upper tail the difference of two numbers near 1 loses everything: mirror it
    left, right = (a, b) if a + b <= 0 else (-b, -a)
    top, bottom = float(log_ndtr(right)), float(log_ndtr(left))
    log_p = top if left == -math.inf else top + math.log(-math.expm1(min(bottom - top, -1e-300)))
    f_a, f_b = (
        0.0 if math.isinf(v) else sign * math.exp(-v * v / 2 - math.log(2 * math.pi) / 2 - log_p)
        for v, sign in ((a, -1), (b, 1))
    )
    f_aa = -f_a * (0.0 if math.isinf(a) else a) - f_a * f_a
    f_bb = -f_b * (0.0 if math.isinf(b) else b) - f_b * f_b
    cross = np.outer(to_a, to_b)
    curve = f_aa * np.outer(to_a, to_a) + f_bb * np.outer(to_b, to_b) - f_a * f_b * (cross + cross.T)
    return log_p, f_a * to_a + f_b * to_b, curve


def _result(theta: np.ndarray, value: tuple[float, np.ndarray, np.ndarray]) -> Tobit:
    k = len(theta) - 1
    gamma, tau = theta[:-1], theta[-1]
    # delta method to (beta, log sigma) = (gamma/tau, -log tau)
    jacobian = np.zeros((k + 1, k + 1))
    jacobian[:k, :k] = np.eye(k) / tau
    jacobian[:k, k] = -gamma / tau**2
    jacobian[k, k] = -1 / tau
    covariance = jacobian @ np.linalg.inv(-value[2]) @ jacobian.T
    spread = np.diag(covariance)
    se = np.sqrt(np.where(spread > 0, spread, math.nan))
    return Tobit(gamma / tau, float(1 / tau), se, covariance, value[0], True)


def _nothing(k: int) -> Tobit:
    empty = np.full((k + 1, k + 1), math.nan)
    return Tobit(np.full(k, math.nan), math.nan, np.full(k + 1, math.nan), empty, math.nan, False)
