"""Course ``oral_primary_hlh``: primary HLH from birth to 22 years under an oral drug, twice a day.

As in `course_primary_hlh`, one latent course per patient drives findings, response, second line, death and
conditioning together, and no dirt is made here: what comes out is the truth.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np

from trialpipe.simulate import adverse, fates, kinetics_oral, measures_oral, viruses
from trialpipe.simulate.course_primary_hlh import number_patients, state
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Dose, Medication, Patient, Traits
from trialpipe.simulate.rng import stream

DAYS = 160
TABLETS = (2.5, 5.0, 10.0, 15.0, 20.0)


def patients(p: Parameters, n: int, seed: int) -> list[Patient]:
    """The first ``n`` patients of the seed."""
    size = int(p.number("planned_n"))
    people = [pair for number in range(-(-n // size)) for pair in fates.block(p, seed, number)][:n]
    numbers = number_patients([traits.site for traits, _ in people])
    return [_patient(p, seed, traits, fate, number) for (traits, fate), number in zip(people, numbers, strict=True)]


def _patient(p: Parameters, seed: int, traits: Traits, fate: str, number: str) -> Patient:
    rng = stream(seed, "timeline", traits.index)
    size = int(p.number("planned_n"))
    if traits.index % size == int(p.number("not_eligible")):
        traits = replace(traits, gene="unknown", family=False, severity=p.number("not_eligible_severity"))
    step = int(p.number("accrual_step"))
    consent = p.date("first_consent") + dt.timedelta(days=traits.index % size * step + int(rng.integers(0, step - 5)))
    inclusion = consent + dt.timedelta(days=int(rng.integers(0, 2)))
    start = inclusion + dt.timedelta(days=int(rng.integers(0, 3)))
    first_dose = dt.datetime.combine(start, dt.time(int(rng.integers(9, 11)), int(rng.integers(0, 6)) * 10))
    stops = fate in ("late_hsct", "not_transplanted") and rng.random() < p.number("reactivating")
    low, high = p.numbers("reactivating_stop")
    length = int(rng.integers(int(low), int(high) + 1)) if stops else int(p.number("treatment_days"))
    planned = _planned(p, stream(seed, "doses", traits.index), traits, first_dose, length)
    azole = _azole(p, rng, length)
    drug = kinetics_oral.drug_of(p, stream(seed, "drug", traits.index), traits.weight, azole)
    kill = traits.kill * (p.number("kill_dead_factor") if fate == "dead" else 1.0)
    rescue_from = (
        int(p.number("rescue_day") + rng.integers(0, 6)) if rng.random() < p.number("rescue_offered") else None
    )
    hours = tuple(((when - first_dose).total_seconds() / 3600, mg) for when, mg in planned)
    plan = kinetics_oral.Plan(hours, traits.severity, kill, rescue_from, None if stops else length, DAYS)
    course, rescue = kinetics_oral.follow(plan, drug, p)
    patient = Patient(number, traits, fate, consent, inclusion, first_dose, course, [])
    _end(p, rng, patient)
    patient.intakes = [(when, mg) for when, mg in planned if when < patient.ends() and not _after(patient, when)]
    patient.doses = periods(patient.intakes)
    if rescue is not None and patient.until(rescue) and not _after(patient, patient.date(rescue)):
        patient.rescue = patient.date(rescue)
    patient.state = state(patient, int(p.number("horizon")))
    _medicate(stream(seed, "medication", traits.index), patient, azole)
    measures_oral.measure(p, seed, patient, drug)
    adverse.add(p, seed, patient)
    viruses.add(p, seed, patient)
    return patient


def _after(patient: Patient, when: dt.date | dt.datetime) -> bool:
    """Whether conditioning has started by the day of ``when``."""
    return patient.conditioning is not None and patient.day(when) >= patient.day(patient.conditioning)


def _planned(
    p: Parameters, rng: np.random.Generator, traits: Traits, first: dt.datetime, length: int
) -> list[tuple[dt.datetime, float]]:
    """Every intake with its dose in mg: raised in some in weeks 2 and 3, in some paused and resumed with half."""
    table = {float(kg): mg for kg, mg in p.table("tablet_by_weight").items()}
    level = table[max(kg for kg in table if kg <= traits.weight)]
    raised = int(rng.integers(7, 19)) if rng.random() < p.number("dose_raised") else None
    pause = int(rng.integers(10, 34)) if rng.random() < p.number("dose_paused") else None
    back = pause + int(rng.integers(2, 6)) if pause is not None else None
    found = []
    for day in range(length):
        for half in (0, 1):
            mg = level
            if raised is not None and day >= raised:
                mg = TABLETS[min(TABLETS.index(level) + 1, len(TABLETS) - 1)]
            if back is not None and day >= back:
                mg = TABLETS[max(TABLETS.index(mg) - 1, 0)]
            late = 0 if day == half == 0 else int(rng.integers(-4, 7)) * 5
            if not (pause is not None and back is not None and pause <= day < back):
                found.append((first + dt.timedelta(days=day, hours=12 * half, minutes=late), mg))
    return found


def periods(intakes: list[tuple[dt.datetime, float]]) -> list[Dose]:
    """Dose periods: first and last intake of one dose without a gap of more than a day."""
    found: list[Dose] = []
    for when, mg in intakes:
        last = found[-1] if found else None
        if last and last.mg == mg and when - last.end < dt.timedelta(hours=25):
            found[-1] = replace(last, end=when)
        else:
            found.append(Dose(len(found) + 1, when, when, mg))
    return found


def _azole(p: Parameters, rng: np.random.Generator, length: int) -> tuple[float, float] | None:
    """Hours of azole prophylaxis from the first dose, if any; to the end of the treatment."""
    start = int(rng.integers(0, 12))
    return (24.0 * start, 24.0 * length) if rng.random() < p.number("azole") else None


def _end(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    """Conditioning, HSCT, death and last news by fate."""
    cutoff = dt.datetime.combine(p.date("data_cutoff"), dt.time(12))
    ENDS[patient.fate](p, rng, patient)
    if patient.death:
        patient.last_alive = patient.death
    elif patient.last_alive is None:
        anchor = patient.day(patient.hsct) + 183 if patient.hsct else 250
        patient.last_alive = patient.clock(anchor + int(rng.integers(-6, 21)), 11)
    if patient.last_alive and patient.last_alive > cutoff:
        patient.last_alive = cutoff


def _dies_before(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    low, high = p.numbers("death_days")
    days = np.arange(int(low), int(high) + 1)
    activity = np.array([patient.course.at("activity", int(day)) for day in days])
    weights = np.exp(p.number("death_slope") * np.minimum(activity, 3) - days / p.number("death_decay"))
    day = int(rng.choice(days, p=weights / weights.sum()))
    patient.death = patient.clock(day, float(rng.uniform(0.2, 23.8)))


def _transplanted(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    low, high = p.numbers("hsct_days")
    shape, scale = p.numbers("donor_delay")
    calm = [d for d in range(20, int(high)) if patient.course.at("activity", d) < p.number("hsct_activity")]
    ready = (calm[0] if calm else int(high) - 10) + 10
    day = int(min(max(ready + rng.gamma(shape, scale), low), high))
    _graft(p, rng, patient, day)
    later = int(rng.integers(6, 165))
    if rng.random() < p.number("death_after_hsct"):
        patient.death = patient.clock(day + later, float(rng.uniform(0.2, 23.8)))


def _graft(p: Parameters, rng: np.random.Generator, patient: Patient, day: int) -> None:
    low, high = p.numbers("conditioning_lead")
    patient.conditioning = patient.date(day - int(rng.integers(int(low), int(high) + 1)))
    patient.hsct = patient.clock(day, float(rng.uniform(11, 16)))


def _dies_in_conditioning(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    low, high = p.numbers("hsct_days")
    day = int(rng.integers(int(low) + 8, int(high)))
    _graft(p, rng, patient, day)
    patient.hsct = None
    patient.death = patient.clock(day - int(rng.integers(1, 5)), float(rng.uniform(0.2, 23.8)))


def _lost(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    low, high = p.numbers("lost_days")
    patient.lost = True
    patient.last_alive = patient.clock(int(rng.integers(int(low), int(high))), 10.5)


def _late_hsct(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    low, high = p.numbers("late_hsct_days")
    day = int(rng.integers(int(low), int(high)))
    _graft(p, rng, patient, day)
    if rng.random() < p.number("death_after_hsct"):
        patient.death = patient.clock(day + int(rng.integers(20, 165)), float(rng.uniform(0.2, 23.8)))


def _not_transplanted(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    """Alive without HSCT at the end."""


ENDS = {
    "dead": _dies_before,
    "transplanted": _transplanted,
    "conditioning_death": _dies_in_conditioning,
    "lost": _lost,
    "late_hsct": _late_hsct,
    "not_transplanted": _not_transplanted,
}


def _medicate(rng: np.random.Generator, patient: Patient, azole: tuple[float, float] | None) -> None:
    """Steroids, azole, antiviral and second line; transfusions and G-CSF follow the counts, see `measures`."""
    begin = patient.first_dose.date()
    stop = min(patient.conditioning or patient.ends().date(), patient.ends().date())
    tapered = min(begin + dt.timedelta(days=int(rng.integers(45, 75))), stop)
    patient.medications.append(Medication("steroid", "Dexaméthasone", begin, tapered, ""))
    if azole:
        first, last = patient.date(int(azole[0] // 24)), patient.date(int(azole[1] // 24) - 1)
        name = ("Posaconazole", "Voriconazole", "Fluconazole")[int(rng.integers(0, 3))]
        if first < stop:
            patient.medications.append(Medication("azole", name, first, min(last, stop), ""))
    if rng.random() < 0.3:
        first = patient.date(int(rng.integers(0, 5)))
        if first < stop:
            patient.medications.append(Medication("antiviral", "Aciclovir", first, stop, ""))
    if patient.rescue:
        name = ("Étoposide", "Alemtuzumab", "Émapalumab")[int(rng.integers(0, 3))]
        end = min(patient.rescue + dt.timedelta(days=int(rng.integers(10, 35))), stop)
        patient.medications.append(Medication("rescue", name, patient.rescue, end, ""))
