"""Stages and grades of one assessment of graft-versus-host disease, as the range of their possible values.

A stage is determined if its range is one value. Grades are monotone in every stage, so that the grade lies between that
of the least and that of the greatest stages, and an event on it is known if both ends agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trialpipe.derive import at_visit, rules
from trialpipe.derive.criteria import possible_points
from trialpipe.derive.gvhd_tables import BOTH, INVESTIGATOR, MEASURES, Event, Organ, Source, System
from trialpipe.derive.rules import Measured, Truth

Now = Mapping[str, Measured]


class Graded(NamedTuple):
    """Least and greatest possible stage or grade, why it is so, and the values used."""

    low: int
    high: int
    notes: tuple[str, ...] = ()
    used: tuple[Measured, ...] = ()

    @property
    def value(self) -> int | None:
        """The stage or grade if it is determined."""
        return self.low if self.low == self.high else None


def stage(organ: Organ, now: Now, prefer: str = MEASURES) -> Graded:
    """Stage of an organ from values by parameter.

    The first source of the preferred kind that applies and gives one stage counts, then the first of the other kind.
    Where all leave the stage open, the first that applies bounds it. Without any source it may be anything.
    """
    other = INVESTIGATOR if prefer == MEASURES else MEASURES
    first, second = (_of_kind(organ, kind, now) for kind in (prefer, other))
    if first is not None and first.value is not None:
        return first
    if second is not None and (first is None or second.value is not None):
        by = "the investigator's stage" if other == INVESTIGATOR else "measures"
        return second._replace(notes=(*second.notes, f"{organ.label}: {by}"))
    if first is not None:
        return first
    return Graded(0, organ.greatest, (f"{organ.label}: not assessed",))


def _of_kind(organ: Organ, kind: str, now: Now) -> Graded | None:
    sources = (source for source in organ.sources if source.by in (kind, BOTH) and _applies(source, now))
    graded = [found for source in sources if (found := _by_source(organ, source, now)) is not None]
    return next((found for found in graded if found.value is not None), graded[0] if graded else None)


def _applies(source: Source, now: Now) -> bool:
    there = all(name in now for name in source.needs)
    return there and (source.when is None or rules.truth(source.when, at_visit.facts(now)) is True)


def _by_source(organ: Organ, source: Source, now: Now) -> Graded | None:
    if source.value is not None:
        number = now[source.value].number
        known = number is not None and number.is_integer() and 0 <= number <= organ.greatest
        used = tuple(now[name] for name in source.needs)
        return Graded(int(number), int(number), (), used) if known and number is not None else None
    parts = [band.rule for band in source.bands if band.rule is not None]
    used = tuple(dict.fromkeys((*(now[name] for name in source.needs), *at_visit.used(parts, now))))
    points = possible_points(source.bands, now)
    low, high = int(min(points)), int(max(points))
    if low == high:
        return Graded(low, high, (), used)
    note = f"{organ.label}: {at_visit.unknown(parts, now, dict.fromkeys(_names(parts), ('', ())))}"
    return Graded(low, high, (note,), used)


def _names(parts: Sequence) -> list[str]:
    return [node["parameter"] for rule in parts for node in rules.comparisons(rule)]


def points(system: System, stages: Mapping[str, int]) -> int:
    """Grade of complete stages by organ code."""
    now = {code: Measured(0, code, float(value)) for code, value in stages.items()}
    return int(possible_points(system.grades, now)[0])


def grade(system: System, stages: Mapping[str, Graded], now: Now) -> Graded:
    """Grade from the stages of every organ; ``now`` decides whether there is the disease at all."""
    facts = at_visit.facts(now)
    used = tuple(dict.fromkeys(value for own in stages.values() for value in own.used))
    notes = tuple(note for own in stages.values() for note in own.notes)
    if system.none_if is not None and rules.truth(system.none_if, facts) is True:
        told = at_visit.used([system.none_if], now)
        least = points(system, {code: own.low for code, own in stages.items()})
        against = ("recorded as absent although organ stages are above 0",) if least > 0 else ()
        return Graded(0, 0, against, tuple(dict.fromkeys((*told, *used))))
    low = high = points(system, {code: own.low for code, own in stages.items()})
    if any(own.value is None for own in stages.values()):
        high = points(system, {code: own.high for code, own in stages.items()})
    if system.some_if is not None and rules.truth(system.some_if, facts) is True:
        used = tuple(dict.fromkeys((*at_visit.used([system.some_if], now), *used)))
        if high == 0:
            return Graded(1, max(system.labels), ("diagnosed, but every organ scores 0",), used)
        low = max(low, 1)
    return Graded(low, high, () if low == high else notes, used)


def event_truth(event: Event, system: System, graded: Graded, now: Now) -> Truth:
    """Whether an event on the grade holds at the assessment: both ends of its range must agree."""
    ends = set()
    for value in dict.fromkeys((graded.low, graded.high)):
        own = {**now, system.code: Measured(0, system.code, float(value))}
        ends.add(rules.truth(event.rule, at_visit.facts(own)))
    return ends.pop() if len(ends) == 1 else None
