"""SOFA of the simulated patients (Vincent 1996 Intensive Care Med 22:707), written apart from the pipeline.

From the cells of the forms before any defect. Two readings of a day: ``true`` from everything that was there, recorded
or not; ``filled`` from what is recorded, by the rules of the trial: the day itself; in intensive care else the last
day within two calendar days; out of it alive respiratory, cardiovascular and neurological 0, the others as last
observed; at baseline else 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from trialpipe.simulate.icu_days import FIELDS, KPA
from trialpipe.simulate.icu_patient import ORGANS, VISITS, IcuPatient

Cells = dict[str, str]
ZERO = ("resp", "cardio", "cns")
BIOLOGY = {"b_plt": "d_plt", "b_bili": "d_bili", "b_creat": "d_creat"}


@dataclass(frozen=True)
class SofaDay:
    """One visit: points by organ (None: missing), which are observed on the day, where the patient is."""

    visit: str
    number: int
    status: str
    true: dict[str, int | None]
    filled: dict[str, int | None]
    observed: tuple[str, ...]

    @property
    def total(self) -> int | None:
        return _sum(self.true)

    @property
    def filled_total(self) -> int | None:
        return _sum(self.filled)


def _sum(points: dict[str, int | None]) -> int | None:
    known = [value for value in points.values() if value is not None]
    return sum(known) if len(known) == len(ORGANS) else None


def score(patient: IcuPatient) -> list[SofaDay]:
    """D1, D7, D14, D28; no points from the day of death on."""
    return [_visit(patient, visit, number) for visit, number in VISITS.items()]


def daily(patient: IcuPatient, last: int) -> list[SofaDay]:
    """Every day from D1 to elapsed day ``last`` before the day of death."""
    days = (_visit(patient, f"D{number + 1}", number) for number in range(last + 1))
    return [day for day in days if day.status != "dead"]


def status(patient: IcuPatient, number: int) -> str:
    """icu, ward, discharged (from hospital) or dead; the day of leaving belongs to where it began."""
    date = patient.date(number)
    if patient.death is not None and patient.death.date() <= date:
        return "dead"
    assert patient.icu_end is not None
    if patient.hospital_end is not None and patient.hospital_end < date:
        return "discharged"
    back = patient.readmission is not None and patient.readmission.date() <= date
    return "ward" if patient.icu_end.date() < date and not back else "icu"


def _visit(patient: IcuPatient, visit: str, number: int) -> SofaDay:
    where = status(patient, number)
    none: dict[str, int | None] = dict.fromkeys(ORGANS)
    if where == "dead":
        return SofaDay(visit, number, where, none, none, ())
    weight = patient.traits.weight
    seen = recorded(patient)
    today = seen.get(number, {})
    observed = {organ: points(organ, today, weight) for organ in ORGANS}
    filled = {organ: _filled(organ, number, where, seen, weight, number == 0) for organ in ORGANS}
    whole = next((day.cells for day in patient.days if day.number == number), {})
    true = {organ: points(organ, {**whole, **today}, weight) for organ in ORGANS}
    if where != "icu":
        true = {organ: 0 if organ in ZERO else filled[organ] for organ in ORGANS}
    return SofaDay(visit, number, where, true, filled, tuple(o for o in ORGANS if observed[o] is not None))


def recorded(patient: IcuPatient) -> dict[int, Cells]:
    """What the forms hold by day: daily form, biology, platelets at inclusion."""
    found: dict[int, Cells] = {}
    for visit in patient.biology:
        own = found.setdefault(patient.day(visit.when), {})
        own.update({target: visit.cells[source] for source, target in BIOLOGY.items() if visit.cells[source]})
    found.setdefault(patient.day(patient.inclusion), {})["d_plt"] = patient.inclusion_cells["plt"]
    for day in patient.days:
        if day.recorded:
            hidden = {item for organ in day.missing for item in FIELDS[organ]}
            found.setdefault(day.number, {}).update({k: v for k, v in day.cells.items() if k not in hidden and v})
    return found


def _filled(organ: str, number: int, where: str, seen: dict[int, Cells], weight: float, baseline: bool) -> int | None:
    today = points(organ, seen.get(number, {}), weight)
    if today is not None:
        return today
    earlier = {day: points(organ, cells, weight) for day, cells in seen.items() if day < number}
    known = [day for day, value in earlier.items() if value is not None]
    if where != "icu":
        return 0 if organ in ZERO else earlier[max(known)] if known else None
    if known and max(known) >= number - 2:
        return earlier[max(known)]
    return 0 if baseline else None


def points(organ: str, cells: Cells, weight: float) -> int | None:
    """Points of an organ from the cells of one day; None if nothing tells."""
    value = {name: float(text) for name, text in cells.items() if text}
    if organ == "resp":
        return _respiration(value) if "pao2" in value and "fio2" in value else None
    if organ == "coag":
        return _below(value.get("d_plt"), (150, 100, 50, 20))
    if organ == "liver":
        return None if "d_bili" not in value else _liver(value["d_bili"])
    if organ == "cardio":
        return _circulation(value, weight) if "map_min" in value else None
    if organ == "cns":
        return _below(value.get("gcs_presed" if value.get("sedated") else "gcs"), (15, 13, 10, 6))
    return _renal(value) if "d_creat" in value or "urine" in value else None


def _below(value: float | None, limits: tuple[float, ...]) -> int | None:
    return None if value is None else sum(value < limit for limit in limits)


def _respiration(value: dict[str, float]) -> int:
    pressure = value["pao2"] * (KPA if value["pao2_unit"] == 2 else 1)
    ratio = pressure / (value["fio2"] / 100)
    most = 4 if value["support"] > 0 else 2
    return min(sum(ratio < limit for limit in (400, 300, 200, 100)), most)


def _liver(value: float) -> int:
    return sum((value >= 20, value >= 33, value >= 102, value > 204))


def _circulation(value: dict[str, float], weight: float) -> int:
    rate = value.get("ne_rate", 0)
    if rate:
        rate *= (1000 / 60 / weight if value["ne_unit"] == 2 else 1) * (0.5 if value["ne_salt"] == 2 else 1)
    epi, dobu, dopa = value.get("epi_rate", 0), value.get("dobu_rate", 0), value.get("dopa_rate", 0)
    if max(rate, epi) > 0.1 or dopa > 15:
        return 4
    if rate > 0 or epi > 0 or dopa > 5:
        return 3
    if dobu > 0 or dopa > 0:
        return 2
    return int(value["map_min"] < 70)


def _renal(value: dict[str, float]) -> int:
    creat, urine = value.get("d_creat", 0), value.get("urine", 9999)
    by_creat = sum((creat >= 110, creat >= 171, creat >= 300, creat > 440))
    by_urine = 4 if urine < 200 else 3 if urine < 500 else 0
    return 4 if value.get("rrt") == 1 else max(by_creat, by_urine)
