"""What is measured and when under an oral drug: weekly visits to week 8, days -8 and -1 of conditioning, samples, CSF.

Laboratory and examination are those of `measures`; visits carry the names of the study events.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate import measures
from trialpipe.simulate.kinetics_oral import Drug, levels
from trialpipe.simulate.measures import Visit, before_conditioning
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Finding, Patient, Sample
from trialpipe.simulate.rng import stream

INCLUSION, START, EVE, WEEK_BEFORE, UNPLANNED = "INCLUSION", "D0", "CONDM1", "CONDM8", "UNSCHED"
WEEKLY = {"D7": 7, "D14": 14, "D21": 21, "D28": 28, "D35": 35, "D42": 42, "D49": 49, "W8": 56}
EVALUATED = ("D7", "D14", "D21", "D28", "W8", EVE)
# days before conditioning of the visit on its eve, as likely as they stand here
BACK = (1, 1, 1, 1, 1, 2, 3, 5)


def measure(p: Parameters, seed: int, patient: Patient, drug: Drug) -> None:
    """Fill findings, samples, concentrations, transfusions, diagnosis and the investigator's evaluations."""
    key = patient.traits.index
    planned = visits(p, stream(seed, "visits", key), patient)
    examined = [visit for visit in planned if visit.label != WEEK_BEFORE]
    effects = measures.effects_of(p, stream(seed, "effects", key))
    rng = stream(seed, "laboratory", key)
    for visit in examined:
        patient.findings += measures.laboratory(p, rng, patient, visit, effects)
    rng = stream(seed, "clinic", key)
    for visit in examined:
        patient.findings += measures.clinic(p, rng, patient, visit, effects)
    measures.support(stream(seed, "support", key), patient)
    _biobank(p, stream(seed, "samples", key), patient, planned)
    plasma = _plasma(p, stream(seed, "pk", key), patient, planned)
    _punctures(p, stream(seed, "puncture", key), patient, planned, plasma)
    _concentrations(p, stream(seed, "levels", key), patient, drug)
    _evaluate(stream(seed, "evaluation", key), patient, planned)
    _follow(stream(seed, "follow-up", key), patient)
    patient.diagnosis = _diagnosis(p, stream(seed, "diagnosis", key), patient)


def visits(p: Parameters, rng: np.random.Generator, patient: Patient) -> list[Visit]:
    """All visits on their actual days, no two on one day."""
    inclusion = patient.day(patient.inclusion)
    found = [Visit(INCLUSION, inclusion)] + ([Visit(START, 0)] if inclusion < 0 else [])
    shares = p.numbers("visit_jitter")
    base, slope = p.numbers("visit_missed")
    start = patient.day(patient.conditioning) if patient.conditioning else None
    eve = start - BACK[int(rng.integers(0, len(BACK)))] if start is not None else None
    for label, target in WEEKLY.items():
        day = target + int(rng.choice(len(shares), p=shares)) - 2
        missed = rng.random() < base + slope * patient.course.at("activity", day)
        if patient.until(day) and before_conditioning(patient, day) and day != eve:
            found.append(Visit(label, day, bool(missed)))
    taken = {visit.day for visit in found} | {eve}
    if start is not None and eve is not None:
        day = next(d for d in range(start - 8, start - 40, -1) if d not in taken)
        found += [Visit(WEEK_BEFORE, day), Visit(EVE, eve)]
        taken.add(day)
    return found + _unplanned(patient, taken)


def _unplanned(patient: Patient, taken: set[int | None]) -> list[Visit]:
    """A visit on the day on which the disease is clearly active again after it was calm."""
    calm = False
    for day in range(10, 120):
        activity = patient.course.at("activity", day)
        calm = calm or activity < 0.25
        if calm and activity > 0.7 and day not in taken:
            seen = patient.until(day) and before_conditioning(patient, day)
            return [Visit(UNPLANNED, day)] if seen else []
    return []


def _biobank(p: Parameters, rng: np.random.Generator, patient: Patient, planned: list[Visit]) -> None:
    """Plasma and RNA on day 0 and weekly to week 8, before the morning dose."""
    base, slope = p.numbers("biobank_missed")
    for kind, prefix in (("biobank", "BB"), ("rna", "RN")):
        number = 0
        for visit in [Visit(START, 0), *(v for v in planned if v.label in WEEKLY)]:
            missed = rng.random() < base + slope * patient.course.at("activity", visit.day)
            if not (missed or visit.missed):
                number += 1
                name = f"{prefix}{patient.traits.index + 1:03d}{number:02d}"
                patient.samples.append(Sample(name, kind, visit.label, patient.clock(visit.day, 8.25)))


def _plasma(
    p: Parameters, rng: np.random.Generator, patient: Patient, planned: list[Visit]
) -> dict[str, tuple[int, dt.datetime]]:
    """PK samples: on day 0 and weekly, before the morning dose or 1 to 2 h after it; moment by visit."""
    times = [(START, 0, patient.first_dose - dt.timedelta(minutes=30))] if rng.random() < 0.5 else []
    times.append((START, 0, patient.first_dose + dt.timedelta(minutes=5 * int(rng.integers(12, 25)))))
    last = patient.day(patient.intakes[-1][0])
    for visit in planned:
        peak, minutes = rng.random() < p.number("pk_peak"), int(rng.integers(12, 25))
        early = int(rng.integers(2, 8))
        if visit.missed or not (0 < visit.day <= last + 1) or visit.label not in (*WEEKLY, WEEK_BEFORE):
            continue
        morning = [when for when, _ in patient.intakes if patient.day(when) == visit.day]
        usual = patient.clock(visit.day, patient.first_dose.hour + 0.5)
        dose = morning[0] if morning else usual
        when = dose + dt.timedelta(minutes=5 * minutes) if peak and morning else dose - dt.timedelta(minutes=5 * early)
        times.append((visit.label, visit.day, when))
    taken: dict[str, tuple[int, dt.datetime]] = {}
    for number, (label, day, when) in enumerate(times, start=1):
        missed = rng.random() < p.number("pk_missing")
        if when < patient.ends() and not missed:
            name = f"PK{patient.traits.index + 1:03d}{number:02d}"
            patient.samples.append(Sample(name, "pk", label, when, last_dose(patient, when)))
            taken[label] = (day, when)
    return taken


def last_dose(patient: Patient, when: dt.datetime) -> dt.datetime | None:
    """Last intake before ``when``."""
    earlier = [taken for taken, _ in patient.intakes if taken < when]
    return max(earlier) if earlier else None


def _punctures(
    p: Parameters,
    rng: np.random.Generator,
    patient: Patient,
    planned: list[Visit],
    plasma: dict[str, tuple[int, dt.datetime]],
) -> None:
    """Punctures at inclusion, on day 14 and on day 28; the drug is measured in CSF under treatment."""
    share = p.numbers("csf_punctures")[1 if patient.traits.cns else 0]
    days = {visit.label: visit.day for visit in planned if not visit.missed}
    for label in (INCLUSION, "D14", "D28"):
        wanted = label == INCLUSION or rng.random() < share
        close, minutes, hours = rng.random() < p.number("csf_close"), int(rng.integers(-10, 12)), rng.uniform(1.5, 5)
        if not wanted or label not in days:
            continue
        when = patient.clock(days[label], 8.5 if label == INCLUSION else 14.0)
        if label in plasma:
            shift = dt.timedelta(minutes=5 * minutes) if close else dt.timedelta(minutes=5 * round(12 * hours))
            when = plasma[label][1] + shift
        found = _puncture(p, rng, patient, label, when)
        patient.findings += found
        if label != INCLUSION and any(f.measured for f in found) and when < patient.ends():
            name = f"CS{patient.traits.index + 1:03d}{2 if label == 'D28' else 1:02d}"
            patient.samples.append(Sample(name, "pkcsf", label, when, last_dose(patient, when)))


def _puncture(
    p: Parameters, rng: np.random.Generator, patient: Patient, label: str, when: dt.datetime
) -> list[Finding]:
    base, slope = p.numbers("puncture_missed")
    activity = patient.course.at("activity", patient.day(when))
    done = bool(rng.random() >= base + slope * max(activity - 0.5, 0))
    activity = min(activity, p.number("csf_ceiling"))
    found = []
    for test, (unit, decimals) in measures.CSF.items():
        level, rise = p.numbers(f"csf_{test}")
        noise = float(rng.normal())
        value = level * float(np.exp((rise * activity if patient.traits.cns else 0.0) + 0.35 * noise))
        text = f"{value:.{decimals}f}"
        printed_unit = "/mm3" if test == "WBC" else unit
        found.append(Finding(test, "CSF", label, when, float(text), None, done, "none", unit, text, printed_unit))
    return found


def _concentrations(p: Parameters, rng: np.random.Generator, patient: Patient, drug: Drug) -> None:
    """Plasma levels at the actual times, with assay error; CSF a few percent of plasma."""
    doses = [((when - patient.first_dose).total_seconds() / 3600, mg) for when, mg in patient.intakes]
    samples = [sample for sample in patient.samples if sample.kind in ("pk", "pkcsf")]
    hours = [(sample.when - patient.first_dose).total_seconds() / 3600 for sample in samples]
    ratio, sd = p.numbers("csf_ratio")
    own = ratio * float(np.exp(sd * rng.normal()))
    for sample, level in zip(samples, levels(drug, doses, hours), strict=True):
        share = own if sample.kind == "pkcsf" else 1.0
        patient.pk[sample.id] = level * share * float(np.exp(p.number("pk_cv") * rng.normal()))


def _evaluate(rng: np.random.Generator, patient: Patient, planned: list[Visit]) -> None:
    for visit in planned:
        if visit.label in EVALUATED and not visit.missed:
            activity = patient.course.at("activity", visit.day) * float(np.exp(0.15 * rng.normal()))
            damage = patient.course.at("damage", visit.day)
            verdict = "CR" if activity < 0.15 and damage < 0.3 else "PR" if activity < 0.6 else "NR"
            patient.evaluations.append((visit.label, patient.date(visit.day), verdict))


def _follow(rng: np.random.Generator, patient: Patient) -> None:
    """Follow-up visits after HSCT, or after week 8 without it; each is evidence of life."""
    anchor = patient.day(patient.hsct) if patient.hsct else 56
    for after in (30, 91, 183):
        day = anchor + after + int(rng.integers(-6, 7))
        if patient.clock(day, 10) < patient.ends():
            patient.follow_up.append((f"FU{len(patient.follow_up) + 1}", patient.date(day)))


def _diagnosis(p: Parameters, rng: np.random.Generator, patient: Patient) -> dict[str, str]:
    """Items of the diagnosis that no other form has; empty: not known."""
    missing = rng.random(3) < p.number("diagnosis_missing")
    shares = np.array(p.numbers("nk_activity"))
    size = int(p.number("planned_n"))
    draws = rng.random(3)
    if patient.traits.index % size == int(p.number("not_eligible")):
        return {"HEMOPHAG": "N", "NK": "normal", "HLADR": "N", "IMMSUP": "N", "PRIORTRT": "N"}
    return {
        "HEMOPHAG": "" if missing[0] else "Y" if draws[0] < p.number("hemophagocytosis") else "N",
        "NK": "" if missing[1] else ("absent", "decreased", "normal")[int(rng.choice(3, p=shares / shares.sum()))],
        "HLADR": "" if missing[2] else "Y" if draws[1] < p.number("hla_dr") else "N",
        "IMMSUP": "Y" if draws[2] < p.number("immunosuppression") else "N",
        "PRIORTRT": "Y" if patient.traits.index % size in range(9, 9 + int(p.number("prior_treatment"))) else "N",
    }
