"""ADICE: which intercurrent events a patient had while at risk of each outcome, beside the declared strategy.

At risk is, of a time or state, from its origin to the day that decides it; of an outcome with a dataset of times, from
their origin to their last end; of adverse events, their windows; of values at visits, from the trial's origin to the
end of the last window of the visits, or to the last known alive date if no visit is named. Nobody is at risk after
death or, without it, after the last known alive date.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from trialpipe.config import estimands
from trialpipe.config.outcomes import Outcome, SofaResponse, StateAtHorizon, TimeToEvent
from trialpipe.config.protocol import IntercurrentEvent, Protocol
from trialpipe.derive import adverse_events, days, sofa_response, state, tte, windows
from trialpipe.derive.errors import UndeclaredIntercurrentEvent
from trialpipe.derive.events import with_events
from trialpipe.derive.intercurrent import applied, during, occurred
from trialpipe.derive.milestones import cutoff_day
from trialpipe.derive.subjects import Subject, subjects
from trialpipe.io.contracts import ADICE

ENDPOINT = "part_of_endpoint"
"""STRATEGY of an event without a declared one that is itself part of the endpoint."""
Interval = tuple[int, int]
Derived = Mapping[str, pd.DataFrame]


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Derived,
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """ADICE: a row per patient of ADSL, outcome and event that is declared for it or part of its endpoint.

    Raises UndeclaredIntercurrentEvent for one that occurs in the estimand's population and is neither.
    """
    given = tuple(event for event in protocol.derived_events if event.dataset in derived)
    protocol = protocol.model_copy(update={"derived_events": given})
    people = occurred(with_events(subjects(derived["adsl"], protocol), protocol, derived), protocol)
    rows: list[dict[str, object]] = []
    for outcome in outcomes:
        applied(outcome, protocol)
        spans = at_risk(outcome, protocol, people, derived)
        own = estimands.own_milestones(outcome, protocol)
        for event in protocol.intercurrent_events:
            strategy = outcome.estimand.intercurrent.get(event.id) or (ENDPOINT if event.moment in own else None)
            found = [(subject, spans.get(subject.usubjid)) for subject in people]
            if strategy is None:
                _refuse(outcome, event, found)
                continue
            rows += [_row(dataset, outcome, event, strategy, subject, span) for subject, span in found]
    return days.frame(rows, ADICE)


def _refuse(outcome: Outcome, event: IntercurrentEvent, found: list[tuple[Subject, Interval | None]]) -> None:
    """Raise UndeclaredIntercurrentEvent if a patient of the estimand's population has the event at risk."""
    patients = sum(
        span is not None and during(subject.moment(event.moment), *span)
        for subject, span in found
        if subject.flags.get(outcome.estimand.population, True)
    )
    if patients:
        raise UndeclaredIntercurrentEvent(outcome.id, "primary", event.id, patients)


def at_risk(outcome: Outcome, protocol: Protocol, people: list[Subject], derived: Derived) -> dict[str, Interval]:
    """First and last day at risk of each patient who is; see the module."""
    kind = outcome.endpoint.kind
    if kind in estimands.OWN_TIMES:
        spans = _of_rows(outcome, people, protocol, derived[outcome.endpoint.dataset])
    else:
        spans = {}
        method = _METHODS.get(kind, _of_visits)
        for subject in people:
            span = method(outcome, subject, protocol)
            if span is not None:
                spans[subject.usubjid] = span
    own_end = (*estimands.IN_TIME, *estimands.OWN_TIMES)
    return spans if kind in own_end else _until_death(spans, people)


def _until_death(spans: dict[str, Interval], people: list[Subject]) -> dict[str, Interval]:
    found = {}
    for subject in people:
        if subject.usubjid in spans:
            start, end = spans[subject.usubjid]
            death = subject.moment("death")
            last = death.high if death is not None else subject.last_alive
            end = end if last is None else min(end, last)
            if end >= start:
                found[subject.usubjid] = (start, end)
    return found


def _of_state(outcome: Outcome, subject: Subject, protocol: Protocol) -> Interval | None:
    assert isinstance(outcome.endpoint, StateAtHorizon)
    decision = state.decide(subject, outcome.endpoint, protocol, cutoff_day(protocol))
    return _span(decision.origin, decision.last)


def _of_time(outcome: Outcome, subject: Subject, protocol: Protocol) -> Interval | None:
    assert isinstance(outcome.endpoint, TimeToEvent)
    time = tte.event_time(subject, outcome.endpoint, protocol, [])
    return None if time.cnsr is None else _span(time.origin, time.end)


def _of_sofa(outcome: Outcome, subject: Subject, protocol: Protocol) -> Interval | None:
    """Origin to the visit's day, or to an earlier death."""
    endpoint = outcome.endpoint
    assert isinstance(endpoint, SofaResponse)
    visit = sofa_response.visit_of(endpoint, protocol, outcome.id)
    decision = sofa_response.decide(subject, endpoint, visit, None, protocol)
    return _span(subject.exact_day(endpoint.origin), decision.day)


def _of_windows(outcome: Outcome, subject: Subject, protocol: Protocol) -> Interval | None:
    """From the first to the last day of the windows that the analyses count in."""
    found = []
    for window in estimands.windows(outcome, protocol):
        bounds = adverse_events.bounds(window, subject)
        if bounds is not None:
            found.append(bounds)
    if not found:
        return None
    ends = [last for _, last in found]
    last = subject.last_alive if None in ends else max(end for end in ends if end is not None)
    return _span(min(first for first, _ in found), last)


def _of_visits(outcome: Outcome, subject: Subject, protocol: Protocol) -> Interval | None:
    """From the trial's origin to the last day of the last window that can be dated."""
    zero = windows.origin_day(subject, protocol)
    named = estimands.visits(outcome, protocol)
    if zero is None or not named:
        return _span(zero, subject.last_alive)
    ends = [zero]
    for visit in named:
        start = subject.exact_day(visit.anchor) if visit.anchor else zero - protocol.time.first_day
        if start is not None:
            ends.append(start + visit.bounds[1])
    return _span(zero, max(ends))


def _of_rows(outcome: Outcome, people: list[Subject], protocol: Protocol, frame: pd.DataFrame) -> dict[str, Interval]:
    """First origin and last end of the patient's rows in a dataset of times."""
    if outcome.endpoint.kind == "response_time":
        return _of_response(outcome, people, protocol, frame)
    if "SCENARIO" in frame.columns:
        frame = frame[(frame["PARAMCD"] == outcome.paramcd) & (frame["SCENARIO"] == "primary")]
    found: dict[str, Interval] = {}
    known = frame[frame["CNSR"].notna()]
    starts, ends = days.days(known["STARTDT"]), days.days(known["ADT"])
    for usubjid, start, end in zip(known["USUBJID"], starts, ends, strict=True):
        if start is not None and end is not None:
            first, last = found.get(usubjid, (start, end))
            found[usubjid] = (min(first, start), max(last, end))
    return found


def _of_response(
    outcome: Outcome, people: list[Subject], protocol: Protocol, frame: pd.DataFrame
) -> dict[str, Interval]:
    """From the trial's origin to the visit that ends the longest time to a response that the analyses look at."""
    wanted = {
        (str(getattr(a, "rule_set", None)), str(getattr(a, "level", None)))
        for a in outcome.analyses
        if getattr(a, "level", None)
    }
    longest: dict[str, float] = {}
    columns = zip(frame["USUBJID"], frame["RULESET"], frame["LEVEL"], days.numbers(frame["TIME"]), strict=True)
    for usubjid, rule_set, level, time in columns:
        if time is not None and (rule_set, level) in wanted:
            longest[usubjid] = max(time, longest.get(usubjid, time))
    found = {}
    for subject in people:
        zero = windows.origin_day(subject, protocol)
        if zero is not None and subject.usubjid in longest:
            found[subject.usubjid] = (zero, zero + int(longest[subject.usubjid]))
    return found


def _span(start: int | None, end: int | None) -> Interval | None:
    return None if start is None or end is None or end < start else (start, end)


def _row(
    dataset: str,
    outcome: Outcome,
    event: IntercurrentEvent,
    strategy: str,
    subject: Subject,
    span: Interval | None,
) -> dict[str, object]:
    moment = subject.moment(event.moment)
    hit = span is not None and during(moment, *span)
    day = moment.earliest(span[0]) if hit and moment is not None and span is not None else None
    sources = [row for name, row in subject.rows.items() if name == event.moment]
    return {
        "row_id": f"{dataset}:{subject.usubjid}/{outcome.id}/{event.id}",
        "USUBJID": subject.usubjid,
        "OUTCOME": outcome.id,
        "ICE": event.id,
        "ICELABEL": event.label,
        "STRATEGY": strategy,
        "STARTDT": days.date(span[0] if span else None),
        "ENDDT": days.date(span[1] if span else None),
        "OCCURFL": None if span is None else "Y" if hit else "N",
        "ADT": days.date(day),
        "AVAL": None if day is None or span is None else float(day - span[0]),
        "ADTF": moment.flag if hit and moment is not None else None,
        "NOTE": "not at risk of the outcome" if span is None else None,
        "from": [subject.row_id, *sources],
    }


_METHODS: dict[str, Callable[[Outcome, Subject, Protocol], Interval | None]] = {
    "state_at_horizon": _of_state,
    "time_to_event": _of_time,
    "sofa_response": _of_sofa,
    "adverse_events": _of_windows,
}
"""Endpoint kind to how its time at risk is found; values at visits otherwise."""
