"""Truth tables of a trial with an oral drug, written before any defect is planted. Written apart from the pipeline."""

from __future__ import annotations

from collections.abc import Mapping

from trialpipe.simulate import response_truth, truth
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Patient, Pcr
from trialpipe.simulate.reactivation_truth import reactivation
from trialpipe.simulate.response_truth import Tri, Window, at_least, meets, values_at
from trialpipe.simulate.truth import Rows

# protocol visit: first, target and last elapsed day; the eve of conditioning is counted from conditioning
WINDOWS: dict[str, Window] = {
    "D7": (4, 7, 10), "D14": (11, 14, 17), "D21": (18, 21, 24), "D28": (25, 28, 31), "W8": (52, 56, 60),
}  # fmt: skip
EVE = "CONDM1"
WORDS = {True: "Y", False: "N", None: "unknown"}
LAB = ("TEMP", "SPLENO", "HGB", "PLAT", "NEUT", "TRIG", "FIBRINO", "FERRITIN", "CD25S")


def tables(p: Parameters, patients: list[Patient]) -> dict[str, Rows]:
    """Truth tables of the patients by file name without ``.csv``."""
    horizon = int(p.number("horizon"))
    subjects = [_subject(patient, horizon) for patient in patients]
    response = [row for patient in patients for row in _response(patient)]
    listed = {entry["pt"] for entry in [*p.adverse_events, *p.fatal] if float(entry.get("listed", 0))}
    listed |= set(p.words["listed_infections"])
    return {
        "patients": subjects,
        "findings": [row for patient in patients for row in truth.findings(patient)],
        "response": response,
        "response_rules": truth.rules(),
        "reactivation": [row for patient in patients for row in reactivation(patient, WINDOWS)],
        "hlh2004": [row for patient in patients for row in _diagnosis(patient)],
        "ae": [row for patient in patients for row in _events(patient, listed)],
        "doses": [row for patient in patients for row in _doses(patient)],
        "virus": [row for patient in patients for row in _viruses(p, patient)],
        "outcomes": _outcomes(subjects, response),
    }


def _subject(patient: Patient, horizon: int) -> dict[str, object]:
    diagnosis = {
        "gene": patient.traits.gene,
        "family_history": "Y" if patient.traits.family else "N",
        **{item.lower(): text for item, text in patient.diagnosis.items()},
    }
    own = {"last_dose": truth.iso(patient.doses[-1].end), "last_dose_day": patient.day(patient.doses[-1].end)}
    return {**truth.subject(patient, horizon), **own, **diagnosis}


def windows(patient: Patient) -> dict[str, Window]:
    """Visit windows of a patient, the eve of conditioning included if there was one."""
    if patient.conditioning is None:
        return WINDOWS
    start = patient.day(patient.conditioning)
    return {**WINDOWS, EVE: (start - 7, start - 1, start - 1)}


def _response(patient: Patient) -> Rows:
    return response_truth.assess(patient, windows(patient))


def _events(patient: Patient, listed: set[str]) -> Rows:
    last = patient.day(patient.doses[-1].end)
    stop = min(last, patient.day(patient.conditioning) - 1) if patient.conditioning else last
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
                "onset": truth.iso(event.start),
                "day": day,
                "end": truth.iso(event.end),
                "grade": event.grade,
                "serious": "Y" if event.serious else "N",
                "related": "Y" if event.related else "N",
                "outcome": event.outcome,
                "listed": "Y" if event.pt in listed else "N",
                "on_treatment": "Y" if 0 <= day <= stop else "N",
                "on_treatment_30": "Y" if 0 <= day <= stop + 30 else "N",
            }
        )
    return rows


def _doses(patient: Patient) -> Rows:
    return [
        {
            "subject": patient.number,
            "period": d.course,
            "start": truth.iso(d.start),
            "end": truth.iso(d.end),
            "mg": f"{d.mg:g}",
        }
        for d in patient.doses
    ]


def _diagnosis(patient: Patient) -> Rows:
    """HLH-2004 criteria at inclusion, as registered: fibrinogen strictly below 1.5, activated T cells or sCD25."""
    rows: Rows = []
    for reading in ("inclusion", "baseline"):
        criteria = _criteria(patient, reading)
        met = sum(value is True for value in criteria.values())
        assessed = sum(value is not None for value in criteria.values())
        five = at_least(5, list(criteria.values()))
        gene = patient.traits.gene != "unknown"
        rows.append(
            {
                "subject": patient.number,
                "reading": reading,
                **{name: WORDS[value] for name, value in criteria.items()},
                "met": met,
                "assessed": assessed,
                "five_of_eight": WORDS[five],
                "gene": patient.traits.gene,
                "diagnosis": WORDS[True if gene else five],
                "family_history": "Y" if patient.traits.family else "N",
                "eligible": WORDS[True if gene or patient.traits.family else five],
            }
        )
    return rows


def _criteria(patient: Patient, reading: str) -> dict[str, Tri]:
    now = values_at(patient, (-14, 0, 0), None, LAB)
    if reading == "inclusion":
        found = {f.test: f for f in patient.findings if f.visit == "INCLUSION" and f.measured and f.spec != "CSF"}
        now = {
            test: (found[test].text or response_truth.range_of(found[test]), patient.day(found[test].when))
            if test in found
            else None
            for test in LAB
        }
    low = 100.0 if patient.traits.age_days < 28 else 90.0
    said = {item: None if text == "" else text == "Y" for item, text in patient.diagnosis.items()}
    nk = patient.diagnosis["NK"]
    counts = [meets(now["HGB"], "<", low), meets(now["PLAT"], "<", 100.0), meets(now["NEUT"], "<", 1.0)]
    return {
        "fever": meets(now["TEMP"], ">=", 38.5),
        "spleen": meets(now["SPLENO"], "=", "Y"),
        "cytopenia": at_least(2, counts),
        "tg_fibrinogen": at_least(1, [meets(now["TRIG"], ">=", 3.0), meets(now["FIBRINO"], "<", 1.5)]),
        "haemophagocytosis": said["HEMOPHAG"],
        "nk": None if nk == "" else nk in ("absent", "decreased"),
        "ferritin": meets(now["FERRITIN"], ">=", 500.0),
        "cd25_or_activated_t": at_least(1, [meets(now["CD25S"], ">=", 2400.0), said["HLADR"]]),
    }


def _viruses(p: Parameters, patient: Patient) -> Rows:
    """Class of every virus that was looked for: PCRs up to the last dose against the one at inclusion."""
    rows: Rows = []
    for virus in dict.fromkeys(pcr.virus for pcr in patient.pcrs):
        own = [pcr for pcr in patient.pcrs if pcr.virus == virus]
        before = [pcr for pcr in own if patient.day(pcr.when) <= 0]
        later = [pcr for pcr in own if patient.day(pcr.when) > 0]
        base = before[-1] if before else None
        kind, first = _class(p, base, later)
        rows.append(
            {
                "subject": patient.number,
                "virus": virus,
                "baseline": "missing" if base is None else "negative" if base.load is None else "positive",
                "baseline_load": "" if base is None or base.load is None or base.below else f"{base.load:.0f}",
                "tests_after": len(later),
                "positive_after": sum(pcr.load is not None for pcr in later),
                "class": kind,
                "date": truth.iso(first.when) if first else "",
                "day": patient.day(first.when) if first else "",
                "organ": "Y" if any(pcr.organ for pcr in own) else "N",
            }
        )
    return rows


def _class(p: Parameters, base: Pcr | None, later: list[Pcr]) -> tuple[str, Pcr | None]:
    positive = [pcr for pcr in later if pcr.load is not None]
    if base is None:
        return ("unclassifiable", positive[0]) if positive else ("none", None)
    if base.load is None:
        return ("de novo", positive[0]) if positive else ("none", None)
    limit = p.number("virus_limit") if base.below else base.load
    risen = [pcr for pcr in positive if pcr.organ or (pcr.load or 0) >= 10 * limit]
    return ("worsening", risen[0]) if risen else ("none", None)


def _outcomes(subjects: list[dict[str, object]], response: Rows) -> Rows:
    """States at the horizon, of all and of stage 1 (the first six by inclusion, then number); responders by visit."""
    n = len(subjects)
    order = sorted(subjects, key=lambda s: (str(s["inclusion"]), str(s["subject"])))
    rows: Rows = []
    for name, group in (("survival-to-hsct", order), ("stage-1", order[:6])):
        rows.append({"outcome": name, "item": "n", "visit": "", "count": len(group), "of": len(group)})
        for state in truth.STATES:
            count = sum(s["state"] == state for s in group)
            rows.append({"outcome": name, "item": state, "visit": "", "count": count, "of": len(group)})
        success = sum(int(str(s["success"])) for s in group)
        rows.append({"outcome": name, "item": "success", "visit": "", "count": success, "of": len(group)})
    conditioned = sum(bool(s["conditioning"]) for s in subjects)
    for rule_set, level in [(name, level) for name, own in response_truth.LEVELS.items() for level in own]:
        for visit in [*WINDOWS, EVE]:
            wanted: Mapping[str, str] = {"rule_set": rule_set, "level": level, "visit": visit, "reading": "carried"}
            met = [r for r in response if r["holds"] == "true" and all(r[k] == v for k, v in wanted.items())]
            of = conditioned if visit == EVE else n
            rows.append(
                {"outcome": "response", "item": f"{rule_set} {level}", "visit": visit, "count": len(met), "of": of}
            )
    return rows
