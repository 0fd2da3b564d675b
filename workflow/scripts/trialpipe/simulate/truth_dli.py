"""Truth tables of a trial of donor lymphocyte infusions, written before any defect is planted.

Written apart from the pipeline. Times are elapsed days from randomisation: overall survival to last news;
leukaemia-free survival, relapse and death without relapse to the last evaluation of the disease.
"""

from __future__ import annotations

import datetime as dt

from trialpipe.simulate import gvhd_truth
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.recipient import Recipient
from trialpipe.simulate.truth import Rows, iso


def tables(p: Parameters, recipients: list[Recipient]) -> dict[str, Rows]:
    """Truth tables by file name without ``.csv``; `outcomes` counts what the others list."""
    order = sorted(recipients, key=lambda r: r.number)
    found: dict[str, Rows] = {
        "patients": [_subject(who) for who in order],
        "gvhd": [row for who in order for row in gvhd_truth.endpoints(who)],
        "gvhd_records": [row for who in order for row in _records(who)],
        "grfs": [row for who in order for row in gvhd_truth.free(who)],
        "dli": [_infusions(who) for who in order],
        "dli_doses": [row for who in order for row in _doses(who)],
        "imm": [row for who in order for row in _immunity(who)],
        "findings": [row for who in order for row in _findings(who)],
        "medications": [row for who in order for row in _medications(who)],
        "ae": [row for who in order for row in _events(who)],
    }
    found["outcomes"] = _outcomes(found, int(p.number("horizon")))
    return {name: rows for name, rows in found.items() if rows}


def _blank(value: object) -> object:
    return "" if value is None else value


def _subject(who: Recipient) -> dict[str, object]:
    q, days = who.person, who.days
    assert who.last_news
    return {
        "subject": who.number,
        "site": who.number[:2],
        "randomisation": f"R{q.index + 1:03d}",
        "arm": who.arm,
        "stratum_donor": q.donor,
        "stratum_disease": q.disease,
        "sex": q.sex,
        "age_years": _years(who),
        "included": iso(q.included),
        "randomised": iso(q.randomised),
        "hsct": iso(who.hsct),
        "hsct_day": -q.gap,
        "source": q.source,
        "conditioning": q.conditioning,
        "cytogenetics": q.cytogenetics,
        "mrd": "POS" if q.mrd else "NEG",
        "relapse": iso(who.when(days.relapse)),
        "relapse_day": _blank(days.relapse),
        "second_hsct": iso(who.when(days.again)),
        "second_hsct_day": _blank(days.again),
        "death": iso(who.when(days.death)),
        "death_day": _blank(days.death),
        "cause": who.cause,
        "status": who.status,
        "last_news": iso(who.last_news),
        "last_news_day": who.day(who.last_news),
        "last_assessment": iso(max(e.date for e in who.evaluations)),
        "last_assessment_day": who.last_assessment(),
        **_times(who),
        **{f"worst_{name}": value for name, value in gvhd_truth.worst(who).items()},
    }


def _years(who: Recipient) -> int:
    """Completed years on the day of randomisation."""
    born, day = who.person.born, who.person.randomised
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _times(who: Recipient) -> dict[str, object]:
    """Event codes: 1 the event, 2 what competes with it, 0 censored."""
    relapse, death, seen = who.days.relapse, who.days.death, who.last_assessment()
    assert who.last_news
    first = relapse if relapse is not None else death
    time = seen if first is None else first
    kind = 0 if first is None else 1 if relapse is not None else 2
    return {
        "os_time": who.day(who.last_news) if death is None else death,
        "os_event": int(death is not None),
        "lfs_time": time,
        "lfs_event": int(kind > 0),
        "relapse_time": time,
        "relapse_event": kind,
        "nrm_time": time,
        "nrm_event": (0, 2, 1)[kind],
    }


def _records(who: Recipient) -> Rows:
    acute: Rows = [
        {
            "subject": who.number,
            "kind": "acute",
            "date": iso(a.date),
            "day": who.day(a.date),
            "magic": gvhd_truth.acute_grade(gvhd_truth.MAGIC, a),
            "glucksberg": gvhd_truth.acute_grade(gvhd_truth.GLUCKSBERG, a),
            "nih": "",
            "systemic": "Y" if a.systemic else "N",
        }
        for a in who.acute
    ]
    return acute + [
        {
            "subject": who.number,
            "kind": "chronic",
            "date": iso(c.date),
            "day": who.day(c.date),
            "magic": "",
            "glucksberg": "",
            "nih": gvhd_truth.NIH[gvhd_truth.nih(c)],
            "systemic": "Y" if c.systemic else "N",
        }
        for c in who.chronic
    ]


def _infusions(who: Recipient) -> dict[str, object]:
    cells = [i.figure * 10.0 ** (i.exponent - 6) for i in who.infusions]
    none = who.arm == "A" and not who.infusions
    return {
        "subject": who.number,
        "arm": who.arm,
        "number": len(who.infusions),
        "first": iso(who.infusions[0].date) if who.infusions else "",
        "first_day": who.days.infusions[0] if who.infusions else "",
        "total_cells": f"{sum(cells):.6g}" if cells else "",
        "unit": "10*6/kg" if cells else "",
        "reason_none": who.days.reason if none else "",
        "reason_incomplete": "" if none else who.days.reason,
        "stopped_day": _blank(who.days.stopped),
    }


def _doses(who: Recipient) -> Rows:
    return [
        {
            "subject": who.number,
            "number": i.number,
            "date": iso(i.date),
            "day": who.day(i.date),
            "cells": f"{i.figure * 10.0 ** (i.exponent - 6):.6g}",
            "unit": "10*6/kg",
            "fresh": "Y" if i.fresh else "N",
        }
        for i in who.infusions
    ]


def _immunity(who: Recipient) -> Rows:
    return [
        {
            "subject": who.number,
            "visit": i.visit,
            "date": iso(i.date),
            "day": who.day(i.date),
            "test": test,
            "measured": "no" if value is None else "yes",
            "value": "" if value is None else f"{value:.10g}",
            "unit": "%" if test.startswith("CHIM") else "cells/uL",
        }
        for i in who.immunity
        for test, value in i.values.items()
    ]


def _findings(who: Recipient) -> Rows:
    """Evaluations of the disease, vital signs and assessments of GVHD, item by item."""
    found: list[tuple[str, str, dt.date, dict[str, object]]] = []
    for e in who.evaluations:
        own = {"REMISS": _yes(e.remission), "MRD": e.mrd, "RELAPSE": _yes(e.relapse is not None)}
        found.append(("EVAL", e.visit, e.date, {**own}))
    for v in who.vitals:
        found.append(("VS", v.visit, v.date, {"WEIGHT": f"{v.weight:.10g}", "KPS": v.performance}))
    for a in who.acute:
        stages = {"SKINST": a.skin, "LIVERST": a.liver, "UGIST": a.upper, "LGIST": a.lower}
        measures = {"SKINBSA": a.area, "BILI": a.bilirubin, "LGIVOL": a.volume}
        told = {"SKINBULL": _yes(a.skin == 4), "LGIBLD": _yes(a.lower == 4), "SYSTRT": _yes(a.systemic)}
        found.append(("AGVHD", "", a.date, {**stages, **measures, **told}))
    for c in who.chronic:
        found.append(("CGVHD", "", c.date, {**c.scores, "FEV1": c.fev1, "SYSTRT": _yes(c.systemic)}))
    return [
        {"subject": who.number, "form": form, "visit": visit, "date": iso(date), "item": item, "value": value}
        for form, visit, date, values in found
        for item, value in values.items()
        if value != ""
    ]


def _yes(value: bool) -> str:
    return "Y" if value else "N"


def _medications(who: Recipient) -> Rows:
    return [{"subject": who.number, "name": m.name, "start": iso(m.start), "end": iso(m.end)} for m in who.medications]


def _events(who: Recipient) -> Rows:
    return [
        {
            "subject": who.number,
            "arm": who.arm,
            "number": number,
            "term": e.term,
            "pt": e.pt,
            "soc": e.soc,
            "onset": iso(e.start),
            "day": who.day(e.start),
            "end": iso(e.end),
            "grade": e.grade,
            "serious": "Y" if e.serious else "N",
            "related": "Y" if e.related else "N",
            "outcome": e.outcome,
        }
        for number, e in enumerate(who.events, start=1)
    ]


def _outcomes(tables: dict[str, Rows], horizon: int) -> Rows:
    """Counts by arm: events up to the horizon, GVHD ever, infusions and reasons, patients with adverse events."""
    rows: Rows = []
    for arm in ("A", "B"):
        own = [row for row in tables["patients"] if row["arm"] == arm]

        def add(outcome: str, item: str, count: int, of: int = len(own), arm: str = arm) -> None:
            rows.append({"outcome": outcome, "item": item, "arm": arm, "count": count, "of": of})

        add("randomised", "n", len(own))
        for name, kinds in (("os", (1,)), ("lfs", (1,)), ("relapse", (1,)), ("nrm", (1,))):
            at = [r for r in own if int(str(r[f"{name}_time"])) <= horizon]
            add(name, f"events by day {horizon}", sum(r[f"{name}_event"] in kinds for r in at))
            early = sum(r[f"{name}_event"] == 0 and int(str(r[f"{name}_time"])) < horizon for r in own)
            add(name, f"censored before day {horizon}", early)
            add(name, "events", sum(r[f"{name}_event"] in kinds for r in own))
        for endpoint in dict.fromkeys(str(row["endpoint"]) for row in tables["gvhd"]):
            met = [r for r in tables["gvhd"] if r["arm"] == arm and r["endpoint"] == endpoint and r["event"] == 1]
            add("gvhd", endpoint, len(met))
        for definition, system in (("holtan", "magic"), ("refined", "magic")):
            free = [r for r in tables["grfs"] if (r["arm"], r["definition"], r["system"]) == (arm, definition, system)]
            for component in ("acute_gvhd", "chronic_gvhd", "relapse", "death"):
                by = [r for r in free if r["component"] == component and int(str(r["time"])) <= horizon]
                add("grfs", f"{definition} {component} by day {horizon}", len(by))
        given = [r for r in tables["dli"] if r["arm"] == arm]
        for number in range(4):
            add("dli", f"{number} infusions", sum(r["number"] == number for r in given))
        for reason in sorted({str(r["reason_none"]) for r in tables["dli"]} - {""}):
            add("dli", f"none: {reason}", sum(r["reason_none"] == reason for r in given))
        events = [r for r in tables["ae"] if r["arm"] == arm]
        for item, least in (("any", 1), ("grade 3 or more", 3), ("grade 5", 5)):
            add("ae", item, len({r["subject"] for r in events if int(str(r["grade"])) >= least}))
        add("ae", "serious", len({r["subject"] for r in events if r["serious"] == "Y"}))
        add("ae", "events", len(events), len(events))
    return rows
