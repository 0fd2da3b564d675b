"""The params of a job: its part of the configuration, its raw files, its reference tables, its code.

Everything here is JSON text or flat sorted dictionaries of text, because Snakemake compares params by value.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from trialpipe.config import plan
from trialpipe.config.characteristics import name_of
from trialpipe.config.trial import Trial, as_json
from trialpipe.io.reference import REFERENCE
from trialpipe.provenance.fingerprint import LIBRARY, dispatch_table, fingerprint, referenced_tables

_cache: dict[tuple, dict] = {}


def params(base: Path, trial: Trial, stage: str, wildcards: tuple[tuple[str, str], ...]) -> dict:
    """``{spec, raw, reference, code}`` of one job; ``raw`` only for ingest.

    spec: canonical JSON; raw: sha256 by file from the lock; reference: sha256 by table; code: see fingerprint.
    """
    key = (trial.id, stage, wildcards)
    if key not in _cache:
        values = dict(wildcards)
        spec, roots = _STAGES[stage](trial, values)
        code = fingerprint(base / "workflow" / "scripts" / f"{stage}.py", roots)
        modules = tuple(name for name in code if name.startswith("trialpipe"))
        code |= templates() if stage in ("report", "qc_report", "characteristics_page") else {}
        _cache[key] = {"spec": as_json(spec), "reference": _reference(modules, _tables(spec)), "code": code}
        if stage == "ingest":
            files = plan.raw_files(trial, values["source"], values["form"])
            _cache[key]["raw"] = {name: trial.lock[name].sha256 for name in sorted(files) if name in trial.lock}
    return _cache[key]


def index_spec(trials: dict[str, Trial]) -> str:
    """Spec of the front page: what identifies each trial."""
    return as_json([{"protocol": t.protocol, "outcomes": _reported(t)} for t in trials.values()])


def _reported(trial: Trial) -> list[dict]:
    """Outcomes that the front page counts: all but the descriptions of flow, populations and baseline."""
    return [
        {
            "id": o.id,
            "title": o.title,
            "role": o.registered.role if o.registered else "source",
            "registered": [o.registered.title, o.registered.time_frame] if o.registered else [o.id],
            "headline": o.headline.model_dump(exclude_none=True) if o.headline else {},
        }
        for o in trial.outcomes
        if o.registered or o.section not in ("flow", "populations", "baseline")
    ]


def index_code(base: Path, adapter: str = "index") -> dict[str, str]:
    """Code identity of the front page, or of the one with the marks of the second derivation (``qc_index``)."""
    return fingerprint(base / "workflow" / "scripts" / f"{adapter}.py", ()) | templates()


@cache
def templates() -> dict[str, str]:
    """sha256 of the report's templates and style by file name: pages change with them as with code."""
    folder = LIBRARY / "trialpipe" / "report" / "templates"
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in sorted(folder.iterdir())}


def text_files(folder: Path, pattern: str) -> dict[str, str]:
    """sha256 by name of the files of a folder, e.g. the R scripts of the second derivation."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in sorted(folder.glob(pattern))}


def _tables(spec: dict) -> tuple[str, ...]:
    """Reference tables that the configuration names."""
    protocol = spec.get("protocol")
    datasets = protocol.datasets if protocol is not None else ()
    lists = (terms.table for dataset in datasets for terms in getattr(dataset, "lists", ()))
    simulated = [f"simulation/{spec['simulation']}.yaml"] if "simulation" in spec else []
    return (*(table for table in lists if table), *simulated)


@cache
def _reference(modules: tuple[str, ...], named: tuple[str, ...]) -> dict[str, str]:
    """sha256 of the tables that modules hold by name, and of those ``named``."""
    names = sorted({*named, *(name for module in modules for name in referenced_tables(module))})
    return {
        name: hashlib.sha256((REFERENCE / name).read_bytes()).hexdigest()[:16]
        for name in names
        if (REFERENCE / name).exists()
    }


def ingest_spec(trial: Trial, source_id: str, form_id: str) -> dict:
    """What reading one form depends on: a source of one form, with the columns it must and may have."""
    source, form = trial.form(f"{source_id}.{form_id}")
    must, may = plan.form_columns(trial, f"{source_id}.{form_id}")
    layout = form.model_dump(mode="json") | {"expected": must, "ignore": may}
    return {"id": source.id, "reader": source.reader, "dialect": source.dialect, "forms": [layout]}


def _ingest(trial: Trial, values: dict[str, str]) -> tuple[dict, tuple[str, ...]]:
    spec = ingest_spec(trial, values["source"], values["form"])
    table = dispatch_table("trialpipe.ingest.run", "READERS")
    reader = (table[spec["reader"]],) if spec["reader"] in table else ()
    return spec, ("trialpipe.ingest.run", *reader)


def _clean(trial: Trial, values: dict[str, str]) -> tuple[dict, tuple[str, ...]]:
    entry = plan.domain_map(trial, values["domain"])
    table = dispatch_table("trialpipe.clean.run", "PREPARERS")
    preparers = tuple(table[row.prepare] for row in entry.rows if row.prepare in table)
    return {**clean_spec(trial), "domain": entry, "forms": plan.domain_forms(trial, values["domain"])}, (
        "trialpipe.clean.run",
        *preparers,
    )


def clean_spec(trial: Trial) -> dict:
    """What cleaning any domain of a trial depends on beside the domain's own mapping."""
    extracts = trial.extracts
    return {
        "trial": trial.id,
        "data_cutoff": trial.protocol.data_cutoff,
        "dialects": {source.id: source.dialect for source in extracts.sources},
        "codelists": extracts.codelists,
        "subject_pattern": extracts.subject_pattern,
        "checks": extracts.checks,
        "tests": extracts.tests,
    }


def _checks(trial: Trial, values: dict[str, str]) -> tuple[dict, tuple[str, ...]]:
    return {**clean_spec(trial), "domains": plan.domains(trial)}, ()


def _derive(trial: Trial, values: dict[str, str]) -> tuple[dict, tuple[str, ...]]:
    name = values["dataset"]
    table = dispatch_table("trialpipe.derive.run", "KINDS")
    kind = "adsl" if name == "adsl" else plan.dataset(trial.protocol, name).kind
    spec = {
        "dataset": name,
        "protocol": plan.dataset_protocol(trial.protocol, name),
        "outcomes": plan.dataset_outcomes(trial, name),
    }
    return spec, ("trialpipe.derive.run", table[kind])


def _analyse(trial: Trial, values: dict[str, str]) -> tuple[dict, tuple[str, ...]]:
    group = values["group"]
    table = dispatch_table("trialpipe.analyse.run", "KINDS")
    spec = {"protocol": plan.group_protocol(trial, group), "outcomes": plan.group_outcomes(trial, group)}
    return spec, ("trialpipe.analyse.run", *(table[kind] for kind in plan.group_kinds(trial, group)))


def _whole(trial: Trial, values: dict[str, str]) -> tuple[dict, tuple[str, ...]]:
    return {"protocol": trial.protocol, "outcomes": trial.outcomes}, ()


def _nothing(trial: Trial, values: dict[str, str]) -> tuple[dict, tuple[str, ...]]:
    """For a job that reads its configuration from its input."""
    return {}, ()


def _examined(trial: Trial, values: dict[str, str]) -> tuple[dict, tuple[str, ...]]:
    """The examined outcome and its scenarios; how many replicates there are is a matter of each job."""
    scenarios = trial.characteristics
    assert scenarios is not None  # only such trials have these jobs
    outcome = next(o for o in trial.outcomes if o.id == scenarios.outcome)
    kept = scenarios.model_dump(mode="json", exclude={"replicates", "batch"})
    spec = {"protocol": trial.protocol, "outcomes": (outcome,), "characteristics": kept}
    kinds, names = (dispatch_table(f"trialpipe.{stage}.run", "KINDS") for stage in ("derive", "analyse"))
    dataset = plan.dataset(trial.protocol, outcome.endpoint.dataset).kind
    analysed = (names[a.kind] for a in outcome.analyses if name_of(a) in scenarios.analyses)
    return spec, ("trialpipe.derive.run", kinds[dataset], "trialpipe.analyse.run", *sorted(set(analysed)))


def _replicates(trial: Trial, values: dict[str, str]) -> tuple[dict, tuple[str, ...]]:
    """As ``_examined`` without the words, so that another label draws no patient anew."""
    spec, roots = _examined(trial, values)
    kept = spec["characteristics"]
    plain = [{**scenario, "label": "-", "source": "-", "role": "other"} for scenario in kept["scenarios"]]
    words = {"title": "-", "source": "-", "assumptions": (), "registry_errors": ()}
    protocol = trial.protocol.model_copy(update=words)
    return {**spec, "protocol": protocol, "characteristics": {**kept, "scenarios": plain, "notes": []}}, roots


def _population(trial: Trial, values: dict[str, str]) -> tuple[dict, tuple[str, ...]]:
    spec, _ = _replicates(trial, values)
    courses = [names[0] for names in dispatch_table("trialpipe.simulate.main", "COURSES").values()]
    return {"simulation": trial.id, "characteristics": spec["characteristics"]}, tuple(sorted(courses))


def _figures(trial: Trial, values: dict[str, str]) -> tuple[dict, tuple[str, ...]]:
    table = dispatch_table("trialpipe.figures.run", "DRAWINGS")
    kinds = {analysis.kind for outcome in trial.outcomes for analysis in outcome.analyses}
    drawings = sorted({table[kind] for kind in kinds if kind in table})
    return {"protocol": trial.protocol, "outcomes": trial.outcomes}, ("trialpipe.figures.run", *drawings)


_STAGES = {
    "ingest": _ingest,
    "clean": _clean,
    "checks": _checks,
    "derive": _derive,
    "analyse": _analyse,
    "stack": _whole,
    "figures": _figures,
    "report": _whole,
    "qc_export": _whole,
    "qc_r": _nothing,
    "qc_compare": _whole,
    "characteristics_population": _population,
    "characteristics_replicates": _replicates,
    "characteristics": _examined,
    "characteristics_page": _examined,
    "qc_report": _whole,
}
