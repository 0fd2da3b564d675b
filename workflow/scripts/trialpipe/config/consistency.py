"""What the three files of a trial must agree on: every name that is used is declared."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from trialpipe.config import estimands
from trialpipe.config.datasets import Dataset, named_datasets, named_domains
from trialpipe.config.errors import ConfigError, problem_at
from trialpipe.config.extracts import Extracts
from trialpipe.config.outcomes import Outcome, Outcomes
from trialpipe.config.protocol import Protocol
from trialpipe.config.yaml_strict import Document

Fault = tuple[str, tuple[str | int, ...], str]


def check_trial(
    protocol: Protocol,
    extracts: Extracts,
    outcomes: Outcomes,
    documents: dict[str, Document],
) -> None:
    """Raise ConfigError with one line per undeclared or repeated name, each with file, line and cure."""
    faults = [*_protocol(protocol, extracts), *_extracts(extracts), *_outcomes(protocol, outcomes)]
    if faults:
        raise ConfigError(problem_at(documents[name], path, message) for name, path, message in faults)


def _unknown(what: str, name: str, known: Iterable[str]) -> str | None:
    names = sorted(known)
    if name in names:
        return None
    near = get_close_matches(name, names, 1)
    cure = f"did you mean '{near[0]}'?" if near else f"declared: {', '.join(names) or 'none'}"
    return f"'{name}' is not a declared {what}; {cure}"


def _each(
    file: str, what: str, known: Iterable[str], uses: Iterable[tuple[tuple[str | int, ...], str | None]]
) -> list[Fault]:
    names = set(known)
    found = []
    for path, name in uses:
        message = _unknown(what, name, names) if name is not None else None
        if message:
            found.append((file, path, message))
    return found


def _repeated(file: str, what: str, entries: Iterable[tuple[tuple[str | int, ...], str]]) -> list[Fault]:
    seen: set[str] = set()
    found = []
    for path, name in entries:
        if name in seen:
            found.append((file, path, f"{what} '{name}' is declared twice"))
        seen.add(name)
    return found


def milestone_names(protocol: Protocol) -> set[str]:
    """Milestone ids, with the reserved ``last_alive``."""
    return {m.id for m in protocol.milestones} | {"last_alive"}


def _protocol(protocol: Protocol, extracts: Extracts) -> list[Fault]:
    milestones, domains = milestone_names(protocol), {entry.domain for entry in extracts.domains}
    uses_m: list[tuple[tuple[str | int, ...], str | None]] = [
        (("time", "origin"), protocol.time.origin),
        (("time", "otherwise"), protocol.time.otherwise),
    ]
    uses_d: list[tuple[tuple[str | int, ...], str | None]] = []
    uses_d += [(("milestones", i, "domain"), m.domain) for i, m in enumerate(protocol.milestones)]
    for i, event in enumerate(protocol.intercurrent_events):
        at, stop = ("intercurrent_events", i), event.stop
        uses_m += [((*at, "absent"), event.absent), ((*at, "at"), event.at)]
        uses_m += [((*at, "stop"), name) for name in ((stop.start, *stop.unless) if stop else ())]
    for i, variable in enumerate(protocol.subject_variables):
        uses_d.append((("subject_variables", i, "domain"), variable.domain))
    uses_d += [(("last_alive", "domains", i), name) for i, name in enumerate(protocol.last_alive.domains)]
    for i, population in enumerate(protocol.populations):
        uses_m += [(("populations", i, "require"), name) for name in population.require]
    for i, visits in enumerate(protocol.visit_sets):
        uses_m += [(("visit_sets", i, "stop_before"), name) for name in visits.stop_before]
        uses_m += [(("visit_sets", i, "visits", j, "anchor"), v.anchor) for j, v in enumerate(visits.visits)]
    faults = _each("protocol", "milestone", milestones, uses_m)
    for i, milestone in enumerate(protocol.milestones):
        above = [m.id for m in protocol.milestones[:i]]
        faults += _each("protocol", "milestone above", above, [(("milestones", i, "not_before"), milestone.not_before)])
    faults += _events(protocol)
    numbers = {v.name for v in protocol.subject_variables if v.type == "number"} | {f.name for f in protocol.formulas}
    bands = [(("groupings", i, "of"), entry.of) for i, entry in enumerate(protocol.groupings)]
    faults += _each("protocol", "number of subject_variables or formulas", numbers, bands)
    populations = {p.id for p in protocol.populations}
    parents = [(("populations", i, "parent"), p.parent) for i, p in enumerate(protocol.populations)]
    parents += [
        (("intercurrent_events", i, "population"), e.population) for i, e in enumerate(protocol.intercurrent_events)
    ]
    faults += _each("protocol", "population", populations, parents)
    for i, entry in enumerate(protocol.datasets):
        dataset_faults, dataset_domains = _dataset(protocol, i, entry)
        faults += dataset_faults
        uses_d += dataset_domains
    faults += _each("protocol", "domain of extracts.yaml", domains, uses_d)
    return faults + _repeated(
        "protocol", "dataset", [(("datasets", i, "id"), d.id) for i, d in enumerate(protocol.datasets)]
    )


def _events(protocol: Protocol) -> list[Fault]:
    """Derived events come from a dataset that does not itself need them, under a name no milestone has."""
    possible = {d.id for d in protocol.datasets if d.kind not in ("time_to_event", "state")}
    uses = [(("derived_events", i, "dataset"), event.dataset) for i, event in enumerate(protocol.derived_events)]
    faults = _each("protocol", "dataset of findings or grades", possible, uses)
    named = [(("milestones", i, "id"), m.id) for i, m in enumerate(protocol.milestones)]
    named += [(("derived_events", i, "id"), event.id) for i, event in enumerate(protocol.derived_events)]
    dated = milestone_names(protocol) | {event.id for event in protocol.derived_events}
    events = list(enumerate(protocol.intercurrent_events))
    at = [(("intercurrent_events", i, "milestone"), event.milestone) for i, event in events]
    faults += _each("protocol", "milestone or derived event", dated, at)
    faults += _repeated("protocol", "intercurrent event", [(("intercurrent_events", i, "id"), e.id) for i, e in events])
    # under its own name a patient has an event that is not simply its milestone
    named += [(("intercurrent_events", i, "id"), e.id) for i, e in events if e.moment != e.milestone]
    return faults + _repeated("protocol", "milestone or event", named)


_ICU_MILESTONES = (
    *("origin", "discharge", "death", "over_by", "readmission"),
    *("admission", "until_from", "icu_admission", "icu_discharge", "icu_readmission"),
)


def _dataset(protocol: Protocol, index: int, entry: Dataset) -> tuple[list[Fault], list]:
    at = ("datasets", index)
    ids = {d.id for d in protocol.datasets}
    domains: list[tuple[tuple[str | int, ...], str | None]] = []
    faults: list[Fault] = []
    visits = getattr(entry, "visits", None)
    known = {v.id for v in protocol.visit_sets}
    faults += _each("protocol", "visit set", known, [((*at, "visits"), visits)])
    named = any(v.recorded for s in protocol.visit_sets if s.id == visits for v in s.visits)
    if named and entry.kind not in ("findings", "concentrations"):
        faults.append(
            ("protocol", (*at, "visits"), f"'{visits}' has visits by recorded names, which need windows here")
        )
    domains += [((*at, "domain"), name) for name in named_domains(entry)]
    faults += _each("protocol", "dataset", ids, [((*at, "inputs"), name) for name in named_datasets(entry)])
    names: list[tuple[tuple[str | int, ...], str | None]]
    names = [((*at, "competing"), name) for name in getattr(entry, "competing", ())]
    if entry.kind == "adverse_events":
        names += [
            ((*at, "windows", j), name) for j, w in enumerate(entry.windows) for name in (w.start, *w.ends, *w.before)
        ]
    if entry.kind == "infections":
        names += [((*at, "start"), entry.start), *(((*at, "ends"), name) for name in entry.ends)]
    if entry.kind in ("stay", "nosocomial"):
        names += [((*at, field), getattr(entry, field, None)) for field in _ICU_MILESTONES]
    if entry.kind == "sofa":
        given = ("first_dose", "icu_admission", "icu_discharge", "icu_readmission", "hospital_discharge")
        names += [((*at, field), getattr(entry, field)) for field in given]
    if entry.kind == "lab_grades" and entry.first_hours:
        names.append(((*at, "first_hours", "milestone"), entry.first_hours.milestone))
    if entry.kind in ("gvhd", "exposure"):
        names += [((*at, "start"), entry.start), *(((*at, "ends"), name) for name in getattr(entry, "ends", ()))]
    faults += _each("protocol", "milestone", milestone_names(protocol), names)
    return faults, domains


def _extracts(extracts: Extracts) -> list[Fault]:
    forms = {f"{source.id}.{form.id}" for source in extracts.sources for form in source.forms}
    uses: list[tuple[tuple[str | int, ...], str | None]] = []
    for i, entry in enumerate(extracts.domains):
        for j, row in enumerate(entry.rows):
            at = ("domains", i, "rows", j)
            uses.append(((*at, "form"), row.form))
            uses.append(((*at, "join", "form"), row.join.form if row.join else None))
    faults = _each("extracts", "form", forms, uses)
    own = [(("tests", i, "code"), f"{test.domain} {test.code}") for i, test in enumerate(extracts.tests)]
    faults += _each(
        "extracts",
        "domain",
        {d.domain for d in extracts.domains},
        [(("tests", i, "domain"), t.domain) for i, t in enumerate(extracts.tests)],
    )
    faults += _repeated("extracts", "test", own)
    return faults + _repeated(
        "extracts", "domain", [(("domains", i, "domain"), d.domain) for i, d in enumerate(extracts.domains)]
    )


def _outcomes(protocol: Protocol, outcomes: Outcomes) -> list[Fault]:
    faults = _repeated("outcomes", "outcome", [(("outcomes", i, "id"), o.id) for i, o in enumerate(outcomes.outcomes)])
    coded = [(("outcomes", i, "paramcd"), o.paramcd) for i, o in enumerate(outcomes.outcomes) if o.paramcd]
    faults += _repeated("outcomes", "PARAMCD", coded)
    for i, outcome in enumerate(outcomes.outcomes):
        faults += _outcome(protocol, ("outcomes", i), outcome)
    return faults + [("outcomes", at, message) for at, message in estimands.faults(protocol, outcomes.outcomes)]


def _outcome(protocol: Protocol, at: tuple[str | int, ...], outcome: Outcome) -> list[Fault]:
    populations = {p.id for p in protocol.populations}
    datasets = {d.id for d in protocol.datasets} | {"adsl"}
    events = {e.id for e in protocol.intercurrent_events}
    endpoint = outcome.endpoint
    named: list[tuple[tuple[str | int, ...], str | None]] = []
    names: tuple[str | None, ...]
    if endpoint.kind == "state_at_horizon":
        names = (endpoint.origin, endpoint.terminal, endpoint.death)
        named += [((*at, "endpoint"), name) for name in names]
    if endpoint.kind == "time_to_event":
        derived = {event.id for event in protocol.derived_events}
        dated = [name for name in (*endpoint.event, *endpoint.competing) if name not in derived]
        names = (endpoint.origin, endpoint.entry, endpoint.censor, *dated)
        named += [((*at, "endpoint"), name) for name in names]
    if endpoint.kind == "sofa_response":
        named += [((*at, "endpoint"), name) for name in (endpoint.origin, endpoint.death)]
    faults = _each("outcomes", "milestone", milestone_names(protocol), named)
    faults += _each("outcomes", "dataset", datasets, [((*at, "endpoint", "dataset"), endpoint.dataset)])
    cases = ("lost_event", "lost_free", "early_event", "early_free")
    lost = [name for case in cases for name in getattr(endpoint, case, ())]
    faults += _each("outcomes", "population", populations, [((*at, "endpoint"), name) for name in lost])
    faults += _each(
        "outcomes",
        "population",
        populations,
        [((*at, "estimand", "population"), outcome.estimand.population)],
    )
    faults += _each(
        "outcomes",
        "intercurrent event",
        events,
        [((*at, "estimand", "intercurrent", n), n) for n in outcome.estimand.intercurrent],
    )
    if endpoint.kind in ("state_at_horizon", "time_to_event", "sofa_response") and outcome.paramcd is None:
        faults.append(("outcomes", at, "paramcd is missing; a time endpoint needs a code of its own, e.g. OS"))
    ids = [f"{a.kind}.{a.id}" if a.id else a.kind for a in outcome.analyses]
    faults += _repeated("outcomes", "analysis", [((*at, "analyses", j), name) for j, name in enumerate(ids)])
    uses = [((*at, "analyses", j, "population"), a.population) for j, a in enumerate(outcome.analyses)]
    faults += _each("outcomes", "population", populations, uses)
    return faults + _each(
        "outcomes",
        "dataset",
        datasets,
        [((*at, "analyses", j, "dataset"), a.dataset) for j, a in enumerate(outcome.analyses)],
    )
