"""ADEFF: state at the earlier of a terminal milestone and the horizon, per scenario.

Rules: a milestone on the horizon day counts; a death on it is a death; death before the terminal milestone of the
same day (by clock time) is a death, after it ``reached``; without times it is read as ``unordered`` says. A partial
terminal date counts as its last possible day, a partial date of death as its first. A patient without an event whose
horizon lies after the data cut-off is undetermined, not lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from trialpipe.config.outcomes import Outcome, StateAtHorizon
from trialpipe.config.protocol import Protocol
from trialpipe.config.scenarios import endpoint_scenarios
from trialpipe.derive import days, intercurrent
from trialpipe.derive.milestones import cutoff_day
from trialpipe.derive.order import Order, compare
from trialpipe.derive.subjects import Moment, Subject, milestone_label, subjects
from trialpipe.io.contracts import ADEFF

REACHED, ALIVE, DEAD, LOST = "reached", "alive", "dead", "lost"


@dataclass(frozen=True)
class Decision:
    """How a patient's state was decided. ``last`` is the last day at risk; ``state`` None: undetermined.

    ``failed``: the intercurrent event that makes it a failure; ``stopped``: the one after which nothing counts.
    """

    state: str | None
    origin: int | None
    last: int | None
    moment: Moment | None = None
    notes: tuple[str, ...] = ()
    failed: Moment | None = None
    stopped: Moment | None = None
    counted: bool = True


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """ADEFF: a row per patient of ADSL, outcome with ``endpoint.dataset`` = ``dataset``, and scenario.

    Raises UndeclaredIntercurrentEvent.
    """
    people = intercurrent.occurred(subjects(derived["adsl"], protocol), protocol)
    rows: list[dict[str, object]] = []
    for outcome in outcomes:
        if not isinstance(outcome.endpoint, StateAtHorizon) or outcome.endpoint.dataset != dataset:
            continue
        for scenario, changed in endpoint_scenarios(outcome):
            for subject, decision in decisions(changed, scenario, protocol, people):
                rows.append(_row(dataset, changed, scenario, subject, decision))
    return days.frame(rows, ADEFF)


def decisions(
    outcome: Outcome, scenario: str, protocol: Protocol, people: list[Subject]
) -> list[tuple[Subject, Decision]]:
    """The decided state of every patient, strategies for intercurrent events applied.

    Raises UndeclaredIntercurrentEvent.
    """
    endpoint = outcome.endpoint
    assert isinstance(endpoint, StateAtHorizon)
    cutoff = cutoff_day(protocol)
    decided = [(subject, decide(subject, endpoint, protocol, cutoff)) for subject in people]
    at_risk = [(s, d.origin, d.last) for s, d in decided if d.origin is not None and d.last is not None]
    intercurrent.check_declared(outcome, scenario, protocol, at_risk)
    strategies = intercurrent.applied(outcome, protocol)
    return [(subject, _with_strategies(decision, subject, strategies)) for subject, decision in decided]


def decide(subject: Subject, endpoint: StateAtHorizon, protocol: Protocol, cutoff: int) -> Decision:
    """State of one patient before any strategy for intercurrent events."""
    origin = subject.exact_day(endpoint.origin)
    if origin is None:
        missing = "is partial" if subject.moment(endpoint.origin) else "did not happen"
        return Decision(None, None, None, notes=(f"{milestone_label(protocol, endpoint.origin)} {missing}",))
    deadline = origin + endpoint.horizon
    notes: list[str] = []
    death = subject.moment(endpoint.death)
    terminal = subject.moment(endpoint.terminal) if endpoint.terminal else None
    if terminal is not None and terminal.high < origin:
        notes.append(f"{terminal.milestone} before {endpoint.origin} not counted")
        terminal = None
    if terminal is not None and _terminal_first(terminal, death, endpoint, notes) and terminal.high <= deadline:
        if not terminal.exact:
            notes.append(f"date of {terminal.milestone} partial: last possible day")
        return Decision(REACHED, origin, terminal.high, terminal, tuple(notes))
    if death is not None and death.earliest(_floor(origin, terminal, death)) <= deadline:
        return _dead(death, terminal, origin, notes)
    return _event_free(subject, death, terminal, origin, deadline, cutoff, notes)


def _terminal_first(terminal: Moment, death: Moment | None, endpoint: StateAtHorizon, notes: list[str]) -> bool:
    if death is None:
        return True
    order = compare(terminal, death)
    if order is Order.UNKNOWN and not terminal.exact:
        return True  # it is recorded, so it was before death
    if order is Order.UNKNOWN:
        before = "death" if endpoint.unordered == "death" else terminal.milestone
        notes.append(f"death and {terminal.milestone} on the same day without times: read as {before} before")
        return endpoint.unordered == "terminal"
    if order is Order.AFTER and terminal.low != death.high:
        notes.append(f"{terminal.milestone} is dated after death")
    return order is Order.BEFORE


def _floor(origin: int, terminal: Moment | None, death: Moment) -> int:
    """A partial death is not before the origin, nor before a terminal milestone that is recorded."""
    if terminal is not None and terminal.low is not None and terminal.low <= death.high:
        return max(origin, terminal.low)
    return origin


def _dead(death: Moment, terminal: Moment | None, origin: int, notes: list[str]) -> Decision:
    day = death.high if death.exact else death.earliest(_floor(origin, terminal, death))
    if not death.exact:
        notes.append("date of death partial: first possible day")
    if day < origin:
        notes.append(f"death {origin - day} day(s) before the origin")
    return Decision(DEAD, origin, day, death, tuple(notes))


def _event_free(
    subject: Subject,
    death: Moment | None,
    terminal: Moment | None,
    origin: int,
    deadline: int,
    cutoff: int,
    notes: list[str],
) -> Decision:
    """Neither event by the deadline: alive at it if seen later, undetermined if the data end earlier, else lost."""
    seen = [subject.last_alive] + [m.high for m in (death, terminal) if m is not None]
    last = max((day for day in seen if day is not None), default=origin)
    if terminal is not None and terminal.low is not None and terminal.low <= deadline < terminal.high:
        notes.append(f"date of {terminal.milestone} partial: read as after the horizon")
    if last >= deadline:
        return Decision(ALIVE, origin, deadline, None, tuple(notes))
    if last < origin:
        notes.append("last known alive before the origin")
        last = origin
    if deadline > cutoff:
        notes.append(f"horizon {days.iso(deadline)} is after the data cut-off")
        return Decision(None, origin, last, None, tuple(notes))
    return Decision(LOST, origin, last, None, tuple(notes))


def _with_strategies(decision: Decision, subject: Subject, strategies: list[tuple[str, str]]) -> Decision:
    if decision.origin is None or decision.last is None:
        return decision
    for milestone, strategy in strategies:
        event = subject.moment(milestone)
        if event is None or not _before_decision(event, decision):
            continue
        day = event.earliest(decision.origin)
        note = f"{milestone} on day {day - decision.origin}: {strategy.replace('_', ' ')}"
        notes = (*decision.notes, note)
        if strategy == "composite_failure":
            failed = min((m for m in (decision.failed, event) if m is not None), key=lambda m: m.high)
            decision = replace(decision, notes=notes, failed=failed)
        elif strategy == "hypothetical":
            decision = replace(decision, notes=notes, stopped=event, counted=False)
        elif strategy == "while_on_treatment":
            decision = replace(decision, notes=notes, stopped=event, state=ALIVE, last=day, moment=None)
    return decision


def _before_decision(event: Moment, decision: Decision) -> bool:
    """From the origin up to the deciding day; of that day unless it is known to be later."""
    assert decision.origin is not None
    assert decision.last is not None
    if not intercurrent.during(event, decision.origin, decision.last):
        return False
    return decision.moment is None or not decision.moment.exact or compare(event, decision.moment) is not Order.AFTER


def _success(outcome: Outcome, decision: Decision) -> float | None:
    endpoint = outcome.endpoint
    assert isinstance(endpoint, StateAtHorizon)
    if decision.state is None or not decision.counted:
        return None
    if decision.failed is not None:
        return 0.0
    if decision.state == LOST:
        return {"failure": 0.0, "success": 1.0, "exclude": None}[endpoint.lost]
    return 1.0 if decision.state in endpoint.success else 0.0


def _row(dataset: str, outcome: Outcome, scenario: str, subject: Subject, decision: Decision) -> dict[str, object]:
    decided = decision.state is not None and decision.last is not None and decision.origin is not None
    elapsed = decision.last - decision.origin if decided else None  # type: ignore[operator]
    return {
        "row_id": f"{dataset}:{subject.usubjid}/{outcome.paramcd}/{scenario}",
        "USUBJID": subject.usubjid,
        "PARAMCD": outcome.paramcd,
        "PARAM": outcome.title,
        "SCENARIO": scenario,
        "AVALC": decision.state,
        "AVAL": _success(outcome, decision),
        "ADT": days.date(decision.last if decided else None),
        "ATIME": None if elapsed is None or elapsed < 0 else float(elapsed),
        "NOTE": days.joined(decision.notes),
        "from": [subject.row_id],
    }
