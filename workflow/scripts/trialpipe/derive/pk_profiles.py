"""Profiles of a drug: a dose with the samples taken after it and before the next one, in hours since the dose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from trialpipe.config.pharmacokinetics import DoseRecords, PkParametersDataset
from trialpipe.derive import days
from trialpipe.derive.records import matching, not_done, usable
from trialpipe.io.sdtm import date_columns, prefix


@dataclass(frozen=True)
class Dose:
    """An administration at a known clock time; ``hours`` the length of an infusion, None if not recorded."""

    at: pd.Timestamp
    day: int
    amount: float | None
    unit: str | None
    hours: float | None
    row_id: str


@dataclass(frozen=True)
class Sample:
    """A concentration at a known clock time; 0 where below its limit, nan where above it."""

    at: pd.Timestamp
    value: float
    below: bool
    above: bool
    unit: str | None
    limit: float | None
    row_id: str


@dataclass
class Profile:
    """Samples of one dose, by hours since it; ``first``: nothing of an earlier dose is left."""

    dose: Dose
    first: bool
    samples: list[tuple[float, Sample]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def after(self) -> int:
        """Number of samples after the dose."""
        return sum(hours > 0 for hours, _ in self.samples)


def profiles(spec: PkParametersDataset, clean: Mapping[str, pd.DataFrame], cutoff: int) -> dict[str, list[Profile]]:
    """By patient, in the order of doses, every dose with at least ``spec.samples`` samples after it.

    Doses and samples without a clock time make no profile; a profile notes samples without one on its days.
    """
    doses = _doses(clean[spec.doses.domain], spec.doses, cutoff)
    samples, undated = _samples(clean[spec.domain], spec, cutoff)
    found: dict[str, list[Profile]] = {}
    for usubjid in sorted(doses):
        own = _patient(spec, doses[usubjid], samples.get(usubjid, []))
        for profile in own:
            lost = sum(day == profile.dose.day for day in undated.get(usubjid, []))
            if lost:
                profile.notes.append(f"{lost} sample(s) of the day without clock time left out")
        if own:
            found[usubjid] = own
    return found


def _doses(frame: pd.DataFrame, spec: DoseRecords, cutoff: int) -> dict[str, list[Dose]]:
    rows = matching(usable(frame, spec.date, cutoff), spec.where)
    rows = rows[~not_done(rows, spec.domain)]
    amounts, units = days.numbers(days.column(rows, spec.dose)), days.texts(days.column(rows, spec.unit))
    starts = _stamps(rows, spec.date)
    ends = _stamps(rows, spec.end) if spec.end else [None] * len(rows)
    found: dict[str, list[Dose]] = {}
    for i, (usubjid, row_id) in enumerate(zip(rows["USUBJID"], rows["row_id"], strict=True)):
        start, end = starts[i], ends[i]
        day = days.day(start)
        if start is None or day is None or amounts[i] == 0:
            continue
        hours = (end - start).total_seconds() / 3600 if end is not None and end > start else None
        found.setdefault(usubjid, []).append(Dose(start, day, amounts[i], units[i], hours, row_id))
    return {usubjid: sorted(own, key=lambda d: (d.at, d.row_id)) for usubjid, own in found.items()}


def _stamps(rows: pd.DataFrame, variable: str) -> list[pd.Timestamp | None]:
    """Clock times of a date variable; None where the day or the time is not known."""
    names = date_columns(variable)
    low, high = days.days(days.column(rows, names.low)), days.days(days.column(rows, names.high))
    times = days.texts(days.column(rows, names.time))
    return [
        days.stamp(first, time) if first is not None and first == last and time is not None else None
        for first, last, time in zip(low, high, times, strict=True)
    ]


def _samples(
    frame: pd.DataFrame, spec: PkParametersDataset, cutoff: int
) -> tuple[dict[str, list[Sample]], dict[str, list[int | None]]]:
    """Samples by patient in the order of time, and the days of those without a clock time."""
    stem = prefix(spec.domain)
    rows = matching(usable(frame, f"{stem}DTC", cutoff), spec.where)
    rows = rows[~not_done(rows, spec.domain)]
    values = days.numbers(days.column(rows, f"{stem}STRESN"))
    limits = days.numbers(days.column(rows, f"{stem}LLOQ"))
    kinds, units = (days.texts(days.column(rows, f"{stem}{name}")) for name in ("CENS", "STRESU"))
    stamps = _stamps(rows, f"{stem}DTC")
    first_days = days.days(days.column(rows, date_columns(f"{stem}DTC").low))
    found: dict[str, list[Sample]] = {}
    undated: dict[str, list[int | None]] = {}
    for i, (usubjid, row_id) in enumerate(zip(rows["USUBJID"], rows["row_id"], strict=True)):
        below, above, at = kinds[i] == "left", kinds[i] == "right", stamps[i]
        if values[i] is None and not (below or above):
            continue
        if at is None:
            undated.setdefault(usubjid, []).append(first_days[i])
            continue
        value = 0.0 if below else math.nan if above else values[i]
        assert value is not None
        found.setdefault(usubjid, []).append(Sample(at, value, below, above, units[i], limits[i], row_id))
    return {usubjid: sorted(own, key=lambda s: (s.at, s.row_id)) for usubjid, own in found.items()}, undated


def _patient(spec: PkParametersDataset, doses: Sequence[Dose], samples: Sequence[Sample]) -> list[Profile]:
    found = []
    for place, dose in enumerate(doses):
        before = doses[place - 1] if place else None
        later = next((d.at for d in doses[place + 1 :] if d.at > dose.at), None)
        if before is not None and before.at == dose.at:
            continue  # given in parts at one time: the first record stands for them, see _together
        profile = Profile(_together(dose, doses), _is_first(spec, before, dose))
        profile.samples = _window(spec, dose, later, samples)
        if profile.after >= spec.samples:
            found.append(profile)
    return found


def _together(dose: Dose, doses: Sequence[Dose]) -> Dose:
    """The dose, with the sum of all given at the same time; unknown where one or the common unit is."""
    same = [d for d in doses if d.at == dose.at]
    if len(same) == 1:
        return dose
    amounts = [d.amount for d in same if d.amount is not None]
    whole = len(amounts) == len(same) and len({d.unit for d in same}) == 1
    return Dose(dose.at, dose.day, sum(amounts) if whole else None, dose.unit, dose.hours, dose.row_id)


def _is_first(spec: PkParametersDataset, before: Dose | None, dose: Dose) -> bool:
    if before is None:
        return True
    return spec.washout_hours is not None and _hours(before.at, dose.at) >= spec.washout_hours


def _hours(start: pd.Timestamp, end: pd.Timestamp) -> float:
    return (end - start).total_seconds() / 3600


def _window(
    spec: PkParametersDataset, dose: Dose, later: pd.Timestamp | None, samples: Sequence[Sample]
) -> list[tuple[float, Sample]]:
    """Samples from the dose to the next one, both included, and the last shortly before the dose (hours below 0)."""
    end = math.inf if later is None else _hours(dose.at, later)
    if spec.until_hours is not None:
        end = min(end, spec.until_hours)
    timed = [(_hours(dose.at, sample.at), sample) for sample in samples]
    early = [pair for pair in timed if -spec.predose_hours <= pair[0] < 0]
    return [*early[-1:], *(pair for pair in timed if 0 <= pair[0] <= end)]
