"""ADAE: one row per adverse event, with a flag per analysis window and per list of preferred terms.

A partial start counts as its first possible day, but not before the first dose if the event may have started after
it and was not over before it; an unknown start is inside a window unless its end is known to be before. A partial end
counts as its last possible day. Window bounds are included.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from trialpipe.config.datasets import AdverseEventsDataset, AEWindow, TermList
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days
from trialpipe.derive.milestones import DEATH, cutoff_day
from trialpipe.derive.records import tail, usable
from trialpipe.derive.subjects import Subject, subjects
from trialpipe.io.contracts import ADAE, Column, Contract
from trialpipe.io.errors import DataError
from trialpipe.io.reference import rows as reference_rows
from trialpipe.io.sdtm import date_columns

_COPIED = ("AETERM", "AEDECOD", "AEBODSYS", "AETOXGR", "AESEV", "AESER", "AEREL", "AEOUT")


class Onset(NamedTuple):
    """Start and end as analysed (day numbers, None: unknown) and what is known of them."""

    start: int | None
    end: int | None
    end_low: int | None
    time: str | None
    start_flag: str | None
    end_flag: str | None
    notes: tuple[str, ...]


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """ADAE with one flag (Y or N) per declared window and per list of preferred terms."""
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, AdverseEventsDataset)
    cutoff = cutoff_day(protocol)
    people = {subject.usubjid: subject for subject in subjects(derived["adsl"], protocol)}
    records = usable(clean[spec.domain], "AESTDTC", cutoff)
    copied = {name: days.texts(days.column(records, name)) for name in _COPIED}
    dates = _dates(records)
    lists = {entry.variable: _Terms.of(entry) for entry in spec.lists}
    rows: list[dict[str, object]] = []
    for i, (usubjid, row_id) in enumerate(zip(records["USUBJID"], records["row_id"], strict=True)):
        subject = people.get(usubjid)
        if subject is None:
            continue
        event = onset(subject, protocol.time.origin, cutoff, *(column[i] for column in dates))
        zero = subject.exact_day(protocol.time.origin)
        flags = {w.variable: inside(event, w, subject) for w in spec.windows}
        notes = [*event.notes, *(note for _, note in flags.values() if note)]
        row: dict[str, object] = {
            "row_id": f"{dataset}:{usubjid}/{tail(row_id, usubjid)}",
            "USUBJID": usubjid,
            "ASTDT": days.date(event.start),
            "ASTDTF": event.start_flag,
            "AENDT": days.date(event.end),
            "AENDTF": event.end_flag,
            "ATIME": None if event.start is None or zero is None else float(event.start - zero),
            "NOTE": days.joined(notes),
            "from": [row_id],
        }
        row.update({name: values[i] for name, values in copied.items()})
        row.update({name: "Y" if flag else "N" for name, (flag, _) in flags.items()})
        row.update({name: t.flag(copied["AEDECOD"][i], copied["AEBODSYS"][i]) for name, t in lists.items()})
        rows.append(row)
    return days.frame(rows, contract(spec))


def contract(spec: AdverseEventsDataset) -> Contract:
    """ADAE with the flags the dataset declares; that of a list is null for an event without a preferred term."""
    windows = (Column(w.variable, "text", w.label, nullable=False) for w in spec.windows)
    return ADAE.with_columns(*windows, *(Column(entry.variable, "text", entry.label) for entry in spec.lists))


def listed(table: str) -> frozenset[str]:
    """Folded preferred terms of a table in resources/reference. Raises DataError if it is absent or has no terms."""
    cure = "name a file of resources/reference with a column term"
    try:
        terms = [row.get("term") for row in reference_rows(table)]
    except FileNotFoundError:
        raise DataError("protocol.yaml", None, "lists.table", table, "is not in resources/reference", cure) from None
    found = frozenset(folded(term) for term in terms if term)
    if not found:
        raise DataError("protocol.yaml", None, "lists.table", table, "has no terms", cure)
    return found


def folded(term: str) -> str:
    """A term without case, accents and repeated spaces."""
    plain = unicodedata.normalize("NFKD", term)
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).casefold().split())


class _Terms(NamedTuple):
    """A list of terms, folded."""

    terms: frozenset[str]
    contains: tuple[str, ...]
    classes: frozenset[str]
    exempt: frozenset[str]

    @classmethod
    def of(cls, entry: TermList) -> _Terms:
        """The list as declared. Raises DataError for a table that is absent or has no terms."""
        terms = frozenset(map(folded, entry.terms)) | (listed(entry.table) if entry.table else frozenset())
        classes, exempt = (frozenset(map(folded, names)) for names in (entry.classes, entry.except_terms))
        return cls(terms, tuple(map(folded, entry.contains)), classes, exempt)

    def flag(self, term: str | None, soc: str | None) -> str | None:
        """Y or N; null for an event without a preferred term."""
        if term is None:
            return None
        own = folded(term)
        named = own in self.terms or any(part in own for part in self.contains)
        by_class = soc is not None and folded(soc) in self.classes and own not in self.exempt
        return "Y" if named or by_class else "N"


def _dates(records: pd.DataFrame) -> tuple[list, ...]:
    start, end = date_columns("AESTDTC"), date_columns("AEENDTC")
    bounds = [days.days(days.column(records, name)) for name in (start.low, start.high, end.low, end.high)]
    return (*bounds, days.texts(days.column(records, start.time)))


def onset(
    subject: Subject,
    origin: str,
    cutoff: int,
    low: int | None,
    high: int | None,
    end_low: int | None,
    end_high: int | None,
    time: str | None,
) -> Onset:
    """Analysis start and end of one event from the bounds of its dates (day numbers)."""
    notes: list[str] = []
    death = subject.moment(DEATH)
    end = end_high
    end_flag = None if end_high is None else days.imputation_flag(end_low, end_high)
    if end is not None and end_flag is not None:
        last = min(end, cutoff) if death is None else min(end, cutoff, death.high)
        end = end if end_low is not None and last < end_low else last
        notes.append("end date partial: last possible day")
    if low is None or high is None:
        return Onset(None, end, end_low, None, None, end_flag, (*notes, "start date unknown"))
    flag = days.imputation_flag(low, high)
    start = low
    if flag is not None:
        time = None
        dose = subject.exact_day(origin)
        over_before = dose is not None and end is not None and end < dose
        if dose is not None and low < dose <= high and not over_before:
            start = dose
            notes.append("start date partial: day of the first dose")
        else:
            notes.append("start date partial: first possible day")
    return Onset(start, end, end_low, time, flag, end_flag, tuple(notes))


def bounds(window: AEWindow, subject: Subject) -> tuple[int, int | None] | None:
    """First and last day of a window (None: open) for a patient; None if it never began.

    A partial bound is read as wide as it may be.
    """
    opening = subject.moment(window.start)
    if opening is None:
        return None
    first = opening.high if opening.low is None else opening.low
    closings = [moment.high for moment in map(subject.moment, window.ends) if moment is not None]
    closings += [moment.high - 1 for moment in map(subject.moment, window.before) if moment is not None]
    if window.until is not None:
        closings.append(first + window.until)
    return first, min(closings) + (window.extend or 0) if closings else None


def inside(event: Onset, window: AEWindow, subject: Subject) -> tuple[bool, str | None]:
    """Whether an event counts in a window, and a note if that was read conservatively.

    A partial bound of the window is read as wide as it may be.
    """
    opening, held = subject.moment(window.start), bounds(window, subject)
    if opening is None or held is None:
        return False, None
    first, last = held
    if event.start is None:
        over = event.end is not None and event.end < first
        return not over, None if over else f"counted in {window.id}"
    if last is not None and event.start > last:
        return False, None
    if event.start == first and opening.exact and event.time is not None and opening.time is not None:
        return event.time >= opening.time, None
    return event.start >= first, None
