"""Group-sequential designs: boundaries of the standardised statistic, levels, power, expected information.

The statistics of K looks have the canonical joint distribution: Z_k normal with mean drift x sqrt(t_k), variance 1 and
covariance sqrt(t_j/t_k), t the share of the maximum information (Jennison and Turnbull, Group Sequential Methods, 2000,
chapter 3). Probabilities by the recursion of Armitage, McPherson and Rowe (J R Stat Soc A 1969;132:235) with
Gauss-Legendre quadrature. Boundaries of a test in which a look may be passed over without error: futility bounds are
not binding, that is, not used for the level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from trialpipe.stats.distributions import normal_p, normal_quantile

Kind = Literal["O'Brien-Fleming", "Pocock", "Wang-Tsiatis", "Haybittle-Peto"]
Spending = Literal["O'Brien-Fleming", "Pocock", "Kim-DeMets", "Hwang-Shih-DeCani"]
_NODES = 160
_FAR = 9.0
"""Beyond this many standard deviations nothing is integrated (1e-19)."""


@dataclass(frozen=True)
class Design:
    """Looks at the shares ``information`` of the maximum information; ``upper`` critical values of Z, per look.

    ``levels``: one-sided level of each look alone; ``spent``: level spent up to it, over both sides if ``sided`` is 2.
    """

    information: tuple[float, ...]
    upper: tuple[float, ...]
    levels: tuple[float, ...]
    spent: tuple[float, ...]
    alpha: float
    sided: int


@dataclass(frozen=True)
class Crossing:
    """Probabilities to cross ``upper`` or ``lower`` first at each look, and what they sum to."""

    upper: tuple[float, ...]
    lower: tuple[float, ...]
    expected_information: float

    @property
    def power(self) -> float:
        """Probability ever to cross the upper boundary."""
        return math.fsum(self.upper)


def looks(k: int) -> tuple[float, ...]:
    """Equal shares 1/k, 2/k, ..., 1. Raises ValueError unless k >= 1."""
    if k < 1:
        raise ValueError("a design has at least one look")
    return tuple((i + 1) / k for i in range(k))


def crossing(
    information: Sequence[float], upper: Sequence[float], lower: Sequence[float] | None = None, drift: float = 0.0
) -> Crossing:
    """First crossings with Z_k of mean ``drift`` x sqrt(t_k); no ``lower`` is never crossing downwards.

    ``information`` as shares, rising, the last at most 1. Raises ValueError for shares that do not rise from above 0,
    for lengths that differ, and for a lower bound above its upper one.
    """
    t = _shares(information)
    high = list(upper)
    low = [-math.inf] * len(t) if lower is None else list(lower)
    if not len(t) == len(high) == len(low):
        raise ValueError("looks and bounds differ in number")
    if any(a > b for a, b in zip(low, high, strict=True)):
        raise ValueError("a lower bound is above the upper one")
    ups, downs, state = [], [], _first(drift)
    for i, share in enumerate(t):
        up, down = _beyond(state, share, high[i], drift), _beyond(state, share, low[i], drift, below=True)
        ups.append(up)
        downs.append(down)
        state = _continue(state, share, low[i], high[i], drift)
    reached = 1 - np.concatenate([[0.0], np.cumsum(np.array(ups) + np.array(downs))[:-1]])
    steps = np.diff(np.concatenate([[0.0], t]))
    return Crossing(tuple(ups), tuple(downs), float(math.fsum(steps * reached)))


@dataclass(frozen=True)
class _State:
    """Sub-density of Z at the last look on the nodes where the trial goes on; weights hold density and quadrature."""

    share: float
    nodes: np.ndarray
    weights: np.ndarray


def _first(drift: float) -> _State:
    return _State(0.0, np.array([0.0]), np.array([1.0]))


def _moves(state: _State, share: float, drift: float) -> tuple[np.ndarray, float]:
    """Mean of Z sqrt(share) from each node, and its standard deviation."""
    step = share - state.share
    return state.nodes * math.sqrt(state.share) + drift * step, math.sqrt(step)


def _beyond(state: _State, share: float, bound: float, drift: float, below: bool = False) -> float:
    from scipy.special import ndtr

    if math.isinf(bound):
        return 0.0
    mean, sd = _moves(state, share, drift)
    z = (mean - bound * math.sqrt(share)) / sd
    return float(math.fsum(state.weights * ndtr(-z if below else z)))


def _continue(state: _State, share: float, low: float, high: float, drift: float) -> _State:
    centre = drift * math.sqrt(share)
    start, end = max(low, centre - _FAR), min(high, centre + _FAR)
    if start >= end:
        return _State(share, np.array([0.0]), np.array([0.0]))
    x, w = _rule()
    nodes = (start + end) / 2 + (end - start) / 2 * x
    mean, sd = _moves(state, share, drift)
    root = math.sqrt(share)
    z = (nodes[:, None] * root - mean[None, :]) / sd
    density = (np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * (root / sd)) @ state.weights
    return _State(share, nodes, w * (end - start) / 2 * density)


@lru_cache(maxsize=1)
def _rule() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(_NODES)


def _shares(information: Sequence[float]) -> tuple[float, ...]:
    t = tuple(float(x) for x in information)
    if not t or t[0] <= 0 or t[-1] > 1 + 1e-12 or any(a >= b for a, b in zip(t, t[1:], strict=False)):
        raise ValueError("shares of information rise from above 0 to at most 1")
    return t


def _check(alpha: float, sided: int) -> None:
    if sided not in (1, 2):
        raise ValueError("a test has one or two sides")
    if not 0 < alpha < 0.5 * sided:
        raise ValueError("alpha must lie between 0 and one half per side")


def spending(kind: Spending, alpha: float, share: float, sided: int = 1, parameter: float | None = None) -> float:
    """Level spent up to a share of the information, over all sides; alpha from share 1 on.

    ``O'Brien-Fleming``: sided x 2 (1 - Phi(z_(1 - alpha/(2 sided))/sqrt(t))); ``Pocock``: alpha ln(1 + (e - 1) t) (Lan
    and DeMets 1983); ``Kim-DeMets``: alpha t^parameter (parameter > 0); ``Hwang-Shih-DeCani``:
    alpha (1 - exp(-parameter t))/(1 - exp(-parameter)). Raises ValueError for others and for a missing parameter.
    """
    _check(alpha, sided)
    if share >= 1:
        return alpha
    if share <= 0:
        return 0.0
    if kind == "O'Brien-Fleming":
        z = normal_quantile(1 - alpha / (2 * sided))
        return sided * 2 * normal_p(z / math.sqrt(share), "greater")
    if kind == "Pocock":
        return alpha * math.log1p((math.e - 1) * share)
    if parameter is None:
        raise ValueError(f"the spending function of {kind} needs a parameter")
    if kind == "Kim-DeMets":
        if parameter <= 0:
            raise ValueError("the power of a spending function must be positive")
        return float(alpha * share**parameter)
    if kind == "Hwang-Shih-DeCani":
        return alpha * (share if parameter == 0 else math.expm1(-parameter * share) / math.expm1(-parameter))
    raise ValueError(f"'{kind}' is no spending function")


def by_spending(
    information: Sequence[float],
    alpha: float,
    kind: Spending,
    sided: int = 1,
    parameter: float | None = None,
) -> Design:
    """Boundaries that spend alpha by a function of the information (Lan and DeMets, Biometrika 1983;70:659)."""
    t = _shares(information)
    return from_spent(t, [spending(kind, alpha, share, sided, parameter) for share in t], sided)


def from_spent(information: Sequence[float], spent: Sequence[float], sided: int = 1) -> Design:
    """Boundaries for the level spent up to each look. Raises ValueError unless it rises from at least 0."""
    from scipy.optimize import brentq

    t = _shares(information)
    if len(spent) != len(t) or any(a > b for a, b in zip([0.0, *spent], spent, strict=False)):
        raise ValueError("the level spent must rise, one value for each look")
    _check(spent[-1], sided)
    state, upper, before = _first(0.0), [], 0.0
    for share, total in zip(t, spent, strict=True):
        wanted = (total - before) / sided
        bound = math.inf
        if wanted > 1e-15:
            here, at = state, share
            bound = float(brentq(lambda u: _beyond(here, at, u, 0.0) - wanted, -_FAR, _FAR, xtol=1e-12))  # noqa: B023
        upper.append(bound)
        state = _continue(state, share, -bound if sided == 2 else -math.inf, bound, 0.0)
        before = total
    return _design(t, upper, spent[-1], sided)


def by_shape(
    information: Sequence[float],
    alpha: float,
    kind: Kind,
    sided: int = 1,
    delta: float | None = None,
    constant: float = 3.0,
) -> Design:
    """Boundaries of a given shape with level ``alpha``.

    ``O'Brien-Fleming``: c/sqrt(t); ``Pocock``: c; ``Wang-Tsiatis``: c t^(delta - 1/2) (1987); ``Haybittle-Peto``:
    ``constant`` before the last look, which takes what is left. Raises ValueError for others, for a missing delta, and
    for a constant that spends all of alpha before the last look.
    """
    from scipy.optimize import brentq

    _check(alpha, sided)
    t = _shares(information)
    shape = _shape(kind, t, delta, constant)

    def excess(c: float) -> float:
        return sided_level(t, shape(c), sided)[-1] - alpha

    if excess(_FAR) > 0:
        raise ValueError("the looks before the last spend more than alpha")
    found = float(brentq(excess, 0.05, _FAR, xtol=1e-12))
    return _design(t, shape(found), alpha, sided)


def _shape(kind: str, t: Sequence[float], delta: float | None, constant: float) -> Callable[[float], list[float]]:
    if kind == "Haybittle-Peto":
        return lambda c: [*[constant] * (len(t) - 1), c]
    powers = {"O'Brien-Fleming": -0.5, "Pocock": 0.0}
    if kind == "Wang-Tsiatis":
        if delta is None:
            raise ValueError("boundaries of Wang and Tsiatis need delta")
        power = delta - 0.5
    elif kind in powers:
        power = powers[kind]
    else:
        raise ValueError(f"'{kind}' is no shape of boundaries")
    return lambda c: [c * share**power for share in t]


def sided_level(information: Sequence[float], upper: Sequence[float], sided: int = 1) -> tuple[float, ...]:
    """Level spent up to each look by these bounds, over ``sided`` sides."""
    lower = [-u for u in upper] if sided == 2 else None
    found = crossing(information, upper, lower)
    sums = np.cumsum(np.array(found.upper) + np.array(found.lower))
    return tuple(float(x) for x in sums)


def _design(t: Sequence[float], upper: Sequence[float], alpha: float, sided: int) -> Design:
    levels = tuple(normal_p(u, "greater") for u in upper)
    return Design(tuple(t), tuple(upper), levels, sided_level(t, upper, sided), alpha, sided)


def operating(design: Design, drift: float, lower: Sequence[float] | None = None) -> Crossing:
    """Crossings under a drift (mean of Z at full information), with futility bounds ``lower`` if given.

    A two-sided design without futility bounds also stops at the negative bounds.
    """
    low = lower if lower is not None else [-u for u in design.upper] if design.sided == 2 else None
    return crossing(design.information, design.upper, low, drift)


def drift_for(design: Design, power: float, lower: Sequence[float] | None = None) -> float:
    """Drift at which the upper boundary is crossed with probability ``power``; its square is the information x
    squared effect to plan for. Raises ValueError unless the power lies between the level and 1.
    """
    from scipy.optimize import brentq

    if not design.alpha < power < 1:
        raise ValueError("power must lie between alpha and 1")
    return float(brentq(lambda d: operating(design, d, lower).power - power, 0.0, 15.0, xtol=1e-12))


def inflation(design: Design, power: float, lower: Sequence[float] | None = None) -> float:
    """Maximum information over that of the test without interim looks (Jennison and Turnbull, section 2.3)."""
    fixed = normal_quantile(1 - design.alpha / design.sided) + normal_quantile(power)
    return (drift_for(design, power, lower) / fixed) ** 2
