"""Intercurrent events (ICH E9(R1)) of a configuration: which outcomes count them, and what an outcome does with them.

A strategy is a promise about the derivation. Endpoints in time derive every strategy from the event's date. The others
have their own way with an event, which the declared strategy must name: values stop at it, or nothing does.
"""

from __future__ import annotations

from collections.abc import Iterator

from trialpipe.config.analyses import AnyAnalysis, IntercurrentEvents
from trialpipe.config.datasets import AdverseEventsDataset, AEWindow, Dataset, IntercurrentDataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import IntercurrentEvent, Protocol, Visit

GROUP = "intercurrent"
"""Group of outcomes whose job counts intercurrent events; no outcome may use the name."""
DERIVED = ("treatment_policy", "composite_failure", "hypothetical", "while_on_treatment")
IN_TIME = ("state_at_horizon", "time_to_event", "sofa_response")
"""Endpoint kinds that know from when to when a patient is at risk of an intercurrent event without another dataset."""
OWN_TIMES = ("response_time", "reactivation", "infections", "stay", "nosocomial")
"""Endpoint kinds whose dataset holds a time per patient."""
ENDED = ("discharge", "death")
Path = tuple[str | int, ...]


def with_intercurrent(protocol: Protocol) -> Protocol:
    """The protocol with a dataset of intercurrent events, if it declares any and has no such dataset."""
    if not protocol.intercurrent_events or dataset_id(protocol):
        return protocol
    added = IntercurrentDataset.model_validate({"kind": "intercurrent"})
    return protocol.model_copy(update={"datasets": (*protocol.datasets, added)})


def dataset_id(protocol: Protocol) -> str | None:
    """Id of the dataset of intercurrent events; None if there is none."""
    return next((d.id for d in protocol.datasets if isinstance(d, IntercurrentDataset)), None)


def counts(outcome: Outcome) -> bool:
    """Whether an outcome's estimand must handle intercurrent events: registered ones, and all times and states."""
    return outcome.endpoint.kind != "subjects" and (
        outcome.registered is not None or outcome.endpoint.kind in (*IN_TIME, *OWN_TIMES)
    )


def counted(outcome: Outcome, protocol: Protocol) -> Outcome:
    """The outcome with the count of its intercurrent events as its only analysis, by arm if it is of several."""
    by = "ARM" if len(protocol.arms) > 1 and not _one_arm(outcome.estimand.population, protocol) else None
    wanted = {"kind": "intercurrent_events", "dataset": dataset_id(protocol) or "adice", "by": by}
    analysis = IntercurrentEvents.model_validate(wanted)
    return outcome.model_copy(update={"analyses": (analysis,), "sensitivity": ()})


def own_milestones(outcome: Outcome, protocol: Protocol) -> set[str]:
    """Milestones that the endpoint itself is made of: events, competing events, what ends its time."""
    endpoint = outcome.endpoint
    if endpoint.kind == "state_at_horizon":
        return {endpoint.death, *([endpoint.terminal] if endpoint.terminal else [])}
    if endpoint.kind == "time_to_event":
        return {*endpoint.event, *endpoint.competing}
    if endpoint.kind == "sofa_response":
        return {endpoint.death}
    if endpoint.kind not in OWN_TIMES:
        return set()
    found = _dataset(protocol, endpoint.dataset)
    ends = [getattr(found, name, None) for name in ENDED] if endpoint.kind == "stay" else []
    return {*getattr(found, "competing", ()), *getattr(found, "ends", ()), *(name for name in ends if name)}


def visits(outcome: Outcome, protocol: Protocol) -> list[Visit]:
    """Visits that the outcome's analyses name, of their datasets' visit sets; none if one of them is no such visit."""
    found: list[Visit] = []
    for analysis in outcome.analyses:
        dataset = _dataset(protocol, analysis.dataset or outcome.endpoint.dataset)
        held = _visit_set(dataset, protocol)
        for label in _named(analysis):
            if label not in held:
                return []
            found.append(held[label])
    return list(dict.fromkeys(found))


def windows(outcome: Outcome, protocol: Protocol) -> list[AEWindow]:
    """Windows of adverse events that the outcome's analyses count in."""
    found = []
    for analysis in outcome.analyses:
        dataset = _dataset(protocol, analysis.dataset or outcome.endpoint.dataset)
        if isinstance(dataset, AdverseEventsDataset):
            found += [w for w in dataset.windows if w.id == getattr(analysis, "window", None)]
    return list(dict.fromkeys(found))


def truthful(outcome: Outcome, event: IntercurrentEvent, protocol: Protocol) -> tuple[str, ...]:
    """Strategies that say what the derivation of the outcome does with the event."""
    kind, name = outcome.endpoint.kind, event.milestone
    if name in own_milestones(outcome, protocol) and event.stop is None:
        return ("terminal_by_definition", "composite_failure")
    if kind == "sofa_response":
        return ("treatment_policy", "composite_failure")
    if kind in IN_TIME:
        return DERIVED
    if name == "death":
        return ("composite_failure",) if kind == "response" else ("while_alive",)
    if kind == "adverse_events":
        ending = [name in (*window.ends, *window.before) for window in windows(outcome, protocol)]
    elif kind in OWN_TIMES:
        ending = [name in own_milestones(outcome, protocol)]
    else:
        stops = set(_stops(outcome, protocol))
        ending = [name in stops for visit in visits(outcome, protocol) if visit.anchor is None]
    ends = ("while_on_treatment",) if any(ending) else ()
    return ends if ends and all(ending) else (*ends, "treatment_policy")


def faults(protocol: Protocol, outcomes: tuple[Outcome, ...]) -> Iterator[tuple[Path, str]]:
    """(place in outcomes.yaml, message) of every strategy that the derivation does not follow."""
    events = {event.id: event for event in protocol.intercurrent_events}
    for place, outcome in enumerate(outcomes):
        if outcome.group == GROUP:
            yield ("outcomes", place, "group"), f"'{GROUP}' is the group of intercurrent events; use another name"
        for name, strategy in outcome.estimand.intercurrent.items():
            # a principal stratum has its own message, with its own cure, where it is derived
            if name not in events or not counts(outcome) or strategy == "principal_stratum":
                continue
            allowed = truthful(outcome, events[name], protocol)
            if strategy not in allowed:
                message = f"'{strategy}' is not what is derived for '{name}'; use {' or '.join(allowed)}"
                yield ("outcomes", place, "estimand", "intercurrent", name), message


def _one_arm(name: str | None, protocol: Protocol) -> bool:
    """Whether a population, or one that holds it, is of a single arm."""
    population = next((p for p in protocol.populations if p.id == name), None)
    if population is None:
        return False
    arms = population.where.get("ARMCD") or population.where.get("ARM") or ()
    return len(arms) == 1 or _one_arm(population.parent, protocol)


def _dataset(protocol: Protocol, name: str) -> Dataset | None:
    return next((entry for entry in protocol.datasets if entry.id == name), None)


def _visit_set(dataset: Dataset | None, protocol: Protocol) -> dict[str, Visit]:
    name = getattr(dataset, "visits", None)
    return next(({v.label: v for v in entry.visits} for entry in protocol.visit_sets if entry.id == name), {})


def _stops(outcome: Outcome, protocol: Protocol) -> tuple[str, ...]:
    """Milestones from which on the visits of the endpoint's dataset are not filled."""
    dataset = _dataset(protocol, outcome.endpoint.dataset)
    name = getattr(dataset, "visits", None)
    after = getattr(dataset, "carried_after", None)
    stops = next((entry.stop_before for entry in protocol.visit_sets if entry.id == name), ())
    return (*stops, *([after] if after else []))


def _named(analysis: AnyAnalysis) -> list[str]:
    """Visits an analysis names."""
    found: list[str] = []
    for key in ("visits", "visit", "base_visit"):
        value = getattr(analysis, key, None)
        found += [value] if isinstance(value, str) else list(value or ())
    return found
