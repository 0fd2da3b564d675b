"""Course ``icu_hlh``: adults with acquired HLH in intensive care under an oral drug.

One latent course of organ failure per patient drives all organs, support, death and discharge together. Ends are drawn
in blocks of the planned number so that every block holds the rare ones. No dirt is made here.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate import icu_days, icu_events, icu_measures
from trialpipe.simulate.icu_patient import FATES, IN_ICU, ORGANS, VISITS, IcuPatient, IcuTraits
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.rng import stream

BEFORE, LENGTH = 10, 230
TRIGGERS = ("lymphoma", "infection", "autoimmune", "other")


def patients(p: Parameters, n: int, seed: int) -> list[IcuPatient]:
    """The first ``n`` patients of the seed."""
    size = int(p.number("planned_n"))
    people = [pair for number in range(-(-n // size)) for pair in _block(p, seed, number)][:n]
    ranks: dict[int, int] = {}
    found = []
    for traits, fate in people:
        ranks[traits.site] = ranks.get(traits.site, 0) + 1
        found.append(_patient(p, seed, traits, fate, f"{traits.site:02d}-{ranks[traits.site]:02d}"))
    return found


def _block(p: Parameters, seed: int, number: int) -> list[tuple[IcuTraits, str]]:
    """Traits and fate of one block; a fixed share of each fate responds by D7."""
    size = int(p.number("planned_n"))
    rng = stream(seed, "block", number)
    counts, shares = p.table("fates"), p.table("responders")
    drawn: list[tuple[str, bool]] = []
    for fate in FATES:
        own = int(counts[fate])
        drawn += [(fate, k < round(shares[fate] * own)) for k in range(own)]
    if len(drawn) != size:
        raise ValueError(f"fates are {len(drawn)}, planned_n is {size}")
    order = rng.permutation(size)
    return [(_traits(p, seed, number * size + k, *drawn[int(order[k])]), drawn[int(order[k])][0]) for k in range(size)]


def _traits(p: Parameters, seed: int, index: int, fate: str, responds: bool) -> IcuTraits:
    rng = stream(seed, "traits", index)
    sites = np.array(p.numbers("sites"))
    mean, sd, low, high = p.numbers("age")
    age = float(np.clip(rng.normal(mean, sd), low, high))
    male = bool(rng.random() < p.number("male"))
    height = int(round(_normal(p, rng, "height_male" if male else "height_female")))
    body = float(np.clip(_normal(p, rng, "body_mass"), 17, 42))
    shares = np.array([p.table("triggers")[name] for name in TRIGGERS])
    severity = p.number("severity") * float(np.exp(rng.normal() * p.number("severity_log_sd")))
    spread = p.number("organ_log_sd")
    return IcuTraits(
        index=index,
        site=int(rng.choice(len(sites), p=sites / sites.sum())) + 1,
        sex="M" if male else "F",
        birth=p.date("first_inclusion") - dt.timedelta(days=int(age * 365.25)),
        weight=round(body * (height / 100) ** 2, 1),
        height=height,
        trigger=TRIGGERS[int(rng.choice(len(TRIGGERS), p=shares / shares.sum()))],
        severity=max(severity * p.table("severity_factor").get(fate, 1.0), p.number("severity_least")),
        responds=responds,
        organs={organ: float(np.exp(rng.normal() * spread)) for organ in ORGANS},
    )


def _patient(p: Parameters, seed: int, traits: IcuTraits, fate: str, number: str) -> IcuPatient:
    rng = stream(seed, "timeline", traits.index)
    size, step = int(p.number("planned_n")), int(p.number("accrual_step"))
    lag = traits.index % size * step + int(rng.integers(0, step - 3))
    inclusion = dt.datetime.combine(
        p.date("first_inclusion") + dt.timedelta(days=lag), dt.time(int(rng.integers(9, 11)), 5 * int(rng.integers(12)))
    )
    late = rng.random() < p.number("dose_next_day")
    treated = fate not in ("untreated_dead", "untreated")
    origin = inclusion.date() + dt.timedelta(days=int(late and treated))
    dose = dt.datetime.combine(origin, dt.time(int(rng.integers(12, 20)), 10 * int(rng.integers(6))))
    icu = inclusion - dt.timedelta(hours=_gamma(p, rng, "icu_lead") + 1)
    short = rng.random() < p.number("direct_admission")
    ward = dt.timedelta(hours=float(rng.uniform(0.5, 6)) if short else 24 * _gamma(p, rng, "ward_lead"))
    patient = IcuPatient(
        number, traits, fate, inclusion, origin, dose if treated else None, _minute(icu - ward), _minute(icu),
        np.empty(0),
    )  # fmt: skip
    patient.emergency = fate == "refused" or bool(rng.random() < p.number("emergency"))
    death = _death_day(p, rng, patient)
    patient.failure = _failure(p, stream(seed, "failure", traits.index), patient, death)
    _end(p, rng, patient, death)
    icu_days.fill(p, seed, patient)
    icu_measures.measure(p, seed, patient)
    icu_events.add(p, seed, patient)
    return patient


def _normal(p: Parameters, rng: np.random.Generator, name: str) -> float:
    mean, sd = p.numbers(name)
    return float(rng.normal(mean, sd))


def _gamma(p: Parameters, rng: np.random.Generator, name: str) -> float:
    shape, scale = p.numbers(name)
    return float(rng.gamma(shape, scale))


def _between(p: Parameters, rng: np.random.Generator, name: str) -> float:
    low, high = p.numbers(name)
    return float(rng.uniform(low, high))


def _minute(when: dt.datetime) -> dt.datetime:
    return when.replace(second=0, microsecond=0)


def _death_day(p: Parameters, rng: np.random.Generator, patient: IcuPatient) -> int | None:
    """Elapsed day of a death in intensive care or soon after; None otherwise."""
    if patient.fate == "untreated_dead":
        return 0
    key = {"early_death": "early_death_days", "icu_death": "icu_death_days"}.get(patient.fate)
    if key is None:
        return None
    low, high = p.numbers(key)
    return int(low + (high - low) * float(rng.random()) ** 1.5)


def _failure(p: Parameters, rng: np.random.Generator, patient: IcuPatient, death: int | None) -> np.ndarray:
    """Latent failure by day: a plateau, then recovery; before a death in intensive care a rise."""
    days = np.arange(-BEFORE, LENGTH)
    key = "respond" if patient.traits.responds else "resist"
    if patient.fate == "early_ward":
        key = "early"
    wait = _between(p, rng, f"wait_{key}")
    rate = _between(p, rng, f"rate_{key}")
    path = np.exp(-rate * np.maximum(days - wait, 0))
    if death is not None:
        rise = _between(p, rng, "rise")
        turn = max(death - 8, 8) if patient.traits.responds else 1
        falling = np.exp(-rate * np.clip(days - wait, 0, turn)) if patient.traits.responds else np.ones(len(days))
        path = falling * np.exp(rise * np.clip(days - turn, 0, 14))
    noise = np.empty(len(days))
    last = 0.0
    for k in range(len(days)):
        last = 0.6 * last + float(rng.normal()) * p.number("failure_noise")
        noise[k] = last
    floor = p.number("failure_floor")
    return np.minimum(np.maximum(patient.traits.severity * path, floor) * np.exp(noise), p.number("failure_ceiling"))


def _end(p: Parameters, rng: np.random.Generator, patient: IcuPatient, death: int | None) -> None:
    """Discharges, death, last news. Nobody leaves intensive care alive on the day of a visit."""
    if death is not None:
        after = patient.inclusion if patient.fate == "untreated_dead" else patient.clock(death, 9.5)
        left = (patient.clock(death, 23.9) - after).total_seconds() / 60
        patient.death = after + dt.timedelta(minutes=int(rng.integers(60, max(int(left), 90))))
        patient.icu_end, patient.hospital_end = patient.death, patient.death.date()
        patient.last_alive = patient.death
    else:
        _leave(p, rng, patient)
    if patient.death is not None:
        group = p.fatal if patient.fate in IN_ICU else p.fatal[:2]
        shares = np.array([float(entry["share"]) for entry in group])
        patient.cause = str(group[int(rng.choice(len(shares), p=shares / shares.sum()))]["cause"])
    if patient.fate == "refused":
        patient.refused = patient.date(int(p.number("refused_day")))


def _leave(p: Parameters, rng: np.random.Generator, patient: IcuPatient) -> None:
    first, last = p.table("first_leave").get(patient.fate, p.number("earliest_leave")), 90
    calm = next((d for d in range(int(first), last) if patient.level(d) < p.number("leave_below")), last)
    day = calm + int(rng.integers(0, 2 if patient.fate == "early_ward" else 4))
    while day in VISITS.values():
        day -= 1 if patient.fate == "early_ward" else -1
    patient.icu_end = patient.clock(day, float(rng.uniform(10.5, 17)))
    patient.readmission = _back(p, rng, patient, day)
    if patient.readmission is not None:
        _worsen(p, patient, patient.day(patient.readmission))
    low, high = p.numbers("ward_days")
    out = day + int(rng.integers(int(low), int(high) + 1))
    if patient.readmission is not None:
        out = max(out, patient.day(patient.readmission) + int(rng.integers(12, 25)), 29)
    patient.hospital_end = patient.date(out)
    if patient.fate in ("ward_death", "late_death"):
        low, high = p.numbers("death_after_icu" if patient.fate == "ward_death" else "death_late")
        wait = int(rng.integers(int(low), int(high)))
        at = min((day if patient.fate == "ward_death" else out) + wait, 172)
        patient.death = patient.clock(max(at, 9), float(rng.uniform(0.2, 23.8)))
        if patient.fate == "ward_death":
            patient.hospital_end = patient.death.date()
        else:
            patient.hospital_end = min(patient.hospital_end, patient.date(at - 2))
    _follow(p, rng, patient)


def _back(p: Parameters, rng: np.random.Generator, patient: IcuPatient, day: int) -> dt.datetime | None:
    """Readmission: soon and until after D28, or after D28; the end of the second stay is not collected."""
    if patient.fate != "readmitted":
        return None
    back = day + int(rng.integers(3, 7))
    if back > 27:
        back = max(back, 30)
    while back in VISITS.values():
        back += 1
    return patient.clock(back, float(rng.uniform(11, 22)))


def _worsen(p: Parameters, patient: IcuPatient, back: int) -> None:
    """Organs fail again on readmission."""
    high, fall = p.numbers("readmission_failure")
    since = np.arange(-BEFORE, LENGTH) - back
    patient.failure = patient.failure + np.where(since >= 0, high * np.exp(-fall * np.maximum(since, 0)), 0.0)


def _follow(p: Parameters, rng: np.random.Generator, patient: IcuPatient) -> None:
    """Last news: six months after inclusion; earlier of one patient."""
    horizon, months = int(p.number("horizon")), patient.day(patient.inclusion)
    early = patient.date(int(rng.integers(62, 95)))
    final = patient.date(horizon + months + int(rng.integers(1, 12)))
    if patient.death is not None:
        patient.last_alive = patient.death
        return
    if patient.fate == "lost":
        assert patient.hospital_end is not None
        early = max(early, patient.hospital_end + dt.timedelta(days=6))
        patient.contacts = [(early, "alive"), (early, "lost")]
        patient.last_alive = dt.datetime.combine(early, dt.time(12))
        return
    if rng.random() < p.number("early_contact"):
        patient.contacts.append((early, "alive"))
    patient.contacts.append((min(final, p.date("data_cutoff")), "alive"))
    patient.last_alive = dt.datetime.combine(patient.contacts[-1][0], dt.time(12))
    in_hospital = patient.traits.index % int(p.number("planned_n")) == int(p.number("still_in_hospital"))
    if in_hospital and patient.fate == "survivor":
        patient.hospital_end = None
