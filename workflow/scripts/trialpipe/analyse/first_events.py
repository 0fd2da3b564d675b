"""Which component ended the time: patients by first event of a composite, by competing event, and censored."""

from __future__ import annotations

from typing import Any

from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.rows import Behind
from trialpipe.analyse.times import times
from trialpipe.config.analyses_survival import FirstEvents
from trialpipe.config.outcomes import TimeToEvent

CENSORED_LINE, NO_TIME = "Censored", "No time"


def run(analysis: FirstEvents, context: Context) -> list[dict[str, Any]]:
    """n / patients of the group per event in declared order, then censored; with patients without a time, those.

    The lines add up to the group. An event that a strategy for intercurrent events added is a line of its own.
    """
    found: list[dict[str, Any]] = []
    for group in context.groups:
        for category, behind in _lines(context, group):
            found += context.proportion(behind, group, category=category)
    return found


def _lines(context: Context, group: Group) -> list[tuple[str, Behind]]:
    endpoint = context.outcome.endpoint
    assert isinstance(endpoint, TimeToEvent)
    every = times(context.data).frame
    seen = times(context.of(group))
    declared = [*endpoint.event, *endpoint.competing]
    more = sorted({name for name in every["EVENT"] if isinstance(name, str)} - set(declared))
    frame = seen.frame
    lines = [(name, context.behind(frame[frame["EVENT"] == name])) for name in (*declared, *more)]
    lines.append((CENSORED_LINE, context.behind(frame[seen.cause == 0])))
    absent = set(group.subjects["USUBJID"]) - set(frame["USUBJID"])
    without = set(context.subjects["USUBJID"]) - set(every["USUBJID"])
    return [*lines, (NO_TIME, context.patients(absent))] if without else lines
