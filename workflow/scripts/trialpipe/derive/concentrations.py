"""ADPC: concentrations by visit, hours since the dose before the sample, and ratios of paired samples.

A sample is typed by the hours between the dose before it and its own clock time; without both times it is ``UNKNOWN``.
A trough and a peak of one visit are both analysed: ``ANL01FL`` chooses among all samples, ``ANL02FL`` within a type.
A ratio needs two samples of a patient that are at most so many minutes apart, the nearest of several (ties: the
earlier), in one unit. A numerator below (above) its limit makes the ratio left (right) censored at limit over
denominator; a denominator outside its limits makes no ratio.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from trialpipe.config.datasets import ConcentrationsDataset, PairedRatio, SampleTiming
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days, findings, windows
from trialpipe.derive.records import tail
from trialpipe.derive.subjects import subjects
from trialpipe.io.contracts import Column, Contract
from trialpipe.io.sdtm import date_columns

CONTRACT: Contract = findings.CONTRACT.with_columns(
    Column("TSLD", "float", "Hours since the dose before the sample"),
    Column("SAMPTYPE", "text", "TROUGH, PEAK, OTHER or UNKNOWN (no clock time of dose or sample)"),
    Column("ANL02FL", "text", "Y: the record analysed for its parameter and visit among samples of its type"),
)
OTHER, UNKNOWN = "OTHER", "UNKNOWN"
Row = dict[str, object]


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """The dataset ``dataset`` of kind concentrations (contract findings.CONTRACT with TSLD in hours, SAMPTYPE)."""
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, ConcentrationsDataset)
    doses = _doses(clean[spec.domain], spec.previous_dose)
    rows = findings.windowed(spec, protocol, clean, derived)
    for row in rows:
        hours = _hours(doses.get(_source(row)), row["ADTM"])
        row.update(TSLD=hours, SAMPTYPE=_type(hours, spec.timing))
    _flag_types(rows, spec, protocol, derived["adsl"])
    made = [found for ratio in spec.ratios for found in _ratios(spec.id, ratio, rows)]
    return days.frame([*rows, *made], CONTRACT)


def _source(row: Row) -> str:
    source = row["from"]
    assert isinstance(source, list)
    return str(source[0])


def _doses(records: pd.DataFrame, variable: str) -> dict[str, pd.Timestamp]:
    """Clock time of the dose before each sample by row id, where day and time are known."""
    names = date_columns(variable)
    low, high = days.days(days.column(records, names.low)), days.days(days.column(records, names.high))
    times = days.texts(days.column(records, names.time))
    known = zip(records["row_id"], low, high, times, strict=True)
    return {row_id: days.stamp(first, time) for row_id, first, last, time in known if first == last and time}


def _hours(dose: pd.Timestamp | None, sample: object) -> float | None:
    """Hours from dose to sample; None if a time is unknown or the sample is before the dose."""
    if dose is None or not isinstance(sample, pd.Timestamp) or pd.isna(sample) or sample < dose:
        return None
    return (sample - dose).total_seconds() / 3600


def _type(hours: float | None, timing: Iterable[SampleTiming]) -> str:
    if hours is None:
        return UNKNOWN
    return next((t.type for t in timing if t.from_hours <= hours <= t.to_hours), OTHER)


def _flag_types(rows: Sequence[Row], spec: ConcentrationsDataset, protocol: Protocol, adsl: pd.DataFrame) -> None:
    """Mark the row analysed per patient, parameter, visit and type, chosen as among all samples of the visit."""
    visits = windows.visit_set(protocol, spec.visits)
    people = {subject.usubjid: subject for subject in subjects(adsl, protocol)}
    groups: dict[tuple[object, ...], dict[windows.Point, Row]] = {}
    for row in rows:
        day = days.day(row["ADT"])
        if row["AVISIT"] is not None and day is not None:
            clock = row["ADTM"]
            time = clock.strftime("%H:%M") if isinstance(clock, pd.Timestamp) and not pd.isna(clock) else None
            key = (row["USUBJID"], row["PARAMCD"], row["AVISIT"], row["SAMPTYPE"])
            groups.setdefault(key, {})[windows.Point(day, time, _source(row))] = row
    for (usubjid, _, label, _), own in groups.items():
        subject = people[str(usubjid)]
        place = next(p for p in windows.places(subject, visits, protocol) if p.visit.label == label)
        origin = subject.moment(protocol.time.origin)
        own[windows.pick(list(own), place, origin, protocol.time.day_start)]["ANL02FL"] = "Y"


def _ratios(dataset: str, ratio: PairedRatio, rows: Sequence[Row]) -> Iterable[Row]:
    """A row per numerator row that has a partner, at the numerator's visit."""
    partners: dict[object, list[Row]] = {}
    for row in rows:
        # a record that stands for several visits is one sample
        if row["PARAMCD"] == ratio.denominator and not pd.isna(row["ADTM"]) and row["CENS"] == "none":
            partners.setdefault(row["USUBJID"], []).append(row)
    for row in rows:
        if row["PARAMCD"] != ratio.numerator or pd.isna(row["ADTM"]):
            continue
        near = [p for p in partners.get(row["USUBJID"], []) if _apart(row, p) <= ratio.within_minutes]
        if near:
            partner = min(near, key=lambda p: (_apart(row, p), p["ADTM"], p["row_id"]))
            found = _ratio(dataset, ratio, row, partner)
            if found is not None:
                yield found


def _apart(row: Row, other: Row) -> float:
    """Minutes between two samples."""
    return abs((row["ADTM"] - other["ADTM"]).total_seconds()) / 60  # type: ignore[operator]


def _ratio(dataset: str, ratio: PairedRatio, row: Row, partner: Row) -> Row | None:
    below = partner["AVAL"]
    if not isinstance(below, float) or below <= 0 or row["AVALU"] != partner["AVALU"]:
        return None
    limits = {name: _divided(row[name], below) for name in ("AVAL", "LLOQ", "ULOQ")}
    label = row["AVISIT"]
    own = "/".join([tail(_source(row), str(row["USUBJID"])), *([str(label)] if label else [])])
    return {
        **row,
        **limits,
        "row_id": f"{dataset}:{row['USUBJID']}/{ratio.code}/{own}",
        "PARAMCD": ratio.code,
        "PARAM": ratio.label,
        "AVALC": None,
        "AVALU": "1",
        "ANRLO": None,
        "ANRHI": None,
        "BASE": None,
        "CHG": None,
        "ABLFL": None,
        "from": [_source(row), _source(partner)],
    }


def _divided(value: object, by: float) -> float | None:
    return value / by if isinstance(value, float) else None
