"""Two-stage inference against every path of a trial: pairs (x1, x2) of stages, counted in integers."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest

from trialpipe.stats import simon, simon_conduct
from trialpipe.stats.simon import TwoStage

LARGEST = 43


def _random(seed: int, number: int) -> list[TwoStage]:
    draw = random.Random(seed)
    found = []
    for _ in range(number):
        n = draw.randint(2, LARGEST)
        n1 = draw.randint(1, n - 1)
        r1 = draw.randint(0, n1 - 1)
        found.append(TwoStage(r1, n1, draw.randint(r1, n - 1), n))
    return found


DESIGNS = _random(20, 200)


class Paths:
    """Sequences of single patients per outcome (successes in all), and those in which the first patient succeeds."""

    def __init__(self, design: TwoStage) -> None:
        self.ways: dict[int, int] = {}
        self.first: dict[int, int] = {}
        self.size: dict[int, int] = {}
        for x1 in range(design.n1 + 1):
            stopped = x1 <= design.r1
            n2 = 0 if stopped else design.n - design.n1
            for x2 in range(n2 + 1):
                x = x1 + x2
                more = math.comb(n2, x2)
                self.ways[x] = self.ways.get(x, 0) + math.comb(design.n1, x1) * more
                first = math.comb(design.n1 - 1, x1 - 1) if x1 else 0
                self.first[x] = self.first.get(x, 0) + first * more
                # an outcome is either of stage 1 or of both: more than r1 successes are needed to go on
                assert self.size.setdefault(x, design.n1 + n2) == design.n1 + n2

    def chance(self, x: int, p: Fraction) -> Fraction:
        return self.ways[x] * p**x * (1 - p) ** (self.size[x] - x)

    def at_least(self, x: int, p: float) -> float:
        """In floats: every term is positive."""
        return math.fsum(w * p**y * (1 - p) ** (self.size[y] - y) for y, w in self.ways.items() if y >= x)


@pytest.mark.parametrize("p", [Fraction(1, 20), Fraction(7, 10), Fraction(9, 10)])
def test_chances_p_values_and_the_unbiased_estimate(p: Fraction) -> None:
    for design in DESIGNS:
        paths = Paths(design)
        chances = {x: paths.chance(x, p) for x in sorted(paths.ways)}
        assert sum(chances.values()) == 1
        found = simon.characteristics(design, float(p))
        stop = sum(c for x, c in chances.items() if x <= design.r1)
        assert found.promising == pytest.approx(float(sum(c for x, c in chances.items() if x > design.r)), rel=1e-10)
        assert found.stop_early == pytest.approx(float(stop), rel=1e-10)
        mean = sum(c * paths.size[x] for x, c in chances.items())
        assert found.expected_n == pytest.approx(float(mean), rel=1e-12)
        at_least = Fraction(0)
        for x in reversed(chances):
            at_least += chances[x]
            assert simon.tail(design, x, float(p)) == pytest.approx(float(at_least), rel=1e-10), (design, x)
        # unbiased: exactly so for the conditional chance of the first patient, which the estimate is (Rao-Blackwell)
        exact = {x: Fraction(paths.first[x], paths.ways[x]) for x in chances}
        assert sum(c * exact[x] for x, c in chances.items()) == p
        for x, wanted in exact.items():
            assert simon.umvue(design, x) == pytest.approx(float(wanted), rel=1e-13), (design, x)


def test_order_of_outcomes() -> None:
    """More successes never give a larger p-value or a smaller unbiased estimate.

    The estimates are equal (to 1) where only n1 successes lead on.
    """
    for design in DESIGNS:
        outcomes = sorted(Paths(design).ways)
        p_values = [simon.tail(design, x, 0.6) for x in outcomes]
        # near 1 and 0 neighbours may be the same float
        assert all(a >= b for a, b in zip(p_values, p_values[1:], strict=False))
        estimates = [simon.umvue(design, x) for x in outcomes]
        assert all(a <= b for a, b in zip(estimates, estimates[1:], strict=False)), design


def test_intervals_invert_the_test() -> None:
    """At the limits the chance of an outcome as high is alpha and 1 - alpha, at the median-unbiased estimate a half."""
    for i, design in enumerate(DESIGNS):
        alpha = (0.025, 0.05, 0.1)[i % 3]
        paths = Paths(design)
        for x in sorted(paths.ways):
            found = simon.inference(design, x, 0.5, 1 - 2 * alpha)
            assert found.stopped_early == (x <= design.r1)
            assert found.promising == (x > design.r)
            if x == 0:
                assert (found.lower, math.isnan(found.upper), math.isnan(found.median)) == (0.0, True, True)
                continue
            for limit, tail in ((found.lower, alpha), (found.median, 0.5), (found.upper, 1 - alpha)):
                assert paths.at_least(x, limit) == pytest.approx(tail, rel=1e-9), (design, x)
            # the test at level alpha rejects p0 where the interval lies above it
            for p0 in (0.2, 0.7):
                assert (paths.at_least(x, p0) < alpha) == (found.lower > p0)


def _binomial_upper(x: int, n: int, p: Fraction) -> Fraction:
    return sum((math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(max(x, 0), n + 1)), Fraction(0))


PLANNED = [
    (TwoStage(4, 6, 16, 20), Fraction(7, 10)),
    (TwoStage(3, 13, 12, 43), Fraction(1, 5)),
    (TwoStage(0, 9, 2, 17), Fraction(1, 20)),
    (TwoStage(5, 10, 11, 20), Fraction(9, 20)),
]


@pytest.mark.parametrize(("design", "p0"), PLANNED)
def test_another_size_of_stage_2_keeps_the_level(design: TwoStage, p0: Fraction) -> None:
    """For every x1 and size: the rule's conditional level is at most the planned one; it is the planned rule at n2."""
    planned = design.n - design.n1
    for x1 in range(design.n1 + 1):
        error = _binomial_upper(design.r + 1 - x1, planned, p0) if x1 > design.r1 else Fraction(0)
        assert simon_conduct.conditional_error(design, x1, float(p0)) == pytest.approx(float(error), rel=1e-12)
        for n2 in range(2 * planned + 1):
            rules = [simon_conduct.unplanned(design, x1, x2, n2, float(p0)) for x2 in range(n2 + 1)]
            spent = sum(
                (math.comb(n2, k) * p0**k * (1 - p0) ** (n2 - k) for k, rule in enumerate(rules) if rule.rejects),
                Fraction(0),
            )
            assert spent <= error, (x1, n2)
            critical = rules[0].critical
            assert all(rule.rejects == (critical is not None and x1 + k >= critical) for k, rule in enumerate(rules))
            # the largest region that keeps it: one success fewer would spend too much
            if critical is not None and critical > x1:
                assert _binomial_upper(critical - x1 - 1, n2, p0) > error
            if n2 == planned:
                assert [rule.rejects for rule in rules] == [
                    x1 > design.r1 and x1 + x2 > design.r for x2 in range(n2 + 1)
                ]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("design", "p0"), PLANNED)
def test_type_1_error_when_the_size_follows_stage_1(design: TwoStage, p0: Fraction, seed: int) -> None:
    """Sizes drawn at random for every x1, with random chances: the overall level is at most that of the design."""
    draw = random.Random(seed)
    planned = design.n - design.n1
    level = Fraction(0)
    for x1 in range(design.n1 + 1):
        sizes = [draw.randint(0, 2 * planned) for _ in range(3)]
        weights = [draw.randint(1, 9) for _ in sizes]
        for n2, weight in zip(sizes, weights, strict=True):
            critical = simon_conduct.unplanned(design, x1, 0, n2, float(p0)).critical
            if critical is not None:
                chance = math.comb(design.n1, x1) * p0**x1 * (1 - p0) ** (design.n1 - x1)
                level += Fraction(weight, sum(weights)) * chance * _binomial_upper(critical - x1, n2, p0)
    of_design = sum(
        math.comb(design.n1, x1) * p0**x1 * (1 - p0) ** (design.n1 - x1)
        * _binomial_upper(design.r + 1 - x1, planned, p0)
        for x1 in range(design.r1 + 1, design.n1 + 1)
    )  # fmt: skip
    assert level <= of_design
    assert float(of_design) == pytest.approx(simon.characteristics(design, float(p0)).promising, rel=1e-12)


INVALID = [
    lambda: simon_conduct.conditional_error(PLANNED[0][0], 7, 0.7),
    lambda: simon_conduct.unplanned(PLANNED[0][0], 5, 3, 2, 0.7),
    lambda: simon_conduct.unplanned(PLANNED[0][0], 5, 3, 4, 1.7),
]


@pytest.mark.parametrize("call", INVALID)
def test_impossible_outcomes_are_refused(call) -> None:
    with pytest.raises(ValueError):
        call()
