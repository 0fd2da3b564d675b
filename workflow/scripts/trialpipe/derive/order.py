"""Which of two milestones came first: dates, then house rules for one day, then clock times.

Same-day rules, by words in the milestone ids (a row of SAME_DAY holds words of one rank, earlier ranks first):
GVHD before relapse, relapse before death, death before a discharge alive. They hold whatever the clock says:
a discharge some hours before death is death. HSCT and death of one day are ordered by clock time alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from trialpipe.derive.subjects import Moment

SAME_DAY: tuple[tuple[str, ...], ...] = (("gvhd",), ("relapse",), ("death",), ("discharge",))


class Order(Enum):
    BEFORE = "before"
    AFTER = "after"
    UNKNOWN = "unknown"


def compare(a: Moment, b: Moment) -> Order:
    """Order of ``a`` relative to ``b``; UNKNOWN if dates, rules and times do not tell.

    A partial date of death is after every other milestone with an exact date in its range: the other's record is
    evidence of life.
    """
    if b.low is not None and a.high < b.low:
        return Order.BEFORE
    if a.low is not None and b.high < a.low:
        return Order.AFTER
    if a.exact and b.exact:
        return _same_day(a, b)
    if b.milestone == "death" and a.exact:
        return Order.BEFORE
    if a.milestone == "death" and b.exact:
        return Order.AFTER
    return Order.UNKNOWN


def _same_day(a: Moment, b: Moment) -> Order:
    ranks = _rank(a.milestone), _rank(b.milestone)
    if ranks[0] is not None and ranks[1] is not None and ranks[0] != ranks[1]:
        return Order.BEFORE if ranks[0] < ranks[1] else Order.AFTER
    if a.time is None or b.time is None or a.time == b.time:
        return Order.UNKNOWN
    return Order.BEFORE if a.time < b.time else Order.AFTER


def _rank(milestone: str) -> int | None:
    return next((rank for rank, words in enumerate(SAME_DAY) if any(word in milestone for word in words)), None)


def first(moments: Sequence[Moment]) -> tuple[Moment, list[str]]:
    """The earliest of at least one moment, and what was read by convention.

    Where the order cannot be known the one named first wins; callers name them in conservative order.
    """
    winner = moments[0]
    for other in moments[1:]:
        if compare(other, winner) is Order.BEFORE:
            winner = other
    notes = [
        f"order of {winner.milestone} and {other.milestone} unknown: {winner.milestone} read as first"
        for other in moments
        if other is not winner and compare(winner, other) is Order.UNKNOWN
    ]
    return winner, notes
