"""BDS datasets from findings domains: a row per parameter, record and visit it counts for.

A record in no window stands once with AVISIT null; one that counts for an origin visit and for an anchored visit
stands twice, with the same ``from``. Not-done and resultless records are no analysis values and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from trialpipe.config.datasets import ConcentrationsDataset, FindingsDataset, Parameter
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol, VisitSet
from trialpipe.derive import days, windows
from trialpipe.derive.milestones import cutoff_day
from trialpipe.derive.records import matching, not_done, tail, usable
from trialpipe.derive.subjects import Subject, subjects
from trialpipe.derive.windows import Place, Point
from trialpipe.io.contracts import BDS, Column, Contract
from trialpipe.io.sdtm import date_columns, prefix

CONTRACT: Contract = BDS.with_columns(
    Column("ANRLO", "float", "Analysis normal range lower limit"),
    Column("ANRHI", "float", "Analysis normal range upper limit"),
)
_NUMBERS = ("STRESN", "LLOQ", "ULOQ", "STNRLO", "STNRHI")


@dataclass
class Value:
    """One result as analysed; ``point`` None if its date is partial or unknown."""

    row_id: str
    point: Point | None
    row: dict[str, object]
    places: list[Place] = field(default_factory=list)
    analysed: set[str] = field(default_factory=set)
    baseline: bool = False


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """The dataset ``dataset`` of kind findings (contract BDS with ANRLO, ANRHI)."""
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, FindingsDataset)
    return days.frame(windowed(spec, protocol, clean, derived), CONTRACT)


def windowed(
    spec: FindingsDataset | ConcentrationsDataset,
    protocol: Protocol,
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
) -> list[dict[str, object]]:
    """Rows of CONTRACT: every usable result of the parameters, once per visit whose window holds it."""
    visits = windows.visit_set(protocol, spec.visits)
    people = {subject.usubjid: subject for subject in subjects(derived["adsl"], protocol)}
    records = usable(clean[spec.domain], f"{prefix(spec.domain)}DTC", cutoff_day(protocol))
    records = records[~not_done(records, spec.domain)]
    rows: list[dict[str, object]] = []
    for parameter in spec.parameters:
        values = _values(matching(records, parameter.where), spec.domain, parameter)
        for usubjid in sorted(values):
            if usubjid in people:
                rows += _subject_rows(spec.id, people[usubjid], parameter, values[usubjid], visits, protocol)
    return rows


def _values(records: pd.DataFrame, domain: str, parameter: Parameter) -> dict[str, list[Value]]:
    """Results of one parameter by patient, in row_id order."""
    stem = prefix(domain)
    names = date_columns(f"{stem}DTC")
    low, high = days.days(days.column(records, names.low)), days.days(days.column(records, names.high))
    times = days.texts(days.column(records, names.time))
    recorded = days.texts(days.column(records, "VISIT"))
    text = {c: days.texts(days.column(records, f"{stem}{c}")) for c in ("STRESC", "STRESU", "CENS")}
    number = {c: days.numbers(days.column(records, f"{stem}{c}")) for c in _NUMBERS}
    found: dict[str, list[Value]] = {}
    for i, (usubjid, row_id, flags) in enumerate(
        zip(records["USUBJID"], records["row_id"], records["flags"], strict=True)
    ):
        censored = text["CENS"][i] or "none"
        numeric = parameter.type == "number"
        if (number["STRESN"][i] is None and censored == "none") if numeric else text["STRESC"][i] is None:
            continue
        exact = low[i] is not None and low[i] == high[i]
        row: dict[str, object] = {
            "PARAMCD": parameter.code,
            "PARAM": parameter.label,
            "AVAL": number["STRESN"][i] if numeric and censored == "none" else None,
            "AVALC": text["STRESC"][i],
            "AVALU": text["STRESU"][i],
            "CENS": censored if numeric else "none",
            "LLOQ": number["LLOQ"][i],
            "ULOQ": number["ULOQ"][i],
            "ANRLO": number["STNRLO"][i],
            "ANRHI": number["STNRHI"][i],
            "ADTF": None if exact else days.imputation_flag(low[i], high[i]),
            "flags": list(flags),
            "from": [row_id],
        }
        point = Point(int(low[i]), times[i], row_id, recorded[i]) if exact else None  # type: ignore[arg-type]
        found.setdefault(usubjid, []).append(Value(row_id, point, row))
    return found


def _subject_rows(
    dataset: str, subject: Subject, parameter: Parameter, values: list[Value], visits: VisitSet, protocol: Protocol
) -> list[dict[str, object]]:
    _window(values, subject, visits, protocol)
    base = next((value for value in values if value.baseline), None)
    base_value = base.row["AVAL"] if base is not None else None
    rows = []
    for value in values:
        own = tail(value.row_id, subject.usubjid)
        for place in value.places or [None]:  # type: ignore[list-item]
            label = place.visit.label if place is not None else None
            row = dict(value.row)
            row.update(
                row_id="/".join([f"{dataset}:{subject.usubjid}", parameter.code, own, *([label] if label else [])]),
                USUBJID=subject.usubjid,
                AVISIT=label,
                ANL01FL="Y" if label in value.analysed else None,
                ABLFL="Y" if value.baseline and place is not None and place.visit.baseline else None,
                BASE=base_value,
                CHG=_change(value, base, base_value),
                **_timing(value.point, place, subject, protocol),
            )
            rows.append(row)
    return rows


def _window(values: list[Value], subject: Subject, visits: VisitSet, protocol: Protocol) -> None:
    """Give every dated value its visits, mark the one analysed per visit and the baseline."""
    dated = [value for value in values if value.point is not None]
    by_point = {value.point: value for value in dated}
    points = [value.point for value in dated if value.point is not None]
    for value, found in zip(dated, windows.assign(points, subject, visits, protocol), strict=True):
        value.places = found
    dose = subject.moment(protocol.time.origin)
    bases: list[Point] = []
    for place in windows.places(subject, visits, protocol):
        label = place.visit.label
        here = [p for p in points if any(q.visit.label == label for q in by_point[p].places)]
        if here:
            chosen = windows.pick(here, place, dose, protocol.time.day_start)
            by_point[chosen].analysed.add(label)
            if place.visit.baseline:
                bases.append(chosen)
    if bases:
        early = [p for p in bases if dose is not None and windows.before_dose(p, dose)]
        chosen = max(early, key=windows.moment) if early else min(bases, key=windows.moment)
        by_point[chosen].baseline = True


def _change(value: Value, base: Value | None, base_value: object) -> float | None:
    """Change of a value after baseline; null if either is censored, missing or text."""
    if base is None or base.point is None or value.point is None:
        return None
    later = windows.moment(value.point) > windows.moment(base.point)
    if not later or not isinstance(base_value, float) or not isinstance(value.row["AVAL"], float):
        return None
    return value.row["AVAL"] - base_value


def _timing(point: Point | None, place: Place | None, subject: Subject, protocol: Protocol) -> dict[str, object]:
    if point is None:
        return {"ADT": pd.NaT, "ADTM": pd.NaT, "ATIME": None, "ADY": None, "RELDAYS": None}
    start = protocol.time.day_start
    day, zero = windows.clock_day(point.day, point.time, start), windows.origin_day(subject, protocol)
    origin = windows.origin(subject, protocol)
    first = origin.high if origin is not None and origin.exact else None
    return {
        "ADT": days.date(point.day),
        "ADTM": days.stamp(point.day, point.time),
        "ATIME": None if zero is None else float(day - zero),
        "ADY": None if first is None else point.day - first + (1 if point.day >= first else 0),
        "RELDAYS": None if place is None else float(day - place.target),
    }
