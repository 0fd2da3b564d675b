"""Degrees of freedom of repeated measures by counting: between and within patients."""

from __future__ import annotations

import numpy as np


def between_within(x: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Degrees of freedom of each coefficient of ``x`` (n, p) (Schluchter and Elashoff 1990 J Stat Comput Simul 37:69).

    A column that is constant within every patient is tested between patients: patients less such columns (the constant
    among them); another within: measurements less patients less those columns. The constant itself is within where
    a column varies within patients (as R's mmrm has it). Raises ValueError if the lengths differ.
    """
    x, subject = np.asarray(x, float), np.asarray(subject)
    if x.ndim != 2 or len(x) != len(subject):
        raise ValueError("x and subject must have one row per measurement")
    people, index = np.unique(subject, return_inverse=True)
    first = np.full(len(people), -1)
    first[index[::-1]] = np.arange(len(subject))[::-1]
    same = (x == x[first[index]]).all(axis=0) if len(x) else np.ones(x.shape[1], bool)
    constant = (x == x[:1]).all(axis=0) if len(x) else np.zeros(x.shape[1], bool)
    between = len(people) - int(same.sum())
    within = len(x) - len(people) - int((~same).sum())
    found = np.where(same, between, within).astype(float)
    found[constant & (~same).any()] = within
    return found
