"""Cox regression where a level of a factor has no event: what the other estimates and their errors must be."""

from __future__ import annotations

import numpy as np
import pytest

from trialpipe.stats.cox import cox


def followed(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times, events, a factor of three levels of which the first has no event, and a number."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 3, 60)
    number = rng.normal(size=60)
    time = np.ceil(rng.exponential(20 * np.exp(-0.5 * number)))
    event = (rng.random(60) < 0.7).astype(int) * (level > 0)
    return time, event, level, number


@pytest.mark.parametrize("seed", range(5))
def test_reference_level_without_event(seed: int) -> None:
    """Its patients leave the risk sets in the limit, so that the model of the others gives the other estimates.

    Both contrasts with the reference are endless; the one between the two other levels is not, and is not known.
    """
    time, event, level, number = followed(seed)
    full = cox(time, event, np.column_stack([level == 1, level == 2, number]).astype(float))
    rest = level > 0
    without = cox(time[rest], event[rest], np.column_stack([level == 2, number])[rest].astype(float))
    assert np.isnan(full.coef[:2]).all()
    assert np.isnan(full.se[:2]).all()
    assert not full.converged
    assert full.coef[2] == pytest.approx(without.coef[1], rel=1e-6)
    assert full.se[2] == pytest.approx(without.se[1], rel=1e-6)
    assert full.loglik == pytest.approx(without.loglik, rel=1e-7)


@pytest.mark.parametrize("seed", range(5))
def test_other_level_without_event(seed: int) -> None:
    """Against a reference with events one contrast alone is endless; the others are those without its patients."""
    time, event, level, number = followed(seed)
    full = cox(time, event, np.column_stack([level == 0, level == 2, number]).astype(float))
    rest = level > 0
    without = cox(time[rest], event[rest], np.column_stack([level == 2, number])[rest].astype(float))
    assert np.isnan(full.coef).tolist() == [True, False, False]
    np.testing.assert_allclose(full.coef[1:], without.coef, rtol=1e-6)
    np.testing.assert_allclose(full.covariance[1:, 1:], without.covariance, rtol=1e-6)
