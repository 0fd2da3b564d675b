"""Reactivation after response by HLH-2004, straight from the true measured values. Written apart from the pipeline.

Response is CR or PR of NI-0501-04 at a dated visit. Every later day with a measurement before conditioning is an
assessment; a value counts for `MAX_AGE` days. After CR at least 3 criteria, after PR at least 3 that were not met at
the response; or neurological symptoms that were absent then. From the first CR after a PR on, the rule after CR holds.
"""

from __future__ import annotations

from collections.abc import Mapping

from trialpipe.simulate import response_truth
from trialpipe.simulate.patient import Finding, Patient
from trialpipe.simulate.response_truth import BETTER, MAX_AGE, Tri, Values, Window, all_of, at_least, item_of, meets

CRITERIA = (
    ("TEMP", ">=", 38.5), ("SPLENO", "=", "Y"), ("PLAT", "<", 100.0), ("TRIG", ">=", 3.0), ("FIBRINO", "<=", 1.5),
    ("FERRITIN", ">=", 500.0), ("CD25S", ">=", 2400.0),
)  # fmt: skip
RULE_SET = "NI-0501-04"
ITEMS = (*(item for item, _, _ in CRITERIA), "CNS")


def reactivation(patient: Patient, windows: Mapping[str, Window]) -> list[dict[str, object]]:
    """One row per responder; ``status``: reactivated or none, ``undetermined`` counts assessments that are open."""
    found = _responses(patient, windows)
    if not found:
        return []
    first_day, first_level = found[0]
    complete = [day for day, level in found if level == "CR"]
    event: int | None = None
    unknown = 0
    for day in _days(patient, first_day):
        reached = [other for other in complete if other <= day]
        origin = reached[0] if reached else first_day
        if day == origin:
            continue
        holds = _holds(_values(patient, day), _values(patient, origin), bool(reached))
        unknown += holds is None
        if holds:
            event = day
            break
    return [
        {
            "subject": patient.number,
            "rule_set": RULE_SET,
            "level": first_level,
            "response": patient.date(first_day).isoformat(),
            "response_day": first_day,
            "complete_day": complete[0] if complete else "",
            "status": "reactivated" if event is not None else "none",
            "reactivation": "" if event is None else patient.date(event).isoformat(),
            "reactivation_day": "" if event is None else event,
            "undetermined": unknown,
        }
    ]


def _responses(patient: Patient, windows: Mapping[str, Window]) -> list[tuple[int, str]]:
    """(day of the assessment, CR or PR) of every visit with response; its day is that of its latest item."""
    items = response_truth.ITEMS[RULE_SET]
    found = []
    for window in windows.values():
        if response_truth.status_at(patient, window, items) != "assessed":
            continue
        levels = response_truth.levels_at(patient, window, MAX_AGE, RULE_SET)
        if levels[BETTER]:
            days = [row[1] for row in response_truth.values_at(patient, window, None, items).values() if row]
            found.append((max(days), "CR" if levels["CR"] else "PR"))
    return sorted(found)


def _usable(patient: Patient) -> list[Finding]:
    return [f for f in response_truth.usable(patient) if item_of(f) in ITEMS and f.when > patient.first_dose]


def _days(patient: Patient, after: int) -> list[int]:
    return sorted({patient.day(f.when) for f in _usable(patient) if patient.day(f.when) > after})


def _values(patient: Patient, day: int) -> Values:
    """Last value of every item up to a day that is not too old."""
    found: Values = dict.fromkeys(ITEMS)
    for finding in sorted(_usable(patient), key=lambda f: f.when):
        own = patient.day(finding.when)
        if 0 <= day - own <= MAX_AGE:
            found[item_of(finding)] = (finding.text or response_truth.range_of(finding), own)
    return found


def _holds(now: Values, then: Values, complete: bool) -> Tri:
    met = [meets(now[item], sign, limit) for item, sign, limit in CRITERIA]
    if not complete:
        before = [meets(then[item], sign, limit) for item, sign, limit in CRITERIA]
        new = [None if old is None else not old for old in before]
        met = [all_of([now_met, fresh]) for now_met, fresh in zip(met, new, strict=True)]
    symptoms = all_of([meets(now["CNS"], "=", "Y"), meets(then["CNS"], "=", "N")])
    return at_least(1, [symptoms, at_least(3, met)])
