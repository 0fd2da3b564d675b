"""Truth tables of the intensive care trial, before any defect is planted. Who refused stands in patients only."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from trialpipe.simulate import sofa_truth
from trialpipe.simulate.icu_measures import MEASURES
from trialpipe.simulate.icu_patient import ORGANS, VISITS, IcuPatient
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.sofa_truth import SofaDay
from trialpipe.simulate.truth import Rows, iso

LAST = 27
TWO_DAYS = dt.timedelta(hours=48)


def tables(p: Parameters, patients: list[IcuPatient]) -> dict[str, Rows]:
    """Truth tables by file name without ``.csv``."""
    horizon = int(p.number("horizon"))
    counted = [patient for patient in patients if patient.refused is None]
    scores = {patient.number: sofa_truth.score(patient) for patient in counted}
    subjects = [_subject(patient, scores.get(patient.number), horizon) for patient in patients]
    infections = [row for patient in counted for row in _infections(patient)]
    events = [row for patient in counted for row in _events(patient)]
    stays = [_stay(patient) for patient in counted]
    return {
        "patients": subjects,
        "sofa": [_score(patient, day) for patient in counted for day in scores[patient.number]],
        "sofa_days": [_day(patient, day) for patient in counted for day in sofa_truth.daily(patient, LAST)],
        "stays": stays,
        "infections": infections,
        "ae": events,
        "measures": [row for patient in counted for row in _measures(p, patient)],
        "treatments": [row for patient in counted for row in _treatments(patient)],
        "outcomes": _outcomes(subjects, scores, stays, infections, events),
    }


def _subject(patient: IcuPatient, scores: list[SofaDay] | None, horizon: int) -> dict[str, object]:
    success, why = ("", "refused") if scores is None else _success(scores, "filled_total")
    true = "" if scores is None else _success(scores, "total")[0]
    days = (patient.ends().date() - patient.inclusion.date()).days
    death_day = (patient.death.date() - patient.inclusion.date()).days if patient.death else None
    dead = death_day is not None and death_day <= horizon
    return {
        "subject": patient.number,
        "fate": patient.fate,
        "counted": "no" if patient.refused else "yes",
        "treated": "yes" if patient.first_dose else "no",
        "emergency": "yes" if patient.emergency else "no",
        "refused": iso(patient.refused),
        "sex": patient.traits.sex,
        "age": _age(patient),
        "weight": f"{patient.traits.weight:.1f}",
        "trigger": patient.traits.trigger,
        "inclusion": iso(patient.inclusion),
        "first_dose": iso(patient.first_dose),
        "origin": iso(patient.origin),
        "hospital_admission": iso(patient.hospital),
        "icu_admission": iso(patient.icu),
        "sofa_d1": "" if scores is None else _text(scores[0].filled_total),
        "sofa_d7": "" if scores is None else _text(scores[1].filled_total),
        "success": success,
        "why": why,
        "success_true": true,
        "death": iso(patient.death),
        "death_day": _text(death_day),
        "cause": patient.cause,
        "last_alive": iso(patient.last_alive if patient.refused is None else None),
        "lost": "yes" if patient.fate == "lost" else "no",
        "state_6_months": "" if patient.refused else "dead" if dead else "alive" if days >= horizon else "lost",
    }


def _age(patient: IcuPatient) -> int:
    """Completed years at inclusion."""
    then, birth = patient.inclusion.date(), patient.traits.birth
    return then.year - birth.year - ((then.month, then.day) < (birth.month, birth.day))


def _success(scores: list[SofaDay], reading: str) -> tuple[str, str]:
    """Alive at D7 and SOFA at most that of D1 minus 3; what cannot be said is a failure."""
    base, week = getattr(scores[0], reading), getattr(scores[1], reading)
    if scores[1].status == "dead":
        return "no", "dead"
    if base is None or week is None:
        return "no", "sofa missing"
    return ("yes", "decrease") if week <= base - 3 else ("no", "no decrease")


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _score(patient: IcuPatient, day: SofaDay) -> dict[str, object]:
    return {
        "subject": patient.number,
        "visit": day.visit,
        "date": iso(patient.date(day.number)),
        "status": day.status,
        **{organ: _text(day.true[organ]) for organ in ORGANS},
        "total": _text(day.total),
        "measured": " ".join(day.observed),
        "n_measured": "" if day.status == "dead" else len(day.observed),
        **{f"{organ}_filled": _text(day.filled[organ]) for organ in ORGANS},
        "total_filled": _text(day.filled_total),
    }


def _day(patient: IcuPatient, day: SofaDay) -> dict[str, object]:
    return {
        "subject": patient.number,
        "day": day.number,
        "status": day.status,
        "measured": " ".join(day.observed),
        **{f"{organ}_filled": _text(day.filled[organ]) for organ in ORGANS},
        "total_filled": _text(day.filled_total),
    }


def _stay(patient: IcuPatient) -> dict[str, object]:
    start = patient.inclusion.date()
    assert patient.icu_end is not None
    dead_there = patient.death is not None and patient.icu_end == patient.death
    end = patient.hospital_end
    last = end or patient.ends().date()
    dead = patient.death is not None and end == patient.death.date()
    return {
        "subject": patient.number,
        "inclusion": iso(patient.inclusion),
        "icu_end": iso(patient.icu_end),
        "icu_days": (patient.icu_end.date() - start).days,
        "icu_status": "dead" if dead_there else "alive",
        "hospital_end": iso(end),
        "hospital_days": (last - start).days,
        "hospital_status": "dead" if dead else "alive" if end else "in_hospital",
        "readmission": iso(patient.readmission),
    }


def _infections(patient: IcuPatient) -> Rows:
    """Ruling: more than 48 h after hospital admission, after inclusion, to D28; reactivation apart; first by type."""
    rows: Rows = []
    seen: set[str] = set()
    for number, found in enumerate(patient.infections, start=1):
        day = patient.day(found.onset)
        late = found.onset - patient.hospital > TWO_DAYS
        nosocomial = late and found.onset > patient.inclusion and day <= LAST
        apart = found.kind == "reactivation"
        group = "reactivation" if apart else "infection"
        acquired = nosocomial and found.icu and found.onset - patient.icu > TWO_DAYS
        keys = {f"type {found.kind}", group}
        rows.append(
            {
                "subject": patient.number,
                "number": number,
                "onset": iso(found.onset),
                "day": day,
                "type": found.kind,
                "pathogen": found.pathogen,
                "site": "icu" if found.icu else "ward",
                "after_48h": "yes" if late else "no",
                "after_inclusion": "yes" if found.onset > patient.inclusion else "no",
                "to_d28": "yes" if day <= LAST else "no",
                "nosocomial": "yes" if nosocomial and not apart else "no",
                "reactivation": "yes" if nosocomial and apart else "no",
                "icu_acquired": "yes" if acquired and not apart else "no",
                "first_of_type": "yes" if nosocomial and f"type {found.kind}" not in seen else "no",
                "first_any": "yes" if nosocomial and not apart and group not in seen else "no",
            }
        )
        seen |= keys if nosocomial else set()
    return rows


def _events(patient: IcuPatient) -> Rows:
    rows: Rows = []
    for number, event in enumerate(patient.events, start=1):
        day = patient.day(event.start)
        rows.append(
            {
                "subject": patient.number,
                "number": number,
                "term": event.term,
                "pt": event.pt,
                "soc": event.soc,
                "grade": event.grade,
                "serious": "yes" if event.serious else "no",
                "related": "yes" if event.related else "no",
                "onset": iso(event.start),
                "day": day,
                "end": iso(event.stop),
                "outcome": {"1": "recovered", "2": "not recovered", "3": "fatal"}[event.outcome],
                "to_d28": "yes" if 0 <= day <= LAST else "no",
            }
        )
    return rows


def _measures(p: Parameters, patient: IcuPatient) -> Rows:
    """A row per visit and measure of the visits that took place; value in the canonical unit."""
    rows: Rows = []
    for visit in patient.biology:
        for measure, (item, unit, _) in MEASURES.items():
            text = visit.cells[item].replace(",", ".")
            factor = 10 if measure == "HGB" and visit.cells["b_hb_unit"] == "1" else 1
            rows.append(
                {
                    "subject": patient.number,
                    "visit": visit.visit,
                    "datetime": iso(visit.when),
                    "day": patient.day(visit.when),
                    "measure": measure,
                    "measured": "yes" if text else "no",
                    "value": f"{float(text) * factor:.10g}" if text else "",
                    "unit": unit,
                }
            )
    return rows


def _treatments(patient: IcuPatient) -> Rows:
    return [
        {
            "subject": patient.number,
            "drug": t.drug,
            "start": iso(t.start),
            "stop": iso(t.stop),
            "dose": t.dose,
            "unit": t.unit,
        }
        for t in patient.treatments
    ]


def _outcomes(subjects: Rows, scores: dict[str, list[SofaDay]], stays: Rows, infections: Rows, events: Rows) -> Rows:
    counted = [s for s in subjects if s["counted"] == "yes"]
    n = len(counted)
    rows: Rows = [{"outcome": "flow", "item": "refused", "visit": "", "count": len(subjects) - n, "of": len(subjects)}]

    def add(outcome: str, item: str, count: int, of: int = n, visit: str = "") -> None:
        rows.append({"outcome": outcome, "item": item, "visit": visit, "count": count, "of": of})

    treated = {str(s["subject"]) for s in counted if s["treated"] == "yes"}
    add("flow", "treated", len(treated))
    add("primary", "success", sum(s["success"] == "yes" for s in counted))
    for why, count in sorted(Counter(str(s["why"]) for s in counted).items()):
        add("primary", why, count)
    add("primary", "success true", sum(s["success_true"] == "yes" for s in counted))
    for state in ("alive", "dead", "lost"):
        add("survival", state, sum(s["state_6_months"] == state for s in counted))
    add("icu", "dead", sum(s["icu_status"] == "dead" for s in stays))
    add("hospital", "dead", sum(s["hospital_status"] == "dead" for s in stays))
    for k, visit in enumerate(VISITS):
        own = [days[k] for days in scores.values()]
        add("sofa", "alive", sum(d.status != "dead" for d in own), n, visit)
        add("sofa", "scored", sum(d.filled_total is not None for d in own), n, visit)
        add("sofa", "sum filled", sum(d.filled_total or 0 for d in own), n, visit)
    for column in ("nosocomial", "icu_acquired", "reactivation"):
        found = {r["subject"] for r in infections if r[column] == "yes"}
        add("infections", f"patients {column}", len(found))
        add("infections", f"episodes {column}", sum(r[column] == "yes" for r in infections))
    early = [r for r in events if r["to_d28"] == "yes"]
    groups = {"any": early, "serious": [r for r in early if r["serious"] == "yes"]}
    groups["grade 3 or more"] = [r for r in early if int(str(r["grade"])) >= 3]
    for name, own_events in groups.items():
        add("ae", f"patients {name}", len({r["subject"] for r in own_events}), len(treated))
        add("ae", f"events {name}", len(own_events), len(treated))
    return rows
