"""ADEX: planned administrations of a treatment one by one, and their sum per patient.

An administration is a record of what was given (not NOT DONE, dose not 0); those before ``start`` are none of the
trial, one without a date was given on an unknown day. Visits are ``<name> 1`` to ``<name> <planned>``; more than
planned stand too. Without ``number`` the n-th administration is the n-th by date. One that was not given has its
reason from the declared records: of its number, else of the last number before it that was not given either; without
any it is ``not recorded``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from trialpipe.config.datasets import ExposureDataset, ReasonNotGiven
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days, windows
from trialpipe.derive.milestones import cutoff_day
from trialpipe.derive.records import matching, not_done, usable
from trialpipe.derive.subjects import Subject, subjects
from trialpipe.io.contracts import BDS, Column, Contract
from trialpipe.io.sdtm import date_columns

CONTRACT: Contract = BDS.with_columns(Column("NOTE", "text", "Why missing, or what was read by convention"))
GIVEN, DOSE, SINCE, WHY = "GIVEN", "DOSE", "DAYS", "REASON"
NUMBER, TOTAL = "NGIVEN", "CUMDOSE"
_NEVER = 10**9
COURSE = "Whole course"
"""AVISIT of the rows per patient."""
NOT_RECORDED = "not recorded"


class Dose(NamedTuple):
    """One administration, in days ``low`` to ``high`` (None: unknown). ``number`` None: not numbered in the extract."""

    low: int | None
    high: int | None
    amount: float | None
    unit: str | None
    number: int | None
    row_id: str

    @property
    def day(self) -> int | None:
        """The day, if it is known exactly."""
        return self.low if self.low == self.high else None


def labels(name: str) -> dict[str, str]:
    """PARAMCD to label of an exposure dataset's parameters."""
    return {
        GIVEN: f"{name} given",
        DOSE: f"Dose of {name}",
        SINCE: f"Days from the origin to {name}",
        WHY: f"Reason {name} was not given",
        NUMBER: f"Number of {name} given",
        TOTAL: f"Total dose of {name}",
    }


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """Rows of CONTRACT for each patient of ADSL with ``start`` who matches ``patients``."""
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, ExposureDataset)
    cutoff = cutoff_day(protocol)
    given = _doses(clean[spec.domain], spec, cutoff)
    reasons = _reasons(clean[spec.reason.domain], spec.reason, cutoff) if spec.reason else {}
    chosen = set(matching(derived["adsl"], spec.patients)["USUBJID"])
    rows: list[dict[str, object]] = []
    for subject in subjects(derived["adsl"], protocol):
        start = subject.moment(spec.start)
        if subject.usubjid not in chosen or start is None:
            continue
        floor = start.low
        own = [d for d in given.get(subject.usubjid, []) if d.high is None or floor is None or d.high >= floor]
        rows += _subject(spec, protocol, subject, own, reasons.get(subject.usubjid, []))
    return days.frame(rows, CONTRACT)


def _doses(frame: pd.DataFrame, spec: ExposureDataset, cutoff: int) -> dict[str, list[Dose]]:
    """Administrations by patient, in order of date; those without a date are the last."""
    rows = matching(usable(frame, spec.date, cutoff), spec.where)
    rows = rows[~not_done(rows, spec.domain)]
    names = date_columns(spec.date)
    low, high = days.days(days.column(rows, names.low)), days.days(days.column(rows, names.high))
    amount, unit = days.numbers(days.column(rows, spec.dose)), days.texts(days.column(rows, spec.unit))
    numbers = _numbers(rows, spec.number)
    found: dict[str, list[Dose]] = {}
    for i, (usubjid, row_id) in enumerate(zip(rows["USUBJID"], rows["row_id"], strict=True)):
        if amount[i] != 0:
            found.setdefault(usubjid, []).append(Dose(low[i], high[i], amount[i], unit[i], numbers[i], row_id))
    return {usubjid: sorted(own, key=_order) for usubjid, own in found.items()}


def _order(dose: Dose) -> tuple[int, int, int, str]:
    low, high = (_NEVER if day is None else day for day in (dose.low, dose.high))
    return (low, high, _NEVER if dose.number is None else dose.number, dose.row_id)


def _numbers(rows: pd.DataFrame, variable: str | None) -> list[int | None]:
    """Planned number of each record; None where it is not a whole number above 0."""
    if variable is None:
        return [None] * len(rows)
    values = days.numbers(pd.to_numeric(days.column(rows, variable), errors="coerce"))
    return [None if value is None or value < 1 or not value.is_integer() else int(value) for value in values]


def _reasons(frame: pd.DataFrame, spec: ReasonNotGiven, cutoff: int) -> dict[str, list[tuple[int | None, str, str]]]:
    """(number, reason, row id) by patient in row order."""
    rows = matching(usable(frame, None, cutoff), spec.where)
    found: dict[str, list[tuple[int | None, str, str]]] = {}
    told = days.texts(days.column(rows, spec.variable))
    for number, text, usubjid, row_id in zip(
        _numbers(rows, spec.number), told, rows["USUBJID"], rows["row_id"], strict=True
    ):
        if text is not None:
            found.setdefault(usubjid, []).append((number, text, row_id))
    return found


def _placed(own: Sequence[Dose]) -> tuple[dict[int, Dose], list[str]]:
    """Administrations (in order of date) by number.

    Numbers count as recorded; where one is absent or stands twice, dates decide: each is above the one before it.
    """
    recorded = [dose.number for dose in own]
    twice = sorted({number for number in recorded if number is not None and recorded.count(number) > 1})
    notes = [f"number {number} recorded twice: read by order of dates" for number in twice]
    if None not in recorded and not twice:
        return {dose.number: dose for dose in own if dose.number is not None}, notes
    placed: dict[int, Dose] = {}
    for dose in own:
        placed[max(dose.number or 0, max(placed, default=0) + 1)] = dose
    return placed, notes


def _reason(number: int, reasons: Sequence[tuple[int | None, str, str]]) -> tuple[int | None, str, str] | None:
    """The reason of this number, else one without number, else that of the last number before it."""
    own = [reason for reason in reasons if reason[0] in (number, None)]
    if own:
        return min(own, key=lambda reason: reason[0] is None)
    earlier = [(reason[0], reason) for reason in reasons if reason[0] is not None and reason[0] < number]
    return max(earlier, key=lambda pair: pair[0])[1] if earlier else None


def _subject(
    spec: ExposureDataset,
    protocol: Protocol,
    subject: Subject,
    own: Sequence[Dose],
    reasons: Sequence[tuple[int | None, str, str]],
) -> list[dict[str, object]]:
    placed, notes = _placed(own)
    start = subject.exact_day(spec.start)
    rows: list[dict[str, object]] = []
    for number in range(1, max([spec.planned, *placed]) + 1):
        visit = f"{spec.name} {number}"
        dose = placed.get(number)
        if dose is None:
            told = _reason(number, reasons)
            sources = [told[2]] if told else []
            rows.append(_row(spec, subject, GIVEN, visit, "N", sources=sources))
            rows.append(_row(spec, subject, WHY, visit, told[1] if told else NOT_RECORDED, sources=sources))
            if told and told[0] not in (None, number):
                rows[-1]["NOTE"] = f"reason of {spec.name} {told[0]}"
            continue
        rows.append(_row(spec, subject, GIVEN, visit, "Y", dose=dose))
        if dose.amount is not None:
            rows.append(_row(spec, subject, DOSE, visit, f"{dose.amount:g}", dose.amount, dose.unit, dose))
        if dose.day is not None and start is not None:
            rows.append(_row(spec, subject, SINCE, visit, None, float(dose.day - start), "d", dose))
    rows += _whole(spec, subject, own, notes)
    zero = windows.origin_day(subject, protocol)
    for row in rows:
        day = row.pop("day", None)
        row["ADT"] = days.date(day)  # type: ignore[arg-type]
        row["ATIME"] = None if day is None or zero is None else float(day - zero)  # type: ignore[operator]
    return rows


def _whole(
    spec: ExposureDataset, subject: Subject, own: Sequence[Dose], notes: Sequence[str]
) -> list[dict[str, object]]:
    """Number given and total dose; the total is missing if a dose or the common unit is."""
    sources = [dose.row_id for dose in own]
    number = _row(spec, subject, NUMBER, COURSE, str(len(own)), float(len(own)), sources=sources)
    number["NOTE"] = days.joined(notes)
    units = {dose.unit for dose in own}
    amounts = [dose.amount for dose in own if dose.amount is not None]
    whole = len(amounts) == len(own) and len(units) <= 1
    total = sum(amounts) if whole else None
    text = None if total is None else f"{total:g}"
    row = _row(spec, subject, TOTAL, COURSE, text, total, next(iter(units), None) if whole else None, sources=sources)
    row["NOTE"] = None if whole else "a dose is missing or units differ"
    return [number, row]


def _row(
    spec: ExposureDataset,
    subject: Subject,
    code: str,
    visit: str,
    text: str | None,
    value: float | None = None,
    unit: str | None = None,
    dose: Dose | None = None,
    sources: Sequence[str] = (),
) -> dict[str, object]:
    return {
        "row_id": f"{spec.id}:{subject.usubjid}/{code}/{visit}",
        "USUBJID": subject.usubjid,
        "PARAMCD": code,
        "PARAM": labels(spec.name)[code],
        "AVAL": value,
        "AVALC": text if text is not None or value is None else f"{value:g}",
        "AVALU": unit,
        "CENS": "none",
        "day": dose.day if dose else None,
        "AVISIT": visit,
        "ANL01FL": "Y",
        "flags": [],
        "from": list(sources) or ([dose.row_id] if dose else [subject.row_id]),
    }
