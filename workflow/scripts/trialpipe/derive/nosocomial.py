"""ADNOSO: infections acquired in hospital, an EPISODE row per record and the first of each type per patient.

An episode counts if it begins more than ``hours`` after the admission to hospital, after the origin, by the last day
(``until`` elapsed days from ``until_from``), and not after a competing event; wards count. Of these an episode is
acquired in intensive care (ICUFL) if it also begins more than ``hours`` after the admission there, in that place: the
recorded one, else by the dates of the stay. Where a date or clock time is missing and every condition may hold, the
episode counts, from the first day on which it may; the note says so. A record without any date is not counted.

Types are filters that may overlap; those ``apart`` are not among any infection (ANYNOSO, ANYICU), a record of no type
is. Time at risk runs from the origin to the first episode of the type, the first competing event, the last day or the
last day known alive, whichever is first; an episode and a competing event of one day are an episode unless the clock
says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from trialpipe.config.icu import NosocomialDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days
from trialpipe.derive.milestones import cutoff_day
from trialpipe.derive.order import Order, compare, first
from trialpipe.derive.records import matching, tail, usable
from trialpipe.derive.rules import Truth
from trialpipe.derive.subjects import Moment, Subject, milestone_label, subjects
from trialpipe.io.contracts_icu import ADNOSO
from trialpipe.io.sdtm import date_columns

ANY, ANY_ICU, EPISODE = "ANYNOSO", "ANYICU", "EPISODE"
INFECTION = "infection"
EVENT, CENSORED, COMPETING = 0, 1, 2
_DAY = 24 * 60


class Span(NamedTuple):
    """When something happened, in minutes: first and last possible one (None: unbounded)."""

    low: int | None
    high: int | None


class Record(NamedTuple):
    """One infection as recorded. ``when`` is None without any date; ``types`` are codes in declared order."""

    row_id: str
    when: Moment | None
    types: tuple[str, ...]
    apart: bool
    place: str | None


@dataclass(frozen=True)
class Window:
    """A patient's time of observation: day numbers of ``end`` of the window and ``stop`` of observation in it."""

    origin: Moment
    end: int
    stop: int | None
    text: str
    notes: tuple[str, ...] = ()


class Judged(NamedTuple):
    """A record with the verdicts. ``day``: day number of onset as analysed, None if it is not known."""

    record: Record
    day: int | None
    counted: bool
    icu: bool
    notes: tuple[str, ...]


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """ADNOSO: per patient with the milestone of origin the types in declared order, both totals, then the episodes."""
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, NosocomialDataset)
    records = _records(matching(usable(clean[spec.domain], spec.date, cutoff_day(protocol)), spec.where), spec)
    rows: list[dict[str, object]] = []
    for subject in subjects(derived["adsl"], protocol):
        origin = subject.moment(spec.origin)
        if origin is None:
            continue
        window = _window(subject, origin, spec, protocol)
        judged = [judge(record, subject, window, spec) for record in records.get(subject.usubjid, [])]
        judged.sort(key=lambda j: (j.day is None, j.day or 0, _clock(j), j.record.row_id))
        for code, label in [*((t.code, t.label) for t in spec.types), *TOTALS.items()]:
            rows.append(_first_of(code, label, judged, subject, window, spec, protocol))
        rows += [_episode(one, subject, window, spec) for one in judged]
    return days.frame(rows, ADNOSO)


TOTALS = {ANY: "Any infection", ANY_ICU: "Any infection acquired in intensive care"}


def _clock(judged: Judged) -> str:
    return (judged.record.when.time or "") if judged.record.when is not None else ""


def _records(frame: pd.DataFrame, spec: NosocomialDataset) -> dict[str, list[Record]]:
    names = date_columns(spec.date)
    low, high = days.days(days.column(frame, names.low)), days.days(days.column(frame, names.high))
    times = days.texts(days.column(frame, names.time))
    places = days.texts(days.column(frame, spec.place)) if spec.place else [None] * len(frame)
    members = {t.code: set(matching(frame, t.where)["row_id"]) for t in spec.types}
    apart = {t.code for t in spec.types if t.apart}
    found: dict[str, list[Record]] = {}
    for i, (usubjid, row_id) in enumerate(zip(frame["USUBJID"], frame["row_id"], strict=True)):
        types = tuple(code for code, rows in members.items() if row_id in rows)
        when = None
        upper, lower = high[i], low[i]
        if upper is not None:
            exact = lower == upper
            flag = days.imputation_flag(lower, upper)
            when = Moment(INFECTION, lower, upper, times[i] if exact else None, flag)
        found.setdefault(usubjid, []).append(Record(row_id, when, types, bool(apart & set(types)), places[i]))
    return found


def _window(subject: Subject, origin: Moment, spec: NosocomialDataset, protocol: Protocol) -> Window:
    zero, notes = origin.high, []
    if spec.until_from is not None:
        other = subject.moment(spec.until_from)
        if other is None:
            notes.append(f"no {spec.until_from}: the window counts from {spec.origin}")
        else:
            zero = other.high
    end = max(zero + spec.until, origin.high)
    text = f"end of the window of {spec.until} days"
    alive = subject.last_alive
    if alive is not None and alive < end:
        return Window(origin, end, max(alive, origin.high), "Last known alive", tuple(notes))
    return Window(origin, end, end if alive is not None else None, text, tuple(notes))


def span(moment: Moment | None) -> Span:
    """Minutes in which a moment lies."""
    if moment is None:
        return Span(None, None)
    if moment.exact and moment.time is not None:
        hours, minutes = moment.time.split(":")[:2]
        at = moment.high * _DAY + int(hours) * 60 + int(minutes)
        return Span(at, at)
    return Span(None if moment.low is None else moment.low * _DAY, moment.high * _DAY + _DAY - 1)


def later(onset: Span, since: Span, hours: int) -> Truth:
    """Whether the onset is more than ``hours`` after another moment; None if it may be or not."""
    more = hours * 60
    if onset.high is not None and since.low is not None and onset.high <= since.low + more:
        return False
    if onset.low is not None and since.high is not None and onset.low > since.high + more:
        return True
    return None


def judge(record: Record, subject: Subject, window: Window, spec: NosocomialDataset) -> Judged:
    """Whether a record is an infection acquired in hospital, and in intensive care, while at risk."""
    when = record.when
    if when is None:
        return Judged(record, None, False, False, ("date of onset unknown: not counted",))
    if not window.origin.exact:
        return Judged(record, when.high if when.exact else None, False, False, (f"date of {spec.origin} partial",))
    onset, admission = span(when), subject.moment(spec.admission)
    asked: dict[str, Truth] = {
        f"more than {spec.hours} h after {spec.admission}": later(onset, span(admission), spec.hours),
        f"after {spec.origin}": later(onset, span(window.origin), 0),
        "in the window": _by(when, window.end),
    }
    failed = [f"not {name}" for name, held in asked.items() if held is False]
    competing = [m for m in map(subject.moment, spec.competing) if m is not None and m.high >= window.origin.high]
    failed += [f"after {m.milestone}" for m in competing if compare(m, when) is Order.BEFORE]
    day = _first_day(when, window, admission, spec)
    if not failed and day > min([window.end, *(m.high for m in competing)]):
        failed.append("never at risk on a possible day")
    if failed:
        return Judged(record, when.high if when.exact else day, False, False, tuple(failed))
    notes = [f"{name} cannot be decided: counted" for name, held in asked.items() if held is None]
    notes += [f"no {spec.admission}"] if admission is None else []
    icu = in_icu(onset, record.place, subject, spec)
    notes += ["acquired in intensive care cannot be decided: counted"] if icu is None else []
    return Judged(record, day, True, icu is not False, tuple(notes))


def in_icu(onset: Span, place: str | None, subject: Subject, spec: NosocomialDataset) -> Truth:
    """Whether an infection acquired in hospital began in intensive care and late enough after admission there."""
    admission = subject.moment(spec.icu_admission) if spec.icu_admission else None
    if spec.icu_admission is None or (admission is None and place != spec.icu_place):
        return False
    leaving = subject.moment(spec.icu_discharge) if spec.icu_discharge else None
    back = subject.moment(spec.icu_readmission) if spec.icu_readmission else None
    again = False if back is None else later(onset, span(back), 0)
    stays = [] if again else [(admission, leaving)]
    stays += [] if again is False else [(back, None)]
    answers = [_all(later(onset, span(stay[0]), spec.hours), _there(onset, place, stay, spec)) for stay in stays]
    return answers[0] if len(set(answers)) == 1 else None


def _there(onset: Span, place: str | None, stay: tuple[Moment | None, Moment | None], spec: NosocomialDataset) -> Truth:
    """Whether the onset is in a stay: the recorded place, else the dates; hours after leaving count where declared."""
    start, leaving = stay
    if place == spec.icu_place:
        return True
    after = False if leaving is None else later(onset, span(leaving), spec.icu_after)
    inside = None if after is None else not after
    entered = later(onset, span(start), 0)
    by_dates = _all(entered, inside)
    if place is None:
        return by_dates
    # a ward infection: only soon after leaving
    left = False if leaving is None or not spec.icu_after else later(onset, span(leaving), 0)
    return _all(left, by_dates)


def _all(*truths: Truth) -> Truth:
    if False in truths:
        return False
    return None if None in truths else True


def _by(when: Moment, end: int) -> Truth:
    if when.high <= end:
        return True
    return False if when.low is not None and when.low > end else None


def _first_day(when: Moment, window: Window, admission: Moment | None, spec: NosocomialDataset) -> int:
    """First possible day of onset on which an infection can count."""
    floor = window.origin.high
    since = span(admission).low
    if since is not None:
        floor = max(floor, (since + spec.hours * 60 + 1) // _DAY)
    return when.earliest(floor)


def _first_of(
    code: str,
    label: str,
    judged: Sequence[Judged],
    subject: Subject,
    window: Window,
    spec: NosocomialDataset,
    protocol: Protocol,
) -> dict[str, object]:
    own = [one for one in judged if one.counted and of_type(one, code)]
    zero = window.origin.high
    row: dict[str, object] = {
        "row_id": f"{spec.id}:{subject.usubjid}/{code}",
        "USUBJID": subject.usubjid,
        "PARAMCD": code,
        "PARAM": label,
        "from": [subject.row_id, *(one.record.row_id for one in own)],
    }
    if not window.origin.exact:
        return row | {"NOTE": f"date of {spec.origin} partial"}
    row |= {"STARTDT": days.date(zero), "NEPI": len(own)}
    undated = sum(one.day is None and of_type(one, code) for one in judged)
    notes = [*window.notes, *([f"{undated} record(s) without a date of onset"] if undated else [])]
    if own:
        one = own[0]
        assert one.day is not None
        notes += one.notes
        assert one.record.when is not None
        timed = _timed(one.day, zero, EVENT, INFECTION, " ".join(one.record.types) or "type not recorded")
        timed["ADTF"] = one.record.when.flag
        return row | timed | {"NOTE": days.joined(notes)}
    return row | _without(subject, window, spec, protocol, notes)


def _without(
    subject: Subject, window: Window, spec: NosocomialDataset, protocol: Protocol, notes: list[str]
) -> dict[str, object]:
    """A competing event by the end of the window, else censored."""
    zero = window.origin.high
    found = []
    for moment in map(subject.moment, spec.competing):
        if moment is not None and moment.high >= zero and moment.earliest(zero) <= window.end:
            found.append(moment if moment.exact else moment._replace(low=moment.earliest(zero)))
    if found:
        winner, said = first(found)
        said += [f"date of {winner.milestone} partial: first possible day"] if winner.flag is not None else []
        code = COMPETING + spec.competing.index(winner.milestone)
        text = milestone_label(protocol, winner.milestone)
        timed = _timed(winner.earliest(zero), zero, code, winner.milestone, text)
        return timed | {"ADTF": winner.flag, "NOTE": days.joined([*notes, *said])}
    if window.stop is None:
        return {"NOTE": days.joined([*notes, "Last known alive is missing"])}
    timed = _timed(window.stop, zero, CENSORED, None, f"Censored: {window.text}")
    return timed | {"NOTE": days.joined(notes)}


def of_type(one: Judged, code: str) -> bool:
    """Whether a record belongs to a type, or to any."""
    if code in TOTALS:
        return not one.record.apart and (code == ANY or one.icu)
    return code in one.record.types


def _timed(day: int, zero: int, code: int, event: str | None, text: str) -> dict[str, object]:
    return {
        "ADT": days.date(day),
        "AVAL": float(day - zero),
        "ENTRY": 0.0,
        "CNSR": code,
        "EVENT": event,
        "EVNTDESC": text,
    }


def _episode(one: Judged, subject: Subject, window: Window, spec: NosocomialDataset) -> dict[str, object]:
    when, zero = one.record.when, subject.exact_day(spec.origin)
    return {
        "row_id": f"{spec.id}:{subject.usubjid}/{EPISODE}/{tail(one.record.row_id, subject.usubjid)}",
        "USUBJID": subject.usubjid,
        "PARAMCD": EPISODE,
        "PARAM": "Episode",
        "STARTDT": days.date(zero),
        "ADT": days.date(one.day),
        "AVAL": None if one.day is None or zero is None else float(one.day - zero),
        "ADTF": when.flag if when is not None else None,
        "TYPES": " ".join(one.record.types) or None,
        "NOSOFL": "Y" if one.counted else "N",
        "ICUFL": "Y" if one.icu else "N",
        "NOTE": days.joined([*one.notes, *window.notes]),
        "from": [one.record.row_id, subject.row_id],
    }
