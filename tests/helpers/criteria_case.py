"""Patients of a criteria or eligibility dataset: values as text, ``<x`` and ``>x`` censored, empty missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from trialpipe.config.protocol import Protocol
from trialpipe.derive import days
from trialpipe.derive.criteria import possible_points
from trialpipe.derive.definitions import definitions
from trialpipe.derive.findings import CONTRACT
from trialpipe.derive.rules import Measured
from trialpipe.derive.run import derive

VISIT = "Inclusion"
VARIABLES = ("GENE", "NEONATE", "AGE")
TEXTS = ("SPLENO", "HEPATO", "HEMOPHAG", "NKACT", "HLADR", "IMMSUP", "PRIORTRT")
NUMBERS = ("TEMP", "HGB", "PLAT", "NEUT", "WBC", "TRIG", "FIBRINO", "FERRITIN", "CD25S", "AST")


def protocol(*datasets: dict[str, Any], leave: tuple[str, ...] = ()) -> Protocol:
    """A protocol with one findings dataset of every parameter but those of ``leave``, and the given datasets."""
    parameters = [{"code": c, "label": c, "where": {"LBTESTCD": c}} for c in NUMBERS]
    parameters += [{"code": c, "label": c, "where": {"LBTESTCD": c}, "type": "text"} for c in TEXTS]
    kept = [p for p in parameters if p["code"] not in leave]
    findings = {"kind": "findings", "id": "adlb", "label": "L", "domain": "lb", "visits": "v", "parameters": kept}
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
            "data_cutoff": "2019-12-31",
            "time": {"origin": "dose", "first_day": "0"},
            "milestones": [{"id": "dose", "variable": "TRTSDT", "label": "d", "domain": "ex", "date": "EXSTDTC"}],
            "last_alive": {"domains": ["ex"]},
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "visit_sets": [
                {"id": "v", "visits": [{"label": VISIT, "day": "0", "window": ["-14", "0"], "baseline": "true"}]}
            ],
            "datasets": [findings, *datasets],
        }
    )


def adsl(patients: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """ADSL with the patients' variables; first dose 2019-01-15."""
    dose = pd.Timestamp("2019-01-15")
    rows = [
        {
            "row_id": f"adsl:t/{number}",
            "USUBJID": f"t/{number}",
            "GENE": values.get("GENE") or None,
            "NEONATE": values.get("NEONATE") or None,
            "AGE": float(values.get("AGE") or "nan"),
            "TRTSDT": dose,
            "TRTSDT_LO": dose,
            "TRTSDT_HI": dose,
            "TRTSDTF": None,
            "TRTSDT_TM": None,
            "LSTALVDT": dose,
            "ALLFL": "Y",
        }
        for number, values in patients.items()
    ]
    frame = pd.DataFrame(rows)
    for name in ("GENE", "NEONATE", "TRTSDTF", "TRTSDT_TM"):
        frame[name] = frame[name].astype(object)
    return frame


def findings(patients: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """The analysed records at the visit, each beside one that is not analysed and one of no visit."""
    rows = []
    for number, values in patients.items():
        for code, text in values.items():
            if code in VARIABLES or not text:
                continue
            row = {**record(code, text), "USUBJID": f"t/{number}", "PARAMCD": code, "PARAM": code, "flags": []}
            row |= {
                "ADT": pd.Timestamp("2019-01-13"),
                "AVISIT": VISIT,
                "ANL01FL": "Y",
                "from": [f"lb:t/{number}/{code}"],
            }
            row["row_id"] = f"adlb:t/{number}/{code}"
            other = {**row, "AVAL": -1.0, "AVALC": "-1", "CENS": "none", "ANL01FL": None}
            rows += [row, {**other, "row_id": f"{row['row_id']}/b"}]
            rows += [{**other, "row_id": f"{row['row_id']}/c", "AVISIT": None}]
    return days.frame(rows, CONTRACT)


def record(code: str, text: str) -> dict[str, object]:
    """Result columns of a value."""
    if code in TEXTS:
        return {"AVALC": text, "CENS": "none"}
    if text[0] in "<>":
        side, limit = ("left", "LLOQ") if text[0] == "<" else ("right", "ULOQ")
        return {"AVALC": text, "CENS": side, limit: float(text[1:])}
    return {"AVAL": float(text), "AVALC": text, "CENS": "none"}


def measured(code: str, text: str) -> Measured:
    """A value as rules see it."""
    row = record(code, text) if code not in ("GENE", "NEONATE") else {"AVALC": text, "CENS": "none"}
    below, above = row.get("LLOQ"), row.get("ULOQ")
    return Measured(0, code, row.get("AVAL"), row["AVALC"], below, above)  # type: ignore[arg-type]


def values(given: Mapping[str, str]) -> dict[str, Measured]:
    return {code: measured(code, text) for code, text in given.items() if text}


def points(definition: str, item: str, given: Mapping[str, str]) -> tuple[float, ...]:
    """Points that an item of a score may have."""
    found = next(i for i in definitions()[definition].items if i.code == item)
    return possible_points(found.bands, values(given))


def criteria(definition: str, patients: Mapping[str, Mapping[str, str]], **changes: Any) -> dict[str, pd.DataFrame]:
    """Rows of the derived dataset by patient number, indexed by PARAMCD."""
    spec = {
        "kind": "criteria",
        "id": "adcrit",
        "label": "C",
        "inputs": ["adlb"],
        "visit": VISIT,
        "definitions": [definition],
    }
    frame = derive("adcrit", protocol(spec, **changes), (), {}, {"adsl": adsl(patients), "adlb": findings(patients)})
    return {usubjid[2:]: rows.set_index("PARAMCD") for usubjid, rows in frame.groupby("USUBJID")}
