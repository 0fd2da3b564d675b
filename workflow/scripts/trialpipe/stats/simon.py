"""Two-stage (Simon) and single-stage (A'Hern) designs: search, characteristics, inference, toxicity boundary."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialpipe.stats.distributions import binomial_lower, binomial_mass, binomial_upper, bisect


@dataclass(frozen=True)
class TwoStage:
    """Stop for futility after n1 patients with at most r1 responses; promising with more than r responses of n.

    Raises ValueError unless 0 <= r1 < n1 < n and r1 <= r < n.
    """

    r1: int
    n1: int
    r: int
    n: int

    def __post_init__(self) -> None:
        if not (0 <= self.r1 < self.n1 < self.n and self.r1 <= self.r < self.n):
            raise ValueError(f"{self.r1}/{self.n1} then {self.r}/{self.n} is not a two-stage design")


@dataclass(frozen=True)
class Characteristics:
    """At a response probability: chance of a promising result, of stopping after stage 1, expected size."""

    promising: float
    stop_early: float
    expected_n: float


def characteristics(design: TwoStage, p: float) -> Characteristics:
    """Operating characteristics (Simon 1989, Control Clin Trials 10:1). Raises ValueError unless 0 <= p <= 1."""
    _probability(p)
    stop = binomial_lower(design.r1, design.n1, p)
    return Characteristics(tail(design, design.r + 1, p), stop, design.n1 + (1 - stop) * (design.n - design.n1))


@dataclass(frozen=True)
class Candidate:
    """A design with its expected size and chance of stopping early under the null probability."""

    design: TwoStage
    expected_n: float
    stop_early: float


def search(p0: float, p1: float, alpha: float, beta: float, max_n: int = 100) -> list[Candidate]:
    """For each n up to ``max_n`` the design with the smallest expected size under p0 that meets both error rates.

    Type I error P(promising; p0) <= alpha, power P(promising; p1) >= 1 - beta. Sizes without design are left out; of
    designs of equal expected size the one with the smallest n1 and the largest r (least type I error), as clinfun.
    The first is the minimax design (``minimax``).
    Raises ValueError unless 0 < p0 < p1 < 1 and the error rates lie in (0, 1).
    """
    _check_design(p0, p1, alpha, beta)
    masses = {p: [_masses(n, p) for n in range(max_n + 1)] for p in (p0, p1)}
    found = []
    for n in range(2, max_n + 1):
        best = None
        for n1 in range(1, n):
            candidate = _best_first_stage(n1, n, masses[p0], masses[p1], alpha, beta, best)
            best = candidate or best
        if best is not None:
            found.append(best)
    return found


def _best_first_stage(
    n1: int, n: int, null: list, other: list, alpha: float, beta: float, best: Candidate | None
) -> Candidate | None:
    """The design with this first stage if its expected size is below that of ``best``; the largest r1 has the least."""
    stop = np.cumsum(null[n1])
    miss = np.cumsum(other[n1])
    for r1 in range(int((miss <= beta).sum()) - 1, -1, -1):
        expected = n1 + (1 - float(stop[r1])) * (n - n1)
        if best is not None and expected >= best.expected_n - 1e-12:
            return None
        # both chances fall with r: the largest r with enough power has the least type I error
        r = int((_promising(other[n1], other[n - n1], r1) >= 1 - beta).sum()) - 1
        if r1 <= r < n and _promising(null[n1], null[n - n1], r1)[r] <= alpha:
            return Candidate(TwoStage(r1, n1, r, n), expected, float(stop[r1]))
    return None


def _promising(first: np.ndarray, second: np.ndarray, r1: int) -> np.ndarray:
    """Chance of more than r responses in all and more than r1 in the first stage, for r = 0..n."""
    passed = first.copy()
    passed[: r1 + 1] = 0.0
    total = np.convolve(passed, second)
    above = np.cumsum(total[::-1])[::-1]
    return np.append(above[1:], 0.0)


def _masses(n: int, p: float) -> np.ndarray:
    return np.array([binomial_mass(k, n, p) for k in range(n + 1)])


def optimal(candidates: list[Candidate]) -> Candidate:
    """Smallest expected size under the null, then smallest n. Raises ValueError without candidates."""
    _some(candidates)
    return min(candidates, key=lambda c: (c.expected_n, c.design.n))


def minimax(candidates: list[Candidate]) -> Candidate:
    """Smallest n, then smallest expected size. Raises ValueError without candidates."""
    _some(candidates)
    return min(candidates, key=lambda c: (c.design.n, c.expected_n))


def admissible(candidates: list[Candidate]) -> list[tuple[Candidate, float, float]]:
    """Designs that minimise q n + (1 - q) EN for some q (Jung, Lee, Kim, George 2004), with the range of q of each.

    From the minimax design (q up to 1) to the optimal one (q from 0).
    """
    _some(candidates)
    current, high = minimax(candidates), 1.0
    found: list[tuple[Candidate, float, float]] = []
    while True:
        later = [c for c in candidates if c.design.n > current.design.n and c.expected_n < current.expected_n]
        if not later:
            return [*found, (current, 0.0, high)]

        def switch(c: Candidate, at: Candidate = current) -> float:
            gain = at.expected_n - c.expected_n
            return gain / (gain + c.design.n - at.design.n)

        following = max(later, key=lambda c: (switch(c), c.design.n))
        found.append((current, switch(following), high))
        current, high = following, switch(following)


def tail(design: TwoStage, x: int, p: float) -> float:
    """P(outcome at least as high as x responses; p) in the stage-wise order: stopping early lies below going on.

    x <= r1: stopped after stage 1, P(X1 >= x). x > r1: sum over x1 > r1 of b(x1; n1, p) P(X2 >= x - x1) (Koyama and
    Chen 2008, Stat Med 27:3145). Raises ValueError unless 0 <= x <= n.
    """
    _outcome(design, x)
    _probability(p)
    if x <= design.r1:
        return binomial_upper(x, design.n1, p)
    n2 = design.n - design.n1
    return math.fsum(
        binomial_mass(x1, design.n1, p) * binomial_upper(x - x1, n2, p) for x1 in range(design.r1 + 1, design.n1 + 1)
    )


def umvue(design: TwoStage, x: int) -> float:
    """Unbiased estimate of the response probability after x responses (Jung and Kim 2004, Stat Med 23:881).

    x <= r1 means stopped after stage 1: x/n1. Raises ValueError unless 0 <= x <= n.
    """
    _outcome(design, x)
    if x <= design.r1:
        return x / design.n1
    n1, n2 = design.n1, design.n - design.n1
    paths = range(max(design.r1 + 1, x - n2), min(n1, x) + 1)
    over = sum(math.comb(n1 - 1, x1 - 1) * math.comb(n2, x - x1) for x1 in paths)
    return over / sum(math.comb(n1, x1) * math.comb(n2, x - x1) for x1 in paths)


@dataclass(frozen=True)
class Inference:
    """After a two-stage trial run as planned: estimates, p-value and interval in the stage-wise order.

    ``naive`` responses over patients; ``median`` the median-unbiased estimate. Limits are nan for x = 0, where
    P(outcome >= 0) is 1 for every p, but for the lower limit 0.
    """

    stopped_early: bool
    promising: bool
    naive: float
    umvue: float
    median: float
    p: float
    lower: float
    upper: float


def inference(design: TwoStage, x: int, p0: float, conf_level: float = 0.90) -> Inference:
    """Inference after x responses: p-value and interval of Koyama and Chen 2008, estimate of Jung and Kim 2004.

    The interval solves tail(x; p) = a and = 1 - a with a = (1 - conf_level)/2; conf_level 0.90 goes with a one-sided
    test at 0.05 (clinfun's default). Only for trials with the planned number of patients: after under- or overrunning
    the design no longer has these properties. Raises ValueError on invalid input.
    """
    _outcome(design, x)
    _probability(p0)
    if not 0 < conf_level < 1:
        raise ValueError("conf_level must lie between 0 and 1")
    stopped = x <= design.r1
    a = (1 - conf_level) / 2
    lower = 0.0 if x == 0 else _solve(design, x, a)
    median, upper = (math.nan, math.nan) if x == 0 else (_solve(design, x, 0.5), _solve(design, x, 1 - a))
    naive = x / (design.n1 if stopped else design.n)
    return Inference(stopped, x > design.r, naive, umvue(design, x), median, tail(design, x, p0), lower, upper)


def _solve(design: TwoStage, x: int, target: float) -> float:
    return bisect(lambda p: tail(design, x, p) - target, 0.0, 1.0)


@dataclass(frozen=True)
class SingleStage:
    """Promising with more than r responses of n; exact error rates."""

    r: int
    n: int
    type1: float
    type2: float


def single_stage(p0: float, p1: float, alpha: float, beta: float, solutions: int = 1) -> list[SingleStage]:
    """The smallest sizes that meet both error rates exactly (A'Hern 2001, Stat Med 20:859), ``solutions`` of them.

    Not every larger n qualifies: the test is discrete. Raises ValueError on invalid input.
    """
    _check_design(p0, p1, alpha, beta)
    found: list[SingleStage] = []
    n = 0
    while len(found) < solutions:
        n += 1
        r = next(r for r in range(n + 1) if binomial_upper(r + 1, n, p0) <= alpha)
        missed = binomial_lower(r, n, p1)
        if missed <= beta:
            found.append(SingleStage(r, n, binomial_upper(r + 1, n, p0), missed))
    return found


@dataclass(frozen=True)
class Crossing:
    """At a toxicity probability: chance of ever exceeding the boundary, of doing so before the last look, mean size."""

    ever: float
    before_last: float
    expected_n: float


def boundary_crossing(looks: list[int], boundary: list[int], p: float) -> Crossing:
    """Exact probabilities of more than ``boundary`` toxicities at each look. Raises ValueError on invalid input."""
    _probability(p)
    _check_looks(looks)
    if len(boundary) != len(looks):
        raise ValueError("looks and boundary differ in length")
    going, chances, before = np.ones(1), [], 0
    for look, limit in zip(looks, boundary, strict=True):
        total = np.convolve(going, _masses(look - before, p))
        keep = max(limit + 1, 0)
        chances.append(math.fsum(total[keep:]))
        going, before = total[:keep] if keep else np.zeros(1), look
    expected = looks[-1] - math.fsum(c * (looks[-1] - look) for c, look in zip(chances, looks, strict=True))
    return Crossing(math.fsum(chances), math.fsum(chances[:-1]), expected)


@dataclass(frozen=True)
class ToxicityBoundary:
    """Two neighbouring boundaries: stop when toxicities exceed the number at a look.

    ``high`` crosses with at most the wanted chance at the acceptable probability, ``low`` is the next stricter one.
    """

    looks: list[int]
    low: list[int]
    high: list[int]


def toxicity_boundary(p_acceptable: float, looks: list[int], chance: float = 0.1) -> ToxicityBoundary:
    """Repeated significance tests at one nominal level (Pocock 1977) for toxicities at the ``looks``.

    The boundary at a look is the smallest b with P(X > b; p_acceptable) <= level; the level is the largest whose
    chance of ever crossing at p_acceptable is at most ``chance``. Raises ValueError on invalid input.
    """
    _probability(p_acceptable)
    _check_looks(looks)
    if not 0 < chance < 1:
        raise ValueError("chance must lie between 0 and 1")
    uppers = [np.array([binomial_upper(b + 1, n, p_acceptable) for b in range(n + 1)]) for n in looks]
    levels = sorted({float(v) for upper in uppers for v in upper})
    high = low = list(looks)
    for level in levels:
        low = [int(np.argmax(upper <= level)) for upper in uppers]
        if boundary_crossing(looks, low, p_acceptable).ever > chance:
            break
        high = low
    return ToxicityBoundary(list(looks), low, high)


def _check_looks(looks: list[int]) -> None:
    if not looks or any(b <= a for a, b in zip([0, *looks], looks, strict=False)):
        raise ValueError("looks must be rising numbers of patients")


def _check_design(p0: float, p1: float, alpha: float, beta: float) -> None:
    if not (0 < p0 < p1 < 1 and 0 < alpha < 1 and 0 < beta < 1):
        raise ValueError("needs 0 < p0 < p1 < 1 and error rates between 0 and 1")


def _probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError("a probability must lie in [0, 1]")


def _outcome(design: TwoStage, x: int) -> None:
    if not 0 <= x <= design.n:
        raise ValueError(f"x = {x} does not lie in 0..{design.n}")


def _some(candidates: list[Candidate]) -> None:
    if not candidates:
        raise ValueError("no design meets the error rates within the largest size")
