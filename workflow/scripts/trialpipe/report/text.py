"""Words of the report that are made from configuration: estimands, designs, intervals of days."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from trialpipe.config.datasets import Dataset
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.config.yaml_strict import load
from trialpipe.io.reference import REFERENCE, rows
from trialpipe.io.text import inside

CRITERIA = "criteria.yaml"
GVHD = "gvhd.yaml"
RESPONSE = "response_rules.yaml"
SOFA = "sofa.yaml"
CTCAE = "ctcae_lab.csv"
PK = "pk_parameters.csv"

STRATEGIES = {
    "treatment_policy": "treatment policy (counted whatever happens after it)",
    "composite_failure": "composite (counts as failure)",
    "hypothetical": "hypothetical (as if it had not happened)",
    "while_on_treatment": "while on treatment (observation ends with it)",
    "while_alive": "while alive (nothing is measured after it)",
    "principal_stratum": "principal stratum",
    "terminal_by_definition": "terminal by definition of the endpoint",
    "part_of_endpoint": "part of the endpoint",
}
ROLES = {
    "primary": "Primary outcome",
    "secondary": "Secondary outcome",
    "described": "Promised in the registry's text",
    "assumed_primary": "Assumed primary outcome",
    "assumed": "Assumed outcome",
}
ALLOCATIONS = {"single_arm": "single arm", "randomised": "randomised", "observational": "observational"}
SECTIONS = {
    "flow": "Patient flow and populations",
    "populations": "Patient flow and populations",
    "baseline": "Baseline",
    "efficacy": "Efficacy",
    "safety": "Safety",
    "pk": "Pharmacokinetics",
    "biomarkers": "Biomarkers",
}


def estimand(outcome: Outcome, protocol: Protocol) -> list[tuple[str, str]]:
    """The five attributes of ICH E9(R1) as (attribute, words)."""
    populations = {p.id: p.label for p in protocol.populations}
    events = {e.id: e.label for e in protocol.intercurrent_events}
    found = outcome.estimand
    declared = found.intercurrent
    handled = [f"{events[name]}: {STRATEGIES[declared[name]]}" for name in events if name in declared]
    return [
        ("Population", populations[found.population]),
        ("Treatment", found.treatment),
        ("Variable", found.variable),
        ("Intercurrent events", "; ".join(handled) or "none declared"),
        ("Summary", found.summary),
    ]


def clock(protocol: Protocol) -> str:
    """How days are counted in this trial."""
    origin = next(m.label for m in protocol.milestones if m.id == protocol.time.origin)
    first = f"D{protocol.time.first_day}"
    other = next((m.label for m in protocol.milestones if m.id == protocol.time.otherwise), None)
    instead = f" (of a patient in whom it did not happen: {inside(other)})" if other else ""
    return f"Origin: {inside(origin)}, {first}{instead}. Times in tables are elapsed days from the origin they name."


def labels(outcome: Outcome, protocol: Protocol) -> dict[tuple[str, str], str]:
    """Words for the codes of result rows: (dimension, code) to label."""
    found: dict[tuple[str, str], str] = {}
    named = {m.id: m.label for m in protocol.milestones} | {e.id: e.label for e in protocol.derived_events}
    found.update({("category", name): label for name, label in named.items()})
    variables = {v.name: v.label for v in protocol.subject_variables} | {f.name: f.label for f in protocol.formulas}
    variables |= {g.name: g.label for g in protocol.groupings}
    for name, label in variables.items():
        found["variable", name] = found["term", name] = label
    found |= {("category", word.lower()): word for word in ("Response", "Reactivation")}
    nosocomial = outcome.endpoint.kind == "nosocomial"
    found["category", "infection"] = "Infection acquired in hospital" if nosocomial else "Viral infection"
    for entry in protocol.subject_variables:
        found |= {("category", level): label for level, label in entry.labels.items()}
    found |= {("term", name): f"{words[:1].upper()}{words[1:]}" for name, words in STRATEGIES.items()}
    found |= {("category", event.id): event.label for event in protocol.intercurrent_events}
    found["category", "Y"], found["category", "N"] = "Yes", "No"
    found["variable", "ARM"] = found["term", "ARM"] = "Arm"
    found["category", "lost_before_horizon"] = "Lost before the horizon, event assumed"
    for population in protocol.populations:
        found["category", population.id] = population.label
    for dataset in protocol.datasets:
        found.update({("parameter", code): label for code, label in parameters(dataset).items()})
    for analysis in outcome.analyses:
        if analysis.kind == "flow":
            found.update({("category", box.id): box.label for box in analysis.boxes})
        if analysis.kind == "response_by_visit":
            found |= {("category", code): label for code, label in _levels(analysis.levels).items()}
        if analysis.kind == "in_bands":
            found.update({("category", band.id): band.label for band in analysis.bands})
        if analysis.kind == "cox":
            found.update({("term", e.name): e.label for e in analysis.time_dependent})
            if analysis.landmark:
                found["term", analysis.landmark.name] = analysis.landmark.label
    found |= _composite(outcome, named)
    if outcome.endpoint.kind in ("state_at_horizon", "time_to_event", "sofa_response"):
        found.update({("category", str(code)): label for code, label in outcome.endpoint.labels.items()})
    return found


def _composite(outcome: Outcome, named: dict[str, str]) -> dict[tuple[str, str], str]:
    """A composite event stands under the names of its components: in words, any of them."""
    if outcome.endpoint.kind != "time_to_event":
        return {}
    events = outcome.endpoint.event
    words = [named.get(name, name) for name in events]
    return {("category", "+".join(events)): " or ".join([words[0], *(inside(word) for word in words[1:])])}


def parameters(dataset: Dataset) -> dict[str, str]:
    """Labels of a dataset's parameters by PARAMCD."""
    if dataset.kind == "findings":
        return {p.code: p.label for p in dataset.parameters}
    if dataset.kind == "concentrations":
        return {p.code: p.label for p in dataset.parameters} | {r.code: r.label for r in dataset.ratios}
    if dataset.kind == "pk_parameters":
        spans = [(span.from_hours, span.to_hours) for span in dataset.intervals]
        named = {f"AUCINT{place}": f"AUC from {a:g} to {b:g} h" for place, (a, b) in enumerate(spans, 1)}
        return {row["code"]: row["name"] for row in rows(PK)} | named
    if dataset.kind == "infections":
        return {p.code: p.label for p in dataset.viruses} | {"ANYVIR": "Any virus"}
    if dataset.kind == "nosocomial":
        whole = {"ANYNOSO": "Any infection", "ANYICU": "Any infection acquired in intensive care"}
        return {t.code: t.label for t in dataset.types} | whole
    if dataset.kind == "eligibility":
        return {c.code: f"{c.category.capitalize()}: {c.text}" for c in dataset.criteria}
    if dataset.kind == "lab_grades":
        codes = {row["term"]: row["code"] for row in rows(CTCAE) if row["version"] == dataset.version}
        return {codes[item.term]: f"{item.term}, grade" for item in dataset.terms if item.term in codes}
    if dataset.kind == "sofa":
        entry = _entries(SOFA, "definitions")[dataset.definition]
        return {item["code"]: item["label"] for item in (*entry["components"], *entry["totals"])}
    if dataset.kind == "criteria":
        known = _entries(CRITERIA, "definitions")
        return {code: label for name in dataset.definitions for code, label in _criteria(name, known).items()}
    if dataset.kind == "gvhd":
        known = _entries(GVHD, "systems")
        return {code: label for name in dataset.systems for code, label in _gvhd(known[name]).items()}
    if dataset.kind == "exposure":
        name = dataset.name
        return {
            "GIVEN": f"{name} given",
            "DOSE": f"Dose of {name}",
            "DAYS": f"Days from the origin to {name}",
            "REASON": f"Reason {name} was not given",
            "NGIVEN": f"Number of {name} given",
            "CUMDOSE": f"Total dose of {name}",
        }
    return {}


@cache
def _entries(table: str, part: str) -> dict[str, Any]:
    """Entries of one part of a reference table by id."""
    return {entry["id"]: entry for entry in load(REFERENCE / table, table).data[part]}


def _levels(levels: tuple[str, ...]) -> dict[str, str]:
    """Words for response levels, and for all of them together; CR and PR, which rule-sets call differently, stay."""
    rule_sets = _entries(RESPONSE, "rule_sets").values()
    known = {level["code"]: level["label"] for entry in rule_sets for level in entry["levels"]}
    words = [code if code in ("CR", "PR") else known.get(code, code) for code in levels]
    joined = " or ".join(word if place == 0 or word.isupper() else word.lower() for place, word in enumerate(words))
    return {**dict(zip(levels, words, strict=True)), "+".join(levels): joined}


def _gvhd(entry: Mapping[str, Any]) -> dict[str, str]:
    """Labels of one system of gvhd.yaml: organ stages, grade, events, greatest grade."""
    found = {organ["code"]: f"{organ['label']}, {entry['title']}" for organ in entry["organs"]}
    named = (*entry["events"], entry["maximum"])
    return {**found, entry["code"]: entry["title"], **{own["code"]: own["label"] for own in named}}


def _criteria(name: str, known: Mapping[str, Any]) -> dict[str, str]:
    """Labels of one definition of criteria.yaml; a variant has those of the definition it is based on."""
    entry = known[name]
    base = known[entry["based_on"]] if "based_on" in entry else {}
    items = {item["code"]: item["label"] for item in (*base.get("items", ()), *entry.get("items", ()))}
    if "diagnosis" in entry or "diagnosis" in base:
        items |= {"NMET": "Criteria met", "NASS": "Criteria assessed", "DIAG": "Diagnosis"}
    total = entry.get("total") or base.get("total")
    if total:
        items |= {total["code"]: total["label"], "PROB": f"Probability by {total['label']} (%)"}
        items |= {f"GE{cutoff}": f"{total['label']} at least {cutoff}" for cutoff in total["cutoffs"]}
    return {f"{entry['prefix']}{code}": label for code, label in items.items()}


DISPLAYS = {
    "overview": "Overview",
    "soc_pt": "By system organ class and preferred term",
    "worst_grade": "Worst grade per patient, with the events of that grade",
    "worst_severity": "Worst severity per patient, with the events of that severity",
    "rates": "Rates",
    "length": "Length of stay, days",
    "free": "Days free of the stay",
    "patients": "Patients and episodes",
    "rate": "First infections by patient-days at risk",
    "design": "Two-stage design: stop after n1 patients with at most r1 successes, reject p0 with more than r of n",
    "observed": "Stages as treated and decision",
    "estimates": "Estimates of the success probability",
    "unplanned": "Supplementary tests: the number of patients was not the planned one",
    "alternatives": "Designs with the same nominal error rates",
    "characteristics": "Operating characteristics by true success probability p (exact)",
}
