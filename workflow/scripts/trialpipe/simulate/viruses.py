"""Viral PCRs at inclusion and weekly under treatment: negative, newly positive, rising, without a baseline.

A found load is either clearly higher than at baseline (30 times) or about the same, so that a rise by a factor of ten
is never a matter of measurement.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import AdverseEvent, Patient, Pcr
from trialpipe.simulate.rng import stream

INCLUSION = "INCLUSION"
EVENTS = {
    "CMV": ("Infection à CMV", "Cytomegalovirus infection"),
    "EBV": ("Réactivation EBV", "Epstein-Barr virus infection reactivation"),
    "ADV": ("Infection à adénovirus", "Adenovirus infection"),
    "HHV6": ("Infection à HHV-6", "Human herpesvirus 6 infection"),
}


def add(p: Parameters, seed: int, patient: Patient) -> None:
    """Fill ``patient.pcrs`` and the adverse event of every new or rising infection."""
    for virus in p.names("virus_"):
        if virus in EVENTS:
            _follow(p, stream(seed, "virus", patient.traits.index, virus), patient, virus)
    patient.pcrs.sort(key=lambda r: (r.when, r.virus))
    patient.events.sort(key=lambda e: (e.start, e.pt))


def _follow(p: Parameters, rng: np.random.Generator, patient: Patient, virus: str) -> None:
    looked, positive, absent, new, rising = p.numbers(f"virus_{virus}")
    draws = rng.random(6)
    if draws[0] >= looked:
        return
    unit = "IU/mL" if patient.traits.site % 2 else "copies/mL"
    begins = int(rng.integers(5, 40))
    base = 10 ** float(rng.uniform(1.7, 3.6)) if draws[1] < positive else None
    known = draws[2] >= absent
    changes = draws[3] < (new if base is None else rising)
    organ = changes and base is not None and draws[4] < p.number("virus_organ")
    peak = (base or 10.0) * 10 ** float(rng.uniform(1.6, 2.6)) if changes else base
    if base is not None and base < 1.6 * p.number("virus_limit"):
        base, peak = 80.0, (peak * 12 if changes and peak else 80.0)
    if base is None and changes and draws[5] < 0.25:
        peak = 80.0
    first = True
    for visit, day in _days(patient):
        if visit == INCLUSION and not known:
            continue
        noise, missed = float(np.exp(0.12 * rng.normal())), rng.random() < p.number("virus_missed")
        after = changes and day >= begins and visit != INCLUSION
        load = peak if after else base
        if missed and visit != INCLUSION:
            continue
        below = load is not None and load < p.number("virus_limit")
        shown = None if load is None else load if below else float(f"{load * noise:.2g}")
        patient.pcrs.append(Pcr(virus, visit, patient.date(day), shown, below, bool(after and organ), unit))
        if after and first:
            first = False
            _event(rng, patient, virus, patient.date(day), organ)


def _days(patient: Patient) -> list[tuple[str, int]]:
    """Inclusion and the weekly visits up to the last dose, by the examination that was planned there."""
    last = patient.day(patient.doses[-1].end)
    found = {f.visit: patient.day(f.when) for f in patient.findings if f.test == "TEMP"}
    weekly = [(visit, day) for visit, day in found.items() if visit[0] in "DW" and 0 < day <= last]
    return [(INCLUSION, patient.day(patient.inclusion)), *weekly]


def _event(rng: np.random.Generator, patient: Patient, virus: str, start: dt.date, organ: bool) -> None:
    term, pt = EVENTS[virus]
    end = start + dt.timedelta(days=int(rng.integers(8, 30)))
    ended = end if end <= patient.ends().date() else None
    grade = 3 if organ else int(rng.integers(1, 4))
    outcome = "recovered" if ended else "ongoing"
    related = bool(rng.random() < 0.6)
    soc = "Infections and infestations"
    patient.events.append(AdverseEvent(term, pt, soc, start, ended, grade, organ, related, outcome))
