"""ADGV: stages and grades of graft-versus-host disease at every assessment, and onset and maximum per patient.

An assessment is a day (or a partial date) of the first domain with a test of the system's family. Other domains give
values of that day or of the ``max_age`` days before. Of several values of one test and day the worst counts. Onset is
the first assessment at which the event is certain; a patient without one has N only if it was excluded at every
assessment. Assessments before ``start`` or after the first of ``ends`` (its day included) stand but decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from trialpipe.config.datasets import GvhdDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days, grading, windows
from trialpipe.derive.grading import Graded
from trialpipe.derive.gvhd_tables import TABLE, Event, System, Tables, named, tables
from trialpipe.derive.gvhd_values import Day, assessments
from trialpipe.derive.rules import Measured, Truth
from trialpipe.derive.subjects import Subject, subjects
from trialpipe.io.contracts import BDS, Column, Contract

CONTRACT: Contract = BDS.with_columns(
    Column("SYSTEM", "text", "Grading system in resources/reference/gvhd.yaml", nullable=False),
    Column("AVALLO", "float", "Least possible value"),
    Column("AVALHI", "float", "Greatest possible value"),
    Column("ADTLO", "date", "First possible day"),
    Column("ADTHI", "date", "Last possible day"),
    Column("NOTE", "text", "Why undetermined, or what was read conservatively"),
)
COURSE = "Whole course"
"""AVISIT of the rows per patient, so that they can be tabulated; assessments have none."""
NOT_ASSESSED, NO_RECORD = "not assessed", "no record: none"
_YES_NO = {True: "Y", False: "N", None: None}


class Seen(NamedTuple):
    """One assessment under one system: the day, the grade, and whether each event holds (by code)."""

    day: Day
    grade: Graded
    truths: Mapping[str, Truth]
    row_id: str


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """Rows of CONTRACT per patient of ADSL and system: assessments in time order, then events and maximum.

    Raises DataError for an unknown system and for an assumed value of a test that no system reads.
    """
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, GvhdDataset)
    document = reference.get(TABLE)
    known = tables(document if isinstance(document, Mapping) else None)
    systems = named(spec.systems, known.systems, f"datasets[{dataset}].systems")
    found = assessments(spec, protocol, known, systems, clean, derived["adsl"])
    rows: list[dict[str, object]] = []
    for subject in subjects(derived["adsl"], protocol):
        for system in systems:
            rows += _subject(spec, protocol, known, system, subject, found.get(subject.usubjid, []))
    return days.frame(rows, CONTRACT)


def _subject(
    spec: GvhdDataset, protocol: Protocol, known: Tables, system: System, subject: Subject, given: Sequence[Day]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    seen: list[Seen] = []
    for day in given:
        if not day.tests & set(known.tests[system.family]):
            continue
        stages = {organ.code: grading.stage(organ, day.now, spec.prefer) for organ in system.organs}
        graded = grading.grade(system, stages, day.now)
        truths = {event.code: grading.event_truth(event, system, graded, day.now) for event in system.events}
        for organ in system.organs:
            label = system.parameters[organ.code]
            rows.append(_stage_row(spec, protocol, system, subject, day, organ.code, label, stages[organ.code]))
        rows.append(_stage_row(spec, protocol, system, subject, day, system.code, system.title, graded))
        seen.append(Seen(day, graded, truths, str(rows[-1]["row_id"])))
    inside, notes = _counted(seen, spec, subject)
    rows += [_event_row(spec, protocol, system, subject, event, inside, notes) for event in system.events]
    return [*rows, _maximum_row(spec, protocol, system, subject, inside, notes)]


def _counted(seen: Sequence[Seen], spec: GvhdDataset, subject: Subject) -> tuple[list[Seen], list[str]]:
    """Assessments from the start up to the end, and what was left out. Without the start nothing counts.

    A partial date counts where it may be in between, and then begins no earlier than the start.
    """
    start = subject.moment(spec.start) if spec.start else None
    if spec.start and start is None:
        return [], [f"{spec.start} did not happen", NOT_ASSESSED]
    floor = None if start is None else start.low
    ends = [moment.high for moment in map(subject.moment, spec.ends) if moment is not None]
    last = min(ends, default=None)
    early = [s for s in seen if floor is not None and s.day.high is not None and s.day.high < floor]
    late = [s for s in seen if last is not None and s.day.low is not None and s.day.low > last]
    notes = []
    if any(s.grade.low > 0 for s in early):
        notes.append(f"present before {spec.start}")
    inside = [_not_before(s, floor) for s in seen if s not in early and s not in late]
    if not inside:
        notes.append(NO_RECORD if spec.recorded_if_present else NOT_ASSESSED)
    return inside, notes


def _not_before(seen: Seen, floor: int | None) -> Seen:
    low = seen.day.low
    return seen if floor is None or low is None or low >= floor else seen._replace(day=replace(seen.day, low=floor))


def _event_row(
    spec: GvhdDataset,
    protocol: Protocol,
    system: System,
    subject: Subject,
    event: Event,
    inside: Sequence[Seen],
    notes: Sequence[str],
) -> dict[str, object]:
    """Y with the first day on which the event is certain, N if it was excluded on every one, else null."""
    hits = [s for s in inside if s.truths[event.code] is True]
    first = hits[0] if hits else None
    unclear = [s for s in inside if s.truths[event.code] is None]
    before = [s for s in unclear if first is None or inside.index(s) < inside.index(first)]
    truth: Truth = True if first else None if unclear or NOT_ASSESSED in notes else False
    told = [*notes, *([f"undetermined at {len(before)} assessment(s)"] if before else [])]
    rows = [first.row_id] if first else [s.row_id for s in inside]
    own = _row(spec, protocol, system, subject, event.code, event.label, first.day if first else None, rows)
    value = None if truth is None else float(truth)
    return own | {
        "row_id": f"{spec.id}:{subject.usubjid}/{event.code}",
        "AVAL": value,
        "AVALC": _YES_NO[truth],
        "AVALLO": value or 0.0,
        "AVALHI": 1.0 if value is None else value,
        "AVISIT": COURSE,
        "ANL01FL": "Y",
        "NOTE": days.joined(told),
    }


def _maximum_row(
    spec: GvhdDataset,
    protocol: Protocol,
    system: System,
    subject: Subject,
    inside: Sequence[Seen],
    notes: Sequence[str],
) -> dict[str, object]:
    low = max((s.grade.low for s in inside), default=0)
    high = max((s.grade.high for s in inside), default=max(system.labels) if NOT_ASSESSED in notes else 0)
    told = list(notes)
    if inside and low != high:
        told.append(f"between {system.labels[low]} and {system.labels[high]}")
    worst = next((s for s in inside if s.grade.low == low), None) if low == high else None
    code, label = system.maximum
    rows = [worst.row_id] if worst else [s.row_id for s in inside]
    own = _row(spec, protocol, system, subject, code, label, worst.day if worst else None, rows)
    return own | {
        "row_id": f"{spec.id}:{subject.usubjid}/{code}",
        "AVAL": float(low) if low == high else None,
        "AVALC": system.labels[low] if low == high else None,
        "AVALLO": float(low),
        "AVALHI": float(high),
        "AVISIT": COURSE,
        "ANL01FL": "Y",
        "NOTE": days.joined(told),
    }


def _stage_row(
    spec: GvhdDataset,
    protocol: Protocol,
    system: System,
    subject: Subject,
    day: Day,
    code: str,
    label: str,
    graded: Graded,
) -> dict[str, object]:
    """A stage or a grade at an assessment."""
    value = graded.value
    texts = system.labels if code == system.code else {n: str(n) for n in range(10)}
    own = _row(spec, protocol, system, subject, code, label, day, _sources(graded.used) or list(day.rows))
    return own | {
        "row_id": f"{spec.id}:{subject.usubjid}/{code}/{day.name}",
        "AVAL": None if value is None else float(value),
        "AVALC": None if value is None else texts[value],
        "AVALLO": float(graded.low),
        "AVALHI": float(graded.high),
        "NOTE": days.joined((*graded.notes, *(day.notes if code == system.code else ()))),
    }


def _row(
    spec: GvhdDataset,
    protocol: Protocol,
    system: System,
    subject: Subject,
    code: str,
    label: str,
    day: Day | None,
    sources: list[str],
) -> dict[str, object]:
    """What rows of assessments and of patients share; without a day there is no date."""
    zero = windows.origin_day(subject, protocol)
    exact = day.low if day is not None and day.low == day.high else None
    return {
        "USUBJID": subject.usubjid,
        "PARAMCD": code,
        "PARAM": label,
        "SYSTEM": system.id,
        "CENS": "none",
        "ADT": days.date(exact),
        "ADTLO": days.date(day.low if day else None),
        "ADTHI": days.date(day.high if day else None),
        "ADTF": None if day is None else days.imputation_flag(day.low, day.high),
        "ATIME": None if exact is None or zero is None else float(exact - zero),
        "flags": [],
        "from": sources or [subject.row_id],
    }


def _sources(used: Sequence[Measured]) -> list[str]:
    """Row ids behind values; what was assumed has none, what was computed has those of its parts."""
    ids = [row for value in used for row in value.row_id.split(" ") if row]
    return list(dict.fromkeys(ids))
