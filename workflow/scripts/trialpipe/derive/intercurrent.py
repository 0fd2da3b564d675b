"""Intercurrent events (ICH E9(R1)) of a patient's time at risk, and the check that each has a strategy."""

from __future__ import annotations

from collections.abc import Iterable

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive.errors import UndeclaredIntercurrentEvent, config_error
from trialpipe.derive.subjects import Moment, Subject

IGNORED = ("treatment_policy", "terminal_by_definition")


def during(moment: Moment | None, start: int, end: int) -> bool:
    """True if the moment may lie in [start, end] (day numbers, both included)."""
    return moment is not None and moment.high >= start and (moment.low is None or moment.low <= end)


def check_declared(
    outcome: Outcome, scenario: str, protocol: Protocol, at_risk: Iterable[tuple[Subject, int, int]]
) -> None:
    """Raise UndeclaredIntercurrentEvent for the first event that occurs at risk and has no strategy.

    ``at_risk`` holds (subject, first day, last day). Only patients of the estimand's population count. A
    milestone that is itself part of the endpoint (event, competing, terminal) is declared by the endpoint.
    """
    own = _endpoint_milestones(outcome)
    intervals = list(at_risk)
    for event in protocol.intercurrent_events:
        if event.id in outcome.estimand.intercurrent or event.milestone in own:
            continue
        patients = sum(
            during(subject.moment(event.milestone), start, end)
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
        found.append((event.milestone, strategy))
    return found


def _endpoint_milestones(outcome: Outcome) -> set[str]:
    endpoint = outcome.endpoint
    if endpoint.kind == "state_at_horizon":
        return {endpoint.death, *([endpoint.terminal] if endpoint.terminal else [])}
    if endpoint.kind == "time_to_event":
        return {*endpoint.event, *endpoint.competing}
    if endpoint.kind == "sofa_response":
        return {endpoint.death}
    return set()
