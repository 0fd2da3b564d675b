"""Grades of GVHD from stages and scores, and the times of GVHD endpoints. Written apart from the pipeline.

Acute: MAGIC (Harris 2016 Biol Blood Marrow Transplant 22:4) and modified Glucksberg (Przepiorka 1995 Bone Marrow
Transplant 15:825). Chronic: NIH 2014 (Jagasia 2015 Biol Blood Marrow Transplant 21:389).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

from trialpipe.simulate.recipient import Acute, Chronic, Recipient
from trialpipe.simulate.truth import Rows, iso

# grade of each stage 0 to 4; the overall grade is the greatest
MAGIC = {"skin": (0, 1, 1, 2, 4), "liver": (0, 2, 3, 3, 4), "upper": (0, 2), "lower": (0, 2, 3, 3, 4)}
GLUCKSBERG = {"skin": (0, 1, 1, 2, 4), "liver": (0, 2, 3, 3, 4), "upper": (0, 2), "lower": (0, 2, 3, 3, 3)}
NIH = ("NONE", "MILD", "MODERATE", "SEVERE")
SYSTEMS = {"magic": MAGIC, "glucksberg": GLUCKSBERG}


def acute_grade(system: dict[str, tuple[int, ...]], record: Acute) -> int:
    """Overall grade 0 to 4 of one day."""
    return max(grades[getattr(record, organ)] for organ, grades in system.items())


def nih(record: Chronic) -> int:
    """Global severity: 0 none, 1 mild, 2 moderate, 3 severe."""
    lung = record.scores["LUNG"]
    others = [score for organ, score in record.scores.items() if organ != "LUNG"]
    greatest = max(others)
    if greatest == 3 or lung >= 2:
        return 3
    if greatest == 2 or lung == 1 or sum(score > 0 for score in others) >= 3:
        return 2
    return greatest


def first(records: Iterable[Acute | Chronic], holds: Callable[..., bool]) -> dt.date | None:
    """Date of the first record for which something holds."""
    return min((record.date for record in records if holds(record)), default=None)


def onsets(who: Recipient) -> dict[str, dt.date | None]:
    """First day of every GVHD endpoint by name."""
    found: dict[str, dt.date | None] = {}
    for name, system in SYSTEMS.items():
        for label, least in (("acute_1_4", 1), ("acute_2_4", 2), ("acute_3_4", 3)):
            found[f"{label}_{name}"] = first(who.acute, lambda r, s=system, k=least: acute_grade(s, r) >= k)
    for label, least in (("chronic_any", 1), ("chronic_moderate_severe", 2), ("chronic_severe", 3)):
        found[label] = first(who.chronic, lambda r, k=least: nih(r) >= k)
    found["chronic_systemic"] = first(who.chronic, lambda r: nih(r) >= 1 and r.systemic)
    return found


def endpoints(who: Recipient) -> Rows:
    """A row per endpoint: onset, and time with event 1 GVHD, 2 relapse or death before it, 0 neither."""
    rows: Rows = []
    days = [day for day in (who.days.relapse, who.days.death) if day is not None]
    for name, onset in onsets(who).items():
        at = who.day(onset) if onset else None
        time, event = who.last_assessment(), 0
        if at is not None and at <= min([at, *days]):
            time, event = at, 1
        elif days:
            time, event = min(days), 2
        rows.append(
            {
                "subject": who.number,
                "arm": who.arm,
                "endpoint": name,
                "onset": iso(onset),
                "onset_day": "" if at is None else at,
                "time": time,
                "event": event,
            }
        )
    return rows


def worst(who: Recipient) -> dict[str, object]:
    """Greatest grades of all records."""
    return {
        **{f"acute_{name}": max((acute_grade(s, r) for r in who.acute), default=0) for name, s in SYSTEMS.items()},
        "chronic": NIH[max((nih(r) for r in who.chronic), default=0)],
    }


def free(who: Recipient) -> Rows:
    """GVHD-free, relapse-free survival by definition and system: first event, its day and what it was.

    Holtan 2015 Blood 125:1333 counts chronic GVHD under systemic treatment, Ruggeri 2016 Bone Marrow Transplant 51:1500
    severe chronic GVHD. On one day GVHD comes before relapse and relapse before death.
    """
    known = onsets(who)
    rows: Rows = []
    for definition, chronic in (("holtan", "chronic_systemic"), ("refined", "chronic_severe")):
        for system in SYSTEMS:
            days = [("acute_gvhd", known[f"acute_3_4_{system}"]), ("chronic_gvhd", known[chronic])]
            dated = [(who.day(date), name) for name, date in days if date is not None]
            dated += [(d, n) for n, d in (("relapse", who.days.relapse), ("death", who.days.death)) if d is not None]
            time, component = min(dated, key=lambda pair: pair[0]) if dated else (who.last_assessment(), "")
            rows.append(
                {
                    "subject": who.number,
                    "arm": who.arm,
                    "definition": definition,
                    "system": system,
                    "time": time,
                    "event": int(bool(dated)),
                    "component": component,
                }
            )
    return rows
