"""What is measured and when: visits, laboratory, clinical findings, lumbar punctures, samples.

Everything is read off the latent course; what is missing is missing the more the sicker the patient is.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Finding, Medication, Patient, Sample
from trialpipe.simulate.rng import stream

# days before conditioning of the visit on its eve, as likely as they stand here
BACK = (1, 1, 1, 1, 2, 3, 5, 9)
INCLUSION, BEFORE, SIX_MONTHS = "Inclusion", "Veille conditionnement", "M6 post-greffe"
# canonical unit, unit printed, printed per canonical, decimals
LABS = {
    "HGB": ("g/L", "g/dL", 0.1, 1),
    "PLAT": ("10*9/L", "G/L", 1.0, 0),
    "WBC": ("10*9/L", "G/L", 1.0, 2),
    "NEUT": ("10*9/L", "G/L", 1.0, 2),
    "FERRITIN": ("ug/L", "µg/L", 1.0, 0),
    "TRIG": ("mmol/L", "mmol/L", 1.0, 2),
    "FIBRINO": ("g/L", "g/L", 1.0, 1),
    "CD25S": ("U/mL", "U/mL", 1.0, 0),
    "DDIMER": ("ug/L", "µg/L", 1.0, 0),
    "ALT": ("U/L", "U/L", 1.0, 0),
    "AST": ("U/L", "U/L", 1.0, 0),
    "BILI": ("umol/L", "µmol/L", 1.0, 0),
    "CREAT": ("umol/L", "µmol/L", 1.0, 0),
}
OTHER = {"HGB": ("g/L", 0), "PLAT": ("/mm3", 0), "WBC": ("/mm3", 0), "NEUT": ("/mm3", 0), "TRIG": ("g/L", 2)}
CSF = {"WBC": ("/uL", 0), "PROT": ("g/L", 2), "NEOPT": ("nmol/L", 1)}


@dataclass(frozen=True)
class Visit:
    label: str
    day: int
    missed: bool = False


def measure(p: Parameters, seed: int, patient: Patient) -> None:
    """Fill findings, samples, concentrations, transfusions and investigator's evaluations of a patient."""
    key = patient.traits.index
    planned = visits(p, stream(seed, "visits", key), patient)
    effects = effects_of(p, stream(seed, "effects", key))
    rng = stream(seed, "laboratory", key)
    for visit in planned:
        patient.findings += laboratory(p, rng, patient, visit, effects)
    rng = stream(seed, "clinic", key)
    for visit in planned:
        patient.findings += clinic(p, rng, patient, visit, effects)
    rng = stream(seed, "puncture", key)
    for label, day in ((INCLUSION, int(rng.integers(-1, 2))), ("J14", 13 + int(rng.integers(-1, 2)))):
        patient.findings += _puncture(p, rng, patient, label, max(day, patient.day(patient.inclusion)))
    support(stream(seed, "support", key), patient)
    _samples(p, stream(seed, "samples", key), patient)
    _evaluate(stream(seed, "evaluation", key), patient, planned)
    _follow(stream(seed, "follow-up", key), patient)
    _sequelae(p, stream(seed, "sequelae", key), patient)


def before_conditioning(patient: Patient, day: int) -> bool:
    return patient.conditioning is None or day < patient.day(patient.conditioning)


def visits(p: Parameters, rng: np.random.Generator, patient: Patient) -> list[Visit]:
    """Inclusion, weekly visits to HSCT or day 118, and the eve of conditioning, on their actual days."""
    found = [Visit(INCLUSION, max(patient.day(patient.inclusion), -int(rng.integers(0, 2))))]
    shares = p.numbers("visit_jitter")
    base, slope = p.numbers("visit_missed")
    eve = patient.day(patient.conditioning) - BACK[int(rng.integers(0, len(BACK)))] if patient.conditioning else None
    for target in range(7, 120, 7):
        day = target - 1 + int(rng.choice(len(shares), p=shares)) - 2
        missed = rng.random() < base + slope * patient.course.at("activity", day)
        if patient.until(day) and before_conditioning(patient, day + 2) and day != eve:
            found.append(Visit(f"J{target}", day, bool(missed)))
    if eve is not None:
        found.append(Visit(BEFORE, eve))
    return found


def effects_of(p: Parameters, rng: np.random.Generator) -> dict[str, float]:
    share = p.number("between_patient")
    logs = {name: float(rng.normal()) * p.numbers(f"lab_{name}")[2] * share for name in p.names("lab_")}
    for organ in ("spleen", "liver"):
        logs[organ] = float(rng.normal()) * p.numbers(organ)[1]
    return logs


def _missing(p: Parameters, rng: np.random.Generator, patient: Patient, visit: Visit, test: str) -> bool:
    chance = p.table("missing_base").get(test, 0.0)
    chance += p.number("missing_activity") * patient.course.at("activity", visit.day) if chance > 0.01 else 0.0
    return bool(rng.random() < chance) or visit.missed


def laboratory(
    p: Parameters, rng: np.random.Generator, patient: Patient, visit: Visit, effects: dict[str, float]
) -> list[Finding]:
    values = {name: _lab_value(p, rng, patient, visit.day, name, effects[name]) for name in p.names("lab_")}
    values["WBC"] = values["NEUT"] + values.pop("LYMPH") + 0.05
    when = patient.clock(visit.day, 8.0)
    return [_lab(p, rng, patient, visit, when, test, values[test]) for test in LABS]


def _lab_value(p: Parameters, rng: np.random.Generator, patient: Patient, day: int, name: str, effect: float) -> float:
    base, slope, sd, driver = p.numbers(f"lab_{name}")
    level = min(patient.course.at("damage" if driver else "activity", day), p.number("ceiling"))
    within = sd * (1 - p.number("between_patient") ** 2) ** 0.5
    return base * float(np.exp(slope * level + effect + within * rng.normal()))


def _lab(
    p: Parameters, rng: np.random.Generator, patient: Patient, visit: Visit, when: dt.datetime, test: str, value: float
) -> Finding:
    unit, printed_unit, factor, decimals = LABS[test]
    other = p.table("site_units").get(f"{test}:{patient.traits.site}")
    if other is not None:
        factor, (printed_unit, decimals) = other, OTHER[test]
    missing = _missing(p, rng, patient, visit, test)
    limit, bound = "none", value
    if test == "FERRITIN" and value > p.number("ferritin_printed_to"):
        limit, bound = "above", p.number("ferritin_printed_to")
    if test == "FIBRINO" and value < p.number("fibrinogen_printed_from"):
        limit, bound = "below", p.number("fibrinogen_printed_from")
    printed = f"{bound * factor:.{decimals}f}"
    shown = round(float(printed) / factor, 6)
    return Finding(test, "BLOOD", visit.label, when, shown, None, not missing, limit, unit, printed, printed_unit)


def clinic(
    p: Parameters, rng: np.random.Generator, patient: Patient, visit: Visit, effects: dict[str, float]
) -> list[Finding]:
    when = patient.clock(visit.day, 8.5)
    activity, damage = patient.course.at("activity", visit.day), patient.course.at("damage", visit.day)
    base, slope, sd = p.numbers("temperature")
    fever = min(base + slope * min(activity, 1.6) + sd * float(rng.normal()), 41.2)
    grown = 1 + max(visit.day, 0) / 4000
    found = []

    def add(test: str, value: float | None, text: str | None, unit: str, decimals: int) -> None:
        missing = _missing(p, rng, patient, visit, test.replace("SPLENO", "SPLEEN").replace("HEPATO", "LIVER"))
        printed = text if value is None else f"{value:.{decimals}f}"
        shown = None if value is None else float(printed or "nan")
        found.append(Finding(test, "", visit.label, when, shown, text, not missing, "none", unit, printed, unit))

    add("TEMP", fever, None, "Cel", 1)
    weight = patient.traits.weight * grown * float(np.exp(rng.normal() * 0.02))
    add("WEIGHT", weight, None, "kg", 2 if patient.traits.weight < 10 else 1)
    add("HEIGHT", patient.traits.height * grown, None, "cm", 0)
    for organ, length, palpable in (("spleen", "SPLEEN", "SPLENO"), ("liver", "LIVER", "HEPATO")):
        size = p.numbers(organ)[0] * float(np.exp(effects[organ] + 0.08 * rng.normal())) * damage
        felt = damage >= p.number("organ_hidden") and size >= 0.5
        add(palpable, None, "Y" if felt else "N", "", 0)
        add(length, round(size * 2) / 2 if felt else 0.0, None, "cm", 1)
        same = found[-2].measured
        found[-1] = _as_measured(found[-1], same)
    symptoms = patient.traits.cns and activity > p.number("cns_activity")
    add("CNS", None, "Y" if symptoms else "N", "", 0)
    return found


def _as_measured(finding: Finding, measured: bool) -> Finding:
    return Finding(**{**finding.__dict__, "measured": measured})


def _puncture(p: Parameters, rng: np.random.Generator, patient: Patient, label: str, day: int) -> list[Finding]:
    base, slope = p.numbers("puncture_missed")
    activity = patient.course.at("activity", day)
    done = rng.random() >= base + slope * max(activity - 0.5, 0)
    draws = rng.normal(size=len(CSF))
    if not patient.until(day) or not before_conditioning(patient, day):
        return []
    when = patient.clock(day, 15.0)
    found = []
    for noise, (test, (unit, decimals)) in zip(draws, CSF.items(), strict=True):
        level, rise = p.numbers(f"csf_{test}")
        value = level * float(np.exp((rise * activity if patient.traits.cns else 0.0) + 0.35 * noise))
        printed = f"{value:.{decimals}f}"
        printed_unit = "/mm3" if test == "WBC" else unit
        shown = float(printed)
        found.append(Finding(test, "CSF", label, when, shown, None, bool(done), "none", unit, printed, printed_unit))
    return found


def support(rng: np.random.Generator, patient: Patient) -> None:
    """Transfusions and G-CSF given for low counts, on the day of the count or the day after."""
    rules = (("HGB", 70, "red_cells", "CGR"), ("PLAT", 25, "platelets", "CPA"), ("NEUT", 0.5, "gcsf", "Filgrastim"))
    for finding in patient.findings:
        for test, limit, category, name in rules:
            if finding.test != test or finding.spec != "BLOOD":
                continue
            given, late = rng.random() < (0.35 if category == "gcsf" else 0.8), int(rng.integers(0, 2))
            start = patient.day(finding.when) + late
            if given and (finding.value or 0) < limit and start >= 0 and patient.until(start):
                days = 4 if category == "gcsf" else 0
                end = min(patient.date(start + days), patient.ends().date())
                patient.medications.append(Medication(category, name, patient.date(start), end, ""))


def _samples(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    base, slope = p.numbers("biobank_missed")
    number = 0
    for visit, day in _biobank_days(patient):
        missed = rng.random() < base + slope * patient.course.at("activity", day)
        if patient.until(day) and not missed:
            number += 1
            name = f"BB{patient.traits.index + 1:03d}{number}"
            patient.samples.append(Sample(name, "biobank", visit, patient.clock(day, 8.25)))
    for number, (visit, when, last) in enumerate(_pk_times(p, rng, patient), start=1):
        name = f"PK{patient.traits.index + 1:03d}{number:02d}"
        missed = rng.random() < p.number("pk_missing")
        noise = float(np.exp(p.number("pk_cv") * rng.normal()))
        if when < patient.ends() and not missed:
            patient.samples.append(Sample(name, "pk", visit, when, last))
            elapsed = (when - patient.first_dose).total_seconds() / 86400
            level = patient.course.at("concentration", elapsed) if elapsed > 0 else 0.0
            patient.pk[name] = level * noise


def _biobank_days(patient: Patient) -> list[tuple[str, int]]:
    found = {f.visit: patient.day(f.when) for f in patient.findings if f.test == "TEMP"}
    return [(visit, found[visit]) for visit in (INCLUSION, BEFORE) if visit in found]


def _pk_times(
    p: Parameters, rng: np.random.Generator, patient: Patient
) -> list[tuple[str, dt.datetime, dt.datetime | None]]:
    """Visit, sampling time and start of the last infusion before it; on dosing days before the infusion."""
    times = [("J1", patient.first_dose - dt.timedelta(minutes=30))]
    times.append(("J1", patient.doses[0].end + dt.timedelta(minutes=15)))
    days = [int(d) for d in p.numbers("pk_days")[1:]] + list(range(34, 119, 7))
    for day in days:
        hour = float(rng.integers(32, 42)) / 4
        doses = [dose.start for dose in patient.doses if patient.day(dose.start) == day]
        when = doses[0] - dt.timedelta(minutes=30) if doses else patient.clock(day, hour)
        if before_conditioning(patient, day):
            times.append((f"J{day + 1}", when))
    if patient.conditioning:
        times.append((BEFORE, patient.clock(patient.day(patient.conditioning) - 1, 9.0)))
    return [(visit, when, _last_dose(patient, when)) for visit, when in sorted(times, key=lambda t: t[1])]


def _last_dose(patient: Patient, when: dt.datetime) -> dt.datetime | None:
    earlier = [dose.start for dose in patient.doses if dose.start < when]
    return max(earlier) if earlier else None


def _evaluate(rng: np.random.Generator, patient: Patient, planned: list[Visit]) -> None:
    for visit in planned:
        if visit.label in ("J14", "J21", "J28") and not visit.missed:
            activity = patient.course.at("activity", visit.day) * float(np.exp(0.15 * rng.normal()))
            damage = patient.course.at("damage", visit.day)
            verdict = "CR" if activity < 0.15 and damage < 0.3 else "PR" if activity < 0.6 else "NR"
            patient.evaluations.append((visit.label, patient.date(visit.day), verdict))


def _follow(rng: np.random.Generator, patient: Patient) -> None:
    """Follow-up visits after HSCT, or monthly without it; each is evidence of life."""
    anchor = patient.day(patient.hsct) if patient.hsct else 122
    days = ((30, "M1"), (91, "M3"), (183, "M6")) if patient.hsct else ((0, "M4"), (61, "M6"), (165, "M10"))
    for after, label in days:
        day = anchor + after + int(rng.integers(-6, 7))
        if patient.clock(day, 10) < patient.ends():
            patient.follow_up.append((f"{label} post-greffe" if patient.hsct else label, patient.date(day)))


def _sequelae(p: Parameters, rng: np.random.Generator, patient: Patient) -> None:
    """Neurological examination at the visit 6 months after HSCT, in some not done."""
    without, with_cns = p.numbers("sequelae")
    found = "Y" if rng.random() < (with_cns if patient.traits.cns else without) else "N"
    done = rng.random() < 0.9
    for visit, date in patient.follow_up:
        if visit == SIX_MONTHS:
            when = dt.datetime.combine(date, dt.time(10))
            patient.findings.append(Finding("NEUROSEQ", "", visit, when, None, found, done, "none", "", found, ""))
