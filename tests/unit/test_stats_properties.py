"""Properties that hold for every input: bounds, order, sums, inversions, invalid input."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialpipe.stats import binomial, censored, competing, describe, fourpl, km, parametric, ranks, rates, tables
from trialpipe.stats.cox import cox, landmark, split_at
from trialpipe.stats.finegray import fine_gray
from trialpipe.stats.gray import gray_test
from trialpipe.stats.inputs import merge_close
from trialpipe.stats.logrank import logrank
from trialpipe.stats.rounding import round_half_away
from trialpipe.stats.turnbull import turnbull
from trialpipe.stats.two_proportions import difference_newcombe, difference_score

settings.register_profile("stats", settings.get_profile("house"), max_examples=60)
settings.load_profile("stats")

# few distinct times, hence many ties; 0 included
follow_up = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=25)
counts = st.integers(0, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
finite = st.floats(-1e6, 1e6, allow_nan=False)


def _split(rows: list) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    data = np.array(rows)
    return data[:, 0].astype(float), data[:, 1], data[:, 2]


@given(counts, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_exact_interval_inverts_the_exact_tests(xn: tuple[int, int], level: float) -> None:
    (x, n), tail = xn, (1 - level) / 2
    low, high = binomial.clopper_pearson(x, n, level)
    if n == 0:
        assert math.isnan(low)
        return
    assert 0 <= low <= x / n <= high <= 1
    if x:
        assert binomial.exact_test(x, n, low, "greater") == pytest.approx(tail, rel=1e-8)
    if x < n:
        assert binomial.exact_test(x, n, high, "less") == pytest.approx(tail, rel=1e-8)


@given(counts)
def test_intervals_mirror(xn: tuple[int, int]) -> None:
    x, n = xn
    if not n:
        return
    for method in (binomial.clopper_pearson, binomial.wilson, binomial.jeffreys, binomial.mid_p):
        low, high = method(x, n)
        mirrored_low, mirrored_high = method(n - x, n)
        assert (low, high) == pytest.approx((1 - mirrored_high, 1 - mirrored_low), abs=1e-9)
        assert 0 <= low <= high <= 1


@given(st.integers(1, 12), st.integers(0, 12), st.integers(1, 19))
def test_binomial_tails_against_fractions(n: int, x: int, twentieths: int) -> None:
    x, p = min(x, n), Fraction(twentieths, 20)
    mass = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    assert binomial.exact_test(x, n, float(p), "greater") == pytest.approx(float(sum(mass[x:])), rel=1e-12)
    assert binomial.exact_test(x, n, float(p), "less") == pytest.approx(float(sum(mass[: x + 1])), rel=1e-12)
    assert binomial.exact_test(x, n, float(p)) == pytest.approx(float(sum(m for m in mass if m <= mass[x])), rel=1e-12)


@given(counts, counts)
def test_difference_of_proportions(first: tuple[int, int], second: tuple[int, int]) -> None:
    if not first[1] or not second[1]:
        return
    observed = first[0] / first[1] - second[0] / second[1]
    for method in (difference_newcombe, difference_score):
        low, high = method(*first, *second)
        assert -1 - 1e-12 <= low <= observed + 1e-9
        assert observed - 1e-9 <= high <= 1 + 1e-12
        assert (low, high) == pytest.approx(tuple(-v for v in reversed(method(*second, *first))), abs=1e-8)


@given(st.tuples(*[st.integers(0, 8)] * 4))
def test_fisher_against_enumeration(cells: tuple[int, int, int, int]) -> None:
    a, b, c, d = cells
    row, other, column = a + b, c + d, a + c
    possible = range(max(0, column - other), min(row, column) + 1)
    mass = {
        k: Fraction(math.comb(row, k) * math.comb(other, column - k), math.comb(row + other, column)) for k in possible
    }
    found = tables.fisher(a, b, c, d)
    assert found.p == pytest.approx(float(sum(m for m in mass.values() if m <= mass[a])), rel=1e-9)
    assert found.p_greater == pytest.approx(float(sum(m for k, m in mass.items() if k >= a)), rel=1e-9)


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=1, max_size=4))
def test_stratified_tables_are_turned_over(strata: list) -> None:
    found = np.array(strata).reshape(-1, 2, 2)
    one, two = tables.mantel_haenszel(found), tables.mantel_haenszel(found[:, ::-1])
    assert one.statistic == pytest.approx(two.statistic, nan_ok=True)
    if 0 < one.odds_ratio < math.inf:
        assert one.odds_ratio == pytest.approx(1 / two.odds_ratio)
    difference = tables.mantel_haenszel_difference(found)
    assert difference[0] == pytest.approx(-tables.mantel_haenszel_difference(found[:, ::-1])[0], nan_ok=True)


def test_common_difference_of_one_stratum_is_the_difference() -> None:
    assert tables.mantel_haenszel_difference(np.array([[[8, 2], [3, 7]]]))[0] == pytest.approx(0.5)


@given(follow_up)
def test_kaplan_meier_is_the_product(rows: list) -> None:
    time, cause, _ = _split(rows)
    event = (cause > 0).astype(int)
    curve = km.kaplan_meier(time, event)
    product = Fraction(1)
    for i, t in enumerate(curve.time):
        risk, died = int((time >= t).sum()), int(((time == t) & (event == 1)).sum())
        product *= 1 - Fraction(died, risk)
        assert (curve.n_risk[i], curve.n_event[i]) == (risk, died)
        assert curve.survival[i] == pytest.approx(float(product), abs=1e-12)
    assert curve.n_event.sum() + curve.n_censor.sum() == len(time)
    for kind in ("log-log", "log", "plain"):
        low, high = km.limits(curve.survival, curve.std_err, 0.95, kind)
        known = ~np.isnan(low)
        assert ((low <= curve.survival + 1e-12) & (curve.survival <= high + 1e-12))[known].all()
        assert ((low >= 0) & (high <= 1))[known].all()


@given(follow_up)
def test_without_censoring_survival_is_the_share_and_greenwood_the_binomial(rows: list) -> None:
    time, _, _ = _split(rows)
    n = len(time)
    curve = km.kaplan_meier(time, np.ones(n))
    share = np.array([(time > t).mean() for t in curve.time])
    np.testing.assert_allclose(curve.survival, share, atol=1e-12)
    inside = share > 0
    np.testing.assert_allclose(curve.std_err[inside], np.sqrt(share * (1 - share) / n)[inside], atol=1e-12)
    mean = km.restricted_mean(curve, 9)[0]
    assert mean == pytest.approx(time.mean())


@given(follow_up, st.randoms(use_true_random=False))
def test_order_does_not_matter(rows: list, shuffle) -> None:
    mixed = rows.copy()
    shuffle.shuffle(mixed)
    one, two = _split(rows), _split(mixed)
    np.testing.assert_array_equal(
        km.kaplan_meier(one[0], one[1] > 0).survival, km.kaplan_meier(two[0], two[1] > 0).survival
    )
    for variance in ("aalen", "jackknife"):
        first, second = (competing.cumulative_incidence(d[0], d[1], 1, variance) for d in (one, two))
        np.testing.assert_array_equal(first.cif, second.cif)
        np.testing.assert_allclose(first.variance, second.variance, atol=1e-14)
    for test in (logrank(one[0], one[1] > 0, one[2]), logrank(two[0], two[1] > 0, two[2])):
        assert math.isnan(test.p) or 0 <= test.p <= 1
    assert gray_test(*one, of=1).chi_square == pytest.approx(gray_test(*two, of=1).chi_square, nan_ok=True, rel=1e-9)


@given(follow_up)
def test_incidences_and_survival_sum_to_one(rows: list) -> None:
    time, cause, _ = _split(rows)
    one, two = (competing.cumulative_incidence(time, cause, c) for c in (1, 2))
    np.testing.assert_allclose(one.cif + two.cif + one.survival, 1, atol=1e-12)
    np.testing.assert_allclose(one.survival, km.kaplan_meier(time, cause > 0).survival, atol=1e-12)
    assert (np.diff(one.cif) >= 0).all()
    assert (one.variance >= 0).all()


@given(follow_up)
def test_one_cause_alone_is_kaplan_meier(rows: list) -> None:
    time, cause, _ = _split(rows)
    event = (cause > 0).astype(int)
    curve = competing.cumulative_incidence(time, event, 1, "jackknife")
    survival = km.kaplan_meier(time, event)
    np.testing.assert_allclose(curve.cif, 1 - survival.survival, atol=1e-12)
    known = survival.survival > 0
    np.testing.assert_allclose(np.sqrt(curve.variance)[known], survival.std_err[known], atol=1e-10)


@given(follow_up)
def test_grouped_times_give_the_discrete_incidence(rows: list) -> None:
    """Without censoring the estimate at a visit is the share of subjects with the event by then."""
    time, cause, _ = _split(rows)
    cause = np.where(cause == 0, 2, cause)
    curve = competing.cumulative_incidence(time, cause, 1)
    np.testing.assert_allclose(curve.cif, [((time <= t) & (cause == 1)).mean() for t in curve.time], atol=1e-12)


@given(follow_up)
def test_score_test_of_one_group_is_the_logrank_test(rows: list) -> None:
    """Without ties Cox's score test is the log-rank test; with them under the exact likelihood."""
    time, cause, group = _split(rows)
    event = (cause > 0).astype(int)
    fit, test = cox(time + 1, event, group, ties="exact"), logrank(time + 1, event, group)
    if not math.isnan(fit.score_test) and test.df == 1 and not math.isnan(test.chi_square):
        assert fit.score_test == pytest.approx(test.chi_square, rel=1e-7, abs=1e-9)


def _has_maximum(time: np.ndarray, dead: np.ndarray, group: np.ndarray, stays: np.ndarray) -> bool:
    """One binary covariate: finite exactly if both groups have deaths while both are at risk."""
    hit = set()
    for t in np.unique(time[dead]):
        at_risk = (time >= t) | stays
        if len(set(group[at_risk])) == 2:
            hit |= set(group[dead & (time == t)])
    return len(hit) == 2


@given(follow_up)
@settings(max_examples=300)
def test_hazard_ratio_is_finite_exactly_where_the_likelihood_has_a_maximum(rows: list) -> None:
    time, cause, group = _split(rows)
    event, nobody = (cause > 0).astype(int), np.zeros(len(time), bool)
    for ties in ("efron", "breslow"):
        fit = cox(time, event, group.astype(float), ties=ties)
        assert fit.converged == _has_maximum(time, event == 1, group, nobody)
        assert fit.converged == np.isfinite([*fit.coef, *fit.se, *fit.upper, *fit.p]).all()
        assert abs(np.nan_to_num(fit.coef[0])) < 15
    exact = cox(time, event, group.astype(float), ties="exact")
    assert not exact.converged or (exact.se[0] < 1e3 and abs(exact.coef[0]) < 15)


@given(follow_up)
@settings(max_examples=300)
def test_subdistribution_hazard_ratio_is_finite_exactly_where_there_is_a_maximum(rows: list) -> None:
    """Without censoring those with another event stay at risk for ever."""
    time, cause, group = _split(rows)
    cause = np.where(cause == 0, 2, cause)
    fit = fine_gray(time, cause, group.astype(float), 1)
    assert fit.converged == _has_maximum(time, cause == 1, group, cause == 2)
    assert abs(np.nan_to_num(fit.coef[0])) < 15


@given(follow_up, st.lists(st.integers(0, 8) | st.none(), min_size=25, max_size=25))
def test_splitting_keeps_the_follow_up(rows: list, switches: list) -> None:
    time, cause, _ = _split(rows)
    time, event = time + 1, (cause > 0).astype(int)
    switch = np.array([math.nan if s is None else float(s) for s in switches[: len(time)]])
    for when in ("after", "on"):
        row, start, stop, happened, exposed = split_at(time, event, switch, when)
        np.testing.assert_allclose(np.bincount(row, stop - start, len(time)), time)
        np.testing.assert_array_equal(np.bincount(row, happened, len(time)), event)
        assert set(exposed) <= {0.0, 1.0}


@given(st.lists(finite, min_size=1, max_size=20))
def test_description(values: list[float]) -> None:
    found = describe.describe(np.array(values))
    ordered = [found[k] for k in ("min", "q1", "median", "q3", "max")]
    assert ordered == sorted(ordered)
    assert found["n"] == len(values)
    assert found == describe.describe(np.array(values[::-1]))


@given(finite, st.integers(0, 8))
def test_rounding_is_near_and_symmetric(value: float, digits: int) -> None:
    text = round_half_away(value, digits)
    assert abs(Fraction(text) - Fraction(repr(value))) <= Fraction(1, 2 * 10**digits)
    mirrored = round_half_away(-value, digits)
    assert mirrored.lstrip("-") == text.lstrip("-")


@pytest.mark.parametrize(("value", "digits", "text"), [
    (2.675, 2, "2.68"), (0.285, 2, "0.29"), (1.005, 2, "1.01"), (-2.5, 0, "-3"), (2.5, 0, "3"), (0.5, 0, "1"),
    (-0.0, 1, "0.0"), (-0.04, 1, "0.0"), (1e22, 0, "1" + "0" * 22), (1.5e300, 2, "15" + "0" * 299 + ".00"),
    (1e-12, 3, "0.000"), (math.nan, 2, ""), (math.inf, 2, "Inf"), (-math.inf, 0, "-Inf"), (9.995, 2, "10.00"),
])  # fmt: skip
def test_rounding(value: float, digits: int, text: str) -> None:
    assert round_half_away(value, digits) == text


def test_pctldef_5() -> None:
    """SAS, PROC UNIVARIATE, PCTLDEF=5: average of neighbours where n p is whole, else the next order statistic."""
    assert describe.quantile(np.array([1.0, 2, 3, 4]), 0.25) == 1.5
    assert describe.quantile(np.array([1.0, 2, 3, 4, 5]), 0.25) == 2
    assert describe.quantile(np.array([1.0, 2, 3, 4, 5, 6, 7, 8]), 0.75) == 6.5


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
def test_signed_rank_against_all_signs(values: list[int]) -> None:
    x = np.array(values, float)
    size = ranks.ranks(np.abs(x))[x != 0]
    statistic, p, used = ranks.signed_rank(x)
    if not used:
        assert math.isnan(p)
        return
    sums = np.array([size @ np.array([s >> i & 1 for i in range(used)]) for s in range(2**used)])
    tails = (sums <= statistic + 1e-9).mean(), (sums >= statistic - 1e-9).mean()
    assert p == pytest.approx(min(1.0, 2 * min(tails)))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_rank_sum_against_all_divisions(first: list[int], second: list[int]) -> None:
    from itertools import combinations

    rank = ranks.ranks(np.array(first + second, float))
    m, mean = len(first), len(first) * (len(rank) + 1) / 2
    sums = np.array([rank[list(c)].sum() for c in combinations(range(len(rank)), m)])
    found = ranks.rank_sum(np.array(first), np.array(second))
    assert found.p == pytest.approx((np.abs(sums - mean) >= abs(rank[:m].sum() - mean) - 1e-9).mean())


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_adjusted_p_are_ordered(values: list[float]) -> None:
    p = np.array(values)
    order = [parametric.adjust(p, m) for m in ("hommel", "hochberg", "holm", "bonferroni")]
    assert all((a <= b + 1e-12).all() for a, b in zip(order, order[1:], strict=False))
    assert (order[0] >= p - 1e-15).all()


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), min_size=1, max_size=15))
def test_turnbull_is_the_maximum(rows: list[tuple[int, int]]) -> None:
    """Kuhn-Tucker conditions of the likelihood: no interval would gain by more mass (Gentleman and Geyer 1994)."""
    left = np.array([a for a, _ in rows], float)
    right = np.array([a + w if w < 4 else math.inf for a, w in rows], float)
    found = turnbull(left, right)
    assert found.mass.sum() == pytest.approx(1)
    point = found.left == found.right
    covers = np.zeros((len(rows), len(found.mass)))
    for i, (a, b) in enumerate(zip(left, right, strict=True)):
        inside = (found.left >= a) & (found.right <= b)
        covers[i] = inside & point & (found.left == a) if a == b else inside & ~(point & (found.left == a))
    gain = (covers / (covers @ found.mass)[:, None]).mean(axis=0)
    assert (gain <= 1 + 1e-5).all()
    np.testing.assert_allclose(gain[found.mass > 1e-4], 1, atol=1e-4)


def test_turnbull_of_right_censored_times_is_kaplan_meier() -> None:
    time, event = np.array([1.0, 2, 2, 3, 5, 6, 8]), np.array([1, 1, 0, 1, 0, 1, 0])
    found = turnbull(time, np.where(event == 1, time, math.inf))
    curve = km.kaplan_meier(time, event)
    for t, s in zip(curve.time, curve.survival, strict=True):
        assert found.mass[found.left < t].sum() + found.mass[
            (found.left == t) & (found.right == t)
        ].sum() == pytest.approx(1 - s, abs=1e-6)


def test_median_of_concentrations_below_and_above_the_limits() -> None:
    """Three below 5, values 7, 9, 12, one above 100: the median is the fourth of seven."""
    left = np.array([-math.inf, -math.inf, -math.inf, 7, 9, 12, 100])
    right = np.array([5, 5, 5, 7, 9, 12, math.inf])
    assert turnbull(left, right).quantile(0.5) == (7, 7)
    low, high = turnbull(left[:5], right[:5]).quantile(0.5)
    assert low == -math.inf
    assert high == 5


def test_close_times_are_one_time() -> None:
    time = np.array([0.1 + 0.2, 0.3, 0.5])
    assert len(km.kaplan_meier(time, np.ones(3)).time) == 2
    merged, entry = merge_close(np.array([1.0, 1.0 + 1e-12, 2.0]), np.array([-math.inf, 0.0, 1.0 + 1e-12]))
    assert merged[0] == merged[1] == entry[2]
    assert entry[0] == -math.inf


def test_late_entry_is_not_at_risk_before() -> None:
    curve = km.kaplan_meier(np.array([1.0, 2, 3, 4]), np.ones(4), entry=np.array([0.0, 1, 1, 2]))
    assert curve.n_risk.tolist() == [1, 2, 2, 1]
    assert km.kaplan_meier(np.array([2.0, 3]), np.ones(2), entry=np.zeros(2)).n_risk.tolist() == [2, 1]


DEGENERATE = [
    ("one event", [3.0], [1]), ("one censored", [3.0], [0]), ("all censored", [1.0, 2, 3], [0, 0, 0]),
    ("all at once", [2.0, 2, 2], [1, 1, 1]), ("at time 0", [0.0, 0, 1], [1, 0, 1]), ("nobody", [], []),
]  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("name", "time", "event"), DEGENERATE)
def test_degenerate_samples_give_a_value_or_nan_and_no_warning(name: str, time: list, event: list) -> None:
    time, event = np.array(time, float), np.array(event, int)
    group = np.arange(len(time)) % 2
    curve = km.kaplan_meier(time, event)
    km.at_times(curve, [0, 1, 9])
    assert len(km.quantiles(curve, 0.5)) == 3
    km.restricted_mean(curve, 4)
    km.nelson_aalen(curve)
    for variance in ("aalen", "jackknife"):
        competing.at_times(competing.cumulative_incidence(time, event, 1, variance), [0, 1, 9])
    for test in (logrank(time, event, group), gray_test(time, event, group, 1)):
        assert math.isnan(test.p) or 0 <= test.p <= 1
    for ties in ("efron", "breslow", "exact"):
        fit = cox(time, event, group.astype(float), ties=ties)
        assert fit.converged or np.isnan(fit.hr).all()
    assert not np.isinf(fine_gray(time, event, group.astype(float), 1).coef).any()


def test_empty_sample_is_undefined() -> None:
    curve = km.kaplan_meier(np.array([]), np.array([]))
    (at,) = km.at_times(curve, [1])
    assert math.isnan(at.survival)
    assert np.isnan(km.quantiles(curve, 0.5)).all()
    assert math.isnan(km.restricted_mean(curve, 1)[0])
    assert math.isnan(rates.poisson_rate(0, 0)[0])
    assert math.isnan(rates.rate_ratio(0, 10, 0, 10)[0])
    assert np.isnan(binomial.wilson(0, 0)).all()
    assert math.isnan(describe.describe(np.array([]))["mean"])


def test_collinear_and_constant_covariates_are_left_out() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=40)
    time, event = rng.exponential(np.exp(-x)) + 0.01, rng.integers(0, 2, 40)
    alone = cox(time, event, x)
    fit = cox(time, event, np.column_stack([x, 2 * x + 1, np.ones(40)]))
    assert fit.df == 1
    assert np.isnan(fit.coef[1:]).all()
    assert fit.coef[0] == pytest.approx(alone.coef[0])
    assert fit.lr_test == pytest.approx(alone.lr_test)


INVALID = [
    (lambda: km.kaplan_meier([1, -1], [1, 0]), "negative"),
    (lambda: km.kaplan_meier([1, math.nan], [1, 0]), "missing"),
    (lambda: km.kaplan_meier([1, 2], [1]), "length"),
    (lambda: km.kaplan_meier([1, 2], [1, 2]), "0..1"),
    (lambda: km.kaplan_meier([1, 2], [1, math.nan]), "missing"),
    (lambda: km.kaplan_meier([1, 2], [1, 0], entry=[2, 0]), "entry"),
    (lambda: km.kaplan_meier([1, 2], [1, 0], conf_type="loglog"), "conf_type"),
    (lambda: km.kaplan_meier([1, 2], [1, 0], conf_level=95), "conf_level"),
    (lambda: km.kaplan_meier([1, 2], [1, 0], weights=[1, 0]), "weight"),
    (lambda: competing.cumulative_incidence([1, -2], [1, 0], 1), "negative"),
    (lambda: competing.cumulative_incidence([1, 2], [1, 0], 1, "greenwood"), "variance"),
    (lambda: logrank([1, 2], [1, 0], ["a", None]), "missing"),
    (lambda: gray_test([1, 2], [1, 0], ["a"], 1), "length"),
    (lambda: cox([1, 2], [1, 0], [math.nan, 1]), "covariate"),
    (lambda: cox([1, 2], [1, 0], [1, 0], entry=[1, 0]), "interval"),
    (lambda: cox([1, 2], [1, 0], [1, 0], ties="peto"), "ties"),
    (lambda: fine_gray([1, 2], [1, 0.5], [1, 0], 1), "whole"),
    (lambda: landmark([1, math.nan], 1), "missing"),
    (lambda: split_at([1], [1], [1], "before"), "when"),
    (lambda: binomial.clopper_pearson(3, 2), "0..2"),
    (lambda: binomial.exact_test(1, 2, 1.5), "null_value"),
    (lambda: rates.poisson_rate(-1, 3), "negative"),
    (lambda: tables.mantel_haenszel(np.array([[1, 2], [3, 4]])), "shape"),
    (lambda: tables.fisher(1, -2, 3, 4), "negative"),
    (lambda: ranks.signed_rank([1, math.nan]), "missing"),
    (lambda: parametric.adjust([1.5], "holm"), "outside"),
    (lambda: parametric.adjust([0.5], "sidak"), "method"),
    (lambda: turnbull([3], [2]), "left <= right"),
    (lambda: censored.tobit([1, math.nan], [1, 2], [1, 1]), "missing"),
    (lambda: fourpl.fit([0, 1, 2], [1, 2, 3]), "positive"),
    (lambda: round_half_away(1.0, -1), "digits"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), INVALID)
def test_invalid_input_is_refused(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
