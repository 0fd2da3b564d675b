"""Group-sequential boundaries against rpact and published tables; numbers of events against the formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import stats_cases
from helpers.stats_cases import close

from trialpipe.stats import event_numbers, group_sequential
from trialpipe.stats.distributions import normal_quantile
from trialpipe.stats.group_sequential import by_shape, by_spending, crossing, looks

OF, POCOCK = "O'Brien-Fleming", "Pocock"
KINDS = {"OF": (by_shape, OF), "P": (by_shape, POCOCK), "asOF": (by_spending, OF), "asP": (by_spending, POCOCK)}


@pytest.mark.parametrize("name", stats_cases.expected("design", "group_sequential_a")["designs"])
def test_rpact(name: str) -> None:
    want = stats_cases.expected("design", "group_sequential_a")["designs"][name]
    make, kind = KINDS[want["type"]]
    found = make(want["information"], want["alpha"], kind, want["sided"])
    close(found.upper, want["critical_values"], 0, 1e-5)
    close(found.levels, want["stage_levels"], 0, 1e-5)
    close(found.spent, want["alpha_spent"], 0, 1e-5)


def test_events() -> None:
    for row in stats_cases.expected("design", "group_sequential_a")["events"]:
        given = (row["hr"], row["alpha"], row["power"], row["sided"])
        close(event_numbers.schoenfeld(*given), row["events_schoenfeld"])
        assert math.ceil(event_numbers.schoenfeld(*given)) == row["ceil"]
        close(event_numbers.freedman(*given), row["events_freedman"])


# Jennison and Turnbull 2000, tables 2.1 to 2.4: constants at two-sided .05 and inflation for power .8 and .9
PUBLISHED = [
    (POCOCK, 2, 2.178, 1.110, 1.100),
    (POCOCK, 3, 2.289, 1.166, 1.151),
    (POCOCK, 4, 2.361, 1.202, 1.183),
    (POCOCK, 5, 2.413, 1.229, 1.207),
    (OF, 2, 1.977, 1.008, 1.007),
    (OF, 3, 2.004, 1.017, 1.016),
    (OF, 4, 2.024, 1.024, 1.022),
    (OF, 5, 2.040, 1.028, 1.026),
]


@pytest.mark.parametrize(("kind", "k", "constant", "power80", "power90"), PUBLISHED)
def test_published_tables(kind: str, k: int, constant: float, power80: float, power90: float) -> None:
    design = by_shape(looks(k), 0.05, kind, sided=2)
    assert design.upper[-1] == pytest.approx(constant, abs=5.1e-4)
    assert group_sequential.inflation(design, 0.8) == pytest.approx(power80, abs=5.1e-4)
    assert group_sequential.inflation(design, 0.9) == pytest.approx(power90, abs=5.1e-4)


def test_one_look_is_the_fixed_test() -> None:
    for make in (by_shape, by_spending):
        for kind in (OF, POCOCK):
            assert make([1.0], 0.025, kind).upper[0] == pytest.approx(normal_quantile(0.975), abs=1e-10)
    design = by_shape([1.0], 0.05, OF, sided=2)
    assert group_sequential.inflation(design, 0.9) == pytest.approx(1.0, abs=1e-6)


def test_two_looks_against_the_bivariate_normal() -> None:
    from scipy.stats import multivariate_normal

    share, (a, b), drift = 0.4, (2.5, 2.0), 1.7
    found = crossing([share, 1.0], [a, b], drift=drift)
    mean = drift * np.sqrt([share, 1.0])
    cov = [[1, math.sqrt(share)], [math.sqrt(share), 1]]
    below = multivariate_normal(mean, cov).cdf([a, b])
    assert found.power == pytest.approx(1 - below, abs=1e-7)
    first = 1 - multivariate_normal([mean[0]], [[1.0]]).cdf([a])
    assert found.upper[0] == pytest.approx(first, abs=1e-12)
    assert found.expected_information == pytest.approx(share * first + (1 - first), abs=1e-12)


def test_bounds_by_simulation() -> None:
    design = by_spending(looks(4), 0.025, "Hwang-Shih-DeCani", parameter=-4)
    lower = [-1.0, 0.0, 0.7, design.upper[-1]]
    rng = np.random.default_rng(11)
    drift, n = 2.5, 400_000
    z = np.cumsum(rng.normal(drift / 4, 0.5, (n, 4)), axis=1) / np.sqrt(looks(4))
    up, down = z >= design.upper, z <= lower
    first = np.where((up | down).any(axis=1), (up | down).argmax(axis=1), 3)
    found = group_sequential.operating(design, drift, lower)
    for k in range(4):
        ends = first == k
        assert found.upper[k] == pytest.approx((ends & up[:, k]).mean(), abs=4e-3)
        assert found.lower[k] == pytest.approx((ends & down[:, k]).mean(), abs=4e-3)
    assert found.expected_information == pytest.approx(((first + 1) / 4).mean(), abs=2e-3)
    assert math.fsum((*found.upper, *found.lower)) == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize(
    ("kind", "parameter"), [(OF, None), (POCOCK, None), ("Kim-DeMets", 3.0), ("Hwang-Shih-DeCani", 0.0)]
)
def test_spending_is_what_the_bounds_spend(kind: str, parameter: float | None, sided: int) -> None:
    shares = [0.2, 0.35, 0.9, 1.0]
    design = by_spending(shares, 0.05, kind, sided, parameter)
    want = [group_sequential.spending(kind, 0.05, t, sided, parameter) for t in shares]
    close(design.spent, want, 0, 1e-10)
    assert want[-1] == 0.05
    assert want == sorted(want)


def test_wang_tsiatis_holds_the_other_shapes() -> None:
    for delta, kind in ((0.0, OF), (0.5, POCOCK)):
        found = by_shape(looks(3), 0.025, "Wang-Tsiatis", delta=delta)
        assert found.upper == pytest.approx(by_shape(looks(3), 0.025, kind).upper)


def test_haybittle_peto() -> None:
    design = by_shape(looks(3), 0.025, "Haybittle-Peto")
    assert design.upper[:2] == (3.0, 3.0)
    assert normal_quantile(0.975) < design.upper[2] < 2.0
    close(design.spent[-1], 0.025)


def test_a_look_that_spends_nothing_has_no_bound() -> None:
    design = group_sequential.from_spent([0.5, 1.0], [0.0, 0.025])
    assert math.isinf(design.upper[0])
    assert design.upper[1] == pytest.approx(normal_quantile(0.975), abs=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: by_shape([0.5, 0.4], 0.025, OF), "rise"),
        (lambda: by_shape([0.5, 1.2], 0.025, OF), "at most 1"),
        (lambda: by_shape([], 0.025, OF), "rise"),
        (lambda: by_shape([1.0], 0.7, OF), "alpha"),
        (lambda: by_shape([1.0], 0.025, OF, sided=3), "sides"),
        (lambda: by_shape([1.0], 0.025, "Whitehead"), "no shape"),
        (lambda: by_shape([0.5, 1.0], 0.025, "Wang-Tsiatis"), "delta"),
        (lambda: by_shape([0.5, 1.0], 0.025, "Haybittle-Peto", constant=1.0), "spend more"),
        (lambda: by_spending([0.5, 1.0], 0.025, "Kim-DeMets"), "parameter"),
        (lambda: by_spending([0.5, 1.0], 0.025, "Kim-DeMets", parameter=-1), "positive"),
        (lambda: by_spending([0.5, 1.0], 0.025, "linear", parameter=1), "no spending"),
        (lambda: group_sequential.from_spent([0.5, 1.0], [0.02, 0.01]), "rise"),
        (lambda: crossing([1.0], [1.0], [2.0]), "above"),
        (lambda: crossing([1.0], [1.0, 2.0]), "number"),
        (lambda: looks(0), "at least one"),
        (lambda: group_sequential.drift_for(by_shape([1.0], 0.05, OF), 0.01), "power"),
        (lambda: event_numbers.schoenfeld(1.0, 0.05, 0.8), "hazard ratio"),
        (lambda: event_numbers.freedman(0.7, 0.05, 0.8, ratio=0), "allocation"),
        (lambda: event_numbers.freedman(0.7, 0.05, 1.0), "power"),
        (lambda: event_numbers.schoenfeld(0.7, 0.05, 0.8, sided=0), "sides"),
    ],
)
def test_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_events_by_allocation() -> None:
    assert event_numbers.schoenfeld(0.7, 0.05, 0.8, ratio=2) == pytest.approx(
        4.5 / 4 * event_numbers.schoenfeld(0.7, 0.05, 0.8)
    )
    # the arms exchanged: the same number
    assert event_numbers.freedman(0.5, 0.05, 0.8, ratio=3) == pytest.approx(
        event_numbers.freedman(2.0, 0.05, 0.8, ratio=1 / 3)
    )
