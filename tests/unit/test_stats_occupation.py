"""State occupation where the answer is known: Kaplan-Meier, cumulative incidence, plain shares, broken input."""

from __future__ import annotations

import numpy as np
import pytest

from trialpipe.stats import competing, km, multistate
from trialpipe.stats.sojourns import Sojourns, sojourns


def _draw(seed: int, n: int = 25) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    time = rng.integers(0, 9, n).astype(float)
    return time, rng.integers(0, 3, n), np.where(time > 2, rng.integers(0, 3, n), 0).astype(float)


def _leave(time: np.ndarray, cause: np.ndarray, entry: np.ndarray | None = None) -> Sojourns:
    """One state, left by each cause for a state of its own."""
    n = len(time)
    target = np.where(cause == 0, -1, cause)
    return sojourns(np.arange(n), np.zeros(n, int), target, np.zeros(n) if entry is None else entry, time, 3)


@pytest.mark.parametrize("seed", range(20))
def test_one_way_out_is_kaplan_meier(seed: int) -> None:
    time, cause, entry = _draw(seed)
    event = (cause > 0).astype(int)
    curve = km.kaplan_meier(time, event, entry)
    found = multistate.transition_probabilities(multistate.hazards(_leave(time, event, entry)))
    at = curve.time[curve.survival > 0]
    value, error = multistate.probabilities_at(found, at)
    np.testing.assert_allclose(value[:, 0, 0], curve.survival[: len(at)], atol=1e-12)
    np.testing.assert_allclose(error[:, 0, 0], curve.std_err[: len(at)], atol=1e-12)
    np.testing.assert_allclose(value.sum(axis=2), 1, atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("variance", ["greenwood", "jackknife"])
def test_two_ways_out_are_cumulative_incidences(seed: int, variance: str) -> None:
    """With one state to be left, Greenwood's variance and the infinitesimal jackknife are one."""
    time, cause, _ = _draw(seed)
    found = multistate.occupation(_leave(time, cause), variance)
    for k in (1, 2):
        rows = competing.at_times(competing.cumulative_incidence(time, cause, k, "jackknife"), found.time)
        np.testing.assert_allclose(found.probability[:, k], [r.cif for r in rows], atol=1e-12)
        np.testing.assert_allclose(found.std_err[:, k], [r.std_err for r in rows], atol=1e-12)


@pytest.mark.parametrize("variance", ["jackknife", "greenwood"])
@pytest.mark.parametrize("begin", [1, 0])
@pytest.mark.parametrize("seed", range(10))
def test_complete_follow_up_gives_shares_of_patients(seed: int, begin: int, variance: str) -> None:
    """Without censoring the occupation is a share of n patients, with the standard error of a share.

    ``begin`` 0: some patients are ill from the start.
    """
    rng = np.random.default_rng(seed)
    n = 20
    ill = np.where(rng.random(n) < 0.6, rng.integers(begin, 6, n), 99)
    dead = rng.integers(1, 10, n)
    rows = []
    for i in range(n):
        if ill[i] == 0:
            rows.append((i, 1, 2, 0, dead[i]))
        elif ill[i] < dead[i]:
            rows += [(i, 0, 1, 0, ill[i]), (i, 1, 2, ill[i], dead[i])]
        else:
            rows.append((i, 0, 2, 0, dead[i]))
    found = multistate.occupation(sojourns(*np.array(rows, float).T, 3), variance)
    for t, value, error in zip(found.time, found.probability, found.std_err, strict=True):
        share = np.array([(np.minimum(ill, dead) > t).mean(), ((ill <= t) & (ill < dead) & (dead > t)).mean(),
                          (dead <= t).mean()])  # fmt: skip
        np.testing.assert_allclose(value, share, atol=1e-12)
        # of variances: the root of one that is 0 but for rounding is not
        np.testing.assert_allclose(error**2, share * (1 - share) / n, atol=1e-14)


def test_patients_begin_in_several_states_and_die_on_the_first_day() -> None:
    data = sojourns([1, 2, 3, 4], [0, 0, 1, 1], [2, -1, 2, -1], [0, 0, 0, 0], [0, 5, 0, 7], 3)
    found = multistate.occupation(data, "jackknife")
    assert found.time.tolist() == [0.0]
    assert found.probability.tolist() == [[0.25, 0.25, 0.5]]
    assert found.n_risk.tolist() == [[2, 2, 0]]
    np.testing.assert_allclose(found.std_err[0], np.sqrt([3 / 64, 3 / 64, 1 / 16]))


def test_nobody_and_nobody_from_the_start() -> None:
    nobody = np.zeros(0)
    found = multistate.occupation(sojourns(nobody, nobody, nobody, nobody, nobody, 3))
    assert (len(found.time), found.probability.shape) == (0, (0, 3))
    late = _leave(np.array([5.0, 6.0]), np.array([1, 0]), np.array([2.0, 3.0]))
    with pytest.raises(ValueError, match="nobody is followed from time 0"):
        multistate.occupation(late)
    with pytest.raises(ValueError, match="neither greenwood nor"):
        multistate.occupation(late, "bootstrap")
    with pytest.raises(ValueError, match="neither greenwood nor"):
        multistate.hazards(late, "plain")
    before = multistate.probabilities_at(multistate.transition_probabilities(multistate.hazards(late), 1.0), [0.5])
    assert np.isnan(before[0]).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 0, 0, 0, 5)], "leads to the state that it leaves"),
        ([(1, 0, 1, 0, 5), (1, 2, -1, 5, 7)], "do not follow each other"),
        ([(1, 0, 1, 0, 5), (1, 1, -1, 6, 7)], "do not follow each other"),
        ([(1, 0, 1, 0, 5), (1, 1, 2, 5, 5)], "does not end after it begins"),
        ([(1, 0, 1, 3, 3)], "does not end after it begins"),
        ([(1, 0, 1, 0, -5)], "time is negative"),
        ([(1, 0, 3, 0, 5)], "target must be"),
        ([(1, 0, 1, np.nan, 5)], "entry is missing"),
    ],
)
def test_stays_that_cannot_be(rows: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sojourns(*np.array(rows, float).T, 3)


def test_prediction_needs_a_finite_model() -> None:
    time, event, x = np.array([1.0, 2, 3]), np.array([1, 0, 1]), np.array([[0.0], [1], [1]])
    stratum, zero = np.zeros(3), np.zeros(3)
    patient = [((0, 1), 0.0, np.array([0.0]))]
    with pytest.raises(ValueError, match="no finite estimate"):
        multistate.cox_hazards(time, event, x, zero, stratum, np.array([np.nan]), np.eye(1), patient, 2)
    other = [((0, 1), 5.0, np.array([0.0]))]
    with pytest.raises(ValueError, match="has no row"):
        multistate.cox_hazards(time, event, x, zero, stratum, np.array([0.1]), np.eye(1), other, 2)
    with pytest.raises(ValueError, match="a row per time"):
        multistate.cox_hazards(time, event, x[:2], zero, stratum, np.array([0.1]), np.eye(1), patient, 2)
