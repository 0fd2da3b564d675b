"""Course ``primary_hlh``: infants and children with familial HLH from consent to six months after HSCT.

One latent course per patient (`kinetics`) drives findings, response, second line, death and conditioning together.
No dirt is made here: what comes out is the truth.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate import adverse, fates, measures
from trialpipe.simulate.kinetics import Plan, follow
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Dose, Medication, Patient, Traits
from trialpipe.simulate.rng import stream

DAYS = 175


def patients(p: Parameters, n: int, seed: int) -> list[Patient]:
    """The first ``n`` patients of the seed."""
    size = int(p.number("planned_n"))
    people = [pair for number in range(-(-n // size)) for pair in fates.block(p, seed, number)][:n]
    numbers = number_patients([traits.site for traits, _ in people])
    return [_patient(p, seed, traits, fate, number) for (traits, fate), number in zip(people, numbers, strict=True)]


def number_patients(sites: list[int]) -> list[str]:
    """``<site>-<rank in site>``."""
    ranks: dict[int, int] = {}
    numbers = []
    for site in sites:
        ranks[site] = ranks.get(site, 0) + 1
        numbers.append(f"{site:02d}-{ranks[site]:03d}")
    return numbers


def _patient(p: Parameters, seed: int, traits: Traits, fate: str, number: str) -> Patient:
    rng = stream(seed, "timeline", traits.index)
    slot = traits.index % int(p.number("planned_n"))
    wait = int(slot * p.number("accrual_step") + rng.integers(0, int(p.number("accrual_step")) - 5))
    consent = p.date("first_consent") + dt.timedelta(days=wait)
    inclusion = consent + dt.timedelta(days=int(rng.integers(0, 2)))
    start = inclusion + dt.timedelta(days=int(rng.integers(0, 3)))
    first_dose = dt.datetime.combine(start, dt.time(int(rng.integers(10, 14)), int(rng.integers(0, 12)) * 5))
    infusions = _infusions(p, rng, first_dose)
    kill = traits.kill * (p.number("kill_dead_factor") if fate == "dead" else 1.0)
    rescue_from = int(p.number("rescue_day") + rng.integers(0, 6))
    offered = rng.random() < p.number("rescue_offered")
    plan = Plan(infusions, traits.severity, kill, rescue_from if offered else None, DAYS)
    course, rescue = follow(plan, p)
    patient = Patient(number, traits, fate, consent, inclusion, first_dose, course, [])
    _end(p, rng, patient)
    patient.doses = [d for d in _doses(infusions, patient) if d.start < patient.ends() and not _after(patient, d.start)]
    rescue_date = patient.date(rescue) if rescue is not None else None
    if rescue_date and patient.until(rescue or 0) and not _after(patient, rescue_date):
        patient.rescue = rescue_date
    patient.state = state(patient, int(p.number("horizon")))
    _medicate(stream(seed, "medication", traits.index), patient)
    measures.measure(p, seed, patient)
    adverse.add(p, seed, patient)
    return patient


def _after(patient: Patient, when: dt.date | dt.datetime) -> bool:
    """Whether conditioning has started by the day of ``when``."""
    return patient.conditioning is not None and patient.day(when) >= patient.day(patient.conditioning)


def _infusions(p: Parameters, rng: np.random.Generator, first: dt.datetime) -> tuple[tuple[float, float, float], ...]:
    """(start, end, mg/kg) in days from the first dose's start."""
    length = p.number("infusion_hours") / 24
    found = []
    days, given = p.numbers("course_days"), p.numbers("course_given")
    for course, name in enumerate(("course1", "course2", "course3")):
        take = rng.random() < given[course]
        for k, dose in enumerate(p.numbers(name)):
            late = 0.0 if course == 0 and k == 0 else float(rng.integers(-4, 13)) / 96
            if take:
                found.append((days[course] + k + late, days[course] + k + late + length, dose))
    return tuple(found)


def _doses(infusions: tuple[tuple[float, float, float], ...], patient: Patient) -> list[Dose]:
    found = []
    for start, end, dose in infusions:
        begins = patient.first_dose + dt.timedelta(minutes=round(start * 1440))
        ends = patient.first_dose + dt.timedelta(minutes=round(end * 1440))
        course = 1 + (start > 10) + (start > 18)
        found.append(Dose(course, begins, ends, round(dose * patient.traits.weight, 2)))
    return found


def _end(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    """Conditioning, HSCT, death and last news by fate."""
    cutoff = dt.datetime.combine(p.date("data_cutoff"), dt.time(12))
    ENDS[patient.fate](p, rng, patient)
    if patient.death:
        patient.last_alive = patient.death
    elif patient.last_alive is None:
        anchor = patient.day(patient.hsct) + 183 if patient.hsct else 300
        patient.last_alive = patient.clock(anchor + int(rng.integers(-6, 21)), 11)
    if patient.last_alive and patient.last_alive > cutoff:
        patient.last_alive = cutoff


def _dies_before(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    days = np.arange(4, 112)
    activity = np.array([patient.course.at("activity", int(day)) for day in days])
    weights = np.exp(p.number("death_slope") * np.minimum(activity, 3) - days / p.number("death_decay"))
    day = int(rng.choice(days, p=weights / weights.sum()))
    patient.death = patient.clock(day, float(rng.uniform(0.2, 23.8)))


def _transplanted(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    low, high = p.numbers("hsct_days")
    shape, scale = p.numbers("donor_delay")
    calm = [d for d in range(26, 80) if patient.course.at("activity", d) < p.number("hsct_activity")]
    ready = calm[0] if calm else 75
    day = int(min(max(ready + rng.gamma(shape, scale), low), high))
    _graft(p, rng, patient, day)
    u, same_day = rng.random(), rng.random() < p.number("death_day_of_hsct")
    later = int(rng.integers(6, 165))
    if same_day and patient.hsct:
        patient.death = patient.hsct + dt.timedelta(minutes=int(rng.integers(60, 400)))
    elif u < p.number("death_after_hsct"):
        patient.death = patient.clock(day + later, float(rng.uniform(0.2, 23.8)))


def _graft(p: Parameters, rng: np.random.Generator, patient: Patient, day: int) -> None:
    low, high = p.numbers("conditioning_lead")
    patient.conditioning = patient.date(day - int(rng.integers(int(low), int(high) + 1)))
    patient.hsct = patient.clock(day, float(rng.uniform(11, 16)))


def _dies_in_conditioning(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    low, high = p.numbers("hsct_days")
    day = int(rng.integers(int(low) + 10, int(high) - 10))
    _graft(p, rng, patient, day)
    patient.hsct = None
    patient.death = patient.clock(day - int(rng.integers(1, 5)), float(rng.uniform(0.2, 23.8)))


def _lost(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    low, high = p.numbers("lost_days")
    patient.lost = True
    patient.last_alive = patient.clock(int(rng.integers(int(low), int(high))), 10.5)


def _late_hsct(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    low, high = p.numbers("late_hsct_days")
    _graft(p, rng, patient, int(rng.integers(int(low), int(high))))


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


def state(patient: Patient, horizon: int) -> str:
    """reached, dead, alive or lost at the earlier of HSCT and ``horizon`` days; an event on the horizon counts.

    A death on the day of the infusion counts by the clock: before it is a death before HSCT.
    """
    hsct = patient.hsct if patient.hsct and patient.day(patient.hsct) <= horizon else None
    death = patient.death if patient.death and patient.day(patient.death) <= horizon else None
    if hsct and not (death and death < hsct):
        return "reached"
    if death:
        return "dead"
    return "lost" if patient.lost and patient.day(patient.ends()) < horizon else "alive"


def _medicate(rng: np.random.Generator, patient: Patient) -> None:
    """Steroids, ciclosporin, second line; transfusions and G-CSF follow the counts, see `measures`."""
    begin = patient.first_dose.date()
    stop = patient.conditioning or patient.ends().date()
    stop = min(stop, patient.ends().date())
    kilos = patient.traits.weight
    tapered = min(begin + dt.timedelta(days=int(rng.integers(45, 75))), stop)
    later = min(begin + dt.timedelta(days=int(rng.integers(1, 8))), stop)
    patient.medications += [
        Medication("steroid", "Méthylprednisolone", begin, tapered, f"{2 * kilos:.0f} mg/j"),
        Medication("ciclosporin", "Ciclosporine A", later, stop, f"{4 * kilos:.0f} mg/j"),
    ]
    if patient.rescue:
        name = ("Étoposide", "Étoposide", "Sérum antilymphocytaire", "Ruxolitinib")[int(rng.integers(0, 4))]
        end = min(patient.rescue + dt.timedelta(days=int(rng.integers(10, 35))), stop)
        patient.medications.append(Medication("rescue", name, patient.rescue, end, ""))
