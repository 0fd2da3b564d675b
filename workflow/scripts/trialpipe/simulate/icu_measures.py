"""Inclusion form, biology at D1, D7, D14, D28, and samples of the biobank.

In intensive care platelets, bilirubin and creatinine of a visit are those of the day's form, missing ones included.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate.icu_patient import VISITS, Biology, IcuDay, IcuPatient
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Sample
from trialpipe.simulate.rng import stream

# measure of the truth: field, canonical unit, decimals as printed
MEASURES = {
    "TEMP": ("b_temp", "Cel", 1), "FERRITIN": ("b_ferr", "ug/L", 0), "CD25S": ("b_scd25", "U/mL", 0),
    "FIBRINO": ("b_fib", "g/L", 1), "TRIG": ("b_tg", "mmol/L", 1), "HGB": ("b_hb", "g/L", 1),
    "WBC": ("b_wbc", "10*9/L", 1), "PLAT": ("b_plt", "10*9/L", 0), "BILI": ("b_bili", "umol/L", 0),
    "CREAT": ("b_creat", "umol/L", 0),
}  # fmt: skip
COMMA = ("b_temp", "b_fib", "b_tg", "weight")
SHARED = {
    "b_plt": ("d_plt", "coag", "plt"),
    "b_bili": ("d_bili", "liver", "bili"),
    "b_creat": ("d_creat", "renal", "creat"),
}


def measure(p: Parameters, seed: int, patient: IcuPatient) -> None:
    """Fill the inclusion form, biology and samples."""
    key = patient.traits.index
    effects = {name: float(stream(seed, "effect", key, name).normal()) for name in MEASURES}
    _inclusion(p, stream(seed, "inclusion", key), patient, effects)
    rng, taken = stream(seed, "biology", key), stream(seed, "samples", key)
    for visit, target in VISITS.items():
        day = _day(p, rng, patient, target)
        hour = float(rng.uniform(6.1, 9.0))
        missed = rng.random() < p.number("visit_missed") and target > 0
        cells = _cells(p, rng, patient, day, effects)
        no_sample = taken.random() < p.number("sample_missed")
        present = patient.clock(day, hour) < patient.ends() and patient.first_dose is not None
        if not present or missed or not _seen(rng, patient, patient.clock(day, hour)):
            continue
        patient.biology.append(Biology(visit, patient.clock(day, hour), cells))
        if not no_sample:
            name = f"JK{key + 1:03d}{target + 1:02d}"
            patient.samples.append(Sample(name, "biobank", visit, patient.clock(day, hour)))


def _day(p: Parameters, rng: np.random.Generator, patient: IcuPatient, target: int) -> int:
    """Day of a visit: its own in intensive care, D14 and D28 a little off it elsewhere."""
    shift = int(rng.integers(-1, 2)) if target > 6 else 0
    day = target + shift
    if patient.in_icu(target) or patient.in_icu(day):
        return target
    return day


def _seen(rng: np.random.Generator, patient: IcuPatient, when: dt.datetime) -> bool:
    """Those who have left the hospital come back for most visits."""
    return bool(patient.in_hospital(when) or rng.random() < 0.8)


def _of(
    p: Parameters, rng: np.random.Generator, patient: IcuPatient, day: int, name: str, effects: dict[str, float]
) -> float:
    base, slope, sd, own = p.numbers(f"lab_{name}")
    level = min(patient.activity(day), p.number("activity_ceiling"))
    noise = sd * float(rng.normal()) + own * effects[name]
    if name == "TEMP":
        return base + slope * level + noise
    return base * float(np.exp(slope * level + noise))


def _cells(
    p: Parameters, rng: np.random.Generator, patient: IcuPatient, day: int, effects: dict[str, float]
) -> dict[str, str]:
    """Fields of a biology form as typed; empty: not measured."""
    cells: dict[str, str] = {}
    missing = p.table("lab_missing")
    icu = next((d for d in patient.days if d.number == day and d.recorded), None)
    grams = patient.traits.site in p.numbers("sites_hb_g_l")
    for name, (item, _, decimals) in MEASURES.items():
        absent = rng.random() < missing[name]
        if item in SHARED:
            text = _shared(p, rng, patient, day, icu, item)
        else:
            value = _of(p, rng, patient, day, name, effects)
            text = f"{value / (1 if grams or name != 'HGB' else 10):.{0 if name == 'HGB' and grams else decimals}f}"
        absent = absent and not (item in SHARED and icu is not None)
        cells[item] = "" if absent else text.replace(".", ",") if item in COMMA else text
    cells["b_hb_unit"] = ("2" if grams else "1") if cells["b_hb"] else ""
    return cells


def _shared(
    p: Parameters, rng: np.random.Generator, patient: IcuPatient, day: int, icu: IcuDay | None, item: str
) -> str:
    source, organ, name = SHARED[item]
    base, slope, sd = p.numbers(f"organ_{name}")
    level = min(patient.level(day) * patient.traits.organs[organ], p.number("organ_ceiling"))
    value = base * float(np.exp(slope * level + sd * rng.normal()))
    if icu is not None:
        return "" if organ in icu.missing else icu.cells[source]
    return f"{max(value, 4):.0f}"


def _inclusion(p: Parameters, rng: np.random.Generator, patient: IcuPatient, effects: dict[str, float]) -> None:
    day = patient.day(patient.inclusion)
    first = next(d for d in patient.days if d.number == day)
    value = {name: _of(p, rng, patient, day, name, effects) for name in MEASURES if MEASURES[name][0] not in SHARED}
    shares, draws = p.table("inclusion_shares"), rng.random(8)
    spleen, liver = bool(draws[0] < shares["spleno"]), bool(draws[1] < shares["hepato"])
    marrow = "9" if draws[2] < shares["no_marrow"] else str(int(draws[3] < shares["hemophag"]))
    neutrophils = value["WBC"] * float(rng.uniform(0.3, 0.8))
    cells = {
        "temp_max": f"{max(value['TEMP'], 38.5 if draws[4] < 0.8 else 37.2):.1f}",
        "hb": f"{value['HGB'] / 10:.1f}",
        "plt": first.cells["d_plt"],
        "wbc": f"{value['WBC']:.1f}",
        "anc": f"{min(neutrophils, value['WBC'] - 0.1):.1f}",
        "ferr": f"{max(value['FERRITIN'], 900):.0f}",
        "tg": f"{value['TRIG']:.1f}",
        "fib": f"{value['FIBRINO']:.1f}",
        "ast": f"{45 * np.exp(0.9 * patient.level(day) + 0.5 * rng.normal()):.0f}",
        "scd25": f"{value['CD25S']:.0f}" if draws[5] < shares["scd25"] else "",
        "immsup": str(int(draws[6] < shares["immsup"])),
        "hepato": str(int(liver)),
        "spleno": str(int(spleen)),
        "hemophag": marrow,
    }
    low = [float(cells["hb"]) < 9, float(cells["plt"]) < 100, float(cells["anc"]) < 1]
    criteria = (
        float(cells["temp_max"]) >= 38.5,
        spleen,
        sum(low) >= 2,
        float(cells["tg"]) >= 3 or float(cells["fib"]) <= 1.5,
        marrow == "1",
        False,
        float(cells["ferr"]) >= 500,
        bool(cells["scd25"]) and float(cells["scd25"]) >= 2400,
    )
    cells |= {f"hlh_crit___{k}": str(int(met)) for k, met in enumerate(criteria, start=1)}
    patient.inclusion_cells = cells
