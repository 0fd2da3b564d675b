"""Analysis of variance and chi-square of several groups: closed forms, R's numbers, properties, degenerate input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialpipe.stats.groups import anova, chi_square
from trialpipe.stats.parametric import two_sample
from trialpipe.stats.tables import fisher, fisher_p
from trialpipe.stats.two_proportions import pearson_test

NUMBERS = st.lists(st.integers(-20, 20), min_size=2, max_size=8).map(lambda xs: np.array(xs, dtype=float) / 4)
COUNTS = st.integers(0, 12)

# R 4.2.2: data(PlantGrowth); summary(aov(weight ~ group, PlantGrowth)) prints F 4.846 with 2 and 27 df, p 0.0159
PLANTS = (
    (4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14),
    (4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69),
    (6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26),
)


def test_anova_as_printed_by_r() -> None:
    found = anova([np.array(plants) for plants in PLANTS])
    assert (round(found.f, 3), found.df, found.df_residual, round(found.p, 4)) == (4.846, 2, 27, 0.0159)


def test_chi_square_as_printed_by_r() -> None:
    """?chisq.test, Agresti's table of gender and party: X-squared = 30.07, df = 2, p-value = 2.954e-07."""
    found = chi_square(np.array([[762, 327, 468], [484, 239, 477]]))
    assert (round(found.chi_square, 2), found.df, f"{found.p:.3e}") == (30.07, 2, "2.954e-07")


@given(NUMBERS, NUMBERS)
def test_two_groups_are_students_test(first: np.ndarray, second: np.ndarray) -> None:
    found, student = anova([first, second]), two_sample(first, second, pooled=True)
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        assert found.p in (0.0,) or math.isnan(found.p)
        return
    assert found.p == pytest.approx(student.p, rel=1e-7, abs=1e-14)


@given(st.lists(NUMBERS, min_size=2, max_size=4), st.integers(-1000, 1000), st.sampled_from([0.5, 2.0, 64.0]))
def test_unit_and_origin_do_not_matter(groups: list[np.ndarray], shift: int, factor: float) -> None:
    found, moved = anova(groups), anova([factor * (values + shift) for values in groups][::-1])
    assert moved[1:3] == found[1:3]
    np.testing.assert_allclose([moved.f, moved.p], [found.f, found.p], rtol=1e-9, atol=1e-15)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_a_table_of_two_by_two(a: int, b: int, c: int, d: int) -> None:
    found, (chi, p) = chi_square(np.array([[a, b], [c, d]])), pearson_test(a, a + b, c, c + d)
    np.testing.assert_allclose([found.chi_square, found.p], [chi, p], rtol=1e-9)
    assert fisher_p(a, b, c, d) == pytest.approx(fisher(a, b, c, d).p, rel=1e-12)


@pytest.mark.parametrize(
    ("groups", "df", "rest"),
    [([], 0, 0), ([[1.0, 2.0]], 0, 1), ([[1.0], [2.0]], 1, 0), ([[1.0, 1.0], [1.0]], 1, 1), ([[], [math.nan]], 0, 0)],
)
def test_what_has_no_f(groups: list[list[float]], df: int, rest: int) -> None:
    found = anova([np.array(values) for values in groups])
    assert (found.df, found.df_residual) == (df, rest)
    assert math.isnan(found.f)
    assert math.isnan(found.p)


def test_variation_between_groups_alone() -> None:
    assert anova([np.array([1.0, 1.0]), np.array([2.0, 2.0])])[:1] == (math.inf,)
    large = [np.array([1e9 + 1, 1e9 + 2, 1e9 + 3]), np.array([1e9 + 2, 1e9 + 3, 1e9 + 7])]
    small = [values - 1e9 for values in large]
    assert anova(large).f == pytest.approx(anova(small).f, rel=1e-9)


@pytest.mark.parametrize("table", [[[3, 4]], [[3], [4]], [[0, 0], [3, 4]], [[3, 0], [4, 0]]])
def test_what_has_no_chi_square(table: list[list[int]]) -> None:
    assert math.isnan(chi_square(np.array(table)).p)


@pytest.mark.parametrize("table", [[[1, -1], [2, 3]], [[1.5, 1], [2, 3]], [1, 2]])
def test_no_table_of_counts(table: list) -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        chi_square(np.array(table))
