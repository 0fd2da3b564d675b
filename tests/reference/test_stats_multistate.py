"""Transition probabilities of an illness-death model against mstate, which they share no code with."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from helpers import stats_cases
from helpers.stats_cases import close

from trialpipe.stats import multistate
from trialpipe.stats.cox import Cox, cox
from trialpipe.stats.sojourns import Sojourns, sojourns

CASE = ("multistate", "ebmt3_illness_death")
FACTORS = {"dissub": ("AML", "ALL", "CML"), "age": ("<=20", "20-40", ">40"),
           "drmatch": ("No gender mismatch", "Gender mismatch"), "tcd": ("No TCD", "TCD")}  # fmt: skip
MOVES = ((0, 1), (0, 2), (1, 2))
YEAR = 365.25


@cache
def _stays() -> tuple[Sojourns, np.ndarray]:
    """Transplant (0), platelet recovery (1), relapse or death (2); the table of covariates by patient and stay."""
    data = stats_cases.table(*CASE, "wide.csv")
    recovered, failed = data["prstat"] == 1, data["rfsstat"] == 1
    n = len(failed)
    who = np.concatenate([np.arange(n), np.flatnonzero(recovered)])
    state = np.repeat([0, 1], [n, recovered.sum()])
    last = np.where(failed, 2, -1)
    target = np.concatenate([np.where(recovered, 1, last), last[recovered]])
    entry = np.concatenate([np.zeros(n), data["prtime"][recovered]]) / YEAR
    ends = np.concatenate([np.where(recovered, data["prtime"], data["rfstime"]), data["rfstime"][recovered]]) / YEAR
    columns = [data[name] == level for name, levels in FACTORS.items() for level in levels[1:]]
    return sojourns(who, state, target, entry, ends, 3), np.column_stack(columns).astype(float)


def _long() -> dict[str, np.ndarray]:
    """A row per stay and transition out of its state, covariates of each transition in columns of their own."""
    stays, x = _stays()
    parts = []
    for number, (a, b) in enumerate(MOVES):
        own = stays.state == a
        wide = np.zeros((own.sum(), 3, x.shape[1]))
        wide[:, number] = x[stays.patient[own]]
        parts.append({"entry": np.maximum(stays.start[own], 0.0), "time": stays.exit[own],
                      "event": (stays.target[own] == b).astype(int), "move": np.full(own.sum(), number),
                      "x": wide.reshape(own.sum(), -1)})  # fmt: skip
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


@cache
def _model(proportional: bool) -> tuple[Cox, dict[str, np.ndarray]]:
    """``proportional``: both ways to relapse or death share a baseline hazard, with a term for recovery."""
    rows = _long()
    if proportional:
        rows["x"] = np.column_stack([rows["x"], rows["move"] == 2])
    rows["stratum"] = np.minimum(rows["move"], 1) if proportional else rows["move"]
    fit = cox(rows["time"], rows["event"], rows["x"], rows["entry"], rows["stratum"], ties="breslow")
    return fit, rows


def test_transitions_counted() -> None:
    want, stays = stats_cases.expected(*CASE), _stays()[0]
    for a in range(3):
        moved = [int(((stays.state == a) & (stays.target == b)).sum()) for b in range(3)]
        # nobody leaves the last state: it is where those end who entered it
        ended = int((stays.target == a).sum()) if a == 2 else int(((stays.state == a) & (stays.target < 0)).sum())
        assert [*moved, ended, sum(moved) + ended] == want["transition_counts"][a]
    assert len(_long()["time"]) == want["n_long_rows"]


@pytest.mark.parametrize("name", ["cox_markov_stratified", "cox_markov_ph"])
def test_cox_models_of_transitions(name: str) -> None:
    want = stats_cases.expected(*CASE)[name]
    fit, rows = _model(name.endswith("ph"))
    close(fit.coef, want["coef"], 1e-6)
    close(fit.se, want["se"], 1e-6)
    close([fit.loglik_null, fit.loglik], want["loglik"], 1e-8)
    assert (len(rows["time"]), fit.n_event) == (want["n"], want["nevent"])
    assert len(want["terms"]) == len(fit.coef)


@pytest.mark.parametrize(("key", "state"), [("nonparametric_AJ_from_Tx", 0), ("nonparametric_AJ_from_PR", 1)])
def test_aalen_johansen_with_greenwood_variance(key: str, state: int) -> None:
    want = stats_cases.expected(*CASE)[key]
    found = multistate.transition_probabilities(multistate.hazards(_stays()[0]))
    _check(found, want, state)
    if state == 0:
        whole = multistate.occupation(_stays()[0])
        index = np.searchsorted(whole.time, np.array(want["times"]) + 1e-9, side="right") - 1
        for place in range(3):
            close(whole.probability[index, place], want["p"][f"pstate{place + 1}"], 1e-8)
            close(whole.std_err[index, place], want["se"][f"se{place + 1}"], 1e-6)


def _check(found: multistate.Probabilities, want: dict, state: int) -> None:
    probability, error = multistate.probabilities_at(found, want["times"])
    for place in range(3):
        close(probability[:, state, place], want["p"][f"pstate{place + 1}"], 1e-8)
        close(error[:, state, place], want["se"][f"se{place + 1}"], 1e-6)


def _predicted() -> multistate.Hazards:
    """Hazards of the patient with the first level of every factor, who recovers on the way of the third transition."""
    fit, rows = _model(True)
    zero, recovered = np.zeros(19), np.eye(19)[18]
    patient = [((0, 1), 0, zero), ((0, 2), 1, zero), ((1, 2), 1, recovered)]
    return multistate.cox_hazards(
        rows["time"], rows["event"], rows["x"], rows["entry"], rows["stratum"], fit.coef, fit.covariance, patient, 3
    )


PREDICTIONS = [("P_from_Tx_baseline", 0, 0.0), ("P_from_PR_baseline", 1, 0.0),
               ("P_from_Tx_given_alive_at_half_year", 0, 0.5)]  # fmt: skip


@pytest.mark.parametrize(("key", "state", "start"), PREDICTIONS)
def test_prediction_of_a_patient(key: str, state: int, start: float) -> None:
    """Probabilities, and the errors that do not rest on transitions which share a baseline hazard."""
    want = stats_cases.expected(*CASE)[key]
    found = multistate.transition_probabilities(_predicted(), start)
    probability, error = multistate.probabilities_at(found, want["times"])
    for place in range(3):
        close(probability[:, state, place], want["p"][f"pstate{place + 1}"], 1e-8)
        if state == 1 or place == 0:
            close(error[:, state, place], want["se"][f"se{place + 1}"], 1e-6)


@pytest.mark.parametrize(("key", "state", "start"), PREDICTIONS)
def test_prediction_of_a_patient_as_mstate_has_it(key: str, state: int, start: float) -> None:
    """mstate 0.3.3 takes the covariance of two transitions with one baseline hazard as that of the first with itself.

    The sum of exp(z'b + v'b) d/S0^2 is then exp(2 z'b) d/S0^2, so that it changes with the order of the transitions.
    With that put in, every error agrees; the part to be changed is recovered from a model without uncertainty in b.
    """
    fit, rows = _model(True)
    zero, recovered = np.zeros(19), np.eye(19)[18]
    patient = [((0, 1), 0, zero), ((0, 2), 1, zero), ((1, 2), 1, recovered)]
    own = multistate.cox_hazards(
        rows["time"], rows["event"], rows["x"], rows["entry"], rows["stratum"], fit.coef, 0 * fit.covariance, patient, 3
    ).covariance
    whole = _predicted()
    theirs = whole.covariance.copy()
    theirs[:, [1, 2], [2, 1]] += (own[:, 1, 1] - own[:, 1, 2])[:, None]
    assert np.allclose(own[:, 1, 2], own[:, 1, 1] * np.exp(fit.coef[18]))
    found = multistate.transition_probabilities(replace(whole, covariance=theirs), start)
    _check(found, stats_cases.expected(*CASE)[key], state)
