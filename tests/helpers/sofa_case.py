"""Intensive care patients of a score: clean domains written short, and the derived rows.

Day 0 of a case is 2024-03-10, the day of inclusion and of the first dose, both at 12:00. Every measure stands in vs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd
from helpers.derive_case import adsl_of, domain

from trialpipe.config.protocol import Protocol
from trialpipe.derive.run import derive

UNITS = {
    "PO2": "mm[Hg]",
    "FIO2": "1",
    "PF": "mm[Hg]",
    "PLAT": "10*9/L",
    "BILI": "umol/L",
    "MAP": "mm[Hg]",
    "GCS": "1",
    "GCSASS": "1",
    "CREAT": "umol/L",
    "URINOUT": "mL",
    "WEIGHT": "kg",
}
FLAGS = ("RESPSUP", "SEDATED", "RRT")
RATES = ("DOPAMINE", "DOBUTAM", "EPINEPH", "NOREPI", "VASOPRES")
START = date(2024, 3, 10)
VISITS = {"D1": 1, "D7": 7, "D14": 14, "D28": 28}
COMPONENTS = ("SOFARESP", "SOFACOAG", "SOFALIVR", "SOFACARD", "SOFACNS", "SOFARENL")
MILESTONES = {
    "dose": ("TRTSDT", "DOSE"),
    "death": ("DTHDT", "DEATH"),
    "icu_out": ("ICUDT", "ICU DISCHARGE"),
    "icu_back": ("ICUBDT", "ICU READMISSION"),
    "out": ("HOSDT", "HOSPITAL DISCHARGE"),
    "included": ("INCDT", "INCLUSION"),
    "seen": ("SEENDT", "SEEN"),
}


def moment(day: float, time: str | None = None) -> str:
    """ISO text of an elapsed day."""
    text = (START + timedelta(days=int(day))).isoformat()
    return text if time is None else f"{text}T{time}"


def protocol(windows: Mapping[str, tuple[int, int]] | None = None, **changes: Any) -> Protocol:
    """A protocol with the score of every measure; ``changes`` are of the dataset."""
    measures = [{"code": c, "domain": "vs", "where": {"VSTESTCD": c}} for c in (*UNITS, *FLAGS)]
    rate = {"domain": "ex", "dose": "EXDOSE", "unit": "EXDOSU", "start": "EXSTDTC", "end": "EXENDTC", "salt": "EXSALT"}
    rates = [{"code": c, "where": {"EXTRT": c}, **rate} for c in RATES]
    sofa = {
        "kind": "sofa",
        "id": "adsofa",
        "label": "SOFA",
        "visits": "v",
        "measures": measures,
        "rates": rates,
        "first_dose": "dose",
        "icu_discharge": "icu_out",
        "icu_readmission": "icu_back",
        "hospital_discharge": "out",
        **changes,
    }
    milestones = [
        {"id": name, "variable": variable, "label": name, "domain": "ds", "where": {"DSDECOD": word}, "date": "DSSTDTC"}
        for name, (variable, word) in MILESTONES.items()
    ]
    visits = [
        {
            "label": label,
            "day": str(day),
            "window": [str(bound) for bound in (windows or {}).get(label, (day, day))],
            "baseline": "true" if label == "D1" else "false",
        }
        for label, day in VISITS.items()
    ]
    return Protocol.model_validate(
        {
            "trial": "t",
            "acronym": "T",
            "title": "t",
            "sponsor": "s",
            "synthetic": "true",
            "source": "s",
            "design": {"allocation": "single_arm", "planned_n": "1", "summary": "s"},
            "arms": [{"id": "A", "label": "A"}],
            "data_cutoff": "2024-12-31",
            "time": {"origin": "included", "first_day": "1"},
            "milestones": milestones,
            "last_alive": {"domains": ["ds", "vs"]},
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "visit_sets": [{"id": "v", "visits": visits}],
            "datasets": [
                sofa,
                {"kind": "sofa_response", "id": "adsofar", "label": "Response", "source": "adsofa"},
            ],
        }
    )


def clean(
    records: Iterable[Mapping[str, Any]] = (),
    rates: Iterable[Mapping[str, Any]] = (),
    events: Mapping[str, str] | None = None,
    patient: str = "1",
) -> dict[str, pd.DataFrame]:
    """Clean domains vs, ex, ds and dm of one patient; ``events``: milestone to ISO text, or empty for none."""
    given = list(records)
    short = [
        {"id": patient, "test": r["code"], "value": r["value"], "date": moment(r["day"], r.get("time"))} for r in given
    ]
    vs = domain("vs", short)
    if given:
        vs["VSSTRESU"] = [r.get("unit", UNITS.get(r["code"])) for r in given]
        for name in ("ORRES", "ORRESU", "GRPID"):
            vs[f"VS{name}"] = pd.Series([r.get("more", {}).get(name) for r in given], dtype=object)
    ex = domain(
        "ex",
        [
            {
                "id": patient,
                "EXTRT": rate["code"],
                "EXDOSE": rate["dose"],
                "EXDOSU": rate.get("unit", "ug/kg/min"),
                "EXSALT": rate.get("salt"),
                "EXSTDTC": moment(rate["day"], rate.get("time")),
                "EXENDTC": moment(rate["end_day"], rate.get("end_time")) if "end_day" in rate else None,
            }
            for rate in rates
        ],
    )
    if len(ex):
        ex["EXDOSE"] = pd.to_numeric(ex["EXDOSE"])
    dated = {"included": moment(0, "12:00"), "dose": moment(0, "12:00"), "seen": moment(200), **(events or {})}
    ds = domain(
        "ds",
        [{"id": patient, "DSDECOD": MILESTONES[name][1], "DSSTDTC": when} for name, when in dated.items() if when],
    )
    dm = domain("dm", [{"id": patient, "ARMCD": "A", "SITEID": "1"}])
    return {"vs": vs, "ex": ex, "ds": ds, "dm": dm}


def scored(plan: Protocol, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The score dataset."""
    return derive("adsofa", plan, (), tables, {"adsl": adsl_of(plan, tables)})


def course(
    records: Iterable[Mapping[str, Any]] = (),
    rates: Iterable[Mapping[str, Any]] = (),
    events: Mapping[str, str] | None = None,
    plan: Protocol | None = None,
) -> pd.DataFrame:
    """Rows of one patient, indexed by (PARAMCD, elapsed day)."""
    frame = scored(plan or protocol(), clean(records, rates, events))
    return frame.set_index(["PARAMCD", frame["ATIME"].astype(int)])


def record(
    code: str, day: int, time: str | None, value: object, unit: str | None = None, **more: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {"code": code, "day": day, "time": time, "value": value, "more": more}
    return found if unit is None else {**found, "unit": unit}


def full_day(day: int, time: str = "08:00") -> list[dict[str, Any]]:
    """Every component observed with 1 point each, but cardiovascular 0."""
    values = {"PO2": 350, "FIO2": 1, "PLAT": 120, "BILI": 25, "MAP": 80, "GCS": 14, "CREAT": 120}
    return [record(code, day, time, value) for code, value in values.items()] + [record("RESPSUP", day, time, "N")]
