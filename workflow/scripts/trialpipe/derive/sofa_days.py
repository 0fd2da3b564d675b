"""An organ failure score day by day: worst observation per organ, how a missing one is filled, where the patient is.

Order of filling in intensive care: the day itself; the day widened by ``within_hours`` at both ends; the last day
observed at most ``last_hours`` before the day starts; at baseline 0. Out of it alive: the day itself, then 0 or the
last observed. An organ whose observations a flag sets aside (the Glasgow score under sedation) has the last day before
it without limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trialpipe.derive import sofa_definition as definition
from trialpipe.derive.sofa_definition import Component, Score, Total
from trialpipe.derive.sofa_records import Clock, Observation

ICU, WARD, DISCHARGED, DEAD, LOST, NOT_REACHED = "icu", "ward", "discharged", "dead", "lost", "not_reached"
OBSERVED, WITHIN, LAST, ZERO_OUT, LAST_OUT, ASSUMED, BASELINE, MISSING = (
    "observed",
    "within_6h",
    "locf",
    "ward_zero",
    "ward_last",
    "pre_sedation",
    "baseline_zero",
    "missing",
)
OUT = (WARD, DISCHARGED)


class Cell(NamedTuple):
    """One organ on one day; ``points`` None: missing or not scored."""

    points: float | None
    fill: str | None
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Day:
    """One day: ``number`` elapsed days, ``day`` its date, ``cells`` by component."""

    number: int
    day: int
    status: str
    cells: dict[str, Cell]

    @property
    def observed(self) -> int | None:
        """Organs observed on the day itself; None if the day is not scored."""
        if self.status in (DEAD, NOT_REACHED):
            return None
        return sum(cell.fill == OBSERVED for cell in self.cells.values())


@dataclass(frozen=True)
class Limits:
    """What is known of a day: nothing from minute ``until`` on counts (the first dose at baseline)."""

    clock: Clock
    baseline: bool = False
    until: int | None = None


class Scored(NamedTuple):
    """An observation that tells something about an organ."""

    seen: Observation
    points: float


def judged(score: Score, own: Sequence[Observation]) -> dict[str, list[Scored]]:
    """By component the observations that tell something about it, with their points."""
    return {component.code: _scored(component, own) for component in score.components}


def cells(
    score: Score,
    own: Sequence[Observation],
    points: Mapping[str, Sequence[Scored]],
    day: int,
    status: str,
    limits: Limits,
) -> dict[str, Cell]:
    """Every organ of one day; ``points`` is what ``judged`` says of the patient's observations."""
    if status in (DEAD, NOT_REACHED):
        return {component.code: Cell(None, None) for component in score.components}
    until = limits.until
    aside = [o for o in own if o.aside and (until is None or o.start <= until)]
    found = {}
    for component in score.components:
        known = [s for s in points[component.code] if until is None or s.seen.start <= until]
        found[component.code] = _cell(score, component, known, aside, day, status, limits)
    unobserved = all(cell.fill in (BASELINE, MISSING) for cell in found.values())
    if limits.baseline and unobserved:
        return {code: Cell(None, MISSING, notes=("no baseline assessment",)) for code in found}
    return found


def total(rule: Total, day: Day) -> float | None:
    """Sum over the organs by the rule for missing ones; None if there is none."""
    if day.status == DEAD:
        return rule.dead
    if day.status == NOT_REACHED:
        return None
    if rule.missing == "observed":
        complete = all(cell.fill == OBSERVED for cell in day.cells.values())
        return sum(cell.points or 0.0 for cell in day.cells.values()) if complete else None
    points = [rule.missing if cell.points is None else cell.points for cell in day.cells.values()]
    return None if None in points else float(sum(points))  # type: ignore[arg-type]


def notes(own: Sequence[Observation], day: int, clock: Clock) -> tuple[str, ...]:
    """What the observations of a day say about themselves, each once."""
    said = [note for seen in own if _overlaps(seen, *clock.bounds(day)) for note in seen.notes]
    return tuple(sorted(set(said)))


def _cell(
    score: Score,
    component: Component,
    scored: Sequence[Scored],
    flagged: Sequence[Observation],
    day: int,
    status: str,
    limits: Limits,
) -> Cell:
    start, end = limits.clock.bounds(day)
    here = [s for s in scored if _overlaps(s.seen, start, end)]
    if here:
        return _worst(here, OBSERVED)
    if status in OUT:
        return _out(component, scored, start, limits)
    aside = [o for o in flagged if _overlaps(o, start, end) and o.aside & set(component.observed_by)]
    earlier = [s for s in scored if s.seen.start < start]
    if aside and earlier:
        return _worst(_last_day(earlier, limits.clock, start), ASSUMED)
    wide = score.within_hours * 60
    near = [s for s in scored if s.seen.timed and _overlaps(s.seen, start - wide, end + wide)]
    if near and status == ICU:
        return _worst(near, WITHIN)
    recent = [s for s in earlier if _covered(s.seen) >= start - score.last_hours * 60]
    if recent and status == ICU:
        return _worst(_last_day(recent, limits.clock, start), LAST)
    if limits.baseline:
        return Cell(score.baseline, BASELINE)
    return Cell(None, MISSING, notes=("under sedation, no score before it",) if aside else ())


def _out(component: Component, scored: Sequence[Scored], start: int, limits: Limits) -> Cell:
    """Alive out of intensive care, not observed on the day."""
    if component.zero_on_ward:
        return Cell(0.0, ZERO_OUT)
    carried = set(component.carried)
    earlier = [s for s in scored if s.seen.start < start and carried & set(s.seen.values)]
    return _worst(_last_day(earlier, limits.clock, start), LAST_OUT) if earlier else Cell(None, MISSING)


def _scored(component: Component, own: Sequence[Observation]) -> list[Scored]:
    reads = definition.parameters(component)
    found = []
    for seen in own:
        if not reads.isdisjoint(seen.values):
            points = definition.points(component, seen.values)
            if points is not None:
                found.append(Scored(seen, points))
    return found


def _overlaps(seen: Observation, start: int, end: int) -> bool:
    return seen.start < end and (seen.end > start or seen.start >= start)


def _covered(seen: Observation) -> int:
    """Last minute of an observation: the end of a rate is no part of it."""
    return max(seen.start, seen.end - 1)


def _last_day(earlier: Sequence[Scored], clock: Clock, start: int) -> list[Scored]:
    """Observations of the last day among those that began before ``start``."""
    last = max(clock.day(min(_covered(s.seen), start - 1)) for s in earlier)
    return [s for s in earlier if _overlaps(s.seen, *clock.bounds(last))]


def _worst(scored: Sequence[Scored], fill: str) -> Cell:
    """The greatest points and the rows that reach them."""
    most = max(s.points for s in scored)
    rows = [row for s in scored if s.points == most for row in s.seen.row_ids]
    said = [note for s in scored if s.points == most for note in s.seen.notes]
    return Cell(most, fill, tuple(dict.fromkeys(rows)), tuple(dict.fromkeys(said)))
