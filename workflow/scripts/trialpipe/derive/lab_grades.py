"""ADLBGR: toxicity grade of laboratory results, a row per record and term, with the worst grade of a patient.

The worst grade is the highest of the records after baseline (from the trial's origin on, if there is no baseline) up to
``until`` elapsed days, the earliest of equals. ``first_hours`` marks the smallest and largest result of the hours
around a milestone, both ends included; results without a clock time are not among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from trialpipe.config.datasets import LabGradesDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days
from trialpipe.derive.ctcae import TABLE, Result, Term, grade, measured, terms
from trialpipe.derive.errors import config_error
from trialpipe.derive.records import tail
from trialpipe.derive.subjects import Subject, subjects
from trialpipe.io.contracts import BDS, Column, Contract

CONTRACT: Contract = BDS.with_columns(
    Column("LBPARM", "text", "Parameter graded", nullable=False),
    Column("VALUE", "float", "Result graded; null if beyond its limit of quantification"),
    Column("VALUEU", "text", "Unit of the result"),
    Column("VALBASE", "float", "Result at baseline"),
    Column("ANRLO", "float", "Analysis normal range lower limit"),
    Column("ANRHI", "float", "Analysis normal range upper limit"),
    Column("TOXVER", "text", "Version of the terminology", nullable=False),
    Column("WORSTFL", "text", "Y: worst grade of the patient after baseline"),
    Column("FHMINFL", "text", "Y: smallest result of the first hours"),
    Column("FHMAXFL", "text", "Y: largest result of the first hours"),
    Column("NOTE", "text", "Why there is no grade"),
)
_COPIED = ("ADT", "ADTM", "ADTF", "ATIME", "ADY", "AVISIT", "ANL01FL", "ABLFL", "RELDAYS", "flags")
Timed = tuple[int, float, str]


class Baseline(NamedTuple):
    """Baseline record of a parameter."""

    row_id: str
    value: float | None
    lln: float | None
    uln: float | None
    moment: tuple[str, str]


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """Rows of CONTRACT. Raises DataError for a version or term that the table has not."""
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, LabGradesDataset)
    table = reference.get(TABLE)
    known = terms(spec.version, spec.units, table if isinstance(table, list) else None)
    for item in spec.terms:
        if item.term not in known:
            cure = f"use one of {', '.join(known)}"
            raise config_error(f"datasets[{dataset}].terms", item.term, f"is no term of {TABLE}", cure)
    people = {subject.usubjid: subject for subject in subjects(derived["adsl"], protocol)}
    rows: list[dict[str, object]] = []
    for item in spec.terms:
        for frame in (derived[name] for name in spec.inputs):
            own = frame[frame["PARAMCD"] == item.parameter].sort_values("row_id", kind="stable")
            for usubjid, records in own.groupby("USUBJID", sort=True):
                if usubjid in people:
                    rows += _patient(spec, known[item.term], people[usubjid], records)
    return days.frame(rows, CONTRACT)


def extremes(values: Sequence[Timed], start: int, end: int) -> tuple[Timed | None, Timed | None]:
    """(smallest, largest) of the values in ``start`` to ``end``, both included; the earliest of equals.

    A value is (minute, number, row).
    """
    inside = [value for value in values if start <= value[0] <= end]
    if not inside:
        return None, None
    return min(inside, key=lambda v: (v[1], v[0], v[2])), min(inside, key=lambda v: (-v[1], v[0], v[2]))


def _patient(spec: LabGradesDataset, term: Term, subject: Subject, records: pd.DataFrame) -> list[dict[str, object]]:
    """Rows of one patient and term."""
    base = _baseline(records)
    rows = [_row(spec, term, subject, record, base) for record in records.to_dict("records")]
    first = next((row["AVAL"] for row in rows if row["ABLFL"] == "Y"), None)
    for row in rows:
        row["BASE"] = first
        later = row["later"] and first is not None and row["AVAL"] is not None
        row["CHG"] = row["AVAL"] - first if later else None  # type: ignore[operator]
    _mark_worst(spec, rows)
    _mark_first_hours(spec, subject, rows)
    return rows


def _baseline(records: pd.DataFrame) -> Baseline | None:
    own = records[records["ABLFL"] == "Y"].to_dict("records")
    if not own:
        return None
    record = own[0]
    value, lln, uln = (_number(record[name]) for name in ("AVAL", "ANRLO", "ANRHI"))
    return Baseline(record["row_id"], value, lln, uln, _moment(record))


def _row(
    spec: LabGradesDataset, term: Term, subject: Subject, record: Mapping[str, object], base: Baseline | None
) -> dict[str, object]:
    value, uln = _number(record["AVAL"]), _number(record["ANRHI"])
    was = None if base is None else base.value
    abnormal = base is not None and was is not None and base.uln is not None and was > base.uln
    low = base is not None and was is not None and base.lln is not None and was < base.lln
    fall = None if value is None or not was else 100 * (value - was) / was
    where = measured(value, str(record["CENS"]), _number(record["LLOQ"]), _number(record["ULOQ"]))
    unit = record["AVALU"] if isinstance(record["AVALU"], str) else None
    found, note = grade(term, Result(where, unit, _number(record["ANRLO"]), uln, was, fall, abnormal, low))
    row_id = str(record["row_id"])
    used = [base.row_id] if base is not None and term.uses_baseline else []
    time = _number(record["ATIME"])
    later = _moment(record) > base.moment if base is not None else time is not None and time >= 0
    return {
        **{name: record[name] for name in _COPIED},
        "row_id": f"{spec.id}:{subject.usubjid}/{term.code}/{tail(row_id, subject.usubjid)}",
        "USUBJID": subject.usubjid,
        "PARAMCD": term.code,
        "PARAM": f"{term.name}, grade",
        "AVAL": None if found is None else float(found),
        "AVALC": None if found is None else str(found),
        "CENS": "none",
        "from": list(dict.fromkeys([row_id, *used])),
        "LBPARM": record["PARAMCD"],
        "VALUE": value,
        "VALUEU": unit,
        "VALBASE": was,
        "ANRLO": _number(record["ANRLO"]),
        "ANRHI": uln,
        "TOXVER": term.version,
        "NOTE": note,
        "later": later and not pd.isna(record["ADT"]),
    }


def _mark_worst(spec: LabGradesDataset, rows: list[dict[str, object]]) -> None:
    counted = [row for row in rows if row["later"] and row["AVAL"] is not None and _until(row, spec.until)]
    if counted:
        worst = min(counted, key=lambda row: (-float(row["AVAL"]), *_moment(row), str(row["row_id"])))  # type: ignore[arg-type]
        worst["WORSTFL"] = "Y"


def _until(row: Mapping[str, object], until: int | None) -> bool:
    time = _number(row["ATIME"])
    return until is None or (time is not None and time <= until)


def _mark_first_hours(spec: LabGradesDataset, subject: Subject, rows: list[dict[str, object]]) -> None:
    hours = spec.first_hours
    moment = subject.moment(hours.milestone) if hours is not None else None
    if hours is None or moment is None or not moment.exact or moment.time is None:
        return
    zero = _minute(days.stamp(moment.high, moment.time))
    timed = [
        (_minute(row["ADTM"]), float(row["VALUE"]), str(row["row_id"]))  # type: ignore[arg-type]
        for row in rows
        if not pd.isna(row["ADTM"]) and row["VALUE"] is not None
    ]
    least, most = extremes(timed, zero - 60 * hours.before, zero + 60 * hours.after)
    by_id = {row["row_id"]: row for row in rows}
    if least is not None and most is not None:
        by_id[least[2]]["FHMINFL"] = "Y"
        by_id[most[2]]["FHMAXFL"] = "Y"


def _minute(stamp: object) -> int:
    return int((pd.Timestamp(stamp) - pd.Timestamp("1970-01-01")) // pd.Timedelta(minutes=1))


def _moment(row: Mapping[str, object]) -> tuple[str, str]:
    """Day and clock time as sortable text, an unknown time first."""
    day, time = row["ADT"], row["ADTM"]
    return ("" if pd.isna(day) else f"{pd.Timestamp(day):%Y-%m-%d}", "" if pd.isna(time) else f"{time:%H:%M}")


def _number(value: object) -> float | None:
    return None if value is None or pd.isna(value) else float(value)  # type: ignore[arg-type]
