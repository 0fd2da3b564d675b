"""Adverse events: rates by phase that rise with inflammatory activity; a death has a fatal event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np

from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import AdverseEvent, Patient
from trialpipe.simulate.rng import stream


def add(p: Parameters, seed: int, patient: Patient) -> None:
    """Fill ``patient.events``, sorted by start."""
    days = phases(patient)
    for entry in p.adverse_events:
        rng = stream(seed, "event", patient.traits.index, entry["pt"], entry["phase"])
        at_risk = days[entry["phase"]]
        if entry["phase"] == "infusion":
            hits = [day for day in at_risk if rng.random() < float(entry["rate"]) / 100 * (1.6 if day == 0 else 0.4)]
        else:
            hits = [day for day in at_risk if rng.random() < _hazard(patient, entry, day)]
        patient.events += [_event(rng, patient, entry, day) for day in _apart(hits, int(entry["days"]))]
    if patient.death:
        patient.events.append(_fatal(p, stream(seed, "fatal", patient.traits.index), patient))
    patient.events.sort(key=lambda e: (e.start, e.pt))


def phases(patient: Patient) -> dict[str, list[int]]:
    """Elapsed days at risk by phase, at most to day 300."""
    end = min(patient.day(patient.ends()), 300)
    conditioning = patient.day(patient.conditioning) if patient.conditioning else end
    hsct = patient.day(patient.hsct) if patient.hsct else end
    return {
        "infusion": sorted({patient.day(dose.start) for dose in patient.doses}),
        "treatment": list(range(0, min(_last_dose(patient) + 1, end))),
        "before": list(range(0, min(conditioning, end, 175))),
        "conditioning": list(range(conditioning, min(hsct, end))) if patient.conditioning else [],
        "after": list(range(hsct, end)) if patient.hsct else [],
    }


def _last_dose(patient: Patient) -> int:
    return max(patient.day(dose.end) for dose in patient.doses)


def _hazard(patient: Patient, entry: Mapping[str, Any], day: int) -> float:
    return float(entry["rate"]) / 100 * float(np.exp(float(entry["activity"]) * patient.course.at("activity", day)))


def _apart(days: list[int], length: int) -> list[int]:
    """Days so far apart that two events of one term do not overlap."""
    kept: list[int] = []
    for day in days:
        if not kept or day > kept[-1] + length:
            kept.append(day)
    return kept


def _event(rng: np.random.Generator, patient: Patient, entry: Mapping[str, Any], day: int) -> AdverseEvent:
    shares = np.array([float(share) for share in entry["grades"]])
    grade = int(rng.choice(4, p=shares / shares.sum())) + 1
    length = 1 + int(rng.gamma(2.0, float(entry["days"]) / 2))
    serious = grade == 4 or (grade == 3 and rng.random() < 0.55)
    start, last = patient.date(day), patient.ends().date()
    ended = start + dt.timedelta(days=length - 1)
    end = ended if ended <= last else None
    related = bool(float(entry["related"]) and rng.random() < 0.8)
    outcome = "recovered" if end else "ongoing"
    return AdverseEvent(entry["term"], entry["pt"], entry["soc"], start, end, grade, bool(serious), related, outcome)


def _fatal(p: Parameters, rng: np.random.Generator, patient: Patient) -> AdverseEvent:
    assert patient.death
    phase = "after" if patient.hsct else "conditioning" if patient.conditioning else "before"
    causes = [entry for entry in p.fatal if entry["phase"] == phase]
    shares = np.array([float(entry["share"]) for entry in causes])
    cause = causes[int(rng.choice(len(causes), p=shares / shares.sum()))]
    patient.cause = cause["cause"]
    first = patient.hsct.date() if patient.hsct else patient.conditioning or patient.first_dose.date()
    start = max(patient.death.date() - dt.timedelta(days=int(rng.integers(0, 6))), first)
    return AdverseEvent(
        cause["cause"],
        cause["pt"],
        cause["soc"],
        start,
        patient.death.date(),
        5,
        True,
        bool(rng.random() < 0.2),
        "fatal",
    )
