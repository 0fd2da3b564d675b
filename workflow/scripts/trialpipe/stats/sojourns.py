"""Stays of patients in states, and how much each patient moves the estimated occupation of states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialpipe.stats.inputs import codes, labels, merge_close, same_length, times

BEFORE_ALL = -1.0


@dataclass(frozen=True)
class Sojourns:
    """One row per stay: patient (code from 0), state, at risk on (start, exit], ``target`` the state after it.

    ``start`` is -1 where the patient is followed from time 0 (at risk at time 0 itself); ``target`` -1: censored.
    """

    patient: np.ndarray
    state: np.ndarray
    target: np.ndarray
    start: np.ndarray
    exit: np.ndarray
    states: int

    @property
    def patients(self) -> int:
        return int(self.patient.max()) + 1 if len(self.patient) else 0

    def at_risk(self, points: np.ndarray) -> np.ndarray:
        """(len(points), states): patients in each state just before each time."""
        found = np.zeros((len(points), self.states))
        for s in range(self.states):
            own = self.state == s
            begun = np.searchsorted(np.sort(self.start[own]), points, side="left")
            ended = np.searchsorted(np.sort(self.exit[own]), points, side="left")
            found[:, s] = begun - ended
        return found

    def initial(self) -> np.ndarray:
        """Patients followed from time 0 per state."""
        return np.bincount(self.state[self.start == BEFORE_ALL], minlength=self.states).astype(float)


def sojourns(
    patient: np.ndarray, state: np.ndarray, target: np.ndarray, entry: np.ndarray, exit_: np.ndarray, states: int
) -> Sojourns:
    """Checked stays. patient: any labels; state, target: codes 0..states - 1, target -1 where the patient is censored.

    A first stay that begins at time 0 is at risk at time 0; one that begins later is left truncated. Raises ValueError
    on missing or negative times, a stay that does not last, a move to the same state, or stays of one patient that do
    not follow each other.
    """
    begins, ends = times(entry, "entry"), times(exit_)
    same_length(len(ends), begins, "entry")
    _, people = labels(patient, len(ends), "patient")
    own = codes(state, len(ends), "state", states - 1)
    after = codes(np.asarray(target, float) + 1, len(ends), "target", states) - 1
    begins, ends = merge_close(begins, ends)
    order = np.lexsort((ends, begins, people))
    begins, ends, people, own, after = (values[order] for values in (begins, ends, people, own, after))
    if (own == after).any():
        raise ValueError("a stay leads to the state that it leaves")
    first = np.ones(len(people), bool)
    first[1:] = people[1:] != people[:-1]
    again = np.flatnonzero(~first)
    if (begins[again] != ends[again - 1]).any() or (own[again] != after[again - 1]).any():
        raise ValueError("stays of one patient do not follow each other")
    start = np.where(first & (begins == 0), BEFORE_ALL, begins)
    if (start >= ends).any():
        raise ValueError("a stay does not end after it begins")
    return Sojourns(people, own, after, start, ends, states)


def occupation_influence(data: Sojourns, grid: np.ndarray) -> np.ndarray:
    """(T, patients, states): first derivative of the occupation probabilities by each patient's weight.

    Infinitesimal jackknife: of the shares at time 0, 1/n of those followed from there less the share; of a step with
    d_j events j among n at risk, (own event - d_j/n)/n for those at risk.
    """
    people, s = data.patients, data.states
    first = data.initial()
    share = first / first.sum()
    effect = np.zeros((people, s))
    begun = data.start == BEFORE_ALL
    effect[data.patient[begun]] = (np.eye(s)[data.state[begun]] - share) / first.sum()
    now = share
    found = np.zeros((len(grid), people, s))
    for j, t in enumerate(grid):
        present = (data.start < t) & (data.exit >= t)
        moves = present & (data.exit == t) & (data.target >= 0)
        step, gained = np.eye(s), np.zeros((people, s))
        for a in range(s):
            own = present & (data.state == a)
            n = int(own.sum())
            if not n or not (moves & own).any():
                continue
            went = np.bincount(data.target[moves & own], minlength=s)
            step[a] += went / n
            step[a, a] -= went.sum() / n
            each = -np.tile(went / n, (people, 1)) * np.isin(np.arange(people), data.patient[own])[:, None]
            who = data.patient[moves & own]
            each[who, data.target[moves & own]] += 1.0
            change = each / n
            change[:, a] -= change.sum(axis=1)
            gained += now[a] * change
        effect = effect @ step + gained
        now = now @ step
        found[j] = effect
    return found
