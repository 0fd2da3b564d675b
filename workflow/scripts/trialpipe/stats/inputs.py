"""Checks of input arrays, shared by the survival functions."""

from __future__ import annotations

import numpy as np


def times(time: np.ndarray, name: str = "time") -> np.ndarray:
    """``time`` as floats. Raises ValueError unless it is one-dimensional, finite, present and >= 0."""
    found = np.asarray(time, float)
    if found.ndim != 1:
        raise ValueError(f"{name} must have one dimension")
    if np.isnan(found).any():
        raise ValueError(f"a {name} is missing")
    if np.isinf(found).any():
        raise ValueError(f"a {name} is infinite")
    if (found < 0).any():
        raise ValueError(f"a {name} is negative")
    return found


def entries(entry: np.ndarray | None, time: np.ndarray) -> np.ndarray:
    """Times from which each subject is at risk; -1 for those followed from 0, so that they are at risk at 0 itself.

    Raises ValueError on invalid times, or one that is not before its ``time``.
    """
    if entry is None:
        return np.full(len(time), -1.0)
    start = times(entry, "entry")
    if len(start) != len(time):
        raise ValueError(f"arrays differ in length: entry has {len(start)}, time {len(time)}")
    if ((start >= time) & (start > 0)).any():
        raise ValueError("an entry is not before its time")
    return np.where(start <= 0, -1.0, start)


def codes(values: np.ndarray, n: int, name: str, highest: int | None = None) -> np.ndarray:
    """Whole numbers >= 0 (at most ``highest``) of length ``n``. Raises ValueError otherwise."""
    found = np.asarray(values, float)
    same_length(n, found, name)
    if np.isnan(found).any():
        raise ValueError(f"a {name} is missing")
    if (found < 0).any() or (found != np.round(found)).any() or (highest is not None and (found > highest).any()):
        allowed = "whole numbers from 0" if highest is None else f"0..{highest}"
        raise ValueError(f"{name} must be {allowed}")
    return found.astype(int)


def labels(values: np.ndarray | None, n: int, name: str) -> tuple[list, np.ndarray]:
    """(sorted distinct labels, index of each value); one label if there are none. Raises ValueError on missing ones."""
    if values is None:
        return [None], np.zeros(n, int)
    found = np.asarray(values)
    same_length(n, found, name)
    if any(v is None or v != v for v in found.tolist()):
        raise ValueError(f"a {name} is missing")
    distinct, index = np.unique(found, return_inverse=True)
    return distinct.tolist(), index


def matrix(values: np.ndarray, n: int) -> np.ndarray:
    """Covariates as (n, k) floats without missing values. Raises ValueError otherwise."""
    found = np.asarray(values, float)
    if found.ndim == 1:
        found = found.reshape(-1, 1) if len(found) else found.reshape(n, 0)
    if found.ndim != 2:
        raise ValueError("covariates must have the shape (n, k)")
    same_length(n, found, "covariates")
    if not np.isfinite(found).all():
        raise ValueError("a covariate is missing or infinite")
    return found


def same_length(n: int, values: np.ndarray, name: str) -> None:
    if len(values) != n:
        raise ValueError(f"arrays differ in length: {name} has {len(values)}, time {n}")


def merge_close(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Arrays of times in which values that differ by rounding error only are made equal.

    Neighbours closer than sqrt(machine epsilon), absolutely or relative to the mean size, become the smallest of
    their run: without this, ties that were computed (a difference of dates over 30.4375) fall apart.
    """
    together = np.unique(np.concatenate(arrays)) if arrays else np.array([])
    finite = together[np.isfinite(together)]
    if len(finite) < 2:
        return arrays
    gap, tolerance = np.diff(finite), np.finfo(float).eps ** 0.5
    mean = np.abs(finite).mean()
    close = (gap <= tolerance) | (gap <= tolerance * mean)
    if not close.any():
        return arrays
    starts = finite[np.concatenate([[True], ~close])]
    return tuple(
        np.where(np.isfinite(a), starts[np.maximum(np.searchsorted(starts, a, side="right") - 1, 0)], a) for a in arrays
    )
