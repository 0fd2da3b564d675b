"""Intercurrent events (ICH E9(R1)) of a patient's time at risk, and the check that each has a strategy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from trialpipe.config.estimands import own_milestones
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import IntercurrentEvent, Protocol
from trialpipe.derive.errors import UndeclaredIntercurrentEvent, config_error
from trialpipe.derive.subjects import Moment, Subject

IGNORED = ("treatment_policy", "terminal_by_definition", "while_alive")


def during(moment: Moment | None, start: int, end: int) -> bool:
    """True if the moment may lie in [start, end] (day numbers, both included)."""
    return moment is not None and moment.high >= start and (moment.low is None or moment.low <= end)


def occurred(people: list[Subject], protocol: Protocol) -> list[Subject]:
    """The patients with a moment, under its id, of every intercurrent event that is not simply a milestone."""
    own = [event for event in protocol.intercurrent_events if event.moment == event.id]
    found = []
    for subject in people:
        dated = {event.id: moment for event in own if (moment := _moment(event, subject)) is not None}
        found.append(replace(subject, moments={**subject.moments, **dated}) if dated else subject)
    return found


def _moment(event: IntercurrentEvent, subject: Subject) -> Moment | None:
    """The patient's moment of an event; None if it did not happen."""
    if event.population is not None and not subject.flags.get(event.population):
        return None
    if event.absent is not None and subject.moment(event.absent) is not None:
        return None
    moment = subject.moment(event.milestone or event.at or "")
    if moment is None or (event.stop is not None and _as_planned(event, moment, subject)):
        return None
    return moment._replace(milestone=event.id)


def _as_planned(event: IntercurrentEvent, last: Moment, subject: Subject) -> bool:
    """Whether the last administration is on its planned day or later, or something explains it.

    A partial date is read as late as it may be, so that no stop is claimed that may be none.
    """
    stop = event.stop
    assert stop is not None
    first = subject.moment(stop.start)
    if first is None or last.high - (first.high if first.low is None else first.low) + 1 >= stop.planned:
        return True
    reasons = [moment for moment in map(subject.moment, stop.unless) if moment is not None]
    return any(moment.low is None or moment.low <= last.high + stop.grace for moment in reasons)


def check_declared(
    outcome: Outcome, scenario: str, protocol: Protocol, at_risk: Iterable[tuple[Subject, int, int]]
) -> None:
    """Raise UndeclaredIntercurrentEvent for the first event that occurs at risk and has no strategy.

    ``at_risk`` holds (subject, first day, last day). Only patients of the estimand's population count. A
    milestone that is itself part of the endpoint (event, competing, terminal) is declared by the endpoint.
    """
    own = own_milestones(outcome, protocol)
    intervals = list(at_risk)
    for event in protocol.intercurrent_events:
        if event.id in outcome.estimand.intercurrent or event.moment in own:
            continue
        patients = sum(
            during(subject.moment(event.moment), start, end)
            for subject, start, end in intervals
            if subject.flags.get(outcome.estimand.population, True)
        )
        if patients:
            raise UndeclaredIntercurrentEvent(outcome.id, scenario, event.id, patients)


def applied(outcome: Outcome, protocol: Protocol) -> list[tuple[str, str]]:
    """(milestone, strategy) of every declared strategy that changes what is derived, in protocol order.

    Raises DataError for a strategy that cannot be derived from one patient's dates.
    """
    found: list[tuple[str, str]] = []
    for event in protocol.intercurrent_events:
        strategy = outcome.estimand.intercurrent.get(event.id)
        if strategy is None or strategy in IGNORED:
            continue
        if strategy == "principal_stratum":
            raise config_error(
                f"outcome {outcome.id} estimand.intercurrent.{event.id}",
                strategy,
                "is not derived from data",
                "define the stratum as a population and use treatment_policy",
            )
        found.append((event.moment, strategy))
    return found
