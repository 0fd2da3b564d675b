"""Visit windows: which protocol visits a dated value counts for, and which value is the one analysed.

Days of a visit count from the trial's origin as protocol days (``day - first_day`` elapsed days) or, with an anchor,
as elapsed days from that milestone. A value counts for at most one origin visit (the nearest target, ties to the
earlier) and beside it for every anchored visit whose window holds it. A visit with recorded names holds the values
of these names, whatever their day. Origin visits take nothing from the start of a ``stop_before`` milestone on; a value
of that very day counts only if both clock times show it was before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trialpipe.config.protocol import Protocol, Visit, VisitSet
from trialpipe.derive.subjects import Moment, Subject


class Point(NamedTuple):
    """A dated value: day number, clock time, the row it is in (which breaks ties), the visit as recorded."""

    day: int
    time: str | None
    row_id: str
    visit: str | None = None


class Place(NamedTuple):
    """A visit in a patient's own days, bounds included."""

    visit: Visit
    target: int
    low: int
    high: int
    anchored: bool


def visit_set(protocol: Protocol, name: str) -> VisitSet:
    """The declared visit set; KeyError if there is none."""
    for entry in protocol.visit_sets:
        if entry.id == name:
            return entry
    raise KeyError(name)


def clock_day(day: int, time: str | None, day_start: str) -> int:
    """Day of the trial's clock: before ``day_start`` it is still the day before."""
    return day - 1 if time is not None and time < day_start else day


def origin(subject: Subject, protocol: Protocol) -> Moment | None:
    """Moment of the trial's origin or, if that did not happen, of what stands for it (``time.otherwise``)."""
    found, other = subject.moment(protocol.time.origin), protocol.time.otherwise
    return subject.moment(other) if found is None and other is not None else found


def origin_day(subject: Subject, protocol: Protocol) -> int | None:
    """Day of the trial's origin on the trial's clock; None if the patient has no exact one."""
    moment = origin(subject, protocol)
    if moment is None or not moment.exact:
        return None
    return clock_day(moment.high, moment.time, protocol.time.day_start)


def places(subject: Subject, visits: VisitSet, protocol: Protocol) -> list[Place]:
    """The visits of the set that can be dated for a patient, in protocol order."""
    found = []
    for visit in visits.visits:
        anchored = visit.anchor is not None
        zero = subject.exact_day(visit.anchor) if visit.anchor else origin_day(subject, protocol)
        if zero is None:
            continue
        first = 0 if anchored else protocol.time.first_day
        low, high = (zero + bound - first for bound in visit.bounds)
        found.append(Place(visit, zero + visit.day - first, low, high, anchored))
    return found


def stop(subject: Subject, visits: VisitSet) -> Moment | None:
    """The first of the set's ``stop_before`` milestones, a partial date read as its first possible day."""
    moments = [m for m in map(subject.moment, visits.stop_before) if m is not None]
    if not moments:
        return None
    return min(moments, key=lambda m: (_earliest(m), m.time or "24:00", m.milestone))


def _earliest(moment: Moment) -> int:
    return moment.high if moment.low is None else moment.low


def before(point: Point, limit: Moment | None) -> bool:
    """True if the value is known to be before the limit (no limit: always)."""
    if limit is None or point.day < _earliest(limit):
        return True
    known = limit.exact and limit.time is not None and point.time is not None
    return bool(known and point.day == limit.high and point.time < limit.time)  # type: ignore[operator]


def before_dose(point: Point, dose: Moment) -> bool:
    """Before the origin, or on its day unless the clock shows it was after."""
    if point.day != dose.high or point.time is None or dose.time is None:
        return point.day <= dose.high
    return point.time <= dose.time


def assign(points: Sequence[Point], subject: Subject, visits: VisitSet, protocol: Protocol) -> list[list[Place]]:
    """For each point the visits it counts for: at most one origin visit, then anchored ones in protocol order."""
    dated = places(subject, visits, protocol)
    limit = stop(subject, visits)
    dose = subject.moment(protocol.time.origin)
    result = []
    for point in points:
        day = clock_day(point.day, point.time, protocol.time.day_start)
        holding = [place for place in dated if _holds(place, point, day)]
        own = [p for p in holding if not p.anchored and before(point, limit) and _baseline_allows(point, p, dose)]
        nearest = sorted(own, key=lambda place: (abs(day - place.target), place.target))[:1]
        result.append(nearest + [place for place in holding if place.anchored])
    return result


def _holds(place: Place, point: Point, day: int) -> bool:
    """Whether a value of this day lies in the window of a visit, or was recorded under its name."""
    if place.visit.recorded:
        return point.visit in place.visit.recorded
    return place.low <= day <= place.high


def _baseline_allows(point: Point, place: Place, dose: Moment | None) -> bool:
    """A baseline visit that ends on the day of the first dose takes only values before the dose."""
    if not place.visit.baseline or place.visit.recorded or dose is None or place.high > dose.high:
        return True
    return before_dose(point, dose)


def pick(points: Sequence[Point], place: Place, dose: Moment | None, day_start: str) -> Point:
    """The value analysed at a visit among at least one that counts for it.

    At a baseline visit the last one before the dose; if there is none (its window reaches beyond the dose), the first.
    """
    if place.visit.baseline and dose is not None:
        early = [point for point in points if before_dose(point, dose)]
        return max(early, key=moment) if early else min(points, key=moment)
    if place.visit.pick == "last":
        return max(points, key=moment)
    if place.visit.pick == "first":
        return min(points, key=moment)
    return min(points, key=lambda p: (abs(clock_day(p.day, p.time, day_start) - place.target), *moment(p)))


def moment(point: Point) -> tuple[int, str, str]:
    """Sort key of points: day, clock time (an unknown one first), row."""
    return point.day, point.time or "", point.row_id
