"""Which artifact needs which: the workflow's edges as pure functions of a trial's configuration.

No pandas here: the Snakefile imports this module at every start.
"""

from __future__ import annotations

from trialpipe.config import estimands
from trialpipe.config.analyses import AnyAnalysis, Baseline
from trialpipe.config.characteristics import Characteristics
from trialpipe.config.datasets import Dataset, named_datasets, named_domains
from trialpipe.config.errors import ConfigError
from trialpipe.config.extracts import DomainMap
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.config.trial import Trial

TIME_ENDPOINTS = {
    "time_to_event": ("time_to_event", "state_at_horizon"),
    "state": ("state_at_horizon",),
    "reactivation": ("reactivation",),
    "sofa_response": ("sofa_response",),
}
"""Endpoint kinds whose outcomes a dataset of a kind must know."""


def forms(trial: Trial) -> list[tuple[str, str]]:
    """(source, form) of every raw table."""
    return [(source.id, form.id) for source in trial.extracts.sources for form in source.forms]


def raw_files(trial: Trial, source: str, form: str) -> list[str]:
    """Raw files of a form, relative to the trial's root."""
    return list(trial.form(f"{source}.{form}")[1].files)


def domains(trial: Trial) -> list[str]:
    """Clean domains."""
    return [entry.domain for entry in trial.extracts.domains]


def domain_map(trial: Trial, domain: str) -> DomainMap:
    """The mapping of a domain; KeyError if there is none."""
    for entry in trial.extracts.domains:
        if entry.domain == domain:
            return entry
    raise KeyError(domain)


def domain_forms(trial: Trial, domain: str) -> list[str]:
    """``<source>.<form>`` of every raw table a domain is made from, joins included."""
    needed: dict[str, None] = {}
    for row in domain_map(trial, domain).rows:
        needed[row.form] = None
        if row.join:
            needed[row.join.form] = None
    return list(needed)


def form_columns(trial: Trial, form_id: str) -> tuple[list[str] | None, list[str]]:
    """(columns a raw form must have, columns it may have).

    Items of a joined mapping may stand in either form. The first is None where a preparer reads the form,
    because its layout is then the reader's.
    """
    _, form = trial.form(form_id)
    must: dict[str, None] = {}
    may: dict[str, None] = dict.fromkeys(form.ignore)
    prepared = False
    for row in (row for entry in trial.extracts.domains for row in entry.rows):
        joined = row.join is not None and row.join.form == form_id
        if row.form == form_id or joined:
            prepared |= row.prepare is not None and not joined
            (may if row.join else must).update(dict.fromkeys(_items(row.model_dump(mode="json"))))
        if row.join and row.form == form_id:
            must.update(dict.fromkeys(row.join.on))
        if row.join and joined:
            must.update(dict.fromkeys(row.join.on.values()))
    must.pop(POSITION, None)
    return (None if prepared else list(must)), [name for name in may if name not in must]


POSITION = "source_row"
"""Pseudo-item for sources without a patient number: the line in the file."""

_ITEM_KEYS = (
    "item",
    "time",
    "unit_item",
    "result",
    "low",
    "high",
    "subject",
    "site",
    "code",
    "lloq",
    "uloq",
    "date",
)


def _items(value: object, key: str | None = None) -> list[str]:
    """Raw item names in a mapping's dump (a test's ``code`` is not an item, a long form's is)."""
    if isinstance(value, str):
        return [value] if key in _ITEM_KEYS else []
    if isinstance(value, list):
        return [
            item
            for entry in value
            for item in _items({**entry, "code": None} if isinstance(entry, dict) else entry, key)
        ]
    if isinstance(value, dict):
        if key == "join":
            return []
        found = [str(name) for name in value] if key == "where" else []
        return found + [item for name, entry in value.items() for item in _items(entry, name)]
    return []


def form_paths(trial: Trial) -> list[str]:
    """``<source>/<form>`` of every raw table."""
    return [f"{source}/{form}" for source, form in forms(trial)]


def domain_form_paths(trial: Trial, domain: str) -> list[str]:
    """``<source>/<form>`` of every raw table a domain is made from."""
    return [form.replace(".", "/") for form in domain_forms(trial, domain)]


def dataset_paths(trial: Trial, name: str) -> list[str]:
    """``clean/<domain>`` and ``derived/<dataset>`` that a dataset is made from."""
    used, made = dataset_inputs(trial, name)
    return [f"clean/{domain}" for domain in used] + [f"derived/{dataset}" for dataset in made]


def datasets(trial: Trial) -> list[str]:
    """Derived datasets, ADSL first."""
    return ["adsl", *(dataset.id for dataset in trial.protocol.datasets)]


def dataset(protocol: Protocol, name: str) -> Dataset:
    """The declared dataset; KeyError if there is none (ADSL is not declared)."""
    for entry in protocol.datasets:
        if entry.id == name:
            return entry
    raise KeyError(name)


def dataset_inputs(trial: Trial, name: str) -> tuple[list[str], list[str]]:
    """(clean domains, derived datasets) a dataset is made from."""
    protocol = trial.protocol
    if name == "adsl":
        needed = ["dm", *(m.domain for m in protocol.milestones), *protocol.last_alive.domains]
        needed += [variable.domain for variable in protocol.subject_variables]
        return list(dict.fromkeys(needed)), []
    spec = dataset(protocol, name)
    if spec.kind == "intercurrent":
        held = [o.endpoint.dataset for o in trial.outcomes if o.endpoint.kind in estimands.OWN_TIMES]
        dated = {e.milestone for e in protocol.intercurrent_events}
        dated |= {name for o in trial.outcomes for name in estimands.own_milestones(o, protocol)}
        events = [event.dataset for event in protocol.derived_events if event.id in dated]
        return [], list(dict.fromkeys(["adsl", *events, *held]))
    events = [event.dataset for event in protocol.derived_events] if spec.kind == "time_to_event" else []
    return named_domains(spec), list(dict.fromkeys(["adsl", *named_datasets(spec), *events]))


def dataset_protocol(protocol: Protocol, name: str) -> Protocol:
    """The part of the protocol a dataset depends on, the rest blanked, so that other edits do not rerun it."""
    blank: dict[str, object] = {
        "assumptions": (),
        "registry_errors": (),
        "title": "-",
        "source": "-",
        "sponsor": "-",
    }
    blank["identifiers"] = {}
    if name == "adsl" or dataset(protocol, name).kind != "time_to_event":
        blank["derived_events"] = ()
    if name == "adsl":
        return protocol.model_copy(update={**blank, "visit_sets": (), "datasets": (), "intercurrent_events": ()})
    if dataset(protocol, name).kind == "intercurrent":
        return protocol.model_copy(update={**blank, "derived_events": protocol.derived_events, "formulas": ()})
    needed = [name, *named_datasets(dataset(protocol, name))]
    kept = tuple(entry for entry in protocol.datasets if entry.id in needed)
    used = {visits for visits in (getattr(entry, "visits", None) for entry in kept) if visits}
    visit_sets = tuple(v for v in protocol.visit_sets if v.id in used)
    return protocol.model_copy(
        update={
            **blank,
            "datasets": kept,
            "visit_sets": visit_sets,
            "formulas": (),
            "groupings": (),
            "subject_variables": (),
        }
    )


def dataset_outcomes(trial: Trial, name: str) -> tuple[Outcome, ...]:
    """Outcomes whose endpoint a dataset holds, analyses blanked."""
    if name == "adsl":
        return ()
    if dataset(trial.protocol, name).kind == "intercurrent":
        every = (outcome for outcome in trial.outcomes if estimands.counts(outcome))
        return tuple(o.model_copy(update={"sensitivity": (), "assumptions": (), "note": None}) for o in every)
    kinds = TIME_ENDPOINTS.get(dataset(trial.protocol, name).kind, ())
    return tuple(
        outcome.model_copy(update={"analyses": (), "registered": None, "assumptions": (), "note": None})
        for outcome in trial.outcomes
        if outcome.endpoint.kind in kinds
    )


def groups(trial: Trial) -> list[str]:
    """Analysis groups in order of appearance; last, that of intercurrent events, if the protocol declares any."""
    last = [estimands.GROUP] if estimands.dataset_id(trial.protocol) and group_outcomes(trial, estimands.GROUP) else []
    return [*dict.fromkeys(outcome.group for outcome in trial.outcomes), *last]


def group_outcomes(trial: Trial, group: str) -> tuple[Outcome, ...]:
    """Outcomes computed in one job; in the group of intercurrent events all that have them, with their count alone."""
    if group == estimands.GROUP:
        every = (outcome for outcome in trial.outcomes if estimands.counts(outcome))
        return tuple(estimands.counted(outcome, trial.protocol) for outcome in every)
    return tuple(outcome for outcome in trial.outcomes if outcome.group == group)


def analysis_datasets(outcome: Outcome, analysis: AnyAnalysis) -> list[str]:
    """Datasets one analysis reads beside ADSL."""
    names = [analysis.dataset or outcome.endpoint.dataset]
    if isinstance(analysis, Baseline):
        names += [item.dataset for item in analysis.items if item.dataset]
    return [name for name in dict.fromkeys(names) if name != "adsl"]


def group_datasets(trial: Trial, group: str) -> list[str]:
    """Datasets of a group of outcomes, ADSL first."""
    needed = ["adsl"]
    for outcome in group_outcomes(trial, group):
        for analysis in outcome.analyses:
            needed += analysis_datasets(outcome, analysis)
    return list(dict.fromkeys(needed))


def group_protocol(trial: Trial, group: str) -> Protocol:
    """The part of the protocol a group's analyses depend on."""
    used = set(group_datasets(trial, group))
    kept = tuple(entry for entry in trial.protocol.datasets if entry.id in used)
    return trial.protocol.model_copy(update={"assumptions": (), "registry_errors": (), "datasets": kept, "source": "-"})


def group_kinds(trial: Trial, group: str) -> list[str]:
    """Analysis kinds of a group, sorted."""
    return sorted({analysis.kind for outcome in group_outcomes(trial, group) for analysis in outcome.analyses})


def simulated_populations(trial: Trial) -> list[str]:
    """Populations that replicates of characteristics draw from: the simulator's, if a scenario needs it."""
    scenarios = trial.characteristics.scenarios if trial.characteristics is not None else ()
    return ["population"] if any(scenario.kind == "simulator" for scenario in scenarios) else []


def replicate_batches(trial: Trial, replicates: int | None) -> list[str]:
    """Numbers of the batches that hold all replicates; ``replicates`` of each scenario, None as the trial says."""
    spec = _characteristics(trial)
    return [f"{number:04d}" for number in range(-(-(replicates or spec.replicates) // spec.batch))]


def replicate_span(trial: Trial, replicates: int | None, batch: str) -> list[int]:
    """First replicate of a batch, and the one after its last."""
    spec = _characteristics(trial)
    first = int(batch) * spec.batch
    return [first, min(first + spec.batch, replicates or spec.replicates)]


def _characteristics(trial: Trial) -> Characteristics:
    if trial.characteristics is None:
        raise ConfigError(f"{trial.id} has no characteristics.yaml")
    return trial.characteristics
