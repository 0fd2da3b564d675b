"""What a row of the matrix is, and how two sets of numbers are compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

Data = dict[str, np.ndarray]
Numbers = Mapping[str, np.ndarray | float | list[float]]
SMALL = 1e-3
"""Numbers smaller than this are compared as if they were this large: rounding makes a 0 a 1e-17."""


@dataclass(frozen=True)
class Statistic:
    """One row: ``ours`` gives named numbers of a data set, the oracle gives the same names.

    ``tolerance``: of the largest relative difference, with its reason where it is not 1e-8. ``excuse``: says for a name
    and the two numbers why they may differ (a known fault or convention of the oracle), or None.
    """

    name: str
    oracle: str
    ours: Callable[[Data], Numbers]
    tolerance: float = 1e-8
    reason: str = ""
    excuse: Callable[[Data, str, float, float], str | None] = lambda data, name, ours, theirs: None
    keys: tuple[str, ...] = ()


@dataclass
class Row:
    """What was found for a statistic: data sets compared, numbers, both undefined, excused (by reason), worst."""

    statistic: Statistic
    sets: int = 0
    numbers: int = 0
    undefined: int = 0
    worst: float = 0.0
    worst_at: str = ""
    excused: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.failures


def relative(ours: float, theirs: float) -> float:
    """Difference over the size of the oracle's number, at least SMALL; 0 for equal infinities."""
    if ours == theirs:
        return 0.0
    if math.isinf(ours) or math.isinf(theirs):
        return math.inf
    return abs(ours - theirs) / max(abs(theirs), SMALL)


def add(row: Row, number: int, data: Data, theirs: Mapping[str, np.ndarray]) -> None:
    """Compare one data set. What the oracle has no number for is undefined there."""
    found = row.statistic.ours(data)
    compared = False
    for name, value in found.items():
        mine = np.atleast_1d(np.asarray(value, float))
        want = theirs.get(name, np.full(mine.shape, math.nan))
        if mine.shape != want.shape:
            row.failures.append(f"set {number} {name}: {len(mine)} numbers, the oracle has {len(want)}")
            continue
        for place, (a, b) in enumerate(zip(mine.tolist(), want.tolist(), strict=True)):
            where = f"set {number} {name}[{place}]: {a!r}, oracle {b!r}"
            if math.isnan(a) and math.isnan(b):
                row.undefined += 1
                continue
            gap = math.inf if math.isnan(a) or math.isnan(b) else relative(a, b)
            if gap > row.statistic.tolerance:
                why = row.statistic.excuse(data, name, a, b)
                if why is None:
                    row.failures.append(where)
                else:
                    row.excused[why] = row.excused.get(why, 0) + 1
                continue
            compared = True
            row.numbers += 1
            if gap > row.worst:
                row.worst, row.worst_at = gap, where
    row.sets += compared or all(np.isnan(np.atleast_1d(np.asarray(v, float))).all() for v in found.values())
