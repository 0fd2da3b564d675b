"""A configured trial's extracts through ingest and clean in memory, the way the workflow's jobs do it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from trialpipe.clean.checks import cross
from trialpipe.clean.combine import combine
from trialpipe.clean.context import CleanContext, context_from
from trialpipe.clean.run import CleanResult, clean
from trialpipe.config.errors import validate
from trialpipe.config.extracts import Extracts
from trialpipe.config.protocol import Protocol
from trialpipe.config.trial import Trial, as_json, with_files
from trialpipe.config.yaml_strict import load
from trialpipe.ingest.run import ingest
from trialpipe.io import store
from trialpipe.io.contracts import QUERIES, RECONCILIATION
from trialpipe.provenance.identity import clean_spec, ingest_spec

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cleaned:
    """Everything the clean stage leaves of a trial."""

    context: CleanContext
    forms: dict[str, pd.DataFrame]
    results: dict[str, CleanResult]
    queries: pd.DataFrame
    reconciliation: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        return {name: result.table for name, result in self.results.items()}


def trial(name: str, root: Path | None = None) -> Trial:
    """Protocol and extracts (under ``root``, if given) of a trial; its outcomes are not read."""
    folder = ROOT / "config" / "trials" / name
    protocol = validate(load(folder / "protocol.yaml"), Protocol)
    extracts = validate(load(folder / "extracts.yaml"), Extracts)
    where = root or ROOT / extracts.root
    return Trial(name, folder, protocol, with_files(extracts, where, {}), (), {}, where)


def cleaned(name: str, root: Path | None = None) -> Cleaned:
    """The trial's extracts (or those under ``root``) ingested, cleaned and checked."""
    configured = trial(name, root)
    forms = {}
    for source in configured.extracts.sources:
        for form in source.forms:
            spec = json.loads(as_json(ingest_spec(configured, source.id, form.id)))
            table, _ = ingest(spec, configured.root, form.id)
            forms[f"{source.id}.{form.id}"] = store.frame(table)
    context = context_from(json.loads(as_json(clean_spec(configured))))
    results = {entry.domain: clean(entry, forms, context) for entry in configured.extracts.domains}
    found = cross({domain: result.table for domain, result in results.items()}, context)
    queries = combine([*(result.queries for result in results.values()), found], QUERIES)
    rows = combine([result.reconciliation for result in results.values()], RECONCILIATION)
    return Cleaned(context, forms, results, queries, rows)
