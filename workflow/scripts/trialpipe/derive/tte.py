"""ADTTE: time from origin to the first event, competing event or censoring, per scenario.

Rules: an event on the horizon day counts; on one day ``order`` decides, then the declared order (events of interest,
then competing ones). A partial date counts as its first possible day from the origin on. A time that would be
negative is null with a note, unless the scenario reads such an event otherwise (``early_event``, ``early_free``). A
patient whose censoring milestone is missing or before the origin is censored at
the origin, unless that milestone is the last known alive date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from trialpipe.config.outcomes import Outcome, StateAtHorizon, TimeToEvent
from trialpipe.config.protocol import Protocol
from trialpipe.config.scenarios import endpoint_scenarios
from trialpipe.derive import days, intercurrent, state
from trialpipe.derive.events import with_events
from trialpipe.derive.order import first
from trialpipe.derive.subjects import LAST_ALIVE, Moment, Subject, milestone_label, subjects
from trialpipe.io.contracts import ADTTE

EVENT, CENSORED, COMPETING = 0, 1, 2
LOST = "lost_before_horizon"
"""EVENT of patients whom a worst or best case gives the event when they are lost."""


@dataclass(frozen=True)
class Time:
    """One time to event in day numbers. ``cnsr`` None: no time, the note says why."""

    origin: int | None
    end: int | None
    cnsr: int | None
    milestone: str | None
    text: str | None
    entry: float | None = 0.0
    flag: str | None = None
    notes: tuple[str, ...] = ()


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """ADTTE: a row per patient of ADSL, outcome and scenario.

    Holds outcomes with a time_to_event endpoint on ``dataset`` and the time-to-event view of every
    state_at_horizon endpoint. Raises UndeclaredIntercurrentEvent.
    """
    people = intercurrent.occurred(with_events(subjects(derived["adsl"], protocol), protocol, derived), protocol)
    rows: list[dict[str, object]] = []
    for outcome in outcomes:
        for scenario, changed in endpoint_scenarios(outcome):
            if isinstance(changed.endpoint, StateAtHorizon):
                times = _of_states(changed, scenario, protocol, people)
            elif isinstance(changed.endpoint, TimeToEvent) and changed.endpoint.dataset == dataset:
                times = _of_events(changed, scenario, protocol, people)
            else:
                continue
            rows += [_row(dataset, changed, scenario, subject, time) for subject, time in times]
    return days.frame(rows, ADTTE)


def _of_events(
    outcome: Outcome, scenario: str, protocol: Protocol, people: list[Subject]
) -> list[tuple[Subject, Time]]:
    endpoint = outcome.endpoint
    assert isinstance(endpoint, TimeToEvent)
    strategies = intercurrent.applied(outcome, protocol)
    times = [(subject, event_time(subject, endpoint, protocol, strategies)) for subject in people]
    plain = [(subject, event_time(subject, endpoint, protocol, [])) for subject in people]
    at_risk = [(s, t.origin, t.end) for s, t in plain if t.cnsr is not None]
    intercurrent.check_declared(outcome, scenario, protocol, at_risk)  # type: ignore[arg-type]
    return times


def event_time(subject: Subject, endpoint: TimeToEvent, protocol: Protocol, strategies: list[tuple[str, str]]) -> Time:
    """Time to event of one patient; ``strategies`` are (milestone, strategy) of intercurrent events."""
    origin = subject.exact_day(endpoint.origin)
    if origin is None:
        missing = "is partial" if subject.moment(endpoint.origin) else "did not happen"
        note = f"{milestone_label(protocol, endpoint.origin)} {missing}"
        return Time(None, None, None, None, None, entry=None, notes=(note,))
    composite = [milestone for milestone, strategy in strategies if strategy == "composite_failure"]
    codes: dict[str, int] = dict.fromkeys([*endpoint.event, *composite], EVENT)
    for place, milestone in enumerate(endpoint.competing):
        codes.setdefault(milestone, COMPETING + place)
    found = [m for m in map(subject.moment, codes) if m is not None]
    ignored = set(composite)  # such an event before the origin is no event during follow-up
    early = [m for m in found if m.high < origin and m.milestone not in ignored]
    read: tuple[str, ...] = ()
    if early:
        what, start = (milestone_label(protocol, name) for name in (early[0].milestone, endpoint.origin))
        note = f"{what} {origin - early[0].high} day(s) before {start}"
        if _member(subject, endpoint.early_event):
            found = [first(early)[0]._replace(low=origin, high=origin, time=None, flag=None)]
            read = (f"{note}: read as on its day",)
        elif _member(subject, endpoint.early_free):
            found = [m for m in found if m not in early]
            read = (f"{note}: disregarded",)
        else:
            return _void(origin, note)
    found = [_from_origin(m, origin) for m in found if m.high >= origin]
    time = _first_event(found, codes, origin, endpoint, protocol)
    if time is None:
        time = _censored(subject, origin, endpoint, protocol, bool(read))
    time = _stopped(time, subject, [m for m, s in strategies if s in ("hypothetical", "while_on_treatment")], protocol)
    time = _lost(_at_horizon(time, endpoint), subject, endpoint)
    time = _entered(time, subject, endpoint)
    told = [f"{code}: {subject.notes[code]}" for code in codes if code in subject.notes]
    return replace(time, notes=(*read, *time.notes, *told))


def _member(subject: Subject, populations: tuple[str, ...]) -> bool:
    return any(subject.flags.get(population) for population in populations)


def _from_origin(moment: Moment, origin: int) -> Moment:
    """Bounds of a partial date start at the origin: the patient was at risk then."""
    return moment if moment.exact else moment._replace(low=moment.earliest(origin))


def _first_event(
    found: list[Moment], codes: Mapping[str, int], origin: int, endpoint: TimeToEvent, protocol: Protocol
) -> Time | None:
    if not found:
        return None
    winner, notes = first(found)
    if winner.flag is not None:
        notes = [*notes, f"date of {winner.milestone} partial: first possible day"]
    label = endpoint.labels.get(winner.milestone) or milestone_label(protocol, winner.milestone)
    end = winner.earliest(origin)
    return Time(origin, end, codes[winner.milestone], winner.milestone, label, flag=winner.flag, notes=tuple(notes))


def _censored(subject: Subject, origin: int, endpoint: TimeToEvent, protocol: Protocol, disregarded: bool) -> Time:
    """``disregarded``: an event before the origin is read as a wrong date, so the patient was alive at the origin."""
    label = milestone_label(protocol, endpoint.censor)
    moment = subject.moment(endpoint.censor)
    if moment is not None and moment.earliest(origin) >= origin:
        notes = () if moment.exact else (f"date of {endpoint.censor} partial: first possible day",)
        end = moment.earliest(origin)
        return Time(origin, end, CENSORED, None, f"Censored: {label}", flag=moment.flag, notes=notes)
    what = "is missing" if moment is None else "is before the origin"
    if endpoint.censor == LAST_ALIVE and not disregarded:
        return _void(origin, f"{label} {what}")
    return Time(origin, origin, CENSORED, None, f"Censored: {label}", notes=(f"{label} {what}: censored at origin",))


def _stopped(time: Time, subject: Subject, milestones: list[str], protocol: Protocol) -> Time:
    """Censored at the first intercurrent event before the end; one on the day of an event leaves the event."""
    for milestone in milestones:
        moment = subject.moment(milestone)
        if moment is None or time.cnsr is None or time.origin is None or time.end is None:
            continue
        day = moment.earliest(time.origin)
        if time.origin <= day < time.end:
            text = f"Censored: {milestone_label(protocol, milestone)}"
            time = replace(time, end=day, cnsr=CENSORED, milestone=None, text=text, flag=moment.flag)
    return time


def _at_horizon(time: Time, endpoint: TimeToEvent) -> Time:
    if endpoint.horizon is None or time.cnsr is None or time.origin is None or time.end is None:
        return time
    if time.end - time.origin <= endpoint.horizon:
        return time
    text = f"Censored: horizon of {endpoint.horizon} days"
    end = time.origin + endpoint.horizon
    return replace(time, end=end, cnsr=CENSORED, milestone=None, text=text, flag=None, notes=())


def _lost(time: Time, subject: Subject, endpoint: TimeToEvent) -> Time:
    """Worst and best case: one censored before the horizon has the event on that day, or none up to the horizon."""
    if endpoint.horizon is None or time.cnsr != CENSORED or time.origin is None or time.end is None:
        return time
    if time.end - time.origin >= endpoint.horizon:
        return time
    if _member(subject, endpoint.lost_event):
        return replace(time, cnsr=EVENT, milestone=LOST, text="Lost before the horizon: event assumed")
    if _member(subject, endpoint.lost_free):
        text = "Lost before the horizon: assumed free of the event"
        return replace(time, end=time.origin + endpoint.horizon, text=text, flag=None)
    return time


def _entered(time: Time, subject: Subject, endpoint: TimeToEvent) -> Time:
    """Left truncation: at risk only from ``entry`` on; a time that ends by then was never at risk."""
    if endpoint.entry is None or time.cnsr is None or time.origin is None or time.end is None:
        return time
    moment = subject.moment(endpoint.entry)
    if moment is None:
        return _void(time.origin, f"{endpoint.entry} did not happen: never at risk")
    entry = max(moment.high - time.origin, 0)
    if entry > 0 and time.end - time.origin <= entry:
        return _void(time.origin, f"ended on day {time.end - time.origin}, not after {endpoint.entry} on day {entry}")
    notes = time.notes if moment.exact else (*time.notes, f"date of {endpoint.entry} partial: last possible day")
    return replace(time, entry=float(entry), notes=notes)


def _void(origin: int, note: str) -> Time:
    return Time(origin, None, None, None, None, entry=None, notes=(note,))


def _of_states(
    outcome: Outcome, scenario: str, protocol: Protocol, people: list[Subject]
) -> list[tuple[Subject, Time]]:
    endpoint = outcome.endpoint
    assert isinstance(endpoint, StateAtHorizon)
    decided = state.decisions(outcome, scenario, protocol, people)
    return [(subject, state_time(decision, endpoint, protocol)) for subject, decision in decided]


def state_time(decision: state.Decision, endpoint: StateAtHorizon, protocol: Protocol) -> Time:
    """Time-to-event view of a decided state: death is the event, the terminal milestone competes."""
    origin, last, notes = decision.origin, decision.last, decision.notes
    if origin is None or last is None or last < origin:
        return Time(origin, None, None, None, None, entry=None, notes=notes)
    if decision.failed is not None:
        event = decision.failed
        label = milestone_label(protocol, event.milestone)
        return Time(origin, event.earliest(origin), EVENT, event.milestone, label, flag=event.flag, notes=notes)
    if decision.stopped is not None:
        text = f"Censored: {milestone_label(protocol, decision.stopped.milestone)}"
        return Time(origin, decision.stopped.earliest(origin), CENSORED, None, text, notes=notes)
    if decision.moment is not None and decision.state in (state.DEAD, state.REACHED):
        cnsr = EVENT if decision.state == state.DEAD else COMPETING
        label = endpoint.labels.get(decision.state) or milestone_label(protocol, decision.moment.milestone)  # type: ignore[call-overload]
        return Time(origin, last, cnsr, decision.moment.milestone, label, flag=decision.moment.flag, notes=notes)
    if last - origin >= endpoint.horizon:
        text = f"Censored: horizon of {endpoint.horizon} days"
    else:
        text = f"Censored: {milestone_label(protocol, LAST_ALIVE)}"
    return Time(origin, last, CENSORED, None, text, notes=notes)


def _row(dataset: str, outcome: Outcome, scenario: str, subject: Subject, time: Time) -> dict[str, object]:
    known = time.cnsr is not None and time.end is not None and time.origin is not None
    return {
        "row_id": f"{dataset}:{subject.usubjid}/{outcome.paramcd}/{scenario}",
        "USUBJID": subject.usubjid,
        "PARAMCD": outcome.paramcd,
        "PARAM": outcome.title,
        "SCENARIO": scenario,
        "STARTDT": days.date(time.origin),
        "ADT": days.date(time.end if known else None),
        "AVAL": float(time.end - time.origin) if known else None,  # type: ignore[operator]
        "ENTRY": time.entry if known else None,
        "CNSR": time.cnsr,
        "EVENT": time.milestone,
        "EVNTDESC": time.text,
        "ADTF": time.flag if known else None,
        "NOTE": days.joined(time.notes),
        "from": [subject.row_id, *(row for name, row in subject.rows.items() if name == time.milestone)],
    }
