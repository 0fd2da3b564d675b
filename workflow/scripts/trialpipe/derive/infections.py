"""ADINF: first viral infection per patient and virus (and of any virus) in a window, from repeated PCR.

Records of the domain (stem MB for ``mb``): MBSTRESN with the unit MBORRESU, or a limit with MBCENS left or right, or
the word POSITIVE or NEGATIVE in MBSTRESC; MBQUAL POSITIVE or NEGATIVE beside the number; MBORGAN Y for new organ
disease. A number above 0 is positive. A result below the limit is negative unless MBQUAL says positive.

Baseline is the last PCR before the start of those in the ``baseline`` days, else the first of them after it; a PCR of
the day of the start without clock times is before it. De novo is a positive PCR after a negative baseline and without
an earlier positive one; worsening, after a positive one, is a rise of at least ``rise_log10`` over it (baseline, else
the last positive PCR before it) or new organ disease. Loads in two units are never compared. A positive PCR of a
patient without a baseline is unclassifiable and no event.

The window ends with the first of ``ends`` (the day included; a partial date as its last possible day) and ``until``. A
patient without an event is censored at its end or the last day known alive, whichever is first; one without any PCR
from the baseline on has no time. An infection and a competing event whose order cannot be known is an infection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from trialpipe.config.datasets import InfectionsDataset, Parameter
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days, windows
from trialpipe.derive.milestones import cutoff_day
from trialpipe.derive.order import first
from trialpipe.derive.records import matching, not_done, usable
from trialpipe.derive.rules import Range, Truth, less, negate
from trialpipe.derive.subjects import Moment, Subject, milestone_label, subjects
from trialpipe.derive.windows import Point
from trialpipe.io.contracts import ADINF
from trialpipe.io.sdtm import date_columns, prefix

ANY = "ANYVIR"
INFECTION = "infection"
DE_NOVO, WORSENING, UNCLASSIFIABLE, NO_INFECTION = "de novo", "worsening", "unclassifiable", "none"
NOT_TESTED, UNDETERMINED = "not tested", "undetermined"
POSITIVE, NEGATIVE, NO_BASELINE = "positive", "negative", "none"
EVENT, CENSORED, COMPETING = 0, 1, 2


class Pcr(NamedTuple):
    """One PCR result. ``load``: where its number may lie, None if it has none; ``organ``: new organ disease."""

    point: Point
    positive: bool
    load: Range | None
    unit: str | None
    organ: bool


@dataclass(frozen=True)
class Window:
    """Time of observation of one patient in day numbers: ``end`` of the window, ``stop`` of observation in it."""

    start: Moment
    end: int | None
    stop: int | None
    text: str


@dataclass
class Course:
    """What the PCRs of one virus say: ``day`` of the first infection, if any, and why it is one."""

    baseline: str
    label: str
    day: int | None = None
    text: str = ""
    tests: list[Pcr] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """ADINF: a row per patient with the start milestone and virus, in declared order, then one for any virus."""
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, InfectionsDataset)
    records = usable(clean[spec.domain], f"{prefix(spec.domain)}DTC", cutoff_day(protocol))
    records = records[~not_done(records, spec.domain)]
    found = [_results(matching(records, virus.where), spec.domain) for virus in spec.viruses]
    rows: list[dict[str, object]] = []
    for subject in subjects(derived["adsl"], protocol):
        start = subject.moment(spec.start)
        if start is None:
            continue
        window = _window(subject, start, spec, protocol)
        courses = [course(own.get(subject.usubjid, []), window, spec) for own in found]
        for virus, own in zip(spec.viruses, courses, strict=True):
            rows.append(_row(virus.code, virus.label, own, subject, window, spec, protocol))
        whole = _together(spec.viruses, courses)
        rows.append(_row(ANY, "Any virus", whole, subject, window, spec, protocol))
    return days.frame(rows, ADINF)


def _results(records: pd.DataFrame, domain: str) -> dict[str, list[Pcr | None]]:
    """Results by patient in time order; None for one whose day is not known."""
    stem = prefix(domain)
    names = date_columns(f"{stem}DTC")
    low, high = days.days(days.column(records, names.low)), days.days(days.column(records, names.high))
    times = days.texts(days.column(records, names.time))
    words = ("STRESC", "CENS", "QUAL", "ORGAN", "ORRESU")
    text = {c: days.texts(days.column(records, f"{stem}{c}")) for c in words}
    number = {c: days.numbers(days.column(records, f"{stem}{c}")) for c in ("STRESN", "LLOQ", "ULOQ")}
    found: dict[str, list[Pcr | None]] = {}
    for i, (usubjid, row_id) in enumerate(zip(records["USUBJID"], records["row_id"], strict=True)):
        load = _load(number["STRESN"][i], text["CENS"][i], number["LLOQ"][i], number["ULOQ"][i])
        positive = _positive(load, text["STRESC"][i], text["QUAL"][i])
        if positive is None:
            continue
        day = low[i]
        if day is None or day != high[i]:
            found.setdefault(usubjid, []).append(None)
            continue
        unit = text["ORRESU"][i]
        pcr = Pcr(
            Point(day, times[i], row_id),
            positive,
            load if positive else None,
            unit.casefold() if unit else None,
            text["ORGAN"][i] == "Y",
        )
        found.setdefault(usubjid, []).append(pcr)
    return {u: sorted(own, key=lambda p: windows.moment(p.point) if p else (0, "", "")) for u, own in found.items()}


def _load(number: float | None, censored: str | None, lower: float | None, upper: float | None) -> Range | None:
    if censored == "left":
        return None if lower is None else Range(0.0, lower, high_open=True)
    if censored == "right":
        return None if upper is None else Range(upper, float("inf"), low_open=True)
    return None if number is None else Range(number, number)


def _positive(load: Range | None, result: str | None, qualifier: str | None) -> bool | None:
    """Whether a result is positive; None if it is no result. Its own word counts before the qualifier."""
    if result in ("POSITIVE", "NEGATIVE"):
        return result == "POSITIVE"
    if load is None:
        return None if qualifier is None else qualifier == "POSITIVE"
    if load.high_open:
        return qualifier == "POSITIVE"
    return load.high > 0


def _window(subject: Subject, start: Moment, spec: InfectionsDataset, protocol: Protocol) -> Window:
    ends = [(m.high, milestone_label(protocol, m.milestone)) for m in map(subject.moment, spec.ends) if m is not None]
    ends = [(day, label) for day, label in ends if day >= start.high]
    if spec.until is not None:
        ends.append((start.high + spec.until, f"end of the window of {spec.until} days"))
    end, text = min(ends, key=lambda e: e[0], default=(None, ""))
    alive = subject.last_alive
    if alive is not None and (end is None or alive < end):
        return Window(start, end, max(alive, start.high), "Last known alive")
    return Window(start, end, end if alive is not None else None, text)


def course(found: Sequence[Pcr | None], window: Window, spec: InfectionsDataset) -> Course:
    """First infection with one virus among the PCRs of a patient in time order (None: of unknown day)."""
    undated = sum(p is None for p in found)
    notes = [f"{undated} PCR(s) without an exact date left out"] if undated else []
    if not window.start.exact:
        return Course(NO_BASELINE, UNDETERMINED, notes=[*notes, f"date of {spec.start} partial"])
    zero = window.start.high
    dated = [p for p in found if p is not None and (window.end is None or p.point.day <= window.end)]
    baseline = _baseline(dated, window, spec)
    before = dated[: dated.index(baseline)] if baseline is not None else []
    later = [p for p in dated[len(before) :] if p is not baseline and not windows.before_dose(p.point, window.start)]
    own = Course(_status(baseline), NO_INFECTION, notes=notes)
    own.tests = [*([baseline] if baseline is not None else []), *later]
    if not own.tests:
        own.label = NOT_TESTED
        own.notes.append("no PCR")
    elif not later:
        own.notes.append("no PCR after the baseline")
    elif baseline is None:
        _unclassified(own, later, zero)
    else:
        earlier = [p for p in (*before, baseline) if p.positive]
        _classified(own, later, earlier[-1] if earlier else None, spec)
    return own


def _baseline(dated: Sequence[Pcr], window: Window, spec: InfectionsDataset) -> Pcr | None:
    low, high = (window.start.high + bound for bound in spec.baseline)
    within = [p for p in dated if low <= p.point.day <= high]
    early = [p for p in within if windows.before_dose(p.point, window.start)]
    if early:
        return early[-1]
    # a PCR that the clock shows to be after the start is baseline only if the window reaches beyond that day
    return within[0] if within and high > window.start.high else None


def _status(baseline: Pcr | None) -> str:
    if baseline is None:
        return NO_BASELINE
    return POSITIVE if baseline.positive else NEGATIVE


def _unclassified(own: Course, later: Sequence[Pcr], zero: int) -> None:
    positive = next((p for p in later if p.positive), None)
    if positive is None:
        own.notes.append("no PCR at baseline")
    else:
        own.label = UNCLASSIFIABLE
        own.notes.append(f"positive on day {positive.point.day - zero} without a PCR at baseline")


def _classified(own: Course, later: Sequence[Pcr], reference: Pcr | None, spec: InfectionsDataset) -> None:
    open_rises = 0
    for pcr in later:
        if reference is None:
            if pcr.positive:
                own.label, own.day, own.text = DE_NOVO, pcr.point.day, "De novo infection"
                break
            continue
        rise = _risen(pcr, reference, spec.rise_log10)
        if pcr.organ or rise is True:
            why = "new organ disease" if pcr.organ else f"rise of at least {spec.rise_log10:g} log10"
            own.label, own.day, own.text = WORSENING, pcr.point.day, f"Worsening, {why}"
            break
        open_rises += rise is None
    if open_rises:
        own.notes.append(f"rise undetermined in {open_rises} PCR(s)")


def _risen(pcr: Pcr, reference: Pcr, log10: float) -> Truth:
    """Whether a load is at least ``log10`` above another for every, no, or some pair of possible values."""
    if not pcr.positive:
        return False
    old, new = reference.load, pcr.load
    if old is None or new is None or pcr.unit != reference.unit:
        return None
    factor = float(f"{10**log10:.12g}")
    bound = Range(float(f"{old.low * factor:.12g}"), float(f"{old.high * factor:.12g}"), old.low_open, old.high_open)
    return negate(less(new, bound))


def _together(viruses: Sequence[Parameter], courses: Sequence[Course]) -> Course:
    """The first infection with any of the viruses; of those of one day de novo counts first."""
    known = [own.baseline for own in courses]
    baseline = next((status for status in (POSITIVE, NEGATIVE) if status in known), NO_BASELINE)
    labels = [own.label for own in courses]
    order = (UNDETERMINED, UNCLASSIFIABLE, NO_INFECTION, NOT_TESTED)
    whole = Course(baseline, next((label for label in order if label in labels), NOT_TESTED))
    whole.tests = [pcr for own in courses for pcr in own.tests]
    for virus, own in zip(viruses, courses, strict=True):
        whole.notes += [f"{virus.code} {note}" for note in own.notes]
    infected = [(own, virus.code) for own, virus in zip(courses, viruses, strict=True) if own.day is not None]
    if infected:
        day = min(own.day for own, _ in infected if own.day is not None)
        same = [(own, code) for own, code in infected if own.day == day]
        whole.day = day
        whole.label = DE_NOVO if any(own.label == DE_NOVO for own, _ in same) else WORSENING
        whole.text = "; ".join(f"{code}: {own.text}" for own, code in same)
    return whole


def _row(
    code: str, label: str, own: Course, subject: Subject, window: Window, spec: InfectionsDataset, protocol: Protocol
) -> dict[str, object]:
    row: dict[str, object] = {
        "row_id": f"{spec.id}:{subject.usubjid}/{code}",
        "USUBJID": subject.usubjid,
        "PARAMCD": code,
        "PARAM": label,
        "BASESTAT": own.baseline,
        "NTEST": len(own.tests),
        "from": list(dict.fromkeys([subject.row_id, *(pcr.point.row_id for pcr in own.tests)])),
    }
    notes = list(own.notes)
    if own.label == UNDETERMINED:
        return row | {"CLASS": own.label, "NOTE": days.joined(notes)}
    zero = window.start.high
    row["STARTDT"] = days.date(zero)
    if own.label == NOT_TESTED:
        return row | {"CLASS": own.label, "NOTE": days.joined(notes)}
    winner, said = _first(own, subject, window, spec)
    if winner is not None and winner.milestone == INFECTION:
        timed = _timed(own.day, zero, EVENT, INFECTION, own.text)
    elif winner is not None:
        place = COMPETING + spec.competing.index(winner.milestone)
        text = milestone_label(protocol, winner.milestone)
        timed = _timed(winner.earliest(zero), zero, place, winner.milestone, text)
        if own.day is not None:
            said = [*said, f"{own.label} on day {own.day - zero} is after it"]
    else:
        timed = _timed(window.stop, zero, CENSORED, None, f"Censored: {window.text}")
        said = said if window.stop is not None else ["Last known alive is missing"]
    gone = own.day is not None and (winner is None or winner.milestone != INFECTION)
    return row | timed | {"CLASS": NO_INFECTION if gone else own.label, "NOTE": days.joined([*notes, *said])}


def _first(
    own: Course, subject: Subject, window: Window, spec: InfectionsDataset
) -> tuple[Moment | None, Sequence[str]]:
    """What ends the time: the infection or a competing event in the window, and what was read by convention."""
    zero = window.start.high
    found = [] if own.day is None else [Moment(INFECTION, own.day, own.day)]
    for moment in map(subject.moment, spec.competing):
        if moment is not None and moment.high >= zero:
            day = moment.earliest(zero)
            if window.end is None or day <= window.end:
                found.append(moment if moment.exact else moment._replace(low=day))
    if not found:
        return None, ()
    winner, notes = first(found)
    if winner.flag is not None:
        notes = [*notes, f"date of {winner.milestone} partial: first possible day"]
    return winner, notes


def _timed(day: int | None, zero: int, code: int, event: str | None, text: str) -> dict[str, object]:
    if day is None:
        return {}
    return {
        "ADT": days.date(day),
        "AVAL": float(day - zero),
        "ENTRY": 0.0,
        "CNSR": code,
        "EVENT": event,
        "EVNTDESC": text,
    }
