"""Assessments of graft-versus-host disease as a person writes them: values by test, graded or derived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from helpers.derive_case import adsl_of, domain

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive import grading
from trialpipe.derive.grading import Graded
from trialpipe.derive.gvhd_tables import tables
from trialpipe.derive.rules import Measured
from trialpipe.derive.run import derive

TABLES = tables()
MILESTONES = ("randomisation", "relapse", "death", "assessed", "second_hsct")
UNIT = {"BILIUMOL": ("BILI", "umol/L"), "BILIMGDL": ("BILI", "mg/dL")}


def measured(values: Mapping[str, str]) -> dict[str, Measured]:
    """Numbers as numbers, ``<x`` and ``>x`` as limits, other texts as texts; empty is missing."""
    found = {}
    for code, text in values.items():
        if text.startswith(("<", ">")):
            limit = float(text[1:])
            found[code] = Measured(0, code, None, text, *((limit, None) if text[0] == "<" else (None, limit)))
        elif text:
            number = float(text) if text.replace(".", "", 1).isdigit() else None
            found[code] = Measured(0, code, number, text)
    return found


def organ(code: str, values: Mapping[str, str], prefer: str = "measures") -> Graded:
    """Stage of an organ by its code."""
    every = {o.code: o for system in TABLES.systems.values() for o in system.organs}
    return grading.stage(every[code], measured(values), prefer)


def graded(system: str, values: Mapping[str, str]) -> Graded:
    """Grade from values of tests."""
    chosen, now = TABLES.systems[system], measured(values)
    return grading.grade(chosen, {o.code: grading.stage(o, now) for o in chosen.organs}, now)


def protocol(dataset: Mapping[str, Any], events: Mapping[str, str] | None = None) -> Protocol:
    """A protocol with one GVHD dataset; ``events``: parameter by id of the derived event."""
    return Protocol.model_validate(
        {
            "trial": "t",
            "acronym": "T",
            "title": "t",
            "sponsor": "s",
            "synthetic": "true",
            "source": "s",
            "design": {"allocation": "randomised", "planned_n": "1", "summary": "s"},
            "arms": [{"id": "A", "label": "A"}],
            "data_cutoff": "2029-12-31",
            "time": {"origin": "randomisation", "first_day": "0"},
            "milestones": [
                {"id": m, "variable": f"M{n}DT", "label": m, "domain": "ce", "where": {"CEDECOD": m}, "date": "CESTDTC"}
                for n, m in enumerate(MILESTONES)
            ],
            "derived_events": [
                {"id": name, "label": name.upper(), "dataset": "adgv", "parameter": code}
                for name, code in (events or {}).items()
            ],
            "last_alive": {"domains": ["ce", "gv"]},
            "subject_variables": [
                {"name": "AGE", "label": "Age", "domain": "dm", "column": "AGE", "type": "number"},
            ],
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "datasets": [
                {"kind": "gvhd", "id": "adgv", "label": "GVHD", **dataset},
                {"kind": "time_to_event", "id": "adtte", "label": "Times"},
            ],
        }
    )


def clean(
    patients: Mapping[str, Mapping[str, str]], findings: list[tuple[str, str, str, str]], name: str = "gv"
) -> dict[str, pd.DataFrame]:
    """``patients``: milestones by patient number; ``findings``: (patient, date, test, value)."""
    events = [
        {"id": number, "CEDECOD": event, "CESTDTC": date}
        for number, dates in patients.items()
        for event, date in dates.items()
    ]
    people = [{"id": number, "AGE": 40.0} for number in patients]
    return {"dm": domain("dm", people), "ce": domain("ce", events), name: gv(findings, name)}


def gv(findings: list[tuple[str, str, str, str]], name: str = "gv") -> pd.DataFrame:
    """A findings domain; BILIUMOL and BILIMGDL are bilirubin in these units."""
    rows = []
    for number, date, test, text in findings:
        code, unit = UNIT.get(test, (test, None))
        numeric = text.replace(".", "", 1).isdigit()
        rows.append({"id": number, "test": code, "value": float(text) if numeric else text, "date": date, "u": unit})
    frame = domain(name, [{k: v for k, v in row.items() if k != "u"} for row in rows])
    if rows:
        frame[f"{name[:2].upper()}STRESU"] = pd.Series([row["u"] for row in rows], dtype=object)
    return frame


def adgv(configured: Protocol, tables_: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The derived dataset."""
    return derive("adgv", configured, (), tables_, {"adsl": adsl_of(configured, tables_)})


def adtte(configured: Protocol, tables_: dict[str, pd.DataFrame], *outcomes: Outcome) -> pd.DataFrame:
    """Times to event of the outcomes, through the derived events."""
    adsl = adsl_of(configured, tables_)
    given = {"adsl": adsl, "adgv": derive("adgv", configured, (), tables_, {"adsl": adsl})}
    return derive("adtte", configured, outcomes, tables_, given)


def outcome(code: str, **endpoint: Any) -> Outcome:
    """A time-to-event outcome from randomisation."""
    return Outcome.model_validate(
        {
            "id": code.lower(),
            "title": code,
            "section": "efficacy",
            "group": "g",
            "paramcd": code,
            "endpoint": {"kind": "time_to_event", "origin": "randomisation", **endpoint},
            "estimand": {"population": "all", "treatment": "X", "variable": "t", "summary": "s"},
            "analyses": [],
        }
    )
