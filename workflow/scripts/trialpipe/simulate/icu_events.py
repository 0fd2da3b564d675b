"""Treatments, infections in and out of intensive care, and adverse events that rise with organ failure."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from trialpipe.simulate.icu_patient import IcuEvent, IcuPatient, Infection, Treatment
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.rng import stream

LAST = 27
PATHOGENS = {
    "vap": ("Pseudomonas aeruginosa", "Klebsiella pneumoniae", "Staphylococcus aureus"),
    "bloodstream": ("Escherichia coli", "Enterococcus faecium", "Staphylococcus epidermidis"),
    "urinary": ("Escherichia coli", "Enterococcus faecalis"),
    "catheter": ("Staphylococcus epidermidis", "Staphylococcus aureus"),
    "other_bacterial": ("Clostridioides difficile", "Enterobacter cloacae"),
    "viral": ("Influenza A", "SARS-CoV-2", "Rhinovirus"),
    "reactivation": ("CMV", "EBV", "HSV-1"),
    "fungal": ("Candida albicans", "Aspergillus fumigatus"),
}


def add(p: Parameters, seed: int, patient: IcuPatient) -> None:
    """Fill treatments, infections and events, each by start."""
    key = patient.traits.index
    _treatments(p, stream(seed, "treatment", key), patient)
    _infections(p, stream(seed, "infection", key), patient)
    if patient.first_dose is not None and patient.fate != "refused":
        _events(p, seed, patient)


def _treatments(p: Parameters, rng: np.random.Generator, patient: IcuPatient) -> None:
    end = patient.ends()
    draws = rng.random(8)
    if patient.first_dose is not None:
        stop = min(patient.clock(LAST, 20), end)
        shares = p.table("treatment")
        cut = int(rng.integers(4, 20))
        switch = patient.clock(cut, 8)
        if draws[0] < shares["stopped"] and switch < stop:
            stop = patient.clock(cut, 20)
        if draws[0] > 1 - shares["halved"] and switch < stop:
            patient.treatments.append(
                Treatment("1", "", patient.first_dose, switch - dt.timedelta(hours=12), "10", "mg")
            )
            patient.treatments.append(Treatment("1", "", switch, stop, "5", "mg"))
        else:
            patient.treatments.append(Treatment("1", "", patient.first_dose, stop, "10", "mg"))
    offered = p.table("standard_of_care")
    doses = {
        "2": ("etoposide", "100", "mg/m2"), "3": ("dexamethasone", "10", "mg/m2"),
        "4": ("methylprednisolone", "1", "mg/kg"), "5": ("anakinra", "200", "mg"), "6": ("tocilizumab", "8", "mg/kg"),
        "7": ("immunoglobulins", "1", "g/kg"),
    }  # fmt: skip
    for k, (code, (name, dose, unit)) in enumerate(doses.items(), start=1):
        start = patient.inclusion + dt.timedelta(hours=int(rng.integers(-30, 20)))
        length = int(rng.integers(1, 3) if code in ("2", "6", "7") else rng.integers(6, 25))
        if draws[k] < offered[name] and start < end:
            stop = min(start + dt.timedelta(days=length), end)
            patient.treatments.append(Treatment(code, name if code == "7" else "", start, stop, dose, unit))
    patient.treatments.sort(key=lambda t: (t.start, t.drug))


def _infections(p: Parameters, rng: np.random.Generator, patient: IcuPatient) -> None:
    """At most one of a kind a week; the first hours after admission bring community infections."""
    shares, rates = p.table("infection_kinds"), p.table("infection_rates")
    names, weights = list(shares), np.array(list(shares.values()))
    last: dict[str, int] = {}
    for day in range(patient.day(patient.inclusion) - 1, LAST + 6):
        when = patient.clock(day, float(rng.uniform(0.5, 23)))
        hit, kind = rng.random(), names[int(rng.choice(len(names), p=weights / weights.sum()))]
        germ = PATHOGENS[kind][int(rng.integers(len(PATHOGENS[kind])))]
        assert patient.icu_end is not None
        here = patient.icu <= when < patient.icu_end or (
            patient.readmission is not None and when >= patient.readmission
        )
        ward = "catheter" if kind == "vap" and not here else kind
        early = when - patient.hospital < dt.timedelta(hours=48)
        rate = rates["early" if early else "icu" if here else "ward"]
        free = day - last.get(ward, -99) > 7
        if hit < rate * (0.6 + 0.6 * patient.level(day)) and free and patient.in_hospital(when):
            last[ward] = day
            name = germ if ward == kind else "Staphylococcus epidermidis"
            patient.infections.append(Infection(when, ward, name, here))


def _events(p: Parameters, seed: int, patient: IcuPatient) -> None:
    end = min(patient.day(patient.ends()), LAST + 8)
    for entry in p.adverse_events:
        rng = stream(seed, "event", patient.traits.index, entry["pt"])
        last = -99
        for day in range(0, end):
            risk = float(entry["rate"]) / 100 * float(np.exp(float(entry["failure"]) * patient.level(day)))
            if rng.random() < risk and day > last + int(entry["days"]):
                last = day
                patient.events.append(_event(rng, patient, entry, day))
    if patient.death is not None and patient.day(patient.death) <= LAST + 8:
        entry = next(e for e in p.fatal if e["cause"] == patient.cause)
        start = max(patient.day(patient.death) - 2, 0)
        patient.events.append(
            IcuEvent(
                entry["cause"],
                entry["pt"],
                entry["soc"],
                5,
                True,
                patient.date(start),
                patient.death.date(),
                False,
                "3",
            )
        )
    patient.events.sort(key=lambda e: (e.start, e.pt))


def _event(rng: np.random.Generator, patient: IcuPatient, entry: Any, day: int) -> IcuEvent:
    shares = np.array([float(v) for v in entry["grades"]])
    grade = int(rng.choice(len(shares), p=shares / shares.sum())) + 1
    stop = patient.date(day + int(rng.integers(1, int(entry["days"]) + 1)))
    open_end = stop >= patient.ends().date()
    serious = grade >= 4 or (grade == 3 and rng.random() < 0.35)
    related = rng.random() < float(entry["related"])
    return IcuEvent(
        entry["term"], entry["pt"], entry["soc"], grade, bool(serious), patient.date(day),
        None if open_end else stop, bool(related), "2" if open_end else "1",
    )  # fmt: skip
