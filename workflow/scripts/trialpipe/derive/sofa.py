"""Organ failure score per intensive care day: components, totals and how each missing component was filled.

A day is the ``day_start`` day of the trial's clock; day 0 is the day of the trial's origin. Every day from the baseline
visit to the last visit has rows; the visit's day is the target, or the nearest day of its window with a total. The
baseline visit takes only observations before the first dose. From the day of death on there is no score, and rows stand
at visits alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from trialpipe.config.icu import SofaDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol, VisitSet
from trialpipe.derive import days, sofa_days, windows
from trialpipe.derive.errors import config_error
from trialpipe.derive.milestones import DEATH, cutoff_day
from trialpipe.derive.sofa_days import DEAD, DISCHARGED, ICU, LOST, NOT_REACHED, WARD, Day, Limits, Scored
from trialpipe.derive.sofa_definition import TABLE, Score, named
from trialpipe.derive.sofa_records import Clock, Observation, minutes, observations
from trialpipe.derive.subjects import Moment, Subject, subjects
from trialpipe.derive.windows import Place
from trialpipe.io.contracts import BDS, Column, Contract

CONTRACT: Contract = BDS.with_columns(
    Column("STATUS", "text", "icu, ward, discharged, dead, lost or not_reached", nullable=False),
    Column("NOBS", "int", "Components observed on the day itself"),
    Column("FILL", "text", "Where the points come from: observed, within_6h, locf, ward_zero, ..., missing"),
    Column("NOTE", "text", "What was assumed, why missing"),
)


@dataclass(frozen=True)
class Setting:
    """What the days of any patient need."""

    spec: SofaDataset
    score: Score
    protocol: Protocol
    visits: VisitSet
    clock: Clock
    cutoff: int


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """Rows of CONTRACT per patient of ADSL with a dated origin, day, and component or total.

    Raises DataError for a definition, measure or rate that the table does not have, and for visits without a baseline.
    """
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, SofaDataset)
    place = setting(spec, protocol, reference.get(TABLE))
    seen = observations(spec, place.score, clean, place.cutoff, place.clock)
    rows: list[dict[str, object]] = []
    for subject in subjects(derived["adsl"], protocol):
        rows += _subject_rows(subject, seen.get(subject.usubjid, []), place)
    return days.frame(rows, CONTRACT)


def setting(spec: SofaDataset, protocol: Protocol, document: object = None) -> Setting:
    """The dataset's definition, visits and clock. Raises DataError as ``run`` does."""
    item = f"datasets[{spec.id}]"
    score = named(spec.definition, document if isinstance(document, Mapping) else None, f"{item}.definition")
    known = {"measures": tuple(score.measures), "rates": (*score.rates.codes, *score.rates.noted)}
    for part, codes in known.items():
        for entry in getattr(spec, part):
            if entry.code not in codes:
                cure = f"use one of {', '.join(codes)}"
                raise config_error(f"{item}.{part}", entry.code, f"is none of {spec.definition} in {TABLE}", cure)
    start = spec.day_start or protocol.time.day_start
    own = protocol.model_copy(update={"time": protocol.time.model_copy(update={"day_start": start})})
    visits = windows.visit_set(own, spec.visits)
    if sum(visit.baseline for visit in visits.visits) != 1:
        raise config_error(f"{item}.visits", spec.visits, "needs exactly one baseline visit", "set baseline: true once")
    return Setting(spec, score, own, visits, Clock(minutes(start)), cutoff_day(own))


def course(subject: Subject, own: Sequence[Observation], place: Setting) -> list[tuple[Day, Place | None]]:
    """The days of one patient with the visit each stands for; none without an exact origin."""
    zero = windows.origin_day(subject, place.protocol)
    visits = [v for v in windows.places(subject, place.visits, place.protocol) if not v.anchored]
    if zero is None or not visits:
        return []
    first = next(v.target for v in visits if v.visit.baseline)
    last = max(v.target for v in visits)
    points = sofa_days.judged(place.score, own)
    numbers = range(first, max(v.high for v in visits) + 1)
    found = {n: _day(subject, own, points, n, zero, n == first, place) for n in numbers}
    chosen = {_chosen(visit, found): visit for visit in visits}
    wanted = [n for n in found if n in chosen or (n <= last and found[n].status not in (DEAD, NOT_REACHED))]
    return [(found[n], chosen.get(n)) for n in wanted]


def _chosen(visit: Place, found: Mapping[int, Day]) -> int:
    """The target day of a visit, or the nearest day of its window on which no component is missing."""
    target = found[visit.target]
    if visit.visit.baseline or target.status == DEAD or _complete(target):
        return visit.target
    inside = [n for n in found if visit.low <= n <= visit.high and _complete(found[n])]
    return min(inside, key=lambda n: (abs(n - visit.target), n), default=visit.target)


def _complete(day: Day) -> bool:
    return day.status not in (DEAD, NOT_REACHED) and all(cell.points is not None for cell in day.cells.values())


def _day(
    subject: Subject,
    own: Sequence[Observation],
    points: Mapping[str, Sequence[Scored]],
    day: int,
    zero: int,
    baseline: bool,
    place: Setting,
) -> Day:
    status = _status(subject, day, day - zero, place)
    limits = Limits(place.clock, baseline, _dose_minute(subject, place) if baseline else None)
    return Day(day - zero, day, status, sofa_days.cells(place.score, own, points, day, status, limits))


def _dose_minute(subject: Subject, place: Setting) -> int | None:
    """Last minute before the first dose: of its day, if it has no time."""
    dose = subject.moment(place.spec.first_dose or place.protocol.time.origin)
    if dose is None:
        return None
    return dose.high * 1440 + (1439 if dose.time is None else minutes(dose.time))


def _status(subject: Subject, day: int, number: int, place: Setting) -> str:
    """Where the patient is on a day; the day of death is dead, the day of leaving intensive care is still in it."""
    origin = windows.origin(subject, place.protocol)
    death = subject.moment(DEATH)
    assert origin is not None
    if death is not None and death.earliest(origin.high) <= origin.high + number:
        return DEAD
    if day > place.cutoff:
        return NOT_REACHED
    if death is None and subject.last_alive is not None and subject.last_alive < day:
        return LOST
    left = _left(subject, place.spec.icu_discharge, day, place)
    back = subject.moment(place.spec.icu_readmission) if place.spec.icu_readmission else None
    if _left(subject, place.spec.hospital_discharge, day, place):
        return DISCHARGED
    if left and (back is None or _clock_day(back, place) > day):
        return WARD
    return ICU


def _left(subject: Subject, milestone: str | None, day: int, place: Setting) -> bool:
    """Whether a unit was left before the day; a day of leaving before that of admission to it proves nothing."""
    moment = subject.moment(milestone) if milestone else None
    return moment is not None and not _impossible(subject, moment, place) and _clock_day(moment, place) < day


def _impossible(subject: Subject, left: Moment, place: Setting) -> bool:
    entered = subject.moment(place.spec.icu_admission) if place.spec.icu_admission else None
    return entered is not None and entered.low is not None and left.high < entered.low


def _clock_day(moment: Moment, place: Setting) -> int:
    return windows.clock_day(moment.high, moment.time, place.protocol.time.day_start)


def _subject_rows(subject: Subject, own: Sequence[Observation], place: Setting) -> list[dict[str, object]]:
    followed = course(subject, own, place)
    base: dict[str, float | None] = {}
    rows: list[dict[str, object]] = []
    for day, visit in followed:
        lines = _lines(day, own, place)
        if visit is not None and visit.visit.baseline:
            base = {str(line["PARAMCD"]): line["AVAL"] for line in lines}  # type: ignore[misc]
        for line in lines:
            rows.append(_row(subject, day, visit, line, base.get(str(line["PARAMCD"])), place))
    return rows


def _lines(day: Day, own: Sequence[Observation], place: Setting) -> list[dict[str, object]]:
    """Components, then totals, without what all rows of a day share."""
    lines: list[dict[str, object]] = []
    for component in place.score.components:
        cell = day.cells[component.code]
        own_notes = days.joined(cell.notes)
        lines.append(_line(component.code, component.label, cell.points, cell.fill, own_notes, cell.sources))
    scored = day.status not in (DEAD, NOT_REACHED)
    said = sofa_days.notes(own, day.day, place.clock) if scored else ()
    filled = [f"{c} {cell.fill}" for c, cell in day.cells.items() if cell.fill not in (None, sofa_days.OBSERVED)]
    note = days.joined([*(n for cell in day.cells.values() for n in cell.notes), *said])
    sources = tuple(dict.fromkeys(row for cell in day.cells.values() for row in cell.sources))
    for rule in place.score.totals:
        value = sofa_days.total(rule, day)
        lines.append(_line(rule.code, rule.label, value, days.joined(filled), note, sources))
    return lines


def _line(
    code: str, label: str, value: float | None, fill: str | None, note: str | None, sources: tuple[str, ...]
) -> dict[str, object]:
    text = None if value is None else f"{value:g}"
    return {
        "PARAMCD": code,
        "PARAM": label,
        "AVAL": value,
        "AVALC": text,
        "FILL": fill,
        "NOTE": note,
        "from": list(sources),
    }


def _row(
    subject: Subject, day: Day, visit: Place | None, line: Mapping[str, object], base: float | None, place: Setting
) -> dict[str, object]:
    value, origin = line["AVAL"], windows.origin(subject, place.protocol)
    baseline = visit is not None and visit.visit.baseline
    assert origin is not None
    ahead = day.day - origin.high
    return {
        "row_id": f"{place.spec.id}:{subject.usubjid}/{line['PARAMCD']}/{day.number}",
        "USUBJID": subject.usubjid,
        "CENS": "none",
        "ADT": days.date(day.day),
        "ATIME": float(day.number),
        "ADY": ahead + 1 if ahead >= 0 else ahead,
        "AVISIT": visit.visit.label if visit is not None else None,
        "ANL01FL": "Y" if visit is not None else None,
        "ABLFL": "Y" if baseline else None,
        "BASE": base,
        "CHG": None if base is None or baseline or not isinstance(value, float) else value - base,
        "RELDAYS": float(day.day - visit.target) if visit is not None else None,
        "flags": [],
        "STATUS": day.status,
        "NOBS": day.observed,
        **line,
        "from": line["from"] or [subject.row_id],
    }
