"""Illness and death: data sets and what the library makes of them."""

from __future__ import annotations

import numpy as np

from matrix.compare import Data, Numbers, Statistic
from trialpipe.stats import multistate
from trialpipe.stats.sojourns import Sojourns, sojourns

AT = np.arange(13.0)


def draw(number: int, seed: int) -> Data:
    """Well (0), ill (1), dead (2), with recovery; late entry and edges as on the page."""
    rng = np.random.default_rng([seed, number, 4])
    shape = number % 12
    n = 1 if shape == 1 else int(rng.integers(2, 16))
    rows = []
    for i in range(n):
        state = int(rng.integers(0, 2)) if shape in (3, 9) else 0
        begin = float(rng.integers(0, 3)) if shape in (5, 6) and i else 0.0
        for _ in range(int(rng.integers(1, 5))):
            low = 0 if shape == 7 and begin == 0 and not any(r[0] == i for r in rows) else 1
            end = begin + float(rng.integers(low, 5))
            other = 1 - state
            target = -1 if shape == 11 else int(rng.choice([-1, other, 2], p=[0.2, 0.5, 0.3]))
            rows.append((i, state, target, begin, end))
            if target in (-1, 2):
                break
            state, begin = target, end
        else:
            rows[-1] = (*rows[-1][:2], -1, *rows[-1][3:])
    names = ("id", "state", "target", "entry", "exit")
    return {name: np.array(column, float) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def _first(d: Data) -> np.ndarray:
    """Rows that are the first of their patient."""
    return np.r_[True, d["id"][1:] != d["id"][:-1]]


def _stays(d: Data) -> Sojourns:
    return sojourns(d["id"], d["state"], d["target"], d["entry"], d["exit"], 3)


def _read(found: multistate.Occupation, values: np.ndarray) -> np.ndarray:
    return values[np.searchsorted(found.time, AT, side="right") - 1]


def _occupation(d: Data) -> Numbers:
    found = multistate.occupation(_stays(d), "jackknife")
    share, error = _read(found, found.probability), _read(found, found.std_err)
    first, moved = _first(d), d["target"] >= 0
    if len(np.unique(d["state"][first])) > 1:
        # what survfit takes as known, and whose shares it takes: see states.R
        error = np.full_like(error, np.nan)
        if not moved.any() or (d["exit"][first] < d["exit"][moved].min()).any():
            share = np.full_like(share, np.nan)
    return {f"share{k + 1}": share[:, k] for k in range(3)} | {f"jackknife{k + 1}": error[:, k] for k in range(3)}


def _greenwood(d: Data) -> Numbers:
    if d["state"][_first(d)].any():
        return {f"greenwood{k}": np.full(len(AT), np.nan) for k in (1, 2, 3)}
    found = multistate.transition_probabilities(multistate.hazards(_stays(d)))
    error = multistate.probabilities_at(found, AT)[1]
    return {f"greenwood{k + 1}": error[:, 0, k] ** 2 for k in range(3)}


STATISTICS = (
    Statistic("State occupation, infinitesimal jackknife, left truncation", "survival 3.5.3: `survfit` of states",
              _occupation),
    Statistic("Transition probabilities: Greenwood's variances", "R 4.2.2: Kronecker products of the definition",
              _greenwood),
)  # fmt: skip
