"""ADEFF of a fall in the organ failure score: alive at a visit with a score at least so much below baseline.

Death up to the visit's day is ``dead`` whatever the score; a partial date of death counts as its first possible day.
Without a score at the visit or at baseline the state is ``missing``. A visit after the data cut-off leaves the patient
undetermined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from trialpipe.config.icu import SofaDataset, SofaResponseDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.outcomes import SofaResponse as Endpoint
from trialpipe.config.protocol import Protocol, Visit
from trialpipe.config.scenarios import endpoint_scenarios
from trialpipe.derive import days, intercurrent, windows
from trialpipe.derive.errors import config_error
from trialpipe.derive.milestones import cutoff_day
from trialpipe.derive.subjects import Moment, Subject, milestone_label, subjects
from trialpipe.io.contracts import ADEFF, Column, Contract

CONTRACT: Contract = ADEFF.with_columns(
    Column("BASE", "float", "Score at baseline"),
    Column("SCORE", "float", "Score at the visit"),
    Column("CHG", "float", "Score at the visit minus baseline"),
)
SUCCESS, NO_DECREASE, DEAD, MISSING = "success", "no_decrease", "dead", "missing"


class Scored(NamedTuple):
    """Score of one patient at the visit."""

    value: float | None
    base: float | None
    row_id: str
    fill: str | None


class Decision(NamedTuple):
    """``state`` None: undetermined. ``day``: the day that decided it."""

    state: str | None
    day: int | None = None
    notes: tuple[str, ...] = ()
    failed: bool = False


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """Rows of CONTRACT: per patient of ADSL, outcome with a sofa_response endpoint of this dataset, and scenario.

    Raises DataError for a visit or parameter the score does not have; UndeclaredIntercurrentEvent.
    """
    spec, _ = _source(dataset, protocol)
    people = intercurrent.occurred(subjects(derived["adsl"], protocol), protocol)
    rows: list[dict[str, object]] = []
    for outcome in outcomes:
        if not isinstance(outcome.endpoint, Endpoint) or outcome.endpoint.dataset != dataset:
            continue
        for scenario, changed in endpoint_scenarios(outcome):
            endpoint = changed.endpoint
            assert isinstance(endpoint, Endpoint)
            visit = visit_of(endpoint, protocol, changed.id)
            scores = _scores(derived[spec.source], endpoint, changed.id)
            decided = [(s, decide(s, endpoint, visit, scores.get(s.usubjid), protocol)) for s in people]
            rows += [
                _row(dataset, changed, scenario, subject, decision, scores.get(subject.usubjid))
                for subject, decision in _with_strategies(decided, changed, scenario, protocol)
            ]
    return days.frame(rows, CONTRACT)


def decide(subject: Subject, endpoint: Endpoint, visit: Visit, score: Scored | None, protocol: Protocol) -> Decision:
    """State of one patient before any strategy for intercurrent events."""
    origin, zero = subject.exact_day(endpoint.origin), windows.origin_day(subject, protocol)
    if origin is None or zero is None:
        name = endpoint.origin if origin is None else protocol.time.origin
        missing = "is partial" if subject.moment(name) else "did not happen"
        return Decision(None, notes=(f"{milestone_label(protocol, name)} {missing}",))
    target = zero + visit.day - protocol.time.first_day
    death = subject.moment(endpoint.death)
    if death is not None and death.earliest(origin) <= target:
        notes = () if death.exact else ("date of death partial: first possible day",)
        return Decision(DEAD, death.earliest(origin), notes)
    if target > cutoff_day(protocol):
        return Decision(None, notes=(f"{visit.label} {days.iso(target)} is after the data cut-off",))
    value, base = (None, None) if score is None else (score.value, score.base)
    if value is None or base is None:
        absent = [name for name, found in ((visit.label, value), ("baseline", base)) if found is None]
        return Decision(MISSING, target, (f"no score at {' and at '.join(absent)}",))
    notes = (f"filled: {score.fill}",) if score is not None and score.fill else ()
    return Decision(SUCCESS if value <= base - endpoint.decrease else NO_DECREASE, target, notes)


def _source(dataset: str, protocol: Protocol) -> tuple[SofaResponseDataset, SofaDataset]:
    """The declared dataset and that of its score."""
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, SofaResponseDataset)
    source = next(d for d in protocol.datasets if d.id == spec.source)
    assert isinstance(source, SofaDataset)
    return spec, source


def visit_of(endpoint: Endpoint, protocol: Protocol, outcome: str) -> Visit:
    """The visit of the score. Raises DataError if the score has no such visit."""
    _, source = _source(endpoint.dataset, protocol)
    known = {visit.label: visit for visit in windows.visit_set(protocol, source.visits).visits}
    if endpoint.visit not in known:
        cure = f"use one of {', '.join(known)}"
        raise config_error(f"outcome {outcome} endpoint.visit", endpoint.visit, f"is no visit of {source.id}", cure)
    return known[endpoint.visit]


def _scores(frame: pd.DataFrame, endpoint: Endpoint, outcome: str) -> dict[str, Scored]:
    """Score of the endpoint's parameter at its visit, by patient."""
    codes = list(dict.fromkeys(frame["PARAMCD"]))
    if codes and endpoint.parameter not in codes:
        cure = f"use one of {', '.join(codes)}"
        raise config_error(f"outcome {outcome} endpoint.parameter", endpoint.parameter, "is not in the score", cure)
    rows = frame[frame["PARAMCD"] == endpoint.parameter].sort_values("row_id", kind="stable")
    at = [v == endpoint.visit and a == "Y" for v, a in zip(rows["AVISIT"], rows["ANL01FL"], strict=True)]
    rows = rows[pd.Series(at, index=rows.index, dtype=bool)]
    value, base = days.numbers(rows["AVAL"]), days.numbers(rows["BASE"])
    fill = days.texts(rows["FILL"])
    pairs = enumerate(zip(rows["USUBJID"], rows["row_id"], strict=True))
    return {usubjid: Scored(value[i], base[i], row_id, fill[i]) for i, (usubjid, row_id) in pairs}


def _with_strategies(
    decided: list[tuple[Subject, Decision]], outcome: Outcome, scenario: str, protocol: Protocol
) -> list[tuple[Subject, Decision]]:
    """Intercurrent events from the origin to the deciding day: declared ones are failures or are ignored."""
    endpoint = outcome.endpoint
    assert isinstance(endpoint, Endpoint)
    at_risk = []
    for subject, decision in decided:
        origin = subject.exact_day(endpoint.origin)
        if origin is not None and decision.day is not None:
            at_risk.append((subject, origin, decision.day))
    intercurrent.check_declared(outcome, scenario, protocol, at_risk)
    strategies = intercurrent.applied(outcome, protocol)
    for milestone, strategy in strategies:
        if strategy != "composite_failure":
            item = f"outcome {outcome.id} estimand.intercurrent"
            cure = "use composite_failure or treatment_policy"
            raise config_error(item, strategy, f"is not derived for {milestone}", cure)
    return [(s, _failed(d, [s.moment(m) for m, _ in strategies], s, endpoint)) for s, d in decided]


def _failed(decision: Decision, events: list[Moment | None], subject: Subject, endpoint: Endpoint) -> Decision:
    origin = subject.exact_day(endpoint.origin)
    for event in events:
        if origin is None or decision.day is None or event is None:
            continue
        if intercurrent.during(event, origin, decision.day):
            note = f"{event.milestone} on day {event.earliest(origin) - origin}: composite failure"
            decision = decision._replace(failed=True, notes=(*decision.notes, note))
    return decision


def _success(endpoint: Endpoint, decision: Decision) -> float | None:
    if decision.state is None:
        return None
    if decision.failed:
        return 0.0
    if decision.state == MISSING:
        return {"failure": 0.0, "success": 1.0, "exclude": None}[endpoint.missing]
    return 1.0 if decision.state == SUCCESS else 0.0


def _row(
    dataset: str, outcome: Outcome, scenario: str, subject: Subject, decision: Decision, score: Scored | None
) -> dict[str, object]:
    endpoint = outcome.endpoint
    assert isinstance(endpoint, Endpoint)
    origin = subject.exact_day(endpoint.origin)
    value, base = (None, None) if score is None else (score.value, score.base)
    elapsed = None if origin is None or decision.day is None else float(decision.day - origin)
    return {
        "row_id": f"{dataset}:{subject.usubjid}/{outcome.paramcd}/{scenario}",
        "USUBJID": subject.usubjid,
        "PARAMCD": outcome.paramcd,
        "PARAM": outcome.title,
        "SCENARIO": scenario,
        "AVALC": decision.state,
        "AVAL": _success(endpoint, decision),
        "ADT": days.date(decision.day),
        "ATIME": elapsed,
        "NOTE": days.joined(decision.notes),
        "from": [score.row_id, subject.row_id] if score is not None else [subject.row_id],
        "BASE": base,
        "SCORE": value,
        "CHG": None if value is None or base is None else value - base,
    }
