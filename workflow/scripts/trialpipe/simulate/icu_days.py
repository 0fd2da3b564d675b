"""A day in intensive care from the latent failure: support, pressure, vasopressors, coma score, laboratory.

Forms differ between sites: blood gases in mmHg or kPa, norepinephrine per weight or in mg/h, as base or tartrate.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np

from trialpipe.simulate.icu_patient import ORGANS, VISITS, IcuDay, IcuPatient
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.rng import stream

LAST = 27
KPA = 7.5006
FIELDS = {
    "resp": ("pao2", "pao2_unit", "fio2"),
    "coag": ("d_plt",),
    "liver": ("d_bili",),
    "cardio": ("map_min", "ne_rate", "ne_unit", "ne_salt", "epi_rate", "dobu_rate", "dopa_rate"),
    "cns": ("gcs", "gcs_presed"),
    "renal": ("d_creat", "urine", "rrt"),
}
NONE, INVASIVE, NIV, HFNO = "0", "1", "2", "3"


def fill(p: Parameters, seed: int, patient: IcuPatient) -> None:
    """Days from inclusion to D28 in intensive care, with what is not recorded on them."""
    rng, gaps = stream(seed, "days", patient.traits.index), stream(seed, "gaps", patient.traits.index)
    first = patient.day(patient.inclusion)
    kept = {"support": NONE, "rrt": "0"}
    found: list[IcuDay] = []
    for number in range(first, LAST + 1):
        minutes = int(rng.integers(365, 540))
        cells = _cells(p, rng, patient, number, kept)
        missing, absent = _gaps(p, gaps)
        if patient.in_icu(number):
            when = dt.datetime.combine(patient.date(number), dt.time(minutes // 60, minutes % 60))
            keep = number != 0
            found.append(IcuDay(number, when, cells, missing if keep else missing - {"cardio"}, not (absent and keep)))
    patient.days = _settled(_without_liver(p, patient, found))


def _gaps(p: Parameters, rng: np.random.Generator) -> tuple[frozenset[str], bool]:
    shares = p.table("day_missing")
    return frozenset(o for o in ORGANS if rng.random() < shares[o]), bool(rng.random() < p.number("form_missing"))


def _without_liver(p: Parameters, patient: IcuPatient, days: list[IcuDay]) -> list[IcuDay]:
    """One patient has no bilirubin from D4 to D8, so that the score of D7 cannot be filled."""
    slot = patient.traits.index % int(p.number("planned_n"))
    if slot != int(p.number("unscored")):
        return days
    return [replace(d, missing=d.missing | {"liver"}) if 2 < d.number < 8 else d for d in days]


def _settled(days: list[IcuDay]) -> list[IcuDay]:
    """What a visit lacks was recorded the day before, or not for days: never at the edge of 48 hours."""
    by_number = {d.number: d for d in days}
    for target in VISITS.values():
        day, before = by_number.get(target), by_number.get(target - 1)
        if day is None or before is None:
            continue
        lacking = day.missing if day.recorded else frozenset(ORGANS)
        long = {
            o for o in lacking if all(o in by_number[k].missing for k in range(target - 3, target) if k in by_number)
        }
        if target > 3 and long:
            lacking = lacking - long
        recorded = before.recorded or bool(lacking)
        by_number[target - 1] = replace(before, missing=before.missing - lacking, recorded=recorded)
    return [by_number[d.number] for d in days]


def _noisy(rng: np.random.Generator, sd: float) -> float:
    return float(np.exp(sd * rng.normal()))


def _cells(
    p: Parameters, rng: np.random.Generator, patient: IcuPatient, number: int, kept: dict[str, str]
) -> dict[str, str]:
    """All fields of a day; ``kept`` carries support and renal replacement from day to day."""
    most = p.number("organ_ceiling")
    own = {organ: min(patient.level(number) * share, most) for organ, share in patient.traits.organs.items()}
    ratio = _value(p, rng, "pf", own["resp"])
    kept["support"] = _support(rng, ratio, kept["support"])
    cells = {**_gas(p, rng, patient, ratio, kept["support"]), "support": kept["support"]}
    cells |= _pressure(p, rng, patient, own["cardio"])
    neuro = 15 - round(p.numbers("gcs")[0] * max(own["cns"] - p.numbers("gcs")[1], 0) * _noisy(rng, 0.1))
    neuro = min(max(neuro, 3), 15)
    deep = int(rng.integers(3, 7))
    sedated = kept["support"] == INVASIVE and (ratio < 210 or patient.level(number) > 0.9)
    cells |= {"gcs": str(min(deep, neuro) if sedated else neuro), "sedated": str(int(sedated))}
    cells["gcs_presed"] = str(neuro) if sedated else ""
    cells["d_plt"] = f"{max(_value(p, rng, 'plt', own['coag']), 4):.0f}"
    cells["d_bili"] = f"{max(_value(p, rng, 'bili', own['liver']), 4):.0f}"
    creat, urine = _value(p, rng, "creat", own["renal"]), _value(p, rng, "urine", own["renal"])
    if kept["rrt"] == "0" and (creat > p.number("rrt_from") or urine < 150):
        kept["rrt"] = "1"
    elif kept["rrt"] == "1" and own["renal"] < p.number("rrt_until"):
        kept["rrt"] = "0"
    creat = min(creat, 270 * _noisy(rng, 0.1)) if kept["rrt"] == "1" else creat
    cells |= {"d_creat": f"{creat:.0f}", "urine": f"{10 * round(urine / 10)}", "rrt": kept["rrt"]}
    return cells


def _value(p: Parameters, rng: np.random.Generator, name: str, level: float) -> float:
    base, slope, sd = p.numbers(f"organ_{name}")
    return base * float(np.exp(slope * level)) * _noisy(rng, sd)


def _support(rng: np.random.Generator, ratio: float, last: str) -> str:
    draw = rng.random()
    if ratio < (235 if last == INVASIVE else 180):
        return INVASIVE
    if ratio < 270:
        return NIV if draw < 0.2 else HFNO if draw < 0.85 else NONE
    return NONE


def _gas(p: Parameters, rng: np.random.Generator, patient: IcuPatient, ratio: float, support: str) -> dict[str, str]:
    target = float(rng.uniform(66, 98))
    least = {NONE: 21, INVASIVE: 30, NIV: 40, HFNO: 40}[support]
    share = min(max(5 * round(100 * target / ratio / 5), least), 100)
    if support == NONE:
        share = 21 if share <= 25 else min(share, 40)
    pressure = max(ratio * share / 100, 38)
    if patient.traits.site in p.numbers("sites_kpa"):
        return {"pao2": f"{pressure / KPA:.1f}", "pao2_unit": "2", "fio2": str(share)}
    return {"pao2": f"{pressure:.0f}", "pao2_unit": "1", "fio2": str(share)}


def _pressure(p: Parameters, rng: np.random.Generator, patient: IcuPatient, level: float) -> dict[str, str]:
    slope, start, sd = p.numbers("norepinephrine")
    rate = slope * max(level - start, 0) * _noisy(rng, sd)
    draw = rng.random(3)
    pressure = 86 - 15 * min(level, 1.4) + 3.5 * float(rng.normal()) + (4 if rate else 0)
    cells = {"map_min": f"{max(pressure, 38):.0f}", "ne_rate": "", "ne_unit": "", "ne_salt": ""}
    hourly = patient.traits.site in p.numbers("sites_mg_h")
    salt = patient.traits.site in p.numbers("sites_tartrate")
    if rate >= 0.02:
        amount = rate * (2 if salt else 1)
        text = f"{amount * patient.traits.weight * 60 / 1000:.1f}" if hourly else f"{amount:.2f}"
        cells |= {"ne_rate": text, "ne_unit": "2" if hourly else "1", "ne_salt": "2" if salt else "1"}
    rare = p.table("rare_rates")
    cells["epi_rate"] = f"{rng.uniform(0.05, 0.4):.2f}" if level > 1.5 and draw[0] < rare["epi"] else ""
    cells["dobu_rate"] = f"{rng.uniform(2, 9):.1f}" if level > 0.7 and draw[1] < rare["dobu"] else ""
    cells["dopa_rate"] = f"{rng.uniform(3, 12):.1f}" if level > 0.6 and draw[2] < rare["dopa"] else ""
    return cells
