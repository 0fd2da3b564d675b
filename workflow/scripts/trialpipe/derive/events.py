"""Events of derived datasets as moments of patients, so that endpoints can name them like milestones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from trialpipe.config.protocol import DerivedEvent, Protocol
from trialpipe.derive.days import column, days, imputation_flag, numbers, texts
from trialpipe.derive.records import matching
from trialpipe.derive.subjects import Moment, Subject


def with_events(people: list[Subject], protocol: Protocol, derived: Mapping[str, pd.DataFrame]) -> list[Subject]:
    """The patients with a moment, the row and the note of every derived event they have.

    The event is the earliest of its rows (parameter, filter) with a date (ADT, or ADTLO and ADTHI where the date is
    partial); a note of a patient in whom it is undetermined (AVAL null) is kept too. KeyError if a dataset is not given
    or lacks the date.
    """
    for event in protocol.derived_events:
        found, rows, notes = _moments(event, derived[event.dataset])
        people = [
            replace(
                subject,
                moments=_added(subject.moments, event.id, found.get(subject.usubjid)),
                rows=_added(subject.rows, event.id, rows.get(subject.usubjid)),
                notes=_added(subject.notes, event.id, notes.get(subject.usubjid)),
            )
            for subject in people
        ]
    return people


def _added(held: Mapping, name: str, value: object) -> dict:
    return {**held, name: value} if value is not None else dict(held)


def _moments(event: DerivedEvent, frame: pd.DataFrame) -> tuple[dict[str, Moment], dict[str, str], dict[str, str]]:
    """(moment, row id, note) by patient."""
    rows = frame if event.parameter is None else frame[frame["PARAMCD"] == event.parameter]
    rows = matching(rows, event.where).sort_values("row_id", kind="stable")
    exact = days(rows[event.date])
    low, high = days(column(rows, f"{event.date}LO")), days(column(rows, f"{event.date}HI"))
    said, excluded = texts(column(rows, "NOTE")), [value == 0 for value in numbers(column(rows, "AVAL"))]
    found: dict[str, Moment] = {}
    ids: dict[str, str] = {}
    notes: dict[str, str] = {}
    for i, (usubjid, row_id) in enumerate(zip(rows["USUBJID"], rows["row_id"], strict=True)):
        first, last = (low[i], high[i]) if exact[i] is None else (exact[i], exact[i])
        note = said[i]
        if last is None:
            if note is not None and not excluded[i]:
                notes.setdefault(usubjid, note)
            continue
        moment = Moment(event.id, first, last, None, imputation_flag(first, last))
        if usubjid not in found or moment.high < found[usubjid].high:
            found[usubjid], ids[usubjid] = moment, row_id
            notes.pop(usubjid, None)
            if note is not None:
                notes[usubjid] = note
    return found, ids, notes
