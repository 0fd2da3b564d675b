"""ADPP: pharmacokinetic parameters of each profile by non-compartmental analysis, a row per profile and parameter.

Times are actual hours since the dose, planned ones only where a clock time is missing. A sample shortly before the dose
stands for its time (but for a bolus, where the value at the dose is extrapolated back). After a dose that is neither a
first one nor at steady state, nothing is taken to infinity: what an earlier dose left would count. What cannot be
computed is null and NOTE says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from trialpipe.config.outcomes import Outcome
from trialpipe.config.pharmacokinetics import PkParametersDataset
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days, windows
from trialpipe.derive.errors import config_error
from trialpipe.derive.milestones import cutoff_day
from trialpipe.derive.pk_profiles import Profile, profiles
from trialpipe.derive.pk_units import factors
from trialpipe.derive.subjects import Subject, subjects
from trialpipe.io import reference as tables
from trialpipe.io.contracts import BDS, Column, Contract
from trialpipe.stats import nca
from trialpipe.stats.nca_profile import Blq
from trialpipe.stats.nca_terminal import TerminalRule

TABLE = "pk_parameters.csv"
CONTRACT: Contract = BDS.with_columns(
    Column("PPSCAT", "text", "FIRST DOSE, STEADY STATE or OTHER DOSE", nullable=False),
    Column("PPRFTDTM", "datetime", "Date and time of the dose; null without clock time"),
    Column("DOSE", "float", "Dose of the profile"),
    Column("DOSEU", "text", "Unit of the dose"),
    Column("NSAMP", "int", "Samples after the dose"),
    Column("NBELOW", "int", "Of these, below the limit of quantification"),
    Column("PPSTINT", "float", "Hours from the dose at which a partial area starts"),
    Column("PPENINT", "float", "Hours from the dose at which a partial area ends"),
    Column("NOTE", "text", "Why missing, or what is doubtful"),
)
FIRST, STEADY, OTHER = "FIRST DOSE", "STEADY STATE", "OTHER DOSE"
_DOSING = {"single": (FIRST,), "steady": (STEADY,), "tau": (FIRST, STEADY, OTHER), "any": (FIRST, STEADY, OTHER)}
Row = dict[str, object]


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """Rows of CONTRACT. Raises DataError for a parameter that the table has not for the route."""
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, PkParametersDataset)
    named = _named(spec)
    found = profiles(spec, clean, cutoff_day(protocol))
    rows: list[Row] = []
    for subject in subjects(derived["adsl"], protocol):
        own = found.get(subject.usubjid, [])
        for profile, visit, analysed in _placed(spec, protocol, subject, own):
            rows += _profile_rows(spec, protocol, subject, profile, visit, analysed, named)
    return days.frame(rows, CONTRACT)


def _named(spec: PkParametersDataset) -> dict[str, Mapping[str, str]]:
    """Rows of the table by code: those asked for, or all of the route (those of a dosing interval need its length)."""
    known = {row["code"]: row for row in tables.rows(TABLE)}
    own = {code: row for code, row in known.items() if row["route"] == "any" or spec.route in row["route"].split("|")}
    if spec.tau_hours is None:
        own = {code: row for code, row in own.items() if row["dosing"] in ("single", "any")}
    base = own.pop("AUCINT")
    for place, span in enumerate(spec.intervals, 1):
        label = f"AUC from {span.from_hours:g} to {span.to_hours:g} h"
        own[f"AUCINT{place}"] = {**base, "code": f"AUCINT{place}", "name": label}
    for code in spec.parameters:
        if code not in own:
            cure = f"use one of {', '.join(own)}"
            raise config_error(
                f"datasets[{spec.id}].parameters", code, f"is no parameter of the route in {TABLE}", cure
            )
    return {code: own[code] for code in (spec.parameters or own)}


def _placed(
    spec: PkParametersDataset, protocol: Protocol, subject: Subject, own: Sequence[Profile]
) -> list[tuple[Profile, str | None, bool]]:
    """Profiles with the visits whose windows hold their doses, and whether they are the ones analysed there."""
    visits = windows.visit_set(protocol, spec.visits)
    points = [windows.Point(p.dose.day, p.dose.time, p.dose.row_id) for p in own]
    assigned = windows.assign(points, subject, visits, protocol)
    origin = subject.moment(protocol.time.origin)
    chosen: dict[str, windows.Point] = {}
    for place in windows.places(subject, visits, protocol):
        here = [p for p, at in zip(points, assigned, strict=True) if any(q.visit == place.visit for q in at)]
        if here:
            chosen[place.visit.label] = windows.pick(here, place, origin, protocol.time.day_start)
    found: list[tuple[Profile, str | None, bool]] = []
    for profile, point, at in zip(own, points, assigned, strict=True):
        labels: list[str | None] = [place.visit.label for place in at]
        found += [(profile, label, label is not None and chosen[label] == point) for label in labels or [None]]
    return found


def _profile_rows(
    spec: PkParametersDataset,
    protocol: Protocol,
    subject: Subject,
    profile: Profile,
    visit: str | None,
    analysed: bool,
    named: Mapping[str, Mapping[str, str]],
) -> list[Row]:
    kind = STEADY if visit in spec.steady_state else FIRST if profile.first else OTHER
    values, notes, unit = _computed(spec, profile, kind, named)
    dose = profile.dose
    scales = factors(unit, dose.unit)
    zero, origin = windows.origin_day(subject, protocol), subject.exact_day(protocol.time.origin)
    clock = windows.clock_day(dose.day, dose.time, protocol.time.day_start)
    shared: Row = {
        "USUBJID": subject.usubjid,
        "CENS": "none",
        "ADT": days.date(dose.day),
        "ADTM": dose.at if dose.timed else pd.NaT,
        "ATIME": None if zero is None else float(clock - zero),
        "ADY": None if origin is None else dose.day - origin + (1 if dose.day >= origin else 0),
        "AVISIT": visit,
        "ANL01FL": "Y" if analysed else None,
        "PPSCAT": kind,
        "PPRFTDTM": dose.at if dose.timed else pd.NaT,
        "DOSE": dose.amount,
        "DOSEU": dose.unit,
        "NSAMP": profile.after,
        "NBELOW": sum(hours > 0 and sample.below for hours, sample in profile.samples),
        "flags": [],
        "from": [dose.row_id, *(sample.row_id for _, sample in profile.samples)],
    }
    rows = []
    for code, entry in named.items():
        if kind not in _DOSING[entry["dosing"]]:
            continue
        scale, written = scales[entry["unit"]]
        value = values.get(code, math.nan) * scale
        reasons = [*profile.notes, *(text for text in [notes.get(code)] if text)]
        name = dose.at.strftime("%Y-%m-%dT%H:%M" if dose.timed else "%Y-%m-%d")
        row_id = "/".join([f"{spec.id}:{subject.usubjid}", code, name, *([visit] if visit else [])])
        row = shared | {"row_id": row_id, "PARAMCD": code, "PARAM": entry["name"], "AVALU": written}
        row |= {"AVAL": None if math.isnan(value) else value, "NOTE": days.joined(reasons)}
        if code.startswith("AUCINT"):
            span = spec.intervals[int(code.removeprefix("AUCINT")) - 1]
            row |= {"PPSTINT": span.from_hours, "PPENINT": span.to_hours}
        rows.append(row)
    return rows


def _computed(
    spec: PkParametersDataset, profile: Profile, kind: str, named: Iterable[str]
) -> tuple[dict[str, float], Mapping[str, str | None], str | None]:
    """Values and notes by code, and the unit of the concentrations; no values where the profile is not sound."""
    units = {sample.unit for _, sample in profile.samples}
    unit = next(iter(units)) if len(units) == 1 else None
    steady, dose = kind == STEADY, profile.dose
    duration = 0.0
    fault = None
    if len(units) > 1:
        fault = "units of the concentrations differ"
    elif any(sample.above for _, sample in profile.samples):
        fault = "a concentration is above the upper limit of quantification"
    elif dose.amount is not None and dose.amount < 0:
        fault = "the dose is negative"
    elif spec.route == "infusion":
        duration = dose.hours or spec.duration_hours or 0.0
        fault = None if duration else "the end of the infusion is not known"
    if fault is None:
        try:
            result = _analysed(spec, profile, kind, duration, steady)
        except ValueError as error:
            fault = str(error)
    if fault is not None:
        return {}, dict.fromkeys(named, fault), unit
    return result.values, {code: result.note(code) for code in result.values}, unit


def _analysed(spec: PkParametersDataset, profile: Profile, kind: str, duration: float, steady: bool) -> nca.Result:
    """Non-compartmental analysis of a profile. Raises ValueError as `nca.parameters`."""
    time = np.array([hours for hours, _ in profile.samples])
    conc = np.array([sample.value for _, sample in profile.samples])
    if spec.route != "bolus" and len(time) and time[0] < 0:
        # a sample shortly before the dose stands for its time, unless one was taken then
        time = np.where(time < 0, 0.0, time) if not (time == 0).any() else time
    start = spec.start or (None if kind in (FIRST, STEADY) else "required")
    if spec.start is None and kind == OTHER and spec.route == "bolus":
        start = "c0"
    options = nca.Options(
        method=spec.method,
        blq=Blq(**spec.below.model_dump()),
        start=start,
        first_tmax=spec.first_tmax,
        terminal=TerminalRule(**spec.terminal.model_dump()),
        trough_within=spec.trough_within_hours,
    )
    return nca.parameters(
        time,
        conc,
        profile.dose.amount,
        spec.route,
        duration=duration,
        tau=spec.tau_hours,
        steady_state=steady,
        intervals=[(span.from_hours, span.to_hours) for span in spec.intervals],
        options=options,
    )
