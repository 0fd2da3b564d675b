"""Milestone dates of patients from clean domains, and the last day each is known to be alive.

A date is an interval of days. ``first`` of several records is the interval of their minimum, ``last`` that of
their maximum, so a partial record beside an exact one is neither ignored nor guessed. A record without any date
counts only if the patient has no dated one: it proves that the milestone happened, not when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from trialpipe.config.protocol import Evidence, Milestone, Protocol
from trialpipe.derive.days import column, day, days, texts
from trialpipe.derive.records import matching, not_done, usable
from trialpipe.io.sdtm import date_columns

DEATH = "death"
"""Milestone id with a meaning of its own: nothing but its own record dates a patient after it."""


@dataclass(frozen=True)
class Found:
    """Bounds of a milestone (day numbers; None: unbounded), its time if the day is exact, and the rows used."""

    low: int | None
    high: int | None
    time: str | None
    rows: tuple[str, ...]

    @property
    def exact(self) -> bool:
        return self.low is not None and self.low == self.high


@dataclass(frozen=True)
class _Record:
    low: int | None
    high: int | None
    time: str | None
    row_id: str


def find(
    milestone: Milestone, frame: pd.DataFrame, cutoff: int, marks: Mapping[str, Found] | None = None
) -> dict[str, Found]:
    """The milestone of every patient that has it, from the rows of its clean domain.

    ``marks``: the milestone that it is not before; a record that is certainly earlier, and every record of a patient
    without that milestone, is left out.
    """
    rows = matching(usable(frame, milestone.date, cutoff), milestone.where)
    names = date_columns(milestone.date)
    low, high = days(column(rows, names.low)), days(column(rows, names.high))
    times = texts(column(rows, names.time))
    # dm has one row per patient: without the date nothing happened there
    keep = [bound is not None or milestone.domain != "dm" for bound in low]
    by_subject: dict[str, list[_Record]] = {}
    for index, (usubjid, row_id) in enumerate(zip(rows["USUBJID"], rows["row_id"], strict=True)):
        if keep[index]:
            record = _Record(low[index], high[index], times[index], row_id)
            if marks is not None and (usubjid not in marks or _before(record, marks[usubjid])):
                continue
            by_subject.setdefault(usubjid, []).append(record)
    return {usubjid: _pick(records, milestone.pick) for usubjid, records in by_subject.items()}


def _before(record: _Record, mark: Found) -> bool:
    """Whether a record is certainly before a milestone: an earlier day, or an earlier time of one exact day."""
    if record.high is None or mark.low is None:
        return False
    if record.high < mark.low:
        return True
    one_day = mark.exact and record.low == record.high == mark.low
    return one_day and record.time is not None and mark.time is not None and record.time < mark.time


def _pick(records: list[_Record], pick: str) -> Found:
    dated = [record for record in records if record.low is not None and record.high is not None]
    if not dated:
        return Found(None, None, None, tuple(record.row_id for record in records))
    choose = min if pick == "first" else max
    low = choose(record.low for record in dated if record.low is not None)
    high = choose(record.high for record in dated if record.high is not None)
    used = [r for r in dated if r.low <= high and r.high >= low]  # type: ignore[operator]
    times = [record.time for record in used]
    known = [time for time in times if time is not None]
    time = choose(known) if low == high and len(known) == len(times) else None
    return Found(low, high, time, tuple(record.row_id for record in used))


def alive(
    evidence: Evidence, clean: Mapping[str, pd.DataFrame], cutoff: int, deaths: Mapping[str, Found]
) -> dict[str, tuple[int, str]]:
    """Last dated evidence of life per patient: (day, row id), the latest lower bound of any date by the cut-off.

    A finding that was not done, an excluded record and one after the cut-off prove nothing; a record after the last
    possible day of the death is an error of the data.
    """
    last = {usubjid: death.high for usubjid, death in deaths.items() if death.high is not None}
    latest: dict[str, tuple[int, str]] = {}
    for domain in evidence.domains:
        rows = usable(clean[domain], None, cutoff)
        rows = rows[~not_done(rows, domain)]
        if evidence.exclude.get(domain):
            rows = rows.drop(matching(rows, evidence.exclude[domain]).index)
        for name in sorted(c for c in rows.columns if c.endswith("DTC") and date_columns(c).low in rows.columns):
            lows = days(rows[date_columns(name).low])
            for usubjid, row_id, low in zip(rows["USUBJID"], rows["row_id"], lows, strict=True):
                if low is None or low > min(cutoff, last.get(usubjid, cutoff)):
                    continue
                latest[usubjid] = max((low, row_id), latest.get(usubjid, (low, row_id)))
    return latest


@dataclass(frozen=True)
class Timeline:
    """All milestones of one patient, bounds tightened against each other."""

    found: dict[str, Found]
    last_alive: int | None
    alive_row: str | None


def timelines(protocol: Protocol, clean: Mapping[str, pd.DataFrame]) -> dict[str, Timeline]:
    """Timeline of every patient with a milestone or evidence of life, by USUBJID."""
    cutoff = cutoff_day(protocol)
    found: dict[str, dict[str, Found]] = {}
    for m in protocol.milestones:
        found[m.id] = find(m, clean[m.domain], cutoff, None if m.not_before is None else found[m.not_before])
    seen = alive(protocol.last_alive, clean, cutoff, found.get(DEATH, {}))
    usubjids = set(seen).union(*found.values())
    lines = {}
    for usubjid in sorted(usubjids):
        own = {milestone: table[usubjid] for milestone, table in found.items() if usubjid in table}
        lines[usubjid] = _tighten(own, seen.get(usubjid), cutoff)
    return lines


def cutoff_day(protocol: Protocol) -> int:
    """Day number of the data cut-off."""
    cutoff = day(protocol.data_cutoff)
    if cutoff is None:
        raise ValueError("data_cutoff is empty")
    return cutoff


def _tighten(found: dict[str, Found], seen: tuple[int, str] | None, cutoff: int) -> Timeline:
    """Cap every milestone at the cut-off and at death; a death is not before the last evidence of life."""
    capped = {name: _within(item, None, cutoff) for name, item in found.items()}
    day_alive, row = seen if seen is not None else (None, None)
    death = capped.get(DEATH)
    if death is None or death.high is None:
        return Timeline(capped, day_alive, row)
    if not death.exact:
        death = capped[DEATH] = _within(death, day_alive, death.high)
    last = death.high if death.high is not None else cutoff
    for name, item in capped.items():
        if name != DEATH and not item.exact:
            capped[name] = _within(item, None, last)
    return Timeline(capped, day_alive, row)


def _within(item: Found, low: int | None, high: int) -> Found:
    """``item`` with bounds inside [low, high]; unchanged where that would leave no day."""
    lower = item.low if low is None else low if item.low is None else max(item.low, low)
    upper = high if item.high is None else min(item.high, high)
    if lower is not None and lower > upper:
        return item if item.high is not None else replace(item, high=high)
    return replace(item, low=lower, high=upper)
