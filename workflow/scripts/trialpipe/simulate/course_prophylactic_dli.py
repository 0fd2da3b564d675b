"""Course ``prophylactic_dli``: adults in remission after a transplant, with or without infusions of donor lymphocytes.

Relapse, death without relapse, acute and chronic GVHD compete day by day; what has happened changes what may follow:
infusions protect from relapse and bring GVHD, GVHD protects from relapse and kills. No dirt is made here: what comes
out is the truth.
"""

from __future__ import annotations

import datetime as dt
from math import exp

import numpy as np

from trialpipe.simulate import adverse_dli, observe_dli
from trialpipe.simulate.course_primary_hlh import number_patients
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.recipient import Days, Infusion, Person, Recipient
from trialpipe.simulate.rng import stream

PROCESSES = ("relapse", "nrm", "after", "again", "acute", "chronic", "lost")
LETTERS = "ABCDEFGHJLMNPRSTV"


def patients(p: Parameters, n: int, seed: int) -> list[Recipient]:
    """The first ``n`` patients of the seed, in the order of their randomisation."""
    people = [_person(p, seed, index) for index in range(n)]
    numbers = number_patients([person.site for person in people])
    arms = allocate(p, seed, people)
    return [_course(p, seed, *who) for who in zip(people, numbers, arms, strict=True)]


def first_events(p: Parameters, n: int, seed: int) -> list[dict[str, object]]:
    """What ``n`` patients would go through under either arm: the first of relapse and death, and the end of the course.

    A row per patient and arm. Nothing else of the course is made; the draws are those of ``patients``.
    """
    rows: list[dict[str, object]] = []
    for person in (_person(p, seed, index) for index in range(n)):
        for arm in ("A", "B"):
            _, days, end = _fate(p, stream(seed, "course", person.index), person, arm)
            event = days.relapse if days.relapse is not None else days.death
            stratum = [person.donor, person.disease]
            rows.append({"patient": person.index, "arm": arm, "stratum": stratum, "event": event, "end": end})
    return rows


def allocate(p: Parameters, seed: int, people: list[Person]) -> list[str]:
    """Arms in permuted blocks within the strata, in the order of randomisation."""
    size, arms = int(p.number("block_size")), []
    seen: dict[tuple[str, str], int] = {}
    for person in people:
        stratum = (person.donor, person.disease)
        place = seen.get(stratum, 0)
        seen[stratum] = place + 1
        order = stream(seed, "arms", *stratum, place // size).permutation(size)
        arms.append("A" if order[place % size] < size // 2 else "B")
    return arms


def _person(p: Parameters, seed: int, index: int) -> Person:
    rng = stream(seed, "person", index)
    step = p.number("accrual_step")
    slot = index % int(p.number("planned_n"))
    randomised = p.date("first_randomised") + dt.timedelta(days=int(slot * step + rng.integers(0, int(step) - 1)))
    low, high = p.numbers("transplant_before")
    youngest, oldest = p.numbers("age")
    mean, sd = p.numbers("age_mean_sd")
    age = min(max(rng.normal(mean, sd), youngest + 0.1), oldest + 0.8)
    kg, kg_sd = p.numbers("weight")
    donor = pick(rng, p.table("donors"))
    return Person(
        index=index,
        site=1 + int(pick(rng, {str(k): share for k, share in enumerate(p.numbers("sites"))})),
        sex="M" if rng.random() < p.number("male") else "F",
        born=randomised - dt.timedelta(days=int(age * 365.25)),
        initials=LETTERS[int(rng.integers(len(LETTERS)))] + LETTERS[int(rng.integers(len(LETTERS)))],
        randomised=randomised,
        included=randomised - dt.timedelta(days=int(rng.integers(0, 11))),
        gap=int(rng.integers(int(low), int(high) + 1)),
        donor=donor,
        disease="CR2" if rng.random() < p.number("second_remission") else "CR1",
        cytogenetics=pick(rng, p.table("cytogenetics")),
        mrd=bool(rng.random() < p.number("mrd_positive")),
        source="BM" if rng.random() < p.number("bone_marrow") else "PB",
        conditioning="MAC" if rng.random() < p.number("myeloablative") else "RIC",
        weight=round(float(rng.normal(kg, kg_sd)), 1),
    )


def pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    """A name drawn by its share."""
    weights = np.array(list(shares.values()))
    return list(shares)[int(rng.choice(len(shares), p=weights / weights.sum()))]


def _course(p: Parameters, seed: int, person: Person, number: str, arm: str) -> Recipient:
    rng = stream(seed, "course", person.index)
    grades, days, horizon = _fate(p, rng, person, arm)
    ends = [day for day in (days.death, days.lost) if day is not None]
    found = Recipient(number, person, arm, days, grades, min([*ends, horizon]))
    if arm == "A" and len(days.infusions) < 3 and not days.reason:
        days.reason, days.stopped = _why(days, found.end)
    found.cause = _cause(p, rng, found)
    _infuse(p, stream(seed, "infusions", person.index), found)
    observe_dli.observe(p, seed, found)
    adverse_dli.add(p, seed, found)
    observe_dli.close(p, stream(seed, "news", person.index), found)
    return found


def _fate(p: Parameters, rng: np.random.Generator, person: Person, arm: str) -> tuple[tuple[int, int], Days, int]:
    """(worst grades of acute and chronic GVHD, days of what happens, last day of observation)."""
    grades = (int(pick(rng, p.table("acute_grade"))), int(pick(rng, p.table("chronic_grade"))))
    horizon = min((p.date("data_cutoff") - person.randomised).days, int(p.number("follow_up")))
    return grades, _follow(p, rng, person, arm, grades, horizon), horizon


def _why(days: Days, end: int) -> tuple[str, int]:
    """Reason and day for which planned infusions were never due."""
    if days.relapse is not None:
        return "RELAPSE", days.relapse
    return ("DEATH", end) if days.death is not None else ("OTHER", end)


def _follow(
    p: Parameters, rng: np.random.Generator, person: Person, arm: str, grades: tuple[int, int], horizon: int
) -> Days:
    """Every process ends when the sum of its rates passes a draw of its own."""
    left = {name: float(rng.exponential()) for name in PROCESSES}
    due, obstacles = _schedule(p, rng)
    days = Days()
    for day in range(1, horizon + 1):
        if arm == "A" and len(days.infusions) < 3 and not days.reason and days.relapse is None:
            _due(days, grades, day, due, obstacles)
        for name, rate in _rates(p, person, grades, days, day).items():
            left[name] -= rate
            if left[name] <= 0:
                setattr(days, name, day)
        if days.relapse == day:
            days.nrm = None
        if days.death is not None or days.lost is not None:
            break
    if days.death is not None:
        days.lost = None
    return days


def _schedule(p: Parameters, rng: np.random.Generator) -> tuple[list[int], dict[int, str]]:
    """Days from randomisation, or from the infusion before, and what stands against infusion 1, 2 or 3."""
    low, high = p.numbers("first_infusion")
    shortest, longest = p.numbers("infusion_spacing")
    waits = [int(rng.integers(int(low), int(high) + 1))]
    waits += [int(rng.integers(int(shortest), int(longest) + 1)) for _ in range(2)]
    shares, draws = p.table("infusion_obstacles"), rng.random((3, 3))
    found: dict[int, str] = {}
    for number in range(3):
        for at, (reason, share) in enumerate(shares.items()):
            if draws[number, at] < share:
                found.setdefault(number, reason)
    return waits, found


def _due(days: Days, grades: tuple[int, int], day: int, waits: list[int], obstacles: dict[int, str]) -> None:
    number = len(days.infusions)
    if day != (days.infusions[-1] if days.infusions else 0) + waits[number]:
        return
    if days.chronic is not None or (days.acute is not None and grades[0] >= 2):
        days.reason, days.stopped = "GVHD", day
    elif number in obstacles:
        days.reason, days.stopped = obstacles[number], day
    else:
        days.infusions.append(day)


def _rates(p: Parameters, person: Person, grades: tuple[int, int], days: Days, day: int) -> dict[str, float]:
    """Rates per day of what may still happen."""
    found = {"lost": p.number("lost")}
    if days.relapse is not None:
        since = day - days.relapse
        found["after"] = p.number("death_after_relapse") * exp(-since / p.number("death_after_relapse_decay"))
        if days.again is None and since > 45:
            found["again"] = p.number("second_transplant")
        return found
    given = sum(day > at for at in days.infusions)
    found["relapse"] = _relapse(p, person, days, day, given)
    found["nrm"] = p.number("nrm") + _gvhd_death(p, grades, days, day)
    unrelated = p.table("donor_gvhd")[person.donor]
    if days.acute is None:
        fresh = any(7 <= day - at <= 60 for at in days.infusions)
        found["acute"] = unrelated * (p.number("acute") * exp(-day / 90) + (p.number("acute_infused") if fresh else 0))
    if days.chronic is None:
        factor = p.number("chronic_infused") if given else 1.0
        factor *= p.number("chronic_after_acute") if days.acute is not None and grades[0] >= 2 else 1.0
        found["chronic"] = unrelated * factor * p.number("chronic") * exp(-day / p.number("chronic_decay"))
    return found


def _relapse(p: Parameters, person: Person, days: Days, day: int, given: int) -> float:
    rate = p.number("relapse") * exp(-(day + person.gap) / p.number("relapse_decay"))
    rate *= p.table("relapse_cytogenetics")[person.cytogenetics]
    rate *= p.number("relapse_mrd") if person.mrd else 1.0
    rate *= p.number("relapse_second_remission") if person.disease == "CR2" else 1.0
    rate *= p.number("relapse_infused") if given else 1.0
    return rate * (p.number("relapse_chronic") if days.chronic is not None else 1.0)


def _gvhd_death(p: Parameters, grades: tuple[int, int], days: Days, day: int) -> float:
    rate = 0.0
    if days.acute is not None and day - days.acute < 200:
        rate += p.table("nrm_acute")[str(grades[0])]
    if days.chronic is not None and grades[1] == 3:
        rate += p.number("nrm_chronic_severe") * exp(-(day - days.chronic) / 400)
    return rate


def _cause(p: Parameters, rng: np.random.Generator, who: Recipient) -> str:
    if who.days.death is None:
        return ""
    if who.days.relapse is not None:
        return pick(rng, p.table("cause_after_relapse"))
    ill = who.days.acute is not None and who.severity[0] >= 3 or who.days.chronic is not None and who.severity[1] == 3
    return pick(rng, p.table("cause_gvhd" if ill else "cause_remission"))


def _infuse(p: Parameters, rng: np.random.Generator, who: Recipient) -> None:
    """Rising doses; those from a haploidentical donor are ten times lower."""
    planned = p.numbers("cells_haplo" if who.person.donor == "HAPLO" else "cells")
    fresh = bool(rng.random() < p.number("fresh"))
    for number, day in enumerate(who.days.infusions, start=1):
        cells = planned[number - 1] * float(rng.uniform(0.93, 1.05)) * 1e6
        exponent = min(max(len(str(int(cells))) - 1, 5), 7)
        figure = round(cells / 10**exponent, 2)
        who.infusions.append(Infusion(number, who.date(day), figure, exponent, fresh and number == 1))
