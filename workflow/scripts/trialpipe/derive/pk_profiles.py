"""Profiles of a drug: a dose with the samples taken after it and before the next one, in hours since the dose.

Hours are actual ones by clock times. Planned hours, if the trial has them, stand for those of a sample or dose without
clock time. A dose without clock time ends the profile of an earlier one at the first moment at which it can have been.
"""

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
    """An administration; ``at`` the start of its day if not ``timed``, ``hours`` the recorded length of an infusion."""

    at: pd.Timestamp
    day: int
    timed: bool
    amount: float | None
    unit: str | None
    hours: float | None
    row_id: str

    @property
    def time(self) -> str | None:
        """Clock time HH:MM, None if not known."""
        return self.at.strftime("%H:%M") if self.timed else None


@dataclass(frozen=True)
class Sample:
    """A concentration, 0 where below its limit, nan where above it; ``planned`` hours since the dose."""

    at: pd.Timestamp | None
    day: int | None
    planned: float | None
    value: float
    below: bool
    above: bool
    unit: str | None
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

    A profile notes samples of its day that have no hours, those at planned hours, and those far off their plan.
    """
    doses = _doses(clean[spec.doses.domain], spec.doses, cutoff)
    samples = _samples(clean[spec.domain], spec, cutoff)
    found = {usubjid: _patient(spec, doses[usubjid], samples.get(usubjid, [])) for usubjid in sorted(doses)}
    return {usubjid: own for usubjid, own in found.items() if own}


def _doses(frame: pd.DataFrame, spec: DoseRecords, cutoff: int) -> dict[str, list[Dose]]:
    """Administrations on a known day by patient, in the order of time."""
    rows = matching(usable(frame, spec.date, cutoff), spec.where)
    rows = rows[~not_done(rows, spec.domain)]
    amounts, units = days.numbers(days.column(rows, spec.dose)), days.texts(days.column(rows, spec.unit))
    starts, ends = _moments(rows, spec.date), _moments(rows, spec.end) if spec.end else [(None, None)] * len(rows)
    found: dict[str, list[Dose]] = {}
    for i, (usubjid, row_id) in enumerate(zip(rows["USUBJID"], rows["row_id"], strict=True)):
        (day, start), (_, end) = starts[i], ends[i]
        if day is None or amounts[i] == 0:
            continue
        hours = _hours(start, end) if start is not None and end is not None and end > start else None
        at = days.date(day) if start is None else start
        found.setdefault(usubjid, []).append(Dose(at, day, start is not None, amounts[i], units[i], hours, row_id))
    return {usubjid: sorted(own, key=lambda d: (d.at, d.timed, d.row_id)) for usubjid, own in found.items()}


def _moments(rows: pd.DataFrame, variable: str) -> list[tuple[int | None, pd.Timestamp | None]]:
    """Day and clock time of a date variable; None for a day or time that is not known."""
    names = date_columns(variable)
    low, high = days.days(days.column(rows, names.low)), days.days(days.column(rows, names.high))
    times = days.texts(days.column(rows, names.time))
    found: list[tuple[int | None, pd.Timestamp | None]] = []
    for first, last, time in zip(low, high, times, strict=True):
        day = first if first == last else None
        found.append((day, None if day is None or time is None else days.stamp(day, time)))
    return found


def _samples(frame: pd.DataFrame, spec: PkParametersDataset, cutoff: int) -> dict[str, list[Sample]]:
    """Results by patient in the order of row ids."""
    stem = prefix(spec.domain)
    rows = matching(usable(frame, f"{stem}DTC", cutoff), spec.where)
    rows = rows[~not_done(rows, spec.domain)]
    values = days.numbers(days.column(rows, f"{stem}STRESN"))
    kinds, units = (days.texts(days.column(rows, f"{stem}{name}")) for name in ("CENS", "STRESU"))
    moments = _moments(rows, f"{stem}DTC")
    planned: list[float | None] = [None] * len(rows)
    if spec.planned_hours:
        planned = days.numbers(pd.to_numeric(days.column(rows, spec.planned_hours), errors="coerce"))
    found: dict[str, list[Sample]] = {}
    for i, (usubjid, row_id) in enumerate(zip(rows["USUBJID"], rows["row_id"], strict=True)):
        below, above, (day, at) = kinds[i] == "left", kinds[i] == "right", moments[i]
        number = 0.0 if below else math.nan if above else values[i]
        if number is not None:
            sample = Sample(at, day, planned[i], number, below, above, units[i], row_id)
            found.setdefault(usubjid, []).append(sample)
    return found


def _patient(spec: PkParametersDataset, doses: Sequence[Dose], samples: Sequence[Sample]) -> list[Profile]:
    planned, lost = _by_plan(doses, samples)
    found = []
    for place, dose in enumerate(doses):
        before = doses[place - 1] if place else None
        if before is not None and (before.at, before.timed) == (dose.at, dose.timed):
            continue  # given in parts at one time: the first record stands for them, see _together
        profile = Profile(_together(dose, doses), _is_first(spec, before, dose))
        own = _window(spec, dose, doses, samples) if dose.timed else []
        own += [pair for pair in planned.get(place, []) if spec.until_hours is None or pair[0] <= spec.until_hours]
        profile.samples = sorted(own, key=lambda pair: (pair[0], pair[1].row_id))
        profile.notes = _notes(spec, profile, planned.get(place, []), sum(s.day == dose.day for s in lost))
        if profile.after >= spec.samples:
            found.append(profile)
    return found


def _notes(
    spec: PkParametersDataset, profile: Profile, planned: Sequence[tuple[float, Sample]], lost: int
) -> list[str]:
    used = {sample.row_id for _, sample in planned}
    off = sum(
        sample.row_id not in used
        and sample.planned is not None
        and sample.planned > 0
        and abs(hours - sample.planned) > spec.deviation_percent / 100 * sample.planned
        for hours, sample in profile.samples
    )
    texts = {
        "without clock time left out": lost,
        "at planned hours": len(used),
        f"more than {spec.deviation_percent:g} % off the planned hours": off,
    }
    return [f"{count} sample(s) {text}" for text, count in texts.items() if count]


def _by_plan(
    doses: Sequence[Dose], samples: Sequence[Sample]
) -> tuple[dict[int, list[tuple[float, Sample]]], list[Sample]]:
    """Samples whose hours are the planned ones, by the place of their dose, and those without hours at all.

    The dose is the last one on a day from which the planned hours lead to the day of the sample. Of several that day
    none can be told.
    """
    placed: dict[int, list[tuple[float, Sample]]] = {}
    lost = []
    for sample in samples:
        hours, place = sample.planned, None
        if hours is not None and hours >= 0 and sample.day is not None:
            latest = sample.day - math.floor(hours / 24)
            last = max((d.day for d in doses if d.day <= latest), default=None)
            own = [i for i, d in enumerate(doses) if d.day == last]
            if own and len({(doses[i].at, doses[i].timed) for i in own}) == 1 and latest - doses[own[0]].day <= 1:
                place = own[0]
        if place is not None and hours is not None and (sample.at is None or not doses[place].timed):
            placed.setdefault(place, []).append((hours, sample))
        elif sample.at is None:
            lost.append(sample)
    return placed, lost


def _together(dose: Dose, doses: Sequence[Dose]) -> Dose:
    """The dose, with the sum of all given at the same time; unknown where one or the common unit is."""
    same = [d for d in doses if (d.at, d.timed) == (dose.at, dose.timed)]
    if len(same) == 1:
        return dose
    amounts = [d.amount for d in same if d.amount is not None]
    whole = len(amounts) == len(same) and len({d.unit for d in same}) == 1
    return Dose(dose.at, dose.day, dose.timed, sum(amounts) if whole else None, dose.unit, dose.hours, dose.row_id)


def _is_first(spec: PkParametersDataset, before: Dose | None, dose: Dose) -> bool:
    if before is None:
        return True
    latest = before.at if before.timed else before.at + pd.Timedelta(days=1)
    return spec.washout_hours is not None and _hours(latest, dose.at) >= spec.washout_hours


def _hours(start: pd.Timestamp, end: pd.Timestamp) -> float:
    return (end - start).total_seconds() / 3600


def _window(
    spec: PkParametersDataset, dose: Dose, doses: Sequence[Dose], samples: Sequence[Sample]
) -> list[tuple[float, Sample]]:
    """Samples from the dose to the next one, both included, and the last shortly before the dose (hours below 0)."""
    later = [max(d.at, dose.at) for d in doses if (d.at > dose.at if d.timed else d.day >= dose.day)]
    end = min(
        [_hours(dose.at, at) for at in later] + ([] if spec.until_hours is None else [spec.until_hours]),
        default=math.inf,
    )
    timed = [(_hours(dose.at, sample.at), sample) for sample in samples if sample.at is not None]
    ordered = sorted(timed, key=lambda pair: (pair[0], pair[1].row_id))
    early = [pair for pair in ordered if -spec.predose_hours <= pair[0] < 0]
    return [*early[-1:], *(pair for pair in ordered if 0 <= pair[0] <= end)]
