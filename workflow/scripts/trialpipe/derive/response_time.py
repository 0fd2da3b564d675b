"""ADTTR: interval-censored time to response per rule-set and level, with competing events.

Response lies between the last visit without and the first visit with the level or better; visits that were not
assessed, or carried, tell nothing. On the scale of visits a response has the time of its visit's target; a competing
event that of the first visit whose target is not before it; a patient with neither is censored at the last visit
without response. A competing event comes first if it is before the day of the assessment; none counts after the last
visit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from trialpipe.config.datasets import ResponseDataset, ResponseTimeDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days, response, rules, windows
from trialpipe.derive.subjects import Moment, Subject, subjects
from trialpipe.derive.windows import Place
from trialpipe.io.contracts import ADTTR


class Seen(NamedTuple):
    """A visit at which the level was determined."""

    place: Place
    day: int
    met: bool
    row_id: str


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """ADTTR: a row per patient of the response dataset, rule-set and level."""
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, ResponseTimeDataset)
    source = next(d for d in protocol.datasets if d.id == spec.source)
    assert isinstance(source, ResponseDataset)
    visits = windows.visit_set(protocol, source.visits)
    document = reference.get(rules.TABLE)
    known = rules.rule_sets(document if isinstance(document, Mapping) else None)
    found = _by_level(derived[spec.source])
    rows: list[dict[str, object]] = []
    for subject in subjects(derived["adsl"], protocol):
        zero = windows.origin_day(subject, protocol)
        if zero is None:
            continue
        dated = [p for p in windows.places(subject, visits, protocol) if not p.visit.baseline and not p.anchored]
        for rule_set in (known[name] for name in source.rule_sets):
            for level in rule_set.levels:
                own = found.get((subject.usubjid, rule_set.id, level.code), {})
                seen = [Seen(p, *own[p.visit.label]) for p in dated if p.visit.label in own]
                row = _row(seen, dated, subject, zero, spec.competing)
                row["row_id"] = f"{dataset}:{subject.usubjid}/{rule_set.id}/{level.code}"
                row.update(USUBJID=subject.usubjid, RULESET=rule_set.id, LEVEL=level.code)
                rows.append(row)
    return days.frame(rows, ADTTR)


def _by_level(adrs: pd.DataFrame) -> dict[tuple[str, str, str], dict[str, tuple[int, bool, str]]]:
    """(day, met, row id) by patient, rule-set and level, then visit, where the level was determined on the spot."""
    words = {"true": True, "false": False}
    statuses = (response.ASSESSED, response.NOT_EVALUABLE)
    kept = adrs[adrs["STATUS"].isin(statuses) & (adrs["CARRIED"] != "Y") & adrs["AVALC"].isin(list(words))]
    found: dict[tuple[str, str, str], dict[str, tuple[int, bool, str]]] = {}
    columns = ["USUBJID", "RULESET", "PARAMCD", "AVISIT", "AVALC", "row_id"]
    for (usubjid, rule_set, code, visit, text, row_id), day in zip(
        kept[columns].to_numpy(), days.days(kept["ADT"]), strict=True
    ):
        if day is not None:
            found.setdefault((usubjid, rule_set, code), {})[visit] = (day, words[text], row_id)
    return found


def _row(
    seen: list[Seen], dated: list[Place], subject: Subject, zero: int, competing: tuple[str, ...]
) -> dict[str, object]:
    first = next((visit for visit in seen if visit.met), None)
    without = [visit for visit in seen if first is None or visit.place.target < first.place.target]
    row: dict[str, object] = {
        "LEFT": float(max(without[-1].day - zero, 0)) if without else 0.0,
        "RIGHT": None,
        "from": [visit.row_id for visit in seen] or [subject.row_id],
    }
    event = _competing(dated, subject, zero, competing, before=first)
    if event is not None:
        moment, place = event
        left = [visit for visit in without if visit.day <= _day(moment)]
        row["LEFT"] = float(max(left[-1].day - zero, 0)) if left else 0.0
        code = 2 + competing.index(moment.milestone)
        return row | {"TIME": float(place.target - zero), "CNSR": code, "EVENT": moment.milestone, "AVISIT": None}
    if first is not None:
        row["RIGHT"] = float(first.day - zero)
        time = float(first.place.target - zero)
        return row | {"TIME": time, "CNSR": 0, "EVENT": "response", "AVISIT": first.place.visit.label}
    # a visit that could not be judged counts as one without response, so the time runs to the last visit reached alive
    alive = subject.last_alive
    reached = [p.target for p in dated if alive is not None and p.target <= alive]
    time = float(max([*reached, *(visit.place.target for visit in without), zero]) - zero)
    return row | {"TIME": time, "CNSR": 1, "EVENT": None, "AVISIT": None}


def _competing(
    dated: list[Place], subject: Subject, zero: int, competing: tuple[str, ...], before: Seen | None
) -> tuple[Moment, Place] | None:
    """The first competing event and the visit by which it is known; None if none, or not before the response.

    An event recorded before the origin is a wrong date (and a query): a response assessed later stands, and without one
    the event competes at the first visit.
    """
    moments = [m for m in map(subject.moment, competing) if m is not None and (before is None or m.high >= zero)]
    if not moments:
        return None
    moment = min(moments, key=lambda m: (_day(m), competing.index(m.milestone)))
    if before is not None and _day(moment) >= before.day:
        return None
    place = next((p for p in sorted(dated, key=lambda p: p.target) if p.target >= _day(moment)), None)
    return None if place is None else (moment, place)


def _day(moment: Moment) -> int:
    """First possible day."""
    return moment.high if moment.low is None else moment.low
